r"""What collected samples are good for: the estimated model, plans in it for any goal and costs, and what is certain of them.

On the event that the estimates are as accurate as the rule says, which has a probability of at least 1 - `delta`, all certificates
hold at once for all goals and costs (derived here; the lemmas' names are those of the proofs in `theoryrl.proofs.gosprl.pairings`).
"""

from __future__ import annotations

import dataclasses
import math
from functools import cached_property
from typing import Any

import numpy as np

from theoryrl import validate
from theoryrl.algorithms.gosprl.gosprl import GOSPRL
from theoryrl.algorithms.gosprl.rules import ClippedGoalFree, GoalFree, GoalFreeUnknownDiameter, PairingRule, Treasure, error_factor
from theoryrl.algorithms.run import Run
from theoryrl.planning.discounted import Discounted, discounted
from theoryrl.planning.shortest_path import diameter, shortest_path


@dataclasses.dataclass(frozen=True, eq=False)
class Certificate:
    """Two-sided bounds of the true values, read off the estimated model.

    Parameters
    ----------
    lemma : str
        "A9'" (accuracy in L1) or "A11" (Bernstein).
    lower : (S,) array
        At most the optimal values of the true model.
    upper : (S,) array
        At least the values of the plan's policy in the true model.
    """

    lemma: str
    lower: np.ndarray
    upper: np.ndarray

    @property
    def gap(self) -> float:
        """The largest loss of the plan's policy at any state."""
        return float((self.upper - self.lower).max())


def l1_certificate(values: np.ndarray, accuracy: float, c_min: float) -> Certificate | None:
    r"""Return lemma A9' for the optimal `values` (S,) of the estimated model, or None if it says nothing.

    With :math:`x = \eta \|\hat V^*\|_\infty / (2 c_{\min}) < 1`: :math:`\hat V^* / (1 + x) \le V^* \le V^{\hat\pi} \le \hat V^* / (1 - x)`.
    """
    x = accuracy * float(values.max()) / (2 * c_min)
    return Certificate("A9'", values / (1 + x), values / (1 - x)) if x < 1 else None


def bernstein_certificate(values: np.ndarray, term: float, support: int, c_min: float) -> Certificate | None:
    r"""Return lemma A11 for the optimal `values` (S,) of the estimated model, or None if it says nothing.

    With :math:`\hat r = a \Gamma \|\hat V^*\|_\infty / c_{\min}`: :math:`V^{\hat\pi} \le (1 + f_{1/3}(\hat r)) \hat V^*` and
    :math:`\hat V^* \le (1 + \frac{2 \sqrt{\hat r} + \hat r / 3}{1 - \sqrt{\hat r}}) V^*`.
    """
    r = term * support * float(values.max()) / c_min
    factor = error_factor(1 / 3, r)
    if not factor < math.inf:
        return None
    return Certificate("A11", values / (1 + (2 * math.sqrt(r) + r / 3) / (1 - math.sqrt(r))), values * (1 + factor))


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class GoalPlan:
    """The best policy for a goal and costs in the estimated model, with what is certain of it in the true one.

    Attributes
    ----------
    goal : int
    costs : (S, A) array
        The costs that were planned for, after clipping.
    policy : (S,) int64 array
    values : (S,) array
        Its expected costs in the estimated model; inf where it does not reach the goal surely.
    certificates : tuple of Certificate
        Those that say something, of these costs.
    """

    goal: int
    costs: np.ndarray
    policy: np.ndarray
    values: np.ndarray
    certificates: tuple[Certificate, ...]

    @property
    def certificate(self) -> Certificate | None:
        """The one with the smaller gap, None if there is none."""
        return min(self.certificates, key=lambda certificate: certificate.gap, default=None)

    def __repr__(self) -> str:
        best = self.certificate
        said = f"within {best.gap:.3g} of the least costs by {best.lemma}" if best else "no certificate: the estimates are too coarse for these costs"
        return f"<GoalPlan to state {self.goal}, largest cost {self.values.max():.6g}; {said}>"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class EstimatedModel:
    r"""Transition laws estimated from the first samples of each pair.

    Attributes
    ----------
    transition : (S, A, S) array
        The estimate :math:`\hat P`.
    samples : (S, A) int64 array
        From how many samples.
    accuracy : float
        :math:`\eta \ge \|\hat P - P\|_1` for all pairs; inf: not claimed.
    term : float
        a, with :math:`|\hat P - P| \le \sqrt{2 P (1 - P) a} + a / 3` for all entries; inf: not claimed.
    delta : float
        With what probability these two claims may fail, together.
    rule : PairingRule
        What the samples were collected for.
    """

    transition: np.ndarray
    samples: np.ndarray
    accuracy: float
    term: float
    delta: float
    rule: PairingRule

    def __repr__(self) -> str:
        return f"<EstimatedModel of {self.rule}: L1 accuracy {self.accuracy:.3g} with probability {1 - self.delta:g}>"

    @cached_property
    def diameter(self) -> float:
        """The diameter of the estimated model, inf if it is not communicating."""
        return diameter(self.transition)[0]

    @property
    def diameter_interval(self) -> tuple[float, float]:
        r"""The ends of :math:`\frac{\hat D}{1 + \eta \hat D / 2} \le D \le \frac{\hat D}{1 - \eta \hat D / 2}` (A10); the upper one may be inf."""
        if not self.diameter < math.inf:
            return 2 / self.accuracy if self.accuracy > 0 else math.inf, math.inf
        x = self.accuracy * self.diameter / 2
        return self.diameter / (1 + x), self.diameter / (1 - x) if x < 1 else math.inf

    def plan(self, goal: int, costs: Any = None) -> GoalPlan:
        """Return the best policy of the estimated model for a goal and costs.

        Parameters
        ----------
        goal : int
        costs : (S, A) array, optional
            Above 0 and at most 1 (default: all 1); at the goal nothing is paid.  Below the least cost that the rule was given
            it promises nothing, and a ValueError says so; after `ClippedGoalFree` costs may be 0, and are clipped.

        Raises
        ------
        ValueError, TypeError
            If an argument is out of range or of a wrong shape.
        """
        S, A = self.transition.shape[:2]
        goal = validate.integer("goal", goal, 0, S - 1)
        costs = np.array(validate.real_array("costs", np.ones((S, A)) if costs is None else costs, (S, A), 0, 1))
        if isinstance(self.rule, ClippedGoalFree):
            costs = np.maximum(costs, self.rule.floor)
        costs[goal] = np.maximum(costs[goal], 1e-300)  # nothing is paid there
        least = self.rule.c_min if isinstance(self.rule, (GoalFree, GoalFreeUnknownDiameter)) else 0.0
        paid = np.arange(S) != goal
        below = np.argwhere(((costs < least) | (costs <= 0)) & paid[:, None])
        if len(below):
            s, a = below[0]
            raise ValueError(f"costs[{s}, {a}]: expected a number above 0 and at least {least:g}, the least cost of {self.rule}, got {costs[s, a]:g}")
        values, policy = shortest_path(self.transition, costs, goal)
        found: list[Certificate | None] = []
        if S > 1 and values.max() < math.inf:
            c_min = float(costs[paid].min())
            found = [l1_certificate(values, self.accuracy, c_min), bernstein_certificate(values, self.term, self.support, c_min)]
        return GoalPlan(goal, costs, policy, values, tuple(certificate for certificate in found if certificate is not None))

    @property
    def support(self) -> int:
        """The upper bound Gamma of the number of next states that the rule knows."""
        rule, S = self.rule, len(self.transition)
        rule = rule.clipped if isinstance(rule, ClippedGoalFree) else rule
        return rule.next_states(S) if isinstance(rule, GoalFree) else S

    def discounted(self, rewards: Any, gamma: float) -> Discounted:
        """Return the optimal discounted values and policy of the estimated model for mean rewards (S, A) in [0, 1]; see `discounted_error`."""
        S, A = self.transition.shape[:2]
        return discounted(self.transition, validate.real_array("rewards", rewards, (S, A), 0, 1), gamma)

    def discounted_error(self, gamma: float) -> float:
        r"""Return :math:`\gamma \eta / (1 - \gamma)^2`, the most that the policy of `discounted` loses, for any rewards in [0, 1]."""
        validate.real("gamma", gamma, 0, 1, open_ends=True)
        return gamma * self.accuracy / (1 - gamma) ** 2


def estimated_model(run: Run) -> EstimatedModel:
    """Return the model that a finished run of GOSPRL with a rule of the library has collected samples for.

    Parameters
    ----------
    run : Run
        Of ``GOSPRL(rule)``, such as ``GOSPRL(Modest(.2)).run(problem, 10**6, seed=0)``, that has met its requirement.

    Raises
    ------
    TypeError
        If it is a run of something else, or of a rule that estimates no model.
    ValueError
        If samples are missing.
    """
    rule = run.algorithm.requirement if isinstance(run.algorithm, GOSPRL) else None
    if not isinstance(rule, PairingRule) or isinstance(rule, Treasure):
        raise TypeError(f"run: expected a run of GOSPRL with a rule that estimates the model, got one of {run.algorithm}")
    if not run.stopped:
        raise ValueError(f"run: its requirement is not met yet: {run!r}")
    return model_of(rule, run.output)


def model_of(rule: PairingRule, N: np.ndarray) -> EstimatedModel:
    """Return the model estimated from the transition counts (S, A, S) of the first samples, as many as `rule` demands at last."""
    n, (S, A) = N.sum(axis=-1), N.shape[:2]
    most = int(n.max())
    return EstimatedModel(N / n[..., None], n, rule.accuracy_of(most, S, A), rule.entry_term(most, S, A), rule.delta, rule)
