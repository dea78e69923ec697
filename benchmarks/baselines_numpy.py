"""Backward induction, UCBVI and UCRL2 in plain NumPy, vectorised over state-action pairs: what the kernels are compared with."""

from __future__ import annotations

import math

import numpy as np

from theoryrl.problems import ContinuingMDP, EpisodicMDP


def backward_induction(P: np.ndarray, r: np.ndarray, H: int) -> tuple[np.ndarray, np.ndarray]:
    """Return V, (H + 1, S), and the greedy policy, (H, S), for P (S, A, S) and r (S, A)."""
    V, policy = np.zeros((H + 1, len(P))), np.zeros((H, len(P)), np.int64)
    for h in range(H - 1, -1, -1):
        Q = r + P @ V[h + 1]
        policy[h], V[h] = Q.argmax(axis=1), Q.max(axis=1)
    return V, policy


def ucbvi(problem: EpisodicMDP, episodes: int, seed: int, delta: float = 0.05) -> float:
    """Return the regret of UCBVI with Hoeffding bonuses and pooled counts; draws and ties are those of theoryrl."""
    rng, P, H, S, A = np.random.default_rng(seed), problem.transition, problem.horizon, problem.n_states, problem.n_actions
    states, r, caps, cumulative = np.arange(S), problem.stage_reward, problem.value_caps, np.cumsum(P, axis=2)
    cumulative[..., -1] = 2
    width = math.sqrt(math.log(2 * S * A * H * episodes * H / delta) / 2)
    visits, following = np.zeros((S, A)), np.zeros((S, A, S))
    policy, policy_value, regret = np.full((H, S), -1), 0.0, 0.0
    for _ in range(episodes):
        n = np.maximum(visits, 1)
        p_hat, bonus = following / n[..., None], np.where(visits > 0, width / np.sqrt(n), 1)
        V, plan = np.zeros(S), np.empty((H, S), np.int64)
        for h in range(H - 1, -1, -1):
            Q = r[h] + np.minimum(p_hat @ V + caps[h + 1] * bonus, caps[h + 1])
            plan[h], V = Q.argmax(axis=1), Q.max(axis=1)
        if not np.array_equal(plan, policy):
            policy, values = plan, np.zeros(S)
            for h in range(H - 1, -1, -1):
                values = r[h, states, plan[h]] + P[states, plan[h]] @ values
            policy_value = values[problem.start]
        regret += problem.optimal_value - policy_value
        s = problem.start
        for h in range(H):
            a = policy[h, s]
            s_next = int(np.searchsorted(cumulative[s, a], rng.random(), side="right"))
            visits[s, a] += 1
            following[s, a, s_next] += 1
            s = s_next
    return float(regret)


def ucrl2(problem: ContinuingMDP, steps: int, seed: int, delta: float = 0.05) -> float:
    """Return the regret of UCRL2 in explicit form, whose phases end after a doubling; draws and ties are those of theoryrl."""
    rng, S, A, mean, outcomes = np.random.default_rng(seed), problem.n_states, problem.n_actions, np.asarray(problem.reward), problem.outcomes
    visits, following, totals = np.zeros((S, A), np.int64), np.zeros((S, A, S)), np.zeros((S, A))
    s, t, gain = problem.start, 0, problem.optimal_gain
    while t < steps:
        start, n = visits.copy(), np.maximum(visits, 1)
        x = np.log(6 * S * A * n * (n + 1.0) / delta)
        half = np.where(visits > 0, np.sqrt(2 * (S * math.log(2) + x) / n) / 2, 1)
        r_up = np.where(visits > 0, np.minimum(1, totals / n + np.sqrt(x / (2 * n))), 1)
        policy = optimistic_policy(following / n[..., None], half, r_up, 1 / math.sqrt(t + 1))
        while t < steps:
            a = policy[s]
            j = int(np.searchsorted(outcomes.cumulative[s * A + a], rng.random(), side="right"))
            s_next = outcomes.following[s * A + a, j]
            visits[s, a] += 1
            following[s, a, s_next] += 1
            totals[s, a] += outcomes.reward[s * A + a, j]
            t += 1
            doubled = visits[s, a] - start[s, a] >= max(1, start[s, a])
            s = s_next
            if doubled:
                break
    return steps * gain - math.fsum((visits * mean).ravel())


def optimistic_policy(p_hat: np.ndarray, half: np.ndarray, r_up: np.ndarray, precision: float) -> np.ndarray:
    """Return the greedy policy (S,) of extended value iteration over L1 balls of radius 2 `half` (S, A)."""
    u = np.zeros(len(p_hat))
    while True:
        order = np.argsort(-u, kind="stable")
        p = p_hat[..., order].copy()
        p[..., 0] = np.minimum(1, p[..., 0] + half)
        rest = p[..., :0:-1]  # the worst first: they lose what is too much
        excess = np.maximum(p.sum(axis=-1) - 1, 0)[..., None]
        p[..., :0:-1] = np.maximum(rest - np.maximum(excess - np.cumsum(rest, axis=-1) + rest, 0), 0)
        Q = r_up + p @ u[order]
        new = Q.max(axis=1)
        if np.ptp(new - u) < precision:
            policy: np.ndarray = Q.argmax(axis=1)
            return policy
        u = new - new.min()
