r"""What samples are collected for: rules that prescribe how many of each pair an objective needs, with a failure probability of their own.

The objectives are those of the abstract of Tarbouriech et al. (NeurIPS 2021, arXiv 2007.06437) and of its appendix; all numbers
of samples are derived here.  ``GOSPRL(rule, delta=x)`` reaches the objective with probability at least 1 - x - `rule.delta`.
The samples that count are the *first* ones of each pair, as many as are demanded: inequalities for a fixed number of independent
samples apply to them although it is random how many a run makes.  With

.. math:: n_W(\eta, \delta) = \lceil \frac{2}{\eta^2} (\ln(2^S - 2) + \ln\frac{S A}{\delta}) \rceil

of them all estimates are within :math:`\|\hat P - P\|_1 \le \eta` with probability at least 1 - delta (Weissman et al., 2003).
"""

from __future__ import annotations

import abc
import dataclasses
import math
from functools import lru_cache
from typing import Any

import numpy as np

from theoryrl import validate
from theoryrl.algorithms.gosprl.requirements import MOST
from theoryrl.estimation.transitions import bernstein_interval
from theoryrl.jit import kernel
from theoryrl.planning.shortest_path import diameter
from theoryrl.problems.continuing import ContinuingMDP

GRID = 48
"""Number J of the counts at which `Modest(adaptive=True)` looks at a pair."""

FIRST_SHARE = 64
"""The first of them is the last one over this."""


def weissman_log(S: int) -> float:
    """Return ln(2^S - 2), for S >= 2."""
    return S * math.log(2) + math.log1p(-(2.0 ** (1 - S)))


def weissman_samples(S: int, A: int, accuracy: float, delta: float) -> int:
    """Return n_W, the samples of each pair after which all estimates are within `accuracy` in L1, with probability at least 1 - `delta`."""
    return _samples(_weissman_number(S, A, accuracy, delta))


def _weissman_number(S: int, A: int, accuracy: float, delta: float) -> float:
    """Return n_W before it is rounded up."""
    return 1.0 if S == 1 else 2 / accuracy**2 * (weissman_log(S) + math.log(S * A / delta))


def l1_accuracy(S: int, A: int, n: int, delta: float) -> float:
    """Return the L1 distance that no estimate from `n` samples exceeds, with probability at least 1 - `delta`."""
    return 0.0 if S == 1 else math.sqrt(2 * (weissman_log(S) + math.log(S * A / delta)) / n)


def _bernstein_number(S: int, A: int, epsilon: float, c_min: float, diameter: float, support: int, delta: float) -> float:
    r"""Return :math:`\iota \Gamma D / (c_{\min} r^*)`, the requirement of lemma A11, with :math:`\iota = \ln(2 S^2 A / \delta)`."""
    return math.log(2 * S * S * A / delta) * support * diameter / (c_min * _largest_ratio(epsilon / diameter))


def error_factor(c: float, r: float) -> float:
    r"""Return :math:`f_c(r) = (2 \sqrt r + c r) / (1 - 3 \sqrt r - c r)`, inf where the denominator is not positive."""
    below = 1 - 3 * math.sqrt(r) - c * r
    return (2 * math.sqrt(r) + c * r) / below if below > 0 else math.inf


def bernstein_factor(r: float) -> float:
    r"""Return :math:`\rho(r)`, with :math:`V^{\hat\pi} \le \rho(r) V^*` (A11)."""
    first = 1 + error_factor(2.63, r)
    return first * (1 + error_factor(1 / 3, r * first)) if first < math.inf else math.inf


@lru_cache(maxsize=256)
def _largest_ratio(relative: float) -> float:
    """Return the largest r with rho(r) - 1 <= `relative`, from below."""
    low, high = 0.0, 0.2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if bernstein_factor(middle) - 1 <= relative else (low, middle)
    return low


def _samples(number: float) -> int:
    """Round up to a number of samples."""
    if not number <= MOST:
        raise ValueError(f"requirement: the rule needs {number:.3g} samples of each pair, and at most 2^53 can be asked for")
    return max(1, math.ceil(number))


@kernel
def l1_width(counts: Any, n: int, iota: float) -> float:
    r"""Return :math:`\min_\lambda \sum_{s'} \max((1 + \lambda) u, (1 - \lambda) l)` over lambda = -1, -.9, ..., 1.

    The true law P is in Bernstein's intervals :math:`[\hat P - l, \hat P + u]`, and the entries of :math:`\hat P - P` add up to
    zero, so that this is at least :math:`\|\hat P - P\|_1` for every lambda.  Derived here; `counts` (S,) are of n >= 1 samples.
    """
    least = math.inf
    for step in range(-10, 11):
        total = 0.0
        for s in range(counts.shape[0]):
            p = counts[s] / n
            low, high = bernstein_interval(p, iota / n)
            total += max((1 + step / 10) * (high - p), (1 - step / 10) * (p - low))
        least = min(least, total)
    return least


class PairingRule(abc.ABC):
    """Base of the library's rules: frozen dataclasses of plain numbers, which demand the same of all pairs."""

    delta: float

    @abc.abstractmethod
    def levels(self, n_states: int, n_actions: int) -> np.ndarray:
        """Return the numbers of samples that it may demand of a pair, in increasing order, (L,) int64."""

    @abc.abstractmethod
    def requirements(self, N: np.ndarray) -> np.ndarray:
        """Return the samples wanted of each pair, (S, A) int64, at the transition counts `N` (S, A, S) of the first ones."""

    def most(self, problem: ContinuingMDP) -> int:
        """Return how many samples of a pair it demands at most; of the rules that go in rounds, unless their estimates fail."""
        return int(self.levels(problem.n_states, problem.n_actions)[-1])

    def accuracy_of(self, n: int, n_states: int, n_actions: int) -> float:
        """Return the L1 accuracy of its estimates once all is met, with at most `n` samples of a pair; inf: none is claimed."""
        return math.inf

    def entry_term(self, n: int, n_states: int, n_actions: int) -> float:
        r"""Return a, with :math:`|\hat P - P| \le \sqrt{2 P (1 - P) a} + a / 3` for every entry, on the event of `accuracy_of` or with it; inf: not claimed."""
        return math.inf


class FixedRule(PairingRule):
    """A rule with a single number of samples."""

    @abc.abstractmethod
    def samples(self, n_states: int, n_actions: int) -> int:
        """Return the number of samples of each pair."""

    def levels(self, n_states: int, n_actions: int) -> np.ndarray:
        return np.array([self.samples(n_states, n_actions)], np.int64)

    def requirements(self, N: np.ndarray) -> np.ndarray:
        return np.full(N.shape[:2], self.samples(*N.shape[:2]), np.int64)


@dataclasses.dataclass(frozen=True)
class Treasure(FixedRule):
    r"""Sparse reward discovery (TREASURE): see every reward that appears with probability at least `rho` at each visit of some pair.

    Parameters
    ----------
    rho : float in (0, 1]
        With 1, one visit of each pair is enough, and nothing is left to chance but the collection.
    delta : float in (0, 1)
        Failure probability: that a reward is missed.
    single : bool
        Whether at most one pair has a reward, so that no union over the pairs is needed.
    """

    rho: float = 1.0
    delta: float = 0.05
    single: bool = False

    def __post_init__(self) -> None:
        validate.real("rho", self.rho, 0, 1)
        if self.rho == 0:
            raise ValueError("rho: expected a number in (0, 1], got 0")
        _check_delta(self.delta)
        _check_flag("single", self.single)

    def samples(self, n_states: int, n_actions: int) -> int:
        if self.rho == 1:
            return 1
        pairs = 1 if self.single else n_states * n_actions
        return _samples(math.log(pairs / self.delta) / -math.log1p(-self.rho))


@dataclasses.dataclass(frozen=True)
class Modest(PairingRule):
    r"""Model estimation (MODEST): estimate all transition laws within `accuracy`.

    Parameters
    ----------
    accuracy : float in (0, 2)
        The largest L1 distance :math:`\|\hat P - P\|_1` (with `entrywise`, the largest error of an entry, below 1).
    delta : float in (0, 1)
        Failure probability of the estimates.
    entrywise : bool
        Hoeffding's inequality for each entry: :math:`\lceil \ln(2 S^2 A / \delta) / (2 \eta^2) \rceil` samples of each pair.
    adaptive : bool
        Stop sampling a pair as soon as Bernstein's intervals are narrow enough: the pair is looked at when it has
        :math:`\lceil n_W 64^{-(1 - j / J)} \rceil` samples, j = 1, ..., J = 48, with :math:`n_W(\eta, \delta / 2)` the last.
        It may cost up to 2 ln 2 / eta^2 samples of a pair more than the fixed number.
    """

    accuracy: float
    delta: float = 0.05
    entrywise: bool = False
    adaptive: bool = False

    def __post_init__(self) -> None:
        _check_flag("entrywise", self.entrywise)
        _check_flag("adaptive", self.adaptive)
        validate.real("accuracy", self.accuracy, 0, 1 if self.entrywise else 2, open_ends=True)
        _check_delta(self.delta)
        if self.entrywise and self.adaptive:
            raise ValueError("adaptive: expected False with entrywise, whose number of samples is fixed, got True")

    def levels(self, n_states: int, n_actions: int) -> np.ndarray:
        S, A = n_states, n_actions
        if S == 1:
            return np.ones(1, np.int64)
        if self.entrywise:
            return np.array([_samples(math.log(2 * S * S * A / self.delta) / (2 * self.accuracy**2))], np.int64)
        if not self.adaptive:
            return np.array([weissman_samples(S, A, self.accuracy, self.delta)], np.int64)
        last = weissman_samples(S, A, self.accuracy, self.delta / 2)
        return np.unique([min(last, math.ceil(last * FIRST_SHARE ** (j / GRID - 1))) for j in range(1, GRID)] + [last]).astype(np.int64)

    def requirements(self, N: np.ndarray) -> np.ndarray:
        (S, A), n, levels = N.shape[:2], N.sum(axis=-1), self.levels(*N.shape[:2])
        place = np.minimum(np.searchsorted(levels, n), len(levels) - 1)
        wanted = levels[place]
        for s, a in np.argwhere((n == wanted) & (place < len(levels) - 1)):
            if l1_width(N[s, a], n[s, a], self.log_term(S, A)) > self.accuracy:
                wanted[s, a] = levels[place[s, a] + 1]
        return wanted

    def log_term(self, n_states: int, n_actions: int) -> float:
        r"""Return :math:`\iota = \ln(4 S^2 A J / \delta)`, that of the intervals of an adaptive rule."""
        return math.log(4 * n_states**2 * n_actions * GRID / self.delta)

    def accuracy_of(self, n: int, n_states: int, n_actions: int) -> float:
        return self.accuracy * (n_states if self.entrywise else 1)


@dataclasses.dataclass(frozen=True)
class GoalFree(FixedRule):
    r"""Goal-free and cost-free exploration: afterwards, reach any goal at any costs in [`c_min`, 1] within `epsilon` of the least expected cost.

    The smaller of two numbers of samples, both known before the run: those of MODEST at accuracy
    :math:`c_{\min} \epsilon / (D (D + \epsilon))` (lemma A9), and those of Bernstein's inequality (lemma A11).

    Parameters
    ----------
    epsilon : float > 0
    c_min : float in (0, 1]
        The least cost.
    diameter : float >= 1
        An upper bound of the diameter D.
    support : int, optional
        An upper bound Gamma of the number of next states of a pair (default: all states).
    delta : float in (0, 1)
        Failure probability of the estimates.
    """

    epsilon: float
    c_min: float
    diameter: float
    support: int | None = None
    delta: float = 0.05

    def __post_init__(self) -> None:
        _check_positive("epsilon", self.epsilon)
        _check_cost(self.c_min)
        validate.real("diameter", self.diameter, 1)
        _check_support(self.support)
        _check_delta(self.delta)

    @property
    def l1(self) -> float:
        """The accuracy in L1 of the first number."""
        return min(self.c_min * self.epsilon / (self.diameter * (self.diameter + self.epsilon)), 2.0)

    def method(self, n_states: int, n_actions: int) -> str:
        """Return which number is the smaller one: "l1" (A9) or "bernstein" (A11)."""
        first, second = self._both(n_states, n_actions)
        return "l1" if first <= second else "bernstein"

    def samples(self, n_states: int, n_actions: int) -> int:
        return _samples(min(self._both(n_states, n_actions)))

    def _both(self, S: int, A: int) -> tuple[float, float]:
        first = _weissman_number(S, A, self.l1, self.delta)
        return first, _bernstein_number(S, A, self.epsilon, self.c_min, self.diameter, self.next_states(S), self.delta)

    def next_states(self, n_states: int) -> int:
        """Return Gamma."""
        return n_states if self.support is None else min(self.support, n_states)

    def log_term(self, n_states: int, n_actions: int) -> float:
        r"""Return :math:`\iota = \ln(2 S^2 A / \delta)`."""
        return math.log(2 * n_states**2 * n_actions / self.delta)

    def accuracy_of(self, n: int, n_states: int, n_actions: int) -> float:
        return l1_accuracy(n_states, n_actions, n, self.delta / 2)

    def entry_term(self, n: int, n_states: int, n_actions: int) -> float:
        return (self.log_term(n_states, n_actions) + math.log(2)) / n


@dataclasses.dataclass(frozen=True)
class ClippedGoalFree(FixedRule):
    r"""Goal-free exploration for costs that may be as small as 0: costs below :math:`\omega = \epsilon / (2 \theta D)` are raised to it.

    Afterwards, for any goal and costs in [0, 1], the policy costs at most `epsilon` more than any policy whose expected time to the
    goal is at most `slack` times the diameter.  It demands what `GoalFree` does for epsilon / 2 and the least cost omega.

    Parameters
    ----------
    epsilon : float > 0
        At most 2 `slack` `diameter`.
    diameter : float >= 1
        An upper bound of the diameter D.
    slack : float >= 1
        theta.
    support : int, optional
        An upper bound of the number of next states of a pair (default: all states).
    delta : float in (0, 1)
        Failure probability of the estimates.
    """

    epsilon: float
    diameter: float
    slack: float = 1.0
    support: int | None = None
    delta: float = 0.05

    def __post_init__(self) -> None:
        _check_positive("epsilon", self.epsilon)
        validate.real("diameter", self.diameter, 1)
        validate.real("slack", self.slack, 1)
        _check_support(self.support)
        _check_delta(self.delta)
        if self.floor > 1:
            raise ValueError(f"epsilon: expected at most 2 slack diameter = {2 * self.slack * self.diameter:g}, got {self.epsilon}")

    @property
    def floor(self) -> float:
        """The least cost omega after clipping."""
        return self.epsilon / (2 * self.slack * self.diameter)

    @property
    def clipped(self) -> GoalFree:
        """The rule for the clipped costs."""
        return GoalFree(self.epsilon / 2, self.floor, self.diameter, self.support, self.delta)

    def samples(self, n_states: int, n_actions: int) -> int:
        return self.clipped.samples(n_states, n_actions)

    def accuracy_of(self, n: int, n_states: int, n_actions: int) -> float:
        return self.clipped.accuracy_of(n, n_states, n_actions)

    def entry_term(self, n: int, n_states: int, n_actions: int) -> float:
        return self.clipped.entry_term(n, n_states, n_actions)


@dataclasses.dataclass(frozen=True)
class Discounted(FixedRule):
    r"""PAC discounted policies, reward-free: afterwards, for any rewards in [0, 1], act within `epsilon` of the optimal discounted value.

    MODEST at accuracy :math:`\epsilon (1 - \gamma)^2 / \gamma`.

    Parameters
    ----------
    epsilon : float > 0
    gamma : float in (0, 1)
        Discount factor.
    delta : float in (0, 1)
        Failure probability of the estimates.
    """

    epsilon: float
    gamma: float
    delta: float = 0.05

    def __post_init__(self) -> None:
        _check_positive("epsilon", self.epsilon)
        validate.real("gamma", self.gamma, 0, 1, open_ends=True)
        _check_delta(self.delta)

    @property
    def l1(self) -> float:
        """The accuracy in L1."""
        return min(self.epsilon * (1 - self.gamma) ** 2 / self.gamma, 2.0)

    def samples(self, n_states: int, n_actions: int) -> int:
        return weissman_samples(n_states, n_actions, self.l1, self.delta)

    def accuracy_of(self, n: int, n_states: int, n_actions: int) -> float:
        return self.l1


class RoundRule(PairingRule):
    r"""A rule that goes in rounds until the model is good enough.

    Round j = 1, 2, ... has the first :math:`n_W(2^{-j}, \delta / (j (j + 1)))` samples of each pair.
    """

    def levels(self, n_states: int, n_actions: int) -> np.ndarray:
        return np.array(_round_levels(n_states, n_actions, self.delta), np.int64)

    @abc.abstractmethod
    def satisfied(self, diameter: float, accuracy: float) -> bool:
        """Return whether an estimated model of this diameter and L1 accuracy is good enough."""

    def requirements(self, N: np.ndarray) -> np.ndarray:
        n, levels = N.sum(axis=-1), self.levels(*N.shape[:2])
        place = min(int(np.searchsorted(levels, n.max())), len(levels) - 1)
        if N.shape[0] > 1 and np.all(n == levels[place]):
            value, _ = diameter(N / n[..., None])
            if not self.satisfied(value, 2.0 ** -(place + 1)):
                if place + 1 == len(levels):
                    raise ValueError(f"requirement: {self} would need more than 2^53 samples of each pair")
                place += 1
        return np.full(n.shape, levels[place], np.int64)

    def most(self, problem: ContinuingMDP) -> int:
        levels, D = self.levels(problem.n_states, problem.n_actions), problem.diameter
        if problem.n_states == 1:
            return int(levels[0])
        for j, level in enumerate(levels, 1):  # the estimated diameter is at most D / (1 - eta D / 2), by A10
            x = 2.0**-j * D / 2
            if x < 1 and self.satisfied(D / (1 - x), 2.0**-j):
                return int(level)
        raise ValueError(f"requirement: {self} may need more than 2^53 samples of each pair at diameter {D:g}")

    def accuracy_of(self, n: int, n_states: int, n_actions: int) -> float:
        levels = self.levels(n_states, n_actions)
        return 2.0 ** -(int(np.searchsorted(levels, n)) + 1)


@lru_cache(maxsize=64)
def _round_levels(S: int, A: int, delta: float) -> tuple[int, ...]:
    """Return the samples of the rounds, all up to 2^53."""
    levels: list[int] = []
    for j in range(1, 60):
        try:
            level = weissman_samples(S, A, 2.0**-j, delta / (j * (j + 1)))
        except ValueError:
            break
        if not levels or level > levels[-1]:
            levels.append(level)
    return tuple(levels)


@dataclasses.dataclass(frozen=True)
class DiameterEstimate(RoundRule):
    r"""Diameter estimation: know the diameter up to a factor of 1 + `factor`, without any knowledge of it.

    Stops at the first round with :math:`\eta_j \hat D_j / 2 \le \varepsilon / (1 + \varepsilon)`, where :math:`\hat D_j` is the diameter of
    the estimated model.

    Parameters
    ----------
    factor : float > 0
        The accuracy :math:`\varepsilon` of the factor.
    delta : float in (0, 1)
        Failure probability of the estimates of all rounds.
    """

    factor: float
    delta: float = 0.05

    def __post_init__(self) -> None:
        _check_positive("factor", self.factor)
        _check_delta(self.delta)

    def satisfied(self, diameter: float, accuracy: float) -> bool:
        return accuracy * diameter / 2 <= self.factor / (1 + self.factor)


@dataclasses.dataclass(frozen=True)
class GoalFreeUnknownDiameter(RoundRule):
    r"""Goal-free and cost-free exploration as `GoalFree`, without any knowledge of the diameter.

    Stops at the first round with :math:`x = \eta_j \hat D_j / (2 c_{\min}) < 1` and :math:`\hat D_j \cdot 2 x / (1 - x^2) \le \epsilon`, where
    :math:`\hat D_j` is the diameter of the estimated model (lemma A9').

    Parameters
    ----------
    epsilon : float > 0
    c_min : float in (0, 1]
        The least cost.
    delta : float in (0, 1)
        Failure probability of the estimates of all rounds.
    """

    epsilon: float
    c_min: float
    delta: float = 0.05

    def __post_init__(self) -> None:
        _check_positive("epsilon", self.epsilon)
        _check_cost(self.c_min)
        _check_delta(self.delta)

    def satisfied(self, diameter: float, accuracy: float) -> bool:
        x = accuracy * diameter / (2 * self.c_min)
        return x < 1 and diameter * 2 * x / (1 - x * x) <= self.epsilon


@dataclasses.dataclass(frozen=True)
class MaurerPontil:
    r"""The textbook rule for model estimation within `accuracy` in L1, which `Modest(adaptive=True)` is compared with in a figure.

    One more sample of a pair while :math:`\sum_{s'} \sqrt{2 \hat P (1 - \hat P) \iota / (n - 1)} + 7 \iota / (3 (n - 1))` exceeds `accuracy`, with
    :math:`\iota = \ln(2 \pi^2 S^2 A n^2 / (3 \delta))` (Maurer and Pontil, "Empirical Bernstein bounds and sample variance
    penalization", COLT 2009, two-sided, with a union over n).  It uses all samples and is asked before every step, which is slow.

    Parameters
    ----------
    accuracy : float in (0, 2)
    delta : float in (0, 1)
    """

    accuracy: float
    delta: float = 0.05

    def __post_init__(self) -> None:
        validate.real("accuracy", self.accuracy, 0, 2, open_ends=True)
        _check_delta(self.delta)

    def requirements(self, N: np.ndarray) -> np.ndarray:
        """Return n where the width is small enough, n + 1 elsewhere, (S, A) int64."""
        (S, A), n = N.shape[:2], N.sum(axis=-1)
        m = np.maximum(n, 2)
        iota, p = np.log(2 * math.pi**2 * S * S * A * m**2.0 / (3 * self.delta)), N / m[..., None]
        width = np.sqrt(2 * p * (1 - p) * (iota / (m - 1))[..., None]).sum(axis=-1) + S * 7 * iota / (3 * (m - 1))
        return np.where((n >= 2) & (width <= self.accuracy), n, n + 1)


def _check_delta(delta: Any) -> None:
    validate.real("delta", delta, 0, 1, open_ends=True)


def _check_positive(name: str, value: Any) -> None:
    validate.real(name, value, 0, math.inf, open_ends=True)


def _check_cost(c_min: Any) -> None:
    if validate.real("c_min", c_min, 0, 1) == 0:
        raise ValueError("c_min: expected a number in (0, 1], got 0 (ClippedGoalFree is for costs that may vanish)")


def _check_support(support: Any) -> None:
    if support is not None:
        validate.integer("support", support, 1)


def _check_flag(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise TypeError(f"{name}: expected True or False, got {value!r}")
