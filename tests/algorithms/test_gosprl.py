"""GOSPRL: the same bits however a run is made, what an unfinished run says, rules, named errors."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from interruptions import run_interrupted

from envs_synthetic.baselines import river_swim_continuing
from theoryrl.algorithms import Run, run_many
from theoryrl.algorithms.gosprl import GOSPRL
from theoryrl.problems import ContinuingMDP
from theoryrl.testing.world import world


@dataclasses.dataclass(frozen=True)
class Ladder:
    """Demand 2, then 5, then 11 samples of the pairs that have come back to their own state."""

    patience: int = 1

    def levels(self, n_states: int, n_actions: int) -> np.ndarray:
        return np.array([2, 5, 11])

    def requirements(self, N: np.ndarray) -> np.ndarray:
        n, stayed = N.sum(axis=-1), np.einsum("sas->sa", N)
        more = np.where(stayed >= self.patience, n + 1, n)
        return np.array([2, 2, 2, 5, 5, 5, 11, 11, 11, 11, 11, 11])[np.minimum(more, 11)]


def twice_the_least(N: np.ndarray) -> np.ndarray:
    """A demand that rises everywhere whenever the rarest pair has one sample more, up to eight."""
    return np.full(N.shape[:2], min(8, 2 + 2 * int(N.sum(axis=-1).min())))


MDP = river_swim_continuing(4)
LEARNERS = [
    GOSPRL(20), GOSPRL(((3, 0), (0, 40), (1, 1), (0, 7)), confidence="bernstein"), GOSPRL(9, confidence="both", replan="always", precision=0.3),
    GOSPRL(Ladder(), delta=0.3),
]  # fmt: skip
CAP = 100_000
each_learner = pytest.mark.parametrize("learner", LEARNERS, ids=repr)


def everything(run: Run, *, raw: bool = True) -> dict[str, bytes]:
    """All curves and the whole state."""
    arrays = {name: value for name, value in (run.state | run.curves).items() if name != "rng" and (raw or not name.startswith("raw_"))}
    return {name: np.asarray(value).tobytes() for name, value in arrays.items()} | {"rng": repr(run.state["rng"].bit_generator.state).encode()}


def learned(run: Run) -> dict[str, bytes]:
    """What a trace may not change."""
    names = ("transitions", "visits", "demand", "snapshots", "owed", "phase_visits", "planned_visits", "values", "policy", "least", "goal", "progress")
    curves = {name: run[name] for name in ("travel", "sampling", "episodes", "plans", "changes", "missing", "met")}
    return {name: np.asarray(value).tobytes() for name, value in ({name: run.state[name] for name in names} | curves).items()}


@each_learner
def test_all_is_met_at_the_end_and_not_before(learner: GOSPRL) -> None:
    run = learner.run(MDP, CAP, seed=1, trace="raw")
    b = run.state["demand"].reshape(4, 2)
    assert run.stopped and run["missing"][-1] == 0 and run["met"][-1] == 1 and "the requirement is met" in repr(run)
    assert run["travel"][-1] + run["sampling"][-1] == run.steps == len(run.state["raw_states"])
    assert (run.state["visits"].reshape(4, 2) >= b).all() and run.state["visits"].sum() == run.steps
    before = learner.run(MDP, run.steps - 1, seed=1)
    assert not before.stopped and before["missing"][-1] == 1
    assert run["sampling"][-1] == b.sum()
    rows = run.state["raw_states"] * 2 + run.state["raw_actions"]
    for pair in range(8):
        first = run.state["raw_next"][rows == pair][: b.reshape(-1)[pair]]
        assert (run.output.reshape(8, 4)[pair] == np.bincount(first, minlength=4)).all()


@each_learner
def test_tracing_changes_nothing(learner: GOSPRL) -> None:
    plain, traced, raw = (learner.run(MDP, CAP, seed=5, trace=trace) for trace in (False, True, "raw"))
    assert learned(plain) == learned(traced) == learned(raw)
    assert everything(traced) == everything(raw, raw=False)


@each_learner
def test_checkpoints_change_nothing(learner: GOSPRL) -> None:
    default = learner.run(MDP, CAP, seed=5, trace=True)
    every = learner.run(MDP, CAP, seed=5, trace=True, checkpoints=range(1, default.steps + 1))
    assert everything(dataclasses.replace(every, curves={name: curve[default.checkpoints - 1] for name, curve in every.curves.items()})) == everything(default)


@each_learner
def test_cut_saved_and_continued_runs_have_the_same_bits(learner: GOSPRL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, file = learner.run(MDP, 150, seed=5, trace=True), tmp_path / "a.run"
    finished = run_interrupted(learner, MDP, 150, seed=5, file=file, monkeypatch=monkeypatch)
    assert everything(finished) == everything(whole) == everything(Run.load(file))


@each_learner
def test_a_capped_run_goes_on_from_its_file(learner: GOSPRL, tmp_path: Path) -> None:
    whole = learner.run(MDP, CAP, seed=5)
    capped = learner.run(MDP, whole.steps // 2, seed=5, file=tmp_path / "a.run")
    assert not capped.stopped and re.search(r"missing \d+ samples of \d+ pairs, most \(\d+\) of state \d, action \d", repr(capped))
    longer = Run.load(tmp_path / "a.run").proceed(CAP)
    assert longer.stopped and longer.steps == whole.steps
    last = [{name: curve[-1:] for name, curve in run.curves.items()} for run in (whole, longer)]
    assert everything(dataclasses.replace(whole, curves=last[0])) == everything(dataclasses.replace(longer, curves=last[1]))


@each_learner
def test_the_uncompiled_world_has_the_same_bits(learner: GOSPRL) -> None:
    bare = world()
    twin = bare("theoryrl.algorithms.gosprl").GOSPRL(**{f.name: getattr(learner, f.name) for f in dataclasses.fields(learner)})
    slow = twin.run(bare("theoryrl.problems").ContinuingMDP(MDP.transition, MDP.reward, name=MDP.name), CAP, seed=5, trace="raw")
    assert everything(slow) == everything(learner.run(MDP, CAP, seed=5, trace="raw"))


def test_threads_have_the_same_bits() -> None:
    alone = [learned(GOSPRL(20).run(MDP, CAP, seed=seed)) for seed in range(3)]
    assert [learned(run) for run in run_many(GOSPRL(20), MDP, CAP, seeds=range(3), jobs=2)] == alone


def test_nothing_wanted_and_one_state() -> None:
    nothing = GOSPRL(0).run(MDP, 10, seed=0)
    assert nothing.stopped and nothing.steps == 0 and nothing["missing"].tolist() == [0]
    alone = ContinuingMDP(np.ones((1, 3, 1)))
    run = GOSPRL([[4, 0, 9]]).run(alone, 100, seed=0)
    assert run.stopped and run.steps == 13 and run["plans"][-1] == 0 and run.state["visits"].tolist() == [4, 0, 9]


def test_a_function_as_rule_is_asked_at_every_step() -> None:
    asked = []

    def rule(N: np.ndarray) -> np.ndarray:
        asked.append(int(N.sum()))
        return twice_the_least(N)

    run = GOSPRL(rule).run(MDP, CAP, seed=2)
    assert run.stopped and (run.state["visits"] >= 8).all() and sorted(set(asked)) == list(range(run.steps + 1))
    assert (run.output.reshape(8, 4) == run.state["transitions"]).all() and run["changes"][-1] > 4
    with pytest.raises(TypeError, match="function cannot be saved"):
        run.save("anywhere.run")


def test_rules_must_keep_what_they_demand() -> None:
    def forgetful(N: np.ndarray) -> np.ndarray:
        return np.full((4, 2), 3 if N.sum() < 5 else 0)

    with pytest.raises(ValueError, match=r"requirement\(N\)\[\d, \d\]: a demand may be dropped only when it is met"):
        GOSPRL(forgetful).run(MDP, 100, seed=0)
    with pytest.raises(ValueError, match="expected shape"):
        GOSPRL(lambda N: np.ones(3, int)).run(MDP, 100, seed=0)
    with pytest.raises(ValueError, match="integer"):
        GOSPRL(lambda N: np.full((4, 2), 0.5)).run(MDP, 100, seed=0)


def test_bad_input() -> None:
    for bad, kind, text in [
        (-1, ValueError, "requirement"), (2**53 + 1, ValueError, "requirement"), (1.5, ValueError, "requirement"), ("ten", TypeError, "requirement"),
        (True, TypeError, "requirement"), ([[1, 2], [3, -4]], ValueError, r"requirement\[1, 1\]"),
        ([[1, 2], [3, 2**53 + 1]], ValueError, r"requirement\[1, 1\]: expected \[0, 9007199254740992\], got 9007199254740993"),
        ([[1, 2], [3, 0.5]], ValueError, r"requirement\[1, 1\]"), ([1, 2], ValueError, "requirement"), ([[1, 2], [3]], TypeError, "requirement"),
        ([[1, np.nan]], ValueError, "requirement"),
    ]:  # fmt: skip
        with pytest.raises(kind, match=text):
            GOSPRL(bad)
    for options in ({"delta": 0}, {"delta": 1}, {"precision": 0}, {"precision": 1}, {"confidence": "hoeffding"}, {"replan": "never"}, {"scale": 0}):
        with pytest.raises(ValueError, match=next(iter(options))):
            GOSPRL(1, **options)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"requirement: expected shape \(4, 2\), got \(2, 2\)"):
        GOSPRL([[1, 2], [3, 4]]).run(MDP, 10, seed=0)
    one_way = np.zeros((3, 1, 3))
    one_way[0, 0, 1] = one_way[1, 0, 2] = one_way[2, 0, 2] = 1
    with pytest.raises(ValueError, match=r"communicating MDP, but from state \d no policy surely reaches state \d"):
        GOSPRL(1).run(ContinuingMDP(one_way), 10, seed=0)
    problem: Any = object()
    with pytest.raises(TypeError, match="problem"):
        GOSPRL(1).run(problem, 10, seed=0)


def test_long_requirements_are_short_in_print() -> None:
    assert repr(GOSPRL(np.full((40, 4), 10))) == "GOSPRL(requirement=<40 x 4 array of sum 1600>)"
    assert repr(GOSPRL([[1, 2]], delta=0.5)) == "GOSPRL(requirement=((1, 2),), delta=0.5)"
