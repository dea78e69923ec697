"""The meta step: how much each awake group's learner counts, and what its loss teaches.

AdaNormalHedge with sleeping experts (Luo and Schapire, COLT 2015), as in Algorithm 1 of Acharya et al., ICLR 2024:

3. p_g is proportional to A_g q_g w(R_g, C_g) over the awake groups, w(R, C) = (Phi(R+1, C+1) - Phi(R-1, C+1)) / 2,
   Phi(R, C) = exp([R]_+^2 / (3 C)); if all awake weights vanish, p is the prior restricted to the awake groups.
5. For awake groups only: r = l_hat - l_g, R_g += r, C_g += |r|.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from theoryrl.jit import kernel, record

METHODS = ("anh", "specialist_ew", "uniform", "priority", "single")
ANH, SPECIALIST, UNIFORM, PRIORITY, SINGLE = range(len(METHODS))
ETA = 0.5  # the squared loss of clipped predictions, scaled to [0, 1], is 1/2-exp-concave

SUMS = ("rounds", "expected", "base_loss", "played", "mix_loss")  # one entry a group, scaled losses
EXTREMES = ("cert", "lemma1", "lemma2")
ROUNDS, EXPECTED, BASE, PLAYED, MIX = range(len(SUMS))
CERT, LEMMA1, LEMMA2 = range(len(EXTREMES))

Meta = record(__name__, "Meta", "kind lead prior R C log_v p losses sums extremes")


def start(n_groups: int, prior: np.ndarray) -> dict[str, Any]:
    """Return the meta part of a state: R, C, the logs of the specialists' weights v (which underflow), and per-group sums."""
    return {
        "prior": prior,
        "R": np.zeros(n_groups),
        "C": np.zeros(n_groups),
        "log_v": np.log(prior),
        "sums": np.zeros((len(SUMS), n_groups)),
        "extremes": np.array([1.0, 0.0, math.inf]),
    }


def bundle(kind: str, lead: int, state: dict[str, Any]) -> Any:
    """Return the record that the kernels take."""
    n_groups = len(state["R"])
    fields = {name: state[name] for name in ("prior", "R", "C", "log_v", "sums", "extremes")}
    return Meta(kind=METHODS.index(kind), lead=lead, p=np.zeros(n_groups), losses=np.zeros(n_groups), **fields)


@kernel
def potential(R: float, C: float) -> float:
    """Return Phi(R, C) = exp([R]_+^2 / (3 C)), which is 1 for R <= 0, also at C = 0."""
    return math.exp(R * R / (3 * C)) if R > 0 else 1.0


@kernel
def anh_weight(R: float, C: float) -> float:
    """Return w(R, C) = (Phi(R+1, C+1) - Phi(R-1, C+1)) / 2, without cancellation."""
    a, b, k = max(R + 1, 0.0), max(R - 1, 0.0), 3 * (C + 1)
    return 0.5 * math.exp(b * b / k) * math.expm1((a - b) * (a + b) / k)


@kernel
def drift(R: float, C: float) -> float:
    """Return Gamma(R, C) = (Phi(R+1, C+1) + Phi(R-1, C+1)) / 2 - Phi(R, C); it may be negative."""
    return 0.5 * (potential(R + 1, C + 1) + potential(R - 1, C + 1)) - potential(R, C)


@kernel
def anybody(awake: Any) -> bool:
    """Return whether some group is awake."""
    for g in range(awake.shape[0]):
        if awake[g]:
            return True
    return False


@kernel
def mix(meta: Any, awake: Any) -> None:
    """Line 3: fill p over the awake groups; with nobody awake p is the prior."""
    G = awake.shape[0]
    largest = -math.inf
    if meta.kind == SPECIALIST:
        for g in range(G):
            if awake[g]:
                largest = max(largest, meta.log_v[g])
    total = 0.0
    for g in range(G):
        meta.p[g] = 0.0
        if awake[g]:
            weight = 1.0
            if meta.kind == ANH:
                weight = meta.prior[g] * anh_weight(meta.R[g], meta.C[g])
            elif meta.kind == SPECIALIST:
                weight = math.exp(meta.log_v[g] - largest)
            elif meta.kind == PRIORITY:
                weight = 1.0 if total == 0 else 0.0
            elif meta.kind == SINGLE:
                weight = 1.0 if g == meta.lead else 0.0
            meta.p[g] = weight
            total += weight
    if total > 0:
        for g in range(G):
            meta.p[g] /= total
    else:
        everybody = not anybody(awake)
        mass = 0.0
        for g in range(G):
            if awake[g] or everybody:
                mass += meta.prior[g]
        for g in range(G):
            meta.p[g] = meta.prior[g] / mass if awake[g] or everybody else 0.0


@kernel
def score(meta: Any, awake: Any, traced: bool) -> float:
    """Line 5: update R and C (ln v of specialist_ew) of the awake groups from their scaled losses; return l_hat = sum of p l."""
    G = awake.shape[0]
    expected = 0.0
    for g in range(G):
        if awake[g]:
            expected += meta.p[g] * meta.losses[g]
    if traced:
        inspect(meta, awake, expected)
    shrunk = 0.0
    if meta.kind == SPECIALIST:
        for g in range(G):
            if awake[g]:
                shrunk += meta.p[g] * math.exp(-ETA * meta.losses[g])
    for g in range(G):
        if awake[g]:
            r = expected - meta.losses[g]
            meta.R[g] += r
            meta.C[g] += abs(r)
            meta.sums[ROUNDS, g] += 1
            meta.sums[EXPECTED, g] += expected
            meta.sums[BASE, g] += meta.losses[g]
            if meta.kind == SPECIALIST:
                meta.log_v[g] -= ETA * meta.losses[g] + math.log(shrunk)
                meta.sums[MIX, g] -= math.log(shrunk) / ETA
    return expected


@kernel
def inspect(meta: Any, awake: Any, expected: float) -> None:
    """Record, before the update, the certificate's sum and the extremes of Lemma 1 (zero sum) and Lemma 2 (one step)."""
    total, weights = 0.0, 0.0
    for g in range(awake.shape[0]):
        if awake[g]:
            R, C, r = meta.R[g], meta.C[g], expected - meta.losses[g]
            w, change = anh_weight(R, C), drift(R, C)
            total += meta.prior[g] * w * r
            weights += meta.prior[g] * w
            meta.extremes[CERT] += meta.prior[g] * abs(r) * change
            before, after = potential(R, C), potential(R + r, C + abs(r))
            slack = (before + w * r + abs(r) * change - after) / max(before, after)
            meta.extremes[LEMMA2] = min(meta.extremes[LEMMA2], slack)
    if weights > 0:
        meta.extremes[LEMMA1] = max(meta.extremes[LEMMA1], abs(total) / weights)


@kernel
def keep(row: Any, meta: Any, proposals: Any, played: float) -> None:
    """Write p, scaled losses and proposals of this round, then the expected scaled loss and the loss of what was played."""
    G = meta.p.shape[0]
    expected = 0.0
    for g in range(G):
        row[g], row[G + g], row[2 * G + g] = meta.p[g], meta.losses[g], proposals[g]
        expected += meta.p[g] * meta.losses[g]
    row[3 * G], row[3 * G + 1] = expected, played
