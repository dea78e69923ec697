r"""The policy form of the model-free objective over the full tabular class (Theorems A and B, derived here).

The largest objective is the largest value, over deterministic policies, of QP (`theoryrl.algorithms.mex.bounded_qp`), or,
without the upper range constraint on visited pairs, of

.. math:: F(\pi) = \hat V_1^\pi(x_1) + \frac1{4\eta} \sum_{h, (x, a): n > 0} \frac{\hat d_h^\pi(x, a)^2}{n_h(x, a)}.

A state with an unvisited action is worth its cap under that action at no loss, so that no other action of it can be better:
policies are `settled` there (only with the range constraint).
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from theoryrl import validate
from theoryrl.algorithms.mex.bounded_qp import bounded_values, cells
from theoryrl.algorithms.mex.empirical import FREE, TabularSolution, agree, read_counts
from theoryrl.jit import kernel, record
from theoryrl.planning.arrays import copy
from theoryrl.planning.episodic import greedy, occupancy, policy_values
from theoryrl.problems.problem import frozen

Chord = record(__name__, "Chord", "U greedy reach W chances")
"""U (H + 1, S) the chord bound, greedy (H, S) its policy; reach (H, S), W (2, H, S, S), chances (S) scratch."""

Table = record(__name__, "Table", "f V policy")
"""A hypothesis f (H, S A) with its values V (H + 1, S) and its greedy policy (H, S)."""


def chord(H: int, S: int) -> Any:
    """Return the scratch of `chord_bound`."""
    return Chord(np.zeros((H + 1, S)), np.zeros((H, S), np.int64), np.zeros((H, S)), np.zeros((2, H, S, S)), np.zeros(S))


def limits(caps: np.ndarray, clipped: bool) -> np.ndarray:
    """Return the caps of visited pairs: none without the range constraint (Theorem A)."""
    return caps if clipped else frozen(np.full(len(caps), np.inf))


def table(H: int, S: int, A: int) -> Any:
    """Return an empty hypothesis."""
    return Table(np.zeros((H, S * A)), np.zeros((H + 1, S)), np.zeros((H, S), np.int64))


@kernel
def free_value(P: Any, r: Any, n: Any, start: int, eta: float, policy: Any, d: Any, v: Any) -> float:
    """Return F(policy); fill d with its occupancy in the empirical model and v with its values there."""
    H, S = policy.shape
    A = r.shape[1] // S
    occupancy(P, policy, start, d)
    policy_values(P, r, policy, v)
    total = v[0, start]
    for h in range(H):
        for x in range(S):
            row = x * A + policy[h, x]
            if n[h, row] > 0:
                total += d[h, x] * d[h, x] / (4 * eta * n[h, row])
    return total


@kernel
def free_bonuses(n: Any, eta: float, policy: Any, d: Any, e: Any) -> None:
    """Fill e (H, S) with the residuals d / (2 eta n) of the best hypothesis of F(policy)."""
    H, S = policy.shape
    A = n.shape[1] // S
    for h in range(H):
        for x in range(S):
            row = x * A + policy[h, x]
            e[h, x] = d[h, x] / (2 * eta * n[h, row]) if n[h, row] > 0 else 0.0


@kernel
def settle(unvisited: Any, policy: Any) -> None:
    """Take the first unvisited action wherever there is one."""
    for h in range(policy.shape[0]):
        for x in range(policy.shape[1]):
            if unvisited[h, x] != FREE:
                policy[h, x] = unvisited[h, x]


@kernel
def played_hypothesis(P: Any, r: Any, n: Any, caps: Any, policy: Any, e: Any, f: Any, V: Any, played: Any) -> None:
    """Build f backwards, f_h = min(C_h, r + P V_{h+1} + e on the policy); V and `played` are its values and greedy policy."""
    H, S = policy.shape
    A = r.shape[1] // S
    for s2 in range(S):
        V[H, s2] = 0.0
    for h in range(H - 1, -1, -1):
        for row in range(S * A):
            f[h, row] = 0.0
        for s2 in range(S):
            for row in range(S * A):
                f[h, row] += P[h, s2, row] * V[h + 1, s2]
        for row in range(S * A):
            f[h, row] += r[h, row]
        for x in range(S):
            row = x * A + policy[h, x]
            if n[h, row] > 0:
                f[h, row] += e[h, x]
        for row in range(S * A):
            f[h, row] = min(f[h, row], caps[h])
        greedy(f[h], V[h], played[h])


@kernel
def table_objective(P: Any, r: Any, n: Any, start: int, eta: float, f: Any, V: Any, best: Any) -> float:
    """Return V_{1,f}(x_1) - eta sum n (f - r - P V_f)^2 from the table alone; V (H + 1, S) and best (H, S) are scratch."""
    H, S = V.shape[0] - 1, V.shape[1]
    total = 0.0
    for s2 in range(S):
        V[H, s2] = 0.0
    for h in range(H - 1, -1, -1):
        greedy(f[h], V[h], best[h])
        for row in range(f.shape[1]):
            if n[h, row] > 0:
                residual = f[h, row] - r[h, row]
                for s2 in range(S):
                    residual -= P[h, s2, row] * V[h + 1, s2]
                total += n[h, row] * residual * residual
    return V[0, start] - eta * total


@kernel
def largest_reach(P: Any, start: int, fixed: Any, reach: Any, W: Any, chances: Any) -> None:
    """Fill reach (H, S) with the largest chance of being in x at stage h, over the policies that agree with `fixed`.

    W[., h, x, target] is the largest chance, from x at the stage at hand, of being in `target` at stage h.
    """
    H, S = reach.shape
    A = P.shape[2] // S
    for i in range(H - 1, -1, -1):
        here, following = i % 2, (i + 1) % 2
        for x in range(S):
            for h in range(i + 1, H):
                for target in range(S):
                    W[here, h, x, target] = 0.0
            for target in range(S):
                W[here, i, x, target] = 0.0
            W[here, i, x, x] = 1.0
            for a in range(A):
                if fixed[i, x] == FREE or fixed[i, x] == a:
                    for h in range(i + 1, H):
                        for target in range(S):
                            chances[target] = 0.0
                        for s2 in range(S):
                            p = P[i, s2, x * A + a]
                            if p != 0:
                                for target in range(S):
                                    chances[target] += p * W[following, h, s2, target]
                        for target in range(S):
                            W[here, h, x, target] = max(W[here, h, x, target], chances[target])
    for h in range(H):
        copy(W[0, h, start], reach[h])


@kernel
def chord_bound(
    P: Any, r: Any, n: Any, caps: Any, start: int, eta: float, fixed: Any, U: Any, best: Any, reach: Any, W: Any, chances: Any
) -> float:
    """Fill U with the chord bound of all policies that agree with `fixed`, `best` with its greedy policy; return U at the start.

    A flow mu of at most d, the largest reach, has mu^2 <= d mu, so that its bonus mu^2 / (4 eta n) is at most linear in mu.
    """
    H, S = best.shape
    A = r.shape[1] // S
    largest_reach(P, start, fixed, reach, W, chances)
    for s2 in range(S):
        U[H, s2] = 0.0
    for h in range(H - 1, -1, -1):
        for x in range(S):
            U[h, x] = -1.0
            for a in range(A):
                if fixed[h, x] == FREE or fixed[h, x] == a:
                    row = x * A + a
                    value = r[h, row]
                    if n[h, row] > 0:
                        value += reach[h, x] / (4 * eta * n[h, row])
                    for s2 in range(S):
                        value += P[h, s2, row] * U[h + 1, s2]
                    value = min(value, caps[h])
                    if value > U[h, x]:
                        U[h, x] = value
                        best[h, x] = a
    return U[0, start]


def solution(model: Any, caps: np.ndarray, start: int, eta: float, planned: np.ndarray, clipped: bool, upper: float, nodes: int) -> TabularSolution:
    """Return the best hypothesis of a policy, with its objective recomputed from the table."""
    H, S = planned.shape
    A = model.r.shape[1] // S
    work, best = cells(H, S), table(H, S, A)
    if clipped:
        bounded_values(model.P, model.r, model.n, caps, start, eta, planned, work)
    else:
        free_value(model.P, model.r, model.n, start, eta, planned, work.d, work.v)
        free_bonuses(model.n, eta, planned, work.d, work.e)
    played_hypothesis(model.P, model.r, model.n, limits(caps, clipped), planned, work.e, best.f, best.V, best.policy)
    lower = table_objective(model.P, model.r, model.n, start, eta, best.f, work.v, np.zeros((H, S), np.int64))
    return TabularSolution(lower, max(upper, lower), best.policy, best.f.reshape(H, S, A), nodes, agree(lower, upper), np.array(planned))


def policy_value(n: Any, n_next: Any, reward: Any, caps: Any, start: int, eta: float, policy: Any, clipped: bool = True) -> float:
    """Return QP(policy), or F(policy) with `clipped` off.

    Parameters
    ----------
    n, n_next, reward, caps, start, eta
        As for `theoryrl.algorithms.mex.empirical.read_counts`, which lists the errors.
    policy : (H, S) array of int
        A deterministic policy.
    """
    model, caps, start, eta = read_counts(n, n_next, reward, caps, start, eta)
    H, S = model.unvisited.shape
    policy = np.array(validate.integer_array("policy", policy, (H, S), 0, model.r.shape[1] // S - 1))
    return _value(model, caps, start, eta, policy, clipped, cells(H, S))


def _value(model: Any, caps: np.ndarray, start: int, eta: float, policy: np.ndarray, clipped: bool, work: Any) -> float:
    if clipped:
        return float(bounded_values(model.P, model.r, model.n, caps, start, eta, policy, work))
    return float(free_value(model.P, model.r, model.n, start, eta, policy, work.d, work.v))


def objective(n: Any, n_next: Any, reward: Any, caps: Any, start: int, eta: float, f: Any) -> float:
    """Return V_{1,f}(x_1) - eta sum_h L_h(f) of a table f (H, S, A), from the counts; parameters and errors as for `policy_value`."""
    model, caps, start, eta = read_counts(n, n_next, reward, caps, start, eta)
    H, S = model.unvisited.shape
    f = validate.real_array("f", f, (H, S, model.r.shape[1] // S))
    return float(table_objective(model.P, model.r, model.n, start, eta, f.reshape(H, -1), np.zeros((H + 1, S)), np.zeros((H, S), np.int64)))


def enumerate_policies(n: Any, n_next: Any, reward: Any, caps: Any, start: int, eta: float, clipped: bool = True) -> TabularSolution:
    """Return the best of all A^(H S) deterministic policies, ties to the first in lexicographic order; as for `policy_value`."""
    model, caps, start, eta = read_counts(n, n_next, reward, caps, start, eta)
    H, S = model.unvisited.shape
    A = model.r.shape[1] // S
    work, best, planned, count = cells(H, S), -np.inf, np.zeros((H, S), np.int64), 0
    for actions in itertools.product(range(A), repeat=H * S):
        policy = np.array(actions, np.int64).reshape(H, S)
        value = _value(model, caps, start, eta, policy, clipped, work)
        count += 1
        if value > best:
            best, planned = value, policy
    return solution(model, caps, start, eta, planned, clipped, best, count)
