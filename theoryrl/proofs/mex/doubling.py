"""The regret of MEX without knowing K: the sum of the bounds of the epochs, a cut-short one keeping that of its full length."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from theoryrl.algorithms.mex.doubling import DoublingMEX
from theoryrl.algorithms.run import Run
from theoryrl.proofs.theorem import Assumption, Event, Line, Proof, Theorem, theorem, theorem_for


def _inner(algorithm: DoublingMEX) -> Theorem:
    return theorem_for(algorithm.algorithm)


def _epochs(k: int) -> int:
    """Return how many epochs have begun after k >= 1 episodes: epoch i has episodes 2^i, ..., 2^(i+1) - 1, counted from 1."""
    return k.bit_length()


def _assumptions(algorithm: DoublingMEX, problem: Any, n: int) -> list[Assumption]:
    return list(_inner(algorithm).assumptions(algorithm.algorithm, problem, n))


def _bound(algorithm: DoublingMEX, problem: Any, n: int, k: np.ndarray) -> np.ndarray:
    last = _epochs(int(np.max(k)))
    bounds = np.cumsum([_epoch_bound(algorithm, problem, i, np.array([2**i]))[0] for i in range(last)])
    return np.array([bounds[_epochs(int(steps)) - 1] for steps in k])


def _epoch_bound(algorithm: DoublingMEX, problem: Any, i: int, k: np.ndarray) -> np.ndarray:
    bound = _inner(algorithm).bound
    assert bound is not None
    return bound(algorithm.epoch(i), problem, 2**i, k)


@theorem(
    for_=DoublingMEX,
    id="doubling",
    paper="mex",
    name="Theorem MEX for unknown K",
    source="Liu et al., NeurIPS 2023, Theorem 4.4, with the doubling trick; explicit form, derived here",
    statement=r"""With probability at least $1 - \delta$, for all $k$: $\mathrm{Reg}(k) \le \sum_{i \le \log_2 k} \mathrm{bound}(K = 2^i, \delta_i)$ with
$\delta_i = \frac{6}{\pi^2} \frac{\delta}{(i + 1)^2}$, which sum to $\delta$.""",
    assumptions=_assumptions,
    bound=_bound,
    trivial=lambda problem, k: np.asarray(k) * _largest(problem),
)
def theorem_doubling(run: Run) -> Proof:
    """Add the lines of the epochs' own proofs; then give the last epoch the bound of its full length."""
    algorithm, problem = run.algorithm, run.problem
    assert isinstance(algorithm, DoublingMEX)
    inner = _inner(algorithm)
    total: list[Line] = []
    terms = np.zeros(len(run.checkpoints))
    full = np.zeros(len(run.checkpoints))
    events: dict[str, Event] = {}
    for i in range(_epochs(run.steps)):
        proof, k = _epoch_proof(run, algorithm, inner, i)
        lines = next(iter(proof.chains.values()))
        begun = k > 0
        values = [np.where(begun, line.value, 0.0) for line in lines]
        terms = terms + np.where(begun, k if lines[0].terms is None else lines[0].terms, 0.0)
        total = [dataclasses.replace(line, value=value + (total[j].value if total else 0.0)) for j, (line, value) in enumerate(zip(lines, values, strict=True))]
        rest = _epoch_bound(algorithm, problem, i, np.array([2**i])) - _epoch_bound(algorithm, problem, i, k)
        full = full + np.where(begun, values[-1] + rest, 0.0)
        for event in proof.events:
            known = events.get(event.id, dataclasses.replace(event, probability=0.0, held=True))
            held = None if None in (known.held, event.held) else bool(known.held and event.held)
            events[event.id] = dataclasses.replace(event, probability=known.probability + event.probability, held=held)
    total[-1] = dataclasses.replace(total[-1], holds="surely", reason="a cut-short epoch keeps the bound of its full length")
    total.append(Line("D", "sum of the epochs' bounds", full))
    trivial = inner.trivial
    assert trivial is not None
    return Proof({"regret": [dataclasses.replace(line, terms=terms) for line in total]}, list(events.values()), trivial(problem, run.checkpoints))


def _epoch_proof(run: Run, algorithm: DoublingMEX, inner: Theorem, i: int) -> tuple[Proof, np.ndarray]:
    """Return the inner theorem's proof on epoch i as it stood at the run's checkpoints, and the epoch's lengths there."""
    curves = {name.removeprefix("epoch_"): curve[:, i] for name, curve in run.curves.items() if name.startswith("epoch_")}
    k = curves.pop("steps").astype(np.int64)
    epoch = dataclasses.replace(run, algorithm=algorithm.epoch(i), n=2**i, steps=int(k[-1]), checkpoints=k, curves=curves)
    return inner.evaluate(epoch), k


def _largest(problem: Any) -> Any:
    """Return the regret of an episode with the worst policy (of an exploitable strategy, in a game)."""
    return problem.value - problem.worst_guarantee if hasattr(problem, "worst_guarantee") else problem.optimal_value - problem.worst_value
