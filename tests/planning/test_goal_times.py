"""Least expected times to a set of goals."""

from __future__ import annotations

import numpy as np
import pytest

from envs_synthetic.baselines import river_swim_continuing
from envs_synthetic.gosprl import four_rooms, garnet_continuing, lock_chain, shortcut
from theoryrl.planning.shortest_path import goal_times


def test_goal_times() -> None:
    """One goal: the hitting times; more goals: at most their minimum, and one step of the best action solves the equation."""
    for problem in (river_swim_continuing(6, "gosprl"), four_rooms(), shortcut(), garnet_continuing(10, 3, 3)):
        P, S = problem.transition, problem.n_states
        for goals in ([0], [S - 1], [1, S // 2], range(S)):
            goal: np.ndarray = np.isin(np.arange(S), goals)
            times, policy = goal_times(P, goal)
            best = np.where(goal, 0, 1 + (P @ times).min(axis=1))
            assert times == pytest.approx(best, rel=1e-9) and np.all(times <= problem.hitting_times[:, goal].min(axis=1) * (1 + 1e-9))
            assert np.where(goal, 0, 1 + P[np.arange(S), policy] @ times) == pytest.approx(times, rel=1e-8)
            if goal.sum() == 1:
                assert times == pytest.approx(problem.hitting_times[:, goal][:, 0], rel=1e-9)


def test_ties_go_to_the_first_action() -> None:
    """From the end of the lock both actions lead to state 0: the first is taken, and in the goals action 0."""
    times, policy = goal_times(lock_chain(5).transition, np.array([False, True, False, False, False]))
    assert times.tolist() == [1, 0, 2, 2, 2] and policy.tolist() == [1, 0, 0, 0, 0]
