"""The two decorators that every compiled function of theoryrl carries.

`theoryrl.testing.world` loads second copies of the package in which ``COMPILED`` is off (the exact-arithmetic twin and
the naive version of the benchmarks) or in which nothing is cached on disk (mutants).
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from typing import Any, TypeVar

import numba

COMPILED = True
CACHED = True

records: dict[tuple[str, str], Any] = {}

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile `function`, without the GIL and with exact floating point: the same bits interpreted, compiled and exact.

    Numba's runtime is off (``_nrt``): a kernel that allocates does not compile, and none pays for reference counts, which
    took most of the time of a small plan and half of the time to compile it.
    """
    if not COMPILED:
        return function
    compiler: Any = numba.njit
    return compiler(cache=CACHED, nogil=True, _nrt=False)(function)


def sweep(function: F) -> F:
    """Compile `function` with reassociated sums: only for dense planners over a whole problem, never inside a run."""
    if not COMPILED:
        return function
    compiler: Any = numba.njit(cache=CACHED, nogil=True, fastmath={"reassoc", "contract"})
    return compiler(function)


def record(module: str, name: str, fields: str) -> Any:
    """Return the named tuple type `name` of `module` in which a kernel takes its arrays; all worlds share it, and so their unchanged kernels."""
    return records.setdefault((module, name), namedtuple(name, fields, module=module))
