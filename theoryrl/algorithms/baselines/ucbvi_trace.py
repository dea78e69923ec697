"""What the proofs about UCBVI need from a run, as running sums and maxima; nothing here feeds back into a decision.

Bonuses and widths are recomputed from counts of the trace's own, which are filled from the raw outcomes, and from the
theorem's own constants (`ucbvi_theory`).  Whether the good event held is told by deviations (`theoryrl.estimation`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from theoryrl.algorithms.baselines.episodes import no_raw, note_visit
from theoryrl.algorithms.baselines.ucbvi_theory import BERNSTEIN, C1, C2, HOEFFDING, PRINTED, Theory
from theoryrl.estimation.transitions import bernstein_deviation, entry_deviation, hoeffding_deviation, l1_deviation
from theoryrl.jit import kernel, record
from theoryrl.planning.arrays import copy, expectation, raise_to
from theoryrl.planning.episodic import occupancy
from theoryrl.problems.episodic import EpisodicMDP

SUMS = (
    "optimistic_regret",  # sum of V_bar_1 - V^pi_1
    "expected_excess",  # sum of E_pi of the sum of xi
    "expected_widths",  # sum of E_pi of the sum of X
    "variance",  # Y: sum of E_pi of the sum of Var_P(V_bar_{h+1}), h < H
    "expected_over_n",  # N: sum of E_pi of the sum of 1 / n, h < H
    "realised_widths",  # sum of X along the path
    "realised_over_n",  # sum of 1 / n along the path, h < H
)
(OPTIMISTIC, EXCESS, WIDTHS, VARIANCE, OVER_N, REALISED, REALISED_OVER_N) = range(len(SUMS))

MAXIMA = (
    "optimism_excess",  # V* - V_bar
    "cap_excess",  # V_bar - C_h (H in the paper's variants)
    "bonus_error",  # |recorded bonus - formula at recounted n| / max(1, formula), at every (h, s, a) and plan
    "width_excess",  # xi - X at every (h, s)
    "value_deviation",  # smallest x at which the event's inequalities about V* held
    "row_deviation",  # the same for those about rows
    "path_excess",  # expected widths (1 / n) minus their bound by realised ones
)
(OPTIMISM, CAP, BONUS, WIDTH, VALUE_DEVIATION, ROW_DEVIATION, PATH) = range(len(MAXIMA))

Record = record(
    __name__,
    "Record",
    "sums maxima true_visits true_next true_arrivals true_p root stack P_pi reach widths over_n realised raw_states raw_actions raw_next raw_bonus raw_V",
)
Numbers = record(
    __name__, "Numbers", "shape bernstein bonus_widths variance_factor linear_factor third caps ceilings spans root_widths a1 a2 x slope offset rows"
)


def start(problem: EpisodicMDP, counts: str) -> dict[str, Any]:
    """Return the part of the state that a trace fills."""
    S, A, H = problem.n_states, problem.n_actions, problem.horizon
    G = 1 if counts == "pooled" else H
    arrays: dict[str, Any] = {
        "sums": np.zeros(len(SUMS)), "maxima": np.full(len(MAXIMA), -np.inf), "true_visits": np.zeros((G, S * A), np.int64),
        "true_next": np.zeros((G, S * A, S), np.int64), "true_arrivals": np.zeros((H, S), np.int64), "true_p": np.zeros((G, S, S * A)),
        "root": np.ones((G, S * A)), "stack": np.zeros(G * S * A + 1, np.int64), "P_pi": np.zeros((H, S, S)), "reach": np.zeros((H, S)),
        "widths": np.zeros((H, S)), "over_n": np.zeros((H, S)), "realised": np.zeros(2),
    }  # fmt: skip
    return arrays | no_raw(problem, raw_bonus=(H, S, A), raw_V=(H + 1, S))


def numbers(theory: Theory, problem: EpisodicMDP) -> Any:
    """Return the theorem's constants as the kernels take them."""
    H, x = theory.H, theory.x
    shape = {"hoeffding": HOEFFDING, "hoeffding-paper": HOEFFDING, "bernstein": BERNSTEIN, "bernstein-paper": PRINTED}[theory.variant]
    paper_log = theory.paper_log
    bonus_widths, variance_factor, linear_factor = {
        "hoeffding": (theory.stage_caps * math.sqrt(x / 2), 0.0, 0.0),
        "hoeffding-paper": (theory.stage_caps * 7 * paper_log, 0.0, 0.0),
        "bernstein": (theory.stage_caps, C1 * math.sqrt(x), C2 * x),
        "bernstein-paper": (theory.stage_caps, math.sqrt(8 * paper_log), 14 * paper_log / 3),
    }[theory.variant]
    scale = -math.expm1(-theory.y) if theory.largest > 0 else math.inf
    return Numbers(
        shape=shape, bernstein=theory.bernstein, bonus_widths=bonus_widths, variance_factor=variance_factor, linear_factor=linear_factor,
        third=(100 * H * theory.S * paper_log) ** 2 * H * theory.A, caps=theory.stage_caps,
        ceilings=theory.stage_caps if theory.printed else np.array(theory.caps[:-1]), spans=np.array(theory.caps[1:]), root_widths=theory.root_widths,
        a1=theory.a1, a2=theory.a2, x=x, slope=theory.y / scale, offset=theory.largest * theory.iota / scale,
        rows=np.ascontiguousarray(problem.transition.reshape(-1, theory.S * theory.A, theory.S)),
    )  # fmt: skip


def measure(state: dict[str, Any]) -> dict[str, Any]:
    """Return the sums and maxima by name."""
    return dict(zip(SUMS, state["sums"], strict=True)) | dict(zip(MAXIMA, state["maxima"], strict=True))


@kernel
def record_plan(
    world: Any, p_hat: Any, bonus: Any, V_bar: Any, V_pi: Any, policy: Any, changed: bool, trace: Any, numbers: Any, scratch: Any
) -> None:
    """Compare the plan with the truth at all (h, s), and its bonuses with the formula at recounted n; add the episode's plan to the sums.

    Expectations along the plan are sums over the probabilities `reach` of its pairs under the true law.
    """
    H, S = policy.shape
    A = bonus.shape[1] // S
    V_star, P, maxima, root, caps, reach = world.V_star, world.P, trace.maxima, trace.root, numbers.caps, trace.reach
    mean, true_mean, variance = scratch[0], scratch[1], scratch[2]
    if changed:
        occupancy(P, policy, world.start, reach)
        for h in range(H):
            for s2 in range(S):
                for s in range(S):
                    trace.P_pi[h, s2, s] = P[min(h, P.shape[0] - 1), s2, s * A + policy[h, s]]
    recount(trace.stack, trace.true_visits, trace.true_next, trace.true_p, root, numbers.rows, numbers.spans, numbers.bernstein, V_star, scratch[0], maxima)
    excess, widths, spread, over_n = 0.0, 0.0, 0.0, 0.0
    width_excess, optimism_excess, cap_excess = -math.inf, -math.inf, -math.inf
    for h in range(H):
        g = min(h, p_hat.shape[0] - 1)
        if numbers.shape == HOEFFDING:
            check_root_bonus(bonus[h], trace.true_visits[g], root[g], numbers.bonus_widths[h], caps[h], maxima)
        else:
            check_variance_bonus(
                bonus[h], trace.true_visits[g], root[g], trace.true_p[g], V_bar[h + 1], trace.true_arrivals[h], caps[h], numbers.shape == PRINTED,
                numbers.variance_factor, numbers.linear_factor, numbers.third, scratch, maxima,
            )  # fmt: skip
        expectation(p_hat[g], V_bar[h + 1], mean)
        average(trace.P_pi[h], V_bar[h + 1], true_mean)
        if numbers.bernstein:
            variances(trace.P_pi[h], V_bar[h + 1], true_mean, variance)
        for s in range(S):
            row = s * A + policy[h, s]
            xi = min(caps[h], bonus[h, row] + max(mean[row] - true_mean[s], 0.0))
            width = numbers.root_widths[h] * root[g, row]
            if numbers.bernstein:
                y = root[g, row] * root[g, row]
                width = numbers.a1 * math.sqrt(variance[s] * numbers.x * y) + numbers.a2 * caps[h] * numbers.x * y
                trace.over_n[h, s] = y if h < H - 1 else 0.0
                spread += reach[h, s] * variance[s]
                over_n += reach[h, s] * trace.over_n[h, s]
            width = min(caps[h], width)
            trace.widths[h, s] = width
            excess += reach[h, s] * xi
            widths += reach[h, s] * width
            width_excess = max(width_excess, xi - width)
            optimism_excess = max(optimism_excess, V_star[h, s] - V_bar[h, s])
            cap_excess = max(cap_excess, V_bar[h, s] - numbers.ceilings[h])
    raise_to(maxima, OPTIMISM, optimism_excess)
    raise_to(maxima, CAP, cap_excess)
    if numbers.shape != PRINTED:
        raise_to(maxima, WIDTH, width_excess)
    trace.sums[OPTIMISTIC] += V_bar[0, world.start] - V_pi[0, world.start]
    trace.sums[EXCESS] += excess
    trace.sums[WIDTHS] += widths
    trace.sums[VARIANCE] += spread
    trace.sums[OVER_N] += over_n
    trace.realised[:] = 0.0


@kernel
def average(P_pi: Any, V: Any, out: Any) -> None:
    """Fill out (S,) with sum_s' P_pi[s', s] V[s']."""
    for s in range(V.shape[0]):
        out[s] = 0.0
    for s2 in range(V.shape[0]):
        for s in range(V.shape[0]):
            out[s] += P_pi[s2, s] * V[s2]


@kernel
def variances(P_pi: Any, V: Any, mean: Any, out: Any) -> None:
    """Fill out (S,) with the variances of V under the rows of P_pi, whose means are known."""
    for s in range(V.shape[0]):
        out[s] = 0.0
    for s2 in range(V.shape[0]):
        for s in range(V.shape[0]):
            d = V[s2] - mean[s]
            out[s] += P_pi[s2, s] * (d * d)


@kernel
def recount(
    stack: Any, visits: Any, following: Any, true_p: Any, root: Any, rows: Any, spans: Any, bernstein: bool, V_star: Any, row_error: Any, maxima: Any
) -> None:
    """Refresh what the trace knows of the pairs visited in the last episode, and note the deviations of their estimates."""
    last, width, inner = stack.shape[0] - 1, root.shape[1], spans.shape[0] - 1
    pooled = root.shape[0] == 1
    for t in range(stack[last]):
        g, row = stack[t] // width, stack[t] % width
        n, counts, law = visits[g, row], following[g, row], rows[min(g, rows.shape[0] - 1), row]
        root[g, row] = 1 / math.sqrt(n)
        for s2 in range(law.shape[0]):
            true_p[g, s2, row] = counts[s2] / n
            row_error[s2] = law[s2] - true_p[g, s2, row]
        raise_to(maxima, ROW_DEVIATION, entry_deviation(n, counts, law) if bernstein else l1_deviation(n, counts, law))
        for h in range(0 if pooled else g, inner if pooled else min(g + 1, inner)):
            if bernstein:
                raise_to(maxima, VALUE_DEVIATION, bernstein_deviation(n, counts, law, V_star[h + 1], spans[h]))
            else:
                raise_to(maxima, VALUE_DEVIATION, hoeffding_deviation(n, row_error, V_star[h + 1], spans[h]))
    stack[last] = 0


@kernel
def check_root_bonus(bonus: Any, visits: Any, root: Any, width: float, cap: float, maxima: Any) -> None:
    """Compare the recorded bonuses of a stage with width / sqrt(n) at the trace's own counts (the cap where there are none)."""
    worst = 0.0
    for row in range(bonus.shape[0]):
        formula = width * root[row] if visits[row] > 0 else cap
        error, size = abs(bonus[row] - formula), max(formula, 1.0)
        if error > worst * size:
            worst = error / size
    raise_to(maxima, BONUS, worst)


@kernel
def check_variance_bonus(
    bonus: Any, visits: Any, root: Any, true_p: Any, V_next: Any, arrivals: Any, cap: float, printed: bool, variance_factor: float, linear_factor: float,
    third_factor: float, scratch: Any, maxima: Any,
) -> None:  # fmt: skip
    """Do the same for the bonuses that have a variance, at the trace's own frequencies."""
    mean, variance, third = scratch[0], scratch[1], scratch[2]
    expectation(true_p, V_next, mean)
    variance[:] = 0.0
    third[:] = 0.0
    for s2 in range(V_next.shape[0]):
        spread = bonus_cap(cap, third_factor, arrivals[s2]) if printed else 0.0
        for row in range(bonus.shape[0]):
            d = V_next[s2] - mean[row]
            variance[row] += true_p[s2, row] * (d * d)
            third[row] += true_p[s2, row] * spread
    worst = 0.0
    for row in range(bonus.shape[0]):
        first = variance_factor * math.sqrt(variance[row]) * root[row]
        second = linear_factor * cap * root[row] * root[row]
        formula = first + second + math.sqrt(8 * third[row]) * root[row] if printed else max(first, second)
        if visits[row] == 0:
            formula = cap
        worst = max(worst, abs(bonus[row] - formula) / max(formula, 1.0))
    raise_to(maxima, BONUS, worst)


@kernel
def bonus_cap(cap: float, third: float, arrivals: int) -> float:
    """Return min(100^2 H^3 S^2 A L^2 / N'(y), H^2), which is H^2 before the first arrival."""
    return min(third / arrivals, cap * cap) if arrivals > 0 else cap * cap


@kernel
def record_step(
    h: int, s: int, row: int, s_next: int, stack: Any, visits: Any, following: Any, arrivals: Any, widths: Any, over_n: Any, realised: Any
) -> None:
    """Count the raw outcome, and add its widths at the counts frozen at the plan."""
    g = min(h, visits.shape[0] - 1)
    note_visit(stack, g * visits.shape[1] + row)
    visits[g, row] += 1
    following[g, row, s_next] += 1
    arrivals[h, s_next] += 1
    realised[0] += widths[h, s]
    realised[1] += over_n[h, s]


@kernel
def close_episode(sums: Any, maxima: Any, realised: Any, bernstein: bool, slope: float, offset: float) -> None:
    """Add the realised widths, and compare the expected ones with their bound, for all k."""
    sums[REALISED] += realised[0]
    sums[REALISED_OVER_N] += realised[1]
    if bernstein:
        raise_to(maxima, PATH, sums[OVER_N] - (slope * sums[REALISED_OVER_N] + offset))
    else:
        raise_to(maxima, PATH, sums[WIDTHS] - (slope * sums[REALISED] + offset))


@kernel
def record_plan_raw(episode: int, bonus: Any, V_bar: Any, trace: Any) -> None:
    """Keep the plan of an episode."""
    for h in range(V_bar.shape[0]):
        copy(V_bar[h], trace.raw_V[episode, h])
    for h in range(bonus.shape[0]):
        copy(bonus[h], trace.raw_bonus[episode, h].reshape(-1))
