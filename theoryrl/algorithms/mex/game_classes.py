"""What MEX-MG precomputes about a finite hypothesis class and the Markov game that it is run on.

Joint actions (a, b) are flattened to a * B + b.  The maximin strategy mu_f of a hypothesis is found once, by linear
programmes, and every value of f is computed from that very strategy, so that round-off of the solver breaks no step.
"""

from __future__ import annotations

import dataclasses
from functools import lru_cache

import numpy as np

from theoryrl.algorithms.mex.classes import SAME, log_loss, padded
from theoryrl.complexity.gec import squared_hellinger
from theoryrl.planning.matrix_game import best_response, nash, solve_matrix_game
from theoryrl.problems.hypotheses import ModelClass, ValueClass
from theoryrl.problems.markov_game import MarkovGame
from theoryrl.problems.problem import cumulative_rows


@dataclasses.dataclass(frozen=True, eq=False)
class GameModels:
    """A model class and a game: for main model f and exploiter model g, who plays what, and what it is worth under the truth P."""

    start_values: np.ndarray  # (M,): V_{1,f}, the Nash value under f
    against: np.ndarray  # (M, M): -V_{1,g}^{mu_f, dagger}, what the exploiter maximises
    mu: np.ndarray  # (M, H, S, A): maximin strategies
    cumulative_mu: np.ndarray  # (M, H, S, A)
    response: np.ndarray  # (M, M, H, S): best response to mu_f under g
    loss: np.ndarray  # (H, S, AB, S', M): -log P_f
    truth_log_loss: np.ndarray  # (H, S, AB, S', 1)
    hellinger: np.ndarray  # (M, H, S, AB)
    guarantee: np.ndarray  # (M,): V^{mu_f, dagger} under P
    played: np.ndarray  # (M, M): V^{mu_f, nu} under P
    pred_main: np.ndarray  # (M, M): expected (P_f - P) V_f along (mu_f, nu)
    pred_exploiter: np.ndarray  # (M, M): minus the expected (P_g - P) V_g^{mu_f, dagger}
    occupancy: np.ndarray  # (M, M, H, S, AB): of (mu_f, nu) under P
    spans: np.ndarray  # (H + 1,): largest span of V_g^{mu_f, dagger} over all pairs
    distance: float  # of the closest model to P


@dataclasses.dataclass(frozen=True, eq=False)
class GameValues:
    """A class of value functions and a game; lists are padded to M entries with copies of their first table."""

    f: np.ndarray  # (H, M, S, AB)
    sizes: np.ndarray  # (H + 1,)
    V: np.ndarray  # (H + 1, M, S): Nash values of the tables
    mu: np.ndarray  # (H, M, S, A): maximin strategies of the tables
    cumulative_mu: np.ndarray  # (H, M, S, A)
    against: np.ndarray  # (H + 1, M, M, S): V_g^{mu_i, dagger} of table g against the strategy of table i
    response: np.ndarray  # (H, M, M, S): the min-player's best response there
    P: np.ndarray  # (H, S, AB, S')
    r: np.ndarray  # (H, S, AB)
    Q_star: np.ndarray  # (H, S, AB)
    V_star: np.ndarray  # (H + 1, S)
    ranges: np.ndarray  # (H,): B_h over all triples
    distance: float
    incomplete: str


@lru_cache(maxsize=16)
def game_models(problem: MarkovGame, hypotheses: ModelClass) -> GameModels:
    """Return the tables of a model class on a game."""
    models, P, r = hypotheses.models, problem.stage_transition, problem.stage_reward
    M, H, S, A, B, _ = models.shape
    x = problem.start
    solved = [nash(model, r) for model in models]
    values, mu = np.stack([v for v, _, _ in solved]), np.stack([m for _, m, _ in solved])
    against, response = np.zeros((M, M, H + 1, S)), np.zeros((M, M, H, S), np.int64)
    played, pred_main, pred_exploiter = np.zeros((M, M)), np.zeros((M, M)), np.zeros((M, M))
    occupancy = np.zeros((M, M, H, S, A, B))
    guarantee = np.array([best_response(P, r, mu[f])[0][0, x] for f in range(M)])
    for f in range(M):
        for g in range(M):
            against[f, g], response[f, g] = best_response(models[g], r, mu[f])
            occupancy[f, g] = _joint_occupancy(P, mu[f], response[f, g], x)
            played[f, g] = float((occupancy[f, g] * r).sum())
            pred_main[f, g] = float((occupancy[f, g] * np.einsum("hsabt,ht->hsab", models[f] - P, values[f, 1:])).sum())
            pred_exploiter[f, g] = -float((occupancy[f, g] * np.einsum("hsabt,ht->hsab", models[g] - P, against[f, g, 1:])).sum())
    flat = models.reshape(M, H, S, A * B, S)
    true = P.reshape(H, S, A * B, S)
    return GameModels(
        values[:, 0, x].copy(), -against[:, :, 0, x], mu, cumulative_rows(mu), response, log_loss(flat), log_loss(true[None]), squared_hellinger(flat, true),
        guarantee, played, pred_main, pred_exploiter, occupancy.reshape(M, M, H, S, A * B),
        (against.max(axis=3) - against.min(axis=3)).max(axis=(0, 1)), float(np.abs(models - P).reshape(M, -1).max(axis=1).min()),
    )  # fmt: skip


def _joint_occupancy(P: np.ndarray, mu: np.ndarray, response: np.ndarray, start: int) -> np.ndarray:
    """Return the probabilities (H, S, A, B) of the cells under (mu, response)."""
    H, S, A, B, _ = P.shape
    d = np.zeros((H, S, A, B))
    reach = np.eye(S)[start]
    for h in range(H):
        d[h] = (reach[:, None] * mu[h])[:, :, None] * (response[h][:, None, None] == np.arange(B))
        reach = np.einsum("sab,sabt->t", d[h], P[h])
    return d


@lru_cache(maxsize=16)
def game_values(problem: MarkovGame, hypotheses: ValueClass) -> GameValues:
    """Return the tables of a class of value functions on a game."""
    H, S, A, B = hypotheses.shape
    f, sizes = padded(hypotheses)
    M = f.shape[1]
    P, r = problem.stage_transition, problem.stage_reward
    V, mu = np.zeros((H + 1, M, S)), np.zeros((H, M, S, A))
    against, response = np.zeros((H + 1, M, M, S)), np.zeros((H, M, M, S), np.int64)
    for h in range(H):
        for i in range(M):
            for s in range(S):
                V[h, i, s], mu[h, i, s], _ = solve_matrix_game(f[h, i, s])
            Q = np.einsum("sa,gsab->gsb", mu[h, i], f[h])
            against[h, i], response[h, i] = Q.min(axis=-1), Q.argmin(axis=-1)
    ranges, away, incomplete = np.zeros(H), 0.0, ""
    Q_star = r + np.einsum("hsabt,ht->hsab", P, problem.nash_values[1:])
    for h in range(H):
        k = sizes[h + 1]
        following = against[h + 1, :k, :k]  # (i, g, S): every table against every strategy; i = g gives the Nash value
        images = r[h] + np.einsum("sabt,igt->igsab", P[h], following)
        errors = np.abs(f[h, : sizes[h], None, None] - images).reshape(sizes[h], k, k, -1).max(axis=3)
        ranges[h] = max(errors.max(), (following.max(axis=2) - following.min(axis=2)).max())
        away = max(away, np.abs(f[h, : sizes[h]] - Q_star[h]).reshape(sizes[h], -1).max(axis=1).min())
        missing = errors.min(axis=0)
        if not incomplete and missing.max() >= SAME:
            i, g = map(int, np.unravel_index(np.argmax(missing), missing.shape))
            incomplete = f"stage {h}: the image of table {g} of stage {h + 1} under the strategy of table {i} is {missing[i, g]:.3g} away from the list"
    return GameValues(
        f.reshape(H, M, S, A * B), sizes, V, mu, cumulative_rows(mu), against, response, np.array(P, order="C").reshape(H, S, A * B, S),
        np.array(r, order="C").reshape(H, S, A * B), Q_star.reshape(H, S, A * B), problem.nash_values, ranges, float(away), incomplete,
    )  # fmt: skip
