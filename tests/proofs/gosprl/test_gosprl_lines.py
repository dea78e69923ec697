"""The theorem about GOSPRL on single runs: prefixes, rules, degenerate cases, the trace's bits, assumptions and events."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from envs_synthetic.baselines import river_swim_continuing
from envs_synthetic.gosprl import lock_chain, only, two
from theoryrl.algorithms.gosprl import GOSPRL
from theoryrl.algorithms.gosprl.gosprl_theory import time_bound
from theoryrl.problems import ContinuingMDP
from theoryrl.proofs.gosprl import theorem_gosprl
from theoryrl.testing.world import world

RIVER, LOCK = river_swim_continuing(6, "gosprl"), lock_chain(5)
KINDS = ("l1", "bernstein", "both")


class Rounds:
    """All pairs alike: 3 samples, then 7, then 20: every state comes back among the goals."""

    def levels(self, n_states: int, n_actions: int) -> np.ndarray:
        return np.array([3, 7, 20])

    def requirements(self, N: np.ndarray) -> np.ndarray:
        least = N.sum(axis=-1).min()
        return np.full(N.shape[:2], 3 if least < 3 else 7 if least < 7 else 20)


class Restless:
    """4 samples of each pair, and now and then one more of the pairs of some state: goals that come and go at any step; a function of the counts of one run."""

    def __init__(self) -> None:
        self.b = np.zeros(0)

    def __call__(self, N: np.ndarray) -> np.ndarray:
        n = N.sum(axis=-1)
        t = int(n.sum())
        if t == 0:
            self.b = np.full(n.shape, 4)
        if t < 800 and t % 3 == 0:
            s = t // 5 % len(n)
            self.b[s] = n[s] + 1
        return self.b.copy()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("replan", ["lazy", "always"])
def test_prefixes(kind: str, replan: str) -> None:
    """At each of the first 150 steps of a run and at its end, and the last line is the time bound's."""
    algorithm = GOSPRL(2, confidence=kind, replan=replan)
    for problem in (RIVER, LOCK, two(0.3)):
        end = algorithm.run(problem, 10**6, seed=3).steps
        proof = theorem_gosprl.proof(algorithm.run(problem, end, seed=3, trace=True, checkpoints=range(1, min(end, 151))))
        assert not proof.violations and all(proof.held.values())
        bound = (1 - 0.02) * (time_bound(algorithm, problem) - 2 * problem.n_states * problem.n_actions)
        assert proof.bound == pytest.approx(bound) and proof.chains["time"][1].value == pytest.approx(time_bound(algorithm, problem))
        assert [list(lines)[-1].id for name, lines in proof.chains.items() if name in ("l1", "bernstein")] == ["L10"] * (1 + (kind == "both"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rule", [Rounds, Restless])
def test_rules(rule: Any, kind: str) -> None:
    cut = 0
    for problem in (RIVER, LOCK):
        for replan in ("lazy", "always"):
            run = GOSPRL(rule(), confidence=kind, replan=replan).run(problem, 50_000, seed=1, trace=True)
            proof = theorem_gosprl.proof(run)
            assert run.stopped and not proof.violations and all(proof.held.values())
            assert run["goal_changes"][-1] == run["changes"][-1] >= problem.n_states
            cut += run["cut_episodes"][-1]
    assert (cut > 0) == (rule is Restless)


def test_counts_of_the_trace_are_the_runs() -> None:
    run = GOSPRL(30, confidence="both").run(RIVER, 10**6, seed=0, trace=True)
    assert np.array_equal(run.state["true_next"], run.state["transitions"])
    for mine, theirs in (("true_travel", "travel"), ("true_sampling", "sampling"), ("true_episodes", "episodes"), ("true_plans", "plans")):
        assert np.array_equal(run[mine], run[theirs])


def test_nothing_to_travel() -> None:
    for algorithm, problem, steps in ((GOSPRL(5), ContinuingMDP(np.ones((1, 2, 1))), 10), (GOSPRL(0), RIVER, 0)):
        proof = theorem_gosprl.proof(algorithm.run(problem, 100, seed=0, trace=True))
        assert not proof.violations and proof.chains["time"][1].value[-1] == steps and not proof.events


@pytest.mark.parametrize("kind", KINDS)
def test_interpreted_and_compiled_traces_have_the_same_bits(kind: str) -> None:
    other = world()
    runs = []
    for learner, problem in ((GOSPRL, ContinuingMDP), (other("theoryrl.algorithms.gosprl").GOSPRL, other("theoryrl.problems").ContinuingMDP)):
        runs.append(learner(5, confidence=kind).run(problem(RIVER.transition), 10**5, seed=2, trace=True))
    for name, curve in runs[0].curves.items():
        assert np.array_equal(curve, runs[1][name]), name


def test_other_truths_break_the_event() -> None:
    """A trace that is given another model than the one that is run sees it outside the sets."""
    tracing = world()("theoryrl.algorithms.gosprl.gosprl_trace")
    algorithm, wrong = GOSPRL(400, confidence="both"), two(0.5)
    run = algorithm.run(two(0.2), 10**5, seed=0, trace="raw")
    trace = tracing.Record(*(tracing.start(wrong, algorithm)[field] for field in tracing.Record._fields))
    constants = tracing.numbers(algorithm, wrong)
    for s, s_next in zip(run.state["raw_states"], run.state["raw_next"], strict=True):
        tracing.count(s, s_next, trace, constants)
    true = {name: float(run[name][-1]) for name in tracing.MAXIMA[:2]}
    for name, found, limit in zip(tracing.MAXIMA[:2], trace.maxima[:2], (constants.l1_log - 2 * np.log(2), constants.bernstein_log), strict=True):
        assert true[name] <= limit < found


def test_trivial_lines() -> None:
    lock = lock_chain(12)
    proof = theorem_gosprl.proof(GOSPRL(only(lock, 11, 50)).run(lock, 10**5, seed=0, trace=True))
    assert proof.trivial == pytest.approx(0.98 * (409_500 - 50), rel=1e-9)
    for requirement, problem in ((5, two(0.2)), (Rounds(), LOCK), (Restless(), LOCK)):
        assert theorem_gosprl.proof(GOSPRL(requirement).run(problem, 10**5, seed=0, trace=True)).trivial is None


def test_where_the_theorem_does_not_apply() -> None:
    (failing,) = theorem_gosprl.failing(GOSPRL(1), ContinuingMDP(np.eye(2)[:, None]), 10)
    assert failing.name == "the MDP is communicating" and failing.witness == "from state 0 no policy surely reaches state 1"
    (failing,) = theorem_gosprl.failing(GOSPRL(1, scale=0.5), RIVER, 10)
    assert failing.name == "the confidence radii are the theorem's" and failing.witness == "scale=0.5"
    with pytest.raises(ValueError, match="scale: the bound is about scale=1"):
        time_bound(GOSPRL(1, scale=0.5), RIVER)
    assert theorem_gosprl.bound is not None and np.isnan(theorem_gosprl.bound(GOSPRL(Restless()), RIVER, 10, np.array([5, 10]))).all()
