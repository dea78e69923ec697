"""Carrying out a sweep: in threads, in processes, or by Dask on this machine or many; joblib and Dask schedule."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib
import os
import secrets
import signal
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import joblib

from theoryrl import validate
from theoryrl.experiments.cache import Store, Task, Unwritable, Witness
from theoryrl.experiments.display import Display
from theoryrl.experiments.execute import OVERSTAY, Outcome, carry_out, overstayed
from theoryrl.experiments.fingerprint import checkout
from theoryrl.experiments.sweep import Sweep

Outcomes = Generator[Outcome, None, None]
BACKENDS = ("threads", "processes", "dask")
ATTEMPTS = 3
"""How often a run may take its worker down with it before it counts as failed."""
POLL_SECONDS = 0.5


@dataclasses.dataclass(frozen=True)
class Report:
    """How a sweep ended.

    Attributes
    ----------
    done, computed : int
        Runs that are in the store, and those of them that were computed just now.
    failed, late : tuple of (Task, text)
        Runs that raised, and runs beyond their time limit.
    stopped : int
        Runs that are left because the sweep was stopped.
    unwritable : str
        Why the store could not be written; "" if it could.
    notices : tuple of str
        What else happened: damaged files, dead claims, lost workers, older versions.
    seconds : float
        Wall time.
    """

    done: int
    computed: int
    failed: tuple[tuple[Task, str], ...]
    late: tuple[tuple[Task, str], ...]
    stopped: int
    unwritable: str
    notices: tuple[str, ...]
    seconds: float

    @property
    def complete(self) -> bool:
        """Whether every run is in the store."""
        return not (self.failed or self.late or self.stopped or self.unwritable)

    def __str__(self) -> str:
        out = [f"{self.done} runs done, {self.computed} of them now, in {self.seconds:.1f} s"]
        out += [f"failed: {task}: {text.strip().splitlines()[-1]}" for task, text in self.failed]
        out += [f"late: {task}: {text}" for task, text in self.late]
        if self.stopped:
            out.append(f"stopped: {self.stopped} runs are left; the same command goes on")
        if self.unwritable:
            out.append(self.unwritable)
        return "\n".join(out)


def run_sweep(
    sweep: Sweep, folder: str | os.PathLike[str], *, backend: str = "threads", jobs: int | None = None, scheduler: str | None = None, quiet: bool = False
) -> Report:  # fmt: skip
    """Compute the runs of a sweep that are missing in a store.

    The results are the same bits on every backend, however often the sweep was interrupted and by whatever.  The first Ctrl-C
    lets runs under way save themselves; the second one raises KeyboardInterrupt.

    Parameters
    ----------
    sweep : Sweep
    folder : path
        The store; on a cluster it must be on a file system that all machines share.
    backend : {"threads", "processes", "dask"}
    jobs : int, optional
        Number of workers (default: all cores); not with `scheduler`.
    scheduler : str, optional
        Address of a running Dask scheduler, such as ``tcp://host:8786``.
    quiet : bool
        Whether to print nothing.

    Raises
    ------
    ValueError, TypeError
        On a bad argument.
    """
    validate.one_of("backend", backend, BACKENDS)
    jobs = validate.integer("jobs", jobs, 1) if jobs is not None else os.cpu_count() or 1
    if scheduler is not None and backend != "dask":
        raise ValueError(f"scheduler: expected none with the backend {backend!r}, got {scheduler!r}")
    began, tasks, store = time.monotonic(), sweep.tasks(), Store(Path(folder).absolute())
    try:
        store.open(tasks)
        return _Sweeper(sweep, tasks, store, backend, jobs, scheduler, Display(len(tasks), quiet)).run(began)
    except Unwritable as error:
        return Report(0, 0, (), (), len(tasks), str(error), (), time.monotonic() - began)


class _Sweeper:
    """One invocation: what is left, what became of the rest."""

    def __init__(
        self, sweep: Sweep, tasks: list[Task], store: Store, backend: str, jobs: int, scheduler: str | None, display: Display
    ) -> None:  # fmt: skip
        self.sweep, self.store, self.backend, self.jobs, self.scheduler, self.display = sweep, store, backend, jobs, scheduler, display
        self.tasks = {task.key: task for task in tasks}
        self.stop = store.folder / "owners" / f"stop-{secrets.token_hex(8)}"
        self.outcomes: dict[str, Outcome] = {}
        self.lost: dict[str, int] = {}
        self.computed = 0
        self.notices: list[str] = []
        self.under_way: dict[str, float] = {}
        self.told: set[str] = set()
        commit, modified = checkout(Path(__file__).parent)
        self.commit = f"{commit or ''}{'-dirty' * modified}"
        self.stopping = False
        self.witness = Witness(store.folder)

    def run(self, began: float) -> Report:
        with self.display, self._interruptible():
            left = self._look()
            while left and not self.stopping:
                with contextlib.closing(self._attempts(left)) as attempts:
                    for outcome in attempts:
                        self._take(outcome)
                left = [task for task in left if self.outcomes.get(task.key, _ELSEWHERE).state == "elsewhere"]
                if left:
                    self._wait(left)
        self.stop.unlink(missing_ok=True)
        return self._report(began)

    def _report(self, began: float) -> Report:
        of = {state: [(self.tasks[o.key], o.text) for o in self.outcomes.values() if o.state == state] for state in ("failed", "late", "unwritable")}
        done = sum(o.state == "done" for o in self.outcomes.values())
        stopped = len(self.tasks) - done - len(of["failed"]) - len(of["late"]) - len(of["unwritable"])
        unwritable = of["unwritable"][0][1] if of["unwritable"] else ""
        return Report(
            done, self.computed, tuple(of["failed"]), tuple(of["late"]), stopped, unwritable, tuple(self.notices), time.monotonic() - began
        )  # fmt: skip

    def _notice(self, text: str) -> None:
        self.notices.append(text)
        self.display.say(text)

    def _look(self) -> list[Task]:
        """Return the tasks whose runs are not in the store; read those that are, and set damaged ones aside."""
        for folder, count in self.store.older(list(self.tasks.values())).items():
            self._notice(f"{count} of these runs are in the store from another version of the code ({folder}): left untouched, computed anew")
        left = []
        for task in self.tasks.values():
            if self.store.has(task):
                if self.store.load(task) is not None:
                    self._take(Outcome(task.key, "done"))
                    continue
                self._notice(f"damaged: {self.store.path(task).name} was set aside and is computed anew ({task})")
            self.store.forget_failure(task)  # it is tried anew: a failure that is found later is one of now
            left.append(task)
        return left

    def _take(self, outcome: Outcome) -> None:
        task = self.tasks[outcome.key]
        self.outcomes[outcome.key] = outcome
        if outcome.state == "done" and outcome.steps:
            self.computed += 1
        if outcome.state in ("failed", "late"):
            self._notice(f"{outcome.state}: {task}: {(outcome.text.strip().splitlines() or [''])[-1]}")
        if outcome.state == "unwritable" and not self.stopping:
            self._notice(f"{outcome.text}; {task} is lost, finished runs are kept, and the sweep stops")
            self._ask_to_stop()
        if outcome.state != "elsewhere":
            self.display.advance(outcome)

    # Waiting for other processes.

    def _wait(self, left: Sequence[Task]) -> None:
        """Wait until one of the tasks claimed elsewhere is done, or its claim is dead."""
        while not self.stopping:
            free = False
            for task in left:
                claim = self.store.claimed(task)
                if claim is not None and self.witness.dead(claim, task.key):
                    self.store.take_over(task, claim)
                    self._notice(f"a dead claim was taken over: {task}, by process {claim.get('pid', '?')} on {claim.get('host', '?')}")
                    claim = None
                free |= claim is None
            if free:
                return
            time.sleep(POLL_SECONDS)

    # Stopping.

    @contextlib.contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Turn the first Ctrl-C into a request to stop; the second one raises KeyboardInterrupt."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def first(number: int, frame: Any) -> None:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._notice("stopping: runs under way save themselves (Ctrl-C again leaves at once)")
            self._ask_to_stop()

        before = signal.signal(signal.SIGINT, first)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _ask_to_stop(self) -> None:
        self.stopping = True
        with contextlib.suppress(OSError):  # a disk that is full to the last inode: what runs is not asked, but nothing new is begun
            self.stop.touch()

    # Backends: each yields the outcomes of the tasks that it could attempt.

    def _attempts(self, tasks: Sequence[Task]) -> Outcomes:
        attempt = functools.partial(carry_out, folder=self.store.folder, stop=self.stop, time_limit=self.sweep.time_limit, commit=self.commit)
        if self.backend == "threads":
            return self._in_threads(tasks, functools.partial(attempt, deadly=False, beat=self._beat))
        if self.backend == "processes":
            return self._in_processes(tasks, functools.partial(attempt, deadly=True))
        return self._by_dask(tasks, functools.partial(attempt, deadly=True))

    def _beat(self, key: str, since: float | None) -> None:
        if since is None:
            self.under_way.pop(key, None)
        else:
            self.under_way[key] = since

    def _in_threads(self, tasks: Sequence[Task], attempt: Callable[[Task], Outcome]) -> Outcomes:
        over = threading.Event()
        if self.sweep.time_limit is not None:
            threading.Thread(target=self._observe, args=(over,), daemon=True).start()
        try:
            yield from _parallel(tasks, attempt, self.jobs, "threading")
        finally:
            over.set()

    def _observe(self, over: threading.Event) -> None:
        """Tell of runs that overstay inside a chunk; a thread cannot be stopped there."""
        limit = self.sweep.time_limit or 0.0
        while not over.wait(POLL_SECONDS):
            for key, since in list(self.under_way.items()):
                if time.monotonic() - since > OVERSTAY * limit and key not in self.told:
                    self.told.add(key)
                    self._notice(f"{self.tasks[key]} is {overstayed(limit)}; a thread cannot be stopped there, the backends processes and dask can")

    def _in_processes(self, tasks: Sequence[Task], attempt: Callable[[Task], Outcome]) -> Outcomes:
        left = {task.key: task for task in tasks}
        while left and not self.stopping:
            try:
                for outcome in _parallel(list(left.values()), attempt, self.jobs, "loky"):
                    del left[outcome.key]
                    yield outcome
            except joblib.externals.loky.process_executor.BrokenProcessPool:
                for outcome in self._after_a_loss(left.values()):
                    del left[outcome.key]
                    yield outcome

    def _after_a_loss(self, tasks: Sequence[Task] | Any) -> list[Outcome]:
        """Free what the lost worker had claimed, and return what is known of runs that will not be tried again."""
        found, witness = [], Witness(self.store.folder)
        for task in list(tasks):
            claim, failure = self.store.claimed(task), self.store.failure(task)
            ours = claim is not None and witness.dead(claim, task.key)
            if ours and claim is not None:
                self.store.take_over(task, claim)
                self.lost[task.key] = self.lost.get(task.key, 0) + 1
                self._notice(f"a worker was lost (process {claim.get('pid')}); its run goes on from where it was saved: {task}")
            if failure is not None and failure["kind"] == "killed" and claim is None:
                found.append(Outcome(task.key, "late", text=str(failure["text"])))
            elif self.lost.get(task.key, 0) >= ATTEMPTS:
                text = f"its worker was lost {ATTEMPTS} times"
                self.store.save_failure(task, "failed", text)
                found.append(Outcome(task.key, "failed", text=text))
        return found

    def _by_dask(self, tasks: Sequence[Task], attempt: Callable[[Task], Outcome]) -> Outcomes:
        distributed: Any = importlib.import_module("distributed")
        with contextlib.ExitStack() as stack:
            if self.scheduler is None:
                with _ignoring_interrupts():
                    cluster = stack.enter_context(distributed.LocalCluster(n_workers=self.jobs, threads_per_worker=1, dashboard_address=None))
            client = stack.enter_context(distributed.Client(self.scheduler or cluster, timeout=30))
            left = {client.submit(attempt, task, key=f"{task.key}-{secrets.token_hex(4)}", pure=False): task for task in tasks}
            completed = distributed.as_completed(left)
            for future in completed:
                task = left[future]
                if future.status == "finished":
                    yield future.result()
                elif lost := self._after_a_loss([task]):
                    yield lost[0]
                elif not self.stopping:
                    again = client.submit(attempt, task, key=f"{task.key}-{secrets.token_hex(4)}", pure=False)
                    left[again] = task
                    completed.add(again)


_ELSEWHERE = Outcome("", "elsewhere")


def _parallel(tasks: Sequence[Task], attempt: Callable[[Task], Outcome], jobs: int, backend: str) -> Outcomes:
    """Yield outcomes as they come, by joblib."""
    pool = joblib.Parallel(n_jobs=jobs, backend=backend, return_as="generator_unordered", batch_size=1, pre_dispatch="2 * n_jobs")
    found = pool(joblib.delayed(attempt)(task) for task in tasks)
    try:
        yield from found
    finally:
        with warnings.catch_warnings():  # joblib warns about runs under way when nobody waits for them
            warnings.simplefilter("ignore")
            found.close()


@contextlib.contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    """Let processes that are started meanwhile ignore Ctrl-C: the sweep's own process decides, and says so through a file."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
