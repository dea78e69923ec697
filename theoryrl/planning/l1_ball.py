"""Best and worst laws in an L1 ball: the inner step of optimistic value iteration, the same for costs and for rewards.

Strehl and Littman, "An analysis of model-based interval estimation for Markov decision processes", JCSS 74, 2008, Section 3.1.
"""

from __future__ import annotations

from typing import Any

from theoryrl.jit import kernel


@kernel
def sort_states(u: Any, order: Any, descending: bool) -> None:
    """Sort the states in `order` by `u`, which is quick if they almost are; of equal ones the earlier stays first.

    Parameters
    ----------
    u : (S,) array
    order : (S,) int64 array
        A permutation of the states, changed in place.
    descending : bool
        Whether the largest comes first.
    """
    for i in range(1, order.shape[0]):
        s = order[i]
        j = i
        while j > 0 and (u[s] > u[order[j - 1]] if descending else u[s] < u[order[j - 1]]):
            order[j] = order[j - 1]
            j -= 1
        order[j] = s


@kernel
def favour(p: Any, half: Any, order: Any, out: Any) -> None:
    """Fill `out` with the law within L1 distance 2 `half` of `p` that has the best expectation of what `order` is sorted by.

    The first state gets `half` more, up to all; the last ones lose it.  Sorted descending this maximises, ascending it
    minimises.  With p = 0 and half >= 1 (nothing is known) all mass goes to the first state.

    Parameters
    ----------
    p : (S,) array
        A law, or zeros.
    half : float >= 0
        Half the radius.
    order : (S,) int64 array
        Filled by `sort_states`.
    out : (S,) array
    """
    S = order.shape[0]
    total = p[order[0]]
    for i in range(1, S):
        out[order[i]] = p[order[i]]
        total += p[order[i]]
    first = min(1, p[order[0]] + half)
    out[order[0]] = first
    excess = total - p[order[0]] + first - 1
    i = S - 1
    while excess > 0 and i > 0:
        lost = min(excess, out[order[i]])
        out[order[i]] -= lost
        excess -= lost
        i -= 1
