"""T9: the Bernoulli intervals of CascadingVI (Lemmas 9 and 10 of the spec)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

ROOT2 = math.sqrt(2)
MEANS = [0.0, 1e-9, 1e-6, 1e-4, 1e-3, 0.01, 0.03, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.97, 0.99, 0.999, 1 - 1e-4, 1 - 1e-6, 1 - 1e-9, 1.0]
LOG_TERMS = [float(y) for y in np.geomspace(1e-7, 50, 141)]
TOLERANCE = 1e-9


def check_T9(world: Any) -> None:
    """The kl ball lies inside Bernstein's interval with constants (sqrt 2, 1), tightly, and widths are those of Lemma 10."""
    estimation = world("theoryrl.estimation")
    excess = {1.0: -math.inf, 0.9: -math.inf}
    for p in MEANS:
        for y in LOG_TERMS:
            low, high = estimation.kl_lower(p, y), estimation.kl_upper(p, y)
            assert low <= p <= high
            reach = max(high - p, p - low)
            for beta in excess:
                excess[beta] = max(excess[beta], reach - estimation.bernstein_radius(p, 1, y, ROOT2, beta))
            q = np.linspace(low, high, 25)
            _check_widths(np.array([low, high]), q, y, 2 * ROOT2, 3 * ROOT2, f"kl, p={p}")
            for alpha, beta in ((ROOT2, 1.0), (2.0, 5.0)):
                radius = estimation.bernstein_radius(p, 1, y, alpha, beta)
                _check_widths(np.array([p - radius, p + radius]), q, y, 2 * alpha, 2 * alpha + 2 * beta, f"Bernstein({alpha}, {beta}), p={p}")
    assert excess[1.0] <= TOLERANCE, f"the kl ball leaves Bernstein(sqrt 2, 1) by {excess[1.0]:.3g}"
    assert excess[0.9] > TOLERANCE, "a coefficient of 0.9 should not suffice"
    for p in (0.0, 1.0):  # ... because 1 is attained as y -> 0
        reach = max(estimation.kl_upper(p, LOG_TERMS[0]) - p, p - estimation.kl_lower(p, LOG_TERMS[0]))
        assert abs(reach / LOG_TERMS[0] - 1) < 1e-6


def _check_widths(ends: np.ndarray, q: np.ndarray, y: float, c1: float, c2: float, what: str) -> None:
    """Lemma 10: |end - q| <= c1 sqrt(q y) + c2 y for every q in the kl ball."""
    excess = np.abs(ends[:, None] - q) - (c1 * np.sqrt(q * y) + c2 * y)
    assert excess.max() <= TOLERANCE, f"{what}, y={y}: width exceeds Lemma 10 by {excess.max():.3g}"
