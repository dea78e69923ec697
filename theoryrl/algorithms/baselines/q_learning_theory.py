r"""The numbers that the theorem about optimistic Q-learning brings, at a known horizon K; derived in theoryrl.

The learner computes its bonuses without this file; the trace and the proof compare it with these numbers.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from theoryrl.problems.episodic import EpisodicMDP


@dataclasses.dataclass(frozen=True)
class Theory:
    """The constants of Theorem Q at one horizon.

    Parameters
    ----------
    printed : bool
        Whether the bonus is the paper's.
    c : float
        Its constant.
    delta : float
    K : int
        Number of episodes at which the log terms and lambda are fixed.
    S, A, H : int
    caps : tuple of float
        C, H + 1 numbers: `EpisodicMDP.value_caps`.
    """

    printed: bool
    c: float
    delta: float
    K: int
    S: int
    A: int
    H: int
    caps: tuple[float, ...]

    @property
    def x(self) -> float:
        """Log term of the event: two sides, pairs, stages h < H and sample sizes."""
        return math.log(4 * self.S * self.A * max(self.H - 1, 1) * self.K / self.delta)

    @property
    def paper_log(self) -> float:
        """The paper's iota, ln(S A K H / delta)."""
        return math.log(self.S * self.A * self.K * self.H / self.delta)

    @property
    def c_H(self) -> float:
        r"""The smallest constant with :math:`\sum_i (\alpha_t^i)^2 \le c_H / t` for every t: (H + 1)^2 / (2H + 1)."""
        return (self.H + 1) ** 2 / (2 * self.H + 1)

    @property
    def noise_widths(self) -> np.ndarray:
        r"""Widths e_t of the noise times :math:`\sqrt t`, (H,): :math:`C_{h+1} \sqrt{c_H x / 2}`."""
        return np.array(self.caps[1:], dtype=float) * math.sqrt(self.c_H * self.x / 2)

    @property
    def bonus_widths(self) -> np.ndarray:
        r"""Bonuses times :math:`\sqrt t`, (H,)."""
        return np.full(self.H, self.c * math.sqrt(self.H**3 * self.paper_log)) if self.printed else self.noise_widths

    @property
    def first(self) -> np.ndarray:
        """What an unvisited pair costs, (H,): C_h, or H with the paper's tables."""
        return np.full(self.H, float(self.H)) if self.printed else np.array(self.caps[:-1], dtype=float)

    @property
    def rho(self) -> np.ndarray:
        """(1 + 1 / H)^{h - 1}, (H,)."""
        return (1 + 1 / self.H) ** np.arange(self.H)

    @property
    def squares(self) -> float:
        """W, the sum of rho_h^2 C_{h+1}^2."""
        return float(np.sum((self.rho * np.array(self.caps[1:])) ** 2))

    @property
    def azuma(self) -> tuple[float, float]:
        """Slope per episode and offset of the Azuma bound at lambda = sqrt(8 ln(2 / delta) / (K W)); zeros where W = 0."""
        if self.squares == 0:
            return 0.0, 0.0
        iota = math.log(2 / self.delta)
        rate = math.sqrt(8 * iota / (self.K * self.squares))
        return rate / 8 * self.squares, iota / rate

    def bound(self, k: Any) -> Any:
        """The last line of the proof after k episodes; at k = K the theorem's bound."""
        k = np.asarray(k, dtype=float)
        pairs = self.S * self.A
        unvisited = float(np.sum(self.rho * self.first)) * pairs
        widths = 2 * float(np.sum(self.rho * (2 * self.bonus_widths + self.noise_widths)))
        slope, offset = self.azuma
        return unvisited + widths * np.sqrt(pairs * k) + slope * k + offset


def q_learning_theory(variant: str, c: float, delta: float, problem: EpisodicMDP, n: int) -> Theory:
    """Return the constants for a run of `n` episodes."""
    caps = tuple(float(cap) for cap in problem.value_caps)
    return Theory(variant == "hoeffding-paper", c, delta, n, problem.n_states, problem.n_actions, problem.horizon, caps)
