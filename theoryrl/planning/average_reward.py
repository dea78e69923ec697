"""Exact planning for average reward: the optimal gain and bias of a communicating MDP.

Policy iteration for communicating MDPs (Haviv and Puterman, "An improved algorithm for solving communicating average
reward Markov decision processes", Annals of Operations Research 28, 1991; Puterman, "Markov Decision Processes", 1994,
Section 9.5.3): a policy with several recurrent classes keeps the best of them, to which all other states are led.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from theoryrl import validate

EPS = float(np.finfo(float).eps)


class AverageReward(NamedTuple):
    """An optimal policy of a communicating MDP, (S,) actions, its gain, and its bias (S,), whose least entry is 0."""

    gain: float
    bias: np.ndarray
    policy: np.ndarray


def average_reward(P: Any, r: Any) -> AverageReward:
    r"""Return the optimal gain of a communicating MDP, with a bias and a policy that attain it.

    Exact up to round-off: :math:`\rho + h(s) = \max_a r(s, a) + P(s, a) h` is solved by linear systems.  The bias is the only
    one up to a constant if all optimal policies share a recurrent class; each one has a span of at most the diameter times
    the range of `r`.

    Parameters
    ----------
    P : (S, A, S) array
        Laws of the next state.
    r : (S, A) array
        Mean rewards, of any size.

    Raises
    ------
    ValueError, TypeError
        If an argument has another shape, a row is no distribution, or states cannot reach the recurrent class of the best
        policy found so far: the MDP is not communicating.
    """
    P = validate.distributions("P", P, (None, None, None))
    S, A = P.shape[:2]
    validate.check_shape("P", P, (S, A, S))
    r = validate.real_array("r", r, (S, A))
    support, rows = P > 0, np.arange(S)
    policy = _unichain(P, r, support, np.zeros(S, np.int64))
    gain, bias = _evaluate(P[rows, policy], r[rows, policy])
    best = gain, bias, policy
    while True:  # the gain rises or, with the same recurrent class, the bias does: no policy comes twice
        Q = r + P @ bias
        kept = Q[rows, policy]
        better = Q.max(axis=1) > kept + 16 * S * EPS * (1 + np.abs(Q).max())
        if not better.any():
            break
        policy = _unichain(P, r, support, np.where(better, Q.argmax(axis=1), policy))
        gain, bias = _evaluate(P[rows, policy], r[rows, policy])
        if not (gain, bias.sum()) > (best[0], best[1].sum()):
            break
        best = gain, bias, policy
    gain, bias, policy = best
    return AverageReward(float(gain), bias - bias.min(), policy)


def _classes(reached: np.ndarray) -> list[np.ndarray]:
    """Return the recurrent classes of a chain, as arrays of states, by its (S, S) bool support."""
    reached = reached | np.eye(len(reached), dtype=bool)
    while True:
        further = reached @ reached
        if np.array_equal(further, reached):
            break
        reached = further
    recurrent = ~(reached & ~reached.T).any(axis=1)
    return [np.flatnonzero(reached[s]) for s in np.flatnonzero(recurrent) if s == np.flatnonzero(reached[s])[0]]


def _class_gain(P_pi: np.ndarray, r_pi: np.ndarray, states: np.ndarray) -> float:
    """Return the gain of a recurrent class: gain + h = r + P h with h = 0 at its first state."""
    system = np.eye(len(states)) - P_pi[np.ix_(states, states)]
    system[:, 0] = 1
    return float(np.linalg.solve(system, r_pi[states])[0])


def _evaluate(P_pi: np.ndarray, r_pi: np.ndarray) -> tuple[float, np.ndarray]:
    """Return gain and bias of a policy with one recurrent class; the bias is 0 at the first state of the class."""
    (states,) = _classes(P_pi > 0)
    gain, others = _class_gain(P_pi, r_pi, states), np.arange(len(P_pi)) != states[0]
    bias = np.zeros(len(P_pi))
    bias[others] = np.linalg.solve(np.eye(len(P_pi) - 1) - P_pi[np.ix_(others, others)], r_pi[others] - gain)
    return gain, bias


def _unichain(P: np.ndarray, r: np.ndarray, support: np.ndarray, policy: np.ndarray) -> np.ndarray:
    """Return `policy`, changed outside its best recurrent class so that every state reaches this class, if it has several."""
    rows = np.arange(len(P))
    P_pi, r_pi = P[rows, policy], r[rows, policy]
    classes = _classes(P_pi > 0)
    if len(classes) == 1:
        return policy
    near = np.zeros(len(P), bool)
    near[max(classes, key=lambda states: _class_gain(P_pi, r_pi, states))] = True
    policy = policy.copy()
    while not near.all():
        closer = np.any(support[:, :, near], axis=2)
        new: np.ndarray = np.any(closer, axis=1) & ~near
        if not new.any():
            raise ValueError(f"P: the MDP is not communicating: from state {np.flatnonzero(~near)[0]} no policy reaches state {np.flatnonzero(near)[0]}")
        policy[new], near = closer[new].argmax(axis=1), near | new
    return policy
