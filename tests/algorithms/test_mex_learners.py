"""MEX over finite classes, MEX-MG and DoublingMEX: the same bits however a run is made; hard classes and edge cases; named errors."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.optimize
from interruptions import run_interrupted

from envs_synthetic.mex import (
    closure_class,
    lock,
    lock_class,
    mg_switch,
    mg_switch_class,
    mg_trap,
    mg_trap_class,
    near_truth,
    random_game,
    random_mdp,
    random_models,
    treasure,
    treasure_class,
)
from theoryrl.algorithms import Algorithm, Run, run_many
from theoryrl.algorithms.mex import MEX, MEXMG, DoublingMEX, MEXTabular, finite, game
from theoryrl.algorithms.mex.constants import C_MODEL, C_VALUE
from theoryrl.complexity.gec import Gec
from theoryrl.problems import EpisodicMDP, MarkovGame, ModelClass, ValueClass
from theoryrl.proofs import certify, theorem_for
from theoryrl.testing.world import world

N = 150
MDP, GAME = random_mdp(2, 3, 2, 0), random_game(2, 2, 2, 2, 0)
NEAR, TRAP, SWITCH = near_truth(MDP, 3), mg_trap_class(), mg_switch_class()
MODELS, TABLES = MEX(lock_class()), MEX(NEAR)
CASES: list[tuple[Algorithm, Any]] = [
    (MODELS, lock()),
    (MEX(treasure_class(3), eta=0.05), treasure(3)),
    (MEX(random_models(MDP, 4), gec="cellwise"), MDP),
    (MEX(lock_class(), explore="v"), lock()),
    (TABLES, MDP),
    (MEX(NEAR, eta=3.0), MDP),
    (MEX(closure_class(lock(), 2), gec="cellwise"), lock()),
    (MEX(NEAR, explore="v"), MDP),
    (MEXMG(TRAP), mg_trap()),
    (MEXMG(random_models(GAME, 3), eta=0.5), GAME),
    (MEXMG(SWITCH), mg_switch()),
    (MEXMG(near_truth(GAME, 2), eta=1.0), GAME),
    (DoublingMEX(MODELS), lock()),
    (DoublingMEX(MEX(NEAR, explore="v")), MDP),
    (DoublingMEX(MEXMG(TRAP)), mg_trap()),
    (DoublingMEX(MEXMG(SWITCH)), mg_switch()),
]
ANYTIME = [case for case in CASES if case[0].anytime]
OF_THE_TRACE = {"sums", "maxima", "D", "truth_loss", "fit", "d", "true_n", "true_next", "reach", "joint"}


def each(cases: list[tuple[Algorithm, Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("learner", "problem"), cases, ids=lambda part: repr(part)[:60])


def decided(state: dict[str, Any]) -> dict[str, Any]:
    """The part of a state that decisions are made from: no trace, but the generator."""
    found: dict[str, Any] = {}
    traced = OF_THE_TRACE if "true_n" in state else OF_THE_TRACE | {"n", "n_next"}  # in games the exploiter decides by counts
    for name, value in state.items():
        if name == "inner":
            found |= decided(value)
        elif name == "rng":
            found["rng"] = repr(value.bit_generator.state)
        elif name != "curves" and name not in traced and not name.startswith("raw"):
            found[name] = np.asarray(value).tobytes()
    return found


def bits(run: Run) -> dict[str, Any]:
    return decided(run.state) | {"regret": run.regret.tobytes()}


def same_curves(one: Run, other: Run) -> None:
    assert set(one.curves) == set(other.curves)
    for name, curve in one.curves.items():
        assert curve.tobytes() == other[name].tobytes(), name


@each(CASES)
def test_tracing_changes_nothing(learner: Algorithm, problem: Any) -> None:
    plain, traced, raw = (learner.run(problem, N, seed=5, trace=trace) for trace in (False, True, "raw"))
    assert bits(plain) == bits(traced) == bits(raw)
    same_curves(traced, raw)
    assert set(plain.curves) == {"regret"} and "rng" in bits(plain)


@each(CASES)
def test_checkpoints_change_nothing(learner: Algorithm, problem: Any) -> None:
    default = learner.run(problem, N, seed=5, trace=True)
    every = learner.run(problem, N, seed=5, trace=True, checkpoints=range(1, N + 1))
    same_curves(dataclasses.replace(every, curves={name: curve[default.checkpoints - 1] for name, curve in every.curves.items()}), default)
    assert decided(every.state) == decided(default.state)
    assert np.all(np.diff(every.regret, prepend=0) >= -1e-14)


@each(CASES)
def test_saved_and_resumed_runs_have_the_same_bits(learner: Algorithm, problem: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = learner.run(problem, N, seed=5, trace=True)
    file = tmp_path / "a.run"
    finished = run_interrupted(learner, problem, N, seed=5, file=file, monkeypatch=monkeypatch)
    assert bits(finished) == bits(whole) == bits(Run.load(file))
    same_curves(finished, whole)


@each(ANYTIME)
def test_n_then_n_more_are_2n(learner: Algorithm, problem: Any) -> None:
    for n in (1, 3, 50):
        longer = learner.run(problem, n, seed=5, trace=True).proceed(n)
        whole = learner.run(problem, 2 * n, seed=5, trace=True, checkpoints=longer.checkpoints)
        assert bits(longer) == bits(whole)
        same_curves(longer, whole)


@each([case for case in CASES if not case[0].anytime])
def test_learners_tuned_to_their_horizon_refuse_to_go_on(learner: Algorithm, problem: Any) -> None:
    with pytest.raises(ValueError, match=r"more: MEX.* is tuned to its horizon n=3"):
        learner.run(problem, 3, seed=5).proceed(1)


@pytest.mark.parametrize(("learner", "problem"), [CASES[0], CASES[11], CASES[13]], ids=["models", "game", "doubling"])
def test_threads_have_the_same_bits(learner: Algorithm, problem: Any) -> None:
    alone = [bits(learner.run(problem, N, seed=seed)) for seed in range(3)]
    assert [bits(run) for run in run_many(learner, problem, N, seeds=range(3), jobs=2)] == alone


def twin(value: Any, naive: Any) -> Any:
    """The same object, made by the classes of another world."""
    if isinstance(value, (Algorithm, EpisodicMDP, MarkovGame, ModelClass, ValueClass)):
        home = "theoryrl.algorithms.mex" if isinstance(value, Algorithm) else "theoryrl.problems"
        fields = {field.name: twin(getattr(value, field.name), naive) for field in dataclasses.fields(value) if field.name != "name"}  # type: ignore[arg-type]
        return getattr(naive(home), type(value).__name__)(**fields)
    return value


@each(CASES)
def test_uncompiled_world_has_the_same_bits(learner: Algorithm, problem: Any) -> None:
    naive, n = world(), 20
    ours = learner.run(problem, n, seed=2, trace="raw")
    theirs = twin(learner, naive).run(twin(problem, naive), n, seed=2, trace="raw")
    assert bits(ours) == bits(theirs)
    same_curves(ours, theirs)
    for name, value in ours.state.get("inner", ours.state).items():
        if name.startswith("raw"):
            assert np.array_equal(value, theirs.state.get("inner", theirs.state)[name]), name


@each(CASES)
def test_raw_arrays_and_counts_tell_the_same(learner: Algorithm, problem: Any) -> None:
    """Paths are possible and connected, the regret is that of the recorded hypotheses, the learner's loss that of the recorded samples."""
    if isinstance(learner, DoublingMEX):
        return
    run = learner.run(problem, N, seed=4, trace="raw", checkpoints=range(1, N + 1))
    states, actions, following = (run.state[name] for name in ("raw_states", "raw_actions", "raw_next"))
    stages = np.broadcast_to(np.arange(problem.horizon), states.shape)
    responses = (run.state["raw_responses"],) if isinstance(learner, MEXMG) else ()
    assert np.all(problem.stage_transition[(stages, states, actions, *responses, following)] > 0)
    assert np.all(states[:, 0] == problem.start)
    assert getattr(learner, "explore", "q") == "v" or np.array_equal(states[:, 1:], following[:, :-1])
    assert np.all(run["feel_good_excess"] <= 1e-11) if isinstance(learner, MEX) else True
    if learner.variant == "model-based":  # type: ignore[attr-defined]
        models = learner.hypotheses.models  # type: ignore[attr-defined]
        chances = models[(slice(None), stages, states, actions, *responses, following)]
        with np.errstate(divide="ignore"):
            assert np.allclose(run.state["loss"], -np.log(chances).sum(axis=(1, 2)), rtol=1e-12, atol=1e-12)


def test_each_kernel_has_one_signature() -> None:
    """However a problem was given, and traced or not: a second signature doubles the time to compile."""
    for learner, problem in CASES:
        learner.run(problem, 2, seed=0, trace=True)
    for kernel in (finite.play_models, finite.play_values, game.play_models, game.play_values):
        assert len(kernel.signatures) == 1, kernel.py_func.__qualname__  # type: ignore[attr-defined]


# --- what the learners are tuned to


def test_theory_eta_and_bound() -> None:
    for learner, problem in CASES[:12]:
        constants = learner.constants(problem, 1000)  # type: ignore[attr-defined]
        c, beta, (d, b) = constants.c, constants.beta, dataclasses.astuple(constants.gec)
        assert c == (C_MODEL if learner.variant == "model-based" else C_VALUE)  # type: ignore[attr-defined]
        assert constants.eta(1000) == pytest.approx(math.sqrt(d / (4 * c * 1000 * beta)), rel=1e-14)
        assert constants.bound(1000) == pytest.approx(constants.eta(1000) * 1000 * beta + d / (4 * c * constants.eta(1000)) + b, rel=1e-12)
        state = learner.start(problem, 1000, np.random.default_rng(0))
        assert float(state["eta"]) == (constants.eta(1000) if learner.eta is None else learner.eta)  # type: ignore[attr-defined]


def test_constants_are_those_of_the_specification() -> None:
    constants = MODELS.constants(lock(), 10_000)
    assert constants.beta == pytest.approx(2 * 3 * math.log(3 * 8 / 0.05), rel=1e-14)
    assert MODELS.constants(lock(), 10_000).bound(10_000) == pytest.approx(4911, abs=0.5)  # section 9 of specs/mex.md
    treasures = [MEX(treasure_class()).constants(treasure(), n).bound(n) for n in (1_000, 10_000, 100_000)]
    assert treasures == pytest.approx([1038, 3762, 13277], abs=0.5)
    assert MEX(treasure_class(), gec="cellwise").constants(treasure(), 1_000).bound(1_000) == pytest.approx(829, abs=0.5)
    v, q = MEX(lock_class(), explore="v").constants(lock(), 10), MODELS.constants(lock(), 10)
    assert v.gec == Gec(q.gec.d, q.gec.b / 2) and v.beta == q.beta


def test_doubling_epochs() -> None:
    learner = DoublingMEX(MODELS)
    deltas = [learner.epoch(i).delta for i in range(2000)]
    assert deltas[0] == pytest.approx(6 / math.pi**2 * 0.05) and 0.0499 < sum(deltas) < 0.05
    run = learner.run(lock(), 11, seed=0, trace=True, checkpoints=range(1, 12))
    steps = run["epoch_steps"]
    assert steps[0, :2].tolist() == [1, 0] and steps[-1, :5].tolist() == [1, 2, 4, 4, 0]
    assert np.array_equal(steps.sum(axis=1), run.checkpoints)
    assert np.abs(run["epoch_regret"].sum(axis=1) - run.regret).max() <= 1e-15 * run.regret[-1]
    assert float(run.state["inner"]["eta"]) == learner.epoch(3).constants(lock(), 8).eta(8)
    assert int(run.state["inner"]["episode"][0]) == 4  # the data of earlier epochs are dropped
    assert repr(learner) == f"DoublingMEX({MODELS!r})" and learner.anytime and learner.unit == "episodes"


def test_vtype_roll_ins_choose_uniformly_at_the_last_stage() -> None:
    """Row k, column h is the stage-h sample of roll-in h: the states follow the policy, the actions are uniform."""
    n = 4000
    run = MEX(lock_class(), explore="v").run(lock(), n, seed=0, trace="raw")
    share = run.state["raw_actions"].mean(axis=0)
    assert np.all(np.abs(share - 0.5) <= math.sqrt(math.log(2 / 1e-9) / (2 * n)))
    assert run.state["n"].sum() == 3 * n


# --- classes that do not fit, or fit badly


def assumption_fails(learner: Algorithm, problem: Any, name: str, witness: str) -> None:
    """The run runs, its curves have no NaN, and the theorem says why it does not apply."""
    run = learner.run(problem, 30, seed=0, trace=True)
    assert not any(np.isnan(curve).any() for curve in run.curves.values())
    failed = {a.name: a.witness for a in theorem_for(learner).assumptions(learner, problem, 30) if not a.holds}  # type: ignore[misc]
    assert name in failed and witness in failed[name]
    assert certify(learner, problem, 30, seeds=range(2)).verdict == "not applicable"


def test_a_class_without_the_truth() -> None:
    locks = ModelClass(lock_class().models[[0, 1]])
    assumption_fails(MEX(locks), lock(), "the truth is in the class", "the closest hypothesis is 0.8 away")
    assumption_fails(DoublingMEX(MEX(locks)), lock(), "the truth is in the class", "0.8 away")
    assumption_fails(MEXMG(ModelClass(TRAP.models[1:])), mg_trap(), "the truth is in the class", "0.9 away")
    shifted = ValueClass([np.maximum(table - 0.25, 0) for table in NEAR.tables])
    assumption_fails(MEX(shifted), MDP, "the truth is in the class", "away")


def test_an_incomplete_class() -> None:
    first, last = NEAR.tables
    assumption_fails(MEX(ValueClass([first[:1], last])), MDP, "the class is complete", "stage 0: the image of table")
    assumption_fails(MEXMG(ValueClass([SWITCH.tables[0][:1], SWITCH.tables[1]])), mg_switch(), "the class is complete", "under the strategy of table")
    complete = theorem_for(TABLES).assumptions(TABLES, MDP, 30)
    assert [a.name for a in complete if a.holds] == ["the truth is in the class", "the class is complete"]


def coin(chances: list[float]) -> tuple[EpisodicMDP, ModelClass]:
    """Heads (state 1) pays at the second stage; the models differ in the chance of heads, and the first is the truth."""
    models = np.zeros((len(chances), 2, 3, 1, 3))
    models[:, :, 1:, :, 0] = models[:, 1, 0, :, 0] = 1
    models[:, 0, 0, 0, 1], models[:, 0, 0, 0, 2] = chances, 1 - np.array(chances)
    return EpisodicMDP(models[0], [[[0], [0], [0]], [[0], [1], [0]]], 2), ModelClass(models)


@pytest.mark.parametrize("eta", [None, 1e-100, 1e100])
def test_a_model_that_excludes_what_happened_is_never_chosen_again(eta: float | None) -> None:
    problem, hypotheses = coin([0.5, 1.0, 0.5 + 1e-9])
    learner = MEX(hypotheses, eta=eta)
    for seed in range(5):
        run = learner.run(problem, 40, seed=seed, trace="raw", checkpoints=range(1, 41))
        chosen, tails = run.state["raw_hypothesis"][:, 0], run.state["raw_next"][:, 0] == 2
        first = int(np.argmax(tails))
        assert tails.any() and np.all(chosen[: first + 1] == 1) and np.all(chosen[first + 1 :] != 1)
        assert run.state["loss"][1] == np.inf and np.all(np.isinf(run.state["raw_loss"][first + 1 :, 1]))
        assert not np.isnan(run.state["raw_loss"]).any()
        assert all(np.all(np.isfinite(curve)) for curve in run.curves.values())
        assert not run.proof().violations


def test_every_model_excluded() -> None:
    """No truth in the class, and all of it refuted: the learner goes on, and nothing is NaN."""
    problem, _ = coin([0.5])
    _, certain = coin([1.0, 0.0])
    for eta in (None, 2.0):
        run = MEX(certain, eta=eta).run(problem, 60, seed=0, trace=True)
        assert np.all(np.isinf(run.state["loss"])) and np.all(run.regret == 0)
        assert not any(np.isnan(curve).any() for curve in run.curves.values())


def test_a_game_model_that_excludes_what_happened() -> None:
    truth = random_game(2, 2, 2, 2, 0)
    sure = np.eye(2)[np.argmax(truth.stage_transition, axis=-1)]
    learner = MEXMG(ModelClass(np.stack([sure, truth.stage_transition])), eta=0.01)
    run = learner.run(truth, 60, seed=0, trace="raw", checkpoints=range(1, 61))
    refuted = np.isinf(run.state["raw_loss"][:, 0])
    assert refuted.any() and not np.isnan(run.state["raw_loss"]).any()
    assert np.all(run.state["raw_main"][refuted] == 1) and np.all(run.state["raw_exploiter"][refuted] == 1)
    assert all(np.all(np.isfinite(curve)) for curve in run.curves.values()) and not run.proof().violations


def test_a_game_whose_programme_is_not_solved(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = random_game(2, 2, 2, 2, 8)
    hypotheses = random_models(problem, 1, 8)
    monkeypatch.setattr(scipy.optimize, "linprog", lambda *arguments, **options: SimpleNamespace(x=None, success=False, message="no luck"))
    with pytest.raises(ValueError, match="payoff: the linear programme of a 2 x 2 game was not solved: no luck"):
        MEXMG(hypotheses).run(problem, 5, seed=0)


# --- the smallest problems


def classes(problem: EpisodicMDP | MarkovGame) -> list[Any]:
    """Both kinds, with distractors and the truth alone."""
    return [random_models(problem, 2), random_models(problem, 0), closure_class(problem, 2), closure_class(problem, 0)]


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 2, 3), (2, 1, 2), (3, 2, 1), (3, 1, 1)])
def test_small_problems(shape: tuple[int, int, int]) -> None:
    problem = random_mdp(*shape, 0)
    for hypotheses in classes(problem):
        for learner in (MEX(hypotheses), MEX(hypotheses, explore="v"), MEX(hypotheses, gec="cellwise"), DoublingMEX(MEX(hypotheses))):
            for n in (1, 2, 20):
                run = learner.run(problem, n, seed=1, trace=True)
                assert all(np.all(np.isfinite(curve[..., :1])) for curve in run.curves.values())
                assert not run.proof().violations
                assert -1e-12 <= run.regret[-1] <= n * (problem.optimal_value - problem.worst_value) + 1e-12


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (1, 2, 2, 2), (2, 1, 1, 2), (2, 2, 2, 1), (2, 1, 2, 2)])
def test_small_games(shape: tuple[int, int, int, int]) -> None:
    problem = random_game(*shape, 0)
    for hypotheses in classes(problem):
        for learner in (MEXMG(hypotheses), DoublingMEX(MEXMG(hypotheses))):
            for n in (1, 2, 20):
                run = learner.run(problem, n, seed=1, trace=True)
                assert not run.proof().violations
                assert -1e-12 <= run.regret[-1] <= n * (problem.value - problem.worst_guarantee) + 1e-12


def test_the_truth_alone_has_no_regret() -> None:
    for learner, problem in ((MEX(random_models(MDP, 0)), MDP), (MEX(closure_class(MDP, 0)), MDP)):
        assert abs(learner.run(problem, 50, seed=0).regret[-1]) <= 1e-13
    assert abs(MEXMG(random_models(GAME, 0)).run(GAME, 50, seed=0).regret[-1]) <= 50 * 1e-9


def test_nothing_to_learn() -> None:
    """One stage and known rewards: d = 0 and eta = 0 for models, even when one of them is refuted; beta = 0 for the truth alone."""
    problem = random_mdp(1, 3, 2, 0)
    sure = np.zeros((1, 1, 3, 2, 3))
    sure[..., 0] = 1
    hypotheses = ModelClass(np.concatenate([sure, problem.stage_transition[None]]))
    for gec in ("uniform", "cellwise"):
        learner = MEX(hypotheses, gec=gec)
        constants = learner.constants(problem, 50)
        assert constants.gec.d == constants.gec.b == constants.bound(50) == 0 and constants.eta(50) == 0
        run = learner.run(problem, 50, seed=0, trace="raw")
        assert float(run.state["eta"]) == 0 and run.regret[-1] == 0 and run.state["loss"][0] == np.inf
        assert run.state["raw_hypothesis"][0] == 0 and run.state["raw_hypothesis"][-1] == 1
        assert all(np.all(np.isfinite(curve)) for curve in run.curves.values()) and not run.proof().violations
    alone = MEX(closure_class(problem, 0))
    assert alone.constants(problem, 50).beta == 0 and alone.constants(problem, 50).eta(50) == 1 and alone.run(problem, 50, seed=0).regret[-1] == 0


# --- errors


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: MEX(NEAR, delta=0), ValueError, r"delta: expected a number in \(0, 1\), got 0"),
        (lambda: MEX(NEAR, delta=1.0), ValueError, r"delta: .*got 1.0"),
        (lambda: MEX(NEAR, delta=float("nan")), ValueError, "delta: .*got nan"),
        (lambda: MEX(NEAR, delta="small"), TypeError, "delta: expected a real number, got str 'small'"),
        (lambda: MEX(NEAR, eta=0), ValueError, r"eta: expected a number in \(0, inf\), got 0"),
        (lambda: MEX(NEAR, eta=-1), ValueError, "eta: .*got -1"),
        (lambda: MEX(NEAR, eta=math.inf), ValueError, "eta: .*got inf"),
        (lambda: MEX(NEAR, eta=True), TypeError, "eta: expected a real number, got bool True"),
        (lambda: MEX(NEAR, explore="vtype"), ValueError, "explore: expected one of 'q', 'v', got 'vtype'"),
        (lambda: MEX(NEAR, gec="sharp"), ValueError, "gec: expected one of 'uniform', 'cellwise', got 'sharp'"),
        (lambda: MEX(NEAR, explore="v", gec="cellwise"), ValueError, 'gec: expected "uniform" with explore="v"'),
        (lambda: MEX(NEAR.tables), TypeError, "hypotheses: expected a ModelClass or a ValueClass, got tuple"),  # type: ignore[arg-type]
        (lambda: MEXMG(MDP), TypeError, "hypotheses: expected a ModelClass or a ValueClass, got EpisodicMDP"),  # type: ignore[arg-type]
        (lambda: MEXMG(TRAP, delta=1), ValueError, r"delta: expected a number in \(0, 1\), got 1"),
        (lambda: MEXMG(TRAP, eta=0.0), ValueError, "eta: .*got 0"),
        (lambda: DoublingMEX(MEX(NEAR, eta=0.1)), ValueError, "algorithm: expected eta=None .*got eta=0.1"),
        (lambda: DoublingMEX(MEXTabular(eta=0.1)), ValueError, "algorithm: expected eta=None"),
        (lambda: DoublingMEX(MEXMG(TRAP, eta=0.1)), ValueError, "algorithm: expected eta=None"),
        (lambda: DoublingMEX(DoublingMEX(MODELS)), TypeError, "algorithm: expected a MEX, MEXTabular or MEXMG, got DoublingMEX"),
        (lambda: DoublingMEX(MEX), TypeError, "algorithm: expected a MEX, MEXTabular or MEXMG, got "),
        (lambda: MODELS.run(MDP, 5, seed=0), ValueError, r"hypotheses: expected a class about problems of shape \(2, 3, 2\), got \(3, 2, 2\)"),
        (lambda: TABLES.run(lock(), 5, seed=0), ValueError, r"hypotheses: .*of shape \(3, 2, 2\), got \(2, 3, 2\)"),
        (lambda: MEX(TRAP).run(MDP, 5, seed=0), ValueError, r"hypotheses: .*of shape \(2, 3, 2\), got \(2, 3, 2, 2\)"),
        (lambda: MEXMG(NEAR).run(GAME, 5, seed=0), ValueError, r"hypotheses: .*of shape \(2, 2, 2, 2\), got \(2, 3, 2\)"),
        (lambda: MEXMG(TRAP).run(GAME, 5, seed=0), ValueError, r"hypotheses: .*of shape \(2, 2, 2, 2\), got \(2, 3, 2, 2\)"),
        (lambda: DoublingMEX(MODELS).run(MDP, 5, seed=0), ValueError, r"hypotheses: .*of shape \(2, 3, 2\), got \(3, 2, 2\)"),
        (lambda: MODELS.constants(MDP, 5), ValueError, "hypotheses: expected a class about problems of shape"),
        (lambda: MODELS.run(mg_trap(), 5, seed=0), TypeError, "problem: expected an EpisodicMDP, got MarkovGame"),
        (lambda: MEXMG(TRAP).run(MDP, 5, seed=0), TypeError, "problem: expected a MarkovGame, got EpisodicMDP"),
        (lambda: DoublingMEX(MEXMG(TRAP)).run(MDP, 5, seed=0), TypeError, "problem: expected a MarkovGame, got EpisodicMDP"),
        (lambda: MODELS.run(lock(), 0, seed=0), ValueError, "n: .*got 0"),
    ],
)
def test_bad_arguments_are_named(make: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_tables_above_the_steps_to_go_are_refused() -> None:
    first, last = (np.array(table) for table in NEAR.tables)
    last[1, 2, 0] = 1.5
    with pytest.raises(ValueError, match=r"hypotheses: tables\[1\]: expected entries in \[0, 1\] \(the steps to go\), got 1.5"):
        MEX(ValueClass([first, last])).run(MDP, 5, seed=0)
    last[1, 2, 0], first[0, 0, 0] = 1.0, 2.0
    MEX(ValueClass([first, last])).run(MDP, 5, seed=0)
    first[0, 0, 0] = 2.0001
    with pytest.raises(ValueError, match=r"hypotheses: tables\[0\]: expected entries in \[0, 2\]"):
        MEX(ValueClass([first, last])).run(MDP, 5, seed=0)
    games = [np.full((1, 2, 2, 2), 2.0), np.full((1, 2, 2, 2), 1.25)]
    with pytest.raises(ValueError, match=r"hypotheses: tables\[1\]: expected entries in \[0, 1\]"):
        MEXMG(ValueClass(games)).run(GAME, 5, seed=0)


def test_variants_and_equality() -> None:
    assert (MODELS.variant, TABLES.variant, MEXMG(TRAP).variant, MEXMG(SWITCH).variant) == ("model-based", "model-free", "model-based", "model-free")
    assert MEX(lock_class()) == MODELS != MEX(lock_class(), delta=0.1) and DoublingMEX(MEX(lock_class())) == DoublingMEX(MODELS)
    assert repr(MODELS) == "MEX(hypotheses=lock_class(H=3, slip=0.1))"
