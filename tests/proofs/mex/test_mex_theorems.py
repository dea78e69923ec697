"""The regret theorems of MEX, certified: which bounds bite, which are vacuous, and where a theorem does not apply."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

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
from theoryrl.algorithms import MEX, MEXMG, DoublingMEX, MEXTabular
from theoryrl.problems import ModelClass, ValueClass

pytestmark = pytest.mark.regret

Certify = Callable[..., Any]
TINY, SMALL = random_mdp(2, 2, 2, 0), random_mdp(2, 3, 2, 0)
GAME, LONG_GAME = random_game(2, 2, 2, 2, 0), random_game(3, 2, 2, 2, 1)


@pytest.mark.parametrize(
    "algorithm, problem, n, seeds",
    [
        (MEX(treasure_class()), treasure(), 10_000, 200),
        (MEX(treasure_class(), gec="cellwise"), treasure(), 3_000, 200),
        (MEX(treasure_class(), explore="v"), treasure(), 10_000, 20),
        (MEX(lock_class(3, 0.1)), lock(3, 0.1), 10_000, 200),
        (MEX(lock_class(5, 0.05)), lock(5, 0.05), 100_000, 20),
        (MEX(closure_class(SMALL, 6, 0)), SMALL, 20_000, 20),
        (MEX(near_truth(SMALL, 6, 0)), SMALL, 20_000, 20),
        (DoublingMEX(MEX(treasure_class())), treasure(), 65_535, 20),
        (MEXMG(mg_trap_class()), mg_trap(), 30_000, 200),
        (MEXMG(random_models(LONG_GAME, 4, 0)), LONG_GAME, 3_000, 20),
    ],
    ids=repr,
)
def test_T11_T16_bound_is_not_vacuous(algorithm: Any, problem: Any, n: int, seeds: int, certified: Certify) -> None:
    """T11, T15, T16: the in-sample lemma, the losses of the truth and the bound, on instances where it is below the worst policy's regret."""
    certificate = certified(None, algorithm, problem, n, seeds)
    assert certificate.verdict == "not violated" and certificate.violations == 0 and certificate.vacuity < 1


def test_T16_full_tabular_class(certified: Certify) -> None:
    """T16: all tables, at the theory eta, the certified gaps included, at 10^5 episodes."""
    certificate = certified(None, MEXTabular(), TINY, 100_000, 10)
    assert certificate.verdict == "not violated" and certificate.violations == 0 and certificate.vacuity < 1


@pytest.mark.parametrize(
    "algorithm, problem, n, seeds",
    [
        (MEXTabular(variant="model-based"), TINY, 3_000, 8),
        (MEXTabular(variant="model-based"), random_mdp(3, 2, 2, 0), 1_000, 8),
        (MEXTabular(solver="exact"), random_mdp(3, 2, 2, 0), 1_000, 8),
        (MEXTabular(eta=0.1), SMALL, 2_000, 8),
        (MEXMG(mg_switch_class()), mg_switch(), 3_000, 20),
        (MEXMG(closure_class(GAME, 2, 0)), GAME, 1_000, 20),
        (MEXMG(near_truth(GAME, 2, 0)), GAME, 1_000, 20),
        (MEX(near_truth(random_mdp(3, 3, 2, 1), 4, 0), explore="v"), random_mdp(3, 3, 2, 1), 2_000, 20),
        (DoublingMEX(MEXTabular()), TINY, 2_000, 8),
        (DoublingMEX(MEXMG(mg_trap_class())), mg_trap(), 5_000, 20),
    ],
    ids=repr,
)
def test_T16_holds_whatever_its_vacuity(algorithm: Any, problem: Any, n: int, seeds: int, certified: Certify) -> None:
    """T16: every line of the proof, where the bound does not bite at a horizon that a test can afford."""
    certificate = certified(None, algorithm, problem, n, seeds)
    assert certificate.verdict in ("not violated", "vacuous") and certificate.violations == 0


def without_the_truth() -> ModelClass:
    return ModelClass(treasure_class().models[:4], name="treasure_class without the truth")


def incomplete() -> ValueClass:
    first, last = closure_class(SMALL, 6, 0).tables
    return ValueClass((first[:5], last), name="closure_class without some images")


@pytest.mark.parametrize(
    "algorithm, problem, witness",
    [
        (MEX(without_the_truth()), treasure(), "0.8"),
        (MEX(incomplete()), SMALL, "stage 0"),
        (DoublingMEX(MEX(without_the_truth())), treasure(), "0.8"),
        (MEXMG(ModelClass(mg_trap_class().models[1:])), mg_trap(), "0.9"),
    ],
    ids=repr,
)
def test_theorem_says_where_it_does_not_apply(algorithm: Any, problem: Any, witness: str, certified: Certify) -> None:
    """Realizability and completeness, each with its witness: the distance to the truth, and the image that is missing."""
    certificate = certified(None, algorithm, problem, 100, 1)
    assert certificate.verdict == "not applicable" and any(witness in assumption.witness for assumption in certificate.failing)
