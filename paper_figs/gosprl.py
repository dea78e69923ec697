"""Figures of GOSPRL (Tarbouriech, Pirotta, Valko, Lazaric, NeurIPS 2021): collecting prescribed samples, the bound of the time and its proof, and the pairings.

The paper states its bound up to constants and logarithms; every constant that is drawn here is derived in `theoryrl.proofs.gosprl`, every
instance and the details of the peers are ours, and no number of the paper is reproduced.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from envs_synthetic.baselines import river_swim_continuing
from envs_synthetic.gosprl import four_rooms, four_rooms_cells, garnet_continuing, lock_chain, only, ring, shortcut, two
from paper_figs.drawing import BAND, Draw, Drawing, band, drawing, figure, log_axes, power
from theoryrl.algorithms import Algorithm, Run, run_many
from theoryrl.algorithms.gosprl import (
    GOSPRL,
    FrankWolfeEstimation,
    GoalFree,
    MaurerPontil,
    MaxEntCollection,
    MaxEntEstimation,
    Modest,
    OracleCollection,
    UniformCollection,
    ZeroOneUCRL,
    estimated_model,
    model_error,
    time_bound,
)
from theoryrl.complexity import collection_time_lower_bound, uniform_collection_time
from theoryrl.experiments.plots import ACCENT, BOUND, MUTED, OKABE_ITO, TRIVIAL
from theoryrl.planning.shortest_path import goal_times, policy_costs, shortest_path
from theoryrl.problems import ContinuingMDP
from theoryrl.testing.world import world

STEPS = "steps t"
DERIVED = "explicit form derived here"
BERNSTEIN = OKABE_ITO["orange"]
DOTS = (0, (1, 2))
NEVER = 2**40  # samples that nobody collects

FIGURES: dict[str, Draw] = {}


def _river() -> ContinuingMDP:
    return river_swim_continuing(6, "gosprl")


@functools.lru_cache(maxsize=16)
def _lower_bound(problem: ContinuingMDP, b: int) -> float:
    return collection_time_lower_bound(problem, b)


# Figure 1: who collects how fast.

Look = tuple[Callable[[int], Algorithm], str, Any]
LEARNERS: dict[str, Look] = {
    "oracle (known model)": (OracleCollection, "black", DOTS),
    "GOSPRL, L1 sets": (GOSPRL, ACCENT, "-"),
    "GOSPRL, Bernstein sets": (lambda b: GOSPRL(b, confidence="bernstein"), BERNSTEIN, "-"),
    "GOSPRL, L1 radius × 0.1 (ours)": (lambda b: GOSPRL(b, scale=0.1), OKABE_ITO["sky"], ":"),
    "uniformly random": (UniformCollection, MUTED[3][0], "--"),
    "0/1-UCRL": (ZeroOneUCRL, MUTED[0][0], "-."),
    "0/1-UCRL, radius × 0.1 (ours)": (lambda b: ZeroOneUCRL(b, scale=0.1), MUTED[1][0], ":"),
    "weighted MaxEnt": (MaxEntCollection, MUTED[2][0], "--"),
}


def _arena() -> list[tuple[ContinuingMDP, int, int]]:
    """Return instances, the samples of each pair, and caps of the time."""
    return [(_river(), 10, 100_000), (garnet_continuing(20, 3, 4), 10, 10_000), (four_rooms(), 10, 100_000), (four_rooms(), 1, 100_000)]


def _curves(runs: Sequence[Run], name: str, grid: np.ndarray, after: float) -> np.ndarray:
    """Return a curve of each run at the steps of `grid`, at which it was measured as long as it ran, and `after` where it had ended."""
    rows = np.full((len(runs), len(grid)), after)
    for row, run in zip(rows, runs, strict=True):
        row[: np.searchsorted(grid, run.steps)] = run[name][np.isin(run.checkpoints, grid[grid < run.steps])]
        if not run.stopped:
            row[-1] = run[name][-1]
    return rows


@figure(FIGURES)
def fraction(scale: str) -> Drawing:
    """Figure 1: share of the pairs that have their samples, against time, for GOSPRL and its peers."""
    longer, seeds = {"quick": (1, 30), "full": (10, 100)}[scale]
    fig = Figure(figsize=(12, 8.4))
    says = []
    for ax, (problem, b, cap) in zip(fig.subplots(2, 2, sharey=True).flat, _arena(), strict=True):
        cap *= longer
        first = max(2, b * problem.n_states * problem.n_actions // 30)
        grid = np.unique(np.geomspace(first, cap, 50).astype(int))
        times = []
        for name, (make, colour, dashes) in LEARNERS.items():
            runs = run_many(make(b), problem, cap, seeds=range(seeds), checkpoints=grid.tolist())
            band(ax, grid, _curves(runs, "met", grid, 1.0), colour, name, linestyle=dashes)
            done = [run.steps for run in runs if run.stopped]
            times.append(f"{np.mean([run.steps for run in runs]):,.0f}" if len(done) == seeds else f"{seeds - len(done)} of {seeds} unfinished")
        least = _lower_bound(problem, b)
        ax.axvline(least, color="black", linewidth=1, linestyle="--", label="least mean time of any learner (LP)")
        ax.set(xscale="log", xlim=(first, cap), ylim=(0, 1.03), xlabel=STEPS)
        ax.set_title(f"{problem.name}, {b} sample{'s' * (b > 1)} of each of {problem.n_states * problem.n_actions} pairs")
        ax.grid(True)
        bound = min(time_bound(GOSPRL(b, confidence=kind), problem) for kind in ("l1", "bernstein"))
        says.append(f"{problem.name}, b = {b}: {', '.join(times)}; LP {least:,.0f}; smaller of the two bounds {bound:.3g}")
    for ax in fig.axes[::2]:
        ax.set_ylabel("share of pairs that have their samples")
    fig.legend(*fig.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return drawing(
        fig,
        f"""Share of the pairs (s, a) that have all their b samples, against time; {BAND.format(seeds)} (seeds 0 to {seeds - 1}), runs up to the right end of
        each panel, delta = .1, precision .02, lazy replanning. The dashed line is the linear program's lower bound of the mean time of any learner, even one
        that knows the model. 0/1-UCRL: UCRL2 with reward one at unmet pairs and its own radius. Dotted, coloured: a tenth of the radius, for both, which is
        ours and has no guarantee. Weighted MaxEnt: Frank-Wolfe with an empirical model and no optimism, no radius. Lower right: with one sample of each pair
        the theory's radii say nothing yet, early optimism is uninformative, and GOSPRL with L1 sets is slower than random actions, which mix well here. Mean
        times in the order of the legend: {"; ".join(says)}. At these sizes the bounds, with probability .9 ({DERIVED}), are vacuous.""",
    )


# Figure 2: how the time grows.


@figure(FIGURES)
def growth(scale: str) -> Drawing:
    """Figure 2: time against the number of samples, the diameter, and the numbers of states and actions, with the bounds."""
    most, seeds, samples = {"quick": (6, 10, 20_000), "full": (7, 30, 20_000)}[scale]
    fig = Figure(figsize=(12, 9))
    (by_samples, by_diameter), (by_states, by_actions) = fig.subplots(2, 2)
    Bs = (10 ** np.arange(3, most + 0.1, 0.5)).astype(int)
    problem, D = two(0.2), 5
    cases = [(problem, only(problem, 1, int(B))) for B in Bs]
    T, bounds, least = _times(cases, seeds)
    _growth(by_samples, "B", Bs, T, bounds, least)
    log_axes(by_samples, "samples B of state 1", "steps T")
    by_samples.set_title(f"{problem.name}: D = {D}, T = B (D + 1) on average")
    tight = ", ".join(f"{ratio:.3g}" for ratio in (bounds[0] / least)[np.isin(Bs, 10 ** np.arange(3, most + 1))])

    Ds = np.array([2, 5, 10, 20, 50, 100, 200])
    cases = [(problem, only(problem, 1, samples)) for problem in (two(1 / D) for D in Ds)]
    T, bounds, least = (values / samples - 1 for values in _times(cases, seeds))
    _growth(by_diameter, "D", Ds, T, bounds, least)
    log_axes(by_diameter, "diameter D", "T / B - 1: travel steps a sample", Ds)
    by_diameter.set_title(f"two(q=1/D), B = {samples:,}")

    sizes = {"quick": (5, 10, 20, 40), "full": (5, 10, 20, 40, 80)}[scale]
    for ax, symbol, word, problems in (
        (by_states, "S", "states S", [garnet_continuing(S, 3, 3) for S in sizes]),
        (by_actions, "A", "actions A", [garnet_continuing(10, A // 2, 3) for A in sizes[1:]]),
    ):
        x = np.array([problem.n_states if symbol == "S" else problem.n_actions for problem in problems])
        T, bounds, least = _times([(problem, np.full((problem.n_states, problem.n_actions), 10)) for problem in problems], seeds)
        _growth(ax, symbol, x, T, bounds, least)
        log_axes(ax, word, "steps T", x)
        ax.set_title(f"{'garnet(S, 3, 3)' if symbol == 'S' else 'garnet(10, A, 3)'}, b = 10: D = {', '.join(f'{p.diameter:.3g}' for p in problems)}")
    for ax in fig.axes:
        ax.set_ylim(top=30 * ax.get_ylim()[1])
        ax.legend(loc="upper left")
    return drawing(
        fig,
        f"""Time of GOSPRL, {BAND.format(seeds)} (seeds 0 to {seeds - 1}), delta = .1, with the bounds of either kind of sets ({DERIVED}, each for the run with
        its own sets, probability .9) and the linear program's lower bound of the mean of any learner. In the legends the fitted powers, for runs with a 95 %
        Student interval over seeds. Above: the theorem's leading term is B D, and on two(q) the lower bound is B (D + 1); A = 1 there, so that every learner
        takes the same time and the ratio of bound and lower bound is about tightness, not vacuity. For the L1 bound it is {tight} at B = 10^3 to
        10^{most}. Right: the lower-order term of the L1 bound, of order D^2 S^2 A, takes over at large D; the Bernstein one is of order D S^2 A. Below: random
        sparse MDPs (seed 0), reported only: D differs from one to the next.""",
    )


def _times(cases: Sequence[tuple[ContinuingMDP, np.ndarray]], seeds: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return times (seeds, cases) with L1 sets, both bounds (2, cases) and lower bounds (cases,)."""
    T, bounds, least = [], [], []
    for problem, b in cases:
        bounds.append([time_bound(GOSPRL(b, confidence=kind), problem) for kind in ("l1", "bernstein")])
        T.append([run.steps for run in run_many(GOSPRL(b), problem, math.ceil(bounds[-1][0]), seeds=range(seeds), checkpoints=[1])])
        least.append(collection_time_lower_bound(problem, b))
    return np.array(T).T, np.array(bounds).T, np.array(least)


def _growth(ax: Any, symbol: str, x: np.ndarray, T: np.ndarray, bounds: np.ndarray, least: np.ndarray) -> None:
    """Draw times, bounds and lower bounds with their powers of x."""
    for values, name, colour, dashes, marker in ((bounds[1], "Bernstein bound", BERNSTEIN, "-.", "v"), (bounds[0], "L1 bound", BOUND, "--", "^")):
        slope = np.polyfit(np.log(x), np.log(values), 1)[0]
        ax.plot(x, values, color=colour, linestyle=dashes, marker=marker, markersize=5, label=f"{name}  ${symbol}^{{{slope:.2f}}}$")
    band(ax, x, T, ACCENT, f"GOSPRL, L1 sets  {power(symbol, x, T)}", marker="o", markersize=4)
    ax.plot(x, least, color="black", linestyle="--", linewidth=1, label="least mean time of any learner (LP)")


# Figure 3: optimism.

PLANNING = "theoryrl.algorithms.gosprl.planning"
OPTIMISTIC = "theoryrl.planning.optimistic"
WITHOUT_OPTIMISM = (
    (PLANNING, "l1_half_radius(n, settings.ell)", "0.0"),
    (OPTIMISTIC, "MOST_SWEEPS = 10**6", "MOST_SWEEPS = 1000"),
    (
        OPTIMISTIC,
        "            return sweep\n        copy(v_next, v)\n    return -1\n",
        "            return sweep\n        copy(v_next, v)\n    return MOST_SWEEPS\n",
    ),
)


@figure(FIGURES)
def optimism(scale: str) -> Drawing:
    """Figure 3: how far below the truth the planned times are, and what happens without optimism."""
    seeds, slow, samples = *{"quick": (5, 20), "full": (20, 200)}[scale], 2000
    lock, trap = lock_chain(12), shortcut()
    broken = world(WITHOUT_OPTIMISM, compiled=True)
    mutant, envs = broken("theoryrl.algorithms.gosprl").GOSPRL, broken("envs_synthetic.gosprl")
    fig = Figure(figsize=(13, 4.8))
    left, middle, right = fig.subplots(1, 3, width_ratios=(1, 1, 1.1))
    worst = {}
    for ax, name, colour, learner, problem in (
        (left, "L1 sets", ACCENT, GOSPRL(only(lock, -1, 50)), lock),
        (left, "Bernstein sets", BERNSTEIN, GOSPRL(only(lock, -1, 50), confidence="bernstein"), lock),
        (middle, "L1 sets", ACCENT, GOSPRL(only(trap, -1, samples)), trap),
        (middle, "without optimism", MUTED[0][0], mutant(only(trap, -1, samples)), envs.shortcut()),
    ):
        lowest = math.inf
        for seed in range(seeds):
            at, gap = _gaps(learner, problem, 3000, seed)
            lowest = min(lowest, float(gap.min()))
            ax.vlines(at, gap.min(axis=1), gap.max(axis=1), color=colour, alpha=0.25, linewidth=1)
            ax.plot(at, gap.mean(axis=1), color=colour, linestyle="", marker=".", markersize=4, label=name if seed == 0 else None)
        worst[f"{problem.name}, {name}"] = lowest
    for ax, title in ((left, f"{lock.name}, 50 at the end"), (middle, f"{trap.name}, {samples:,} at the goal")):
        ax.axhline(0, color=BOUND, linestyle="--", linewidth=1.2, label="not optimistic below")
        ax.set(xscale="log", xlabel="step of the plan", title=title)
        ax.grid(True)
    left.set_ylim(-1.5, 1.3 * lock.diameter)
    left.legend(loc="upper right")
    middle.legend(loc="lower left")
    left.set_ylabel("$V^*_{\\mathcal{G}} - v_k$ (steps)")
    times = {
        "GOSPRL, L1 sets": (GOSPRL(only(trap, -1, samples)), trap, ACCENT),
        "GOSPRL, Bernstein sets": (GOSPRL(only(trap, -1, samples), confidence="bernstein"), trap, BERNSTEIN),
        "without optimism": (mutant(only(trap, -1, samples)), envs.shortcut(), MUTED[0][0]),
    }
    ends = {name: np.array([learner.run(problem, 200_000, seed=seed).steps for seed in range(slow)]) for name, (learner, problem, _) in times.items()}
    for place, (name, T) in enumerate(ends.items()):
        spread = np.random.default_rng(0).uniform(-0.25, 0.25, slow)
        right.plot(place + spread, T, linestyle="", marker=".", markersize=5, color=times[name][2], alpha=0.7)
        right.plot([place - 0.35, place + 0.35], [T.mean()] * 2, color=times[name][2], linewidth=2)
    least = collection_time_lower_bound(trap, only(trap, -1, samples))
    right.axhline(least, color="black", linewidth=1, linestyle="--")
    right.text(-0.45, least / 1.03, "least mean time of any learner (LP)", ha="left", va="top", fontsize=8)
    right.set(yscale="log", ylabel="steps T", xlim=(-0.5, 2.5), ylim=(least / 1.4, None), title=f"{trap.name}, {samples:,} at the goal")
    right.set_xticks(range(3), [name.replace(", ", ",\n").replace("without ", "without\n") for name in ends], fontsize=8)
    right.grid(True, axis="y")
    return drawing(
        fig,
        f"""Left and middle: at each plan of the first 3000 steps of {seeds} runs (seeds 0 to {seeds - 1}) the true least time V* to the unmet states minus the
        planned one, over the states that are no goals: range and mean. Optimism is that no difference is negative. Least difference:
        {"; ".join(f"{name} {low:.3g}" for name, low in worst.items())}. Without optimism (mutant M1 of the tests: the L1 radius is 0, nothing is known of a
        pair without samples; at most 1000 sweeps a plan) frequencies are trusted: on {trap.name} one failure at the first try makes the detour of 41 steps look
        shorter for ever. Right: {slow} seeds each, lines are means: {", ".join(f"{name} {T.mean():,.0f}" for name, T in ends.items())}, LP {least:,.0f}.
        delta = .1.""",
    )


def _gaps(learner: Any, problem: Any, steps: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the steps at which a run of one wanted pair plans, and the true minus the planned times there (plans, states but the goal)."""
    state, at, values = learner.start(problem, steps, np.random.default_rng(seed)), [], []
    goal = learner.demand(problem).any(axis=1)
    true = goal_times(problem.transition, goal)[0]
    known = 0
    for step in range(1, steps + 1):
        if learner.advance(problem, state, 1, False) == 0:
            break
        plans = int(learner.measure(problem, state, False)["plans"])
        if plans > known:
            known = plans
            at.append(step)
            values.append((true - state["values"])[~goal])
    return np.array(at), np.array(values)


# Figure 4: model estimation.


@figure(FIGURES)
def errors(scale: str) -> Drawing:
    """Figure 4: the largest L1 error of the estimated model against the steps really used."""
    n, seeds = {"quick": (50_000, 8), "full": (500_000, 30)}[scale]
    problem = _river()
    S, A = problem.n_states, problem.n_actions
    grid = np.unique(np.geomspace(500, n, 40).astype(int))
    peers: dict[str, tuple[Algorithm, str, Any]] = {
        "weighted MaxEnt, plug-in": (MaxEntEstimation(confidence=0.0), MUTED[2][0], "--"),
        "weighted MaxEnt, theory": (MaxEntEstimation(), MUTED[2][0], ":"),
        "FW-AME, plug-in": (FrankWolfeEstimation(confidence=0.0), MUTED[1][0], "--"),
        "FW-AME, theory": (FrankWolfeEstimation(), MUTED[1][0], ":"),
    }
    fig = Figure(figsize=(8.4, 5.4))
    ax = fig.subplots()
    for name, (algorithm, colour, dashes) in peers.items():
        runs = run_many(algorithm, problem, n, seeds=range(seeds), checkpoints=grid.tolist())
        curves = np.array([run["model_error"] for run in runs])
        if algorithm.confidence:  # type: ignore[attr-defined]
            ax.plot(grid, np.median(curves, axis=0), color=colour, linestyle=dashes, label=name)
        else:
            band(ax, grid, curves, colour, name, linestyle=dashes)
    cut = grid[::4]
    uniform = [[_error(run) for run in run_many(UniformCollection(NEVER), problem, int(k), seeds=range(seeds), checkpoints=[1])] for k in cut]
    band(ax, cut, np.array(uniform).T, MUTED[3][0], "uniformly random", linestyle="-.")
    bs = np.unique(np.geomspace(10, n / 30, 9).astype(int))
    ends = {}
    for name, kind, colour in (("GOSPRL, L1 sets", "l1", ACCENT), ("GOSPRL, Bernstein sets", "bernstein", BERNSTEIN)):
        same = [run_many(GOSPRL(int(b), confidence=kind), problem, 10 * n, seeds=range(seeds), checkpoints=[1]) for b in bs]
        T = np.array([[run.steps for run in runs] for runs in same])
        band(ax, np.median(T, axis=1), np.array([[_error(run) for run in runs] for runs in same]).T, colour, name, marker="o", markersize=4)
        ends[name] = np.median(T, axis=1)
    delta = 0.1
    eta = np.sqrt(2 / bs * (S * math.log(2) + math.log1p(-(2.0 ** (1 - S))) + math.log(S * A / delta)))
    ax.plot(ends["GOSPRL, L1 sets"], eta, color=BOUND, linestyle="--", label=r"accuracy $\eta$ that $b$ samples guarantee")
    log_axes(ax, "steps really used", r"largest $\|\hat P - P\|_1$ of a pair")
    ax.set(xlim=(500, 1.1 * n), ylim=(None, 5))
    ax.legend(loc="lower left")
    ax.set_title(f"{problem.name}, {seeds} seeds")
    return drawing(
        fig,
        f"""Largest L1 error of a pair's frequencies (2 for a pair without samples) against the steps really used, {problem!r}; {BAND.format(seeds)}
        (seeds 0 to {seeds - 1}; of the theory forms of the peers the median alone), all samples of a run. GOSPRL is asked for b = {", ".join(map(str, bs))}
        samples of each pair, one mark each at the median of its times: cut off before it is done it may have no sample of some pair. The red line is eta =
        sqrt(2 (ln(2^S - 2) + ln(S A / delta)) / b), which the first b samples guarantee for all pairs at once with probability .9, at the times of the L1 runs.
        FW-AME and MaxEnt: Frank-Wolfe active exploration (phases, smoothing and solver decided here), confidence term as in theory or 0 (plug-in). With
        enough steps GOSPRL, FW-AME and MaxEnt are on a par.""",
    )


def _error(run: Run) -> float:
    N = run.state["transitions"]
    return model_error(N.reshape(run.problem.transition.shape), run.problem.transition)  # type: ignore[attr-defined]


# Figure 5: where samples are missing.


@figure(FIGURES)
def deficit(scale: str) -> Drawing:
    """Figure 5: what is missing on the grid at 25, 50 and 75 % of the time."""
    seeds = {"quick": 10, "full": 100}[scale]
    problem, b, parts = four_rooms(), 10, (0.25, 0.5, 0.75)
    learners = {name: LEARNERS[name][0](b) for name in ("GOSPRL, L1 sets", "GOSPRL, Bernstein sets", "uniformly random")}
    fig = Figure(figsize=(10, 9.6))
    rows, cells = fig.subplots(3, 3), four_rooms_cells()
    for row, (name, algorithm) in zip(rows, learners.items(), strict=True):
        ends = [run.steps for run in run_many(algorithm, problem, 10**6, seeds=range(seeds), checkpoints=[1])]
        for ax, part in zip(row, parts, strict=True):
            owed = np.mean([_owed(algorithm.run(problem, math.ceil(part * T), seed=seed, checkpoints=[1])) for seed, T in enumerate(ends)], axis=0)
            grid = np.full((7, 7), np.nan)
            grid[tuple(cells.T)] = owed
            picture = ax.imshow(np.ma.masked_invalid(grid), cmap="cividis", vmin=0, vmax=b * problem.n_actions)
            ax.set_facecolor("#D9D9D9")
            for s, (y, x) in enumerate(cells):
                text = "<1" if 0 < owed[s] < 0.5 else f"{owed[s]:.0f}"
                ax.text(x, y, text, ha="center", va="center", fontsize=7, color="black" if owed[s] > 22 else "white")
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
            ax.set_title(f"{part:.0%} of T: {owed.sum():,.0f} missing", fontsize=9)
        row[0].set_ylabel(f"{name}\nmean T = {np.mean(ends):,.0f}")
    fig.colorbar(picture, ax=rows, label="samples missing in a state, all actions", shrink=0.6)
    return drawing(
        fig,
        f"""Samples that are missing in each state of {problem!r} (sum over its {problem.n_actions} actions, {b} of each wanted; grey: walls), when 25, 50 and
        75 % of each run's own time T have passed; mean over {seeds} seeds (0 to {seeds - 1}), start at the upper left, delta = .1. The doors are the single
        cells between two rooms.""",
    )


def _owed(run: Run) -> np.ndarray:
    """Return the samples that are missing in each state."""
    return np.maximum(run.state["demand"] - run.state["visits"], 0).reshape(run.problem.n_states, -1).sum(axis=1)  # type: ignore[attr-defined]


# Figure 6: any goal, any costs.


@figure(FIGURES)
def goal_free(scale: str) -> Drawing:
    """Figure 6: how much the plans for random goals and costs lose, against epsilon and the certificates."""
    seeds, pairs = {"quick": (5, 200), "full": (50, 200)}[scale]
    problem, epsilon, c_min = ring(), 1.0, 0.5
    rule = GoalFree(epsilon, c_min, problem.diameter, problem.support)
    b = rule.most(problem)
    rng = np.random.default_rng(0)
    tasks = [(int(rng.integers(3)), rng.uniform(c_min, 1, (3, 2))) for _ in range(pairs)]
    best = [shortest_path(problem.transition, costs, goal).values for goal, costs in tasks]
    runs = {k: run_many(GOSPRL(k), problem, 10**6, seeds=range(seeds), checkpoints=[1]) for k in (3, 10, 100, 1000)}
    runs[b] = run_many(GOSPRL(rule, delta=0.05), problem, 10**7, seeds=range(seeds), checkpoints=[1])
    losses = {k: np.array([_losses(problem, _frequencies(run.output), tasks, best) for run in same]).ravel() for k, same in runs.items()}
    models = [estimated_model(run) for run in runs[b]]
    plans = [model.plan(goal, costs) for model in models for goal, costs in tasks]
    certified = {lemma: np.array([c.gap for plan in plans for c in plan.certificates if c.lemma == lemma]) for lemma in ("A9'", "A11")}
    error = max(model_error(run.output, problem.transition) for run in runs[b])
    edges = np.geomspace(0.08, 20, 25)  # the first bin is for less
    fig = Figure(figsize=(8.4, 5))
    ax = fig.subplots()
    shades = dict(zip(runs, (MUTED[0][0], MUTED[1][0], MUTED[2][0], OKABE_ITO["sky"], ACCENT), strict=True))
    for k, lost in losses.items():
        none = np.mean(lost <= 1e-9)
        heights = np.histogram(np.clip(lost, edges[0], 0.99 * edges[-1]), edges)[0] / lost.size
        ax.stairs(heights, edges, color=shades[k], linewidth=1.8, fill=k == b, alpha=0.5 if k == b else 1, label=f"b = {k:,}: no loss in {_share(none)}")
    for (lemma, gaps), dashes in zip(certified.items(), ("-", "--"), strict=True):
        if len(gaps):
            ax.stairs(np.histogram(gaps, edges)[0] / len(plans), edges, color="black", linestyle=dashes, label=f"certified by {lemma} at b = {b:,}: at most")
    ax.plot([epsilon, epsilon], [1e-9, 1.5], color=BOUND, linestyle="--", label=rf"$\varepsilon$ = {epsilon:g}, what b = {b:,} guarantees")
    ax.set(xscale="log", xlim=(edges[0], edges[-1]), yscale="log", ylim=(0.5 / losses[b].size, 30), ylabel="share of goals and costs")
    ax.set_xlabel(r"$\max_s\; V^{\hat\pi}(s) - V^*(s)$ (units of cost; the bin on the left: 0.1 or less)")
    ax.grid(True)
    ax.legend(loc="upper right", ncols=2)
    ax.set_title(f"{problem.name}: {pairs} goals and costs, {seeds} seeds")
    T = [run.steps for run in runs[b]]
    return drawing(
        fig,
        f"""What the best policy of the estimated model loses in the true one, at the worst state, over {pairs} pairs of a random goal and costs, uniform on
        [.5, 1], and {seeds} seeds (0 to {seeds - 1}), on {problem!r} (D = {problem.diameter:g}, {problem.support} next states a pair). {rule!r}
        asks for b = {b:,} of each pair (lemma {"A9" if rule.method(3, 2) == "l1" else "A11"}), collected in {np.mean(T):,.0f} steps on average, delta = .05
        for it and .05 for GOSPRL; then every loss is at most epsilon with probability .9. The largest seen is {losses[b].max():.2g}, with L1 error {error:.4f}
        at most. Fewer samples, without a guarantee: coloured lines (losses beyond 20, or infinite, in the last bin). Black: what the data-driven certificates
        say at b = {b:,}, which know neither V* nor D. All of this certifies, and is no advice how much to sample.""",
    )


def _share(x: float) -> str:
    """Return a share in per cent, never 100 for less than all."""
    return "all" if x == 1 else f"{100 * x:.4g} %"


def _frequencies(N: np.ndarray) -> np.ndarray:
    return N / np.maximum(N.sum(axis=-1, keepdims=True), 1)


def _losses(problem: ContinuingMDP, P: np.ndarray, tasks: Sequence[tuple[int, np.ndarray]], best: Sequence[np.ndarray]) -> list[float]:
    """Return what the best policies of a model lose in the true one, at the worst state; inf if they do not arrive."""
    policies = [shortest_path(P, costs, goal).policy for goal, costs in tasks]
    return [
        float((policy_costs(problem.transition, costs, policy, goal) - values).max())
        for (goal, costs), policy, values in zip(tasks, policies, best, strict=True)
    ]


# Figure 7: how often it plans.


@figure(FIGURES)
def plans(scale: str) -> Drawing:
    """Figure 7: the number of plans against the logarithm of time."""
    seeds, most = {"quick": (5, (3000, 100)), "full": (20, (1_000_000, 30_000))}[scale]
    fig = Figure(figsize=(11.5, 4.8))
    says = []
    for ax, problem, last in zip(fig.subplots(1, 2), (_river(), four_rooms()), most, strict=True):
        S, A = problem.n_states, problem.n_actions
        bs = np.unique(np.geomspace(1, last, 10).astype(int))
        looks: dict[str, tuple[dict[str, Any], str, str]] = {
            "lazy, L1 sets": ({}, ACCENT, "o"),
            "lazy, Bernstein sets": ({"confidence": "bernstein"}, BERNSTEIN, "s"),
            "at every episode too, L1 sets": ({"replan": "always"}, OKABE_ITO["sky"], "^"),
        }
        for name, (how, colour, marker) in looks.items():
            same = [run_many(GOSPRL(int(b), **how), problem, 10**9, seeds=range(seeds), checkpoints=[1]) for b in bs]
            T, made = (np.array([[value(run) for run in runs] for runs in same]) for value in (lambda run: run.steps, lambda run: run["plans"][-1]))
            ax.plot(T.ravel(), made.ravel(), color=colour, label=name, marker=marker, linestyle="", markersize=4, alpha=0.7)
            ends = [f"{np.mean([run[kind][-1] for run in same[-1]]):,.0f}" for kind in ("plans", "episodes", "travel")]
            says.append(f"{problem.name}, {name}: {', '.join(ends)}")
        t, doublings = np.geomspace(T.min() / 3, T.max(), 50), S * A * (1 + np.log2(T))
        ax.plot(t, S + S * A * (1 + np.log2(t)), color=BOUND, linestyle="--", label=r"bound, lazy: $S + SA(1 + \log_2 T)$")
        ax.plot(T.ravel(), (bs[:, None] * S * A + doublings).ravel(), color=BOUND, marker="_", linestyle="", label=r"bound, always: $B + SA(1 + \log_2 T)$")
        log_axes(ax, "steps T until all is collected", "plans")
        ax.set_ylim(top=300 * last * S * A)
        ax.legend(loc="upper left")
        ax.set_title(f"{problem.name}, b = {bs[0]} to {bs[-1]:,}")
    return drawing(
        fig,
        f"""Number of plans (extended value iterations) of whole runs against their time, one mark a run: {seeds} seeds (0 to {seeds - 1}) for each of
        {len(bs)} numbers b of samples of every pair, delta = .1. Lazy: a new plan only when the goals have changed or a pair's visits in travelling have
        doubled its samples. Always: at the first step of every episode too, as the paper does (from memory). The red marks are proved (lemma A6, surely). More
        samples do not need more plans: what is seen while they are collected makes the later plans good. Mean plans,
        episodes and travel steps at the largest b: {"; ".join(says)}.""",
    )


# Figure 8: the proof.


@figure(FIGURES)
def proofs(scale: str) -> Drawing:
    """Figure 8: the proof of the time bound on runs with either kind of sets: where between time and bound the slack comes in."""
    B = {"quick": 1_000_000, "full": 10_000_000}[scale]
    lock, small = lock_chain(20), two(0.2)
    cases: Sequence[tuple[str, GOSPRL, ContinuingMDP]] = (
        ("b = 30", GOSPRL(30), _river()),
        ("b = 30", GOSPRL(30, confidence="bernstein"), _river()),
        ("50 samples at the end", GOSPRL(only(lock, -1, 50)), lock),
        (f"{B:,} samples of state 1", GOSPRL(only(small, 1, B), confidence="bernstein"), small),
    )
    fig = Figure(figsize=(23, 17))
    fig.get_layout_engine().set(wspace=0.03, hspace=0.04)  # type: ignore[union-attr]
    ends = []
    for ax, (title, algorithm, problem) in zip(fig.subplots(2, 2).flat, cases, strict=True):
        run = algorithm.run(problem, math.ceil(time_bound(algorithm, problem)) + 1, seed=0, trace=True)
        run.proof().plot(ax)
        kind = "L1" if algorithm.confidence == "l1" else "Bernstein"
        ax.set_title(f"{kind} sets on {problem.name}, {title}, seed 0\nT = {run.steps:,}, of them {run['travel'][-1]:,.0f} travel steps")
        ends.append(f"{problem.name}, {title}, {kind}: T = {run.steps:,} ≤ {time_bound(algorithm, problem):,.0f}")
    return drawing(
        fig,
        f"""The time bound of GOSPRL ({DERIVED}) evaluated line by line on one run each, at its end: a bar is what one step gives away, with the factor that
        it costs, and how it holds. The first line is (1 - precision) times the travel steps, the last one what the time bound leaves for them; the dotted
        line, where there is one, is what the uniform policy's mean time, or a lower bound of it, leaves. delta = .1, precision .02, lazy replanning.
        {"; ".join(ends)}. Widths cost most on small instances, and at the end R is evaluated at its root instead of at the run's own number of travel steps. On
        two(q) nothing is to be learned, and the bound is nearly tight.""",
    )


# Figure 9: when the bound says something.


@figure(FIGURES)
def nonvacuous(scale: str) -> Drawing:
    """Figure 9: the bounds against the mean time of random actions on locks, and how tight they are."""
    seeds, largest = {"quick": (5, 24), "full": (20, 40)}[scale]
    B = 50
    sizes = np.arange(4, largest + 1, 2)
    locks = [lock_chain(int(n)) for n in sizes]
    wanted = [only(lock, -1, B) for lock in locks]
    kinds = {"l1": ("L1", ACCENT, BOUND, "^"), "bernstein": ("Bernstein", BERNSTEIN, OKABE_ITO["purple"], "v")}
    fig = Figure(figsize=(12.5, 5.4))
    left, right = fig.subplots(1, 2)
    uniform = np.array([uniform_collection_time(lock, b) for lock, b in zip(locks, wanted, strict=True)])
    left.plot(sizes, uniform, color=TRIVIAL, linestyle=DOTS, linewidth=1.6, label="random actions, exact mean")
    since = []
    for kind, (name, colour, red, marker) in kinds.items():
        learners = [GOSPRL(b, confidence=kind) for b in wanted]
        bounds = np.array([time_bound(learner, lock) for learner, lock in zip(learners, locks, strict=True)])
        T = [[run.steps for run in run_many(x, lock, 10**7, seeds=range(seeds), checkpoints=[1])] for x, lock in zip(learners, locks, strict=True)]
        left.plot(sizes, bounds, color=red, linestyle="--", marker=marker, markersize=5, label=f"bound, {name} sets")
        band(left, sizes, np.array(T).T, colour, f"GOSPRL, {name} sets", marker="o", markersize=4)
        below = sizes[bounds < uniform]
        since.append(f"{name} from n = {below[0]} on" if len(below) else f"{name} at none of these n")
    least = [collection_time_lower_bound(lock, b) for lock, b in zip(locks, wanted, strict=True)]
    left.plot(sizes, least, color="black", linestyle="--", linewidth=1, label="least mean time (LP)")
    log_axes(left, "length n of the lock", "steps T", sizes[::2])
    left.set_ylim(top=1e5 * left.get_ylim()[1])
    left.legend(loc="upper left", ncols=2)
    left.set_title(f"lock_chain(n), {B} samples at the end")

    instances = {
        "two(q=0.2)": (two(0.2), "-", lambda problem, k: only(problem, 1, k)),
        "river swim": (_river(), "--", lambda problem, k: k),
        "lock_chain(n=12)": (lock_chain(12), ":", lambda problem, k: only(problem, -1, k)),
    }
    powers = 10.0 ** np.arange(2, 9)
    for name, (problem, dashes, demand) in instances.items():
        for kind, (label, _, red, _) in kinds.items():
            ratios = []
            for k in powers:
                b = demand(problem, max(1, int(k) // (12 if name == "river swim" else 1)))
                ratios.append(time_bound(GOSPRL(b, confidence=kind), problem) / collection_time_lower_bound(problem, b))
            right.plot(powers, ratios, color=red, linestyle=dashes, marker=".", label=f"{name}, {label}")
    right.axhline(1, color="black", linewidth=1)
    log_axes(right, "samples B in all", "bound / least mean time of any learner (LP)")
    right.set_ylim(0.8, None)
    right.legend(loc="upper right", handlelength=4)
    right.set_title("tightness")
    return drawing(
        fig,
        f"""Left: the time bounds ({DERIVED}, probability .9, delta = .1), GOSPRL's times ({BAND.format(seeds)}) and the exact mean time of uniformly random
        actions, 2 B (2^n - 1), for B = {B} samples of one pair of the last state of a combination lock of length n. The worst policy never finishes; a time
        bound is called non-vacuous when it is below the random actions' mean: {"; ".join(since)}. Right: the bounds over the linear program's lower bound of
        any learner's mean time, against the number of samples; river swim: the same of all 12 pairs. With more samples both tend to I_0 / (1 - precision) + B
        steps, which on two(q) and on the lock is the lower bound up to the precision, and on river swim above it: each sample is charged the worst way.""",
    )


# Figure 10: requirements for estimating a model.


@figure(FIGURES)
def requirements(scale: str) -> Drawing:
    """Figure 10: samples that model estimation asks for: fixed, adaptive, and by the textbook's bound."""
    seeds, few, accuracies = {"quick": (3, 1, (0.4, 0.2, 0.1)), "full": (20, 5, (0.4, 0.2, 0.1, 0.05))}[scale]
    delta = 0.1
    problems = {
        "river swim, S = 6": _river(),
        "river swim, S = 20": river_swim_continuing(20, "gosprl"),
        "river swim, S = 50": river_swim_continuing(50, "gosprl"),
        "lock_chain(20)": lock_chain(20),
        "four rooms": four_rooms(),
        "garnet(50, 2, 4)": garnet_continuing(50, 2, 4),
    }
    fig = Figure(figsize=(13, 5.4))
    left, right = fig.subplots(1, 2, width_ratios=(1.7, 1))
    colours = (OKABE_ITO["sky"], ACCENT, "black", OKABE_ITO["purple"])
    for i, (eta, colour) in enumerate(zip(accuracies, colours, strict=False)):
        for at, problem in enumerate(problems.values()):
            fixed = Modest(eta, delta).most(problem)
            place = at + 0.2 * (i - 1)
            label = {"label": rf"$\eta$ = {eta:g}"} if at == 0 else {}
            adaptive = [_collected(problem, Modest(eta, delta, adaptive=True), seed).mean() / fixed for seed in range(seeds)]
            left.plot(np.full(seeds, place), adaptive, color=colour, linestyle="", marker="o", markersize=4, **label)
            textbook = [_textbook(problem, MaurerPontil(eta, delta), seed).mean() / fixed for seed in range(few)]
            left.plot(np.full(len(textbook), place), textbook, color=colour, linestyle="", marker="x", markersize=5)
    left.axhline(1, color=BOUND, linestyle="--", linewidth=1.2, label="fixed (Weissman)")
    left.plot([], [], color="black", linestyle="", marker="o", markersize=4, label="adaptive, capped")
    left.plot([], [], color="black", linestyle="", marker="x", markersize=5, label="textbook (Maurer, Pontil)")
    left.set(yscale="log", ylabel="samples of a pair, mean, over the fixed number", ylim=(None, 60))
    left.set_xticks(range(len(problems)), [name.replace(", S", ",\nS") for name in problems], fontsize=8)
    left.set_yticks([0.2, 0.5, 1, 2, 5, 10, 20], ["0.2", "0.5", "1", "2", "5", "10", "20"])
    left.grid(True, axis="y")
    left.legend(loc="upper left", ncols=2)
    left.set_title("what is asked for")
    eta, says = 0.2, []
    online = {"river swim, S = 6": _river(), "river swim, S = 12": river_swim_continuing(12, "gosprl"), "lock_chain(12)": lock_chain(12)}
    for at, (name, problem) in enumerate(online.items()):
        ends, worst = [], []
        for i, (rule, colour) in enumerate(((Modest(eta, delta / 2), MUTED[1][0]), (Modest(eta, delta / 2, adaptive=True), ACCENT))):
            runs = run_many(GOSPRL(rule, delta=delta / 2), problem, 10**8, seeds=range(seeds), checkpoints=[1])
            T = np.array([run.steps for run in runs])
            bar = right.bar(at + 0.4 * i - 0.2, T.mean(), 0.36, color=colour, label=("fixed", "adaptive")[i] if at == 0 else None)
            right.bar_label(bar, [f"{T.mean():,.0f}"], fontsize=8, padding=2)
            ends.append(T.mean())
            worst.append(max(model_error(run.output, problem.transition) for run in runs))
        says.append(f"{name}: T = {ends[0]:,.0f} and {ends[1]:,.0f}, largest error {worst[0]:.3f} and {worst[1]:.3f}")
    right.set(ylabel="steps T of GOSPRL, mean", title=rf"collected online, $\eta$ = {eta:g}")
    right.set_xticks(range(len(online)), [name.replace(", ", ",\n") for name in online], fontsize=8)
    right.legend(loc="upper left", title="MODEST")
    right.grid(True, axis="y")
    right.set_axisbelow(True)
    return drawing(
        fig,
        f"""Samples that estimating all laws within eta in L1 asks for, delta = {delta:g}. Left: mean over the pairs, over the fixed number
        (2 / eta^2) (ln(2^S - 2) + ln(S A / delta)); independent samples of each pair. Adaptive (derived here): a pair is frozen when its Bernstein intervals
        are narrow enough at one of at most 48 counts, the last of which is the fixed number at delta / 2; {seeds} seeds. Textbook: until the sum over next
        states of sqrt(2 p (1 - p) iota_n / (n - 1)) + 7 iota_n / (3 (n - 1)) is at most eta, by Maurer and Pontil with a union over n: valid, too, and much
        dearer here, since all S next states pay for the second term; {few} seed{"s" * (few > 1)}. Right: GOSPRL (L1 sets) with the fixed and the adaptive
        rule, delta / 2 each for the rule and for GOSPRL, {seeds} seeds. {"; ".join(says)}.""",
    )


def _collected(problem: ContinuingMDP, rule: Modest, seed: int) -> np.ndarray:
    """Return how many samples of each pair a rule takes in the end, (S, A), when it is given independent ones."""
    rng = np.random.default_rng(seed)
    N = np.zeros(problem.transition.shape, np.int64)
    while True:
        more = rule.requirements(N) - N.sum(axis=-1)
        if not more.any():
            return np.asarray(N.sum(axis=-1))
        N += rng.multinomial(more, problem.transition)


def _textbook(problem: ContinuingMDP, rule: MaurerPontil, seed: int) -> np.ndarray:
    """Return at how many samples of each pair, (S, A), the textbook rule asks for no more, to within 2 % (it is looked at every 2 % samples)."""
    rng, shape = np.random.default_rng(seed), problem.transition.shape[:2]
    N, needed, n = rng.multinomial(np.full(shape, 2), problem.transition), np.zeros(shape, np.int64), 2
    while not needed.all():
        needed[(rule.requirements(N) <= n) & (needed == 0)] = n
        more = max(1, n // 50)
        N += rng.multinomial(np.full(shape, more), problem.transition)
        n += more
    return needed
