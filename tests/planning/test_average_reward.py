"""Optimal gains and biases: against all deterministic policies, closed forms, and the optimality equation."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from theoryrl.planning.average_reward import average_reward
from theoryrl.planning.shortest_path import diameter


def best_gain(P: np.ndarray, r: np.ndarray) -> float:
    """The largest gain over all deterministic policies and start states, from Cesaro limits of the lazy chain."""
    S, A = r.shape
    best = -np.inf
    for policy in itertools.product(range(A), repeat=S):
        rows = np.arange(S)
        lazy = 0.5 * P[rows, list(policy)] + 0.5 * np.eye(S)
        for _ in range(60):
            lazy = lazy @ lazy
            lazy /= lazy.sum(axis=1, keepdims=True)
        best = max(best, float((lazy @ r[rows, list(policy)]).max()))
    return best


def communicating(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Sparse laws, most of them deterministic, with a cycle: optimal policies have several recurrent classes now and then."""
    S, A = int(rng.integers(1, 6)), int(rng.integers(1, 4))
    P = np.zeros((S, A, S))
    for s, a in np.ndindex(S, A):
        to = rng.permutation(S)[: rng.integers(1, min(S, 2) + 1)]
        P[s, a, to] = rng.dirichlet(np.ones(len(to)))
    P[np.arange(S), rng.integers(0, A, S)] = np.roll(np.eye(S), 1, axis=1)
    return P, rng.integers(0, 3, (S, A)) / 2


def test_against_all_policies() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        P, r = communicating(rng)
        (D, _), rows = diameter(P), np.arange(len(P))
        gain, bias, policy = average_reward(P, r)
        assert abs(gain - best_gain(P, r)) <= 1e-9
        Q = r + P @ bias
        tolerance = 1e-12 * (1 + D)
        assert np.abs(gain + bias - Q.max(axis=1)).max() <= tolerance and np.abs(Q[rows, policy] - Q.max(axis=1)).max() <= tolerance
        assert bias.min() == 0 and bias.max() <= D * np.ptp(r) + tolerance
        worst = -average_reward(P, -r).gain
        assert worst <= gain + tolerance and abs(worst + best_gain(P, -r)) <= 1e-9


def test_larger_dense_and_sparse_models_solve_the_optimality_equation() -> None:
    rng = np.random.default_rng(1)
    for S, A in ((40, 5), (100, 3)):
        for dense in (True, False):
            P = rng.dirichlet(np.full(S, 1.0 if dense else 0.02), (S, A))
            P[:, 0] = 0.9 * np.roll(np.eye(S), 1, axis=1) + 0.1 * P[:, 0]
            P /= P.sum(axis=-1, keepdims=True)
            r = rng.random((S, A))
            gain, bias, policy = average_reward(P, r)
            assert np.abs(gain + bias - (r + P @ bias).max(axis=1)).max() <= 1e-11 * (1 + bias.max())


def test_rewards_shift_and_scale() -> None:
    P, r = communicating(np.random.default_rng(5))
    gain, bias, _ = average_reward(P, r)
    shifted = average_reward(P, 3 * r - 7)
    assert shifted.gain == pytest.approx(3 * gain - 7, rel=1e-12) and shifted.bias == pytest.approx(3 * bias, abs=1e-12)


def test_a_policy_with_two_classes_is_led_to_the_better_one() -> None:
    """Staying is allowed in both states, moving costs nothing: state 1 pays .6, state 0 pays .5, and a first policy that stays has two classes."""
    P = np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]]], dtype=float)
    gain, bias, policy = average_reward(P, np.array([[0.5, 0], [0.6, 0]]))
    assert (gain, policy.tolist()) == (0.6, [1, 0]) and bias.tolist() == pytest.approx([0, 0.6])


@pytest.mark.parametrize(
    ("P", "r", "message"),
    [
        (np.eye(2)[:, None], np.zeros((2, 1)), "P: the MDP is not communicating: from state 1 no policy reaches state 0"),
        (np.ones((1, 1, 1)), np.zeros((2, 1)), "r: "),
        (np.ones((1, 1, 1)) / 2, np.zeros((1, 1)), r"P\[0, 0\]: expected a row that sums to one"),
        (np.ones((1, 1, 1)), np.array([[np.nan]]), r"r\[0, 0\]: .*got nan"),
    ],
)
def test_bad_input_is_named(P: Any, r: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        average_reward(P, r)
