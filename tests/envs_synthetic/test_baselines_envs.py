"""The environments that several papers share: the constants that they were built to have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from envs_synthetic import baselines
from envs_synthetic.baselines import cycle, cycle_continuing, dirichlet_prior, river_swim, river_swim_continuing, two_state, two_state_continuing
from theoryrl.problems import EpisodicMDP


@pytest.mark.parametrize(("preset", "left_end", "diameter"), [("mex", [0.4, 0.6], 14.722), ("gosprl", [0.65, 0.35], 16.111)])
def test_river_swim(preset: str, left_end: list[float], diameter: float) -> None:
    problem = river_swim(6, 20, preset)
    swim = problem.transition[:, 1]
    assert swim[0].tolist() == [*left_end, 0, 0, 0, 0] and swim[5].tolist() == [0, 0, 0, 0, 0.4, 0.6]
    assert all(swim[s, s - 1 : s + 2].tolist() == [0.05, 0.6, 0.35] for s in range(1, 5))
    assert problem.transition[:, 0].argmax(axis=1).tolist() == [0, 0, 1, 2, 3, 4]
    assert [tuple(pair) for pair in np.argwhere(problem.reward)] == [(0, 0), (5, 1)] and (problem.reward[0, 0], problem.reward[5, 1]) == (0.005, 1)
    assert problem.diameter == pytest.approx(diameter, abs=5e-4)
    assert (problem.support, problem.stationary, problem.worst_value, problem.value_caps[0]) == (3, True, 0, 20)


def test_river_swim_values() -> None:
    assert river_swim().optimal_value == pytest.approx(3.3973, abs=5e-5)
    V = river_swim(horizon=3000).optimal_values[:, 0]
    assert V[0] - V[1] == pytest.approx(0.4286, abs=5e-5)  # the gain
    assert river_swim(2, 4).support == 2


@pytest.mark.parametrize("horizon", [1, 3, 20])
def test_two_state(horizon: int) -> None:
    problem = two_state(horizon)
    assert problem.diameter == pytest.approx(10 / 9, rel=1e-14)
    assert problem.optimal_value == pytest.approx(1 + 0.9 * (horizon - 1)) and problem.worst_value == pytest.approx(1 + 0.1 * (horizon - 1))
    assert np.all(problem.optimal_policy[:-1] == 1)


@pytest.mark.parametrize("S", [1, 2, 8])
def test_cycle(S: int) -> None:
    problem = cycle(S, 2 * S)
    assert problem.diameter == S - 1 and problem.support == 1
    assert problem.optimal_value == problem.worst_value == 2  # once in S steps
    assert problem.optimal_values[S:-1, 0].tolist() == [1.0] * S


def test_dirichlet_prior() -> None:
    prior = dirichlet_prior(3, 2, 3)
    problems = [prior(seed) for seed in range(2000)]
    first = problems[0]
    assert (first.transition.shape, first.horizon, first.start, first.prior) == ((3, 2, 3), 3, 0, 1)
    assert first.reward.ravel().tolist() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    rows = np.array([problem.transition for problem in problems])
    assert np.abs(rows.mean(axis=0) - 1 / 3).max() < 6 * np.sqrt(1 / 18 / 2000)  # Dirichlet(1, 1, 1): means 1/3, variances 1/18
    assert np.abs(rows.var(axis=0) - 1 / 18).max() < 0.01
    assert prior(7) == prior(7) and prior(7) != prior(8)


def test_a_prior_and_a_run_with_the_same_seed_draw_from_different_streams() -> None:
    """Posterior sampling that began with the prior's own draw would start from the true model."""
    for seed in range(5):
        of_run = np.random.default_rng(seed).dirichlet(np.ones(3), (3, 2))
        assert not np.isclose(dirichlet_prior(3, 2, 3)(seed).transition, of_run).any()


def test_dirichlet_prior_per_stage() -> None:
    problem = dirichlet_prior(2, 2, 4, concentration=0.5, per_stage=True)(0)
    assert problem.transition.shape == (4, 2, 2, 2) and problem.prior == 0.5 and not problem.stationary
    assert dirichlet_prior(1, 1, 1)(0).reward.tolist() == [[0]]


@pytest.mark.parametrize("made", [river_swim(4, 5, "gosprl"), two_state(), cycle(3, 4), dirichlet_prior(), dirichlet_prior(2, 2, 2)(5)], ids=str)
def test_the_name_makes_it_again(made: Any) -> None:
    assert eval(repr(made), vars(baselines)) == made


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: river_swim(1), ValueError, r"S: expected an integer in \[2, inf\], got 1"),
        (lambda: river_swim(6, 20, "paper"), ValueError, "preset: expected one of 'mex', 'gosprl', got 'paper'"),
        (lambda: river_swim(horizon=0), ValueError, "horizon: .*got 0"),
        (lambda: cycle(0), ValueError, "S: .*got 0"),
        (lambda: dirichlet_prior(2, 0, 2), ValueError, "A: .*got 0"),
        (lambda: dirichlet_prior(concentration=0), ValueError, r"concentration: expected a number in \(0, inf\), got 0"),
        (lambda: dirichlet_prior(per_stage="yes"), TypeError, "per_stage: expected True or False, got 'yes'"),  # type: ignore[arg-type]
        (lambda: dirichlet_prior()(-1), ValueError, "seed: .*got -1"),
    ],
)
def test_bad_arguments(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_all_instances_are_episodic() -> None:
    for problem in (river_swim(), two_state(), cycle(), dirichlet_prior()(0)):
        assert isinstance(problem, EpisodicMDP)


def test_continuing_instances() -> None:
    """The same laws and rewards without resets; gains and diameters of the specs."""
    for preset, gain in (("mex", 0.4286), ("gosprl", 0.4286)):
        river, episodic = river_swim_continuing(6, preset), river_swim(6, 20, preset)
        assert np.array_equal(river.transition, episodic.transition) and np.array_equal(river.reward, episodic.reward)
        assert river.optimal_gain == pytest.approx(gain, abs=5e-5) and river.worst_gain == 0 and river.diameter == episodic.diameter
        assert river.bias_span <= river.diameter and river.gain_policy.tolist() == [1] * 6
    two = two_state_continuing()
    assert (two.optimal_gain, two.worst_gain, two.diameter) == pytest.approx((0.9, 0.1, 10 / 9), rel=1e-14)
    for S in (1, 2, 8):
        ring = cycle_continuing(S)
        assert ring.optimal_gain == pytest.approx(1 / S, rel=1e-14) and ring.worst_gain == pytest.approx(1 / S, rel=1e-14) and ring.diameter == S - 1
        assert ring.deterministic and np.array_equal(ring.transition, cycle(S).transition)
    for made in (river_swim_continuing(4, "gosprl"), two, cycle_continuing(3)):
        assert eval(repr(made), vars(baselines)) == made
