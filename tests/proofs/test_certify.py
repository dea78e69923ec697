"""Certificates: the four verdicts, their witnesses, and what many seeds can and cannot show."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from toys import UCB, UCB1, Bandit, EpsilonGreedy, Experts, Hedge, epsilon_greedy_is_sublinear, ucb_regret

from theoryrl.algorithms import Algorithm, Run
from theoryrl.proofs import Assumption, Certificate, Event, Line, Proof, certify, registry, statistics, theorem

BANDIT = Bandit([0.9, 0.1], name="two_arms()")


@pytest.fixture(autouse=True)
def _registry() -> Iterator[None]:
    before = list(registry)
    yield
    registry[:] = before


@dataclasses.dataclass(frozen=True)
class Coin(Algorithm):
    """One number per seed, in [0, 1), and its mean `claim` for theorems to be right or wrong about."""

    claim: float = 0.5
    axes: tuple[int, ...] = ()

    def start(self, problem: Any, n: int, rng: np.random.Generator) -> dict[str, Any]:
        return {"x": rng.random(self.axes)}

    def advance(self, problem: Any, state: dict[str, Any], k: int, trace: Any) -> int:
        return k

    def measure(self, problem: Any, state: dict[str, Any], trace: Any) -> dict[str, Any]:
        return {"x": state["x"]}


def coin_theorem(**how: Any) -> Any:
    """The coin's value is at most its claim, in the way given."""

    def prove(run: Run) -> Proof:
        claim = np.full_like(run["x"], run.algorithm.claim)
        event = [Event(e, 0.05, how.get("held")) for e in how.get("on", ())]
        rest = {key: value for key, value in how.items() if key != "held"}
        return Proof({"main": [Line("L0", "x", run["x"], **rest), Line("L1", "claim", claim)]}, event)

    return theorem(for_=Coin, id="coin", paper="toys", source="test")(prove)


# --- verdicts -----------------------------------------------------------------------------------------------------------


def test_not_violated_states_what_it_shows() -> None:
    certificate = certify(UCB(), BANDIT, 5000, seeds=range(8))
    assert certificate.verdict == "not violated" and certificate.violations == 0 and certificate.theorem is ucb_regret
    assert certificate.vacuity is not None and certificate.vacuity < 1
    text = str(certificate)
    assert "no violation in 8 seeds shows only a rate of violating seeds below 0.31 at 5 %" in text and "event E: 0 of 8 seeds failed" in text
    assert repr(certificate) == "<Certificate Theorem U, two_arms(), n=5,000, 8 seeds: not violated>"
    assert certificate.exponent is not None and certificate.exponent[1] <= certificate.exponent[0] <= certificate.exponent[2] < 1


def test_twenty_clean_seeds_leave_fourteen_percent() -> None:
    assert certify(Coin(claim=1.0), BANDIT, 1, seeds=range(20), theorem=coin_theorem(holds="surely")).failure_rate_bound == pytest.approx(0.14, abs=5e-3)


def test_a_vacuous_pass_is_called_vacuous() -> None:
    certificate = certify(UCB(), BANDIT, 20, seeds=range(3))
    assert certificate.verdict == "vacuous" and certificate.vacuity is not None and certificate.vacuity >= 1
    assert certificate.nonvacuous_from is None and "never below one" in str(certificate)


def test_the_first_checkpoint_that_is_not_vacuous() -> None:
    certificate = certify(UCB(), BANDIT, 5000, seeds=range(3))
    assert certificate.bound is not None and certificate.trivial is not None and certificate.checkpoints is not None
    below = certificate.checkpoints[certificate.bound < certificate.trivial]
    assert certificate.nonvacuous_from == below[0] and np.all(np.diff(np.flatnonzero(certificate.bound < certificate.trivial)) == 1)


def test_a_false_theorem_is_violated_once_there_are_seeds_enough() -> None:
    many = certify(EpsilonGreedy(), BANDIT, 2000, seeds=range(7))
    assert many.verdict == "violated" and many.theorem is epsilon_greedy_is_sublinear
    assert many.events[0].failures == 7 and many.events[0].rejected and not many.events[0].observed
    assert "event E failed on 7 of 7 seeds, too many for 0.05" in str(many)
    assert certify(EpsilonGreedy(), BANDIT, 2000, seeds=range(6)).verdict != "violated", "six seeds cannot reject probability .05"


def test_one_violation_of_a_sure_step_is_enough_and_names_the_seed() -> None:
    certificate = certify(Coin(claim=0.9), BANDIT, 1, seeds=range(40), theorem=coin_theorem(holds="surely"))
    expected = [seed for seed in range(40) if Coin().run(BANDIT, 1, seed=seed)["x"][0] > 0.9]
    assert certificate.verdict == "violated" and [text.split(":")[0] for text in certificate.broken] == [f"seed {seed}" for seed in expected]
    assert certificate.chains[0].lines[0].max_violation == pytest.approx(max(Coin().run(BANDIT, 1, seed=s)["x"][0] for s in expected) - 0.9, rel=1e-6)


def test_a_step_on_an_event_that_held_is_sure() -> None:
    assert certify(Coin(claim=0.9), BANDIT, 1, seeds=range(40), theorem=coin_theorem(on=("E",), held=True)).verdict == "violated"


def test_not_applicable_carries_the_witness_and_runs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Coin, "advance", lambda *_: pytest.fail("it ran"))
    theorem(
        for_=Coin, id="coin", paper="toys", source="test", assumptions=lambda a, p, n: [Assumption("three arms", len(p.means) == 3, f"{len(p.means)} arms")]
    )(lambda run: Proof({}))
    certificate = certify(Coin(), BANDIT, 10, seeds=range(3))
    assert certificate.verdict == "not applicable" and [a.witness for a in certificate.failing] == ["2 arms"]
    assert "assumption fails: three arms: 2 arms" in str(certificate)


def test_vacuity_that_is_not_stated() -> None:
    certificate = certify(Coin(claim=1.0), BANDIT, 1, seeds=[0], theorem=coin_theorem(holds="surely"))
    assert certificate.vacuity is None and certificate.verdict == "not violated" and "vacuity: not stated" in str(certificate)


# --- expectations -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("claim", "verdict"), [(0.6, "not violated"), (0.2, "violated")])
def test_a_mean_is_tested_over_seeds(claim: float, verdict: str) -> None:
    made = coin_theorem(holds="in expectation", difference=(-claim, 1 - claim))
    assert certify(Coin(claim=claim), BANDIT, 1, seeds=range(100), theorem=made).verdict == verdict
    assert statistics.seeds_to_see_mean(0.5 - 0.2, 0.0, -0.2, 0.8) < 100


@pytest.mark.parametrize(("claim", "verdict"), [(0.5, "not violated"), (0.9, "violated")])
def test_an_equality_in_expectation_is_tested_both_ways(claim: float, verdict: str) -> None:
    made = coin_theorem(holds="in expectation", equality=True, difference=(-claim, 1 - claim))
    assert certify(Coin(claim=claim), BANDIT, 1, seeds=range(100), theorem=made).verdict == verdict


def test_ranges_in_expectation_are_read_entry_by_entry() -> None:
    """An entry of range one is rejected though another entry's range is too wide to see anything."""
    ranges = (np.array([[-0.2, -1e6]]), np.array([[0.8, 1e6]]))
    made = coin_theorem(holds="in expectation", difference=ranges)
    assert certify(Coin(claim=0.2, axes=(2,)), BANDIT, 1, seeds=range(100), theorem=made).verdict == "violated"


def test_the_toy_in_expectation_passes() -> None:
    assert certify(UCB1(), BANDIT, 200, seeds=range(5)).violations == 0


# --- trailing axes, priors, stopping ------------------------------------------------------------------------------------


def test_trailing_axes_are_shown_at_the_closest_entry() -> None:
    experts = Experts(np.random.default_rng(0).random((1000, 4)))
    certificate = certify(Hedge(), experts, 1000, seeds=[0])
    assert certificate.verdict == "not violated" and certificate.curves is not None
    np.testing.assert_allclose(certificate.curves[0, -1], Hedge().run(experts, 1000, seed=0).regret[-1].max())


def test_a_prior_gives_each_seed_its_instance() -> None:
    seen: list[Run] = []

    def prior(seed: int) -> Bandit:
        return Bandit([0.5, 0.1 * seed])

    certificate = certify(UCB(), prior, 50, seeds=[1, 2, 3], progress=seen.append)
    assert [run.problem.means[1] for run in seen] == pytest.approx([0.1, 0.2, 0.3]) and certificate.instance == "prior"


def test_ctrl_c_keeps_the_seeds_that_had_finished() -> None:
    def interrupt(run: Run) -> None:
        if run.seed == 2:
            raise KeyboardInterrupt

    certificate = certify(UCB(), BANDIT, 50, seeds=range(6), progress=interrupt, jobs=1)
    assert certificate.interrupted and certificate.seeds == (0, 1, 2) and "interrupted" in str(certificate)


def test_ctrl_c_before_the_first_seed_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: Any) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(UCB, "advance", stop)
    with pytest.raises(KeyboardInterrupt):
        certify(UCB(), BANDIT, 50, seeds=[0], jobs=1)


# --- bad input ----------------------------------------------------------------------------------------------------------


def test_none_or_several_theorems_are_listed() -> None:
    with pytest.raises(ValueError, match=r"theorem: no theorem is registered for Coin\(.*; pass one of: .*toys U \(Theorem U\)"):
        certify(Coin(), BANDIT, 1, seeds=[0])
    theorem(for_=UCB, id="V", paper="toys", source="test")(lambda run: Proof({}))
    with pytest.raises(ValueError, match=r"several theorems are registered for UCB.*toys U \(Theorem U\), toys V \(Theorem V\)"):
        certify(UCB(), BANDIT, 1, seeds=[0])
    assert isinstance(certify(UCB(), BANDIT, 10, seeds=[0], theorem=ucb_regret), Certificate)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "n: expected an integer in"),
        ({"seeds": []}, "seeds: expected at least one seed and no repetition"),
        ({"seeds": [1, 2, 1]}, "seeds: expected at least one seed and no repetition"),
        ({"seeds": [-1]}, "seeds: expected an integer in"),
        ({"theorem": epsilon_greedy_is_sublinear}, "theorem: Theorem false is about EpsilonGreedy, not about UCB"),
    ],
)
def test_bad_input_is_named(arguments: dict[str, Any], message: str) -> None:
    call = {"n": 10, "seeds": [0]} | arguments
    with pytest.raises(ValueError, match=message):
        certify(UCB(), BANDIT, call.pop("n"), **call)


def test_the_tests_that_were_performed_are_counted() -> None:
    before = statistics.performed
    assert certify(UCB(), BANDIT, 50, seeds=[0]).statistical_checks == statistics.performed - before == 1
