"""One task of a sweep, carried out in whatever process: claimed, continued where it was left, saved as it goes, and stopped in time."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import platform
import signal
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

from theoryrl.algorithms.run import Run, begin, chunks
from theoryrl.experiments.cache import Store, Task, Unwritable

PART_SECONDS = 5.0
"""How often a run under way is saved."""
OVERSTAY = 10
"""A run that stays inside one chunk beyond this many time limits is killed with its process."""

State = Literal["done", "failed", "late", "stopped", "elsewhere", "unwritable"]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How one attempt at a task ended.

    Attributes
    ----------
    key : str
        The task's.
    state : {"done", "failed", "late", "stopped", "elsewhere", "unwritable"}
        "late": beyond the time limit; "stopped": asked to stop; "elsewhere": another process is at it; "unwritable": the result
        could not be saved.
    steps : int
        Steps made in this attempt.
    seconds : float
        Wall time of the attempt.
    text : str
        The traceback or message of a failure.
    """

    key: str
    state: State
    steps: int = 0
    seconds: float = 0.0
    text: str = ""


Beat = Callable[[str, float | None], None]
"""Told the key of a run and when it began (monotonic), and None when it is over."""


def carry_out(task: Task, folder: Path, stop: Path, time_limit: float | None, commit: str, deadly: bool, beat: Beat | None = None) -> Outcome:
    """Carry out a task, unless it is done or claimed by another process; never raises an `Exception`.

    Parameters
    ----------
    folder : Path
        The store.
    stop : Path
        A file; when it exists the run saves itself and stops after its present chunk.
    time_limit : float, optional
        Seconds that this attempt may take; checked between chunks.
    commit : str
        The repository's, recorded beside the run.
    deadly : bool
        Whether this process may be killed to end a run that overstays its limit tenfold inside one chunk; it then ignores Ctrl-C.
    beat : callable, optional
        Told when the run begins and ends.
    """
    store, began = Store(folder), time.monotonic()
    if deadly:
        _serve()
    try:
        if store.has(task):
            return Outcome(task.key, "done")
        if stop.exists():
            return Outcome(task.key, "stopped")
        failure = store.failure(task)
        if failure is not None and failure["kind"] == "killed":  # a scheduler tries again what took its worker down
            return Outcome(task.key, "late", text=str(failure["text"]))
        if not store.claim(task):
            return Outcome(task.key, "elsewhere")
        try:
            if store.has(task):  # finished by another process just before the claim
                return Outcome(task.key, "done")
            with _watched(task, store, time_limit if deadly else None), _told(task, beat):
                return _go(task, store, stop, time_limit, commit, began)
        finally:
            store.release(task)
    except Unwritable as error:
        return Outcome(task.key, "unwritable", 0, time.monotonic() - began, str(error))
    except Exception:
        text = traceback.format_exc()
        store.save_failure(task, "failed", text)
        return Outcome(task.key, "failed", 0, time.monotonic() - began, text)


@functools.cache
def _serve() -> None:
    """Make this process a sweep's worker: Ctrl-C is for the sweep's own process, which says so through `stop`, and without that one it ends."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = os.getppid()

    def end_with_parent() -> None:
        while os.getppid() == parent or _under_way:
            time.sleep(1)
        os._exit(0)

    threading.Thread(target=end_with_parent, daemon=True).start()


_under_way: set[str] = set()


def _go(task: Task, store: Store, stop: Path, time_limit: float | None, commit: str, began: float) -> Outcome:
    parent = os.getppid()
    begun = store.load_part(task) or begin(task.algorithm, task.problem, task.n, seed=task.seed, checkpoints=task.checkpoints, trace=task.trace)
    run, saved = begun, began
    for run in chunks(begun):
        now = time.monotonic()
        if run.finished:
            break
        stopping = stop.exists() or os.getppid() != parent  # without its parent, nobody would hear of the end
        late = time_limit is not None and now - began > time_limit
        if late or stopping or now - saved > PART_SECONDS:
            store.save_part(task, run)
            saved = now
        if late:
            text = f"{run.steps:,} of {run.n:,} steps after {now - began:.1f} s; it goes on from there when the sweep is run again"
            store.save_failure(task, "late", text)
            return Outcome(task.key, "late", run.steps - begun.steps, now - began, text)
        if stopping:
            return Outcome(task.key, "stopped", run.steps - begun.steps, now - began)
    store.save(task, run, _about(run, commit))
    return Outcome(task.key, "done", run.steps - begun.steps, time.monotonic() - began)


def _about(run: Run, commit: str) -> dict[str, Any]:
    return {
        "run": repr(run), "algorithm": repr(run.algorithm), "problem": repr(run.problem), "seed": run.seed, "n": run.n, "steps": run.steps,
        "seconds": run.seconds, "host": socket.gethostname(), "machine": platform.machine(), "commit": commit, "versions": run.versions,
    }  # fmt: skip


@contextlib.contextmanager
def _told(task: Task, beat: Beat | None) -> Iterator[None]:
    if beat is not None:
        beat(task.key, time.monotonic())
    try:
        yield
    finally:
        if beat is not None:
            beat(task.key, None)


@contextlib.contextmanager
def _watched(task: Task, store: Store, time_limit: float | None) -> Iterator[None]:
    """Kill this process if the task is still under way after ten time limits: it is inside a kernel, which nothing else can stop."""

    def kill() -> None:
        store.save_failure(task, "killed", overstayed(time_limit or 0.0) + ": its process was killed")
        store.release(task)
        os._exit(1)

    _under_way.add(task.key)
    timer = None
    if time_limit is not None:
        timer = threading.Timer(OVERSTAY * time_limit, kill)
        timer.daemon = True
        timer.start()
    try:
        yield
    finally:
        _under_way.discard(task.key)
        if timer is not None:
            timer.cancel()


def overstayed(time_limit: float) -> str:
    """Say that a run is inside one chunk for ten time limits."""
    return f"inside one chunk beyond {OVERSTAY} times the time limit of {time_limit:g} s"
