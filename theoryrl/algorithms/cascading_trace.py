"""What the proofs of Cascading RL need from a run, as running sums and maxima; nothing here feeds back into a decision.

Whether the good event held is told by *deviations*: the smallest log term at which its inequalities hold, computed at
every sample from counts of their own, which are filled from the raw outcomes.  The theorem compares them with its x.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from theoryrl.estimation.bernoulli import bernoulli_deviation
from theoryrl.estimation.transitions import bernstein_deviation, l1_deviation
from theoryrl.jit import kernel, record
from theoryrl.planning.arrays import copy, raise_to
from theoryrl.planning.cascade import backup
from theoryrl.problems.cascading import CascadingMDP

SUMS = (
    "optimistic_regret",  # sum of V_bar_1 - V^pi_1
    "certificate",  # sum of V_bar_1 - V_low_1
    "expected_widths",  # sum of D_1(s_1), the exact recursion of Lem 12 (D' for CascadingBPI)
    "realised_widths",  # sum of X (Y for CascadingBPI)
    "root_q",  # over examined items: sum of H_h sqrt(q / n)
    "over_n",  # over examined items: sum of H_h / n
    "click_mass",  # over examined items: sum of H_h^2 q
    "plain_over_n",  # over examined items: sum of 1 / n
    "over_root_n",  # over examined items: sum of H_h / sqrt(n)
    "transition_root",  # over clicks, no-click included: sum of (H - h) / sqrt(n)
    "transition_over_n",  # the same: sum of (H - h) / n
)
(OPTIMISTIC, CERTIFICATE, EXPECTED, REALISED, ROOT_Q, OVER_N, CLICK_MASS, PLAIN_OVER_N, OVER_ROOT_N, TRANSITION_ROOT, TRANSITION_OVER_N) = range(len(SUMS))

MAXIMA = (
    "q_deviation",  # largest log term that (Q) needed at some sample
    "l1_deviation",  # the same for (P1)
    "bernstein_deviation",  # the same for (P2)
    "interval_excess",  # how far q lay outside an interval that the run used
    "optimism_excess",  # V* - V_bar
    "pessimism_excess",  # V_low - V*
    "certificate_excess",  # V_low - V^pi
    "decomposition_excess",  # V_bar - V^pi - D (V_bar - V_low - D' for CascadingBPI)
)
(Q_DEVIATION, L1_DEVIATION, BERNSTEIN_DEVIATION, INTERVAL, OPTIMISM, PESSIMISM, CERTIFIED, DECOMPOSITION) = range(len(MAXIMA))

Record = record(
    __name__,
    "Record",
    "sums maxima D q_widths p_widths true_n_q true_clicks true_n_p true_n_next frozen_n_q frozen_n_p realised raw_states raw_lists raw_clicks raw_next",
)


def start(problem: CascadingMDP) -> dict[str, Any]:
    """Return the part of the state that a trace fills."""
    S, N, H, m = problem.n_states, problem.n_items, problem.horizon, problem.list_length
    return Record(
        sums=np.zeros(len(SUMS)), maxima=np.full(len(MAXIMA), -np.inf), D=np.zeros((H + 1, S)), q_widths=np.zeros((H, S, m)), p_widths=np.zeros((H, S, N + 1)),
        true_n_q=np.zeros((S, N), np.int64), true_clicks=np.zeros((S, N), np.int64), true_n_p=np.zeros((S, N + 1), np.int64),
        true_n_next=np.zeros((S, N + 1, S), np.int64), frozen_n_q=np.zeros((S, N), np.int64), frozen_n_p=np.zeros((S, N + 1), np.int64),
        realised=np.zeros(1), raw_states=np.zeros((0, H), np.int64), raw_lists=np.zeros((0, H, m), np.int64),
        raw_clicks=np.zeros((0, H), np.int64), raw_next=np.zeros((0, H), np.int64),
    )._asdict()  # fmt: skip


def allocate_raw(problem: CascadingMDP, state: dict[str, Any]) -> None:
    """Make room for the raw transitions of all episodes of the horizon."""
    n = int(state["horizon"])
    if len(state["raw_states"]) < n:
        for name in ("raw_states", "raw_lists", "raw_clicks", "raw_next"):
            state[name] = np.full((n, *state[name].shape[1:]), -1, np.int64)


def measure(state: dict[str, Any]) -> dict[str, Any]:
    """Return the sums and maxima by name."""
    return dict(zip(SUMS, state["sums"], strict=True)) | dict(zip(MAXIMA, state["maxima"], strict=True))


@kernel
def record_plan(world: Any, model: Any, plan: Any, trace: Any, bpi: bool) -> None:
    """Compare the plan with the truth at all (h, s), and fill the widths and D (D' with `bpi`) by its exact recursion."""
    maxima, D, q_widths, p_widths = trace.maxima, trace.D, trace.q_widths, trace.p_widths
    S, N = world.q.shape
    H = plan.lists.shape[0]
    for s in range(S):
        copy(trace.true_n_q[s], trace.frozen_n_q[s])
        copy(trace.true_n_p[s], trace.frozen_n_p[s])
        for a in range(N):
            raise_to(maxima, INTERVAL, max(model.lower[s, a] - world.q[s, a], world.q[s, a] - model.upper[s, a]))
    for h in range(H - 1, -1, -1):
        cap = float(H - 1 - h)
        for s in range(S):
            for a in range(N + 1):  # b + beta (3 beta with `bpi`), both capped at H - h; beta is the L1 bonus
                beta = min(cap * model.radius[s * (N + 1) + a], cap)
                p_widths[h, s, a] = 3 * beta if bpi else plan.bonus[h, s * (N + 1) + a] + beta
            for i in range(plan.lengths[h, s]):  # H_h |u~ - q|, u~ the end that the oracle used (plus H_h |u^- - q| with `bpi`)
                a = plan.lists[h, s, i]
                error = abs((model.lower[s, a] if plan.at_lower[h, s] else model.upper[s, a]) - world.q[s, a])
                if bpi:
                    error += abs(plan.u_low[h, s, i] - world.q[s, a])
                q_widths[h, s, i] = (cap + 1) * error
            D[h, s] = backup(world.P, p_widths[h], D[h + 1], s, N)
            for i in range(plan.lengths[h, s] - 1, -1, -1):
                a = plan.lists[h, s, i]
                D[h, s] = q_widths[h, s, i] + world.q[s, a] * backup(world.P, p_widths[h], D[h + 1], s, a) + (1 - world.q[s, a]) * D[h, s]
            raise_to(maxima, OPTIMISM, world.V_star[h, s] - plan.V_bar[h, s])
            raise_to(maxima, PESSIMISM, plan.V_low[h, s] - world.V_star[h, s])
            raise_to(maxima, CERTIFIED, plan.V_low[h, s] - plan.V_pi[h, s])
            raise_to(maxima, DECOMPOSITION, plan.V_bar[h, s] - (plan.V_low[h, s] if bpi else plan.V_pi[h, s]) - D[h, s])


@kernel
def open_episode(s: int, plan: Any, trace: Any) -> None:
    """Add the episode's plan to the sums."""
    trace.sums[OPTIMISTIC] += plan.V_bar[0, s] - plan.V_pi[0, s]
    trace.sums[CERTIFICATE] += plan.V_bar[0, s] - plan.V_low[0, s]
    trace.sums[EXPECTED] += trace.D[0, s]
    trace.realised[0] = 0.0


@kernel
def close_episode(trace: Any) -> None:
    """Add the realised widths, episode by episode."""
    trace.sums[REALISED] += trace.realised[0]


@kernel
def record_step(h: int, s: int, clicked: int, s_next: int, world: Any, plan: Any, trace: Any, bpi: bool) -> None:
    """Count the raw outcome, add its widths at the counts frozen at the last plan, and note the deviations of its pairs."""
    to_go = plan.lists.shape[0] - h  # H_h = H - h + 1, with h counted from one
    sums = trace.sums
    for i in range(plan.lengths[h, s]):
        a = plan.lists[h, s, i]
        n = max(trace.frozen_n_q[s, a], 1)
        trace.realised[0] += trace.q_widths[h, s, i]
        sums[ROOT_Q] += to_go * math.sqrt(world.q[s, a] / n)
        sums[OVER_N] += to_go / n
        sums[CLICK_MASS] += to_go * to_go * world.q[s, a]
        sums[PLAIN_OVER_N] += 1 / n
        sums[OVER_ROOT_N] += to_go / math.sqrt(n)
        trace.true_n_q[s, a] += 1
        trace.true_clicks[s, a] += a == clicked
        deviation = bernoulli_deviation(trace.true_n_q[s, a], trace.true_clicks[s, a], world.q[s, a])
        raise_to(trace.maxima, Q_DEVIATION, deviation - growth(trace.true_n_q[s, a], bpi))
        if a == clicked:
            break
    n = max(trace.frozen_n_p[s, clicked], 1)
    trace.realised[0] += trace.p_widths[h, s, clicked]
    sums[TRANSITION_ROOT] += (to_go - 1) / math.sqrt(n)
    sums[TRANSITION_OVER_N] += (to_go - 1) / n
    trace.true_n_p[s, clicked] += 1
    trace.true_n_next[s, clicked, s_next] += 1
    n = trace.true_n_p[s, clicked]
    row, law = trace.true_n_next[s, clicked], world.P[s, clicked]
    raise_to(trace.maxima, L1_DEVIATION, l1_deviation(n, row, law) - growth(n, bpi))
    for later in range(1, plan.lists.shape[0]):
        deviation = bernstein_deviation(n, row, law, world.V_star[later], float(plan.lists.shape[0] - later))
        raise_to(trace.maxima, BERNSTEIN_DEVIATION, deviation - growth(n, bpi))


@kernel
def growth(n: int, anytime: bool) -> float:
    """Return ln(n (n + 1)), by which the anytime log term x(n) of CascadingBPI grows, or 0."""
    return math.log(n * (n + 1.0)) if anytime else 0.0


@kernel
def record_raw(episode: int, h: int, s: int, clicked: int, s_next: int, plan: Any, trace: Any) -> None:
    """Keep the raw transition."""
    trace.raw_states[episode, h] = s
    copy(plan.lists[h, s], trace.raw_lists[episode, h])
    trace.raw_clicks[episode, h] = clicked
    trace.raw_next[episode, h] = s_next
