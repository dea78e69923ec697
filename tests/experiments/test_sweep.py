"""Sweeps: what they are made of, mistakes told at once, what is computed and what is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sweep_toys import Coin, Raiser, Stuck, Tosser

from envs_synthetic.baselines import dirichlet_prior, two_state
from envs_synthetic.cascading import hidden_gem
from envs_synthetic.mex import treasure_class
from theoryrl.algorithms import MEX, PSRL, UCBVI, CascadingVI, DoublingMEX, Run
from theoryrl.cli import main
from theoryrl.experiments import backends, cache, execute
from theoryrl.experiments.backends import run_sweep
from theoryrl.experiments.fingerprint import checkout, code_version
from theoryrl.experiments.sweep import BadSweep, Sweep, read_sweep


def toys(**options: Any) -> Sweep:
    return Sweep(**{"algorithms": [Tosser()], "problems": [Coin(), Coin(0.9)], "seeds": 3, "n": 500} | options)


def files(folder: Path, suffix: str = "run") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.rglob(f"*.{suffix}"))}


def test_all_backends_write_the_same_bytes(tmp_path: Path) -> None:
    sweep = Sweep([UCBVI()], [two_state(3)], 3, 300, trace=True)
    for backend in ("threads", "processes"):
        report = run_sweep(sweep, tmp_path / backend, backend=backend, jobs=2, quiet=True)
        assert report.complete and (report.done, report.computed) == (3, 3)
        again = run_sweep(sweep, tmp_path / backend, backend=backend, jobs=2, quiet=True)
        assert again.complete and (again.done, again.computed) == (3, 0)
    assert files(tmp_path / "threads") == files(tmp_path / "processes") and len(files(tmp_path / "threads")) == 3
    direct = UCBVI().run(two_state(3), 300, seed=2, trace=True)
    stored = {run.seed: run for run in sweep.collect(tmp_path / "threads")}[2]
    assert all(np.array_equal(stored[name], direct[name]) for name in direct.curves) and stored.seconds == 0


def test_only_what_is_missing_is_computed(tmp_path: Path) -> None:
    run_sweep(toys(), tmp_path, quiet=True)
    before = files(tmp_path)
    more = run_sweep(toys(seeds=5), tmp_path, quiet=True)
    assert (more.done, more.computed) == (10, 4) and before.items() <= files(tmp_path).items()
    assert run_sweep(toys(n=501), tmp_path, quiet=True).computed == 6
    assert run_sweep(toys(checkpoints=[3, 500]), tmp_path, quiet=True).computed == 6
    assert str(toys(seeds=9).status(tmp_path)) == "18 runs: 10 done, 8 missing"


def test_a_prior_draws_an_instance_for_each_seed(tmp_path: Path) -> None:
    sweep = Sweep([PSRL()], [dirichlet_prior(2, 2, 2)], 3, 50)
    assert run_sweep(sweep, tmp_path, quiet=True).complete
    assert [run.problem for run in sweep.collect(tmp_path)] == [dirichlet_prior(2, 2, 2)(seed) for seed in range(3)]


def test_what_lies_beside_a_run(tmp_path: Path) -> None:
    run_sweep(toys(), tmp_path, quiet=True)
    about = json.loads(next(iter(files(tmp_path, "json").values())))
    commit, modified = checkout(Path(backends.__file__).parent)
    assert about["n"] == 500 and about["seconds"] >= 0 and about["host"] and about["commit"] == f"{commit or ''}{'-dirty' * modified}"
    assert not files(tmp_path, "part") and not files(tmp_path, "claim")


def test_a_damaged_file_is_named_set_aside_and_computed_anew(tmp_path: Path) -> None:
    run_sweep(toys(), tmp_path, quiet=True)
    whole = files(tmp_path)
    victim = next(tmp_path.rglob("*.run"))
    for damage in (b"", victim.read_bytes()[:-40], bytes([*victim.read_bytes()[:200], 1 ^ victim.read_bytes()[200], *victim.read_bytes()[201:]])):
        victim.write_bytes(damage)
        report = run_sweep(toys(), tmp_path, quiet=True)
        assert report.complete and report.computed == 1 and files(tmp_path) == whole
        assert any("damaged" in notice and victim.name in notice for notice in report.notices)
        assert victim.with_name(f"{victim.name}.damaged").read_bytes() == damage


def test_a_run_that_raises_does_not_stop_the_others(tmp_path: Path) -> None:
    sweep = toys(algorithms=[Raiser()], problems=[Coin(0.2), Coin()])
    report = run_sweep(sweep, tmp_path, quiet=True)
    assert (report.done, len(report.failed), report.complete) == (3, 3, False)
    assert "ArithmeticError: a bias of 0.2" in report.failed[0][1] and "Traceback" in report.failed[0][1]
    status = sweep.status(tmp_path)
    assert (status.done, status.failed) == (3, 3) and "ArithmeticError" in str(status)
    assert run_sweep(sweep, tmp_path, quiet=True).computed == 0


def test_a_run_beyond_its_limit_goes_on_next_time(tmp_path: Path) -> None:
    sweep = toys(algorithms=[Tosser(pause=0.001)], problems=[Coin()], seeds=1, time_limit=0.3)
    report = run_sweep(sweep, tmp_path, quiet=True)
    assert len(report.late) == 1 and "of 500 steps" in report.late[0][1] and files(tmp_path, "part")
    assert sweep.status(tmp_path).late == 1
    for _ in range(10):
        report = run_sweep(sweep, tmp_path, quiet=True)
    run = next(sweep.collect(tmp_path))
    assert report.complete and run["regret"][-1] == Tosser().run(Coin(), 500, seed=0)["regret"][-1]


def test_a_thread_inside_a_kernel_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "POLL_SECONDS", 0.05)
    report = run_sweep(toys(algorithms=[Stuck(seconds=1)], problems=[Coin()], seeds=1, time_limit=0.02), tmp_path, quiet=True)
    assert len(report.late) == 1 and any("inside one chunk beyond 10 times the time limit" in notice for notice in report.notices)


def test_parts_are_saved_by_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execute, "PART_SECONDS", 0.0)
    saved: list[int] = []
    keep = cache.Store.save_part
    monkeypatch.setattr(cache.Store, "save_part", lambda self, task, run: (saved.append(run.steps), keep(self, task, run))[1])
    run_sweep(toys(seeds=1, problems=[Coin()]), tmp_path, quiet=True)
    assert saved == sorted(set(saved)) and len(saved) > 3


# Claims.


def one(sweep: Sweep) -> cache.Task:
    return sweep.tasks()[0]


def test_claims_exclude_each_other_and_are_given_up(tmp_path: Path) -> None:
    task, store = one(toys()), cache.Store(tmp_path)
    store.open([task])
    assert store.claim(task) and not store.claim(task)
    claim = store.claimed(task)
    assert claim is not None and claim["pid"] == os.getpid() and not cache.Witness(tmp_path).dead(claim)
    assert execute.carry_out(task, tmp_path, tmp_path / "stop", None, "", False).state == "elsewhere"
    store.release(task)
    assert store.claimed(task) is None and store.claim(task)
    store.release(task)


def test_a_claim_of_a_dead_process_of_this_host_is_taken_over(tmp_path: Path) -> None:
    sweep = toys()
    task, store = one(sweep), cache.Store(tmp_path)
    store.open([task])
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True)
    store.path(task, "claim").write_text(json.dumps({"host": cache._host(), "pid": int(dead.stdout), "born": "1", "owner": "x"}))
    report = run_sweep(sweep, tmp_path, quiet=True)
    assert report.complete and any("dead claim was taken over" in notice and str(int(dead.stdout)) in notice for notice in report.notices)


def test_a_claim_from_elsewhere_is_dead_when_its_heart_stops_whatever_the_clocks_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = toys(seeds=1, problems=[Coin()])
    task, store = one(sweep), cache.Store(tmp_path)
    store.open([task])
    claim = {"host": "another", "pid": 1, "born": "1", "owner": "another-1-abc"}
    store.path(task, "claim").write_text(json.dumps(claim))
    heart, witness = tmp_path / "owners" / "another-1-abc", cache.Witness(tmp_path, silent=0.3)
    for beat in range(8):  # alive: it changes, although the clock is a day ahead, then a day behind
        heart.write_text(str(beat))
        monkeypatch.setattr(time, "time", lambda day=(-1) ** beat * 86_400.0: day)
        os.utime(heart, (0, 0))
        assert not witness.dead(claim)
        time.sleep(0.1)
    time.sleep(0.4)
    assert witness.dead(claim)
    monkeypatch.setattr(cache, "SILENT_SECONDS", 0.5)
    assert run_sweep(sweep, tmp_path, quiet=True).complete


def test_a_live_claim_is_given_back(tmp_path: Path) -> None:
    task, store = one(toys()), cache.Store(tmp_path)
    store.open([task])
    assert store.claim(task)
    live = store.claimed(task)
    store.take_over(task, {"host": "another", "pid": 1, "owner": "gone"})
    assert store.claimed(task) == live
    store.release(task)


def test_two_sweeps_on_one_store_share_the_work(tmp_path: Path) -> None:
    sweep, reports = toys(algorithms=[Tosser(pause=0.0005)], seeds=4), []
    others = [threading.Thread(target=lambda: reports.append(run_sweep(sweep, tmp_path, jobs=1, quiet=True))) for _ in range(2)]
    for thread in others:
        thread.start()
    for thread in others:
        thread.join()
    assert all(report.complete for report in reports) and sum(report.computed for report in reports) == 8 and min(report.computed for report in reports) > 0


# Versions.


def test_the_code_version_covers_what_a_run_rests_on() -> None:
    from theoryrl.experiments import fingerprint

    covered = fingerprint._closure((UCBVI.__module__,))
    assert {f"theoryrl.{name}" for name in ("algorithms.run", "jit", "planning.episodic", "problems.episodic", "algorithms.baselines.ucbvi_trace")} <= covered
    assert not any(name.startswith(("theoryrl.proofs", "theoryrl.experiments", "theoryrl.algorithms.mex", "theoryrl.algorithms.cascading")) for name in covered)
    assert code_version(UCBVI()) != code_version(CascadingVI()) and len(code_version(UCBVI(), two_state(3))) == 64
    nested = {kind.__name__ for kind in fingerprint._classes(DoublingMEX(MEX(treasure_class())))}
    assert nested == {"DoublingMEX", "MEX", "ModelClass"}


def test_runs_of_an_older_version_are_left_untouched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from theoryrl.experiments import sweep as module

    monkeypatch.setattr(module, "code_version", lambda *things: "0" * 64)
    run_sweep(toys(), tmp_path, quiet=True)
    before = files(tmp_path)
    monkeypatch.undo()
    report = run_sweep(toys(), tmp_path, quiet=True)
    assert report.computed == 6 and [notice for notice in report.notices if "another version of the code" in notice and notice.startswith("6 ")]
    assert files(tmp_path / ("0" * 16)) == before and len(files(tmp_path)) == 6  # the same names in two folders
    assert "6 of these runs from another version" in str(toys().status(tmp_path))


# Mistakes.


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(BadSweep) as caught:
        Sweep([UCBVI(), PSRL()], [hidden_gem(), two_state(3)], 3, 100)
    assert len(caught.value.errors) == 3
    assert "UCBVI() on hidden_gem" in str(caught.value) and "does not apply: the model was drawn from the prior" in str(caught.value)
    with pytest.raises(BadSweep) as caught:
        Sweep("UCBVI()", [], [1, 1], 0, checkpoints=[0], trace="yes", time_limit=0, check_theorems=1)  # type: ignore[arg-type]
    told = [error.split(":")[0] for error in caught.value.errors]
    assert told == ["algorithms", "problems", "seeds", "n", "checkpoints[0]", "trace", "time_limit", "check_theorems"]


def test_a_problem_with_a_python_function_is_refused() -> None:
    with pytest.raises(BadSweep, match=r"problems\[0\]: Coin/bias: a function cannot be saved"):
        toys(problems=[Coin(lambda: 0.5)])  # type: ignore[arg-type]


def test_a_declared_sweep(tmp_path: Path) -> None:
    file = tmp_path / "growth.toml"
    file.write_text('algorithms = ["UCBVI()"]\nproblems = ["two_state(3)"]\nseeds = [4, 7]\nn = 1e3\ncheckpoints = [10, 100]\n')
    sweep, folder = read_sweep(file, lambda kind, text: UCBVI() if kind == "algorithm" else two_state(3))
    assert (sweep.seeds, sweep.n, sweep.checkpoints, folder) == ((4, 7), 1000, (10, 100), tmp_path / "growth.store")


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.toml"
    file.write_text('algorithms = ["UCBVI()", "UCRL3()"]\nproblems = ["two_state(3)", "hidden_gem()"]\nseeds = 2\nn = 100\nseed = 3\ntime_limit = -1\n')
    assert main(["sweep", str(file)]) == 2
    told = capsys.readouterr().err
    assert all(text in told for text in ("4 mistakes", "seed: expected one of", "is seeds meant", "UCRL3", "time_limit", "expected an EpisodicMDP"))
    file.write_text('algorithms = ["UCBVI()"]\nproblems = ["two_state(3)"]\nseeds = 2\nn = 100\nstore = "elsewhere"\n')
    assert main(["sweep", str(file), "--jobs", "0"]) == 2 and "jobs" in capsys.readouterr().err
    assert main(["sweep", str(file), "--backend", "slurm"]) == 2 and "backend" in capsys.readouterr().err
    assert main(["collect", str(file)]) == 2 and "finished runs" in capsys.readouterr().err
    assert main(["sweep", str(file), "--status"]) == 0 and capsys.readouterr().out == "2 runs: 2 missing\n"
    assert main(["sweep", str(file), "--jobs", "2"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("2 runs done, 2 of them now") and "2 of 2 runs" in err and len(files(tmp_path / "elsewhere")) == 2
    assert main(["collect", str(file)]) == 0 and "2 of 2 runs" in capsys.readouterr().out
    assert (tmp_path / "a.csv").read_text().startswith("algorithm,problem,seed,n,checkpoint,curve,value\n")
    file.write_text('algorithms = ["UCBVI()"]\nproblems = ["two_state(3)"]\nseeds = 1\nn = 1e9\ntime_limit = 0.1\n')
    assert main(["sweep", str(file)]) == 1
    out, err = capsys.readouterr()
    assert "late: UCBVI() on two_state(horizon=3), seed 0" in out and "1 late" in err
    file.write_text("algorithms = [")
    assert main(["sweep", str(file)]) == 2 and "expected a TOML file" in capsys.readouterr().err


def test_the_display_on_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("NO_COLOR", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    run_sweep(toys(algorithms=[Raiser()], problems=[Coin(0.2), Coin()]), tmp_path)
    told = capsys.readouterr().err
    assert "6/6" in told and "3 failed" in told and "a second" in told and "\x1b[" in told


def test_a_store_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    report = run_sweep(toys(), tmp_path / "file" / "store", quiet=True)
    assert "cannot be written" in report.unwritable and not report.complete and str(report).count("\n") == 2


def test_a_finished_run_stays_loadable(tmp_path: Path) -> None:
    run_sweep(toys(), tmp_path, quiet=True)
    assert all(Run.load(path).finished for path in tmp_path.rglob("*.run"))
