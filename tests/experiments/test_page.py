"""The page generator, the pages of sweeps and certificates, and all three kinds of page in a browser."""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from browser import in_frames, needs_browser
from made_runs import made
from sweep_toys import Coin, Raiser, Tosser
from toys import UCB, UCB1, Bandit, EpsilonGreedy, ucb_regret

from envs_synthetic.baselines import two_state
from theoryrl.algorithms import UCBVI
from theoryrl.cli import main
from theoryrl.experiments import page, report
from theoryrl.experiments.backends import run_sweep
from theoryrl.experiments.sweep import Status, Sweep
from theoryrl.experiments.sweep_page import sweep_page
from theoryrl.proofs import certify

matplotlib.use("Agg")
TALL = Bandit([0.9, 0.2], name="two_arms(" + "with_a_long_name=True, " * 6 + ")")
TRACEBACK = "Traceback (most recent call last):\n  File <a>, line 1\n" + "x" * 300 + "\nArithmeticError: 1 < 2"


@pytest.fixture(scope="module")
def unfinished() -> str:
    """The page of a sweep in which runs are missing, raised and were late."""
    problems = [Bandit([0.5, 0.4, 0.1], name="three_arms()"), TALL]
    algorithms = [UCB(), EpsilonGreedy(), UCB1()]
    runs = [made(a, seed, 10.0 * i + seed, problem=p) for p in problems for i, a in enumerate(algorithms, 1) for seed in range(8)]
    failures = [*((f"{UCB1()} on three_arms(), seed {seed}, n = 1,000", TRACEBACK) for seed in range(12)), ("a run", "5 of 10 steps after 1 s")]
    status = Status(45, 0, 1, 12, 1, 1, tuple(failures), {"0123abcd": 4})
    return sweep_page("Sweep <toys>", Sweep(algorithms, problems, 10, 1000, check_theorems=False), status, runs[:-3])


@pytest.fixture(scope="module")
def pages(unfinished: str) -> dict[str, str]:
    certificates = [certify(UCB(), problem, 1_000, seeds=range(7), theorem=ucb_regret) for problem in (Bandit([0.9, 0.5]), TALL)]
    mutants = [{"paper": "toys", "id": f"M{i}", "description": "no bonus", "expected_killers": ["T1"], "killed_by": ["T1"], "seeds": i} for i in (2, 10, 1)]
    everything = report.make_report(map(report.theorem_record, certificates), mutants, level=1e-9, statistical_checks=2)
    certificate = report.page(report.certificate_report(certificates[1]), "Certificate")
    return {"regret": report.page(everything), "certificate": certificate, "sweep": unfinished}


@needs_browser
def test_no_page_scrolls_sideways_and_tables_sort(pages: dict[str, str], tmp_path: Path) -> None:
    seen = """(() => {
      const root = w.document.documentElement, table = w.document.querySelector("table.sortable"), column = table && table.rows[0].cells.length - 1;
      const found = {window: w.innerWidth, page: root.scrollWidth, requests: w.performance.getEntriesByType("resource").length, orders: []};
      const boxes = [...w.document.querySelectorAll(".box")];
      found.scrolling = boxes.filter(box => box.scrollWidth > box.clientWidth).length;
      found.drawings = [...w.document.querySelectorAll(".drawing svg")].map(svg => svg.getBoundingClientRect().width);
      for (let i = 0; table && i < 2; i++) {
        table.rows[0].cells[column].querySelector("button").click();
        found.orders.push([...table.tBodies[0].rows].map(row => row.cells[column].dataset.key));
      }
      return found;
    })()"""
    answers = in_frames(pages, (390, 800, 1400), seen, tmp_path)
    assert len(answers) == 9
    for (name, width), found in answers.items():
        assert found["window"] == width and found["page"] <= width, f"{name} at {width} px is {found['page']} px wide"
        assert found["requests"] == 0
        assert all(drawing > 300 for drawing in found["drawings"])
        for order, sign in zip(found["orders"], (1, -1), strict=False):
            keys = [sign * float(key) for key in order]
            assert len(keys) > 1 and keys == sorted(keys)
    assert answers["sweep", 390]["scrolling"] and answers["sweep", 390]["orders"] and answers["regret", 1400]["orders"]
    assert answers["sweep", 1400]["orders"][0] != answers["sweep", 1400]["orders"][1]


def test_page_asks_for_nothing(pages: dict[str, str]) -> None:
    for text in pages.values():
        assert "http" not in text and "@import" not in text and not re.search(r'\b(src|href)="(?!#|data:,)', text)
        assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", text))
        assert text.count("<script") == 1 and page.SCRIPT in text


def test_sweep_page_tells_everything(unfinished: str) -> None:
    assert "<title>Sweep &lt;toys&gt;</title>" in unfinished
    assert "Not complete: 45 of 60 runs are here, 15 are not." in unfinished and "4 of these runs are there from another version" in unfinished
    for said in ("✓ 45 done", "≈ 1 begun", "✗ 12 failed", "✗ 1 late", "– 1 missing", "5 of 10</td>", "8 of 10</td>", "and 2 more"):
        assert said in unfinished
    assert "ArithmeticError: 1 &lt; 2</span> <small>12 runs" in unfinished and "5 of 10 steps after 1 s" in unfinished
    assert unfinished.count("File &lt;a&gt;, line 1") == 1
    assert "only seeds that all algorithms have take part: UCB1() lacks 5–7" in unfinished
    assert unfinished.count('class="drawing"') == 2


def test_figures_of_one_page_have_ids_of_their_own(unfinished: str) -> None:
    ids = re.findall(r'\sid="([^"]*)"', unfinished)
    assert len(ids) == len(set(ids)) and {name.split("-")[0] for name in ids} == {"f0", "f1"}
    referred = set(re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', unfinished))
    assert referred and {a or b for a, b in referred} <= set(ids)
    for drawing in re.findall(r"<svg.*?</svg>", unfinished, re.DOTALL):
        ElementTree.fromstring(drawing)


def test_same_figure_same_text() -> None:
    import matplotlib.pyplot as plt

    figures = [plt.subplots()[0] for _ in range(2)]
    first, second = (page.figure(fig, "a") for fig in figures)
    plt.close("all")
    assert first == second and "pt" not in first.split(">")[2] and "<metadata" not in first


def test_sweep_page_without_runs_and_without_regret() -> None:
    sweep = Sweep([Tosser()], [Coin()], 2, 10)
    empty = sweep_page("t", sweep, Status(0, 0, 0, 0, 0, 2, (), {}), [])
    assert "0 of 2 runs are here" in empty and "<table" not in empty
    other = made(UCB(), 0)
    nothing: dict[str, Any] = {"regret": np.full(len(other.checkpoints), np.nan)}
    text = sweep_page("t", sweep, Status(1, 0, 0, 0, 0, 1, (), {}), [made(UCB(), 0, **nothing)])
    assert 'data-key="">–</td>' in text


def test_table_keys_and_words() -> None:
    text = page.table([[("a", "x"), ("b", "–", None)], [("a", "y"), ("b", "3", 3)]], wide=True)
    assert 'class="wide sortable"' in text and 'data-key="">–' in text and 'data-key="3.0">3' in text
    assert "sortable" not in page.table([[("a", "x")]])
    assert page.code("f(a_b=<1>)") == "<code>f(<wbr>a_<wbr>b=<wbr>&lt;1&gt;)</code>"


def test_page_path_refuses(tmp_path: Path) -> None:
    assert page.page_path("report", tmp_path / "a.html") == tmp_path / "a.html"
    (tmp_path / "b.html").mkdir()
    for bad, said in ((tmp_path / "a.htm", "ends in .html"), (tmp_path / "no" / "a.html", "does not exist"), (tmp_path / "b.html", "can be written")):
        with pytest.raises(ValueError, match=f"report: .*{said}"):
            page.page_path("report", bad)


def test_commands_write_pages(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.toml").write_text('algorithms = ["UCBVI()"]\nproblems = ["two_state(3)"]\nseeds = 2\nn = 50\n', "utf-8")
    assert main(["collect", "s.toml", "--report", "s.txt"]) == 2 and "ends in .html" in capsys.readouterr().err
    assert main(["collect", "s.toml", "--report", "s.html"]) == 2
    assert "0 of 2 runs are here" in Path("s.html").read_text("utf-8") and "report: s.html" in capsys.readouterr().out
    run_sweep(Sweep([UCBVI()], [two_state(3)], 2, 50), "s.store", quiet=True)
    assert main(["collect", "s.toml", "--report", "s.html"]) == 0
    assert "✓ 2 done" in Path("s.html").read_text("utf-8") and "report: s.html\ns.csv: 2 of 2 runs" in capsys.readouterr().out
    assert main(["certify", "UCBVI()", "two_state(3)", "-n", "50", "--seeds", "2", "--report", "no/c.html"]) == 2
    assert main(["certify", "UCBVI()", "two_state(3)", "-n", "50", "--seeds", "2", "--report", "c.html"]) == 3
    assert "<h1>Certificate: baselines U-H</h1>" in Path("c.html").read_text("utf-8") and '"theorems"' in Path("c.json").read_text("utf-8")
    assert sorted(os.listdir()) == ["c.html", "c.json", "s.csv", "s.html", "s.store", "s.toml"]


def test_a_run_that_raises_shows_its_traceback(tmp_path: Path) -> None:
    sweep = Sweep([Raiser()], [Coin(0.2)], 2, 10)
    run_sweep(sweep, tmp_path, quiet=True)
    text = sweep_page("t", sweep, sweep.status(tmp_path), list(sweep.collect(tmp_path)))
    assert "<details open><summary>" in text and "ArithmeticError: a bias of 0.2" in text and "Traceback (most recent call last)" in text
