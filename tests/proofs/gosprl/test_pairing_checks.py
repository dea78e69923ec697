"""G15 to G17 on the package itself: the pairings and adaptive rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gosprl_oracles as own
import pairing_checks as checks
import pytest

from envs_synthetic.baselines import river_swim_continuing
from envs_synthetic.gosprl import ring
from theoryrl.algorithms.gosprl import GOSPRL
from theoryrl.algorithms.gosprl.rules import GoalFree, Modest, Treasure
from theoryrl.proofs import certify
from theoryrl.proofs.gosprl import pairings
from theoryrl.testing.world import original, world

pytestmark = pytest.mark.regret


@pytest.fixture(autouse=True)
def session_seed(regret_seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "FIRST_SEED", regret_seed)


PARTS = (
    checks.check_numbers,
    checks.check_widths,
    checks.check_lemmas,
    checks.check_clipped,
    checks.check_discounted,
    checks.check_modest,
    checks.check_goal_free,
    checks.check_unknown_diameter,
    checks.check_theorems,
)


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_G15_pairings(part: Callable[[Any], None]) -> None:
    part(original)


def test_G15_adaptive_cost(record_property: pytest.RecordProperty) -> None:
    record_property("adaptive over fixed number of samples, RiverSwim-6 at .2 and .1", checks.check_adaptive_cost(original))


def test_G16_treasures() -> None:
    checks.check_G16(original)


def test_G17_changing_rules() -> None:
    checks.check_G17(original)


def test_G17_interpreted() -> None:
    checks.check_G17(world())


@pytest.mark.parametrize(
    ("rule", "theorem", "problem", "n"),
    [
        (Modest(0.2), pairings.theorem_modest, river_swim_continuing(6, "gosprl"), 10**6),
        (Modest(0.2, adaptive=True), pairings.theorem_modest, river_swim_continuing(6, "gosprl"), 10**6),
        (Treasure(0.1), pairings.theorem_treasure, river_swim_continuing(6, "gosprl"), 10**6),
        (GoalFree(2, 0.5, 4, 2), pairings.theorem_goal_free, ring(), 10**7),
    ],
    ids=str,
)
def test_certificates(rule: Any, theorem: Any, problem: Any, n: int) -> None:
    certificate = certify(GOSPRL(rule, delta=0.05), problem, n, seeds=range(20), theorem=theorem)
    assert certificate.verdict == "not violated", str(certificate)
