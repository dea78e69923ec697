r"""The generalized eluder coefficient (GEC): certified upper bounds, its value on a run, and brute force on tiny classes.

The inequality that all bounds here certify, for every sequence of hypotheses :math:`f^1, \dots, f^K` and every mu > 0:

.. math:: \sum_k V_{1,f^k} - V_1^{\pi_{f^k}} \le \tfrac\mu2 I_K + \tfrac{d}{2\mu} + b,
          \qquad I_K = \sum_{h,k} \sum_{s<k} E_{\pi^s} \ell_h(f^k).

Definition: H. Zhong et al., arXiv 2211.01962; the form with the additive part b, and all constants, are derived here.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence

import numpy as np

from theoryrl import validate


@dataclasses.dataclass(frozen=True)
class Gec:
    """A certified pair (d, b) of the inequality of this module."""

    d: float
    b: float


def squared_hellinger(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    r"""Return :math:`D_H^2(p, q) = 1 - \sum \sqrt{p q} = \frac12 \sum (\sqrt p - \sqrt q)^2` along the last axis.

    Parameters
    ----------
    p, q : (..., S) arrays
        Laws; their shapes broadcast.

    Raises
    ------
    ValueError, TypeError
        If a row is not a probability vector, or the lengths S differ.
    """
    p = validate.distributions("p", p, (None,) * np.ndim(p))
    q = validate.distributions("q", q, (*(None,) * (np.ndim(q) - 1), p.shape[-1]))
    distance: np.ndarray = ((np.sqrt(p) - np.sqrt(q)) ** 2).sum(axis=-1) / 2
    return distance


def _log2(n: int) -> float:
    return math.log2(max(n, 2))


def value_gec(n: int, reachability: np.ndarray, ranges: np.ndarray) -> Gec:
    r"""Return the certified GEC for squared Bellman residuals.

    Two-phase pigeonhole: a pair (h, x, a) with largest reach :math:`\bar d` costs at most :math:`2 \bar d` times the
    largest residual until its occupancies sum to :math:`\bar d`; afterwards :math:`\sum_k (d^k)^2 / D^k \le \bar d \log_2 K`.

    Parameters
    ----------
    n : int
        Episodes K.
    reachability : (H,) array
        Sums of the largest reaches of the pairs of each stage.
    ranges : (H,) array
        Bounds B of the absolute residuals.

    Raises
    ------
    ValueError, TypeError
        If n < 1, an entry is negative or not finite, or the lengths differ (the other functions likewise).
    """
    n = validate.integer("n", n, 1)
    reachability = validate.real_array("reachability", reachability, (None,), 0)
    ranges = validate.real_array("ranges", ranges, reachability.shape, 0)
    return Gec(_log2(n) * float(np.sum(reachability)), 2 * float(np.dot(ranges, reachability)))


def model_gec(n: int, reachability: np.ndarray, caps: np.ndarray) -> Gec:
    r"""Return the certified GEC for squared Hellinger distances, :math:`|(P_f - P) V| \le C_{h+1} TV \le \sqrt2 C_{h+1} D_H`.

    Parameters
    ----------
    n, reachability
        As in `value_gec`.
    caps : (H,) array
        Spans :math:`C_{h+1}` of the next stage's values.
    """
    n = validate.integer("n", n, 1)
    reachability = validate.real_array("reachability", reachability, (None,), 0)
    caps = validate.real_array("caps", caps, reachability.shape, 0)
    return Gec(2 * _log2(n) * float(np.dot(caps**2, reachability)), 2 * float(np.dot(caps, reachability)))


def cellwise_gec(n: int, reach: np.ndarray, kappa: np.ndarray, rho: np.ndarray) -> Gec:
    r"""Return the certified GEC of a finite class, pair by pair.

    Parameters
    ----------
    n : int
        Episodes K.
    reach : (H, S, A) array
        Largest reaches :math:`\bar d` of the pairs.
    kappa : (H, S, A) array
        Largest squared residual over in-sample loss, 0 where the class agrees with the truth.
    rho : (H, S, A) array
        Largest absolute residuals.
    """
    n = validate.integer("n", n, 1)
    reach = validate.real_array("reach", reach, (None, None, None), 0)
    kappa, rho = (validate.real_array(name, value, reach.shape, 0) for name, value in (("kappa", kappa), ("rho", rho)))
    return Gec(_log2(n) * float(np.sum(kappa * reach)), 2 * float(np.sum(rho * reach)))


def linear_gec(
    n: int, dimensions: Sequence[int], features: Sequence[float], weights: Sequence[float], ranges: Sequence[float], regulariser: float | None = None
) -> Gec:
    r"""Return the certified GEC of residuals :math:`\langle X_k, W_k \rangle` that are bilinear, summed over stages.

    With :math:`\gamma = m \log_2(1 + K B_X^2 / (m \lambda))` (elliptical potential, both phases),
    :math:`\sum_k |\langle X_k, W_k \rangle| \le \sqrt{\gamma (I_K + \lambda B_W^2 K)} + B \gamma`.

    Parameters
    ----------
    n : int
        Episodes K.
    dimensions, features, weights, ranges : sequences of length H
        Dimension m, bounds of the norms of X and W, and of the absolute residuals, for each stage.
    regulariser : float, optional
        lambda > 0, default 1 / K.
    """
    n = validate.integer("n", n, 1)
    ridge = 1 / n if regulariser is None else validate.real("regulariser", regulariser, 0, math.inf, open_ends=True)
    dimensions = [int(m) for m in validate.integer_array("dimensions", dimensions, (None,), 1, 2**53)]
    features, weights, ranges = (
        validate.real_array(name, value, (len(dimensions),), 0).tolist() for name, value in (("features", features), ("weights", weights), ("ranges", ranges))
    )
    d = b = 0.0
    for m, B_X, B_W, B in zip(dimensions, features, weights, ranges, strict=True):
        gamma = m * math.log2(1 + n * B_X**2 / (m * ridge))
        d += gamma
        b += B_W * math.sqrt(ridge * n * gamma) + B * gamma
    return Gec(d, b)


def paper_gec(gec: Gec, n: int, horizon: int) -> float:
    """Return max(d, b^2 / (H K)), an upper bound of the paper's coefficient for every epsilon >= 0."""
    n, horizon = validate.integer("n", n, 1), validate.integer("horizon", horizon, 1)
    return max(gec.d, gec.b**2 / (horizon * n))


def realised_gec(pred: np.ndarray, in_sample: np.ndarray, n: np.ndarray, horizon: int, epsilon: float = 0.0) -> np.ndarray:
    r"""Return :math:`((pred - \epsilon H K)_+ / (\sqrt{I_K} + \sqrt{H K}))^2`, a lower bound of the GEC read off a run.

    Parameters
    ----------
    pred, in_sample : arrays
        Cumulative prediction error and in-sample error at the episodes `n`; a negative entry counts as 0.
    n : array of int
        At least 1.
    horizon : int
        Stages H.
    epsilon : float
        At least 0.
    """
    n = validate.integer_array("n", n, (None,) * np.ndim(n), 1, 2**53).astype(float)
    pred, in_sample = (validate.real_array(name, value, (None,) * np.ndim(value)) for name, value in (("pred", pred), ("in_sample", in_sample)))
    horizon, epsilon = validate.integer("horizon", horizon, 1), validate.real("epsilon", epsilon, 0)
    excess = np.maximum(pred - epsilon * horizon * n, 0)
    squared: np.ndarray = (excess / (np.sqrt(np.maximum(in_sample, 0)) + np.sqrt(horizon * n))) ** 2
    return squared


def brute_force_gec(pred: np.ndarray, in_sample: np.ndarray, n: int, horizon: int, epsilon: float = 0.0) -> float:
    """Return the GEC of a finite class for K = n episodes exactly: the largest `realised_gec` over all M^n sequences.

    Parameters
    ----------
    pred : (M,) array
        Prediction error of each hypothesis.
    in_sample : (M, M) array
        Entry [f, g]: sum over stages of the expected loss of f under the policy of g.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range or of a wrong shape, or there are more than ten million sequences.
    """
    n, horizon, epsilon = validate.integer("n", n, 1), validate.integer("horizon", horizon, 1), validate.real("epsilon", epsilon, 0)
    pred = validate.real_array("pred", pred, (None,))
    M = len(pred)
    in_sample = validate.real_array("in_sample", in_sample, (M, M), 0)
    if M**n > 10**7:
        raise ValueError(f"n: expected at most ten million sequences, got {M}^{n}")
    largest = 0.0
    for first in itertools.product(range(M), repeat=max(n - 6, 0)):  # the last six episodes at once, as arrays
        tail = np.array(list(itertools.product(range(M), repeat=min(n, 6))))
        sequences = np.hstack([np.tile(np.array(first, dtype=np.int64), (len(tail), 1)), tail]).astype(np.int64)
        seen = in_sample[sequences[:, :, None], sequences[:, None, :]]
        total = np.tril(seen, -1).sum(axis=(1, 2))
        largest = max(largest, float(realised_gec(pred[sequences].sum(axis=1), total, np.array(n), horizon, epsilon).max()))
    return largest
