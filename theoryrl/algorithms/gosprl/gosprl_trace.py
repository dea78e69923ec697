"""What the proof about GOSPRL needs from a run, as running sums and maxima; nothing here feeds back into a decision.

Confidence sets are judged by deviations (`theoryrl.estimation`) of counts of the trace's own, which are filled from the raw
outcomes, and by the theorem's own constants (`gosprl_theory`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from theoryrl.algorithms.gosprl.gosprl_theory import GOLDEN, gosprl_theory
from theoryrl.estimation.transitions import entry_variance_deviation, l1_deviation
from theoryrl.jit import kernel, record
from theoryrl.planning.arrays import copy, expectation, raise_to
from theoryrl.problems.continuing import ContinuingMDP

if TYPE_CHECKING:
    from theoryrl.algorithms.gosprl.gosprl import GOSPRL

SUMS = (
    "optimistic_steps",  # L1: v(s) - m
    "excess",  # Q: Pv - m
    "variance",  # Y: Var_P(v)
    "l1_widths",  # w of the L1 sets
    "bernstein_widths",  # w of the boxes
    "reciprocals",  # 1 / max(1, n_k)
    "roots",  # 1 / sqrt(max(1, n_k))
    "telescope",  # v(s) - v(s')
    "martingale",  # M: v(s') - Pv
    "piece_values",  # v at the start of each piece of an episode with one plan
    "ends",  # SSP-diameters of the unmet states at which episodes ended
    "bounded_variance",  # Y, M and Pv^2 - v^2(s') over the steps of plans with v <= D
    "bounded_martingale",
    "bounded_squares",
)
OPTIMISTIC, EXCESS, VARIANCE, L1_WIDTHS, BERNSTEIN_WIDTHS, RECIPROCALS, ROOTS = range(7)
TELESCOPE, MARTINGALE, PIECES, ENDS, BOUNDED_Y, BOUNDED_M, BOUNDED_SQUARES = range(7, len(SUMS))
OF_A_STATE = 7  # the first sums grow by a number that depends on the state only, under one plan

MAXIMA = (
    "l1_deviation",  # smallest log term, without its growing part, at which all rows were in their L1 sets at all counts
    "bernstein_deviation",  # the same for the boxes
    "optimism_excess",  # v - V* of the unmet states
    "value_excess",  # largest v, minus D
    "inner_excess",  # m - Pv at the greedy actions
    "l1_width_excess",  # Pv - m - w at the greedy actions
    "bernstein_width_excess",
    "residual_excess",  # v - (1 + m)
    "precision_excess",  # 1 - precision - (v - m)
    "mask_excess",  # number of states at which the goals of a played plan are not the unmet ones
    "count_excess",  # n - (2 n_k - 1) of a travel visit (n if n_k = 0)
    "l1_path_excess",  # bounded martingales minus their bounds
    "bernstein_path_excess",
    "squares_path_excess",
)
L1_DEVIATION, BERNSTEIN_DEVIATION, OPTIMISM, VALUE, INNER, L1_WIDTH, BERNSTEIN_WIDTH = range(7)
RESIDUAL, PRECISION, MASK, COUNT, L1_PATH, BERNSTEIN_PATH, SQUARES_PATH = range(7, len(MAXIMA))

COUNTERS = (
    "true_travel",  # travel steps
    "true_sampling",  # sampling steps
    "true_episodes",
    "true_plans",
    "inside_plans",  # mid: plans made inside an episode
    "doubled",  # how often the travel visits of a pair under one plan reached max(1, n_k)
    "goal_changes",  # chi; -1 before the first goals
    "cut_episodes",  # episodes that ended at no goal of their last plan, but of a rule
)
(TRAVEL, SAMPLING, EPISODES, PLANS, INSIDE, DOUBLED, CHANGES, CUT) = range(len(COUNTERS))
BOUNDED, OPEN, STRAY, NEW_GOALS, UNCHECKED = range(5)
"""Flags: v <= D; an episode goes on; the last travel step did not come to a goal of its plan; the best times are for other goals; the plan may be, too."""

TRAVEL_SUMS = ("logs", "square_roots", "floors")
"""Sums over pairs with tau > 0 travel visits of 1 + 2 ln tau, sqrt(tau), and 1 + floor(log2 tau)."""

BEST_SWEEPS = 10_000
"""Sweeps of value iteration from above: each iterate is at least the best times."""

Record = record(
    __name__,
    "Record",
    "sums maxima counters flags true_visits true_next at_plan phase_travel travel_visits unmet increments next_value squares best_times best_q nearest",
)
Numbers = record(
    __name__,
    "Numbers",
    "balls boxes rows next_first times D_s D precision l1_log bernstein_log l1_slope l1_offset rate offset square_slope square_offset",
)


def start(problem: ContinuingMDP, algorithm: GOSPRL) -> dict[str, Any]:
    """Return the part of the state that a trace fills."""
    S, pairs = problem.n_states, problem.n_states * problem.n_actions
    counters = np.zeros(len(COUNTERS), np.int64)
    counters[CHANGES] = -1
    return {
        "sums": np.zeros(len(SUMS)), "maxima": np.full(len(MAXIMA), -np.inf), "counters": counters, "flags": np.zeros(5, np.int64),
        "true_visits": np.zeros(pairs, np.int64), "true_next": np.zeros((pairs, S), np.int64), "at_plan": np.zeros(pairs, np.int64),
        "phase_travel": np.zeros(pairs, np.int64), "travel_visits": np.zeros(pairs, np.int64), "unmet": np.zeros(S, np.int8),
        "increments": np.zeros((S, OF_A_STATE)), "next_value": np.zeros((2, S)), "squares": np.zeros((2, S)), "best_times": np.zeros(S),
        "best_q": np.zeros(pairs), "nearest": np.zeros(1),
    }  # fmt: skip


def numbers(algorithm: GOSPRL, problem: ContinuingMDP) -> Any:
    """Return the theorem's constants and the true model as the kernels take them."""
    theory = gosprl_theory(algorithm, problem)
    parts, D = {part.kind: part for part in theory.sets}, theory.D
    l1, bernstein = parts.get("l1"), parts.get("bernstein")
    rate, square_rate = bernstein.rates if bernstein else (1.0, 1.0)
    return Numbers(
        balls=l1 is not None, boxes=bernstein is not None, rows=np.ascontiguousarray(problem.transition.reshape(-1, theory.S)), next_first=problem.next_first,
        times=problem.hitting_times, D_s=problem.diameters, D=D, precision=float(algorithm.precision),
        l1_log=l1.constant if l1 else 0.0, bernstein_log=bernstein.constant if bernstein else 0.0,
        l1_slope=l1.rates[0] / 8 if l1 else 0.0, l1_offset=l1.martingale(0.0) if l1 else 0.0,
        rate=GOLDEN * rate / D if bernstein else 0.0, offset=bernstein.martingale(0.0) if bernstein else 0.0,
        square_slope=4 * GOLDEN * square_rate, square_offset=D * D * bernstein.iota / square_rate if bernstein else 0.0,
    )  # fmt: skip


def measure(state: dict[str, Any]) -> dict[str, Any]:
    """Return the sums, maxima and counters by name, and the sums over pairs of their travel visits."""
    tau = state["travel_visits"][state["travel_visits"] > 0].astype(float)
    by_pair = (len(tau) + 2 * np.log(tau).sum(), np.sqrt(tau).sum(), len(tau) + np.floor(np.log2(tau)).sum())
    kept = ((SUMS, "sums"), (MAXIMA, "maxima"), (COUNTERS, "counters"))
    found = {name: value for names, kind in kept for name, value in zip(names, state[kind], strict=True)}
    open_end = {"open_end": state["nearest"][0] if state["flags"][OPEN] else 0.0}
    return found | dict(zip(TRAVEL_SUMS, by_pair, strict=True)) | open_end


@kernel
def record_goal(owed: Any, trace: Any, numbers: Any) -> None:
    """Note which states are unmet (`owed` >= 0), and the least SSP-diameter among them."""
    nearest = math.inf
    for s in range(owed.shape[0]):
        trace.unmet[s] = 1 if owed[s] >= 0 else 0
        if owed[s] >= 0:
            nearest = min(nearest, numbers.D_s[s])
    trace.nearest[0] = nearest
    trace.counters[CHANGES] += 1
    trace.flags[NEW_GOALS] = 1
    trace.flags[UNCHECKED] = 1


@kernel
def record_plan(s: int, opens: int, plan: Any, visits: Any, trace: Any, numbers: Any) -> None:
    """Compare a plan, made in state s, with the truth at counts of the trace's own, and prepare the sums of its steps."""
    counters, flags, v = trace.counters, trace.flags, plan.values
    copy(trace.true_visits, trace.at_plan)
    trace.phase_travel[:] = 0
    counters[PLANS] += 1
    if opens == 0:
        counters[INSIDE] += 1
        trace.sums[PIECES] += v[s]
    check_mask(plan.goal, trace)
    if flags[NEW_GOALS] == 1:
        find_best_times(trace, numbers)
        flags[NEW_GOALS] = 0
    largest = 0.0
    for s2 in range(v.shape[0]):
        largest = max(largest, v[s2])
        if trace.unmet[s2] == 0:
            raise_to(trace.maxima, OPTIMISM, v[s2] - trace.best_times[s2])
        trace.next_value[1, s2] = v[s2]
        trace.squares[1, s2] = v[s2] * v[s2]
        if plan.goal[s2] == 0:
            prepare(s2, plan, trace, numbers)
    raise_to(trace.maxima, VALUE, largest - numbers.D)
    flags[BOUNDED] = 1 if largest <= numbers.D * (1 + 1e-9) else 0  # a value that is D exactly may exceed it by round-off


@kernel
def check_mask(goal: Any, trace: Any) -> None:
    """Count the states at which the goals of a plan are not the unmet ones."""
    wrong = 0
    for s in range(goal.shape[0]):
        if goal[s] != trace.unmet[s]:
            wrong += 1
    raise_to(trace.maxima, MASK, wrong)
    trace.flags[UNCHECKED] = 1 if wrong > 0 else 0


@kernel
def find_best_times(trace: Any, numbers: Any) -> None:
    """Fill the best times to the unmet states: value iteration down from the best times to a single one of them."""
    best, q, unmet = trace.best_times, trace.best_q, trace.unmet
    S = best.shape[0]
    A = q.shape[0] // S
    for s in range(S):
        best[s] = math.inf
        for g in range(S):
            if unmet[g] == 1:
                best[s] = min(best[s], numbers.times[s, g])
    for _ in range(BEST_SWEEPS):
        expectation(numbers.next_first, best, q)
        change = 0.0
        for s in range(S):
            if unmet[s] == 0:
                least = math.inf
                for row in range(s * A, s * A + A):
                    least = min(least, 1 + q[row])
                change = max(change, best[s] - least)
                best[s] = min(best[s], least)
        if change <= 1e-9:
            break


@kernel
def prepare(s: int, plan: Any, trace: Any, numbers: Any) -> None:
    """Note what a travel step from state s contributes, under a new plan."""
    maxima, increments, v, S = trace.maxima, trace.increments[s], plan.values, plan.values.shape[0]
    row = s * (trace.at_plan.shape[0] // S) + plan.policy[s]
    p, n, least = numbers.rows[row], max(1, trace.at_plan[row]), plan.least[s]
    mean, square, variance = 0.0, 0.0, 0.0
    for s2 in range(S):
        mean += p[s2] * v[s2]
        square += p[s2] * (v[s2] * v[s2])
    for s2 in range(S):
        variance += p[s2] * (v[s2] - mean) * (v[s2] - mean)
    growing = math.log(n) + math.log(n + 1)
    l1_width, bernstein_width = 0.0, 0.0
    if numbers.balls:
        l1_width = numbers.D * math.sqrt(2 * (numbers.l1_log + growing) / n)
        raise_to(maxima, L1_WIDTH, mean - least - l1_width)
    if numbers.boxes:
        a = (numbers.bernstein_log + growing) / n
        bernstein_width = 2 * math.sqrt(2.0) * math.sqrt(S * a * variance) + 4 * a * S * numbers.D
        raise_to(maxima, BERNSTEIN_WIDTH, mean - least - bernstein_width)
    raise_to(maxima, INNER, least - mean)
    raise_to(maxima, RESIDUAL, v[s] - (1 + least))
    raise_to(maxima, PRECISION, 1 - numbers.precision - (v[s] - least))
    increments[OPTIMISTIC] = v[s] - least
    increments[EXCESS] = mean - least
    increments[VARIANCE] = variance
    increments[L1_WIDTHS] = l1_width
    increments[BERNSTEIN_WIDTHS] = bernstein_width
    increments[RECIPROCALS] = 1 / n
    increments[ROOTS] = 1 / math.sqrt(n)
    trace.next_value[0, s] = mean
    trace.squares[0, s] = square


@kernel
def count(row: int, s_next: int, trace: Any, numbers: Any) -> None:
    """Count the raw outcome, and note at which log terms the true row is in its sets."""
    trace.true_visits[row] += 1
    trace.true_next[row, s_next] += 1
    n = trace.true_visits[row]
    growing = math.log(n) + math.log(n + 1)
    if numbers.balls:
        raise_to(trace.maxima, L1_DEVIATION, l1_deviation(n, trace.true_next[row], numbers.rows[row]) - growing)
    if numbers.boxes:
        raise_to(trace.maxima, BERNSTEIN_DEVIATION, entry_variance_deviation(n, trace.true_next[row], numbers.rows[row]) - growing)


@kernel
def record_travel(
    s: int, row: int, s_next: int, opens: int, ends: int, plan: Any, planned_visits: Any, trace: Any, numbers: Any
) -> None:  # fmt: skip
    """Count the raw outcome, and add what the travel step contributes to each line."""
    sums, maxima, counters, flags, increments = trace.sums, trace.maxima, trace.counters, trace.flags, trace.increments
    n, n_k = trace.true_visits[row], trace.at_plan[row]
    raise_to(maxima, COUNT, n - max(0, 2 * n_k - 1))
    trace.phase_travel[row] += 1
    if trace.phase_travel[row] == max(1, n_k):
        counters[DOUBLED] += 1
    trace.travel_visits[row] += 1
    count(row, s_next, trace, numbers)
    if flags[UNCHECKED] == 1:
        check_mask(plan.goal, trace)
    counters[TRAVEL] += 1
    for i in range(OF_A_STATE):
        sums[i] += increments[s, i]
    v, following = trace.next_value[1, s], trace.next_value[1, s_next]
    surprise = following - trace.next_value[0, s]
    sums[TELESCOPE] += v - following
    sums[MARTINGALE] += surprise
    if opens == 1:
        counters[EPISODES] += 1
        sums[PIECES] += v
    if ends:
        sums[ENDS] += numbers.D_s[s_next]
        flags[OPEN] = 0
    else:
        flags[OPEN] = 1
    flags[STRAY] = 1 - plan.goal[s_next]
    if flags[BOUNDED] == 1:
        sums[BOUNDED_Y] += increments[s, VARIANCE]
        sums[BOUNDED_M] += surprise
        sums[BOUNDED_SQUARES] += trace.squares[0, s] - trace.squares[1, s_next]
    if numbers.balls:
        raise_to(maxima, L1_PATH, sums[BOUNDED_M] - (numbers.l1_slope * counters[TRAVEL] + numbers.l1_offset))
    if numbers.boxes:
        raise_to(maxima, BERNSTEIN_PATH, sums[BOUNDED_M] - (numbers.rate * sums[BOUNDED_Y] + numbers.offset))
        raise_to(maxima, SQUARES_PATH, sums[BOUNDED_SQUARES] - (numbers.square_slope * sums[BOUNDED_Y] + numbers.square_offset))


@kernel
def record_sample(s: int, row: int, s_next: int, trace: Any, numbers: Any) -> None:
    """Count the raw outcome of a sampling step."""
    count(row, s_next, trace, numbers)
    trace.counters[SAMPLING] += 1
    trace.counters[CUT] += trace.flags[STRAY]
    trace.flags[STRAY] = 0
    trace.flags[OPEN] = 0
