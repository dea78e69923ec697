"""The best list of items for a user who goes down it and clicks the first attractive one.

The value of a list A = (a_1, ..., a_l) with attraction probabilities u, item values w and no-click value w_perp is

    f(A, u, w) = sum_i prod_{j<i} (1 - u_{a_j}) u_{a_i} w_{a_i} + prod_j (1 - u_{a_j}) w_perp.

Three oracles maximise it over the lists of distinct items of at most m, and all three are exact: `best_perm_dp` is
BestPerm of "Cascading Reinforcement Learning" (Du, Srikant, Chen, ICLR 2024), O(N log N + N m); `best_perm_greedy`
is the marginal-improvement algorithm of simultaneous search (Chade and Smith 2006), O(N m) without a sort;
`best_perm_enumerate` tries every list.  `box_kernel` also maximises over attraction probabilities in a box.

All kernels but the public wrappers at the end take these arguments.

u : (N,) attraction probabilities in [0, 1]
w : (N,) item values
no_click : the value w_perp when nobody clicks
max_length : the longest list, already ``min(m, N)``
min_length : 0 or 1, the shortest list
work, order : what `workspace` makes, overwritten
out : (m,) int64, filled with the list in descending w (ties: lowest index first), then -1

They return the value of the list and its length.
"""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

import numpy as np

from theoryrl import validate
from theoryrl.jit import kernel
from theoryrl.planning.arrays import copy

METHODS = ("greedy", "dp", "enumerate")
FALLBACKS = ("box", "literal")
GREEDY, DP, ENUMERATE = range(3)
BOX, LITERAL = range(2)

MAX_LISTS = 10_000_000


def workspace(n_items: int, max_length: int, dtype: Any = np.float64) -> tuple[np.ndarray, np.ndarray]:
    """Return the arrays `work` and `order` that the oracles overwrite.

    Returns
    -------
    work : (max_length + 5, n_items + 1) array of `dtype`
        Rows 0 to 2 hold the candidates of an oracle, the next ``max_length + 1`` rows the table of the dynamic program.
        No oracle touches the last row: kernels that call one keep w and the no-click value there.
    order : (3, n_items) int64 array
    """
    return np.zeros((max_length + 5, n_items + 1), dtype), np.zeros((3, n_items), np.int64)


def all_lists(n_items: int, max_length: int, min_length: int = 1) -> np.ndarray:
    """Return every list of distinct items, shortest first and in lexicographic order within a length.

    Returns
    -------
    (number of lists, min(max_length, n_items)) int64 array
        Rows are padded with -1.

    Raises
    ------
    ValueError
        If there are more than ten million lists.
    """
    n_items = validate.integer("n_items", n_items, 1)
    longest = min(validate.integer("max_length", max_length, 1), n_items)
    shortest = validate.integer("min_length", min_length, 0, 1)
    counts = [math.perm(n_items, length) for length in range(shortest, longest + 1)]
    if sum(counts) > MAX_LISTS:
        raise ValueError(f"max_length: expected at most {MAX_LISTS} lists to enumerate, got {sum(counts)} ({n_items} items, up to {longest} in a list)")
    lists = np.full((sum(counts), longest), -1, np.int64)
    row = 0
    for length, count in zip(range(shortest, longest + 1), counts, strict=True):
        if length:
            lists[row : row + count, :length] = list(itertools.permutations(range(n_items), length))
        row += count
    return lists


@kernel
def best_perm_greedy(u: Any, w: Any, no_click: Any, max_length: int, min_length: int, work: Any, order: Any, out: Any) -> tuple[Any, int]:
    """Add, one at a time, the item that improves the best list of the items so far the most (ties: lowest index).

    With d_a = w_a - w_perp: choose k = argmax u_a d_a, which gains b = u_k d_k.  What is then left to gain from another
    item a is d_a - b if w_a > w_k, and (1 - u_k) d_a otherwise.  Chosen items leave the rows of `work`, which stay in
    the order of the items; the pass that closes the gap also updates d and finds the next k.
    """
    n_left = candidates(u, w, no_click, work, order)
    if n_left == 0:
        return best_short(u, w, no_click, min_length, out)
    length = min(max_length, n_left)
    k = 0
    best = score(work[1, 0], work[0, 0])
    for i in range(1, n_left):
        s = score(work[1, i], work[0, i])
        if s > best:
            best, k = s, i
    total = 0
    for position in range(length):
        w_k = work[2, k]
        gain = work[1, k] * work[0, k]
        keep = 1 - work[1, k]
        total += gain
        insert(order[0, k], out, position, w)
        if position + 1 == length:
            break
        n_left -= 1
        gap = k
        k = 0
        best = -1
        for i in range(gap):
            work[0, i] = left_to_gain(work[0, i], work[2, i], w_k, gain, keep)
            s = score(work[1, i], work[0, i])
            if s > best:
                best, k = s, i
        for i in range(gap, n_left):
            order[0, i], work[1, i], work[2, i] = order[0, i + 1], work[1, i + 1], work[2, i + 1]
            work[0, i] = left_to_gain(work[0, i + 1], work[2, i], w_k, gain, keep)
            s = score(work[1, i], work[0, i])
            if s > best:
                best, k = s, i
    pad(out, length)
    return no_click + total, length


@kernel
def candidates(u: Any, w: Any, no_click: Any, work: Any, order: Any) -> int:
    """Copy the J items with w > w_perp, in order of index, to the rows (w - w_perp, u, w) of `work` and to `order[0]`; return J."""
    n = 0
    for a in range(u.shape[0]):
        order[0, n] = a
        work[0, n] = w[a] - no_click
        work[1, n] = u[a]
        work[2, n] = w[a]
        n += w[a] > no_click
    return n


@kernel
def score(u: Any, d: Any) -> Any:
    """Return what an item adds that has d left to gain and attracts with probability u."""
    return u * d


@kernel
def left_to_gain(d: Any, w: Any, w_k: Any, gain: Any, keep: Any) -> Any:
    """Return what is left to gain from an item once item k, of value w_k, is in the list."""
    return d - gain if w > w_k else keep * d


@kernel
def insert(item: int, out: Any, length: int, w: Any) -> None:
    """Insert `item` into the list ``out[:length]``, kept in descending w (ties: lowest index first)."""
    j = length
    while j > 0 and (w[out[j - 1]] < w[item] or (w[out[j - 1]] == w[item] and out[j - 1] > item)):
        out[j] = out[j - 1]
        j -= 1
    out[j] = item


@kernel
def best_short(u: Any, w: Any, no_click: Any, min_length: int, out: Any) -> tuple[Any, int]:
    """Return the best list when no item is worth more than w_perp (J = 0): the empty one, or else the best single item."""
    if min_length == 0:
        pad(out, 0)
        return no_click, 0
    k = 0
    best = u[0] * (w[0] - no_click)
    for a in range(1, u.shape[0]):
        s = u[a] * (w[a] - no_click)
        if s > best:
            best, k = s, a
    out[0] = k
    pad(out, 1)
    return no_click + best, 1


@kernel
def pad(out: Any, length: int) -> None:
    """Write -1 behind the list ``out[:length]``; a loop, since a slice would cost a reference count."""
    for i in range(length, out.shape[0]):
        out[i] = -1


@kernel
def best_perm_dp(u: Any, w: Any, no_click: Any, max_length: int, min_length: int, work: Any, order: Any, out: Any) -> tuple[Any, int]:
    """Take or skip the items above w_perp in descending w (BestPerm, the paper's oracle; takes on equality).

    F[k, i], rows 3 and on of `work`, is the best gain over w_perp with at most k of the sorted items i, i + 1, ...
    """
    n = candidates(u, w, no_click, work, order)
    if n == 0:
        return best_short(u, w, no_click, min_length, out)
    keys = work[2, :n]
    rank = order[1, :n]
    sort_descending(keys, rank, order[2, :n])
    F = work[3:]
    longest = min(max_length, n)
    F[0, : n + 1] = 0
    for k in range(1, longest + 1):
        F[k, n] = 0
        for i in range(n - 1, -1, -1):
            take = taken(work, rank[i], F[k - 1, i + 1])
            F[k, i] = take if take >= F[k, i + 1] else F[k, i + 1]
    length = 0
    for i in range(n):
        k = longest - length
        if k > 0 and taken(work, rank[i], F[k - 1, i + 1]) >= F[k, i + 1]:
            out[length] = order[0, rank[i]]
            length += 1
    pad(out, length)
    return no_click + F[longest, 0], length


@kernel
def taken(work: Any, i: int, rest: Any) -> Any:
    """Return the gain of candidate i placed before a list of gain `rest`."""
    return work[1, i] * work[0, i] + (1 - work[1, i]) * rest


@kernel
def sort_descending(keys: Any, rank: Any, spare: Any) -> None:
    """Fill `rank` with the positions that sort `keys` from large to small, equal keys in order: a merge sort that uses `spare`."""
    n = keys.shape[0]
    for place in range(n):
        rank[place] = place
    width = 1
    while width < n:
        for start in range(0, n, 2 * width):
            middle = min(start + width, n)
            end = min(start + 2 * width, n)
            i, j = start, middle
            for place in range(start, end):
                if i < middle and (j >= end or keys[rank[i]] >= keys[rank[j]]):
                    spare[place] = rank[i]
                    i += 1
                else:
                    spare[place] = rank[j]
                    j += 1
        for place in range(n):
            rank[place] = spare[place]
        width *= 2


@kernel
def best_perm_enumerate(u: Any, w: Any, no_click: Any, max_length: int, min_length: int, lists: Any, out: Any) -> tuple[Any, int]:
    """Return the first best list of the table `lists` (see `all_lists`) among those of an allowed length."""
    best = no_click
    best_row = -1
    for row in range(lists.shape[0]):
        length = list_length(lists[row])
        if min_length <= length <= max_length:
            value = list_value(lists[row], length, u, w, no_click)
            if best_row < 0 or value > best:
                best, best_row = value, row
    copy(lists[best_row], out)
    return best, list_length(out)


@kernel
def list_length(items: Any) -> int:
    """Return the number of items before the padding."""
    length = 0
    while length < items.shape[0] and items[length] >= 0:
        length += 1
    return length


@kernel
def list_value(items: Any, length: int, u: Any, w: Any, no_click: Any) -> Any:
    """Return f(items[:length], u, w), from the end of the list: g_i = u_i w_i + (1 - u_i) g_{i+1}."""
    g = no_click
    for i in range(length - 1, -1, -1):
        a = items[i]
        g = u[a] * w[a] + (1 - u[a]) * g
    return g


@kernel
def pessimistic_list_value(items: Any, length: int, lower: Any, upper: Any, w: Any, no_click: Any, u_out: Any) -> Any:
    """Return min f(items[:length], u, w) over u in the box [lower, upper], exactly; `u_out[i]` is the minimiser at position i (ties: lower).

    f is increasing in every suffix value g_i and linear in every u_i, so each g_i is minimised on its own, from the end.
    """
    g = no_click
    for i in range(length - 1, -1, -1):
        a = items[i]
        at_lower = lower[a] * w[a] + (1 - lower[a]) * g
        at_upper = upper[a] * w[a] + (1 - upper[a]) * g
        if at_lower <= at_upper:
            g, u_out[i] = at_lower, lower[a]
        else:
            g, u_out[i] = at_upper, upper[a]
    return g


@kernel
def box_kernel(
    oracle: int, fallback: int, lower: Any, upper: Any, w: Any, no_click: Any, max_length: int, min_length: int, lists: Any, work: Any, order: Any, out: Any
) -> tuple[Any, int, bool]:
    """Return the maximum of f over u in the box [lower, upper] and over all lists, its list, and whether it is at the lower ends.

    If some item is worth more than w_perp (J >= 1) the maximum is at the upper ends.  If none is (J = 0) every click
    costs, so that the optimistic end is the lower one: the best single item there, or the empty list.

    Parameters
    ----------
    oracle : int
        0 greedy, 1 dp, 2 enumerate (needs the table `lists`; for the others any (0, m) array does).
    fallback : int
        0 box: as above; 1 literal: at J = 0 the best single item at the *upper* ends, as in the paper, which is not
        optimistic.
    """
    if fallback == BOX and not any_above(w, no_click):
        value, length = best_short(lower, w, no_click, min_length, out)
        return value, length, True
    if oracle == GREEDY:
        value, length = best_perm_greedy(upper, w, no_click, max_length, min_length, work, order, out)
    elif oracle == DP:
        value, length = best_perm_dp(upper, w, no_click, max_length, min_length, work, order, out)
    else:
        value, length = best_perm_enumerate(upper, w, no_click, max_length, min_length, lists, out)
    return value, length, False


@kernel
def any_above(w: Any, no_click: Any) -> bool:
    """Return whether J >= 1: some item is worth more than w_perp."""
    for a in range(w.shape[0]):
        if w[a] > no_click:
            return True
    return False


class BestList(NamedTuple):
    """A best list, best item first, and its value."""

    items: np.ndarray
    value: Any


def best_perm(attraction: Any, value: Any, no_click_value: Any, max_length: int, method: str = "greedy", allow_empty: bool = False) -> BestList:
    """Return the list of distinct items with the largest expected value of what is clicked.

    Parameters
    ----------
    attraction : (N,) array in [0, 1]
        Probability that an examined item is clicked.
    value : (N,) array
        Value of a click on each item.
    no_click_value : float
        Value when nothing is clicked.
    max_length : int
        Longest list, at least 1; more than N means N.
    method : {"greedy", "dp", "enumerate"}
        All are exact.  They may return different lists of the same value when there are ties: greedy prefers low
        indices, dp (the paper's BestPerm) takes an item whenever that costs nothing, enumerate returns the first best
        list in order of length, then lexicographic.
    allow_empty : bool
        Whether the empty list may be shown.

    Returns
    -------
    BestList
        ``items``, int64, in descending value; and its ``value``.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range or of a wrong shape; the message names it.
    """
    attraction = validate.real_array("attraction", attraction, (None,), 0, 1)
    return best_perm_box(attraction, attraction, value, no_click_value, max_length, method, allow_empty)


def best_perm_box(
    lower: Any,
    upper: Any,
    value: Any,
    no_click_value: Any,
    max_length: int,
    method: str = "greedy",
    allow_empty: bool = False,
    fallback: str = "box",
) -> BestList:
    """Return the list with the largest value when attraction may be anything between `lower` and `upper`: the optimistic list.

    Parameters
    ----------
    lower, upper : (N,) arrays in [0, 1]
        Ends of the interval of each attraction probability, ``lower <= upper``.
    value, no_click_value, max_length, method, allow_empty
        As in `best_perm`.
    fallback : {"box", "literal"}
        What to do when no item is worth more than no click and a list must be shown.  "box" is exact: the best single
        item at its *lower* end.  "literal" is the rule of the paper, the best single item at its upper end, which can
        fall short of the maximum.

    Returns
    -------
    BestList
        ``items``, int64, in descending value; and its ``value``.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range or of a wrong shape; the message names it.
    """
    lower = validate.real_array("lower", lower, (None,), 0, 1)
    n_items = lower.shape[0]
    upper = validate.real_array("upper", upper, (n_items,), 0, 1)
    value = validate.real_array("value", value, (n_items,))
    no_click = validate.real_array("no_click_value", no_click_value, ())[()]
    longest = min(validate.integer("max_length", max_length, 1), n_items)
    oracle = METHODS.index(validate.one_of("method", method, METHODS))
    rule = FALLBACKS.index(validate.one_of("fallback", fallback, FALLBACKS))
    crossed = np.flatnonzero(lower > upper)
    if crossed.size:
        a = int(crossed[0])
        raise ValueError(f"lower[{a}]: expected at most upper[{a}] = {upper[a]}, got {lower[a]}")
    shortest = 0 if allow_empty else 1
    lists = all_lists(n_items, longest, shortest) if oracle == ENUMERATE else np.zeros((0, longest), np.int64)
    work, order = workspace(n_items, longest, np.result_type(lower, value))
    out = np.full(longest, -1, np.int64)
    best, length, _ = box_kernel(oracle, rule, lower, upper, value, no_click, longest, shortest, lists, work, order, out)
    return BestList(out[:length].copy(), best)
