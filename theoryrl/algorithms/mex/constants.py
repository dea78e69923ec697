r"""The constants of MEX's regret theorem, :math:`\mathrm{Reg}(K) \le \sqrt{K \beta d / c} + b + \sum_k g_k`, and the eta that gives it.

c and beta come from the in-sample lemma, d and b from the certified GEC; all are derived here (the paper states orders).
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from theoryrl.algorithms.mex.classes import ModelTables, ValueTables
from theoryrl.algorithms.mex.game_classes import GameModels, GameValues
from theoryrl.complexity.gec import Gec, cellwise_gec, model_gec, value_gec
from theoryrl.problems.episodic import EpisodicMDP
from theoryrl.problems.markov_game import MarkovGame

C_MODEL = 2.0
"""c of a finite model class."""
C_VALUE = 1 - math.exp(-0.5)
"""c of a finite, complete class of value functions: e^{-u/2} <= 1 - c u on [0, 1]."""


@dataclasses.dataclass(frozen=True)
class Constants:
    """The constants (c, beta) of the in-sample lemma, and the certified GEC that eta uses (with, for the proof, the cell-wise one)."""

    c: float
    beta: float
    gec: Gec
    cellwise: Gec | None = None

    def eta(self, n: int) -> float:
        r"""Return the theory value :math:`\sqrt{d / (4 c K \beta)}`; 0 where there is nothing to learn (d = 0), 1 where every residual is 0 (beta = 0)."""
        if self.gec.d == 0:
            return 0.0
        return math.sqrt(self.gec.d / (4 * self.c * n * self.beta)) if self.beta > 0 else 1.0

    def bound(self, n: int) -> float:
        r"""Return :math:`\sqrt{K \beta d / c} + b`."""
        return math.sqrt(n * self.beta * self.gec.d / self.c) + self.gec.b


def model_radius(x: float) -> float:
    r"""Return 2x, which :math:`\sum [2 D_H^2(P_f, P) - \log(P / P_f)]` exceeds for one model with probability at most :math:`e^{-x}`, ever.

    :math:`E e^{-X/2} = 1 - D_H^2 \le e^{-D_H^2}` for :math:`X = \log(P / P_f)(x')`, and Ville's inequality.
    """
    return 2 * x


def image_radius(B: float, x: float) -> float:
    r"""Return :math:`B^2 x`, which :math:`\sum [\frac12 E^2 - X]` exceeds for one pair of tables with probability at most :math:`e^{-x}`, ever.

    :math:`X = (f - r - V')^2 - (T f - r - V')^2` has :math:`E e^{-X / B^2} \le e^{-E^2 / (2 B^2)}` by Hoeffding's lemma.
    """
    return B**2 * x


def truth_radius(B: float, x: float) -> float:
    r"""Return :math:`\frac12 B^2 x`, which :math:`-\sum W` exceeds for one table g with probability at most :math:`e^{-x}`, ever.

    :math:`W = (g - r - V^{*\prime})^2 - (f^* - r - V^{*\prime})^2` has :math:`E e^{-2 W / B^2} \le 1`.
    """
    return B**2 / 2 * x


def model_beta(horizon: int, models: int, delta: float) -> float:
    r"""Return :math:`\beta = 2 H \log(H |\mathcal H| / \delta)` (union over stages and models)."""
    return horizon * model_radius(math.log(horizon * models / delta))


def value_beta(sizes: np.ndarray, ranges: np.ndarray, delta: float) -> float:
    r"""Return :math:`\sum_h B_h^2 (\log(2 N_p / \delta) + \frac12 \log(2 N_g / \delta))`, N_p pairs of tables of successive stages, N_g tables.

    Parameters
    ----------
    sizes : (H + 1,) array
        Lengths of the lists, the last one 1.
    ranges : (H,) array
        B.
    """
    pairs, singles = int(np.dot(sizes[:-1], sizes[1:])), int(sizes[:-1].sum())
    return float(sum(image_radius(B, math.log(2 * pairs / delta)) + truth_radius(B, math.log(2 * singles / delta)) for B in ranges))


def model_constants(problem: EpisodicMDP, tables: ModelTables, n: int, delta: float, cellwise: bool, vtype: bool) -> Constants:
    """Return the constants of a finite model class."""
    gec = model_gec(n, problem.reachability, tables.spans[1:])
    squared = tables.residual**2
    kappa = np.where(squared > 0, squared / np.where(tables.hellinger > 0, tables.hellinger, 1), 0).max(axis=0)
    cells = cellwise_gec(n, _reach(problem), kappa, np.abs(tables.residual).max(axis=0))
    beta = model_beta(problem.horizon, len(tables.start_values), delta)
    return _choose(C_MODEL, beta, gec, cells, cellwise, problem.n_actions if vtype else None)


def value_constants(problem: EpisodicMDP, tables: ValueTables, n: int, delta: float, cellwise: bool, vtype: bool) -> Constants:
    """Return the constants of a finite class of value functions."""
    gec = value_gec(n, problem.reachability, tables.ranges)
    rho = np.abs(tables.residual).max(axis=(1, 2))  # padding repeats a table of the list
    cells = cellwise_gec(n, _reach(problem), (rho > 0).astype(float), rho)
    return _choose(C_VALUE, value_beta(tables.sizes, tables.ranges, delta), gec, cells, cellwise, problem.n_actions if vtype else None)


def _reach(problem: EpisodicMDP) -> np.ndarray:
    """Return the largest reaches of the pairs: a pair's is its state's."""
    return np.broadcast_to(problem.max_reach[..., None], (problem.horizon, problem.n_states, problem.n_actions))


def _choose(c: float, beta: float, gec: Gec, cells: Gec, cellwise: bool, actions: int | None) -> Constants:
    """Put the cell-wise GEC in front if asked; the V-type one (pigeonhole over states) has b divided by A and no cell-wise form."""
    if actions is not None:
        return Constants(c, beta, Gec(gec.d, gec.b / actions))
    return Constants(c, beta, cells if cellwise else gec, cells)


def game_model_constants(problem: MarkovGame, tables: GameModels, n: int, delta: float) -> Constants:
    """Return the constants of a finite model class about a game, for each player; the spans run over all pairs (mu_f, g)."""
    beta = model_beta(problem.horizon, len(tables.start_values), delta)
    return Constants(C_MODEL, beta, model_gec(n, _joint_reachability(problem), tables.spans[1:]))


def game_value_constants(problem: MarkovGame, tables: GameValues, n: int, delta: float) -> Constants:
    """Return the constants of a finite class of value functions about a game, for each player."""
    return Constants(C_VALUE, game_value_beta(tables.sizes, tables.ranges, delta), value_gec(n, _joint_reachability(problem), tables.ranges))


def game_value_beta(sizes: np.ndarray, ranges: np.ndarray, delta: float) -> float:
    r"""Return :math:`\frac32 \sum_h B_h^2 \log(4 N / \delta)`, :math:`N = \sum_h |\mathcal H_h| |\mathcal H_{h+1}|^2` triples (g_h, g_{h+1}, f_{h+1}).

    Four families of events, X and W of each player, with delta / 4 each; that mu depends on the data is paid for by the
    union over f_{h+1}.
    """
    x = math.log(4 * int(np.dot(sizes[:-1], sizes[1:] ** 2)) / delta)
    return float(sum(image_radius(B, x) + truth_radius(B, x) for B in ranges))


def _joint_reachability(problem: MarkovGame) -> np.ndarray:
    """Return the sums over cells of the largest reaches of the stages: A B times those over states."""
    A, B = problem.n_actions
    return A * B * problem.max_reach.sum(axis=1)
