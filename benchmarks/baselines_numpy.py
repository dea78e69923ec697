"""Backward induction and UCBVI in plain NumPy, vectorised over state-action pairs: what the kernels are compared with."""

from __future__ import annotations

import math

import numpy as np

from theoryrl.problems import EpisodicMDP


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
