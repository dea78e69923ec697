"""Speed of groupwise regret by sleeping experts: ``python -m benchmarks.groupwise [--scale quick|full] [SECTION ...]``.

Every section compares alternatives in one run, so that its ratios mean something on a busy machine; times are processor
time, the least of some repetitions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.groupwise_numpy import Factor, Inverse, Solve, groupwise_regression
from benchmarks.measure import cpu_seconds, exponent, in_subprocess, run_sections, short, table
from envs_synthetic.groupwise import paths, synthetic_paper
from theoryrl.algorithms import Algorithm, AnhPairs, BlumLykouris, GroupwiseFinite, GroupwisePaths, GroupwiseRegression, MinimaxMW
from theoryrl.algorithms.groupwise import regression as kernels
from theoryrl.jit import kernel
from theoryrl.problems import RegressionStream
from theoryrl.testing.world import world

SECTIONS: dict[str, Callable[[str], None]] = {}


def section(function: Callable[[str], None]) -> Callable[[str], None]:
    """Enter a section under its name; it takes the scale, "quick" or "full"."""
    SECTIONS[function.__name__] = function
    return function


def rounds(algorithm: Algorithm, problem: Any, n: int, trace: bool = False) -> Callable[[], np.ndarray]:
    """Return a call that plays n rounds from a fresh state, comparators left out, and returns R."""

    def play() -> np.ndarray:
        state = algorithm.start(problem, n, np.random.default_rng(0))
        algorithm.advance(problem, state, n, trace)
        return np.array(state["R"])

    algorithm.advance(problem, algorithm.start(problem, n, np.random.default_rng(0)), 1, trace)  # compiles
    return play


@kernel
def rank_one_alone(X: Any, y: Any, groups: Any, learners: Any) -> None:
    """Update the factor of every awake group in every round, and do nothing else."""
    for t in range(X.shape[0]):
        for g in range(groups.shape[1]):
            if groups[t, g]:
                kernels.rank_one(learners.factor[g], learners.pivots[g], X[t], y[t], learners.forward)


def rank_one_updates(problem: RegressionStream) -> Callable[[], None]:
    """Return a call of `rank_one_alone` on fresh factors."""

    def update() -> None:
        learners = kernels.bundle(kernels.start(problem.n_groups, problem.dimension, 1.0, "cholesky", "vaw"))
        rank_one_alone(problem.features, problem.labels, problem.groups, learners)

    update()  # compiles
    return update


@section
def regression(scale: str) -> None:
    """VAW and AdaNormalHedge on the paper's synthetic data: against its own linear algebra, NumPy, and the uncompiled world."""
    few, fewer, n, repetitions = {"quick": (50, 5, 500, 1), "full": (2_000, 200, 100_000, 5)}[scale]
    problem = synthetic_paper("mean", T=n)
    size = f"{problem.n_groups} groups, d = {problem.dimension}, {problem.groups.sum() / n:.3g} awake a round"
    learner = GroupwiseRegression()

    versions: dict[str, tuple[Callable[[], object], int]] = {
        "the rank-one L D L' updates alone": (rank_one_updates(problem), n),
        "GroupwiseRegression()": (rounds(learner, problem, n), n),
        "the same, traced": (rounds(learner, problem, n, trace=True), n),
        "the same, traced, with exact comparators at the checkpoints": (lambda: _fresh_run(learner, problem, n), n),
        "solver='sherman_morrison'": (rounds(GroupwiseRegression(solver="sherman_morrison"), problem, n), n),
    }
    _report(f"{n:,} rounds, {size}", versions, "the rank-one L D L' updates alone", repetitions)

    naive = world()
    twin = naive("envs_synthetic.groupwise").synthetic_paper("mean", T=n)
    slow = naive("theoryrl.algorithms").GroupwiseRegression()
    compiled = rounds(learner, problem, few)
    R = compiled()
    for name, numpy_learner in {"the same recursion": Factor, "Sherman-Morrison": Inverse, "a solve a round": Solve}.items():
        error = np.max(np.abs(groupwise_regression(problem, few, numpy_learner) - R))
        assert error < 1e-6, f"NumPy with {name} is another algorithm: R differs by {error}"
    assert np.array_equal(rounds(slow, twin, fewer)(), rounds(learner, problem, fewer)()), "the uncompiled world has other bits"
    versions = {
        "compiled": (compiled, few),
        "NumPy loop, the same recursion": (lambda: groupwise_regression(problem, few, Factor), few),
        "NumPy loop, Sherman-Morrison": (lambda: groupwise_regression(problem, few, Inverse), few),
        "NumPy loop, a solve for every group and round": (lambda: groupwise_regression(problem, few, Solve), few),
        "uncompiled world, same bits": (rounds(slow, twin, fewer), fewer),
    }
    _report(f"the first {few:,} rounds ({fewer:,} uncompiled), {size}", versions, "compiled", min(repetitions, 2))


def _fresh_run(learner: Algorithm, problem: RegressionStream, n: int) -> object:
    """Run on a copy of the problem that remembers no comparator."""
    fresh = RegressionStream(problem.features, problem.labels, problem.groups, problem.label_range)
    return learner.run(fresh, n, seed=0, trace=True)


def _report(title: str, versions: dict[str, tuple[Callable[[], object], int]], unit: str, repetitions: int) -> None:
    took = {label: cpu_seconds(work, repetitions) / n for label, (work, n) in versions.items()}
    rows = [[label, short(1e6 * t), f"{1 / t:,.0f}", f"×{t / took[unit]:.3g}"] for label, t in took.items()]
    table(title, ["", "microseconds a round", "rounds/s", "time"], rows)


@section
def groups(scale: str) -> None:
    """GW-17, first part: the cost of a round against the number of groups, all awake, with the fitted power."""
    n, draws = {"quick": (20, 2), "full": (2_000, 5)}[scale]
    sizes = [2, 4, 8, 16, 32, 64]
    took = np.array([[_seconds_with_groups(G, n, seed) for G in sizes] for seed in range(draws)])
    rows = [["d = 10", *(short(1e6 * t) for t in np.median(took, axis=0)), exponent(sizes, took)]]
    header = ["GW-17", *(f"G = {G}" for G in sizes), "power of G [95 %]"]
    table(f"GroupwiseRegression(), every group awake: microseconds a round, median over {draws} draws", header, rows)


def _seconds_with_groups(G: int, n: int, seed: int) -> float:
    rng = np.random.default_rng(seed)
    problem = RegressionStream(rng.random((n, 10)), rng.random(n), np.ones((n, G), np.uint8))
    return cpu_seconds(rounds(GroupwiseRegression(), problem, n), 5) / n


@section
def hypotheses(scale: str) -> None:
    """GW-17, second part: shortest paths, W = 3: the reduction with its oracles against all that enumerate the class."""
    layers, longest, draws, work = {"quick": ([3, 4, 5], 7, 2, 2_000), "full": ([4, 6, 8, 10], 12, 5, 500_000)}[scale]
    oracles: dict[str, Algorithm] = {"GroupwisePaths(), DP": GroupwisePaths(), "perturbed leaders, DP": GroupwisePaths(base="path_ftpl")}
    enumerate_: dict[str, Algorithm] = {
        "GroupwiseFinite(), Hedge a group": GroupwiseFinite(),
        "AnhPairs()": AnhPairs(),
        "BlumLykouris()": BlumLykouris(),
        "MinimaxMW()": MinimaxMW(),
    }
    took: dict[str, list[list[float]]] = {label: [[] for _ in range(draws)] for label in (*oracles, *enumerate_)}
    for seed in range(draws):
        for K in (*layers, longest):
            problem = paths(T=500, K=K, seed=seed)
            for label, algorithm in oracles.items():
                took[label][seed].append(cpu_seconds(rounds(algorithm, problem, problem.n_rounds), 5) / problem.n_rounds)
            if K < longest:
                listed = paths(T=max(20, min(500, work // problem.n_paths)), K=K, seed=seed).as_class()
                for label, algorithm in enumerate_.items():
                    took[label][seed].append(cpu_seconds(rounds(algorithm, listed, listed.n_rounds), 3) / listed.n_rounds)
    sizes = [3 ** (K - 1) for K in (*layers, longest)]
    rows = []
    for label, draw in took.items():
        seconds = np.array(draw)
        cells = [short(1e6 * t) for t in np.median(seconds, axis=0)]
        rows.append([label, *cells, *["-"] * (len(sizes) - len(cells)), exponent(sizes[: seconds.shape[1]], seconds)])
    header = ["GW-17", *(f"|H| = {size:,}" for size in sizes), "power of |H| [95 %]"]
    table(f"4 groups, K = {', '.join(map(str, (*layers, longest)))}, |H| = 3^(K - 1): microseconds a round, median over {draws} draws", header, rows)
    edges = [(K - 2) * 9 + 6 for K in (*layers, longest)]
    for label in oracles:
        print(f"  {label}: power of the number of edges {exponent(edges, np.array(took[label]))}; |H| enters through it alone")


@section
def memory(scale: str) -> None:
    """Peak memory of a process that runs on one and the same problem for more and more rounds; only trace="raw" may grow."""
    T = {"quick": 20_000, "full": 1_000_000}[scale]
    script = """
import numpy as np
from benchmarks.measure import peak_mebibytes
from theoryrl.algorithms import GroupwiseRegression
from theoryrl.problems import RegressionStream
rng = np.random.default_rng(0)
problem = RegressionStream(rng.random(({T}, 2)), rng.random({T}), np.ones(({T}, 6), np.uint8))
run = GroupwiseRegression().run(problem, {n}, seed=0, trace={trace!r})
print(peak_mebibytes(), run.seconds)
"""
    in_subprocess(script.format(T=T, n=1, trace=True))  # compiles, which takes memory
    peaks, rows = [], []
    for n, trace in ((T // 100, True), (T, True), (T, "raw")):
        mebibytes, seconds = in_subprocess(script.format(T=T, n=n, trace=trace))
        peaks.append(mebibytes)
        rows.append([f"{n:,}", repr(trace), f"{mebibytes:.1f}", f"{seconds:.3g}", f"×{mebibytes / peaks[0]:.3f}"])
    table(f"6 groups, d = 2, a problem of {T:,} rounds: peak memory of the whole process", ["rounds played", "trace", "MiB", "seconds", "memory"], rows)
    assert peaks[1] < 1.1 * peaks[0], f"peak memory grows with the number of rounds: {peaks[:2]} MiB"


def main(argv: list[str] | None = None) -> None:
    """Run the sections that are named, or all."""
    run_sections("groupwise", __doc__, SECTIONS, argv)


if __name__ == "__main__":
    main()
