"""GW-1 to GW-16 and GW-18 to GW-21 on the package itself.  (GW-17, the growth of the time of a round, is a benchmark: benchmarks/groupwise.py.)"""

from __future__ import annotations

from collections.abc import Callable

import groupwise_base_checks as base
import groupwise_meta_checks as meta
import groupwise_oracles as own
import groupwise_run_checks as runs
import pytest

from envs_synthetic.groupwise import SOURCES
from theoryrl.testing.world import original, world

pytestmark = pytest.mark.regret


@pytest.fixture(autouse=True)
def session_seed(regret_seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "FIRST_SEED", regret_seed)


def test_GW1_zero_sum_over_the_awake() -> None:
    """GW-1."""
    meta.check_GW1(original)


def test_GW1_interpreted() -> None:
    """GW-1, GW-4: the uncompiled twin, in which most mutants live."""
    twin = world()
    meta.check_GW1(twin)
    meta.check_GW4(twin)


def test_GW2_one_step_of_the_potential() -> None:
    """GW-2."""
    meta.check_GW2(original)


def test_GW3_drift() -> None:
    """GW-3."""
    meta.check_GW3(original)


def test_GW4_potential_below_certificate_below_B() -> None:
    """GW-4."""
    meta.check_GW4(original)


def test_GW5_theorem_A() -> None:
    """GW-5."""
    meta.check_GW5(original)


def test_GW6_identities_of_vaw_and_ridge() -> None:
    """GW-6."""
    base.check_GW6(original)


def test_GW7_own_regret_of_every_learner() -> None:
    """GW-7."""
    base.check_GW7(original)


def test_GW8_combined_theorem() -> None:
    """GW-8."""
    runs.check_GW8(original)


def test_GW9_the_mean_is_never_worse() -> None:
    """GW-9."""
    base.check_GW9(original)


def test_GW10_isolation_and_causality() -> None:
    """GW-10."""
    base.check_GW10(original)


def test_GW11_permuted_duplicate_and_sleeping_groups() -> None:
    """GW-11."""
    meta.check_GW11(original)


def test_GW12_dynamic_program_is_hedge_on_paths() -> None:
    """GW-12."""
    base.check_GW12(original)


def test_GW13_specialists() -> None:
    """GW-13."""
    base.check_GW13(original)


def test_GW14_baselines() -> None:
    """GW-14."""
    runs.check_GW14(original)


def test_GW15_growth() -> None:
    """GW-15."""
    meta.check_GW15(original)


def test_GW16_collinear_features() -> None:
    """GW-16."""
    base.check_GW16(original)


@pytest.mark.skipif(runs.MEDICAL is None, reason=f"THEORYRL_MEDICAL is not set, the path of {SOURCES['medical']}")
def test_GW18_published_medical_table() -> None:
    """GW-18."""
    runs.check_GW18(original)


def test_GW19_theorem_A_is_tight_on_streak() -> None:
    """GW-19."""
    meta.check_GW19(original)


def test_GW20_lines_of_the_proof() -> None:
    """GW-20."""
    runs.check_GW20(original)


def test_GW21_sampled_losses() -> None:
    """GW-21."""
    meta.check_GW21(original)


def test_scaled_losses_are_in_range() -> None:
    """The range check of M12."""
    meta.check_range(original)


def test_step_by_step_has_the_bits_of_a_run() -> None:
    """The step-wise learner that the adaptive adversaries of GW-1, GW-5 and GW-8 play against."""
    base.check_stepwise(original)


def test_search_for_violations(record_property: Callable[[str, object], None], capsys: pytest.CaptureFixture[str]) -> None:
    """No sequence that coordinate ascent finds exceeds a bound; how close it comes is recorded as the tightness of each."""
    best = runs.check_search(original)
    with capsys.disabled():
        print("\n  tightness, largest regret / bound found: " + ", ".join(f"{name}: {value:.4f}" for name, value in best.items()))
    for name, value in best.items():
        record_property(f"tightness of {name}", round(value, 4))
