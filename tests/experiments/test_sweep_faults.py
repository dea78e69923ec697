"""Whatever kills a sweep: nothing finished is lost, nothing half-written is read, the message says what happened, the bits are the same."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sweep_toys import Coin, Killer, Stuck, Tosser

from theoryrl.algorithms import Run, store
from theoryrl.experiments.backends import Report, run_sweep
from theoryrl.experiments.sweep import Sweep

pytestmark = pytest.mark.fault

HERE = Path(__file__).parent
SCRIPT = """
import sys
from theoryrl.experiments import execute
from theoryrl.experiments.backends import run_sweep
from theoryrl.experiments.sweep import Sweep
from sweep_toys import Coin, Tosser
execute.PART_SECONDS = 0.1
if __name__ == "__main__":
    sweep = Sweep([Tosser(pause=0.001)], [Coin(), Coin(0.9)], 4, 600)
    print("started", flush=True)
    print(run_sweep(sweep, sys.argv[1], backend=sys.argv[2], jobs=2))
"""
SWEEP = Sweep([Tosser(pause=0.001)], [Coin(), Coin(0.9)], 4, 600)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.rglob("*.run"))}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert run_sweep(SWEEP, folder, jobs=8, quiet=True).complete
    return contents(folder)


def start(folder: Path, backend: str) -> subprocess.Popen[str]:
    script = folder.parent / "script.py"
    script.write_text(SCRIPT)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, sys.path)])}
    command = [sys.executable, str(script), str(folder), backend]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True)
    assert process.stdout is not None and process.stdout.readline() == "started\n"
    return process


def finished(folder: Path) -> dict[str, bytes]:
    """What is in the store, every file of which can be read."""
    for path in folder.rglob("*.run"):
        assert Run.load(path).finished
    for path in folder.rglob("*.part"):
        Run.load(path)
    return contents(folder)


@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_the_main_process_is_killed_at_random_moments(backend: str, tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    delays, kept = random.Random(1), {}
    for _ in range(5):
        process = start(tmp_path, backend)
        time.sleep(delays.uniform(0.05, 0.9))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()  # its workers notice, and stop
        now = finished(tmp_path)
        assert kept.items() <= now.items()
        kept = now
    report = run_sweep(SWEEP, tmp_path, jobs=2, quiet=True)
    orphans = backend == "processes"  # a worker whose parent was killed may still finish the run that it was at
    assert report.complete and contents(tmp_path) == undisturbed
    assert report.computed <= 8 - len(kept) if orphans else report.computed == 8 - len(kept)


@pytest.mark.parametrize("backend", ["threads", "processes", "dask"])
def test_ctrl_c_once_lets_runs_save_themselves(backend: str, tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    process = start(tmp_path, backend)
    while not contents(tmp_path):
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to the workers too
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0 and "stopped:" in out and "the same command goes on" in out and "stopping: runs under way save themselves" in err
    kept = finished(tmp_path)
    assert len(kept) < 8 and not list(tmp_path.rglob("*.claim"))
    assert run_sweep(SWEEP, tmp_path, jobs=2, quiet=True).computed == 8 - len(kept) and contents(tmp_path) == undisturbed


@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_ctrl_c_twice(backend: str, tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    process = start(tmp_path, backend)
    time.sleep(0.7)
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert "stopping" in err
    kept = finished(tmp_path)
    assert run_sweep(SWEEP, tmp_path, jobs=2, quiet=True).computed == 8 - len(kept) and contents(tmp_path) == undisturbed


def test_two_processes_share_a_store(tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    told = [process.communicate(timeout=60)[0] for process in [start(tmp_path, "threads"), start(tmp_path, "processes")]]
    computed = [int(re.findall(r"8 runs done, (\d) of them now", out)[0]) for out in told]
    assert sum(computed) == 8 and min(computed) > 0 and contents(tmp_path) == undisturbed


def test_a_worker_that_dies_is_replaced(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    sweep = Sweep([Killer(folder=str(marks))], [Coin(), Coin(0.9)], 2, 300)
    report = run_sweep(sweep, tmp_path / "store", backend="processes", jobs=2, quiet=True)
    assert report.complete and report.done == 4 and len(list(marks.iterdir())) == 2
    assert any("a worker was lost" in notice for notice in report.notices)
    assert [run["regret"][-1] for run in sweep.collect(tmp_path / "store")] == [
        Tosser().run(run.problem, 300, seed=run.seed)["regret"][-1] for run in sweep.collect(tmp_path / "store")
    ]


def test_a_run_that_always_kills_its_worker_fails_and_the_others_do_not(tmp_path: Path) -> None:
    sweep = Sweep([Killer(folder="/nowhere")], [Coin()], 1, 300)  # opening the mark fails, so that it raises
    assert len(run_sweep(sweep, tmp_path / "a", backend="processes", jobs=1, quiet=True).failed) == 1


@pytest.mark.parametrize("backend", ["processes", "dask"])
def test_a_run_that_never_leaves_its_kernel_is_killed(backend: str, tmp_path: Path) -> None:
    sweep = Sweep([Stuck(), Tosser()], [Coin()], 1, 300, time_limit=0.2)
    began = time.monotonic()
    report = run_sweep(sweep, tmp_path, backend=backend, jobs=2, quiet=True)
    assert report.done == 1 and len(report.late) == 1 and time.monotonic() - began < 60
    assert "inside one chunk beyond 10 times the time limit of 0.2 s: its process was killed" in report.late[0][1]


def test_dask_workers_are_killed(tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        reports: list[Report] = []
        thread = threading.Thread(
            target=lambda: reports.append(run_sweep(SWEEP, tmp_path, backend="dask", scheduler=cluster.scheduler_address, quiet=True))
        )
        thread.start()
        while len(contents(tmp_path)) < 2:
            time.sleep(0.02)
        os.kill(cluster.workers[0].pid, signal.SIGKILL)
        thread.join(120)
    assert reports and reports[0].complete and contents(tmp_path) == undisturbed


def test_dask_on_this_machine_has_the_same_bytes(tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    pytest.importorskip("distributed")
    assert run_sweep(SWEEP, tmp_path, backend="dask", jobs=2, quiet=True).complete
    assert contents(tmp_path) == undisturbed


@contextlib.contextmanager
def small_disk(folder: Path, size: str, options: str = "") -> Iterator[None]:
    """A tmpfs of this size, where this process may mount one."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}{options}", "tmpfs", str(folder)], capture_output=True).returncode == 0
    if not mounted:
        pytest.skip("this process may not mount a tmpfs")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def check_a_full_disk(folder: Path, report: Report) -> dict[str, bytes]:
    assert "cannot be written" in report.unwritable and "No space left" in report.unwritable and not report.complete
    assert any("finished runs are kept, and the sweep stops" in notice for notice in report.notices)
    return finished(folder)


def test_a_full_disk(tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    with small_disk(tmp_path / "disk", "200k"):
        folder = tmp_path / "disk" / "store"
        run_sweep(Sweep([Tosser(pause=0.001)], [Coin()], 2, 600), folder, jobs=1, quiet=True)
        kept = finished(folder)
        filler = tmp_path / "disk" / "filler"
        with open(filler, "wb", buffering=0) as handle, contextlib.suppress(OSError):
            while True:
                handle.write(b"0" * 4096)
        os.truncate(filler, filler.stat().st_size - 3 * 4096)  # room for a probe, not for a run
        report = run_sweep(SWEEP, folder, jobs=2, quiet=True)
        assert check_a_full_disk(folder, report).items() >= kept.items()
        filler.unlink()
        assert run_sweep(SWEEP, folder, jobs=2, quiet=True).complete and contents(folder) == undisturbed


def test_a_writer_that_finds_the_disk_full(tmp_path: Path, undisturbed: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0
    write = np.savez

    def savez(*arguments: Any, **arrays: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > 3:
            arguments[0].write(b"half a run")
            raise OSError(errno.ENOSPC, "No space left on device")
        write(*arguments, **arrays)

    monkeypatch.setattr(store.np, "savez", savez)
    report = run_sweep(SWEEP, tmp_path, jobs=1, quiet=True)
    kept = check_a_full_disk(tmp_path, report)
    assert len(kept) == 3
    monkeypatch.undo()
    assert run_sweep(SWEEP, tmp_path, jobs=2, quiet=True).computed == 5 and contents(tmp_path) == undisturbed


def test_a_read_only_store(tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    with small_disk(tmp_path / "disk", "1m"):
        folder = tmp_path / "disk" / "store"
        run_sweep(Sweep([Tosser(pause=0.001)], [Coin()], 2, 600), folder, quiet=True)
        subprocess.run(["mount", "-o", "remount,ro", str(tmp_path / "disk")], check=True)
        before = finished(folder)
        report = run_sweep(SWEEP, folder, quiet=True)
        assert "cannot be written" in report.unwritable and "Read-only" in report.unwritable and finished(folder) == before
        assert len(list(SWEEP.collect(folder))) == 2  # reading goes on
