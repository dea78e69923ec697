"""Instances are named by the call that makes them, so that a name in a report can be typed again."""

from __future__ import annotations

from typing import Any

import numpy as np


def call(function: str, **arguments: Any) -> str:
    """Return the text of the call, which makes the same instance when it is evaluated (unless an argument is a table, of which it gives the shape)."""
    return f"{function}({', '.join(f'{k}={_literal(v)}' for k, v in arguments.items())})"


def _literal(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"array{value.shape}"
    return repr(value.item() if isinstance(value, np.generic) else value)
