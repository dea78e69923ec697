"""Matrix games and Markov games: certificates from duality, closed forms, brute force over deterministic responses."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

from envs_synthetic.mex import mg_switch, mg_trap, random_game
from theoryrl.planning.matrix_game import best_response, nash, solve_matrix_game
from theoryrl.problems import MarkovGame

CLOSE = 1e-9  # what HiGHS promises, with room


def certified(payoff: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Solve, and check that the two strategies prove the value: no answer of either player does better."""
    value, mu, nu = solve_matrix_game(payoff)
    assert mu.shape == (payoff.shape[0],) and nu.shape == (payoff.shape[1],)
    for strategy in (mu, nu):
        assert np.all(strategy >= 0) and abs(strategy.sum() - 1) <= 1e-15 * len(strategy)
    assert value == (mu @ np.ascontiguousarray(payoff)).min()
    gap = (payoff @ nu).max() - value
    assert -1e-14 * np.abs(payoff).max() <= gap <= CLOSE * max(1, np.abs(payoff).max())
    return value, mu, nu


@st.composite
def payoffs(draw: st.DrawFn) -> np.ndarray:
    """Matrices on coarse grids, so that ties, saddle points, equal rows and zeros are frequent, and some in general position."""
    A, B = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    values = st.sampled_from([0.0, 0.25, 0.5, 1.0]) if draw(st.booleans()) else st.floats(-3, 3)
    return np.array(draw(st.lists(values, min_size=A * B, max_size=A * B))).reshape(A, B)


@settings(max_examples=60)
@given(payoffs())
def test_both_strategies_prove_the_value(payoff: np.ndarray) -> None:
    value, _, _ = certified(payoff)
    swapped, _, _ = certified(-payoff.T)
    assert abs(value + swapped) <= CLOSE * max(1, np.abs(payoff).max())


@settings(max_examples=60)
@given(st.lists(st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.9, 1.0]), min_size=4, max_size=4))
def test_two_by_two_in_closed_form(entries: list[float]) -> None:
    a, b, c, d = entries
    value, mu, _ = certified(np.array([[a, b], [c, d]]))
    low, high = max(min(a, b), min(c, d)), min(max(a, c), max(b, d))
    if low == high:
        assert value == low and mu.max() == 1  # a saddle point, exactly
    else:
        assert abs(value - (a * d - b * c) / (a + d - b - c)) <= CLOSE
        assert abs(mu[0] - (d - c) / (a + d - b - c)) <= CLOSE


def test_known_games() -> None:
    value, mu, nu = certified(np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]))
    assert abs(value) <= CLOSE and np.abs(mu - 1 / 3).max() <= CLOSE and np.abs(nu - 1 / 3).max() <= CLOSE
    value, mu, _ = certified(np.array([[0.5, 0.5], [0.6, 0.05]]))
    assert (value, mu.tolist()) == (0.5, [1, 0])


@pytest.mark.parametrize("scale", [1e-10, 1e-7, 1e-4, 1.0, 1e6])
@pytest.mark.parametrize("offset", [0.0, 0.5])
def test_the_range_of_the_payoffs_does_not_matter(scale: float, offset: float) -> None:
    """The solver's tolerances are absolute: nearly constant games, such as hypotheses close to the truth have, need the same accuracy."""
    rng = np.random.default_rng(0)
    for _ in range(10):
        payoff = offset + scale * rng.normal(size=(3, 4))
        value, _, nu = solve_matrix_game(payoff)
        assert (payoff @ nu).max() - value <= CLOSE * np.ptp(payoff) + 1e-15 * (offset + scale)


@pytest.mark.parametrize(
    ("payoff", "value", "row", "column"),
    [
        ([[0.3]], 0.3, 0, 0),
        ([[0.4, 0.2, 0.2]], 0.2, 0, 1),
        ([[0.1], [0.7], [0.7]], 0.7, 1, 0),
        ([[0.5, 0.5], [0.5, 0.5]], 0.5, 0, 0),
        ([[0, 0], [0, 0], [0, 0]], 0, 0, 0),
        ([[1, 2, 3], [0, 5, 1], [1, 4, 2]], 1, 0, 0),
        ([[3, 1], [2, 2], [4, 2]], 2, 1, 1),
    ],
)
def test_saddle_points_are_pure_exact_and_the_lowest(payoff: Any, value: float, row: int, column: int) -> None:
    found, mu, nu = certified(np.array(payoff, dtype=float))
    assert found == value
    assert mu.tolist() == np.eye(len(mu))[row].tolist() and nu.tolist() == np.eye(len(nu))[column].tolist()


@pytest.mark.parametrize(
    ("payoff", "error", "message"),
    [
        ([[0, np.nan]], ValueError, r"payoff\[0, 1\]: .*got nan"),
        ([[0, 1], [np.inf, 0]], ValueError, r"payoff\[1, 0\]: .*got inf"),
        ([0, 1], ValueError, r"payoff: expected shape \(any, any\), got \(2,\)"),
        (np.zeros((0, 2)), ValueError, r"payoff: expected shape \(any, any\), got \(0, 2\)"),
        ("chess", TypeError, r"payoff: expected an array of real numbers, got str 'chess'"),
    ],
)
def test_bad_payoffs_are_named(payoff: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        solve_matrix_game(payoff)


@pytest.mark.parametrize("found", [SimpleNamespace(x=None, success=False, message="no luck"), SimpleNamespace(x=np.ones(3), success=False, message="no luck")])
def test_a_solver_that_fails_is_an_error(found: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scipy.optimize, "linprog", lambda *arguments, **options: found)
    with pytest.raises(ValueError, match="payoff: the linear programme of a 2 x 2 game was not solved: no luck"):
        solve_matrix_game(np.eye(2))
    with pytest.raises(ValueError, match="was not solved"):
        nash(np.ones((1, 1, 2, 2, 1)), np.eye(2)[None, None])
    assert solve_matrix_game(np.ones((2, 2)))[0] == 1  # a saddle point needs no solver


def test_round_off_of_the_solver_is_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    found = SimpleNamespace(x=np.array([0.5 + 1e-12, 0.5, -1e-12, 0.5]), success=True)
    monkeypatch.setattr(scipy.optimize, "linprog", lambda *arguments, **options: found)
    value, mu, _ = solve_matrix_game(np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]]))
    assert np.all(mu >= 0) and abs(mu.sum() - 1) <= 1e-15 and value == 0


GAMES = [random_game(2, 2, 2, 2, 0), random_game(2, 2, 3, 2, 1), random_game(3, 1, 2, 3, 2), random_game(1, 2, 2, 2, 3), random_game(2, 2, 1, 3, 4)]
GAMES += [random_game(2, 2, 3, 1, 5), random_game(1, 1, 1, 1, 6), mg_trap(), mg_switch()]


def evaluated(game: MarkovGame, mu: np.ndarray, nu: np.ndarray) -> np.ndarray:
    """V (H + 1, S) of a pair of strategies, (H, S, A) and (H, S, B), by definition."""
    V = np.zeros((game.horizon + 1, game.n_states))
    for h in reversed(range(game.horizon)):
        Q = game.stage_reward[h] + game.stage_transition[h] @ V[h + 1]
        V[h] = np.einsum("sa,sb,sab->s", mu[h], nu[h], Q)
    return V


def deterministic(H: int, S: int, actions: int) -> list[np.ndarray]:
    return [np.eye(actions)[np.array(choice)].reshape(H, S, actions) for choice in itertools.product(range(actions), repeat=H * S)]


def swapped(game: MarkovGame) -> MarkovGame:
    """The game with the players exchanged: the new max-player receives 1 - r."""
    return MarkovGame(np.swapaxes(game.stage_transition, 2, 3), 1 - np.swapaxes(game.stage_reward, 2, 3), game.horizon, game.start)


@pytest.mark.parametrize("game", GAMES, ids=lambda game: game.name)
def test_best_response_is_the_best_of_all(game: MarkovGame) -> None:
    H, S, (A, B) = game.horizon, game.n_states, game.n_actions
    rng = np.random.default_rng(0)
    replies = deterministic(H, S, B) if B ** (H * S) <= 100 else [rng.dirichlet(np.ones(B), (H, S)) for _ in range(50)]
    for mu in (game.nash_max, rng.dirichlet(np.ones(A), (H, S)), np.eye(A)[rng.integers(A, size=(H, S))]):
        V, response = best_response(game.stage_transition, game.stage_reward, mu)
        assert response.dtype == np.int64 and V.shape == (H + 1, S)
        assert np.abs(evaluated(game, mu, np.eye(B)[response]) - V).max() <= 1e-14
        values = np.stack([evaluated(game, mu, nu) for nu in replies])
        assert np.all(V <= values.min(axis=0) + 1e-14)
        if B ** (H * S) <= 100:
            assert np.abs(values.min(axis=0) - V).max() <= 1e-14
        assert all(np.array_equal(ours, theirs) for ours, theirs in zip(game.best_response(mu), (V, response), strict=True))


def test_ties_of_the_best_response_go_to_the_lowest() -> None:
    V, response = best_response(np.ones((1, 1, 2, 3, 1)), np.array([[[[0.5, 0.2, 0.2], [0.5, 0.2, 0.2]]]]), np.full((1, 1, 2), 0.5))
    assert response.tolist() == [[1]] and V[0, 0] == pytest.approx(0.2, abs=1e-16)


@pytest.mark.parametrize("game", GAMES, ids=lambda game: game.name)
def test_equilibrium_strategies_cannot_be_exploited(game: MarkovGame) -> None:
    """The max-player's strategy guarantees the Nash values at every stage and state; so does the min-player's."""
    V, mu, nu = game.nash_values, game.nash_max, game.nash_min
    assert not V[-1].any()
    assert np.abs(game.best_response(mu)[0] - V).max() <= 2 * game.horizon * CLOSE
    other = swapped(game)
    to_go = np.arange(game.horizon, -1, -1)[:, None]
    assert np.abs(to_go - other.best_response(nu)[0] - V).max() <= 2 * game.horizon * CLOSE
    assert np.abs(to_go - other.nash_values - V).max() <= 2 * game.horizon * CLOSE
    assert np.abs(evaluated(game, mu, nu) - V).max() <= 2 * game.horizon * CLOSE


def test_known_values() -> None:
    assert mg_trap().value == 0.5 and mg_trap().nash_max[0, 0].tolist() == [1, 0]
    assert abs(mg_switch().value - 0.3) <= 1e-15
