"""Exact planning in a known episodic MDP: values, best and worst policies, occupancies, reachability.

All kernels take the layout of `theoryrl.problems.EpisodicMDP`: next state first, pairs (s, a) flattened to rows.

P : (G, S', S * A) transition matrices, G = 1 (the same at every stage) or G = H
r : (H, S * A) rewards
V : (H + 1, S), filled with values at stages 1, ..., H and with zeros in the last row
policy : (H, S) int64; ties go to the lowest action
Q : (S * A) scratch
"""

from __future__ import annotations

from typing import Any

from theoryrl.jit import kernel, sweep
from theoryrl.planning.arrays import expectation


@kernel
def backward_induction(P: Any, r: Any, V: Any, policy: Any, Q: Any) -> None:
    """Fill V and policy with the optimal values and a greedy policy."""
    H, S = policy.shape
    V[H] = 0
    for h in range(H - 1, -1, -1):
        backup(P[min(h, P.shape[0] - 1)], r[h], V[h + 1], Q)
        greedy(Q, V[h], policy[h])


@kernel
def worst_induction(P: Any, r: Any, V: Any, policy: Any, Q: Any) -> None:
    """Fill V and policy with the smallest values and a policy that has them."""
    H, S = policy.shape
    V[H] = 0
    for h in range(H - 1, -1, -1):
        backup(P[min(h, P.shape[0] - 1)], r[h], V[h + 1], Q)
        for row in range(Q.shape[0]):
            Q[row] = -Q[row]
        greedy(Q, V[h], policy[h])
        for s in range(S):
            V[h, s] = -V[h, s]


@kernel
def backup(P: Any, r: Any, V_next: Any, Q: Any) -> None:
    """Fill Q with r + P V_next, for one stage."""
    expectation(P, V_next, Q)
    for row in range(Q.shape[0]):
        Q[row] += r[row]


@kernel
def greedy(Q: Any, V: Any, policy: Any) -> None:
    """Fill V (S,) and policy (S,) with the largest entries of Q and the lowest actions that have them."""
    A = Q.shape[0] // V.shape[0]
    for s in range(V.shape[0]):
        best = s * A
        for row in range(s * A + 1, s * A + A):
            if Q[row] > Q[best]:
                best = row
        V[s] = Q[best]
        policy[s] = best - s * A


@kernel
def policy_values(P: Any, r: Any, policy: Any, V: Any) -> None:
    """Fill V with the values of a deterministic policy."""
    H, S = policy.shape
    A = r.shape[1] // S
    V[H] = 0
    for h in range(H - 1, -1, -1):
        g = min(h, P.shape[0] - 1)
        for s in range(S):
            row = s * A + policy[h, s]
            V[h, s] = r[h, row]
            for s2 in range(S):
                V[h, s] += P[g, s2, row] * V[h + 1, s2]


@kernel
def mixture_values(P: Any, r: Any, policy: Any, epsilon: Any, V: Any, Q: Any) -> None:
    """Fill V (H + 1, S) with the values of the greedy actions `policy` mixed with uniform ones."""
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


@kernel
def occupancy(P: Any, policy: Any, start: int, d: Any) -> None:
    """Fill d (H, S) with the probabilities that a deterministic policy is in s at stage h."""
    H, S = policy.shape
    A = P.shape[2] // S
    d[:] = 0
    d[0, start] = 1
    for h in range(H - 1):
        g = min(h, P.shape[0] - 1)
        for s2 in range(S):
            for s in range(S):
                d[h + 1, s2] += P[g, s2, s * A + policy[h, s]] * d[h, s]


@kernel
def max_reach(P: Any, start: int, reach: Any, V: Any) -> None:
    """Fill reach (H, S) with the largest probability, over all policies, of being in s at stage h; V is (H + 1, S) scratch."""
    H, S = reach.shape
    A = P.shape[2] // S
    for h in range(H):
        for target in range(S):
            for s in range(S):
                V[h, s] = 0
            V[h, target] = 1
            for i in range(h - 1, -1, -1):
                g = min(i, P.shape[0] - 1)
                for s in range(S):
                    V[i, s] = 0
                    for row in range(s * A, s * A + A):
                        chance = P[g, 0, row] * V[i + 1, 0]
                        for s2 in range(1, S):
                            chance += P[g, s2, row] * V[i + 1, s2]
                        if chance > V[i, s]:
                            V[i, s] = chance
            reach[h, target] = V[0, start]


@sweep
def dense_backward_induction(P: Any, r: Any, V: Any, policy: Any) -> None:
    """Do what `backward_induction` does with reassociated sums, for large dense problems, up to round-off.

    Here P is (G, S * A, S'), next state last, as in the public arrays.
    """
    H, S = policy.shape
    A = r.shape[1] // S
    V[H] = 0.0
    for h in range(H - 1, -1, -1):
        laws, V_next = P[min(h, P.shape[0] - 1)], V[h + 1]
        for s in range(S):
            best, chosen = -1.0, 0
            for a in range(A):
                law = laws[s * A + a]
                value = 0.0
                for s2 in range(S):
                    value += law[s2] * V_next[s2]
                value += r[h, s * A + a]
                if value > best:
                    best, chosen = value, a
            V[h, s] = best
            policy[h, s] = chosen
