"""G1 to G14 and G18 on the package itself.  (G15 to G17, the pairings and adaptive rules, are test_pairing_checks.py.)"""

from __future__ import annotations

import gosprl_oracles as own
import gosprl_planning_checks as planning
import gosprl_run_checks as runs
import numpy as np
import pytest

from theoryrl.testing.world import original, world

pytestmark = pytest.mark.regret
same_runs = pytest.mark.xdist_group("gosprl")  # G6, G7 and G10 judge the same runs: one worker makes them once


@pytest.fixture(autouse=True)
def session_seed(regret_seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "FIRST_SEED", regret_seed)


def test_G1_sampling_masks_and_plans() -> None:
    runs.check_G1(original)


def test_G2_inner_problems_are_linear_programs() -> None:
    planning.check_G2(original)


def test_G3_bernstein_intervals() -> None:
    planning.check_G3(original)


def test_G4_width() -> None:
    planning.check_G4(original)


def test_G5_extended_value_iteration() -> None:
    planning.check_G5(original)


@same_runs
def test_G6_optimism() -> None:
    runs.check_G6(original)


@same_runs
def test_G7_truth_is_in_the_sets() -> None:
    runs.check_G7(original)


def test_G8_counts_and_doublings() -> None:
    runs.check_G8(original)


def test_G9_lines_from_raw_transitions() -> None:
    runs.check_G9(original)


@same_runs
def test_G10_lines_and_events() -> None:
    runs.check_G10(original)


def test_G11_time_bound() -> None:
    runs.check_G11(original)


def test_G12_lower_bound() -> None:
    planning.check_G12(original)


def test_G12_mean_times_are_reported(record_property: pytest.RecordProperty) -> None:
    """The learner's mean time over 200 runs beside the linear program, which bounds the mean of an endless sample only."""
    for P, b in ((own.river_swim(6), np.full((6, 2), 10)), (own.lock(8), np.full((8, 2), 10))):
        problem = own.continuing(original, P, 0, "case")
        times = [runs.learner(original, b).run(problem, 10**6, seed=own.FIRST_SEED + seed).steps for seed in range(200)]
        record_property("mean time and linear program", (float(np.mean(times)), own.programme(P, b, 0)))


def test_G13_number_of_plans() -> None:
    runs.check_G13(original)


def test_G14_two_states() -> None:
    runs.check_G14(original)


def test_G18_diameters() -> None:
    planning.check_G18(original)


@pytest.mark.parametrize("name", ["G1", "G5", "G9"])
def test_interpreted(name: str) -> None:
    """The uncompiled twin, in which most mutants live, passes the checks that must kill them."""
    getattr(planning if hasattr(planning, f"check_{name}") else runs, f"check_{name}")(world())
