"""What GOSPRL is asked for: numbers of samples of each pair, fixed or prescribed by a rule while it collects them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np

from theoryrl import validate
from theoryrl.problems.continuing import ContinuingMDP

MOST = 2**53
"""Largest number of samples of a pair: counts stay exact as doubles."""


@runtime_checkable
class Rule(Protocol):
    """Prescribes samples by what has been counted so far.

    A rule that has no `levels` is asked before every step, with all transition counts.  Its demand of a pair may rise at
    any time, and may fall once it is met.
    """

    def requirements(self, N: np.ndarray) -> np.ndarray:
        """Return how many samples of each pair are wanted, (S, A) integers, at the transition counts `N`, (S, A, S); it depends on `N` only."""


@runtime_checkable
class LevelledRule(Rule, Protocol):
    """A rule whose demands are numbers of a fixed grid, and rise only when they are met: it is asked only then.

    Its `requirements` are given the counts of the *first* samples of each pair, as many as it demands, and none that came
    after them: what it estimates from them obeys inequalities for a fixed number of samples.
    """

    def levels(self, n_states: int, n_actions: int) -> np.ndarray:
        """Return the numbers of samples that it may demand of a pair, in increasing order, (L,) integers."""


Requirement = int | tuple[tuple[int, ...], ...] | Rule | Callable[[np.ndarray], Any]


def parse(requirement: Any) -> Requirement:
    """Return a requirement as it is kept: a number, rows of numbers, or a rule.

    Raises
    ------
    TypeError, ValueError
        If it is none of them; the message names the entry and its value.
    """
    if isinstance(requirement, Rule) or callable(requirement):
        return requirement
    if validate.dimensions("requirement", requirement) == 0:
        return validate.integer("requirement", requirement, 0, MOST)
    rows = validate.integer_array("requirement", requirement, (None, None), 0, MOST)
    return tuple(tuple(int(b) for b in row) for row in rows)


def fixed_demand(requirement: Any, problem: ContinuingMDP) -> np.ndarray:
    """Return a fixed requirement, a number or rows of numbers, as an (S, A) int64 array.

    Raises
    ------
    TypeError, ValueError
        If it is a rule, does not fit the problem, or has entries out of range.
    """
    shape = (problem.n_states, problem.n_actions)
    if isinstance(requirement, Rule) or callable(requirement):
        raise TypeError(f"requirement: expected a number or an (S, A) array, got the rule {requirement!r}")
    if validate.dimensions("requirement", requirement) == 0:
        return np.full(shape, validate.integer("requirement", requirement, 0, MOST), np.int64)
    return np.array(validate.integer_array("requirement", requirement, shape, 0, MOST))


def demanded(requirement: Requirement, N: np.ndarray) -> np.ndarray:
    """Return what a rule demands at counts `N` (S, A, S), an (S, A) int64 array."""
    answer = requirement.requirements(N) if isinstance(requirement, Rule) else requirement(N)  # type: ignore[operator]
    return np.array(validate.integer_array("requirement(N)", answer, N.shape[:2], 0, MOST))


def levels(requirement: Requirement, problem: ContinuingMDP) -> np.ndarray:
    """Return the counts at which the samples of a pair may be looked at, an (L, S * A) int64 array that increases along L; L = 0 if at none."""
    pairs = problem.n_states * problem.n_actions
    if isinstance(requirement, (int, tuple)):
        return fixed_demand(requirement, problem).reshape(1, pairs)
    if isinstance(requirement, LevelledRule):
        grid = validate.integer_array("requirement.levels", requirement.levels(problem.n_states, problem.n_actions), (None,), 0, MOST)
        if np.any(np.diff(grid) <= 0):
            raise ValueError(f"requirement.levels: expected increasing numbers, got {grid.tolist()}")
        return np.repeat(grid[:, None], pairs, axis=1)
    return np.zeros((0, pairs), np.int64)


def shorten(text: str, requirement: Requirement) -> str:
    """Return the text of a call in which a long requirement is told by its shape and sum."""
    if not isinstance(requirement, tuple) or sum(map(len, requirement)) <= 12:
        return text
    return text.replace(repr(requirement), f"<{len(requirement)} x {len(requirement[0])} array of sum {sum(map(sum, requirement))}>")


def missing(owed: np.ndarray, n_actions: int) -> str:
    """Say what of `owed`, demands minus counts (S A,), is missing."""
    short = np.flatnonzero(owed > 0)
    if not len(short):
        return "the requirement is met"
    most = int(short[np.argmax(owed[short])])
    pair = f"state {most // n_actions}, action {most % n_actions}"
    return f"missing {owed[short].sum(dtype=float):,.0f} samples of {len(short)} pairs, most ({owed[most]:,}) of {pair}"
