"""Certificate: many seeds of one theorem, with exact tests at a fixed level and an honest verdict."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import numpy as np

from theoryrl import validate
from theoryrl.algorithms.run import Algorithm, Run, iterate_runs
from theoryrl.problems.problem import Problem
from theoryrl.proofs import statistics
from theoryrl.proofs.theorem import Assumption, Proof, Theorem, Violation, theorem_for

Verdict = Literal["not violated", "violated", "vacuous", "not applicable"]


@dataclasses.dataclass(frozen=True)
class EventCount:
    """How often an event failed over the seeds; `rejected` if that is too often for its probability."""

    id: str
    probability: float
    failures: int
    observed: bool
    rejected: bool
    description: str = ""


@dataclasses.dataclass(frozen=True)
class LineSummary:
    """A line at the last checkpoint: its median over seeds, and the worst violation of its step beyond round-off (0: none)."""

    id: str
    label: str
    holds: str | None
    value: float
    max_violation: float | None
    equality: bool = False
    reason: str = ""


@dataclasses.dataclass(frozen=True)
class ChainSummary:
    """One chain of the proof over all seeds (at the entry of the trailing axes that comes closest to the bound)."""

    name: str
    lines: tuple[LineSummary, ...]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Certificate:
    """What many seeds say about one theorem.

    Attributes
    ----------
    verdict : {"not violated", "violated", "vacuous", "not applicable"}
    failing : tuple of Assumption
        The assumptions that fail, with witnesses (verdict "not applicable").
    violations : int
        Steps that must hold and did not, over all seeds, plus events (and steps in expectation) rejected by their tests.
    vacuity : float or None
        Last line over the largest possible value of L0 at the horizon, at its worst entry, median over seeds; None: not stated.
    entries : int
        Entries of the trailing axes (groups, tasks) over which `vacuity` is the worst.
    nonvacuous_from : int or None
        First checkpoint from which vacuity stays below one.
    curves : ndarray, shape (seeds, C)
        The first chain's L0 of each seed (entry of the trailing axes as in `chains`).
    bound, trivial : ndarray, shape (C,), or None
    exponent : (float, float, float)
        Mean growth exponent of L0 over the last decade, with its 95 % Student interval.
    statistical_checks : int
        Tests performed at `statistics.LEVEL`.
    interrupted : bool
        Whether Ctrl-C cut the list of seeds short.
    """

    theorem: Theorem
    algorithm: Algorithm
    instance: str
    n: int
    seeds: tuple[int, ...]
    verdict: Verdict
    failing: tuple[Assumption, ...] = ()
    violations: int = 0
    broken: tuple[str, ...] = ()
    events: tuple[EventCount, ...] = ()
    chains: tuple[ChainSummary, ...] = ()
    vacuity: float | None = None
    entries: int = 1
    nonvacuous_from: int | None = None
    checkpoints: np.ndarray | None = None
    curves: np.ndarray | None = None
    bound: np.ndarray | None = None
    trivial: np.ndarray | None = None
    exponent: tuple[float, float, float] | None = None
    statistical_checks: int = 0
    interrupted: bool = False

    @property
    def failure_rate_bound(self) -> float:
        """95 % upper confidence bound of the rate of violating seeds, after none was seen in `seeds`."""
        return statistics.failure_rate_bound(0, len(self.seeds))

    def __repr__(self) -> str:
        return f"<Certificate {self.theorem.name}, {self.instance}, n={self.n:,}, {len(self.seeds)} seeds: {self.verdict}>"

    def __str__(self) -> str:
        out = [f"{self.theorem.title}", f"{self.algorithm} on {self.instance}, n = {self.n:,}, {len(self.seeds)} seeds", f"verdict: {self.verdict}"]
        if self.verdict == "not applicable":
            return "\n".join(out + [f"  assumption fails: {a.name}: {a.witness}" for a in self.failing])
        if self.verdict in ("not violated", "vacuous"):
            rate = f"a rate of violating seeds below {self.failure_rate_bound:.2g} at 5 %"
            out[-1] += f" ({self.statistical_checks} tests at level {statistics.LEVEL:g}; no violation in {len(self.seeds)} seeds shows only {rate})"
        out += [f"  broken: {text}" for text in self.broken]
        if self.interrupted:
            out.append("interrupted: the seeds that had finished are counted")
        for chain in self.chains:
            out.append(f"\n{chain.name} (medians over seeds)")
            out += [f"  {line.id:<5} {line.value:13.6g}  {('= ' if line.equality else '') + (line.holds or ''):<16} {line.label}" for line in chain.lines]
        for event in self.events:
            seen = "observed" if event.observed else "seen through its steps"
            out.append(f"event {event.id}: {event.failures} of {len(self.seeds)} seeds failed, at most {event.probability:g} each ({seen})")
        if self.vacuity is None:
            out.append("vacuity: not stated")
        else:
            since = f"below one from {self.nonvacuous_from:,} on" if self.nonvacuous_from else "never below one"
            worst = f", at the worst of {self.entries} entries" if self.entries > 1 else ""
            out.append(f"vacuity: {self.vacuity:.3g} of the largest possible value{worst} ({since}, at this horizon's constants)")
        if self.exponent is not None:
            out.append("growth exponent over the last decade: {:.3f} [{:.3f}, {:.3f}]".format(*self.exponent))
        return "\n".join(out)


def certify(
    algorithm: Algorithm,
    problem: Problem | Callable[[int], Problem],
    n: int,
    *,
    seeds: Iterable[int],
    theorem: Theorem | None = None,
    jobs: int | None = None,
    progress: Callable[[Run], object] | None = None,
) -> Certificate:
    """Run `algorithm` with tracing over `seeds` and test every line of its theorem's proof.

    Parameters
    ----------
    problem : Problem or callable
        An instance, or a function from a seed to an instance (a Bayesian theorem's prior).
    seeds : iterable of int
        At least one; below 7 the test of an event of probability .05 cannot reject.
    theorem : Theorem, optional
        Default: the one registered for the algorithm's class.
    jobs : int, optional
        Threads (default: all cores).
    progress : callable, optional
        Called with each finished run.

    Returns
    -------
    Certificate

    Notes
    -----
    Ctrl-C keeps the seeds that had finished, if there are any.
    """
    n = validate.integer("n", n, 1, 2**53)
    seeds = [validate.integer("seeds", seed, 0) for seed in seeds]
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds: expected at least one seed and no repetition, got {seeds}")
    theorem = theorem or theorem_for(algorithm)
    if not theorem.is_about(algorithm):
        raise ValueError(f"theorem: {theorem.name} is about {theorem.algorithm.__name__}, not about {algorithm}")
    first = problem if isinstance(problem, Problem) else problem(seeds[0])
    instance = repr(first) if isinstance(problem, Problem) else getattr(problem, "__name__", repr(problem))
    if failing := theorem.failing(algorithm, first, n):
        return Certificate(theorem, algorithm, instance, n, tuple(seeds), "not applicable", tuple(failing))
    proofs: list[Proof] = []
    interrupted = False
    try:
        for run in iterate_runs(algorithm, problem, n, seeds=seeds, trace=True, jobs=jobs):
            proofs.append(theorem.proof(dataclasses.replace(run, state={})))  # a finished run's state would keep memory
            if progress is not None:
                progress(run)
    except KeyboardInterrupt:
        interrupted = True
        if not proofs:
            raise
    return _certificate(theorem, algorithm, instance, n, tuple(seeds[: len(proofs)]), proofs, interrupted)


def _certificate(
    theorem: Theorem, algorithm: Algorithm, instance: str, n: int, seeds: tuple[int, ...], proofs: Sequence[Proof], interrupted: bool
) -> Certificate:
    before = statistics.performed
    events = _count_events(proofs)
    broken = [f"seed {seed}: {_describe(v)}" for seed, proof in zip(seeds, proofs, strict=True) for v in proof.violations]
    broken += [f"event {e.id} failed on {e.failures} of {len(seeds)} seeds, too many for {e.probability:g}" for e in events if e.rejected]
    broken += [f"{name} {line} <= next fails in expectation" for name, line in _broken_in_expectation(proofs)]
    main = next(iter(proofs[0].chains))
    entry = _closest(proofs, main)
    checkpoints, curves, bound, trivial = _curves(proofs, main, entry)
    vacuity, since = None, None
    entries = math.prod(np.broadcast_shapes(*(line.value.shape for line in proofs[0].chains[main]))[1:])
    ratio = _vacuities(proofs, main, len(checkpoints))
    if ratio is not None:
        vacuity = float(ratio[-1])
        settled = len(ratio) - int(np.argmax(ratio[::-1] >= 1)) if np.any(ratio >= 1) else 0
        since = int(checkpoints[settled]) if settled < len(ratio) else None
    verdict: Verdict = "violated" if broken else "vacuous" if vacuity is not None and vacuity >= 1 else "not violated"
    chains = tuple(_summarize(proofs, name) for name in proofs[0].chains)
    exponent = _exponent(checkpoints, curves)
    return Certificate(
        theorem, algorithm, instance, n, seeds, verdict, (), len(broken), tuple(broken), events, chains, vacuity, entries, since,
        checkpoints, curves, bound, trivial, exponent, statistics.performed - before, interrupted,
    )  # fmt: skip


def _describe(violation: Violation) -> str:
    where = f" entry {list(violation.entry)}" if violation.entry else ""
    return f"{violation.chain} {violation.line} <= {violation.next_line} at {violation.checkpoint}{where}, by {violation.excess:.3g} beyond round-off"


def _count_events(proofs: Sequence[Proof]) -> tuple[EventCount, ...]:
    counts = []
    for event in proofs[0].events:
        failures = sum(not proof.held[event.id] for proof in proofs)
        rejected = statistics.too_many_failures(failures, len(proofs), event.probability)
        counts.append(EventCount(event.id, event.probability, failures, event.held is not None, rejected, event.description))
    return tuple(counts)


def _broken_in_expectation(proofs: Sequence[Proof]) -> list[tuple[str, str]]:
    """Steps in expectation whose mean difference over seeds is rejected, at the last checkpoint, in some entry."""
    found = []
    for name, lines in proofs[0].chains.items():
        for i, line in enumerate(lines[:-1]):
            if line.holds != "in expectation":
                continue
            last = np.array([(p.chains[name][i].value - p.chains[name][i + 1].value)[-1] for p in proofs])
            assert line.difference is not None
            ends_given = (np.asarray(side, dtype=float) for side in line.difference)
            low, high = (np.broadcast_to(side[-1] if side.ndim else side, last.shape[1:]).ravel() for side in ends_given)
            difference = last.reshape(len(proofs), -1)
            for sign in (1, -1) if line.equality else (1,):
                ends = (low, high) if sign == 1 else (-high, -low)
                if any(statistics.mean_exceeds(sign * difference[:, j], 0.0, ends[0][j], ends[1][j]) for j in range(difference.shape[1])):
                    found.append((name, line.id))
    return found


def _at_entry(value: np.ndarray, lines: Any, entry: tuple[int, ...]) -> np.ndarray:
    shape = np.broadcast_shapes(*(line.value.shape for line in lines))
    index: Any = (slice(None), *entry)
    return _spread(value, shape)[index]


def _closest(proofs: Sequence[Proof], name: str) -> tuple[int, ...]:
    """The entry of the trailing axes at which the first line comes closest to the last, over all seeds."""
    lines = proofs[0].chains[name]
    shape = np.broadcast_shapes(*(line.value.shape for line in lines))[1:]
    slack = [np.broadcast_to((p.chains[name][-1].value - p.chains[name][0].value)[-1], shape) for p in proofs]
    return tuple(int(k) for k in np.unravel_index(np.argmin(np.nan_to_num(np.median(slack, axis=0), nan=np.inf)), shape))


def _curves(proofs: Sequence[Proof], name: str, entry: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
    """First line of each seed, median last line and largest possible value, at the checkpoints that all seeds share."""
    runs = [proof.run for proof in proofs if proof.run is not None]
    shortest = min((run.checkpoints for run in runs), key=len)
    c = len(shortest) - 1 if any(run.checkpoints[len(shortest) - 1] != shortest[-1] for run in runs) else len(shortest)
    if c == 0:  # runs that stopped at different times before the first checkpoint
        return np.zeros(0, dtype=np.int64), np.zeros((len(proofs), 0)), None, None
    first = np.array([_at_entry(p.chains[name][0].value, p.chains[name], entry)[:c] for p in proofs])
    bounds = np.array([_at_entry(p.bound, p.chains[name], entry)[:c] for p in proofs])
    trivial = None
    if proofs[0].trivial is not None:
        trivial = np.median([_at_entry(np.asarray(p.trivial, dtype=float), p.chains[name], entry)[:c] for p in proofs], axis=0)
    return shortest[:c], first, np.median(bounds, axis=0), trivial


def _vacuities(proofs: Sequence[Proof], name: str, c: int) -> np.ndarray | None:
    """The last line over the largest possible value at the first `c` checkpoints, at the worst entry, median over seeds; None: not stated."""
    if proofs[0].trivial is None or c == 0:
        return None
    found = []
    for proof in proofs:
        lines = proof.chains[name]
        shape = np.broadcast_shapes(*(line.value.shape for line in lines))
        bound, trivial = (_spread(np.asarray(value, dtype=float), shape)[:c].reshape(c, -1) for value in (proof.bound, proof.trivial))
        ratio = np.divide(bound, trivial, out=np.where(bound > 0, np.inf, 0.0), where=trivial > 0)
        found.append(ratio.max(axis=1))
    middle: np.ndarray = np.median(found, axis=0)
    return middle


def _spread(value: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.broadcast_to(value.reshape(value.shape + (1,) * (len(shape) - value.ndim)), shape)


def _summarize(proofs: Sequence[Proof], name: str) -> ChainSummary:
    lines = proofs[0].chains[name]
    entry = _closest(proofs, name)
    summaries = []
    for i, line in enumerate(lines):
        value = float(np.median([_at_entry(p.chains[name][i].value, p.chains[name], entry)[-1] for p in proofs]))
        worst = None
        if i + 1 < len(lines):
            asked = [p.excess(name, i) for p in proofs if line.holds == "surely" or all(p.held[e] for e in line.on)] if line.holds != "in expectation" else []
            worst = max([0.0, *(float(np.max(excess)) for excess in asked)])
        summaries.append(LineSummary(line.id, line.label, line.how, value, worst, line.equality, line.reason))
    return ChainSummary(name, tuple(summaries))


def _exponent(checkpoints: np.ndarray, curves: np.ndarray) -> tuple[float, float, float] | None:
    if len(checkpoints) < 5 or checkpoints[-1] < 100 or np.any(curves[:, -1] <= 0):
        return None
    slopes = statistics.growth_exponents(checkpoints, curves)
    return (float(slopes.mean()), *statistics.student_interval(slopes, 0.05))
