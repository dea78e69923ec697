"""The rules that GOSPRL collects samples for, and the models that are estimated from them: the same bits however a run is made, edge cases, named errors."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from interruptions import run_interrupted

from envs_synthetic.baselines import river_swim_continuing
from envs_synthetic.gosprl import ring, two
from theoryrl.algorithms import Run
from theoryrl.algorithms.gosprl import GOSPRL
from theoryrl.algorithms.gosprl.estimates import EstimatedModel, bernstein_certificate, estimated_model, l1_certificate, model_of
from theoryrl.algorithms.gosprl.rules import (
    ClippedGoalFree,
    DiameterEstimate,
    Discounted,
    GoalFree,
    GoalFreeUnknownDiameter,
    MaurerPontil,
    Modest,
    PairingRule,
    Treasure,
)
from theoryrl.problems import ContinuingMDP
from theoryrl.proofs.gosprl.pairings import pairing_time_bound, theorem_goal_free, theorem_modest

SMALL = river_swim_continuing(3, "gosprl")
RULES: list[PairingRule] = [
    Treasure(),
    Treasure(0.2, single=True),
    Modest(0.5),
    Modest(0.5, adaptive=True),
    Modest(0.3, entrywise=True),
    GoalFree(50, 1, 10, 3),
    GoalFree(200, 0.1, 10, 2),
    ClippedGoalFree(20, 10, 2),
    GoalFreeUnknownDiameter(20, 0.5),
    DiameterEstimate(2),
    Discounted(1, 0.5),
]
each_rule = pytest.mark.parametrize("rule", RULES, ids=repr)


@each_rule
def test_a_rule_is_met_and_its_run_can_be_cut_saved_and_continued(rule: PairingRule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learner = GOSPRL(rule)
    whole, file = learner.run(SMALL, 10**6, seed=3), tmp_path / "a.run"
    assert whole.stopped and (rule.requirements(whole.output) == whole.output.sum(axis=-1)).all()
    short = learner.run(SMALL, max(1, whole.steps // 3), seed=3).proceed(10**6)
    short.save(file)
    found = [short, Run.load(file)]
    if isinstance(rule, (Modest, DiameterEstimate)):
        found.append(run_interrupted(learner, SMALL, 10**6, seed=3, file=file, monkeypatch=monkeypatch))
    for run in found:
        assert run.steps == whole.steps and run.output.tobytes() == whole.output.tobytes() and run.algorithm == learner


@each_rule
def test_demands_are_levels_that_rise_with_what_is_counted(rule: PairingRule) -> None:
    levels = rule.levels(4, 2)
    assert (np.diff(levels) > 0).all() and levels[0] >= 1
    rng, P, N = np.random.default_rng(0), np.random.default_rng(1).dirichlet(np.ones(4), (4, 2)), np.zeros((4, 2, 4), np.int64)
    demand = rule.requirements(N)
    for _ in range(500):
        assert np.isin(demand, levels).all()
        missing = np.minimum(demand - N.sum(axis=-1), rng.integers(1, 50, (4, 2)))
        N += rng.multinomial(missing, P)
        new = rule.requirements(N)
        assert (new >= demand).all() and (new[N.sum(axis=-1) < demand] >= demand[N.sum(axis=-1) < demand]).all()
        demand = new


def test_one_state_needs_nothing_to_be_estimated() -> None:
    problem = ContinuingMDP(np.ones((1, 2, 1)))
    for rule in RULES:
        run = GOSPRL(rule).run(problem, 10**6, seed=0)
        assert run.stopped and run.steps == run.output.sum() == 2 * int(rule.levels(1, 2)[0]) and pairing_time_bound(run.algorithm, problem) == run.steps
        if not isinstance(rule, Treasure):
            model = estimated_model(run)
            assert model.transition.tolist() == [[[1], [1]]] and model.plan(0).values.tolist() == [0] and model.diameter == 0


def test_a_model_is_planned_in_for_any_goal_and_costs() -> None:
    run = GOSPRL(GoalFree(1, 0.5, 4, 2)).run(ring(), 10**6, seed=0)
    model = estimated_model(run)
    assert np.array_equal(model.transition, run.output / run.output.sum(axis=-1, keepdims=True))
    plan = model.plan(1, np.full((3, 2), 0.5))
    assert plan.values[1] == 0 and plan.values[0] == pytest.approx(2, abs=0.1) and plan.policy[0] == 0
    assert plan.certificate is not None and plan.certificate.lemma == "A9'" and plan.certificate.gap < 0.5
    assert len(plan.certificates) == 2 and "A9'" in repr(plan) and "0.95" in repr(model)
    assert np.array_equal(model.plan(2).values, model.plan(2, np.ones((3, 2))).values)
    low, high = model.diameter_interval
    assert low < 4 < high and low < model.diameter < high
    values, policy = model.discounted(np.eye(3)[2][:, None] * np.ones(2), 0.5)
    assert policy[0] == 1 and values[2] > values[0] and model.discounted_error(0.5) == pytest.approx(2 * model.accuracy)


def test_coarse_estimates_have_no_certificate() -> None:
    model = estimated_model(GOSPRL(Modest(1.9)).run(SMALL, 10**6, seed=0))
    plan = model.plan(2)
    assert plan.certificate is None and "no certificate" in repr(plan) and model.diameter_interval[1] == math.inf
    assert l1_certificate(np.array([0.0, 2.0]), 0.5, 0.5) is None and bernstein_certificate(np.array([0.0, 2.0]), 0.1, 2, 0.5) is None


def test_a_model_that_is_not_communicating_bounds_the_diameter_from_below_only() -> None:
    N = np.zeros((2, 1, 2), np.int64)
    N[:, :, 0] = 500
    model = model_of(Modest(0.2), N)
    assert model.diameter == math.inf and model.diameter_interval == (10, math.inf)
    assert model.plan(1).values.tolist() == [math.inf, 0] and model.plan(1).certificates == ()


def test_costs_are_checked_and_clipped() -> None:
    clipped = estimated_model(GOSPRL(ClippedGoalFree(4, 4, 1, 2)).run(ring(), 10**7, seed=0))
    plan = clipped.plan(0, np.zeros((3, 2)))
    assert plan.costs[1:].tolist() == [[0.5, 0.5], [0.5, 0.5]]
    model = estimated_model(GOSPRL(GoalFree(2, 0.5, 4, 2)).run(ring(), 10**7, seed=0))
    low = np.full((3, 2), 0.5)
    low[1, 1] = 0.4
    for costs, error, match in (
        (low, ValueError, r"costs\[1, 1\]: expected a number above 0 and at least 0.5, the least cost of GoalFree.*got 0.4"),
        (np.full((3, 2), 1.1), ValueError, r"costs\[0, 0\]: expected \[0, 1\]"),
        (np.ones((2, 3)), ValueError, "costs: expected shape"),
        ("costs", TypeError, "costs: expected an array of real numbers"),
    ):
        with pytest.raises(error, match=match):
            model.plan(0, costs)
    low[1, 1], low[0] = 0.5, 0
    assert model.plan(0, low).values[0] == 0  # nothing is paid at the goal
    with pytest.raises(ValueError, match="goal: expected an integer in"):
        model.plan(3)
    with pytest.raises(ValueError, match="gamma: expected a number in"):
        model.discounted_error(1)
    with pytest.raises(ValueError, match=r"rewards\[0, 0\]: expected \[0, 1\]"):
        model.discounted(np.full((3, 2), 2.0), 0.5)
    with pytest.raises(ValueError, match=r"costs\[1, 0\]: expected a number above 0"):
        estimated_model(GOSPRL(Modest(0.5)).run(ring(), 10**6, seed=0)).plan(0, np.zeros((3, 2)))


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: Treasure(0), ValueError, r"rho: expected a number in \(0, 1\], got 0"),
        (lambda: Treasure(1.5), ValueError, r"rho: expected a number in"),
        (lambda: Treasure(0.5, 0), ValueError, r"delta: expected a number in \(0, 1\)"),
        (lambda: Treasure(0.5, single=1), TypeError, "single: expected True or False, got 1"),
        (lambda: Modest(0), ValueError, r"accuracy: expected a number in \(0, 2\), got 0"),
        (lambda: Modest(1, entrywise=True), ValueError, r"accuracy: expected a number in \(0, 1\), got 1"),
        (lambda: Modest("much"), TypeError, "accuracy: expected a real number"),
        (lambda: Modest(0.1, entrywise=True, adaptive=True), ValueError, "adaptive: expected False with entrywise"),
        (lambda: GoalFree(0, 0.5, 4), ValueError, "epsilon: expected a number in"),
        (lambda: GoalFree(1, 0, 4), ValueError, r"c_min: expected a number in \(0, 1\], got 0 \(ClippedGoalFree"),
        (lambda: GoalFree(1, 2, 4), ValueError, "c_min: expected a number in"),
        (lambda: GoalFree(1, 0.5, math.inf), ValueError, "diameter: expected a number in"),
        (lambda: GoalFree(1, 0.5, 0.5), ValueError, "diameter: expected a number in"),
        (lambda: GoalFree(1, 0.5, 4, 1.5), ValueError, "support: expected an integer, got 1.5"),
        (lambda: ClippedGoalFree(9, 4), ValueError, "epsilon: expected at most 2 slack diameter = 8, got 9"),
        (lambda: ClippedGoalFree(1, 4, 0.5), ValueError, "slack: expected a number in"),
        (lambda: GoalFreeUnknownDiameter(1, 0), ValueError, "c_min: expected a number in"),
        (lambda: DiameterEstimate(-1), ValueError, "factor: expected a number in"),
        (lambda: Discounted(1, 1), ValueError, r"gamma: expected a number in \(0, 1\)"),
        (lambda: MaurerPontil(3), ValueError, "accuracy: expected a number in"),
    ],
)
def test_bad_parameters_are_named(make: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        make()


def test_what_is_beyond_2_to_the_53_is_refused() -> None:
    for rule in (Modest(1e-8), Discounted(1e-9, 0.99), GoalFree(1e-4, 1e-4, 1e5)):
        with pytest.raises(ValueError, match=r"requirement: the rule needs .* samples of each pair, and at most 2\^53"):
            GOSPRL(rule).run(SMALL, 10, seed=0)
    with pytest.raises(ValueError, match=r"would need more than 2\^53 samples"):
        rule = DiameterEstimate(1e-9)
        rule.requirements(np.full((2, 1, 2), rule.levels(2, 1)[-1] // 2 * 1) + np.array([rule.levels(2, 1)[-1] % 2, 0]))
    with pytest.raises(ValueError, match=r"may need more than 2\^53 samples of each pair at diameter"):
        pairing_time_bound(GOSPRL(DiameterEstimate(1e-9)), SMALL)


def test_models_need_a_met_rule_that_estimates() -> None:
    with pytest.raises(TypeError, match="run: expected a run of GOSPRL with a rule that estimates the model"):
        estimated_model(GOSPRL(3).run(SMALL, 10**5, seed=0))
    with pytest.raises(TypeError, match="run: expected a run of GOSPRL with a rule that estimates the model"):
        estimated_model(GOSPRL(Treasure()).run(SMALL, 10**5, seed=0))
    with pytest.raises(ValueError, match=r"run: its requirement is not met yet: .* missing"):
        estimated_model(GOSPRL(Modest(0.2)).run(SMALL, 100, seed=0))
    with pytest.raises(TypeError, match="algorithm: expected GOSPRL with a rule of the library"):
        pairing_time_bound(GOSPRL(3), SMALL)
    with pytest.raises(ValueError, match="from state 1 no policy surely reaches state 0"):
        pairing_time_bound(GOSPRL(Modest(0.2)), ContinuingMDP(np.array([[[0.5, 0.5]], [[0.0, 1.0]]])))


def test_theorems_say_when_they_do_not_apply() -> None:
    run = GOSPRL(GoalFree(2, 0.5, 2, 1)).run(ring(), 10**7, seed=0, trace=True)
    with pytest.raises(ValueError, match=r"\(it is 4, and 2 was given\); a pair has at most as many next states as given \(one has 2"):
        theorem_goal_free.proof(run)
    with pytest.raises(ValueError, match=r"the requirement is Modest \(it is GoalFree"):
        theorem_modest.proof(run)


def test_a_run_that_is_not_finished_claims_nothing_of_its_estimates() -> None:
    proof = GOSPRL(Modest(0.2)).run(SMALL, 100, seed=0, trace=True).proof(theorem_modest)
    assert np.isnan(proof.chains["accuracy"][0].value).all() and not proof.violations


def test_the_textbook_rule_is_met_but_costs_more() -> None:
    run = GOSPRL(MaurerPontil(0.5)).run(two(0.5), 10**5, seed=0)
    assert run.stopped and (MaurerPontil(0.5).requirements(run.output) <= run.output.sum(axis=-1)).all()
    assert run.output.sum(axis=-1).min() > int(Modest(0.5).levels(2, 1)[0])
    assert dataclasses.asdict(MaurerPontil(0.5)) == {"accuracy": 0.5, "delta": 0.05}


def test_samples_of_the_model_are_the_runs() -> None:
    run = GOSPRL(Modest(0.2, adaptive=True)).run(SMALL, 10**6, seed=1)
    model = estimated_model(run)
    assert isinstance(model, EstimatedModel) and np.array_equal(model.samples, run.output.sum(axis=-1)) and len(np.unique(model.samples)) > 1
