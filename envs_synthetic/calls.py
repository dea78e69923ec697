"""Instances are named by the call that makes them, so that a name in a report can be typed again."""

from __future__ import annotations

from typing import Any


def call(function: str, **arguments: Any) -> str:
    """Return the text of the call, which makes the same instance when it is evaluated."""
    return f"{function}({', '.join(f'{k}={v!r}' for k, v in arguments.items())})"
