r"""Theorem P about PSRL in explicit form: a bound of the regret in expectation over the prior, line by line.

The paper (Osband, Russo, Van Roy, NeurIPS 2013) states :math:`O(H S \sqrt{A T \log(S A T)})` (recalled); the constants are derived.
A step in expectation is tested over seeds, each of which draws its own model; nothing is said about one fixed instance.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from theoryrl import validate
from theoryrl.algorithms.baselines.psrl import PSRL
from theoryrl.algorithms.baselines.psrl_trace import log_term
from theoryrl.algorithms.run import Run
from theoryrl.problems.episodic import EpisodicMDP
from theoryrl.proofs.lemmas import largest_regret, operations
from theoryrl.proofs.theorem import Assumption, Line, Proof, theorem


def _bound(algorithm: PSRL, problem: EpisodicMDP, n: int, k: Any) -> Any:
    """Return Theorem P's bound with K replaced by k outside the log term."""
    S, A, H, caps = problem.n_states, problem.n_actions, problem.horizon, problem.value_caps
    k = np.asarray(k, dtype=float)
    root = math.sqrt(2 * (S * math.log(2) + log_term(algorithm.counts, problem, n)))
    if algorithm.counts == "pooled":
        return 2 * caps[0] + caps[1] * root * (2 * np.sqrt(S * A * k * (H - 1)) + S * A * H)
    return 2 * caps[0] + 2 * root * np.sqrt(S * A * k) * caps[1:].sum()


def psrl_bound(algorithm: PSRL, problem: EpisodicMDP, n: int) -> float:
    """Return Theorem P's bound of the expected regret of `n` episodes over models of the sizes, rewards and horizon of `problem`."""
    return float(_bound(algorithm, problem, validate.integer("n", n, 1), n))


def _assumptions(algorithm: PSRL, problem: EpisodicMDP, n: int) -> list[Assumption]:
    pooled = algorithm.counts == "pooled"
    drawn = "not drawn from a prior: a fixed instance" if problem.prior is None else f"drawn with prior={problem.prior}, the algorithm has {algorithm.prior}"
    laws = "one law for all stages" if problem.transition.ndim == 3 else "one law for each stage"
    return [
        Assumption("the model was drawn from the prior", problem.prior == algorithm.prior, drawn),
        Assumption("the posterior is that of the prior's rows", pooled == (problem.transition.ndim == 3), f"{laws}, and counts={algorithm.counts!r}"),
    ]


@theorem(
    for_=PSRL,
    id="P",
    paper="baselines",
    name="Theorem P (posterior sampling, Bayesian)",
    source="explicit form, derived here; after Osband, Russo, Van Roy, NeurIPS 2013, Theorem 1",
    statement=r"""Over models whose rows are drawn from the prior,
$\mathbb E\,\mathrm{Regret}(K) \le 2 C_1 + C_2 \sqrt{2 (S \ln 2 + x)} (2 \sqrt{S A K (H - 1)} + S A H)$, $x = \ln(S A K^2 H)$ (pooled), and
$\mathbb E\,\mathrm{Regret}(K) \le 2 C_1 + 2 \sqrt{2 (S \ln 2 + x) S A K} \sum_{h \ge 2} C_h$, $x = \ln(S A \max(H - 1, 1) K^2)$ (one law for each stage).""",
    assumptions=_assumptions,
    bound=_bound,
    trivial=largest_regret,
)
def theorem_psrl(run: Run) -> Proof:
    """The sampled and the true model have the same law given the past; the rest is the simulation identity and concentration."""
    algorithm, problem = run.algorithm, run.problem
    assert isinstance(algorithm, PSRL) and isinstance(problem, EpisodicMDP)
    k = run.checkpoints
    if run["log_term"][-1] != log_term(algorithm.counts, problem, run.n):
        raise ValueError(f"run: its trace has the log term of a shorter horizon; run anew with n={run.n}")
    first, largest = float(problem.value_caps[0]), float(problem.value_caps[1:].sum())
    bound = _bound(algorithm, problem, run.n, k)
    terms = k * operations(problem)
    realised = run["realised_widths"] + 2 * first
    lines = [
        Line("L0", "regret", run.regret, "in expectation", equality=True, difference=(-k * first, k * first), reason="same law given the past"),
        Line("L1", "regret in the sampled models", run["model_regret"], "surely", reason="simulation identity; V <= C_1"),
        Line("L2", "distances of the rows along the plan", run["row_distance"], "surely", reason="both models in the set, or C_1"),
        Line(
            "L3", "expected widths and failures", run["expected_widths"] + first * run["failures"], "in expectation",
            difference=(-k * largest - 2 * first, k * (largest + first)), reason="conditional means; at most two failures in the mean",
        ),
        Line("L4", "realised widths, and 2 C_1", realised, "surely", reason="pigeonhole, frozen counts"),
        Line("L5", "the bound", bound),
    ]  # fmt: skip
    chains = {
        "regret": [dataclasses.replace(line, terms=terms) for line in lines],
        "theorem": [
            Line("L0", "regret", run.regret, "in expectation", difference=(-bound, k * first - bound), reason="Theorem P"),
            Line("L5", "the bound", bound),
        ],
        "simulation": [
            Line("L1", "regret in the sampled models", run["model_regret"], "surely", equality=True, terms=terms, reason="simulation identity"),
            Line("I1", "differences of the models along the plan", run["simulation"]),
        ],
    }
    return Proof(chains, (), largest_regret(problem, k))
