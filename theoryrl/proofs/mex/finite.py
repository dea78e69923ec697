r"""The regret theorem of MEX over finite classes, explicit, with every line of its proof.

The master theorem (derived here; the paper's Theorem 4.4 states the order): if the truth is in the class, and

(i) in-sample: :math:`\sum_h L_h^{k-1}(f^*) - L_h^{k-1}(f) \le -c \sum_h \sum_{s<k} E_{\pi^s} \ell_h(f) + \beta` for all k and f,
(ii) GEC: :math:`\sum_k V_{1,f^k} - V_1^{\pi^k} \le \frac\mu2 I_K + \frac{d}{2\mu} + b` for all mu > 0,
(iii) argmax: the objective of f^k is at most g_k below the supremum, and pi^k is greedy for that f^k,

then for every eta > 0 (:math:`\mu = 2 c \eta`) :math:`\mathrm{Reg}(K) \le \eta K \beta + \frac{d}{4 c \eta} + b + \sum_k g_k`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from theoryrl.algorithms.mex.classes import SAME, model_tables, value_tables
from theoryrl.algorithms.mex.constants import Constants
from theoryrl.algorithms.mex.finite import MEX
from theoryrl.algorithms.run import Run
from theoryrl.problems.episodic import EpisodicMDP
from theoryrl.problems.hypotheses import ModelClass
from theoryrl.proofs.lemmas import largest_regret, operations
from theoryrl.proofs.theorem import EPS, Assumption, Event, Line, Proof, theorem

SOURCE = "Liu et al., NeurIPS 2023, Theorem 4.4; explicit form, derived here"


def upper_bound(constants: Constants, eta: float, k: Any) -> Any:
    r"""Return :math:`\eta k \beta + d / (4 c \eta) + b`, without the middle term if d = 0 or beta = 0.

    With d = 0 (nothing to learn) the prediction errors sum to at most b; with beta = 0 every residual is 0.
    """
    k = np.asarray(k, dtype=float)
    if constants.gec.d == 0:
        return eta * k * constants.beta + constants.gec.b
    return eta * k * constants.beta + (constants.gec.d / (4 * constants.c * eta) if constants.beta > 0 else 0.0) + constants.gec.b


def membership(algorithm: Any, distance: float, incomplete: str) -> list[Assumption]:
    """Return the assumptions about a class: realizable and, for value functions, complete."""
    found = [Assumption("the truth is in the class", distance < SAME, f"the closest hypothesis is {distance:.3g} away")]
    return found if algorithm.variant == "model-based" else [*found, Assumption("the class is complete", not incomplete, incomplete)]


def _assumptions(algorithm: MEX, problem: EpisodicMDP, n: int) -> list[Assumption]:
    algorithm.constants(problem, n)  # raises if the class is about problems of another shape
    if isinstance(algorithm.hypotheses, ModelClass):
        return membership(algorithm, model_tables(problem, algorithm.hypotheses).distance, "")
    tables = value_tables(problem, algorithm.hypotheses)
    return membership(algorithm, tables.distance, tables.incomplete)


def theory_eta(algorithm: Any, constants: Constants, n: int) -> float:
    """Return the eta of a run: the user's, or the theorem's."""
    return constants.eta(n) if algorithm.eta is None else float(algorithm.eta)


def _bound(algorithm: Any, problem: Any, n: int, k: np.ndarray) -> np.ndarray:
    constants = algorithm.constants(problem, n)
    bound: np.ndarray = upper_bound(constants, theory_eta(algorithm, constants, n), k)
    return bound


@theorem(
    for_=MEX,
    id="MEX",
    paper="mex",
    name="Theorem MEX (regret)",
    source=SOURCE,
    statement=r"""With probability at least $1 - \delta$, $\mathrm{Reg}(k) \le \eta k \beta + \frac{d}{4 c \eta} + b$ for all $k \le K$, which is
$\sqrt{K \beta d / c} + b$ at $k = K$ and the default $\eta = \sqrt{d / (4 c K \beta)}$.
Models: $c = 2$, $\beta = 2 H \ln(H |\mathcal H| / \delta)$, $d = 2 \log_2 K \sum_h C_{h+1}^2 \mathcal C_h$, $b = 2 \sum_h C_{h+1} \mathcal C_h$,
$C_h$ the largest span of $V_{h,f}$. Value functions, complete: $c = 1 - e^{-1/2}$,
$\beta = \sum_h B_h^2 (\ln\frac{2 N_p}{\delta} + \frac12 \ln\frac{2 N_g}{\delta})$, $d = \log_2 K \sum_h \mathcal C_h$, $b = 2 \sum_h B_h \mathcal C_h$,
$B_h$ the largest residual and range of targets. $\mathcal C_h = A \sum_x \max_\pi P(x_h = x)$.
With `gec="cellwise"`, $d$ and $b$ cell by cell; with `explore="v"`, $b / A$, about the iterates.""",
    assumptions=_assumptions,
    bound=_bound,
    trivial=largest_regret,
)
def theorem_mex(run: Run) -> Proof:
    """Telescoping, the argmax, the in-sample lemma, the generalized eluder coefficient, and sqrt(d I) <= c eta I + d / (4 c eta)."""
    algorithm, problem, k = run.algorithm, run.problem, run.checkpoints
    assert isinstance(algorithm, MEX) and isinstance(problem, EpisodicMDP)
    constants = algorithm.constants(problem, run.n)
    eta, c, beta = theory_eta(algorithm, constants, run.n), constants.c, constants.beta
    gec, cells = constants.gec, constants.cellwise
    feel_good, in_sample = eta * run["loss_gap"], eta * (k * beta - c * run["in_sample"])
    lines = [
        Line("L0", "regret", run.regret, "surely", equality=True, reason="telescoping of residuals, pi greedy for f"),
        Line("L1", "sum of V* - V_f, and residuals", run["optimism_gap"] + run["pred"], "surely", reason="f maximises the objective, and f* is in the class"),
        Line("L2", "eta times loss gap, and residuals", feel_good + run["pred"], on="E", reason="in-sample lemma"),
        Line("L3", "eta (k beta - c I), and residuals", in_sample + run["pred"], "surely", reason="generalized eluder coefficient, minimised over mu"),
    ]
    if cells is not None and cells != gec:
        value = in_sample + np.sqrt(cells.d * run["in_sample"]) + cells.b
        lines.append(Line("L4'", "with the cell-wise GEC", value, "surely", reason="d' <= d, b' <= b"))
    value = in_sample + np.sqrt(gec.d * run["in_sample"]) + gec.b
    lines += [
        Line("L4", "with the GEC", value, "surely", reason="sqrt(d I) <= c eta I + d / (4 c eta)" if gec.d * beta > 0 else "d = 0 or beta = 0"),
        Line("L5", "eta k beta + d / (4 c eta) + b", upper_bound(constants, eta, k)),
    ]
    lines = with_terms(lines, k * operations(problem) * (1 + abs(run["optimism_gap"]) + abs(run["pred"])) + eta * k**2 * loss_scale(run))
    return Proof(
        {"regret": lines} | at_the_horizon(run, constants) | side_conditions(run, constants, [""]),
        [Event("E", algorithm.delta, lemma_held(run, constants, [""]), "the in-sample lemma holds at every f^k")],
        largest_regret(problem, k),
    )


def with_terms(lines: Sequence[Line], terms: np.ndarray) -> list[Line]:
    """Return the lines with `terms` for their round-off: each is a difference of sums that may be far larger than itself."""
    return [dataclasses.replace(line, terms=terms) for line in lines]


def at_the_horizon(run: Run, constants: Constants, players: int = 1) -> dict[str, list[Line]]:
    """Return the chain that says that the bound at k = K, with the theory's eta, is sqrt(K beta d / c) + b, once a player."""
    if run.algorithm.eta is not None:  # type: ignore[attr-defined]
        return {}
    last = np.where(run.checkpoints == run.n, 0.0, np.nan)
    bound = upper_bound(constants, constants.eta(run.n), run.checkpoints)
    return {
        "at the horizon": [
            Line("L5", "the bound at k = K", last + players * bound, "surely", equality=True, reason="theory eta"),
            Line("L6", "sqrt(K beta d / c) + b", last + players * constants.bound(run.n)),
        ]
    }


def side_conditions(run: Run, constants: Constants, players: Sequence[str]) -> dict[str, list[Line]]:
    """Return the steps that hold episode by episode: the argmax, and the in-sample lemma on its event."""
    zero, beta = np.zeros(len(run.checkpoints)), np.full(len(run.checkpoints), constants.beta)
    terms = run.checkpoints * loss_scale(run)
    chains = {}
    for player in players:
        chains[f"argmax{player}"] = [
            Line("T0", "largest V* - V_f - eta (L(f*) - L(f)) of an episode", run["feel_good_excess" + player], "surely", terms=terms),
            Line("T1", "zero", zero),
        ]
        chains[f"in-sample{player}"] = [
            Line("T0", "largest L(f*) - L(f) + c sum of ell(f)", run["in_sample_deviation" + player], on="E", terms=terms),
            Line("T1", "beta", beta),
        ]
    return chains


def loss_scale(run: Run) -> float:
    """Return H times the largest loss of a sample, so that k times it, in units of round-off, is what a difference of losses may be off by."""
    H = run.problem.horizon  # type: ignore[attr-defined]
    if run.algorithm.variant == "model-free":  # type: ignore[attr-defined]
        return float(H**3)
    P = run.problem.stage_transition  # type: ignore[attr-defined]
    return H * (1 - math.log(P[P > 0].min()))


def lemma_held(run: Run, constants: Constants, players: Sequence[str]) -> bool:
    """Return whether the in-sample lemma held at every hypothesis that was chosen, up to round-off."""
    allowed = constants.beta + 4 * EPS * (run.steps * loss_scale(run) + 8) * (1 + constants.beta)
    return all(bool(run["in_sample_deviation" + player][-1] <= allowed) for player in players)
