"""MarkovGame: what it accepts, what it refuses and how it says so, what it knows, against enumeration."""

from __future__ import annotations

import itertools
import pickle
from typing import Any

import numpy as np
import pytest

from envs_synthetic.mex import mg_switch, mg_trap, random_game, random_mdp
from theoryrl.problems import EpisodicMDP, MarkovGame

STAY = np.broadcast_to(np.eye(2)[:, None, None], (2, 3, 2, 2))


def fields(**changes: Any) -> dict[str, Any]:
    """A valid instance with S = 2, A = 3, B = 2, H = 2."""
    return {"transition": np.array(STAY), "reward": np.linspace(0, 1, 12).reshape(2, 3, 2), "horizon": 2} | changes


def spoiled(name: str, index: tuple[int, ...], value: float) -> dict[str, Any]:
    array = np.array(fields()[name], dtype=float)
    array[index] = value
    return fields(**{name: array})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (spoiled("transition", (1, 2, 1, 0), 0.5), r"transition\[1, 2, 1\]: expected a row that sums to one, got a sum of 1.5"),
        (spoiled("transition", (0, 0, 1, 1), np.nan), r"transition\[0, 0, 1, 1\]: .*got nan"),
        (spoiled("transition", (0, 0, 1, 1), -1), r"transition\[0, 0, 1, 1\]: .*got -1"),
        (spoiled("reward", (0, 2, 1), 1.1), r"reward\[0, 2, 1\]: expected \[0, 1\], got 1.1"),
        (spoiled("reward", (0, 2, 1), -np.inf), r"reward\[0, 2, 1\]: .*got -inf"),
        (fields(transition=np.stack([STAY] * 3)), r"transition: expected shape \(2, any, any, any, any\), got \(3, 2, 3, 2, 2\)"),
        (fields(transition=np.ones((2, 3, 2, 1))), r"transition: expected shape \(2, 3, 2, 2\), got \(2, 3, 2, 1\)"),
        (fields(transition=np.ones((2, 3, 2))), r"transition: expected shape \(2, any, any, any, any\), got \(2, 3, 2\)"),
        (fields(reward=np.ones((2, 2, 3))), r"reward: expected shape \(2, 3, 2\), got \(2, 2, 3\)"),
        (fields(reward=np.ones((3, 2, 3, 2))), r"reward: expected shape \(2, 2, 3, 2\), got \(3, 2, 3, 2\)"),
        (fields(horizon=0), r"horizon: .*got 0"),
        (fields(start=2), r"start: expected an integer in \[0, 1\], got 2"),
    ],
)
def test_bad_values(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MarkovGame(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (fields(transition="sure"), r"transition: expected an array of real numbers, got str 'sure'"),
        (fields(transition=[[1, 2], [3]]), r"transition: expected an array of real numbers, got list"),
        (fields(reward=[[1, 2], [3]]), r"reward: expected an array of real numbers, got list"),
        (fields(horizon="2"), r"horizon: expected an integer, got str '2'"),
        (fields(start=True), r"start: expected an integer, got bool True"),
    ],
)
def test_bad_types(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        MarkovGame(**arguments)


@pytest.mark.parametrize(
    ("mu", "message"),
    [
        (np.ones((2, 2, 2)) / 2, r"mu: expected shape \(2, 2, 3\), got \(2, 2, 2\)"),
        (np.ones((2, 2, 3)), r"mu\[0, 0\]: expected a row that sums to one, got a sum of 3.0"),
        (np.full((2, 2, 3), np.nan), r"mu\[0, 0, 0\]: .*got nan"),
    ],
)
def test_bad_strategies_are_named(mu: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MarkovGame(**fields()).best_response(mu)


def test_arrays_are_copied_converted_and_read_only() -> None:
    transition = np.array(STAY, dtype=int)
    game = MarkovGame(**fields(transition=transition, horizon=2.0))
    transition[:] = 0
    assert game.transition.dtype == np.float64 and game.transition.sum() == 12 and type(game.horizon) is int
    names = ("transition", "reward", "stage_transition", "stage_reward", "value_caps", "nash_values", "nash_max", "nash_min", "max_reach", "cumulative")
    for name in names:
        with pytest.raises(ValueError, match="read-only"):
            getattr(game, name)[0] = 0


def test_shapes() -> None:
    game = MarkovGame(**fields())
    assert (game.n_states, game.n_actions, game.horizon) == (2, (3, 2), 2)
    assert game.stage_transition.shape == game.cumulative.shape == (2, 2, 3, 2, 2) and game.stage_reward.shape == (2, 2, 3, 2)
    assert game.nash_values.shape == (3, 2) and game.nash_max.shape == (2, 2, 3) and game.nash_min.shape == (2, 2, 2)
    assert game.value_caps.tolist() == [2, 1, 0]


def test_given_once_or_by_stage() -> None:
    once, each = MarkovGame(**fields()), MarkovGame(**fields(transition=np.stack([STAY] * 2), reward=np.stack([fields()["reward"]] * 2)))
    for name in ("nash_values", "nash_max", "nash_min", "max_reach", "value_caps", "cumulative", "worst_guarantee"):
        assert np.array_equal(getattr(once, name), getattr(each, name)), name


def test_no_impossible_state_is_drawn() -> None:
    row = np.array([0, 0.1, 0.2, 0.7, 0])
    game = MarkovGame(np.tile(row, (5, 1, 2, 1)), np.zeros((5, 1, 2)), 1)
    assert [int(np.argmax(game.cumulative[0, 2, 0, 1] > u)) for u in (0.0, 0.05, 0.15, 0.5, np.nextafter(1, 0))] == [1, 1, 2, 3, 3]


@pytest.mark.parametrize("game", [random_game(2, 2, 2, 2, 0), random_game(3, 1, 2, 2, 1), random_game(1, 2, 2, 2, 2), mg_trap(), mg_switch()], ids=repr)
def test_reach_and_guarantee_are_those_of_all_pairs(game: MarkovGame) -> None:
    """Both players together choose cells: an MDP with A B actions, whose policies are all pairs of deterministic strategies."""
    S, (A, B) = game.n_states, game.n_actions
    joint = EpisodicMDP(game.stage_transition.reshape(game.horizon, S, A * B, S), game.stage_reward.reshape(game.horizon, S, A * B), game.horizon, game.start)
    assert np.abs(joint.max_reach - game.max_reach).max() <= 1e-14
    assert abs(joint.worst_value - game.worst_guarantee) <= 1e-14
    assert joint.worst_value - 1e-14 <= game.value <= joint.optimal_value + 1e-14
    assert np.array_equal(joint.value_caps, game.value_caps)
    if S * game.horizon <= 4:
        cells = [np.array(cell).reshape(game.horizon, S) for cell in itertools.product(range(A * B), repeat=game.horizon * S)]
        assert np.abs(np.max([joint.occupancy(c).sum(axis=2) for c in cells], axis=0) - game.max_reach).max() <= 1e-14


def test_a_player_without_choice_leaves_an_mdp() -> None:
    problem = random_mdp(3, 3, 2, 0)
    P, r = problem.stage_transition, problem.stage_reward
    alone = MarkovGame(P[:, :, :, None], r[..., None], 3)
    assert np.abs(alone.nash_values - problem.optimal_values).max() <= 1e-14
    assert np.array_equal(alone.nash_max, np.eye(2)[problem.optimal_policy])
    against = MarkovGame(P[:, :, None], r[:, :, None], 3)
    assert np.abs(against.nash_values - problem.worst_values).max() <= 1e-14
    assert abs(against.value - against.worst_guarantee) <= 1e-14


def test_equality_repr_and_pickle() -> None:
    game = MarkovGame(**fields())
    assert game == MarkovGame(**fields()) and game != MarkovGame(**fields(start=1)) and hash(game) == hash(MarkovGame(**fields()))
    assert game != EpisodicMDP(np.ones((1, 1, 1)), [[0]], 1)
    assert repr(game) == "MarkovGame(transition=array(2, 3, 2, 2), reward=array(2, 3, 2), horizon=2, start=0)"
    _ = game.value, game.cumulative
    copied = pickle.loads(pickle.dumps(game))
    assert copied == game and copied.value == game.value
