"""Speed of GOSPRL: ``python -m benchmarks.gosprl [--scale quick|full] [SECTION ...]``.

Every section compares alternatives in one run, so that its ratios mean something on a busy machine; times are processor
time, the least of some repetitions.  A compiled peer (stormpy) is left out where it is not installed; the one that a user may
know, UCRL of github.com/RonanFR, is not on PyPI, and it plans for average reward, as UCRL2 here does.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import gosprl_numpy
from benchmarks.baselines import draw
from benchmarks.measure import cpu_seconds, exponent, in_subprocess, run_sections, short, table
from envs_synthetic.baselines import river_swim_continuing
from envs_synthetic.gosprl import far_goal, garnet_continuing, only
from theoryrl.algorithms.baselines.ucrl2 import UCRL2
from theoryrl.algorithms.gosprl import GOSPRL
from theoryrl.algorithms.gosprl.planning import bernstein_box, extended_value_iteration, make_plan, planning_scratch, planning_settings
from theoryrl.algorithms.run import Algorithm
from theoryrl.problems import ContinuingMDP

DELTA_M, PRECISION = 0.05, 0.02
ENOUGH = 10**10

SECTIONS: dict[str, Callable[[str], None]] = {}


def section(function: Callable[[str], None]) -> Callable[[str], None]:
    """Enter a section under its name; it takes the scale, "quick" or "full"."""
    SECTIONS[function.__name__] = function
    return function


def counts_of(problem: ContinuingMDP, n: int, seed: int = 0) -> np.ndarray:
    """Return transition counts (S, A, S) of n samples a pair."""
    return np.random.default_rng(seed).multinomial(n, problem.transition).astype(np.int64)


def planner(N: np.ndarray, goal: np.ndarray, confidence: str, precision: float = PRECISION) -> Callable[[], tuple[np.ndarray, np.ndarray, int]]:
    """Return a call of GOSPRL's own plan, sets included; it returns values, policy and the number of sweeps."""
    S, A, _ = N.shape
    values, policy, least, mask = np.zeros(S), np.zeros(S, np.int64), np.zeros(S), goal.astype(np.int8)
    settings, scratch = planning_settings(S, A, DELTA_M, confidence, precision), planning_scratch(S, A)
    transitions, visits = N.reshape(S * A, S), N.sum(axis=2).reshape(-1)

    def plan() -> tuple[np.ndarray, np.ndarray, int]:
        return values, policy, make_plan(transitions, visits, mask, settings, scratch, values, policy, least)

    plan()  # compiles
    return plan


@section
def planning(scale: str) -> None:
    """Extended value iteration for shortest paths, dense, 100 samples a pair: against vectorised NumPy with the same sweeps and decisions."""
    S, A, repetitions = {"quick": (10, 2, 2), "full": (50, 5, 15)}[scale]
    N, goal = counts_of(garnet_continuing(S, A, S), 100), np.arange(S) == 0
    ours, naive = "GOSPRL's plan, l1", "NumPy, vectorised over pairs, l1"
    versions: dict[str, Callable[[], Any]] = {
        ours: planner(N, goal, "l1"),
        naive: lambda: gosprl_numpy.extended_value_iteration(N, goal, DELTA_M, PRECISION),
        "extended_value_iteration, l1": lambda: extended_value_iteration(N, goal, DELTA_M, "l1", PRECISION),
        "GOSPRL's plan, bernstein": planner(N, goal, "bernstein"),
        "GOSPRL's plan, both": planner(N, goal, "both"),
    }
    values, policy, sweeps = versions[ours]()
    theirs = versions[naive]()
    assert sweeps == theirs[2], f"NumPy's is another algorithm: {theirs[2]} sweeps, not {sweeps}"
    assert np.array_equal(policy, theirs[1]), "NumPy's is another algorithm: another policy"
    error = np.max(np.abs(values - theirs[0]))
    assert error < 1e-10, f"NumPy's is another algorithm: values differ by {error}"
    took = {label: cpu_seconds(work, repetitions) for label, work in versions.items()}
    swept = {label: (work().sweeps if label.startswith("extended") else work()[2]) for label, work in versions.items()}
    rows = [[label, short(1e3 * t), swept[label], short(1e6 * t / swept[label]), f"×{t / took[ours]:.3g}"] for label, t in took.items()]
    title = f"optimistic times to state 0, dense Garnet({S}, {A}, {S}), 100 samples a pair, precision {PRECISION}"
    table(title, ["", "milliseconds", "sweeps", "microseconds a sweep", "time"], rows)
    if scale == "full":
        assert took[naive] >= 5 * took[ours], f"the plan is {took[naive] / took[ours]:.2f} times as fast as NumPy, not 5"


@section
def interval_models(scale: str) -> None:
    """The same over boxes to a precision of 1e-6: against Storm's interval MDPs, if they are installed."""
    S, A, repetitions = {"quick": (10, 2, 2), "full": (50, 5, 15)}[scale]
    N, goal = counts_of(garnet_continuing(S, A, S), 100), np.arange(S) == 0
    ours, peer = "GOSPRL's plan, bernstein", "stormpy, interval MDP"
    versions: dict[str, Callable[[], Any]] = {ours: planner(N, goal, "bernstein", 1e-6)}
    if importlib.util.find_spec("stormpy"):
        from benchmarks import stormpy_peer

        boxes = np.array([[bernstein_box(pair / 100, 100, A, DELTA_M) for pair in state] for state in N])
        versions[peer] = stormpy_peer.optimistic_times(boxes[:, :, 0], boxes[:, :, 1], 0)
        error = np.max(np.abs(versions[ours]()[0] - versions[peer]()))
        assert error < 1e-4, f"stormpy solves another problem: values differ by {error}"
    took = {label: cpu_seconds(work, repetitions) for label, work in versions.items()}
    rows = [[label, short(1e3 * t), f"×{t / took[ours]:.3g}"] for label, t in took.items()]
    table(f"optimistic times to state 0, boxes, dense Garnet({S}, {A}, {S}), 100 samples a pair, precision 1e-6", ["", "milliseconds", "time"], rows)


def steps(algorithm: Algorithm, problem: ContinuingMDP, n: int, trace: bool = False, seed: int = 0) -> Callable[[], int]:
    """Return a call that makes at most n steps from a fresh state and returns their number."""

    def play(k: int = n) -> int:
        state = algorithm.start(problem, n, np.random.default_rng(seed))
        return algorithm.advance(problem, state, k, trace)

    play(1)  # compiles
    return play


@section
def learners(scale: str) -> None:
    """Steps with planning: GOSPRL on river swim against UCRL2 and the draws alone, and against plain NumPy on few samples."""
    few, b, n, repetitions = {"quick": (3, 30, 3_000, 1), "full": (100, 100_000, 30_000_000, 3)}[scale]
    problem = river_swim_continuing(6, "gosprl")
    small = np.full((6, 2), few)
    compiled = steps(GOSPRL(small), problem, ENOUGH)
    made = compiled(), gosprl_numpy.gosprl(problem, small, seed=0)
    assert made[0] == made[1], f"NumPy's GOSPRL is another algorithm: {made} steps"
    versions: dict[str, tuple[Callable[[], object], int]] = {
        "GOSPRL()": (compiled, made[0]),
        "plain NumPy, vectorised over pairs": (lambda: gosprl_numpy.gosprl(problem, small, seed=0), made[0]),
    }
    _report(f"{few} samples a pair, river swim, S = 6, A = 2", versions, "GOSPRL()", min(repetitions, 2))

    rng = np.random.default_rng(0)
    draw(rng, 1)  # compiles
    kinds: dict[str, tuple[Algorithm, bool]] = {
        "GOSPRL()": (GOSPRL(b), False),
        "GOSPRL(), traced": (GOSPRL(b), True),
        "confidence='bernstein'": (GOSPRL(b, confidence="bernstein"), False),
        "confidence='both', traced": (GOSPRL(b, confidence="both"), True),
        "replan='always'": (GOSPRL(b, replan="always"), False),
    }
    versions = {"one uniform number, nothing else": (lambda: draw(rng, n), n)}
    for label, (learner, trace) in list(kinds.items())[: 2 if scale == "quick" else None]:
        play = steps(learner, problem, ENOUGH, trace)
        versions[label] = play, play()
    versions[f"UCRL2(), {n:,} steps"] = steps(UCRL2(), river_swim_continuing(6), n), n
    took = _report(f"{b:,} samples a pair, {versions['GOSPRL()'][1]:,} steps of GOSPRL(), river swim, S = 6, A = 2", versions, "GOSPRL()", repetitions)
    if scale == "full":
        ratio = took[f"UCRL2(), {n:,} steps"] / took["GOSPRL()"]
        assert ratio >= 0.5, f"GOSPRL makes {ratio:.2f} times as many steps a second as UCRL2, not half as many"


def _report(title: str, versions: dict[str, tuple[Callable[[], object], int]], unit: str, repetitions: int) -> dict[str, float]:
    took = {label: cpu_seconds(work, repetitions) / n for label, (work, n) in versions.items()}
    rows = [[label, short(1e9 * t), f"{1 / t:,.0f}", f"×{t / took[unit]:.3g}"] for label, t in took.items()]
    table(title, ["", "ns a step", "steps/s", "time"], rows)
    return took


@section
def growth(scale: str) -> None:
    """The cost of a plan and of a whole run against S, A and D, with the fitted power."""
    draws, b, sizes = {
        "quick": (2, 2, {"S": [5, 10], "A": [2, 4], "D": [5, 10]}),
        "full": (5, 200, {"S": [20, 40, 80, 160], "A": [4, 8, 16, 32], "D": [20, 80, 320, 1280]}),
    }[scale]
    for symbol, cases in sizes.items():
        dense = {
            "S": lambda size, seed: garnet_continuing(size, 4, size, seed),
            "A": lambda size, seed: garnet_continuing(20, size, 20, seed),
            "D": lambda size, seed: far_goal(4, 2, size),
        }[symbol]
        sparse = {
            "S": lambda size, seed: garnet_continuing(size, 4, 4, seed),
            "A": lambda size, seed: garnet_continuing(20, size, 4, seed),
            "D": dense,
        }[symbol]
        plan, run, length = (np.empty((draws, len(cases))) for _ in range(3))
        for seed in range(draws):
            for i, size in enumerate(cases):
                problem = dense(size, seed)
                N, goal = counts_of(problem, 10**8 if symbol == "D" else 100, seed), np.arange(problem.n_states) == problem.n_states - 1
                plan[seed, i] = cpu_seconds(planner(N, goal, "l1"), 3)
                problem = sparse(size, seed)
                play = steps(GOSPRL(only(problem, -1, 10 * b) if symbol == "D" else b), problem, ENOUGH, seed=seed)
                length[seed, i] = play()
                run[seed, i] = cpu_seconds(play, 2)
        fixed = {"S": "A = 4", "A": "S = 20", "D": "far_goal(4, 2, D)"}[symbol]
        instances = {
            "plan": ", one goal" + (", 1e8 samples a pair" if symbol == "D" else ", dense Garnet, 100 samples a pair"),
            "run": f", {10 * b:,} samples of the goal" if symbol == "D" else f", Garnet with 4 next states, {b} samples a pair",
        }
        rows = [
            [f"microseconds a plan{instances['plan']}", *(short(1e6 * t) for t in np.median(plan, axis=0)), exponent(cases, plan)],
            [f"milliseconds a run{instances['run']}", *(short(1e3 * t) for t in np.median(run, axis=0)), exponent(cases, run)],
            ["steps of this run", *(short(t) for t in np.median(length, axis=0)), exponent(cases, length)],
        ]
        header = ["", *(f"{symbol} = {size}" for size in cases), f"power of {symbol} [95 %]"]
        table(f"GOSPRL(), {fixed}, median over {draws} draws", header, rows)


@section
def memory(scale: str) -> None:
    """Peak memory of a process that makes more and more steps; only trace="raw" may grow."""
    n = {"quick": 3_000, "full": 3_000_000}[scale]
    script = """
from benchmarks.measure import peak_mebibytes
from envs_synthetic.baselines import river_swim_continuing
from theoryrl.algorithms.gosprl import GOSPRL
run = GOSPRL(10**9).run(river_swim_continuing(6, "gosprl"), {n}, seed=0, trace={trace!r})
print(peak_mebibytes(), run.seconds)
"""
    in_subprocess(script.format(n=1, trace=True))  # compiles, which takes memory
    in_subprocess(script.format(n=1, trace="raw"))
    peaks, rows = [], []
    for made, trace in ((n // 100, True), (n, True), (n // 10, "raw"), (n, "raw")):
        mebibytes, seconds = in_subprocess(script.format(n=made, trace=trace))
        peaks.append(mebibytes)
        rows.append([f"{made:,}", repr(trace), f"{mebibytes:.1f}", f"{seconds:.3g}", f"×{mebibytes / peaks[0]:.3f}"])
    table("GOSPRL() on river swim: peak memory of the whole process", ["steps", "trace", "MiB", "seconds", "memory"], rows)
    assert peaks[1] < 1.1 * peaks[0], f"peak memory grows with the number of steps: {peaks[:2]} MiB"


def main(argv: list[str] | None = None) -> None:
    """Run the sections that are named, or all."""
    run_sections("gosprl", __doc__, SECTIONS, argv)


if __name__ == "__main__":
    main()
