"""The loop around every learner: bits that depend on nothing but algorithm, problem, n and seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toys import UCB, Bandit, EpsilonGreedy, Experts, Hedge

from theoryrl.algorithms import Algorithm, Run, geometric_checkpoints, iterate_runs, run_many
from theoryrl.algorithms import run as run_module
from theoryrl.problems import Problem

BANDIT = Bandit([0.5, 0.4, 0.1])
EXPERTS = Experts(np.random.default_rng(0).random((600, 4)))
CASES = [(EpsilonGreedy(), BANDIT), (UCB(), BANDIT), (Hedge(), EXPERTS)]
N = 500


def same_bits(a: Run, b: Run) -> None:
    """Assert that two runs to the same horizon share their curves where both measured, and their final state."""
    assert (a.steps, a.stopped) == (b.steps, b.stopped)
    shared = np.intersect1d(a.checkpoints, b.checkpoints)
    assert len(shared) and shared[-1] == a.steps
    for name in set(a.curves) & set(b.curves):
        np.testing.assert_array_equal(a[name][np.isin(a.checkpoints, shared)], b[name][np.isin(b.checkpoints, shared)])
    for name, value in a.state.items():
        if isinstance(value, np.random.Generator):
            assert value.bit_generator.state == b.state[name].bit_generator.state
        elif name not in ("widths", "deviation"):  # traced quantities
            np.testing.assert_array_equal(value, b.state[name])


@dataclasses.dataclass(frozen=True)
class Stopper(Algorithm):
    """Draws a number per step and stops by itself after `after` steps, told at the next advance if `late`."""

    after: int
    late: bool = False

    def start(self, problem: Any, n: int, rng: np.random.Generator) -> dict[str, Any]:
        return {"rng": rng, "t": np.zeros(1, dtype=np.int64), "regret": np.zeros(1), "asked": np.zeros(1)}

    def advance(self, problem: Any, state: dict[str, Any], k: int, trace: Any) -> int:
        state["asked"] += 1
        moved = int(min(k, self.after - state["t"][0]))
        for _ in range(moved):
            state["regret"] += state["rng"].random()
        state["t"] += moved
        return moved

    def measure(self, problem: Any, state: dict[str, Any], trace: Any) -> dict[str, Any]:
        return {"regret": state["regret"][0]}

    def output(self, problem: Any, state: dict[str, Any]) -> int:
        return int(state["t"][0])


@dataclasses.dataclass(frozen=True)
class Interrupted(EpsilonGreedy):
    """Epsilon-greedy on which Ctrl-C falls once, in the middle of a chunk."""

    file: str = ""

    def advance(self, problem: Any, state: dict[str, Any], k: int, trace: Any) -> int:
        pulled = int(state["pulls"].sum())
        if pulled + k > 200 and not Path(self.file).exists():
            Path(self.file).touch()
            super().advance(problem, state, 200 - pulled, trace)
            raise KeyboardInterrupt
        return super().advance(problem, state, k, trace)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Adversary(Problem):
    """Holds a Python callable."""

    means: np.ndarray
    rule: Callable[[int], int]


# --- bits ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("algorithm", "problem"), CASES)
def test_checkpoints_and_tracing_never_change_bits(algorithm: Algorithm, problem: Problem) -> None:
    plain = algorithm.run(problem, N, seed=3)
    for checkpoints in ([1], range(1, N + 1), [7, 7, 123, N]):
        for trace in (False, True, "raw"):
            same_bits(plain, algorithm.run(problem, N, seed=3, checkpoints=checkpoints, trace=trace))


@pytest.mark.parametrize(("algorithm", "problem"), CASES)
@pytest.mark.parametrize("seconds", [0.0, 1e9])
def test_the_size_of_chunks_never_changes_bits(algorithm: Algorithm, problem: Problem, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = algorithm.run(problem, N, seed=3)
    monkeypatch.setattr(run_module, "CHUNK_SECONDS", seconds)
    same_bits(plain, algorithm.run(problem, N, seed=3, checkpoints=[N]))


@pytest.mark.parametrize(("algorithm", "problem"), CASES)
def test_a_run_saved_in_the_middle_is_continued_with_the_same_bits(algorithm: Algorithm, problem: Problem, tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    files: list[Path] = []
    advance = type(algorithm).advance

    def stopping(self: Any, problem: Any, state: Any, k: int, trace: Any) -> int:
        if len(files) == 5:
            raise Stop
        files.append(tmp_path)
        return advance(self, problem, state, k, trace)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Stop):
        patch.setattr(type(algorithm), "advance", stopping)
        algorithm.run(problem, N, seed=3, trace=True, file=tmp_path / "run")
    partial = Run.load(tmp_path / "run")
    assert 0 < partial.steps < N and not partial.finished
    finished = partial.proceed(file=tmp_path / "run")
    whole = algorithm.run(problem, N, seed=3, trace=True)
    for run in (finished, Run.load(tmp_path / "run")):
        same_bits(whole, run)
        np.testing.assert_array_equal(run.checkpoints, whole.checkpoints)
    assert not partial.finished, "proceed must not change the run that it continues"
    same_bits(whole, partial.proceed())


@pytest.mark.parametrize(("backend", "jobs"), [("threads", 1), ("threads", 2), ("processes", 2)])
def test_threads_and_processes_never_change_bits(backend: Any, jobs: int) -> None:
    for algorithm, problem in CASES:
        for run in run_many(algorithm, problem, N, seeds=range(3), trace=True, backend=backend, jobs=jobs):
            same_bits(algorithm.run(problem, N, seed=run.seed, trace=True), run)


def test_runs_come_in_the_order_of_the_seeds_and_a_prior_gives_each_its_instance() -> None:
    runs = list(iterate_runs(UCB(), lambda seed: Bandit([0.1 * seed, 0.9]), 20, seeds=[5, 2]))
    assert [(run.seed, run.problem.means[0]) for run in runs] == [(5, 0.5), (2, 0.2)]


def test_seeds_matter_and_repeat() -> None:
    one, two = (EpsilonGreedy().run(BANDIT, N, seed=s) for s in (1, 2))
    assert one.regret[-1] != two.regret[-1]
    same_bits(one, EpsilonGreedy().run(BANDIT, N, seed=1))


# --- horizons -----------------------------------------------------------------------------------------------------------


def test_an_anytime_algorithm_goes_on() -> None:
    more = Hedge().run(EXPERTS, 200, seed=0).proceed(300)
    whole = Hedge().run(EXPERTS, 500, seed=0)
    assert more.n == 500 and more.finished
    same_bits(whole, more)
    assert set(whole.checkpoints) <= set(more.checkpoints)


def test_going_on_finishes_an_unfinished_run_first(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(Hedge, "measure", lambda *_: 1 / 0)
        Hedge().run(EXPERTS, 200, seed=0, file=tmp_path / "run")
    same_bits(Hedge().run(EXPERTS, 500, seed=0), Run.load(tmp_path / "run").proceed(300))


def test_an_algorithm_tuned_to_its_horizon_does_not_go_on() -> None:
    with pytest.raises(ValueError, match=r"more: UCB is tuned to its horizon n=20"):
        UCB().run(BANDIT, 20, seed=0).proceed(5)
    with pytest.raises(ValueError, match="more: expected an integer in"):
        Hedge().run(EXPERTS, 20, seed=0).proceed(0)


def test_checkpoints_are_the_same_points_for_every_horizon() -> None:
    long, short = geometric_checkpoints(10**6), geometric_checkpoints(12345)
    assert short[-1] == 12345 and list(short[:-1]) == [k for k in long if k < 12345]
    assert list(geometric_checkpoints(1)) == [1] and long[-1] == 10**6
    assert all(10**d in long for d in range(7)) and np.all(np.diff(long) > 0)


def test_the_horizon_is_always_a_checkpoint() -> None:
    run = UCB().run(BANDIT, 10, seed=0, checkpoints=[5, 3, 5])
    assert list(run.checkpoints) == [3, 5, 10]


@pytest.mark.parametrize("after", [0, 1, 37, 64, 99])
@pytest.mark.parametrize("checkpoints", [None, [64], [37, 64]])
def test_an_algorithm_may_stop_by_itself(after: int, checkpoints: list[int] | None, tmp_path: Path) -> None:
    """Also before its first step, and exactly at a checkpoint, which is then measured once."""
    run = Stopper(after).run(BANDIT, 100, seed=0, checkpoints=checkpoints, file=tmp_path / "run")
    for seen in (run, Run.load(tmp_path / "run"), run.proceed()):
        assert (seen.stopped, seen.finished, seen.steps, seen.output) == (True, True, after, after)
        assert seen.checkpoints[-1] == after and np.all(np.diff(seen.checkpoints) > 0)
        assert len(seen.regret) == len(seen.checkpoints) and seen.regret[-1] == seen.state["regret"][0]


def test_stopping_exactly_at_the_horizon_is_reaching_it() -> None:
    run = Stopper(100).run(BANDIT, 100, seed=0)
    assert (run.stopped, run.finished, run.steps) == (False, True, 100)


# --- files --------------------------------------------------------------------------------------------------------------


def test_everything_survives_a_file(tmp_path: Path) -> None:
    run = UCB(delta=0.1).run(dataclasses.replace(BANDIT, name="three_arms()"), 50, seed=4, trace=True)
    run.save(tmp_path / "run")
    back = Run.load(tmp_path / "run")
    same_bits(run, back)
    assert (back.algorithm, back.problem, back.n, back.seed, back.trace, back.versions) == (
        run.algorithm, run.problem, run.n, run.seed, run.trace, run.versions,
    )  # fmt: skip
    assert repr(back) == repr(run) and [file.name for file in tmp_path.iterdir()] == ["run"]


def test_ctrl_c_leaves_a_file_that_can_be_finished(tmp_path: Path) -> None:
    algorithm = Interrupted(file=str(tmp_path / "happened"))
    with pytest.raises(KeyboardInterrupt):
        algorithm.run(BANDIT, N, seed=7, file=tmp_path / "run")
    partial = Run.load(tmp_path / "run")
    assert 0 < partial.steps <= 200
    same_bits(EpsilonGreedy().run(BANDIT, N, seed=7), partial.proceed())
    assert sorted(file.name for file in tmp_path.iterdir()) == ["happened", "run"]


@pytest.mark.parametrize("keep", [0, 1, 100, -1, -30])
def test_a_truncated_file_is_named(keep: int, tmp_path: Path) -> None:
    UCB().run(BANDIT, 20, seed=0, file=tmp_path / "run")
    whole = (tmp_path / "run").read_bytes()
    (tmp_path / "run").write_bytes(whole[:keep])
    with pytest.raises(ValueError, match=r"file: .*run is cut short, damaged, or not a saved run"):
        Run.load(tmp_path / "run")


def test_a_damaged_byte_is_noticed(tmp_path: Path) -> None:
    UCB().run(BANDIT, 20, seed=0, file=tmp_path / "run")
    whole = bytearray((tmp_path / "run").read_bytes())
    whole[whole.index(b'"seed"') + 1] ^= 1
    (tmp_path / "run").write_bytes(whole)
    with pytest.raises(ValueError, match="file: "):
        Run.load(tmp_path / "run")


def test_files_that_are_no_runs_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Run.load(tmp_path / "missing")
    np.savez(tmp_path / "other.npz", a=np.zeros(2))
    np.save(tmp_path / "array.npy", np.zeros(2))
    (tmp_path / "text").write_text("hello")
    for name in ("other.npz", "array.npy", "text"):
        with pytest.raises(ValueError, match="file: "):
            Run.load(tmp_path / name)


def test_a_missing_folder_is_an_error_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(UCB, "advance", lambda *_: pytest.fail("work started"))
    with pytest.raises(ValueError, match=r"file: the folder .*missing.* does not exist"):
        UCB().run(BANDIT, 10, seed=0, file=tmp_path / "missing" / "run")


def test_a_problem_with_a_callable_refuses_to_be_saved(tmp_path: Path) -> None:
    problem = Adversary(np.array([0.5, 0.1]), rule=int)
    UCB().run(problem, 10, seed=0)
    with pytest.raises(TypeError, match="run/problem/rule: a type cannot be saved"):
        UCB().run(problem, 10, seed=0, file=tmp_path / "run")
    with pytest.raises(TypeError, match="a function cannot be saved"):
        UCB().run(dataclasses.replace(problem, rule=lambda k: k), 10, seed=0, file=tmp_path / "run")
    assert not list(tmp_path.iterdir())


# --- bad input ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n": 0}, ValueError, r"n: expected an integer in \[1, 9007199254740992\], got 0"),
        ({"n": 1.5}, ValueError, "n: expected an integer, got 1.5"),
        ({"n": float("nan")}, ValueError, "n: expected an integer, got nan"),
        ({"n": "ten"}, TypeError, "n: expected an integer, got str 'ten'"),
        ({"n": True}, TypeError, "n: expected an integer, got bool"),
        ({"seed": -1}, ValueError, "seed: expected an integer in"),
        ({"seed": None}, TypeError, "seed: expected an integer, got NoneType"),
        ({"checkpoints": [0, 5]}, ValueError, r"checkpoints\[0\]: expected \[1, 10\], got 0"),
        ({"checkpoints": [5, 11]}, ValueError, r"checkpoints\[1\]: expected \[1, 10\], got 11"),
        ({"checkpoints": [2.5]}, ValueError, r"checkpoints\[0\]: expected an integer, got 2.5"),
        ({"checkpoints": []}, ValueError, "checkpoints: expected shape"),
        ({"trace": "all"}, ValueError, "trace: expected False, True or 'raw', got 'all'"),
        ({"problem": [0.5, 0.1]}, TypeError, "problem: expected a Problem, got list"),
    ],
)
def test_bad_input_is_named(arguments: dict[str, Any], error: type[Exception], message: str, tmp_path: Path) -> None:
    call = {"problem": BANDIT, "n": 10, "seed": 0} | arguments
    with pytest.raises(error, match=message):
        UCB().run(call.pop("problem"), call.pop("n"), file=tmp_path / "run", **call)
    assert not list(tmp_path.iterdir())


def test_bad_input_to_many_runs_is_named() -> None:
    with pytest.raises(ValueError, match="seeds: expected an integer in"):
        run_many(UCB(), BANDIT, 10, seeds=[0, -1])
    with pytest.raises(ValueError, match="backend: expected one of 'threads', 'processes', got 'cluster'"):
        run_many(UCB(), BANDIT, 10, seeds=[0], backend="cluster")  # type: ignore[arg-type]


def test_an_unknown_curve_lists_those_measured() -> None:
    with pytest.raises(KeyError, match="'widths' was not measured; this run has 'regret'"):
        UCB().run(BANDIT, 10, seed=0)["widths"]


# --- looks --------------------------------------------------------------------------------------------------------------


def test_a_run_has_a_short_repr_and_a_frame() -> None:
    run = UCB().run(BANDIT, 1000, seed=1)
    assert repr(run).startswith("<Run of UCB(delta=0.05) on Bandit(means=array(3,)): 1,000 of 1,000 rounds, seed 1, regret=")
    pandas = pytest.importorskip("pandas")
    frame = run.to_frame()
    assert isinstance(frame, pandas.DataFrame) and frame.index.name == "rounds"
    np.testing.assert_array_equal(frame["regret"], run.regret)


def test_problems_are_equal_by_content() -> None:
    assert Bandit([0.5, 0.4]) == Bandit([0.5, 0.4]) != Bandit([0.5, 0.3]) and Bandit([0.5]) != Experts([[0.5]])
    assert hash(Bandit([0.5])) == hash(Bandit([0.5]))
    with pytest.raises(dataclasses.FrozenInstanceError):
        BANDIT.means = np.zeros(3)  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        BANDIT.means[0] = 0
