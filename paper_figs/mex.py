"""Figures of MEX (Liu et al., NeurIPS 2023): the regret theorem and its proof, the price of an inexact solver, and what breaks without the key ideas.

The paper states its bound with the generalized eluder coefficient of an instance and has no tabular experiment: every constant that is
drawn here is derived in `theoryrl.proofs.mex`, every instance is ours, and no number of the paper is reproduced.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from envs_synthetic.baselines import river_swim
from envs_synthetic.mex import deep_sea, mg_switch, mg_switch_class, mg_trap, mg_trap_class, near_truth, random_mdp, treasure, treasure_class
from paper_figs.drawing import BAND, Draw, Drawing, band, drawing, figure, log_axes
from theoryrl.algorithms import MEX, MEXMG, PSRL, Algorithm, EpsGreedyModel, MEXTabular, OptimisticFirstVisit, Run, SimplifiedUCBVI, run_many
from theoryrl.algorithms.mex.branch_and_bound import branch_and_bound
from theoryrl.algorithms.mex.classes import model_tables
from theoryrl.complexity.gec import brute_force_gec, paper_gec, realised_gec
from theoryrl.experiments.plots import ACCENT, BOUND, MUTED, OKABE_ITO, TRIVIAL
from theoryrl.experiments.wording import number
from theoryrl.problems import EpisodicMDP
from theoryrl.proofs import statistics, theorem_for
from theoryrl.testing.world import world

REGRET = "regret (reward units)"
EPISODES = "episodes"
DERIVED = "explicit form derived here"
TABULAR = (2, 2, 2)  # (H, S, A) of the instance on which the theorem of the full tabular class is non-vacuous within reach

FIGURES: dict[str, Draw] = {}


# Figure 1: the comparison.

ETAS = (0.01, 0.1, 1.0, 10.0, 100.0)
SCALES = (0.01, 0.03, 0.1, 0.3, 1.0)
EPSILONS = (0.01, 0.03, 0.1, 0.3, 0.5)
LOOKS = {
    "MEX": (ACCENT, "-", "o"),
    "UCBVI, simplified bonus": (MUTED[0][0], "-", "s"),
    "epsilon-greedy": (MUTED[1][0], "--", "^"),
    "optimistic first visit": (MUTED[3][0], "-.", "D"),
    "PSRL": (MUTED[2][0], "-", "v"),
}


def _contestants() -> dict[str, dict[str, Algorithm]]:
    """Return the sweep of each algorithm: what its hyper-parameter is, and the algorithm."""
    return {
        "MEX": {"theory": MEXTabular()} | {f"{eta:g}": MEXTabular(eta=eta) for eta in ETAS},
        "UCBVI, simplified bonus": {f"{scale:g}": SimplifiedUCBVI(scale=scale) for scale in SCALES},
        "epsilon-greedy": {f"{epsilon:g}": EpsGreedyModel(epsilon=epsilon) for epsilon in EPSILONS},
        "optimistic first visit": {"": OptimisticFirstVisit()},
        "PSRL": {"": PSRL(counts="stage")},
    }


def _arena() -> list[EpisodicMDP]:
    return [river_swim(6, 12), deep_sea(10, 0.02), random_mdp(5, 5, 3)]


@functools.lru_cache(maxsize=64)
def _runs(algorithm: Algorithm, problem: EpisodicMDP, n: int, seeds: int) -> list[Run]:
    return run_many(algorithm, problem, n, seeds=range(seeds))


@figure(FIGURES)
def comparison(scale: str) -> Drawing:
    """Figure 1: cumulative regret of MEX and of baselines, every value of every hyper-parameter shown."""
    n, seeds = {"quick": (1000, 4), "full": (4000, 20)}[scale]
    contestants = _contestants()
    fig = Figure(figsize=(13, 11.5))
    rows = fig.subplots(3, 2, width_ratios=(1, 1.5))
    best_of = []
    for (left, right), problem in zip(rows, _arena(), strict=True):
        at, ticks, chosen, least = 0, [], [], np.inf
        for name, sweep in contestants.items():
            colour, dashes, marker = LOOKS[name]
            ends = {value: np.array([run.regret[-1] for run in _runs(algorithm, problem, n, seeds)]) for value, algorithm in sweep.items()}
            best = min(ends, key=lambda value: ends[value].mean())
            if len(sweep) > 1:
                chosen.append(f"{name} {best}")
            start = at
            for value, last in ends.items():
                low, high = statistics.student_interval(last, 0.05)
                least = min(least, float(last.min()))
                right.plot(np.full(seeds, at), last, linestyle="", marker=".", markersize=3, color=colour, alpha=0.5)
                right.plot([at, at], [max(low, 1e-9), high], color=colour, linewidth=1.4)
                right.plot(at, last.mean(), marker=marker, color=colour, markersize=6, markerfacecolor=colour if value == best else "white")
                ticks.append((at, value))
                at += 1
            right.text((start + at - 1) / 2, 1.01, SWEPT[name], transform=right.get_xaxis_transform(), ha="center", va="bottom", fontsize=8)
            at += 1
            shown = {best: dashes} | ({"theory": ":"} if name == "MEX" else {})
            for value, line in shown.items():
                curves = np.array([run.regret for run in _runs(sweep[value], problem, n, seeds)])
                k = _runs(sweep[value], problem, n, seeds)[0].checkpoints
                band(left, k, curves, colour, f"{name} {SYMBOL.get(name, '')}{value}".strip(), linestyle=line)
        worst = float(problem.optimal_value - problem.worst_value) * n
        left.plot(k, worst * k / n, color=TRIVIAL, linestyle=(0, (1, 2)), linewidth=1.2, label="worst policy")
        right.axhline(worst, color=TRIVIAL, linestyle=(0, (1, 2)), linewidth=1.2)
        log_axes(left, EPISODES, REGRET)
        left.set(xlim=(10, n), title=problem.name)
        left.set_ylim(0.3, 100 * worst)
        left.legend(loc="upper left")
        right.set(yscale="log", ylabel=f"regret after {n:,} episodes", xlim=(-0.8, at - 1.2), ylim=(least / 2, 2 * worst))
        right.set_xticks([x for x, _ in ticks], [label for _, label in ticks], rotation=60, fontsize=8)
        right.grid(True, axis="y")
        best_of.append(f"{problem.name}: {', '.join(chosen)}")
    return drawing(
        fig,
        f"""Regret of MEX over the full tabular class (model-free, local solver, so that the certified bound carries its gaps) and of baselines, K = {n:,},
        {seeds} seeds (0 to {seeds - 1}). Right: every value of every hyper-parameter that was tried: the mean with its 95 % Student interval, and the seeds
        as dots; a filled mark is the best of its sweep by the mean, which was chosen on these same seeds, so that it flatters every tuned method, and one
        with more values more. Theory: the theorem's eta, not tuned; PSRL (Dirichlet(1) rows, counts by stage) and the control have nothing to tune. Left:
        median and 10-90 % band of those best values, and of theory. UCBVI is the simplified form with bonus c C_h sqrt(log(5 S A H K / .05) / n), counts by
        stage, not the published one; epsilon-greedy plans in the empirical model with unvisited pairs worth 0, ties to the lowest action; the control
        (optimistic first visit) plans in it with unvisited pairs worth C_h and has no bonus: what MEX gains on it is due to the term with eta. All replan
        before every episode. Best values: {"; ".join(best_of)}. Three instances; nothing is claimed beyond them.""",
    )


SWEPT = {
    "MEX": r"MEX, $\eta$",
    "UCBVI, simplified bonus": "UCBVI, $c$",
    "epsilon-greedy": r"$\varepsilon$-greedy",
    "optimistic first visit": "first\nvisit",
    "PSRL": "PSRL",
}
SYMBOL = {"MEX": r"$\eta$: ", "UCBVI, simplified bonus": "$c$ = ", "epsilon-greedy": r"$\varepsilon$ = "}


@figure(FIGURES)
def bound(scale: str) -> Drawing:
    """Figure 2: regret, bound and largest possible regret against the horizon, for a finite class and for the full tabular one."""
    seeds, horizons, few, tabular = {
        "quick": (20, [100, 300, 1000, 3000, 10_000, 30_000, 100_000], 2, [100, 300, 1000, 3000, 10_000, 30_000, 100_000]),
        "full": (100, [100, 300, 1000, 3000, 10_000, 30_000, 100_000, 300_000], 10, [100, 300, 1000, 3000, 10_000, 30_000, 100_000, 300_000]),
    }[scale]
    cases = (
        (treasure(), "finite class of 5 models", MEX(treasure_class()), horizons, seeds),
        (random_mdp(*TABULAR), "full tabular class, local solver", MEXTabular(), tabular, few),
    )
    fig = Figure(figsize=(11.5, 5.2))
    says = []
    for ax, (problem, title, algorithm, ns, count) in zip(fig.subplots(1, 2), cases, strict=True):
        runs = [run_many(algorithm, problem, n, seeds=range(count), checkpoints=[n]) for n in ns]
        last = np.array([[run.regret[-1] for run in same] for same in runs])
        slopes = statistics.growth_exponents(np.array(ns), last.T, np.inf)
        band(ax, ns, last.T, ACCENT, rf"regret  $K^{{{slopes.mean():.2f}}}$", marker="o")
        bounds = np.array([_bound(algorithm, problem, n) for n in ns])
        if isinstance(algorithm, MEXTabular):
            gaps = np.array([[run["gaps"][-1] for run in same] for same in runs])
            band(ax, ns, gaps.T, OKABE_ITO["green"], r"certified gaps $\sum g_k$", marker="s", linestyle="-.")
            ax.plot(ns, bounds, color=OKABE_ITO["orange"], linestyle=":", marker="^", label="bound without the gaps")
            bounds = bounds + np.median(gaps, axis=1)
        ax.plot(ns, bounds, color=BOUND, linestyle="--", marker="^", label="bound" + (" with them" if isinstance(algorithm, MEXTabular) else ""))
        gap = float(problem.optimal_value - problem.worst_value)
        ax.plot(ns, gap * np.array(ns), color=TRIVIAL, linestyle=(0, (1, 2)), linewidth=1.2, label=r"largest possible regret $K(V^* - V^{\rm worst})$")
        log_axes(ax, "episodes K, the horizon of the run", REGRET)
        ax.set_ylim(top=300 * gap * ns[-1])
        ax.legend(loc="upper left")
        ax.set_title(f"{problem.name}\n{title}, {count} seeds")
        crossed = [n for n, value in zip(ns, bounds, strict=True) if value < gap * n]
        since = f"non-vacuous at K = {crossed[0]:,} and above" if crossed else "vacuous at every K drawn"
        ends = f"mean regret {number(float(last[-1].mean()), 3)}, bound {bounds[-1]:,.0f}, largest {gap * ns[-1]:,.0f}"
        says.append(f"{problem.name} at K = {ns[-1]:,}: {ends}, {since}")
    return drawing(
        fig,
        f"""Regret after K episodes against K: each point is a run of its own, since the theory's eta depends on K; {BAND.format("the")}; delta = .05. The
        bound is sqrt(K beta d / c) + b + sum of the solver's certified gaps g_k ({DERIVED}), with probability .95. Left: log-loss over the
        {len(treasure_class())} models, the argmax is exact (g_k = 0). Right: the full tabular class (H, S, A) = {TABULAR}, squared Bellman loss, local
        solver. In the legend the fitted power of K over all points: a finite class with a fixed gap does not show a square root. {"; ".join(says)}.""",
    )


def _bound(algorithm: Algorithm, problem: Any, n: int) -> float:
    theorem = theorem_for(algorithm)
    assert theorem.bound is not None
    return float(theorem.bound(algorithm, problem, n, np.array([n]))[0])


@figure(FIGURES)
def weight(scale: str) -> Drawing:
    """Figure 3: regret against eta, with the theory's eta marked."""
    n, seeds, points = {"quick": (1000, 5, 8), "full": (4000, 20, 22)}[scale]
    problem = _arena()[0]
    etas = 10.0 ** np.linspace(-4, 3, points)
    theory = MEXTabular().constants(problem, n).eta(n)
    last = np.array([[run.regret[-1] for run in _runs(MEXTabular(eta=float(eta)), problem, n, seeds)] for eta in etas])
    at_theory = np.array([run.regret[-1] for run in _runs(MEXTabular(), problem, n, seeds)])
    gaps = np.array([[run["gaps"][-1] for run in _runs(MEXTabular(eta=float(eta)), problem, n, seeds)] for eta in etas])
    fig = Figure(figsize=(7.2, 4.6))
    ax = fig.subplots()
    band(ax, etas, last.T, ACCENT, "regret", marker="o")
    band(ax, etas, gaps.T, OKABE_ITO["green"], r"the solver's certified gaps $\sum g_k$", marker="s", linestyle="-.")
    star = rf"regret at the theory's $\eta$ = {theory:.2g}"
    ax.plot(theory, np.median(at_theory), marker="*", markersize=13, color=BOUND, linestyle="", label=star, zorder=4)
    ax.axvline(theory, color=BOUND, linestyle="--", linewidth=1)
    worst = float(problem.optimal_value - problem.worst_value) * n
    ax.axhline(worst, color=TRIVIAL, linestyle=(0, (1, 2)), linewidth=1.2, label="worst policy")
    log_axes(ax, r"weight of the loss $\eta$", REGRET)
    ax.set_ylim(top=3 * max(worst, gaps.max()))
    ax.legend(loc="lower left", bbox_to_anchor=(0.23, 0))
    ax.set_title(f"{problem.name}, K = {n:,}, {seeds} seeds")
    return drawing(
        fig,
        f"""Regret after K = {n:,} episodes of MEX over the full tabular class (model-free, local solver) on {problem!r} against eta; {BAND.format(seeds)}.
        Star and dashed line: the theorem's eta for this K, {theory:.3g}, at which the bound is smallest and far above the worst policy's regret; too small an
        eta believes in values that the data deny, too large an eta only fits them. The certified gaps are what the bound pays for the local solver: at small
        eta they can exceed the regret, and the run is not that of an exact MEX.""",
    )


@figure(FIGURES)
def gaps(scale: str) -> Drawing:
    """Figure 4: the objective of the local solver, its certified upper bound and the exact optimum along a run, and the sum of the gaps."""
    n, exact_points, cap = {"quick": (4000, 10, 5000), "full": (20_000, 30, 100_000)}[scale]
    fig = Figure(figsize=(12, 7.4))
    columns = fig.subplots(2, 2, sharex="col", height_ratios=(1.3, 1)).T
    says = []
    for (above, below), problem, eta in zip(columns, (random_mdp(*TABULAR), river_swim(4, 5)), (None, 0.1), strict=True):
        algorithm = MEXTabular(eta=eta)
        run = algorithm.run(problem, n, seed=0, trace="raw", checkpoints=np.unique(np.geomspace(1, n, 200).astype(int)).tolist())
        k, weight = run.checkpoints, float(run.state["eta"])
        some = np.unique(np.geomspace(2, n, exact_points).astype(int))
        solved = [_exact(run, int(j) - 1, weight, cap) for j in some]
        above.fill_between(k, run["lower_objective"], run["upper_objective"], color=OKABE_ITO["sky"], alpha=0.3, linewidth=0, label="certified gap $g_k$")
        above.plot(k, run["upper_objective"], color=BOUND, linestyle="--", label="upper bound $U$")
        above.plot(k, run["lower_objective"], color=ACCENT, label="objective of the hypothesis that is played")
        above.plot(some, [s.lower for s in solved], color="black", linestyle="", marker="x", markersize=5, label="exact optimum (branch and bound)")
        above.axhline(float(problem.optimal_value), color=TRIVIAL, linestyle=(0, (1, 2)), linewidth=1.2, label="optimal value $V^*$")
        above.set(ylabel="value of an episode (reward units)", xscale="log")
        above.grid(True)
        above.set_title(rf"{problem.name}, $\eta$ = {weight:.3g}" + (" (theory)" if eta is None else ""))
        below.plot(k, _positive(run["gaps"]), color=OKABE_ITO["green"], label=r"certified gaps $\sum g_k$")
        below.plot(k, run.regret, color=ACCENT, label="regret")
        log_axes(below, f"{EPISODES} k", REGRET)
        below.legend(loc="upper left")
        true = np.array([s.lower for s in solved]) - run.state["raw_bounds"][some - 1, 0]
        open_ = sum(not s.exact for s in solved)
        certified = np.diff(run.state["raw_bounds"]).max()
        says.append(
            f"{problem.name}: largest true gap {max(true.max(), 0):.3g} where checked, largest certified one {certified:.3g}"
            + (f"; {open_} of {len(solved)} exact solves stopped at {cap:,} nodes and are lower bounds" if open_ else "")
        )
    fig.legend(*columns[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return drawing(
        fig,
        f"""One run (seed 0, K = {n:,}) of MEX over the full tabular class, model-free, with the local solver (six starts and the constant policies). Above:
        in each episode the objective V_f - eta L(f) of the hypothesis that is played and the chord bound U, which brackets the supremum over all f; crosses:
        the supremum itself, by branch and bound on the same counts. Below: the sum of the gaps, which is what the theorem's bound pays for the solver, and
        the regret. {". ".join(says)}.""",
    )


def _exact(run: Run, j: int, eta: float, cap: int) -> Any:
    """Solve the objective of episode j (from 0) exactly, on counts from the run's raw transitions."""
    problem: Any = run.problem
    H, S, A = problem.stage_reward.shape
    n_next = np.zeros((H, S, A, S), np.int64)
    for h in range(H):
        np.add.at(n_next[h], (run.state["raw_states"][:j, h], run.state["raw_actions"][:j, h], run.state["raw_next"][:j, h]), 1)
    return branch_and_bound(n_next.sum(axis=-1), n_next, problem.stage_reward, problem.value_caps, problem.start, eta, node_cap=cap)


@figure(FIGURES)
def coefficient(scale: str) -> Drawing:
    """Figure 5: the generalized eluder coefficient: what runs realise, what brute force finds, and what is certified."""
    seeds, most = {"quick": (100, 8), "full": (1000, 9)}[scale]
    problem, hypotheses = treasure(3), treasure_class(3)
    algorithm, H, n = MEX(hypotheses), problem.horizon, 10_000
    runs = run_many(algorithm, problem, n, seeds=range(seeds), trace=True)
    k = runs[0].checkpoints
    realised = np.array([realised_gec(run["pred"], run["in_sample"], k, H) for run in runs])
    tables = model_tables(problem, hypotheses)
    small = np.arange(1, most + 1)
    pairs = np.einsum("ghsa,fhsa->fg", tables.occupancy, tables.hellinger)
    brute = [brute_force_gec(tables.pred, pairs, int(K), H) for K in small]
    certified = [algorithm.constants(problem, int(K)).gec for K in k]
    cells = [MEX(hypotheses, gec="cellwise").constants(problem, int(K)).gec for K in k]
    at_most = paper_gec(algorithm.constants(problem, most).gec, most, H)
    fig = Figure(figsize=(7.6, 4.8))
    ax = fig.subplots()
    uniform, sharp = ([paper_gec(gec, int(K), H) for gec, K in zip(found, k, strict=True)] for found in (certified, cells))
    ax.plot(k, uniform, color=BOUND, linestyle="--", label=r"certified, uniform: $\max(d, b^2/HK)$")
    ax.plot(k, sharp, color=OKABE_ITO["orange"], linestyle="-.", label="certified, cell by cell")
    ax.plot(small, brute, color="black", marker="x", linestyle="", label="exact for K episodes (all sequences)")
    ax.plot(k, _positive(realised.max(axis=0)), color=ACCENT, label=f"realised, largest of {seeds} runs")
    ax.plot(k, _positive(np.median(realised, axis=0)), color=ACCENT, linestyle=":", label="realised, median")
    log_axes(ax, "episodes K", "generalized eluder coefficient (reward units squared)")
    ax.set_ylim(top=1000 * ax.get_ylim()[1])
    ax.legend(loc="upper right", ncols=2)
    ax.set_title(f"{problem.name}, {len(hypotheses)} models, H = {H}")
    return drawing(
        fig,
        f"""The generalized eluder coefficient of {problem!r} with its {len(hypotheses)} models, epsilon = 0, three ways. Certified: from the two-phase
        pigeonhole ({DERIVED}), an upper bound for every sequence of hypotheses, with the spans of the class or cell by cell. Exact: the largest value over
        all {len(hypotheses)}^K sequences, for K up to {most}. Realised: the coefficient that a run of MEX (theory eta for K = {n:,}, seeds 0 to {seeds - 1})
        would need up to episode K, a lower bound. At K = {most}: exact {brute[-1]:.3g}, certified {at_most:.3g}: on tiny problems the certificate is loose,
        and so is the regret bound that is built on it.""",
    )


def _positive(curve: np.ndarray) -> np.ndarray:
    return np.where(curve > 0, curve, np.nan)


GAME = "theoryrl.algorithms.mex.game"
WITHOUT_EXPLOITER = (
    (GAME, "g = best_model(models.against[f], loss, eta)  # line 2", "g = f"),
    (GAME, "viterbi(values.sizes, chain.minus_V, chain.excess, eta, chain.best, chain.follow, exploiter)  # line 2", "copy(main, exploiter)"),
)


@figure(FIGURES)
def exploiter(scale: str) -> Drawing:
    """Figure 6: exploitability in games, with the exploiter and without."""
    n, seeds = {"quick": (3000, 10), "full": (30_000, 20)}[scale]
    broken = world(WITHOUT_EXPLOITER, compiled=True)
    envs = broken("envs_synthetic.mex")
    fig = Figure(figsize=(10.5, 4.8))
    says = []
    for ax, problem, hypotheses in zip(fig.subplots(1, 2), (mg_trap(), mg_switch()), (mg_trap_class(), mg_switch_class()), strict=True):
        name, algorithm = problem.name.removesuffix("()"), MEXMG(hypotheses)
        runs = run_many(algorithm, problem, n, seeds=range(seeds))
        mutant = broken(GAME).MEXMG(getattr(envs, f"{name}_class")())
        alone = broken("theoryrl.algorithms.run").run_many(mutant, getattr(envs, name)(), n, seeds=range(seeds))
        k = runs[0].checkpoints
        for label, same, colour, dashes in (("without the exploiter", alone, MUTED[0][0], "-."), ("MEX-MG", runs, ACCENT, "-")):
            curves = np.array([run.regret for run in same])
            mean = number(float(curves[:, -1].mean()), 3)
            band(ax, k, _positive(curves), colour, f"{label}: " + (f"mean {mean} at K" if curves.any() else "0 throughout, not drawn"), linestyle=dashes)
            says.append(f"{name}, {label}: {mean}")
        theorem = theorem_for(algorithm)
        assert theorem.bound is not None and theorem.trivial is not None
        ax.plot(k, theorem.bound(algorithm, problem, n, k), color=BOUND, linestyle="--", label="bound")
        ax.plot(k, theorem.trivial(problem, k), color=TRIVIAL, linestyle=(0, (1, 2)), linewidth=1.2, label="largest possible regret")
        log_axes(ax, f"{EPISODES} k", "regret: exploitability of the max-player")
        ax.set(ylim=(1e-2, 1e5 * n), xlim=(1, n))
        ax.legend(loc="upper left")
        ax.set_title(rf"{problem.name}, {algorithm.variant}, $\eta$ = {algorithm.constants(problem, n).eta(n):.2g} (theory)")
    return drawing(
        fig,
        f"""Regret of the max-player, the sum over episodes of V* minus the value of its strategy against a best response; K = {n:,}, theory eta, delta = .05,
        {BAND.format(seeds)} (zeros are not drawn). Without the exploiter the min-player answers as the main hypothesis thinks best (mutant m6 of the tests):
        a weakness of the max-player does not show in the data, and on mg_trap regret is linear. On mg_switch nothing is hidden from it, and the exploiter's
        losses have to be computed anew for each strategy of the max-player (mutant m8). The bound is the theorem's with the constants at K, with probability
        .95 ({DERIVED}). Mean regret at K: {"; ".join(says)}.""",
    )


@figure(FIGURES)
def in_sample(scale: str) -> Drawing:
    """Figure 7: the two inequalities of the proof that hold episode by episode, and their slack."""
    n, seeds, points = {"quick": (2000, 5, 100), "full": (20_000, 50, 200)}[scale]
    problem = random_mdp(2, 3, 2)
    algorithm = MEX(near_truth(problem, 6, 3))
    k = np.unique(np.geomspace(2, n, points).astype(int))  # an episode is the difference of two checkpoints
    runs = run_many(algorithm, problem, n, seeds=range(seeds), trace=True, checkpoints=np.union1d(k, k - 1).tolist())
    constants = algorithm.constants(problem, n)
    eta = constants.eta(n)
    lemma, argmax, truth = [], [], []
    for run in runs:
        at = np.searchsorted(run.checkpoints, k)
        loss_gap, in_sample, optimism = (run[name][at] - run[name][at - 1] for name in ("loss_gap", "in_sample", "optimism_gap"))
        lemma.append(1 - (loss_gap + constants.c * in_sample) / constants.beta)
        argmax.append(eta * loss_gap - optimism)
        truth.append(run["truth_loss"][at].sum(axis=1) / constants.beta)
    fig = Figure(figsize=(12, 4.6))
    left, right = fig.subplots(1, 2)
    band(left, k, np.array(lemma), ACCENT, r"slack of the in-sample lemma over $\beta$")
    band(left, k, np.array(truth), OKABE_ITO["green"], r"loss of the truth $L(f^*)$ over $\beta$", linestyle="-.")
    left.axhline(0, color=BOUND, linestyle="--", linewidth=1.2, label="violated below")
    left.set(xscale="log", xlabel=f"{EPISODES} k", ylabel=r"fraction of $\beta$", ylim=(-0.1, 1.6), title="in-sample lemma (on an event)")
    band(right, k, np.array(argmax), ACCENT, r"$V_{f^k} - V^* + \eta\,[L(f^*) - L(f^k)]$")
    right.axhline(0, color=BOUND, linestyle="--", linewidth=1.2, label="violated below")
    right.set(xscale="log", xlabel=f"{EPISODES} k", ylabel="reward units", title="feel-good step (surely)")
    for ax, place in ((left, "center left"), (right, "upper right")):
        ax.grid(True)
        ax.legend(loc=place)
    right.set_ylim(top=1.5 * right.get_ylim()[1])
    worst = 1 - max(float(run["in_sample_deviation"][-1]) for run in runs) / constants.beta
    return drawing(
        fig,
        f"""Slack, episode by episode, of the two steps on which the proof rests: {algorithm!r} on {problem!r}, theory eta {eta:.3g} for K = {n:,},
        {BAND.format(seeds)}; the class consists of tables near the truth, closed under the Bellman operators. Left: beta - [L(f*) - L(f^k)] - c times the
        in-sample error of f^k over its data, as a fraction of beta = {constants.beta:.1f}, and the loss of the truth; the least slack of all episodes is
        {worst:.2f}, so that this check alone would not notice a small mistake. Right: what the played hypothesis promises beyond V* once the losses are paid,
        at least 0 because it maximises the objective and the truth is in the class. Losses are recomputed from counts.""",
    )


@figure(FIGURES)
def proofs(scale: str) -> Drawing:
    """The proofs of four forms of MEX on a run each: where between regret and bound the slack comes in."""
    n, few = {"quick": (10_000, 30_000), "full": (100_000, 100_000)}[scale]
    small = random_mdp(2, 3, 2)
    cases: Sequence[tuple[str, Algorithm, Any, int]] = (
        ("finite class of models", MEX(treasure_class()), treasure(), n),
        ("finite class of value functions", MEX(near_truth(small, 6, 3)), small, n),
        ("full tabular class, model-free, local solver", MEXTabular(), random_mdp(*TABULAR), few),
        ("two-player game, class of models", MEXMG(mg_trap_class()), mg_trap(), n),
    )
    fig = Figure(figsize=(23, 15))
    fig.get_layout_engine().set(wspace=0.03, hspace=0.04)  # type: ignore[union-attr]
    for ax, (title, algorithm, problem, horizon) in zip(fig.subplots(2, 2).flat, cases, strict=True):
        proof = algorithm.run(problem, horizon, seed=0, trace=True).proof()
        proof.plot(ax)
        ax.set_title(f"{title}: {problem.name}, K = {horizon:,}, seed 0")
    return drawing(
        fig,
        f"""The regret theorem of MEX ({DERIVED}) evaluated line by line on one run each: a bar is what one step gives away, with the factor or the amount
        that it costs, and how it holds. Logarithmic axes, symmetric where a line is not positive. Algorithms: {"; ".join(repr(case[1]) for case in cases)};
        theory eta, delta = .05. The in-sample error I_k enters with a minus sign in the middle of the proof and is cancelled by the eluder coefficient at its
        end.""",
    )
