"""The best and worst law in an L1 ball: exact fractions, ties, the ends.  (Against linear programs: T16 of the baselines.)"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from theoryrl.planning.l1_ball import favour, sort_states
from theoryrl.testing.world import world


def test_by_hand() -> None:
    p, u, order, found = np.array([0.5, 0.25, 0.25]), np.array([1.0, 3.0, 2.0]), np.arange(3), np.zeros(3)
    sort_states(u, order, True)
    assert order.tolist() == [1, 2, 0]
    for half, expected in ((0.0, [0.5, 0.25, 0.25]), (0.25, [0.25, 0.5, 0.25]), (0.625, [0, 0.875, 0.125]), (0.75, [0, 1, 0]), (9.0, [0, 1, 0])):
        favour(p, half, order, found)
        assert found.tolist() == expected
    sort_states(u, order, False)
    favour(p, 0.25, order, found)
    assert order.tolist() == [0, 2, 1] and found.tolist() == [0.75, 0, 0.25]


def test_the_first_of_equal_states_stays_first() -> None:
    order = np.array([2, 0, 1])
    sort_states(np.zeros(3), order, True)
    assert order.tolist() == [2, 0, 1]
    sort_states(np.array([1.0, 1.0, 0.0]), order, True)
    assert order.tolist() == [0, 1, 2]


def test_one_state_and_no_knowledge() -> None:
    found = np.zeros(1)
    favour(np.ones(1), 0.5, np.zeros(1, np.int64), found)
    assert found.tolist() == [1]
    found = np.full(3, np.nan)
    favour(np.zeros(3), 1.0, np.array([2, 0, 1]), found)
    assert found.tolist() == [0, 0, 1]


def test_exact_fractions() -> None:
    ball = world()("theoryrl.planning.l1_ball")
    rng = np.random.default_rng(0)
    for _ in range(100):
        S = int(rng.integers(1, 6))
        weights = [int(w) for w in rng.integers(0, 5, S)]
        weights[0] += 1
        p = np.array([Fraction(w, sum(weights)) for w in weights], dtype=object)
        half, u, order, found = Fraction(int(rng.integers(0, 30)), 20), rng.integers(0, 3, S), np.arange(S), np.zeros(S, dtype=object)
        ball.sort_states(u, order, True)
        ball.favour(p, half, order, found)
        assert sum(found) == 1 and min(found) >= 0 and found[order[0]] == min(1, p[order[0]] + half)
        assert sum(abs(found - p)) == 2 * (found[order[0]] - p[order[0]])
        gone = found < p
        assert all(found[s] == 0 for i, s in enumerate(order) if any(gone[order[:i]]))  # none but the worst lose mass
