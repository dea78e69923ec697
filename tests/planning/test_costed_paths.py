"""Costed shortest paths and discounted values: enumeration of policies, closed forms, named errors."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from theoryrl.planning.discounted import discounted, discounted_policy_values
from theoryrl.planning.shortest_path import hitting_times, policy_costs, shortest_path


def random_models(count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)
    for _ in range(count):
        S, A = int(rng.integers(1, 5)), int(rng.integers(1, 4))
        P = rng.dirichlet(np.full(S, 0.5), (S, A)) * (rng.random((S, A, S)) < 0.5)
        P[..., 0] += P.sum(axis=-1) == 0
        yield P / P.sum(axis=-1, keepdims=True), rng.uniform(0.05, 1, (S, A))


def test_the_least_costs_are_those_of_the_best_policy() -> None:
    for P, costs in random_models(80):
        S, A = P.shape[:2]
        for goal in range(S):
            every = [policy_costs(P, costs, policy, goal) for policy in itertools.product(range(A), repeat=S)]
            values, policy = shortest_path(P, costs, goal)
            assert values == pytest.approx(np.min(every, axis=0), rel=1e-10)
            kept = policy_costs(P, costs, policy, goal)
            assert kept[np.isfinite(values)] == pytest.approx(values[np.isfinite(values)], rel=1e-12)
            assert np.array_equal(shortest_path(P, np.ones((S, A)), goal).values, hitting_times(P)[:, goal])


def test_costs_of_a_policy_by_hand() -> None:
    P = np.array([[[0.5, 0.5, 0], [0, 0, 1.0]], [[0, 1.0, 0], [0, 1.0, 0]], [[0.5, 0, 0.5], [0, 0, 1.0]]])
    costs = np.array([[1.0, 7], [9, 9], [2, 2]])
    assert policy_costs(P, costs, [0, 0, 0], 1).tolist() == [2, 0, 6]
    assert policy_costs(P, costs, [1, 0, 1], 1).tolist() == [math.inf, 0, math.inf]
    assert policy_costs(P, np.zeros((3, 2)), [0, 0, 0], 1).tolist() == [0, 0, 0]


def test_discounted_values_are_those_of_the_best_policy() -> None:
    for P, r in random_models(60):
        S, A = P.shape[:2]
        for gamma in (0.1, 0.9, 0.999):
            every = [discounted_policy_values(P, r, gamma, policy) for policy in itertools.product(range(A), repeat=S)]
            values, policy = discounted(P, r, gamma)
            assert values == pytest.approx(np.max(every, axis=0), rel=1e-10)
            assert discounted_policy_values(P, r, gamma, policy) == pytest.approx(values, rel=1e-10)


GOOD = np.full((2, 1, 2), 0.5)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: shortest_path(GOOD, [[0.0], [1]], 1), ValueError, r"costs\[0, 0\]: expected a number above 0, got 0.0"),
        (lambda: shortest_path(GOOD, np.ones((2, 2)), 1), ValueError, "costs: expected shape"),
        (lambda: shortest_path(GOOD, np.ones((2, 1)), 2), ValueError, "goal: expected an integer in"),
        (lambda: shortest_path(GOOD[:, :, :1], np.ones((2, 1)), 0), ValueError, "P"),
        (lambda: policy_costs(GOOD, -np.ones((2, 1)), [0, 0], 0), ValueError, r"costs\[0, 0\]: expected \[0, inf\], got -1"),
        (lambda: policy_costs(GOOD, np.ones((2, 1)), [0, 1], 0), ValueError, r"policy\[1\]"),
        (lambda: discounted(GOOD, np.ones((2, 1)), 1.0), ValueError, r"gamma: expected a number in \(0, 1\)"),
        (lambda: discounted(GOOD, "r", 0.5), TypeError, "r: expected an array of real numbers"),
    ],
)
def test_bad_arguments_are_named(call: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        call()
