"""Each benchmark runs, at a size that says nothing about speed."""

from __future__ import annotations

import re

import pytest

from benchmarks import cascading


@pytest.mark.parametrize("name", cascading.SECTIONS)
def test_section_runs(name: str, capsys: pytest.CaptureFixture[str]):
    cascading.main(["--scale", "quick", name])
    printed = capsys.readouterr().out
    assert "cores" in printed.splitlines()[0]
    assert len(re.findall(r"\d", printed)) > 20
    assert "nan" not in printed


def test_unknown_section_is_refused(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        cascading.main(["speed"])
    assert "speed" in capsys.readouterr().err
