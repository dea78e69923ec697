"""What the proof about UCRL2 needs from a run, as running sums and maxima; nothing here feeds back into a decision.

Confidence sets are recomputed from counts of the trace's own, which are filled from the raw outcomes, and from the theorem's
own constants (`ucrl2_theory`).  Whether the good event held is told by deviations (`theoryrl.estimation`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from theoryrl.algorithms.baselines.ucrl2_theory import Theory, radii
from theoryrl.estimation.transitions import l1_deviation
from theoryrl.jit import kernel, record
from theoryrl.planning.arrays import copy, raise_to
from theoryrl.problems.continuing import ContinuingMDP

SUMS = (
    "epsilons",  # precisions of the plans
    "optimistic_regret",  # L1: precision + r_tilde + p_tilde u - u(s) - mean reward
    "reward_excess",  # r_tilde - mean reward
    "transition_excess",  # (p_tilde - p) u
    "reward_widths",  # min(1, 2 d_r) at recounted N
    "transition_widths",  # D min(1, d_p) at recounted N
    "martingale",  # M: p u - u(s')
    "telescope",  # u(s') - u(s)
    "bounded_martingale",  # M over the phases in which the span of u is at most D
)
(EPSILONS, OPTIMISTIC, REWARDS, TRANSITIONS, REWARD_WIDTHS, TRANSITION_WIDTHS, MARTINGALE, TELESCOPE, BOUNDED) = range(len(SUMS))
OF_A_STATE = 6  # the first sums grow by a number that depends on the state only, in one phase

MAXIMA = (
    "row_deviation",  # smallest log term, without its growing part, at which all rows were in their sets at all plans
    "reward_deviation",  # the same for mean rewards
    "set_excess",  # how far a recorded (r_tilde, p_tilde) is outside the set at recounted N
    "plan_error",  # |u' - u - (r_tilde + p_tilde u - u)| at the greedy actions
    "precision_excess",  # span of u' - u, minus the precision
    "optimism_excess",  # optimal gain - precision - min (u' - u)
    "span_excess",  # span of u, minus D
    "phase_excess",  # number of phases - (1 + m(t)), when one begins
    "visit_excess",  # visits of a pair in a phase, minus max(1, N)
    "path_excess",  # bounded martingale minus its Azuma bound
)
(ROW_DEVIATION, REWARD_DEVIATION, SET, PLAN, PRECISION, OPTIMISM, SPAN, PHASE, VISIT, PATH) = range(len(MAXIMA))

RAW_STEPS = {"raw_states": np.int64, "raw_actions": np.int64, "raw_next": np.int64, "raw_rewards": np.float64, "raw_phase": np.int64}
RAW_PLANS = {"raw_start": 0, "raw_policy": 1, "raw_u": 1, "raw_u_next": 1, "raw_r_tilde": 1, "raw_p_tilde": 2}  # numbers of axes over states

Record = record(
    __name__,
    "Record",
    "sums maxima true_visits true_next true_rewards at_start increments next_value clock " + " ".join((*RAW_STEPS, *RAW_PLANS)),
)
Numbers = record(__name__, "Numbers", "explicit known_rewards row_log reward_log rows mean gain D pairs slope offset")


def start(problem: ContinuingMDP) -> dict[str, Any]:
    """Return the part of the state that a trace fills."""
    S, rows = problem.n_states, problem.n_states * problem.n_actions
    arrays: dict[str, Any] = {
        "sums": np.zeros(len(SUMS)), "maxima": np.full(len(MAXIMA), -np.inf), "true_visits": np.zeros(rows, np.int64),
        "true_next": np.zeros((rows, S), np.int64), "true_rewards": np.zeros(rows), "at_start": np.zeros(rows, np.int64),
        "increments": np.zeros((S, OF_A_STATE)), "next_value": np.zeros((2, S)), "clock": np.zeros(2, np.int64),
    }  # fmt: skip
    steps = {name: np.zeros(0, kind) for name, kind in RAW_STEPS.items()}
    return arrays | steps | {name: _plans(name, axes, 0, S) for name, axes in RAW_PLANS.items()}


def _plans(name: str, axes: int, count: int, S: int) -> np.ndarray:
    return np.zeros((count, *(S,) * axes), np.int64 if name in ("raw_start", "raw_policy") else np.float64)


def allocate_raw(state: dict[str, Any], steps: int, theory: Theory) -> None:
    """Make room for the transitions of so many steps, and for all plans that they can take; unplayed ones are -1, unused plans have start 0."""
    phases = int(theory.most_phases(steps)) + 1
    for name, have in state.items():
        rows = steps if name in RAW_STEPS else phases if name in RAW_PLANS else 0
        if len(np.atleast_1d(have)) < rows and name.startswith("raw_"):
            fill = -1 if name in RAW_STEPS else 0
            state[name] = np.concatenate([have, np.full((rows - len(have), *have.shape[1:]), fill, have.dtype)])


def numbers(theory: Theory, problem: ContinuingMDP) -> Any:
    """Return the theorem's constants and the true model as the kernels take them."""
    (row_log, reward_log), (slope, offset) = theory.logs, theory.azuma
    return Numbers(
        explicit=theory.explicit, known_rewards=theory.known_rewards, row_log=row_log, reward_log=reward_log,
        rows=np.ascontiguousarray(problem.transition.reshape(-1, theory.S)), mean=np.ascontiguousarray(problem.reward).reshape(-1),
        gain=problem.optimal_gain, D=theory.D, pairs=float(theory.pairs), slope=slope, offset=offset,
    )  # fmt: skip


def measure(state: dict[str, Any]) -> dict[str, Any]:
    """Return the sums and maxima by name, and the horizon whose Azuma bound was watched."""
    return {"horizon": state["horizon"]} | dict(zip(SUMS, state["sums"], strict=True)) | dict(zip(MAXIMA, state["maxima"], strict=True))


@kernel
def record_plan(t: int, phases: int, plan: Any, trace: Any, numbers: Any) -> None:
    """Compare the plan of the phase that begins with step t with the truth and with the sets at recounted N, and prepare the sums of its steps."""
    maxima, u, u_next = trace.maxima, plan.u, plan.u_next
    S, A = u.shape[0], numbers.mean.shape[0] // u.shape[0]
    precision = 1 / math.sqrt(t)
    check_event(t, trace.true_visits, trace.true_next, trace.true_rewards, numbers, maxima)
    copy(trace.true_visits, trace.at_start)
    j = min(numbers.pairs, 2 * t / math.e)
    raise_to(maxima, PHASE, phases - (1 + j * (1 + math.log2(t / j))))
    least, most, low, high = math.inf, -math.inf, math.inf, -math.inf
    for s in range(S):
        least, most = min(least, u[s]), max(most, u[s])
        low, high = min(low, u_next[s] - u[s]), max(high, u_next[s] - u[s])
    raise_to(maxima, PRECISION, high - low - precision)
    raise_to(maxima, OPTIMISM, numbers.gain - precision - low)
    raise_to(maxima, SPAN, most - least - numbers.D)
    trace.clock[1] = 1 if most - least <= numbers.D * (1 + 1e-9) else 0  # a span that is D exactly may exceed it by round-off
    for s in range(S):
        row = s * A + plan.policy[s]
        n, r, p = trace.true_visits[row], plan.r_tilde[s], plan.p_tilde[s]
        optimistic, true = 0.0, 0.0
        for s2 in range(S):
            optimistic += p[s2] * u[s2]
            true += numbers.rows[row, s2] * u[s2]
        d_p, d_r = 2.0, 1.0
        if n > 0:
            d_p, d_r = radii(numbers.explicit, n, t, S, numbers.row_log, numbers.reward_log)
        outside = outside_set(n, r, p, trace.true_next[row], trace.true_rewards[row], d_p, d_r)
        if numbers.known_rewards:
            outside = max(outside_set(0, 0.0, p, trace.true_next[row], 0.0, d_p, d_r), abs(r - numbers.mean[row]))
            if n > 0:
                outside = max(outside, distance(n, p, trace.true_next[row]) - d_p)
        raise_to(maxima, SET, outside)
        raise_to(maxima, PLAN, abs(u_next[s] - (r + optimistic)))
        increments = trace.increments[s]
        increments[EPSILONS] = precision
        increments[OPTIMISTIC] = precision + r + optimistic - u[s] - numbers.mean[row]
        increments[REWARDS] = r - numbers.mean[row]
        increments[TRANSITIONS] = optimistic - true
        increments[REWARD_WIDTHS] = 0.0 if numbers.known_rewards else min(1.0, 2 * d_r)
        increments[TRANSITION_WIDTHS] = numbers.D * min(1.0, d_p)
        trace.next_value[0, s] = true
        trace.next_value[1, s] = u[s]


@kernel
def check_event(t: int, visits: Any, following: Any, rewards: Any, numbers: Any, maxima: Any) -> None:
    """Note at which log terms the true model is in the set of every pair."""
    S = following.shape[1]
    for row in range(visits.shape[0]):
        n = visits[row]
        if n > 0:
            error = rewards[row] / n - numbers.mean[row]
            x, y = l1_deviation(n, following[row], numbers.rows[row]), 2 * n * error * error
            if numbers.explicit:
                growing = math.log(n) + math.log(n + 1)
                x, y = x - growing, y - growing
            else:
                x, y = (x + S * math.log(2)) / (7 * S) - math.log(t), y / 7 - math.log(t)
            raise_to(maxima, ROW_DEVIATION, x)
            if not numbers.known_rewards:
                raise_to(maxima, REWARD_DEVIATION, y)


@kernel
def outside_set(n: int, r: float, p: Any, following: Any, rewards: float, d_p: float, d_r: float) -> float:
    """Return by how much a reward and a row break a constraint of the set after n visits."""
    total, least = 0.0, 0.0
    for s2 in range(p.shape[0]):
        total += p[s2]
        least = min(least, p[s2])
    worst = max(max(abs(total - 1), -least), max(r - 1, -r))
    if n > 0:
        worst = max(worst, max(distance(n, p, following) - d_p, abs(r - rewards / n) - d_r))
    return worst


@kernel
def distance(n: int, p: Any, following: Any) -> float:
    """Return the L1 distance of a row from the frequencies."""
    total = 0.0
    for s2 in range(p.shape[0]):
        total += abs(p[s2] - following[s2] / n)
    return total


@kernel
def record_step(s: int, row: int, s_next: int, reward: float, trace: Any, numbers: Any) -> None:
    """Count the raw outcome, and add what the step contributes to each line."""
    sums, maxima, increments = trace.sums, trace.maxima, trace.increments
    trace.true_visits[row] += 1
    trace.true_next[row, s_next] += 1
    trace.true_rewards[row] += reward
    trace.clock[0] += 1
    for i in range(OF_A_STATE):
        sums[i] += increments[s, i]
    following = trace.next_value[1, s_next]
    surprise = trace.next_value[0, s] - following
    sums[MARTINGALE] += surprise
    sums[TELESCOPE] += following - trace.next_value[1, s]
    if trace.clock[1] == 1:
        sums[BOUNDED] += surprise
    raise_to(maxima, VISIT, trace.true_visits[row] - trace.at_start[row] - max(1, trace.at_start[row]))
    raise_to(maxima, PATH, sums[BOUNDED] - (numbers.slope * trace.clock[0] + numbers.offset))


@kernel
def record_step_raw(step: int, phase: int, s: int, a: int, s_next: int, reward: float, trace: Any) -> None:
    """Keep one raw transition."""
    trace.raw_states[step] = s
    trace.raw_actions[step] = a
    trace.raw_next[step] = s_next
    trace.raw_rewards[step] = reward
    trace.raw_phase[step] = phase


@kernel
def record_plan_raw(t: int, phase: int, plan: Any, trace: Any) -> None:
    """Keep the plan of a phase, and with which step it begins."""
    trace.raw_start[phase] = t
    copy(plan.policy, trace.raw_policy[phase])
    copy(plan.u, trace.raw_u[phase])
    copy(plan.u_next, trace.raw_u_next[phase])
    copy(plan.r_tilde, trace.raw_r_tilde[phase])
    for s in range(plan.u.shape[0]):
        copy(plan.p_tilde[s], trace.raw_p_tilde[phase, s])
