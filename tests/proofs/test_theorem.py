"""Lines, steps, events and whole chains: what counts as a violation and what does not."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from toys import UCB, UCB1, Bandit, EpsilonGreedy, Experts, Hedge, hedge_regret, ucb_regret

from theoryrl.algorithms import Run
from theoryrl.proofs import Assumption, Event, Line, Proof, registry, theorem, theorem_for

BANDIT = Bandit([0.5, 0.4, 0.1], name="three_arms()")
RUN = UCB().run(BANDIT, 100, seed=0, checkpoints=[10, 100], trace=True)


def chain(*values: Any, events: Sequence[Event] = (), **how: Any) -> Proof:
    """A proof at the checkpoints 10 and 100 whose steps all hold as `how` says; plain numbers are constant lines."""
    how = how or {"holds": "surely"}
    arrays = [np.full(2, float(value)) if np.ndim(value) == 0 else np.asarray(value) for value in values]
    lines = [Line(f"L{i}", "", value, **(how if i + 1 < len(arrays) else {})) for i, value in enumerate(arrays)]
    return Proof({"main": lines}, events, run=RUN)


# --- sure steps ---------------------------------------------------------------------------------------------------------


def test_a_sure_step_holds_or_is_named_with_its_worst_checkpoint() -> None:
    assert not chain(1, 2, 2).violations
    found = chain([1.0, 5.0], [2.0, 4.5]).violations
    assert [(v.chain, v.line, v.next_line, v.checkpoint, v.entry) for v in found] == [("main", "L0", "L1", 100, ())]
    assert found[0].excess == pytest.approx(0.5, rel=1e-9)


def test_round_off_grows_with_the_terms_and_the_line() -> None:
    eps = np.finfo(float).eps
    for line, terms in ((1.0, 10), (1e6, 10), (1.0, 10**6)):
        allowed = 4 * eps * (terms + 8) * (1 + line)
        for factor, broken in ((0.9, False), (1.2, True)):
            lines = [Line("L0", "", np.full(2, line * (1 + factor * allowed / line)), "surely", terms=terms), Line("L1", "", np.full(2, line))]
            assert bool(Proof({"main": lines}, run=RUN).violations) is broken, (line, terms, factor)


def test_an_equality_is_checked_both_ways() -> None:
    assert not chain(1, 1, holds="surely", equality=True).violations
    assert chain(1, 2, holds="surely", equality=True).violations and chain(2, 1, holds="surely", equality=True).violations


def test_a_nan_makes_no_claim() -> None:
    assert not chain([np.nan, 1.0], [0.0, 2.0]).violations and not chain([5.0, 1.0], [np.nan, 2.0]).violations
    assert chain([np.nan, 3.0], [0.0, 2.0]).violations


def test_infinite_lines_are_compared() -> None:
    assert not chain(1, np.inf).violations and not chain(np.inf, np.inf).violations and not chain(-np.inf, 1).violations
    assert not chain(np.inf, np.inf, holds="surely", equality=True).violations
    assert chain(np.inf, 1).violations and chain(1, -np.inf).violations
    assert chain(1, np.inf, holds="surely", equality=True).violations


def test_trailing_axes_are_compared_entry_by_entry() -> None:
    first = np.array([[1.0, 1.0, 1.0], [1.0, 9.0, 1.0]])
    found = chain(first, np.full((2, 1), 2.0)).violations
    assert [(v.checkpoint, v.entry) for v in found] == [(100, (1,))]
    assert not chain(first, np.array([2.0, 9.0])[:, None]).violations


def test_a_certified_gap_is_allowed_and_no_more() -> None:
    for gap in (0.5, np.array([0.0, 0.5])):
        assert not chain([1.0, 2.4], 2, holds="surely", gap=gap).violations
        assert chain([1.0, 2.6], 2, holds="surely", gap=gap).violations
    assert chain([2.4, 1.0], 2, holds="surely", gap=np.array([0.0, 0.5])).violations


# --- events -------------------------------------------------------------------------------------------------------------


def test_a_step_on_an_event_is_checked_where_the_event_held() -> None:
    assert chain(2, 1, on="E", events=[Event("E", 0.1, True)]).violations
    assert not chain(2, 1, on="E", events=[Event("E", 0.1, False)]).violations
    both = [Event("E", 0.1, True), Event("F", 0.1, False)]
    assert not chain(2, 1, on=("E", "F"), events=both).violations


def test_an_event_that_nobody_observed_fails_with_its_step() -> None:
    assert chain(1, 2, on="E", events=[Event("E", 0.1)]).held == {"E": True}
    failed = chain(2, 1, on="E", events=[Event("E", 0.1)])
    assert failed.held == {"E": False} and not failed.violations


def test_an_observed_event_is_not_blamed_for_an_unobserved_one() -> None:
    proof = chain(2, 1, on=("E", "F"), events=[Event("E", 0.1, True), Event("F", 0.1)])
    assert proof.held == {"E": True, "F": False}
    proof = chain(2, 1, on=("E", "F"), events=[Event("E", 0.1, False), Event("F", 0.1)])
    assert proof.held == {"E": False, "F": True}


# --- whole chains -------------------------------------------------------------------------------------------------------


def test_the_first_line_is_compared_with_the_last_if_all_events_held() -> None:
    """NaN in the middle line hides both steps, not the claim."""
    found = chain(2, np.nan, 1).violations
    assert [(v.line, v.next_line) for v in found] == [("L0", "L2")]
    lost = chain(2, np.nan, 1, on="E", events=[Event("E", 0.1, False)])
    assert not lost.violations


def test_a_chain_with_a_step_in_expectation_makes_no_sure_claim() -> None:
    assert not chain(2, 1.5, 1, holds="in expectation", difference=(-1, 1)).violations


def test_gaps_add_up_along_a_chain() -> None:
    assert not chain(1.0, 0.6, 0.2, holds="surely", gap=0.41).violations
    assert len(chain(1.0, np.nan, 0.1, holds="surely", gap=0.41).violations) == 1


def test_side_conditions_are_chains_of_their_own() -> None:
    proof = Proof({"main": [Line("L0", "", np.ones(2), "surely"), Line("L1", "", np.ones(2))], "side": list(chain(3, 2).chains["main"])}, run=RUN)
    assert [v.chain for v in proof.violations] == ["side"]


# --- lines and theorems -------------------------------------------------------------------------------------------------


def test_how_a_step_holds_in_words() -> None:
    assert [Line("", "", 1, "surely").how, Line("", "", 1, on="E").how, Line("", "", 1, on=("E", "F")).how, Line("", "", 1).how] == [
        "surely", "on E", "on E, F", None,
    ]  # fmt: skip


def test_a_line_holds_in_one_way() -> None:
    with pytest.raises(ValueError, match="line L0: a step holds 'surely' or on"):
        Line("L0", "", 1, "surely", on="E")
    with pytest.raises(ValueError, match="line L0: a step in expectation needs the range"):
        Line("L0", "", 1, "in expectation")


def test_a_proof_is_evaluated_printed_and_bounded() -> None:
    proof = ucb_regret.proof(RUN)
    assert not proof.violations and proof.held == {"E": True}
    np.testing.assert_array_equal(proof.bound, proof.chains["regret"][-1].value)
    text = str(proof)
    for part in ("Theorem U (textbook)", "on E", "optimism", "pigeonhole", "event E (held; fails with probability at most 0.05)", "largest possible value"):
        assert part in text
    assert "VIOLATED" not in text and "VIOLATED: main L0 <= L1 at 10" in str(chain(2, 1))


def test_the_sure_toy_holds_against_every_expert() -> None:
    run = Hedge().run(Experts(np.random.default_rng(1).random((200, 3))), 200, seed=0, trace=True)
    assert not run.proof().violations and run.proof().theorem is hedge_regret
    assert "(entry [" in str(run.proof())


def test_an_untraced_run_is_run_again_and_says_so() -> None:
    plain = UCB().run(BANDIT, 100, seed=0, checkpoints=[10, 100])
    proof = plain.proof()
    assert "re-run with trace=True" in proof.note and proof.note in str(proof)
    np.testing.assert_array_equal(proof.bound, RUN.proof().bound)
    with pytest.raises(ValueError, match="run: the proof needs a run with trace=True"):
        ucb_regret.proof(plain)
    with pytest.raises(ValueError, match="neither traced nor finished"):
        dataclasses.replace(plain, steps=10).proof()


def test_a_theorem_is_about_its_algorithm_and_variant() -> None:
    with pytest.raises(ValueError, match="theorem: Theorem H is about Hedge, not about UCB"):
        RUN.proof(hedge_regret)
    assert ucb_regret.is_about(UCB()) and not ucb_regret.is_about(UCB1())


@pytest.fixture
def _registry() -> Any:
    before = list(registry)
    yield
    registry[:] = before


@dataclasses.dataclass(frozen=True)
class Variants(EpsilonGreedy):
    variant: str = "a"


@pytest.mark.usefixtures("_registry")
def test_variants_choose_their_theorem() -> None:
    registry[:] = []
    made = {v: theorem(for_=Variants, id=v, paper="toys", source="", variants=(v,))(lambda run: Proof({})) for v in "ab"}
    assert theorem_for(Variants()) is made["a"] and theorem_for(Variants(variant="b")) is made["b"]
    with pytest.raises(ValueError, match=r"theorem: no theorem is registered for Variants\(.*'c'\); pass one of: toys a \(Theorem a\), toys b"):
        theorem_for(Variants(variant="c"))


@pytest.mark.usefixtures("_registry")
def test_several_theorems_are_listed_and_one_registered_again_replaces_itself() -> None:
    for _ in range(2):
        again = theorem(for_=UCB, id="V", paper="toys", source="", name="Another")(lambda run: Proof({}))
    assert registry.count(again) == 1 and [t.id for t in registry].count("V") == 1
    with pytest.raises(ValueError, match=r"several theorems are registered for UCB\(delta=0.05\); pass one of: .*Another"):
        theorem_for(UCB())


@pytest.mark.usefixtures("_registry")
def test_assumptions_and_badly_shaped_proofs_are_named() -> None:
    def make(proof: Proof, **rest: Any) -> Any:
        return theorem(for_=UCB, id="V", paper="toys", source="", **rest)(lambda run: proof)

    bad = make(Proof({}), assumptions=lambda a, p, n: [Assumption("two arms", False, "3 arms"), Assumption("true", True)])
    with pytest.raises(ValueError, match=r"Theorem V does not apply: two arms \(3 arms\)"):
        RUN.proof(bad)
    for value in (1.0, np.ones(3)):
        with pytest.raises(ValueError, match="main L0: expected one value for each of 2 checkpoints"):
            RUN.proof(make(Proof({"main": [Line("L0", "", value)]})))
    with pytest.raises(ValueError, match=r"main L0: holds on \['E'\], which the proof does not list"):
        RUN.proof(make(chain(1, 2, on="E")))


def test_the_run_type_is_what_a_proof_remembers() -> None:
    assert isinstance(RUN.proof().run, Run) and repr(ucb_regret) == "<Theorem toys U: Theorem U>"
