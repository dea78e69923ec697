"""T1-T8, T21, T25 and the grid of T22: the list oracles, in floats and in exact rational arithmetic."""

from __future__ import annotations

import oracle_checks as checks
import pytest

from theoryrl.testing.world import original, world

pytestmark = pytest.mark.regret


def test_T1_oracles_agree() -> None:
    checks.check_T1(original)


def test_T2_lists_reproduce_their_value() -> None:
    checks.check_T2(original)


def test_T3_interchange() -> None:
    checks.check_T3(original)


def test_T4_telescoping_variance_elimination() -> None:
    checks.check_T4(original)


def test_T5_nested_and_concave() -> None:
    checks.check_T5(original)


def test_T6_box_oracle_is_the_best_vertex() -> None:
    checks.check_T6(original)


def test_T7_monotone_optimum_only_with_the_empty_list() -> None:
    checks.check_T7(original)


def test_T8_planning_is_planning_in_the_flattened_mdp() -> None:
    checks.check_T8(original)


def test_T21_pessimistic_value_is_the_least_vertex() -> None:
    checks.check_T21(original)


def test_T22_the_optimum_is_monotone_on_the_grid() -> None:
    checks.check_T22_grid(world())


def test_T25_every_best_set_extends() -> None:
    checks.check_T25(world())


@pytest.mark.parametrize("name", ["T1", "T2", "T3", "T4", "T5", "T6", "T7", "T21"])
def test_exactly(name: str) -> None:
    """The same claims on fractions, with no tolerance."""
    getattr(checks, f"check_{name}")(world())
