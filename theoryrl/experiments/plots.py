"""The pictures of a run, of a proof and of many runs, in one look: colour-blind-safe, readable in print, the same bytes from the same seed."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np

from theoryrl.algorithms import store
from theoryrl.algorithms.run import Run
from theoryrl.experiments.frames import Group, by_label, final_value, groups, listed, parameters
from theoryrl.experiments.wording import number
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
VARIED = [(MUTED[i % 4][0], ("-", "--", "-.")[i % 3]) for i in range(12)]
"""Muted, and dashes that differ too, for prints without colour."""
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
    looks = _looks(runs, accent, MUTED)
    with style():
        ax = _axes(ax)
        for label, (k, regrets) in shared.items():
            _band(ax, k, regrets, looks[label], f"{label}{_exponent(k, regrets)}")
        _references(ax, bound, trivial)
        _finish(ax, next(iter(runs.values()))[0].algorithm.unit)
        seeds = sorted({len(same) for same in runs.values()})
        ax.set_title(f"median and 10–90 % band over {' or '.join(map(str, seeds))} seeds" if seeds != [1] else "one seed")
    return ax


def plot_comparison(runs: Iterable[Run], *, curve: str = "regret", accent: str | None = None) -> list[Any]:
    """Draw many algorithms on many problems: one panel per problem (and horizon), medians over seeds and 10-90 % bands, on log-log axes.

    Below the panels a caption states all parameters.  A legend tells which seeds an algorithm lacks, and that it was not run on
    a problem at all.  With the regret, the accent's bound and the worst policy's line are drawn where one theorem states them.

    Parameters
    ----------
    runs : iterable of Run
        Drawn at the checkpoints that all seeds of an algorithm share, so that a run that is not finished is refused.
    curve : str
        A curve of the runs, at its largest entry if it has trailing axes.
    accent : str, optional
        The repr of the paper's algorithm (default: that of the first run); the others are muted.

    Returns
    -------
    list of matplotlib Axes
        One per problem and horizon, in the order of their first runs, on a new figure.

    Raises
    ------
    ValueError
        If there is no run, one is not finished or has no such curve, `accent` is not among them, two runs are the same, or the
        runs of an algorithm share no checkpoint.
    """
    found = groups(runs)
    labels = by_label(found)
    looks = _looks(labels, accent)
    accent = next(iter(labels)) if accent is None else accent
    for run in itertools.chain.from_iterable(labels.values()):
        if not run.finished:
            raise ValueError(f"runs: {run!r} is not finished; proceed() finishes it")
        if curve not in run.curves:
            raise ValueError(f"curve: expected one of {', '.join(map(repr, run.curves))}, got {curve!r} (of {run!r})")
    with style():
        panels = _panels(len(found), len(labels))
        for ax, group in zip(panels, found, strict=True):
            _panel(ax, group, curve, looks, accent)
        _caption(panels[0].figure, _comparison_caption(found, labels, curve, accent))
    return panels


def plot_parameter(
    runs: Iterable[Run],
    parameter: str | Callable[[Run], float],
    *,
    symbol: str | None = None,
    curve: str = "regret",
    exponent: float | Mapping[str, float] | None = None,
    accent: str | None = None,
    ax: Any = None,
) -> Any:
    """Draw final values against a parameter of the problem (S, N, H, |G|, d, ...), with fitted exponents beside the theorem's.

    Each algorithm's exponent is the mean over seeds of the least-squares slopes of log value against log parameter, with its 95 %
    Student interval; only seeds that were run at all of the algorithm's parameters take part, and the legend tells where runs
    are missing.  A dashed line of the theorem's slope leaves from the first median.

    Parameters
    ----------
    runs : iterable of Run
        Finished, of one algorithm or many; for each algorithm and seed one run per value of the parameter.
    parameter : str or callable
        An attribute of the problem, such as "n_states", or "n", the horizon; or a function of the run.
    symbol : str, optional
        How the parameter is written in formulas, such as ``"S"`` (default: its name).
    curve : str
        A curve of the runs, at its largest entry if it has trailing axes, or "steps", what a rule that stops by itself took.
    exponent : float or mapping of str to float, optional
        The theorem's exponent, for all algorithms or by repr.  Default: with the regret, that of the explicit bound on these very instances
        (with its logarithms and lower-order terms), if one theorem is registered for the algorithm and states it.
    accent : str, optional
        The repr of the paper's algorithm (default: that of the first run); the others are muted.
    ax : matplotlib Axes, optional
        Default: those of a new figure, with a caption that states all parameters.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        If there is no run, one is not finished or has no such curve or parameter, a parameter is not positive, an algorithm has two
        runs with the same seed and parameter, or `accent` or `exponent` names no algorithm.
    """
    found = groups(runs)
    labels = by_label(found)
    looks = _looks(labels, accent)
    if isinstance(exponent, Mapping) and set(exponent) - set(labels):
        raise ValueError(f"exponent: expected among {', '.join(map(repr, labels))}, got {', '.join(map(repr, sorted(set(exponent) - set(labels))))}")
    if symbol is None:
        symbol = rf"\mathrm{{{parameter}}}".replace("_", r"\_") if isinstance(parameter, str) else "x"
    ladders = {name: _ladder(same, parameter, curve) for name, same in labels.items()}
    grid = np.unique(np.concatenate([list(ladder) for ladder in ladders.values()]))
    own = ax is None
    with style():
        ax = _axes(ax, (6.4, 4.6))
        for name, ladder in ladders.items():
            stated = exponent.get(name) if isinstance(exponent, Mapping) else exponent
            slope, whose = (stated, "theorem") if stated is not None else (_bound_exponent(ladder) if curve == "regret" else None, "bound")
            fit = _fit(ladder, symbol, curve) + ("" if slope is None else f"; {whose}: ${symbol}^{{{slope:.3g}}}$")
            label = f"{_wrap(name, 70)}: {fit}{_gaps(ladder, grid)}"
            _rungs(ax, {x: _finals(same.values(), curve) for x, same in ladder.items()}, looks[name], label, slope)
        _log_axes(ax, f"${symbol}$", f"final {curve}")
        ax.set_xticks(grid[:: 1 + (len(grid) - 1) // 8], [f"{x:g}" for x in grid[:: 1 + (len(grid) - 1) // 8]])
        ax.set_xticks([], minor=True)
        _legend_below(ax, *ax.get_legend_handles_labels())
        ax.set_title("median and 10–90 % band over seeds; exponents with 95 % Student intervals")
        if own:
            _caption(ax.figure, _parameter_caption(found, labels, symbol, curve))
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


def _log_axes(ax: Any, x: str, y: str) -> None:
    ax.set(xscale="log", yscale="log", xlabel=x, ylabel=y)
    if not any(np.any(np.isfinite(line.get_ydata())) for line in ax.get_lines()):
        steps = np.concatenate([np.asarray(line.get_xdata(), dtype=float) for line in ax.get_lines()])
        ax.set(xlim=(steps.min() / 1.1, steps.max() * 1.1), ylim=(0.1, 1))  # nothing is positive, and matplotlib finds no range for nothing
    ax.grid(True)


def _finish(ax: Any, unit: str) -> None:
    _log_axes(ax, unit, "cumulative regret")
    handles, labels = ax.get_legend_handles_labels()
    by_label = dict(zip(labels, handles, strict=True))
    ax.legend(by_label.values(), by_label.keys(), loc="lower right")  # what grows leaves this corner free


def _looks(labels: Iterable[str], accent: str | None, others: Sequence[tuple[str, str]] = VARIED) -> dict[str, tuple[str, str]]:
    """A colour and a dash for each label: the accent for the first or the chosen one, muted ones for the others."""
    labels = list(labels)
    accent = labels[0] if accent is None else accent
    if accent not in labels:
        raise ValueError(f"accent: expected one of {', '.join(map(repr, labels))}, got {accent!r}")
    muted = itertools.cycle(others)
    return {label: (ACCENT, "-") if label == accent else next(muted) for label in labels}


def _band(ax: Any, x: np.ndarray, curves: np.ndarray, look: tuple[str, str], label: str, **marks: Any) -> None:
    """Draw the median over seeds (rows) and the 10-90 % band."""
    colour, dashes = look
    low, median, high = np.quantile(curves, (0.1, 0.5, 0.9), axis=0)
    order = 3 if colour == ACCENT else 2
    _line(ax, x, median, colour, label, linestyle=dashes, zorder=order, **marks)
    if len(curves) > 1 and (high > 0).any():
        ax.fill_between(x, _positive(low), _positive(high), color=colour, alpha=0.2, linewidth=0, zorder=order - 1)


def _panels(count: int, labels: int) -> list[Any]:
    import matplotlib.pyplot as plt

    columns = min(count, 3 if count > 4 else 2)
    rows = -(-count // columns)
    size = (max(6.4, 4.6 * columns), (3.6 + 0.2 * (labels + 2)) * rows + 0.6)
    axes = plt.subplots(rows, columns, figsize=size, squeeze=False)[1].ravel()
    for ax in axes[count:]:
        ax.remove()
    return list(axes[:count])


def _panel(ax: Any, group: Group, curve: str, looks: Mapping[str, tuple[str, str]], accent: str) -> None:
    top = 0.0
    for name, (colour, dashes) in looks.items():
        if name not in group.runs:
            ax.plot([], [], color=colour, linestyle=dashes, alpha=0.4, label=_wrap(f"{name}: no run", 72))
            continue
        k, curves = _shared(name, list(group.runs[name].values()), curve)
        top = max(top, float(curves.max()))
        told = "  (not positive: not drawn)" if (curves <= 0).all() else ""
        told += f"  (no run with {_seeds(group.unpaired[name])})" if name in group.unpaired else ""
        _band(ax, k, curves, looks[name], _wrap(f"{name}{_exponent(k, curves)}{told}", 72))
    lines = _theorem_lines(next(iter(group.runs[accent].values()))) if curve == "regret" and accent in group.runs else (None, None)
    k = next(iter(group.runs[accent].values())).checkpoints if accent in group.runs else np.zeros(0)
    _references(ax, *(None if line is None else (k, line) for line in lines))
    _finish(ax, next(iter(group.runs[next(iter(group.runs))].values())).algorithm.unit)
    ax.set_ylabel("cumulative regret" if curve == "regret" else curve)
    if lines[1] is not None:
        top = max(top, float(lines[1][-1]))
    handles, texts = ax.get_legend_handles_labels()
    if lines[0] is not None and top > 0 and lines[0][-1] > 30 * top:
        ax.set_ylim(top=30 * top)  # a bound that is far beyond would leave no room for the algorithms
        texts = [f"{text} (ends at {number(float(lines[0][-1]))})" if text == "theorem's bound" else text for text in texts]
    _legend_below(ax, handles, texts)
    ax.set_title(_wrap(f"{group.problem}, n = {group.n:,}", 58) + f"\nseeds {listed(group.seeds)}")


def _comparison_caption(found: Sequence[Group], labels: Mapping[str, Sequence[Run]], curve: str, accent: str) -> str:
    what = f"The {'cumulative regret' if curve == 'regret' else curve} of {len(labels)} algorithm{'s' * (len(labels) > 1)}"
    text = f"{what}: median and 10–90 % band over seeds, at the checkpoints that all seeds of an algorithm share; exponents over the last decade."
    if curve == "regret":
        text += f" Theorem's bound and worst policy: those of {accent}, where its theorem states them (on a prior: of the first seed's problem)."
    absent = [f"{name} on {group.problem}" for group in found for name in labels if name not in group.runs]
    lacking = [f"{name} on {group.problem}, {_seeds(seeds)}" for group in found for name, seeds in group.unpaired.items()]
    missing = f" Missing runs: {'; '.join([*absent, *lacking])}." if absent or lacking else ""
    return f"{text} {_all_parameters(labels)}{missing}"


def _legend_below(ax: Any, handles: Sequence[Any], texts: Sequence[str]) -> None:
    from matplotlib.transforms import offset_copy

    below = offset_copy(ax.transAxes, ax.figure, y=-34, units="points")  # the ticks and the label of the x axis
    ax.legend(handles, texts, loc="upper left", bbox_to_anchor=(0.0, 0.0), bbox_transform=below, borderaxespad=0.0)


def _seeds(seeds: Iterable[int]) -> str:
    seeds = list(seeds)
    return f"seed{'s' * (len(seeds) > 1)} {listed(seeds)}"


def _all_parameters(labels: Mapping[str, Sequence[Run]]) -> str:
    return f"All parameters: {'; '.join(parameters(same[0]) for same in labels.values())}."


def _caption(fig: Any, text: str) -> None:
    fig.supxlabel(_wrap(text, int(18.5 * fig.get_figwidth())), x=0.01, ha="left", fontsize=7, color="#333333")


Ladder = dict[float, dict[int, Run]]


def _ladder(runs: Sequence[Run], parameter: str | Callable[[Run], float], curve: str) -> Ladder:
    """The runs of one algorithm by value of the parameter, then by seed."""
    rungs: Ladder = {}
    for run in runs:
        final_value(run, curve)
        x = _parameter(run, parameter)
        other = rungs.setdefault(x, {}).setdefault(run.seed, run)
        if other is not run:
            raise ValueError(f"runs: {run!r} and {other!r} have the same parameter {x:g}; give runs in which it alone varies")
    return dict(sorted(rungs.items()))


def _parameter(run: Run, parameter: str | Callable[[Run], float]) -> float:
    if callable(parameter):
        x = parameter(run)
    elif parameter == "n":
        x = run.n
    elif hasattr(run.problem, parameter):
        x = getattr(run.problem, parameter)
    else:
        raise ValueError(f"parameter: {type(run.problem).__name__} has no {parameter!r}")
    if not isinstance(x, (int, float, np.integer, np.floating)) or not 0 < x < math.inf:
        raise ValueError(f"parameter: expected a positive number, got {x!r} (of {run!r})")
    return float(x)


def _finals(runs: Iterable[Run], curve: str) -> np.ndarray:
    return np.array([final_value(run, curve) for run in runs])


def _fit(ladder: Ladder, symbol: str, curve: str) -> str:
    """The exponent over the seeds that were run at all values of the parameter, with its interval."""
    whole = sorted(set.intersection(*(set(same) for same in ladder.values())))
    values = np.array([_finals((same[seed] for same in ladder.values()), curve) for seed in whole])
    if len(ladder) < 2:
        return "no exponent from one value"
    if not whole:
        return "no exponent, as no seed was run at all values"
    if (values <= 0).any():
        return f"no exponent, as {int((values <= 0).sum())} of {values.size} values are not positive"
    slopes = statistics.growth_exponents(np.array(list(ladder)), values, math.inf)
    low, high = statistics.student_interval(slopes, 0.05)
    interval = f"[{_exact(low)}, {_exact(high)}], {len(whole)} seeds" if len(whole) > 1 else "(one seed: no interval)"
    return f"${symbol}^{{{_exact(slopes.mean())}}}$ {interval}"


def _gaps(ladder: Ladder, grid: np.ndarray) -> str:
    """What is missing: values of the parameter, and seeds at some of them."""
    every = set().union(*ladder.values())
    gaps = [f"no run at {x:g}" for x in grid if x not in ladder]
    gaps += [f"at {x:g} no run with {_seeds(every - set(same))}" for x, same in ladder.items() if every - set(same)]
    return "\n" + _wrap(f"({'; '.join(gaps)})", 70) if gaps else ""


def _exact(exponent: float) -> str:
    """Two decimals, with a proper minus and no negative zero."""
    return f"{round(float(exponent), 2) + 0.0:.2f}".replace("-", "−")


def _bound_exponent(ladder: Ladder) -> float | None:
    """The exponent of the theorem's bound on the ladder's instances, None if it states none on one of them."""
    bounds = [_theorem_lines(next(iter(same.values())))[0] for same in ladder.values()]
    ends = [float(bound[-1]) for bound in bounds if bound is not None]
    if len(ends) < max(2, len(bounds)) or min(ends) <= 0:
        return None
    return float(statistics.growth_exponents(np.array(list(ladder)), np.array([ends]), math.inf)[0])


def _rungs(ax: Any, values: Mapping[float, np.ndarray], look: tuple[str, str], label: str, slope: float | None) -> None:
    colour, dashes = look
    x = np.array(list(values))
    low, median, high = np.array([np.quantile(column, (0.1, 0.5, 0.9)) for column in values.values()]).T
    order = 3 if colour == ACCENT else 2
    _line(ax, x, median, colour, label, linestyle=dashes, marker="o", markersize=4, zorder=order)
    if max(map(len, values.values())) > 1 and (high > 0).any():
        ax.fill_between(x, _positive(low), _positive(high), color=colour, alpha=0.2, linewidth=0, zorder=order - 1)
    if slope is not None and median[0] > 0:
        _line(ax, x, median[0] * (x / x[0]) ** slope, colour, "_theorem", linestyle=(0, (4, 3)), linewidth=1.0, zorder=1)


def _parameter_caption(found: Sequence[Group], labels: Mapping[str, Sequence[Run]], symbol: str, curve: str) -> str:
    horizons = sorted({group.n for group in found})
    n = f"n = {horizons[0]:,}" if len(horizons) == 1 else f"n from {horizons[0]:,} to {horizons[-1]:,}"
    problems = list(dict.fromkeys(group.problem for group in found))
    shown = problems if len(problems) <= 8 else [*problems[:4], "…", *problems[-3:]]
    seeds = listed({run.seed for same in labels.values() for run in same})
    return (
        f"The final {curve} against ${symbol}$ on {', '.join(shown)}; {n}, seeds {seeds}. Exponents: means over seeds of least-squares slopes of logarithms."
        f" Thin dashed lines: the theorem's exponent (\"bound\": that of the explicit bound on these instances), from the first median."
        f" {_all_parameters(labels)}"
    )


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


def _shared(label: str, runs: Sequence[Run], curve: str = "regret") -> tuple[np.ndarray, np.ndarray]:
    """The checkpoints that all runs share, and the curves there, shape (runs, C)."""
    if not runs:
        raise ValueError(f"runs: {label!r} has no run")
    k = reduce(np.intersect1d, [run.checkpoints for run in runs])
    if len(k) == 0:
        raise ValueError(f"runs: the runs of {label!r} share no checkpoint")
    return k, np.array([_worst(run[curve])[np.isin(run.checkpoints, k)] for run in runs])


def _exponent(k: np.ndarray, curves: np.ndarray) -> str:
    """The mean growth exponent over the last decade, for a legend; none where a curve is not positive there."""
    if k[-1] < 10 * k[0] or np.any(curves[:, 10 * k >= k[-1]] <= 0):
        return ""
    return f"  (grows like $k^{{{round(float(statistics.growth_exponents(k, curves).mean()), 2) + 0.0:.2f}}}$)"


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
