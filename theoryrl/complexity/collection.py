r"""How long it takes to collect prescribed samples: a lower bound for every learner, and exact mean times of two that need not learn.

T is the number of steps until each pair z has been played b(z) times, from the start, without resets.

- No learner has a smaller mean of T than a linear program over the mean numbers of visits x(s, a) and the law mu of the last state:
  minimise :math:`\sum x` subject to :math:`x \ge b`, :math:`\sum_a x(s, a) + \mu(s) = 1\{s = s_0\} + \sum_{s', a'} P(s | s', a') x(s', a')`.
- Uniformly random actions are the worst policy that ends: a time bound says something if it is below their mean time.
- A *known model*: play an unmet pair where there is one, else travel to the nearest state that has one.  (No optimal tour.)

All derived here; the linear program counts arrivals and departures of each state along a path.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from theoryrl import validate
from theoryrl.planning.shortest_path import goal_times
from theoryrl.problems.continuing import ContinuingMDP

MOST_DEMANDS = 20_000
"""Largest number of vectors of remaining counts that an exact mean time goes through."""

MOST_SAMPLES = 2**53


def collection_time_lower_bound(problem: ContinuingMDP, b: Any) -> float:
    r"""Return a lower bound on the mean time in which any learner, even one that knows the model, collects `b`: the value of the linear program.

    It is the value of a feasible solution of the dual program: numbers y(s) with :math:`y(s) \le 1 + P(s, a) y` certify
    :math:`y(s_0) - \max y + \sum b(s, a) (1 + P(s, a) y - y(s))`.  So the solver's tolerance makes it smaller, never too large.

    For a learner that only collects `b` with probability 1 - delta, multiply by 1 - delta.

    Parameters
    ----------
    problem : ContinuingMDP
        Communicating.
    b : int or (S, A) array of int
        Samples wanted of each pair; a number stands for all pairs.

    Raises
    ------
    ValueError, TypeError
        If `b` is not such a requirement, or the MDP is not communicating (with two states as a witness).
    RuntimeError
        If the solver fails.
    """
    b = _checked(problem, b)
    S, A, P = problem.n_states, problem.n_actions, problem.transition
    if S == 1 or not b.any():
        return float(b.sum(dtype=float))
    from scipy import sparse
    from scipy.optimize import linprog

    departures = sparse.csr_array(np.repeat(np.eye(S), A, axis=0) - P.reshape(S * A, S))  # minus arrivals, for each pair
    gain = np.eye(S)[problem.start] - departures.T @ b.reshape(-1)
    # A constant added to y changes nothing, so that max y = 0; in units of the largest demand, which the solver's tolerances suit.
    solved = linprog(-gain / float(b.max()), A_ub=departures, b_ub=np.ones(S * A), bounds=(None, 0), method="highs")
    if solved.status != 0:
        raise RuntimeError(f"the linear program was not solved: {solved.message}")
    y = solved.x
    y = y / max(1.0, float((y[:, None] - P @ y).max()))
    return float(y[problem.start] - y.max() + (b * (1 + P @ y - y[:, None])).sum())


def uniform_collection_time(problem: ContinuingMDP, b: Any) -> float:
    """Return the mean time in which uniformly random actions collect `b`, or a lower bound of it.

    Exact (`uniform_collection_is_exact`) if one pair is wanted, by two hitting times: (first) + (b - 1) (return); and if there are
    at most `MOST_DEMANDS` vectors of remaining counts, by a linear system for each.  Else the largest of the times that
    single pairs take alone, which is a lower bound.

    Parameters
    ----------
    problem : ContinuingMDP
        Communicating.
    b : int or (S, A) array of int
        Samples wanted of each pair; a number stands for all pairs.

    Raises
    ------
    ValueError, TypeError
        If `b` is not such a requirement, or the MDP is not communicating (with two states as a witness).
    """
    b = _checked(problem, b)
    wanted = np.flatnonzero(b)
    if len(wanted) > 1 and _demands(b) <= MOST_DEMANDS:
        law = np.full((problem.n_states, problem.n_actions), 1 / problem.n_actions)
        return _mean_time(problem, b, lambda unmet: law)
    return max((_single_time(problem, int(pair), int(b.flat[pair])) for pair in wanted), default=0.0)


def uniform_collection_is_exact(problem: ContinuingMDP, b: Any) -> bool:
    """Return whether `uniform_collection_time` is the mean time itself."""
    b = _checked(problem, b)
    return bool(np.count_nonzero(b) <= 1 or _demands(b) <= MOST_DEMANDS)


def known_model_collection_time(problem: ContinuingMDP, b: Any) -> float:
    """Return the exact mean time of collecting `b` in a known model: the first unmet action where there is one, else the fastest way to a state that has one.

    Of equally fast ways it takes the first action in each state (as `OracleCollection` does, of which this is the mean time).

    Parameters
    ----------
    problem : ContinuingMDP
        Communicating.
    b : int or (S, A) array of int
        Samples wanted of each pair; a number stands for all pairs.

    Raises
    ------
    ValueError, TypeError
        If `b` is not such a requirement, the MDP is not communicating (with two states as a witness), or there are more than
        `MOST_DEMANDS` vectors of remaining counts, the product of b + 1 over all pairs.
    """
    b = _checked(problem, b)
    if _demands(b) > MOST_DEMANDS:
        raise ValueError(f"b: expected a product of b + 1 of at most {MOST_DEMANDS}, got {_demands(b)}")

    def law(unmet: np.ndarray) -> np.ndarray:
        goal = np.asarray(unmet.any(axis=1))
        _, policy = goal_times(problem.transition, goal)
        chosen: np.ndarray = np.eye(problem.n_actions)[np.where(goal, unmet.argmax(axis=1), policy)]
        return chosen

    return _mean_time(problem, b, law)


def _checked(problem: ContinuingMDP, b: Any) -> np.ndarray:
    """Return `b` as an (S, A) int64 array; raise on bad input."""
    if not isinstance(problem, ContinuingMDP):
        raise TypeError(f"problem: expected a ContinuingMDP, got {type(problem).__name__}")
    shape = (problem.n_states, problem.n_actions)
    if validate.dimensions("b", b) == 0:
        demand: np.ndarray = np.full(shape, validate.integer("b", b, 0, MOST_SAMPLES))
    else:
        demand = validate.integer_array("b", b, shape, 0, MOST_SAMPLES)
    problem.require_communicating("a time of collection")
    return demand


def _demands(b: np.ndarray) -> int:
    """Return the number of vectors of remaining counts."""
    return math.prod(int(count) + 1 for count in b.flat)


def _single_time(problem: ContinuingMDP, pair: int, samples: int) -> float:
    """Return the mean time in which uniformly random actions play `pair` `samples` times."""
    S, A = problem.n_states, problem.n_actions
    step = problem.transition.mean(axis=1)
    arrival = problem.transition.reshape(S * A, S)[pair]
    step[pair // A] -= arrival / A  # the walk ends after `pair` is played
    times = np.linalg.solve(np.eye(S) - step, np.ones(S))
    return float(times[problem.start] + (samples - 1) * (arrival @ times))


def _mean_time(problem: ContinuingMDP, b: np.ndarray, law: Callable[[np.ndarray], np.ndarray]) -> float:
    """Return the mean time of collecting `b` with the actions' laws (S, A) that `law` gives for the unmet pairs (S, A).

    The times (S,) for each vector of remaining counts, the smaller ones first: playing an unmet pair leads to a vector that is
    smaller by one there, all else stays at the same one.
    """
    S, A, P = problem.n_states, problem.n_actions, problem.transition
    wanted = np.flatnonzero(b)
    times: dict[tuple[int, ...], np.ndarray] = {}
    laws: dict[bytes, np.ndarray] = {}
    for left in itertools.product(*(range(int(b.flat[pair]) + 1) for pair in wanted)):
        if not any(left):
            times[left] = np.zeros(S)
            continue
        unmet: np.ndarray = np.zeros((S, A), bool)
        unmet.flat[wanted] = np.array(left) > 0
        key = unmet.tobytes()
        if key not in laws:
            laws[key] = law(unmet)
        chances = laws[key]
        same = np.einsum("sa,sat->st", np.where(unmet, 0, chances), P)
        right = np.ones(S)
        for place, after in _smaller(left):
            s, a = divmod(int(wanted[place]), A)
            if chances[s, a] > 0:
                right[s] += chances[s, a] * (P[s, a] @ times[after])
        times[left] = np.linalg.solve(np.eye(S) - same, right)
    return float(times[tuple(int(b.flat[pair]) for pair in wanted)][problem.start])


def _smaller(left: tuple[int, ...]) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Yield each place where `left` is positive, and `left` less one there."""
    for place, count in enumerate(left):
        if count:
            yield place, (*left[:place], count - 1, *left[place + 1 :])
