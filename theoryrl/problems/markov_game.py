"""Two-player zero-sum Markov games: finite horizon, known deterministic rewards in [0, 1], one start state."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Any

import numpy as np

from theoryrl import validate
from theoryrl.planning import matrix_game
from theoryrl.problems.problem import Problem, cumulative_rows, frozen


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class MarkovGame(Problem):
    """A zero-sum Markov game with S states and horizon H; the max-player has A actions, the min-player B.

    Parameters
    ----------
    transition : (S, A, B, S) or (H, S, A, B, S) array
        Laws of the next state, the same at every stage or one for each; rows sum to one.
    reward : (S, A, B) or (H, S, A, B) array in [0, 1]
        What the max-player receives; deterministic and known.
    horizon : int
        Steps H of an episode, at least 1.
    start : int
        State in which every episode starts.

    Raises
    ------
    ValueError, TypeError
        If a field is out of range or of a wrong shape, or a row of `transition` does not sum to one.
    """

    transition: np.ndarray
    reward: np.ndarray
    horizon: int
    start: int = 0

    def __post_init__(self) -> None:
        H = validate.integer("horizon", self.horizon, 1)
        stationary = validate.dimensions("transition", self.transition) == 4
        transition = validate.distributions("transition", self.transition, (None,) * 4 if stationary else (H, *(None,) * 4))
        S, A, B = transition.shape[-4:-1]
        validate.check_shape("transition", transition, (*transition.shape[:-1], S))
        checked: dict[str, Any] = {
            "transition": transition,
            "reward": validate.real_array("reward", self.reward, (S, A, B) if validate.dimensions("reward", self.reward) == 3 else (H, S, A, B), 0, 1),
            "horizon": H,
            "start": validate.integer("start", self.start, 0, S - 1),
        }
        for field, value in checked.items():
            object.__setattr__(self, field, value)

    @property
    def n_states(self) -> int:
        """Number of states S."""
        return int(self.transition.shape[-1])

    @property
    def n_actions(self) -> tuple[int, int]:
        """Numbers of actions (A, B) of the max-player and of the min-player."""
        return int(self.transition.shape[-3]), int(self.transition.shape[-2])

    @property
    def stage_transition(self) -> np.ndarray:
        """The laws of the next state at every stage, an (H, S, A, B, S) read-only view."""
        return np.broadcast_to(self.transition, (self.horizon, *self.transition.shape[-4:]))

    @property
    def stage_reward(self) -> np.ndarray:
        """The rewards at every stage, an (H, S, A, B) read-only view."""
        return np.broadcast_to(self.reward, (self.horizon, *self.transition.shape[-4:-1]))

    @cached_property
    def value_caps(self) -> np.ndarray:
        """The caps C, an (H + 1,) array: values at stage h are at most C[h] = C[h + 1] + max r[h], and C[H] = 0."""
        largest = self.stage_reward.max(axis=(1, 2, 3))
        return frozen(np.append(np.cumsum(largest[::-1])[::-1], 0.0))

    @property
    def nash_values(self) -> np.ndarray:
        """Nash equilibrium values, an (H + 1, S) array."""
        return self._nash[0]

    @property
    def nash_max(self) -> np.ndarray:
        """A maximin strategy of the max-player, an (H, S, A) array."""
        return self._nash[1]

    @property
    def nash_min(self) -> np.ndarray:
        """A minimax strategy of the min-player, an (H, S, B) array."""
        return self._nash[2]

    @property
    def value(self) -> Any:
        """Nash equilibrium value of an episode."""
        return self.nash_values[0, self.start]

    @cached_property
    def worst_guarantee(self) -> Any:
        """The smallest value that a max-player can be held to: ``min`` over all pairs of strategies, at the start."""
        V = np.zeros(self.n_states)
        for h in range(self.horizon - 1, -1, -1):
            V = (self.stage_reward[h] + self.stage_transition[h] @ V).min(axis=(1, 2))
        return V[self.start]

    @cached_property
    def max_reach(self) -> np.ndarray:
        """The largest probability, over all pairs of policies, of being in s at stage h: an (H, S) array."""
        H, S = self.horizon, self.n_states
        reach = np.zeros((H, S))
        for h in range(H):
            V = np.eye(S)  # one column a target
            for i in range(h - 1, -1, -1):
                V = (self.stage_transition[i] @ V).max(axis=(1, 2))
            reach[h] = V[self.start]
        return frozen(reach)

    @cached_property
    def cumulative(self) -> np.ndarray:
        """Cumulative transition rows at every stage, (H, S, A, B, S), for drawing by inversion."""
        return cumulative_rows(self.stage_transition)

    def best_response(self, mu: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the values (H + 1, S) of the max-player's strategy mu (H, S, A) against the best response, and that response (H, S) int64."""
        mu = validate.distributions("mu", mu, (self.horizon, self.n_states, self.n_actions[0]))
        return matrix_game.best_response(self.stage_transition, self.stage_reward, mu)

    @cached_property
    def _nash(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        V, mu, nu = matrix_game.nash(self.stage_transition, self.stage_reward)
        return frozen(V), frozen(mu), frozen(nu)
