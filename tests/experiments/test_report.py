"""The report page, from certificates of the toy papers."""

from __future__ import annotations

import copy
import json
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from toys import UCB, Bandit, EpsilonGreedy, Experts, Hedge, epsilon_greedy_is_sublinear, hedge_regret, ucb_regret

from theoryrl.experiments import report, wording
from theoryrl.proofs import certify

BANDIT = Bandit(np.array([0.9, 0.5]), name="<script>alert('bandit')</script>")
MUTANTS = [
    {"paper": "toys", "id": "M10", "description": "no bonus", "expected_killers": ["T1", "T2"], "killed_by": ["T1"], "seeds": 5},
    {"paper": "toys", "id": "M2", "description": "$\\beta_n$ halved", "expected_killers": ["T1"], "killed_by": ["T1"], "seeds": 0},
]


@pytest.fixture(scope="module")
def made() -> report.Record:
    """A report with a theorem that holds, one that is violated and one with an entry for each expert."""
    certificates = [
        certify(UCB(), BANDIT, 1_000, seeds=range(7), theorem=ucb_regret),
        certify(EpsilonGreedy(), BANDIT, 1_000, seeds=range(8), theorem=epsilon_greedy_is_sublinear),
        certify(Hedge(), Experts(np.random.default_rng(0).random((200, 3))), 200, seeds=[0], theorem=hedge_regret),
    ]
    theorems = [report.theorem_record(certificate) for certificate in certificates]
    return report.make_report(theorems, MUTANTS, level=1e-9, statistical_checks=2, commit="0123456789abcdef" * 2, failed=["b", "a"])


class Reader(HTMLParser):
    """Checks that elements are closed in order, and collects text, identifiers and links."""

    VOID = ("meta", "link", "wbr")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "xlink:href")]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open and "script" not in self.open:
            self.text += data


def test_page_is_one_sound_file(made: report.Record):
    text = report.page(made)
    reader = Reader(text)
    assert len(set(reader.ids)) == len(reader.ids) == 3
    assert {link for link in reader.links if link != "data:,"} == {f"#{id}" for id in reader.ids}
    assert text.count("<script") == 1 and "url(" not in text and "http" not in text and "nan" not in reader.text.lower()
    drawings = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(drawings) > 10
    for drawing in drawings:
        ElementTree.fromstring(drawing)


def test_page_says_what_happened(made: report.Record):
    text = Reader(report.page(made)).text
    ucb = next(t for t in made["theorems"] if t["id"] == "U")
    for line in ucb["chains"][0]["lines"]:
        assert line["label"] in text and wording.number(line["value"]) in text
    first, last = ucb["chains"][0]["lines"][0]["value"], ucb["chains"][0]["lines"][1]["value"]
    assert f"× {last / first:.3g}" in text
    happened = ["8\u00a0of\u00a08 ✗ too many", "commit 0123456789ab", "1 of 2 mutants killed", "✗ T2", "event E failed on 8 of 8 seeds", "βn halved"]
    assert not [expected for expected in happened if expected not in text]
    assert text.index("toys M2") < text.index("toys M10")


def test_page_of_nothing_and_of_odd_numbers(made: report.Record):
    assert "Nothing was certified" in Reader(report.page(report.make_report([], [], level=1e-9, statistical_checks=0))).text
    odd = copy.deepcopy(made)
    for theorem in odd["theorems"]:
        for line, value in zip(theorem["chains"][0]["lines"], (-1.0, None, 0.0)):
            line["value"] = value
        theorem["curves"]["median"] = [None, *theorem["curves"]["median"][1:-1], -1.0]
        theorem["curves"]["trivial"] = None
    Reader(report.page(odd))


def test_record_is_json(made: report.Record):
    odd = report.plain({"a": np.array([1.0, np.nan, -np.inf]), 1: (np.int64(2), np.float64(0.5), None, True)})
    assert odd == {"a": [1.0, None, None], "1": [2, 0.5, None, True]}
    assert json.loads(json.dumps(made, allow_nan=False)) == made
    assert all(len(t["curves"]["checkpoints"]) == len(t["curves"][name]) for t in made["theorems"] for name in ("low", "median", "high", "bound", "trivial"))


def test_write_replaces_both_or_leaves_them(made: report.Record, tmp_path: Path):
    path = tmp_path / "out.html"
    report.write(path, made)
    assert path.read_text("utf-8") == report.page(json.loads((tmp_path / "out.json").read_text("utf-8")))
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(ValueError, match="JSON"):
        report.write(path, made | {"level": float("nan")})
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        ("a <= b & c", "a ≤ b & c"),
        (r"at least $1-\delta$", "at least 1−δ"),
        (r"\lambda \le \sqrt{\frac{2A}{\Delta}}", "λ ≤ √2AΔ"),
        (r"$\hat{V}_{k,h} \in \mathbb{R}^S$, $\log\left(1+\varepsilon\right)$", "V\u0302k,h ∈ RS, log (1+ε)"),
        (r"$\frac{a", "a"),
        ("$x_", "x"),
        ("\\", "\\"),
    ],
)
def test_readable(latex: str, text: str):
    assert Reader(wording.readable(latex)).text == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0, "0"), (1e-9, "10⁻⁹"), (-0.003044, "−0.003044"), (12345.6, "12,346"), (999_999.7, "10⁶"), (1.234e8, "1.23×10⁸"), (2.5, "2.5")],
)
def test_number(value: float | None, text: str):
    assert wording.number(value) == text
