r"""The best hypothesis along one policy, exactly: a bounded least-squares problem over stages (Theorem B).

.. math:: QP(\pi) = \max_{v \le C} v_1(x_1) - \eta \sum_h \sum_x n_h (v_h - \hat r_h - \hat P_h v_{h+1})^2, \quad \text{pairs } (x, \pi_h(x)).

Let mu be the flow whose residuals are mu / (2 eta n).  A cell below its cap passes on all that flows in, mu = y, and a cell
at its cap leaks lambda = y - mu >= 0.  For a given set of cells at their caps both are found by one sweep backwards
(values as affine functions of the inflow, a Riccati recursion with S x S blocks) and one forwards: O(H S^3) at most, less
with sparse frequencies.  The set itself is found by block principal pivoting (Júdice and Pires 1994; Kim and Park 2011),
with Murty's least-index rule as its fallback, which is finite because the Hessian is positive definite.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from theoryrl.jit import kernel, record
from theoryrl.planning.episodic import occupancy

TRIALS = 3  # exchanges of whole blocks without progress before Murty's rule takes over
TOLERANCE = 1e-13

Cells = record(__name__, "Cells", "d v e y flow capped T t M PM")
"""d (H, S) occupancy in the empirical model; v (H + 1, S) values; e (H, S) residual bonuses, at least 0; y, flow (H, S) in and on;
capped (H, S) int64; T (H, S, S), t (H, S) the eliminated blocks; M, PM (S, S) scratch."""


def cells(H: int, S: int) -> Any:
    """Return the scratch of `bounded_values`."""
    stages, blocks = [np.zeros((H, S)) for _ in range(5)], [np.zeros((S, S)) for _ in range(2)]
    d, e, y, flow, t = stages
    return Cells(d, np.zeros((H + 1, S)), e, y, flow, np.zeros((H, S), np.int64), np.zeros((H, S, S)), t, *blocks)


@kernel
def bounded_values(P: Any, r: Any, n: Any, caps: Any, start: int, eta: float, policy: Any, work: Any) -> float:
    """Fill d, v and e with the solution of QP(policy), and return its value."""
    H, S = policy.shape
    A = r.shape[1] // S
    d, v, e, capped = work.d, work.v, work.e, work.capped
    occupancy(P, policy, start, d)
    inside = True
    for h in range(H - 1, -1, -1):
        for x in range(S):
            row = x * A + policy[h, x]
            value = r[h, row]
            for s2 in range(S):
                value += P[h, s2, row] * v[h + 1, s2]
            capped[h, x] = 0
            e[h, x] = 0.0
            if n[h, row] > 0 and d[h, x] > 0:
                e[h, x] = d[h, x] / (2 * eta * n[h, row])
                value += e[h, x]
                if value > caps[h]:
                    capped[h, x] = 1
                    value = caps[h]
                    inside = False
            v[h, x] = value
    if not inside:
        pivot(P, r, n, caps, start, eta, policy, d, v, work.y, work.flow, capped, work.T, work.t, work.M, work.PM)
        repair(P, r, n, caps, policy, d, v, e)
    total = v[0, start]
    for h in range(H):
        for x in range(S):
            total -= eta * n[h, x * A + policy[h, x]] * e[h, x] * e[h, x]
    return total


@kernel
def repair(P: Any, r: Any, n: Any, caps: Any, policy: Any, d: Any, v: Any, e: Any) -> None:
    """Put v into its box to the last digit, with residuals at least 0, and give cells that are not reached their plain value."""
    H, S = policy.shape
    A = r.shape[1] // S
    for h in range(H - 1, -1, -1):
        for x in range(S):
            row = x * A + policy[h, x]
            plain = r[h, row]
            for s2 in range(S):
                plain += P[h, s2, row] * v[h + 1, s2]
            if n[h, row] > 0 and d[h, x] > 0:
                v[h, x] = max(min(v[h, x], caps[h]), plain)
                e[h, x] = v[h, x] - plain
            else:
                v[h, x] = plain
                e[h, x] = 0.0


@kernel
def pivot(
    P: Any, r: Any, n: Any, caps: Any, start: int, eta: float, policy: Any, d: Any, v: Any, y: Any, flow: Any, capped: Any, T: Any, t: Any, M: Any, PM: Any
) -> None:
    """Exchange cells between `capped` and its complement until no value is above its cap and no leak is negative."""
    H, S = policy.shape
    A = r.shape[1] // S
    fewest = H * S + 1
    trials = TRIALS
    for _ in range(100 + 20 * H * S):  # round-off could make Murty's rule go round; v is repaired and certified in any case
        solve(P, r, n, caps, start, eta, policy, d, v, y, flow, capped, T, t, M, PM)
        wrong = 0
        for h in range(H):
            for x in range(S):
                wrong += is_wrong(n[h, x * A + policy[h, x]], d[h, x], capped[h, x], v[h, x], caps[h], y[h, x] - flow[h, x])
        if wrong == 0:
            return
        trials = TRIALS if wrong < fewest else trials - 1
        fewest = min(wrong, fewest)
        exchange(n, caps, policy, d, v, y, flow, capped, trials < 0)


@kernel
def exchange(n: Any, caps: Any, policy: Any, d: Any, v: Any, y: Any, flow: Any, capped: Any, alone: bool) -> None:
    """Move all wrong cells to the other side, or (Murty) the one with the largest index `alone`."""
    H, S = policy.shape
    A = n.shape[1] // S
    for h in range(H - 1, -1, -1):
        for x in range(S - 1, -1, -1):
            if is_wrong(n[h, x * A + policy[h, x]], d[h, x], capped[h, x], v[h, x], caps[h], y[h, x] - flow[h, x]):
                capped[h, x] = 1 - capped[h, x]
                if alone:
                    return


@kernel
def is_wrong(n: int, d: float, capped: int, value: float, cap: float, leak: float) -> bool:
    """Whether a cell that is reached and visited is on the wrong side."""
    if n == 0 or d == 0:
        return False
    return leak < -TOLERANCE if capped == 1 else value - cap > TOLERANCE * (1 + cap)


@kernel
def solve(
    P: Any, r: Any, n: Any, caps: Any, start: int, eta: float, policy: Any, d: Any, v: Any, y: Any, flow: Any, capped: Any, T: Any, t: Any, M: Any, PM: Any
) -> None:
    """Fill v, y and flow for the given set of capped cells.

    Backwards, v_h = c + G flow with c = r + P (cap - t), G = P M P' + 1 / (2 eta n), which elimination of the capped cells
    turns into (v_h below the caps, flow at the caps) as functions of the inflow; v holds cap - t until the way forwards.
    """
    H, S = policy.shape
    A = r.shape[1] // S
    M[:] = 0.0
    for s2 in range(S):
        v[H, s2] = 0.0
    for h in range(H - 1, -1, -1):
        for x in range(S):
            row = x * A + policy[h, x]
            value = r[h, row]
            for j in range(S):
                PM[x, j] = 0.0
            for s2 in range(S):
                p = P[h, s2, row]
                if p != 0:
                    value += p * v[h + 1, s2]
                    for j in range(S):
                        PM[x, j] += p * M[s2, j]
            t[h, x] = caps[h] - value
        for x in range(S):
            visited = n[h, x * A + policy[h, x]]
            for j in range(S):
                other = j * A + policy[h, j]
                total = 0.0
                if visited > 0 and n[h, other] > 0 and d[h, x] > 0 and d[h, j] > 0:
                    for s2 in range(S):
                        total += PM[x, s2] * P[h, s2, other]
                T[h, x, j] = total
            if visited > 0:
                T[h, x, x] += 1 / (2 * eta * visited)
        eliminate(T[h], t[h], capped[h])
        for x in range(S):
            v[h, x] = caps[h] if capped[h, x] == 1 else caps[h] - t[h, x]
            for j in range(S):
                M[x, j] = 0.0 if capped[h, x] == 1 or capped[h, j] == 1 or n[h, x * A + policy[h, x]] == 0 else T[h, x, j]
    for x in range(S):
        y[0, x] = 0.0
    y[0, start] = 1.0
    for h in range(H):
        if h + 1 < H:
            for s2 in range(S):
                y[h + 1, s2] = 0.0
        for x in range(S):
            row = x * A + policy[h, x]
            through = 0.0
            for j in range(S):
                if capped[h, j] == 0:
                    through += T[h, x, j] * y[h, j]
            if capped[h, x] == 1:
                flow[h, x] = t[h, x] - through
            else:
                flow[h, x] = y[h, x]
                if n[h, row] > 0:
                    v[h, x] += through
            if h + 1 < H:
                for s2 in range(S):
                    y[h + 1, s2] += P[h, s2, row] * flow[h, x]


@kernel
def eliminate(T: Any, t: Any, capped: Any) -> None:
    """Gauss-Jordan elimination of the rows and columns of the capped cells, right-hand side included."""
    S = t.shape[0]
    for b in range(S):
        if capped[b] == 1:
            pivot = T[b, b]
            t[b] /= pivot
            for j in range(S):
                T[b, j] /= pivot
            for x in range(S):
                if x != b and T[x, b] != 0:
                    factor = T[x, b]
                    t[x] -= factor * t[b]
                    for j in range(S):
                        T[x, j] -= factor * T[b, j]
