"""Planning in a known cascading MDP: against definitions, exactly, and the same bits interpreted and compiled."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from envs_synthetic.cascading import random_cascade
from theoryrl.planning import arrays, cascade
from theoryrl.testing.world import world


def evaluated(problem: Any, lists: np.ndarray) -> np.ndarray:
    V = np.full((problem.horizon + 1, problem.n_states), np.nan)
    lengths = np.sum(lists >= 0, axis=-1)
    cascade.policy_values(lists, lengths, problem.attraction, problem.transition, problem.reward, V)
    return V


def test_optimal_and_worst_policies_have_their_values() -> None:
    problem = random_cascade(4, 6, list_length=3, horizon=4, seed=1)
    assert np.allclose(evaluated(problem, problem.optimal_lists), problem.optimal_values, rtol=0, atol=1e-13)
    assert np.all(problem.worst_values <= problem.optimal_values)
    rng = np.random.default_rng(0)
    for _ in range(20):
        lists = np.array([[rng.permutation(6)[:3] for _ in range(4)] for _ in range(4)])
        lists[:, :, 2][rng.random((4, 4)) < 0.5] = -1
        V = evaluated(problem, lists)
        assert np.all(problem.worst_values - 1e-13 <= V)
        assert np.all(problem.optimal_values + 1e-13 >= V)


def test_policy_value_by_definition() -> None:
    problem = random_cascade(3, 4, list_length=2, horizon=2, seed=2)
    lists = np.array([[[0, 3], [1, -1], [2, 0]], [[3, 1], [2, -1], [0, -1]]])
    q, P, r = problem.attraction, problem.transition, problem.reward
    V = np.zeros((3, 3))
    for h in (1, 0):
        for s in range(3):
            examined = 1.0
            for a in [a for a in lists[h, s] if a >= 0]:
                V[h, s] += examined * q[s, a] * (r[s, a] + P[s, a] @ V[h + 1])
                examined *= 1 - q[s, a]
            V[h, s] += examined * (r[s, 4] + P[s, 4] @ V[h + 1])
    assert np.allclose(evaluated(problem, lists), V, rtol=0, atol=1e-14)


def test_flatten_gives_distributions_in_the_order_of_the_lists() -> None:
    problem = random_cascade(3, 3, list_length=2, seed=3)
    lists, P_A, R_A = cascade.flatten(problem.attraction, problem.transition, problem.reward, 2, allow_empty=True)
    assert lists.shape == (10, 2)
    assert P_A.shape == (3, 10, 3)
    assert np.allclose(P_A.sum(axis=-1), 1, rtol=0, atol=1e-14)
    assert np.array_equal(P_A[:, 0], problem.transition[:, 3])
    q, r = problem.attraction[1], problem.reward[1]
    assert lists[7].tolist() == [1, 2]
    assert np.isclose(R_A[1, 7], q[1] * r[1] + (1 - q[1]) * q[2] * r[2], rtol=0, atol=1e-15)


def test_expectation_is_summed_in_order() -> None:
    problem = random_cascade(7, 2, seed=4)
    V, out = np.random.default_rng(0).random(7), np.full(21, np.nan)
    arrays.expectation(np.ascontiguousarray(problem.transition.reshape(21, 7).T), V, out)
    slow = np.zeros(21)
    for s2 in range(7):
        slow += problem.transition.reshape(21, 7)[:, s2] * V[s2]
    assert np.array_equal(out, slow)


def test_the_same_bits_interpreted() -> None:
    twin = world()("envs_synthetic.cascading").random_cascade(3, 5, 2, 3, 7)
    problem = random_cascade(3, 5, 2, 3, 7)
    assert np.array_equal(problem.optimal_values, twin.optimal_values)
    assert np.array_equal(problem.worst_values, twin.worst_values)
    assert np.array_equal(problem.optimal_lists, twin.optimal_lists)


def test_exactly() -> None:
    """hidden_gem(2, 1, 2) on fractions: V* = 351/200, worst 189/800."""
    exact = world()
    as_fractions = np.vectorize(Fraction, otypes=[object])
    attraction = np.array([[Fraction(3, 20), Fraction(9, 10)]] * 2, dtype=object)
    transition = as_fractions(np.array([[[1, 0], [1, 0], [0, 1]]] * 2))
    reward = np.array([[Fraction(1), Fraction(1), Fraction(0)], [Fraction(1, 2), Fraction(1, 2), Fraction(0)]], dtype=object)
    problem = exact("theoryrl.problems").CascadingMDP(attraction, transition, reward, 2, 1)
    assert problem.optimal_value == Fraction(351, 200)
    assert problem.worst_value == Fraction(189, 800)
    _, P_A, R_A = exact("theoryrl.planning.cascade").flatten(attraction, transition, reward, 1)
    assert P_A[0, 0].tolist() == [Fraction(3, 20), Fraction(17, 20)]
    assert R_A[1].tolist() == [Fraction(3, 40), Fraction(9, 20)]
