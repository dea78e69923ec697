"""The finite-horizon learners that several papers compare with: the same bits however a run is made, edge cases, named errors."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from interruptions import run_interrupted

from envs_synthetic.baselines import dirichlet_prior, river_swim, two_state
from envs_synthetic.cascading import hidden_gem
from envs_synthetic.mex import treasure
from theoryrl.algorithms import Algorithm, Run, run_many
from theoryrl.algorithms.baselines import (
    PSRL,
    UCBVI,
    EpsGreedyModel,
    EpsGreedyQLearning,
    OptimisticFirstVisit,
    OptimisticQLearning,
    SimplifiedUCBVI,
    posterior_models,
)
from theoryrl.problems import EpisodicMDP
from theoryrl.proofs.theorem import theorem_for
from theoryrl.testing.world import world

LEARNERS = [
    UCBVI(),
    UCBVI(counts="stage", monotone=True),
    UCBVI(variant="bernstein"),
    UCBVI(variant="hoeffding-paper"),
    UCBVI(variant="bernstein-paper", bonus_scale=0.01),
    OptimisticQLearning(),
    OptimisticQLearning(variant="hoeffding-paper", bonus_scale=0.1),
    PSRL(),
    PSRL(prior=0.003, counts="stage"),
    EpsGreedyModel(),
    EpsGreedyQLearning(epsilon=0.3),
    OptimisticFirstVisit(),
    SimplifiedUCBVI(scale=0.05),
]
PROVED = [learner for learner in LEARNERS[:7] if getattr(learner, "bonus_scale", 1) == 1]
SMALL = river_swim(S=3, horizon=4)
STAGED = treasure()
each_learner = pytest.mark.parametrize("learner", LEARNERS, ids=repr)


def bits(run: Run, curves: bool = True) -> dict[str, bytes]:
    """Everything that a run determines, the traced part aside."""
    arrays: dict[str, Any] = {name: run.curves[name] for name in ("regret", "policy_value", "switches")} if curves else {}
    learned = ("visits", "next_visits", "Q", "Q_bar", "V", "V_bar", "V_pi", "policy", "bonus", "model", "cumulative_regret", "progress")
    arrays |= {name: run.state[name] for name in learned if name in run.state}
    return {name: np.asarray(value).tobytes() for name, value in arrays.items()} | {"rng": repr(run.state["rng"].bit_generator.state).encode()}


def everything(run: Run) -> dict[str, bytes]:
    """All curves and the whole state."""
    state = {name: value for name, value in run.state.items() if name != "rng"}
    return {name: np.asarray(value).tobytes() for name, value in (run.curves | state).items()} | bits(run)


@each_learner
def test_tracing_changes_nothing(learner: Algorithm) -> None:
    plain, traced, raw = (learner.run(SMALL, 200, seed=5, trace=trace) for trace in (False, True, "raw"))
    assert bits(plain) == bits(traced) == bits(raw)


@each_learner
def test_checkpoints_change_nothing(learner: Algorithm) -> None:
    default = learner.run(SMALL, 200, seed=5, trace=True)
    every = learner.run(SMALL, 200, seed=5, trace=True, checkpoints=range(1, 201))
    assert everything(dataclasses.replace(every, curves={name: curve[default.checkpoints - 1] for name, curve in every.curves.items()})) == everything(default)


@each_learner
def test_T15_cut_saved_and_continued_runs_have_the_same_bits(learner: Algorithm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = learner.run(SMALL, 200, seed=5, trace=True)
    file = tmp_path / "a.run"
    finished = run_interrupted(learner, SMALL, 200, seed=5, file=file, monkeypatch=monkeypatch)
    assert everything(finished) == everything(whole) == everything(Run.load(file))


@each_learner
def test_T15_n_then_n_more_is_2n_where_anytime(learner: Algorithm) -> None:
    half = learner.run(SMALL, 100, seed=5, trace="raw")
    if not learner.anytime:
        with pytest.raises(ValueError, match="tuned to its horizon"):
            half.proceed(100)
        return
    whole, longer = learner.run(SMALL, 200, seed=5, trace="raw"), half.proceed(100)
    assert bits(longer, curves=False) == bits(whole, curves=False)
    assert longer.state["raw_states"].tobytes() == whole.state["raw_states"].tobytes()


@each_learner
def test_the_uncompiled_world_has_the_same_bits(learner: Algorithm) -> None:
    bare = world()
    twin = getattr(bare("theoryrl.algorithms.baselines"), type(learner).__name__)(**dataclasses.asdict(learner))
    instance = bare("envs_synthetic.baselines").river_swim(S=3, horizon=4)
    slow = twin.run(instance, 40, seed=5, trace="raw")
    assert everything(slow) == everything(learner.run(SMALL, 40, seed=5, trace="raw"))


def test_threads_have_the_same_bits() -> None:
    alone = [bits(UCBVI().run(SMALL, 100, seed=seed)) for seed in range(3)]
    assert [bits(run) for run in run_many(UCBVI(), SMALL, 100, seeds=range(3), jobs=2)] == alone


@each_learner
def test_raw_transitions_are_those_that_were_counted(learner: Algorithm) -> None:
    run = learner.run(SMALL, 60, seed=2, trace="raw")
    states, actions, following = (run.state[name] for name in ("raw_states", "raw_actions", "raw_next"))
    assert states.shape == (60, 4) and (states[:, 0] == SMALL.start).all() and (states[:, 1:] == following[:, :-1]).all()
    counted = np.zeros(run.state["visits"].shape, np.int64)
    stages = np.broadcast_to(np.arange(4), states.shape) if len(counted) > 1 else np.zeros_like(states)
    np.add.at(counted, (stages, states * SMALL.n_actions + actions), 1)
    assert (counted == run.state["visits"]).all()
    assert (SMALL.transition[states, actions, following] > 0).all()


@pytest.mark.parametrize("S, A, H, K", [(1, 2, 3, 20), (3, 1, 3, 20), (3, 2, 1, 20), (2, 2, 2, 1), (1, 1, 1, 1)])
@pytest.mark.parametrize("zero", [False, True])
@each_learner
def test_edge_cases(learner: Algorithm, S: int, A: int, H: int, K: int, zero: bool) -> None:
    problem = dirichlet_prior(S=S, A=A, H=H)(7)
    if zero:
        problem = EpisodicMDP(problem.transition, 0 * problem.reward, H)
    run = learner.run(problem, K, seed=3, trace=True)
    assert np.isfinite(run.regret).all() and (run.regret >= -1e-12 * K).all()
    assert (run.regret <= K * (problem.optimal_value - problem.worst_value) + 1e-12 * K).all()
    if learner in PROVED:
        proof = theorem_for(learner).proof(run)
        assert proof.violations == []
        if H == 1 and not getattr(learner, "printed", False) and isinstance(learner, UCBVI):
            assert all((line.value == 0).all() for line in proof.chains["regret"])


def test_the_regret_of_a_mixture_is_exact() -> None:
    """Epsilon = 1 plays uniformly, whatever it has learned: by hand in a problem with one state."""
    problem = EpisodicMDP(np.ones((1, 4, 1)), np.array([[0.0, 0.2, 0.6, 1.0]]), 3)
    for learner in (EpsGreedyModel(epsilon=1.0), EpsGreedyQLearning(epsilon=1.0)):
        run = learner.run(problem, 10, seed=0)
        assert run["policy_value"][-1] == pytest.approx(3 * 0.45, rel=1e-12)
        assert run.regret[-1] == pytest.approx(10 * 3 * 0.55, rel=1e-12)


def test_learners_learn() -> None:
    problem, worst = two_state(), 1.6 * 20_000
    for learner, share in ((UCBVI(), 0.01), (UCBVI(variant="bernstein"), 0.02), (OptimisticQLearning(), 0.02), (PSRL(), 0.001), (EpsGreedyModel(), 0.06)):
        assert learner.run(problem, 20_000, seed=0).regret[-1] < share * worst


def test_pooled_counts_refuse_stages_that_differ() -> None:
    for learner in (UCBVI(), PSRL()):
        with pytest.raises(ValueError, match=r"counts: pooled counts need .* at stage 1 and .* at stage 2; use counts='stage'"):
            learner.run(STAGED, 10, seed=0)
    theorem = theorem_for(UCBVI())
    assert [a.name for a in theorem.failing(UCBVI(), STAGED, 10)] == ["the transition is the same at every stage, or counts are kept by stage"]
    assert theorem.failing(UCBVI(counts="stage"), STAGED, 10) == []
    for learner in (UCBVI(counts="stage"), OptimisticQLearning(), PSRL(counts="stage"), EpsGreedyModel()):
        assert np.isfinite(learner.run(STAGED, 10, seed=0).regret).all()


def test_a_stationary_law_that_is_given_by_stage_may_be_pooled() -> None:
    repeated = EpisodicMDP(SMALL.stage_transition, SMALL.stage_reward, SMALL.horizon, SMALL.start)
    for learner in LEARNERS:
        assert everything(learner.run(repeated, 50, seed=1, trace=True)) == everything(learner.run(SMALL, 50, seed=1, trace=True))


def test_posterior_models_are_the_posterior() -> None:
    """Means of Dirichlet rows, with rows of the last stage left out where laws differ; each within six standard errors."""
    for counts, shape in (("pooled", (3, 2, 3)), ("stage", (4, 3, 2, 3))):
        run = PSRL(counts=counts).run(SMALL, 30, seed=0)
        models = posterior_models(run, 4000, seed=1)
        assert models.shape == (4000, *shape)
        alpha = np.moveaxis(run.state["next_visits"], 1, 2).reshape(shape) + 1.0
        total = alpha.sum(axis=-1, keepdims=True)
        mean = alpha / total
        deviation = np.abs(models.mean(axis=0) - mean) / np.sqrt(mean * (1 - mean) / (total + 1) / 4000)
        if counts == "stage":
            assert (models[:, -1] == 0).all()
            deviation = deviation[:-1]
        assert deviation.max() < 6.5


def test_a_prior_near_zero_draws_corners() -> None:
    models = posterior_models(PSRL(prior=1e-6).run(SMALL, 1, seed=0), 50, seed=0)
    assert np.allclose(models.sum(axis=-1), 1) and models.max(axis=-1).min() > 0.99
    assert len(np.unique(models[:, 2, 0].argmax(axis=-1))) == 3


def test_the_bonuses_are_the_formulas() -> None:
    run = UCBVI().run(SMALL, 500, seed=0)
    n, C = run.state["visits"][0], SMALL.value_caps[1:, None]
    x = math.log(2 * 6 * 4 * 500 * 4 / 0.05)
    before = n - np.bincount(_last_episode(UCBVI(), 500), minlength=6)
    expected = np.where(before > 0, C * np.sqrt(x / (2 * np.maximum(before, 1))), C)
    assert np.abs(run.state["bonus"] - expected).max() < 1e-12


def _last_episode(learner: Algorithm, n: int) -> np.ndarray:
    state = learner.run(SMALL, n, seed=0, trace="raw").state
    rows: np.ndarray = state["raw_states"][-1] * 2 + state["raw_actions"][-1]
    return rows


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: UCBVI(variant="mvp"), "variant: expected one of 'hoeffding', 'bernstein'"),
        (lambda: UCBVI(delta=1.0), "delta: expected a number in"),
        (lambda: UCBVI(counts="none"), "counts: expected one of 'pooled', 'stage'"),
        (lambda: UCBVI(variant="hoeffding-paper", counts="stage"), "counts: variant='hoeffding-paper' pools its counts"),
        (lambda: UCBVI(bonus_scale=0), "bonus_scale: expected a number in"),
        (lambda: UCBVI(monotone="yes"), "monotone: expected None, True or False"),  # type: ignore[arg-type]
        (lambda: OptimisticQLearning(variant="bernstein"), "variant: expected one of 'hoeffding', 'hoeffding-paper'"),
        (lambda: OptimisticQLearning(c=2), "c: only variant='hoeffding-paper' has it"),
        (lambda: PSRL(prior=0), "prior: expected a number in"),
        (lambda: EpsGreedyModel(epsilon=1.5), "epsilon: expected a number in"),
        (lambda: EpsGreedyQLearning(epsilon=-1), "epsilon: expected a number in"),
        (lambda: SimplifiedUCBVI(scale=-1), "scale: expected a number in"),
        (lambda: UCBVI().run(hidden_gem(2, 1, 2), 5, seed=0), "problem: expected an EpisodicMDP, got CascadingMDP"),
        (lambda: EpsGreedyModel().run(hidden_gem(2, 1, 2), 5, seed=0), "problem: expected an EpisodicMDP"),
        (lambda: posterior_models(UCBVI().run(SMALL, 5, seed=0), 3, seed=0), "run: expected a run of PSRL, got one of UCBVI"),
        (lambda: theorem_for(UCBVI(variant="bernstein-paper")), "no theorem is registered"),
        (lambda: theorem_for(EpsGreedyModel()), "no theorem is registered"),
        (lambda: PSRL().run(dirichlet_prior()(0), 20, seed=0, trace=True).proceed(20).proof(), "log term of a shorter horizon"),
        (lambda: PSRL().run(SMALL, 20, seed=0).proof(), "not drawn from a prior: a fixed instance"),
        (lambda: UCBVI(bonus_scale=0.5).run(SMALL, 20, seed=0).proof(), "bonus_scale=0.5, expected 1"),
    ],
)
def test_bad_input_is_named(make: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        make()


def test_output_is_the_last_policy() -> None:
    for learner in LEARNERS:
        run = learner.run(SMALL, 100, seed=0)
        assert run.output.shape == (4, 3) and set(np.unique(run.output)) <= {0, 1}
