"""The pytest plugin: theorems and mutants as tests, at full scale, with a summary and a report page.

Loading it costs nothing: theoryrl itself is imported by the fixtures, after a conftest.py could set NUMBA_CACHE_DIR.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from theoryrl.algorithms import Algorithm
    from theoryrl.problems import Problem
    from theoryrl.proofs import Certificate, Theorem
    from theoryrl.testing.mutants import Check, Kills, Mutant

MOST = 1000
"""Regret tests that a session may collect, and statistical checks that it may perform: at level 1e-9 each, a false alarm has probability at most 1e-6."""

THEOREM, MUTANT, CHECKS = "theoryrl theorem", "theoryrl mutant", "theoryrl statistical checks"
SESSION = "theoryrl session"
COLOURS = {"not violated": "green", "violated": "red", "vacuous": "yellow", "not applicable": "yellow"}


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("theoryrl", "regret bounds (theoryrl)")
    group.addoption("--regret-check", action="store_true", help="run the tests marked `regret`, and only these")
    group.addoption("--regret-report", metavar="PATH.html", help="with --regret-check: write a page that shows each proof, and PATH.json beside it")
    group.addoption("--regret-vary-seed", action="store_true", help="add a fresh random number to every seed, and print it")
    group.addoption("--regret-seed", metavar="NUMBER", type=int, help="add this number to every seed: repeats a run with --regret-vary-seed")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "regret: certifies a theorem or hunts a mutant at full scale; runs with --regret-check")
    config.pluginmanager.register(Session(config), SESSION)


@pytest.fixture
def regret_seed(request: pytest.FixtureRequest) -> int:
    """What is added to every seed of this session: 0 without --regret-vary-seed.  For checks that draw seeds of their own."""
    return _session(request).seed


@pytest.fixture
def certified(request: pytest.FixtureRequest) -> Callable[[Theorem | None, Algorithm, Any, int, Any], Certificate]:
    """``certified(theorem, algorithm, problem, n, seeds)`` certifies, records into the report, and fails the test if the theorem is violated.

    `seeds` is a number of seeds or an iterable of them; `theorem` may be None, then it is the one registered for the algorithm.
    The `Certificate` is returned, so that a test can ask for more than "not violated".
    """
    from theoryrl import validate
    from theoryrl.experiments.report import theorem_record
    from theoryrl.proofs import certify

    def certified(
        theorem: Theorem | None, algorithm: Algorithm, problem: Problem | Callable[[int], Problem], n: int, seeds: int | Iterable[int]
    ) -> Certificate:
        chosen = range(seeds) if isinstance(seeds, int) else seeds
        shifted = [validate.integer("seeds", seed, 0) + _session(request).seed for seed in chosen]
        certificate = certify(algorithm, problem, n, seeds=shifted, theorem=theorem)
        _session(request).record(request.node, THEOREM, theorem_record(certificate))
        if certificate.interrupted:
            raise KeyboardInterrupt
        if certificate.verdict == "violated":
            pytest.fail(str(certificate), pytrace=False)
        return certificate

    return certified


@pytest.fixture
def hunted(request: pytest.FixtureRequest) -> Callable[[Mutant, Mapping[str, Check]], Kills]:
    """``hunted(mutant, checks)`` hunts a mutant, records into the report, and fails the test if a check that must reject it does not."""
    from theoryrl.testing.mutants import hunt

    def hunted(mutant: Mutant, checks: Mapping[str, Check]) -> Kills:
        kills = hunt(mutant, checks)
        record: dict[str, Any] = {"paper": mutant.paper, "id": mutant.id, "description": mutant.description}
        record |= {"expected_killers": list(mutant.killers), "killed_by": list(kills.killed_by), "seeds": kills.seeds}
        _session(request).record(request.node, MUTANT, record)
        if kills.survived:
            pytest.fail(f"mutant {mutant.paper} {mutant.id} ({mutant.description}) survived {', '.join(kills.survived)}", pytrace=False)
        return kills

    return hunted


class Session:
    """What one pytest session knows: the hooks that need it are its methods.

    Under pytest-xdist each worker has one and so has the controller.  Records travel as `user_properties` of test reports.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.check: bool = config.getoption("regret_check")
        self.is_worker = hasattr(config, "workerinput")
        self.seed: int = config.workerinput["regret_seed"] if self.is_worker else _seed(config)  # type: ignore[attr-defined]
        self.path = None if self.is_worker else _report_path(config)
        self.properties: dict[str, Sequence[tuple[str, Any]]] = {}
        self.failed: set[str] = set()
        self.report: dict[str, Any] | None = None
        self.left_out = 0
        self.counted = _performed()

    def record(self, item: pytest.Item, kind: str, record: dict[str, Any]) -> None:
        """Keep `record` for the report, also if this test never ends."""
        item.user_properties.append((kind, record))
        self.properties[item.nodeid] = item.user_properties

    def _recorded(self, kind: str) -> list[Any]:
        return [value for properties in self.properties.values() for name, value in properties if name == kind]

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell an xdist worker the session's seed."""
        node.workerinput["regret_seed"] = self.seed

    def pytest_report_header(self) -> str | None:
        return f"regret: {self._seed_advice()}" if self.seed else None

    def _seed_advice(self) -> str:
        return f"every seed is raised by {self.seed} (repeat with --regret-seed={self.seed})"

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the regret tests or the others, after -k and -m have chosen."""
        kept = [item for item in items if (item.get_closest_marker("regret") is not None) == self.check]
        left_out = [item for item in items if (item.get_closest_marker("regret") is not None) != self.check]
        if not self.is_worker:
            self._refuse_too_many(len(kept))
        if left_out:
            self.left_out = len(left_out)
            items[:] = kept
            self.config.hook.pytest_deselected(items=left_out)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        self._refuse_too_many(len(ids))

    def _refuse_too_many(self, collected: int) -> None:
        if self.check and collected > MOST:
            raise pytest.UsageError(f"collected {collected} regret tests, more than {MOST}: each may perform statistical checks, whose levels add up")

    def pytest_report_collectionfinish(self) -> str | None:
        return f"{self.left_out} regret tests are left out: run them with --regret-check" if self.left_out and not self.check else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> None:
        """Count the statistical checks that this phase of the test performed."""
        performed = _performed()
        if performed > self.counted:
            item.user_properties.append((CHECKS, performed - self.counted))
        self.counted = performed

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take over a test's properties, on the controller too: each phase's report repeats those of the phases before."""
        self.properties[report.nodeid] = report.user_properties
        if report.failed:
            self.failed.add(report.nodeid)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Make the report, write it if asked to, also after Ctrl-C."""
        something = self.path or self.seed or any(map(self._recorded, (THEOREM, MUTANT, CHECKS)))
        if self.is_worker or exitstatus == pytest.ExitCode.USAGE_ERROR or not something:
            return
        from theoryrl.experiments import report
        from theoryrl.experiments.fingerprint import checkout
        from theoryrl.proofs import statistics

        checks = sum(self._recorded(CHECKS))
        commit, modified = checkout(self.config.rootpath)
        self.report = report.make_report(
            self._recorded(THEOREM), self._recorded(MUTANT), level=statistics.LEVEL, statistical_checks=checks, commit=commit, modified=modified,
            seed_offset=self.seed, interrupted=exitstatus == pytest.ExitCode.INTERRUPTED, failed=self.failed,
        )  # fmt: skip
        if self.path is not None:
            report.write(self.path, self.report)
        if checks > MOST and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.report is None:
            return
        write, section = terminalreporter.write_line, terminalreporter.section
        if theorems := self.report["theorems"]:
            section("theorems")
            for text, verdict in _theorem_table(theorems):
                write(text, **{COLOURS[verdict]: True} if verdict else {})
        if mutants := self.report["mutants"]:
            section("mutants")
            for text, survived in _mutant_table(mutants):
                write(text, red=survived)
        checks, level = self.report["statistical_checks"], self.report["level"]
        section("regret checks")
        write(f"{checks} statistical checks x level {level:g}: a false alarm has probability at most {checks * level:.2g}")
        if checks > MOST:
            write(f"ERROR: {checks} statistical checks were performed, more than {MOST}: use fewer, or more sure steps", red=True)
        if self.seed:
            write(self._seed_advice())
        if self.path is not None:
            write(f"report: {self.path} and {self.path.with_suffix('.json').name}")


def _session(request: pytest.FixtureRequest) -> Session:
    session = request.config.pluginmanager.get_plugin(SESSION)
    assert isinstance(session, Session)
    return session


def _seed(config: pytest.Config) -> int:
    seed: int | None = config.getoption("regret_seed")
    if seed is not None and seed < 0:
        raise pytest.UsageError(f"--regret-seed: expected a non-negative number, got {seed}")
    if seed is None and config.getoption("regret_vary_seed"):
        return 1 + secrets.randbelow(10**9)
    return seed or 0


def _report_path(config: pytest.Config) -> Path | None:
    given: str | None = config.getoption("regret_report")
    if given is None:
        return None
    path = config.invocation_params.dir / given
    if path.suffix != ".html":
        raise pytest.UsageError(f"--regret-report: expected a file name that ends in .html, got {given}")
    if not path.parent.is_dir():
        raise pytest.UsageError(f"--regret-report: there is no folder {path.parent} to write {path.name} to")
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise pytest.UsageError(f"--regret-report: cannot write {path}")
    if not config.getoption("regret_check"):
        raise pytest.UsageError("--regret-report: it needs --regret-check, without which no regret test runs")
    return path


def _performed() -> int:
    """Statistical checks performed in this process, without importing anything."""
    return getattr(sys.modules.get("theoryrl.proofs.statistics"), "performed", 0)


def _theorem_table(theorems: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """Lines of text, each with the verdict that colours it ("" for the heading)."""
    rows = [("verdict", "vacuity", "paper", "theorem", "n", "seeds", "algorithm", "instance")]
    for t in theorems:
        vacuity = "-" if t["vacuity"] is None else f"{t['vacuity']:.3g}"
        rows.append((t["verdict"], vacuity, t["paper"], t["id"], f"{t['n']:,}", str(t["seeds"]), t["algorithm"], t["instance"]))
    lines = list(zip(_aligned(rows, right=(1, 4, 5)), ["", *(t["verdict"] for t in theorems)], strict=True))
    for i, t in reversed(list(enumerate(theorems, 1))):
        lines[i + 1 : i + 1] = [(f"  assumption fails: {a['name']}: {a['witness']}", t["verdict"]) for a in t["failing"]]
    return lines


def _mutant_table(mutants: Sequence[dict[str, Any]]) -> list[tuple[str, bool]]:
    """Lines of text, each with whether it tells of a survivor."""
    rows, survived = [("", "paper", "mutant", "killed by", "of", "seeds")], [False]
    for m in mutants:
        survived.append(not set(m["expected_killers"]) <= set(m["killed_by"]))
        row = ("SURVIVED" if survived[-1] else "killed", m["paper"], m["id"], " ".join(m["killed_by"]), " ".join(m["expected_killers"]), str(m["seeds"] or "-"))
        rows.append(row)
    return list(zip(_aligned(rows, right=(5,)), survived, strict=True))


def _aligned(rows: Sequence[Sequence[str]], right: Sequence[int]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:{'>' if i in right else '<'}{widths[i]}}" for i, cell in enumerate(row)).rstrip() for row in rows]
