"""UCRL2: the same bits however a run is made, its law of outcomes, edge cases, named errors."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from interruptions import run_interrupted

from envs_synthetic.baselines import cycle_continuing, river_swim, river_swim_continuing, two_state_continuing
from theoryrl.algorithms import Run, run_many
from theoryrl.algorithms.baselines import UCRL2
from theoryrl.problems import ContinuingMDP
from theoryrl.testing.world import world

LEARNERS = [UCRL2(), UCRL2("paper"), UCRL2(stop="before", known_rewards=True), UCRL2("paper", delta=0.5, stop="after")]
SMALL = river_swim_continuing(4)
each_learner = pytest.mark.parametrize("learner", LEARNERS, ids=repr)


def everything(run: Run, *, without: tuple[str, ...] = ()) -> dict[str, bytes]:
    """All curves and the whole state."""
    arrays = {name: value for name, value in (run.state | run.curves).items() if name != "rng" and not name.startswith(without or "?")}
    return {name: np.asarray(value).tobytes() for name, value in arrays.items()} | {"rng": repr(run.state["rng"].bit_generator.state).encode()}


def learned(run: Run) -> dict[str, bytes]:
    """What a trace may not change."""
    names = ("visits", "next_visits", "reward_totals", "phase_visits", "outcome_counts", "policy", "u", "u_next", "r_tilde", "p_tilde", "progress")
    curves = {name: run[name] for name in ("regret", "phases", "optimistic_gain")}
    return {name: np.asarray(value).tobytes() for name, value in ({name: run.state[name] for name in names} | curves).items()}


@each_learner
def test_tracing_changes_nothing(learner: UCRL2) -> None:
    plain, traced, raw = (learner.run(SMALL, 3_000, seed=5, trace=trace) for trace in (False, True, "raw"))
    assert learned(plain) == learned(traced) == learned(raw)
    assert everything(traced, without=("raw_",)) == everything(raw, without=("raw_",))


@each_learner
def test_checkpoints_change_nothing(learner: UCRL2) -> None:
    default, every = learner.run(SMALL, 300, seed=5, trace=True), learner.run(SMALL, 300, seed=5, trace=True, checkpoints=range(1, 301))
    assert everything(dataclasses.replace(every, curves={name: curve[default.checkpoints - 1] for name, curve in every.curves.items()})) == everything(default)


@each_learner
def test_T15_cut_saved_and_continued_runs_have_the_same_bits(learner: UCRL2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, file = learner.run(SMALL, 700, seed=5, trace=True), tmp_path / "a.run"
    finished = run_interrupted(learner, SMALL, 700, seed=5, file=file, monkeypatch=monkeypatch)
    assert everything(finished) == everything(whole) == everything(Run.load(file))


@each_learner
def test_T15_n_then_n_more_is_2n(learner: UCRL2) -> None:
    whole, longer = learner.run(SMALL, 1_000, seed=5, trace="raw"), learner.run(SMALL, 500, seed=5, trace="raw").proceed(500)
    shared = ("horizon", "maxima", "path_excess", "raw_")  # the Azuma bound has the horizon; raw plans have room for more
    last = {name: curve[-1:] for name, curve in whole.curves.items()}, {name: curve[-1:] for name, curve in longer.curves.items()}
    whole_bits, longer_bits = (everything(dataclasses.replace(run, curves=c), without=shared) for run, c in zip((whole, longer), last, strict=True))
    assert whole_bits == longer_bits
    assert all((whole.state[name] == longer.state[name]).all() for name in ("raw_states", "raw_actions", "raw_next", "raw_rewards", "raw_phase"))


@each_learner
def test_the_uncompiled_world_has_the_same_bits(learner: UCRL2) -> None:
    bare = world()
    twin = bare("theoryrl.algorithms.baselines").UCRL2(**dataclasses.asdict(learner))
    slow = twin.run(bare("envs_synthetic.baselines").river_swim_continuing(4), 200, seed=5, trace="raw")
    assert everything(slow) == everything(learner.run(SMALL, 200, seed=5, trace="raw"))


def test_threads_have_the_same_bits() -> None:
    alone = [learned(UCRL2().run(SMALL, 500, seed=seed)) for seed in range(3)]
    assert [learned(run) for run in run_many(UCRL2(), SMALL, 500, seeds=range(3), jobs=2)] == alone


@each_learner
def test_counts_are_those_of_the_raw_transitions(learner: UCRL2) -> None:
    run = learner.run(SMALL, 400, seed=2, trace="raw")
    state, A = run.state, SMALL.n_actions
    row = state["raw_states"] * A + state["raw_actions"]
    assert (np.bincount(row, minlength=8) == state["visits"] + state["phase_visits"]).all()
    before = state["raw_phase"] < state["raw_phase"][-1]
    assert (np.bincount(row[before], minlength=8) == state["visits"]).all()
    assert np.bincount(row[before], state["raw_rewards"][before], 8).tolist() == state["reward_totals"].tolist()
    assert (state["next_visits"].sum(axis=1) == state["visits"]).all() and (state["phase_visits"] == state["outcome_counts"].sum(axis=1)).all()
    gaps = run.problem.optimal_gain - SMALL.reward.reshape(-1)[row]  # type: ignore[attr-defined, union-attr]
    assert run.regret == pytest.approx(np.cumsum(gaps)[run.checkpoints - 1], abs=1e-9)
    assert (state["raw_start"] > 0).sum() == run["phases"][-1]
    assert run.output.tolist() == state["raw_policy"][run["phases"][-1] - 1].tolist()


def test_rewards_are_bernoulli_or_their_means() -> None:
    laws, mean, n = np.full((2, 1, 2), 0.5), np.array([[0.3], [0.8]]), 20_000
    for deterministic in (False, True):
        state = UCRL2().run(ContinuingMDP(laws, mean, deterministic=deterministic), n, seed=0, trace="raw").state
        rewards = [state["raw_rewards"][state["raw_states"] == s] for s in range(2)]
        if deterministic:
            assert all((rewards[s] == mean[s]).all() for s in range(2))
        else:
            for s in range(2):
                assert set(rewards[s]) == {0.0, 1.0} and abs(rewards[s].mean() - mean[s, 0]) < 6 * 0.5 / math.sqrt(len(rewards[s]))
            together = np.corrcoef(state["raw_rewards"], state["raw_next"])[0, 1]
            assert abs(together - np.corrcoef(mean[state["raw_states"], 0], state["raw_next"])[0, 1]) < 0.05  # drawn together, independent


@pytest.mark.parametrize(("S", "A", "n"), [(1, 1, 1), (1, 3, 50), (3, 1, 50), (2, 2, 1)])
@each_learner
def test_edge_cases(learner: UCRL2, S: int, A: int, n: int) -> None:
    rng = np.random.default_rng((S, A))
    for reward in (rng.random((S, A)), np.zeros((S, A)), None):
        problem = ContinuingMDP(rng.dirichlet(np.ones(S), (S, A)), reward, start=S - 1)
        run = learner.run(problem, n, seed=0, trace=True)
        assert np.isfinite(run.regret).all() and not run.proof().violations
        if reward is None:
            assert (run.regret == 0).all()


def test_it_learns() -> None:
    problem = two_state_continuing()
    for learner, share in zip(LEARNERS, (0.02, 0.06, 0.02, 0.06), strict=True):
        assert learner.run(problem, 100_000, seed=0).regret[-1] < share * 0.8 * 100_000
    run = UCRL2(known_rewards=True).run(river_swim_continuing(), 300_000, seed=0)
    assert (run.output == 1).all() and run["optimistic_gain"][-1] > run.problem.optimal_gain  # type: ignore[attr-defined]


def test_the_paper_s_first_phase_on_a_cycle_takes_all_states() -> None:
    run = UCRL2("paper").run(cycle_continuing(8), 9, seed=0, trace="raw", checkpoints=range(1, 10))
    assert run.state["raw_phase"].tolist() == [0] * 8 + [1]
    assert run.state["raw_start"][:2].tolist() == [1, 9]
    assert (UCRL2().run(cycle_continuing(8), 9, seed=0, trace="raw").state["raw_phase"] == np.arange(9)).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: UCRL2("bernstein"), "variant: expected one of 'explicit', 'paper'"),
        (lambda: UCRL2(delta=1.0), "delta: expected a number in"),
        (lambda: UCRL2(stop="never"), "stop: expected one of 'after', 'before'"),
        (lambda: UCRL2(known_rewards=1), "known_rewards: expected True or False"),  # type: ignore[arg-type]
        (lambda: UCRL2().run(river_swim(), 5, seed=0), "problem: expected a ContinuingMDP, got EpisodicMDP"),
        (lambda: UCRL2().run(ContinuingMDP(np.eye(2)[:, None]), 5, seed=0), "problem: UCRL2 needs a communicating MDP, but from state 0 no policy surely"),
    ],
)
def test_bad_input_is_named(make: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        make()
