"""What the README shows, works: its Python blocks run, and its files and commands exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from theoryrl.cli import main

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
FILES = {name: block for block in BLOCKS for name in re.findall(r"\A# (\w+\.py)\n", block)}


def _run(*arguments: str, cwd: Path) -> str:
    environment = os.environ | {"MPLBACKEND": "Agg"}
    done = subprocess.run([sys.executable, *arguments], cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_five_lines(tmp_path: Path):
    (lines,) = (block for block in BLOCKS if block not in FILES.values())
    printed = _run("-c", lines, cwd=tmp_path)
    assert "L0" in printed and "L7" in printed and "VIOLATED" not in printed


def test_own_algorithm_is_certified_in_a_script_and_by_pytest(tmp_path: Path):
    for name in ("mine.py", "test_mine.py"):
        _written(name, tmp_path)
    assert "verdict: not violated" in _run("mine.py", cwd=tmp_path)
    assert "1 passed" in _run("-m", "pytest", "--regret-check", "-p", "no:cacheprovider", cwd=tmp_path)


def test_sweep_in_python(tmp_path: Path):
    printed = _run(str(_written("growth.py", tmp_path)), cwd=tmp_path)
    assert "20 runs done, 20 of them now" in printed and "Holm" in printed


def test_declared_sweep_is_understood(tmp_path: Path, capsys):
    (table,) = re.findall(r"^```toml\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    (tmp_path / "growth.toml").write_text(table, "utf-8")
    assert main(["sweep", str(tmp_path / "growth.toml"), "--status"]) == 0
    assert capsys.readouterr().out == "120 runs: 120 missing\n"


def test_gymnasium(tmp_path: Path):
    pytest.importorskip("gymnasium")
    printed = _run(str(_written("lake.py", tmp_path)), cwd=tmp_path).split()
    assert printed[0].startswith("3.397") and 0 < float(printed[1]) < 2000


def _written(name: str, folder: Path) -> Path:
    path = folder / name
    path.write_text(FILES[name], "utf-8")
    return path


def test_links_lead_somewhere():
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if not link.startswith("https://")]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_certify_line_is_understood(capsys):
    """With a horizon of 10, which is vacuous."""
    algorithm, problem = re.findall(r'certify "([^"]+)" "([^"]+)" -n 1e5 --seeds 20', README)[0]
    assert main(["certify", algorithm, problem, "-n", "10", "--seeds", "1"]) == 3
    assert "vacuous" in capsys.readouterr().out
