"""What every benchmark needs: processor time, fitted growth, a table, and the machine that it ran on."""

from __future__ import annotations

import argparse
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from theoryrl.algorithms import store
from theoryrl.proofs import statistics


def cpu_seconds(work: Callable[[], object], repetitions: int) -> float:
    """Return the least processor time of this thread over some repetitions of `work`; a busy machine counts for little."""

    def once() -> float:
        began = time.thread_time()
        work()
        return time.thread_time() - began

    return min(once() for _ in range(repetitions))


def exponent(sizes: Sequence[int], seconds: np.ndarray) -> str:
    """Return the fitted power of `sizes` with its 95 % Student interval over the rows of `seconds`, shape (rows, len(sizes))."""
    slopes = statistics.growth_exponents(np.asarray(sizes), seconds, np.inf)
    low, high = statistics.student_interval(slopes, 0.05)
    return f"{slopes.mean():.2f} [{low:.2f}, {high:.2f}]"


def short(number: float) -> str:
    """Return a positive number with three digits, or without decimals."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def table(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows in columns: the first to the left, the others to the right."""
    cells = [list(header), *([str(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    print(f"\n{title}")
    for row in cells:
        print("  " + row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)), sep="  ")


def in_subprocess(script: str) -> list[float]:
    """Run `script` in a Python of its own and return the numbers that it prints."""
    done = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parent.parent, stdout=subprocess.PIPE, text=True, check=True)
    return [float(word) for word in done.stdout.split()]


def peak_mebibytes() -> float:
    """Return the peak resident memory of this process.

    Linux's getrusage would count the memory of the process that forked this one, too.
    """
    try:
        status = Path("/proc/self/status").read_text("utf-8")
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (2**20 if sys.platform == "darwin" else 2**10)
    (kibibytes,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(kibibytes) / 2**10


def machine() -> str:
    """Return a line about the processor, its load and the versions that decide speed."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    core = names[0] if names else platform.processor() or platform.machine()
    versions = ", ".join(f"{name} {version}" for name, version in store.versions().items())
    return f"one of {os.cpu_count()} cores of {core}; load {os.getloadavg()[0]:.2f}; {versions}"


def run_sections(name: str, text: str, sections: Mapping[str, Callable[[str], None]], argv: list[str] | None) -> None:
    """Be the command of one benchmark: run the sections that `argv` names, or all."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=text.partition("\n")[0])
    parser.add_argument("sections", metavar="SECTION", nargs="*", help=f"default: all ({', '.join(sections)})")
    parser.add_argument("--scale", choices=("quick", "full"), default="full", help="quick only shows that all of it runs (default: full, a minute or two)")
    arguments = parser.parse_args(argv)
    if unknown := set(arguments.sections) - set(sections):
        parser.error(f"unknown section {', '.join(sorted(unknown))}; there are {', '.join(sections)}")
    print(machine())
    for section in arguments.sections or sections:
        sections[section](arguments.scale)
