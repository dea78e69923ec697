"""Theorem T, certified: non-vacuous on the lock; its bound, as the spec's tables have it; how the time grows with B, D, S and A."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import gosprl_oracles as own
import numpy as np
import pytest

from envs_synthetic.baselines import river_swim_continuing
from envs_synthetic.gosprl import four_rooms, garnet_continuing, lock_chain, only, shortcut, two
from theoryrl.algorithms.gosprl import GOSPRL
from theoryrl.algorithms.gosprl.gosprl_theory import time_bound
from theoryrl.complexity import collection_time_lower_bound, uniform_collection_time
from theoryrl.problems import ContinuingMDP
from theoryrl.proofs.gosprl import theorem_gosprl
from theoryrl.proofs.statistics import LEVEL, growth_exponents, student_interval
from theoryrl.proofs.theorem import theorem_for

Certify = Callable[..., Any]
RIVER, ROOMS, LOCK, TWO, TRAP = river_swim_continuing(6, "gosprl"), four_rooms(), lock_chain(20), two(0.2), shortcut()


def at_the_end(samples: int) -> np.ndarray:
    return only(LOCK, -1, samples)


@pytest.mark.regret
@pytest.mark.parametrize(
    "algorithm, seeds", [(GOSPRL(at_the_end(20)), 200), (GOSPRL(at_the_end(20), replan="always"), 50), (GOSPRL(at_the_end(50)), 50)], ids=repr
)
def test_theorem_is_not_vacuous(algorithm: GOSPRL, seeds: int, certified: Certify) -> None:
    """The bound is below the uniform policy's mean time, and no run needs the steps that it allows."""
    n = int(time_bound(algorithm, LOCK)) + 1
    certificate = certified(None, algorithm, LOCK, n, seeds)
    assert certificate.verdict == "not violated" and certificate.violations == 0 and certificate.vacuity < 1
    assert certificate.chains[0].name == "l1"


@pytest.mark.regret
@pytest.mark.parametrize(
    "algorithm, problem, seeds",
    [
        (GOSPRL(10), RIVER, 200),
        (GOSPRL(10, confidence="bernstein"), RIVER, 50),
        (GOSPRL(10, confidence="both"), RIVER, 50),
        (GOSPRL(10, replan="always", delta=0.5), RIVER, 50),
        (GOSPRL(1000), RIVER, 50),
        (GOSPRL(10), ROOMS, 50),
        (GOSPRL(10, confidence="bernstein"), ROOMS, 20),
        (GOSPRL(1, confidence="both", replan="always"), ROOMS, 20),
        (GOSPRL(at_the_end(20), confidence="both"), LOCK, 40),
        (GOSPRL(only(TWO, 1, 20_000)), TWO, 50),
        (GOSPRL(only(TWO, 1, 20_000), confidence="bernstein"), TWO, 20),
        (GOSPRL(only(TWO, 1, 20_000), confidence="both"), TWO, 20),
        (GOSPRL(only(TRAP, -1, 2_000)), TRAP, 30),
        (GOSPRL(20, confidence="both", precision=0.5, delta=0.9), garnet_continuing(10, 3, 3), 50),
        (GOSPRL(7, confidence="both"), ContinuingMDP(np.ones((1, 3, 1))), 10),
        (GOSPRL(0), RIVER, 10),
    ],
    ids=repr,
)
def test_theorem(algorithm: GOSPRL, problem: Any, seeds: int, certified: Certify) -> None:
    """Every line of the proof, whatever the vacuity (on `two` there is only one policy); runs may take all the steps that the bound allows."""
    n = int(time_bound(algorithm, problem)) + 1
    certificate = certified(None, algorithm, problem, n, seeds)
    assert certificate.verdict in ("not violated", "vacuous") and certificate.violations == 0
    if problem is not RIVER or algorithm.requirement:
        names = [chain.name for chain in certificate.chains]
        assert problem.n_states == 1 or set(names) >= ({"l1", "bernstein"} if algorithm.confidence == "both" else {algorithm.confidence})


@pytest.mark.regret
def test_theorem_says_where_it_does_not_apply(certified: Certify) -> None:
    trap = ContinuingMDP(np.eye(2)[:, None])
    certificate = certified(theorem_gosprl, GOSPRL(1), trap, 100, 2)
    assert certificate.verdict == "not applicable" and certificate.failing[0].witness == "from state 0 no policy surely reaches state 1"
    certificate = certified(theorem_gosprl, GOSPRL(1, scale=0.5), TWO, 100, 2)
    assert certificate.verdict == "not applicable" and "0.5" in certificate.failing[0].witness


def test_the_theorem_is_registered() -> None:
    assert theorem_for(GOSPRL(1)) is theorem_gosprl


@pytest.mark.parametrize(
    "algorithm, problem, spec",
    [
        (GOSPRL(1000), RIVER, "2.32e+06"),
        (GOSPRL(1000, confidence="bernstein"), RIVER, "3.76e+07"),
        (GOSPRL(at_the_end(20)), LOCK, "1.30e+07"),
        (GOSPRL(at_the_end(20), confidence="bernstein"), LOCK, "6.4e+08"),
    ],
    ids=repr,
)
def test_time_bound(algorithm: GOSPRL, problem: Any, spec: str) -> None:
    """Section 9, to its digits, but on river swim: its 2.49e6 and 3.77e7 have B D for I_0 (the next test)."""
    assert f"{time_bound(algorithm, problem):.{len(spec) - 6}e}" == spec


@pytest.mark.parametrize(
    "kind, problem, samples, spec",
    [
        ("l1", RIVER, [10**5, 10**6, 10**7, 10**8], "3.11 1.55 1.22 1.13"),
        ("bernstein", RIVER, [10**5, 10**6, 10**7, 10**8], "25.2 4.13 1.70 1.26"),
        ("l1", TWO, [10**4, 10**5, 10**6, 10**8], "2.26 1.50 1.31 1.23"),
        ("bernstein", TWO, [10**4, 10**5, 10**6, 10**8], "10.0 2.62 1.57 1.26"),
    ],
    ids=repr,
)
def test_time_bound_over_BD(kind: str, problem: Any, samples: list[int], spec: str) -> None:
    """Section 9: how the leading constant falls with B, if every state is taken to be D away (I_0 = B D); the bound itself is no larger."""
    far = np.full(problem.n_states, problem.diameter)
    for B, ratio in zip(samples, spec.split(), strict=True):
        b = only(TWO, 1, B) if problem is TWO else np.full((6, 2), B // 12) + (np.arange(12).reshape(6, 2) < B % 12)
        algorithm = GOSPRL(b, confidence=kind)
        found = own.time_bound(algorithm, problem, b, far)
        assert f"{found / (B * problem.diameter):#.{len(ratio) - 1}g}" == ratio
        assert time_bound(algorithm, problem) <= found * (1 + 1e-9) and (problem is RIVER or time_bound(algorithm, problem) >= found * (1 - 1e-9))
    if problem is RIVER:
        assert f"{own.time_bound(GOSPRL(1000, confidence=kind), RIVER, np.full((6, 2), 1000), far):.2e}" == ("2.49e+06" if kind == "l1" else "3.77e+07")


def test_tightness() -> None:
    """Section 7: on `two` the bound is 1.88, 1.25, 1.09 times the linear program, which all attain there; section 18: uniform on the lock."""
    for B, spec in ((10**4, 1.88), (10**5, 1.25), (10**6, 1.09)):
        b = only(TWO, 1, B)
        assert round(time_bound(GOSPRL(b), TWO) / collection_time_lower_bound(TWO, b), 2) == spec
    for samples, spec_text in ((20, "4.19e+07"), (50, "1.05e+08")):
        mean = uniform_collection_time(LOCK, at_the_end(samples))
        assert f"{mean:.2e}" == spec_text and time_bound(GOSPRL(at_the_end(samples)), LOCK) < mean


SEEDS = 10
"""Seeds of a growth exponent."""


def slopes(sizes: np.ndarray, time: Callable[[float, int], float], shift: int) -> np.ndarray:
    """The log-log slope of `time` over all `sizes`, seed by seed."""
    curves = np.array([[time(size, shift + seed) for size in sizes] for seed in range(SEEDS)])
    return growth_exponents(sizes.astype(float), curves, math.log10(sizes[-1] / sizes[0]) + 0.1)


def is_one(found: np.ndarray) -> None:
    """The interval holds 1, and is narrow enough to tell an exponent of 1.05 or .95."""
    low, high = student_interval(found, LEVEL)
    assert low <= 1 <= high and high - low < 0.05, f"a growth exponent in [{low}, {high}]"


@pytest.mark.regret
def test_growth_in_B(regret_seed: int) -> None:
    """T on two(.2) grows like B."""

    def time(B: float, seed: int) -> float:
        return GOSPRL(only(TWO, 1, int(B))).run(TWO, 2**40, seed=seed).steps

    is_one(slopes(np.array([1_000, 10_000, 100_000, 1_000_000]), time, regret_seed))


@pytest.mark.regret
def test_growth_in_D(regret_seed: int) -> None:
    """T / B - 1 on two(1 / D) grows like D."""

    def time(D: float, seed: int) -> float:
        problem = two(1 / D)
        return GOSPRL(only(problem, 1, 20_000)).run(problem, 2**40, seed=seed).steps / 20_000 - 1

    is_one(slopes(np.array([2, 5, 10, 20, 50, 100, 200]), time, regret_seed))


@pytest.mark.regret
def test_growth_in_S_and_A_is_reported(regret_seed: int, record_property: pytest.RecordProperty) -> None:
    """Section 18: Garnet, three next states, a sample of each pair times ten: mean T over the linear program, beside D."""
    for S, A in ((5, 4), (10, 4), (20, 4), (40, 4), (20, 2), (20, 8), (20, 16)):
        problem = garnet_continuing(S, A, 3)
        time = np.mean([GOSPRL(10).run(problem, 10**7, seed=regret_seed + seed).steps for seed in range(SEEDS)])
        record_property(f"S={S}, A={A}", (float(time / collection_time_lower_bound(problem, 10)), problem.diameter))
