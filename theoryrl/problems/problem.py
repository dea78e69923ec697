"""What every problem shares: immutable arrays, equality by content, a short name."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Problem:
    """Base of all problems: a frozen dataclass of arrays and plain numbers, validated on construction.

    A subclass documents its arrays' shapes, validates them in ``__post_init__`` (with `theoryrl.validate`) and
    stores them with ``object.__setattr__``.  It knows its exact solution lazily, as cached properties.

    Parameters
    ----------
    name : str, optional
        The call that made this instance, such as ``"hidden_gem(n_items=2, list_length=1, horizon=2)"``;
        shown in reports and labels.
    """

    name: str = dataclasses.field(default="", kw_only=True)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        pairs = [(getattr(self, f.name), getattr(other, f.name)) for f in dataclasses.fields(self)]
        return all(np.array_equal(a, b) if isinstance(a, np.ndarray) or isinstance(b, np.ndarray) else a == b for a, b in pairs)

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.name))

    def __repr__(self) -> str:
        return self.name or f"{type(self).__name__}({', '.join(f'{k}={_short(v)}' for k, v in self._fields().items())})"

    def _fields(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "name"}


def _short(value: Any) -> str:
    return f"array{value.shape}" if isinstance(value, np.ndarray) else repr(value)
