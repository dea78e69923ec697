"""The pytest plugin, in another package that installs theoryrl: sessions of their own, most of them in a process of their own."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from theoryrl.experiments.fingerprint import checkout  # before any session inside this process, which forgets what it imports
from theoryrl.proofs import statistics

pytest_plugins = ["pytester"]

TOYS = (Path(__file__).parent.parent / "toys.py").read_text("utf-8")

CERTIFICATES = '''
import numpy as np
import pytest

from theoryrl.proofs import Assumption, theorem
from theoryrl.testing.mutants import Mutant, each_seed
from toys import UCB, UCB1, Bandit, EpsilonGreedy, epsilon_greedy_is_sublinear, ucb1_regret, ucb_regret

pytestmark = pytest.mark.regret
BANDIT = Bandit([0.9, 0.5, 0.4], name="bandit(.9, .5, .4)")


def test_false_theorem(certified):
    certified(None, EpsilonGreedy(), BANDIT, 2_000, 8)


def test_on_an_event(certified):
    assert certified(ucb_regret, UCB(), BANDIT, 5_000, range(5, 9)).verdict == "not violated"


def test_in_expectation(certified):
    certified(ucb1_regret, UCB1(), BANDIT, 2_000, 8)


def test_vacuous(certified):
    assert certified(ucb_regret, UCB(delta=0.1), BANDIT, 100, 2).verdict == "vacuous"


def two_arms(algorithm, problem, n):
    return [Assumption("two arms", len(problem.means) == 2, f"{len(problem.means)} arms")]


@theorem(for_=UCB, id="2", paper="toys", source="nowhere", assumptions=two_arms)
def two_armed_regret(run):
    raise AssertionError("not reached")


def test_not_applicable(certified):
    certified(two_armed_regret, UCB(), BANDIT, 100, 2)


def test_negative_seed(certified):
    with pytest.raises(ValueError, match=r"seeds: .*-1"):
        certified(ucb_regret, UCB(), BANDIT, 100, [-1])


def check_level(world):
    assert world("theoryrl.proofs.statistics").LEVEL < 1e-6


def check_seeds(world):
    def on_one(seed):
        assert seed < 2 or world("theoryrl.proofs.statistics").LEVEL < 1e-6

    each_seed(range(5), on_one)


def half(old, new, id):
    return Mutant("toys", id, "a half", (("theoryrl.proofs.statistics", old, new),), ("T1", "T2"))


@pytest.mark.parametrize("mutant", [half("confidence: float = 0.95", "confidence: float = 0.5", "M10"), half("LEVEL = 1e-9", "LEVEL = 0.5", "M2")])
def test_mutants(hunted, mutant):
    hunted(mutant, {"T1": check_level, "T2": check_seeds})
'''

SEEDS = '''
import pathlib
import pytest

@pytest.mark.regret
@pytest.mark.parametrize("i", range(4))
def test_seed(regret_seed, i):
    pathlib.Path(f"seed{i}").write_text(str(regret_seed))

def test_plain(regret_seed):
    pathlib.Path("plain").write_text(str(regret_seed))
'''


@pytest.fixture(autouse=True)
def _light(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hypothesis' plugin would import it anew in each session."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest")


@pytest.fixture
def package(pytester: pytest.Pytester) -> pytest.Pytester:
    """A user's package: the toy papers and their tests."""
    pytester.makepyfile(toys=TOYS, test_certificates=CERTIFICATES)
    return pytester


def _report(pytester: pytest.Pytester, *arguments: str) -> tuple[pytest.RunResult, dict[str, Any]]:
    result = pytester.runpytest_subprocess("--regret-check", "--regret-report=out.html", *arguments)
    assert sorted(path.name for path in pytester.path.glob("*out.*")) == ["out.html", "out.json"]
    return result, json.loads((pytester.path / "out.json").read_text("utf-8"))


def test_certificates_and_mutants(package: pytest.Pytester):
    result, report = _report(package)
    result.assert_outcomes(passed=6, failed=2)
    result.stdout.fnmatch_lines([
        "*event E: 8 of 8 seeds failed*",
        "mutant toys M10 (a half) survived T1, T2",
        "not applicable *- *toys *2 *",
        "  assumption fails: two arms: 3 arms",
        "violated *toys *false *2,000 *8 *EpsilonGreedy(epsilon=0.2) *bandit(.9, .5, .4)",
        "killed *toys *M2 *T1 T2 *T1 T2 *3",
        "SURVIVED *toys *M10 *T1 T2 *-",
        "4 statistical checks x level 1e-09: *4e-09",
        "report: *out.html and out.json",
    ])  # fmt: skip
    assert "Traceback" not in result.stdout.str() and "toys.py" not in result.stdout.str()

    verdicts = {(t["id"], t["algorithm"]): t["verdict"] for t in report["theorems"]}
    assert verdicts == {
        ("1", "UCB1()"): "not violated",
        ("2", "UCB(delta=0.05)"): "not applicable",
        ("U", "UCB(delta=0.05)"): "not violated",
        ("U", "UCB(delta=0.1)"): "vacuous",
        ("false", "EpsilonGreedy(epsilon=0.2)"): "violated",
    }
    assert (report["commit"], report["level"], report["statistical_checks"], report["interrupted"]) == (None, 1e-9, 4, False)
    assert report["failed"] == ["test_certificates.py::test_false_theorem", "test_certificates.py::test_mutants[mutant0]"]
    ucb = next(t for t in report["theorems"] if t["algorithm"] == "UCB(delta=0.05)" and t["id"] == "U")
    assert (ucb["paper"], ucb["instance"], ucb["n"], ucb["seeds"], ucb["violations"]) == ("toys", "bandit(.9, .5, .4)", 5_000, 4, 0)
    assert 0 < ucb["vacuity"] < 1
    assert [{key: e[key] for key in ("id", "probability", "failures", "observed")} for e in ucb["events"]] == [
        {"id": "E", "probability": 0.05, "failures": 0, "observed": True}
    ]
    assert [(line["id"], line["holds"], line["max_violation"]) for line in ucb["chains"][0]["lines"]] == [
        ("L0", "on E", 0.0), ("L1", "surely", 0.0), ("L2", None, None),
    ]  # fmt: skip
    assert ucb["chains"][0]["lines"][0]["value"] < ucb["chains"][0]["lines"][2]["value"]
    assert [(m["id"], m["expected_killers"], m["killed_by"], m["seeds"]) for m in report["mutants"]] == [
        ("M2", ["T1", "T2"], ["T1", "T2"], 3), ("M10", ["T1", "T2"], [], 0),
    ]  # fmt: skip
    assert "EpsilonGreedy" in (package.path / "out.html").read_text("utf-8")

    distributed, again = _report(package, "-n2")
    distributed.assert_outcomes(passed=6, failed=2)
    assert again | {"date": None} == report | {"date": None}


def test_regret_tests_run_alone_or_not_at_all(pytester: pytest.Pytester):
    pytester.makepyfile(SEEDS)
    result = pytester.runpytest_inprocess("--strict-markers")
    result.assert_outcomes(passed=1, deselected=4)
    result.stdout.fnmatch_lines(["4 regret tests are left out: run them with --regret-check"])
    assert (pytester.path / "plain").read_text() == "0" and not (pytester.path / "seed0").exists()
    pytester.runpytest_inprocess("--regret-check", "-k", "seed0 or plain or 1").assert_outcomes(passed=1, deselected=4)


def test_varied_seed_is_one_for_all_workers_and_repeats(pytester: pytest.Pytester):
    pytester.makepyfile(SEEDS)
    result = pytester.runpytest_subprocess("--regret-check", "--regret-vary-seed", "-n2")
    result.assert_outcomes(passed=4)
    seeds = {(pytester.path / f"seed{i}").read_text() for i in range(4)}
    (seed,) = seeds
    assert int(seed) > 0
    result.stdout.fnmatch_lines(2 * [f"*every seed is raised by {seed} (repeat with --regret-seed={seed})"])  # header and summary
    pytester.runpytest_inprocess("--regret-check", f"--regret-seed={seed}")
    assert {(pytester.path / f"seed{i}").read_text() for i in range(4)} == seeds


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--regret-check", "--regret-report=nowhere/out.html"], "--regret-report: there is no folder *nowhere*"),
        (["--regret-check", "--regret-report=out.txt"], "--regret-report: expected a file name that ends in .html, got out.txt"),
        (["--regret-report=out.html"], "--regret-report: it needs --regret-check*"),
        (["--regret-check", "--regret-seed=-3"], "--regret-seed: expected a non-negative number, got -3"),
    ],
)
def test_bad_options_stop_before_any_test(pytester: pytest.Pytester, arguments: list[str], message: str):
    pytester.makepyfile(SEEDS)
    result = pytester.runpytest_inprocess(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])
    assert [path.suffix for path in pytester.path.iterdir() if path.is_file()] == [".py"]


def test_too_many_regret_tests(pytester: pytest.Pytester):
    pytester.makepyfile("import pytest\n@pytest.mark.regret\n@pytest.mark.parametrize('i', range(1001))\ndef test(i): pass")
    result = pytester.runpytest_inprocess("--regret-check", "--regret-report=out.html")
    assert result.ret == pytest.ExitCode.USAGE_ERROR and not (pytester.path / "out.html").exists()
    result.stderr.fnmatch_lines(["ERROR: collected 1001 regret tests, more than 1000: *"])


def test_too_many_statistical_checks(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    pytester.makepyfile("""
        from theoryrl.proofs import statistics

        def test():
            for _ in range(1001):
                statistics.too_many_failures(0, 1, 0.5)
    """)
    with monkeypatch.context() as patch:
        patch.setattr(statistics, "performed", 0)
        result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["ERROR: 1001 statistical checks were performed, more than 1000*"])


def test_interrupted_session_keeps_what_was_finished(pytester: pytest.Pytester):
    pytester.makepyfile("""
        import pytest
        from theoryrl.testing.mutants import Mutant

        def broken(world):
            assert False

        @pytest.mark.regret
        @pytest.mark.parametrize("i", range(3))
        def test(hunted, i):
            hunted(Mutant("toys", f"M{i}", "", (), ("T1",)), {"T1": broken})
            if i == 1:
                raise KeyboardInterrupt
    """)
    result = pytester.runpytest_inprocess("--regret-check", "--regret-report=out.html", no_reraise_ctrlc=True)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    report = json.loads((pytester.path / "out.json").read_text("utf-8"))
    assert report["interrupted"] and [m["id"] for m in report["mutants"]] == ["M0", "M1"]
    assert "Interrupted" in (pytester.path / "out.html").read_text("utf-8")


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_commit(tmp_path: Path):
    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        return subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

    assert checkout(tmp_path) == (None, False)
    git("init")
    assert checkout(tmp_path) == (None, False)
    (tmp_path / "file").write_text("a")
    git("add", "file")
    git("commit", "-m", "first")
    assert checkout(tmp_path) == (git("rev-parse", "HEAD"), False)
    (tmp_path / "file").write_text("b")
    assert checkout(tmp_path) == (git("rev-parse", "HEAD"), True)
