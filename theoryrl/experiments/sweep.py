"""A sweep: algorithms x problems x seeds at one budget, checked before anything runs, computed once, whatever happens in between."""

from __future__ import annotations

import dataclasses
import difflib
import os
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from theoryrl import validate
from theoryrl.algorithms import store as files
from theoryrl.algorithms.run import Algorithm, Run
from theoryrl.experiments.cache import Store, Task, Witness
from theoryrl.experiments.fingerprint import code_version
from theoryrl.problems.problem import Problem


class BadSweep(ValueError):
    """What is wrong with a sweep, all of it: `errors` holds one text for each mistake."""

    def __init__(self, errors: Sequence[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = tuple(errors)


@dataclasses.dataclass(frozen=True, eq=False)
class Sweep:
    """Algorithms x problems x seeds, each run for `n` steps.

    Parameters
    ----------
    algorithms : sequence of Algorithm
    problems : sequence of Problem or callable
        Instances, or priors: functions from a seed to an instance, which are called when the sweep is made.
    seeds : int or iterable of int
        A number stands for that many seeds from 0 on.
    n : int
        Horizon of each run.
    checkpoints : iterable of int, optional
        As for `Algorithm.run`.
    trace : bool
        Whether runs also record what their proofs need.
    time_limit : float, optional
        Seconds that one attempt at a run may take; what it has is kept, and the next attempt goes on from there.
    check_theorems : bool
        Whether an algorithm whose theorem does not apply to a problem is an error.

    Raises
    ------
    BadSweep
        With all mistakes at once: arguments out of range, algorithms that do not fit a problem, theorems that do not apply,
        problems that hold a Python function.
    """

    algorithms: Sequence[Algorithm]
    problems: Sequence[Problem | Callable[[int], Problem]]
    seeds: Any
    n: int
    checkpoints: Any = None
    trace: bool = False
    time_limit: float | None = None
    check_theorems: bool = True
    _drawn: list[list[Problem]] = dataclasses.field(init=False, repr=False)

    def __post_init__(self) -> None:
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.init}
        checked, errors = _checked(fields)
        if not errors:
            drawn, errors = _drawn(dict(enumerate(checked["algorithms"])), dict(enumerate(checked["problems"])), checked)
        if errors:
            raise BadSweep(errors)
        for field, value in (checked | {"_drawn": list(drawn.values())}).items():
            object.__setattr__(self, field, value)

    def tasks(self) -> list[Task]:
        """Return all runs of the sweep, seed by seed, so that what is finished early covers all algorithms and problems."""
        algorithms = [(algorithm, files.digest(algorithm)) for algorithm in self.algorithms]
        problems = [[(problem, files.digest(problem)) for problem in draws] for draws in self._drawn]
        rest = (self.n, self.checkpoints, self.trace)
        found = []
        for i, seed in enumerate(self.seeds):
            for draws in problems:
                problem, of_problem = draws[i if len(draws) > 1 else 0]
                for algorithm, of_algorithm in algorithms:
                    code = code_version(algorithm, problem)
                    key = files.digest({"algorithm": of_algorithm, "problem": of_problem, "seed": seed, "rest": rest})
                    found.append(Task(algorithm, problem, seed, *rest, code, key))
        return found

    def status(self, folder: str | os.PathLike[str]) -> Status:
        """Say how far the sweep is in the store `folder`; nothing is changed."""
        store, witness = Store(Path(folder)), Witness(Path(folder))
        counts = dict.fromkeys(("done", "running", "begun", "failed", "late", "missing"), 0)
        failures = []
        tasks = self.tasks()
        for task in tasks:
            claim, failure = store.claimed(task), store.failure(task)
            if store.has(task):
                state = "done"
            elif claim is not None and not witness.dead(claim):
                state = "running"
            elif failure is not None:
                state = "failed" if failure["kind"] == "failed" else "late"
                failures.append((str(task), str(failure["text"])))
            else:
                state = "begun" if store.path(task, "part").exists() else "missing"
            counts[state] += 1
        return Status(**counts, failures=tuple(failures), older=store.older(tasks))

    def collect(self, folder: str | os.PathLike[str]) -> Iterator[Run]:
        """Yield the finished runs of the sweep that are in the store `folder`, also while it still runs; damaged files are set aside."""
        store = Store(Path(folder))
        for task in self.tasks():
            run = store.load(task)
            if run is not None:
                yield run


def _several(field: str, given: Any, wanted: Callable[[Any], bool], what: str) -> tuple[Any, ...]:
    if isinstance(given, (str, Algorithm, Problem)) or not isinstance(given, Iterable):
        raise TypeError(f"{field}: expected a sequence, got {given!r}")
    values = tuple(given)
    if not values:
        raise ValueError(f"{field}: expected at least one")
    for i, value in enumerate(values):
        if not wanted(value):
            raise TypeError(f"{field}[{i}]: expected {what}, got {value!r}")
    return values


def _seeds(given: Any) -> tuple[int, ...]:
    if isinstance(given, (int, float, np.number)):
        return tuple(range(validate.integer("seeds", given, 1, 10**9)))
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise TypeError(f"seeds: expected a number or a sequence of numbers, got {given!r}")
    found = tuple(validate.integer("seeds", seed, 0) for seed in given)
    if not found or len(set(found)) < len(found):
        raise ValueError(f"seeds: expected at least one seed and no repetition, got {list(found)}")
    return found


def _flag(field: str, given: Any) -> bool:
    if not isinstance(given, bool):
        raise TypeError(f"{field}: expected True or False, got {given!r}")
    return given


def _checkpoints(given: Any) -> tuple[int, ...] | None:
    if given is None:
        return None
    return tuple(int(k) for k in validate.integer_array("checkpoints", list(given) if isinstance(given, Iterable) else given, (None,), 1, 2**53))


CHECKS: dict[str, Callable[[Any], Any]] = {
    "algorithms": lambda given: _several("algorithms", given, lambda value: isinstance(value, Algorithm), "an Algorithm"),
    "problems": lambda given: _several("problems", given, lambda value: isinstance(value, Problem) or callable(value), "a Problem or a prior"),
    "seeds": _seeds,
    "n": lambda given: validate.integer("n", given, 1, 2**53),
    "checkpoints": _checkpoints,
    "trace": lambda given: _flag("trace", given),
    "time_limit": lambda given: None if given is None else validate.real("time_limit", given, 0, 1e9, open_ends=True),
    "check_theorems": lambda given: _flag("check_theorems", given),
}


def _checked(fields: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the fields of a sweep as they are kept, and what is wrong with the others."""
    checked, errors = {}, []
    for field, given in fields.items():
        try:
            checked[field] = CHECKS[field](given)
        except (TypeError, ValueError) as error:
            errors.append(str(error))
    return checked, errors


def _drawn(algorithms: dict[int, Algorithm], problems: dict[int, Any], others: dict[str, Any]) -> tuple[dict[int, list[Problem]], list[str]]:
    """Draw the instances, start each algorithm on each problem once, and ask its theorem; return the instances and what is wrong."""
    errors: list[str] = []
    drawn: dict[int, list[Problem]] = {}
    for i, problem in problems.items():
        try:
            draws = [problem] if isinstance(problem, Problem) else [problem(seed) for seed in others["seeds"]]
            for draw in draws:
                if not isinstance(draw, Problem):
                    raise TypeError(f"expected a function from a seed to a Problem, got {draw!r}")
            files.digest(draws[0])  # a Python function in it is found here
            drawn[i] = draws
        except (TypeError, ValueError) as error:
            errors.append(f"problems[{i}]: {error}")
    for i, algorithm in algorithms.items():
        try:
            files.digest(algorithm)
            code_version(algorithm)
        except (TypeError, ValueError) as error:
            errors.append(f"algorithms[{i}]: {error}")
            continue
        for j, draws in drawn.items():
            if mistake := _misfit(algorithm, draws[0], others["n"], others.get("check_theorems", True)):
                errors.append(f"algorithms[{i}] on problems[{j}], {algorithm} on {draws[0]!r}: {mistake}")
    return drawn, errors


def _misfit(algorithm: Algorithm, problem: Problem, n: int, check_theorems: bool) -> str:
    """Return why an algorithm or its theorem is not for a problem; "" if they are."""
    try:
        algorithm.start(problem, n, np.random.default_rng(0))
    except (TypeError, ValueError, MemoryError) as error:
        return str(error)
    if not check_theorems:
        return ""
    from theoryrl.proofs import registry

    about = [theorem for theorem in registry if theorem.is_about(algorithm) and not theorem.on_request]
    failing = [(theorem, a) for theorem in about for a in theorem.failing(algorithm, problem, n)]
    return "; ".join(f"{theorem.title} does not apply: {assumption.name} ({assumption.witness})" for theorem, assumption in failing)


@dataclasses.dataclass(frozen=True)
class Status:
    """How many runs of a sweep are done, running in some process, begun and left, failed, late, and missing.

    `failures` holds pairs of run and traceback; `older` how many of the runs lie in the store from other versions of the code.
    """

    done: int
    running: int
    begun: int
    failed: int
    late: int
    missing: int
    failures: tuple[tuple[str, str], ...]
    older: dict[str, int]

    def __str__(self) -> str:
        names = ("done", "running", "begun", "failed", "late", "missing")
        total = sum(getattr(self, name) for name in names)
        out = [f"{total} runs: " + ", ".join(f"{getattr(self, name)} {name}" for name in names if getattr(self, name))]
        out += [f"{kind}: {text.strip().splitlines()[-1] if text.strip() else ''}" for kind, text in self.failures]
        out += [f"left untouched: {count} of these runs from another version of the code, in {name}" for name, count in self.older.items()]
        return "\n".join(out)


KEYS = ("algorithms", "problems", "seeds", "n", "checkpoints", "trace", "time_limit", "check_theorems", "store")


def read_sweep(file: str | os.PathLike[str], evaluate: Callable[[str, str], Any]) -> tuple[Sweep, Path]:
    """Return the sweep that a TOML file declares, and the folder of its store (default: the file's name with ``.store``).

    Parameters
    ----------
    file : path
        A table with the fields of `Sweep`; algorithms and problems are texts of calls.
    evaluate : callable
        Makes an algorithm or a problem from ("algorithm" or "problem", text), or raises ValueError.

    Raises
    ------
    BadSweep
        With all mistakes at once.
    """
    path = Path(file)
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadSweep([f"file: expected a TOML file that can be read, got {str(path)!r} ({error})"]) from None
    errors = []
    for key in table:
        if key not in KEYS:
            close = difflib.get_close_matches(key, KEYS, 1)
            errors.append(f"{key}: expected one of {', '.join(KEYS)}" + (f" (is {close[0]} meant?)" if close else ""))
    errors += [f"{key}: expected a value, got none" for key in KEYS[:4] if key not in table]
    store = table.get("store", f"{path.stem}.store")
    if not isinstance(store, str):
        errors.append(f"store: expected the name of a folder, got {store!r}")
    made: dict[str, dict[int, Any]] = {}
    for key in ("algorithms", "problems"):
        made[key], mistakes = _evaluated(key, table.get(key, []), evaluate)
        errors += mistakes
    checked, mistakes = _checked({key: table[key] for key in KEYS[2:-1] if key in table})
    errors += mistakes
    if errors:
        if "n" in checked and "seeds" in checked:
            errors += _drawn(made["algorithms"], made["problems"], checked)[1]
        raise BadSweep(errors)
    fields: dict[str, Any] = {key: list(values.values()) for key, values in made.items()} | checked
    return Sweep(**fields), path.parent / store


def _evaluated(key: str, texts: Any, evaluate: Callable[[str, str], Any]) -> tuple[dict[int, Any], list[str]]:
    """Return what the texts make, by their place, and what is wrong with the others."""
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        return {}, [f"{key}: expected a list of texts, got {texts!r}"]
    made, errors = {}, []
    for i, text in enumerate(texts):
        try:
            made[i] = evaluate(key.removesuffix("s"), text)
        except (TypeError, ValueError) as error:
            errors.append(f"{key}[{i}]: {error}")
    return made, errors
