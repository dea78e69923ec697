"""Hitting times: against all deterministic policies, closed forms, and simulated reachability."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from theoryrl.planning.shortest_path import diameter, hitting_times


def by_enumeration(P: np.ndarray) -> np.ndarray:
    """The minimum over all deterministic policies, each policy's times by a least-squares solve on the states that surely arrive."""
    S, A, _ = P.shape
    best = np.full((S, S), math.inf)
    for policy in itertools.product(range(A), repeat=S):
        kernel = P[np.arange(S), list(policy)]
        for g in range(S):
            absorbed = kernel.copy()
            absorbed[g] = np.eye(S)[g]
            reach = np.linalg.matrix_power(absorbed + np.eye(S), S) > 0  # reach[s, t]: t can follow s
            sure = ~(reach & ~reach[:, [g]].T).any(axis=1)  # nothing can follow from which g cannot
            inside = np.flatnonzero(sure & (np.arange(S) != g))
            times = np.where(sure, 0, math.inf)
            times[inside] = np.linalg.lstsq(np.eye(len(inside)) - kernel[np.ix_(inside, inside)], np.ones(len(inside)), rcond=None)[0]
            best[:, g] = np.minimum(best[:, g], times)
    return best


def test_against_all_policies() -> None:
    """Random supports of one or two states, so that some pairs are out of reach, or within reach with positive probability only."""
    rng = np.random.default_rng(0)
    infinite, unsure = 0, 0
    for _ in range(100):
        S, A = int(rng.integers(1, 6)), int(rng.integers(1, 4))
        P = np.zeros((S, A, S))
        for s, a in np.ndindex(S, A):
            to = rng.permutation(S)[: rng.integers(1, min(S, 2) + 1)]
            P[s, a, to] = rng.dirichlet(np.ones(len(to)))
        times, expected = hitting_times(P), by_enumeration(P)
        assert np.array_equal(np.isinf(times), np.isinf(expected))
        finite = np.isfinite(expected)
        assert np.all(np.abs(times[finite] - expected[finite]) <= 1e-9 * (1 + expected[finite]))
        infinite += np.count_nonzero(~finite)
        unsure += np.count_nonzero(~finite & (np.linalg.matrix_power(np.eye(S) + P.max(axis=1), S) > 0))
    assert infinite > 100 and unsure > 20


def river_swim(S: int, stay: float) -> np.ndarray:
    P = np.zeros((S, 2, S))
    P[range(S), 0, [0, *range(S - 1)]] = 1
    for s in range(1, S - 1):
        P[s, 1, s - 1 : s + 2] = 0.05, 0.6, 0.35
    P[0, 1, :2] = stay, 1 - stay
    P[-1, 1, -2:] = 0.4, 0.6
    return P


@pytest.mark.parametrize(("stay", "expected"), [(0.4, 14.722), (0.65, 16.111)])
def test_river_swim(stay: float, expected: float) -> None:
    """The way up: e_0 = 1 / (1 - stay), e_i = (1 + .05 e_{i-1}) / .35; the way down is one step a state."""
    P = river_swim(6, stay)
    step = [1 / (1 - stay)]
    for _ in range(4):
        step.append((1 + 0.05 * step[-1]) / 0.35)
    times = hitting_times(P)
    assert times[0] == pytest.approx([0, *np.cumsum(step)], rel=1e-13)
    assert times[5] == pytest.approx([5, 4, 3, 2, 1, 0], rel=1e-13)
    assert diameter(P) == (times[0, 5], (0, 5)) and times[0, 5] == pytest.approx(expected, abs=5e-4)


def test_other_closed_forms() -> None:
    flip = np.array([[0.1, 0.9], [0.9, 0.1]])
    assert hitting_times(np.array([flip, flip])) == pytest.approx(np.array([[0, 10 / 9], [10 / 9, 0]]), rel=1e-15)
    for S in (1, 2, 8):
        cycle = np.roll(np.eye(S), 1, axis=1)[:, None]
        assert hitting_times(cycle).tolist() == [[(g - s) % S for g in range(S)] for s in range(S)]
        assert diameter(cycle) == (S - 1, (0, S - 1))


def test_a_detour_beats_a_likely_failure() -> None:
    """From 0, action 0 takes the sure detour 0 -> 1 -> 2; action 1 goes to 2 with probability q, else stays: 1 / q against 2."""
    for q in (0.2, 0.5, 0.8):
        P = np.zeros((3, 2, 3))
        P[0, 0, 1] = P[1, :, 2] = P[2, :, 0] = 1
        P[0, 1] = 1 - q, 0, q
        assert hitting_times(P)[0, 2] == pytest.approx(min(2, 1 / q), rel=1e-15)


def test_witness_of_an_mdp_that_does_not_communicate() -> None:
    """State 2 absorbs.  From 0, action 0 goes to 1 or to 2, so that 1 is reached with probability .9 only; 2 is reached surely."""
    P = np.zeros((3, 2, 3))
    P[0, 0] = 0, 0.9, 0.1
    P[0, 1, 0] = P[1, 0, 0] = P[1, 1, 2] = P[2, :, 2] = 1
    inf = math.inf
    assert hitting_times(P).tolist() == [[0, inf, pytest.approx(1.9)], [1, 0, 1], [inf, inf, 0]]
    assert diameter(P) == (inf, (0, 1))


def test_long_chain_with_resets() -> None:
    """A combination lock: the wrong action starts again, the right one slips back to the start with probability .5: 2^{n+1} - 2 steps."""
    n = 30
    P = np.zeros((n + 1, 2, n + 1))
    P[:, 0, 0] = 1
    P[range(n), 1, range(1, n + 1)] = 0.5
    P[:n, 1, 0] += 0.5
    P[n, 1, 0] = 1
    assert hitting_times(P)[0, n] == pytest.approx(2.0 ** (n + 1) - 2, rel=1e-6)


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match=r"P: expected shape \(2, any, 2\), got \(2, 1, 3\)"):
        hitting_times(np.full((2, 1, 3), 1 / 3))
    with pytest.raises(ValueError, match=r"P\[0, 0\]: expected a row that sums to one"):
        hitting_times(np.full((2, 1, 2), 0.4))
    with pytest.raises(TypeError, match="P: expected an array of real numbers"):
        hitting_times("P")
