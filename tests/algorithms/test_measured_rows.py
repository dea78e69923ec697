"""Curves that grow row by row: what `np.stack` of all rows would give, whoever holds the run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toys import Bandit

from theoryrl.algorithms import Algorithm, Run
from theoryrl.algorithms.run import begin, chunks

BANDIT = Bandit([0.5])
measured: list[dict[str, Any]] = []


@dataclasses.dataclass(frozen=True)
class Walk(Algorithm):
    """A random walk that stops by itself after `last` steps; `fault` spoils its rows from step 5 on."""

    last: int = 10**9
    fault: str = ""
    anytime = True

    def start(self, problem: Bandit, n: int, rng: np.random.Generator) -> dict[str, Any]:
        return {"rng": rng, "x": np.zeros((2, 3)), "steps": np.zeros(1, dtype=np.int64), "refused": np.zeros(1)}

    def advance(self, problem: Bandit, state: dict[str, Any], k: int, trace: Any) -> int:
        moved = min(k, self.last - int(state["steps"][0]))
        for _ in range(moved):
            state["x"] += state["rng"].random((2, 3))
        state["steps"] += moved
        state["refused"] += moved < k
        return moved

    def measure(self, problem: Bandit, state: dict[str, Any], trace: Any) -> Mapping[str, Any]:
        steps = int(state["steps"][0])
        row: dict[str, Any] = {"regret": state["x"].sum(), "x": state["x"], "steps": steps, "refused": state["refused"][0]}
        row["mixed"] = steps if steps < 5 else steps / 2
        if self.fault and steps >= 5:
            row["x"] = {"shape": np.zeros(3), "missing": None}[self.fault]
        row = {name: value for name, value in row.items() if value is not None}
        measured.append({name: np.array(value) for name, value in row.items()})
        return row


@pytest.fixture(autouse=True)
def _fresh() -> None:
    measured.clear()


def test_curves_are_the_stacked_rows_across_saves_and_more_steps(tmp_path: Path) -> None:
    run = Walk().run(BANDIT, 1500, seed=0, checkpoints=range(1, 1501), file=tmp_path / "walk")
    run = Run.load(tmp_path / "walk").proceed(1000)
    assert len(run.checkpoints) == len(measured) > 1500
    for name, curve in run.curves.items():
        stacked = np.stack([row[name] for row in measured])
        assert curve.dtype == stacked.dtype and curve.tobytes() == stacked.tobytes()
        assert curve.base is None or len(curve.base) == len(curve)  # no room for more is kept


def test_a_rule_that_stops_right_at_a_checkpoint_leaves_the_run_it_came_from_alone() -> None:
    run = next(cut for cut in chunks(begin(Walk(last=64), BANDIT, 100, seed=0, checkpoints=[10, 64])) if cut.steps == 64)
    run = dataclasses.replace(run, checkpoints=run.checkpoints.copy(), curves={name: curve.copy() for name, curve in run.curves.items()})
    assert list(run["refused"]) == [0, 0] and not run.finished
    done = run.proceed()
    assert done.stopped and list(done.checkpoints) == [10, 64] and list(done["refused"]) == [0, 1]
    assert list(run["refused"]) == [0, 0]


def test_a_row_of_another_shape_is_an_error() -> None:
    with pytest.raises(ValueError, match="shape"):
        Walk(fault="shape").run(BANDIT, 20, seed=0)


def test_a_row_without_a_curve_is_an_error() -> None:
    with pytest.raises(KeyError, match="x"):
        Walk(fault="missing").run(BANDIT, 20, seed=0)
