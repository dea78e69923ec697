"""Exact planning for discounted rewards: policy iteration, each of whose values is the solution of one linear system."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from theoryrl import validate


class Discounted(NamedTuple):
    """The optimal discounted values (S,), and a policy (S,) that attains them."""

    values: np.ndarray
    policy: np.ndarray


def discounted(P: Any, r: Any, gamma: float) -> Discounted:
    r"""Return the optimal values :math:`\max_\pi E \sum_t \gamma^t r(s_t, a_t)` from every state, exact up to round-off.

    Parameters
    ----------
    P : (S, A, S) array
        Law of the next state.
    r : (S, A) array
        Mean rewards, of any size.
    gamma : float in (0, 1)

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range or of a wrong shape.
    """
    P, r, gamma = _checked(P, r, gamma)
    policy, best = np.zeros(len(P), np.int64), np.full(len(P), -np.inf)
    best_policy = policy
    while True:
        values = _values(P, r, gamma, policy)
        if not values.sum() > best.sum():
            return Discounted(best, best_policy)
        best, best_policy = values, policy
        Q = r + gamma * (P @ best)
        policy = np.where(Q.max(axis=1) > Q[np.arange(len(P)), policy], Q.argmax(axis=1), policy)


def discounted_policy_values(P: Any, r: Any, gamma: float, policy: Any) -> np.ndarray:
    """Return the discounted values (S,) of a policy (S,); other arguments and errors as `discounted`."""
    P, r, gamma = _checked(P, r, gamma)
    return _values(P, r, gamma, validate.integer_array("policy", policy, (len(P),), 0, P.shape[1] - 1))


def _checked(P: Any, r: Any, gamma: float) -> tuple[np.ndarray, np.ndarray, float]:
    P = validate.distributions("P", P, (None, None, None))
    S, A = P.shape[:2]
    validate.check_shape("P", P, (S, A, S))
    return P, validate.real_array("r", r, (S, A)), validate.real("gamma", gamma, 0, 1, open_ends=True)


def _values(P: np.ndarray, r: np.ndarray, gamma: float, policy: np.ndarray) -> np.ndarray:
    each = np.arange(len(P))
    values: np.ndarray = np.linalg.solve(np.eye(len(P)) - gamma * P[each, policy], r[each, policy])
    return values
