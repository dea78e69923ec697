"""Online linear regression as the learner of each group: Vovk-Azoury-Warmuth, ridge and gradient descent.

A_n = lam I + sum of x x', b_n = sum of y x over the learner's own rounds.  The default solver keeps A = L D L' with L unit
lower triangular, and one more row for the labels, whose entries are (L^-1 b)_k / d_k and whose pivot is the ridge optimum.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from theoryrl.algorithms.groupwise.meta import PLAYED, anybody, keep, mix, score
from theoryrl.jit import kernel, record

BASES = ("vaw", "ridge", "ogd")
VAW, RIDGE, OGD = range(len(BASES))
SOLVERS = ("cholesky", "sherman_morrison")
CHOLESKY, SHERMAN_MORRISON = range(len(SOLVERS))

TOTALS = ("y2h", "yhat2gamma", "logdet", "h_residual", "h_sum", "y2_sum", "x2", "y2", "unclipped_loss", "clipped")  # one entry a group, unscaled
(Y2H, YHAT2GAMMA, LOGDET, H_RESIDUAL, H_SUM, Y2_SUM, X2, Y2, UNCLIPPED, CLIPPED) = range(len(TOTALS))

Learners = record(__name__, "Learners", "factor pivots target squares totals forward guess gamma proposals")
Choices = record(__name__, "Choices", "base solver clip average low high middle lam radius")


def start(n_groups: int, d: int, lam: float, solver: str, base: str) -> dict[str, Any]:
    """Return the learners' part of a state."""
    pivots = np.zeros((n_groups, d + 1))
    pivots[:, :d] = lam
    inverse = solver == "sherman_morrison" and base != "ogd"
    return {
        "factor": np.repeat(np.eye(d + 1)[None] / lam, n_groups, axis=0) if inverse else np.zeros((n_groups, d + 1, d + 1)),
        "pivots": pivots,
        "target": np.zeros((n_groups, d)),  # b of the inverse solver, theta of gradient descent
        "squares": np.zeros(n_groups),
        "totals": np.zeros((len(TOTALS), n_groups)),
    }


def bundle(state: dict[str, Any]) -> Any:
    """Return the record that the kernels take."""
    n_groups, d = state["target"].shape
    scratch = {"forward": np.zeros(d + 1), "guess": np.zeros(n_groups), "gamma": np.zeros(n_groups), "proposals": np.zeros(n_groups)}
    return Learners(**{name: state[name] for name in ("factor", "pivots", "target", "squares", "totals")}, **scratch)


@kernel
def play(X: Any, y: Any, groups: Any, meta: Any, learners: Any, choices: Any, raw: Any, t0: int, k: int, traced: bool) -> None:
    """Play rounds t0 to t0 + k."""
    for t in range(t0, t0 + k):
        if not anybody(groups[t]):  # predict anything, update nothing
            continue
        propose(X[t], groups[t], learners, choices)  # lines 1 and 2
        mix(meta, groups[t])
        played = learn(X[t], y[t], groups[t], meta, learners, choices, traced)  # lines 4 and 5
        if raw.shape[0] > 0:
            keep(raw[t], meta, learners.proposals, played)


@kernel
def propose(x: Any, awake: Any, learners: Any, choices: Any) -> None:
    """Line 2: every awake learner's prediction, clipped, with its leverage gamma = x' A^-1 x."""
    for g in range(awake.shape[0]):
        learners.proposals[g] = 0.0
        if awake[g]:
            if choices.base == OGD:
                guess, gamma = dot(learners.target[g], x), 0.0
            elif choices.solver == CHOLESKY:
                guess, gamma = forward(learners.factor[g], learners.pivots[g], x, learners.forward)
            else:
                guess, gamma = through_inverse(learners.factor[g], learners.target[g], x, learners.forward)
            if choices.base == VAW:
                guess = guess / (1 + gamma)
            learners.guess[g], learners.gamma[g] = guess, gamma
            proposal = guess + choices.middle
            learners.proposals[g] = min(max(proposal, choices.low), choices.high) if choices.clip else proposal


@kernel
def learn(x: Any, y: float, awake: Any, meta: Any, learners: Any, choices: Any, traced: bool) -> float:
    """Lines 4 and 5: losses, the meta step, and one step of every awake learner; return the loss of what was played, unscaled."""
    scale = (choices.high - choices.low) * (choices.high - choices.low)
    played = 0.0
    for g in range(awake.shape[0]):
        meta.losses[g] = 0.0
        if awake[g]:
            played += meta.p[g] * learners.proposals[g]
            meta.losses[g] = (learners.proposals[g] - y) * (learners.proposals[g] - y) / scale
    expected = score(meta, awake, traced)
    loss = (played - y) * (played - y) if choices.average else scale * expected
    z = y - choices.middle
    for g in range(awake.shape[0]):
        if awake[g]:
            meta.sums[PLAYED, g] += loss
            if traced:
                tally(x, z, learners.guess[g], learners.gamma[g], learners.proposals[g] - choices.middle, learners.totals, g)
            if choices.base == OGD:
                descend(learners, g, x, z, choices.radius)
            elif choices.solver == CHOLESKY:
                rank_one(learners.factor[g], learners.pivots[g], x, z, learners.forward)
            else:
                update_inverse(learners.factor[g], learners.target[g], x, z, learners.gamma[g], learners.forward)
    return loss


@kernel
def tally(x: Any, z: float, guess: float, gamma: float, proposal: float, totals: Any, g: int) -> None:
    """Add this round to the sums that the learner's bound is stated in (labels minus the middle)."""
    h = gamma / (1 + gamma)
    totals[Y2H, g] += z * z * h
    totals[YHAT2GAMMA, g] += guess * guess * gamma
    totals[LOGDET, g] += math.log1p(gamma)
    totals[H_RESIDUAL, g] += h * (proposal - z) * (proposal - z)
    totals[H_SUM, g] += h
    totals[Y2_SUM, g] += z * z
    totals[X2, g] = max(totals[X2, g], dot(x, x))
    totals[Y2, g] = max(totals[Y2, g], z * z)
    totals[UNCLIPPED, g] += (guess - z) * (guess - z)
    totals[CLIPPED, g] += proposal != guess


@kernel
def dot(a: Any, b: Any) -> float:
    """Return the inner product, summed in order."""
    total = 0.0
    for i in range(b.shape[0]):
        total += a[i] * b[i]
    return total


@kernel
def forward(factor: Any, pivots: Any, x: Any, w: Any) -> tuple[float, float]:
    """Return x' A^-1 b and gamma = x' A^-1 x by forward substitution; row k of `factor` holds column k of L, the labels' row last.

    Two columns a sweep, which takes a third off its time and changes no bit.
    """
    d = x.shape[0]
    copy_head(x, w)
    guess, gamma = 0.0, 0.0
    for k in range(0, d, 2):
        p = w[k]
        gamma += p * p / pivots[k]
        guess += p * factor[k, d]
        if k + 1 < d:
            q = w[k + 1] - p * factor[k, k + 1]
            gamma += q * q / pivots[k + 1]
            guess += q * factor[k + 1, d]
            for i in range(k + 2, d):
                w[i] = w[i] - p * factor[k, i] - q * factor[k + 1, i]
    return guess, gamma


@kernel
def copy_head(source: Any, out: Any) -> None:
    """Copy `source` to the first entries of the longer row `out`."""
    for i in range(source.shape[0]):
        out[i] = source[i]


@kernel
def rank_one(factor: Any, pivots: Any, x: Any, y: float, w: Any) -> None:
    """Add (x, y) (x, y)' to L D L' in one sweep, without square roots: backward stable, and D stays positive."""
    d = x.shape[0]
    copy_head(x, w)
    w[d] = y
    alpha = 1.0
    for k in range(d):
        p = w[k]
        pivot = pivots[k] + alpha * p * p
        beta = alpha * p / pivot
        alpha *= pivots[k] / pivot
        pivots[k] = pivot
        for i in range(k + 1, d + 1):
            w[i] -= p * factor[k, i]
            factor[k, i] += beta * w[i]
    pivots[d] += alpha * w[d] * w[d]


@kernel
def through_inverse(inverse: Any, b: Any, x: Any, w: Any) -> tuple[float, float]:
    """Return x' P b and gamma = x' P x, and leave P x in `w`."""
    guess, gamma = 0.0, 0.0
    for i in range(x.shape[0]):
        w[i] = dot(inverse[i], x)
        gamma += w[i] * x[i]
        guess += w[i] * b[i]
    return guess, gamma


@kernel
def update_inverse(inverse: Any, b: Any, x: Any, y: float, gamma: float, w: Any) -> None:
    """Sherman-Morrison: P -= P x (P x)' / (1 + gamma), one triangle mirrored, and b += y x."""
    d = x.shape[0]
    for i in range(d):
        w[i] = dot(inverse[i], x)
    for i in range(d):
        b[i] += y * x[i]
        for j in range(i + 1):
            inverse[i, j] -= w[i] * w[j] / (1 + gamma)
            inverse[j, i] = inverse[i, j]


@kernel
def descend(learners: Any, g: int, x: Any, y: float, radius: float) -> None:
    """Projected gradient step at the unclipped prediction, step sqrt(2) U / sqrt(sum of squared gradients, this one included)."""
    slope = 2 * (learners.guess[g] - y)
    learners.squares[g] += slope * slope * dot(x, x)
    if learners.squares[g] == 0:
        return
    theta = learners.target[g]
    step = math.sqrt(2.0) * radius / math.sqrt(learners.squares[g])
    for i in range(x.shape[0]):
        theta[i] -= step * slope * x[i]
    norm = math.sqrt(dot(theta, theta))
    if norm > radius:
        for i in range(x.shape[0]):
            theta[i] *= radius / norm
