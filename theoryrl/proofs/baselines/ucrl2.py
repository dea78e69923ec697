r"""Theorem R about UCRL2 in explicit form: every line of its proof, evaluated on a run.

The paper (Jaksch, Ortner, Auer, JMLR 11, 2010) states :math:`34 D S \sqrt{A T \ln(T / \delta)}` (Theorem 2), for realised
rewards; the constants here are derived, and the regret has mean rewards: with realised ones it differs by a martingale.

Event E, with failure probability at most delta / 2 (.07 delta in the paper's variant): the true model is in every confidence
set at every plan.  Event F, with failure probability at most delta / 2: the martingale of the transitions, over the phases
in which the span of u is at most D, is at most its Azuma bound after every step.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from theoryrl import validate
from theoryrl.algorithms.baselines.ucrl2 import UCRL2
from theoryrl.algorithms.baselines.ucrl2_theory import Theory, ucrl2_theory
from theoryrl.algorithms.run import Run
from theoryrl.problems.continuing import ContinuingMDP
from theoryrl.proofs.lemmas import less_than_zero
from theoryrl.proofs.theorem import Assumption, Event, Line, Proof, theorem

SWEEPS = 1e6
"""Sweeps of value iteration, each of which rounds; no plan of these runs takes as many."""


def _theory(algorithm: UCRL2, problem: ContinuingMDP, n: int) -> Theory:
    return ucrl2_theory(algorithm.variant, algorithm.rule, algorithm.known_rewards, algorithm.delta, problem, n)


def ucrl2_bound(algorithm: UCRL2, problem: ContinuingMDP, n: int) -> float:
    """Return Theorem R's bound of the regret of `n` steps, in units of reward.

    Raises
    ------
    ValueError
        If the MDP is not communicating.
    """
    n = validate.integer("n", n, 1)
    if failing := theorem_ucrl2.failing(algorithm, problem, n):
        raise ValueError(f"problem: Theorem R does not apply: {failing[0].name} ({failing[0].witness})")
    return float(_theory(algorithm, problem, n).bound(n))


def ucrl2_printed_bound(problem: ContinuingMDP, n: Any, delta: float = 0.05) -> Any:
    r"""Return the regret bound that the paper prints, :math:`34 D S \sqrt{A T \ln(T / \delta)}`, for captions: no check rests on it.

    Theorem 2 of Jaksch, Ortner, Auer (2010), for T > 1 and realised rewards.

    Parameters
    ----------
    problem : ContinuingMDP
    n : int or array
        Number of steps T.
    delta : float in (0, 1)
    """
    validate.real("delta", delta, 0, 1, open_ends=True)
    T = np.asarray(n, dtype=float)
    return 34 * problem.diameter * problem.n_states * np.sqrt(problem.n_actions * T * np.log(T / delta))


def _assumptions(algorithm: UCRL2, problem: ContinuingMDP, n: int) -> list[Assumption]:
    witness = problem.cut_witness
    return [Assumption("the MDP is communicating", not witness, witness)]


def _largest(problem: ContinuingMDP, t: Any) -> np.ndarray:
    """Return the regret of the worst policy after each number of steps in `t`, up to a transient of at most the span of a bias."""
    regret: np.ndarray = np.asarray(t) * (problem.optimal_gain - problem.worst_gain)
    return regret


@theorem(
    for_=UCRL2,
    id="R",
    paper="baselines",
    name="Theorem R (UCRL2)",
    source="explicit form, derived here; after Jaksch, Ortner, Auer, JMLR 11, 2010, Theorem 2",
    statement=r"""With probability at least $1 - \delta$, $\sum_{t \le T} \rho^* - \bar r(s_t, a_t) \le
(1 + \sqrt 2) [\sqrt T + (\sqrt{2 \ell_T} + D \sqrt{2 (S \ln 2 + \ell_T)}) \sqrt{S A T}] + D \sqrt{\frac T2 \ln\frac2\delta} + D (m(T) + 1)$,
$\ell_T = \ln\frac{6 S A T (T + 1)}{\delta}$, $m(T) = \max_{0 < j \le S A} j (1 + \log_2\frac Tj)$.  For `paper`, $\sqrt{2 \ell_T}$ becomes
$2 \sqrt{3.5 \ln(2 S A T / \delta)}$ and $\sqrt{2 (S \ln 2 + \ell_T)}$ becomes $\sqrt{14 S \ln(2 A T / \delta)}$; for `stop="before"` the first
$\sqrt T$ becomes $\sqrt{S A T}$; with known rewards the term $\sqrt{2 \ell_T}$ vanishes.""",
    assumptions=_assumptions,
    bound=lambda algorithm, problem, n, k: _theory(algorithm, problem, n).bound(k),
    trivial=_largest,
)
def theorem_ucrl2(run: Run) -> Proof:
    """Optimism of extended value iteration, widths of the sets, values that telescope inside a phase, Azuma, pigeonhole."""
    algorithm, problem = run.algorithm, run.problem
    assert isinstance(algorithm, UCRL2) and isinstance(problem, ContinuingMDP)
    if run["horizon"][-1] != run.n:
        raise ValueError(f"run: its trace has the Azuma bound of a shorter horizon; run anew with n={run.n}")
    theory = _theory(algorithm, problem, run.n)
    t, (slope, offset), D = run.checkpoints, theory.azuma, theory.D
    azuma, phases = slope * t + offset, D * run["phases"]
    eps, path = run["epsilons"], run["martingale"] + run["telescope"]
    lines = [
        Line("L0", "regret", run.regret, on="E", reason="rho* - precision <= min(u' - u)"),
        Line("L1", "optimistic regret", run["optimistic_regret"], "surely", equality=True, reason="identity"),
        Line("L2", "excess of the plans, M and T", eps + run["reward_excess"] + run["transition_excess"] + path, on="E", reason="rewards in the sets"),
        Line("L3", "widths of rewards", eps + run["reward_widths"] + run["transition_excess"] + path, on="E", reason="rows in the sets, sp(u) <= D"),
        Line("L4", "widths of rows", eps + run["reward_widths"] + run["transition_widths"] + path, on="E", reason="T telescopes inside a phase"),
        Line("L5", "phases", eps + run["reward_widths"] + run["transition_widths"] + run["martingale"] + phases, on=("E", "F"), reason="Azuma, all t at once"),
        Line("L6", "widths of the steps", eps + run["reward_widths"] + run["transition_widths"] + azuma + phases, "surely", reason="pigeonhole, m(t)"),
        Line("L7", "the bound", theory.bound(t)),
    ]  # fmt: skip
    size = max(1.0, D)
    chains = {"regret": [dataclasses.replace(line, terms=t * (theory.S + 8) * size) for line in lines]}
    sweeps, once = np.full(len(t), SWEEPS * size), np.full(len(t), 16 * theory.S * size)
    chains |= {
        "optimism": less_than_zero("largest rho* - precision - min(u' - u) of a plan", run["optimism_excess"], sweeps, on="E"),
        "span": less_than_zero("largest sp(u) - D of a plan", run["span_excess"], sweeps, on="E"),
        "sets": less_than_zero("how far a plan's rewards and rows leave the sets", run["set_excess"], once),
        "plans": less_than_zero("largest |u' - r - p u| at the greedy actions", run["plan_error"], once),
        "stopped": less_than_zero("largest sp(u' - u) - precision of a plan", run["precision_excess"], once),
        "phases": less_than_zero("largest number of phases - 1 - m(t)", run["phase_excess"], once),
        "visits": less_than_zero("largest v - max(1, N) of a pair in a phase", run["visit_excess"], once),
        "precision": [Line("C0", "sum of the precisions", eps, "surely", reason="phases at most double"), Line("C1", "its bound", theory.precision(t))],
    }
    if algorithm.variant == "paper":
        with np.errstate(divide="ignore"):
            printed = ucrl2_printed_bound(problem, t, algorithm.delta)
        larger = np.where(printed >= lines[-1].value, printed, np.nan)
        chains["printed"] = [dataclasses.replace(lines[-1], holds="surely", reason="where it is the larger one"), Line("L8", "Theorem 2 as printed", larger)]
    row_log, reward_log = theory.logs
    held = float(run["row_deviation"][-1]) <= row_log and float(run["reward_deviation"][-1]) <= reward_log
    on_path = float(run["path_excess"][-1]) <= 1e-9 * (1 + float(azuma[-1]))
    events = [
        Event("E", theory.set_failure, held, "the true model is in every confidence set at every plan"),
        Event("F", theory.delta / 2, on_path, "the martingale of the transitions is at most its Azuma bound, for all t"),
    ]
    return Proof(chains, events, _largest(problem, t))
