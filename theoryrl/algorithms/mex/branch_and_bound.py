"""The exact model-free argmax over the full tabular class: best-first branch and bound over deterministic policies.

A node fixes the actions of some cells (h, x).  It is bounded by the chord bound with the largest reach of its own policies,
its incumbent is that bound's greedy policy, and it branches at the undecided cell that can be reached, of the earliest
stage, then of the largest reach.  No free mixed-integer solver takes these quadratic programs.
"""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np

from theoryrl import validate
from theoryrl.algorithms.mex.bounded_qp import bounded_values, cells
from theoryrl.algorithms.mex.empirical import FREE, TabularSolution, agree, read_counts
from theoryrl.algorithms.mex.policy_form import chord, chord_bound, free_value, limits, solution
from theoryrl.jit import kernel


@kernel
def branching_cell(fixed: Any, reach: Any) -> int:
    """Return h S + x of the undecided cell to branch at, or FREE if every cell that can be reached is decided."""
    H, S = fixed.shape
    for h in range(H):
        best, chosen = 0.0, FREE
        for x in range(S):
            if fixed[h, x] == FREE and reach[h, x] > best:
                best, chosen = reach[h, x], h * S + x
        if chosen != FREE:
            return chosen
    return FREE


@kernel
def open_node(P: Any, r: Any, n: Any, caps: Any, start: int, eta: float, fixed: Any, clipped: bool, bounds: Any, work: Any) -> tuple[float, float, int]:
    """Return a node's bound, the value of its incumbent (bounds.greedy) and the cell at which it branches.

    A leaf, where all of its policies agree on what they reach, has its value as its bound.
    """
    upper = chord_bound(P, r, n, caps, start, eta, fixed, bounds.U, bounds.greedy, bounds.reach, bounds.W, bounds.chances)
    if clipped:
        lower = bounded_values(P, r, n, caps, start, eta, bounds.greedy, work)
    else:
        lower = free_value(P, r, n, start, eta, bounds.greedy, work.d, work.v)
    cell = branching_cell(fixed, bounds.reach)
    return lower if cell == FREE else upper, lower, cell


def best_policy(
    model: Any, caps: np.ndarray, start: int, eta: float, clipped: bool, node_cap: int, planned: np.ndarray, lower: float
) -> tuple[np.ndarray, float, int]:
    """Return the best policy found, starting from the incumbent `planned` of value `lower`, a certified bound, and the nodes opened."""
    H, S = model.unvisited.shape
    A = model.r.shape[1] // S
    bounds, work = chord(H, S), cells(H, S)
    arguments = (model.P, model.r, model.n, limits(caps, clipped), start, eta)
    fixed = np.array(model.unvisited) if clipped else np.full((H, S), FREE)
    upper, value, cell = open_node(*arguments, fixed, clipped, bounds, work)
    if value > lower:
        lower, planned = value, np.array(bounds.greedy)
    heap, nodes = [(-upper, 0, cell, fixed)], 1
    while heap and not agree(lower, -heap[0][0]) and nodes < node_cap:
        parent, _, cell, fixed = heapq.heappop(heap)
        for a in range(A):
            child = np.array(fixed)
            child[cell // S, cell % S] = a
            upper, value, following = open_node(*arguments, child, clipped, bounds, work)
            nodes += 1
            if value > lower:
                lower, planned = value, np.array(bounds.greedy)
            if following != FREE and upper > lower:
                heapq.heappush(heap, (max(-upper, parent), nodes, following, child))
    return planned, max(lower, -heap[0][0] if heap else lower), nodes


def branch_and_bound(
    n: Any, n_next: Any, reward: Any, caps: Any, start: int, eta: float, clipped: bool = True, node_cap: int = 100_000
) -> TabularSolution:
    """Return the best hypothesis of the full tabular class, or, at the node cap, the best found with its certified gap.

    Parameters
    ----------
    n, n_next, reward, caps, start, eta
        As for `theoryrl.algorithms.mex.empirical.read_counts`, which lists the errors.
    clipped : bool
        Whether f_h <= C_h is required on visited pairs (Theorem B), or not (Theorem A).
    node_cap : int
        Largest number of nodes.
    """
    model, caps, start, eta = read_counts(n, n_next, reward, caps, start, eta)
    node_cap = validate.integer("node_cap", node_cap, 1)
    H, S = model.unvisited.shape
    planned, upper, nodes = best_policy(model, caps, start, eta, clipped, node_cap, np.zeros((H, S), np.int64), -np.inf)
    return solution(model, caps, start, eta, planned, clipped, upper, nodes)
