"""What is shipped, and that it works where there is no checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NOT_SOURCE = shutil.ignore_patterns(".*", "build", "dist", "out", "__pycache__", "*.egg-info")


def _run(*command: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run([sys.executable, *command], cwd=cwd, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


@dataclass(frozen=True)
class Built:
    """A sdist, the wheel built from it, and the folder into which that wheel is installed, with nothing else in it."""

    sdist: Path
    wheel: Path
    site: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Build from a copy, without the network: two workers may do so at once, and a stale egg-info would add files."""
    folder = tmp_path_factory.mktemp("packaging")
    shutil.copytree(ROOT, folder / "checkout", ignore=NOT_SOURCE)
    _run("-m", "build", "--no-isolation", "--outdir", folder / "dist", cwd=folder / "checkout")
    (sdist,), (wheel,) = (folder / "dist").glob("*.tar.gz"), (folder / "dist").glob("*.whl")
    _run("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", folder / "site", wheel, cwd=folder)
    return Built(sdist, wheel, folder / "site")


def _python(built: Built, script: str) -> list[str]:
    """Return the words that `script` prints, run outside the checkout with the installed wheel first on the path."""
    return _run("-c", script, cwd=built.site.parent, PYTHONPATH=str(built.site)).split()


def _modules(package: str) -> set[str]:
    return {path.relative_to(ROOT).as_posix() for path in (ROOT / package).rglob("*.py")}


def test_wheel_holds_both_packages_and_nothing_else(built: Built):
    with zipfile.ZipFile(built.wheel) as wheel:
        names = set(wheel.namelist())
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"theoryrl", "envs_synthetic"}
    assert _modules("theoryrl") | _modules("envs_synthetic") | {"theoryrl/py.typed", "envs_synthetic/py.typed"} <= names
    assert any(name.split("/")[-1] == "LICENSE" for name in names)


def test_sdist_is_the_checkout(built: Built):
    with tarfile.open(built.sdist) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    expected = _modules("theoryrl") | _modules("envs_synthetic") | _modules("paper_figs") | _modules("tests") | _modules("benchmarks")
    expected |= {"CHANGELOG.md", "CITATION.cff", "LICENSE", "Makefile", "README.md", "pyproject.toml", "setup.cfg"}
    assert expected <= names, sorted(expected - names)
    assert not [name for name in names if "__pycache__" in name or name.startswith("paper_figs/out")]


def test_installed_wheel_imports_outside_the_checkout(built: Built):
    script = "import envs_synthetic, theoryrl, theoryrl.algorithms; print(envs_synthetic.__file__, theoryrl.__file__)"
    assert [Path(file).parent.parent for file in _python(built, script)] == [built.site, built.site]


def test_metadata(built: Built):
    script = "from importlib.metadata import version; import theoryrl; print(version('theoryrl'), theoryrl.__version__)"
    installed, attribute = _python(built, script)
    assert installed == attribute
    assert f"version: {attribute}\n" in (ROOT / "CITATION.cff").read_text("utf-8")


@pytest.mark.parametrize(("group", "value"), [("console_scripts", "theoryrl.cli:main"), ("pytest11", "theoryrl.testing.plugin")])
def test_entry_points_load(built: Built, group: str, value: str):
    script = f"""
from importlib.metadata import distribution
(entry,) = (e for e in distribution("theoryrl").entry_points if e.group == {group!r})
assert entry.load()
print(entry.value)
"""
    assert _python(built, script) == [value]


def test_pytest_finds_the_plugin(built: Built):
    assert "--regret-check" in _run("-m", "pytest", "--help", cwd=built.site.parent, PYTHONPATH=str(built.site))
