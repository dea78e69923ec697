"""Hypothesis strategies that draw the nasty instances: ties, zeros, ones, one state, one item, absorbing states, lists longer than the pool."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from theoryrl.problems import CascadingMDP


@st.composite
def distributions(draw: st.DrawFn, size: int) -> np.ndarray:
    """Draw a probability vector of length `size`: often a point mass or uniform, else quotients of small integers."""
    kind = draw(st.sampled_from(["point", "uniform", "any"]))
    if kind == "uniform":
        return np.full(size, 1 / size)
    weights = np.zeros(size)
    weights[draw(st.integers(0, size - 1))] = 1
    if kind == "any":
        weights += draw(st.lists(st.integers(0, 5), min_size=size, max_size=size))
    return weights / weights.sum()


@st.composite
def cascading_mdps(draw: st.DrawFn, max_states: int = 3, max_items: int = 4, max_horizon: int = 3) -> CascadingMDP:
    """Draw a cascading MDP whose arrays are rich in ties, zeros and ones."""
    S, N = draw(st.integers(1, max_states)), draw(st.integers(1, max_items))
    entries = draw(st.sampled_from([st.floats(0, 1), st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.just(draw(st.sampled_from([0.0, 0.5, 1.0])))]))

    def table(columns: int) -> np.ndarray:
        return np.array(draw(st.lists(entries, min_size=S * columns, max_size=S * columns))).reshape(S, columns)

    rows = [draw(distributions(S)) for _ in range(S * (N + 1))]
    law = np.eye(S)[:, None, :].repeat(N + 1, axis=1) if draw(st.booleans()) else np.array(rows).reshape(S, N + 1, S)
    horizon, longest = draw(st.integers(1, max_horizon)), draw(st.integers(1, N + 2))
    return CascadingMDP(table(N), law, table(N + 1), horizon, longest, start=draw(st.integers(0, S - 1)), allow_empty=draw(st.booleans()))
