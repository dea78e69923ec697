"""The least expected times to a set of goals: policy iteration in a known communicating MDP (Bertsekas and Tsitsiklis, 1991; see `shortest_path`)."""

from __future__ import annotations

import math

import numpy as np


def goal_times(P: np.ndarray, goal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the least expected times to a set of goals of a communicating MDP, and a policy that attains them.

    Policy iteration, from a policy that goes nearer with some probability; the times solve a linear system.

    Parameters
    ----------
    P : (S, A, S) array
        Laws of the next state; the MDP is communicating.
    goal : (S,) bool array
        At least one is True.

    Returns
    -------
    times : (S,) array
        0 in the goals.
    policy : (S,) int64 array
        The first of the best actions, up to 1e-9 of the times; 0 in the goals.
    """
    S = len(P)
    times, policy, near = np.zeros(S), np.zeros(S, np.int64), goal.copy()
    while not near.all():
        nearer: np.ndarray = np.any(P[:, :, near] > 0, axis=2)
        new = nearer.any(axis=1) & ~near
        policy[new], near = nearer[new].argmax(axis=1), near | new
    inside = np.flatnonzero(~goal)
    rows, actions, best = P[inside][:, :, inside], policy[inside], np.full(len(inside), math.inf)
    places = np.arange(len(inside))
    while len(inside):
        values = np.linalg.solve(np.eye(len(inside)) - rows[places, actions], np.ones(len(inside)))
        if not values.sum() < best.sum():  # the same policy, or one that is as good up to round-off
            break
        best, Q = values, 1 + rows @ values
        actions = np.where(Q.min(axis=1) < Q[places, actions], Q.argmin(axis=1), actions)
    if len(inside):
        Q = 1 + rows @ best
        times[inside], policy[inside] = best, (Q <= Q.min(axis=1, keepdims=True) * (1 + 1e-9)).argmax(axis=1)
    return times, policy
