"""Small loops over rows that many kernels share; NumPy's own slices would allocate, which kernels may not."""

from __future__ import annotations

from typing import Any

from theoryrl.jit import kernel


@kernel
def copy(source: Any, out: Any) -> None:
    """Copy a row: ``out[:] = source`` would make room for the case that the two overlap."""
    for i in range(out.shape[0]):
        out[i] = source[i]


@kernel
def expectation(P_next_first: Any, V: Any, out: Any) -> None:
    """Fill out[row] with sum_s' P_next_first[s', row] V[s'], for P_next_first of shape (S', rows)."""
    out[:] = 0
    for s2 in range(V.shape[0]):
        for row in range(out.shape[0]):
            out[row] += P_next_first[s2, row] * V[s2]


@kernel
def invert(cumulative: Any, uniform: float) -> int:
    """Return the first index at which `cumulative` exceeds `uniform`."""
    s = 0
    while uniform >= cumulative[s]:
        s += 1
    return s


@kernel
def raise_to(maxima: Any, which: int, value: float) -> None:
    """Keep the largest value."""
    if value > maxima[which]:
        maxima[which] = value
