"""Each benchmark runs, at a size that says nothing about speed."""

from __future__ import annotations

import re
from typing import Any

import pytest

from benchmarks import baselines, cascading, experiments, gosprl, groupwise, mex

PAPERS = (baselines, cascading, experiments, gosprl, groupwise, mex)
SECTIONS = [pytest.param(paper, name, id=f"{paper.__name__.rpartition('.')[2]}-{name}") for paper in PAPERS for name in paper.SECTIONS]


@pytest.mark.parametrize("paper, name", SECTIONS)
def test_section_runs(paper: Any, name: str, capsys: pytest.CaptureFixture[str]):
    paper.main(["--scale", "quick", name])
    printed = capsys.readouterr().out
    assert "cores" in printed.splitlines()[0]
    assert len(re.findall(r"\d", printed)) > 20
    assert "nan" not in printed


@pytest.mark.parametrize("paper", PAPERS)
def test_unknown_section_is_refused(paper: Any, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        paper.main(["speed"])
    assert "speed" in capsys.readouterr().err
