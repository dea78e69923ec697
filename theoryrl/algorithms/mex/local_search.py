"""Local search for the model-free argmax over the full tabular class: several starts, monotone alternation, a certified gap.

From a policy pi, the alternation takes the greedy policy of its best hypothesis (pi's own actions carry the residual
bonuses) and goes on while QP grows: Frank-Wolfe steps on the convex function F of Theorem A, with the range constraint.
Actions off the policy look bonus-free, so that starts matter more than steps: six plans, and the constant policies,
without which long chains are missed (T28).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from theoryrl import validate
from theoryrl.algorithms.mex.bounded_qp import bounded_values, cells
from theoryrl.algorithms.mex.empirical import TabularSolution, agree, read_counts
from theoryrl.algorithms.mex.policy_form import chord, chord_bound, played_hypothesis, settle, table, table_objective
from theoryrl.jit import kernel, record
from theoryrl.planning.arrays import copy
from theoryrl.planning.episodic import backward_induction

PLANS = 6  # starts that are plans; the A constant policies follow
CHORD, OPTIMISTIC, ESCAPE, RARE, BONUS, ROOT = range(6)
STEPS = 100  # of one alternation, which a policy never repeats
PROGRESS = 1e-12

Search = record(__name__, "Search", "starts plan Q V best_policy policy best_e")
"""starts (6 + A, H, S) the policies tried; plan (H, S A) rewards, Q (S A), V (H + 1, S) scratch of their plans;
best_policy, best_e (H, S) the best policy and its residual bonuses; policy (H, S) the one at hand."""


def search_scratch(H: int, S: int, A: int) -> Any:
    """Return the scratch of `search`."""
    policies = [np.zeros((H, S), np.int64) for _ in range(2)]
    return Search(np.zeros((PLANS + A, H, S), np.int64), np.zeros((H, S * A)), np.zeros(S * A), np.zeros((H + 1, S)), *policies, np.zeros((H, S)))


@kernel
def plan_reward(which: int, r: float, n: int, cap: float, reach: float, eta: float) -> float:
    """Return the reward with which start number `which` plans, for a pair of a state of largest reach `reach` (r is the cap if n = 0)."""
    if which == OPTIMISTIC:
        return r
    if which == ESCAPE:
        return 1.0 if n == 0 else 0.0
    if which == RARE:
        return 2.0 if n == 0 else 1.0 / n
    if which == BONUS:
        return cap + reach / (2 * eta) if n == 0 else r + reach / (4 * eta * n)
    return r + cap / 2 if n == 0 else r + cap / 2 / math.sqrt(n)


@kernel
def start_policy(which: int, P: Any, r: Any, n: Any, caps: Any, eta: float, reach: Any, greedy: Any, plan: Any, V: Any, Q: Any, policy: Any) -> None:
    """Fill policy with start number `which`."""
    H, S = policy.shape
    A = r.shape[1] // S
    if which == CHORD:
        for h in range(H):
            copy(greedy[h], policy[h])
        return
    if which >= PLANS:
        for h in range(H):
            for x in range(S):
                policy[h, x] = which - PLANS
        return
    for h in range(H):
        for row in range(S * A):
            plan[h, row] = plan_reward(which, r[h, row], n[h, row], caps[h], reach[h, row // A], eta)
    backward_induction(P, plan, V, policy, Q)


@kernel
def same(a: Any, b: Any) -> bool:
    """Whether two policies are the same."""
    for h in range(a.shape[0]):
        for x in range(a.shape[1]):
            if a[h, x] != b[h, x]:
                return False
    return True


@kernel
def step(P: Any, r: Any, n: Any, unvisited: Any, caps: Any, policy: Any, e: Any, f: Any, V: Any, greedy: Any) -> bool:
    """Move policy to the greedy policy of its best hypothesis, with residuals e; return whether it moved."""
    played_hypothesis(P, r, n, caps, policy, e, f, V, greedy)
    settle(unvisited, greedy)
    if same(greedy, policy):
        return False
    for h in range(policy.shape[0]):
        copy(greedy[h], policy[h])
    return True


@kernel
def search(model: Any, caps: Any, start: int, eta: float, bounds: Any, work: Any, scratch: Any, best: Any) -> tuple[float, float]:
    """Fill best (f, V, policy) with the best hypothesis found; return its objective, from the table, and the chord bound."""
    P, r, n, unvisited = model
    policy, best_policy, best_e = scratch.policy, scratch.best_policy, scratch.best_e
    H, S = policy.shape
    A = r.shape[1] // S
    upper = chord_bound(P, r, n, caps, start, eta, unvisited, bounds.U, bounds.greedy, bounds.reach, bounds.W, bounds.chances)
    largest = -1.0
    for which in range(PLANS + A):
        start_policy(which, P, r, n, caps, eta, bounds.reach, bounds.greedy, scratch.plan, scratch.V, scratch.Q, policy)
        settle(unvisited, policy)
        for h in range(H):
            copy(policy[h], scratch.starts[which, h])
        known = which > 0 and same(policy, best_policy)
        for earlier in range(which):
            known = known or same(policy, scratch.starts[earlier])
        if known:
            continue
        value = -1.0
        for _ in range(STEPS):
            reached = value
            value = bounded_values(P, r, n, caps, start, eta, policy, work)
            if value > largest + PROGRESS:
                largest = value
                for h in range(H):
                    copy(policy[h], best_policy[h])
                    copy(work.e[h], best_e[h])
            if value <= reached + PROGRESS or agree(largest, upper):
                break
            if not step(P, r, n, unvisited, caps, policy, work.e, best.f, best.V, best.policy):
                break
        if agree(largest, upper):
            break
    return present(P, r, n, caps, start, eta, best_policy, best_e, best.f, best.V, best.policy, scratch.V, policy), upper


@kernel
def present(P: Any, r: Any, n: Any, caps: Any, start: int, eta: float, planned: Any, e: Any, f: Any, V: Any, policy: Any, V_table: Any, greedy: Any) -> float:
    """Fill f, V, policy with the played hypothesis of a solution; return its objective from the table."""
    played_hypothesis(P, r, n, caps, planned, e, f, V, policy)
    return table_objective(P, r, n, start, eta, f, V_table, greedy)


def local_search(n: Any, n_next: Any, reward: Any, caps: Any, start: int, eta: float) -> TabularSolution:
    """Return the best hypothesis that the starts lead to, with its certified gap.

    Parameters and errors as for `theoryrl.algorithms.mex.empirical.read_counts`.
    """
    model, caps, start, eta = read_counts(n, n_next, reward, caps, start, eta)
    H, S = model.unvisited.shape
    A = model.r.shape[1] // S
    scratch, best = search_scratch(H, S, A), table(H, S, A)
    lower, upper = search(model, caps, start, eta, chord(H, S), cells(H, S), scratch, best)
    return TabularSolution(
        lower, max(lower, upper), best.policy, best.f.reshape(H, S, A), PLANS + A, agree(lower, upper), np.array(scratch.best_policy)
    )


def search_path(n: Any, n_next: Any, reward: Any, caps: Any, start: int, eta: float, policy: Any) -> np.ndarray:
    """Return QP of the policies that the alternation goes through from `policy` (H, S), until it stays or comes back.

    The other parameters and errors are those of `theoryrl.algorithms.mex.empirical.read_counts`.
    """
    model, caps, start, eta = read_counts(n, n_next, reward, caps, start, eta)
    P, r, counts, unvisited = model
    H, S = unvisited.shape
    A = r.shape[1] // S
    policy = np.array(validate.integer_array("policy", policy, (H, S), 0, A - 1))
    work, best, values, seen = cells(H, S), table(H, S, A), [], set()
    while policy.tobytes() not in seen:
        seen.add(policy.tobytes())
        values.append(bounded_values(P, r, counts, caps, start, eta, policy, work))
        step(P, r, counts, unvisited, caps, policy, work.e, best.f, best.V, best.policy)
    return np.array(values)
