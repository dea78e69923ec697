"""The reduction's theorem and those of its baselines, certified: surely, for every group, non-vacuous."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from envs_synthetic.groupwise import adult, crossing, fair_coins, medical, paths, rnd, sign_flip, streak
from theoryrl.algorithms import AnhPairs, BlumLykouris, GroupwiseFinite, GroupwisePaths, GroupwiseRegression, MinimaxMW, SleepingExperts
from theoryrl.problems import Problem

pytestmark = pytest.mark.regret

Certify = Callable[..., Any]
PUBLISHED = {
    "THEORYRL_MEDICAL": "insurance.csv of B. Lantz, Machine Learning with R (also Kaggle's Medical Cost Personal Datasets)",
    "THEORYRL_ADULT": "adult.csv, the UCI Adult training split (doi:10.24432/C5XW20) with a header line",
}


def table(variable: str) -> str:
    """Return the path of a table that the user has, or skip."""
    path = os.environ.get(variable)
    if not path:
        pytest.skip(f"set {variable} to the path of {PUBLISHED[variable]}")
    return path


def sign_flips(seed: int) -> Problem:
    return sign_flip(5_000, seed)


def random_paths(seed: int) -> Problem:
    return paths(3_000, seed=seed)


def random_masks(seed: int) -> Problem:
    return rnd(2_000, seed)


def coins(seed: int) -> Problem:
    return fair_coins(2_000, 4, seed)


@pytest.mark.parametrize(
    "algorithm, problem, n, seeds",
    [
        (GroupwiseRegression(), sign_flips, 5_000, 60),
        (GroupwiseRegression(play="average"), sign_flips, 5_000, 20),
        (GroupwiseRegression(center=True), sign_flips, 5_000, 20),
        (GroupwiseRegression(base="ridge"), sign_flips, 5_000, 20),
        (GroupwiseRegression(meta="specialist_ew", play="average"), sign_flips, 5_000, 20),
        (GroupwiseFinite(), crossing(10_000), 10_000, 1),
        (GroupwisePaths(), random_paths, 3_000, 20),
        (GroupwisePaths(base="path_ftpl"), random_paths, 3_000, 20),
        (SleepingExperts(), random_masks, 2_000, 200),
        (SleepingExperts(), coins, 2_000, 200),
        (BlumLykouris(), crossing(10_000), 10_000, 1),
        (AnhPairs(), crossing(10_000), 10_000, 1),
        (MinimaxMW(), crossing(10_000), 10_000, 1),
    ],
    ids=lambda value: getattr(value, "__name__", repr(value)),
)
def test_theorem_is_not_vacuous(algorithm: Any, problem: Any, n: int, seeds: int, certified: Certify) -> None:
    certificate = certified(None, algorithm, problem, n, seeds)
    assert certificate.verdict == "not violated" and certificate.violations == 0
    assert certificate.vacuity < 1, "the bound of some group is vacuous"


@pytest.mark.parametrize("base", ["ogd", "vaw"])
def test_theorem_with_a_loose_or_a_tiny_part(base: str, certified: Certify) -> None:
    """Gradient descent's explicit constant is large, and 30 rounds are few: no violation, whatever the vacuity."""
    certificate = certified(None, GroupwiseRegression(base=base, radius=2.0), sign_flip(2_000 if base == "ogd" else 30, 0), 2_000 if base == "ogd" else 30, 1)
    assert certificate.verdict in ("not violated", "vacuous") and certificate.violations == 0


def test_theorem_is_tight_on_the_streak(certified: Certify) -> None:
    """Vacuous for the expert that always loses, whose regret cannot be positive; nearly an equality for the other."""
    certificate = certified(None, SleepingExperts(prior=(1 - 1e-8, 1e-8)), streak(400), 400, 1)
    assert certificate.violations == 0
    assert certificate.curves[0, -1] > 0.75 * certificate.bound[-1]


def test_theorem_says_where_it_does_not_apply(certified: Certify) -> None:
    certificate = certified(None, GroupwiseRegression(clip=False), sign_flip(100, 0), 100, 1)
    assert certificate.verdict == "not applicable" and certificate.failing[0].witness


def medical_orders(order: int) -> Problem:
    return medical(os.environ["THEORYRL_MEDICAL"], order)


def test_medical_costs_every_group(certified: Certify) -> None:
    """Clipped VAW on the medical table, ten row orders: the bound is below the largest regret for every group, also that of twenty rounds."""
    n = medical(table("THEORYRL_MEDICAL")).n_rounds
    certificate = certified(None, GroupwiseRegression(), medical_orders, n, 10)
    assert certificate.verdict == "not violated" and certificate.violations == 0 and certificate.vacuity < 1


@pytest.mark.parametrize("order", ["age", "charges"])
def test_medical_costs_sorted(order: str, certified: Certify) -> None:
    problem = medical(table("THEORYRL_MEDICAL"), order)
    assert certified(None, GroupwiseRegression(), problem, problem.n_rounds, 1).violations == 0


def test_adult(certified: Certify) -> None:
    problem = adult(table("THEORYRL_ADULT"))
    certificate = certified(None, GroupwiseRegression(), problem, 10_000, 1)
    assert certificate.verdict == "not violated" and certificate.violations == 0
