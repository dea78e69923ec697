"""A run that is interrupted three times and goes on from its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from theoryrl.algorithms import Algorithm, Run


def run_interrupted(learner: Algorithm, problem: Any, n: int, *, seed: int, file: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run with Ctrl-C in the fifth, ninth and fourteenth chunk, loaded and continued after each; `file` holds the finished run."""
    calls = 0
    advance = type(learner).advance

    def interrupted(self: Any, problem: Any, state: Any, k: int, trace: Any) -> int:
        nonlocal calls
        calls += 1
        if calls in (5, 9, 14):
            raise KeyboardInterrupt
        return advance(self, problem, state, k, trace)

    monkeypatch.setattr(type(learner), "advance", interrupted)
    with pytest.raises(KeyboardInterrupt):
        learner.run(problem, n, seed=seed, trace=True, file=file)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            Run.load(file).proceed(file=file)
    return Run.load(file).proceed(file=file)
