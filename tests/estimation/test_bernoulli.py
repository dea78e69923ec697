"""The Bernoulli intervals against bisection in 60 digits, the uncompiled world, and the inequalities that they promise."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from theoryrl.estimation import bernoulli_deviation, bernoulli_kl, bernstein_radius, hoeffding_radius, kl_lower, kl_upper
from theoryrl.testing.world import world

means = st.floats(0, 1) | st.sampled_from([0.0, 1.0, 0.5, 1e-12, 1 - 1e-12, 5e-324, 1e-300])
log_terms = st.floats(-12, math.log10(50)).map(lambda e: 10.0**e)


def decimal_kl(p: float, q: Decimal) -> Decimal:
    p = Decimal(p)
    out = Decimal(0)
    for a, b in ((p, q), (1 - p, 1 - q)):
        if a > 0:
            out += a * (a / b).ln() if b > 0 else Decimal("Infinity")
    return out


def decimal_upper(p: float, y: float) -> float:
    """Bisect {u >= p: kl(p, u) <= y} in 40 digits."""
    with localcontext() as context:
        context.prec = 40
        low, high = Decimal(p), Decimal(1)
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if decimal_kl(p, middle) <= Decimal(y) else (low, middle)
        return float(high)


@settings(max_examples=100, deadline=None)
@given(means, log_terms)
@example(0.5, 50.0)
@example(1e-3, 1e-12)
@example(1 - 1e-10, 1e-3)
def test_the_ends_solve_the_equation(p: float, y: float) -> None:
    assert kl_upper(p, y) == pytest.approx(decimal_upper(p, y), abs=1e-12 if y < 1e-10 else 1e-14)
    if 1 - (1 - p) == p:  # the mirrored mean is exact
        assert kl_lower(p, y) == pytest.approx(1 - decimal_upper(1 - p, y), abs=1e-12 if y < 1e-10 else 1e-14)


@given(means, st.floats(0, 1e4) | log_terms | st.sampled_from([0.0, math.inf, 5e-324, 1e-300, 1e-20]))
def test_the_ends_are_ordered_and_the_same_interpreted(p: float, y: float) -> None:
    interpreted = world()("theoryrl.estimation")
    low, high = kl_lower(p, y), kl_upper(p, y)
    assert 0 <= low <= p <= high <= 1
    assert (low, high) == (interpreted.kl_lower(p, y), interpreted.kl_upper(p, y))


@given(means, log_terms)
def test_the_ends_grow_with_the_log_term(p: float, y: float) -> None:
    slack = 1e-15
    assert kl_upper(p, y) <= kl_upper(p, 1.01 * y) + slack and kl_lower(p, y) >= kl_lower(p, 1.01 * y) - slack


@pytest.mark.parametrize("y", [0.0, 1e-12, 1e-3, 1.0, 50.0, math.inf])
def test_the_ends_at_zero_and_one(y: float) -> None:
    assert kl_upper(1.0, y) == 1 and kl_lower(0.0, y) == 0
    assert kl_upper(0.0, y) == pytest.approx(-math.expm1(-y), rel=1e-15)
    assert kl_lower(1.0, y) == pytest.approx(math.exp(-y), rel=1e-15, abs=1e-16)


def test_no_evidence_says_nothing_and_no_log_term_says_all() -> None:
    assert (kl_lower(0.3, math.inf), kl_upper(0.3, math.inf)) == (0, 1)
    assert (kl_lower(0.3, 0.0), kl_upper(0.3, 0.0)) == (0.3, 0.3)


@given(means, means)
@example(1e-8, 1.1e-8)
def test_the_divergence_is_accurate(p: float, q: float) -> None:
    with localcontext() as context:
        context.prec = 60
        exact = float(decimal_kl(p, Decimal(q)))
    if q == 1 - (1 - q):
        assert bernoulli_kl(p, q) == pytest.approx(exact, rel=1e-6, abs=1e-16 * (1 + abs(p - q)))
    assert bernoulli_kl(p, q) >= 0 and bernoulli_kl(p, p) == 0


def test_the_divergence_at_the_ends() -> None:
    assert bernoulli_kl(0.0, 0.0) == bernoulli_kl(1.0, 1.0) == 0
    assert bernoulli_kl(0.5, 0.0) == bernoulli_kl(0.5, 1.0) == bernoulli_kl(1.0, 0.0) == bernoulli_kl(0.0, 1.0) == math.inf
    assert bernoulli_kl(0.0, 0.25) == pytest.approx(math.log(4 / 3), rel=1e-15)


@given(means, st.integers(1, 10**6), log_terms)
def test_hoeffding_and_the_papers_constants_contain_the_kl_interval(p: float, n: int, x: float) -> None:
    reach = max(kl_upper(p, x / n) - p, p - kl_lower(p, x / n))
    assert reach <= hoeffding_radius(n, x) + 1e-15
    assert reach <= bernstein_radius(p, n, x, math.sqrt(2), 1.0) + 1e-15 <= bernstein_radius(p, n, x, 2.0, 5.0) + 2e-15


def test_the_radii_are_their_formulas() -> None:
    assert bernstein_radius(0.2, 50, 3.0, 2.0, 5.0) == pytest.approx(2 * math.sqrt(0.16 * 3 / 50) + 5 * 3 / 50)
    assert hoeffding_radius(50, 3.0) == pytest.approx(math.sqrt(0.03))


@given(st.integers(1, 10**6), st.data())
def test_the_deviation_is_the_least_log_term_that_covers(n: int, data: st.DataObject) -> None:
    clicks, q = data.draw(st.integers(0, n)), data.draw(st.floats(1e-6, 1 - 1e-6))
    x = bernoulli_deviation(n, clicks, q)
    assert kl_lower(clicks / n, x / n) - 1e-12 <= q <= kl_upper(clicks / n, x / n) + 1e-12
    if x / n > 1e-6:
        assert not kl_lower(clicks / n, 0.99 * x / n) <= q <= kl_upper(clicks / n, 0.99 * x / n)


def test_without_samples_nothing_deviates() -> None:
    assert bernoulli_deviation(0, 0, 0.3) == 0


def test_few_steps_suffice() -> None:
    """Four Newton steps for almost all inputs, and the limit is out of reach."""
    text = ("theoryrl.estimation.bernoulli", "_MOST_STEPS = 20", "_MOST_STEPS = 8")
    capped = world([text])("theoryrl.estimation")
    for p in np.concatenate([np.linspace(0, 1, 23), 10.0 ** -np.arange(1, 16), 1 - 10.0 ** -np.arange(1, 16)]).tolist():
        for y in np.geomspace(1e-12, 50, 40).tolist():
            assert capped.kl_upper(p, y) == kl_upper(p, y) and capped.kl_lower(p, y) == kl_lower(p, y)
