"""Learners for sweeps: one that takes its time, one that raises, one that never leaves its kernel."""

from __future__ import annotations

import dataclasses
import os
import signal
import time
from typing import Any

import numba
import numpy as np

from theoryrl.algorithms import Algorithm
from theoryrl.problems import Problem


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Coin(Problem):
    """A coin that shows 1 with probability `bias`."""

    bias: float = 0.5


@dataclasses.dataclass(frozen=True, repr=False)
class Tosser(Algorithm):
    """Toss, and wait `pause` seconds after each toss; n tosses, then n more, are 2n."""

    unit = "rounds"
    anytime = True

    pause: float = 0.0

    def start(self, problem: Coin, n: int, rng: np.random.Generator) -> dict[str, Any]:
        return {"rng": rng, "ones": np.zeros(1, np.int64)}

    def advance(self, problem: Coin, state: dict[str, Any], k: int, trace: Any) -> int:
        for _ in range(k):
            state["ones"] += state["rng"].random() < problem.bias
            time.sleep(self.pause)
        return k

    def measure(self, problem: Coin, state: dict[str, Any], trace: Any) -> dict[str, Any]:
        return {"regret": float(state["ones"][0])}


@dataclasses.dataclass(frozen=True, repr=False)
class Raiser(Tosser):
    """Raise on some coins."""

    def advance(self, problem: Coin, state: dict[str, Any], k: int, trace: Any) -> int:
        if problem.bias < 0.5:
            raise ArithmeticError(f"a bias of {problem.bias}")
        return super().advance(problem, state, k, trace)


@dataclasses.dataclass(frozen=True, repr=False)
class Killer(Tosser):
    """Kill its own process, the first time in each folder."""

    folder: str = ""

    def advance(self, problem: Coin, state: dict[str, Any], k: int, trace: Any) -> int:
        mark = os.path.join(self.folder, f"killed-{problem.bias}")
        if not os.path.exists(mark):
            open(mark, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().advance(problem, state, k, trace)


@numba.njit(nogil=True)
def spin(seconds_of_work: int) -> float:
    """Work without the GIL, about a second for each unit."""
    x = 0.0
    for i in range(seconds_of_work * 250_000_000):
        x = x * 0.999999 + i
    return x


@dataclasses.dataclass(frozen=True, repr=False)
class Stuck(Tosser):
    """Stay inside one kernel for about this many seconds."""

    seconds: int = 3600

    def advance(self, problem: Coin, state: dict[str, Any], k: int, trace: Any) -> int:
        spin(self.seconds)
        return super().advance(problem, state, k, trace)
