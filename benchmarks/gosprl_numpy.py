"""GOSPRL and its extended value iteration in NumPy, vectorised over state-action pairs: what the kernels are compared with."""

from __future__ import annotations

import math

import numpy as np

from theoryrl.problems import ContinuingMDP

MARGIN = 1e-13
"""By how much a later action must be better than an earlier one, as in theoryrl."""


def extended_value_iteration(N: np.ndarray, goal: np.ndarray, delta_m: float, precision: float = 0.02) -> tuple[np.ndarray, np.ndarray, int]:
    """Return values (S,), policy (S,) and the number of sweeps for L1 balls around counts N (S, A, S); one order of the states for all pairs of a sweep."""
    S, A, _ = N.shape
    inside = np.flatnonzero(~goal)
    counts = N[inside].reshape(-1, S)
    n = counts.sum(axis=1)
    ell = S * math.log(2) + np.log(S * A / delta_m * np.maximum(n, 1) * (n + 1.0))
    half = np.where(n > 0, np.sqrt(ell / (2 * np.maximum(n, 1))), 1)
    p = np.ascontiguousarray((counts / np.maximum(n, 1)[:, None]).T)  # next state first, rows of pairs are contiguous
    v, policy, sweeps = np.zeros(S), np.zeros(S, np.int64), 0
    worst = np.empty_like(p)
    while True:
        sweeps += 1
        order = np.argsort(-v, kind="stable")
        np.take(p, order, axis=0, out=worst)
        np.cumsum(worst, axis=0, out=worst)
        worst -= half
        np.maximum(worst, 0, out=worst)  # the least law's mass on the worst k states: what the best state cannot take away
        Q = 1 + v[order[-1]] + (v[order[:-1]] - v[order[1:]]) @ worst[:-1]
        Q = Q.reshape(-1, A)
        best, policy[inside] = Q.min(axis=1), (Q <= Q.min(axis=1, keepdims=True) + MARGIN).argmax(axis=1)
        if np.max(best - v[inside], initial=0) <= precision:
            return v, policy, sweeps
        v[inside] = best


def gosprl(problem: ContinuingMDP, b: np.ndarray, seed: int, delta: float = 0.1) -> int:
    """Return how many steps GOSPRL with L1 balls and lazy replanning takes to collect b (S, A); draws and ties are those of theoryrl."""
    rng, S, A, outcomes = np.random.default_rng(seed), problem.n_states, problem.n_actions, problem.outcomes
    N, visits, steps, s = np.zeros((S, A, S), np.int64), np.zeros((S, A), np.int64), 0, problem.start
    unmet = visits < b
    goal = unmet.any(axis=1)
    planned, phase, policy, due = visits, visits, np.zeros(S, np.int64), True
    while goal.any():
        travel = not goal[s]
        if travel and due:
            _, policy, _ = extended_value_iteration(N, goal, delta / 2)
            planned, phase, due = visits.copy(), np.zeros_like(visits), False
        a = int(policy[s]) if travel else int(unmet[s].argmax())
        row = s * A + a
        s_next = outcomes.following[row, int(np.searchsorted(outcomes.cumulative[row], rng.random(), side="right"))]
        N[s, a, s_next] += 1
        visits[s, a] += 1
        steps += 1
        if travel:
            phase[s, a] += 1
            due = bool(phase[s, a] >= max(1, planned[s, a]))
        elif visits[s, a] >= b[s, a]:
            unmet[s, a] = False
            goal[s] = unmet[s].any()
            due = due or not goal[s]
        s = s_next
    return steps
