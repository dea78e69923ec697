"""What a sweep costs beyond its runs: ``python -m benchmarks.experiments [--scale quick|full] [SECTION ...]``.

Wall time: a store waits for its disk.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import joblib

from benchmarks.measure import run_sections, short, table
from envs_synthetic.baselines import two_state
from theoryrl.algorithms import UCBVI, Run
from theoryrl.experiments.backends import run_sweep
from theoryrl.experiments.sweep import Sweep

SECTIONS: dict[str, Callable[[str], None]] = {}
MOST_MILLISECONDS = 20
"""What a run in a store may cost beyond the same run under bare joblib."""


def section(function: Callable[[str], None]) -> Callable[[str], None]:
    """Enter a section under its name; it takes the scale, "quick" or "full"."""
    SECTIONS[function.__name__] = function
    return function


@section
def overhead(scale: str) -> None:
    """Short runs in a store, against the same runs under bare joblib: claims, atomic files, progress, and reading what is there."""
    algorithm, problem, n, runs, jobs = UCBVI(), two_state(3), 100, 1000 if scale == "full" else 20, 2
    sweep = Sweep([algorithm], [problem], runs, n)
    rows = []
    for backend, joblibs in (("threads", "threading"), ("processes", "loky")):
        pool = joblib.Parallel(n_jobs=jobs, backend=joblibs)
        pool(joblib.delayed(one)(algorithm, problem, n, seed) for seed in range(2 * jobs))  # starts the workers, which compile

        def bare(pool: joblib.Parallel = pool) -> None:
            pool(joblib.delayed(one)(algorithm, problem, n, seed) for seed in range(runs))

        with tempfile.TemporaryDirectory() as folder:

            def stored(folder: str = folder, backend: str = backend) -> None:
                report = run_sweep(sweep, Path(folder), backend=backend, jobs=jobs, quiet=True)
                assert report.complete, report

            seconds = [wall(work) for work in (bare, stored, stored)]
        added = 1000 * (seconds[1] - seconds[0]) / runs
        if scale == "full":
            assert added < MOST_MILLISECONDS, f"{backend}: {added:.3g} ms a run"
        rows.append((backend, *(short(1000 * s / runs) for s in seconds[:2]), f"{added:.3g}", short(1000 * seconds[2] / runs)))
    table(
        f"{runs} runs of {n} episodes of {algorithm} on {problem!r}, {jobs} workers: milliseconds of wall time a run",
        ["backend", "bare joblib", "sweep", "added", "once more (all is there)"], rows,
    )  # fmt: skip


def one(algorithm: UCBVI, problem: object, n: int, seed: int) -> Run:
    """Make one run, as joblib's workers do."""
    return algorithm.run(problem, n, seed=seed)


def wall(work: Callable[[], None]) -> float:
    """Return the wall time of `work` in seconds."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main(argv: list[str] | None = None) -> None:
    """Run the sections that are named, or all."""
    run_sections("experiments", __doc__, SECTIONS, argv)


if __name__ == "__main__":
    main()
