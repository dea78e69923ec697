"""One theorem on the page: what it says, how it was tested, its proof as a waterfall with numbers, its curves, events and side conditions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from theoryrl.experiments.page import Cell, alarm, badge, code, table
from theoryrl.experiments.wording import number, power, readable

Record = dict[str, Any]
"""One theorem, one mutant, or a whole report: only dicts with str keys, lists, str, int, float, bool and None."""

VERDICTS = {"not violated": "good", "violated": "bad", "vacuous": "warn", "not applicable": "idle"}


def verdict_badge(verdict: str, text: str = "") -> str:
    """Return a verdict, or `text`, in the verdict's colours."""
    return badge(VERDICTS[verdict], text or verdict)


def article(t: Record, anchor: str) -> str:
    """Return one theorem's part of the page; `anchor` is its id."""
    said = readable(t["statement"])
    statement = f'<p class="statement">{said if "math" in said else f"<code>{said}</code>"}</p>' if said else ""
    facts = [("Algorithm", code(t["algorithm"])), ("Instance", code(t["instance"]))]
    facts += [("Horizon", f"{t['n']:,} {escape(t['unit'])}"), ("Seeds", str(t["seeds"]) + (" (interrupted)" if t["interrupted"] else ""))]
    facts += [("Verdict", _explanation(t))]
    if t["chains"]:
        facts.append(("Vacuity", _vacuity_explained(t)))
    if t["exponent"] and None not in t["exponent"]:
        mean, low, high = (f"{round(value, 2) + 0.0:.2f}".replace("-", "−") for value in t["exponent"])
        facts.append(("Growth exponent", f"{mean} <small>[{low}, {high}], last decade</small>"))
    listed = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts)
    out = f'<article id="{anchor}"><h3>{verdict_badge(t["verdict"])} {escape(t["name"])} <small>{escape(t["source"])}</small></h3>{statement}<dl>{listed}</dl>'
    if t["broken"]:
        out += alarm("What broke:", [escape(text) for text in t["broken"]], 5)
    trivial = t["curves"]["trivial"][-1] if t["curves"] and t["curves"]["trivial"] else None
    long = [chain for i, chain in enumerate(t["chains"]) if i == 0 or len(chain["lines"]) > 2]
    out += "".join(_waterfall(chain, trivial if i == 0 else None, t) for i, chain in enumerate(long))
    details = [_curves(t) if t["curves"] else "", _events(t) if t["events"] else ""]
    details.append(_side_conditions([chain for chain in t["chains"] if chain not in long]))
    return out + f'<div class="details">{"".join(details)}</div></article>'


def _explanation(t: Record) -> str:
    if t["verdict"] == "not applicable":
        return "not applicable: " + "; ".join(f"{readable(a['name'])} <small>{escape(a['witness'])}</small>" for a in t["failing"])
    if t["verdict"] == "violated":
        return f"violated <small>{t['violations']} steps and events over all seeds</small>"
    level = f"no violation in {t['seeds']} seeds shows a rate of violating seeds below {number(t['failure_rate_bound'], 2)} (at 5 %)"
    return f"{t['verdict']} <small>{level}</small>"


def vacuity(t: Record) -> str:
    """Return the bound over the largest possible value."""
    return number(t["vacuity"], 3)


def _vacuity_explained(t: Record) -> str:
    if t["vacuity"] is None:
        return "not stated"
    since = f"below one from {t['nonvacuous_from']:,} {escape(t['unit'])} on" if t["nonvacuous_from"] else "never below one"
    worst = f", at the worst of {t['entries']} entries" if t["entries"] > 1 else ""
    return f"{vacuity(t)} <small>bound over the largest possible value{worst}; {since}</small>"


def _waterfall(chain: Record, trivial: float | None, t: Record) -> str:
    """The chain's lines as bars on a common log scale: the part of a bar beyond the line before is the slack of that step."""
    lines = chain["lines"]
    positive = [v for v in [*(line["value"] for line in lines), trivial] if v is not None and v > 0]
    low = math.floor(math.log10(min(positive)) - 0.3) if positive else 0
    high = max(low + 1, math.ceil(math.log10(max(positive)))) if positive else 1

    def at(value: float) -> float:
        return 1000 * min(1.0, max(0.0, (math.log10(value) - low) / (high - low))) if value > 0 else 0.0

    decades = range(low, high + 1, max(1, math.ceil((high - low) / 6)))
    grid = "".join(f'<path class="grid" d="M{at(10.0**d):.1f} 0V20"/>' for d in decades)
    mark = f'<path class="trivial" d="M{at(trivial):.1f} 0V20"/>' if trivial is not None else ""

    def bar(content: str) -> str:
        return f'<svg class="bar" viewBox="0 0 1000 20" preserveAspectRatio="none" aria-hidden="true">{grid}{content}{mark}</svg>'

    rows, before = [], 0.0
    for i, line in enumerate(lines):
        value = line["value"]
        end = 0.0 if value is None else at(value)
        # The muted part repeats what was there, the strong one is what the step added.
        kept = f'<rect class="kept" x="0" y="4" width="{min(before, end):.1f}" height="12"/>'
        added = f'<rect class="{"added" if i else "first"}" x="{min(before, end):.1f}" y="4" width="{max(0.0, end - before):.1f}" height="12"/>'
        label = f'<span class="id">{escape(line["id"])}</span><span class="label">{readable(line["label"])}</span>'
        rows.append(f'<div class="line">{label}<span class="value">{number(value)}</span>{bar(kept + added)}</div>')
        if i + 1 < len(lines):
            rows.append(f'<div class="step">{_step(line, lines[i + 1])}{bar("")}</div>')
        before = end
    ticks = "".join(f'<span style="left:{at(10.0**d) / 10:.2f}%">{power(d)}</span>' for d in decades)
    legend = f"Medians over {t['seeds']} seeds after {t['n']:,} {escape(t['unit'])}, log scale; the strong part of a bar is what the step before it adds."
    if trivial is not None:
        key = '<svg class="key" viewBox="0 0 8 20" aria-hidden="true"><path class="trivial" d="M4 0V20"/></svg>'
        legend += f" {key} largest possible value, {number(trivial)}."
    return f'<div class="waterfall"><h4>{escape(chain["name"])}</h4>{"".join(rows)}<div class="axis"><div>{ticks}</div></div><p class="note">{legend}</p></div>'


def _step(line: Record, following: Record) -> str:
    sign = "=" if line["equality"] else "≤"
    reason = f'<span class="reason">{readable(line["reason"])}</span>' if line["reason"] else ""
    wrong = f'<span class="bad">fails by {number(line["max_violation"])} beyond round-off</span>' if line["max_violation"] else ""
    how = f'<span class="how">{escape(line["holds"] or "")}</span>'
    return f'<span class="why"><span class="sign">{sign}</span><span class="ratio">{_slack(line, following)}</span>{how}{reason}{wrong}</span>'


def _slack(line: Record, following: Record) -> str:
    a, b = line["value"], following["value"]
    if a is None or b is None:
        return ""
    if a > 0 and b > 0:
        if b < a * (1 - 1e-9):
            return f'<span class="bad">✗ × {b / a:.3g}</span>'
        return f"× {b / a:,.0f}" if b / a >= 100 else f"× {b / a:.3g}"
    return f"+ {number(b - a)}" if b >= a else f"− {number(a - b)}"


def _events(t: Record) -> str:
    rows: list[list[Cell]] = []
    for e in t["events"]:
        failures = f"{e['failures']}\u00a0of\u00a0{t['seeds']}" + (' <span class="bad">✗ too many</span>' if e["rejected"] else "")
        name = f"<b>{escape(e['id'])}</b>" + (f" {readable(e['description'])}" if e.get("description") else "")
        seen = "measured" if e["observed"] else "through its steps"
        probability = f"≤\u00a0{number(e['probability'])}"
        rows.append([("Event", name), ("May fail", probability, e["probability"]), ("Failed", failures, e["failures"]), ("Seen", seen)])
    return f"<div><h4>Events</h4>{table(rows)}</div>"


def _side_conditions(chains: Sequence[Record]) -> str:
    rows: list[list[Cell]] = []
    for chain in chains:
        first, last = chain["lines"][0], chain["lines"][-1]
        sign = "=" if first["equality"] else "≤"
        claim = f"{readable(first['label'])} {sign} {readable(last['label'])}" + (f" <small>{readable(first['reason'])}</small>" if first["reason"] else "")
        values = f"{number(first['value'])} {sign} {number(last['value'])}"
        wrong = f' <span class="bad">✗ by {number(first["max_violation"])}</span>' if first["max_violation"] else ""
        rows.append([("Condition", escape(chain["name"])), ("Claim", claim), ("Values", values + wrong), ("Holds", escape(first["holds"] or ""))])
    return f'<div class="whole"><h4>Side conditions</h4>{table(rows)}</div>' if rows else ""


def _curves(t: Record) -> str:
    """First line of the proof (median and band over seeds), its bound and the largest possible value, on log-log axes."""
    c, lines = t["curves"], t["chains"][0]["lines"]
    series = [("bound", "bound", c["bound"]), ("trivial", "largest possible", c["trivial"]), ("median", lines[0]["id"] + " median", c["median"])]
    series = [(style, name, values) for style, name, values in series if values]
    shown = [v for values in (*(values for _, _, values in series), c["high"]) for v in values if v is not None and v > 0]
    if not shown:
        return ""
    x = Axis(c["checkpoints"], 52, 352)
    y = Axis([*shown, *(v for v in c["low"] if v is not None and v > max(shown) * 1e-9)], 262, 14)
    out = []
    for d, v in x.ticks:
        out.append(f'<path class="grid" d="M{x(v):.1f} {y.start}V{y.end}"/>' + _text(x(v), y.start + 17, power(d), "middle"))
    for d, v in y.ticks:
        out.append(f'<path class="grid" d="M{x.start} {y(v):.1f}H{x.end}"/>' + _text(x.start - 6, y(v) + 4, power(d), "end"))
    floor = 10.0**y.low
    edge = [(x(k), y(max(v, floor))) for k, v in zip(c["checkpoints"], c["high"], strict=True) if v is not None]
    edge += [(x(k), y(max(v, floor))) for k, v in reversed(list(zip(c["checkpoints"], c["low"], strict=True))) if v is not None]
    out.append(f'<path class="band" d="{_path(edge)}Z"/>')
    ends = []
    for style, name, values in series:
        points = [(x(k), y(v)) for k, v in zip(c["checkpoints"], values, strict=True) if v is not None and v >= floor]
        if points:
            out.append(f'<path class="{style}" d="{_path(points)}"/>')
            ends.append((points[-1][1], style, name))
    previous = -math.inf
    for height, style, name in sorted(ends):
        previous = max(height, previous + 15)  # labels must not overlap
        out.append(_text(x.end + 7, previous + 4, name, "start", style))
    out.append(_text((x.start + x.end) / 2, y.start + 36, t["unit"], "middle"))
    caption = f"{escape(lines[0]['id'])}: {readable(lines[0]['label'])}; median and 10–90 % band over {t['seeds']} seeds, log-log."
    return f'<figure class="chart"><svg viewBox="0 0 480 304" role="img" aria-label="curves">{"".join(out)}</svg><figcaption>{caption}</figcaption></figure>'


class Axis:
    """A log axis from `start` to `end` (SVG units) over the positive `values`, widened to a decade if they span less."""

    def __init__(self, values: Iterable[float], start: float, end: float) -> None:
        logs = [math.log10(v) for v in values]
        self.start, self.end = start, end
        self.low, self.high = min(logs), max(logs)
        if self.high - self.low < 1:
            self.low, self.high = math.floor(self.low), max(math.floor(self.low) + 1, math.ceil(self.high))
        first, last = math.ceil(self.low - 1e-9), math.floor(self.high + 1e-9)
        self.ticks = [(d, 10.0**d) for d in range(first, last + 1, max(1, math.ceil((last - first) / 6)))]

    def __call__(self, value: float) -> float:
        return self.start + (self.end - self.start) * (math.log10(value) - self.low) / (self.high - self.low)


def _text(x: float, y: float, text: str, anchor: str, style: str = "label") -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _path(points: Iterable[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
