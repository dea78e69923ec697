"""Cascading MDPs: at every step a list is shown, and the first attractive item decides reward and next state."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Any

import numpy as np

from theoryrl import validate
from theoryrl.planning import cascade
from theoryrl.planning.best_perm import workspace
from theoryrl.problems.problem import Planned, cumulative_rows, frozen


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class CascadingMDP(Planned):
    """A finite-horizon cascading MDP (Du, Srikant, Chen, "Cascading Reinforcement Learning", ICLR 2024), the same at every step.

    In state s the learner shows a list of distinct items; the user goes down it and clicks the first attractive one,
    where item a attracts with probability ``attraction[s, a]``, independently.  Reward and next state depend on the
    clicked item; index N stands for no click.

    Parameters
    ----------
    attraction : (S, N) array in [0, 1]
        Attraction probabilities q.
    transition : (S, N + 1, S) array
        Laws p of the next state; rows sum to one.
    reward : (S, N + 1) array in [0, 1]
        Rewards r, known to the learner (the paper has ``reward[s, N] = 0``).
    horizon : int
        Steps H of an episode, at least 1.
    max_length : int
        Longest list m, at least 1; more than N means N.
    start : int or (K,) array of int
        State in which every episode starts, or one for each of K episodes.
    allow_empty : bool
        Whether the empty list may be shown.

    Raises
    ------
    ValueError, TypeError
        If a field is out of range or of a wrong shape, or a row of `transition` does not sum to one; the message names
        the field, the index and the value.
    """

    attraction: np.ndarray
    transition: np.ndarray
    reward: np.ndarray
    horizon: int
    max_length: int
    start: int | np.ndarray = 0
    allow_empty: bool = False

    def __post_init__(self) -> None:
        attraction = validate.real_array("attraction", self.attraction, (None, None), 0, 1)
        S, N = attraction.shape
        many = np.ndim(self.start) > 0
        checked: dict[str, Any] = {
            "attraction": attraction,
            "transition": validate.distributions("transition", self.transition, (S, N + 1, S)),
            "reward": validate.real_array("reward", self.reward, (S, N + 1), 0, 1),
            "horizon": validate.integer("horizon", self.horizon, 1),
            "max_length": validate.integer("max_length", self.max_length, 1),
            "start": validate.integer_array("start", self.start, (None,), 0, S - 1) if many else validate.integer("start", self.start, 0, S - 1),
        }
        if not isinstance(self.allow_empty, bool):
            raise TypeError(f"allow_empty: expected True or False, got {self.allow_empty!r}")
        for field, value in checked.items():
            object.__setattr__(self, field, value)

    @property
    def n_states(self) -> int:
        """Number of states S."""
        return int(self.attraction.shape[0])

    @property
    def n_items(self) -> int:
        """Number of items N."""
        return int(self.attraction.shape[1])

    @property
    def list_length(self) -> int:
        """Length of the longest list that can be shown, min(m, N)."""
        return min(self.max_length, self.n_items)

    @property
    def min_length(self) -> int:
        """Length of the shortest list that can be shown: 0 or 1."""
        return 0 if self.allow_empty else 1

    @property
    def optimal_lists(self) -> np.ndarray:
        """An optimal policy, an (H, S, list_length) int64 array of lists padded with -1."""
        return self._best[1]

    @cached_property
    def cumulative(self) -> np.ndarray:
        """Cumulative transition rows, (S, N + 1, S), for drawing by inversion; 2 from the last reachable state on."""
        return cumulative_rows(self.transition)

    @cached_property
    def _best(self) -> tuple[np.ndarray, np.ndarray]:
        return self._solve(cascade.optimal_values)

    @cached_property
    def _worst(self) -> tuple[np.ndarray, np.ndarray]:
        return self._solve(cascade.worst_values)

    def _solve(self, planner: Any) -> tuple[np.ndarray, np.ndarray]:
        q, P, r, H = self.attraction, self.transition, self.reward, self.horizon
        V = np.zeros((H + 1, self.n_states), np.result_type(q, P, r))
        lists = np.full((H, self.n_states, self.list_length), -1, np.int64)
        lengths = np.zeros((H, self.n_states), np.int64)
        planner(q, P, r, H, self.list_length, self.min_length, V, lists, lengths, *workspace(self.n_items, self.list_length, V.dtype))
        return frozen(V), frozen(lists)
