r"""Theorem Q about optimistic Q-learning in explicit form: every line of its proof, evaluated on a run.

The paper (Jin, Allen-Zhu, Bubeck, Jordan, NeurIPS 2018) states :math:`O(\sqrt{H^4 S A T \iota})`, T = K H; the constants are derived.

Event E, with failure probability at most delta / 2: after every update the noise nu_t = sum_i alpha_t^i (V*(s'_i) - P V*) is at
most e_t = C_{h+1} sqrt(c_H x / (2t)) in absolute value.  Event F, likewise: the martingale Z of the transitions is at most its
Azuma bound after every episode.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from theoryrl import validate
from theoryrl.algorithms.baselines.q_learning import OptimisticQLearning
from theoryrl.algorithms.baselines.q_learning_theory import Theory, q_learning_theory
from theoryrl.algorithms.run import Run
from theoryrl.problems.episodic import EpisodicMDP
from theoryrl.proofs.lemmas import largest_regret, less_than_zero, operations
from theoryrl.proofs.theorem import Assumption, Event, Line, Proof, theorem


def _theory(algorithm: OptimisticQLearning, problem: EpisodicMDP, n: int) -> Theory:
    return q_learning_theory(algorithm.variant, algorithm.c, algorithm.delta, problem, n)


def q_learning_bound(algorithm: OptimisticQLearning, problem: EpisodicMDP, n: int) -> float:
    """Return Theorem Q's bound of the regret of `n` episodes, in units of reward.

    Raises
    ------
    ValueError
        If the theorem does not cover the algorithm's options.
    """
    n = validate.integer("n", n, 1)
    if failing := theorem_q_learning.failing(algorithm, problem, n):
        raise ValueError(f"algorithm: Theorem Q does not apply: {failing[0].name} ({failing[0].witness})")
    return float(_theory(algorithm, problem, n).bound(n))


def _assumptions(algorithm: OptimisticQLearning, problem: EpisodicMDP, n: int) -> list[Assumption]:
    theory = _theory(algorithm, problem, n)
    bonus, noise = theory.bonus_widths[0], theory.noise_widths[0]
    return [
        Assumption("the bonuses are those of the proof", algorithm.bonus_scale == 1, f"bonus_scale={algorithm.bonus_scale}, expected 1"),
        Assumption("the bonus covers the noise", bonus >= noise, f"c sqrt(H^3 iota) = {bonus:.4g}, expected at least C_2 sqrt(c_H x / 2) = {noise:.4g}"),
    ]


@theorem(
    for_=OptimisticQLearning,
    id="Q",
    paper="baselines",
    name="Theorem Q (optimistic Q-learning)",
    source="explicit form, derived here; after Jin, Allen-Zhu, Bubeck, Jordan, NeurIPS 2018, Theorem 1",
    statement=r"""With probability at least $1 - \delta$,
$\mathrm{Regret}(K) \le \sum_h \rho_h [S A C_h + 6 C_{h+1} \sqrt{c_H x / 2} \sqrt{S A K}] + \sqrt{\frac12 K W \ln\frac2\delta}$,
$\rho_h = (1 + \frac1H)^{h-1}$, $W = \sum_h \rho_h^2 C_{h+1}^2$, $c_H = \frac{(H + 1)^2}{2H + 1}$, $x = \ln\frac{4 S A \max(H - 1, 1) K}{\delta}$.
For `hoeffding-paper`, $6 C_{h+1} \sqrt{c_H x / 2}$ becomes $4 c \sqrt{H^3 \iota} + 2 C_{h+1} \sqrt{c_H x / 2}$, $\iota = \ln\frac{S A K H}{\delta}$, and
$S A C_h$ becomes $S A H$.""",
    assumptions=_assumptions,
    bound=lambda algorithm, problem, n, k: _theory(algorithm, problem, n).bound(k),
    trivial=largest_regret,
)
def theorem_q_learning(run: Run) -> Proof:
    """Optimism, unrolling over the stages, the noise of each entry, Azuma, pigeonhole."""
    theory = _theory(run.algorithm, run.problem, run.n)  # type: ignore[arg-type]
    k = run.checkpoints
    slope, offset = theory.azuma
    azuma = slope * k + offset
    lines = [
        Line("L0", "regret", run.regret, on="E", reason="optimism"),
        Line("L1", "optimistic regret", run["optimistic_regret"], on="E", reason="unrolled over the stages, V^k >= V*"),
        Line("L2", "noise and bonuses of the steps, and Z", run["learning_noise"] + run["martingale"], on="E", reason="nu_t <= e_t"),
        Line("L3", "widths of the steps, and Z", run["learning_widths"] + run["martingale"], on="F", reason="Azuma, all k at once"),
        Line("L4", "widths of the steps", run["learning_widths"] + azuma, "surely", reason="pigeonhole"),
        Line("L5", "the bound", theory.bound(k)),
    ]
    work = operations(run.problem)  # type: ignore[arg-type]
    chains = {"regret": [dataclasses.replace(line, terms=k * work) for line in lines]}
    steps = np.full(len(k), 16 * work)
    chains |= {
        "optimism": less_than_zero("largest Q* - Q or V* - V after an update", run["optimism_excess"], k * work, on="E"),
        "bonuses": less_than_zero("largest relative error of a bonus", run["bonus_error"], steps),
        "rates": less_than_zero("largest error of a learning rate", run["rate_error"], steps),
    }
    held = float(run["noise_deviation"][-1]) <= theory.x
    path = float(run["path_excess"][-1]) <= 1e-9 * (1 + float(azuma[-1]))
    events = [
        Event("E", theory.delta / 2, held, "the noise of every entry is within its width, after every update"),
        Event("F", theory.delta / 2, path, "the martingale of the transitions is at most its Azuma bound, for all k"),
    ]
    return Proof(chains, events, largest_regret(run.problem, k))  # type: ignore[arg-type]
