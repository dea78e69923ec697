"""Expected hitting times under the best policy, between all pairs of states of an MDP: the stochastic shortest path with unit costs.

A goal has a finite expected time from exactly those states from which some policy reaches it with probability one
(de Alfaro, "Computing minimum and maximum reachability times in probabilistic systems", CONCUR 1999).  On them, policy
iteration from a policy that reaches the goal surely only meets policies that do, and ends at the best one (Bertsekas and
Tsitsiklis, "An analysis of stochastic shortest path problems", Mathematics of Operations Research 16, 1991).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from theoryrl import validate


def hitting_times(P: Any) -> np.ndarray:
    """Return the smallest expected number of steps from each state to each other one.

    Exact up to round-off: each of the values is the solution of one linear system.  Times beyond about 1e13, where a step
    is no longer seen in a double, mean nothing.

    Parameters
    ----------
    P : (S, A, S) array
        Law of the next state, the same at all times.

    Returns
    -------
    (S, S) array
        Entry [s, g] is min over policies of E[first time in g | start in s]: 0 on the diagonal, and inf where no policy
        reaches g from s with probability one.

    Raises
    ------
    ValueError, TypeError
        If `P` is not such an array, or a row of it is no distribution.
    """
    P = validate.distributions("P", P, (None, None, None))
    validate.check_shape("P", P, (len(P), None, len(P)))
    return np.column_stack([_times_to(goal, P) for goal in range(len(P))])


def diameter(P: Any) -> tuple[float, tuple[int, int]]:
    """Return the largest entry of ``hitting_times(P)`` and its place (s, g), the first in row-major order.

    If it is inf the MDP is not communicating, and the pair is a witness: from s, no policy reaches g with probability one.
    """
    times = hitting_times(P)
    s, g = np.unravel_index(np.argmax(times), times.shape)
    return float(times[s, g]), (int(s), int(g))


def _times_to(goal: int, P: np.ndarray) -> np.ndarray:
    """Return the column of `goal`, (S,)."""
    policy, reaches, allowed = _reach(goal, P > 0)
    times = np.where(reaches, 0, math.inf)
    inside = np.flatnonzero(reaches & (np.arange(len(P)) != goal))
    if not len(inside):
        return times
    rows, policy = P[inside][:, :, inside], policy[inside]  # the goal has value 0, and nothing else is ever entered
    best = np.full(len(inside), math.inf)
    while True:
        values = np.linalg.solve(np.eye(len(inside)) - rows[np.arange(len(inside)), policy], np.ones(len(inside)))
        if not values.sum() < best.sum():  # the same policy, or another one that is as good up to round-off
            times[inside] = best
            return times
        best = values
        Q = np.where(allowed[inside], 1 + rows @ best, math.inf)
        kept = Q[np.arange(len(inside)), policy]
        policy = np.where(Q.min(axis=1) < kept, Q.argmin(axis=1), policy)


def _reach(goal: int, support: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a policy that reaches `goal` with probability one wherever any does, these states, and what may be done there.

    Parameters
    ----------
    support : (S, A, S) bool array
        Where P is positive.

    Returns
    -------
    policy : (S,) int64 array
    reaches : (S,) bool array
    allowed : (S, A) bool array
        The actions that lead to states in `reaches` only.
    """
    S = len(support)
    reaches: np.ndarray = np.ones(S, bool)
    while True:
        allowed: np.ndarray = ~np.any(support[:, :, ~reaches], axis=2)
        policy = np.zeros(S, np.int64)
        near: np.ndarray = np.arange(S) == goal
        while True:  # near: the goal can be reached, with some probability, without leaving `reaches`
            closer = allowed & support[:, :, near].any(axis=2)
            new = closer.any(axis=1) & ~near
            if not new.any():
                break
            policy[new], near = closer[new].argmax(axis=1), near | new
        if np.array_equal(near, reaches):
            return policy, reaches, allowed
        reaches = near
