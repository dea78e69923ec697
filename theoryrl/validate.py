"""Checks of user input: every error names the argument, what was expected and what came."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from theoryrl import jit


def real_array(name: str, value: Any, shape: Sequence[int | None], low: float = -math.inf, high: float = math.inf) -> np.ndarray:
    """Return `value` as a read-only C-ordered float64 array of `shape` with finite entries in ``[low, high]``.

    Integers are converted.  In an uncompiled world arrays of exact numbers (dtype object) pass through unconverted.

    Parameters
    ----------
    name : str
        Name of the argument, used in the error.
    shape : sequence of int or None
        Expected shape; None stands for any positive length.

    Raises
    ------
    TypeError
        If `value` cannot be read as an array of real numbers.
    ValueError
        On a wrong shape, an entry that is not finite, or an entry outside ``[low, high]``; the first one is named.
    """
    try:
        array = np.asarray(value)
        if array.dtype != object or jit.COMPILED:
            if array.dtype.kind not in "buifO":
                raise TypeError
            array = np.array(array, dtype=np.float64, order="C")
    except (TypeError, ValueError):
        raise TypeError(f"{name}: expected an array of real numbers, got {_describe(value)}") from None
    check_shape(name, array, shape)
    bad = ~((array >= low) & (array <= high))
    if array.dtype != object:
        bad |= ~np.isfinite(array)
    if bad.any():
        index = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(f"{name}{list(index) if index else ''}: expected {_interval(low, high)}, got {array[index]}")
    array.setflags(write=False)
    return array


def dimensions(name: str, value: Any) -> int:
    """Return the number of axes of `value`; a TypeError names it if it is no array, such as a ragged list."""
    try:
        return np.ndim(value)
    except ValueError:
        raise TypeError(f"{name}: expected an array of real numbers, got {_describe(value)}") from None


def check_shape(name: str, array: np.ndarray, shape: Sequence[int | None]) -> None:
    """Raise a ValueError unless `array` has `shape` (None: any positive length)."""
    fits = len(shape) == array.ndim and all((have > 0) if want is None else have == want for want, have in zip(shape, array.shape, strict=True))
    if not fits:
        wanted = "(" + ", ".join("any" if d is None else str(d) for d in shape) + ("," if len(shape) == 1 else "") + ")"
        raise ValueError(f"{name}: expected shape {wanted}, got {array.shape}")


def distributions(name: str, value: Any, shape: Sequence[int | None]) -> np.ndarray:
    """Return `value` as `real_array` does, checked to hold probability vectors along its last axis.

    Raises
    ------
    ValueError
        If a row does not sum to one within ``S * 1e-12``, S the length of a row; the first such row is named.
    """
    array = real_array(name, value, shape, low=0)
    total = array.sum(axis=-1)
    bad = np.abs(total - 1) > array.shape[-1] * 1e-12
    if np.any(bad):
        index = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(f"{name}{list(index) if index else ''}: expected a row that sums to one, got a sum of {total[index]}")
    return array


def integer(name: str, value: Any, low: int | None = None, high: int | None = None) -> int:
    """Return `value` as an int in ``[low, high]``; floats that are whole numbers (``1e5``) are accepted."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name}: expected an integer, got {_describe(value)}")
    if not math.isfinite(value) or value != int(value):
        raise ValueError(f"{name}: expected an integer, got {value}")
    if (low is not None and value < low) or (high is not None and value > high):
        raise ValueError(f"{name}: expected an integer in {_interval(low, high)}, got {value}")
    return int(value)


def integer_array(name: str, value: Any, shape: Sequence[int | None], low: int, high: int) -> np.ndarray:
    """Return `value` as a read-only int64 array of `shape` with entries in ``[low, high]``."""
    array = real_array(name, value, shape, low, high)
    given = np.asarray(value, object) if high >= 2**53 else array  # an integer beyond may have been rounded down to `high`
    for bad, expected in ((array != np.floor(array), "an integer"), (np.asarray(given > high, bool), _interval(low, high))):
        if np.any(bad):
            index = tuple(int(i) for i in np.argwhere(bad)[0])
            raise ValueError(f"{name}{list(index)}: expected {expected}, got {given[index]}")
    array = array.astype(np.int64)
    array.setflags(write=False)
    return array


def real(name: str, value: Any, low: float = -math.inf, high: float = math.inf, open_ends: bool = False) -> float:
    """Return `value` as a finite float in ``[low, high]`` (in ``(low, high)`` with `open_ends`)."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name}: expected a real number, got {_describe(value)}")
    inside = low < value < high if open_ends else low <= value <= high
    if not (math.isfinite(value) and inside):
        raise ValueError(f"{name}: expected a number in {_interval(low, high, open_ends)}, got {value}")
    return float(value)


def one_of(name: str, value: Any, choices: Sequence[str]) -> str:
    """Return `value`, checked to be one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name}: expected one of {', '.join(map(repr, choices))}, got {value!r}")
    return value


def _describe(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"


def _interval(low: float | None, high: float | None, open_ends: bool = False) -> str:
    left = "-inf" if low is None or low == -math.inf else f"{low}"
    right = "inf" if high is None or high == math.inf else f"{high}"
    return f"({left}, {right})" if open_ends else f"[{left}, {right}]"
