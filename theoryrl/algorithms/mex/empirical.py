"""The empirical model of tabular MEX, and the solution that all its solvers return.

Counts are pooled by stage.  A pair without samples is free in the model-free objective: it is a terminal whose value is
the cap C_h, r = C_h and P = 0 here.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from theoryrl import validate
from theoryrl.jit import kernel, record

FREE = -1  # no action is fixed, or there is no unvisited action

Empirical = record(__name__, "Empirical", "P r n unvisited")
"""P (H, S', S A) frequencies, next state first; r (H, S A); n (H, S A) int64; unvisited (H, S) int64, the first unvisited action or FREE."""


@dataclasses.dataclass(frozen=True, eq=False)
class TabularSolution:
    """A hypothesis, its objective, and a certified upper bound of the largest objective.

    Attributes
    ----------
    lower, upper : float
        The objective of `f`, recomputed from its table and the counts, and the certified bound.
    policy : ndarray of int64, shape (H, S)
        The greedy policy of `f`, ties to the lowest action.
    f : ndarray, shape (H, S, A)
        The hypothesis: its Q table.
    nodes : int
        Nodes opened, or policies evaluated.
    exact : bool
        Whether the two bounds agree up to round-off.
    planned : ndarray of int64, shape (H, S)
        The policy of which `f` is the best hypothesis.
    model : ndarray, shape (H, S, A, S), or None
        The hypothesis of the model-based class.
    """

    lower: float
    upper: float
    policy: np.ndarray
    f: np.ndarray
    nodes: int
    exact: bool
    planned: np.ndarray
    model: np.ndarray | None = None

    @property
    def gap(self) -> float:
        """The certified gap, at least 0."""
        return max(self.upper - self.lower, 0.0)


@kernel
def agree(lower: float, upper: float) -> bool:
    """Whether the two bounds of the largest objective agree up to round-off."""
    return upper - lower <= 1e-12 * (1 + abs(upper))


@kernel
def add_sample(P: Any, n: Any, n_next: Any, h: int, row: int, s_next: int) -> None:
    """Count a transition, n_next (H, S A, S), and refresh the frequencies of its pair."""
    n[h, row] += 1
    n_next[h, row, s_next] += 1
    for s2 in range(n_next.shape[2]):
        P[h, s2, row] = n_next[h, row, s2] / n[h, row]


@kernel
def first_unvisited(n: Any, unvisited: Any, h: int, s: int) -> None:
    """Refresh the first unvisited action of a state."""
    A = n.shape[1] // unvisited.shape[1]
    unvisited[h, s] = FREE
    for a in range(A - 1, -1, -1):
        if n[h, s * A + a] == 0:
            unvisited[h, s] = a


def unseen(problem_caps: np.ndarray, S: int, A: int) -> Any:
    """Return the empirical model before the first episode, caps being those of the H stages."""
    H = len(problem_caps) - 1
    r = np.repeat(problem_caps[:-1, None], S * A, axis=1)
    return Empirical(np.zeros((H, S, S * A)), r, np.zeros((H, S * A), np.int64), np.zeros((H, S), np.int64))


def read_counts(n: Any, n_next: Any, reward: Any, caps: Any, start: Any, eta: Any) -> tuple[Any, np.ndarray, int, float]:
    """Return the empirical model of plain counts, and the caps, start and eta, all validated.

    Parameters
    ----------
    n : (H, S, A) array of int
        Visits.
    n_next : (H, S, A, S) array of int
        Transitions; they sum to `n`.
    reward : (H, S, A) array
        Rewards in ``[0, caps[h] - caps[h + 1]]``, read where n > 0.
    caps : (H + 1,) array
        C, not increasing, 0 at the end.
    start : int
    eta : float
        Positive.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.
    """
    n = validate.integer_array("n", n, (None, None, None), 0, 2**53)
    H, S, A = n.shape
    n_next = validate.integer_array("n_next", n_next, (H, S, A, S), 0, 2**53)
    if bad := np.argwhere(n_next.sum(axis=-1) != n).tolist():
        raise ValueError(f"n_next{bad[0]}: expected transitions that sum to n, got {n_next[tuple(bad[0])].sum()} for {n[tuple(bad[0])]} visits")
    caps = validate.real_array("caps", caps, (H + 1,), 0)
    if np.any(np.diff(caps) > 0) or caps[-1] != 0:
        raise ValueError(f"caps: expected caps that do not increase and end at 0, got {caps.tolist()}")
    reward = validate.real_array("reward", reward, (H, S, A), 0)
    most = np.diff(-caps)[:, None, None]
    if bad := np.argwhere((n > 0) & (reward > most + 1e-12)).tolist():
        raise ValueError(f"reward{bad[0]}: expected at most caps[h] - caps[h + 1] = {most[bad[0][0], 0, 0]}, got {reward[tuple(bad[0])]}")
    start = validate.integer("start", start, 0, S - 1)
    eta = validate.real("eta", eta, 0, open_ends=True)
    model = unseen(caps, S, A)
    model.n[:] = n.reshape(H, -1)
    seen = model.n > 0
    model.r[seen] = reward.reshape(H, -1)[seen]
    frequencies = n_next.reshape(H, S * A, S) / np.maximum(model.n, 1)[..., None]
    model.P[:] = np.moveaxis(frequencies, -1, 1)
    for h in range(H):
        for s in range(S):
            first_unvisited(model.n, model.unvisited, h, s)
    return model, caps, start, eta
