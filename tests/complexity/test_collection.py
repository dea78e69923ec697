"""The time to collect samples: the values of the linear program in the spec, and exact mean times against an independent solution and each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from envs_synthetic.baselines import river_swim_continuing
from envs_synthetic.gosprl import far_goal, four_rooms, lock_chain, only, ring, shortcut, two, uniform_demand
from theoryrl.complexity import collection_time_lower_bound, known_model_collection_time, uniform_collection_is_exact, uniform_collection_time
from theoryrl.planning.shortest_path import goal_times
from theoryrl.problems import ContinuingMDP

RIVER = river_swim_continuing(6, "gosprl")
LOCK_12, LOCK_20 = lock_chain(12), lock_chain(20)


def primal(problem: ContinuingMDP, b: np.ndarray) -> float:
    """The program of 4.4 as it is written, in dense matrices."""
    S, A, P = problem.n_states, problem.n_actions, problem.transition
    flow = np.array([[(s == t) - P[s, a, t] for s in range(S) for a in range(A)] + [float(s == t) for s in range(S)] for t in range(S)])
    ends = np.array([0.0] * (S * A) + [1.0] * S)
    solved = linprog(
        1 - ends, A_eq=np.vstack([flow, ends]), b_eq=np.append(np.eye(S)[problem.start], 1), bounds=[(need, None) for need in b.flat] + [(0, None)] * S
    )  # fmt: skip
    assert solved.status == 0, solved.message
    return float(solved.fun)


@st.composite
def cases(draw: Any, most: int) -> tuple[ContinuingMDP, np.ndarray]:
    """A random communicating MDP, and a requirement of few samples."""
    S, A, seed = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(0, 10**6))
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(np.full(S, 0.5), (S, A)) * (rng.random((S, A, S)) < 0.6)
    P[np.arange(S), rng.integers(0, A, S), (np.arange(S) + 1) % S] += 0.3
    P[..., 0] += P.sum(axis=-1) == 0
    b = np.zeros(S * A, np.int64)
    np.add.at(b, rng.integers(0, S * A, draw(st.integers(0, most))), 1)
    return ContinuingMDP(P / P.sum(axis=-1, keepdims=True), start=int(rng.integers(S))), b.reshape(S, A)


@pytest.mark.parametrize(
    ("problem", "b", "value"),
    [
        (RIVER, 1, 24.4444),
        (RIVER, 10, 244.444),
        (RIVER, 100, 2444.44),
        (RIVER, 1000, 24444.4),
        (LOCK_12, 10, 900),
        (LOCK_12, only(LOCK_12, -1, 50), 600),
        (LOCK_20, only(LOCK_20, -1, 20), 400),
        (four_rooms(), 1, 160),
        (four_rooms(), 10, 1600),
        (shortcut(), only(shortcut(), -1, 2000), 26000 / 3),
        (two(0.2), only(two(0.2), 1, 10**6), 6e6),
    ],
)
def test_the_linear_program_in_the_spec(problem: ContinuingMDP, b: Any, value: float) -> None:
    """Section 9 rounds its values; those of river swim are 24.4444, 244.444, ...."""
    assert collection_time_lower_bound(problem, b) == pytest.approx(value, rel=2e-5)


@settings(max_examples=60, deadline=None)
@given(cases(8))
def test_the_certified_bound_is_the_value_of_the_program(case: tuple[ContinuingMDP, np.ndarray]) -> None:
    problem, b = case
    assert collection_time_lower_bound(problem, b) == pytest.approx(primal(problem, b), rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("B", [1, 50, 10**5, 10**9, 2**53])
@pytest.mark.parametrize("sizes", [(2, 1, 5.0), (4, 2, 10.0), (5, 3, 4.0)])
def test_omega_bd(sizes: tuple[int, int, float], B: int) -> None:
    """Every learner needs B (D + 1) steps: the closed form of 4.4, at any scale."""
    problem = far_goal(*sizes)
    b = only(problem, -1, B)
    assert collection_time_lower_bound(problem, b) == pytest.approx(B * (problem.diameter + 1), rel=1e-9)
    if B <= 50:
        assert known_model_collection_time(problem, b) == pytest.approx(B * (problem.diameter + 1), rel=1e-9)


@pytest.mark.parametrize("n, B, time", [(12, 50, 409_500), (20, 20, 41_943_000), (20, 50, 104_857_500), (2, 3, 18)])
def test_uniform_actions_on_the_lock(n: int, B: int, time: int) -> None:
    """Section 18: 2 B (2^n - 1)."""
    problem = lock_chain(n)
    b = only(problem, -1, B)
    assert time == 2 * B * (2**n - 1) and uniform_collection_is_exact(problem, b)
    assert uniform_collection_time(problem, b) == pytest.approx(time, rel=1e-8)


@settings(max_examples=40, deadline=None)
@given(cases(5))
def test_mean_times_solve_one_big_system(case: tuple[ContinuingMDP, np.ndarray]) -> None:
    """The chains over (remaining counts, state) written out; and nobody beats the linear program (G12)."""
    problem, b = case
    lower = collection_time_lower_bound(problem, b)
    uniform, known = uniform_collection_time(problem, b), known_model_collection_time(problem, b)
    assert uniform_collection_is_exact(problem, b)
    assert uniform == pytest.approx(written_out(problem, b, True), rel=1e-9, abs=1e-9)
    assert known == pytest.approx(written_out(problem, b, False), rel=1e-9, abs=1e-9)
    assert min(uniform, known) >= lower * (1 - 1e-9)


def written_out(problem: ContinuingMDP, b: np.ndarray, uniform: bool) -> float:
    """One linear system over all (remaining counts, state)."""
    S, A, P = problem.n_states, problem.n_actions, problem.transition
    lefts = list(np.ndindex(*(b + 1).ravel()))
    place = {left: i * S for i, left in enumerate(lefts)}
    system, right = np.eye(len(lefts) * S), np.ones(len(lefts) * S)
    for left in lefts:
        unmet = np.array(left).reshape(S, A) > 0
        if not unmet.any():
            right[place[left] : place[left] + S] = 0
            continue
        travel = goal_times(P, unmet.any(axis=1))[1]
        for s in range(S):
            for a in range(A):
                chance = 1 / A if uniform else float(a == (unmet[s].argmax() if unmet[s].any() else travel[s]))
                after = list(left)
                after[s * A + a] -= int(unmet[s, a])
                system[place[left] + s, place[tuple(after)] : place[tuple(after)] + S] -= chance * P[s, a]
    return float(np.linalg.solve(system, right)[place[tuple(b.ravel().tolist())] + problem.start])


def test_single_pairs_bound_many() -> None:
    """Where the vectors of remaining counts are too many: the slowest pair alone."""
    b = np.full((6, 2), 30)
    assert not uniform_collection_is_exact(RIVER, b)
    slowest = max(uniform_collection_time(RIVER, only(RIVER, s, 30, a)) for s in range(6) for a in range(2))
    assert uniform_collection_time(RIVER, b) == pytest.approx(slowest, rel=1e-9) and slowest > 1e4
    few = np.zeros((6, 2), int)
    few[5] = 3
    assert uniform_collection_is_exact(RIVER, few) and uniform_collection_time(RIVER, few) > uniform_collection_time(RIVER, only(RIVER, -1, 3))


def test_nothing_is_to_be_collected() -> None:
    for problem in (RIVER, two()):
        assert collection_time_lower_bound(problem, 0) == uniform_collection_time(problem, 0) == known_model_collection_time(problem, 0) == 0
    alone = ContinuingMDP(np.ones((1, 3, 1)))
    b = [[2, 0, 3]]
    assert collection_time_lower_bound(alone, b) == known_model_collection_time(alone, b) == pytest.approx(5)
    assert uniform_collection_time(alone, b) > 9  # coupons


@pytest.mark.parametrize("function", [collection_time_lower_bound, uniform_collection_time, known_model_collection_time, uniform_collection_is_exact])
@pytest.mark.parametrize(
    ("problem", "b", "error", "message"),
    [
        (ring(), -1, ValueError, r"b: expected an integer in \[0, 9007199254740992\], got -1"),
        (ring(), 0.5, ValueError, "b: expected an integer, got 0.5"),
        (ring(), [[1, 1]], ValueError, r"b: expected shape \(3, 2\), got \(1, 2\)"),
        (ring(), [[1, 1], [1, 1.5], [0, 0]], ValueError, r"b\[1, 1\]: expected an integer"),
        (ring(), [[1, 1], [2**53 + 2, 1], [0, 0]], ValueError, r"b\[1, 0\]: expected .*got 9007199254740994"),
        (ring(), "many", TypeError, "b: expected an integer, got str"),
        (np.eye(3), 1, TypeError, "problem: expected a ContinuingMDP, got ndarray"),
        (ContinuingMDP(np.array([[[0.5, 0.5]], [[0, 1]]])), 1, ValueError, "communicating MDP, but from state 1 no policy surely reaches state 0"),
    ],
)
def test_bad_input(function: Any, problem: Any, b: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        function(problem, b)


def test_too_many_demands() -> None:
    with pytest.raises(ValueError, match="b: expected a product of b \\+ 1 of at most 20000, got 3138428376721"):
        known_model_collection_time(RIVER, 10)
    with pytest.raises(ValueError, match="b: expected a product"):
        known_model_collection_time(four_rooms(), uniform_demand(four_rooms()))
