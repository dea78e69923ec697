"""The report page: every theorem's proof as a waterfall with numbers, regret against bound, and what killed each mutant.

A report is plain data (`Report`), so that it crosses processes, is written as JSON, and makes the same page when read back.
"""

from __future__ import annotations

import datetime
import json
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from theoryrl.algorithms.store import atomic
from theoryrl.proofs.certify import Certificate

Record = dict[str, Any]
"""One theorem, one mutant, or a whole report: only dicts with str keys, lists, str, int, float, bool and None."""

SIGNS = {"not violated": "✓", "violated": "✗", "vacuous": "≈", "not applicable": "–"}
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def theorem_record(certificate: Certificate) -> Record:
    """Return what the report keeps of a certificate: curves over seeds as median and 10-90 % band."""
    theorem, curves = certificate.theorem, None
    if certificate.curves is not None and certificate.curves.size:
        low, median, high = np.quantile(certificate.curves, (0.1, 0.5, 0.9), axis=0)
        curves = {"checkpoints": certificate.checkpoints, "low": low, "median": median, "high": high}
        curves |= {"bound": certificate.bound, "trivial": certificate.trivial}
    record = {
        "paper": theorem.paper,
        "id": theorem.id,
        "name": theorem.name,
        "source": theorem.source,
        "statement": theorem.statement,
        "algorithm": repr(certificate.algorithm),
        "instance": certificate.instance,
        "unit": certificate.algorithm.unit,
        "n": certificate.n,
        "seeds": len(certificate.seeds),
        "verdict": certificate.verdict,
        "interrupted": certificate.interrupted,
        "failure_rate_bound": certificate.failure_rate_bound,
        "failing": [{"name": a.name, "witness": a.witness} for a in certificate.failing],
        "violations": certificate.violations,
        "broken": certificate.broken,
        "vacuity": certificate.vacuity,
        "entries": certificate.entries,
        "nonvacuous_from": certificate.nonvacuous_from,
        "exponent": certificate.exponent,
        "events": [vars(event) for event in certificate.events],
        "chains": [{"name": chain.name, "lines": [vars(line) for line in chain.lines]} for chain in certificate.chains],
        "curves": curves,
    }
    return plain(record)


def plain(value: Any) -> Any:
    """Return `value` as JSON holds it: arrays and tuples as lists, NumPy scalars as numbers, NaN and infinities as None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def make_report(
    theorems: Iterable[Record],
    mutants: Iterable[Record],
    *,
    level: float,
    statistical_checks: int,
    commit: str | None = None,
    modified: bool = False,
    seed_offset: int = 0,
    interrupted: bool = False,
    failed: Iterable[str] = (),
) -> Record:
    """Return a report, in an order that does not depend on who finished first.

    Parameters
    ----------
    theorems : iterable of dict
        As made by `theorem_record`.
    mutants : iterable of dict
        With keys paper, id, description, expected_killers, killed_by, seeds.
    level : float
        Level of each of the `statistical_checks` tests.
    commit : str, optional
        Git commit of the sources; `modified` if they have changed since.
    seed_offset : int
        What was added to every seed.
    interrupted : bool
        Whether the session was cut short.
    failed : iterable of str
        The tests that failed.
    """
    return {
        "commit": commit,
        "modified": modified,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "level": level,
        "statistical_checks": statistical_checks,
        "seed_offset": seed_offset,
        "interrupted": interrupted,
        "failed": sorted(failed),
        "theorems": sorted(theorems, key=lambda t: (t["paper"], _natural(t["id"]), t["instance"], t["algorithm"], t["n"])),
        "mutants": sorted(mutants, key=lambda m: (m["paper"], _natural(m["id"]))),
    }


def write(path: Path, report: Record) -> None:
    """Write the page to `path` and the data beside it (same name, ``.json``), each atomically."""
    data = json.dumps(report, indent=1, allow_nan=False) + "\n"
    for file, text in ((path.with_suffix(".json"), data), (path, page(report))):
        with atomic(file) as new:
            new.write_text(text, encoding="utf-8")
            new.chmod(0o644)


def page(report: Record) -> str:
    """Return the report as one HTML page that needs nothing else."""
    theorems, mutants = report["theorems"], report["mutants"]
    papers = sorted({record["paper"] for record in [*theorems, *mutants]})
    body = [_header(report)]
    if theorems:
        body.append(_overview(theorems))
    if mutants:
        body.append(_mutants(mutants))
    for paper in papers:
        articles = [_theorem(theorem, f"t{i}") for i, theorem in enumerate(theorems) if theorem["paper"] == paper]
        if articles:
            body.append(f'<section><h2>{escape(paper)}</h2>{"".join(articles)}</section>')
    return HEAD + "\n".join(body) + "\n</main>\n</body>\n</html>\n"


def _header(report: Record) -> str:
    commit = f"commit <code>{escape(report['commit'][:12])}</code>" if report["commit"] else "not under version control"
    facts = [commit + (", with uncommitted changes" if report["modified"] else ""), escape(report["date"].replace("T", " ").replace("+00:00", " UTC"))]
    if report["seed_offset"]:
        facts.append(f"every seed raised by {report['seed_offset']}")
    checks, level = report["statistical_checks"], report["level"]
    facts.append(f"{checks} statistical checks × level {number(level)}: a false alarm has probability at most {number(checks * level, 2)}")
    counts = [(sign, verdict, sum(t["verdict"] == verdict for t in report["theorems"])) for verdict, sign in SIGNS.items()]
    tally = [_badge(verdict, f"{count} {verdict}") for _, verdict, count in counts if count]
    if mutants := report["mutants"]:
        killed = sum(not _survived(m) for m in mutants)
        tally.append(_badge("not violated" if killed == len(mutants) else "violated", f"{killed} of {len(mutants)} mutants killed"))
    out = f'<header><h1>Regret report</h1><p class="facts">{" · ".join(facts)}</p><p class="tally">{" ".join(tally) or "Nothing was certified."}</p>'
    if report["interrupted"]:
        out += '<p class="alarm">Interrupted: this page shows what had finished.</p>'
    if report["failed"]:
        listed = "".join(f"<li><code>{escape(test)}</code></li>" for test in report["failed"])
        out += f'<div class="alarm"><p>{len(report["failed"])} failed:</p><ul>{listed}</ul></div>'
    return out + "</header>"


def _overview(theorems: Sequence[Record]) -> str:
    rows = [
        [
            ("Verdict", _badge(t["verdict"])),
            ("Theorem", f'<a href="#t{i}">{escape(t["paper"])}\u00a0{escape(t["id"])}</a>'),
            ("Algorithm", _code(t["algorithm"])),
            ("Instance", _code(t["instance"])),
            ("Horizon", f"{t['n']:,} {escape(t['unit'])}"),
            ("Seeds", str(t["seeds"])),
            ("Vacuity", _vacuity(t)),
        ]
        for i, t in enumerate(theorems)
    ]
    return f"<section><h2>Theorems</h2>{_table(rows)}</section>"


def _mutants(mutants: Sequence[Record]) -> str:
    rows = []
    for m in mutants:
        checks = " ".join(
            f'<span class="check {"good" if check in m["killed_by"] else "bad"}">{"✓" if check in m["killed_by"] else "✗"} {escape(check)}</span>'
            for check in m["expected_killers"]
        )
        verdict = _badge("violated", "survived") if _survived(m) else _badge("not violated", "killed")
        row = [("Mutant", f"{escape(m['paper'])} {escape(m['id'])}"), ("What is broken", readable(m["description"])), ("Verdict", verdict)]
        rows.append([*row, ("Checks that must reject it", checks), ("Seeds", str(m["seeds"] or "–"))])
    note = "✓ the check rejected the mutant, ✗ it did not. Seeds: the most that one of these checks took; – where none was drawn."
    return f'<section><h2>Mutants</h2>{_table(rows)}<p class="note">{note}</p></section>'


def _survived(mutant: Record) -> bool:
    return not set(mutant["expected_killers"]) <= set(mutant["killed_by"])


def _theorem(t: Record, anchor: str) -> str:
    """One theorem: what it says, how it was tested, its proof as numbers, its curves, events and side conditions."""
    said = readable(t["statement"])
    statement = f'<p class="statement">{said if "math" in said else f"<code>{said}</code>"}</p>' if said else ""
    facts = [("Algorithm", _code(t["algorithm"])), ("Instance", _code(t["instance"]))]
    facts += [("Horizon", f"{t['n']:,} {escape(t['unit'])}"), ("Seeds", str(t["seeds"]) + (" (interrupted)" if t["interrupted"] else ""))]
    facts += [("Verdict", _explanation(t))]
    if t["chains"]:
        facts.append(("Vacuity", _vacuity_explained(t)))
    if t["exponent"] and None not in t["exponent"]:
        facts.append(("Growth exponent", "{:.2f} <small>[{:.2f}, {:.2f}], last decade</small>".format(*t["exponent"])))
    listed = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts)
    out = f'<article id="{anchor}"><h3>{_badge(t["verdict"])} {escape(t["name"])} <small>{escape(t["source"])}</small></h3>{statement}<dl>{listed}</dl>'
    if t["broken"]:
        shown, rest = t["broken"][:5], len(t["broken"]) - 5
        items = "".join(f"<li>{escape(text)}</li>" for text in shown) + (f"<li>and {rest} more</li>" if rest > 0 else "")
        out += f'<div class="alarm"><p>What broke:</p><ul>{items}</ul></div>'
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


def _vacuity(t: Record) -> str:
    return number(t["vacuity"], 3)


def _vacuity_explained(t: Record) -> str:
    if t["vacuity"] is None:
        return "not stated"
    since = f"below one from {t['nonvacuous_from']:,} {escape(t['unit'])} on" if t["nonvacuous_from"] else "never below one"
    worst = f", at the worst of {t['entries']} entries" if t["entries"] > 1 else ""
    return f"{_vacuity(t)} <small>bound over the largest possible value{worst}; {since}</small>"


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
    rows = []
    for e in t["events"]:
        failures = f"{e['failures']}\u00a0of\u00a0{t['seeds']}" + (' <span class="bad">✗ too many</span>' if e["rejected"] else "")
        name = f"<b>{escape(e['id'])}</b>" + (f" {readable(e['description'])}" if e.get("description") else "")
        seen = "measured" if e["observed"] else "through its steps"
        rows.append([("Event", name), ("May fail", f"≤\u00a0{number(e['probability'])}"), ("Failed", failures), ("Seen", seen)])
    return f"<div><h4>Events</h4>{_table(rows)}</div>"


def _side_conditions(chains: Sequence[Record]) -> str:
    rows = []
    for chain in chains:
        first, last = chain["lines"][0], chain["lines"][-1]
        sign = "=" if first["equality"] else "≤"
        claim = f"{readable(first['label'])} {sign} {readable(last['label'])}" + (f" <small>{readable(first['reason'])}</small>" if first["reason"] else "")
        values = f"{number(first['value'])} {sign} {number(last['value'])}"
        wrong = f' <span class="bad">✗ by {number(first["max_violation"])}</span>' if first["max_violation"] else ""
        rows.append([("Condition", escape(chain["name"])), ("Claim", claim), ("Values", values + wrong), ("Holds", escape(first["holds"] or ""))])
    return f'<div class="wide"><h4>Side conditions</h4>{_table(rows)}</div>' if rows else ""


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
    return f'<figure><svg viewBox="0 0 480 304" role="img" aria-label="curves">{"".join(out)}</svg><figcaption>{caption}</figcaption></figure>'


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


def _code(call: str) -> str:
    """A call, which may break between its arguments."""
    return f"<code>{re.sub(r'(?<=[(=])', '<wbr>', escape(call))}</code>"


def _text(x: float, y: float, text: str, anchor: str, style: str = "label") -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _path(points: Iterable[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _table(rows: Sequence[Sequence[tuple[str, str]]]) -> str:
    """A table of (heading, cell) rows; on a narrow screen each row becomes a block that repeats its headings."""
    head = "".join(f"<th>{heading}</th>" for heading, _ in rows[0])
    body = "".join("<tr>" + "".join(f'<td data-heading="{heading}">{cell}</td>' for heading, cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _badge(verdict: str, text: str = "") -> str:
    return f'<span class="badge {verdict.replace(" ", "-")}">{SIGNS[verdict]} {text or verdict}</span>'


def number(value: float | None, digits: int = 4) -> str:
    """Return a number as people write it: 0.0123, 12,345, 1.2×10⁶."""
    if value is None:
        return "–"
    if value < 0:
        return "−" + number(-value, digits)
    if value == 0 or 1e-3 <= value < 999_999.5:
        return f"{value:,.0f}" if value >= 1000 else f"{value:.{digits}g}"
    mantissa, exponent = f"{value:.2e}".split("e")
    return ("" if float(mantissa) == 1 else f"{float(mantissa):g}×") + _ten(int(exponent))


def power(exponent: int) -> str:
    """Return a power of ten as an axis names it: 0.1, 100, 10⁴."""
    return f"{10.0**exponent:g}" if -3 < exponent < 4 else _ten(exponent)


def _ten(exponent: int) -> str:
    return "10" + str(exponent).translate(SUPERSCRIPTS)


def _natural(text: str) -> list[tuple[int, str]]:
    """Sort key under which M2 comes before M10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text)]


SYMBOLS = {
    **dict(le="≤", leq="≤", ge="≥", geq="≥", ne="≠", neq="≠", ll="≪", gg="≫", approx="≈", sim="∼", equiv="≡", pm="±", cdot="·", times="×", ast="∗", star="⋆"),
    **dict(sum="∑", prod="∏", int="∫", infty="∞", partial="∂", nabla="∇", ell="ℓ", prime="′", dots="…", ldots="…", cdots="⋯", mid="|", top="⊤", perp="⊥"),
    **dict(forall="∀", exists="∃", neg="¬", wedge="∧", vee="∨", cup="∪", cap="∩", setminus="∖", subset="⊂", subseteq="⊆", emptyset="∅", notin="∉"),
    **{"in": "∈", "to": "→", "mapsto": "↦", "Rightarrow": "⇒", "langle": "⟨", "rangle": "⟩", "lceil": "⌈", "rceil": "⌉", "lfloor": "⌊", "rfloor": "⌋"},
    **dict(lvert="|", rvert="|", vert="|", lVert="‖", rVert="‖", Vert="‖", varepsilon="ε", lambda_="λ", Lambda="Λ", varphi="φ", vartheta="ϑ"),
    **dict.fromkeys(("left", "right", "big", "Big", "bigl", "bigr", "Bigl", "Bigr", "displaystyle", "textstyle", "limits", "!"), ""),
    **{"quad": "\u2003", "qquad": "\u2003\u2003", ",": "\u2009", ";": "\u2005", ":": "\u2005", "|": "‖", "\\": "; "},
}
ACCENTS = {"hat": "\u0302", "widehat": "\u0302", "bar": "\u0304", "overline": "\u0304", "tilde": "\u0303", "widetilde": "\u0303"}
UPRIGHT = ("text", "textrm", "mathrm", "operatorname", "mathbf", "mathbb", "mathcal", "mathsf", "textit", "emph")


def readable(text: str) -> str:
    """Return text with LaTeX as HTML that reads without a typesetter: between dollars, or all of it if it has commands but no dollars."""
    parts = text.split("$") if "$" in text else ["", text] if "\\" in text else [text]
    return "".join(f'<span class="math">{_math(part)}</span>' if i % 2 else _words(part) for i, part in enumerate(parts))


def _words(text: str) -> str:
    return escape(text.replace("<=", "≤").replace(">=", "≥"))


def _math(text: str) -> str:
    tokens = iter(re.findall(r"\\[a-zA-Z]+|\\.|\s+|.", text, re.DOTALL))

    def sequence(upright: bool = False) -> str:
        """Everything up to the closing brace or the end."""
        out = []
        for token in tokens:
            if token == "}":
                break
            out.append(one(token, upright))
        return "".join(out)

    def argument(upright: bool = False) -> str:
        token = next((token for token in tokens if not token.isspace()), "")
        return sequence(upright) if token == "{" else one(token, upright)

    def one(token: str, upright: bool) -> str:
        if token == "{":
            return sequence(upright)
        if token in ("^", "_"):
            tag = "sup" if token == "^" else "sub"
            return f"<{tag}>{argument(upright)}</{tag}>"
        if not token.startswith("\\") or len(token) == 1:
            token = "−" if token == "-" and not upright else token
            return f"<i>{token}</i>" if token.isascii() and token.isalpha() and not upright else escape(token)
        command = token[1:]
        if command in ("frac", "tfrac", "dfrac"):
            return f'<span class="fraction"><span>{argument()}</span><span>{argument()}</span></span>'
        if command == "sqrt":
            return f'√<span class="root">{argument()}</span>'
        if command in UPRIGHT:
            return argument(upright=True)
        if command in ACCENTS:
            return argument() + ACCENTS[command]
        return SYMBOLS.get(command) or SYMBOLS.get(command + "_") or ("" if command in SYMBOLS else _greek(command))

    return sequence()


def _greek(name: str) -> str:
    """The Greek letter of that name, else the name as an upright operator such as log."""
    try:
        return unicodedata.lookup(f"GREEK {'CAPITAL' if name[0].isupper() else 'SMALL'} LETTER {name.upper()}")
    except KeyError:
        return escape(name) + (" " if name.isalpha() else "")


STYLE = """
:root{--ink:#1c1f23;--soft:#5b636d;--rule:#d9dde2;--paper:#fff;--tint:#f5f6f8;--blue:#0072b2;--sky:#bfdcee;--orange:#d55e00;--green:#00694d;--red:#a8200d}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
  -webkit-print-color-adjust:exact;print-color-adjust:exact}
main{max-width:1180px;margin:0 auto;padding:2.5rem 2rem 4rem}
h1{font-size:2rem;line-height:1.2;margin:0 0 .4rem;letter-spacing:-.01em}
h2{font-size:1.35rem;margin:2.6rem 0 .8rem}
h3{font-size:1.15rem;margin:0 0 .6rem;line-height:1.4}
h4{font-size:.95rem;margin:0 0 .5rem}
small{font-size:.85em;font-weight:400;color:var(--soft)}
a{color:var(--blue);text-underline-offset:.15em}
code{font:.86em/1.45 ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
p{margin:.4rem 0}
ul{margin:.3rem 0;padding-left:1.2rem}
.facts,.note,figcaption{color:var(--soft);font-size:.88rem}
.tally{margin-top:.8rem;display:flex;flex-wrap:wrap;gap:.35rem}
.alarm{border-left:4px solid var(--red);background:#fbeeec;padding:.5rem .9rem;margin:.8rem 0;overflow-wrap:anywhere;font-size:.92rem}
.bad{color:var(--red);font-weight:600}
.good{color:var(--green)}
.badge{display:inline-block;white-space:nowrap;font-size:.82rem;font-weight:600;line-height:1.3;padding:.16em .6em;border-radius:1em;border:1px solid}
.badge.not-violated{color:var(--green);background:#e4f4ee}
.badge.violated{color:var(--red);background:#fbe6e2}
.badge.vacuous{color:#7a5200;background:#fdf1d6}
.badge.not-applicable{color:var(--soft);background:var(--tint)}
.check{display:inline-block;margin-right:.7em;white-space:nowrap}
.math,.statement{font-family:Cambria,"STIX Two Text","Latin Modern Roman","DejaVu Serif",Georgia,serif}
.math sup,.math sub{line-height:0;font-size:.75em}
.fraction{display:inline-flex;flex-direction:column;vertical-align:middle;text-align:center;font-size:.8em;line-height:1.25}
.fraction>:last-child{border-top:1px solid}
.root{display:inline-block;max-width:100%;border-top:1px solid;padding:0 .1em;line-height:1.25}
.statement{margin:.2rem 0 1rem;font-size:1.05rem;overflow-wrap:anywhere;white-space:pre-line}
table{border-collapse:collapse;width:100%;font-size:.92rem}
th{text-align:left;font-weight:600;color:var(--soft);font-size:.82rem;border-bottom:1.5px solid var(--ink);padding:.3rem .9rem .3rem 0;vertical-align:bottom}
td{border-bottom:1px solid var(--rule);padding:.45rem .9rem .45rem 0;vertical-align:top;font-variant-numeric:tabular-nums;overflow-wrap:break-word}
article{border-top:1.5px solid var(--ink);padding:1.3rem 0 2rem}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(15rem,1fr));gap:.7rem 2rem;margin:0 0 1.4rem}
dt{font-size:.8rem;color:var(--soft)}
dd{margin:0;font-size:.95rem}
.waterfall{margin:1.4rem 0 1.6rem}
.line,.step{display:grid;grid-template-columns:3rem minmax(0,1fr) 6.5rem 48%;column-gap:.6rem}
.line>span{padding:.12rem 0}
.line .id{font-weight:600;font-size:.92rem}
.line .label{font-size:.95rem}
.value{text-align:right;font-weight:600;font-variant-numeric:tabular-nums}
.bar{display:block;width:100%;height:100%;min-height:22px}
.bar .first{fill:var(--blue)}.bar .kept{fill:var(--sky)}.bar .added{fill:var(--orange)}
.step .why{grid-column:2/4;display:flex;flex-wrap:wrap;gap:0 .8rem;color:var(--soft);font-size:.86rem}
.step .bar{min-height:0;height:100%}
.step .ratio{color:#9a4300;font-weight:600;font-variant-numeric:tabular-nums}
.step .how{font-style:italic}
.axis{display:flex;justify-content:flex-end;height:1.5rem;font-size:.78rem;color:var(--soft)}
.axis>div{position:relative;width:48%}
.axis span{position:absolute;transform:translateX(-50%);white-space:nowrap}
.axis span:first-child{transform:none}.axis span:last-child:not(:first-child){transform:translateX(-100%)}
.key{width:8px;height:1em;vertical-align:-.15em}
.details{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,1fr);gap:1.4rem 2.5rem;align-items:start}
.wide{grid-column:1/-1}
figure{margin:0}
figure svg{display:block;width:100%;max-width:600px;height:auto}
figure text{font-size:12.5px;fill:var(--soft)}
figure path,.bar path,.key path{fill:none;vector-effect:non-scaling-stroke}
path.grid{stroke:var(--rule);stroke-width:1}
path.trivial{stroke:#333;stroke-width:1.6;stroke-dasharray:5 3}
path.bound{stroke:var(--orange);stroke-width:2.2}
path.median{stroke:var(--blue);stroke-width:2.2}
figure path.band{fill:var(--blue);fill-opacity:.2}
text.trivial{fill:#333}text.bound{fill:#a84a00}text.median{fill:var(--blue)}
@media (max-width:860px){
 main{padding:1.8rem 1.4rem 3rem}
 .details{grid-template-columns:minmax(0,1fr)}
 .line,.step{grid-template-columns:2.4rem minmax(0,1fr) 6rem 40%}.axis>div{width:40%}
}
@media (max-width:640px){
 main{padding:1.2rem 1rem 2rem}
 table,tbody,tr,td{display:block}thead{display:none}
 tr{border-bottom:1px solid var(--rule);padding:.6rem 0}
 td{border:0;padding:.1rem 0 .1rem 6.2rem;min-height:1.6rem;position:relative}
 td::before{content:attr(data-heading);position:absolute;left:0;width:5.8rem;color:var(--soft);font-size:.82rem;line-height:1.7}
 .line,.step{grid-template-columns:2.2rem minmax(0,1fr) auto}.bar{grid-column:1/-1;height:22px}.step .bar{display:none}.axis>div{width:100%}
 dl{grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));column-gap:1rem}
 figure text{font-size:15px}
}
@media print{
 main{max-width:none;padding:0}body{font-size:11pt}a{color:inherit}
 figure,.waterfall,tr,.line,.alarm{break-inside:avoid}h2,h3,h4{break-after:avoid}
}
"""

HEAD = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Regret report</title>
<link rel="icon" href="data:,">
<style>{STYLE}</style>
</head>
<body>
<main>
"""
