r"""The regret theorems of MEX over the full tabular class, with every line of their proofs; all constants are derived here.

The master theorem is that of `theoryrl.proofs.mex.finite`; the gaps g_k of the solver enter its argmax step.  The in-sample
lemma rests on two events, each of probability at least :math:`1 - \delta / 2`, for all k at once:

M, mixture: :math:`\sum_{x,a} n_h \mathrm{KL}(\hat P_h \| P_h) \le \ln\frac{2 H}{\delta} + \sum_{x,a} \ln\binom{n_h + S - 1}{S - 1}` at every
stage (model-free), or summed over the stages with :math:`\ln\frac2\delta` (model-based): a product of Dirichlet(1) mixture martingales;

N, counts: :math:`n \ge (1 - 1/e) D - \ln\frac{2 H S A}{\delta}` for all pairs: Ville's inequality for :math:`e^{-1\{\text{visit}\}}`.

Whether they held is told by the trace's own counts and the true laws; nothing here reads a constant of the run.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from theoryrl.algorithms.mex.constants import Constants
from theoryrl.algorithms.mex.tabular import MEXTabular
from theoryrl.algorithms.run import Run
from theoryrl.complexity.gec import model_gec, value_gec
from theoryrl.problems.episodic import EpisodicMDP
from theoryrl.proofs.lemmas import largest_regret
from theoryrl.proofs.mex.finite import at_the_horizon, theory_eta, upper_bound
from theoryrl.proofs.theorem import Event, Line, Proof, theorem

SOURCE = "Liu et al., NeurIPS 2023, Theorem 4.4; explicit form for the full tabular class, derived here"
SHARE = 1 - math.exp(-1)


def log_mixture(n: Any, S: int) -> Any:
    r"""Return the mixture radius :math:`\ln\binom{n + S - 1}{S - 1}` of a pair with n samples (real, entry by entry) and S next states."""
    from scipy.special import gammaln

    return gammaln(np.add(n, S)) - gammaln(np.add(n, 1)) - gammaln(S)


def mixture_constant(K: int, S: int, A: int) -> float:
    r"""Return :math:`\Gamma_K = S A \ln\binom{K / (S A) + S - 1}{S - 1}`: the mixture radii of a stage sum to at most this (concavity)."""
    return float(S * A * log_mixture(K / (S * A), S))


def count_radius(pairs: int, delta: float) -> float:
    r"""Return :math:`\ln(\text{pairs} / \delta)`, which :math:`(1 - 1/e) D - n` of some pair exceeds with probability at most delta, ever."""
    return math.log(pairs / delta)


def tabular_constants(problem: EpisodicMDP, n: int, delta: float, variant: str) -> Constants:
    """Return the constants (c, beta, d, b) of the theorem about a variant, for a horizon of n episodes."""
    H, S, A = problem.horizon, problem.n_states, problem.n_actions
    caps, mixture, counts = problem.value_caps, mixture_constant(n, S, A), count_radius(H * S * A, delta / 2)
    if variant == "model-based":
        return Constants(SHARE, 2 * (math.log(2 / delta) + H * mixture) + H * S * A * counts, model_gec(n, problem.reachability, caps[1:]))
    beta = float(np.sum(caps[1:] ** 2)) * (math.log(2 * H / delta) + mixture) + counts * S * A * float(np.sum(caps**2)) / 2
    return Constants(SHARE / 2, beta, value_gec(n, problem.reachability, caps[:-1]))


def _bound(algorithm: MEXTabular, problem: EpisodicMDP, n: int, k: np.ndarray) -> np.ndarray:
    """Return the bound without the gaps, which only a run knows."""
    constants = tabular_constants(problem, n, algorithm.delta, algorithm.variant)
    bound: np.ndarray = upper_bound(constants, theory_eta(algorithm, constants, n), k)
    return bound


def _proof(run: Run, constants: Constants, eta: float, losses: list[tuple[str, str, Any, dict[str, Any]]], mixture: float) -> Proof:
    """Return the proof whose lines between L2 and L3 replace the loss gap by `losses` (id, label, value, step), M holding below `mixture`."""
    algorithm, problem, k = run.algorithm, run.problem, run.checkpoints
    assert isinstance(algorithm, MEXTabular) and isinstance(problem, EpisodicMDP)
    H, S, A = problem.horizon, problem.n_states, problem.n_actions
    pred, gaps, in_sample = run["pred"], run["gaps"], eta * (k * constants.beta - constants.c * run["in_sample"])
    terms = k * H * S * A * S
    beta = constants.beta * constants.gec.d
    lines = [
        Line("L0", "regret", run.regret, "surely", equality=True, terms=terms, reason="telescoping of residuals, pi greedy for f"),
        Line("L1", "sum of V* - V_f, and residuals", run["optimism_gap"] + pred, "surely", terms=terms, reason="f maximises up to its gap, f* in the class"),
        *(Line(id, label, eta * value + pred + gaps, terms=terms, **step) for id, label, value, step in losses),
        Line("L3", "eta (k beta - c I), residuals, gaps", in_sample + pred + gaps, "surely", terms=terms, reason="generalized eluder coefficient"),
        Line(
            "L4", "with the GEC", in_sample + np.sqrt(constants.gec.d * run["in_sample"]) + constants.gec.b + gaps, "surely", terms=terms,
            reason="sqrt(d I) <= c eta I + d / (4 c eta)" if beta > 0 else "d = 0 or beta = 0",
        ),
        Line("L5", "eta k beta + d / (4 c eta) + b, and gaps", upper_bound(constants, eta, k) + gaps),
    ]  # fmt: skip
    zero = np.zeros(len(k))
    size = terms * (1 + constants.beta + np.abs(run["loss_gap"]))  # numbers as large as the losses are summed and subtracted
    sides = {
        "argmax": ("largest V* - V_f - eta (L(f*) - L(f)) - g of an episode", "feel_good_excess", "T14"),
        "objective": ("largest error of a reported objective", "objective_error", "it is that of f"),
        "greedy": ("largest regret of the played action in f", "greedy_excess", "pi is greedy for f"),
    }
    horizon = {name: [dataclasses.replace(line, value=line.value + gaps) for line in chain] for name, chain in at_the_horizon(run, constants).items()}
    chains = {"regret": lines} | horizon
    for name, (label, curve, reason) in sides.items():
        chains[name] = [Line("T0", label, run[curve], "surely", terms=size * max(eta, 1.0), reason=reason), Line("T1", "zero", zero)]
    label = "largest L(f*) - L(f) + c sum of D l(f)"
    chains["in-sample"] = [
        Line("T0", label, run["in_sample_deviation"], on=("M", "N"), terms=size, reason="the in-sample lemma"),
        Line("T1", "beta", zero + constants.beta),
    ]
    if algorithm.variant == "model-free":
        most = problem.value_caps[1:] ** 2 / 2 * (math.log(2 * H / algorithm.delta) + mixture_constant(run.n, S, A))
        label = "largest L_h(f*), stage by stage"
        chains["truth"] = [
            Line("T0", label, run["truth_loss"], on="M", terms=terms, reason="Pinsker's inequality"),
            Line("T1", "C^2 / 2 times the mixture radius", np.broadcast_to(most, (len(k), H))),
        ]
    slack = 4 * float(np.finfo(float).eps) * (int(terms[-1]) + 8)
    half = algorithm.delta / 2
    events = [
        Event("M", half, bool(run["mixture_deviation"][-1] <= mixture + slack), "the frequencies are within the mixture radius of the truth"),
        Event("N", half, bool(run["count_deviation"][-1] <= count_radius(H * S * A, half) + slack), "counts keep up with occupancies"),
    ]
    return Proof(chains, events, largest_regret(problem, k))


@theorem(
    for_=MEXTabular,
    id="tabular-mf",
    paper="mex",
    name="Theorem MEX (full tabular class, model-free)",
    source=SOURCE,
    variants=("model-free",),
    statement=r"""With probability at least $1 - \delta$, $\mathrm{Reg}(k) \le \eta k \beta + \frac{d}{4 c \eta} + b + \sum_{j \le k} g_j$ for all $k \le K$,
which is $\sqrt{K \beta d / c} + b + \sum_k g_k$ at $k = K$ and the default $\eta = \sqrt{d / (4 c K \beta)}$, where $c = \frac12 (1 - 1/e)$,
$\beta = \sum_h C_{h+1}^2 (\ln\frac{2 H}{\delta} + \Gamma_K) + \frac12 \ln\frac{2 H S A}{\delta} S A \sum_h C_h^2$,
$\Gamma_K = S A \ln\binom{K / (S A) + S - 1}{S - 1}$, $d = \log_2 K \sum_h \mathcal C_h$, $b = 2 \sum_h C_h \mathcal C_h$,
$C_h = C_{h+1} + \max r_h$, $\mathcal C_h = A \sum_x \max_\pi P(x_h = x)$, and $g_k$ the certified gap of the argmax.""",
    bound=_bound,
    trivial=largest_regret,
)
def theorem_mex_tabular(run: Run) -> Proof:
    """Telescoping, the argmax up to its gap, Pinsker, the mixture, concavity, counts, and the generalized eluder coefficient."""
    algorithm, problem, k = run.algorithm, run.problem, run.checkpoints
    assert isinstance(algorithm, MEXTabular) and isinstance(problem, EpisodicMDP)
    constants = tabular_constants(problem, run.n, algorithm.delta, "model-free")
    eta, radius = theory_eta(algorithm, constants, run.n), math.log(2 * problem.horizon / algorithm.delta)
    squares = float(np.sum(problem.value_caps[1:] ** 2))
    half = run["residual"] / 2
    full = squares * (radius + mixture_constant(run.n, problem.n_states, problem.n_actions))
    losses: list[tuple[str, str, Any, dict[str, Any]]] = [
        ("L2", "eta times loss gap, residuals, gaps", run["loss_gap"], {"holds": "surely", "reason": "Pinsker, (u - v)^2 >= u^2 / 2 - v^2"}),
        ("a", "loss gap: sum of C^2 n KL - n E^2 / 2", run["truth_kl"] - half, {"on": "M", "reason": "Dirichlet mixture"}),
        ("b", "KL: the mixture radius", k * squares * radius + run["binomial"] - half, {"holds": "surely", "reason": "concavity, n sums to at most K"}),
        ("c", "mixture radius: Gamma_K", k * full - half, {"on": "N", "reason": "counts, E^2 <= C^2"}),
    ]
    return _proof(run, constants, eta, losses, radius)


@theorem(
    for_=MEXTabular,
    id="tabular-mb",
    paper="mex",
    name="Theorem MEX (full tabular class, model-based)",
    source=SOURCE,
    variants=("model-based",),
    statement=r"""With probability at least $1 - \delta$, $\mathrm{Reg}(k) \le \eta k \beta + \frac{d}{4 c \eta} + b + \sum_{j \le k} g_j$ for all $k \le K$,
which is $\sqrt{K \beta d / c} + b + \sum_k g_k$ at $k = K$ and the default $\eta = \sqrt{d / (4 c K \beta)}$, where $c = 1 - 1/e$,
$\beta = 2 (\ln\frac2\delta + H \Gamma_K) + H S A \ln\frac{2 H S A}{\delta}$, $\Gamma_K = S A \ln\binom{K / (S A) + S - 1}{S - 1}$,
$d = 2 \log_2 K \sum_h C_{h+1}^2 \mathcal C_h$, $b = 2 \sum_h C_{h+1} \mathcal C_h$, $C_h = C_{h+1} + \max r_h$,
$\mathcal C_h = A \sum_x \max_\pi P(x_h = x)$, and $g_k$ the certified gap of the argmax.""",
    bound=_bound,
    trivial=largest_regret,
)
def theorem_mex_tabular_models(run: Run) -> Proof:
    """Telescoping, the argmax up to its gap, KL >= 2 D_H^2, the mixture, concavity, counts, and the generalized eluder coefficient."""
    algorithm, problem, k = run.algorithm, run.problem, run.checkpoints
    assert isinstance(algorithm, MEXTabular) and isinstance(problem, EpisodicMDP)
    constants = tabular_constants(problem, run.n, algorithm.delta, "model-based")
    eta, radius = theory_eta(algorithm, constants, run.n), math.log(2 / algorithm.delta)
    full = radius + problem.horizon * mixture_constant(run.n, problem.n_states, problem.n_actions)
    losses: list[tuple[str, str, Any, dict[str, Any]]] = [
        ("L2", "eta times loss gap, residuals, gaps", run["loss_gap"], {"holds": "surely", "equality": True, "reason": "the least loss is at P_hat"}),
        ("a", "loss gap: n [KL(P_hat || P) - KL(P_hat || P_f)]", run["truth_kl"] - run["model_kl"], {"holds": "surely", "reason": "KL >= 2 D_H^2, triangle"}),
        ("b", "2 n KL(P_hat || P) - n D_H^2(P, P_f)", 2 * run["truth_kl"] - run["residual"], {"on": "M", "reason": "Dirichlet mixture"}),
        ("c", "KL: the mixture radius", 2 * (k * radius + run["binomial"]) - run["residual"], {"holds": "surely", "reason": "concavity, n sums to at most K"}),
        ("d", "mixture radius: Gamma_K", 2 * k * full - run["residual"], {"on": "N", "reason": "counts, D_H^2 <= 1"}),
    ]
    return _proof(run, constants, eta, losses, radius)
