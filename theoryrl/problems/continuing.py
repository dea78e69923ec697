"""Continuing MDPs: one trajectory without resets, for average reward and for the collection of samples."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from theoryrl import validate
from theoryrl.planning.average_reward import AverageReward, average_reward
from theoryrl.planning.shortest_path import hitting_times
from theoryrl.problems.problem import Problem, cumulative_rows, frozen


class Outcomes(NamedTuple):
    """The joint laws of next state and reward, for one draw a step: (S A, W) arrays, the likeliest outcome of a pair first.

    `cumulative` is 2 from the last outcome of a pair on; `following` is the next state and `reward` the reward.
    """

    cumulative: np.ndarray
    following: np.ndarray
    reward: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ContinuingMDP(Problem):
    """An MDP with S states and A actions that never resets.

    Parameters
    ----------
    transition : (S, A, S) array
        Laws of the next state; rows sum to one.
    reward : (S, A) array in [0, 1], optional
        Mean rewards; None: reward-free (all zero), for the collection of samples.
    start : int
        State in which the trajectory starts.
    deterministic : bool
        Whether rewards are their means; else they are Bernoulli with these means.

    Raises
    ------
    ValueError, TypeError
        If a field is out of range or of a wrong shape, or a row of `transition` does not sum to one; the message names
        the field, the index and the value.
    """

    transition: np.ndarray
    reward: np.ndarray | None = None
    start: int = 0
    deterministic: bool = False

    def __post_init__(self) -> None:
        transition = validate.distributions("transition", self.transition, (None, None, None))
        S, A = transition.shape[:2]
        validate.check_shape("transition", transition, (S, A, S))
        if not isinstance(self.deterministic, bool):
            raise TypeError(f"deterministic: expected True or False, got {self.deterministic!r}")
        checked: dict[str, Any] = {
            "transition": transition,
            "reward": frozen(np.zeros((S, A))) if self.reward is None else validate.real_array("reward", self.reward, (S, A), 0, 1),
            "start": validate.integer("start", self.start, 0, S - 1),
        }
        for field, value in checked.items():
            object.__setattr__(self, field, value)

    @property
    def n_states(self) -> int:
        """Number of states S."""
        return int(self.transition.shape[0])

    @property
    def n_actions(self) -> int:
        """Number of actions A."""
        return int(self.transition.shape[1])

    @cached_property
    def support(self) -> int:
        """Largest number of next states that a pair has."""
        return int(np.count_nonzero(self.transition, axis=-1).max())

    @cached_property
    def hitting_times(self) -> np.ndarray:
        """Smallest expected times (S, S) from row to column; 0 on the diagonal, inf where no policy arrives surely."""
        return frozen(hitting_times(self.transition))

    @cached_property
    def diameters(self) -> np.ndarray:
        """The SSP-diameters (S,): the largest of the smallest expected times to each state."""
        return frozen(self.hitting_times.max(axis=0))

    @cached_property
    def diameter(self) -> float:
        """The largest of the smallest expected times between two states; inf if the MDP is not communicating."""
        return float(self.hitting_times.max())

    @cached_property
    def cut(self) -> tuple[int, int] | None:
        """A pair of states (from, to) with an infinite expected time, or None if the MDP is communicating."""
        s, g = np.unravel_index(np.argmax(self.hitting_times), self.hitting_times.shape)
        return None if np.isfinite(self.hitting_times[s, g]) else (int(s), int(g))

    @property
    def cut_witness(self) -> str:
        """What `cut` says in words, "" if the MDP is communicating."""
        return "" if self.cut is None else "from state {} no policy surely reaches state {}".format(*self.cut)

    def require_communicating(self, who: str) -> None:
        """Raise a ValueError that names `who` needs it, unless the MDP is communicating."""
        if self.cut is not None:
            raise ValueError(f"problem: {who} needs a communicating MDP, but {self.cut_witness}")

    @cached_property
    def next_first(self) -> np.ndarray:
        """The transition laws as kernels read them, an (S', S * A) array."""
        return frozen(np.ascontiguousarray(self.transition.reshape(-1, self.n_states).T))

    @cached_property
    def cumulative(self) -> np.ndarray:
        """Cumulative transition rows, (S, A, S), for drawing by inversion; 2 from the last reachable state on."""
        return cumulative_rows(self.transition)

    @cached_property
    def outcomes(self) -> Outcomes:
        """What can follow on each pair, and how likely."""
        laws, mean = self.transition.reshape(-1, self.n_states), self.reward.reshape(-1, 1)  # type: ignore[union-attr]
        if self.deterministic:
            chances, rewards = laws, np.broadcast_to(mean, laws.shape)
        else:  # a reward of one, then none
            chances = np.concatenate([laws * mean, laws * (1 - mean)], axis=1)
            rewards = np.broadcast_to(np.repeat([1.0, 0.0], self.n_states), chances.shape)
        width = int(np.count_nonzero(chances, axis=1).max())
        order = np.argsort(-chances, axis=1, kind="stable")[:, :width]
        cumulative = cumulative_rows(np.take_along_axis(chances, order, axis=1))
        return Outcomes(cumulative, frozen(order % self.n_states), frozen(np.take_along_axis(rewards, order, axis=1)))

    @property
    def optimal_gain(self) -> float:
        """The largest average reward, the same from every state of a communicating MDP; others raise ValueError."""
        return self._best.gain

    @property
    def optimal_bias(self) -> np.ndarray:
        """A solution h (S,) of the optimality equation gain + h(s) = max_a r(s, a) + P(s, a) h, with least entry 0."""
        return self._best.bias

    @property
    def bias_span(self) -> float:
        """The largest entry of `optimal_bias`, at most the diameter."""
        return float(self.optimal_bias.max())

    @property
    def gain_policy(self) -> np.ndarray:
        """A policy (S,) whose average reward is the optimal gain from every state."""
        return self._best.policy

    @cached_property
    def worst_gain(self) -> float:
        """The smallest average reward of any policy from any state of a communicating MDP; others raise ValueError."""
        return 0.0 - self._solved(-1).gain

    @cached_property
    def _best(self) -> AverageReward:
        return self._solved(1)

    def _solved(self, sign: int) -> AverageReward:
        if self.cut is not None:
            raise ValueError(f"transition: not communicating, so there is no single gain: {self.cut_witness}")
        gain, bias, policy = average_reward(self.transition, sign * self.reward)  # type: ignore[operator]
        return AverageReward(gain, frozen(bias), frozen(policy))
