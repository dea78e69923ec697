"""MEX over finite classes in plain NumPy, vectorised over hypotheses: what the kernels are compared with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from theoryrl.problems import EpisodicMDP, ModelClass, ValueClass


def policy_value(problem: EpisodicMDP, policy: np.ndarray) -> float:
    """Return the value of a deterministic policy, (H, S)."""
    states, values = np.arange(problem.n_states), np.zeros(problem.n_states)
    for h in range(problem.horizon - 1, -1, -1):
        values = problem.stage_reward[h, states, policy[h]] + problem.stage_transition[h, states, policy[h]] @ values
    return float(values[problem.start])


def play_models(problem: EpisodicMDP, hypotheses: ModelClass, eta: float, seed: int) -> Callable[[int], float]:
    """Return what plays a number of episodes of model-based MEX from the start and returns the regret; draws and ties are those of theoryrl."""
    models, r, H = hypotheses.models, problem.stage_reward, problem.horizon
    values, policies = np.zeros((len(models), problem.n_states)), np.zeros((len(models), H, problem.n_states), np.int64)
    for h in range(H - 1, -1, -1):
        Q = r[h] + np.einsum("fsat,ft->fsa", models[:, h], values)
        policies[:, h], values = Q.argmax(axis=2), Q.max(axis=2)
    with np.errstate(divide="ignore"):
        log_loss = np.moveaxis(-np.log(models), 0, -1).copy()
    start_values = values[:, problem.start]
    shortfalls = [problem.optimal_value - policy_value(problem, policy) for policy in policies]

    def play(episodes: int) -> float:
        rng, regret, loss = np.random.default_rng(seed), 0.0, np.zeros(len(models))
        for _ in range(episodes):
            f = int(np.argmax(start_values - eta * loss))
            regret += shortfalls[f]
            s = problem.start
            for h in range(H):
                a = policies[f, h, s]
                s_next = _draw(problem, h, s, a, rng)
                loss += log_loss[h, s, a, s_next]
                s = s_next
        return regret

    return play


def play_values(problem: EpisodicMDP, hypotheses: ValueClass, eta: float, seed: int) -> Callable[[int], float]:
    """Return what plays a number of episodes of model-free MEX from the start and returns the regret; draws and ties are those of theoryrl."""
    tables, r, H = hypotheses.tables, problem.stage_reward, problem.horizon
    V = [*(table.max(axis=2) for table in tables), np.zeros((1, problem.n_states))]
    greedy = [table.argmax(axis=2) for table in tables]

    def play(episodes: int) -> float:
        rng, regret, played, shortfall = np.random.default_rng(seed), 0.0, [-1] * H, 0.0
        squares = [np.zeros((len(table), len(following))) for table, following in zip(tables, V[1:], strict=True)]
        for _ in range(episodes):
            best, follow = np.zeros(1), []
            for h in range(H - 1, -1, -1):
                objective = best - eta * (squares[h] - squares[h].min(axis=0))
                follow.insert(0, objective.argmax(axis=1))
                best = objective.max(axis=1)
            chosen = [int(np.argmax(V[0][:, problem.start] + best))]
            for h in range(H - 1):
                chosen.append(int(follow[h][chosen[h]]))
            if chosen != played:
                played, policy = chosen, np.array([greedy[h][chosen[h]] for h in range(H)])
                shortfall = problem.optimal_value - policy_value(problem, policy)
            regret += shortfall
            s = problem.start
            for h in range(H):
                a = policy[h, s]
                s_next = _draw(problem, h, s, a, rng)
                squares[h] += (tables[h][:, s, a][:, None] - r[h, s, a] - V[h + 1][:, s_next]) ** 2
                s = s_next
        return regret

    return play


def _draw(problem: EpisodicMDP, h: int, s: int, a: int, rng: np.random.Generator) -> int:
    return int(np.searchsorted(problem.cumulative[min(h, len(problem.cumulative) - 1), s, a], rng.random(), side="right"))
