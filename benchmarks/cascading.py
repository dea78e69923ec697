"""Speed of Cascading RL: ``python -m benchmarks.cascading [--scale quick|full] [SECTION ...]``.

Every section compares alternatives in one run, so that its ratios mean something on a busy machine; times are processor
time, the least of some repetitions.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.cascading_numpy import cascading_vi
from benchmarks.measure import cpu_seconds, exponent, in_subprocess, run_sections, short, table
from envs_synthetic.cascading import random_cascade
from theoryrl.algorithms import CascadingVI
from theoryrl.jit import kernel
from theoryrl.planning.arrays import expectation
from theoryrl.planning.best_perm import BOX, DP, ENUMERATE, GREEDY, all_lists, box_kernel, workspace
from theoryrl.testing.world import world

ORACLES = {"greedy": GREEDY, "dp (BestPerm)": DP, "enumeration": ENUMERATE}
MOST_LISTS = {"quick": 1_000, "full": 1_100_000}
SIZES = {"n_states": 10, "n_items": 20, "list_length": 3, "horizon": 5, "seed": 0}
LEARNER = "S = 10, N = 20, m = 3, H = 5"

SECTIONS: dict[str, Callable[[str], None]] = {}


def section(function: Callable[[str], None]) -> Callable[[str], None]:
    """Enter a section under its name; it takes the scale, "quick" or "full"."""
    SECTIONS[function.__name__] = function
    return function


@kernel
def call_oracle(times: int, oracle: int, u: Any, w: Any, max_length: int, lists: Any, work: Any, order: Any, out: Any) -> float:
    """Call an oracle `times` times, on the rows of u and w in turn, and add up the values so that nothing is optimised away."""
    total = 0.0
    for i in range(times):
        row = i % u.shape[0]
        value, _, _ = box_kernel(oracle, BOX, u[row], u[row], w[row], 0.1, max_length, 1, lists, work, order, out)
        total += value
    return total


list_table = functools.cache(all_lists)


def oracle_seconds(oracle: int, n_items: int, max_length: int, budget: float, seed: int) -> float:
    """Return the time of one call on 64 instances, uniform on [0, 1]: the least of five batches of `budget` seconds."""
    rng = np.random.default_rng(seed)
    u, w = rng.random((64, n_items)), rng.random((64, n_items))
    longest = min(max_length, n_items)
    lists = list_table(n_items, longest) if oracle == ENUMERATE else np.zeros((0, longest), np.int64)
    arguments = (oracle, u, w, longest, lists, *workspace(n_items, longest), np.full(longest, -1, np.int64))

    def seconds(times: int, repetitions: int) -> float:
        return cpu_seconds(lambda: call_oracle(times, *arguments), repetitions)

    seconds(1, 1)  # compiles
    times = 1
    while (took := seconds(times, 1)) < budget / 4:
        times *= 4
    times = max(1, math.ceil(times * budget / took))
    return seconds(times, 5) / times


def feasible(oracle: int, n_items: int, max_length: int, scale: str) -> bool:
    """Return whether enumeration, if that is the oracle, has few enough lists."""
    return oracle != ENUMERATE or sum(math.perm(n_items, length) for length in range(1, min(max_length, n_items) + 1)) <= MOST_LISTS[scale]


@section
def oracles(scale: str) -> None:
    """BestPerm: three exact oracles against N and against m, with the fitted growth over instances drawn anew."""
    draws, budget = {"quick": (2, 2e-4), "full": (5, 2e-2)}[scale]
    many_items = {"quick": [8, 10, 40], "full": [10, 20, 40, 100, 200, 400, 1000]}[scale]
    many_lengths = {"quick": [1, 2, 3], "full": [1, 2, 3, 4, 5, 7, 10]}[scale]
    for title, symbol, sizes, shape in (
        ("m = 3, against N", "N", many_items, lambda size: (size, 3)),
        ("N = 10, against m", "m", many_lengths, lambda size: (10, size)),
        ("N = 1000, against m", "m", many_lengths, lambda size: (1000, size)),
    ):
        took = {}
        for label, oracle in ORACLES.items():
            possible = [shape(size) for size in sizes if feasible(oracle, *shape(size), scale)]
            took[label] = np.array([[oracle_seconds(oracle, N, m, budget, seed) for N, m in possible] for seed in range(draws)])
        greedy = np.median(took["greedy"], axis=0)
        rows = []
        for label, seconds in took.items():
            cells = [f"{short(1e6 * t)} (×{short(t / g)})" for t, g in zip(np.median(seconds, axis=0), greedy, strict=False)]
            last = slice(-4, None)
            grows = exponent(sizes[: seconds.shape[1]][last], seconds[:, last]) if seconds.shape[1] > 2 else "-"
            rows.append([label, *cells, *["-"] * (len(sizes) - len(cells)), grows])
        header = ["", *(f"{symbol} = {size}" for size in sizes), f"power of {symbol}, last 4 [95 %]"]
        table(f"one call of BestPerm, {title}: microseconds (times greedy), median over {draws} draws of 64 instances", header, rows)


@section
def learner(scale: str) -> None:
    """CascadingVI with exact regret, on one core: against the uncompiled world and plain NumPy with the same bits, and its variants."""
    few, n, repetitions = {"quick": (20, 500, 1), "full": (2_000, 100_000, 4)}[scale]
    problem = random_cascade(**SIZES)

    def run(episodes: int, trace: bool = False, **options: Any) -> Callable[[], Any]:
        CascadingVI(**options).run(problem, 1, seed=0, trace=trace)  # compiles
        return lambda: CascadingVI(**options).run(problem, episodes, seed=0, checkpoints=[episodes], trace=trace)

    naive = world()
    slow_problem = naive("envs_synthetic.cascading").random_cascade(**SIZES)
    slow_algorithm = naive("theoryrl.algorithms").CascadingVI()
    compiled = run(few)
    versions: dict[str, Callable[[], Any]] = {
        "compiled": lambda: compiled().regret[-1],
        "plain NumPy, vectorised over states": lambda: cascading_vi(problem, few, seed=0),
        "uncompiled world": lambda: slow_algorithm.run(slow_problem, few, seed=0, checkpoints=[few]).regret[-1],
    }
    regrets: list[float] = []
    took = [
        cpu_seconds(lambda version=version: regrets.append(float(version())), repetitions if label == "compiled" else 1)
        for label, version in versions.items()
    ]
    assert len(set(regrets)) == 1, f"the same seed gave different bits: {regrets}"
    rows = [[label, f"{few / seconds:,.0f}", f"×{seconds / took[0]:.3g}"] for label, seconds in zip(versions, took, strict=True)]
    table(f"the same {few:,} episodes of CascadingVI, {LEARNER}, regret {regrets[0]!r} in all three", ["", "episodes/s", "time"], rows)

    lines = {
        "every episode": (run(n), n),
        "every episode, oracle 'bestperm'": (run(n, oracle="bestperm"), n),
        "every episode, variant 'explicit-kl'": (run(n, variant="explicit-kl"), n),
        "every episode, variant 'paper'": (run(n, variant="paper"), n),
        "every episode, traced": (run(n // 10, trace=True), n // 10),
        "rare switching (geometric, eta = .25)": (run(10 * n, replan="geometric"), 10 * n),
        "rare switching, traced": (run(n, replan="geometric", trace=True), n),
    }
    seconds = {label: cpu_seconds(work, repetitions) / episodes for label, (work, episodes) in lines.items()}
    episode = seconds["every episode"]
    rows = [[label, f"{episodes:,}", f"{1 / seconds[label]:,.0f}", f"×{episode / seconds[label]:.3g}"] for label, (_, episodes) in lines.items()]
    table(f"CascadingVI, {LEARNER}, exact regret included", ["replanning", "episodes", "episodes/s", "rate"], rows)
    limit(scale, episode)


@kernel
def multiply(times: int, P: Any, V: Any, out: Any) -> None:
    """Take the expectation `times` times."""
    for _ in range(times):
        expectation(P, V, out)


def limit(scale: str, episode: float) -> None:
    """Compare an episode, in seconds, with the least that any learner must spend that plans before every episode."""
    repetitions = {"quick": 2, "full": 20}[scale]
    S, N, m, H = SIZES["n_states"], SIZES["n_items"], SIZES["list_length"], SIZES["horizon"]
    rng = np.random.default_rng(0)
    P, V, out = rng.random((S, S * (N + 1))), rng.random(S), np.zeros(S * (N + 1))
    multiply(1, P, V, out)
    times = 2_000
    products = cpu_seconds(lambda: multiply(times, P, V, out), repetitions) / times * (H - 1)
    square = rng.random((256, 256))
    peak = 2 * 256**3 / min(_wall(lambda: square @ square) for _ in range(10 * repetitions))
    calls = oracle_seconds(GREEDY, N, m, {"quick": 2e-4, "full": 2e-2}[scale], 0) * (H - 1) * S
    flops = 2 * (H - 1) * S * S * (N + 1)
    rows = [
        [f"{H - 1} products of p_hat with V", f"{1e6 * products:.3g}", f"{products / episode:.1%}"],
        [f"{(H - 1) * S} calls of the greedy oracle", f"{1e6 * calls:.3g}", f"{calls / episode:.1%}"],
        ["these two alone: the limit of a plan before every episode", f"{1e6 * (products + calls):.3g}", f"{(products + calls) / episode:.1%}"],
        ["an episode of CascadingVI", f"{1e6 * episode:.3g}", "100.0%"],
    ]
    table("what an episode must cost, kernels alone and inputs in cache", ["", "microseconds", "of an episode"], rows)
    achieved = flops / products
    print(f"  the products run at {achieved / 1e9:.2g} Gflop/s; BLAS, all threads, 256 x 256 matrices: {peak / 1e9:.3g}, ×{peak / achieved:.2g}")


def _wall(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@section
def memory(scale: str) -> None:
    """Peak memory of a process that runs CascadingVI with rare switching: it must not grow with the number of episodes."""
    horizons = {"quick": (1_000, 10_000), "full": (100_000, 10_000_000)}[scale]
    script = """
from benchmarks.measure import peak_mebibytes
from envs_synthetic.cascading import random_cascade
from theoryrl.algorithms import CascadingVI
run = CascadingVI(replan="geometric").run(random_cascade(**{sizes}), {n}, seed=0)
print(peak_mebibytes(), run.seconds)
"""
    in_subprocess(script.format(sizes=SIZES, n=1))  # compiles, which takes memory
    peaks, rows = [], []
    for n in horizons:
        mebibytes, seconds = in_subprocess(script.format(sizes=SIZES, n=n))
        peaks.append(mebibytes)
        rows.append([f"{n:,}", f"{mebibytes:.1f}", f"{seconds:.3g}", f"×{mebibytes / peaks[0]:.3f}"])
    table(f"rare switching, {LEARNER}: peak memory of the whole process", ["episodes", "MiB", "seconds", "memory"], rows)
    assert peaks[-1] < 1.1 * peaks[0], f"peak memory grows with the number of episodes: {peaks} MiB at {horizons}"


@section
def start(scale: str) -> None:
    """Time of ``import theoryrl.algorithms`` in a fresh process whose files are warm; numba alone is most of it."""
    script = """
import time
began = time.perf_counter(), time.process_time()
import {module}
print(time.perf_counter() - began[0], time.process_time() - began[1])
"""
    times = {"quick": 1, "full": 7}[scale]
    rows = []
    for module in ("theoryrl.algorithms", "numba"):
        wall, processor = np.min([in_subprocess(script.format(module=module)) for _ in range(times)], axis=0)
        rows.append([module, f"{wall:.3f}", f"{processor:.3f}"])
    table(f"import, least of {times}", ["", "seconds", "processor"], rows)


def main(argv: list[str] | None = None) -> None:
    """Run the sections that are named, or all."""
    run_sections("cascading", __doc__, SECTIONS, argv)


if __name__ == "__main__":
    main()
