"""Episodic tabular MDPs: finite horizon, known deterministic rewards in [0, 1], one start state."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Any

import numpy as np

from theoryrl import validate
from theoryrl.planning import episodic as planning
from theoryrl.planning.shortest_path import hitting_times
from theoryrl.problems.problem import Planned, cumulative_rows, frozen


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class EpisodicMDP(Planned):
    """An episodic MDP with S states, A actions and horizon H.

    Row h of an array with H rows belongs to stage h + 1 of the papers.

    Parameters
    ----------
    transition : (S, A, S) or (H, S, A, S) array
        Laws of the next state, the same at every stage or one for each; rows sum to one.
    reward : (S, A) or (H, S, A) array in [0, 1]
        Rewards, deterministic and known to the learner.
    horizon : int
        Steps H of an episode, at least 1.
    start : int
        State in which every episode starts.
    prior : float, optional
        Says that the rows of `transition` were drawn independently from Dirichlet(prior, ..., prior): the assumption of
        Bayesian theorems.

    Raises
    ------
    ValueError, TypeError
        If a field is out of range or of a wrong shape, or a row of `transition` does not sum to one; the message names
        the field, the index and the value.
    """

    transition: np.ndarray
    reward: np.ndarray
    horizon: int
    start: int = 0
    prior: float | None = dataclasses.field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        H = validate.integer("horizon", self.horizon, 1)
        stationary = validate.dimensions("transition", self.transition) == 3
        transition = validate.distributions("transition", self.transition, (None,) * 3 if stationary else (H, None, None, None))
        S, A = transition.shape[-3:-1]
        validate.check_shape("transition", transition, (*transition.shape[:-1], S))
        checked: dict[str, Any] = {
            "transition": transition,
            "reward": validate.real_array("reward", self.reward, (S, A) if validate.dimensions("reward", self.reward) == 2 else (H, S, A), 0, 1),
            "horizon": H,
            "start": validate.integer("start", self.start, 0, S - 1),
            "prior": None if self.prior is None else validate.real("prior", self.prior, 0, np.inf, open_ends=True),
        }
        for field, value in checked.items():
            object.__setattr__(self, field, value)

    @property
    def n_states(self) -> int:
        """Number of states S."""
        return int(self.transition.shape[-1])

    @property
    def n_actions(self) -> int:
        """Number of actions A."""
        return int(self.transition.shape[-2])

    @property
    def stage_transition(self) -> np.ndarray:
        """The laws of the next state at every stage, an (H, S, A, S) read-only view."""
        return np.broadcast_to(self.transition, (self.horizon, *self.transition.shape[-3:]))

    @property
    def stage_reward(self) -> np.ndarray:
        """The rewards at every stage, an (H, S, A) read-only view."""
        return np.broadcast_to(self.reward, (self.horizon, self.n_states, self.n_actions))

    @cached_property
    def stage_change(self) -> int | None:
        """The first stage (index in ``[1, H)``) whose laws differ from those of stage 0; None if the MDP is stationary."""
        differing = np.any(self.stage_transition != self.stage_transition[0], axis=(1, 2, 3))
        return int(np.argmax(differing)) if differing.any() else None

    @property
    def stationary(self) -> bool:
        """Whether the laws of the next state are the same at every stage."""
        return self.stage_change is None

    @property
    def optimal_policy(self) -> np.ndarray:
        """An optimal policy, an (H, S) int64 array; ties go to the lowest action."""
        return self._best[1]

    @cached_property
    def value_caps(self) -> np.ndarray:
        """The caps C, an (H + 1,) array: values at stage h are at most C[h] = C[h + 1] + max r[h], and C[H] = 0."""
        largest = self.reward_rows.max(axis=1)
        return frozen(np.append(np.cumsum(largest[::-1])[::-1], 0 * largest[:1]))

    @cached_property
    def max_reach(self) -> np.ndarray:
        """The largest probability, over all policies, of being in s at stage h: an (H, S) array."""
        reach = np.zeros((self.horizon, self.n_states), self.transition.dtype)
        planning.max_reach(self.next_first, self.start, reach, np.zeros((self.horizon + 1, self.n_states), reach.dtype))
        return frozen(reach)

    @cached_property
    def reachability(self) -> np.ndarray:
        """The reachability numbers of the stages, A times the sums of `max_reach`: an (H,) array with entries at most S A."""
        return frozen(self.n_actions * self.max_reach.sum(axis=1))

    @cached_property
    def support(self) -> int:
        """Largest number of next states that a pair has."""
        return int(np.count_nonzero(self.transition, axis=-1).max())

    @cached_property
    def diameter(self) -> float:
        """The largest of the smallest expected hitting times between two states (inf: not communicating).

        Raises
        ------
        ValueError
            If the laws differ between stages.
        """
        if self.stage_change is not None:
            raise ValueError(f"transition: a diameter needs the same laws at every stage, but stages 0 and {self.stage_change} differ")
        return float(hitting_times(self.stage_transition[0]).max())

    @cached_property
    def next_first(self) -> np.ndarray:
        """The transition laws as kernels read them, a (G, S', S * A) array with G = 1 or H."""
        S, A = self.n_states, self.n_actions
        return frozen(np.ascontiguousarray(np.moveaxis(self.transition.reshape(-1, S * A, S), -1, 1)))

    @cached_property
    def reward_rows(self) -> np.ndarray:
        """The rewards as kernels read them, an (H, S * A) array."""
        return frozen(np.ascontiguousarray(self.stage_reward).reshape(self.horizon, -1))

    @cached_property
    def cumulative(self) -> np.ndarray:
        """Cumulative transition rows, (G, S, A, S), for drawing by inversion; 2 from the last reachable state on."""
        return cumulative_rows(self.transition.reshape(-1, self.n_states, self.n_actions, self.n_states))

    def policy_values(self, policy: np.ndarray) -> np.ndarray:
        """Return the values of a deterministic policy, (H, S) actions, as an (H + 1, S) array."""
        V = np.zeros((self.horizon + 1, self.n_states), np.result_type(self.transition, self.reward))
        planning.policy_values(self.next_first, self.reward_rows, self._policy(policy), V)
        return V

    def occupancy(self, policy: np.ndarray) -> np.ndarray:
        """Return the probabilities d(s, a) of the pairs at every stage under a deterministic policy, an (H, S, A) array."""
        policy = self._policy(policy)
        d = np.zeros((self.horizon, self.n_states), self.transition.dtype)
        planning.occupancy(self.next_first, policy, self.start, d)
        return np.where(policy[..., None] == np.arange(self.n_actions), d[..., None], 0 * d[..., None])

    def _policy(self, policy: Any) -> np.ndarray:
        return validate.integer_array("policy", policy, (self.horizon, self.n_states), 0, self.n_actions - 1)

    @cached_property
    def _best(self) -> tuple[np.ndarray, np.ndarray]:
        return self._solve(planning.backward_induction)

    @cached_property
    def _worst(self) -> tuple[np.ndarray, np.ndarray]:
        return self._solve(planning.worst_induction)

    def _solve(self, planner: Any) -> tuple[np.ndarray, np.ndarray]:
        dtype = np.result_type(self.transition, self.reward)
        V, Q = np.zeros((self.horizon + 1, self.n_states), dtype), np.zeros(self.n_states * self.n_actions, dtype)
        policy = np.zeros((self.horizon, self.n_states), np.int64)
        planner(self.next_first, self.reward_rows, V, policy, Q)
        return frozen(V), frozen(policy)
