"""Stochastic shortest paths: the least expected cost until a goal is reached, and with unit costs the hitting times of all pairs of states.

A goal has a finite expected time from exactly those states from which some policy reaches it with probability one
(de Alfaro, "Computing minimum and maximum reachability times in probabilistic systems", CONCUR 1999).  On them, policy
iteration from a policy that reaches the goal surely only meets policies that do, and ends at the best one (Bertsekas and
Tsitsiklis, "An analysis of stochastic shortest path problems", Mathematics of Operations Research 16, 1991).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from theoryrl import validate


class ShortestPath(NamedTuple):
    """The least expected costs (S,) to a goal, inf where no policy reaches it surely, and a policy (S,) that attains the finite ones."""

    values: np.ndarray
    policy: np.ndarray


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


def shortest_path(P: Any, costs: Any, goal: int) -> ShortestPath:
    """Return the least expected sums of costs until `goal` is reached, and a policy that attains them.

    Exact up to round-off: the values are the solution of one linear system, that of the policy returned.

    Parameters
    ----------
    P : (S, A, S) array
        Law of the next state.
    costs : (S, A) array of numbers above 0
        Cost of each pair; at the goal nothing is paid.
    goal : int

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range or of a wrong shape.
    """
    P, costs = _checked(P, costs)
    goal = validate.integer("goal", goal, 0, len(P) - 1)
    free = np.argwhere((costs <= 0) & (np.arange(len(P)) != goal)[:, None])
    if len(free):
        s, a = free[0]
        raise ValueError(f"costs[{s}, {a}]: expected a number above 0, got {costs[s, a]}")
    return _solve(np.arange(len(P)) == goal, P, costs)


def goal_times(P: np.ndarray, goal: np.ndarray) -> ShortestPath:
    """Return the least expected times to a set of goals, and a policy that attains them: the first of the best actions, up to 1e-9 of the times.

    Parameters
    ----------
    P : (S, A, S) array
        Laws of the next state, not checked.
    goal : (S,) bool array
        At least one is True; there the times are 0, and so is the policy.
    """
    times = _solve(goal, P, np.ones(P.shape[:2])).values
    Q = 1 + P @ times
    return ShortestPath(times, np.where(goal, 0, (Q <= Q.min(axis=1, keepdims=True) * (1 + 1e-9)).argmax(axis=1)))


def policy_costs(P: Any, costs: Any, policy: Any, goal: int) -> np.ndarray:
    """Return the expected sums of costs (S,) of a policy until `goal` is reached, by one linear system; inf where it may never reach it.

    Parameters
    ----------
    P : (S, A, S) array
    costs : (S, A) array of numbers of at least 0
    policy : (S,) int array
    goal : int

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range or of a wrong shape.
    """
    P, costs = _checked(P, costs)
    S, A = P.shape[:2]
    goal = validate.integer("goal", goal, 0, S - 1)
    policy = validate.integer_array("policy", policy, (S,), 0, A - 1)
    chain, cost = P[np.arange(S), policy], costs[np.arange(S), policy]
    reaches = _reach(np.arange(S) == goal, chain[:, None] > 0)[1]
    values = np.where(reaches, 0, math.inf)
    inside = np.flatnonzero(reaches & (np.arange(S) != goal))
    values[inside] = np.linalg.solve(np.eye(len(inside)) - chain[np.ix_(inside, inside)], cost[inside])
    return values


def _checked(P: Any, costs: Any) -> tuple[np.ndarray, np.ndarray]:
    P = validate.distributions("P", P, (None, None, None))
    S, A = P.shape[:2]
    validate.check_shape("P", P, (S, A, S))
    return P, validate.real_array("costs", costs, (S, A), 0)


def _times_to(goal: int, P: np.ndarray) -> np.ndarray:
    """Return the column of `goal`, (S,)."""
    return _solve(np.arange(len(P)) == goal, P, np.ones(P.shape[:2])).values


def _solve(goal: np.ndarray, P: np.ndarray, costs: np.ndarray) -> ShortestPath:
    """Return the least costs to the states in `goal`, (S,) bool, and a policy that attains them."""
    start, reaches, allowed = _reach(goal, P > 0)
    values = np.where(reaches, 0, math.inf)
    inside = np.flatnonzero(reaches & ~goal)
    if not len(inside):
        return ShortestPath(values, start)
    rows, cost, each = P[inside][:, :, inside], costs[inside], np.arange(len(inside))  # goals have value 0, and nothing else is ever entered
    policy, best, best_policy = start[inside], np.full(len(inside), math.inf), start[inside]
    while True:
        found = np.linalg.solve(np.eye(len(inside)) - rows[each, policy], cost[each, policy])
        if not found.sum() < best.sum():  # the same policy, or another one that is as good up to round-off
            values[inside], start[inside] = best, best_policy
            return ShortestPath(values, start)
        best, best_policy = found, policy
        Q = np.where(allowed[inside], cost + rows @ best, math.inf)
        policy = np.where(Q.min(axis=1) < Q[each, policy], Q.argmin(axis=1), policy)


def _reach(goal: np.ndarray, support: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a policy that reaches the states in `goal`, (S,) bool, with probability one wherever any does, these states, and what may be done there.

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
        near = goal.copy()
        while True:  # near: a goal can be reached, with some probability, without leaving `reaches`
            closer = allowed & support[:, :, near].any(axis=2)
            new = closer.any(axis=1) & ~near
            if not new.any():
                break
            policy[new], near = closer[new].argmax(axis=1), near | new
        if np.array_equal(near, reaches):
            return policy, reaches, allowed
        reaches = near
