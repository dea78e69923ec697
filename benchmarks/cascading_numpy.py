"""The peer: CascadingVI as a careful reader of the paper would write it in NumPy, vectorised over states and items.

It takes its sums in the order of `theoryrl`, so that it must give the same bits.
"""

from __future__ import annotations

import math

import numpy as np

from theoryrl.algorithms.cascading import horizon_log_term
from theoryrl.problems import CascadingMDP


def cascading_vi(problem: CascadingMDP, n: int, seed: int, delta: float = 0.05) -> float:
    """Return the regret of ``CascadingVI(delta)`` after `n` episodes (variant "explicit", a plan before every episode)."""
    S, N, H, m = problem.n_states, problem.n_items, problem.horizon, problem.list_length
    q, P, r = problem.attraction, problem.transition, problem.reward
    x = horizon_log_term(problem, n, delta)
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
    n_q, clicks, n_p, n_next = np.zeros((S, N)), np.zeros((S, N)), np.zeros((S, N + 1)), np.zeros((S, N + 1, S))
    states = np.arange(S)
    regret = 0.0
    for _ in range(n):
        q_hat = clicks / np.maximum(n_q, 1)
        width = np.where(n_q > 0, math.sqrt(2) * np.sqrt(q_hat * (1 - q_hat) * x / np.maximum(n_q, 1)) + x / np.maximum(n_q, 1), 1.0)
        lower, upper = np.maximum(q_hat - width, 0), np.minimum(q_hat + width, 1)
        p_hat = n_next / np.maximum(n_p, 1)[..., None]
        radius = np.where(n_p > 0, np.sqrt((S * math.log(2) + x) / (2 * np.maximum(n_p, 1))), np.inf)
        V_bar, V_pi = np.zeros(S), np.zeros(S)
        policy = [np.zeros((S, m), dtype=int)] * H
        for h in range(H - 1, -1, -1):
            cap = H - 1 - h
            w_bar = r + np.minimum(expectation(p_hat, V_bar) + np.minimum(cap * radius, cap), cap) if cap else r
            V_bar, policy[h] = best_lists(lower, upper, w_bar, m)
            w = r + expectation(P, V_pi)
            V_pi = w[:, N]
            for i in range(m - 1, -1, -1):
                a = policy[h][:, i]
                V_pi = np.where(a < 0, V_pi, q[states, a] * w[states, a] + (1 - q[states, a]) * V_pi)
        s = int(problem.start)
        regret += problem.optimal_values[0, s] - V_pi[s]
        for h in range(H):
            clicked = N
            for a in policy[h][s]:
                if a < 0:
                    break
                n_q[s, a] += 1
                if rng.random() < q[s, a]:
                    clicks[s, a] += 1
                    clicked = a
                    break
            s_next = int(np.searchsorted(problem.cumulative[s, clicked], rng.random(), side="right"))
            n_p[s, clicked] += 1
            n_next[s, clicked, s_next] += 1
            s = s_next
    return float(regret)


def expectation(P: np.ndarray, V: np.ndarray) -> np.ndarray:
    """Return sum_s' P[..., s'] V[s'], added up in the order of s' as theoryrl does."""
    total = P[..., 0] * V[0]
    for s in range(1, len(V)):
        total = total + P[..., s] * V[s]
    return total


def best_lists(lower: np.ndarray, upper: np.ndarray, w: np.ndarray, m: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the optimistic value of every state, and its list padded with -1: the greedy oracle at the upper ends, or at J = 0 one item at its lower end."""
    S, N = upper.shape
    states = np.arange(S)
    items, no_click = w[:, :N], w[:, N:]
    gain = items - no_click
    free = gain > 0
    none = ~free.any(axis=1)
    left, total, chosen = gain, np.zeros(S), np.full((S, m), -1)
    for i in range(m):
        scores = np.where(free, upper * left, -1)
        k = np.argmax(scores, axis=1)
        taken = free[states, k]
        best = np.where(taken, scores[states, k], 0)
        total = total + best
        chosen[taken, i] = k[taken]
        free[states, k] = False
        left = np.where(items > items[states, k][:, None], left - best[:, None], (1 - upper[states, k])[:, None] * left)
    worth = np.where(chosen < 0, -np.inf, np.take_along_axis(items, np.maximum(chosen, 0), axis=1))
    chosen = np.take_along_axis(chosen, np.argsort(-worth, axis=1, kind="stable"), axis=1)
    single = lower * gain
    fallback = np.argmax(single, axis=1)
    chosen[none, 0] = fallback[none]
    return no_click[:, 0] + np.where(none, single[states, fallback], total), chosen
