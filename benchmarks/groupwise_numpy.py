"""Groupwise linear regression in plain NumPy, vectorised over the features, for the benchmark of the compiled learner.

Forward algorithm (Vovk, Azoury, Warmuth), lambda = 1, and AdaNormalHedge with the uniform prior, in the equations of
`theoryrl.algorithms.groupwise`; the three versions differ in how a group's learner solves its least squares.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from theoryrl.problems import RegressionStream


class Factor:
    """The recursion of the compiled learner: L D L' with the labels in a last row, updated by one sweep over the columns."""

    def __init__(self, d: int) -> None:
        self.factor, self.pivots = np.zeros((d, d + 1)), np.ones(d)

    def predict(self, x: np.ndarray) -> float:
        """Return the prediction at x."""
        d, w = len(x), x.copy()
        for k in range(d):
            w[k + 1 :] -= w[k] * self.factor[k, k + 1 : d]
        gamma = w @ (w / self.pivots)
        return float(w @ self.factor[:, d] / (1 + gamma))

    def update(self, x: np.ndarray, y: float) -> None:
        """Add a row."""
        w, alpha = np.append(x, y), 1.0
        for k in range(len(x)):
            p = w[k]
            pivot = self.pivots[k] + alpha * p * p
            beta = alpha * p / pivot
            alpha *= self.pivots[k] / pivot
            self.pivots[k] = pivot
            w[k + 1 :] -= p * self.factor[k, k + 1 :]
            self.factor[k, k + 1 :] += beta * w[k + 1 :]


class Inverse:
    """Sherman-Morrison: the fewest NumPy calls, and the least stable."""

    def __init__(self, d: int) -> None:
        self.P, self.b = np.eye(d), np.zeros(d)

    def predict(self, x: np.ndarray) -> float:
        """Return the prediction at x."""
        self.Px = self.P @ x
        self.gamma = x @ self.Px
        return float(self.Px @ self.b / (1 + self.gamma))

    def update(self, x: np.ndarray, y: float) -> None:
        """Add a row, which was predicted."""
        self.P -= np.outer(self.Px, self.Px) / (1 + self.gamma)
        self.b += y * x


class Solve:
    """A linear system in every round."""

    def __init__(self, d: int) -> None:
        self.A, self.b = np.eye(d), np.zeros(d)

    def predict(self, x: np.ndarray) -> float:
        """Return the prediction at x."""
        self.A += np.outer(x, x)
        return float(x @ np.linalg.solve(self.A, self.b))

    def update(self, x: np.ndarray, y: float) -> None:
        """Add a row, which was predicted."""
        self.b += y * x


def groupwise_regression(problem: RegressionStream, n: int, learner: Any) -> np.ndarray:
    """Play n rounds with a `learner(d)` a group and return R, the meta regret of each group."""
    low, high = problem.label_range
    learners = [learner(problem.dimension) for _ in range(problem.n_groups)]
    R, C = np.zeros(problem.n_groups), np.zeros(problem.n_groups)
    for x, y, mask in zip(problem.features[:n], problem.labels[:n], problem.groups[:n], strict=True):
        awake = np.flatnonzero(mask)
        if len(awake):
            proposals = np.clip([learners[g].predict(x) for g in awake], low, high)
            weights = anh_weights(R[awake], C[awake])
            p = weights / weights.sum() if weights.sum() > 0 else np.full(len(awake), 1 / len(awake))
            losses = (proposals - y) ** 2 / problem.loss_scale
            r = p @ losses - losses
            R[awake] += r
            C[awake] += np.abs(r)
            for g in awake:
                learners[g].update(x, y)
    return R


def anh_weights(R: np.ndarray, C: np.ndarray) -> np.ndarray:
    """Return (Phi(R + 1, C + 1) - Phi(R - 1, C + 1)) / 2."""
    a, b, k = np.maximum(R + 1, 0), np.maximum(R - 1, 0), 3 * (C + 1)
    weights: np.ndarray = np.exp(b * b / k) * np.expm1((a - b) * (a + b) / k) / 2
    return weights
