"""Runs with chosen curves, without running anything."""

from __future__ import annotations

from typing import Any

import numpy as np
from toys import Bandit

from theoryrl.algorithms import Algorithm, Run
from theoryrl.problems import Problem

BANDIT = Bandit([0.5, 0.4, 0.1], name="three_arms()")


def made(algorithm: Algorithm, seed: int, final: Any = 1.0, *, problem: Problem = BANDIT, n: int = 1000, steps: int | None = None, **curves: Any) -> Run:
    """Return a run whose regret grows in proportion to the checkpoints 10, 100, ..., n up to `final`."""
    k = np.array([k for k in (10, 100, 1000, 10_000) if k < n] + [n])
    steps = n if steps is None else steps
    regret = np.multiply.outer(k / n, np.asarray(final, dtype=float))
    return Run(algorithm, problem, n, seed, False, k, k, {"regret": regret, **curves}, steps, False, {}, {}, 0.5)
