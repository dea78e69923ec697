r"""Confidence intervals for the mean of a Bernoulli law.

A *radius* is half the width of an interval at a given log term x (failure probability about :math:`e^{-x}`).
A *deviation* turns an inequality around: the smallest x at which it holds for given samples, so that a trace can keep a
running maximum that depends on no x.
"""

from __future__ import annotations

import math
from typing import Any

from theoryrl.jit import kernel

_TINY = 1e-300
_MOST_STEPS = 20


@kernel
def bernoulli_kl(p: Any, q: Any) -> Any:
    r"""Return :math:`\mathrm{kl}(p, q) = p \ln\frac pq + (1 - p) \ln\frac{1-p}{1-q}` for p, q in [0, 1], in nats.

    0 ln 0 = 0, and the divergence is inf where q rules out what p allows.
    """
    return max(0.0, _kl_term(p, q, q - p) + _kl_term(1 - p, 1 - q, p - q))


@kernel
def _kl_term(a: Any, b: Any, d: Any) -> Any:
    """Return a ln(a / b) for b = a + d; near a = b the two terms of kl cancel, and only log1p of d keeps what is left."""
    if a <= 0:
        return 0.0
    if b <= 0:
        return math.inf
    if abs(d) <= a / 2:
        return -a * math.log1p(d / a)
    return a * (math.log(a) - math.log(b))


@kernel
def kl_upper(p: Any, y: Any) -> Any:
    """Return the largest u in [0, 1] with kl(p, u) <= y, to round-off.

    Parameters
    ----------
    p : float
        Empirical mean, in [0, 1].
    y : float
        Log term over sample size, x / n >= 0; inf gives 1.
    """
    return min(1.0, p + _kl_offset(p, 1 - p, y))


@kernel
def kl_lower(p: Any, y: Any) -> Any:
    """Return the smallest u in [0, 1] with kl(p, u) <= y, to round-off; parameters as in `kl_upper`."""
    return max(0.0, p - _kl_offset(1 - p, p, y))


@kernel
def _kl_offset(p: Any, rest: Any, y: Any) -> Any:
    """Return the largest d in [0, rest] with kl(p, p + d) <= y, where rest = 1 - p.

    kl(p, .) is convex, so that Newton's method descends from any start beyond the root and never passes it.
    The start is the smallest of three such points: Bernstein's (Lemma 9 of the cascading theory), Pinsker's, and the
    one that comes from p ln(p / u) >= p ln p.
    """
    if y < _TINY or rest <= 0:
        return 0.0
    if p < _TINY:
        return -rest * math.expm1(-y / rest)
    bernstein = math.sqrt(2 * p * rest * y) + y
    pinsker = math.sqrt(y / 2)
    d = min(bernstein, pinsker, -rest * math.expm1(-(y - p * math.log(p)) / rest))
    for _ in range(_MOST_STEPS):
        if d >= rest:
            return rest
        excess = -p * math.log1p(d / p) - rest * math.log1p(-d / rest) - y
        step = excess * (p + d) * (rest - d) / d
        if not 0 < step < d:  # nothing but round-off is left
            return d
        d -= step
        if step <= 1e-8 * min(d, rest - d) + 2e-16 * rest:  # the next step is about the square of this one
            return d
    return d


@kernel
def bernstein_radius(p: Any, n: Any, x: Any, alpha: Any, beta: Any) -> Any:
    r"""Return :math:`\alpha \sqrt{p (1 - p) x / n} + \beta x / n`.

    With :math:`(\alpha, \beta) = (\sqrt 2, 1)` it contains the kl interval (Lemma 9 of the cascading theory), and so do
    the constants (2, 5) of the Cascading RL paper.

    Parameters
    ----------
    p : float
        Empirical mean, in [0, 1].
    n : int
        Sample size, at least 1.
    x : float
        Log term, x >= 0.
    """
    return alpha * math.sqrt(p * (1 - p) * x / n) + beta * x / n


@kernel
def hoeffding_radius(n: Any, x: Any) -> Any:
    r"""Return :math:`\sqrt{x / (2n)}` for n >= 1 samples and log term x >= 0; it contains the kl interval (Pinsker)."""
    return math.sqrt(x / (2 * n))


@kernel
def bernoulli_deviation(n: Any, clicks: Any, q: Any) -> Any:
    r"""Return :math:`n\,\mathrm{kl}(\hat q, q)` for :math:`\hat q` = clicks / n: the smallest x at which q is in the kl interval.

    Zero without samples.
    """
    if n == 0:
        return 0.0
    return n * bernoulli_kl(clicks / n, q)
