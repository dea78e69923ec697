"""The pictures of a run, of a proof and of many runs, in one look: colour-blind-safe, readable in print, the same bytes from the same seed."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np

from theoryrl.algorithms import store
from theoryrl.algorithms.run import Run
from theoryrl.experiments.report import number
from theoryrl.proofs import statistics
from theoryrl.proofs.theorem import Line, Proof, theorem_for

OKABE_ITO = {
    "black": "#000000",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "purple": "#CC79A7",
}
ACCENT = OKABE_ITO["blue"]
BOUND = OKABE_ITO["vermillion"]
TRIVIAL = "#555555"
MUTED = [(colour, dashes) for dashes in ("-", "--", ":") for colour in ("#B9A06A", "#7FA99B", "#B295A8", "#8C8C8C")]
STEPS = {
    "surely": OKABE_ITO["sky"],
    "on an event": OKABE_ITO["orange"],
    "on an event that failed": OKABE_ITO["purple"],
    "in expectation": OKABE_ITO["green"],
    "VIOLATED": OKABE_ITO["vermillion"],
}


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Draw in the look of theoryrl's figures inside a ``with`` block: Okabe-Ito colours and fonts that come with matplotlib."""
    import matplotlib as mpl
    from cycler import cycler

    look: dict[Any, Any] = {
        "axes.prop_cycle": cycler(color=[OKABE_ITO[c] for c in ("blue", "orange", "green", "vermillion", "purple", "sky", "black")]),
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlelocation": "left",
        "axes.titlesize": 10,
        "figure.constrained_layout.use": True,
        "figure.dpi": 120,
        "figure.figsize": (6.4, 4.0),
        "font.family": "DejaVu Sans",
        "font.size": 9,
        "grid.alpha": 0.25,
        "legend.frameon": False,
        "legend.fontsize": 8,
        "lines.linewidth": 1.8,
        "mathtext.fontset": "dejavusans",
        "pdf.fonttype": 42,
        "savefig.dpi": 200,
    }
    with mpl.rc_context(look):
        yield
        interactive = mpl.is_interactive()
    mpl.interactive(interactive)  # a notebook's backend turns it on when the first figure is made, and the context would turn it off


def plot_run(run: Run, ax: Any = None) -> Any:
    """Draw regret against steps on log-log axes, with the theorem's bound and the worst policy's line above it.

    The two lines are drawn if exactly one theorem is registered for the algorithm, applies to the problem and states
    them as functions of the step.  A regret with trailing axes is drawn at its largest entry.

    Parameters
    ----------
    run : Run
        With a curve "regret".
    ax : matplotlib Axes, optional
        Default: those of a new figure.

    Returns
    -------
    matplotlib Axes
    """
    with style():
        ax = _axes(ax)
        k = run.checkpoints
        regret = _worst(run.regret)
        _line(ax, k, regret, ACCENT, f"regret{_exponent(k, regret[None])}", zorder=3)
        bound, trivial = _theorem_lines(run)
        _references(ax, None if bound is None else (k, bound), None if trivial is None else (k, trivial))
        _finish(ax, run.algorithm.unit)
        ax.set_title(_wrap(f"{run.algorithm} on {run.problem!r}, seed {run.seed}", 78))
    return ax


def plot_runs(
    runs: Mapping[str, Sequence[Run]],
    ax: Any = None,
    *,
    bound: tuple[np.ndarray, np.ndarray] | None = None,
    trivial: tuple[np.ndarray, np.ndarray] | None = None,
    accent: str | None = None,
) -> Any:
    """Draw the median regret over seeds and its 10-90 % band for each label, on log-log axes.

    Parameters
    ----------
    runs : mapping of str to sequence of Run
        Runs of one algorithm over seeds, by label; drawn at the checkpoints that all of them share.
    ax : matplotlib Axes, optional
        Default: those of a new figure.
    bound, trivial : (steps, values), optional
        The theorem's bound and the largest possible regret, at steps of their own.
    accent : str, optional
        The label of the paper's algorithm (default: the first); the others are muted.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        If there are no runs, a label has none, `accent` is not a label, or runs of a label share no checkpoint.
    """
    if not runs:
        raise ValueError("runs: expected at least one label")
    accent = next(iter(runs)) if accent is None else accent
    if accent not in runs:
        raise ValueError(f"accent: expected one of {', '.join(map(repr, runs))}, got {accent!r}")
    shared = {label: _shared(label, same) for label, same in runs.items()}
    with style():
        ax = _axes(ax)
        looks = iter(MUTED * (1 + len(runs) // len(MUTED)))
        for label, (k, regrets) in shared.items():
            colour, dashes = (ACCENT, "-") if label == accent else next(looks)
            low, median, high = np.quantile(regrets, (0.1, 0.5, 0.9), axis=0)
            order = 3 if label == accent else 2
            _line(ax, k, median, colour, f"{label}{_exponent(k, regrets)}", linestyle=dashes, zorder=order)
            if len(regrets) > 1:
                ax.fill_between(k, _positive(low), _positive(high), color=colour, alpha=0.2, linewidth=0, zorder=order - 1)
        _references(ax, bound, trivial)
        _finish(ax, next(iter(runs.values()))[0].algorithm.unit)
        seeds = sorted({len(same) for same in runs.values()})
        ax.set_title(f"median and 10–90 % band over {' or '.join(map(str, seeds))} seeds" if seeds != [1] else "one seed")
    return ax


def plot_proof(proof: Proof, ax: Any = None) -> Any:
    """Draw the waterfall of a proof's first chain at the last checkpoint: each bar is what one step gives away.

    On the left are the lines from the first quantity down to the bound, on the right is how each step holds and why, with
    the factor that it costs.  Steps that must hold and do not are marked.  Trailing axes are drawn at the entry that comes
    closest to the bound.

    Returns
    -------
    matplotlib Axes
    """
    name, lines = next(iter(proof.chains.items()))
    _, values = proof.last_values(name)
    broken = {(v.chain, v.line, v.next_line) for v in proof.violations}
    with style():
        ax = _axes(ax, (10.0, 1.5 + 0.62 * len(lines)))
        left, right = _scale(ax, values)
        ax.barh(0, values[0] - left, left=left, height=0.55, color="#333333")
        used: dict[str, str] = {}
        ends = ["left"] * len(lines)
        for i, (line, following) in enumerate(itertools.pairwise(lines)):
            step = "VIOLATED" if (name, line.id, following.id) in broken else _kind(proof, line)
            used[step] = STEPS[step]
            ax.barh(i + 1, values[i + 1] - values[i], left=values[i], height=0.55, color=used[step], hatch="///" if step == "VIOLATED" else None)
            ends[i + 1] = "right" if values[i + 1] < values[i] else "left"
            ax.plot([values[i], values[i]], [i - 0.275, i + 1.275], color="#333333", linewidth=0.8)
            reason = _wrap(f"{_cost(line, values[i], values[i + 1])}  {line.how}" + (f": {line.reason}" if line.reason else ""), 44)
            ax.text(1.01, i + 1, reason, transform=ax.get_yaxis_transform(), va="center", fontsize=8, color="#333333")
        for i, value in enumerate(values):
            if np.isfinite(value):
                away = 4 if ends[i] == "left" else -4
                label = ax.annotate(number(value), (value, i), (away, 0), textcoords="offset points", ha=ends[i], va="center", fontsize=8, zorder=6)
                label.set_bbox({"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"})
        ax.set_yticks(range(len(lines)), [_wrap(f"{line.id}  {line.label}", 34) for line in lines], fontsize=8)
        ax.set_ylim(len(lines) - 0.4, -0.6)
        ax.tick_params(axis="y", length=0)
        _waterfall_legend(ax, used, proof, right)
        ax.set_title(_heading(proof, name))
    return ax


def save_figure(fig: Any, path: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Write `fig` as PNG and PDF beside each other, without dates: the same figure gives the same bytes.

    Parameters
    ----------
    path : path
        With or without ``.png`` or ``.pdf`` at its end.

    Returns
    -------
    png, pdf : Path

    Raises
    ------
    ValueError
        If the folder does not exist.
    """
    path = store.writable("path", path)
    stem = path.with_suffix("") if path.suffix in (".png", ".pdf") else path
    nothing: dict[str, dict[str, None]] = {"png": {"Software": None}, "pdf": {"Creator": None, "Producer": None, "CreationDate": None}}
    files = [stem.with_name(f"{stem.name}.{kind}") for kind in nothing]
    with style():
        for file, (kind, metadata) in zip(files, nothing.items(), strict=True):
            with store.atomic(file) as temporary:
                fig.savefig(temporary, format=kind, metadata=metadata, bbox_inches="tight")
    return files[0], files[1]


def _axes(ax: Any, size: tuple[float, float] | None = None) -> Any:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size)[1]


def _worst(curve: np.ndarray) -> np.ndarray:
    """The largest entry over trailing axes, shape (C,)."""
    return curve.reshape(len(curve), -1).max(axis=1)


def _positive(curve: np.ndarray) -> np.ndarray:
    return np.where(curve > 0, curve, np.nan)


def _line(ax: Any, k: np.ndarray, curve: np.ndarray, colour: str, label: str, **look: Any) -> None:
    ax.plot(k, _positive(curve), color=colour, label=label, **look)


def _references(ax: Any, bound: tuple[np.ndarray, np.ndarray] | None, trivial: tuple[np.ndarray, np.ndarray] | None) -> None:
    if bound is not None:
        _line(ax, *bound, BOUND, "theorem's bound", linestyle="--")
    if trivial is not None:
        _line(ax, *trivial, TRIVIAL, "worst policy", linestyle=":")


def _finish(ax: Any, unit: str) -> None:
    ax.set(xscale="log", yscale="log", xlabel=unit, ylabel="cumulative regret")
    ax.grid(True)
    handles, labels = ax.get_legend_handles_labels()
    by_label = dict(zip(labels, handles, strict=True))
    ax.legend(by_label.values(), by_label.keys(), loc="lower right")  # what grows leaves this corner free


def _theorem_lines(run: Run) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The bound and the largest possible regret at the checkpoints, where one theorem applies and states them."""
    try:
        theorem = theorem_for(run.algorithm)
    except ValueError:
        return None, None
    if theorem.failing(run.algorithm, run.problem, run.n):
        return None, None
    k = run.checkpoints
    bound = None if theorem.bound is None else _worst(theorem.bound(run.algorithm, run.problem, run.n, k))
    return bound, None if theorem.trivial is None else _worst(theorem.trivial(run.problem, k))


def _shared(label: str, runs: Sequence[Run]) -> tuple[np.ndarray, np.ndarray]:
    """The checkpoints that all runs share, and the regrets there, shape (runs, C)."""
    if not runs:
        raise ValueError(f"runs: {label!r} has no run")
    k = reduce(np.intersect1d, [run.checkpoints for run in runs])
    if len(k) == 0:
        raise ValueError(f"runs: the runs of {label!r} share no checkpoint")
    return k, np.array([_worst(run.regret)[np.isin(run.checkpoints, k)] for run in runs])


def _exponent(k: np.ndarray, curves: np.ndarray) -> str:
    """The mean growth exponent over the last decade, for a legend."""
    if k[-1] < 10 * k[0] or np.any(curves[:, -1] <= 0):
        return ""
    return f"  (grows like $k^{{{statistics.growth_exponents(k, curves).mean():.2f}}}$)"


def _scale(ax: Any, values: Sequence[float]) -> tuple[float, float]:
    """Set a logarithmic x axis with room for numbers, symmetric if a value is not positive; return its ends."""
    finite = [value for value in values if np.isfinite(value)] or [1.0]
    positive = [value for value in finite if value > 0] or [1.0]
    if min(finite) > 0:
        ax.set_xscale("log")
        left = min(positive) / 3
        right = max(positive) * (max(positive) / left) ** 0.15
    else:
        ax.set_xscale("symlog", linthresh=min(abs(value) for value in finite if value) if any(finite) else 1.0)
        left, right = min(0.0, 2 * min(finite)), 10 * max(positive)
    ax.set_xlim(left, right)
    ax.grid(True, axis="x")
    ax.set_axisbelow(True)
    return left, right


def _kind(proof: Proof, line: Line) -> str:
    if line.on:
        return "on an event" if all(proof.held[event] for event in line.on) else "on an event that failed"
    return str(line.holds)


def _cost(line: Line, value: float, following: float) -> str:
    if line.equality:
        return "="
    return f"×{following / value:.3g}" if value > 0 and following > 0 else f"+{following - value:.3g}"


def _waterfall_legend(ax: Any, used: Mapping[str, str], proof: Proof, right: float) -> None:
    from matplotlib.patches import Patch

    handles: list[Any] = [Patch(color=colour, label=step) for step, colour in used.items()]
    if proof.trivial is not None:
        trivial = float(np.max(np.asarray(proof.trivial, dtype=float)[-1]))
        if trivial > right:
            ax.set_xlim(right=1.5 * trivial)
        handles.append(ax.axvline(trivial, color=TRIVIAL, linestyle=":", label=f"largest possible first line: {number(float(trivial))}"))
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0.0), borderaxespad=3.0, ncols=4)


def _heading(proof: Proof, name: str) -> str:
    if proof.theorem is None or proof.run is None:
        return name
    run = proof.run
    return f"{proof.theorem.title}: {name}\n" + _wrap(f"{run.algorithm} on {run.problem!r}, {run.steps:,} {run.algorithm.unit}, seed {run.seed}", 100)


def _wrap(text: str, width: int) -> str:
    """Break `text` into lines, never inside a formula."""
    whole = re.sub(r"\$[^$]*\$", lambda formula: formula[0].replace(" ", "\0"), text)
    return "\n".join(textwrap.wrap(whole, width, break_long_words=False, break_on_hyphens=False)).replace("\0", " ")
