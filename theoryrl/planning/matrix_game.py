"""Zero-sum games, matrix games and Markov games: the row player maximises, the column player minimises."""

from __future__ import annotations

import numpy as np

from theoryrl import validate


def solve_matrix_game(payoff: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the value of a zero-sum game and optimal strategies of both players.

    A pure saddle point is taken where there is one (the lowest row, then the lowest column); otherwise the linear
    programme of von Neumann is solved with HiGHS, once for each player.

    Parameters
    ----------
    payoff : (A, B) array
        What the row player receives.

    Returns
    -------
    value : float
        The guaranteed payoff of `mu`: ``min_b mu @ payoff``, computed from that very `mu`.
    mu, nu : (A,) and (B,) arrays
        Strategies; they sum to one.

    Raises
    ------
    ValueError
        If the payoff is not a finite matrix, or the solver reports failure.
    """
    payoff = validate.real_array("payoff", payoff, (None, None))
    worst, best = payoff.min(axis=1), payoff.max(axis=0)
    row, column = int(np.argmax(worst)), int(np.argmin(best))
    if worst[row] == best[column]:
        return float(worst[row]), np.eye(payoff.shape[0])[row], np.eye(payoff.shape[1])[column]
    mu, nu = _guarantee(payoff), _guarantee(-payoff.T)
    return float((mu @ payoff).min()), mu, nu


def _guarantee(payoff: np.ndarray) -> np.ndarray:
    """Return a strategy of the row player that maximises the guaranteed payoff; scaled to [0, 1], as the solver's tolerances are absolute."""
    from scipy.optimize import linprog

    A, B = payoff.shape
    payoff = (payoff - payoff.min()) / np.ptp(payoff)
    found = linprog(
        np.append(np.zeros(A), -1.0), A_ub=np.hstack([-payoff.T, np.ones((B, 1))]), b_ub=np.zeros(B), A_eq=np.append(np.ones(A), 0.0)[None], b_eq=[1.0],
        bounds=[(0, None)] * A + [(None, None)], method="highs",
    )  # fmt: skip
    if found.x is None or not found.success:
        raise ValueError(f"payoff: the linear programme of a {A} x {B} game was not solved: {found.message}")
    strategy = np.maximum(found.x[:A], 0)
    total: np.ndarray = strategy / strategy.sum()
    return total


def nash(P: np.ndarray, r: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return Nash values (H + 1, S) and strategies (H, S, A), (H, S, B) of the game P (H, S, A, B, S), r (H, S, A, B), backwards over matrix games."""
    H, S, A, B = r.shape
    V, mu, nu = np.zeros((H + 1, S)), np.zeros((H, S, A)), np.zeros((H, S, B))
    for h in range(H - 1, -1, -1):
        for s in range(S):
            V[h, s], mu[h, s], nu[h, s] = solve_matrix_game(r[h, s] + P[h, s] @ V[h + 1])
    return V, mu, nu


def best_response(P: np.ndarray, r: np.ndarray, mu: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the values (H + 1, S) of mu (H, S, A) against the min-player's best response in the game P, r, and that response (H, S); ties to the lowest."""
    H, S = r.shape[:2]
    V, response = np.zeros((H + 1, S)), np.zeros((H, S), np.int64)
    for h in range(H - 1, -1, -1):
        Q = np.einsum("sa,sab->sb", mu[h], r[h] + P[h] @ V[h + 1])
        response[h] = Q.argmin(axis=1)
        V[h] = Q.min(axis=1)
    return V, response
