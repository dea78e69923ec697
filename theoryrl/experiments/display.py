"""The progress of a sweep: one live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from typing import Any

from theoryrl.experiments.execute import Outcome

LINE_SECONDS = 5.0


class Display:
    """Runs done, rate, time left, failures; on stderr.

    Parameters
    ----------
    total : int
        Number of runs.
    quiet : bool
        Whether to print nothing.
    """

    def __init__(self, total: int, quiet: bool = False) -> None:
        from rich.console import Console

        self.total, self.quiet = total, quiet
        self.console = Console(stderr=True, markup=False, highlight=False, emoji=False)
        self.live = self.console.is_terminal and not quiet
        self.counts = {"done": 0, "computed": 0, "failed": 0, "late": 0}
        self.began = self.printed = time.monotonic()
        self.lock = threading.Lock()
        self.progress: Any = None
        self.bar: Any = None

    def __enter__(self) -> Display:
        if self.live:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
            self.progress = Progress(*columns, console=self.console, redirect_stdout=False, redirect_stderr=False)
            self.bar = self.progress.add_task("", total=self.total)
            self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live:
            self.progress.stop()
        elif not self.quiet:
            self._line()

    def advance(self, outcome: Outcome) -> None:
        """Count a run that ended."""
        with self.lock:
            if outcome.state in self.counts:
                self.counts[outcome.state] += 1
            self.counts["computed"] += outcome.steps > 0
            if self.live:
                self.progress.update(self.bar, completed=self.ended, description=self._text())
            elif not self.quiet and time.monotonic() - self.printed > LINE_SECONDS:
                self._line()

    def say(self, text: str) -> None:
        """Print a line above the progress."""
        if not self.quiet:
            self.console.print(text, soft_wrap=True)

    @property
    def ended(self) -> int:
        """Runs that are done, failed or late."""
        return self.counts["done"] + self.counts["failed"] + self.counts["late"]

    def _line(self) -> None:
        self.printed = time.monotonic()
        self.console.print(f"{self.ended} of {self.total} runs{', ' if self._text() else ''}{self._text()}", soft_wrap=True)

    def _text(self) -> str:
        rate = self.counts["computed"] / max(time.monotonic() - self.began, 1e-9)
        left = (self.total - self.ended) / rate if rate > 0 else 0.0
        parts = [f"{rate:.3g} a second" if rate > 0 else "", f"{_duration(left)} left" if left > 0 else ""]
        parts += [f"{self.counts[state]} {state}" for state in ("failed", "late") if self.counts[state]]
        return ", ".join(part for part in parts if part)


def _duration(seconds: float) -> str:
    minutes, hours = seconds / 60, seconds / 3600
    return f"{seconds:.0f} s" if seconds < 100 else f"{minutes:.0f} min" if minutes < 100 else f"{hours:.0f} h"
