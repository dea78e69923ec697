"""The environments of GOSPRL: the constants that they were built to have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from envs_synthetic import gosprl
from envs_synthetic.baselines import river_swim_continuing
from envs_synthetic.gosprl import (
    DOORS,
    MOVES,
    far_goal,
    four_rooms,
    four_rooms_cells,
    garnet_continuing,
    lock_chain,
    only,
    ring,
    shortcut,
    two,
    uniform_demand,
)
from theoryrl.problems import ContinuingMDP

INSTANCES = (
    two(), two(0.01), lock_chain(), lock_chain(2), shortcut(), shortcut(2, 0.9), four_rooms(), four_rooms(0.3), garnet_continuing(20, 3, 4),
    garnet_continuing(10, 3, 3, seed=4), ring(), ring(0.5), far_goal(), far_goal(2, 1, 5), far_goal(5, 3, 4),
)  # fmt: skip


@pytest.mark.parametrize("made", INSTANCES, ids=str)
def test_the_name_makes_it_again(made: ContinuingMDP) -> None:
    again = eval(repr(made), vars(gosprl))
    assert np.array_equal(again.transition, made.transition) and repr(again) == repr(made)
    assert made.start == 0 and not np.any(made.reward) and made.cut is None


@pytest.mark.parametrize("q", [1, 0.2, 0.1, 0.02, 0.01])
def test_two(q: float) -> None:
    problem = two(q)
    assert problem.transition[:, 0].tolist() == [[1 - q, q], [1, 0]]
    assert problem.diameter == pytest.approx(1 / q, rel=1e-12) and problem.diameters.tolist() == pytest.approx([1, 1 / q])


def test_river_swim() -> None:
    problem = river_swim_continuing(6, "gosprl")
    assert problem.diameter == pytest.approx(16.11, abs=5e-3) and problem.diameters[5] == problem.diameter


@pytest.mark.parametrize("n", [2, 8, 12, 20])
def test_lock_chain(n: int) -> None:
    problem = lock_chain(n)
    assert problem.diameter == pytest.approx(n - 1, rel=1e-12) == problem.hitting_times[0, -1] and problem.support == 1
    walk = problem.transition.mean(axis=1)[:-1, :-1]
    assert np.linalg.solve(np.eye(n - 1) - walk, np.ones(n - 1))[0] == pytest.approx(2**n - 2, rel=1e-8)
    assert np.all(problem.transition[-1, :, 0] == 1)


@pytest.mark.parametrize(("length", "p"), [(40, 0.3), (2, 0.9), (5, 0.05), (1, 0.5)])
def test_shortcut(length: int, p: float) -> None:
    problem = shortcut(length, p)
    assert problem.n_states == length + 2 and problem.diameter == pytest.approx(length + 1, rel=1e-12)
    assert problem.hitting_times[0, -1] == pytest.approx(min(1 / p, length + 1), rel=1e-12)
    state, steps = 0, 0  # the detour, from action 0
    while state != length + 1:
        state, steps = int(problem.transition[state, 0].argmax()), steps + 1
    assert steps == length + 1 and problem.transition[-1, :, 0].tolist() == [1, 1]
    assert problem.transition[0, 1, [0, -1]].tolist() == [1 - p, p]


def test_shortcut_is_the_spec_s() -> None:
    assert shortcut().diameter == pytest.approx(41, rel=1e-12) and shortcut().n_states == 42


def test_four_rooms() -> None:
    problem, cells = four_rooms(), four_rooms_cells()
    P = problem.transition
    assert P.shape == (40, 4, 40) and problem.diameter == pytest.approx(13.93, abs=5e-3)
    assert sorted(cells.tolist()) == cells.tolist() and all(list(door) in cells.tolist() for door in DOORS)
    walls = {(r, c) for r in range(7) for c in range(7)} - {tuple(cell) for cell in cells.tolist()}
    assert len(walls) == 9 and all(r == 3 or c == 3 for r, c in walls)
    assert P[0].max(axis=1) == pytest.approx([0.9 + 0.1 / 3, 0.9, 0.9 + 0.1 / 3, 0.9])  # the upper left corner
    for s, cell in enumerate(cells):
        for a, move in enumerate(MOVES):
            target = cells[P[s, a].argmax()].tolist()
            assert target in ((cell + move).tolist(), cell.tolist()) and P[s, a].max() >= 0.9 - 1e-12
    assert np.allclose(P.sum(axis=2), 1, atol=1e-12) and problem.support == 4


@pytest.mark.parametrize(("S", "A", "branching", "diameter"), [(20, 3, 4, 9.5209), (10, 3, 3, 8.6965), (50, 5, 50, 27.2756), (1, 2, 1, 0), (12, 2, 1, None)])
def test_garnet_continuing(S: int, A: int, branching: int, diameter: float | None) -> None:
    problem = garnet_continuing(S, A, branching)
    assert np.all(np.count_nonzero(problem.transition, axis=2) == branching) and np.isfinite(problem.diameter)
    if diameter is not None:
        assert problem.diameter == pytest.approx(diameter, abs=5e-4)


def test_garnet_redraws() -> None:
    """Two next states and one action: most draws are not strongly connected, and none of the returned ones."""
    problems = [garnet_continuing(4, 1, 2, seed) for seed in range(30)]
    assert all(problem.cut is None for problem in problems)
    first = [np.random.default_rng(seed).permuted(np.broadcast_to(np.arange(4), (4, 1, 4)), axis=2)[..., :2] for seed in range(30)]
    kept = [bool(np.all(np.take_along_axis(problem.transition, draw, axis=2) > 0)) for problem, draw in zip(problems, first, strict=True)]
    assert 0 < sum(kept) < 30
    with pytest.raises(ValueError, match="branching: expected enough next states to connect 40 states with 1 actions in one of 1000 draws, got 1"):
        garnet_continuing(40, 1, 1)


@pytest.mark.parametrize("p", [0.25, 0.5, 0.01])
def test_ring(p: float) -> None:
    problem = ring(p)
    times = problem.hitting_times[~np.eye(3, dtype=bool)]
    assert problem.support == 2 and times == pytest.approx(np.full(6, 1 / p), rel=1e-12)
    for s in range(3):
        assert problem.transition[s, 0, (s + 1) % 3] == problem.transition[s, 1, (s - 1) % 3] == p


@pytest.mark.parametrize(("S", "A", "D"), [(2, 1, 5), (4, 2, 10), (5, 3, 4), (6, 2, 100.5), (2, 3, 1), (3, 2, 2)])
def test_far_goal(S: int, A: int, D: float) -> None:
    problem = far_goal(S, A, D)
    assert problem.transition.shape == (S, A, S) and problem.diameter == pytest.approx(D, rel=1e-12)
    assert problem.hitting_times[:-1, -1] == pytest.approx(np.full(S - 1, D), rel=1e-12)  # no state is nearer
    assert np.all(problem.transition[-1, :, 0] == 1)


def test_requirements() -> None:
    problem = lock_chain(3)
    assert only(problem, -1, 7).tolist() == [[0, 0], [0, 0], [7, 0]] and only(problem, 0, 2**53, -1)[0, 1] == 2**53
    b = uniform_demand(four_rooms(), 3)
    assert b.shape == (40, 4) and set(b.flat) == {0, 1, 2, 3} and b.dtype == np.int64
    assert np.array_equal(b, uniform_demand(four_rooms(), 3)) and not np.array_equal(b, uniform_demand(four_rooms(), 3, 1))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: two(0), ValueError, r"q: expected a number in \(0, 1\], got 0"),
        (lambda: two(1.5), ValueError, r"q: expected a number in \[0.*, 1.*\], got 1.5"),
        (lambda: lock_chain(1), ValueError, r"n: expected an integer in \[2, inf\], got 1"),
        (lambda: shortcut(0), ValueError, "length: .*got 0"),
        (lambda: shortcut(p=1), ValueError, r"p: expected a number in \(0, 1\), got 1"),
        (lambda: four_rooms(-0.1), ValueError, "slip: .*got -0.1"),
        (lambda: four_rooms(1), ValueError, "slip: .*got 1"),
        (lambda: garnet_continuing(3, 2, 4), ValueError, "branching: .*got 4"),
        (lambda: garnet_continuing(3, 2, 2, -1), ValueError, "seed: .*got -1"),
        (lambda: ring(0), ValueError, "p: .*got 0"),
        (lambda: far_goal(1), ValueError, "S: .*got 1"),
        (lambda: far_goal(4, 1), ValueError, r"A: expected an integer in \[2, inf\] for S = 4 > 2, got 1"),
        (lambda: far_goal(4, 2, 2), ValueError, r"D: expected a number in \[3, inf\], got 2"),
        (lambda: only(ring(), 3, 1), ValueError, r"state: expected an integer in \[-3, 2\], got 3"),
        (lambda: only(ring(), 0, -1), ValueError, "samples: .*got -1"),
        (lambda: only(ring(), 0, 1, 2), ValueError, r"action: expected an integer in \[-2, 1\], got 2"),
        (lambda: uniform_demand(ring(), -1), ValueError, "most: .*got -1"),
    ],
)
def test_bad_arguments(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
