"""Deviations of transition rows: the log term at which the good event's inequality turns into an equality."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theoryrl.estimation import bernstein_deviation, entry_deviation, hoeffding_deviation, l1_deviation, l1_radius
from theoryrl.estimation.transitions import bernstein_interval, entry_variance_deviation
from theoryrl.testing.world import world


@st.composite
def samples(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts, a true row and a function of the next state."""
    S = draw(st.integers(1, 5))
    counts = draw(st.lists(st.integers(0, 1000), min_size=S, max_size=S).filter(any))
    weights = draw(st.lists(st.integers(0, 10), min_size=S, max_size=S).filter(any))
    values = draw(st.lists(st.integers(0, 12), min_size=S, max_size=S))
    return np.array(counts), np.array(weights) / sum(weights), np.array(values) / 4


@given(samples())
def test_the_l1_deviation_closes_weissmans_inequality(sample: tuple[np.ndarray, ...]) -> None:
    counts, p, _ = sample
    n = int(counts.sum())
    x = l1_deviation(n, counts, p)
    distance = np.abs(counts / n - p).sum()
    assert distance == pytest.approx(2 * l1_radius(n, len(p) * math.log(2) + x), rel=1e-9, abs=1e-7)
    assert x == world()("theoryrl.estimation").l1_deviation(n, counts, p)


@given(samples(), st.floats(0, 5))
def test_the_bernstein_deviation_closes_its_inequality(sample: tuple[np.ndarray, ...], span: float) -> None:
    counts, p, V = sample
    n = int(counts.sum())
    x = bernstein_deviation(n, counts, p, V, span)
    estimate = counts / n
    error = abs((estimate - p) @ V)
    variance = estimate @ (V - estimate @ V) ** 2
    if math.isinf(x):
        assert span == 0 and variance == 0 and error > 0
    elif variance > 1e-12 or span > 1e-3:
        assert math.sqrt(2 * variance * x / n) + 3 * span * x / n == pytest.approx(error, rel=1e-9, abs=1e-14)
    assert x == world()("theoryrl.estimation").bernstein_deviation(n, counts, p, V, span)


def test_a_true_row_does_not_deviate() -> None:
    counts, p = np.array([1, 3]), np.array([0.25, 0.75])
    assert l1_deviation(4, counts, p) == -2 * math.log(2)
    assert bernstein_deviation(4, counts, p, np.array([0.0, 1.0]), 1.0) == 0


def test_without_samples_nothing_deviates() -> None:
    none, p, V = np.zeros(3, dtype=np.int64), np.full(3, 1 / 3), np.arange(3.0)
    assert l1_deviation(0, none, p) == -3 * math.log(2) and bernstein_deviation(0, none, p, V, 2.0) == 0


def test_a_constant_estimate_leaves_only_the_span() -> None:
    counts, p, V = np.array([10, 0]), np.array([0.5, 0.5]), np.array([1.0, 0.0])
    assert bernstein_deviation(10, counts, p, V, 1.0) == pytest.approx(0.5 * 10 / 3)
    assert bernstein_deviation(10, counts, p, V, 0.0) == math.inf


def test_strided_rows_and_counts_are_read_as_they_are() -> None:
    """Transition arrays are stored next-state-first: a row is a column there."""
    counts, p, V = np.array([3, 2, 5]), np.array([0.2, 0.3, 0.5]), np.array([0.0, 1.0, 2.0])
    table, law = np.zeros((3, 4), dtype=np.int64), np.zeros((3, 4))
    table[:, 2], law[:, 2] = counts, p
    assert l1_deviation(10, table[:, 2], law[:, 2]) == l1_deviation(10, counts, p)
    assert bernstein_deviation(10, table[:, 2], law[:, 2], V, 2.0) == bernstein_deviation(10, counts, p, V, 2.0)


@given(samples(), st.floats(0.1, 5))
def test_the_hoeffding_deviation_closes_its_inequality(sample: tuple[np.ndarray, ...], span: float) -> None:
    counts, p, V = sample
    n = int(counts.sum())
    x = hoeffding_deviation(n, p - counts / n, V, span)
    error = float((p - counts / n) @ V)
    assert span * math.sqrt(x / (2 * n)) == pytest.approx(max(error, 0.0), rel=1e-9, abs=1e-14)
    assert x == world()("theoryrl.estimation").hoeffding_deviation(n, p - counts / n, V, span)


def test_the_hoeffding_deviation_is_one_sided() -> None:
    V = np.array([1.0, 0.0])
    assert hoeffding_deviation(10, np.array([-0.5, 0.5]), V, 1.0) == 0
    assert hoeffding_deviation(10, np.array([0.5, -0.5]), V, 1.0) == 5
    assert hoeffding_deviation(10, np.array([0.5, -0.5]), V, 0.0) == math.inf


@given(samples())
def test_the_entry_deviation_closes_its_inequality(sample: tuple[np.ndarray, ...]) -> None:
    counts, p, _ = sample
    n = int(counts.sum())
    x = entry_deviation(n, counts, p)
    slack = np.sqrt(2 * p * x / n) + x / (3 * n) - np.abs(counts / n - p)
    assert slack.min() == pytest.approx(0.0, abs=1e-12)
    assert x == world()("theoryrl.estimation").entry_deviation(n, counts, p)


def test_an_entry_that_cannot_come_does_not_deviate() -> None:
    assert entry_deviation(4, np.array([4, 0]), np.array([1.0, 0.0])) == 0
    assert entry_deviation(0, np.zeros(2, dtype=np.int64), np.array([0.5, 0.5])) == 0


@given(samples())
def test_the_entry_variance_deviation_closes_its_inequality(sample: tuple[np.ndarray, ...]) -> None:
    counts, p, _ = sample
    n = int(counts.sum())
    x = entry_variance_deviation(n, counts, p)
    slack = np.sqrt(2 * p * (1 - p) * x / n) + x / (3 * n) - np.abs(counts / n - p)
    assert slack.min() == pytest.approx(0.0, abs=1e-12)
    assert x >= entry_deviation(n, counts, p) * (1 - 1e-12)
    assert x == world()("theoryrl.estimation.transitions").entry_variance_deviation(n, counts, p)


@given(samples(), st.floats(0.01, 20))
def test_the_entry_variance_deviation_says_what_is_in_a_bernstein_box(sample: tuple[np.ndarray, ...], constant: float) -> None:
    counts, p, _ = sample
    n = int(counts.sum())
    x = entry_variance_deviation(n, counts, p)
    ends = np.array([bernstein_interval(share, constant / n) for share in counts / n])
    outside = max((ends[:, 0] - p).max(), (p - ends[:, 1]).max())
    if abs(x - constant) > 1e-9 * (1 + constant):
        assert (outside <= 1e-15) == (x <= constant)


def test_a_sure_entry_deviates_only_by_what_never_comes() -> None:
    assert entry_variance_deviation(4, np.array([4, 0]), np.array([1.0, 0.0])) == 0
    assert entry_variance_deviation(0, np.zeros(2, dtype=np.int64), np.array([0.5, 0.5])) == 0
    assert entry_variance_deviation(4, np.array([3, 1]), np.array([1.0, 0.0])) == pytest.approx(3)
