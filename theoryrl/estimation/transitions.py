r"""Confidence radii for a transition row, and the deviations that good events are stated in (see `theoryrl.estimation.bernoulli`)."""

from __future__ import annotations

import math
from typing import Any

from theoryrl.jit import kernel


@kernel
def l1_radius(n: Any, constant: Any) -> Any:
    r"""Return :math:`\sqrt{c / (2n)}`, half the L1 radius of Weissman et al. (2003) for n >= 1 samples.

    A value function of span B changes by at most B times this, when a row p is replaced by its estimate.

    Parameters
    ----------
    constant : float
        :math:`c = S \ln 2 + x`, with S the number of next states and x the log term.
    """
    return math.sqrt(constant / (2 * n))


@kernel
def l1_deviation(n: Any, counts: Any, p: Any) -> Any:
    r"""Return the smallest x with :math:`\|\hat p - p\|_1 \le \sqrt{2 (S \ln 2 + x) / n}`, where S = len(p); it may be negative.

    Parameters
    ----------
    n : int
        Number of samples; without any the inequality holds down to x = -S ln 2.
    counts : (S,) int array
        How often each next state came; they sum to n.
    p : (S,) array
        The true row.
    """
    S = len(p)
    if n == 0:
        return -S * math.log(2.0)
    distance = 0.0
    for s in range(S):
        distance += abs(counts[s] / n - p[s])
    return n * distance * distance / 2 - S * math.log(2.0)


@kernel
def bernstein_deviation(n: Any, counts: Any, p: Any, V: Any, span: Any) -> Any:
    r"""Return the smallest x >= 0 with :math:`|(\hat p - p) V| \le \sqrt{2 \mathrm{Var}_{\hat p}(V) x / n} + 3 B x / n`.

    Empirical Bernstein inequality; inf if no x will do (B = 0 and an estimate without variance).

    Parameters
    ----------
    n, counts, p
        As in `l1_deviation`.
    V : (S,) array
        A fixed function of the next state.
    span : float
        B >= 0, an upper bound of the range of V (H - h + 1 in the event (P2) of the cascading theory).
    """
    if n == 0:
        return 0.0
    error = 0.0
    mean = 0.0
    for s in range(len(p)):
        error += (counts[s] / n - p[s]) * V[s]
        mean += counts[s] / n * V[s]
    variance = 0.0
    for s in range(len(p)):
        variance += counts[s] / n * (V[s] - mean) * (V[s] - mean)
    error = abs(error)
    if error == 0:
        return 0.0
    # the positive root z = sqrt(x) of a z^2 + b z = error
    a, b = 3 * span / n, math.sqrt(2 * variance / n)
    denominator = b + math.sqrt(b * b + 4 * a * error)
    if denominator == 0:
        return math.inf
    root = 2 * error / denominator
    return root * root


@kernel
def hoeffding_deviation(n: Any, error: Any, V: Any, span: Any) -> Any:
    r"""Return the smallest x >= 0 with :math:`(p - \hat p) V \le B \sqrt{x / (2n)}`, one-sided, as optimism needs it; inf if B = 0 and no x will do.

    Parameters
    ----------
    n : int
        Number of samples.
    error : array, shape (S,) or longer
        :math:`p - \hat p`; what follows the S entries is not read.
    V, span
        As in `bernstein_deviation`.
    """
    mean = 0.0
    for s in range(len(V)):
        mean += error[s] * V[s]
    if mean <= 0:
        return 0.0
    if span == 0:
        return math.inf
    return 2 * n * (mean / span) * (mean / span)


@kernel
def entry_deviation(n: Any, counts: Any, p: Any) -> Any:
    r"""Return the smallest x >= 0 with :math:`|\hat p - p|(y) \le \sqrt{2 p(y) x / n} + \frac{x}{3n}` for every next state y.

    Bernstein's inequality for each entry; parameters are those of `l1_deviation`.
    """
    largest = 0.0
    for s in range(len(p)):
        error = abs(counts[s] - n * p[s])  # n times both sides: error = x / 3 + b sqrt(x)
        b = math.sqrt(2 * n * p[s])
        if error > 0:
            root = 2 * error / (b + math.sqrt(b * b + 4 * error / 3))
            largest = max(largest, root * root)
    return largest


@kernel
def entry_variance_deviation(n: Any, counts: Any, p: Any) -> Any:
    r"""Return the smallest x >= 0 with :math:`|\hat p - p|(y) \le \sqrt{2 p(y) (1 - p(y)) x / n} + \frac{x}{3n}` for every next state y.

    Bernstein's inequality for each entry, with its variance; parameters are those of `l1_deviation`.  A law p is in the box of
    `bernstein_interval` at a = c / n, for each entry, just when this is at most c.
    """
    largest = 0.0
    for s in range(len(p)):
        error = abs(counts[s] - n * p[s])  # n times both sides: error = x / 3 + b sqrt(x)
        if error > 0:
            b = math.sqrt(2 * n * p[s] * (1 - p[s]))
            root = 2 * error / (b + math.sqrt(b * b + 4 * error / 3))
            largest = max(largest, root * root)
    return largest


@kernel
def bernstein_interval(p: Any, a: Any) -> Any:
    r"""Return the ends of :math:`\{x \in [0, 1]: |p - x| \le \sqrt{2 x (1 - x) a} + a / 3\}`, an interval around p.

    Bernstein's inequality for a Bernoulli mean x whose estimate after n samples is p, solved for x; a is the log term over n.

    Parameters
    ----------
    p : float in [0, 1]
    a : float > 0
    """
    low, high = 0.0, 1.0
    below, above = p - a / 3, p + a / 3
    if below > 0:  # the smaller root of (1 + 2 a) x^2 - 2 (c + a) x + c^2 at c = below, by the product of the roots
        low = min(p, below * below / (below + a + math.sqrt(a * (a + 2 * below * (1 - below)))))
    if above < 1:
        high = max(p, (above + a + math.sqrt(a * (a + 2 * above * (1 - above)))) / (1 + 2 * a))
    return low, high
