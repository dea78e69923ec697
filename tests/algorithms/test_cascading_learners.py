"""The learners of Cascading RL: the same bits however a run is made, sensible baselines, named errors."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from interruptions import run_interrupted

from envs_synthetic.cascading import cascading_bandit, hidden_gem, myopic_trap, noclick_trap, random_cascade
from theoryrl.algorithms import (
    AdaptVI,
    Algorithm,
    CascadingBPI,
    CascadingVI,
    CascadingVIBonus,
    CascadingVIOracle,
    GreedyCascade,
    MyopicCascade,
    Run,
    run_many,
)
from theoryrl.planning import best_perm_box
from theoryrl.problems import CascadingMDP
from theoryrl.testing.strategies import cascading_mdps
from theoryrl.testing.world import world

LEARNERS = [
    CascadingVI(),
    CascadingVI(variant="explicit-kl", replan="geometric"),
    CascadingVI(variant="paper", oracle="bestperm"),
    CascadingVI(fallback="literal"),
    CascadingVIOracle(),
    CascadingVIBonus(),
    CascadingBPI(epsilon=0.01),
    MyopicCascade(),
    GreedyCascade(),
    AdaptVI(),
]
SMALL = random_cascade(3, 4, 2, 3, 0)
each_learner = pytest.mark.parametrize("learner", LEARNERS, ids=repr)


def bits(run: Run) -> dict[str, bytes]:
    """Everything that a run determines: curves and state, the generator and the traced part aside."""
    traced = {*run.curves} - {"regret", "replans", "upper_value", "policy_value"}
    arrays = {name: value for name, value in run.curves.items() if name not in traced}
    arrays |= {name: run.state[name] for name in ("n_q", "clicks", "n_next", "list_next", "lists", "V_bar", "V_pi") if name in run.state}
    return {name: np.asarray(value).tobytes() for name, value in arrays.items()} | {"rng": repr(run.state["rng"].bit_generator.state).encode()}


@each_learner
def test_tracing_changes_nothing(learner: Algorithm) -> None:
    plain, traced, raw = (learner.run(SMALL, 300, seed=5, trace=trace) for trace in (False, True, "raw"))
    assert bits(plain) == bits(traced) == bits(raw)


@each_learner
def test_checkpoints_change_nothing(learner: Algorithm) -> None:
    default = learner.run(SMALL, 300, seed=5)
    every = learner.run(SMALL, 300, seed=5, checkpoints=range(1, 301))
    assert bits(dataclasses.replace(every, curves={name: curve[default.checkpoints - 1] for name, curve in every.curves.items()})) == bits(default)


@each_learner
def test_saved_and_resumed_runs_have_the_same_bits(learner: Algorithm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = learner.run(SMALL, 300, seed=5, trace=True)
    file = tmp_path / "a.run"
    finished = run_interrupted(learner, SMALL, 300, seed=5, file=file, monkeypatch=monkeypatch)
    assert bits(finished) == bits(whole) == bits(Run.load(file))


def test_threads_and_processes_have_the_same_bits() -> None:
    alone = [bits(CascadingVI().run(SMALL, 200, seed=seed)) for seed in range(4)]
    for backend, jobs in (("threads", 1), ("threads", 2), ("processes", 2)):
        together = run_many(CascadingVI(), SMALL, 200, seeds=range(4), backend=backend, jobs=jobs)
        assert [bits(run) for run in together] == alone, (backend, jobs)


@each_learner
def test_uncompiled_world_has_the_same_bits(learner: Algorithm) -> None:
    naive = world()
    problem = naive("envs_synthetic.cascading").random_cascade(3, 4, 2, 3, 0)
    twin = getattr(naive("theoryrl.algorithms.cascading"), type(learner).__name__)(**vars(learner))
    ours, theirs = learner.run(SMALL, 40, seed=2, trace=True), twin.run(problem, 40, seed=2, trace=True)
    assert bits(ours) == bits(theirs)
    for name, curve in ours.curves.items():
        assert np.array_equal(curve, theirs[name]), name


@settings(deadline=None, max_examples=60, derandomize=True)
@given(cascading_mdps())
def test_any_instance_runs(problem: CascadingMDP) -> None:
    """Values stay in [0, H], no policy beats V*, and the bookkeeping adds up, whatever the instance."""
    for learner in (CascadingVI(), CascadingVI(variant="paper", replan="geometric"), CascadingBPI(epsilon=0.5), AdaptVI(), GreedyCascade()):
        run = learner.run(problem, 30, seed=1, trace=True)
        assert run.regret[-1] >= -1e-9
        assert np.all(run.state["V_bar"] <= problem.horizon + 1e-9) and np.all(run.state["V_bar"] >= -1e-9)
        if "n_p" in run.state:
            assert run.state["n_p"].sum() == run.steps * problem.horizon


def test_oracles_agree_on_the_value_of_the_same_plan() -> None:
    """Under ties the lists may differ (and so the trajectories): the plan's value may not."""
    run = CascadingVI().run(random_cascade(4, 5, 3, 2, 1), 50, seed=0)
    state, r = run.state, run.problem.reward
    for s in range(4):
        values = [best_perm_box(state["lower"][s], state["upper"][s], r[s, :-1], r[s, -1], 3, method).value for method in ("greedy", "dp", "enumerate")]
        assert np.ptp(values) <= 1e-12 and abs(values[0] - state["V_bar"][1, s]) <= 1e-12


def test_single_state_kl_is_cascade_kl_ucb() -> None:
    """At S = H = 1 with kl intervals each plan shows the m items of largest kl upper bound: CascadeKL-UCB with a fixed log term."""
    run = CascadingVI(variant="explicit-kl").run(cascading_bandit(6, 3), 500, seed=0)
    shown = set(run.output[0, 0])
    upper = run.state["upper"][0]
    assert min(upper[sorted(shown)]) >= max(upper[a] for a in range(6) if a not in shown) - 1e-12


def test_baselines_fail_where_they_should() -> None:
    """On myopic_trap a learner that looks for the immediate reward, or never explores, loses linearly; CascadingVI does not."""
    n = 20_000
    regrets = {type(a).__name__: a.run(myopic_trap(), n, seed=1).regret for a in (CascadingVI(), MyopicCascade(), GreedyCascade())}
    assert regrets["CascadingVI"][-1] < 100
    assert regrets["MyopicCascade"][-1] > 0.3 * n and regrets["GreedyCascade"][-1] > 0.3 * n


def test_bpi_stops_with_a_good_policy() -> None:
    run = CascadingBPI(epsilon=0.5).run(hidden_gem(), 10**6, seed=0)
    assert run.stopped and run.steps < 10_000 and run.output.shape == (2, 2, 1)
    assert hidden_gem().optimal_value - run["policy_value"][-1] <= 0.5
    assert CascadingBPI(epsilon=3).run(hidden_gem(), 10, seed=0).steps == 0, "tau = 0: the first plan is before any episode"


def test_starts_may_change_from_episode_to_episode() -> None:
    problem = dataclasses.replace(hidden_gem(), start=np.arange(50) % 2, name="")
    run = CascadingVI().run(problem, 50, seed=0)
    gaps = problem.optimal_values[0, problem.start] - problem.worst_values[0, problem.start]
    assert 0 < run.regret[-1] <= gaps.sum()
    with pytest.raises(ValueError, match="start lists 50 episodes"):
        CascadingVI().run(problem, 51, seed=0)
    with pytest.raises(ValueError, match="one start state"):
        CascadingBPI().run(problem, 50, seed=0)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: CascadingVI(delta=0), "delta"),
        (lambda: CascadingVI(delta=1), "delta"),
        (lambda: CascadingVI(delta=float("nan")), "delta"),
        (lambda: CascadingVI(delta="x"), "delta"),
        (lambda: CascadingVI(variant="euler"), "variant"),
        (lambda: CascadingVI(replan="never"), "replan"),
        (lambda: CascadingVI(eta=0), "eta"),
        (lambda: CascadingVI(oracle="dp"), "oracle"),
        (lambda: CascadingVI(fallback="none"), "fallback"),
        (lambda: CascadingVI(log_term="x"), "log_term"),
        (lambda: CascadingVI(alpha_q=1.0), "alpha_q"),
        (lambda: CascadingVI(variant="paper", beta_p=-1), "beta_p"),
        (lambda: CascadingBPI(epsilon=0), "epsilon"),
        (lambda: CascadingVIBonus(delta=2), "delta"),
        (lambda: MyopicCascade(delta=2), "delta"),
        (lambda: AdaptVI(delta=2), "delta"),
        (lambda: CascadingVI().run(hidden_gem(), 0, seed=0), "n: "),
        (lambda: CascadingVI().run(hidden_gem(), 10, seed=-1), "seed"),
        (lambda: CascadingVI().run(hidden_gem(), 10, seed=0, checkpoints=[11]), "checkpoints"),
        (lambda: CascadingVI().run(hidden_gem(), 10, seed=0, trace="all"), "trace"),
        (lambda: CascadingVI().run(hidden_gem(), 10, seed=0, file="/nowhere/a.run"), "file"),
        (lambda: CascadingVI().run("hidden_gem", 10, seed=0), "problem"),
    ],
)
def test_bad_input_is_named(make: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_literal_rule_differs_only_where_nothing_is_worth_a_click() -> None:
    literal, box = (CascadingVI(fallback=f).run(noclick_trap(), 3_000, seed=0) for f in ("literal", "box"))
    assert literal.regret[-1] != box.regret[-1]
    assert CascadingVI(fallback="literal").run(myopic_trap(), 500, seed=0).regret[-1] == CascadingVI().run(myopic_trap(), 500, seed=0).regret[-1]
