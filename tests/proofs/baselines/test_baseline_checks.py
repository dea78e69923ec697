"""T1 to T5 and T7 to T16 on the package itself.  (T6, the certificates, is test_baseline_theorems.py.)"""

from __future__ import annotations

import baseline_math_checks as mathematics
import baseline_oracles as own
import baseline_run_checks as checks
import pytest
import ucrl2_checks as average

from theoryrl.testing.world import original, world

pytestmark = pytest.mark.regret


@pytest.fixture(autouse=True)
def session_seed(regret_seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "FIRST_SEED", regret_seed)


def test_T1_optimism_of_ucbvi() -> None:
    checks.check_T1(original)


def test_T2_bonus_of_every_pair_and_stage() -> None:
    checks.check_T2(original)


def test_T3_bernstein_bonus_is_monotone_and_covers() -> None:
    mathematics.check_T3(original)


def test_T4_lines_of_ucbvi() -> None:
    checks.check_T4(original)


def test_T5_pigeonholes() -> None:
    mathematics.check_T5(original)


def test_T7_weights_of_q_learning() -> None:
    mathematics.check_T7(original)


def test_T8_q_learning_unrolled() -> None:
    checks.check_T8(original)


def test_T9_optimism_and_lines_of_q_learning() -> None:
    checks.check_T9(original)


def test_T10_posterior_is_calibrated() -> None:
    checks.check_T10(original)


def test_T11_lines_of_psrl() -> None:
    checks.check_T11(original)


def test_T12_plans_of_ucrl2_are_in_their_sets() -> None:
    average.check_T12(original)


def test_T13_phases_and_optimism_of_ucrl2() -> None:
    average.check_T13(original)


def test_T14_lines_of_ucrl2() -> None:
    average.check_T14(original)


def test_T15_cut_saved_and_continued() -> None:
    checks.check_T15(original)


def test_T16_inner_maximum_is_that_of_a_linear_program() -> None:
    average.check_T16(original)


@pytest.mark.parametrize("name", ["T1", "T2", "T4", "T8", "T12", "T13", "T14"])
def test_interpreted(name: str) -> None:
    """The uncompiled twin, in which most mutants live, passes the checks that must kill them."""
    getattr(average if hasattr(average, f"check_{name}") else checks, f"check_{name}")(world())
