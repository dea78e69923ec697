"""Many runs as pandas frames, and many runs grouped by problem, algorithm and seed."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from theoryrl.algorithms.run import Run

if TYPE_CHECKING:
    import pandas

BySeed = dict[int, Run]
ByAlgorithm = dict[str, BySeed]


def frame(runs: Iterable[Run], *, entries: bool = False) -> pandas.DataFrame:
    """Return a tidy frame with one row per run, checkpoint and curve.

    Parameters
    ----------
    runs : iterable of Run
        Read once, so that a generator (`Sweep.collect`) serves.
    entries : bool
        Also the curves with trailing axes (groups, tasks): one row per entry, whose index is in the column "entry", such as
        "2" or "1,0" ("" for a scalar curve).

    Returns
    -------
    pandas.DataFrame
        With columns algorithm, problem, seed, n, checkpoint, curve, (entry,) value; algorithm, problem, curve and entry are
        categorical.  A prior's problems, one a seed, share the name of the prior.  ``frame.attrs["left_out"]`` names the
        curves that were left out because they have trailing axes.
    """
    import pandas

    names: dict[str, dict[str, int]] = {column: {} for column in ("algorithm", "problem", "curve", "entry")}
    parts: dict[str, list[np.ndarray]] = {column: [] for column in ("algorithm", "problem", "seed", "n", "checkpoint", "curve", "entry", "value")}
    left_out: dict[str, None] = {}
    for run in runs:
        for name, curve in run.curves.items():
            if curve.ndim > 1 and not entries:
                left_out[name] = None
                continue
            width = int(np.prod(curve.shape[1:], dtype=np.int64))
            size = len(curve) * width
            texts = {"algorithm": repr(run.algorithm), "problem": problem_name(run), "curve": name}
            for column, text in texts.items():
                parts[column].append(np.full(size, _code(names[column], text), dtype=np.int32))
            for column, value in {"seed": run.seed, "n": run.n}.items():
                parts[column].append(np.full(size, value, dtype=np.int64))
            codes = [_code(names["entry"], entry) for entry in _entries(curve.shape[1:])]
            parts["entry"].append(np.tile(np.array(codes, dtype=np.int32), len(curve)))
            parts["checkpoint"].append(np.repeat(run.checkpoints, width))
            parts["value"].append(np.asarray(curve, dtype=float).ravel())
    columns: dict[str, Any] = {}
    for column, pieces in parts.items():
        if column == "entry" and not entries:
            continue
        if column in names:
            codes_of = np.concatenate([np.zeros(0, dtype=np.int32), *pieces])
            columns[column] = pandas.Categorical.from_codes(codes_of, categories=list(names[column]))
        else:
            columns[column] = np.concatenate([np.zeros(0, dtype=float if column == "value" else np.int64), *pieces])
    table = pandas.DataFrame(columns)
    table.attrs["left_out"] = list(left_out)
    return table


def summary(runs: Iterable[Run], *, entries: bool = False) -> pandas.DataFrame:
    """Return a wide frame with one row per run.

    Parameters
    ----------
    runs : iterable of Run
    entries : bool
        Also the curves with trailing axes, one column per entry, such as ``final_regret[2]``.

    Returns
    -------
    pandas.DataFrame
        With columns algorithm, problem, seed, n, steps, finished, seconds, and ``final_<curve>``: the curve's last measured
        value (final if the run is finished), NaN where the run has no such curve.  ``frame.attrs["left_out"]`` names the
        curves that were left out because they have trailing axes.
    """
    import pandas

    fixed = ("algorithm", "problem", "seed", "n", "steps", "finished", "seconds")
    rows: list[dict[str, Any]] = []
    left_out: dict[str, None] = {}
    for run in runs:
        row: dict[str, Any] = {
            "algorithm": repr(run.algorithm),
            "problem": problem_name(run),
            **{name: getattr(run, name) for name in fixed[2:]},
        }
        for name, curve in run.curves.items():
            if curve.ndim == 1:
                row[f"final_{name}"] = float(curve[-1])
            elif entries:
                row |= {f"final_{name}[{entry}]": float(value) for entry, value in zip(_entries(curve.shape[1:]), curve[-1].ravel(), strict=True)}
            else:
                left_out[name] = None
        rows.append(row)
    columns = dict.fromkeys(itertools.chain(fixed, *rows))
    table = pandas.DataFrame(rows, columns=list(columns))
    table.attrs["left_out"] = list(left_out)
    return table


def problem_name(run: Run) -> str:
    """Return the problem's short name; that of a prior, ``prior(...)(seed)``, without the run's seed."""
    name = repr(run.problem)
    return name.removesuffix(f"({run.seed})") if name.endswith(f")({run.seed})") else name


@dataclasses.dataclass(frozen=True)
class Group:
    """The runs that can be compared: one problem (or prior), one horizon.

    Attributes
    ----------
    problem : str
        See `problem_name`.
    n : int
        The horizon.
    runs : dict of str to dict of int to Run
        By algorithm, then by seed in increasing order; algorithms in the order of their first run in the whole list.
    """

    problem: str
    n: int
    runs: ByAlgorithm

    @property
    def seeds(self) -> list[int]:
        """All seeds that some algorithm was run with."""
        return sorted(set().union(*self.runs.values()))

    @property
    def unpaired(self) -> dict[str, list[int]]:
        """By algorithm, the seeds that it lacks and another one has; algorithms that lack none are left out."""
        lacking = {name: [seed for seed in self.seeds if seed not in runs] for name, runs in self.runs.items()}
        return {name: seeds for name, seeds in lacking.items() if seeds}


def groups(runs: Iterable[Run]) -> list[Group]:
    """Return the runs grouped by problem and horizon, in the order of their first runs.

    Raises
    ------
    TypeError
        If something else than runs was given.
    ValueError
        If there is no run, two runs have the same algorithm, problem, seed and horizon, or two different problems have the
        same name and seed.
    """
    found: dict[tuple[str, int], ByAlgorithm] = {}
    problems: dict[tuple[str, int], Any] = {}
    order: dict[str, None] = {}
    for run in [*runs]:
        if not isinstance(run, Run):
            raise TypeError(f"runs: expected runs, got {type(run).__name__}")
        problem, algorithm = problem_name(run), repr(run.algorithm)
        order[algorithm] = None
        other = problems.setdefault((problem, run.seed), run.problem)
        if other is not run.problem and other != run.problem:
            raise ValueError(f"runs: two different problems are called {problem} (seed {run.seed}); give them names that differ")
        by_seed = found.setdefault((problem, run.n), {}).setdefault(algorithm, {})
        if run.seed in by_seed:
            raise ValueError(f"runs: two runs of {algorithm} on {problem} have seed {run.seed} and n = {run.n:,}")
        by_seed[run.seed] = run
    if not found:
        raise ValueError("runs: expected at least one run")
    return [
        Group(problem, n, {name: dict(sorted(by_algorithm[name].items())) for name in order if name in by_algorithm})
        for (problem, n), by_algorithm in found.items()
    ]


def by_label(found: Iterable[Group]) -> Mapping[str, list[Run]]:
    """Return all runs of `found` by algorithm."""
    runs: dict[str, list[Run]] = {}
    for group in found:
        for name, by_seed in group.runs.items():
            runs.setdefault(name, []).extend(by_seed.values())
    return runs


def final_value(run: Run, curve: str) -> float:
    """Return a curve's last value, the largest entry if it has trailing axes; "steps" is the number of steps if no curve has this name.

    Raises
    ------
    ValueError
        If the run is not finished, has no such curve, or its value is NaN.
    """
    if not run.finished:
        raise ValueError(f"runs: {run!r} is not finished, so that it has no final value; proceed() finishes it")
    if curve == "steps" and curve not in run.curves:
        return float(run.steps)
    if curve not in run.curves:
        raise ValueError(f"curve: expected one of {', '.join(map(repr, run.curves))}, got {curve!r} (of {run!r})")
    value = float(np.max(run.curves[curve][-1]))
    if np.isnan(value):
        raise ValueError(f"curve: the final {curve!r} of {run!r} is not a number")
    return value


def parameters(run: Run) -> str:
    """Return the call that makes the run's algorithm, with all parameters (defaults too; arrays by their shape)."""
    fields = [f for f in dataclasses.fields(run.algorithm) if f.repr]  # type: ignore[arg-type]
    return f"{type(run.algorithm).__name__}({', '.join(f'{f.name}={_short(getattr(run.algorithm, f.name))}' for f in fields)})"


def listed(numbers: Iterable[int]) -> str:
    """Return integers as people list them: ``0–4, 7, 9–11``."""
    ordered = sorted(numbers)
    spans: list[list[int]] = []
    for value in ordered:
        if spans and value == spans[-1][1] + 1:
            spans[-1][1] = value
        else:
            spans.append([value, value])
    return ", ".join(str(a) if a == b else f"{a}–{b}" if b > a + 1 else f"{a}, {b}" for a, b in spans)


def _code(known: dict[str, int], text: str) -> int:
    return known.setdefault(text, len(known))


def _entries(shape: Iterable[int]) -> list[str]:
    return [",".join(map(str, index)) for index in np.ndindex(*shape)]


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"array{value.shape}"
    text = repr(value)
    return text if len(text) <= 40 else f"{type(value).__name__}(…)"
