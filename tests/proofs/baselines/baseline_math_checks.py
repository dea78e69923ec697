"""T3, T5, T7: the inequalities of numbers that the proofs of the baselines rest on, attacked by Hypothesis."""

from __future__ import annotations

import math
from typing import Any

import baseline_oracles as own
import numpy as np
from baseline_oracles import World, drawn
from hypothesis import given
from hypothesis import strategies as st

ABSOLUTE = 1e-12


# --- T3


def check_T3(world: World) -> None:
    """T3. F(v) = P v + max(c1 sd(v) sqrt(x/n), c2 C x/n) is nondecreasing on [0, C]^S, and its bonus covers Bernstein's radius."""
    ucbvi = world("theoryrl.algorithms.baselines.ucbvi")
    c1, c2 = ucbvi.VARIANCE_FACTOR, ucbvi.LINEAR_FACTOR
    assert c2 >= c1**2

    @drawn(400)
    @given(st.integers(1, 4), st.floats(0.01, 20), st.floats(1, 50), st.data())
    def monotone(S: int, C: float, x: float, data: Any) -> None:
        counts = np.array(data.draw(st.lists(st.one_of(st.integers(0, 3), st.integers(0, 10_000)), min_size=S, max_size=S).filter(any)))
        entries = st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(0, 1))
        pairs = C * np.sort(np.array(data.draw(st.lists(st.tuples(entries, entries), min_size=S, max_size=S))), axis=1)
        n = counts.sum()
        P = counts / n

        def F(v: np.ndarray) -> float:
            mean = float(P @ v)
            return mean + max(c1 * math.sqrt(float(P @ (v - mean) ** 2) * x / n), c2 * C * x / n)

        assert F(pairs[:, 0]) <= F(pairs[:, 1]) + ABSOLUTE * (1 + C * x), f"F falls from {pairs[:, 0]} to {pairs[:, 1]} at P={P}, n={n}, x={x}"

    @drawn(200)
    @given(st.one_of(st.floats(0, 10), st.floats(0, 1e9), st.just(c2 / c1)))
    def covers(tau: float) -> None:
        assert max(c1 * tau, c2) >= math.sqrt(2) * tau + 3 + 0.1 - ABSOLUTE * (1 + tau)

    monotone()
    covers()


# --- T7


def check_T7(world: World) -> None:
    """T7. The weights of the algorithm's own alpha: they sum to 1; both bounds of the mean of 1/sqrt(i); total weight at most 1 + 1/H; t sum alpha^2 <= c_H."""
    learning_rate = world("theoryrl.algorithms.baselines.q_learning").learning_rate
    T = 600
    t = np.arange(1, T + 1)
    for H in (1, 2, 3, 5, 10, 20):
        w = own.weights(np.array([learning_rate(int(i), H) for i in t]))
        assert np.all(np.abs(w.sum(axis=1) - 1) <= ABSOLUTE), f"H={H}: the weights sum to {w.sum(axis=1)}"
        root = (w / np.sqrt(t)).sum(axis=1) * np.sqrt(t)
        g_H = 2 * (H + 1) / (2 * H + 1)
        assert np.all(root >= 1 - ABSOLUTE) and np.all(root <= g_H + ABSOLUTE) and g_H <= 2, f"H={H}: between {root.min()} and {root.max()}"
        assert np.all(w.sum(axis=0) <= 1 + 1 / H + ABSOLUTE), f"H={H}: a sample has a total weight of {w.sum(axis=0).max()}"
        c_H = (H + 1) ** 2 / (2 * H + 1)
        squares = t * (w**2).sum(axis=1)
        assert np.all(squares <= c_H * (1 + ABSOLUTE)) and c_H <= 2 * H, f"H={H}: t sum alpha^2 reaches {squares.max()}, c_H is {c_H}"


# --- T5


def widths(visits: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of visits v_k to one cell, the counts frozen inside an episode: n, sum v / sqrt(n+) and sum v / n+ after each episode."""
    frozen = np.maximum(np.cumsum(visits) - visits, 1)
    return np.cumsum(visits), np.cumsum(visits / np.sqrt(frozen)), np.cumsum(visits / frozen)


def check_T5(world: World) -> None:
    """T5. The pigeonholes of one cell, and D_k and Lambda_k over cells, on arbitrary visits."""

    @drawn(300)
    @given(st.integers(1, 8), st.data())
    def one_cell(H: int, data: Any) -> None:
        visits = np.array(data.draw(st.lists(st.one_of(st.integers(0, H), st.sampled_from([0, 1, H])), min_size=1, max_size=60)))
        n, root, harmonic = (x[np.cumsum(visits) > 0] for x in widths(visits))
        assert np.all(root <= 2 * np.sqrt(n) + H + ABSOLUTE * n), f"{visits}: {root - 2 * np.sqrt(n) - H}"
        assert np.all(harmonic <= 1 + np.log(n) + H + ABSOLUTE * n), f"{visits}: {harmonic - 1 - np.log(n) - H}"
        n, root, harmonic = (x[np.cumsum(visits > 0) > 0] for x in widths((visits > 0).astype(int)))
        assert np.all(root <= 2 * np.sqrt(n) + ABSOLUTE * n)
        assert np.all(harmonic <= 2 + np.log(n) + ABSOLUTE * n)

    @drawn(100)
    @given(st.integers(2, 5), st.integers(1, 3), st.integers(1, 40), st.data())
    def cells(H: int, cells: int, K: int, data: Any) -> None:
        rows = st.lists(st.integers(0, cells - 1), min_size=H, max_size=H)
        chosen = np.array(data.draw(st.lists(st.one_of(rows, st.just([0] * H)), min_size=K, max_size=K)))
        for variant, stage in (("hoeffding", False), ("hoeffding", True), ("bernstein", False), ("bernstein", True), ("hoeffding-paper", False)):
            constants = own.UCBVIConstants(H, cells, 1, K, 0.05, variant, stage, np.arange(H, -1.0, -1.0), 2)
            counts, total = np.zeros((H, cells)), 0.0
            last = H if variant == "hoeffding-paper" else H - 1
            for k, row in enumerate(chosen, 1):
                n = np.maximum(counts if stage else np.broadcast_to(counts.sum(axis=0), counts.shape), 1)[np.arange(last), row[:last]]
                if variant == "bernstein":
                    total += float((1 / n).sum())
                    most = float(constants.harmonic(k))
                else:
                    a = 7 * H * constants.L + H * math.sqrt((cells * math.log(2) + constants.x) / 2) if variant == "hoeffding-paper" else constants.a
                    caps = np.ones(H) if variant == "hoeffding-paper" else constants.C[1:]
                    total += float((a * caps[:last] / np.sqrt(n)).sum())
                    most = float(constants.D(k))
                assert total <= most * (1 + ABSOLUTE), f"{variant}, stage={stage}: {total} > {most} after {k}"
                counts[np.arange(H), row] += 1

    one_cell()
    cells()
    assert widths(np.array([9]))[1][0] > 2 * math.sqrt(9), "frozen counts need the + H"
