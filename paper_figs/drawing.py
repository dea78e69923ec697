"""What a figure function of a paper returns, and what such functions share.

Each ``paper_figs/<paper>.py`` has a table ``FIGURES: dict[str, Callable[[str], Drawing]]`` from the name of a figure to a
function of the scale, "quick" or "full".  ``theoryrl figures`` calls them and saves what they return.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from theoryrl import validate
from theoryrl.experiments.plots import style
from theoryrl.proofs import statistics

BAND = "median and 10–90 % band over {} seeds"


@dataclasses.dataclass(frozen=True, eq=False)
class Drawing:
    """A finished figure, and the caption that says what is shown, with all parameters."""

    figure: Figure
    caption: str


Draw = Callable[[str], Drawing]


def figure(table: dict[str, Draw]) -> Callable[[Draw], Draw]:
    """Return the decorator that enters a figure into `table` under its name, and draws it in the look of theoryrl."""

    def enter(draw: Draw) -> Draw:
        @functools.wraps(draw)
        def drawn(scale: str) -> Drawing:
            validate.one_of("scale", scale, ("quick", "full"))
            with style():
                return draw(scale)

        table[draw.__name__] = drawn
        return drawn

    return enter


def drawing(fig: Figure, caption: str) -> Drawing:
    """Return the drawing, with its caption on one line."""
    return Drawing(fig, " ".join(caption.split()))


def band(ax: Any, x: Any, curves: np.ndarray, colour: str, label: str, **look: Any) -> None:
    """Draw the median over the seeds (rows) of `curves` and its 10-90 % band."""
    low, median, high = np.quantile(curves, (0.1, 0.5, 0.9), axis=0)
    ax.plot(x, median, color=colour, label=label, **look)
    ax.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)


def power(symbol: str, x: np.ndarray, curves: np.ndarray) -> str:
    """Return the fitted power of x with its 95 % Student interval over seeds, for a legend."""
    slopes = statistics.growth_exponents(np.sort(x), curves[:, np.argsort(x)], math.inf)
    low, high = statistics.student_interval(slopes, 0.05)
    return f"${symbol}^{{{slopes.mean():.2f}}}$ [{low:.2f}, {high:.2f}]"


def growth(symbol: str, x: Any, y: np.ndarray, last: int) -> str:
    """Return the fitted power of x over the last points, for a legend."""
    slope = statistics.growth_exponents(np.asarray(x)[-last:], y[None, -last:], math.inf)[0]
    return f"${symbol}^{{{slope:.2f}}}$"


def log_axes(ax: Any, x: str, y: str, ticks: Any = None) -> None:
    """Make both axes logarithmic, with numbers at `ticks` alone if given."""
    ax.set(xscale="log", yscale="log", xlabel=x, ylabel=y)
    ax.grid(True)
    if ticks is not None:
        ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        ax.set_xticks([], minor=True)
