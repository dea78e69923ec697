r"""What the Bayesian proof about PSRL needs from a run, as running sums; nothing here feeds back into a decision.

With the widths :math:`w_n = \sqrt{2 (S \ln 2 + x) / n^+}` at the trace's own counts, x being that of the run's horizon.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from theoryrl.algorithms.baselines.episodes import no_raw, note_visit
from theoryrl.jit import kernel, record
from theoryrl.planning.arrays import copy
from theoryrl.problems.episodic import EpisodicMDP

SUMS = (
    "model_regret",  # sum of V_1 of the policy in the sampled model, minus in the true one
    "simulation",  # the same by the simulation identity
    "row_distance",  # L2: sum over episodes of min(C_1, E_pi of the sum of C_{h+1} ||P_k - P||_1 / 2)
    "expected_widths",  # L3 without failures: sum of E_pi of the sum of C_{h+1} min(1, w_n)
    "failures",  # episodes at whose start the sampled or the true model lies outside the set of widths w_n
    "realised_widths",  # L4 without 2 C_1: the widths along the path
)
(MODEL_REGRET, SIMULATION, DISTANCE, WIDTHS, FAILURES, REALISED) = range(len(SUMS))

Record = record(__name__, "Record", "sums true_visits true_next outside stack D widths realised raw_models")
Numbers = record(__name__, "Numbers", "constant caps")


def start(problem: EpisodicMDP, counts: str) -> dict[str, Any]:
    """Return the part of the state that a trace fills."""
    S, A, H = problem.n_states, problem.n_actions, problem.horizon
    G = 1 if counts == "pooled" else H
    arrays = {
        "sums": np.zeros(len(SUMS)), "true_visits": np.zeros((G, S * A), np.int64), "true_next": np.zeros((G, S, S * A), np.int64),
        "outside": np.zeros((G, S * A), np.int64), "stack": np.zeros(G * S * A + 1, np.int64), "D": np.zeros((3, H + 1, S)), "widths": np.zeros((H, S)),
        "realised": np.zeros(1),
    }  # fmt: skip
    return arrays | no_raw(problem, raw_models=(G, S, S * A))


def log_term(counts: str, problem: EpisodicMDP, n: int) -> float:
    """Return x of Theorem P at a horizon of `n` episodes: ln(S A K^2 H) pooled, ln(S A max(H - 1, 1) K^2) by stage."""
    stages = problem.horizon if counts == "pooled" else max(problem.horizon - 1, 1)
    return math.log(problem.n_states * problem.n_actions * stages) + 2 * math.log(n)


def numbers(counts: str, problem: EpisodicMDP, n: int) -> Any:
    """Return the theorem's constants as the kernels take them."""
    constant = 2 * (problem.n_states * math.log(2) + log_term(counts, problem, n))
    return Numbers(constant, np.array(problem.value_caps, dtype=float))


def measure(state: dict[str, Any]) -> dict[str, Any]:
    """Return the sums by name."""
    return dict(zip(SUMS, state["sums"], strict=True))


@kernel
def record_model(world: Any, model: Any, V_model: Any, V_pi: Any, policy: Any, trace: Any, numbers: Any) -> None:
    """Compare the sampled model with the truth along its policy, and add the episode's plan to the sums."""
    sums, D = trace.sums, trace.D
    H, S = policy.shape
    A = model.shape[2] // S
    caps, constant, P = numbers.caps, numbers.constant, world.P
    recount(trace.stack, trace.true_visits, trace.true_next, trace.outside, P, constant)
    failed = False
    for g in range(model.shape[0]):
        if g < H - 1 or model.shape[0] == 1:
            for row in range(S * A):
                n = trace.true_visits[g, row]
                failed = failed or trace.outside[g, row] == 1
                failed = failed or (n > 0 and row_distance(trace.true_next[g], row, n, model[g]) > math.sqrt(constant / n))
    for h in range(H - 2, -1, -1):
        g, gt = min(h, model.shape[0] - 1), min(h, P.shape[0] - 1)
        for s in range(S):
            row = s * A + policy[h, s]
            distance = 0.0
            D[0, h, s] = 0.0
            D[1, h, s] = 0.0
            trace.widths[h, s] = caps[h + 1] * min(1.0, math.sqrt(constant / max(trace.true_visits[g, row], 1)))
            D[2, h, s] = trace.widths[h, s]
            for s2 in range(S):
                difference = model[g, s2, row] - P[gt, s2, row]
                distance += abs(difference)
                D[0, h, s] += difference * V_model[h + 1, s2] + P[gt, s2, row] * D[0, h + 1, s2]
                D[1, h, s] += P[gt, s2, row] * D[1, h + 1, s2]
                D[2, h, s] += P[gt, s2, row] * D[2, h + 1, s2]
            D[1, h, s] += caps[h + 1] * distance / 2
    s = world.start
    sums[MODEL_REGRET] += V_model[0, s] - V_pi[0, s]
    sums[SIMULATION] += D[0, 0, s]
    sums[DISTANCE] += min(caps[0], D[1, 0, s])
    sums[WIDTHS] += D[2, 0, s]
    sums[FAILURES] += failed
    trace.realised[0] = 0.0


@kernel
def recount(stack: Any, visits: Any, following: Any, outside: Any, P: Any, constant: float) -> None:
    """Note for the pairs visited in the last episode whether their true row lies outside the set."""
    last, width = stack.shape[0] - 1, visits.shape[1]
    for t in range(stack[last]):
        g, row = stack[t] // width, stack[t] % width
        n = visits[g, row]
        outside[g, row] = row_distance(following[g], row, n, P[min(g, P.shape[0] - 1)]) > math.sqrt(constant / n)
    stack[last] = 0


@kernel
def row_distance(following: Any, row: int, n: int, P: Any) -> float:
    """Return the L1 distance of the empirical row from a row of P."""
    distance = 0.0
    for s2 in range(following.shape[0]):
        distance += abs(following[s2, row] / n - P[s2, row])
    return distance


@kernel
def record_step(h: int, s: int, row: int, s_next: int, trace: Any) -> None:
    """Count the raw outcome, and add its width at the counts frozen at the plan."""
    visits = trace.true_visits
    g = min(h, visits.shape[0] - 1)
    note_visit(trace.stack, g * visits.shape[1] + row)
    visits[g, row] += 1
    trace.true_next[g, s_next, row] += 1
    trace.realised[0] += trace.widths[h, s]


@kernel
def close_episode(trace: Any) -> None:
    """Add the realised widths, episode by episode."""
    trace.sums[REALISED] += trace.realised[0]


@kernel
def record_model_raw(episode: int, model: Any, raw_models: Any) -> None:
    """Keep the sampled model."""
    for g in range(model.shape[0]):
        for s2 in range(model.shape[1]):
            copy(model[g, s2], raw_models[episode, g, s2])
