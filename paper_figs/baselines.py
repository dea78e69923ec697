"""Figures of the baselines that several papers share: UCBVI, optimistic Q-learning, posterior sampling and UCRL2, with their bounds and proofs.

Every bound that is called certified is derived in `theoryrl.proofs.baselines`.  A printed bound is what the paper states, as far as it
has explicit constants; no number of a paper's experiments is reproduced.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from envs_synthetic.baselines import dirichlet_prior, river_swim, river_swim_continuing, two_state, two_state_continuing
from paper_figs.drawing import BAND, Draw, Drawing, band, drawing, figure, growth, log_axes
from theoryrl.algorithms import PSRL, UCBVI, Algorithm, OptimisticQLearning, Run, run_many
from theoryrl.algorithms.baselines import UCRL2
from theoryrl.experiments.plots import ACCENT, BOUND, OKABE_ITO, TRIVIAL
from theoryrl.experiments.wording import number
from theoryrl.problems import ContinuingMDP, EpisodicMDP, Problem
from theoryrl.proofs import theorem_for
from theoryrl.proofs.baselines import ucbvi_printed_bound, ucrl2_printed_bound
from theoryrl.proofs.theorem import Theorem, nonvacuous_n

REGRET = "regret (reward units)"
DERIVED = "explicit form derived here"
PRINTED: dict[str, Callable[[Any, Any], Any]] = {
    "Theorem 1 of Azar et al. (2017)": lambda problem, n: ucbvi_printed_bound(1, problem, n),
    "Theorem 2 of Azar et al. (2017)": lambda problem, n: ucbvi_printed_bound(2, problem, n),
    "Theorem 2 of Jaksch et al. (2010)": ucrl2_printed_bound,
}
AZAR_1, AZAR_2, JAKSCH_2 = PRINTED

FIGURES: dict[str, Draw] = {}
First = Callable[[Any], int | None]
Look = tuple[First, str, str, str]
Instance = Problem | Callable[[int], Problem]


@dataclasses.dataclass(frozen=True)
class Learner:
    """A learner with the instance, or the prior, on which its theorem is shown, and the theorem that its paper prints."""

    title: str
    algorithm: Algorithm
    instance: Instance
    n: int
    printed: str = ""

    def problem(self, seed: int) -> Any:
        """Return the instance of a seed."""
        return self.instance if isinstance(self.instance, Problem) else self.instance(seed)

    @property
    def horizon(self) -> str:
        """What the papers write for the number of episodes, or of steps."""
        return "T" if self.algorithm.unit == "steps" else "K"


def _learners(scale: str) -> list[Learner]:
    n, bernstein, posterior, two = {"quick": (200_000, 1_000_000, 10_000, 1_000_000), "full": (2_000_000, 2_000_000, 100_000, 20_000_000)}[scale]
    return [
        Learner("UCBVI, Hoeffding bonus", UCBVI(), two_state(), n, AZAR_1),
        Learner("UCBVI, Bernstein bonus", UCBVI("bernstein"), two_state(), bernstein, AZAR_2),
        Learner("optimistic Q-learning", OptimisticQLearning(), two_state(), n),
        Learner("posterior sampling (PSRL)", PSRL(), dirichlet_prior(2, 2, 2), posterior),
        Learner("UCRL2", UCRL2(), river_swim_continuing(), 20_000_000, JAKSCH_2),
        Learner("UCRL2 with the paper's sets", UCRL2("paper"), two_state_continuing(), two, JAKSCH_2),
    ]


@figure(FIGURES)
def regret(scale: str) -> Drawing:
    """Figure 1: regret of each learner under its certified bound, the printed one and the largest possible regret."""
    seeds = {"quick": 5, "full": 50}[scale]
    fig = Figure(figsize=(17, 8.6))
    ends = []
    for ax, learner in zip(fig.subplots(2, 3).flat, _learners(scale), strict=True):
        bayesian = isinstance(learner.algorithm, PSRL)
        runs = run_many(learner.algorithm, learner.instance, learner.n, seeds=range(seeds))
        k = runs[0].checkpoints
        curves = np.array([run.regret for run in runs])
        if bayesian:
            ax.plot(k, curves.mean(axis=0), color=ACCENT, label=f"regret: mean of {seeds} models")
            ax.fill_between(k, *np.quantile(curves, (0.1, 0.9), axis=0), color=ACCENT, alpha=0.2, linewidth=0)
        else:
            band(ax, k, curves, ACCENT, "regret")
        bound, trivial = _bound(learner, k), np.mean([_largest(learner.problem(seed)) for seed in range(seeds)]) * k
        ax.plot(k, bound, color=BOUND, linestyle="--", label="certified bound" + (" (in the mean)" if bayesian else ""))
        if learner.printed:
            grid = np.geomspace(10, learner.n, 100)
            printed = PRINTED[learner.printed](learner.problem(0), grid)
            ax.plot(grid, printed, color=OKABE_ITO["purple"], linestyle=":", label=f"printed: {learner.printed}")
        ax.plot(k, trivial, color=TRIVIAL, linestyle=(0, (1, 2)), linewidth=1.2, label="largest possible regret")
        log_axes(ax, f"{learner.algorithm.unit} {'t' if learner.horizon == 'T' else 'k'}", REGRET)
        ax.set(xlim=(10, learner.n), ylim=(0.1, None))
        ax.set_ylim(top=100 * ax.get_ylim()[1])
        ax.legend(loc="upper left")
        ax.set_title(f"{learner.title}, {learner.horizon} = {learner.n:,}\non {learner.instance!r}")
        ends.append(f"{learner.algorithm!r}: mean regret {number(float(curves[:, -1].mean()), 3)} ≤ {number(float(bound[-1]), 3)} (largest {trivial[-1]:,.0f})")
    return drawing(
        fig,
        f"""Regret, {BAND.format(seeds)} (seeds 0 to {seeds - 1}; for PSRL mean and 10–90 % band, each seed drawing its own model from the prior), delta =
        .05. Certified: the theorems U-H, U-B, Q, P and R ({DERIVED}), with constants fixed at the horizon K or T; P bounds the mean over the prior, the others
        hold with probability .95. Printed (dotted): as the papers state them, quoted and not tested, evaluated at every k or t as a horizon; the theorems of
        Q-learning and PSRL are printed without constants, that of UCRL2 is about realised rewards, the regret here about their means. Largest possible: sum
        of V* - V^worst, and for UCRL2 t (rho* - rho^worst), up to a transient. At the horizon: {"; ".join(ends)}.""",
    )


def _bound(learner: Learner, k: np.ndarray) -> np.ndarray:
    theorem = theorem_for(learner.algorithm)
    assert theorem.bound is not None
    return theorem.bound(learner.algorithm, learner.problem(0), learner.n, k)


def _largest(problem: Any) -> float:
    """Return what a policy may lose in an episode, or in a step."""
    if isinstance(problem, ContinuingMDP):
        return float(problem.optimal_gain - problem.worst_gain)
    return float(problem.optimal_value - problem.worst_value)


@figure(FIGURES)
def waterfalls(scale: str) -> Drawing:
    """Figure 2: the proof of each learner's theorem on a run: where between regret and bound the slack comes in."""
    learners = _learners(scale)
    fig = Figure(figsize=(23, 19.5))
    fig.get_layout_engine().set(wspace=0.03, hspace=0.04)  # type: ignore[union-attr]
    for ax, learner in zip(fig.subplots(3, 2).flat, learners, strict=True):
        proof = learner.algorithm.run(learner.problem(0), learner.n, seed=0, trace=True).proof()
        proof.plot(ax)
        ax.set_title(f"{learner.title}: theorem {theorem_for(learner.algorithm).id}\n{learner.problem(0)!r}, {learner.horizon} = {learner.n:,}, seed 0")
    return drawing(
        fig,
        f"""The chain of each theorem ({DERIVED}) evaluated on one run: each bar is what one step gives away, in the order of the proof, with the factor that
        it costs; logarithmic axes, symmetric where a line is not positive. Learners: {", ".join(repr(learner.algorithm) for learner in learners)}, delta =
        .05, instances and horizons as in the titles, seed 0. In PSRL's chain two steps hold in expectation over the prior only, so that on one run a line may
        be above the next one.""",
    )


@figure(FIGURES)
def nonvacuous(scale: str) -> Drawing:
    """Figure 3: from which number of episodes, or steps, on each theorem says more than nothing, certified and printed."""
    points = {"quick": 5, "full": 8}[scale]
    looks: dict[str, Look] = {
        "UCBVI, Hoeffding: U-H": (_first(UCBVI()), ACCENT, "-", "o"),
        "the same with the paper's bonus": (_first(UCBVI("hoeffding-paper")), OKABE_ITO["sky"], "-.", "v"),
        "its Theorem 1, printed": (_first_printed(UCBVI(), AZAR_1), OKABE_ITO["sky"], ":", "^"),
        "UCBVI, Bernstein: U-B": (_first(UCBVI("bernstein")), OKABE_ITO["orange"], "-", "s"),
        "its Theorem 2, printed": (_first_printed(UCBVI(), AZAR_2), OKABE_ITO["orange"], ":", "D"),
        "optimistic Q-learning: Q": (_first(OptimisticQLearning()), OKABE_ITO["green"], "-", "P"),
    }
    base = {"S": 6, "horizon": 6}
    names = {"S": "states S", "horizon": "steps H of an episode"}
    continuing: dict[str, Look] = {
        "UCRL2: R": (_first(UCRL2()), ACCENT, "-", "o"),
        "the same with the paper's sets": (_first(UCRL2("paper")), OKABE_ITO["sky"], "-.", "v"),
        "its Theorem 2, printed": (_first_printed(UCRL2(), JAKSCH_2), OKABE_ITO["sky"], ":", "^"),
    }
    fig = Figure(figsize=(17, 6.2))
    axes = fig.subplots(1, 3, sharey=True)
    for ax, (name, symbol) in zip(axes[:2], (("S", "S"), ("horizon", "H")), strict=True):
        sizes = (3 if name == "S" else 2) * 2 ** np.arange(points)
        _needed(ax, looks, [_uniform(**(base | {name: size})) for size in sizes.tolist()], symbol, sizes)
        log_axes(ax, names[name], "", sizes)
        ax.set_title(", ".join(f"{'H' if other == 'horizon' else other} = {value}" for other, value in base.items() if other != name) + ", A = 2")
        ax.legend(loc="upper left", bbox_to_anchor=(0, -0.13), ncols=2)
    sizes = 3 * 2 ** np.arange(points)
    _needed(axes[2], continuing, [river_swim_continuing(size) for size in sizes.tolist()], "S", sizes)
    log_axes(axes[2], names["S"], r"$T_{\rm nv}$ (steps)", sizes)
    axes[2].set_title("average reward: river swim, A = 2")
    axes[2].legend(loc="upper left", bbox_to_anchor=(0, -0.13))
    axes[0].set_ylabel(r"$K_{\rm nv}$ (episodes)")
    known = {
        problem.name: [first(problem) for first, *_ in used.values()]
        for used, problems in (
            (looks, (river_swim(6, 20), river_swim(3, 6), two_state(3))),
            (continuing, (river_swim_continuing(6, "gosprl"), river_swim_continuing(), two_state_continuing())),
        )
        for problem in problems
    }
    says = "; ".join(f"{name}: {', '.join('none' if n is None else f'{n:.3g}' for n in numbers)}" for name, numbers in known.items())
    return drawing(
        fig,
        f"""K_nv: the least number of episodes K, also the horizon for which the learner is tuned, at which a theorem is below what any policy may lose, here
        H K (rewards 0 and 1 at every stage, worst value 0, best H): delta = .05, A = 2, against S and H; in the legend the fitted power over the last three
        points. Right: T_nv, the same in steps, for average reward on river_swim_continuing(S), against T (rho* - rho^worst). Solid and dash-dotted: certified
        ({DERIVED}); dotted: as printed, evaluated, not tested. On instances, against K (V* - V^worst) or T (rho* - rho^worst), in the order of the legends:
        {says}.""",
    )


def _needed(ax: Any, looks: dict[str, Look], problems: list[Any], symbol: str, sizes: np.ndarray) -> None:
    """Draw the least horizons of all theorems over the sizes of the problems."""
    for label, (first, colour, dashes, marker) in looks.items():
        needed = np.array([first(problem) for problem in problems], dtype=float)
        ax.plot(sizes, needed, color=colour, linestyle=dashes, marker=marker, markersize=5, label=f"{label}  {growth(symbol, sizes, needed, 3)}")


def _uniform(S: int, horizon: int) -> EpisodicMDP:
    """Return an instance on which a policy may lose H an episode and every state has S next states."""
    reward = np.stack([np.ones(S), np.zeros(S)], axis=1)
    return EpisodicMDP(np.full((S, 2, S), 1 / S), reward, horizon)


def _first(algorithm: Algorithm) -> First:
    return lambda problem: nonvacuous_n(theorem_for(algorithm), algorithm, problem)


def _first_printed(algorithm: Algorithm, theorem: str) -> First:
    def bound(algorithm: Any, problem: Any, n: int, k: np.ndarray) -> np.ndarray:
        return np.asarray(PRINTED[theorem](problem, k))

    def trivial(problem: Any, k: np.ndarray) -> np.ndarray:
        return _largest(problem) * k

    printed: Theorem = dataclasses.replace(theorem_for(algorithm), bound=bound, trivial=trivial)
    return lambda problem: nonvacuous_n(printed, algorithm, problem)


@figure(FIGURES)
def stage_bonus(scale: str) -> Drawing:
    """Figure 4: the bonus of UCBVI over stages, and what a bonus that is refreshed only at the stage of the visit would be (mutant M1)."""
    n = {"quick": 5000, "full": 20_000}[scale]
    problem = river_swim(6, 20)
    run = UCBVI().run(problem, n, seed=0, trace="raw", checkpoints=[n])
    kept, stale = _bonuses(run)
    wrong = int(np.sum(stale[:-1] != kept[:-1]))
    stages = np.arange(1, problem.horizon + 1)
    fig = Figure(figsize=(12, 5))
    left, right = fig.subplots(1, 2)
    for (s, a), colour in zip(((0, 1), (2, 1), (5, 1)), (OKABE_ITO["blue"], OKABE_ITO["orange"], OKABE_ITO["green"]), strict=True):
        left.plot(stages[:-1], kept[:-1, s, a], color=colour, label=f"state {s}, right: as it should be")
        left.plot(stages[:-1], stale[:-1, s, a], color=colour, linestyle="--", marker="o", markersize=3, label=f"state {s}, right: M1")
    left.set(yscale="log", xlabel="stage h", ylabel="bonus $b_h(s, a)$ (reward units)", xticks=stages[1:-1:2])
    left.grid(True)
    left.legend(loc="upper left", bbox_to_anchor=(0, -0.13), ncols=2)
    ratio = np.log10(stale[:-1, :, 1] / kept[:-1, :, 1])
    picture = right.imshow(ratio.T, origin="lower", aspect="auto", cmap="cividis", extent=(0.5, problem.horizon - 0.5, -0.5, problem.n_states - 0.5))
    right.set(xlabel="stage h", ylabel="state s", title="M1's bonus over the true one, swimming right", xticks=stages[1:-1:2])
    bar = fig.colorbar(picture, ax=right, label="ratio")
    ticks = [value for value in (1, 3, 10, 30, 100, 300) if np.log10(value) <= ratio.max()]
    bar.set_ticks(np.log10(ticks), labels=[f"{value}" for value in ticks])
    left.set_title(f"bonus before episode {n:,}")
    return drawing(
        fig,
        f"""The bonus C_(h+1) sqrt(x / 2n) of {UCBVI()!r} (pooled counts) on {problem!r}, seed 0, before episode {n:,}, and what it would be on the same
        transitions if the array of bonuses were refreshed only at the stage of the visit: the pooled count n of a pair (s, a) at stage h would be that of the
        last visit there (the cap C_(h+1) where the pair was never visited at h). Left: over the stages, for three pairs. Right: the ratio for action 1.
        {wrong} of the {stale[:-1].size} bonuses differ. The mutant is optimistic, and its regret and all summed lines of the proof look right; only
        recomputing the bonus of every (h, s, a) from the raw transitions (T2) rejects it.""",
    )


def _bonuses(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Return the bonuses (H, S, A) of the last plan as recorded, and as mutant M1 would have them on the same transitions."""
    H, S, A = run.problem.stage_reward.shape  # type: ignore[attr-defined]
    kept = run.state["raw_bonus"][-1]
    pair = run.state["raw_states"][:-1] * A + run.state["raw_actions"][:-1]
    stale = np.repeat(run.problem.value_caps[1:], S * A).reshape(H, S * A)  # type: ignore[attr-defined]
    for row in range(S * A):
        steps = np.flatnonzero(pair.ravel() == row)
        for h in range(H):
            here = steps[steps % H == h]
            if len(here):
                stale[h, row] = kept[h].flat[row] * np.sqrt(len(steps) / np.searchsorted(steps, here[-1], side="right"))
    return kept, stale.reshape(H, S, A)
