"""What the proof of MEX-MG needs from a run, as running sums and maxima; nothing here feeds back into a decision.

Losses of both players are recomputed at every episode from counts of the trace's own; the exploiter's with the current mu.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from theoryrl.algorithms.mex.finite_trace import model_loss, table_loss
from theoryrl.algorithms.mex.game_classes import GameModels, GameValues
from theoryrl.jit import kernel, record
from theoryrl.planning.arrays import raise_to
from theoryrl.problems.markov_game import MarkovGame

SUMS = (
    "term1",  # sum of V* - V_{f^j}
    "term2",  # sum of V_{f^j} - V^{mu^j, nu^j}
    "term3",  # sum of V^{mu^j, nu^j} - V_{g^j}^{mu^j, dagger}
    "term4",  # sum of V_{g^j}^{mu^j, dagger} - V^{mu^j, dagger}
    "pred_main",  # sum of the expected residuals of f^j along (mu^j, nu^j)
    "pred_exploiter",  # minus those of g^j
    "loss_gap_main",  # sum of L(f*) - L(f^j)
    "loss_gap_exploiter",  # sum of L_mu(g*) - L_mu(g^j), g* = Q^{mu^j, dagger}
    "in_sample_main",  # sum of D^j ell(f^j)
    "in_sample_exploiter",  # sum of D^j ell(g^j)
)
TERM1, TERM2, TERM3, TERM4, PRED_MAIN, PRED_EXPLOITER, GAP_MAIN, GAP_EXPLOITER, IN_MAIN, IN_EXPLOITER = range(len(SUMS))

MAXIMA = (
    "feel_good_excess_main",  # largest term 1 - eta (L(f*) - L(f^j)), at most 0
    "feel_good_excess_exploiter",  # largest term 4 - eta (L_mu(g*) - L_mu(g^j)), at most 0
    "in_sample_deviation_main",  # largest L(f*) - L(f^j) + c sum D^j ell(f^j), at most beta on the event
    "in_sample_deviation_exploiter",  # the same for g
    "pred_excess",  # largest term 2 - pred_main, at most 0
)
FEEL_MAIN, FEEL_EXPLOITER, DEVIATION_MAIN, DEVIATION_EXPLOITER, PRED_EXCESS = range(len(MAXIMA))

RAW = "raw_main raw_exploiter raw_states raw_actions raw_responses raw_next"
ModelRecord = record(
    __name__,
    "ModelRecord",
    f"sums maxima true_n true_next D c hellinger occupancy played pred_main pred_exploiter truth_log_loss raw_loss {RAW}",
)
ValueRecord = record(
    __name__, "ValueRecord", f"sums maxima true_n true_next D c Q_star V_star fit reach joint raw_squares raw_exploiter_squares {RAW}"
)


def start(problem: MarkovGame, models: int | None, tables: int | None) -> dict[str, Any]:
    """Return the part of the state that a trace fills, for a class of `models` or of lists of at most `tables` tables."""
    H, S = problem.horizon, problem.n_states
    A, B = problem.n_actions
    found: dict[str, Any] = {
        "sums": np.zeros(len(SUMS)), "maxima": np.full(len(MAXIMA), -np.inf), "true_n": np.zeros((H, S, A * B), np.int64),
        "true_next": np.zeros((H, S, A * B, S), np.int64), "D": np.zeros((H, S, A * B)),
    }  # fmt: skip
    found |= {name: np.zeros((0, H), np.int64) for name in ("raw_states", "raw_actions", "raw_responses", "raw_next")}
    chosen = 1 if tables is None else H
    found |= {"raw_main": np.zeros((0, chosen), np.int64), "raw_exploiter": np.zeros((0, chosen), np.int64)}
    if tables is None:
        return found | {"raw_loss": np.zeros((0, models or 0))}
    found |= {"raw_squares": np.zeros((0, H, tables, tables)), "raw_exploiter_squares": np.zeros((0, H, tables, tables))}
    return found | {"fit": np.zeros(tables), "reach": np.zeros((H + 1, S)), "joint": np.zeros((H, S, A * B))}


def allocate_raw(state: dict[str, Any], models: bool) -> None:
    """Make room for the raw transitions, choices and losses of all episodes of the horizon."""
    n = int(state["horizon"])
    for name in (*RAW.split(), *(["raw_loss"] if models else ["raw_squares", "raw_exploiter_squares"])):
        if len(state[name]) < n:
            state[name] = np.zeros((n, *state[name].shape[1:]), state[name].dtype)


def model_record(state: dict[str, Any], tables: GameModels) -> Any:
    """Return the record of a model class."""
    return ModelRecord(*(_entry(field, state, tables) for field in ModelRecord._fields))


def value_record(state: dict[str, Any], tables: GameValues) -> Any:
    """Return the record of a class of value functions."""
    return ValueRecord(*(_entry(field, state, tables) for field in ValueRecord._fields))


def _entry(field: str, state: dict[str, Any], tables: Any) -> Any:
    return float(state["c"]) if field == "c" else state[field] if field in state else getattr(tables, field)


def measure(state: dict[str, Any]) -> dict[str, Any]:
    """Return the sums and maxima by name."""
    return dict(zip(SUMS, state["sums"], strict=True)) | dict(zip(MAXIMA, state["maxima"], strict=True))


@kernel
def count(record: Any, h: int, s: int, joint: int, s_next: int) -> None:
    """Count the raw outcome."""
    record.true_n[h, s, joint] += 1
    record.true_next[h, s, joint, s_next] += 1


@kernel
def record_raw(record: Any, episode: int, h: int, s: int, a: int, b: int, s_next: int) -> None:
    """Keep the raw transition."""
    record.raw_states[episode, h] = s
    record.raw_actions[episode, h] = a
    record.raw_responses[episode, h] = b
    record.raw_next[episode, h] = s_next


@kernel
def add_values(
    sums: Any, maxima: Any, optimal: float, value: float, played: float, against: float, guarantee: float, pred: float, pred_exploiter: float
) -> None:
    """Add the four terms of the decomposition and the prediction errors."""
    sums[TERM1] += optimal - value
    sums[TERM2] += value - played
    sums[TERM3] += played - against
    sums[TERM4] += against - guarantee
    sums[PRED_MAIN] += pred
    sums[PRED_EXPLOITER] += pred_exploiter
    raise_to(maxima, PRED_EXCESS, value - played - pred)


@kernel
def add_losses(
    sums: Any, maxima: Any, feel_main: float, feel_exploiter: float, main: float, exploiter: float, in_main: float, in_exploiter: float, eta: float, c: float
) -> None:
    """Add the loss gaps and in-sample errors of both players, and note how far their steps were from failing."""
    sums[GAP_MAIN] += main
    sums[GAP_EXPLOITER] += exploiter
    sums[IN_MAIN] += in_main
    sums[IN_EXPLOITER] += in_exploiter
    raise_to(maxima, FEEL_MAIN, feel_main - eta * main)
    raise_to(maxima, FEEL_EXPLOITER, feel_exploiter - eta * exploiter)
    raise_to(maxima, DEVIATION_MAIN, main + c * in_main)
    raise_to(maxima, DEVIATION_EXPLOITER, exploiter + c * in_exploiter)


@kernel
def open_model_episode(optimal: float, value: float, minus_against: float, guarantee: float, log_loss: Any, f: int, g: int, eta: float, record: Any) -> None:
    """Add an episode of main model f and exploiter model g."""
    against, sums, maxima, D = -minus_against, record.sums, record.maxima, record.D
    add_values(sums, maxima, optimal, value, record.played[f, g], against, guarantee, record.pred_main[f, g], record.pred_exploiter[f, g])
    truth = model_loss(record.truth_log_loss, record.true_next, 0)
    in_main, in_exploiter = 0.0, 0.0
    for h in range(D.shape[0]):
        for s in range(D.shape[1]):
            for joint in range(D.shape[2]):
                in_main += D[h, s, joint] * record.hellinger[f, h, s, joint]
                in_exploiter += D[h, s, joint] * record.hellinger[g, h, s, joint]
                D[h, s, joint] += record.occupancy[f, g, h, s, joint]
    main = truth - model_loss(log_loss, record.true_next, f)
    exploiter = truth - model_loss(log_loss, record.true_next, g)
    add_losses(sums, maxima, optimal - value, against - guarantee, main, exploiter, in_main, in_exploiter, eta, record.c)


@kernel
def open_value_episode(optimal: float, start: int, values: Any, main: Any, exploiter: Any, Q_dagger: Any, V_dagger: Any, eta: float, record: Any) -> None:
    """Add an episode of the chains `main` and `exploiter`."""
    H, S, joint_actions = values.r.shape
    D, d = record.D, record.joint
    joint_occupancy(values.P, values.mu, values.response, main, exploiter, start, record.reach, d)
    played, pred, pred_exploiter, in_main, in_exploiter, gap, gap_exploiter = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for h in range(H):
        i, g = main[h], exploiter[h]
        i_next, g_next = main[h + 1] if h + 1 < H else 0, exploiter[h + 1] if h + 1 < H else 0
        V, V_against = values.V[h + 1, i_next], values.against[h + 1, i_next, g_next]
        for s in range(S):
            for joint in range(joint_actions):
                error, error_exploiter = values.f[h, i, s, joint] - values.r[h, s, joint], values.f[h, g, s, joint] - values.r[h, s, joint]
                for s2 in range(S):
                    error -= values.P[h, s, joint, s2] * V[s2]
                    error_exploiter -= values.P[h, s, joint, s2] * V_against[s2]
                played += d[h, s, joint] * values.r[h, s, joint]
                pred += d[h, s, joint] * error
                pred_exploiter -= d[h, s, joint] * error_exploiter
                in_main += D[h, s, joint] * error * error
                in_exploiter += D[h, s, joint] * error_exploiter * error_exploiter
                D[h, s, joint] += d[h, s, joint]
        n, n_next, r, lists, tables = record.true_n[h], record.true_next[h], values.r[h].reshape(-1), values.f[h], values.sizes[h]
        gap += table_loss(record.Q_star[h], record.V_star[h + 1], lists, tables, n, n_next, r, record.fit)
        gap -= table_loss(lists[i], V, lists, tables, n, n_next, r, record.fit)
        gap_exploiter += table_loss(Q_dagger[h], V_dagger[h + 1], lists, tables, n, n_next, r, record.fit)
        gap_exploiter -= table_loss(lists[g], V_against, lists, tables, n, n_next, r, record.fit)
    value, against, guarantee = values.start_values[main[0]], values.against[0, main[0], exploiter[0], start], V_dagger[0, start]
    add_values(record.sums, record.maxima, optimal, value, played, against, guarantee, pred, pred_exploiter)
    add_losses(record.sums, record.maxima, optimal - value, against - guarantee, gap, gap_exploiter, in_main, in_exploiter, eta, record.c)


@kernel
def joint_occupancy(P: Any, mu: Any, response: Any, main: Any, exploiter: Any, start: int, reach: Any, d: Any) -> None:
    """Fill d (H, S, AB) with the probabilities of the cells under the strategies of the two chains; reach is (H + 1, S) scratch."""
    H, S, joint_actions = d.shape
    A = mu.shape[3]
    B = joint_actions // A
    reach[:] = 0.0
    reach[0, start] = 1.0
    d[:] = 0.0
    for h in range(H):
        for s in range(S):
            b = response[h, main[h], exploiter[h], s]
            for a in range(A):
                chance = reach[h, s] * mu[h, main[h], s, a]
                d[h, s, a * B + b] = chance
                for s2 in range(S):
                    reach[h + 1, s2] += chance * P[h, s, a * B + b, s2]
