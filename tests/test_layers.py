"""The directions of the house: who may import whom, and what an import may cost."""

from __future__ import annotations

import ast
import configparser
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# A floor imports from itself and from the floors before it.
FLOORS = ["", "jit", "validate", "planning", "problems", "estimation", "complexity", "algorithms", "proofs", "experiments", "testing", "cli", "__main__"]

# The three doors upward: they import when called, and nowhere else.
DOORS = {
    ("theoryrl/algorithms/run.py", "Run.proof"),
    ("theoryrl/algorithms/run.py", "Run.plot"),
    ("theoryrl/proofs/theorem.py", "Proof.plot"),
}

# Loaded when first used, so that `import theoryrl.algorithms` stays under half a second.
LAZY = ["scipy.stats", "scipy.optimize", "cvxpy", "matplotlib", "pandas", "gymnasium", "dask"]


@dataclass(frozen=True)
class Import:
    """One imported name: `scope` is the dotted function or class that holds it, "" for the module itself."""

    file: str
    line: int
    scope: str
    target: str
    typing_only: bool

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.scope or 'module'} imports {self.target}"


def imports(source: str, file: str) -> list[Import]:
    """Return every import of `source`, in functions too, with relative names resolved; ``import_module("...")`` counts."""
    parts = Path(file).with_suffix("").parts
    package = parts[:-1]

    def visit(node: ast.AST, scope: str, typing_only: bool) -> Iterator[Import]:
        targets: list[str] = []
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])]) if node.level else node.module
            targets = [f"{base}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and node.args and ast.unparse(node.func).rpartition(".")[2] in ("import_module", "__import__"):
            name = node.args[0]
            if isinstance(name, ast.JoinedStr):  # f"theoryrl.proofs.{paper}"
                name = name.values[0] if name.values else name
            targets = [name.value] if isinstance(name, ast.Constant) and isinstance(name.value, str) else []
        for target in targets:
            yield Import(file, getattr(node, "lineno", 0), scope, target, typing_only)
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for child in node.body:
                yield from visit(child, scope, True)
            for child in node.orelse:
                yield from visit(child, scope, typing_only)
            return
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            scope = f"{scope}.{node.name}" if scope else node.name
        for child in ast.iter_child_nodes(node):
            yield from visit(child, scope, typing_only)

    return list(visit(ast.parse(source), "", False))


def floor(module: str) -> int:
    """Return the height of the floor that a dotted name of theoryrl is on."""
    name = module.split(".")[1] if "." in module else ""
    if name in FLOORS:
        return FLOORS.index(name)
    return 0  # an attribute of the package itself, such as theoryrl.__version__


def upward(found: list[Import]) -> list[Import]:
    """Return the imports of theoryrl that go to a higher floor."""
    return [i for i in found if i.target.split(".")[0] == "theoryrl" and floor(i.target) > floor(_module(i.file))]


def _module(file: str) -> str:
    parts = Path(file).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _package(name: str) -> list[Import]:
    return [i for path in sorted((ROOT / name).rglob("*.py")) for i in imports(path.read_text("utf-8"), path.relative_to(ROOT).as_posix())]


def test_every_module_is_on_a_floor():
    found = {path.relative_to(ROOT / "theoryrl").parts[0].removesuffix(".py") for path in (ROOT / "theoryrl").rglob("*.py")}
    assert found - {"__init__"} <= set(FLOORS)


def test_imports_go_down():
    """A door's own types may be named in annotations: an import under TYPE_CHECKING is allowed in a file that has a door."""
    files_with_doors = {file for file, _ in DOORS}
    wrong = [i for i in upward(_package("theoryrl")) if not ((i.file, i.scope) in DOORS or (i.typing_only and i.file in files_with_doors))]
    assert not wrong, "\n".join(map(str, wrong))


def test_every_door_is_used():
    assert {(i.file, i.scope) for i in upward(_package("theoryrl")) if not i.typing_only} == DOORS


def test_only_the_command_line_knows_instances_and_figures():
    wrong = [i for i in _package("theoryrl") if i.target.split(".")[0] in ("envs_synthetic", "paper_figs") and i.file != "theoryrl/cli.py"]
    assert not wrong, "\n".join(map(str, wrong))


def test_installed_packages_need_only_what_they_declare():
    """Modules import at their top only the standard library and `install_requires`; testing/ may have pytest and hypothesis."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", "utf-8")
    declared = {line.partition(">=")[0] for line in config["options"]["install_requires"].split()}
    known = set(sys.stdlib_module_names) | declared | {"theoryrl", "envs_synthetic"}

    def allowed(i: Import) -> bool:
        extra = {"hypothesis", "pytest", "_pytest"} if i.file.startswith("theoryrl/testing/") else set()
        if i.file == "theoryrl/problems/environments.py":  # imported when an environment is asked for
            extra = {"gymnasium"}
        return i.target.split(".")[0] in known | extra

    wrong = [i for i in _package("theoryrl") + _package("envs_synthetic") if not (i.scope or i.typing_only or allowed(i))]
    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.parametrize(
    ("file", "source", "caught"),
    [
        ("theoryrl/planning/a.py", "from theoryrl.problems import Problem", True),
        ("theoryrl/planning/a.py", "from theoryrl import problems", True),
        ("theoryrl/planning/a.py", "import theoryrl.algorithms.run as r", True),
        ("theoryrl/planning/a.py", "from ..problems import problem", True),
        ("theoryrl/planning/__init__.py", "from ..problems import problem", True),
        ("theoryrl/planning/a.py", "def f():\n    from theoryrl.proofs import certify", True),
        ("theoryrl/planning/a.py", "import importlib\nimportlib.import_module('theoryrl.proofs')", True),
        ("theoryrl/planning/a.py", "from importlib import import_module\nimport_module(f'theoryrl.proofs.{paper}')", True),
        ("theoryrl/__init__.py", "from theoryrl import jit", True),
        ("theoryrl/proofs/a.py", "from theoryrl.experiments import plots", True),
        ("theoryrl/planning/a.py", "from theoryrl import jit, __version__", False),
        ("theoryrl/planning/a.py", "from . import backward", False),
        ("theoryrl/planning/__init__.py", "from .backward import induction", False),
        ("theoryrl/cli.py", "from theoryrl.testing import world", False),
    ],
)
def test_the_check_sees(file: str, source: str, caught: bool):
    assert bool(upward(imports(source, file))) is caught


def _loaded_by(module: str) -> set[str]:
    script = f"import sys; before = set(sys.modules); import {module}; print(*sorted(set(sys.modules) - before))"
    return set(subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split())


def test_importing_algorithms_leaves_the_heavy_ones_out():
    assert not _loaded_by("theoryrl.algorithms") & set(LAZY)


def test_the_pytest_plugin_imports_no_numba():
    """Every pytest in the environment loads it, and before any conftest.py could set NUMBA_CACHE_DIR."""
    assert not _loaded_by("theoryrl.testing.plugin") & {"numba", "theoryrl.jit", *LAZY}
