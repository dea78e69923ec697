r"""The numbers that the theorem about GOSPRL brings: constants, rates and the time bound, all fixed before a run; derived in theoryrl.

The learner computes its confidence sets without this file; the trace and the proof compare it with these numbers.
"""

from __future__ import annotations

import dataclasses
import math
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from theoryrl import validate
from theoryrl.algorithms.gosprl import requirements
from theoryrl.problems.continuing import ContinuingMDP

if TYPE_CHECKING:
    from theoryrl.algorithms.gosprl.gosprl import GOSPRL

GOLDEN = math.e - 2
r"""The constant of :math:`e^x \le 1 + x + (e - 2) x^2` for x <= 1."""

MOST_TIME = 1e25
"""Where the search for a root is given up: the bound is inf then."""

FREE_RATE = 0.125
"""Each kappa of a run with a rule that has no levels, whose number of samples is not known before it."""


def doublings(t: Any, pairs: int) -> Any:
    r"""Return m(t), the maximum over 0 < k <= `pairs` of :math:`k (1 + \log_2(t / k))`: at most so many counts double in t >= 0 travel steps."""
    return _spread(t, 2 * np.asarray(t, dtype=float) / math.e, pairs, lambda ratio: 1 + np.log2(ratio))


def harmonic(t: Any, pairs: int) -> Any:
    r"""Return H(t), the maximum over 0 < k <= `pairs` of :math:`k (1 + 2 \ln(t / k))`, at least the sum of 1 / max(1, n_k) over t >= 0 travel steps."""
    return _spread(t, np.asarray(t, dtype=float) * math.exp(-0.5), pairs, lambda ratio: 1 + 2 * np.log(ratio))


def _spread(t: Any, best: np.ndarray, pairs: int, form: Any) -> Any:
    t = np.asarray(t, dtype=float)
    k = np.minimum(pairs, np.where(t > 0, best, 1.0))
    return np.where(t > 0, k * form(np.where(t > 0, t, 1.0) / k), 0.0)


@dataclasses.dataclass(frozen=True, eq=False)
class SetTheory:
    r"""The bound that one kind of confidence sets gives: :math:`(1 - \varepsilon) T_{tr} \le R(T_{tr})` for the travel steps of every prefix of a run.

    Parameters
    ----------
    kind : {"l1", "bernstein"}
    iota : float
        :math:`\iota'`, the log of one over the share of delta of each martingale.
    constant : float
        What of the log term (:math:`\ell` or :math:`\iota`) does not grow with the number of samples.
    pairs, S : int
        Numbers of pairs and of states.
    D, precision : float
    B, I_0 : float or array
        Number of samples, and the bound of the sum of the SSP-diameters of the episodes' ends.
    changes : int or array
        chi: how often a rule without levels may have changed the goals.
    rates : tuple of float or of array
        kappa (`l1`) or (kappa_1, kappa_2) (`bernstein`).
    """

    kind: str
    iota: float
    constant: float
    pairs: int
    S: int
    D: float
    precision: float
    B: Any
    I_0: Any
    changes: Any = 0
    rates: tuple[Any, ...] = ()

    @property
    def deviation(self) -> float:
        """The largest deviation of a row (`estimation.transitions`), without its growing part, at which it is in its sets."""
        return self.constant - self.S * math.log(2) if self.kind == "l1" else self.constant

    def log_term(self, t: Any) -> Any:
        r"""Return :math:`\ell_T` or :math:`\iota_T` after `t` travel steps, with T = t + B."""
        T = np.maximum(np.asarray(t, dtype=float) + self.B, 1.0)
        return self.constant + np.log(T) + np.log(T + 1)

    def martingale(self, t: Any, Y: Any = 0.0) -> Any:
        """Return the bound of M after `t` travel steps with the sum `Y` of variances (`bernstein`)."""
        if self.kind == "l1":
            return self.rates[0] * t / 8 + self.D**2 * self.iota / self.rates[0]
        return GOLDEN * self.rates[0] * Y / self.D + self.D * self.iota / self.rates[0]

    def variance(self, t: Any, plans: Any) -> Any:
        r"""Return :math:`\bar Y`, with `plans` inside episodes (and episodes that a rule has cut) in place of m."""
        rate = self.rates[1]
        return (self.D**2 * self.iota / rate + self.D**2 * (plans + 1) + 2 * self.D * t) / (1 - 4 * GOLDEN * rate)

    def widths(self, t: Any, total: Any, Y: Any = 0.0) -> Any:
        """Return the bound of the sum of the widths w at the last log term; `total` is the sum of 1 / sqrt(max(1, n_k)) (`l1`) or of 1 / max(1, n_k)."""
        if self.kind == "l1":
            return self.D * np.sqrt(2 * self.log_term(t)) * total
        K = self.S * self.log_term(t) * total
        return 2 * np.sqrt(2 * K * Y) + 4 * self.D * K

    def bound(self, t: Any) -> Any:
        """Return R(t), the last line of the proof after `t` travel steps."""
        t = np.asarray(t, dtype=float)
        plans = doublings(t, self.pairs) + self.changes
        if self.kind == "l1":
            Y, total = 0.0, 2 * math.sqrt(2) * np.sqrt(self.pairs * t)
        else:
            Y, total = self.variance(t, plans), harmonic(t, self.pairs)
        return self.I_0 + self.D * plans + self.martingale(t, Y) + self.widths(t, total, Y)

    @cached_property
    def root(self) -> Any:
        """The largest t with (1 - precision) t <= R(t), for each entry of the rates and of B; inf beyond 1e25."""
        low = np.zeros(np.broadcast_shapes(*(np.shape(x) for x in (self.B, self.I_0, self.changes, *self.rates))))
        high = np.ones_like(low)
        while np.any(short := (high < MOST_TIME) & ((1 - self.precision) * high <= self.bound(high))):
            high = np.where(short, 2 * high, high)
        for _ in range(100):
            middle = (low + high) / 2
            short = (1 - self.precision) * middle <= self.bound(middle)
            low, high = np.where(short, middle, low), np.where(short, high, middle)
        return np.where(high >= MOST_TIME, math.inf, high)


@dataclasses.dataclass(frozen=True, eq=False)
class Theory:
    """The constants of the theorem for one learner and instance.

    Parameters
    ----------
    S, A : int
    D_s : (S,) array
        SSP-diameters.
    delta, precision : float
    b : (S, A) array or None
        The most samples of each pair; None for a rule without levels, of which nothing is known before the run.
    sets : tuple of SetTheory
        One for each kind of sets that the learner uses.
    """

    S: int
    A: int
    D_s: np.ndarray
    delta: float
    precision: float
    b: np.ndarray | None
    sets: tuple[SetTheory, ...]

    @property
    def D(self) -> float:
        """Diameter."""
        return float(self.D_s.max())

    @property
    def B(self) -> int:
        """Number of samples, 0 if unknown."""
        return 0 if self.b is None else sum(map(int, self.b.flat))

    @property
    def I_0(self) -> float:
        """Bound of the sum of the SSP-diameters of the episodes' ends."""
        return self.D if self.b is None else float(self.D_s @ self.b.sum(axis=1, dtype=float))

    @property
    def degenerate(self) -> bool:
        """Whether nothing is to be travelled: one state, or no samples; the formulas do not apply."""
        return self.S == 1 or (self.b is not None and self.B == 0)

    @property
    def time_bound(self) -> float:
        """The bound of the number of steps until all samples are collected, with probability 1 - delta."""
        return float(self.B) if self.degenerate else self.B + min(float(part.root) for part in self.sets)

    def realised(self, samples: Any, changes: Any) -> tuple[SetTheory, ...]:
        """Return `sets` for runs of a rule without levels, after numbers of sampling steps and changes of the goals (arrays)."""
        return tuple(dataclasses.replace(part, B=samples, I_0=self.D * (samples + 1.0), changes=changes) for part in self.sets)


def collection_theory(problem: ContinuingMDP, requirement: Any, delta: float, confidence: str = "l1", precision: float = 0.02) -> Theory:
    """Return the constants for a requirement of numbers: an (S, A) array, or one for all pairs; None: those of a rule without levels.

    The confidence sets and the martingales have `delta` in all: half for the sets.

    Raises
    ------
    ValueError
        If the MDP is not communicating.
    """
    problem.require_communicating("the bound")
    b = None if requirement is None else requirements.fixed_demand(requirement, problem)
    theory = Theory(problem.n_states, problem.n_actions, problem.diameters, delta, precision, b, ())
    kinds = ("l1", "bernstein") if confidence == "both" else (confidence,)
    if theory.degenerate:
        return theory
    given = (len(kinds) == 2, delta, precision, theory.S, theory.A, theory.D, theory.B, theory.I_0, b is None)
    return dataclasses.replace(theory, sets=tuple(_set_theory(kind, *given) for kind in kinds))


@lru_cache(maxsize=256)
def _set_theory(kind: str, both: bool, delta: float, precision: float, S: int, A: int, D: float, B: int, I_0: float, free: bool) -> SetTheory:
    """Return the constants of one kind at the rates that give the least root."""
    share = delta / (4 if both else 2)
    constant = S * math.log(2) + math.log(S * A / share) if kind == "l1" else math.log(2 * S * S * A / share)
    theory = SetTheory(kind, math.log((6 if both else 4) / delta), constant, S * A, S, D, precision, float(B), I_0)
    powers = [2.0 ** np.arange(2, -15, -1)] if kind == "l1" else [2.0 ** np.arange(0, -15, -1), 2.0 ** np.arange(-2, -12, -1)]
    if free:
        return dataclasses.replace(theory, rates=(FREE_RATE,) * len(powers))
    grid = [axis.ravel() for axis in np.meshgrid(*powers, indexing="ij")]
    best = int(np.argmin(dataclasses.replace(theory, rates=tuple(grid)).root))
    return dataclasses.replace(theory, rates=tuple(float(axis[best]) for axis in grid))


def gosprl_theory(algorithm: GOSPRL, problem: ContinuingMDP) -> Theory:
    """Return the constants for runs of a learner; a rule with levels counts as the fixed requirement of its highest level for all pairs.

    A rule with levels is asked only when a sampling step has met a demand.  So its goals change at sampling steps only, no
    plan inside an episode comes of it, and no pair gets more samples than the highest level: all lines hold with that one.

    Raises
    ------
    ValueError
        If the MDP is not communicating.
    """
    levels = requirements.levels(algorithm.requirement, problem)
    b = levels[-1].reshape(problem.n_states, -1) if len(levels) else None
    return collection_theory(problem, b, algorithm.delta, algorithm.confidence, algorithm.precision)


def time_bound(algorithm: GOSPRL, problem: ContinuingMDP) -> float:
    r"""Return the number of steps within which GOSPRL has collected all samples, with probability at least 1 - delta.

    B + the largest :math:`T_{tr}` with :math:`(1 - \varepsilon) T_{tr} \le R(T_{tr})`, at the kappas that make it least (they are
    fixed before the run); of the two for `both`.  B if there is one state or nothing to collect.  For a rule with levels:
    that of its highest level for all pairs.  Derived here; it knows the SSP-diameters, which the learner does not.

    Raises
    ------
    ValueError
        If the MDP is not communicating, the learner's `scale` is not 1, or the requirement is a rule without levels, whose number
        of samples nobody knows before the run.
    """
    return _known(algorithm, problem).time_bound


def _known(algorithm: GOSPRL, problem: ContinuingMDP) -> Theory:
    """Return the constants of a learner that the theorem is about, and whose number of samples is known before the run."""
    if algorithm.scale != 1:
        raise ValueError(f"scale: the bound is about scale=1, got {algorithm.scale}")
    theory = gosprl_theory(algorithm, problem)
    if theory.b is None:
        raise ValueError(f"requirement: a rule without levels has no bound that is known before the run, got {algorithm.requirement!r}")
    return theory


def closed_form(algorithm: GOSPRL, problem: ContinuingMDP, travel: Any) -> Any:
    r"""Return :math:`2.3 B D + 2.9 D (m + 1) + 23 D \iota' + 66 D S \iota_T H`, for captions: no check of a run rests on it.

    With a precision of at most .02 and the kappas of 1/8 the travel steps of a Bernstein run are at most this at their own number.

    Parameters
    ----------
    travel : float or array
        Number of travel steps at which m, H and :math:`\iota_T` are taken.

    Raises
    ------
    ValueError
        As `time_bound`, and if the learner has no Bernstein sets.
    """
    validate.one_of("confidence", algorithm.confidence, ("bernstein", "both"))
    theory = _known(algorithm, problem)
    if theory.degenerate:
        return np.zeros(np.shape(travel))
    part, D = theory.sets[-1], theory.D
    return 2.3 * theory.B * D + D * (
        2.9 * (doublings(travel, part.pairs) + 1) + 23 * part.iota + 66 * theory.S * part.log_term(travel) * harmonic(travel, part.pairs)
    )
