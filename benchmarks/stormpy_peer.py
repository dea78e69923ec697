"""Storm's interval MDPs, as a compiled peer of extended value iteration over boxes; needs ``pip install stormpy``."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import stormpy

LEAST = 1e-12
"""Storm wants intervals that keep the graph of the model: ends of 0 are raised to this."""


def optimistic_times(low: np.ndarray, high: np.ndarray, goal: int) -> Callable[[], np.ndarray]:
    """Return a call that computes the least times (S,) to state `goal` over boxes with ends (S, A, S), to Storm's default precision, 1e-6."""
    S, A, _ = low.shape
    lines = ["@type: MDP", "@value_type: double-interval", "@parameters", "", "@reward_models", ""]
    lines += ["@nr_states", f"{S}", "@nr_choices", f"{(S - 1) * A + 1}", "@model"]
    start = 0 if goal else 1
    for s in range(S):
        lines.append(f"state {s} [{int(s != goal)}]{' init' if s == start else ''}{' goal' if s == goal else ''}")
        for a in range(1 if s == goal else A):
            lines.append(f"\taction {a} [0]")
            ends = [(s, 1.0, 1.0)] if s == goal else [(t, max(low[s, a, t], LEAST), high[s, a, t]) for t in range(S)]
            lines += [f"\t\t{t} : [{float(least)!r}, {float(most)!r}]" for t, least, most in ends]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "boxes.drn")
        path.write_text("\n".join(lines) + "\n", "utf-8")
        model = stormpy.build_model_from_drn[stormpy.Interval](str(path))
    stormpy.developer.set_log_level(stormpy.developer.LogLevel.ERR)  # it warns that robust value iteration is what it uses
    (wanted,) = stormpy.parse_properties('Rmin=? [F "goal"]')
    friendly = stormpy.UncertaintyResolutionMode.COOPERATIVE

    def solve() -> np.ndarray:
        result = stormpy.model_checking(model, wanted, uncertainty_resolution_mode=friendly)
        return np.array([result.get_value(s) for s in range(S)])

    return solve
