"""Baselines that enumerate: one expert for each pair of a group and a hypothesis, at a cost of G |H| a round.

The pair (g, h) is awake iff group g is, and its loss is that of h.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from theoryrl.algorithms.groupwise.meta import anh_weight, anybody
from theoryrl.jit import kernel, record

BLUM_LYKOURIS, ANH_PAIRS, MINIMAX = range(3)

Pairs = record(__name__, "Pairs", "rounds expected losses R C weights p")


def start(n_groups: int, n_hypotheses: int) -> dict[str, Any]:
    """Return the state: per-group expected losses, and regrets of all pairs."""
    pair = (n_groups, n_hypotheses)
    return {"rounds": np.zeros(n_groups), "expected": np.zeros(n_groups), "losses": np.zeros(pair), "R": np.zeros(pair), "C": np.zeros(pair)}


def bundle(state: dict[str, Any]) -> Any:
    """Return the record that the kernels take."""
    pair = state["R"].shape
    return Pairs(*(state[name] for name in ("rounds", "expected", "losses", "R", "C")), np.zeros(pair), np.zeros(pair[1]))


@kernel
def play(losses: Any, groups: Any, pairs: Any, kind: int, rate: float, scale: float, t0: int, k: int) -> None:
    """Play rounds t0 to t0 + k; `rate` is beta of Blum-Lykouris or eta of the minimax learner."""
    G, N = pairs.R.shape
    for t in range(t0, t0 + k):
        if not anybody(groups[t]):
            continue
        distribute(groups[t], pairs, kind, rate)
        expected = 0.0
        for h in range(N):
            expected += pairs.p[h] * (losses[t, h] / scale)
        for g in range(G):
            if groups[t, g]:
                pairs.rounds[g] += 1
                pairs.expected[g] += expected
                for h in range(N):
                    pairs.losses[g, h] += losses[t, h] / scale
                    pairs.R[g, h] += expected - losses[t, h] / scale
                    pairs.C[g, h] += abs(expected - losses[t, h] / scale)


@kernel
def distribute(awake: Any, pairs: Any, kind: int, rate: float) -> None:
    """Fill p over the hypotheses: the weights of all awake pairs, summed over groups."""
    G, N = pairs.R.shape
    largest = -math.inf
    for g in range(G):
        if awake[g]:
            for h in range(N):
                if kind == ANH_PAIRS:
                    pairs.weights[g, h] = anh_weight(pairs.R[g, h], pairs.C[g, h])
                elif kind == MINIMAX:
                    pairs.weights[g, h] = rate * pairs.R[g, h]
                else:  # beta^(sum of l - beta l_hat)
                    pairs.weights[g, h] = math.log(rate) * (pairs.losses[g, h] - rate * pairs.expected[g])
                largest = max(largest, pairs.weights[g, h])
    total = 0.0
    for h in range(N):
        pairs.p[h] = 0.0
        for g in range(G):
            if awake[g]:
                pairs.p[h] += pairs.weights[g, h] if kind == ANH_PAIRS else math.exp(pairs.weights[g, h] - largest)
        total += pairs.p[h]
    for h in range(N):
        pairs.p[h] = pairs.p[h] / total if total > 0 else 1.0 / N
