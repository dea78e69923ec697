"""Speed of MEX: ``python -m benchmarks.mex [--scale quick|full] [SECTION ...]``.

Every section compares alternatives in one run, so that its ratios mean something on a busy machine; times are processor
time, the least of some repetitions.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import mex_numpy
from benchmarks.measure import exponent, in_subprocess, run_sections, short, table
from envs_synthetic.baselines import river_swim
from envs_synthetic.mex import closure_class, deep_sea, mg_switch, mg_switch_class, random_mdp, random_models, treasure, treasure_class
from theoryrl.algorithms.mex.branch_and_bound import branch_and_bound
from theoryrl.algorithms.mex.finite import MEX
from theoryrl.algorithms.mex.game import MEXMG
from theoryrl.algorithms.mex.local_search import local_search
from theoryrl.algorithms.mex.policy_form import enumerate_policies
from theoryrl.algorithms.mex.tabular import MEXTabular
from theoryrl.algorithms.run import Algorithm
from theoryrl.problems import EpisodicMDP
from theoryrl.testing.world import world

ETA = 0.1
NODE_CAP = 100_000

SECTIONS: dict[str, Callable[[str], None]] = {}


def section(function: Callable[[str], None]) -> Callable[[str], None]:
    """Enter a section under its name; it takes the scale, "quick" or "full"."""
    SECTIONS[function.__name__] = function
    return function


def episode_seconds(algorithm: Algorithm, problem: Any, n: int, repetitions: int = 3, trace: bool = False) -> float:
    """Return the time of an episode, the least of some runs of n; what is computed once for a class and an instance is left out."""
    took = []
    for _ in range(repetitions):
        state = algorithm.start(problem, n + 1, np.random.default_rng(0))
        algorithm.advance(problem, state, 1, trace)  # compiles
        began = time.thread_time()
        algorithm.advance(problem, state, n, trace)
        took.append(time.thread_time() - began)
    return min(took) / n


def naive_seconds(play: Callable[[int], float], n: int) -> float:
    """Return the time of an episode of a NumPy version."""
    began = time.thread_time()
    play(n)
    return (time.thread_time() - began) / n


@section
def finite(scale: str) -> None:
    """MEX over finite classes: the cost of an episode against the size of the class, with the fitted power, and plain NumPy."""
    few, n, draws = {"quick": (20, 50, 2), "full": (1_000, 20_000, 5)}[scale]
    sizes = {"quick": [4, 8, 16], "full": [16, 64, 256, 1024]}[scale]
    problems = [random_mdp(3, 3, 2, seed) for seed in range(draws)]
    classes = [[random_models(problem, M - 1, seed=0) for M in sizes] for problem in problems]
    _growth("models", f"|H| = M, {_shape(problems[0])}", sizes, problems, classes, n, few, mex_numpy.play_models)

    lists = {"quick": [1, 2, 3], "full": [4, 8, 16, 32]}[scale]
    closed = [[closure_class(problem, m, seed=0) for m in lists] for problem in problems]
    products = [int(np.prod(hypotheses.sizes)) for hypotheses in closed[0]]
    longest = [hypotheses.sizes[0] for hypotheses in closed[0]]
    title = f"lists of {', '.join(str(hypotheses.sizes) for hypotheses in closed[0])} tables, {_shape(problems[0])}"
    took = _growth("value functions", title, products, problems, closed, n // 4, few, mex_numpy.play_values)
    print(f"  power of the longest list {exponent(longest, took)}; |H| is their product, and enters through it alone")


def _growth(what: str, title: str, sizes: list[int], problems: list[EpisodicMDP], classes: list[list[Any]], n: int, few: int, naive: Any) -> np.ndarray:
    """Print the times of an episode, one column a size of the class, and return those of theoryrl, (draws, sizes)."""
    took, slow = np.zeros((len(problems), len(sizes))), np.zeros((len(problems), len(sizes)))
    for i, problem in enumerate(problems):
        for j, hypotheses in enumerate(classes[i]):
            learner, play = MEX(hypotheses, eta=ETA), naive(problem, hypotheses, ETA, seed=0)
            regrets = learner.run(problem, few, seed=0, checkpoints=[few]).regret[-1], play(few)
            assert abs(regrets[0] - regrets[1]) < 1e-6, f"NumPy's MEX is another algorithm: regrets {regrets}"
            took[i, j], slow[i, j] = episode_seconds(learner, problem, n), naive_seconds(play, few)
    rows = [
        [label, *(short(1e6 * t) for t in np.median(seconds, axis=0)), exponent(sizes, seconds)]
        for label, seconds in ((f"MEX over {what}", took), ("plain NumPy, vectorised over hypotheses", slow))
    ]
    rows.append(["NumPy / MEX", *(f"×{ratio:.3g}" for ratio in np.median(slow / took, axis=0)), "-"])
    table(f"{title}: microseconds an episode, median over {len(problems)} draws", ["", *(f"|H| = {size:,}" for size in sizes), "power of |H| [95 %]"], rows)
    return took


def _shape(problem: EpisodicMDP) -> str:
    return f"H = {problem.horizon}, S = {problem.n_states}, A = {problem.n_actions}"


@section
def learners(scale: str) -> None:
    """Episodes a second of the versions of MEX, on the instances of their figures (quick: only the first ones, which compile soon)."""
    n, solves, shown = {"quick": (20, 2, 2), "full": (20_000, 200, None)}[scale]
    lines: dict[str, tuple[Algorithm, Any, int]] = {
        "models, treasure": (MEX(treasure_class()), treasure(), n),
        "value functions, lists of 13 and 7": (MEX(closure_class(random_mdp(2, 3, 2), 6)), random_mdp(2, 3, 2), n),
        "full tabular, local, random (2, 2, 2)": (MEXTabular(), random_mdp(2, 2, 2), n // 10),
        "full tabular, local, river swim S = 6, H = 12": (MEXTabular(eta=ETA), river_swim(6, 12), solves),
        "full tabular, local, deep sea 10": (MEXTabular(eta=ETA), deep_sea(10, 0.02), solves),
        "full tabular, branch and bound, river swim S = 4, H = 5": (MEXTabular(solver="exact", eta=ETA), river_swim(4, 5), solves),
        "full tabular, models, random (2, 2, 2)": (MEXTabular(variant="model-based", eta=ETA), random_mdp(2, 2, 2), solves),
        "game, mg_switch": (MEXMG(mg_switch_class()), mg_switch(), n // 10),
    }
    rows = []
    for label, (learner, problem, k) in list(lines.items())[:shown]:
        plain, traced = (episode_seconds(learner, problem, k, 2, trace) for trace in (False, True))
        rows.append([label, f"{k:,}", f"{1 / plain:,.0f}", f"{1 / traced:,.0f}"])
    table("MEX with exact regret", ["", "episodes", "episodes/s", "traced"], rows)


def random_counts(problem: EpisodicMDP, episodes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return n (H, S, A) and n_next (H, S, A, S) of episodes with uniformly random actions."""
    rng = np.random.default_rng(seed)
    n_next = np.zeros((*problem.stage_reward.shape, problem.n_states), np.int64)
    for _ in range(episodes):
        s = problem.start
        for h in range(problem.horizon):
            a = int(rng.integers(problem.n_actions))
            s_next = int(rng.choice(problem.n_states, p=problem.stage_transition[h, s, a]))
            n_next[h, s, a, s_next] += 1
            s = s_next
    return n_next.sum(axis=3), n_next


@section
def tabular(scale: str) -> None:
    """The exact argmax over the full tabular class: nodes and seconds of branch and bound against (H, S, A), eta and the data."""
    longest, most, draws, cap = {"quick": (2, 2, 2, 1_000), "full": (5, 5, 3, NODE_CAP)}[scale]
    etas = (0.01, 0.1, 1.0)
    for episodes in (10, 100):
        rows = []
        for A in (2, 3):
            for H in range(2, longest + 1):
                for S in range(2, most + 1):
                    rows.append([f"({H}, {S}, {A})", *(_hardest(H, S, A, eta, episodes, draws, cap) for eta in etas)])
        title = f"{episodes} random episodes, the hardest of {draws} random MDPs: nodes (milliseconds); at the cap of {cap:,} nodes the certified gap"
        table(title, ["(H, S, A)", *(f"eta = {eta:g}" for eta in etas)], rows)


def _hardest(H: int, S: int, A: int, eta: float, episodes: int, draws: int, cap: int) -> str:
    """Solve for some random MDPs and return the largest number of nodes, its time and, if it did not end, its gap."""
    solved = []
    for seed in range(draws):
        problem = random_mdp(H, S, A, seed)
        n, n_next = random_counts(problem, episodes, seed)
        arguments = (n, n_next, problem.stage_reward, problem.value_caps, problem.start, eta)
        branch_and_bound(*arguments, node_cap=1)  # compiles
        began = time.thread_time()
        solution = branch_and_bound(*arguments, node_cap=cap)
        solved.append((solution.nodes, time.thread_time() - began, solution.gap))
    nodes, seconds, gap = max(solved)
    return f"{nodes:,} ({short(1e3 * seconds)})" + (f" gap {gap:.3g}" if nodes >= cap else "")


@section
def solvers(scale: str) -> None:
    """One argmax over the full tabular class: branch and bound against enumeration, the local solver, and the uncompiled world."""
    shapes = {"quick": [(2, 2, 2)], "full": [(2, 3, 2), (3, 3, 2), (3, 4, 2)]}[scale]
    naive = world()
    slow = naive("theoryrl.algorithms.mex.branch_and_bound").branch_and_bound
    rows = []
    for H, S, A in shapes:
        problem = random_mdp(H, S, A, seed=1)
        n, n_next = random_counts(problem, 30, seed=1)
        arguments = (n, n_next, problem.stage_reward, problem.value_caps, problem.start, ETA)
        took, found = [], []
        for solve in (branch_and_bound, local_search, enumerate_policies, slow):
            if solve is not slow:
                solve(*arguments)  # compiles
            began = time.thread_time()
            found.append(solve(*arguments))
            took.append(time.thread_time() - began)
        exact, local, listed, uncompiled = (solution.lower for solution in found)
        assert abs(exact - listed) < 1e-9 and exact == uncompiled, f"the solvers disagree: {exact}, {listed}, {uncompiled}"
        rows.append([f"({H}, {S}, {A})", found[0].nodes, *(short(1e3 * t) for t in took), f"{exact - local:.3g}"])
    header = ["(H, S, A)", "nodes", "branch and bound", "local", "all A^(H S) policies", "uncompiled", "local falls short by"]
    table(f"eta = {ETA}, 30 random episodes: milliseconds of one argmax", header, rows)


@section
def memory(scale: str) -> None:
    """Peak memory of a process that runs for more and more episodes; only trace="raw" may grow (quick: the first class alone)."""
    n, shown = {"quick": (2_000, 1), "full": (1_000_000, 2)}[scale]
    script = """
from benchmarks.measure import peak_mebibytes
from envs_synthetic.mex import closure_class, random_mdp, treasure, treasure_class
from theoryrl.algorithms.mex.finite import MEX
problem = {problem}
run = MEX({hypotheses}, eta=.1).run(problem, {n}, seed=0, trace={trace!r})
print(peak_mebibytes(), run.seconds)
"""
    for label, problem, hypotheses, most in (
        ("models, treasure", "treasure()", "treasure_class()", n),
        ("value functions, lists of 13 and 7", "random_mdp(2, 3, 2)", "closure_class(problem, 6)", n // 10),
    )[:shown]:
        arguments = {"problem": problem, "hypotheses": hypotheses}
        for trace in (True, "raw"):
            in_subprocess(script.format(n=1, trace=trace, **arguments))  # compiles, which takes memory
        peaks, rows = [], []
        for played, trace in ((most // 100, True), (most, True), (most // 100, "raw")):
            mebibytes, seconds = in_subprocess(script.format(n=played, trace=trace, **arguments))
            peaks.append(mebibytes)
            rows.append([f"{played:,}", repr(trace), f"{mebibytes:.1f}", f"{seconds:.3g}", f"×{mebibytes / peaks[0]:.3f}"])
        table(f"MEX over {label}: peak memory of the whole process", ["episodes", "trace", "MiB", "seconds", "memory"], rows)
        assert peaks[1] < 1.1 * peaks[0], f"peak memory grows with the number of episodes: {peaks[:2]} MiB"


def main(argv: list[str] | None = None) -> None:
    """Run the sections that are named, or all."""
    run_sections("mex", __doc__, SECTIONS, argv)


if __name__ == "__main__":
    main()
