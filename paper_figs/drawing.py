"""What a figure function of a paper returns.

Each ``paper_figs/<paper>.py`` has a table ``FIGURES: dict[str, Callable[[str], Drawing]]`` from the name of a figure to a
function of the scale, "quick" or "full".  ``theoryrl figures`` calls them and saves what they return.
"""

from __future__ import annotations

import dataclasses

from matplotlib.figure import Figure


@dataclasses.dataclass(frozen=True, eq=False)
class Drawing:
    """A finished figure, and the caption that says what is shown, with all parameters."""

    figure: Figure
    caption: str
