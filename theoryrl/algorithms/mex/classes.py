"""What MEX precomputes about a finite hypothesis class and the instance that it is run on.

The learner uses values, policies and losses of the hypotheses; the proof uses their residuals and occupancies under the
truth.  Both are computed once for a class and an instance.
"""

from __future__ import annotations

import dataclasses
from functools import lru_cache

import numpy as np

from theoryrl.complexity.gec import squared_hellinger
from theoryrl.planning import episodic as planning
from theoryrl.problems.episodic import EpisodicMDP
from theoryrl.problems.hypotheses import Hypotheses, ModelClass, ValueClass
from theoryrl.problems.problem import frozen

SAME = 1e-12
"""Largest absolute difference at which a hypothesis counts as the truth."""


@dataclasses.dataclass(frozen=True, eq=False)
class ModelTables:
    """A model class and an instance: M models, values V_f, greedy policies pi_f, and what they are worth under the truth P."""

    values: np.ndarray  # (M, H + 1, S): V_f
    policy: np.ndarray  # (M, H, S)
    start_values: np.ndarray  # (M,): V_{1,f}
    loss: np.ndarray  # (H, S, A, S', M): -log P_f, inf where P_f = 0
    hellinger: np.ndarray  # (M, H, S, A): D_H^2(P_f, P)
    residual: np.ndarray  # (M, H, S, A): (P_f - P) V_f
    occupancy: np.ndarray  # (M, H, S, A): of pi_f under P
    policy_values: np.ndarray  # (M,): value of pi_f under P
    pred: np.ndarray  # (M,): sum of residuals along pi_f
    spans: np.ndarray  # (H + 1,): largest span of V_{h,f}
    truth_log_loss: np.ndarray  # (H, S, A, S', 1): -log P
    distance: float  # of the closest model to P


@dataclasses.dataclass(frozen=True, eq=False)
class ValueTables:
    """A class of value functions and an instance; lists are padded to M entries with copies of their first table."""

    f: np.ndarray  # (H, M, S, A)
    sizes: np.ndarray  # (H + 1,): lengths of the lists; after stage H there is the zero function alone
    V: np.ndarray  # (H + 1, M, S): V_f = max_a f
    policy: np.ndarray  # (H, M, S)
    residual: np.ndarray  # (H, M, M, S, A): f_h - T_h f_{h+1} for table g of stage h and v of stage h + 1
    ranges: np.ndarray  # (H,): B_h bounds the residuals and the ranges of V_{h+1}
    Q_star: np.ndarray  # (H, S, A)
    V_star: np.ndarray  # (H + 1, S)
    distance: float  # largest over stages of the distance of Q*_h to the list
    incomplete: str  # a table whose image under T_h is missing, or ""


def check_class(hypotheses: Hypotheses, shape: tuple[int, ...]) -> None:
    """Raise unless `hypotheses` is about problems of `shape`, and its tables are values of rewards in [0, 1]."""
    if hypotheses.shape != shape:
        raise ValueError(f"hypotheses: expected a class about problems of shape {shape}, got {hypotheses.shape}")
    if isinstance(hypotheses, ValueClass):
        for h, table in enumerate(hypotheses.tables):
            if table.max() > shape[0] - h + SAME:
                raise ValueError(f"hypotheses: tables[{h}]: expected entries in [0, {shape[0] - h}] (the steps to go), got {table.max():g}")


@lru_cache(maxsize=16)
def model_tables(problem: EpisodicMDP, hypotheses: ModelClass) -> ModelTables:
    """Return the tables of a model class on an instance."""
    models, P, r = hypotheses.models, problem.stage_transition, problem.reward_rows
    M, H, S, A, _ = models.shape
    values, policy = np.zeros((M, H + 1, S)), np.zeros((M, H, S), np.int64)
    occupancy = np.zeros((M, H, S, A))
    policy_values = np.zeros(M)
    for f in range(M):
        planning.backward_induction(np.ascontiguousarray(np.moveaxis(models[f].reshape(H, S * A, S), -1, 1)), r, values[f], policy[f], np.zeros(S * A))
        occupancy[f] = problem.occupancy(policy[f])
        policy_values[f] = problem.policy_values(policy[f])[0, problem.start]
    residual = np.einsum("fhsat,fht->fhsa", models - P, values[:, 1:])
    distances = np.abs(models - P).reshape(M, -1).max(axis=1)
    return ModelTables(
        values, policy, frozen(values[:, 0, problem.start].copy()), log_loss(models), squared_hellinger(models, P), residual, occupancy, policy_values,
        (occupancy * residual).sum(axis=(1, 2, 3)), (values.max(axis=2) - values.min(axis=2)).max(axis=0), log_loss(P[None]), float(distances.min()),
    )  # fmt: skip


def log_loss(models: np.ndarray) -> np.ndarray:
    """Return -log of the models with the hypothesis as the last axis; inf where a model excludes what happens."""
    with np.errstate(divide="ignore"):
        return np.ascontiguousarray(np.moveaxis(np.abs(np.log(models)), 0, -1))


@lru_cache(maxsize=16)
def value_tables(problem: EpisodicMDP, hypotheses: ValueClass) -> ValueTables:
    """Return the tables of a class of value functions on an instance."""
    H, S, A = hypotheses.shape
    f, sizes = padded(hypotheses)
    M = f.shape[1]
    V = np.zeros((H + 1, M, S))
    V[:H] = f.max(axis=-1)
    images = problem.stage_reward[:, None] + np.einsum("hsat,hvt->hvsa", problem.stage_transition, V[1:])
    residual = f[:, :, None] - images[:, None]
    ranges = np.zeros(H)
    away, incomplete = 0.0, ""
    Q_star = problem.stage_reward + np.einsum("hsat,ht->hsa", problem.stage_transition, problem.optimal_values[1:])
    for h in range(H):
        own = residual[h, : sizes[h], : sizes[h + 1]]
        spread = V[h + 1, : sizes[h + 1]]
        ranges[h] = max(np.abs(own).max(), (spread.max(axis=1) - spread.min(axis=1)).max())
        away = max(away, np.abs(f[h, : sizes[h]] - Q_star[h]).reshape(sizes[h], -1).max(axis=1).min())
        missing = np.abs(own).reshape(*own.shape[:2], -1).max(axis=2).min(axis=0)
        if not incomplete and missing.max() >= SAME:
            v = int(np.argmax(missing))
            incomplete = f"stage {h}: the image of table {v} of stage {h + 1} is {missing[v]:.3g} away from the list"
    return ValueTables(f, sizes, V, f.argmax(axis=-1), residual, ranges, Q_star, problem.optimal_values, float(away), incomplete)


def padded(hypotheses: ValueClass) -> tuple[np.ndarray, np.ndarray]:
    """Return the tables as one array (H, M, ...), padded with copies of each list's first, and the lengths (H + 1,) of the lists."""
    sizes = np.array([*hypotheses.sizes, 1])
    M = int(sizes.max())
    return np.stack([np.concatenate([t, np.repeat(t[:1], M - len(t), axis=0)]) for t in hypotheses.tables]), sizes
