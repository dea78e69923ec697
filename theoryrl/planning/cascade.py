"""Exact planning in a known cascading MDP: the value of a policy, the best and the worst policy, the flattened list-MDP.

All kernels take the public arrays of `theoryrl.problems.CascadingMDP`, the model being the same at every step.

q : (S, N) attraction probabilities
P : (S, N + 1, S) next-state law given the clicked item; row N: given no click
r : (S, N + 1) rewards
V : (H + 1, S), filled with values at steps 1, ..., H and with zeros in the last row
lists : (H, S, m) int64, the list at each step and state, padded with -1
lengths : (H, S) int64
"""

from __future__ import annotations

from typing import Any

import numpy as np

from theoryrl import validate
from theoryrl.jit import kernel
from theoryrl.planning.best_perm import all_lists, best_perm_greedy, list_length


@kernel
def policy_values(lists: Any, lengths: Any, q: Any, P: Any, r: Any, V: Any) -> None:
    """Fill V with the values of the policy `lists`, expanding only what a list can lead to."""
    H, S, _ = lists.shape
    N = q.shape[1]
    V[H] = 0
    for h in range(H - 1, -1, -1):
        for s in range(S):
            g = backup(P, r, V[h + 1], s, N)
            for i in range(lengths[h, s] - 1, -1, -1):
                a = lists[h, s, i]
                g = q[s, a] * backup(P, r, V[h + 1], s, a) + (1 - q[s, a]) * g
            V[h, s] = g


@kernel
def backup(P: Any, r: Any, V_next: Any, s: int, a: int) -> Any:
    """Return w(s, a) = r(s, a) + sum_s' P(s' | s, a) V_next(s')."""
    expected = P[s, a, 0] * V_next[0]
    for s2 in range(1, V_next.shape[0]):
        expected += P[s, a, s2] * V_next[s2]
    return r[s, a] + expected


@kernel
def optimal_values(q: Any, P: Any, r: Any, H: int, max_length: int, min_length: int, V: Any, lists: Any, lengths: Any, work: Any, order: Any) -> None:
    """Fill V, lists and lengths with the optimal values and lists: V_h(s) = max_A f(A, q(s, .), w_h(s, .)).

    `work` and `order` come from `theoryrl.planning.best_perm.workspace`.
    """
    S, N = q.shape
    w = work[work.shape[0] - 1]
    V[H] = 0
    for h in range(H - 1, -1, -1):
        for s in range(S):
            for a in range(N + 1):
                w[a] = backup(P, r, V[h + 1], s, a)
            V[h, s], lengths[h, s] = best_perm_greedy(q[s], w[:N], w[N], max_length, min_length, work, order, lists[h, s])


@kernel
def worst_values(q: Any, P: Any, r: Any, H: int, max_length: int, min_length: int, V: Any, lists: Any, lengths: Any, work: Any, order: Any) -> None:
    """Fill V, lists and lengths with the smallest values and their lists: min f = -max f at -w, also where J = 0 at -w."""
    S, N = q.shape
    w = work[work.shape[0] - 1]
    V[H] = 0
    for h in range(H - 1, -1, -1):
        for s in range(S):
            for a in range(N + 1):
                w[a] = -backup(P, r, V[h + 1], s, a)
            value, lengths[h, s] = best_perm_greedy(q[s], w[:N], w[N], max_length, min_length, work, order, lists[h, s])
            V[h, s] = -value


@kernel
def flatten_kernel(q: Any, P: Any, r: Any, lists: Any, P_A: Any, R_A: Any) -> None:
    """Fill P_A (S, n_lists, S) and R_A (S, n_lists), the laws of the next state and the mean rewards of every list of the table."""
    S, N = q.shape
    for s in range(S):
        for row in range(lists.shape[0]):
            examined = 1
            P_A[s, row] = 0
            R_A[s, row] = 0
            for i in range(list_length(lists[row]) + 1):
                last = i == lists.shape[1] or lists[row, i] < 0
                a = N if last else lists[row, i]
                chance = examined if last else examined * q[s, a]
                R_A[s, row] += chance * r[s, a]
                for s2 in range(S):
                    P_A[s, row, s2] += chance * P[s, a, s2]
                examined -= chance


def flatten(
    attraction: np.ndarray, transition: np.ndarray, reward: np.ndarray, max_length: int, allow_empty: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the MDP whose actions are whole lists.

    Parameters
    ----------
    attraction, transition, reward : (S, N), (S, N + 1, S) and (S, N + 1) arrays
        As in `theoryrl.problems.CascadingMDP`.
    max_length : int
        Longest list, at least 1.
    allow_empty : bool
        Whether the empty list is one of the actions.

    Returns
    -------
    lists : (n, min(max_length, N)) int64 array
        The lists in the order of `all_lists`, padded with -1.
    P_A : (S, n, S) array
        Law of the next state under each list.
    R_A : (S, n) array
        Expected reward of each list.
    """
    S, N = attraction.shape
    lists = all_lists(N, validate.integer("max_length", max_length, 1), 0 if allow_empty else 1)
    dtype = np.result_type(attraction, transition, reward)
    P_A, R_A = np.zeros((S, len(lists), S), dtype), np.zeros((S, len(lists)), dtype)
    flatten_kernel(attraction, transition, reward, lists, P_A, R_A)
    return lists, P_A, R_A
