r"""The model-based objective over the full tabular class (derived here).

.. math:: \max_P V_{1,P}(x_1) - \eta \sum_h \sum_{x,a} n_h \mathrm{KL}(\hat P_h \| P_h)

It is not jointly concave, and no dynamic program (the penalty is not weighted by occupancies).  One row has a closed form
up to one root.  Local search: block coordinate ascent over the stages along a policy, in turn with replanning, from the
starts of the model-free local search.  Upper bound: a dynamic program that charges each row's penalty to every unit of flow; for H <= 2 it is attained.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from theoryrl import validate
from theoryrl.algorithms.mex.empirical import TabularSolution, agree, read_counts
from theoryrl.algorithms.mex.local_search import PLANS, same, start_policy
from theoryrl.jit import kernel, record
from theoryrl.planning.arrays import copy
from theoryrl.planning.episodic import backup, backward_induction, greedy, max_reach, occupancy

ROOT_STEPS = 60  # of a monotone Newton iteration: five or six are the rule
SWEEPS = 100
PROGRESS = 1e-12

Tilt = record(__name__, "Tilt", "P bonus U greedy reach V Q plan policy d starts hopeful")
"""P, bonus (H, S', S A) the model at hand and the upper bound's; U, V (H + 1, S); greedy, policy, reach, d (H, S); plan, hopeful (H, S A)
rewards, the latter the caps where n = 0; Q (S A); starts (6 + A, H, S) the policies tried."""

ModelTable = record(__name__, "ModelTable", "f V policy P")
"""The hypothesis: its Q table f (H, S A), values V (H + 1, S), greedy policy (H, S) and model P (H, S', S A)."""


def tilt_scratch(H: int, S: int, A: int) -> Any:
    """Return the scratch of `search_models`."""
    return Tilt(
        P=np.zeros((H, S, S * A)), bonus=np.zeros((H, S, S * A)), U=np.zeros((H + 1, S)), greedy=np.zeros((H, S), np.int64),
        reach=np.zeros((H, S)), V=np.zeros((H + 1, S)), Q=np.zeros(S * A), plan=np.zeros((H, S * A)), policy=np.zeros((H, S), np.int64),
        d=np.zeros((H, S)), starts=np.zeros((PLANS + A, H, S), np.int64), hopeful=np.zeros((H, S * A)),
    )  # fmt: skip


def model_table(H: int, S: int, A: int) -> Any:
    """Return an empty hypothesis."""
    return ModelTable(np.zeros((H, S * A)), np.zeros((H + 1, S)), np.zeros((H, S), np.int64), np.zeros((H, S, S * A)))


@kernel
def tilt(p_hat: Any, n: int, V: Any, w: float, eta: float, p: Any) -> float:
    r"""Fill p with the row that maximises w <p, V> - eta n KL(p_hat || p), and return eta n KL.

    :math:`p_j = \theta \hat p_j / (u + g_j)`, theta = eta n, :math:`g_j = w (\max V - V_j)`, with u > 0 the root of sum p = 1;
    where the best next state is unseen and the sum at u = 0 is below one, u = 0 and the rest of the mass goes there.
    Without samples all mass goes there.
    """
    S = V.shape[0]
    top = 0
    for j in range(1, S):
        if V[j] > V[top]:
            top = j
    if n == 0:
        p[:] = 0.0
        p[top] = 1.0
        return 0.0
    flat = True
    for j in range(S):
        flat = flat and (p_hat[j] == 0 or w * (V[top] - V[j]) == 0)
    theta = eta * n
    if flat:
        for j in range(S):
            p[j] = p_hat[j]
        return 0.0
    u = 0.0
    for j in range(S):
        if w * (V[top] - V[j]) == 0:
            u += theta * p_hat[j]
    for _ in range(ROOT_STEPS):  # 1 / sum is concave and increasing in u: Newton goes up to the root and never beyond it
        total, slope = 0.0, 0.0
        for j in range(S):
            if p_hat[j] > 0:
                part = theta * p_hat[j] / (u + w * (V[top] - V[j]))
                total += part
                slope += part * part / (theta * p_hat[j])
        if total <= 1 + 1e-15:
            break
        u += total * (total - 1) / slope
    penalty, total = 0.0, 0.0
    for j in range(S):
        p[j] = 0.0
        if p_hat[j] > 0:
            g = w * (V[top] - V[j])
            p[j] = theta * p_hat[j] / (u + g)
            total += p[j]
    if u == 0 and total < 1:
        p[top] = 1 - total
        total = 1.0
    for j in range(S):
        p[j] /= total
    for j in range(S):
        if p_hat[j] > 0:
            penalty += theta * p_hat[j] * math.log(p_hat[j] / p[j])
    return max(penalty, 0.0)


@kernel
def largest_values(P_hat: Any, r: Any, n: Any, start: int, eta: float, U: Any, best: Any, Q: Any, P: Any) -> float:
    """Fill U with the upper bound, `best` with its greedy policy and P with its rows (w = 1, as occupancies are at most 1)."""
    H, S = best.shape
    U[H] = 0.0
    for h in range(H - 1, -1, -1):
        for row in range(r.shape[1]):
            Q[row] = r[h, row] - tilt(P_hat[h, :, row], n[h, row], U[h + 1], 1.0, eta, P[h, :, row])
            for s2 in range(S):
                Q[row] += P[h, s2, row] * U[h + 1, s2]
        greedy(Q, U[h], best[h])
    return U[0, start]


@kernel
def ascend(P_hat: Any, r: Any, n: Any, start: int, eta: float, policy: Any, P: Any, V: Any, d: Any) -> float:
    """Improve the policy's rows of P, stage by stage with the others held, until nothing is gained; return its objective.

    V holds the policy's values in P.
    """
    H, S = policy.shape
    A = r.shape[1] // S
    V[H] = 0.0
    reached, value = -math.inf, -math.inf
    for _ in range(SWEEPS):
        occupancy(P, policy, start, d)
        penalty = 0.0
        for h in range(H - 1, -1, -1):
            for x in range(S):
                row = x * A + policy[h, x]
                penalty += tilt(P_hat[h, :, row], n[h, row], V[h + 1], d[h, x], eta, P[h, :, row])
                V[h, x] = r[h, row]
                for s2 in range(S):
                    V[h, x] += P[h, s2, row] * V[h + 1, s2]
        value = V[0, start] - penalty
        if value <= reached + PROGRESS:
            break
        reached = value
    return value


@kernel
def replan(P_hat: Any, r: Any, n: Any, policy: Any, P: Any, V: Any, Q: Any, best: Any) -> bool:
    """Fill V and `best` with the best plan in P, whose rows off the policy are P_hat (unvisited: the best next state).

    Return whether `best` differs from the policy.
    """
    H, S = policy.shape
    A = r.shape[1] // S
    V[H] = 0.0
    for h in range(H - 1, -1, -1):
        for row in range(S * A):
            if n[h, row] == 0:
                tilt(P_hat[h, :, row], 0, V[h + 1], 1.0, 0.0, P[h, :, row])
            elif row % A != policy[h, row // A]:
                copy(P_hat[h, :, row], P[h, :, row])
        backup(P[h], r[h], V[h + 1], Q)
        greedy(Q, V[h], best[h])
    return not same(best, policy)


@kernel
def search_models(P_hat: Any, r: Any, n: Any, caps: Any, start: int, eta: float, work: Any, best: Any) -> tuple[float, float]:
    """Fill best (f, V, policy, P) with the best model found; return its objective, from the tables, and the upper bound."""
    policy, P, V, Q = work.policy, work.P, work.V, work.Q
    H, S = policy.shape
    A = r.shape[1] // S
    upper = largest_values(P_hat, r, n, start, eta, work.U, work.greedy, Q, work.bonus)
    max_reach(P_hat, start, work.reach, V)
    for h in range(H):
        for row in range(S * A):
            work.hopeful[h, row] = caps[h] if n[h, row] == 0 else r[h, row]
    largest = -1.0
    for which in range(PLANS + A):
        start_policy(which, P_hat, work.hopeful, n, caps, eta, work.reach, work.greedy, work.plan, V, Q, policy)
        known = False
        for earlier in range(which):
            known = known or same(policy, work.starts[earlier])
        for h in range(H):
            copy(policy[h], work.starts[which, h])
        if known:
            continue
        for h in range(H):
            for x in range(S):
                row = x * A + policy[h, x]
                copy(work.bonus[h, :, row], P[h, :, row])
        value = -math.inf
        for _ in range(SWEEPS):
            reached = value
            value = ascend(P_hat, r, n, start, eta, policy, P, V, work.d)
            penalty = V[0, start] - value
            moved = replan(P_hat, r, n, policy, P, V, Q, best.policy)
            if V[0, start] - penalty > largest + PROGRESS:
                largest = V[0, start] - penalty
                for h in range(H):
                    for s2 in range(S):
                        copy(P[h, s2], best.P[h, s2])
            if value <= reached + PROGRESS or not moved or agree(largest, upper):
                break
            for h in range(H):
                copy(best.policy[h], policy[h])
        if agree(largest, upper):
            break
    backward_induction(best.P, r, best.V, best.policy, Q)
    for h in range(H):
        backup(best.P[h], r[h], best.V[h + 1], best.f[h])
    return best.V[0, start] - eta * divergence(P_hat, n, best.P), upper


@kernel
def divergence(P_hat: Any, n: Any, P: Any) -> float:
    """Return the sum of n KL(P_hat || P) over all rows."""
    total = 0.0
    for h in range(n.shape[0]):
        for s2 in range(P.shape[1]):
            for row in range(n.shape[1]):
                if n[h, row] > 0 and P_hat[h, s2, row] > 0:
                    total += n[h, row] * P_hat[h, s2, row] * math.log(P_hat[h, s2, row] / P[h, s2, row])
    return total


def model_row(p_hat: Any, n: int, V: Any, w: float, eta: float) -> np.ndarray:
    r"""Return the row that maximises :math:`w \langle p, V \rangle - \eta n \mathrm{KL}(\hat p \| p)`.

    Parameters
    ----------
    p_hat : (S,) array
        Frequencies.
    n : int
        Samples; without any, all mass goes to the best next state.
    V : (S,) array
    w, eta : float
        At least 0; positive.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.
    """
    p_hat = validate.distributions("p_hat", p_hat, (None,))
    V = validate.real_array("V", V, p_hat.shape)
    p = np.zeros(len(p_hat))
    tilt(p_hat, validate.integer("n", n, 0), V, validate.real("w", w, 0), validate.real("eta", eta, 0, open_ends=True), p)
    return p


def optimistic_model(n: Any, n_next: Any, reward: Any, start: int, eta: float) -> TabularSolution:
    """Return the best model that the local search finds, with its certified gap (0 for H <= 2).

    Parameters
    ----------
    n, n_next, start, eta
        As for `theoryrl.algorithms.mex.empirical.read_counts`, which lists the errors.
    reward : (H, S, A) array
        Known rewards, at least 0.
    """
    reward = validate.real_array("reward", reward, (None, None, None), 0)
    H, S, A = reward.shape
    caps = np.append(np.cumsum(reward.max(axis=(1, 2))[::-1])[::-1], 0.0)
    model, caps, start, eta = read_counts(n, n_next, reward, caps, start, eta)
    best = model_table(H, S, A)
    lower, upper = search_models(model.P, reward.reshape(H, -1), model.n, caps, start, eta, tilt_scratch(H, S, A), best)
    table = np.ascontiguousarray(np.moveaxis(best.P, 1, -1)).reshape(H, S, A, S)
    return TabularSolution(lower, max(lower, upper), best.policy, best.f.reshape(H, S, A), PLANS + A, agree(lower, upper), best.policy, table)
