"""The statistical tests of certificates and checks, all at one fixed level, each with the sample size that gives it power.

The level does not depend on which other tests are collected; the pytest plugin prints the number of tests performed times
the level.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy import special

LEVEL = 1e-9
performed = 0
"""Number of tests at `LEVEL` performed in this process so far."""


def binomial_tail(failures: int, n: int, probability: float) -> float:
    """Return ``P(Binomial(n, probability) >= failures)``, exactly."""
    return 1.0 if failures <= 0 else float(special.bdtrc(failures - 1, n, probability))


def too_many_failures(failures: int, n: int, probability: float) -> bool:
    """Test that an event fails with at most `probability`: True (reject) when the exact upper tail is below `LEVEL`."""
    _count()
    return binomial_tail(failures, n, probability) < LEVEL


def seeds_to_reject(probability: float, failure_rate: float = 1.0, miss: float = 1e-6) -> int:
    """Return the least number of seeds at which `too_many_failures` overlooks a true `failure_rate` with at most probability `miss`.

    Examples
    --------
    >>> seeds_to_reject(0.05), seeds_to_reject(0.05, 0.5)
    (7, 84)
    """

    def enough(n: int) -> bool:
        critical = next((r for r in range(n + 1) if binomial_tail(r, n, probability) < LEVEL), n + 1)
        return binomial_tail(critical, n, failure_rate) >= 1 - miss if critical <= n else False

    return _least(enough)


def failure_rate_bound(failures: int, n: int, confidence: float = 0.95) -> float:
    """Return the one-sided Clopper-Pearson upper bound of a failure rate after `failures` in `n` seeds."""
    return 1.0 if failures >= n else float(special.betaincinv(failures + 1, n - failures, confidence))


def mean_exceeds(values: Sequence[float] | np.ndarray, limit: float, low: float, high: float) -> bool:
    """Test that independent `values` in ``[low, high]`` have a mean of at most `limit`: True (reject) at `LEVEL`.

    Hoeffding's inequality in its Kullback-Leibler form (1963, Theorem 1): ``exp(-n kl(mean, limit))`` on the scaled range.
    """
    _count()
    if not low <= limit < high:
        return limit < low
    mean = (float(np.mean(values)) - low) / (high - low)
    return mean > (limit - low) / (high - low) and len(values) * kl(mean, (limit - low) / (high - low)) > -math.log(LEVEL)


def seeds_to_see_mean(mean: float, limit: float, low: float, high: float) -> int:
    """Return the number of seeds at which `mean_exceeds` rejects an observed `mean` above `limit`."""
    scaled = kl((mean - low) / (high - low), (limit - low) / (high - low))
    return math.ceil(-math.log(LEVEL) / scaled)


def kl(p: float, q: float) -> float:
    """Return the Kullback-Leibler divergence between Bernoulli laws of means `p` and `q`, in nats."""
    return float(special.rel_entr(p, q) + special.rel_entr(1 - p, 1 - q))


def student_interval(values: Sequence[float] | np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    """Return the two-sided Student-t interval of the mean of `values`, of error probability `level`."""
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return -math.inf, math.inf
    half = -special.stdtrit(len(values) - 1, level / 2) * values.std(ddof=1) / math.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)


def growth_exponents(checkpoints: np.ndarray, curves: np.ndarray, decades: float = 1.0) -> np.ndarray:
    """Return the least-squares log-log slope over the last `decades` of each curve (seeds, C); a flat zero curve has slope 0."""
    last = checkpoints >= checkpoints[-1] / 10**decades
    x = np.log(checkpoints[last])
    y = np.log(np.maximum(curves[:, last], 1e-300))
    x = x - x.mean()
    return (y @ x) / (x @ x) if len(x) > 1 else np.full(len(curves), np.nan)


def grows_faster(slopes: np.ndarray, limit: float) -> bool:
    """Test that per-seed growth exponents have a mean of at most `limit`: True (reject) if the whole interval lies above."""
    _count()
    return student_interval(slopes)[0] > limit


def seeds_to_see_growth(excess: float, deviation: float) -> int:
    """Return the number of seeds at which `grows_faster` rejects a mean slope `excess` above the limit, at that standard deviation."""
    return _least(lambda n: n > 1 and -special.stdtrit(n - 1, LEVEL / 2) * deviation < excess * math.sqrt(n))


def _least(enough: Callable[[int], bool], most: int = 1_000_000) -> int:
    return next(n for n in range(1, most) if enough(n))


def _count() -> None:
    global performed
    performed += 1
