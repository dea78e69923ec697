r"""Theorems U-H and U-B about UCBVI in explicit form: every line of their proofs, evaluated on a run.

The paper (Azar, Osband, Munos, ICML 2017) states :math:`20 H L' \sqrt{S A K H} + 250 H^2 S^2 A L'^2` (Theorem 1) and
:math:`30 H L' \sqrt{S A K} + 2500 H^2 S^2 A L'^2 + 4 H \sqrt{H K L'}` (Theorem 2), whose constants its appendix does not fully
track; those here are derived.

Good event E, at every pair and sample size, with failure probability at most delta / 2.  U-H: (P - p_hat) V*_{h+1} <=
C_{h+1} sqrt(x / (2n)) and ||p_hat - P||_1 <= sqrt(2 (S ln 2 + x) / n).  U-B: |(p_hat - P) V*_{h+1}| <=
sqrt(2 Var_p_hat(V*_{h+1}) x / n) + 3 C_{h+1} x / n and |p_hat - P|(y) <= sqrt(2 P(y) x / n) + x / (3n) for every y.
Event F, with failure probability at most delta / 2: expected widths (U-B: 1 / n) are bounded by realised ones, for all k.

Nothing here reads a log term, count or bonus of the run: the trace brings its own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from theoryrl import validate
from theoryrl.algorithms.baselines.episodes import pooling_witness
from theoryrl.algorithms.baselines.ucbvi import UCBVI
from theoryrl.algorithms.baselines.ucbvi_theory import Theory, ucbvi_theory
from theoryrl.algorithms.run import Run
from theoryrl.problems.episodic import EpisodicMDP
from theoryrl.proofs.lemmas import largest_regret, less_than_zero, operations
from theoryrl.proofs.theorem import Assumption, Event, Line, Proof, Theorem, theorem

SOURCE = "explicit form, derived here; after Azar, Osband, Munos, ICML 2017, Theorem {}"


def _theory(algorithm: UCBVI, problem: EpisodicMDP, n: int) -> Theory:
    return ucbvi_theory(algorithm.variant, algorithm.counts, algorithm.delta, problem, n)


def ucbvi_bound(algorithm: UCBVI, problem: EpisodicMDP, n: int) -> float:
    """Return the bound of the regret of `n` episodes by Theorem U-H or U-B, in units of reward.

    Raises
    ------
    ValueError
        If no theorem covers the algorithm's options or the instance.
    """
    n = validate.integer("n", n, 1)
    found: list[Theorem] = [t for t in (theorem_ucbvi_hoeffding, theorem_ucbvi_bernstein) if t.is_about(algorithm)]
    if not found:
        raise ValueError(f"algorithm: no theorem covers {algorithm}")
    if failing := found[0].failing(algorithm, problem, n):
        raise ValueError(f"algorithm: {found[0].name} does not apply: {failing[0].name} ({failing[0].witness})")
    return float(_theory(algorithm, problem, n).bound(n))


def ucbvi_printed_bound(theorem: int, problem: EpisodicMDP, n: Any, delta: float = 0.05) -> Any:
    r"""Return the regret bound that the paper prints, for captions: no check rests on it.

    Theorem 1 is about "hoeffding-paper", Theorem 2 about "bernstein-paper".  Both have :math:`L' = \ln(5 S A K H^2 / \delta)`,
    one factor H more than the logarithm of the algorithms' bonuses.

    Parameters
    ----------
    theorem : {1, 2}
    problem : EpisodicMDP
    n : int or array
        Number of episodes K.
    delta : float in (0, 1)
    """
    validate.real("delta", delta, 0, 1, open_ends=True)
    if theorem not in (1, 2):
        raise ValueError(f"theorem: expected 1 or 2, got {theorem!r}")
    S, A, H, K = problem.n_states, problem.n_actions, problem.horizon, np.asarray(n, dtype=float)
    L = np.log(5 * S * A * K * H * H / delta)
    if theorem == 1:
        return 20 * H * L * np.sqrt(S * A * K * H) + 250 * H**2 * S**2 * A * L**2
    return 30 * H * L * np.sqrt(S * A * K) + 2500 * H**2 * S**2 * A * L**2 + 4 * H * np.sqrt(H * K * L)


def _assumptions(algorithm: UCBVI, problem: EpisodicMDP, n: int) -> list[Assumption]:
    witness = pooling_witness(problem) if algorithm.counts == "pooled" else ""
    return [
        Assumption("the transition is the same at every stage, or counts are kept by stage", not witness, witness),
        Assumption("the bonuses are those of the proof", algorithm.bonus_scale == 1, f"bonus_scale={algorithm.bonus_scale}, expected 1"),
    ]


def _proof(run: Run, theory: Theory, rest: Sequence[Line], on_path: str) -> Proof:
    """Return the proof whose lines from L3 on are `rest`; side conditions are chains of two lines."""
    widths = "1 / n" if theory.bernstein else "widths"
    first = [
        Line("L0", "regret", run.regret, on="E", reason="optimism"),
        Line("L1", "optimistic regret", run["optimistic_regret"], "surely", reason="one step after the other, with the recorded plan"),
        Line("L2", "expected excess of the plans", run["expected_excess"], on="E", reason="xi <= X at every (h, s)"),
        *rest,
    ]
    work = operations(run.problem)  # type: ignore[arg-type]
    terms, per_plan = run.checkpoints * work, np.full(len(run.checkpoints), 16 * work)
    sides = {
        "optimism": less_than_zero("largest V* - V_bar at any (h, s) and plan", run["optimism_excess"], per_plan, on="E"),
        "caps": less_than_zero("largest V_bar minus its cap", run["cap_excess"], per_plan),
        "bonuses": less_than_zero("largest relative error of a recorded bonus", run["bonus_error"], per_plan),
        "widths": less_than_zero("largest xi - X at any (h, s) and plan", run["width_excess"], per_plan, on="E"),
    }
    held = max(float(run["value_deviation"][-1]), float(run["row_deviation"][-1])) <= theory.x
    path = run["path_excess"][-1] <= 1e-9 * (1 + abs(run[on_path][-1]))
    events = [
        Event("E", theory.delta / 2, held, "every estimate is within its radius of the truth, at every sample size"),
        Event("F", theory.delta / 2, bool(path), f"expected {widths} are bounded by realised ones, for all k"),
    ]
    chains = {"regret": [dataclasses.replace(line, terms=terms) for line in first]}
    return Proof(chains | sides, events, largest_regret(run.problem, run.checkpoints))  # type: ignore[arg-type]


@theorem(
    for_=UCBVI,
    id="U-H",
    paper="baselines",
    name="Theorem U-H (UCBVI, Hoeffding bonuses)",
    source=SOURCE.format(1),
    variants=("hoeffding", "hoeffding-paper"),
    statement=r"""With probability at least $1 - \delta$, $\mathrm{Regret}(K) \le \Phi(D_K, B)$, where
$\Phi(D, B) = \min_{y > 0} \frac{y D + B \ln(2 / \delta)}{1 - e^{-y}}$, $C_h = C_{h+1} + \max r_h$, $B = \sum_{h \ge 2} C_h$,
$a = \sqrt{x / 2} + \sqrt{(S \ln 2 + x) / 2}$; pooled counts: $D_K = a C_2 (2 \sqrt{S A K (H - 1)} + S A H)$,
$x = \ln\frac{2 S A H \cdot K H}{\delta}$; counts by stage: $D_K = 2 a B \sqrt{S A K}$, $x = \ln\frac{4 S A \max(H - 1, 1) K}{\delta}$.
For `hoeffding-paper`, $B = H^2$ and $D_K = (7 H L + H \sqrt{(S \ln 2 + x) / 2}) (2 \sqrt{S A K H} + S A H)$, $L = \ln\frac{5 S A K H}{\delta}$.""",
    assumptions=_assumptions,
    bound=lambda algorithm, problem, n, k: _theory(algorithm, problem, n).bound(k),
    trivial=largest_regret,
)
def theorem_ucbvi_hoeffding(run: Run) -> Proof:
    """Optimism, decomposition along the plan, widths at the counts, a supermartingale, pigeonhole."""
    theory = _theory(run.algorithm, run.problem, run.n)  # type: ignore[arg-type]
    rest = [
        Line("L3", "expected widths of the plans", run["expected_widths"], on="F", reason="supermartingale and Ville, all k at once"),
        Line("L4", "realised widths", theory.phi(run["realised_widths"]), "surely", reason="pigeonhole, frozen counts"),
        Line("L5", "the bound", theory.bound(run.checkpoints)),
    ]
    return _proof(run, theory, rest, "expected_widths")


@theorem(
    for_=UCBVI,
    id="U-B",
    paper="baselines",
    name="Theorem U-B (UCBVI, Bernstein bonuses)",
    source=SOURCE.format(2),
    variants=("bernstein",),
    statement=r"""With probability at least $1 - \delta$, $\mathrm{Regret}(K) \le R_* = \frac{p + \sqrt{p^2 - 4 q}}{2}$, the larger root of
$R = \beta \sqrt{2 C_1^2 K + 2 C_1 R} + c_0$: $p = 2 c_0 + 2 C_1 \beta^2$, $q = c_0^2 - 2 \beta^2 C_1^2 K$, $\beta = a_1 \sqrt{x N}$,
$c_0 = a_2 x C_2 N$, $a_1 = 2.6 + \sqrt{2 \Gamma}$, $a_2 = \max(6.8, 2.6 \sqrt{\Gamma / 2}) + \Gamma / 3$, $\Gamma$ the largest number of next states,
$N = \Phi(\Lambda_K, H - 1)$ as in Theorem U-H; pooled counts: $\Lambda_K = S A (2 + H + \ln^+\frac{K (H - 1)}{S A})$,
$x = \ln\frac{2 S A (3 (H - 1) + 2 S) K H}{\delta}$; by stage: $\Lambda_K = S A (H - 1) (2 + \ln^+\frac{K}{S A})$,
$x = \ln\frac{2 S A \max(H - 1, 1) (3 + 2 S) K}{\delta}$.""",
    assumptions=_assumptions,
    bound=lambda algorithm, problem, n, k: _theory(algorithm, problem, n).bound(k),
    trivial=largest_regret,
)
def theorem_ucbvi_bernstein(run: Run) -> Proof:
    """Optimism, widths, Cauchy-Schwarz, the variance of optimistic values along a plan, a supermartingale on 1 / n, pigeonhole, a quadratic."""
    theory = _theory(run.algorithm, run.problem, run.n)  # type: ignore[arg-type]
    k, widths, over_n = run.checkpoints, run["expected_widths"], run["expected_over_n"]
    variance = theory.variance(k, widths)
    rest = [
        Line("L3", "expected widths of the plans", widths, "surely", reason="Cauchy-Schwarz over (k, h, s)"),
        Line("L4", "variances times 1 / n", theory.cauchy(run["variance"], over_n), on="E", reason="V_bar - P V_bar <= r + X, telescoped"),
        Line("L5", "variances bounded", theory.cauchy(variance, over_n), on="F", reason="supermartingale and Ville, all k at once"),
        Line("L6", "realised 1 / n", theory.cauchy(variance, theory.phi(run["realised_over_n"])), "surely", reason="pigeonhole, frozen counts"),
        Line("L7", "1 / n bounded", theory.cauchy(variance, theory.phi(theory.total(k))), on=("E", "F"), reason="L3 is at most L7, which increases in it"),
        Line("L8", "the bound", theory.bound(k)),
    ]
    return _proof(run, theory, rest, "expected_over_n")
