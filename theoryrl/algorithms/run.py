"""Algorithm and Run: the loop around every learner, which exists once.

However a run is cut into chunks, saved and continued up to its own horizon, its bits are those of the uncut run.
"""

from __future__ import annotations

import abc
import copy
import dataclasses
import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import joblib
import numpy as np

from theoryrl import validate
from theoryrl.algorithms import store
from theoryrl.problems.problem import Problem

if TYPE_CHECKING:
    import pandas

    from theoryrl.proofs.theorem import Proof, Theorem

Trace = bool | Literal["raw"]
State = dict[str, Any]
CHUNK_SECONDS = 0.25


class Algorithm(abc.ABC):
    """Base of all learners: a frozen dataclass of hyper-parameters, whose defaults are the theorem's values.

    A subclass writes `start`, `advance` and `measure`.  Its state is a dict of NumPy arrays and generators, changed in place.
    """

    unit: ClassVar[str] = "episodes"
    """What one step of the horizon is called in labels."""
    anytime: ClassVar[bool] = False
    """Whether n steps, then n more, are bit for bit 2n steps."""

    @abc.abstractmethod
    def start(self, problem: Any, n: int, rng: np.random.Generator) -> State:
        """Return the state before the first step of a run with horizon `n`; raise on a problem that does not fit."""

    @abc.abstractmethod
    def advance(self, problem: Any, state: State, k: int, trace: Trace) -> int:
        """Move `state` by `k` steps and return the number moved: fewer than `k` means that the algorithm stopped by itself.

        `trace` must change no decision and no random draw.
        """

    @abc.abstractmethod
    def measure(self, problem: Any, state: State, trace: Trace) -> Mapping[str, Any]:
        """Return one row of curves (numbers, or arrays of fixed shape) without changing `state`."""

    def __repr__(self) -> str:
        """Return the call that makes this algorithm, with the parameters that differ from their defaults."""
        fields = [f for f in dataclasses.fields(self) if f.repr and getattr(self, f.name) != f.default]  # type: ignore[arg-type]
        return f"{type(self).__name__}({', '.join(f'{f.name}={getattr(self, f.name)!r}' for f in fields)})"

    def output(self, problem: Any, state: State) -> Any:
        """Return what the algorithm is run for beside its curves, such as a policy (default None)."""
        return None

    def remark(self, problem: Any, state: State) -> str:
        """Return what a run should say of itself beside its steps, such as what is still missing (default nothing)."""
        return ""

    def run(
        self, problem: Any, n: int, *, seed: int, checkpoints: Iterable[int] | None = None, trace: Trace = False, file: str | os.PathLike[str] | None = None
    ) -> Run:
        """Run on `problem` for `n` steps (the theorem's K or T).

        Parameters
        ----------
        problem : Problem
            The instance.
        n : int
            Horizon, at least 1.
        seed : int
            Non-negative; same seed, same bits.
        checkpoints : iterable of int, optional
            Steps in ``[1, n]`` at which curves are measured; `n` is added.  Default: `geometric_checkpoints`.
        trace : bool or "raw"
            Also record what the proof needs, as running sums and maxima; "raw" adds raw transitions (memory grows with n).
        file : path, optional
            Save after each chunk, so that a crash loses at most the chunk it was in; `Run.load` and `Run.proceed` go on.

        Returns
        -------
        Run

        Raises
        ------
        TypeError, ValueError
            On a bad argument, before any work starts.
        """
        run = begin(self, problem, n, seed=seed, checkpoints=checkpoints, trace=trace)
        if file is not None:
            run.save(file)
        return _finish(run, file)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Run:
    """What happened: a pure function of algorithm, problem, n and seed.

    Attributes
    ----------
    checkpoints : ndarray of int64, shape (C,)
        The steps at which the curves were measured; the last one is `steps`.
    curves : dict of str to ndarray, shapes (C, ...)
        What was measured, cumulative unless its name says otherwise.
    steps : int
        Steps done.
    stopped : bool
        Whether the algorithm stopped by itself (a stopping rule).
    state : dict
        The learner's final state.
    versions : dict of str to str
        Versions of theoryrl and of the libraries that decide the bits.
    seconds : float
        Wall time spent.
    """

    algorithm: Algorithm
    problem: Problem
    n: int
    seed: int
    trace: Trace
    targets: np.ndarray
    checkpoints: np.ndarray
    curves: dict[str, np.ndarray]
    steps: int
    stopped: bool
    state: State
    versions: dict[str, str]
    seconds: float

    @property
    def finished(self) -> bool:
        """Whether the run reached its horizon or stopped by itself."""
        return self.stopped or self.steps == self.n

    @property
    def regret(self) -> np.ndarray:
        """Cumulative regret at `checkpoints`, exact (never an estimate from sampled returns)."""
        return self["regret"]

    @property
    def output(self) -> Any:
        """What the algorithm returns beside its curves, such as a policy."""
        return self.algorithm.output(self.problem, self.state)

    def __getitem__(self, curve: str) -> np.ndarray:
        if curve not in self.curves:
            raise KeyError(f"{curve!r} was not measured; this run has {', '.join(map(repr, self.curves)) or 'no curves'}")
        return self.curves[curve]

    def __repr__(self) -> str:
        last = f", regret={self.regret[-1]:.6g}" if "regret" in self.curves and np.ndim(self.regret) == 1 else ""
        remark = self.state and self.algorithm.remark(self.problem, self.state)
        said = f"; {remark}" if remark else ""
        return f"<Run of {self.algorithm} on {self.problem!r}: {self.steps:,} of {self.n:,} {self.algorithm.unit}, seed {self.seed}{last}{said}>"

    def proceed(self, more: int | None = None, *, file: str | os.PathLike[str] | None = None) -> Run:
        """Return the finished run: up to its own n, or by `more` steps (for algorithms that are `anytime`).

        Raises
        ------
        ValueError
            If `more` is given and the algorithm's decisions depend on its horizon.
        """
        run = dataclasses.replace(self, state=copy.deepcopy(self.state))
        if more is not None:
            more = validate.integer("more", more, 1)
            if not self.algorithm.anytime:
                raise ValueError(f"more: {type(self.algorithm).__name__} is tuned to its horizon n={self.n}; run it anew with a larger n")
            run = dataclasses.replace(_finish(run, file), n=self.n + more)
            grid = geometric_checkpoints(run.n)
            run = dataclasses.replace(run, targets=np.concatenate([run.checkpoints, grid[grid > run.steps]]))
        return _finish(run, file)

    def save(self, file: str | os.PathLike[str]) -> None:
        """Write everything to one file, atomically.

        Raises
        ------
        TypeError
            If the problem or the algorithm holds a Python callable.
        ValueError
            If the folder does not exist.
        """
        store.save(file, {f.name: getattr(self, f.name) for f in dataclasses.fields(self)})

    @staticmethod
    def load(file: str | os.PathLike[str]) -> Run:
        """Read what `save` wrote.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file is cut short, damaged, or not a run.
        """
        fields = store.load(file)
        if set(fields) != {f.name for f in dataclasses.fields(Run)}:
            raise ValueError(f"file: {os.fspath(file)} does not hold a run of this version of theoryrl")
        return Run(**fields)

    def to_frame(self) -> pandas.DataFrame:
        """Return the scalar curves as a pandas frame indexed by checkpoint."""
        import pandas

        columns = {name: curve for name, curve in self.curves.items() if curve.ndim == 1}
        return pandas.DataFrame(columns, index=pandas.Index(self.checkpoints, name=self.algorithm.unit))

    def proof(self, theorem: Theorem | None = None) -> Proof:
        """Evaluate the theorem's proof on this run; an untraced run is re-run with tracing, and the proof says so."""
        from theoryrl.proofs.theorem import prove

        return prove(self, theorem)

    def plot(self, ax: Any = None) -> Any:
        """Draw the regret, with the theorem's bound and the worst policy's line above it; return the axes."""
        from theoryrl.experiments.plots import plot_run

        return plot_run(self, ax)


def geometric_checkpoints(n: int) -> np.ndarray:
    """Return ten steps a decade up to `n`, the same for every `n`, with `n` added."""
    grid = np.unique(np.floor(10.0 ** (np.arange(1 + int(10 * np.log10(n) + 1)) / 10) + 1e-9).astype(np.int64))
    return np.append(grid[grid < n], n)


def iterate_runs(
    algorithm: Algorithm,
    problem: Problem | Callable[[int], Problem],
    n: int,
    *,
    seeds: Iterable[int],
    trace: Trace = False,
    checkpoints: Sequence[int] | None = None,
    backend: Literal["threads", "processes"] = "threads",
    jobs: int | None = None,
) -> Iterator[Run]:
    """Yield the runs of `run_many` one by one, in the order of `seeds`, as they finish."""
    seeds = [validate.integer("seeds", seed, 0) for seed in seeds]
    validate.one_of("backend", backend, ("threads", "processes"))
    pool = joblib.Parallel(n_jobs=jobs or os.cpu_count(), backend={"threads": "threading", "processes": "loky"}[backend], return_as="generator")
    found = pool(joblib.delayed(_one_run)(algorithm, problem, n, seed, checkpoints, trace) for seed in seeds)
    try:
        for run in found:  # noqa: UP028  (`yield from` would close `found` before the warning below is silenced)
            yield run
    finally:
        with warnings.catch_warnings():  # whoever has seen enough stops asking: joblib warns about the runs under way
            warnings.simplefilter("ignore")
            found.close()


def run_many(
    algorithm: Algorithm,
    problem: Problem | Callable[[int], Problem],
    n: int,
    *,
    seeds: Iterable[int],
    trace: Trace = False,
    checkpoints: Sequence[int] | None = None,
    backend: Literal["threads", "processes"] = "threads",
    jobs: int | None = None,
) -> list[Run]:
    """Run over many seeds in parallel; each run is bit for bit that of ``algorithm.run``.

    Parameters
    ----------
    problem : Problem or callable
        An instance, or a function from a seed to an instance (a prior).
    seeds : iterable of int
    backend : {"threads", "processes"}
        Kernels release the GIL, so threads serve unless much Python code runs in `advance`.
    jobs : int, optional
        Number of workers (default: all cores).
    """
    return list(iterate_runs(algorithm, problem, n, seeds=seeds, trace=trace, checkpoints=checkpoints, backend=backend, jobs=jobs))


def _one_run(algorithm: Algorithm, problem: Any, n: int, seed: int, checkpoints: Sequence[int] | None, trace: Trace) -> Run:
    return algorithm.run(problem if isinstance(problem, Problem) else problem(seed), n, seed=seed, checkpoints=checkpoints, trace=trace)


def _targets(checkpoints: Iterable[int], n: int) -> np.ndarray:
    targets = validate.integer_array("checkpoints", list(checkpoints), (None,), 1, n)
    return np.union1d(targets, [n])


def begin(
    algorithm: Algorithm, problem: Any, n: int, *, seed: int, checkpoints: Iterable[int] | None = None, trace: Trace = False
) -> Run:  # fmt: skip
    """Return the run of `algorithm.run` before its first step; parameters and errors are the same."""
    n = validate.integer("n", n, 1, 2**53)
    seed = validate.integer("seed", seed, 0)
    if trace not in (False, True, "raw"):
        raise ValueError(f"trace: expected False, True or 'raw', got {trace!r}")
    if not isinstance(problem, Problem):
        raise TypeError(f"problem: expected a Problem, got {type(problem).__name__}")
    targets = geometric_checkpoints(n) if checkpoints is None else _targets(checkpoints, n)
    state = algorithm.start(problem, n, np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed))))
    none = np.zeros(0, dtype=np.int64)
    return Run(algorithm, problem, n, seed, trace, targets, none, {}, 0, False, state, store.versions(), 0.0)


def chunks(run: Run) -> Iterator[Run]:
    """Advance `run` to its last target, and yield it after each chunk of steps, which takes at most about `CHUNK_SECONDS`.

    Its state is changed in place, and the curves that are yielded share memory: keep the last one only.
    """
    algorithm, problem, state, trace = run.algorithm, run.problem, run.state, run.trace
    rows = _Rows(run)
    chunk = 64
    while not run.finished:
        target = int(run.targets[rows.used])
        k = min(target - run.steps, chunk)
        began = time.perf_counter()
        moved = algorithm.advance(problem, state, k, trace)
        took = time.perf_counter() - began
        if took < CHUNK_SECONDS / 2 and k == chunk:
            chunk *= 2
        elif took > CHUNK_SECONDS:
            chunk = max(1, chunk // 2)
        steps, stopped = run.steps + moved, moved < k
        run = dataclasses.replace(run, steps=steps, stopped=stopped, seconds=run.seconds + took)
        if steps == target or stopped:
            rows.add(steps, algorithm.measure(problem, state, trace))
            run = dataclasses.replace(run, checkpoints=rows.checkpoints, curves=rows.curves)
        yield run


class _Rows:
    """The measured rows of a run, in arrays with room for more: adding one costs the same however many there are."""

    def __init__(self, run: Run) -> None:
        self.used = len(run.checkpoints)
        self.arrays = {name: array.copy() for name, array in {"": run.checkpoints, **run.curves}.items()}

    def add(self, step: int, row: Mapping[str, Any]) -> None:
        """Add the row measured after `step` steps; one of the same step (a rule that stops right at a checkpoint) is replaced."""
        while self.used and self.arrays[""][self.used - 1] >= step:
            self.used -= 1
        new = {name: np.asarray(value) for name, value in {"": step, **row}.items()}
        if not self.used:
            self.arrays = {name: np.zeros((16, *value.shape), value.dtype) for name, value in new.items()}
        for name, have in self.arrays.items():
            value = new[name]
            if value.shape != have.shape[1:]:
                raise ValueError(f"measure: expected {name!r} to keep the shape {have.shape[1:]}, got {value.shape}")
            kind = np.result_type(have, value)
            if len(have) == self.used or kind != have.dtype:
                self.arrays[name] = have = np.concatenate([have[: self.used], np.zeros((max(16, self.used), *value.shape), kind)])
            have[self.used] = value
        self.used += 1

    @property
    def checkpoints(self) -> np.ndarray:
        return self.arrays[""][: self.used]

    @property
    def curves(self) -> dict[str, np.ndarray]:
        return {name: array[: self.used] for name, array in self.arrays.items() if name}


def _finish(run: Run, file: str | os.PathLike[str] | None) -> Run:
    """Advance `run` to its last target, and save it after each chunk.  Its state is changed in place."""
    path = None if file is None else Path(file)
    last = run
    for last in chunks(run):
        if path is not None:
            last.save(path)
    return dataclasses.replace(last, checkpoints=last.checkpoints.copy(), curves={name: curve.copy() for name, curve in last.curves.items()})
