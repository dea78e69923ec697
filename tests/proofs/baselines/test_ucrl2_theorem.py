"""Theorem R, certified: non-vacuous on river swim and two states; from where on it is, as the spec's table has it; and it implies the printed theorem."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from envs_synthetic.baselines import river_swim_continuing, two_state_continuing
from theoryrl.algorithms.baselines import UCRL2
from theoryrl.algorithms.baselines.ucrl2_theory import Theory
from theoryrl.problems import ContinuingMDP
from theoryrl.proofs.baselines import theorem_ucrl2, ucrl2_bound, ucrl2_printed_bound
from theoryrl.proofs.theorem import nonvacuous_n, theorem_for

PAPER = UCRL2("paper")
GOSPRL, MEX, TWO = river_swim_continuing(6, "gosprl"), river_swim_continuing(6, "mex"), two_state_continuing()


@pytest.mark.regret
@pytest.mark.parametrize(
    ("algorithm", "problem", "n", "seeds"),
    [
        (UCRL2(), MEX, 20_000_000, 3),
        (UCRL2(stop="before"), MEX, 20_000_000, 1),
        (UCRL2(), TWO, 100_000, 100),
        (PAPER, TWO, 100_000, 100),
        (PAPER, MEX, 200_000_000, 1),  # 3 s: sure steps and measured events
        (UCRL2(known_rewards=True), TWO, 100_000, 40),
    ],
    ids=repr,
)
def test_theorem_is_not_vacuous(algorithm: Any, problem: Any, n: int, seeds: int, certified: Callable[..., Any]) -> None:
    certificate = certified(theorem_ucrl2, algorithm, problem, n, seeds)
    assert certificate.verdict == "not violated" and certificate.violations == 0
    assert certificate.vacuity < 1 and certificate.nonvacuous_from <= n


@pytest.mark.regret
@pytest.mark.parametrize(
    ("algorithm", "problem", "n", "seeds"),
    [(UCRL2(), MEX, 100_000, 100), (PAPER, MEX, 100_000, 100), (UCRL2("paper", stop="after"), GOSPRL, 100_000, 20)],
    ids=repr,
)
def test_theorem(algorithm: Any, problem: Any, n: int, seeds: int, certified: Callable[..., Any]) -> None:
    certificate = certified(theorem_ucrl2, algorithm, problem, n, seeds)
    assert certificate.verdict in ("not violated", "vacuous") and certificate.violations == 0
    assert algorithm.variant == "explicit" or [chain.name for chain in certificate.chains][-1] == "printed"


@pytest.mark.regret
def test_theorem_says_where_it_does_not_apply(certified: Callable[..., Any]) -> None:
    trap = ContinuingMDP(np.eye(2)[:, None], np.array([[0], [1]]))
    certificate = certified(theorem_ucrl2, UCRL2(), trap, 100, 2)
    assert certificate.verdict == "not applicable" and certificate.failing[0].witness == "from state 0 no policy surely reaches state 1"
    with pytest.raises(ValueError, match="Theorem R does not apply: the MDP is communicating"):
        ucrl2_bound(UCRL2(), trap, 100)


@pytest.mark.parametrize(
    ("algorithm", "problem", "spec"),
    [
        (UCRL2(), GOSPRL, "1.01e+07"), (UCRL2(), MEX, "8.4e+06"), (UCRL2(), TWO, "9.2e+03"),
        (PAPER, GOSPRL, "2.1e+08"), (PAPER, MEX, "1.7e+08"), (PAPER, TWO, "5.6e+04"),
        (None, GOSPRL, "2.92e+09"), (None, MEX, "2.42e+09"), (None, TWO, "2.8e+05"),
    ],
    ids=repr,
)  # fmt: skip
def test_first_nonvacuous_horizon(algorithm: Any, problem: Any, spec: str) -> None:
    """The table of section 9, to its digits; without an algorithm the theorem is the printed one."""
    printed = dataclasses.replace(theorem_ucrl2, bound=lambda algorithm, problem, n, k: ucrl2_printed_bound(problem, k))
    found = nonvacuous_n(theorem_ucrl2 if algorithm else printed, algorithm or PAPER, problem)
    assert f"{found:.{len(spec) - 6}e}" == spec


def test_the_printed_theorem_follows() -> None:
    """Where 34 D S sqrt(A T ln(T / delta)) < T, Theorem R with the paper's radii is at most .54 of it, with the martingale of realised rewards, too."""
    T = np.geomspace(2, 1e14, 57)
    worst, points = 0.0, 0
    for S, A, D, delta in itertools.product((2, 3, 5, 10, 30, 100), (1, 2, 5, 50), (1, 2, 10, 100, 1e4), (0.001, 0.05, 0.5, 0.99)):
        printed = 34 * D * S * np.sqrt(A * T * np.log(T / delta))
        for n, allowed in zip(T[printed < T], printed[printed < T], strict=True):
            split = Theory(False, True, False, delta, float(n), S, A, D)  # type: ignore[arg-type]
            martingales = np.sqrt(n / 2 * np.log(1 / (0.46 * delta))) * (1 + D)
            bound = float(split.bound(n)) - D * np.sqrt(n / 2 * np.log(2 / delta)) + martingales
            worst, points = max(worst, bound / allowed, float(split.bound(n)) / allowed), points + 1
    assert points > 5_000 and worst <= 0.54


def test_the_theorem_is_registered() -> None:
    assert theorem_for(UCRL2()) is theorem_for(PAPER) is theorem_ucrl2
    assert ucrl2_bound(UCRL2(), MEX, 20_000_000) == pytest.approx(5.669e6, rel=1e-4)


def test_a_continued_trace_has_the_constants_of_a_shorter_horizon() -> None:
    run = UCRL2().run(TWO, 50, seed=0, trace=True)
    assert not run.proof().violations
    with pytest.raises(ValueError, match="run anew with n=100"):
        run.proceed(50).proof()
