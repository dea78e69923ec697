"""The report of certificates and mutants: every theorem's proof as a waterfall with numbers, regret against bound, and what killed each mutant.

A report is plain data (`Record`), so that it crosses processes, is written as JSON, and makes the same page when read back.
"""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from theoryrl.experiments import page as pages
from theoryrl.experiments.article import VERDICTS, Record, article, vacuity, verdict_badge
from theoryrl.experiments.fingerprint import checkout
from theoryrl.experiments.page import Cell, alarm, badge, code, table
from theoryrl.experiments.wording import natural, number, readable
from theoryrl.proofs import statistics
from theoryrl.proofs.certify import Certificate


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
        "theorems": sorted(theorems, key=lambda t: (t["paper"], natural(t["id"]), t["instance"], t["algorithm"], t["n"])),
        "mutants": sorted(mutants, key=lambda m: (m["paper"], natural(m["id"]))),
    }


def certificate_report(certificate: Certificate) -> Record:
    """Return a report of one certificate, with the commit of the checkout that theoryrl lies in."""
    commit, modified = checkout(Path(__file__).parent)
    record = theorem_record(certificate)
    return make_report(
        [record], [], level=statistics.LEVEL, statistical_checks=certificate.statistical_checks, commit=commit, modified=modified,
        interrupted=certificate.interrupted,
    )  # fmt: skip


def write(path: Path, report: Record, title: str = "Regret report") -> None:
    """Write the page to `path` and the data beside it (same name, ``.json``), each atomically."""
    data = json.dumps(report, indent=1, allow_nan=False) + "\n"
    pages.write(path.with_suffix(".json"), data)
    pages.write(path, page(report, title))


def page(report: Record, title: str = "Regret report") -> str:
    """Return the report as one HTML page that needs nothing else."""
    theorems, mutants = report["theorems"], report["mutants"]
    body = [_header(report, title)]
    if len(theorems) > 1:
        body.append(f"<section><h2>Theorems</h2>{_overview(theorems)}</section>")
    if mutants:
        body.append(_mutants(mutants))
    for paper in sorted({theorem["paper"] for theorem in theorems}):
        articles = [article(theorem, f"t{i}") for i, theorem in enumerate(theorems) if theorem["paper"] == paper]
        body.append(f"<section><h2>{escape(paper)}</h2>{''.join(articles)}</section>")
    return pages.document(title, "\n".join(body))


def _header(report: Record, title: str) -> str:
    commit = f"commit <code>{escape(report['commit'][:12])}</code>" if report["commit"] else "not under version control"
    facts = [commit + (", with uncommitted changes" if report["modified"] else ""), escape(report["date"].replace("T", " ").replace("+00:00", " UTC"))]
    if report["seed_offset"]:
        facts.append(f"every seed raised by {report['seed_offset']}")
    checks, level = report["statistical_checks"], report["level"]
    facts.append(f"{checks} statistical checks × level {number(level)}: a false alarm has probability at most {number(checks * level, 2)}")
    counts = {verdict: sum(t["verdict"] == verdict for t in report["theorems"]) for verdict in VERDICTS}
    tally = [verdict_badge(verdict, f"{count} {verdict}") for verdict, count in counts.items() if count]
    if mutants := report["mutants"]:
        killed = sum(not _survived(m) for m in mutants)
        tally.append(badge("good" if killed == len(mutants) else "bad", f"{killed} of {len(mutants)} mutants killed"))
    alarms = [alarm("Interrupted: this page shows what had finished.")] if report["interrupted"] else []
    if report["failed"]:
        alarms.append(alarm(f"{len(report['failed'])} failed:", [f"<code>{escape(test)}</code>" for test in report["failed"]]))
    return pages.header(title, facts, tally or ["Nothing was certified."], alarms)


def _overview(theorems: Sequence[Record]) -> str:
    rows: list[list[Cell]] = [
        [
            ("Verdict", verdict_badge(t["verdict"])),
            ("Theorem", f'<a href="#t{i}">{escape(t["paper"])}\u00a0{escape(t["id"])}</a>'),
            ("Algorithm", code(t["algorithm"])),
            ("Instance", code(t["instance"])),
            ("Horizon", f"{t['n']:,} {escape(t['unit'])}", t["n"]),
            ("Seeds", str(t["seeds"])),
            ("Vacuity", vacuity(t), t["vacuity"]),
        ]
        for i, t in enumerate(theorems)
    ]
    return table(rows)


def _mutants(mutants: Sequence[Record]) -> str:
    rows: list[list[Cell]] = []
    for m in mutants:
        checks = " ".join(
            f'<span class="check {"good" if check in m["killed_by"] else "bad"}">{"✓" if check in m["killed_by"] else "✗"} {escape(check)}</span>'
            for check in m["expected_killers"]
        )
        verdict = badge("bad", "survived") if _survived(m) else badge("good", "killed")
        row: list[Cell] = [("Mutant", f"{escape(m['paper'])} {escape(m['id'])}"), ("What is broken", readable(m["description"])), ("Verdict", verdict)]
        rows.append([*row, ("Checks that must reject it", checks), ("Seeds", str(m["seeds"] or "–"), m["seeds"])])
    note = "✓ the check rejected the mutant, ✗ it did not. Seeds: the most that one of these checks took; – where none was drawn."
    return f'<section><h2>Mutants</h2>{table(rows)}<p class="note">{note}</p></section>'


def _survived(mutant: Record) -> bool:
    return not set(mutant["expected_killers"]) <= set(mutant["killed_by"])
