r"""Frank-Wolfe exploration: peers of GOSPRL that steer the frequencies of pairs towards the maximum of a concave objective.

Objectives and phase lengths follow (recalled) J. Tarbouriech and A. Lazaric, "Active exploration in Markov decision processes"
(arXiv 1902.11199), and J. Tarbouriech et al., "Active model estimation in Markov decision processes" (arXiv 2003.03297); smoothing
and solver are decided here.  No peer has a theorem.

Phase k = 1, 2, ..., with n visits of a pair, N transition counts and t steps made before:

1. :math:`\lambda = (n + 1) / (t + S A)`, :math:`\hat P = (N + 1/S) / (n + 1)`.
2. The reward is the gradient at lambda, from which its minimum is subtracted, and then divided by its maximum unless that is 0:
   - weighted MaxEnt, :math:`-\sum w \lambda \ln \lambda`: :math:`r = -w (1 + \ln \lambda)`;
   - FW-AME, :math:`-\sum F / \sqrt\lambda`: :math:`r = F / \lambda^{3/2}` (half of it is the gradient), where
     :math:`F(s, a) = \sum_{s'} \min\{1/2, \sqrt{\hat p (1 - \hat p)} + \kappa \sqrt{2 \ln(2 S^2 A \max(t, 1) / \delta) / \max(1, n - 1)}\}`
     with the frequencies p_hat = N / n, and is S / 2 without samples.
3. Relative value iteration from h = 0: h' = (h + Lh) / 2, less h'(0), until the span of the increment is below 1e-3, or for
   10000 sweeps; the greedy policy of the last sweep, the first of actions that are equal up to 1e-12.
4. Play it for S (3 k^2 - 3 k + 1) steps.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from theoryrl import validate
from theoryrl.algorithms.gosprl.peers import CLOCK, PLANS, Collector, Walker, model_error
from theoryrl.algorithms.run import State, Trace
from theoryrl.jit import kernel
from theoryrl.planning.arrays import expectation
from theoryrl.problems.continuing import ContinuingMDP

MOST_SWEEPS = 10_000
SPAN = 1e-3
MARGIN = 1e-12


@kernel
def relative_value_iteration(p_next_first: Any, reward: Any, h: Any, policy: Any, Q: Any, h_next: Any) -> int:
    """Line 3; return the number of sweeps."""
    S = h.shape[0]
    A = reward.shape[0] // S
    h[:] = 0.0
    for sweep in range(1, MOST_SWEEPS + 1):
        expectation(p_next_first, h, Q)
        low, high = math.inf, -math.inf
        for s in range(S):
            best = -math.inf
            for row in range(s * A, s * A + A):
                Q[row] += reward[row]
                best = max(best, Q[row])
            a = 0
            while Q[s * A + a] < best - MARGIN:
                a += 1
            policy[s] = a
            h_next[s] = (h[s] + best) / 2
            low, high = min(low, h_next[s] - h[s]), max(high, h_next[s] - h[s])
        first = h_next[0]
        for s in range(S):
            h[s] = h_next[s] - first
        if high - low < SPAN:
            return sweep
    return MOST_SWEEPS


def begin_phase(problem: ContinuingMDP, state: State, reward: np.ndarray) -> int:
    """Lines 2 to 4, for a gradient (S A,); return the length of the phase."""
    S, N, progress = problem.n_states, state["transitions"], state["progress"]
    reward = reward - reward.min()
    if reward.max() > 0:
        reward = reward / reward.max()
    p_next_first = np.ascontiguousarray(((N + 1 / S) / (state["visits"] + 1)[:, None]).T)
    relative_value_iteration(p_next_first, reward, state["values"], state["policy"], np.zeros(len(N)), np.zeros(S))
    progress[PLANS] += 1
    k = int(progress[PLANS])
    return S * (3 * k * k - 3 * k + 1)


def frequencies(state: State) -> np.ndarray:
    """Line 1: the smoothed frequencies of pairs, (S A,)."""
    return (state["visits"] + 1) / (state["progress"][CLOCK] + len(state["visits"]))


def entropy_gradient(weight: np.ndarray, frequency: np.ndarray) -> np.ndarray:
    """Line 2, weighted MaxEnt."""
    return -weight * (1 + np.log(frequency))


def deviations(state: State, confidence: float, delta: float) -> np.ndarray:
    """Line 2: F, (S A,)."""
    N, n = state["transitions"], state["visits"][:, None]
    rows, S = N.shape
    p = np.where(n > 0, N / np.maximum(n, 1), 0.5)
    width = np.sqrt(2 * math.log(2 * S * rows * max(int(state["progress"][CLOCK]), 1) / delta) / np.maximum(1, n - 1))
    return np.minimum(0.5, np.sqrt(p * (1 - p)) + confidence * width).sum(axis=1)


@dataclasses.dataclass(frozen=True, repr=False)
class MaxEntCollection(Collector):
    """Collect by weighted MaxEnt: maximise the entropy of the frequencies of pairs, each term weighted by the samples wanted.

    Parameters
    ----------
    requirement : int or (S, A) array of int
        Samples wanted of each pair; a number stands for all pairs.

    Raises
    ------
    ValueError, TypeError
        If it is out of range or a rule, and at the start of a run on an MDP that is not communicating or does not fit it.
    """

    replans_at_limits = False

    def start(self, problem: ContinuingMDP, n: int, rng: np.random.Generator) -> State:
        """Return the state before the first step."""
        return super().start(problem, n, rng) | {"values": np.zeros(problem.n_states)}

    def plan(self, problem: ContinuingMDP, state: State) -> int:
        """Lines 1 to 4."""
        weight = state["demand"] / state["demand"].sum(dtype=float)
        return begin_phase(problem, state, entropy_gradient(weight, frequencies(state)))


@dataclasses.dataclass(frozen=True, repr=False)
class Estimator(Walker):
    """Base of the peers that estimate the model; they go on as long as one wants."""

    confidence: float = 1.0
    delta: float = 0.1

    def __post_init__(self) -> None:
        validate.real("confidence", self.confidence, 0)
        validate.real("delta", self.delta, 0, 1, open_ends=True)

    def start(self, problem: ContinuingMDP, n: int, rng: np.random.Generator) -> State:
        """Return the state before the first step."""
        return super().start(problem, n, rng) | {"values": np.zeros(problem.n_states)}

    def measure(self, problem: ContinuingMDP, state: State, trace: Trace) -> dict[str, Any]:
        """Return the model error and the number of phases."""
        return {"model_error": model_error(self.output(problem, state), problem.transition), "plans": state["progress"][PLANS]}


@dataclasses.dataclass(frozen=True, repr=False)
class MaxEntEstimation(Estimator):
    r"""Estimate the model by weighted MaxEnt: maximise the entropy of the frequencies of pairs, each term weighted by its share of F.

    Parameters
    ----------
    confidence : float >= 0
        The factor kappa of the confidence term in F: 1 in theory, 0 for the plug-in.  If F is zero everywhere (plug-in, and all
        pairs seem deterministic) there is no reward and the first actions are played.
    delta : float in (0, 1)
        In the confidence term.

    Raises
    ------
    ValueError, TypeError
        On a parameter out of range, and at the start of a run on an MDP that is not communicating.
    """

    def plan(self, problem: ContinuingMDP, state: State) -> int:
        """Lines 1 to 4."""
        F = deviations(state, self.confidence, self.delta)
        total = F.sum()
        return begin_phase(problem, state, entropy_gradient(F / total if total > 0 else F, frequencies(state)))


@dataclasses.dataclass(frozen=True, repr=False)
class FrankWolfeEstimation(Estimator):
    r"""FW-AME: estimate the model by steering the frequencies of pairs towards the least of :math:`\sum F / \sqrt\lambda`.

    Parameters
    ----------
    confidence : float >= 0
        The factor kappa of the confidence term in F: 1 in theory, 0 for the plug-in, which never looks again at pairs that
        seem deterministic.
    delta : float in (0, 1)
        In the confidence term.

    Raises
    ------
    ValueError, TypeError
        On a parameter out of range, and at the start of a run on an MDP that is not communicating.
    """

    def plan(self, problem: ContinuingMDP, state: State) -> int:
        """Lines 1 to 4."""
        return begin_phase(problem, state, deviations(state, self.confidence, self.delta) / frequencies(state) ** 1.5)
