r"""The numbers that the theorem about UCRL2 brings, at a known horizon T; derived in theoryrl.

The learner computes its confidence sets without this file; the trace and the proof compare it with these numbers.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from theoryrl.jit import kernel
from theoryrl.problems.continuing import ContinuingMDP

GROWTH = 1 + math.sqrt(2)
r"""Sums of 1 / sqrt(n) along phases that at most double n are at most this times sqrt(n)."""


@kernel
def radii(explicit: bool, n: Any, t: Any, S: int, row_log: float, reward_log: float) -> tuple[float, float]:
    """Return the radii d_p (L1) and d_r after n >= 1 visits of a pair, in the phase that begins with step t.

    `row_log` and `reward_log` are `Theory.logs`.
    """
    if explicit:
        growing = math.log(n) + math.log(n + 1)
        return math.sqrt(2 * (S * math.log(2) + row_log + growing) / n), math.sqrt((reward_log + growing) / (2 * n))
    return math.sqrt(14 * S * (row_log + math.log(t)) / n), math.sqrt(7 * (reward_log + math.log(t)) / (2 * n))


@dataclasses.dataclass(frozen=True)
class Theory:
    """The constants of Theorem R at one horizon.

    Parameters
    ----------
    explicit : bool
        Whether the radii are those derived here; else the paper's.
    before : bool
        Whether the test that ends a phase is made before the action, as in the paper.
    known_rewards : bool
    delta : float
    T : int
        Number of steps at which the log terms and lambda are fixed.
    S, A : int
    D : float
        Diameter.
    """

    explicit: bool
    before: bool
    known_rewards: bool
    delta: float
    T: int
    S: int
    A: int
    D: float

    @property
    def pairs(self) -> int:
        """Number of pairs (s, a)."""
        return self.S * self.A

    @property
    def logs(self) -> tuple[float, float]:
        """The part of the log terms of rows and of rewards that does not grow in a run."""
        if self.explicit:
            return (math.log(6 * self.pairs / self.delta),) * 2
        return math.log(2 * self.A / self.delta), math.log(2 * self.pairs / self.delta)

    @property
    def set_failure(self) -> float:
        """Bound of the probability that the true model is ever outside a confidence set."""
        return self.delta * (0.5 if self.explicit else 0.07)

    @property
    def widths(self) -> tuple[float, float]:
        r"""Widths :math:`2 d_r \sqrt n` and :math:`d_p \sqrt n` at the horizon, the largest ones."""
        row_radius, reward_radius = radii(self.explicit, self.T, self.T, self.S, *self.logs)
        root = math.sqrt(self.T)
        return 0.0 if self.known_rewards else 2 * reward_radius * root, row_radius * root

    @property
    def azuma(self) -> tuple[float, float]:
        """Slope per step and offset of the Azuma bound at lambda = sqrt(8 ln(2 / delta) / T) / D; zeros where D = 0."""
        if self.D == 0:
            return 0.0, 0.0
        iota = math.log(2 / self.delta)
        rate = math.sqrt(8 * iota / self.T) / self.D
        return rate / 8 * self.D**2, iota / rate

    def most_phases(self, t: Any) -> Any:
        """Return 1 + m(t), which no number of phases within t >= 1 steps exceeds."""
        t = np.asarray(t, dtype=float)
        j = np.minimum(self.pairs, 2 * t / math.e)
        return 1 + j * (1 + np.log2(t / j))

    def precision(self, t: Any) -> Any:
        """Return the bound of the sum of the precisions of the plans over t steps."""
        return GROWTH * np.sqrt((self.pairs if self.before else 1) * np.asarray(t, dtype=float))

    def bound(self, t: Any) -> Any:
        """The last line of the proof after t steps; at t = T the theorem's bound."""
        t = np.asarray(t, dtype=float)
        reward_width, row_width = self.widths
        slope, offset = self.azuma
        widths = GROWTH * (reward_width + self.D * row_width) * np.sqrt(self.pairs * t)
        return self.precision(t) + widths + slope * t + offset + self.D * self.most_phases(t)


def ucrl2_theory(variant: str, rule: str, known_rewards: bool, delta: float, problem: ContinuingMDP, n: int) -> Theory:
    """Return the constants for a run of `n` steps."""
    return Theory(variant == "explicit", rule == "before", known_rewards, delta, n, problem.n_states, problem.n_actions, problem.diameter)
