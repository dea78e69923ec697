r"""Optimistic stochastic shortest paths: the least expected time to a set of goals over all laws that confidence sets allow.

Extended value iteration from v = 0, :math:`v'(s) = 1 + \min_a \min_{q \in C(s, a)} q v` outside the goals, for L1 balls and for
boxes of laws.  Both inner problems are solved exactly by a greedy choice: an L1 ball moves mass from the last states to the
first one, a box fills the first states up.  Started at 0 it never exceeds the optimistic times, and it stops for any sets from
which the goals can be entered (derived here; J. Tarbouriech et al., arXiv 2007.06437, use the same operator).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from theoryrl import validate
from theoryrl.jit import kernel, record
from theoryrl.planning.arrays import copy
from theoryrl.planning.l1_ball import sort_states

MOST_SWEEPS = 10**6
MARGIN = 1e-13
"""By how much a later action must be better than an earlier one: what rounding may make of equal ones."""

Sets = record(__name__, "Sets", "p p_next_first half width low_next_first room")
"""Confidence sets of the S A rows, those of states that are no goals first: estimates p (S A, S) and (S', S A) with half of the L1
radius (S A,); boxes from low_next_first (S', S A), width (S A, S) high, with room (S A,) = 1 - the sum of low."""


@kernel
def least_l1(mean: float, p: Any, half: float, order: Any, v: Any) -> float:
    """Return min q v over laws within L1 distance 2 `half` of p, where mean = p v and `order` sorts v ascending; p = 0, half = 1: all laws."""
    added = min(half, 1 - p[order[0]])
    least = mean + added * v[order[0]]
    i = order.shape[0] - 1
    while added > 0 and i > 0:
        lost = min(added, p[order[i]])
        least -= lost * v[order[i]]
        added -= lost
        i -= 1
    return least


@kernel
def least_box(mean: float, width: Any, room: float, order: Any, v: Any) -> float:
    """Return min q v over laws in a box, where mean = low v, room = 1 - sum of low, and `order` sorts v ascending."""
    least = mean
    i = 0
    while room > 0 and i < order.shape[0]:
        added = min(width[order[i]], room)
        least += added * v[order[i]]
        room -= added
        i += 1
    return least


@kernel
def expectations(p_next_first: Any, v: Any, rows: int, out: Any) -> None:
    """Fill out[:rows] with sum_s' p_next_first[s', row] v[s']; goals, where v = 0, cost nothing."""
    out[:rows] = 0.0
    for s2 in range(v.shape[0]):
        if v[s2] != 0:
            for row in range(rows):
                out[row] += p_next_first[s2, row] * v[s2]


@kernel
def optimistic_times(
    goal: Any, sets: Any, balls: bool, boxes: bool, precision: float, v: Any, policy: Any, least: Any, order: Any, v_next: Any, means: Any
) -> int:  # fmt: skip
    """Extended value iteration; return the number of sweeps, or -1 if `MOST_SWEEPS` were not enough.

    Every iterate is at most the optimistic times, and with v' the last one v <= v' <= v + precision: v(s) <= 1 + least(s), and
    v(s) >= 1 + least(s) - precision.

    Parameters
    ----------
    goal : (S,) int8 array
        Whether a state is a goal.
    sets : Sets
        Rows of the states that are no goals, in their order.
    balls, boxes : bool
        Which sets are used; with both, the larger of the two least expectations.
    precision : float
        Stop when no value grows by more.
    v, policy, least : (S,) arrays
        Filled with the values before the last sweep, the policy that is greedy for them, and q v at its actions.
    order, v_next : (S,) arrays; means : (2, rows) array
        Scratch.
    """
    S = v.shape[0]
    A = sets.half.shape[0] // S
    inside = 0
    for s in range(S):
        order[s] = s
        v[s], v_next[s], least[s] = 0.0, 0.0, 0.0
        policy[s] = 0
        if goal[s] == 0:
            inside += 1
    for sweep in range(1, MOST_SWEEPS + 1):
        sort_states(v, order, False)
        if balls:
            expectations(sets.p_next_first, v, inside * A, means[0])
        if boxes:
            expectations(sets.low_next_first, v, inside * A, means[1])
        growth, row = 0.0, 0
        for s in range(S):
            if goal[s] == 0:
                best = math.inf
                for a in range(A):
                    q = 0.0
                    if balls:
                        q = least_l1(means[0, row], sets.p[row], sets.half[row], order, v)
                    if boxes:
                        q = max(q, least_box(means[1, row], sets.width[row], sets.room[row], order, v))
                    if q < best - MARGIN:
                        best = q
                        policy[s] = a
                    row += 1
                v_next[s], least[s] = 1 + best, best
                growth = max(growth, v_next[s] - v[s])
        if growth <= precision:
            return sweep
        copy(v_next, v)
    return -1


def inner_l1(p: Any, radius: float, v: Any) -> float:
    """Return the least expectation q v over laws q with |q - p|_1 <= radius.

    Parameters
    ----------
    p : (S,) array
        A law.
    radius : float >= 0
    v : (S,) array

    Raises
    ------
    ValueError, TypeError
        If `p` is no law, or an argument is out of range or of a wrong shape.
    """
    p = validate.distributions("p", p, (None,))
    radius = validate.real("radius", radius, 0)
    v = validate.real_array("v", v, p.shape)
    return float(least_l1(p @ v, p, radius / 2, np.argsort(v, kind="stable"), v))


def inner_box(low: Any, high: Any, v: Any) -> float:
    """Return the least expectation q v over laws q with low <= q <= high.

    Parameters
    ----------
    low, high : (S,) arrays in [0, 1]
        Ends of the intervals; their sums are at most and at least one.
    v : (S,) array

    Raises
    ------
    ValueError, TypeError
        If no law is in the box, or an argument is out of range or of a wrong shape.
    """
    low = validate.real_array("low", low, (None,), 0, 1)
    high = validate.real_array("high", high, low.shape, 0, 1)
    v = validate.real_array("v", v, low.shape)
    room, slack = 1 - low.sum(), len(low) * 1e-12
    if np.any(low > high) or room < -slack or high.sum() < 1 - slack:
        raise ValueError(f"low, high: expected a box that holds a law, got low={low}, high={high}")
    return float(least_box(low @ v, high - low, room, np.argsort(v, kind="stable"), v))
