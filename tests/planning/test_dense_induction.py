"""The reassociated sweep over a dense problem: what the exact kernel finds, to round-off."""

from __future__ import annotations

import numpy as np
import pytest

from envs_synthetic.baselines import dirichlet_prior, river_swim
from envs_synthetic.mex import garnet, random_mdp
from theoryrl.planning.episodic import dense_backward_induction
from theoryrl.problems import EpisodicMDP


@pytest.mark.parametrize(
    "problem", [river_swim(), random_mdp(5, 7, 3), garnet(9, 20, 4, 3), random_mdp(1, 1, 1), dirichlet_prior(40, 5, 30)(0)], ids=lambda problem: problem.name
)
def test_the_sweep_agrees_with_the_exact_kernel(problem: EpisodicMDP) -> None:
    H, S, A = problem.horizon, problem.n_states, problem.n_actions
    V, policy = np.full((H + 1, S), np.nan), np.full((H, S), -1)
    dense_backward_induction(problem.transition.reshape(-1, S * A, S), problem.reward_rows, V, policy)
    assert np.abs(V - problem.optimal_values).max() <= 4 * np.finfo(float).eps * S * H * (H + 1)
    assert np.abs(problem.policy_values(policy) - problem.optimal_values).max() <= 4 * np.finfo(float).eps * S * H * (H + 1)
