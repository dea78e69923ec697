"""What NumPy's own slices would do with an allocation, which kernels may not have."""

from __future__ import annotations

from typing import Any

from theoryrl.jit import kernel


@kernel
def copy(source: Any, out: Any) -> None:
    """Copy a row: ``out[:] = source`` would make room for the case that the two overlap."""
    for i in range(out.shape[0]):
        out[i] = source[i]
