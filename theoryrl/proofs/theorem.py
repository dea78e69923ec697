"""Theorem, Proof, Line, Event: a proof is named chains of lines whose values are numbers of one run.

A step from one line to the next holds surely, on events, or in expectation.  A step on events that held is checked like a
sure one; events themselves are tested over seeds by `theoryrl.proofs.certify`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np

from theoryrl.algorithms.run import Algorithm, Run

EPS = float(np.finfo(float).eps)


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of a chain, and how the step to the next line holds.

    Parameters
    ----------
    id : str
        Such as "L0".
    label : str
        What the value is, in words or LaTeX.
    value : array, shape (C,) or (C, ...)
        The line at the run's checkpoints; trailing axes (groups, tasks) are compared entry by entry.  NaN makes no claim.
    holds : "surely", "in expectation" or None
        How ``value <= next value`` holds; None on the last line.
    on : str or tuple of str
        Ids of the events on which the step holds (then leave `holds` out).
    reason : str
        Why the step holds, with its reference.
    equality : bool
        Whether the step is an equality, checked both ways.
    gap : float or array
        Certified gap of a solver that the value carries.
    terms : float or array, optional
        Number of accumulated terms, for the allowed round-off (default: the checkpoint).
    difference : (low, high), optional
        Range of ``value - next value`` at each checkpoint; needed by a step in expectation.
    """

    id: str
    label: str
    value: Any
    holds: Literal["surely", "in expectation"] | None = None
    on: str | tuple[str, ...] = ()
    reason: str = ""
    equality: bool = False
    gap: Any = 0.0
    terms: Any = None
    difference: tuple[Any, Any] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", np.asarray(self.value, dtype=float))
        object.__setattr__(self, "on", (self.on,) if isinstance(self.on, str) else tuple(self.on))
        if self.on and self.holds:
            raise ValueError(f"line {self.id}: a step holds {self.holds!r} or on {self.on}, not both")
        if self.holds == "in expectation" and self.difference is None:
            raise ValueError(f"line {self.id}: a step in expectation needs the range `difference` of this line minus the next")

    @property
    def how(self) -> str | None:
        """How the step holds: "surely", "on A, B", "in expectation", or None."""
        return "on " + ", ".join(self.on) if self.on else self.holds


@dataclasses.dataclass(frozen=True)
class Event:
    """An event with its failure probability and, wherever the run can tell, whether it held.

    With `held` None a violated step on the event is the event's failure.
    """

    id: str
    probability: float
    held: bool | None = None
    description: str = ""


@dataclasses.dataclass(frozen=True)
class Assumption:
    """An assumption of a theorem, tested on an instance; `witness` says what breaks it."""

    name: str
    holds: bool
    witness: str = ""


@dataclasses.dataclass(frozen=True)
class Violation:
    """A step that must hold and does not: where, and by how much beyond round-off."""

    chain: str
    line: str
    next_line: str
    checkpoint: int
    entry: tuple[int, ...]
    excess: float


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Proof:
    """A theorem's proof evaluated on one run.

    A theorem's function returns ``Proof(chains, events, trivial)``; `Theorem.proof` adds the rest.

    Parameters
    ----------
    chains : mapping of str to sequence of Line
        The first chain ends in the bound; side conditions are chains of two lines.
    events : sequence of Event
    trivial : array or None
        The largest possible value of the first chain's L0 at the checkpoints; None: vacuity is not stated.
    """

    chains: Mapping[str, Sequence[Line]]
    events: Sequence[Event] = ()
    trivial: Any = None
    theorem: Theorem | None = None
    run: Run | None = None
    note: str = ""

    @cached_property
    def held(self) -> dict[str, bool]:
        """Whether each event held; an event that nobody observed fails with the steps that rest on it."""
        held = {event.id: event.held for event in self.events}
        for chain, i in self._steps():
            line = self.chains[chain][i]
            unseen = [e for e in line.on if held[e] is None]
            if unseen and all(held[e] in (True, None) for e in line.on) and np.any(self.excess(chain, i) > 0):
                held.update(dict.fromkeys(unseen, False))
        return {key: value is not False for key, value in held.items()}

    @cached_property
    def violations(self) -> list[Violation]:
        """The steps that must hold on this run and do not, at their worst checkpoint and entry."""
        found = []
        for chain, i in self._steps():
            line = self.chains[chain][i]
            if line.holds == "surely" or (line.on and all(self.held[e] for e in line.on)):
                found += self._violation(chain, i, i + 1, self.excess(chain, i))
        for chain, lines in self.chains.items():
            on = {e for line in lines for e in line.on}
            if len(lines) > 2 and all(line.holds != "in expectation" for line in lines) and all(self.held[e] for e in on):
                found += self._violation(chain, 0, len(lines) - 1, self._excess(lines[0], lines[-1], False, self._gap(lines)))
        return found

    @property
    def bound(self) -> np.ndarray:
        """The last line of the first chain."""
        return next(iter(self.chains.values()))[-1].value

    def excess(self, chain: str, i: int) -> np.ndarray:
        """Return how far step `i` of a chain fails beyond round-off, at each checkpoint and entry (-inf: no claim)."""
        line, following = self.chains[chain][i], self.chains[chain][i + 1]
        return self._excess(line, following, line.equality, line.gap)

    def _excess(self, line: Line, following: Line, equality: bool, gap: Any) -> np.ndarray:
        assert self.run is not None
        terms = self.run.checkpoints if line.terms is None else line.terms
        a, b = np.broadcast_arrays(line.value, following.value)
        shape = (-1,) + (1,) * (a.ndim - 1)
        with np.errstate(invalid="ignore"):
            tolerance = 4 * EPS * (np.reshape(terms, shape) + 8) * (1 + np.maximum(np.abs(a), np.abs(b))) + gap
            difference = np.where(a == b, 0.0, a - b)
            excess = (np.abs(difference) if equality else difference) - np.where(np.isfinite(tolerance), tolerance, 0)
        return np.where(np.isnan(a) | np.isnan(b), -np.inf, excess)

    def _gap(self, lines: Sequence[Line]) -> Any:
        return sum(np.asarray(line.gap, dtype=float) for line in lines[:-1])

    def _violation(self, chain: str, i: int, j: int, excess: np.ndarray) -> list[Violation]:
        worst = np.unravel_index(np.argmax(excess), excess.shape)
        if not excess[worst] > 0:
            return []
        assert self.run is not None
        lines = self.chains[chain]
        entry = tuple(int(k) for k in worst[1:])
        return [Violation(chain, lines[i].id, lines[j].id, int(self.run.checkpoints[worst[0]]), entry, float(excess[worst]))]

    def _steps(self) -> list[tuple[str, int]]:
        return [(chain, i) for chain, lines in self.chains.items() for i in range(len(lines) - 1)]

    def last_values(self, chain: str) -> tuple[tuple[int, ...], list[float]]:
        """Return the entry of the trailing axes at which a chain's first line comes closest to the last, and the lines there at the end."""
        last = np.broadcast_arrays(*(line.value[-1] for line in self.chains[chain]))
        entry = np.unravel_index(np.argmin(np.nan_to_num(last[-1] - last[0], nan=np.inf)), last[0].shape)
        return tuple(int(k) for k in entry), [float(value[entry]) for value in last]

    def __str__(self) -> str:
        run, theorem = self.run, self.theorem
        out = [f"{theorem.title}\n{run!r}"] if theorem and run else []
        out += [self.note] if self.note else []
        for name, lines in self.chains.items():
            entry, values = self.last_values(name)
            out.append(f"\n{name}" + (f" (entry {list(entry)}, the closest)" if entry else ""))
            out.append(f"  {'line':<5} {'value':>13} {'slack':>13}  {'step holds':<16} what it is; why it is at most the next")
            for i, line in enumerate(lines):
                slack = f"{values[i + 1] - values[i]:13.6g}" if i + 1 < len(lines) else " " * 13
                how = ("= " if line.equality else "") + (line.how or "")
                out.append(f"  {line.id:<5} {values[i]:13.6g} {slack}  {how:<16} {line.label}" + (f"; {line.reason}" if line.reason else ""))
        if self.trivial is not None:
            out.append(f"\nlargest possible value of the first line: {np.max(np.asarray(self.trivial, dtype=float)[-1]):.6g}")
        for event in self.events:
            seen = "held" if self.held[event.id] else "FAILED"
            out.append(f"event {event.id} ({seen}; fails with probability at most {event.probability:g}): {event.description}")
        out += [f"VIOLATED: {v.chain} {v.line} <= {v.next_line} at {v.checkpoint}, by {v.excess:.3g} beyond round-off" for v in self.violations]
        return "\n".join(out)

    def plot(self, ax: Any = None) -> Any:
        """Draw the waterfall of the first chain: where between its first line and the bound the slack comes in."""
        from theoryrl.experiments.plots import plot_proof

        return plot_proof(self, ax)


@dataclasses.dataclass(frozen=True, eq=False)
class Theorem:
    """A theorem about an algorithm class, whose proof can be evaluated on a run.  Made by `theorem`."""

    id: str
    name: str
    paper: str
    source: str
    statement: str
    algorithm: type[Algorithm]
    variants: tuple[str, ...] | None
    evaluate: Callable[[Run], Proof]
    assumptions: Callable[[Any, Any, int], Sequence[Assumption]]
    bound: Callable[[Any, Any, int, np.ndarray], np.ndarray] | None
    trivial: Callable[[Any, np.ndarray], np.ndarray] | None
    __doc__: str | None = None
    on_request: bool = False

    @property
    def title(self) -> str:
        """Name and source."""
        return f"{self.name} ({self.source})"

    def __repr__(self) -> str:
        return f"<Theorem {self.paper} {self.id}: {self.name}>"

    def is_about(self, algorithm: Algorithm) -> bool:
        """Whether the theorem names this algorithm's class and variant."""
        return isinstance(algorithm, self.algorithm) and (self.variants is None or getattr(algorithm, "variant", None) in self.variants)

    def failing(self, algorithm: Algorithm, problem: Any, n: int) -> list[Assumption]:
        """Return the assumptions that do not hold."""
        return [a for a in self.assumptions(algorithm, problem, n) if not a.holds]

    def proof(self, run: Run) -> Proof:
        """Evaluate the proof on a run with ``trace=True``.

        Raises
        ------
        ValueError
            If the theorem is not about the run's algorithm, does not apply, or the run was not traced.
        """
        if not self.is_about(run.algorithm):
            raise ValueError(f"theorem: {self.name} is about {self.algorithm.__name__}, not about {run.algorithm}")
        if failing := self.failing(run.algorithm, run.problem, run.n):
            raise ValueError(f"theorem: {self.name} does not apply: " + "; ".join(f"{a.name} ({a.witness})" for a in failing))
        if not run.trace:
            raise ValueError("run: the proof needs a run with trace=True")
        proof = dataclasses.replace(self.evaluate(run), theorem=self, run=run)
        for name, lines in proof.chains.items():
            for line in lines:
                if line.value.ndim == 0 or len(line.value) != len(run.checkpoints):
                    raise ValueError(f"{name} {line.id}: expected one value for each of {len(run.checkpoints)} checkpoints, got shape {line.value.shape}")
                if unknown := set(line.on) - {event.id for event in proof.events}:
                    raise ValueError(f"{name} {line.id}: holds on {sorted(unknown)}, which the proof does not list")
        return proof


registry: list[Theorem] = []


def theorem(
    *,
    for_: type[Any],
    id: str,
    paper: str,
    source: str,
    name: str = "",
    statement: str = "",
    variants: tuple[str, ...] | None = None,
    assumptions: Callable[[Any, Any, int], Sequence[Assumption]] = lambda algorithm, problem, n: (),
    bound: Callable[[Any, Any, int, np.ndarray], np.ndarray] | None = None,
    trivial: Callable[[Any, np.ndarray], np.ndarray] | None = None,
    on_request: bool = False,
) -> Callable[[Callable[[Run], Proof]], Theorem]:
    """Register the decorated function ``run -> Proof`` as a theorem about an algorithm class.

    Parameters
    ----------
    for_ : type
        The algorithm class that the theorem names.
    id, paper, name, source, statement : str
        Identity, reference and LaTeX statement with explicit constants.
    variants : tuple of str, optional
        Values of the algorithm's `variant` that it is about (default: all).
    assumptions : callable (algorithm, problem, n) -> sequence of Assumption
        What must hold of the instance and the hyper-parameters, each with a witness when it fails.
    bound : callable (algorithm, problem, n, k) -> array, optional
        The bound of a run with horizon n at the steps k, where it needs no run; plots and `nonvacuous_n` use it.
    trivial : callable (problem, k) -> array, optional
        The largest possible value of the first line after k steps.
    on_request : bool
        Whether it is evaluated only when it is passed or named: `theorem_for` does not choose it.
    """

    def register(evaluate: Callable[[Run], Proof]) -> Theorem:
        made = Theorem(
            id, name or f"Theorem {id}", paper, source, statement, for_, variants, evaluate, assumptions, bound, trivial, evaluate.__doc__, on_request
        )
        registry[:] = [t for t in registry if (t.paper, t.id, t.algorithm.__qualname__) != (paper, id, for_.__qualname__)] + [made]
        return made

    return register


def theorem_for(algorithm: Algorithm) -> Theorem:
    """Return the one theorem registered for an algorithm, apart from those that are evaluated on request.

    Raises
    ------
    ValueError
        If there is none, or several; they are listed.
    """
    import theoryrl.proofs  # noqa: F401  (the library's own theorems register when their modules are imported)

    found = [t for t in registry if t.is_about(algorithm) and not t.on_request]
    if len(found) != 1:
        listed = ", ".join(f"{t.paper} {t.id} ({t.name})" for t in (found or registry)) or "none"
        how_many = "several theorems are" if found else "no theorem is"
        raise ValueError(f"theorem: {how_many} registered for {algorithm}; pass one of: {listed}")
    return found[0]


def prove(run: Run, theorem: Theorem | None = None) -> Proof:
    """Return the theorem's proof on `run`, which is re-run with tracing if it was not traced."""
    theorem = theorem or theorem_for(run.algorithm)
    if run.trace:
        return theorem.proof(run)
    if not run.finished:
        raise ValueError("run: it is neither traced nor finished; finish it with proceed() first")
    again = run.algorithm.run(run.problem, run.n, seed=run.seed, checkpoints=[int(k) for k in run.targets], trace=True)
    return dataclasses.replace(theorem.proof(again), note="(the run was not traced: re-run with trace=True, same seed, same bits)")


def nonvacuous_n(theorem: Theorem, algorithm: Algorithm, problem: Any, most: int = 10**15) -> int | None:
    """Return the least horizon n at which the theorem's bound is below the largest possible value, or None up to `most`.

    The ratio of the two is assumed to fall with n, as it does for every sublinear bound once it is near one.
    """
    if theorem.bound is None or theorem.trivial is None:
        raise ValueError(f"theorem: {theorem.name} has no bound that can be stated without a run, or no trivial one")
    bound, trivial = theorem.bound, theorem.trivial

    def below(n: int) -> bool:
        k = np.array([n])
        return bool(bound(algorithm, problem, n, k)[0] < trivial(problem, k)[0])

    high = 1
    while not below(high):
        high *= 2
        if high > most:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if below(middle) else (middle, high)
    return high
