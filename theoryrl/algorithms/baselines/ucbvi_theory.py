r"""The numbers that the theorems about UCBVI bring: log terms, widths and deterministic sums, at a known horizon K.

The learner computes its bonuses without this file; the trace and the proofs compare it with these numbers.
Derived in theoryrl; stages h = 1, ..., H, caps :math:`C_h = C_{h+1} + \max r_h`, :math:`C_{H+1} = 0`.
"""

from __future__ import annotations

import dataclasses
import math
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from theoryrl.estimation.supermartingale import best_supermartingale_bound, supermartingale_bound
from theoryrl.problems.episodic import EpisodicMDP

HOEFFDING, BERNSTEIN, PRINTED = range(3)  # shapes of the bonus; PRINTED: the Bernstein bonus of the paper
C1, C2 = 2.6, 6.8  # of the Bernstein bonus: c2 >= c1^2 makes it monotone, max(c1 t, c2) >= sqrt(2) t + 3 makes it cover


@dataclasses.dataclass(frozen=True)
class Theory:
    """The constants of one theorem at one horizon.

    Parameters
    ----------
    variant : {"hoeffding", "bernstein", "hoeffding-paper", "bernstein-paper"}
    pooled : bool
        Whether counts are pooled over the stages.
    delta : float
    K : int
        Number of episodes at which the log terms and y are fixed.
    S, A, H : int
    support : int
        Gamma, the largest number of next states of a pair.
    caps : tuple of float
        C, H + 1 numbers: `EpisodicMDP.value_caps`.
    """

    variant: str
    pooled: bool
    delta: float
    K: int
    S: int
    A: int
    H: int
    support: int
    caps: tuple[float, ...]

    @property
    def printed(self) -> bool:
        """Whether the variant is the paper's, with cap H at every stage and a bonus at the last one."""
        return self.variant.endswith("-paper")

    @property
    def bernstein(self) -> bool:
        """Whether the proof is that of Theorem U-B."""
        return self.variant == "bernstein"

    @cached_property
    def x(self) -> float:
        """Log term of the event: the union bound over pairs, stages and sample sizes."""
        S, A, H, K = self.S, self.A, self.H, self.K
        if self.bernstein:
            return math.log(2 * S * A * (3 * (H - 1) + 2 * S) * K * H / self.delta if self.pooled else 2 * S * A * max(H - 1, 1) * (3 + 2 * S) * K / self.delta)
        return math.log(2 * S * A * H * K * H / self.delta if self.pooled else 4 * S * A * max(H - 1, 1) * K / self.delta)

    @cached_property
    def paper_log(self) -> float:
        """L = ln(5 S A K H / delta), the logarithm of the paper's bonuses."""
        return math.log(5 * self.S * self.A * self.K * self.H / self.delta)

    @property
    def iota(self) -> float:
        """Log of the inverse failure probability of the supermartingale event, ln(2 / delta)."""
        return math.log(2 / self.delta)

    @cached_property
    def stage_caps(self) -> np.ndarray:
        """Caps of the widths: C_{h+1} at index h - 1, or H at every stage for the paper's variants, an (H,) array."""
        return np.full(self.H, float(self.H)) if self.printed else np.array(self.caps[1:], dtype=float)

    @cached_property
    def root_widths(self) -> np.ndarray:
        r"""Widths times :math:`\sqrt n` on the event, (H,): :math:`a C_{h+1}`, or :math:`7HL + 1\{h < H\} H \sqrt{(S \ln 2 + x) / 2}` for "hoeffding-paper"."""
        if self.printed:
            return 7 * self.H * self.paper_log + self.H * self.weissman * (np.arange(self.H) < self.H - 1)
        return (math.sqrt(self.x / 2) + self.weissman) * self.stage_caps

    @property
    def weissman(self) -> float:
        r"""Half the L1 radius of a row times :math:`\sqrt n`."""
        return math.sqrt((self.S * math.log(2) + self.x) / 2)

    @property
    def a1(self) -> float:
        """Factor of the variance in the Bernstein width."""
        return C1 + math.sqrt(2 * self.support)

    @property
    def a2(self) -> float:
        """Factor of x / n in the Bernstein width."""
        return max(C2, C1 * math.sqrt(self.support / 2)) + self.support / 3

    @property
    def largest(self) -> float:
        """B: the largest sum of widths of an episode (Bernstein: of 1 / n, H - 1)."""
        if self.bernstein:
            return float(self.H - 1)
        return float(self.stage_caps.sum())

    def total(self, k: Any) -> Any:
        """D_k (Bernstein: Lambda_k), the largest possible realised sum of widths (of 1 / n) after k episodes."""
        k = np.asarray(k, dtype=float)
        S, A, H = self.S, self.A, self.H
        if self.bernstein:
            if self.pooled:
                return S * A * (2 + H + np.log(np.maximum(k * (H - 1) / (S * A), 1)))
            return S * A * (H - 1) * (2 + np.log(np.maximum(k / (S * A), 1)))
        if self.printed:
            return (7 * H * self.paper_log + H * self.weissman) * (2 * np.sqrt(S * A * k * H) + S * A * H)
        if self.pooled:
            return self.root_widths[0] * (2 * np.sqrt(S * A * k * (H - 1)) + S * A * H)
        return 2 * self.root_widths.sum() * np.sqrt(S * A * k)

    @cached_property
    def y(self) -> float:
        """The minimising y of the supermartingale bound at K, a number known before the run."""
        return best_supermartingale_bound(float(self.total(self.K)), self.largest, self.iota)[1]

    def phi(self, total: Any) -> Any:
        r""":math:`\varphi_y(\mathrm{total}, B)`."""
        return supermartingale_bound(self.y, total, self.largest, self.iota)

    def bound(self, k: Any) -> Any:
        """The last line of the proof after k episodes; at k = K the theorem's bound."""
        return self.root(k) if self.bernstein else self.phi(self.total(k))

    def cauchy(self, variance: Any, over_n: Any) -> Any:
        r"""The Bernstein widths by Cauchy-Schwarz: :math:`a_1 \sqrt{x Y N} + a_2 x C_2 N`."""
        return self.a1 * np.sqrt(self.x * variance * over_n) + self.a2 * self.x * self.caps[1] * over_n

    def variance(self, k: Any, widths: Any) -> Any:
        """Bound the sum of variances along the plans by 2 C_1^2 k + 2 C_1 times the widths."""
        return 2 * self.caps[0] ** 2 * np.asarray(k) + 2 * self.caps[0] * widths

    def root(self, k: Any) -> Any:
        r"""R_*: the larger root of :math:`R = \beta \sqrt{2 C_1^2 k + 2 C_1 R} + c_0` at :math:`N = \varphi_y(\Lambda_k, H - 1)`."""
        over_n = self.phi(self.total(k))
        beta2 = self.a1**2 * self.x * over_n
        c0 = self.a2 * self.x * self.caps[1] * over_n
        first = self.caps[0]
        p, q = 2 * c0 + 2 * first * beta2, c0**2 - 2 * beta2 * first**2 * np.asarray(k, dtype=float)
        return (p + np.sqrt(p * p - 4 * q)) / 2


def ucbvi_theory(variant: str, counts: str, delta: float, problem: EpisodicMDP, n: int) -> Theory:
    """Return the constants for a run of `n` episodes."""
    caps = tuple(float(c) for c in problem.value_caps)
    return _remembered(variant, counts == "pooled", delta, n, problem.n_states, problem.n_actions, problem.horizon, problem.support, caps)


_remembered = lru_cache(maxsize=256)(Theory)  # a traced run asks at every chunk, and the search for y takes as long as thousands of episodes
