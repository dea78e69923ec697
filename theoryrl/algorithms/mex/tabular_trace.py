"""What the proof of tabular MEX needs from a run, as running sums and maxima; nothing here feeds back into a decision.

Losses, divergences and the two good events are recomputed at every episode, from counts of the trace's own, the hypothesis
and the truth; n, P_hat, D and L of episode j are those before it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from theoryrl.jit import kernel, record
from theoryrl.planning.arrays import expectation, raise_to
from theoryrl.planning.episodic import occupancy
from theoryrl.problems.episodic import EpisodicMDP

SUMS = (
    "optimism_gap",  # sum of V* - V_{1,f^j}
    "pred",  # sum of the expected residuals along pi^j
    "loss_gap",  # sum of L(f*) - L(f^j), summed over stages
    "in_sample",  # I_k: sum over j of sum D^j l(f^j), l the squared residual or the squared Hellinger distance
    "truth_kl",  # sum of n KL(P_hat || P), weighted with C_{h+1}^2 in the model-free version
    "residual",  # sum of n l(f^j)
    "binomial",  # sum of log binom(n + S - 1, S - 1), weighted as truth_kl
    "model_kl",  # sum of n KL(P_hat || P_f) (model-based)
)
(OPTIMISM_GAP, PRED, LOSS_GAP, IN_SAMPLE, TRUTH_KL, RESIDUAL, BINOMIAL, MODEL_KL) = range(len(SUMS))

MAXIMA = (
    "feel_good_excess",  # V* - V_{1,f^j} - eta (L(f*) - L(f^j)) - g_j, at most 0
    "in_sample_deviation",  # L(f*) - L(f^j) + c sum D^j l(f^j), at most beta on the events
    "mixture_deviation",  # sum of n KL(P_hat || P) - log binom, of one stage (model-free) or of all (model-based)
    "count_deviation",  # (1 - 1/e) D - n of a pair
    "objective_error",  # distance of the reported objective from the one recomputed from counts
    "greedy_excess",  # largest entry of f less the one that is played
)
(FEEL_GOOD, DEVIATION, MIXTURE, COUNT, OBJECTIVE, GREEDY) = range(len(MAXIMA))

SHARE = 1 - math.exp(-1)
"""n is at least this share of D, up to a constant (Ville's inequality for e^{-1{visit}})."""

Record = record(
    __name__, "Record", "sums maxima truth_loss true_n true_next D d kl binomials V means raw_states raw_actions raw_next raw_policy raw_f raw_model raw_bounds"
)
RAW = ("raw_states", "raw_actions", "raw_next", "raw_policy", "raw_f", "raw_model", "raw_bounds")


def start(problem: EpisodicMDP, model_based: bool) -> dict[str, Any]:
    """Return the part of the state that a trace fills."""
    H, S, A = problem.horizon, problem.n_states, problem.n_actions
    return Record(
        sums=np.zeros(len(SUMS)), maxima=np.full(len(MAXIMA), -np.inf), truth_loss=np.zeros(H), true_n=np.zeros((H, S * A), np.int64),
        true_next=np.zeros((H, S * A, S), np.int64), D=np.zeros((H, S * A)), d=np.zeros((H, S)), kl=np.zeros((H, S * A)), binomials=np.zeros((H, S * A)),
        V=np.zeros((H + 1, S)), means=np.zeros(S * A), raw_states=np.zeros((0, H), np.int64), raw_actions=np.zeros((0, H), np.int64),
        raw_next=np.zeros((0, H), np.int64), raw_policy=np.zeros((0, H, S), np.int64), raw_f=np.zeros((0, H, S, A)),
        raw_model=np.zeros((0, H, S, A, S) if model_based else (0, 0, 0, 0, 0)), raw_bounds=np.zeros((0, 2)),
    )._asdict()  # fmt: skip


def allocate_raw(state: dict[str, Any]) -> None:
    """Make room for the raw transitions and hypotheses of all episodes of the horizon."""
    n = int(state["horizon"])
    for name in RAW:
        if len(state[name]) < n:
            state[name] = np.zeros((n, *state[name].shape[1:]), state[name].dtype)


def measure(state: dict[str, Any]) -> dict[str, Any]:
    """Return the sums and maxima by name, and the largest L_h(f*) of each stage so far."""
    return dict(zip(SUMS, state["sums"], strict=True)) | dict(zip(MAXIMA, state["maxima"], strict=True)) | {"truth_loss": state["truth_loss"].copy()}


@kernel
def log_binomial_step(n: int, S: int) -> float:
    """Return log binom(n + S, S - 1) - log binom(n + S - 1, S - 1): what the mixture radius grows by at the sample after n."""
    return math.log((n + S) / (n + 1))


@kernel
def open_episode(
    world: Any, model: Any, f: Any, policy: Any, lower: float, upper: float, eta: float, caps: Any, model_based: bool, changed: bool, trace: Any
) -> None:
    """Add the episode's hypothesis to the sums and maxima; then add its occupancy to D.

    `model` is the hypothesis (H, S', S A) of the model-based version, which has no other use for it.
    """
    P, d, D, V = world.P, trace.d, trace.D, trace.V
    H, S = policy.shape
    A = f.shape[1] // S
    if changed:
        occupancy(P, policy, world.start, d)
    pred, loss_gap, in_sample, truth_kl, residual, binomial, model_kl, excess, deviation = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    loss = 0.0  # of f: L(f), model-based less its least value
    V[H] = 0.0
    for h in range(H - 1, -1, -1):
        for x in range(S):
            V[h, x] = f[h, x * A]
            for row in range(x * A + 1, x * A + A):
                V[h, x] = max(V[h, x], f[h, row])
            excess = max(excess, V[h, x] - f[h, x * A + policy[h, x]])
        P_h = P[min(h, P.shape[0] - 1)]
        stage_kl, stage_binomial, stage_truth, stage_loss = 0.0, 0.0, 0.0, 0.0
        expectation(P_h, V[h + 1], trace.means)
        for row in range(S * A):
            n = trace.true_n[h, row]
            if model_based:
                error, own, gap, kl = compare_models(model[h], P_h, V[h + 1], trace.true_next[h], n, row)
                loss_gap += gap
                model_kl += kl
                stage_loss += kl
                squared = error
                error = own
            else:
                error = f[h, row] - world.r[h, row] - trace.means[row]
                squared = error * error
                if n > 0:
                    own, truth = squared_errors(f[h, row] - world.r[h, row], P_h, V[h + 1], world.V_star[h + 1], trace.true_next[h], n, row)
                    stage_loss += n * own
                    stage_truth += n * truth
            in_sample += D[h, row] * squared
            residual += n * squared
            stage_kl += trace.kl[h, row]
            stage_binomial += trace.binomials[h, row]
            if row % A == policy[h, row // A]:
                pred += d[h, row // A] * error
            raise_to(trace.maxima, COUNT, SHARE * D[h, row] - n)
        loss += stage_loss
        weight = 1.0
        if not model_based:
            weight = caps[h + 1] * caps[h + 1]
            loss_gap += stage_truth - stage_loss
            trace.truth_loss[h] = max(trace.truth_loss[h], stage_truth)
            raise_to(trace.maxima, MIXTURE, stage_kl - stage_binomial)
        truth_kl += weight * stage_kl
        binomial += weight * stage_binomial
        deviation += stage_kl - stage_binomial
    if model_based:
        raise_to(trace.maxima, MIXTURE, deviation)
    optimism = world.V_star[0, world.start] - V[0, world.start]
    sums, maxima = trace.sums, trace.maxima
    sums[OPTIMISM_GAP] += optimism
    sums[PRED] += pred
    sums[LOSS_GAP] += loss_gap
    sums[IN_SAMPLE] += in_sample
    sums[TRUTH_KL] += truth_kl
    sums[RESIDUAL] += residual
    sums[BINOMIAL] += binomial
    sums[MODEL_KL] += model_kl
    raise_to(maxima, FEEL_GOOD, optimism - eta * loss_gap - (upper - lower))
    raise_to(maxima, DEVIATION, loss_gap + (SHARE if model_based else SHARE / 2) * in_sample)
    raise_to(maxima, OBJECTIVE, abs(V[0, world.start] - eta * loss - lower))
    raise_to(maxima, GREEDY, excess)
    for h in range(H):
        for x in range(S):
            D[h, x * A + policy[h, x]] += d[h, x]


@kernel
def squared_errors(target: float, P: Any, V: Any, V_star: Any, n_next: Any, n: int, row: int) -> tuple[float, float]:
    """Return the squared residuals in the frequencies of f (f - r = `target`) and of f* (whose f* - r is P V*)."""
    own, truth = target, 0.0
    for s2 in range(V.shape[0]):
        frequency = n_next[row, s2] / n
        own -= frequency * V[s2]
        truth += (P[s2, row] - frequency) * V_star[s2]
    return own * own, truth * truth


@kernel
def compare_models(model: Any, P: Any, V: Any, n_next: Any, n: int, row: int) -> tuple[float, float, float, float]:
    """Return, of a pair, the squared Hellinger distance, (P_f - P) V, L(f*) - L(f), and n KL(P_hat || P_f)."""
    distance, error, gap, kl = 0.0, 0.0, 0.0, 0.0
    for s2 in range(V.shape[0]):
        p, q = model[s2, row], P[s2, row]
        root = math.sqrt(p) - math.sqrt(q)
        distance += root * root / 2
        error += (p - q) * V[s2]
        seen = n_next[row, s2]
        if seen > 0:
            gap += seen * math.log(p / q)
            kl += seen * math.log(seen / (n * p))
    return distance, error, gap, kl


@kernel
def count(P: Any, trace: Any, h: int, row: int, s_next: int) -> None:
    """Count the raw outcome, and refresh its pair's divergence from the truth and mixture radius."""
    n_next = trace.true_next[h, row]
    trace.binomials[h, row] += log_binomial_step(trace.true_n[h, row], n_next.shape[0])
    trace.true_n[h, row] += 1
    n_next[s_next] += 1
    divergence = 0.0
    for s2 in range(n_next.shape[0]):
        if n_next[s2] > 0:
            divergence += n_next[s2] * math.log(n_next[s2] / (trace.true_n[h, row] * P[min(h, P.shape[0] - 1), s2, row]))
    trace.kl[h, row] = divergence


@kernel
def record_step(trace: Any, episode: int, h: int, s: int, a: int, s_next: int) -> None:
    """Keep the raw transition."""
    trace.raw_states[episode, h] = s
    trace.raw_actions[episode, h] = a
    trace.raw_next[episode, h] = s_next


@kernel
def record_plan(trace: Any, episode: int, f: Any, policy: Any, model: Any, lower: float, upper: float, model_based: bool) -> None:
    """Keep the hypothesis, its policy and its bounds."""
    H, S = policy.shape
    A = f.shape[1] // S
    trace.raw_bounds[episode, 0] = lower
    trace.raw_bounds[episode, 1] = upper
    for h in range(H):
        for x in range(S):
            trace.raw_policy[episode, h, x] = policy[h, x]
            for a in range(A):
                trace.raw_f[episode, h, x, a] = f[h, x * A + a]
                if model_based:
                    for s2 in range(S):
                        trace.raw_model[episode, h, x, a, s2] = model[h, s2, x * A + a]
