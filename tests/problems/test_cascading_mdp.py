"""CascadingMDP: what it accepts, what it refuses and how it says so, what it knows."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from theoryrl.problems import CascadingMDP


def fields(**changes: Any) -> dict[str, Any]:
    """A valid instance with S = 2, N = 2."""
    transition = np.zeros((2, 3, 2))
    transition[:, :2, 0] = 1
    transition[:, 2, 1] = 1
    return {
        "attraction": [[0.15, 0.9], [0.15, 0.9]], "transition": transition, "reward": [[1, 1, 0], [0.5, 0.5, 0]], "horizon": 2, "max_length": 1,
    } | changes  # fmt: skip


def spoiled(name: str, index: tuple[int, ...], value: float) -> dict[str, Any]:
    array = np.array(fields()[name], dtype=float)
    array[index] = value
    return fields(**{name: array})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (spoiled("attraction", (1, 0), 1.5), r"attraction\[1, 0\]: expected \[0, 1\], got 1.5"),
        (spoiled("attraction", (0, 1), -0.1), r"attraction\[0, 1\]: expected \[0, 1\], got -0.1"),
        (spoiled("attraction", (0, 0), np.nan), r"attraction\[0, 0\]: .*got nan"),
        (spoiled("transition", (1, 2, 0), 0.5), r"transition\[1, 2\]: expected a row that sums to one, got a sum of 1.5"),
        (spoiled("transition", (0, 0, 1), np.nan), r"transition\[0, 0, 1\]: .*got nan"),
        (spoiled("transition", (0, 0, 1), -1), r"transition\[0, 0, 1\]: .*got -1"),
        (spoiled("reward", (0, 2), 1.1), r"reward\[0, 2\]: expected \[0, 1\], got 1.1"),
        (spoiled("reward", (0, 2), np.inf), r"reward\[0, 2\]: .*got inf"),
        (fields(attraction=[0.5, 0.5]), r"attraction: expected shape \(any, any\), got \(2,\)"),
        (fields(attraction=np.zeros((2, 0))), r"attraction: expected shape \(any, any\), got \(2, 0\)"),
        (fields(transition=np.ones((2, 2, 2)) / 2), r"transition: expected shape \(2, 3, 2\), got \(2, 2, 2\)"),
        (fields(reward=[[1, 1], [1, 1]]), r"reward: expected shape \(2, 3\), got \(2, 2\)"),
        (fields(horizon=0), r"horizon: .*got 0"),
        (fields(horizon=2.5), r"horizon: expected an integer, got 2.5"),
        (fields(max_length=0), r"max_length: .*got 0"),
        (fields(start=2), r"start: expected an integer in \[0, 1\], got 2"),
        (fields(start=-1), r"start: .*got -1"),
        (fields(start=[0, 2]), r"start\[1\]: expected \[0, 1\], got 2"),
        (fields(start=[[0]]), r"start: expected shape \(any,\), got \(1, 1\)"),
        (fields(start=[]), r"start: expected shape \(any,\), got \(0,\)"),
    ],
)
def test_bad_values(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CascadingMDP(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (fields(attraction="high"), r"attraction: expected an array of real numbers, got str 'high'"),
        (fields(horizon="2"), r"horizon: expected an integer, got str '2'"),
        (fields(max_length=True), r"max_length: expected an integer, got bool True"),
        (fields(allow_empty=1), r"allow_empty: expected True or False, got 1"),
    ],
)
def test_bad_types(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        CascadingMDP(**arguments)


def test_integers_are_accepted_and_converted() -> None:
    problem = CascadingMDP([[1, 0]], np.ones((1, 3, 1), int), [[1, 1, 0]], 3, np.int64(1))
    assert problem.attraction.dtype == problem.transition.dtype == problem.reward.dtype == np.float64
    assert problem.optimal_value == 3
    assert problem.worst_value == 0


def test_arrays_are_copied_and_read_only() -> None:
    attraction = np.array([[0.15, 0.9], [0.15, 0.9]])
    problem = CascadingMDP(**fields(attraction=attraction))
    attraction[:] = 0
    assert problem.attraction[0, 1] == 0.9
    for name in ("attraction", "transition", "reward", "optimal_values", "optimal_lists", "worst_values", "cumulative"):
        array = getattr(problem, name)
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_sizes() -> None:
    problem = CascadingMDP(**fields(max_length=7))
    assert (problem.n_states, problem.n_items, problem.list_length, problem.min_length) == (2, 2, 2, 1)
    assert CascadingMDP(**fields(allow_empty=True)).min_length == 0
    assert problem.optimal_values.shape == (3, 2)
    assert problem.optimal_lists.shape == (2, 2, 2)
    assert np.all(problem.optimal_values[2] == 0)


def test_inversion_never_draws_an_unreachable_state() -> None:
    """The next state is the first one whose cumulative entry exceeds a uniform draw, however the sums were rounded."""
    row = np.array([0, 0.1, 0.2, 0.7, 0])
    problem = CascadingMDP(np.full((5, 1), 0.5), np.tile(row, (5, 2, 1)), np.zeros((5, 2)), 1, 1)
    assert problem.cumulative.shape == (5, 2, 5)
    drawn = [int(np.argmax(problem.cumulative[2, 1] > uniform)) for uniform in (0.0, 0.05, 0.15, 0.5, np.nextafter(1, 0))]
    assert drawn == [1, 1, 2, 3, 3]


def test_values_at_one_start_or_at_many() -> None:
    problem = CascadingMDP(**fields())
    assert problem.optimal_value == pytest.approx(1.755, abs=1e-15)
    assert problem.worst_value == pytest.approx(0.23625, abs=1e-15)
    many = CascadingMDP(**fields(start=[0, 1, 0]))
    assert many.start.dtype == np.int64
    assert np.array_equal(many.optimal_value, problem.optimal_values[0, [0, 1, 0]])
    assert np.array_equal(many.worst_value, problem.worst_values[0, [0, 1, 0]])


def test_the_empty_list_is_best_where_every_click_costs() -> None:
    forced, free = (CascadingMDP([[0.5, 0.25]], np.ones((1, 3, 1)), [[0, 0, 1]], 1, 2, allow_empty=empty) for empty in (False, True))
    assert (forced.optimal_value, free.optimal_value) == (0.75, 1)
    assert forced.optimal_lists.tolist() == [[[1, -1]]]
    assert free.optimal_lists.tolist() == [[[-1, -1]]]
    assert forced.worst_value == free.worst_value == 0.375


def test_equality_repr_and_pickle() -> None:
    problem = CascadingMDP(**fields())
    assert problem == CascadingMDP(**fields())
    assert problem != CascadingMDP(**fields(start=1))
    assert repr(problem).startswith("CascadingMDP(attraction=array(2, 2)")
    assert repr(CascadingMDP(**fields(), name="mine()")) == "mine()"
    _ = problem.optimal_value
    assert pickle.loads(pickle.dumps(problem)) == problem
