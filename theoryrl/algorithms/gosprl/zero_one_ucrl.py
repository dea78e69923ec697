r"""0/1-UCRL: a peer of GOSPRL that is UCRL2 with reward one at the pairs that are still unmet.

Named as a peer by J. Tarbouriech et al., NeurIPS 2021; the details, recalled or decided here, are the ones below.  It has no theorem.

1. After t steps, with n visits of a pair: frequencies, uniform if n = 0, and the L1 radius
   :math:`\min(2, \sqrt{14 S \ln(2 A \max(t, 1) / \delta) / \max(1, n)})`.
2. Extended value iteration, half-lazy, from u = 0: :math:`u' = (u + Lu) / 2`,
   :math:`(Lu)(s) = \max_a 1[n < b] + \max_q q u`, until the span of u' - u is below :math:`1 / (2 \sqrt{\max(t, 1)})`, or for 20000
   sweeps; each time the least value is subtracted.
3. Play the greedy policy of the last sweep, the first of equal actions, until a pair has as many visits in the phase as
   before it, or one if there was none, or becomes met.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from theoryrl import validate
from theoryrl.algorithms.gosprl.peers import CLOCK, ENDLESS, PLANS, Collector
from theoryrl.algorithms.run import State
from theoryrl.jit import kernel
from theoryrl.planning.arrays import expectation
from theoryrl.planning.l1_ball import sort_states
from theoryrl.planning.optimistic import least_l1
from theoryrl.problems.continuing import ContinuingMDP

MOST_SWEEPS = 20_000
MARGIN = 1e-12
"""By how much actions may differ that count as equal: where nothing is known they are, up to round-off."""


@kernel
def estimate(transitions: Any, visits: Any, demand: Any, factor: float, p: Any, p_next_first: Any, half: Any, reward: Any) -> None:
    """Line 1, with half the radius, and the reward; `factor` is the square of the radius after one visit."""
    rows, S = transitions.shape
    for row in range(rows):
        n = visits[row]
        half[row] = min(1.0, math.sqrt(factor / max(1, n)) / 2)
        reward[row] = 1.0 if n < demand[row] else 0.0
        for s2 in range(S):
            p[row, s2] = transitions[row, s2] / n if n > 0 else 1 / S
            p_next_first[s2, row] = p[row, s2]


@kernel
def half_lazy_iteration(
    p: Any, p_next_first: Any, half: Any, reward: Any, precision: float, u: Any, policy: Any, u_next: Any, Q: Any, order: Any
) -> int:  # fmt: skip
    """Line 2, with the policy; return the number of sweeps.

    `u` ends as the values of the last sweep's end, with least entry 0.
    """
    S = u.shape[0]
    A = half.shape[0] // S
    u[:] = 0.0
    for s in range(S):
        order[s] = s
    for sweep in range(1, MOST_SWEEPS + 1):
        sort_states(u, order, True)
        expectation(p_next_first, u, Q)
        low, high, least = math.inf, -math.inf, math.inf
        for s in range(S):
            best = -math.inf
            for row in range(s * A, s * A + A):
                Q[row] = reward[row] + least_l1(Q[row], p[row], half[row], order, u)  # the largest, as `order` is descending
                best = max(best, Q[row])
            a = 0
            while Q[s * A + a] < best - MARGIN:
                a += 1
            policy[s] = a
            u_next[s] = (u[s] + best) / 2
            low, high, least = min(low, u_next[s] - u[s]), max(high, u_next[s] - u[s]), min(least, u_next[s])
        for s in range(S):
            u[s] = u_next[s] - least
        if high - low < precision:
            return sweep
    return MOST_SWEEPS


@dataclasses.dataclass(frozen=True, repr=False)
class ZeroOneUCRL(Collector):
    r"""Collect by UCRL2, whose reward is one at the pairs that are unmet and moves as they become met.

    It plays its policy also in unmet states, so that it need not take what is there.

    Parameters
    ----------
    requirement : int or (S, A) array of int
        Samples wanted of each pair; a number stands for all pairs.
    delta : float in (0, 1)
        In the radius.
    scale : float >= 0
        Ours: a factor of the radius (before it is cut off at 2); 1 is UCRL2's.

    Raises
    ------
    ValueError, TypeError
        On a parameter out of range or a rule, and at the start of a run on an MDP that is not communicating or does not fit
        the requirement.
    """

    delta: float = 0.1
    scale: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        validate.real("delta", self.delta, 0, 1, open_ends=True)
        validate.real("scale", self.scale, 0)

    def start(self, problem: ContinuingMDP, n: int, rng: np.random.Generator) -> State:
        """Return the state before the first step."""
        return super().start(problem, n, rng) | {"values": np.zeros(problem.n_states)}

    def plan(self, problem: ContinuingMDP, state: State) -> int:
        """Lines 1 and 2, and the limits of line 3."""
        S, A, visits, demand = problem.n_states, problem.n_actions, state["visits"], state["demand"]
        t = max(int(state["progress"][CLOCK]), 1)
        p, p_next_first, half, reward = np.zeros((S * A, S)), np.zeros((S, S * A)), np.zeros(S * A), np.zeros(S * A)
        estimate(state["transitions"], visits, demand, self.scale**2 * 14 * S * math.log(2 * A * t / self.delta), p, p_next_first, half, reward)
        scratch = np.zeros(S), np.zeros(S * A), np.zeros(S, np.int64)
        half_lazy_iteration(p, p_next_first, half, reward, 0.5 / math.sqrt(t), state["values"], state["policy"], *scratch)
        doubled = visits + np.maximum(visits, 1)
        state["limit"][:] = np.where(visits < demand, np.minimum(doubled, demand), doubled)
        state["progress"][PLANS] += 1
        return ENDLESS
