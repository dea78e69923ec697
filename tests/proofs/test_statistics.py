"""Exact tests: against scipy.stats, and the sample sizes that the design promises."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from theoryrl.proofs import statistics


@given(st.integers(1, 300), st.floats(0.001, 0.999), st.data())
def test_the_binomial_tail_is_exact(n: int, p: float, data: st.DataObject) -> None:
    failures = data.draw(st.integers(0, n))
    assert statistics.binomial_tail(failures, n, p) == pytest.approx(stats.binom.sf(failures - 1, n, p), rel=1e-9, abs=1e-300)


def test_the_tail_at_the_ends() -> None:
    assert statistics.binomial_tail(0, 10, 0.5) == 1 and statistics.binomial_tail(10, 10, 0.5) == pytest.approx(2.0**-10)
    assert statistics.binomial_tail(1, 10, 0.0) == 0 and statistics.binomial_tail(3, 10, 1.0) == 1


def test_failures_are_rejected_at_the_level_and_counted() -> None:
    before = statistics.performed
    assert statistics.too_many_failures(7, 7, 0.05) and not statistics.too_many_failures(6, 6, 0.05)
    assert statistics.too_many_failures(21, 84, 0.05) and not statistics.too_many_failures(20, 84, 0.05)
    assert not statistics.too_many_failures(0, 1, 0.0) and statistics.too_many_failures(1, 1, 0.0)
    assert statistics.performed == before + 6 and statistics.LEVEL == 1e-9


def test_the_designed_sample_sizes() -> None:
    assert statistics.seeds_to_reject(0.05) == 7
    assert statistics.seeds_to_reject(0.05, 0.5) == 84


@pytest.mark.parametrize(("p", "rate"), [(0.05, 1.0), (0.05, 0.5), (0.01, 0.3), (0.2, 0.9)])
def test_the_sample_size_is_the_least_that_sees_the_rate(p: float, rate: float) -> None:
    def miss(n: int) -> float:
        critical = next((r for r in range(n + 1) if stats.binom.sf(r - 1, n, p) < 1e-9), None)
        return 1.0 if critical is None else stats.binom.cdf(critical - 1, n, rate)

    n = statistics.seeds_to_reject(p, rate)
    assert miss(n) <= 1e-6 and all(miss(m) > 1e-6 for m in range(1, n))


def test_the_failure_rate_that_clean_seeds_leave_open() -> None:
    assert statistics.failure_rate_bound(0, 20) == pytest.approx(0.139, abs=5e-4)
    assert statistics.failure_rate_bound(20, 20) == 1
    for failures, n in ((0, 7), (3, 50), (199, 200)):
        assert statistics.failure_rate_bound(failures, n) == pytest.approx(stats.beta.ppf(0.95, failures + 1, n - failures), rel=1e-9)


@given(st.floats(0, 1), st.floats(0.01, 0.99))
def test_kl_is_the_relative_entropy(p: float, q: float) -> None:
    assert statistics.kl(p, q) == pytest.approx(stats.entropy([p, 1 - p], [q, 1 - q]), rel=1e-6, abs=1e-12)


def test_means_are_tested_in_the_kl_form_of_hoeffding() -> None:
    """The rejection region is where exp(-n kl) falls below the level."""
    n = statistics.seeds_to_see_mean(0.8, 0.5, 0.0, 1.0)
    assert math.exp(-n * statistics.kl(0.8, 0.5)) <= 1e-9 < math.exp(-(n - 1) * statistics.kl(0.8, 0.5))
    assert statistics.mean_exceeds([0.8] * (n + 1), 0.5, 0, 1) and not statistics.mean_exceeds([0.8] * (n - 1), 0.5, 0, 1)
    assert not statistics.mean_exceeds([0.2] * 1000, 0.5, 0, 1), "a small mean is fine"


def test_means_are_scaled_to_their_range() -> None:
    values = np.full(300, 6.0)
    assert statistics.mean_exceeds(values, 2.0, -10, 10) == statistics.mean_exceeds((values + 10) / 20, 0.6, 0, 1) is True
    assert statistics.mean_exceeds(values, 2.0, -1000, 1000) is False


def test_a_limit_outside_the_range_needs_no_seeds() -> None:
    assert statistics.mean_exceeds([0.5], -1.0, 0, 1) is True
    assert statistics.mean_exceeds([0.5], 2.0, 0, 1) is False
    assert statistics.mean_exceeds([0.1], 0.0, 0, 1) is True, "a positive value cannot have mean zero"
    assert statistics.mean_exceeds([0.0], 0.0, 0, 0) is False, "a range of one point"


def test_students_interval_is_scipys() -> None:
    values = np.random.default_rng(0).normal(size=12)
    low, high = statistics.student_interval(values, 0.05)
    expected = stats.t.interval(0.95, 11, loc=values.mean(), scale=stats.sem(values))
    assert (low, high) == pytest.approx(expected, rel=1e-9)
    assert statistics.student_interval([1.0]) == (-math.inf, math.inf)
    low, high = statistics.student_interval(values[:10])
    assert (high - low) / 2 / values[:10].std(ddof=1) == pytest.approx(8.1, abs=0.05), "the design's eight standard deviations"


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_growth_exponents_of_powers(power: float) -> None:
    k = np.array([1, 10, 20, 50, 100, 300, 1000])
    curves = np.stack([k**power, 7 * k**power])
    np.testing.assert_allclose(statistics.growth_exponents(k, curves), power, atol=1e-12, rtol=0)


def test_growth_looks_at_the_last_decade_only() -> None:
    k = np.array([1, 10, 100, 300, 1000])
    assert statistics.growth_exponents(k, np.array([[5.0, 1.0, 100, 300, 1000]]))[0] == pytest.approx(1)
    assert statistics.growth_exponents(k, np.zeros((1, 5)))[0] == pytest.approx(0, abs=1e-9)
    assert np.isnan(statistics.growth_exponents(k[-1:], np.ones((1, 1)))[0])


def test_growth_is_rejected_only_beyond_doubt() -> None:
    slopes = 1 + 0.01 * np.array([-1.0, 1, -1, 1, -1, 1, -1, 1, -1, 1])
    assert statistics.grows_faster(slopes, 0.6) and not statistics.grows_faster(slopes, 0.99) and not statistics.grows_faster(slopes[:1], 0.6)
    n = statistics.seeds_to_see_growth(0.4, 0.05)
    assert -stats.t.ppf(0.5e-9, n - 1) * 0.05 / math.sqrt(n) < 0.4 <= -stats.t.ppf(0.5e-9, n - 2) * 0.05 / math.sqrt(n - 1)
