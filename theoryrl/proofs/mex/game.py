"""The regret theorem of MEX-MG: the exploitability of the max-player's strategies, with every line of its proof (all derived here)."""

from __future__ import annotations

import numpy as np

from theoryrl.algorithms.mex.constants import Constants
from theoryrl.algorithms.mex.game import MEXMG
from theoryrl.algorithms.mex.game_classes import game_models, game_values
from theoryrl.algorithms.run import Run
from theoryrl.problems.hypotheses import ModelClass
from theoryrl.problems.markov_game import MarkovGame
from theoryrl.proofs.lemmas import operations
from theoryrl.proofs.mex.finite import at_the_horizon, lemma_held, loss_scale, membership, side_conditions, theory_eta, upper_bound, with_terms
from theoryrl.proofs.theorem import Assumption, Event, Line, Proof, theorem

PLAYERS = ("_main", "_exploiter")


def largest_exploitability(problem: MarkovGame, k: np.ndarray) -> np.ndarray:
    """Return the exploitability of the max-player's worst strategy after each number of episodes in `k`."""
    return np.asarray(k) * (problem.value - problem.worst_guarantee)


def _assumptions(algorithm: MEXMG, problem: MarkovGame, n: int) -> list[Assumption]:
    algorithm.constants(problem, n)  # raises if the class is about games of another shape
    if isinstance(algorithm.hypotheses, ModelClass):
        return membership(algorithm, game_models(problem, algorithm.hypotheses).distance, "")
    tables = game_values(problem, algorithm.hypotheses)
    return membership(algorithm, tables.distance, tables.incomplete)


def _bound(algorithm: MEXMG, problem: MarkovGame, n: int, k: np.ndarray) -> np.ndarray:
    constants: Constants = algorithm.constants(problem, n)
    bound: np.ndarray = 2 * upper_bound(constants, theory_eta(algorithm, constants, n), k)
    return bound


@theorem(
    for_=MEXMG,
    id="MEX-MG",
    paper="mex",
    name="Theorem MEX-MG (exploitability)",
    source="Liu et al., NeurIPS 2023, Markov games; explicit form, derived here",
    statement=r"""With probability at least $1 - \delta$, $\sum_{j \le k} V^*_1 - V_1^{\mu^j, \dagger} \le 2 (\eta k \beta + \frac{d}{4 c \eta} + b)$ for all
$k \le K$, which is $2 (\sqrt{K \beta d / c} + b)$ at $k = K$ and the default $\eta$. Constants as in Theorem MEX with joint actions,
$\mathcal C_h = A B \sum_x \max_{\mu, \nu} P(x_h = x)$, and ranges over all pairs: $C_h$ the largest span of $V_{h,g}^{\mu_f, \dagger}$; value functions:
$\beta = \frac32 \sum_h B_h^2 \ln\frac{4 N}{\delta}$, $N = \sum_h |\mathcal H_h| |\mathcal H_{h+1}|^2$.""",
    assumptions=_assumptions,
    bound=_bound,
    trivial=largest_exploitability,
)
def theorem_mex_game(run: Run) -> Proof:
    """Four terms: optimism of the main player, its residuals, those of the exploiter, and the exploiter's optimism."""
    algorithm, problem, k = run.algorithm, run.problem, run.checkpoints
    assert isinstance(algorithm, MEXMG) and isinstance(problem, MarkovGame)
    constants = algorithm.constants(problem, run.n)
    eta, c, beta, gec = theory_eta(algorithm, constants, run.n), constants.c, constants.beta, constants.gec
    pred = run["pred_main"] + run["pred_exploiter"]
    seen = run["in_sample_main"] + run["in_sample_exploiter"]
    roots = np.sqrt(gec.d * run["in_sample_main"]) + np.sqrt(gec.d * run["in_sample_exploiter"])
    terms = run["term1"] + run["term2"] + run["term3"] + run["term4"]
    losses = eta * (run["loss_gap_main"] + run["loss_gap_exploiter"])
    lines = [
        Line("M0", "exploitability", run.regret, "surely", equality=True, reason="decomposition into four terms"),
        Line("M1", "sum of the four terms", terms, "surely", reason="nu is not f's partner, so that term 2 is at most the residuals of f"),
        Line("M2", "terms 1 and 4, and residuals", run["term1"] + run["term4"] + pred, "surely", reason="both players maximise their objectives"),
        Line("M3", "eta times both loss gaps, and residuals", losses + pred, on="E", reason="in-sample lemma of both players"),
        Line("M4", "eta (2 k beta - c I), and residuals", eta * (2 * k * beta - c * seen) + pred, "surely", reason="generalized eluder coefficient"),
        Line("M5", "with the GEC", eta * (2 * k * beta - c * seen) + roots + 2 * gec.b, "surely", reason="sqrt(d I) <= c eta I + d / (4 c eta), twice"),
        Line("M6", "2 (eta k beta + d / (4 c eta) + b)", 2 * upper_bound(constants, eta, k)),
    ]
    parts = [run[name] for name in ("term1", "term2", "term3", "term4", "pred_main", "pred_exploiter")]
    lines = with_terms(lines, k * operations(problem) * (1 + sum(map(abs, parts))) + 2 * eta * k**2 * loss_scale(run))
    zero = np.zeros(len(k))
    chains = {
        "exploitability": lines,
        "exploiter's residuals": [
            Line("M1", "term 3", run["term3"], "surely", equality=True, terms=lines[0].terms, reason="telescoping: nu is the best response under g"),
            Line("M2", "residuals of the exploiter", run["pred_exploiter"]),
        ],
        "main player's residuals": [
            Line("T0", "largest excess of term 2 over the residuals of f", run["pred_excess"], "surely"),
            Line("T1", "zero", zero),
        ],
    }
    chains |= at_the_horizon(run, constants, 2) | side_conditions(run, constants, PLAYERS)
    events = [Event("E", algorithm.delta, lemma_held(run, constants, PLAYERS), "the in-sample lemma holds at every f^k and g^k")]
    return Proof(chains, events, largest_exploitability(problem, k))
