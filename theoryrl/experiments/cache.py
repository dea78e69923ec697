"""The store of a sweep: a folder of runs, addressed by their content, that many processes share.

A run lies in ``<code version>/<key>.run``, where the key is a digest of algorithm, problem, seed, horizon, checkpoints and trace.
The file has the same bytes whoever computed it; what may differ (host, wall time, the repository's commit) lies beside it in
``.json``.  A run under way is claimed by a file made with O_EXCL, and saves itself in ``.part``.

A claim is dead if its process is, on this host, or if the heartbeat of its owner has not *changed* for a while, on whatever
host; no clock of another machine is compared.  At worst a run is computed twice, and its file is replaced by the same bytes.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from theoryrl.algorithms import store
from theoryrl.algorithms.run import Algorithm, Run
from theoryrl.problems.problem import Problem

BEAT_SECONDS = 1.0
SILENT_SECONDS = 15.0
"""How long a heartbeat must not have changed before its claims are dead."""


class Unwritable(Exception):
    """The store cannot be written: a full disk, or no permission."""


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """One run of a sweep; `code` and `key` say where it lies in a store."""

    algorithm: Algorithm
    problem: Problem
    seed: int
    n: int
    checkpoints: tuple[int, ...] | None
    trace: bool
    code: str
    key: str

    def __str__(self) -> str:
        return f"{self.algorithm} on {self.problem!r}, seed {self.seed}, n = {self.n:,}"


@dataclasses.dataclass(frozen=True)
class Store:
    """A folder of runs.

    Parameters
    ----------
    folder : Path
    """

    folder: Path

    def path(self, task: Task, suffix: str = "run") -> Path:
        """Return where a task's file lies."""
        return self.folder / task.code[:16] / f"{task.key[:32]}.{suffix}"

    def open(self, tasks: list[Task]) -> None:
        """Make the folders for `tasks`, and make sure that they can be written.

        Raises
        ------
        Unwritable
        """
        for folder in {self.folder, self.folder / "owners", *(self.path(task).parent for task in tasks)}:
            with self._writing():
                folder.mkdir(parents=True, exist_ok=True)
                probe = folder / f".probe.{secrets.token_hex(8)}"
                probe.write_bytes(b"\0" * 4096)
                probe.unlink()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise Unwritable(f"store: {self.folder} cannot be written ({error.strerror or error})") from error

    # Finished runs, and runs under way.

    def has(self, task: Task) -> bool:
        """Whether the run is there, whole or damaged."""
        return self.path(task).exists()

    def load(self, task: Task) -> Run | None:
        """Return the finished run, or None if there is none; a damaged one is set aside (see `damaged`)."""
        return self._load(self.path(task), task)

    def load_part(self, task: Task) -> Run | None:
        """Return the run as far as it got, or None."""
        return self._load(self.path(task, "part"), task)

    def _load(self, path: Path, task: Task) -> Run | None:
        try:
            run = Run.load(path)
            if (run.algorithm, run.problem, run.seed, run.n) != (task.algorithm, task.problem, task.seed, task.n):
                raise ValueError(f"file: {path} holds {run!r}, not {task}")
            return run
        except FileNotFoundError:
            return None
        except ValueError:
            with self._writing():
                os.replace(path, path.with_name(f"{path.name}.damaged"))
            return None

    def damaged(self, task: Task) -> list[Path]:
        """Return the task's files that were found damaged and set aside."""
        paths = (self.path(task, f"{suffix}.damaged") for suffix in ("run", "part"))
        return [path for path in paths if path.exists()]

    def save(self, task: Task, run: Run, about: dict[str, Any]) -> None:
        """Keep a finished run, with what is told about it beside it, and forget the unfinished one.

        Raises
        ------
        Unwritable
        """
        with self._writing():
            with store.atomic(self.path(task, "json")) as temporary:
                temporary.write_text(json.dumps(about, indent=1) + "\n", "utf-8")
            dataclasses.replace(run, seconds=0.0).save(self.path(task))
        with contextlib.suppress(OSError):
            self.path(task, "part").unlink()
        self.forget_failure(task)

    def save_part(self, task: Task, run: Run) -> None:
        """Keep an unfinished run."""
        with self._writing():
            run.save(self.path(task, "part"))

    def about(self, task: Task) -> dict[str, Any]:
        """Return what is told about a finished run: host, seconds, commit."""
        return self._json(self.path(task, "json"))

    def save_failure(self, task: Task, kind: str, text: str) -> None:
        """Keep how a run failed: "failed" with a traceback, "late", or "killed" because it was inside a kernel far beyond its limit."""
        with contextlib.suppress(OSError), store.atomic(self.path(task, "failure")) as temporary:
            temporary.write_text(json.dumps({"kind": kind, "run": str(task), "text": text}) + "\n", "utf-8")

    def forget_failure(self, task: Task) -> None:
        """Forget how the run failed."""
        with contextlib.suppress(OSError):
            self.path(task, "failure").unlink()

    def failure(self, task: Task) -> dict[str, Any] | None:
        """Return how the run failed when it was last tried, with keys kind, run and text; or None."""
        return self._json(self.path(task, "failure")) or None

    @staticmethod
    def _json(path: Path) -> dict[str, Any]:
        try:
            found = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def older(self, tasks: list[Task]) -> dict[str, int]:
        """Return how many of these runs lie there from other versions of the code, by folder."""
        known = {task.key[:32] for task in tasks}
        ours = {task.code[:16] for task in tasks}
        folders = [path for path in self.folder.iterdir() if path.is_dir() and path.name not in ours and path.name != "owners"] if self.folder.is_dir() else []
        counts = {folder.name: sum(path.stem in known for path in folder.glob("*.run")) for folder in sorted(folders)}
        return {name: count for name, count in counts.items() if count}

    # Claims.

    def claim(self, task: Task) -> bool:
        """Claim a task for this process, and return whether that worked: False if it is claimed already, even by a dead process."""
        heart = _heart(self.folder)
        with self._writing():
            try:
                descriptor = os.open(self.path(task, "claim"), os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            except FileExistsError:
                return False
            with os.fdopen(descriptor, "w") as handle:
                json.dump(heart.who, handle)
        return True

    def release(self, task: Task) -> None:
        """Give a claim up, if it is still this process's."""
        if self._json(self.path(task, "claim")).get("owner") == _heart(self.folder).who["owner"]:
            with contextlib.suppress(OSError):
                self.path(task, "claim").unlink()

    def claimed(self, task: Task) -> dict[str, Any] | None:
        """Return who claims the task (host, pid, owner), or None; an empty dict if the claim is still being written."""
        path = self.path(task, "claim")
        return self._json(path) if path.exists() else None

    def take_over(self, task: Task, dead: dict[str, Any]) -> None:
        """Remove the claim of a dead process, unless another one has replaced it by now."""
        path = self.path(task, "claim")
        aside = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        with contextlib.suppress(FileNotFoundError):
            os.rename(path, aside)
            if self._json(aside) != dead:
                with contextlib.suppress(OSError):
                    os.link(aside, path)  # it was a live one's: give it back
            aside.unlink()


class Witness:
    """Watches the claims of others, and tells which are dead.

    Parameters
    ----------
    folder : Path
        The store's.
    silent : float
        Seconds, on this process's own monotonic clock, for which a heartbeat must not have changed.
    """

    def __init__(self, folder: Path, silent: float | None = None) -> None:
        self.folder = folder
        self.silent = SILENT_SECONDS if silent is None else silent
        self.seen: dict[str, tuple[str, float]] = {}

    def dead(self, claim: dict[str, Any], key: str = "") -> bool:
        """Whether the process behind a claim (`Store.claimed`) is dead; `key` names a claim that says nothing yet."""
        if claim.get("host") == _host() and not _alive(claim.get("pid"), claim.get("born")):
            return True
        owner = str(claim.get("owner", f"nobody-{key}"))
        try:
            beat = (self.folder / "owners" / owner).read_text("utf-8")
        except OSError:
            beat = "none"
        now = time.monotonic()
        last, since = self.seen.get(owner, (None, now))
        if beat != last:
            self.seen[owner] = (beat, now)
            return False
        return now - since > self.silent


class _Heart(threading.Thread):
    """Changes this process's file among the owners every second."""

    def __init__(self, folder: Path) -> None:
        super().__init__(name="theoryrl heartbeat", daemon=True)
        owner = f"{_host()}-{os.getpid()}-{secrets.token_hex(8)}"
        self.who = {"host": _host(), "pid": os.getpid(), "born": _born(os.getpid()), "owner": owner}
        self.file = folder / "owners" / owner
        self.file.write_text("0", "utf-8")
        atexit.register(self.stop)

    def run(self) -> None:
        for beat in range(1, 2**62):
            time.sleep(BEAT_SECONDS)
            if not self.file.exists():
                return
            with contextlib.suppress(OSError):  # a full disk: the beat is late, not lost
                self.file.write_text(str(beat), "utf-8")

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self.file.unlink()


_hearts: dict[tuple[int, Path], _Heart] = {}
_lock = threading.Lock()


def _heart(folder: Path) -> _Heart:
    """Return this process's heart in a store, which beats from the first claim on."""
    with _lock:
        heart = _hearts.get((os.getpid(), folder))
        if heart is None or not heart.is_alive():
            try:
                heart = _hearts[os.getpid(), folder] = _Heart(folder)
            except OSError as error:
                raise Unwritable(f"store: {folder} cannot be written ({error.strerror or error})") from error
            heart.start()
        return heart


def _host() -> str:
    return socket.gethostname()


def _alive(pid: Any, born: Any) -> bool:
    """Whether a process of this host still runs, and is not another one with the same number."""
    if not isinstance(pid, int):
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return born is None or _born(pid) in (None, born)


def _born(pid: int) -> str | None:
    """Return when a process started, in the kernel's ticks since boot, where /proc tells; a zombie has not been born."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return "a zombie" if fields[0] == "Z" else fields[19]
