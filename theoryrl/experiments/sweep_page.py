"""The page of a sweep: how far it is, final values, a comparison plot for each problem, paired comparisons, failures with tracebacks."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from html import escape

import numpy as np

from theoryrl.algorithms.run import Run
from theoryrl.experiments.comparisons import compare
from theoryrl.experiments.frames import Group, final_value, groups, listed
from theoryrl.experiments.page import Cell, alarm, badge, code, document, figure, header, table
from theoryrl.experiments.sweep import Status, Sweep
from theoryrl.experiments.wording import number

STATES = {"done": "good", "running": "warn", "begun": "warn", "missing": "idle", "late": "bad", "failed": "bad"}
MOST_RUNS = 10
"""So many runs are named that failed alike; of the others only the number is told."""


def sweep_page(title: str, sweep: Sweep, status: Status, runs: Sequence[Run]) -> str:
    """Return the page of a sweep, finished or not.

    Parameters
    ----------
    title : str
    sweep : Sweep
    status : Status
        What `Sweep.status` says.
    runs : sequence of Run
        What `Sweep.collect` yields.
    """
    parts = [_header(title, sweep, status)]
    if runs:
        found, curve = groups(runs), main_curve(runs)
        parts.append(f"<section><h2>Final {escape(curve)}</h2>{_final(found, curve, len(sweep.seeds))}{_all_curves(found)}</section>")
        if curve != "steps":
            parts.append(f"<section><h2>Comparison on each problem</h2>{_drawings(found, curve)}</section>")
        if len(sweep.algorithms) > 1:
            parts.append(f"<section><h2>Paired comparisons</h2>{_comparisons(found, curve)}</section>")
    if status.failures:
        parts.append(f"<section><h2>Failures</h2>{_failures(status.failures)}</section>")
    return document(title, "\n".join(parts))


def main_curve(runs: Sequence[Run]) -> str:
    """Return the curve that all runs are compared by: the regret, else the first that they share, else "steps"."""
    shared = [name for name in runs[0].curves if all(name in run.curves for run in runs)]
    return "regret" if "regret" in shared else next(iter(shared), "steps")


def _header(title: str, sweep: Sweep, status: Status) -> str:
    counts = {state: getattr(status, state) for state in STATES}
    total, left = sum(counts.values()), sum(counts.values()) - status.done
    sizes = f"{len(sweep.algorithms)} algorithms × {len(sweep.problems)} problems × {len(sweep.seeds)} seeds, n = {sweep.n:,}"
    facts = [sizes, datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")]
    facts += [f"{count} of these runs are there from another version of the code, in {escape(name)}" for name, count in status.older.items()]
    alarms = [alarm(f"Not complete: {status.done} of {total} runs are here, {left} are not.")] if left else []
    return header(title, facts, [badge(kind, f"{counts[state]} {state}") for state, kind in STATES.items() if counts[state]], alarms)


def _final(found: Sequence[Group], curve: str, seeds: int) -> str:
    rows = [[*_place(group, name), *_spread(list(by_seed.values()), curve, seeds)] for group in found for name, by_seed in group.runs.items()]
    return table(rows, wide=True) + '<p class="note">Median and 10–90 % range over seeds; a curve with several entries counts at its largest.</p>'


def _all_curves(found: Sequence[Group]) -> str:
    """All other curves, folded away."""
    rows: list[list[Cell]] = []
    for group in found:
        for name, by_seed in group.runs.items():
            runs = list(by_seed.values())
            for curve in [*(curve for curve in runs[0].curves if all(curve in run.curves for run in runs)), "steps"]:
                rows.append([*_place(group, name), ("Curve", code(curve)), *_spread(runs, curve, len(runs))])
    return f"<details><summary>All curves</summary>{table(rows, wide=True)}</details>"


def _place(group: Group, name: str) -> list[Cell]:
    return [("Problem", code(group.problem)), ("Algorithm", code(name))]


def _spread(runs: Sequence[Run], curve: str, seeds: int) -> list[Cell]:
    of = "" if len(runs) == seeds else f" of {seeds}"
    try:
        values = [float(value) for value in np.quantile([final_value(run, curve) for run in runs], (0.5, 0.1, 0.9))]
    except ValueError:  # not a number
        values = [math.nan] * 3
    cells = [(heading, _signed(value), _finite(value)) for heading, value in zip(("Median", "10 %", "90 %"), values, strict=True)]
    return [("Seeds", f"{len(runs)}{of}", len(runs)), *cells]


def _drawings(found: Sequence[Group], curve: str) -> str:
    import matplotlib.pyplot as plt

    from theoryrl.experiments.plots import plot_comparison

    parts, captions = [], []
    for i, group in enumerate(found):
        try:
            drawn = plot_comparison([run for by_seed in group.runs.values() for run in by_seed.values()], curve=curve)[0].figure
        except ValueError as error:  # seeds that share no checkpoint
            parts.append(alarm(f"{code(group.problem)} is not drawn: {escape(str(error))}"))
            continue
        captions.append((group.problem, " ".join(drawn.get_supxlabel().split())))
        drawn.supxlabel("")  # told once, below all figures, in letters that a phone shows
        drawn.set_size_inches(5.0, drawn.get_figheight() - 0.4)
        parts.append(figure(drawn, f"f{i}"))
        plt.close(drawn)
    alike = len({caption for _, caption in captions}) == 1
    told = "".join(f'<p class="note">{"" if alike else code(problem) + ": "}{escape(caption)}</p>' for problem, caption in captions[: 1 if alike else None])
    return f'<div class="drawings">{"".join(parts)}</div>{told}'


def _comparisons(found: Sequence[Group], curve: str) -> str:
    """All pairs on each problem, by the seeds that all its algorithms have."""
    paired, notes = [], []
    for group in found:
        if group.unpaired:
            lacking = "; ".join(f"{name} lacks {listed(seeds)}" for name, seeds in group.unpaired.items())
            notes.append(f"On {group.problem}, only seeds that all algorithms have take part: {lacking}.")
        shared = set.intersection(*(set(by_seed) for by_seed in group.runs.values()))
        paired += [by_seed[seed] for by_seed in group.runs.values() for seed in sorted(shared)]
    try:
        compared = compare(paired, curve)
    except ValueError as error:
        return f'<p class="note">{" ".join(map(escape, [*notes, f"Nothing is compared: {error}."]))}</p>'
    rows: list[list[Cell]] = []
    for pair in compared.pairs:
        star = ' <b title="below the level">*</b>' if pair.adjusted < compared.level else ""
        medians = f"{_signed(pair.first_median)} / {_signed(pair.second_median)}"
        row: list[Cell] = [("Problem", code(pair.problem)), ("First", code(pair.first)), ("Second", code(pair.second)), ("Medians", medians, pair.first_median)]
        row += [("Difference", _signed(pair.difference), pair.difference), ("Interval", f"[{_signed(pair.low)}, {_signed(pair.high)}]", _finite(pair.low))]
        row += [("Seeds", str(pair.test.pairs)), ("p", number(pair.test.p), pair.test.p), ("Adjusted p", number(pair.adjusted) + star, pair.adjusted)]
        rows.append(row)
    told = "".join(f'<p class="note">{escape(note)}</p>' for note in [compared.caption, *compared.notes, *notes])
    return table(rows, wide=True) + told


def _failures(failures: Sequence[tuple[str, str]]) -> str:
    """Runs that failed alike together, with the traceback of the first; what is only a message (of a time limit) in one list."""
    messages, alike = [], dict[str, list[tuple[str, str]]]()
    for run, text in failures:
        lines = text.strip().splitlines() or ["no reason was recorded"]
        if len(lines) == 1:
            messages.append(f"<li>{code(run)}: {escape(lines[0])}</li>")
        else:
            alike.setdefault(lines[-1], []).append((run, text.strip()))
    parts = []
    for reason, same in alike.items():
        named = [f"<li>{code(run)}</li>" for run, _ in same[:MOST_RUNS]] + [f"<li>and {len(same) - MOST_RUNS} more</li>"] * (len(same) > MOST_RUNS)
        summary = f'<summary><span class="bad">{escape(reason)}</span> <small>{len(same)} run{"s" * (len(same) > 1)}</small></summary>'
        first = f"<p>{'Of the first:' if len(same) > 1 else 'Its traceback:'}</p><pre>{escape(same[0][1])}</pre>"
        parts.append(f"<details{' open' * (len(alike) == 1)}>{summary}<ul>{''.join(named)}</ul>{first}</details>")
    return "".join(parts) + (f"<ul>{''.join(messages)}</ul>" if messages else "")


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _signed(value: float) -> str:
    if math.isinf(value):
        return "−∞" if value < 0 else "∞"
    return number(_finite(value))
