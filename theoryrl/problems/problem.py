"""What every problem and every hypothesis class shares: immutable arrays, equality by content, a short name."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Content:
    """A frozen dataclass of arrays and plain numbers, validated on construction, equal to another by content.

    A subclass documents its arrays' shapes, validates them in ``__post_init__`` (with `theoryrl.validate`) and
    stores them with ``object.__setattr__``.

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
        return all(_equal(a, b) for a, b in pairs)

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.name))

    def __repr__(self) -> str:
        return self.name or f"{type(self).__name__}({', '.join(f'{k}={_short(v)}' for k, v in self._fields().items())})"

    def _fields(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "name"}


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Problem(Content):
    """Base of all problems: what is to be learned, which knows its exact solution lazily, as cached properties."""


class Planned(Problem):
    """A problem whose best and worst policies are found by planning: `_best` and `_worst` are pairs (values, policy), `start` is where episodes begin."""

    start: Any
    _best: Any
    _worst: Any

    @property
    def optimal_values(self) -> np.ndarray:
        """Optimal values V*, an (H + 1, S) array; row h holds those with H - h steps to go."""
        return self._best[0]

    @property
    def worst_values(self) -> np.ndarray:
        """Values of the worst policy, an (H + 1, S) array."""
        return self._worst[0]

    @property
    def optimal_value(self) -> Any:
        """Optimal value of an episode: a number, or one for each episode if `start` is an array."""
        return self.optimal_values[0, self.start]

    @property
    def worst_value(self) -> Any:
        """Value of an episode under the worst policy: a number, or one for each episode if `start` is an array."""
        return self.worst_values[0, self.start]


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(_equal, a, b))
    return np.array_equal(a, b) if isinstance(a, np.ndarray) or isinstance(b, np.ndarray) else bool(a == b)


def _short(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_short, value))})"
    return f"array{value.shape}" if isinstance(value, np.ndarray) else repr(value)


def cumulative_rows(laws: np.ndarray) -> np.ndarray:
    """Return the cumulative rows of `laws` (..., S), with 2 from the last reachable state on, so that round-off draws no impossible state."""
    rows = np.cumsum(laws, axis=-1)
    last = laws.shape[-1] - 1 - np.argmax(laws[..., ::-1] > 0, axis=-1)
    rows[np.arange(laws.shape[-1]) >= last[..., None]] = 2
    return frozen(rows)


def frozen(array: np.ndarray) -> np.ndarray:
    """Return `array`, made read-only."""
    array.setflags(write=False)
    return array
