"""Shortest paths on a layered DAG as the learner of each group: Hedge over all paths by dynamic programming, and perturbed leaders.

K edge layers, W nodes in each inner layer; the source is node 0 of layer 0, the sink node 0 after layer K - 1.  A proposal is
a unit flow f_{kij}; its cost <f, c> lies in [0, K].
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from theoryrl.algorithms.groupwise.meta import PLAYED, ROUNDS, anybody, keep, mix, score
from theoryrl.jit import kernel, record

BASES = ("path_hedge", "path_ftpl")
PATH_HEDGE, PATH_FTPL = range(len(BASES))

Learners = record(__name__, "Learners", "cumulative mix_gap draw_variance proposals drawn trial messages mass index")


def start(n_groups: int, K: int, W: int) -> dict[str, Any]:
    """Return the learners' part of a state: cumulative edge losses, the mix gaps of Hedge, the variance of sampled costs."""
    return {"cumulative": np.zeros((n_groups, K, W, W)), "mix_gap": np.zeros(n_groups), "draw_variance": np.zeros(n_groups)}


def bundle(state: dict[str, Any], draws: int = 1) -> Any:
    """Return the record that the kernels take."""
    n_groups, K, W, _ = state["cumulative"].shape
    shape = state["cumulative"].shape
    scratch = (np.zeros(shape), np.zeros((n_groups, draws, *shape[1:])), np.zeros(shape[1:]), np.zeros((K + 1, W)), np.zeros((K + 1, W)), np.zeros(n_groups))
    return Learners(state["cumulative"], state["mix_gap"], state["draw_variance"], *scratch)


@kernel
def width(k: int, K: int, W: int) -> int:
    """Return the number of nodes before edge layer k: one at the source and at the sink."""
    return 1 if k == 0 or k == K else W


@kernel
def play(losses: Any, groups: Any, meta: Any, learners: Any, base: int, raw: Any, rng: Any, t0: int, k: int, traced: bool) -> None:
    """Play rounds t0 to t0 + k."""
    for t in range(t0, t0 + k):
        if not anybody(groups[t]):
            continue
        propose(groups[t], meta, learners, base, rng)  # lines 1 and 2
        mix(meta, groups[t])
        played = learn(losses[t], groups[t], meta, learners, base, traced)  # lines 4 and 5
        if raw.shape[0] > 0:
            keep(raw[t], meta, learners.index, played)


@kernel
def propose(awake: Any, meta: Any, learners: Any, base: int, rng: Any) -> None:
    """Line 2: every awake learner's flow, from its own rounds alone and by its own clock."""
    K, W = learners.trial.shape[0], learners.trial.shape[1]
    for g in range(awake.shape[0]):
        if awake[g]:
            n = meta.sums[ROUNDS, g] + 1
            if base == PATH_HEDGE:
                log_partition(learners.cumulative[g], path_rate(K, W, n), learners.messages)
                flow(learners.cumulative[g], path_rate(K, W, n), learners.messages, learners.mass, learners.proposals[g])
            else:
                inverse_rate = 2 * math.sqrt(n_edges(K, W) * n)
                sample(learners, g, inverse_rate, rng)


@kernel
def path_rate(K: int, W: int, n: float) -> float:
    """Return eta_n = 2 sqrt(ln |P| / n) / K, for unscaled costs, |P| = W^(K-1)."""
    return 2 * math.sqrt((K - 1) * math.log(W) / n) / K


@kernel
def n_edges(K: int, W: int) -> int:
    """Return the number of edges."""
    return 1 if K == 1 else (K - 2) * W * W + 2 * W


@kernel
def log_partition(cost: Any, eta: float, b: Any) -> float:
    """Fill the backward log-messages b_k(i) = ln sum_j exp(-eta c_kij + b_{k+1}(j)) and return b_0."""
    K, W, _ = cost.shape
    b[K, 0] = 0.0
    for k in range(K - 1, -1, -1):
        for i in range(width(k, K, W)):
            largest = -math.inf
            for j in range(width(k + 1, K, W)):
                largest = max(largest, b[k + 1, j] - eta * cost[k, i, j])
            total = 0.0
            for j in range(width(k + 1, K, W)):
                total += math.exp(b[k + 1, j] - eta * cost[k, i, j] - largest)
            b[k, i] = largest + math.log(total)
    return b[0, 0]


@kernel
def flow(cost: Any, eta: float, b: Any, mass: Any, out: Any) -> None:
    """Fill the forward flow f_kij = n_k(i) exp(-eta c_kij + b_{k+1}(j) - b_k(i))."""
    K, W, _ = cost.shape
    mass[:] = 0.0
    out[:] = 0.0
    mass[0, 0] = 1.0
    for k in range(K):
        for i in range(width(k, K, W)):
            for j in range(width(k + 1, K, W)):
                out[k, i, j] = mass[k, i] * math.exp(b[k + 1, j] - eta * cost[k, i, j] - b[k, i])
                mass[k + 1, j] += out[k, i, j]


@kernel
def sample(learners: Any, g: int, inverse_rate: float, rng: Any) -> None:
    """Propose the mean flow of independent perturbed shortest paths (of one, unless more draws are asked for)."""
    proposal, draws = learners.proposals[g], learners.drawn.shape[1]
    K, W, _ = proposal.shape
    proposal[:] = 0.0
    for draw in range(draws):
        perturb(learners.cumulative[g], inverse_rate, learners.trial, rng)
        shortest_path(learners.trial, learners.messages, learners.drawn[g, draw])
        for k in range(K):
            for i in range(W):
                for j in range(W):
                    proposal[k, i, j] += learners.drawn[g, draw, k, i, j] / draws


@kernel
def perturb(cost: Any, inverse_rate: float, out: Any, rng: Any) -> None:
    """Fill `out` with the costs plus u / eps, fresh uniform u on every edge."""
    K, W, _ = cost.shape
    for k in range(K):
        for i in range(width(k, K, W)):
            for j in range(width(k + 1, K, W)):
                out[k, i, j] = cost[k, i, j] + inverse_rate * rng.random()


@kernel
def shortest_path(cost: Any, b: Any, out: Any) -> float:
    """Fill the flow of the cheapest path (ties: lowest index) and return its cost."""
    K, W, _ = cost.shape
    b[K, 0] = 0.0
    for k in range(K - 1, -1, -1):
        for i in range(width(k, K, W)):
            b[k, i] = math.inf
            for j in range(width(k + 1, K, W)):
                b[k, i] = min(b[k, i], cost[k, i, j] + b[k + 1, j])
    out[:] = 0.0
    node = 0
    for k in range(K):
        chosen, best = 0, math.inf
        for j in range(width(k + 1, K, W)):
            if cost[k, node, j] + b[k + 1, j] < best:
                chosen, best = j, cost[k, node, j] + b[k + 1, j]
        out[k, node, chosen] = 1.0
        node = chosen
    return b[0, 0]


@kernel
def learn(loss: Any, awake: Any, meta: Any, learners: Any, base: int, traced: bool) -> float:
    """Lines 4 and 5; return the unscaled cost of what was played."""
    K, W = learners.trial.shape[0], learners.trial.shape[1]
    for g in range(awake.shape[0]):
        meta.losses[g] = 0.0
        if awake[g]:
            meta.losses[g] = cost_of(learners.proposals[g], loss) / K
            if base == PATH_FTPL and learners.drawn.shape[1] > 1:
                learners.draw_variance[g] += variance_of_mean(learners.drawn[g], loss, meta.losses[g])
            if traced and base == PATH_HEDGE and W > 1 and K > 1:
                learners.mix_gap[g] += meta.losses[g] + log_shrink(learners, g, loss, path_rate(K, W, meta.sums[ROUNDS, g] + 1)) / K
    expected = score(meta, awake, traced)
    for g in range(awake.shape[0]):
        if awake[g]:
            meta.sums[PLAYED, g] += K * expected
            add(loss, learners.cumulative[g])
    return K * expected


@kernel
def cost_of(flow: Any, loss: Any) -> float:
    """Return <f, c>."""
    K, W, _ = loss.shape
    total = 0.0
    for k in range(K):
        for i in range(width(k, K, W)):
            for j in range(width(k + 1, K, W)):
                total += flow[k, i, j] * loss[k, i, j]
    return total


@kernel
def variance_of_mean(drawn: Any, loss: Any, center: float) -> float:
    """Return the estimated variance of the mean scaled cost of the draws."""
    m, K = drawn.shape[0], loss.shape[0]
    total = 0.0
    for draw in range(m):
        cost = cost_of(drawn[draw], loss) / K
        total += (cost - center) * (cost - center)
    return total / (m * (m - 1.0))


@kernel
def log_shrink(learners: Any, g: int, loss: Any, eta: float) -> float:
    """Return ln <pi, exp(-eta c)> / eta, pi the law of the path: the difference of two log-partitions."""
    before = log_partition(learners.cumulative[g], eta, learners.messages)
    K, W = learners.trial.shape[0], learners.trial.shape[1]
    for k in range(K):
        for i in range(width(k, K, W)):
            for j in range(width(k + 1, K, W)):
                learners.trial[k, i, j] = learners.cumulative[g, k, i, j] + loss[k, i, j]
    return (log_partition(learners.trial, eta, learners.messages) - before) / eta


@kernel
def add(loss: Any, cumulative: Any) -> None:
    """Add the edge losses of a round."""
    K, W, _ = loss.shape
    for k in range(K):
        for i in range(width(k, K, W)):
            for j in range(width(k + 1, K, W)):
                cumulative[k, i, j] += loss[k, i, j]
