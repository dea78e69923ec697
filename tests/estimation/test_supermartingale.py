"""The supermartingale bound: a bound of the mean sum, valid at every y, and its best y."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from theoryrl.estimation.supermartingale import best_supermartingale_bound, supermartingale_bound
from theoryrl.proofs import statistics

positive = st.floats(1e-3, 1e6)


@given(st.floats(1e-8, 50), st.floats(0, 1e6), positive, positive)
def test_the_formula(y: float, total: float, largest: float, log_term: float) -> None:
    exact = (y * total + largest * log_term) / (1 - math.exp(-y)) if y > 1e-3 else (total + largest * log_term / y) * (1 + y / 2)
    assert supermartingale_bound(y, total, largest, log_term) == pytest.approx(exact, rel=1e-6)
    assert supermartingale_bound(y, total, largest, log_term) >= total


@given(positive, positive, st.floats(0.1, 30))
def test_the_best_y_is_the_minimum(total: float, largest: float, log_term: float) -> None:
    value, y = best_supermartingale_bound(total, largest, log_term)
    assert value == supermartingale_bound(y, total, largest, log_term)
    best = minimize_scalar(lambda t: supermartingale_bound(math.exp(t), total, largest, log_term), bounds=(math.log(1e-8), math.log(50)), method="bounded")
    assert value <= best.fun * (1 + 1e-5)
    assert value <= total + largest * log_term + 2 * math.sqrt(total * largest * log_term) * (1 + 1e-3) + largest * log_term, "of Bernstein's order"


def test_variables_that_vanish_are_bounded_by_zero() -> None:
    assert best_supermartingale_bound(0.0, 0.0, 3.0)[0] == 0
    np.testing.assert_array_equal(supermartingale_bound(1.0, np.array([0.0, 0.0]), 0.0, 3.0), np.zeros(2))


def test_totals_may_be_curves() -> None:
    totals = np.array([0.0, 1.0, 10.0])
    np.testing.assert_array_equal(supermartingale_bound(0.5, totals, 2.0, 3.0), [supermartingale_bound(0.5, t, 2.0, 3.0) for t in totals])


def test_the_inequality_holds_at_all_times_at_once() -> None:
    """Bernoulli sums that adapt to their past: sum of means > bound at some k on at most a share e^-iota of the paths."""
    rng, paths, log_term, y = np.random.default_rng(0), 2000, 2.0, 0.7
    total, means, failed = np.zeros(paths), np.zeros(paths), np.zeros(paths, dtype=bool)
    for _ in range(200):
        mean = np.where(total > means, 0.9, 0.1)
        total += 3 * (rng.random(paths) < mean / 3)
        means += mean
        failed |= means > supermartingale_bound(y, total, 3.0, log_term)
    assert failed.any() and not statistics.too_many_failures(int(failed.sum()), paths, math.exp(-log_term))
    assert statistics.too_many_failures(paths // 4, paths, math.exp(-log_term)), "a quarter would be seen"
