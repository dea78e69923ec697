"""The learners of groupwise regret: the same bits however a run is made, step by step too, and named errors."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from interruptions import run_interrupted

from envs_synthetic.groupwise import crossing, paths, rnd, sign_flip
from theoryrl.algorithms import (
    Algorithm,
    AnhPairs,
    BlumLykouris,
    GroupwiseFinite,
    GroupwisePaths,
    GroupwiseRegression,
    MinimaxMW,
    Run,
    SleepingExperts,
    run_many,
)
from theoryrl.algorithms.groupwise import PairsLearner, Reduction
from theoryrl.problems import ClassStream, ExpertStream, PathStream, RegressionStream
from theoryrl.proofs import bound_per_group, statistics
from theoryrl.testing.world import world

T = 200
CUBE = np.array([[h >> bit & 1 for bit in range(3)] for h in range(8)])
PRIOR = (0.4, 0.3, 0.2, 0.1)

REDUCTIONS: list[Reduction] = [
    GroupwiseRegression(),
    GroupwiseRegression(base="ridge", meta="specialist_ew", play="average", prior=PRIOR, lam=0.1),
    GroupwiseRegression(base="ogd", meta="uniform", radius=0.5),
    GroupwiseRegression(center=True, solver="sherman_morrison", clip=False, meta="priority"),
    GroupwiseFinite(),
    GroupwiseFinite(base="separator_ftpl", prior=PRIOR),
    GroupwisePaths(),
    GroupwisePaths(base="path_ftpl", meta="priority"),
    SleepingExperts(prior=PRIOR),
]
ANYTIME: list[Algorithm] = [*REDUCTIONS, GroupwiseRegression(meta="single"), AnhPairs()]
LEARNERS: list[Algorithm] = [*ANYTIME, BlumLykouris(), MinimaxMW(eta="literature")]


def each(learners: list[Any]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("learner", learners, ids=repr)


def with_naps(groups: np.ndarray) -> np.ndarray:
    """Put everybody to sleep in every seventh round."""
    rounds = np.arange(len(groups))
    return np.where(rounds[:, None] % 7 == 3, 0, groups)


def streams(naps: bool = True) -> dict[type, Any]:
    """Return an instance of each kind, four groups each, on some of whose rounds nobody is awake if `naps`."""
    rng = np.random.default_rng(8)
    coins = rng.random((T, 4)) < (0.5, 0.5, 0.05, 0.8)
    coins[:, 3] = True
    masks = with_naps(coins) if naps else coins
    regression = sign_flip(T, seed=2)
    groups = with_naps(regression.groups) if naps else regression.groups
    return {
        RegressionStream: dataclasses.replace(regression, groups=groups, name=""),
        ClassStream: ClassStream(2 * rng.random((T, 8)), masks, scale=2.0, separator=CUBE),
        PathStream: dataclasses.replace(paths(T, K=4, W=3, seed=3), groups=masks, name=""),
        ExpertStream: ExpertStream(rng.random((T, 4)), masks),
    }


NAPPING, AWAKE = streams(), streams(naps=False)
REGRESSION = AWAKE[RegressionStream]
ONE = np.ones((1, 1))


def instance(learner: Any) -> Any:
    """Return an instance for `learner`."""
    kind = ClassStream if isinstance(learner, PairsLearner) else learner.stream
    return (AWAKE if getattr(learner, "meta", "") == "single" else NAPPING)[kind]


def bits(run: Run) -> dict[str, bytes]:
    """Everything that an untraced run determines: its curves, R and C, the learners and the generator."""
    curves = ("regret", "played", "expected", "base_loss", "hindsight", "rounds", "R", "C", "losses")
    state = ("t", "R", "C", "v", "sums", "factor", "pivots", "target", "squares", "cumulative", "losses")
    arrays = {name: run.curves[name] for name in curves if name in run.curves} | {f"state {name}": run.state[name] for name in state if name in run.state}
    return {name: np.asarray(value).tobytes() for name, value in arrays.items()} | {"rng": repr(run.state["rng"].bit_generator.state).encode()}


@each(LEARNERS)
def test_tracing_changes_nothing(learner: Algorithm) -> None:
    plain, traced, raw = (learner.run(instance(learner), T, seed=5, trace=trace) for trace in (False, True, "raw"))
    assert bits(plain) == bits(traced) == bits(raw)
    for name, curve in traced.curves.items():
        assert np.array_equal(curve, raw[name]), name


@each(LEARNERS)
def test_checkpoints_change_nothing(learner: Algorithm) -> None:
    default = learner.run(instance(learner), T, seed=5)
    every = learner.run(instance(learner), T, seed=5, checkpoints=range(1, T + 1))
    assert bits(dataclasses.replace(every, curves={name: curve[default.checkpoints - 1] for name, curve in every.curves.items()})) == bits(default)


@each(LEARNERS)
def test_saved_and_resumed_runs_have_the_same_bits(learner: Algorithm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = learner.run(instance(learner), T, seed=5, trace=True)
    file = tmp_path / "a.run"
    finished = run_interrupted(learner, instance(learner), T, seed=5, file=file, monkeypatch=monkeypatch)
    assert bits(finished) == bits(whole) == bits(Run.load(file))


@each(ANYTIME)
def test_n_then_n_more_are_2n(learner: Algorithm) -> None:
    longer = learner.run(instance(learner), T // 2, seed=5, trace=True).proceed(T // 2)
    whole = learner.run(instance(learner), T, seed=5, trace=True, checkpoints=longer.checkpoints)
    assert bits(longer) == bits(whole)


@each([BlumLykouris(), MinimaxMW()])
def test_learners_tuned_to_their_horizon_refuse_to_go_on(learner: Algorithm) -> None:
    with pytest.raises(ValueError, match="more"):
        learner.run(instance(learner), T // 2, seed=5).proceed(1)


@each([GroupwiseRegression(), GroupwisePaths(base="path_ftpl")])
def test_threads_and_processes_have_the_same_bits(learner: Algorithm) -> None:
    problem = instance(learner)
    alone = [bits(learner.run(problem, T, seed=seed)) for seed in range(3)]
    for backend, jobs in (("threads", 1), ("threads", 2), ("processes", 2)):
        together = run_many(learner, problem, T, seeds=range(3), backend=backend, jobs=jobs)  # type: ignore[arg-type]
        assert [bits(run) for run in together] == alone, (backend, jobs)


@each(LEARNERS)
def test_uncompiled_world_has_the_same_bits(learner: Any) -> None:
    naive, problem, n = world(), instance(learner), 40
    kinds, learners = naive("theoryrl.problems"), naive("theoryrl.algorithms")
    fields = {field.name: getattr(problem, field.name) for field in dataclasses.fields(problem) if field.name != "name"}
    slow = getattr(learners, type(learner).__name__)(**vars(learner))
    theirs = slow.run(getattr(kinds, type(problem).__name__)(**fields), n, seed=2, trace=True)
    ours = learner.run(problem, n, seed=2, trace=True)
    assert bits(ours) == bits(theirs)
    for name, curve in ours.curves.items():
        assert np.array_equal(curve, theirs[name]), name


def contexts(problem: Any, t: int) -> tuple[Any, ...]:
    """Return the arguments of `predict` in round t."""
    return (problem.features[t], problem.groups[t]) if isinstance(problem, RegressionStream) else (problem.groups[t],)


def outcome(problem: Any, t: int) -> Any:
    """Return the argument of `update` in round t."""
    return problem.labels[t] if isinstance(problem, RegressionStream) else problem.losses[t]


def step_through(learner: Reduction, problem: Any) -> None:
    """Check for the same p, proposals, losses and state, to the last bit, with a stepper that has never seen the problem's arrays."""
    run = learner.run(problem, T, seed=3, trace="raw")
    stepper = learner.stepwise(dataclasses.replace(problem, groups=np.ones((T, 4)), name=""), seed=3)
    for t in range(T):
        prediction = stepper.predict(*contexts(problem, t))
        played = stepper.update(outcome(problem, t))
        awake = problem.groups[t] > 0
        if awake.any():
            assert np.array_equal(prediction.p, run.output["p"][t])
            assert played == run.output["played"][t]
            if isinstance(learner, GroupwiseRegression):
                assert prediction.proposals is not None
                assert np.array_equal(prediction.proposals, run.output["proposals"][t])
    for name in run.state:
        if name not in ("t", "raw", "rng", "lead"):
            assert np.array_equal(run.state[name], stepper.state[name]), name


@pytest.mark.parametrize("naps", [False, True])
@each(REDUCTIONS)
def test_step_by_step_is_the_run(learner: Reduction, naps: bool) -> None:
    step_through(learner, (NAPPING if naps else AWAKE)[learner.stream])


def test_a_refused_outcome_keeps_the_round() -> None:
    learner = GroupwiseRegression()
    stepper, other = learner.stepwise(REGRESSION), learner.stepwise(REGRESSION)
    for t in range(10):
        assert np.array_equal(stepper.predict(*contexts(REGRESSION, t)).p, other.predict(*contexts(REGRESSION, t)).p)
        with pytest.raises(ValueError, match="y"):
            stepper.update(2.0)
        assert stepper.update(outcome(REGRESSION, t)) == other.update(outcome(REGRESSION, t))


@each([GroupwiseRegression(), GroupwiseFinite(), GroupwisePaths(), SleepingExperts(), SleepingExperts(meta="priority")])
def test_nobody_awake_is_no_round(learner: Reduction) -> None:
    """Such a round predicts the prior mixture of all learners, costs nothing and teaches nothing; a run without it is the same."""
    problem = instance(learner)
    somebody = problem.groups.any(axis=1)
    assert 0 < somebody.sum() < T
    rows = {name: getattr(problem, name)[somebody] for name in ("features", "labels", "losses", "groups") if hasattr(problem, name)}
    shorter = dataclasses.replace(problem, **rows, name="")
    one, other = learner.run(problem, T, seed=0, trace=True), learner.run(shorter, int(somebody.sum()), seed=0, trace=True)
    for name in one.curves:
        assert np.array_equal(one[name][-1], other[name][-1]), name

    stepper = learner.stepwise(problem)
    for t in range(20):
        stepper.predict(*contexts(problem, t))
        stepper.update(outcome(problem, t))
    before = {name: np.array(value) for name, value in stepper.state.items() if name != "rng"}
    prediction = stepper.predict(*contexts(problem, 3)[:-1], np.zeros(4))
    assert np.allclose(prediction.p, 1 / 4, rtol=1e-12)
    if prediction.proposals is not None:
        assert np.allclose(prediction.played, np.mean(prediction.proposals, axis=0), rtol=1e-12)
    assert stepper.update(outcome(problem, 3)) == 0
    for name, value in before.items():
        assert np.array_equal(value, stepper.state[name]), name


def test_run_of_nothing_but_sleep() -> None:
    problem = RegressionStream(np.ones((5, 2)), np.ones(5), np.zeros((5, 3)))
    run = GroupwiseRegression().run(problem, 5, seed=0, trace=True)
    for name in ("regret", "played", "hindsight", "rounds", "R", "C"):
        assert not np.any(run[name]), name
    proof = run.proof()
    assert not proof.violations
    assert not np.any(bound_per_group(run)) and not np.any(bound_per_group(run, "worst"))


def test_more_features_than_rows_are_fine() -> None:
    rng = np.random.default_rng(0)
    problem = RegressionStream(rng.random((3, 10)), rng.random(3), np.ones((3, 2)))
    for learner in (GroupwiseRegression(), GroupwiseRegression(base="ridge"), GroupwiseRegression(base="ogd")):
        run = learner.run(problem, 3, seed=0, trace=True)
        assert np.all(np.isfinite(run.regret)) and not run.proof().violations


def test_controls_fail_where_they_should() -> None:
    """On group g2 of `crossing` the controls have the regrets that the instance was built to have; the reduction's is constant."""
    n = 10_000
    regret = {meta: GroupwiseFinite(meta=meta).run(crossing(n), n, seed=0).regret[-1, 1] for meta in ("anh", "single", "uniform", "priority")}
    assert regret["anh"] < 5
    assert abs(regret["single"] / n - 0.4) < 0.01 and abs(regret["uniform"] / n - 7 / 30) < 0.01 and abs(regret["priority"] / n - 0.2) < 0.01


def test_worked_values_of_the_first_two_rounds() -> None:
    problem = ExpertStream(np.array([[0, 1], [0, 1]]), np.ones((2, 2)))
    run = SleepingExperts().run(problem, 2, seed=0, trace="raw")
    assert np.allclose(run.output["p"], [[0.5, 0.5], [0.9190652, 0.0809348]], atol=5e-8)


def stream(**fields: Any) -> Callable[[], Any]:
    good = {"features": np.ones((4, 2)), "labels": np.ones(4), "groups": np.ones((4, 3))}
    return lambda: RegressionStream(**(good | fields))


def spoiled(shape: tuple[int, ...], index: tuple[int, ...], value: float) -> np.ndarray:
    array = np.ones(shape)
    array[index] = value
    return array


def stepped(*arguments: Any, label: Any = 0.5) -> Callable[[], Any]:
    def call() -> None:
        stepper = GroupwiseRegression().stepwise(REGRESSION)
        stepper.predict(*arguments)
        stepper.update(label)

    return call


@pytest.mark.parametrize(
    "make, message",
    [
        (stream(labels=spoiled((4,), (2,), 1.5)), r"labels\[2\].*1\.5"),
        (stream(labels=spoiled((4,), (2,), np.nan)), r"labels\[2\].*nan"),
        (stream(labels=np.ones(3)), "labels"),
        (stream(groups=spoiled((4, 3), (1, 2), 2)), r"groups\[1, 2\].*2"),
        (stream(groups=spoiled((4, 3), (1, 2), 0.5)), r"groups\[1, 2\].*0\.5"),
        (stream(groups=spoiled((4, 3), (1, 2), np.nan)), r"groups\[1, 2\].*nan"),
        (stream(groups=np.ones((4, 0))), "groups"),
        (stream(groups=np.ones((5, 3))), "groups"),
        (stream(groups="all"), "groups"),
        (stream(features=spoiled((4, 2), (3, 1), np.nan)), r"features\[3, 1\].*nan"),
        (stream(features=spoiled((4, 2), (3, 1), np.inf)), r"features\[3, 1\].*inf"),
        (stream(features=np.ones(4)), "features"),
        (stream(label_range=(1, 0)), "label_range"),
        (stream(label_range=0), "label_range"),
        (lambda: ClassStream(np.array([[0.5, 2.0]]), ONE), r"losses\[0, 1\].*2"),
        (lambda: ClassStream(np.array([[0.5, 1.0]]), ONE, separator=np.array([[0, 1], [0, 1]])), r"separator\[1\]"),
        (lambda: ClassStream(np.array([[0.5, 1.0]]), ONE, scale=0), "scale"),
        (lambda: PathStream(np.full((1, 2, 2, 2), -1.0), ONE), "losses"),
        (lambda: PathStream(np.ones((1, 2, 2, 3)), ONE), "losses"),
        (lambda: ExpertStream(np.ones((2, 3)), np.ones((2, 4))), "groups"),
        (lambda: GroupwiseRegression(base="lasso"), "base"),
        (lambda: GroupwiseRegression(meta="hedge"), "meta"),
        (lambda: GroupwiseRegression(play="mean"), "play"),
        (lambda: GroupwiseRegression(lam=0), "lam"),
        (lambda: GroupwiseRegression(lam=float("nan")), "lam"),
        (lambda: GroupwiseRegression(radius=-1), "radius"),
        (lambda: GroupwiseRegression(solver="qr"), "solver"),
        (lambda: GroupwiseRegression(clip="no"), "clip"),
        (lambda: GroupwiseRegression(center=True, base="ridge"), "center"),
        (lambda: GroupwiseRegression(meta="specialist_ew"), "play"),
        (lambda: GroupwiseRegression(prior=(0.5, 0.6)), "prior"),
        (lambda: GroupwiseRegression(prior=(1.0, 0.0)), "prior"),
        (lambda: GroupwiseFinite(meta="specialist_ew"), "meta"),
        (lambda: GroupwiseFinite(base="vaw"), "base"),
        (lambda: GroupwisePaths(base="dijkstra"), "base"),
        (lambda: BlumLykouris(beta=0.3), "beta"),
        (lambda: BlumLykouris(beta=1), "beta"),
        (lambda: MinimaxMW(eta=0.1), "eta"),
        (lambda: GroupwiseRegression(prior=(0.5, 0.5)).run(REGRESSION, 5, seed=0), "prior: expected 4"),
        (lambda: GroupwiseRegression().run(REGRESSION, T + 1, seed=0), "n: "),
        (lambda: MinimaxMW().run(AWAKE[ClassStream], T + 1, seed=0), "n: "),
        (lambda: GroupwiseRegression().run(rnd(5), 5, seed=0), "problem"),
        (lambda: AnhPairs().run(rnd(5), 5, seed=0), "problem"),
        (lambda: GroupwiseFinite(base="separator_ftpl").run(crossing(10), 10, seed=0), "problem"),
        (lambda: GroupwiseRegression(meta="single").run(NAPPING[RegressionStream], 5, seed=0), "meta"),
        (lambda: GroupwiseRegression(meta="single").stepwise(REGRESSION), "meta"),
        (lambda: GroupwiseRegression().stepwise(rnd(5)), "problem"),
        (lambda: GroupwiseRegression().stepwise(REGRESSION, seed=-1), "seed"),
        (lambda: GroupwiseRegression().stepwise(REGRESSION).update(0.5), "update"),
        (stepped(np.ones(4)), "predict"),
        (stepped(np.ones(5), np.ones(4), 0.5), "predict"),
        (stepped(np.ones(4), np.ones(4)), "x"),
        (stepped(np.full(5, np.nan), np.ones(4)), r"x\[0\]"),
        (stepped(np.ones(5), [1, 1, 2, 0]), r"awake\[2\]"),
        (stepped(np.ones(5), np.ones(3)), "awake"),
        (stepped(np.ones(5), np.ones(4), label=1.5), "y"),
        (stepped(np.ones(5), np.zeros(4), label=1.5), "y"),
    ],
)
def test_bad_input_is_named(make: Callable[[], Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        make()


@pytest.mark.parametrize("base", ["separator_ftpl", "path_ftpl"])
def test_more_draws_estimate_the_expected_loss(base: str) -> None:
    """Two samples of the same expected losses differ by no more than Hoeffding allows, and the larger one knows them better."""
    rng = np.random.default_rng(0)
    awake = np.ones((60, 2))
    if base == "path_ftpl":
        problem, make = PathStream(rng.random((60, 3, 2, 2)), awake), GroupwisePaths
    else:
        values = np.array([[h >> i & 1 for i in range(2)] for h in range(4)])
        problem, make = ClassStream(rng.random((60, 4)), awake, separator=values), GroupwiseFinite
    few, many = (make(base=base, draws=m).run(problem, 60, seed=seed, trace=True) for m, seed in ((50, 1), (2_000, 2)))
    allowed = problem.loss_scale * np.sqrt(60 * np.log(2 / statistics.LEVEL) / 2 * (1 / 50 + 1 / 2_000))
    assert np.all(np.abs(few["base_loss"][-1] - many["base_loss"][-1]) <= allowed)
    assert np.all(0 < many["draw_error"][-1]) and np.all(many["draw_error"][-1] < few["draw_error"][-1])
    assert np.all(few["draw_error"][-1] < allowed)
    assert "draw_error" not in make(base=base).run(problem, 60, seed=1, trace=True).curves


def test_draws_are_for_perturbed_leaders() -> None:
    for make in (GroupwiseFinite, GroupwisePaths):
        with pytest.raises(ValueError, match="draws"):
            make(draws=2)
    with pytest.raises(ValueError, match="draws"):
        GroupwisePaths(base="path_ftpl", draws=0)
