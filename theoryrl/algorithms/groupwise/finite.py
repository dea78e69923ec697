"""A finite class as the learner of each group: Hedge, and follow the perturbed leader over a separator.

A proposal is a distribution over the class; its loss is the expected one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from theoryrl.algorithms.groupwise.meta import PLAYED, ROUNDS, anybody, keep, mix, score
from theoryrl.jit import kernel, record

BASES = ("hedge", "separator_ftpl", "experts")
HEDGE, SEPARATOR, EXPERTS = range(len(BASES))

Learners = record(__name__, "Learners", "cumulative mix_gap draw_variance separator proposals noise leaders index")


def start(n_groups: int, n_hypotheses: int, base: str) -> dict[str, Any]:
    """Return the learners' part of a state: cumulative scaled losses, the mix gaps of Hedge, the variance of sampled losses."""
    cumulative = np.zeros((n_groups, 0 if base == "experts" else n_hypotheses))
    return {"cumulative": cumulative, "mix_gap": np.zeros(n_groups), "draw_variance": np.zeros(n_groups)}


def bundle(state: dict[str, Any], separator: np.ndarray | None, draws: int = 1) -> Any:
    """Return the record that the kernels take."""
    n_groups, n_hypotheses = state["cumulative"].shape
    spaced = np.zeros((n_hypotheses, 0)) if separator is None else separator.astype(float)
    proposals = np.zeros((n_groups, n_hypotheses))
    scratch = (proposals, np.zeros(spaced.shape[1]), np.zeros((n_groups, draws), np.int64), np.zeros(n_groups))
    return Learners(state["cumulative"], state["mix_gap"], state["draw_variance"], spaced, *scratch)


@kernel
def play(losses: Any, groups: Any, meta: Any, learners: Any, base: int, scale: float, raw: Any, rng: Any, t0: int, k: int, traced: bool) -> None:
    """Play rounds t0 to t0 + k."""
    for t in range(t0, t0 + k):
        if not anybody(groups[t]):
            continue
        propose(groups[t], meta, learners, base, rng)  # lines 1 and 2
        mix(meta, groups[t])
        played = learn(losses[t], groups[t], meta, learners, base, scale, traced)  # lines 4 and 5
        if raw.shape[0] > 0:
            keep(raw[t], meta, learners.index, played)


@kernel
def propose(awake: Any, meta: Any, learners: Any, base: int, rng: Any) -> None:
    """Line 2: every awake learner's distribution, from its own rounds alone and by its own clock."""
    for g in range(awake.shape[0]):
        if awake[g]:
            n = meta.sums[ROUNDS, g] + 1
            if base == HEDGE:
                hedge(learners.cumulative[g], hedge_rate(learners.cumulative.shape[1], n), learners.proposals[g])
            elif base == SEPARATOR:
                sample(learners, g, math.sqrt(2.0 * n), rng)


@kernel
def hedge_rate(N: int, n: float) -> float:
    """Return eta_n = 2 sqrt(ln N / n)."""
    return 2 * math.sqrt(math.log(N) / n)


@kernel
def hedge(cumulative: Any, eta: float, out: Any) -> None:
    """Fill `out` with the exponential weights of the cumulative losses, the smallest subtracted first."""
    least = smallest(cumulative)
    total = 0.0
    for h in range(out.shape[0]):
        out[h] = math.exp(-eta * (cumulative[h] - least))
        total += out[h]
    for h in range(out.shape[0]):
        out[h] /= total


@kernel
def smallest(values: Any) -> float:
    """Return the minimum."""
    least = values[0]
    for h in range(1, values.shape[0]):
        least = min(least, values[h])
    return least


@kernel
def sample(learners: Any, g: int, inverse_rate: float, rng: Any) -> None:
    """Propose the empirical law of independent perturbed leaders (of one, unless more draws are asked for)."""
    proposal, draws = learners.proposals[g], learners.leaders.shape[1]
    proposal[:] = 0.0
    for i in range(draws):
        leader = perturbed_leader(learners.cumulative[g], learners.separator, inverse_rate, learners.noise, rng)
        learners.leaders[g, i] = leader
        proposal[leader] += 1.0 / draws


@kernel
def perturbed_leader(cumulative: Any, separator: Any, inverse_rate: float, noise: Any, rng: Any) -> int:
    """Return argmin_h L(h) + N . h(X_s) / eps, fresh Laplace(1) noise N, 1 / eps_n = sqrt(2 n)."""
    for x in range(noise.shape[0]):
        u = rng.random() - 0.5
        noise[x] = -math.copysign(math.log1p(-2 * abs(u)), u)
    leader, best = 0, math.inf
    for h in range(cumulative.shape[0]):
        value = cumulative[h]
        for x in range(noise.shape[0]):
            value += inverse_rate * noise[x] * separator[h, x]
        if value < best:
            leader, best = h, value
    return leader


@kernel
def learn(loss: Any, awake: Any, meta: Any, learners: Any, base: int, scale: float, traced: bool) -> float:
    """Lines 4 and 5; return the unscaled expected loss of what was played."""
    G, N = learners.proposals.shape
    for g in range(G):
        meta.losses[g] = 0.0
        if awake[g]:
            meta.losses[g] = loss[g] / scale if base == EXPERTS else mean(learners.proposals[g], loss, scale)
            if base == SEPARATOR and learners.leaders.shape[1] > 1:
                learners.draw_variance[g] += variance_of_mean(learners.leaders[g], loss, scale, meta.losses[g])
            if traced and base == HEDGE:
                eta = hedge_rate(N, meta.sums[ROUNDS, g] + 1)
                if eta > 0:
                    learners.mix_gap[g] += meta.losses[g] + math.log(shrink(learners.proposals[g], loss, scale, eta)) / eta
    expected = score(meta, awake, traced)
    for g in range(G):
        if awake[g]:
            meta.sums[PLAYED, g] += scale * expected
            for h in range(N):
                learners.cumulative[g, h] += loss[h] / scale
    return scale * expected


@kernel
def mean(proposal: Any, loss: Any, scale: float) -> float:
    """Return the expected scaled loss of a distribution."""
    total = 0.0
    for h in range(proposal.shape[0]):
        total += proposal[h] * (loss[h] / scale)
    return total


@kernel
def variance_of_mean(leaders: Any, loss: Any, scale: float, center: float) -> float:
    """Return the estimated variance of the mean scaled loss of the draws."""
    m = leaders.shape[0]
    total = 0.0
    for i in range(m):
        total += (loss[leaders[i]] / scale - center) * (loss[leaders[i]] / scale - center)
    return total / (m * (m - 1.0))


@kernel
def shrink(proposal: Any, loss: Any, scale: float, eta: float) -> float:
    """Return the mean of exp(-eta l)."""
    total = 0.0
    for h in range(proposal.shape[0]):
        total += proposal[h] * math.exp(-eta * loss[h] / scale)
    return total
