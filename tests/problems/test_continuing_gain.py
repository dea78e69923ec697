"""What a continuing MDP knows of average reward, and the law from which a run draws next state and reward at once."""

from __future__ import annotations

import numpy as np
import pytest

from theoryrl.problems import ContinuingMDP


@pytest.mark.parametrize("deterministic", [False, True])
def test_outcomes_are_the_joint_law(deterministic: bool) -> None:
    rng = np.random.default_rng(0)
    for S, A in ((1, 1), (3, 2), (5, 3)):
        P = rng.dirichlet(np.ones(S), (S, A)) * (rng.random((S, A, S)) < 0.7)
        P[..., 0] += P.sum(axis=-1) == 0
        P /= P.sum(axis=-1, keepdims=True)
        mean = rng.integers(0, 4, (S, A)) / 3
        cumulative, following, reward = ContinuingMDP(P, mean, deterministic=deterministic).outcomes
        for row in range(S * A):
            s, a = divmod(row, A)
            last = int(np.argmax(cumulative[row] == 2))
            chances = np.diff(np.append(0, np.append(cumulative[row, :last], 1)))
            assert (chances > 0).all() and (np.diff(chances) <= 1e-15).all()
            total, paid = np.zeros(S), np.zeros(S)
            np.add.at(total, following[row, : last + 1], chances)
            np.add.at(paid, following[row, : last + 1], chances * reward[row, : last + 1])
            assert np.abs(total - P[s, a]).max() < 1e-14 and np.abs(paid - P[s, a] * mean[s, a]).max() < 1e-14
            assert deterministic or set(reward[row]) <= {0.0, 1.0}


def test_gains() -> None:
    switch = ContinuingMDP(np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]]]), np.array([[0.2, 0], [0.7, 0.1]]))
    assert (switch.optimal_gain, switch.worst_gain) == (0.7, pytest.approx(0.05, abs=1e-15)) and switch.gain_policy.tolist() == [1, 0]
    assert switch.optimal_bias == pytest.approx([0, 0.7]) and switch.bias_span == pytest.approx(0.7) and switch.diameter == 1
    assert ContinuingMDP(np.ones((2, 1, 2)) / 2).optimal_gain == 0


def test_an_mdp_that_does_not_communicate_has_no_single_gain() -> None:
    trap = ContinuingMDP(np.array([[[0.5, 0.5]], [[0, 1]]]), np.array([[1], [0]]))
    for name in ("optimal_gain", "worst_gain", "bias_span"):
        with pytest.raises(ValueError, match="from state 1 no policy surely reaches state 0"):
            getattr(trap, name)
