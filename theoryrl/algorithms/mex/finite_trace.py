"""What the proof of MEX over finite classes needs from a run, as running sums and maxima; nothing here feeds back into a decision.

Losses are recomputed at every episode from counts of the trace's own, never read from the learner.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from theoryrl.algorithms.mex.classes import ModelTables, ValueTables
from theoryrl.jit import kernel, record
from theoryrl.planning.arrays import raise_to
from theoryrl.problems.episodic import EpisodicMDP

SUMS = (
    "optimism_gap",  # sum of V* - V_{1,f^j}
    "pred",  # sum of the expected residuals along pi^j
    "loss_gap",  # sum of L(f*) - L(f^j), summed over stages, before episode j
    "in_sample",  # I_k: sum over j of sum D^j ell(f^j)
)
(OPTIMISM_GAP, PRED, LOSS_GAP, IN_SAMPLE) = range(len(SUMS))

MAXIMA = (
    "feel_good_excess",  # largest V* - V_{1,f^j} - eta (L(f*) - L(f^j)), at most 0
    "in_sample_deviation",  # largest L(f*) - L(f^j) + c sum D^j ell(f^j), at most beta on the event
)
(FEEL_GOOD, DEVIATION) = range(len(MAXIMA))

ModelRecord = record(
    __name__, "ModelRecord", "sums maxima n n_next D c hellinger occupancy pred truth_log_loss raw_loss raw_hypothesis raw_states raw_actions raw_next"
)
ValueRecord = record(
    __name__, "ValueRecord", "sums maxima n n_next D c Q_star V_star truth_loss fit raw_squares raw_hypothesis raw_states raw_actions raw_next"
)


def start(problem: EpisodicMDP, models: int | None, tables: int | None) -> dict[str, Any]:
    """Return the part of the state that a trace fills, for a class of `models` or of lists of at most `tables` tables."""
    H, S, A = problem.horizon, problem.n_states, problem.n_actions
    found: dict[str, Any] = {
        "sums": np.zeros(len(SUMS)), "maxima": np.full(len(MAXIMA), -np.inf), "n": np.zeros((H, S, A), np.int64),
        "n_next": np.zeros((H, S, A, S), np.int64), "D": np.zeros((H, S, A)),
        "raw_states": np.zeros((0, H), np.int64), "raw_actions": np.zeros((0, H), np.int64), "raw_next": np.zeros((0, H), np.int64),
    }  # fmt: skip
    if tables is None:
        return found | {"raw_loss": np.zeros((0, models or 0)), "raw_hypothesis": np.zeros((0, 1), np.int64)}
    raw = {"raw_squares": np.zeros((0, H, tables, tables)), "raw_hypothesis": np.zeros((0, H), np.int64)}
    return found | raw | {"truth_loss": np.zeros(H), "fit": np.zeros(tables)}


def allocate_raw(state: dict[str, Any], models: bool) -> None:
    """Make room for the raw transitions, choices and losses of all episodes of the horizon."""
    n = int(state["horizon"])
    for name in ("raw_loss" if models else "raw_squares", "raw_hypothesis", "raw_states", "raw_actions", "raw_next"):
        if len(state[name]) < n:
            state[name] = np.zeros((n, *state[name].shape[1:]), state[name].dtype)


def model_record(state: dict[str, Any], tables: ModelTables) -> Any:
    """Return the record of a model class."""
    known = {"c": float(state["c"])} | {name: getattr(tables, name) for name in ("truth_log_loss", "hellinger", "occupancy", "pred")}
    return ModelRecord(*(known[field] if field in known else state[field] for field in ModelRecord._fields))


def value_record(state: dict[str, Any], tables: ValueTables) -> Any:
    """Return the record of a class of value functions."""
    known = {"c": float(state["c"]), "Q_star": tables.Q_star, "V_star": tables.V_star}
    return ValueRecord(*(known[field] if field in known else state[field] for field in ValueRecord._fields))


def measure(state: dict[str, Any]) -> dict[str, Any]:
    """Return the sums and maxima by name, and the current L_h(f*) of a class of value functions."""
    found = dict(zip(SUMS, state["sums"], strict=True)) | dict(zip(MAXIMA, state["maxima"], strict=True))
    return found | ({"truth_loss": state["truth_loss"].copy()} if "truth_loss" in state else {})


@kernel
def count(record: Any, h: int, s: int, a: int, s_next: int) -> None:
    """Count the raw outcome."""
    record.n[h, s, a] += 1
    record.n_next[h, s, a, s_next] += 1


@kernel
def record_raw(record: Any, episode: int, h: int, s: int, a: int, s_next: int) -> None:
    """Keep the raw transition."""
    record.raw_states[episode, h] = s
    record.raw_actions[episode, h] = a
    record.raw_next[episode, h] = s_next


@kernel
def add_episode(sums: Any, maxima: Any, optimism: float, pred: float, loss_gap: float, in_sample: float, eta: float, c: float) -> None:
    """Add one episode to the sums, and note how far its steps were from failing."""
    sums[OPTIMISM_GAP] += optimism
    sums[PRED] += pred
    sums[LOSS_GAP] += loss_gap
    sums[IN_SAMPLE] += in_sample
    raise_to(maxima, FEEL_GOOD, optimism - eta * loss_gap)
    raise_to(maxima, DEVIATION, loss_gap + c * in_sample)


@kernel
def open_model_episode(optimal: float, value: float, log_loss: Any, f: int, eta: float, vtype: bool, record: Any) -> None:
    """Recompute both losses from the counts and add the episode; then add its occupancy to D."""
    gap = model_loss(record.truth_log_loss, record.n_next, 0) - model_loss(log_loss, record.n_next, f)
    H, S, A = record.D.shape
    in_sample = 0.0
    for h in range(H):
        for s in range(S):
            for a in range(A):
                in_sample += record.D[h, s, a] * record.hellinger[f, h, s, a]
    add_episode(record.sums, record.maxima, optimal - value, record.pred[f], gap, in_sample, eta, record.c)
    for h in range(H):
        for s in range(S):
            reach = 0.0
            for a in range(A):
                reach += record.occupancy[f, h, s, a]
            for a in range(A):
                record.D[h, s, a] += reach / A if vtype else record.occupancy[f, h, s, a]


@kernel
def model_loss(log_loss: Any, n_next: Any, f: int) -> float:
    """Return the log loss of model f on the counts (inf if it excludes what was seen)."""
    H, S, A, _ = n_next.shape
    total = 0.0
    for h in range(H):
        for s in range(S):
            for a in range(A):
                for s2 in range(S):
                    if n_next[h, s, a, s2] > 0:
                        total += n_next[h, s, a, s2] * log_loss[h, s, a, s2, f]
    return total


@kernel
def open_value_episode(
    optimal: float, value: float, values: Any, chosen: Any, policy: Any, d: Any, residual: Any, r: Any, eta: float, vtype: bool, record: Any
) -> None:
    """Recompute the losses of the chosen tables and of the truth from the counts and add the episode; then add its occupancy to D."""
    H, S, A = record.D.shape
    gap, pred, in_sample = 0.0, 0.0, 0.0
    for h in range(H):
        g, v = chosen[h], chosen[h + 1] if h + 1 < H else 0
        lists, tables = values.f[h], values.sizes[h]
        record.truth_loss[h] = table_loss(record.Q_star[h], record.V_star[h + 1], lists, tables, record.n[h], record.n_next[h], r[h], record.fit)
        gap += record.truth_loss[h]
        gap -= table_loss(lists[g], values.V[h + 1, v], lists, tables, record.n[h], record.n_next[h], r[h], record.fit)
        for s in range(S):
            pred += d[h, s] * residual[h, g, v, s, policy[h, s]]
            for a in range(A):
                in_sample += record.D[h, s, a] * residual[h, g, v, s, a] * residual[h, g, v, s, a]
    add_episode(record.sums, record.maxima, optimal - value, pred, gap, in_sample, eta, record.c)
    for h in range(H):
        for s in range(S):
            if vtype:
                for a in range(A):
                    record.D[h, s, a] += d[h, s] / A
            else:
                record.D[h, s, policy[h, s]] += d[h, s]


@kernel
def table_loss(own: Any, V_next: Any, lists: Any, tables: int, n: Any, n_next: Any, r: Any, fit: Any) -> float:
    """Return sum n (own - m)^2 less its least value over the list, m = r + P_hat V_next: the excess loss of table `own`, from counts."""
    fit[:] = 0.0
    S, A = n.shape
    loss = 0.0
    for s in range(S):
        for a in range(A):
            if n[s, a] > 0:
                m = 0.0
                for s2 in range(S):
                    m += n_next[s, a, s2] * V_next[s2]
                m = r[s * A + a] + m / n[s, a]
                loss += n[s, a] * (own[s, a] - m) * (own[s, a] - m)
                for i in range(tables):
                    fit[i] += n[s, a] * (lists[i, s, a] - m) * (lists[i, s, a] - m)
    least = fit[0]
    for i in range(1, tables):
        least = min(least, fit[i])
    return loss - least
