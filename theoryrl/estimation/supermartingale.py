"""A bound of sums of conditional means by the realised sums, for all times at once."""
from __future__ import annotations

from typing import Any

import numpy as np

_GRID = np.geomspace(1e-8, 50, 20_001)


def supermartingale_bound(y: float, total: Any, largest: float, log_term: float) -> Any:
    r"""Return :math:`\varphi_y(D, B) = (y D + B \iota) / (1 - e^{-y})`.

    If :math:`X_k \in [0, B]` is adapted with conditional means :math:`\mu_k` and y > 0 is fixed beforehand, then with
    probability at least :math:`1 - e^{-\iota}`, for all k at once, :math:`\sum \mu \le \varphi_y(\sum X, B)`: by convexity
    :math:`E e^{-\lambda X} \le \exp(-(1 - e^{-\lambda B}) \mu / B)`, then Ville's inequality with :math:`\lambda = y / B`.

    Parameters
    ----------
    y : float
        Positive, chosen before the run.
    total : float or ndarray
        D, a bound of the sum of the X (or that sum).
    largest : float
        B >= 0; with B = 0 every X is zero and so is the bound.
    log_term : float
        :math:`\iota`, the log of the inverse failure probability.
    """
    if largest == 0:
        return np.zeros_like(np.asarray(total, dtype=float))
    return (y * np.asarray(total, dtype=float) + largest * log_term) / -np.expm1(-y)


def best_supermartingale_bound(total: float, largest: float, log_term: float) -> tuple[float, float]:
    r"""Return :math:`\Phi(D, B) = \min_y \varphi_y(D, B)` over a log grid on [1e-8, 50] and the minimising y."""
    if largest == 0:
        return 0.0, 1.0
    values = supermartingale_bound(_GRID, total, largest, log_term)  # type: ignore[arg-type]
    i = int(np.argmin(values))
    return float(values[i]), float(_GRID[i])
