"""The environments of MEX and the classes of hypotheses about them: the constants that they were built to have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from envs_synthetic import mex
from envs_synthetic.baselines import river_swim
from envs_synthetic.mex import (
    closure_class,
    deep_sea,
    garnet,
    lock,
    lock_class,
    mg_switch,
    mg_switch_class,
    mg_trap,
    mg_trap_class,
    near_truth,
    random_game,
    random_mdp,
    random_models,
    treasure,
    treasure_class,
)
from theoryrl.planning.matrix_game import solve_matrix_game
from theoryrl.problems import EpisodicMDP, MarkovGame, ValueClass

# MDPs with a list of models


@pytest.mark.parametrize(("H", "slip", "gap"), [(3, 0.1, 0.72), (5, 0.05, 0.77805), (1, 0.1, 0), (2, 0.5, 0)])
def test_lock(H: int, slip: float, gap: float) -> None:
    models = lock_class(H, slip)
    assert models.models.shape == (2**H, H, 2, 2, 2)
    for truth in range(2**H):
        problem = lock(H, slip, truth)
        assert problem.optimal_value == pytest.approx((1 + (1 - 2 * slip) ** (H - 1)) / 2, rel=1e-12)
        assert problem.optimal_value - problem.worst_value == pytest.approx(gap, abs=1e-12)
        assert np.array_equal(problem.transition, models.models[truth])
        if slip < 0.5:
            assert [int(a) for a in problem.transition[:, 1, :, 1].argmax(axis=1)] == [int(digit) for digit in f"{truth:0{H}b}"]
    assert (problem.start, lock(H, slip) == lock(H, slip, 2**H - 2)) == (1, True)


def test_lock_by_definition() -> None:
    problem = lock()
    assert np.allclose(problem.transition[:, 0], [0.9, 0.1], rtol=0, atol=0)  # off, whatever is done
    assert problem.transition[0, 1].tolist() == [[0.9, 0.1], [0.1, 0.9]] and problem.transition[2, 1].tolist() == [[0.1, 0.9], [0.9, 0.1]]
    assert problem.reward.tolist() == [[[0, 0], [0, 0]], [[0, 0], [0, 0]], [[0, 0], [1, 1]]]
    assert problem.reachability == pytest.approx([2, 3.6, 3.44]) and not problem.stationary


def test_treasure() -> None:
    models = treasure_class()
    assert models.models.shape == (5, 2, 4, 5, 4)
    for truth in range(5):
        problem = treasure(truth=truth)
        assert problem.optimal_value == (0.9 if truth else 0.5) and problem.worst_value == 0.1
        assert np.array_equal(problem.transition, models.models[truth])
        assert problem.transition[0, 0, :, 2].tolist() == [0, *(0.9 if j == truth else 0.1 for j in range(1, 5))]
        assert problem.optimal_policy[0, 0] == truth
    assert np.all(models.models[:, 1, :, :, 1] == 1) and np.all(models.models[:, 0, 1:, :, 1] == 1)
    assert treasure().transition.tolist() == models.models[4].tolist() and treasure(3).optimal_policy[0, 0] == 2
    assert treasure().reachability == pytest.approx([5, 14])


def test_treasure_cannot_be_seen_from_the_safe_side() -> None:
    """All models agree on what action 0 shows, and losing to it costs .4 an episode."""
    problem = treasure()
    assert np.all(treasure_class().models[:, 0, 0, 0] == problem.transition[0, 0, 0])
    safe = np.zeros((2, 4), np.int64)
    assert problem.optimal_value - problem.policy_values(safe)[0, 0] == pytest.approx(0.4)


# MDPs for the full tabular class


def test_deep_sea() -> None:
    problem = deep_sea(5)
    assert (problem.n_states, problem.horizon, problem.optimal_value) == (5, 5, 1)
    assert problem.policy_values(np.zeros((5, 5)))[0, 0] == pytest.approx(0.01)
    assert problem.transition.argmax(axis=2).tolist() == [[0, 1], [0, 2], [1, 3], [2, 4], [3, 4]]
    assert problem.reward[0].tolist() == [[0.002, 0]] * 5 and problem.reward[4].tolist() == [[0.002, 0]] * 4 + [[0.002, 1]]
    random = np.array([[0.5], [0.5]])
    V = np.zeros(5)
    for h in reversed(range(5)):
        V = ((problem.reward[h] * [0, 1] + problem.transition @ V) @ random)[:, 0]
    assert V[0] == 2.0**-5


def test_deep_sea_with_slips() -> None:
    problem = deep_sea(10, slip=0.02)
    assert problem.policy_values(np.ones((10, 10)))[0, 0] == pytest.approx(0.98**9)
    assert problem.optimal_value == pytest.approx(0.8346, abs=5e-5) and problem.worst_value == pytest.approx(0.0008, abs=5e-5)
    assert problem.transition[3, 1].tolist() == [0, 0, 0.02, 0, 0.98, 0, 0, 0, 0, 0] and problem.transition[0, 1, :2].tolist() == [0.02, 0.98]
    assert deep_sea(1, 0.3).transition.tolist() == [[[1], [1]]]


def test_random_mdp() -> None:
    problem = random_mdp(40, 5, 6, seed=1)
    assert problem.transition.shape == (40, 5, 6, 5) and not problem.stationary
    assert np.array_equal(problem.reward, problem.reward.round(2))
    entries = problem.transition[..., 0]  # Beta(.7, 2.8): mean .2, variance .16 / 4.5
    assert abs(entries.mean() - 0.2) < 6 * np.sqrt(0.16 / 4.5 / entries.size) and abs(entries.var() - 0.16 / 4.5) < 0.01
    assert random_mdp(2, 3, 2, seed=3) != random_mdp(2, 3, 2, seed=4)


def test_garnet() -> None:
    for S, A, branching in ((1, 1, 1), (4, 2, 1), (8, 2, 2), (6, 3, 6)):
        problem = garnet(5, S, A, branching, seed=2)
        assert np.all(np.count_nonzero(problem.transition, axis=2) == branching) and problem.stationary
        assert problem.diameter < np.inf and np.array_equal(problem.reward, problem.reward.round(2))
    with pytest.raises(ValueError, match="branching: expected enough next states to connect 30 states with 1 actions in one of 1000 draws, got 1"):
        garnet(5, 30, 1, 1)


# Games


def test_mg_trap() -> None:
    game, models = mg_trap(), mg_trap_class()
    assert game.value == 0.5 and game.nash_max[0, 0].tolist() == [1, 0]
    assert models.models.shape == (2, 2, 3, 2, 2, 3) and np.array_equal(game.transition, models.models[0])
    assert game.transition[0, 0, :, :, 1].tolist() == [[0.5, 0.5], [0.6, 0.05]] and models.models[1, 0, 0, :, :, 1].tolist() == [[0.5, 0.5], [0.6, 0.95]]
    decoy = MarkovGame(models.models[1], game.reward, 2)
    assert decoy.value == 0.6 and decoy.nash_max[0, 0].tolist() == [0, 1]
    assert game.value - game.best_response(decoy.nash_max)[0][0, 0] == pytest.approx(0.45)


def test_mg_switch() -> None:
    game, (first, last) = mg_switch(), mg_switch_class().tables
    assert game.value == 0.3 and game.nash_min[0, 0].tolist() == [1, 0]
    truth = game.stage_reward[1]
    assert np.array_equal(last[0], truth) and np.array_equal(first[0], game.stage_transition[0] @ game.nash_values[1])
    assert np.array_equal(truth[..., 0], [[0, 0], [0.30, 0.29], [0.60, 0.20]]) and np.array_equal(truth[..., 0], truth[..., 1])
    changes = [{(int(s), int(a)): float(table[s, a, b]) for s, a, b in np.argwhere(table != truth)} for table in last]
    assert changes == [{}, {(1, 1): 0.9}, {(1, 0): 0.32, (2, 1): 0.9}, {(2, 0): 0, (2, 1): 0}]
    assert mg_switch_class().sizes == (8, 4)
    expected = {(0.3, 0.6), (0.29, 0.6), (0.3, 0.2), (0.9, 0.6), (0.32, 0.6), (0.32, 0.9), (0.3, 0), (0.29, 0)}
    assert {tuple(table[0, 0].tolist()) for table in first} == expected


def test_random_game() -> None:
    game = random_game(2, 3, 2, 4, seed=1)
    assert game.transition.shape == (2, 3, 2, 4, 3) and game.n_actions == (2, 4) and 0 < game.value < 2


# Classes about any problem


def incomplete(problem: EpisodicMDP | MarkovGame, tables: ValueClass) -> float:
    """The largest distance of a Bellman image, under all strategies of the class, to the list of its stage."""
    worst = 0.0
    for h in range(problem.horizon):
        following = tables.tables[h + 1] if h + 1 < problem.horizon else np.zeros((1, *tables.shape[1:]))
        if isinstance(problem, EpisodicMDP):
            values = [g.max(axis=1) for g in following]
        else:
            strategies = [np.array([solve_matrix_game(payoff)[1] for payoff in f]) for f in following]
            values = [np.array([(mu[s] @ g[s]).min() for s in range(len(g))]) for g in following for mu in strategies]
        for V in values:
            image = problem.stage_reward[h] + problem.stage_transition[h] @ V
            worst = max(worst, min(float(np.abs(table - image).max()) for table in tables.tables[h]))
    return worst


@pytest.mark.parametrize(
    ("problem", "m", "sizes"),
    [
        (random_mdp(2, 3, 2), 6, (13, 7)),
        (random_mdp(3, 3, 2), 4, (13, 9, 5)),
        (random_mdp(1, 2, 2), 0, (1,)),
        (random_game(2, 3, 2, 2), 3, (19, 4)),
        (random_game(3, 2, 2, 2), 1, None),
        (river_swim(3, 4), 2, (9, 7, 5, 3)),
    ],
    ids=str,
)
def test_closed_classes(problem: Any, m: int, sizes: tuple[int, ...] | None) -> None:
    closure, near = closure_class(problem, m, seed=5), near_truth(problem, m, seed=5)
    assert sizes is None or closure.sizes == sizes
    optimal = problem.optimal_values if isinstance(problem, EpisodicMDP) else problem.nash_values
    for tables in (closure, near):
        assert incomplete(problem, tables) < 1e-12
        for h, listed in enumerate(tables.tables):
            truth = problem.stage_reward[h] + problem.stage_transition[h] @ optimal[h + 1]
            assert np.abs(listed[0] - truth).max() < 1e-12 and listed.min() >= 0 and listed.max() <= problem.value_caps[h]
            assert len({table.tobytes() for table in listed}) == len(listed)
    if m:
        for listed in near.tables:
            assert np.abs(listed[-m:] - listed[0]).max() < 0.3
        assert near_truth(problem, m, sigma=0).sizes == (1,) * problem.horizon


def test_the_random_tables() -> None:
    """Half of them are uniform up to the cap and half up to .6 of it."""
    problem = random_mdp(1, 40, 5)
    closure = closure_class(problem, 200)
    largest = closure.tables[0][1:].max(axis=(1, 2)) / problem.value_caps[0]
    assert np.all((largest > 0.95) | ((0.57 < largest) & (largest < 0.6))) and 58 <= np.count_nonzero(largest > 0.95) <= 142


def test_near_truth_is_near() -> None:
    problem = random_mdp(2, 10, 5)
    tables = near_truth(problem, 40).tables[0]
    listed = tables[-40:]
    noise = listed - tables[0]
    inside = (listed > 0) & (listed < problem.value_caps[0])
    assert abs(noise[inside].std() - 0.05) < 0.003


def test_random_models() -> None:
    for problem in (random_mdp(2, 3, 2), river_swim(3, 2), random_game(2, 3, 2, 2)):
        models = random_models(problem, 6, seed=1).models
        assert len(models) == 7 and np.array_equal(models[0], problem.stage_transition) and len({model.tobytes() for model in models}) == 7


@pytest.mark.parametrize(
    "made",
    [
        lock(), lock(2, 0.2, 1), treasure(), treasure(3, 0.8, 0.2, 0.4, 1), deep_sea(4, 0.02, 0.1), random_mdp(2, 2, 2, 3), garnet(3, 4, 2, 2, 1),
        mg_trap(), mg_switch(), random_game(2, 2, 2, 2), lock_class(2), treasure_class(3), mg_trap_class(), mg_switch_class(),
        random_models(treasure(), 2), closure_class(lock(), 2, 1), near_truth(random_game(2, 2, 2, 2), 1),
    ],
    ids=str,
)  # fmt: skip
def test_the_name_makes_it_again(made: Any) -> None:
    assert eval(repr(made), vars(mex)) == made


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lock(0), r"H: expected an integer in \[1, 16\], got 0"),
        (lambda: lock(3, 0.6), r"slip: expected a number in \[0, 0.5\], got 0.6"),
        (lambda: lock(3, truth=8), r"truth: expected an integer in \[0, 7\], got 8"),
        (lambda: treasure(truth=5), r"truth: expected an integer in \[0, 4\], got 5"),
        (lambda: treasure_class(hi=2), "hi: .*got 2"),
        (lambda: deep_sea(0), "size: .*got 0"),
        (lambda: random_mdp(0, 1, 1), "H: .*got 0"),
        (lambda: garnet(2, 3, 2, 4), r"branching: expected an integer in \[1, 3\], got 4"),
        (lambda: random_game(1, 1, 1, 0), "B: .*got 0"),
        (lambda: closure_class(lock(), -1), "m: .*got -1"),
        (lambda: near_truth(lock(), 1, sigma=-1), "sigma: .*got -1"),
    ],
)
def test_bad_arguments(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
