"""The exact value of a policy that plays a uniform action at rate epsilon."""

from __future__ import annotations

from typing import Any

from theoryrl.jit import kernel
from theoryrl.planning.arrays import expectation


@kernel
def mixture_values(P: Any, r: Any, policy: Any, epsilon: Any, V: Any, Q: Any) -> None:
    """Fill V (H + 1, S) with the values of the greedy actions `policy` mixed with uniform ones; layout of `theoryrl.planning.episodic`, Q scratch."""
    H, S = policy.shape
    A = r.shape[1] // S
    V[H] = 0
    for h in range(H - 1, -1, -1):
        expectation(P[min(h, P.shape[0] - 1)], V[h + 1], Q)
        for s in range(S):
            total = Q[s * A] + r[h, s * A]
            for row in range(s * A + 1, s * A + A):
                total += Q[row] + r[h, row]
            chosen = s * A + policy[h, s]
            V[h, s] = (1 - epsilon) * (Q[chosen] + r[h, chosen]) + epsilon * (total / A)
