"""The page generator: one HTML file that needs nothing else, from the parts that reports are made of.

A page reads without its script, which only sorts tables; on a phone nothing but a wide table or figure scrolls sideways, in its own box.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from theoryrl.algorithms.store import atomic, writable

Cell = tuple[str, str] | tuple[str, str, float | None]
"""Heading, contents as HTML and, where the text would not sort as it should, the number to sort by (None: last)."""

SIGNS = {"good": "✓", "bad": "✗", "warn": "≈", "idle": "–"}


def document(title: str, body: str) -> str:
    """Return a whole page."""
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{escape(title)}</title>\n<link rel="icon" href="data:,">\n<style>{STYLE}</style>\n</head>\n'
        f"<body>\n<main>\n{body}\n</main>\n<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )


def write(path: Path, text: str) -> None:
    """Write a file that anyone may read, atomically."""
    with atomic(path) as new:
        new.write_text(text, encoding="utf-8")
        new.chmod(0o644)


def page_path(argument: str, given: str | Path) -> Path:
    """Return where a page is to be written.

    Raises
    ------
    ValueError
        If the name does not end in .html, or the folder does not exist or cannot be written.
    """
    path = writable(argument, given)
    if path.suffix != ".html":
        raise ValueError(f"{argument}: expected a file name that ends in .html, got {str(given)!r}")
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise ValueError(f"{argument}: expected a file that can be written, got {str(given)!r}")
    return path


def header(title: str, facts: Sequence[str], badges: Sequence[str], alarms: Sequence[str] = ()) -> str:
    """Return the top of a page: its title, facts in one line, badges, and what went wrong; all but the title are HTML."""
    tally = f'<p class="tally">{" ".join(badges)}</p>' if badges else ""
    return f'<header><h1>{escape(title)}</h1><p class="facts">{" · ".join(facts)}</p>{tally}{"".join(alarms)}</header>'


def alarm(text: str, items: Sequence[str] = (), most: int | None = None) -> str:
    """Return a box that cannot be overlooked, with a list; beyond `most` items only their number is told."""
    shown = [*items[:most], *([f"and {len(items) - most} more"] if most is not None and len(items) > most else [])]
    listed = "".join(f"<li>{item}</li>" for item in shown)
    return f'<div class="alarm"><p>{text}</p>{f"<ul>{listed}</ul>" if listed else ""}</div>'


def badge(kind: str, text: str) -> str:
    """Return a word in a coloured frame; `kind` is a key of `SIGNS`."""
    return f'<span class="badge {kind}">{SIGNS[kind]} {escape(text)}</span>'


def code(call: str) -> str:
    """Return a call, which may break between its words."""
    return f"<code>{re.sub(r'(?<=[(=_])', '<wbr>', escape(call))}</code>"


def table(rows: Sequence[Sequence[Cell]], *, wide: bool = False) -> str:
    """Return a table that sorts by the heading that is clicked.

    Parameters
    ----------
    rows : sequence of rows, each a sequence of Cell
        At least one, all with the same headings.
    wide : bool
        What a narrow screen does: a table of words turns each row into a block that repeats the headings, a wide table of
        numbers scrolls sideways in its own box.
    """
    head = "".join(f"<th>{cell[0]}</th>" for cell in rows[0])
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    kind = f'{"wide" if wide else "blocks"}{" sortable" if len(rows) > 1 else ""}'
    return f'<div class="box"><table class="{kind}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(cell: Cell) -> str:
    key = "" if len(cell) == 2 else f' data-key="{"" if cell[2] is None else repr(float(cell[2]))}"'
    return f'<td data-heading="{cell[0]}"{key}>{cell[1]}</td>'


def figure(fig: Any, anchor: str) -> str:
    """Return a matplotlib figure as inline SVG; `anchor` begins all its ids, so that figures of one page don't collide."""
    import matplotlib as mpl

    out = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": anchor, "svg.fonttype": "path"}):
        fig.savefig(out, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")), bbox_inches="tight")
    return f'<figure class="drawing"><div class="box">{inline(out.getvalue(), anchor)}</div></figure>'


def inline(svg: str, anchor: str) -> str:
    """Return an SVG file as an element of a page: no prologue, no namespaces, no metadata, ids that begin with `anchor`."""
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", svg).replace("xlink:href=", "href=")
    svg = re.sub(r'(\sid="|\shref="#|url\(#)', rf"\g<1>{anchor}-", svg)
    opening, rest = svg.split(">", 1)
    width = re.search(r'\swidth="([\d.]+)pt"', opening)
    opening = re.sub(r'\s(width|height)="[^"]*"', "", opening)
    size = f' style="max-width:{float(width[1]) * 4 / 3:.0f}px"' if width else ""
    return f'{opening} role="img"{size}>{rest.strip()}'


STYLE = """
:root{color-scheme:light dark;--ink:#1c1f23;--soft:#5b636d;--rule:#d9dde2;--paper:#fff;--tint:#f5f6f8;
  --blue:#0072b2;--sky:#bfdcee;--orange:#d55e00;--brown:#9a4300;--green:#00694d;--mint:#e4f4ee;--red:#a8200d;--rose:#fbe6e2;--amber:#7a5200;--cream:#fdf1d6;--dark:#333;--shade:#0003}
@media (prefers-color-scheme:dark){:root{--ink:#e6e8eb;--soft:#a3abb5;--rule:#3a4048;--paper:#15181c;--tint:#22272e;
  --blue:#5ab4e8;--sky:#25485f;--orange:#e8843c;--brown:#f0a56b;--green:#5fd0a8;--mint:#12352a;--red:#ff9480;--rose:#421a14;--amber:#f0c565;--cream:#3a2c0c;--dark:#c8ccd2;--shade:#fff4}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
  -webkit-print-color-adjust:exact;print-color-adjust:exact}
main{max-width:1180px;margin:0 auto;padding:2.5rem 2rem 4rem}
h1{font-size:2rem;line-height:1.2;margin:0 0 .4rem;letter-spacing:-.01em;overflow-wrap:anywhere}
h2{font-size:1.35rem;margin:2.6rem 0 .8rem}
h3{font-size:1.15rem;margin:0 0 .6rem;line-height:1.4;overflow-wrap:anywhere}
h4{font-size:.95rem;margin:0 0 .5rem}
small{font-size:.85em;font-weight:400;color:var(--soft)}
a{color:var(--blue);text-underline-offset:.15em}
code{font:.86em/1.45 ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
pre{font:.8rem/1.45 ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;
  background:var(--tint);padding:.7rem .9rem;margin:.5rem 0;overflow-x:auto}
summary{cursor:pointer;overflow-wrap:anywhere}
details{margin:.6rem 0}
p{margin:.4rem 0}
ul{margin:.3rem 0;padding-left:1.2rem}
.facts,.note,figcaption{color:var(--soft);font-size:.88rem;overflow-wrap:anywhere}
.tally{margin-top:.8rem;display:flex;flex-wrap:wrap;gap:.35rem}
.alarm{border-left:4px solid var(--red);background:var(--rose);padding:.5rem .9rem;margin:.8rem 0;overflow-wrap:anywhere;font-size:.92rem}
.bad{color:var(--red);font-weight:600}
.good{color:var(--green)}
.badge{display:inline-block;white-space:nowrap;font-size:.82rem;font-weight:600;line-height:1.3;padding:.16em .6em;border-radius:1em;border:1px solid}
.badge.good{background:var(--mint)}.badge.bad{background:var(--rose)}.badge.warn{color:var(--amber);background:var(--cream)}.badge.idle{color:var(--soft);background:var(--tint)}
.check{display:inline-block;margin-right:.7em;white-space:nowrap}
.math,.statement{font-family:Cambria,"STIX Two Text","Latin Modern Roman","DejaVu Serif",Georgia,serif}
.math sup,.math sub{line-height:0;font-size:.75em}
.fraction{display:inline-flex;flex-direction:column;vertical-align:middle;text-align:center;font-size:.8em;line-height:1.25}
.fraction>:last-child{border-top:1px solid}
.root{display:inline-block;max-width:100%;border-top:1px solid;padding:0 .1em;line-height:1.25}
.statement{margin:.2rem 0 1rem;font-size:1.05rem;overflow-wrap:anywhere;white-space:pre-line}
.box{overflow-x:auto;background:linear-gradient(to right,var(--paper) 30%,transparent) left/40px 100% no-repeat local,
  linear-gradient(to left,var(--paper) 30%,transparent) right/40px 100% no-repeat local,
  linear-gradient(to right,var(--shade),transparent) left/12px 100% no-repeat scroll,
  linear-gradient(to left,var(--shade),transparent) right/12px 100% no-repeat scroll}
table{border-collapse:collapse;width:100%;font-size:.92rem}
th{text-align:left;font-weight:600;color:var(--soft);font-size:.82rem;border-bottom:1.5px solid var(--ink);padding:.3rem .9rem .3rem 0;vertical-align:bottom}
td{border-bottom:1px solid var(--rule);padding:.45rem .9rem .45rem 0;vertical-align:top;font-variant-numeric:tabular-nums;overflow-wrap:break-word}
.wide td{white-space:nowrap}
.wide td:has(code){white-space:normal}
td:has(code){min-width:9rem}
th button{all:unset;cursor:pointer}
th button:hover,th button:focus-visible{color:var(--ink);text-decoration:underline}
th[aria-sort] button{color:var(--ink)}
th[aria-sort=ascending] button::after{content:" ▲"}
th[aria-sort=descending] button::after{content:" ▼"}
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
.step .ratio{color:var(--brown);font-weight:600;font-variant-numeric:tabular-nums}
.step .how{font-style:italic}
.axis{display:flex;justify-content:flex-end;height:1.5rem;font-size:.78rem;color:var(--soft)}
.axis>div{position:relative;width:48%}
.axis span{position:absolute;transform:translateX(-50%);white-space:nowrap}
.axis span:first-child{transform:none}.axis span:last-child:not(:first-child){transform:translateX(-100%)}
.key{width:8px;height:1em;vertical-align:-.15em}
.details{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,1fr);gap:1.4rem 2.5rem;align-items:start}
.whole{grid-column:1/-1}
figure{margin:0}
.chart svg{display:block;width:100%;max-width:600px;height:auto}
.chart text{font-size:12.5px;fill:var(--soft)}
.chart path,.bar path,.key path{fill:none;vector-effect:non-scaling-stroke}
path.grid{stroke:var(--rule);stroke-width:1}
path.trivial{stroke:var(--dark);stroke-width:1.6;stroke-dasharray:5 3}
path.bound{stroke:var(--orange);stroke-width:2.2}
path.median{stroke:var(--blue);stroke-width:2.2}
.chart path.band{fill:var(--blue);fill-opacity:.2}
.chart text.trivial{fill:var(--dark)}.chart text.bound{fill:var(--brown)}.chart text.median{fill:var(--blue)}
.drawings{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,25rem),1fr));gap:1.6rem 2rem;align-items:start}
.drawing svg{display:block;width:100%;min-width:21rem;height:auto}
@media (prefers-color-scheme:dark){.drawing svg{background:#fff;border-radius:4px}}
@media (max-width:860px){
 main{padding:1.8rem 1.4rem 3rem}
 .details{grid-template-columns:minmax(0,1fr)}
 .line,.step{grid-template-columns:2.4rem minmax(0,1fr) 6rem 40%}.axis>div{width:40%}
}
@media (max-width:640px){
 main{padding:1.2rem 1rem 2rem}
 table.blocks,.blocks tbody,.blocks tr,.blocks td{display:block}
 .blocks thead{display:none}.blocks.sorting thead{display:block}.blocks th{display:inline-block;border:0}
 .blocks.sorting thead th:first-child::before{content:"Sort by: "}
 .blocks tr{border-bottom:1px solid var(--rule);padding:.6rem 0}
 .blocks td,.blocks td:has(code){border:0;min-width:0;padding:.1rem 0 .1rem 6.2rem;min-height:1.6rem;position:relative}
 .blocks td::before{content:attr(data-heading);position:absolute;left:0;width:5.8rem;color:var(--soft);font-size:.82rem;line-height:1.7}
 .line,.step{grid-template-columns:2.2rem minmax(0,1fr) auto}.bar{grid-column:1/-1;height:22px}.step .bar{display:none}.axis>div{width:100%}
 dl{grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));column-gap:1rem}
 .chart text{font-size:15px}
 h1{font-size:1.6rem}
 .wide{font-size:.85rem}.wide td:has(code){min-width:6.5rem}.wide th,.wide td{padding-right:.6rem}
}
@media print{
 :root{color-scheme:light}
 main{max-width:none;padding:0}body{font-size:11pt}a{color:inherit}
 figure,.waterfall,tr,.line,.alarm{break-inside:avoid}h2,h3,h4{break-after:avoid}
}
"""

SCRIPT = """
for (const table of document.querySelectorAll("table.sortable")) {
  table.classList.add("sorting");
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      const keyed = [...body.rows].map(row => [row.cells[column].dataset.key ?? row.cells[column].textContent, row]);
      keyed.sort(([a], [b]) => a === "" || b === "" ? (a === "") - (b === "") :
        sign * (isNaN(a) || isNaN(b) ? a.localeCompare(b, "en", {numeric: true}) : a - b));
      body.append(...keyed.map(([, row]) => row));
    });
  });
}
"""
