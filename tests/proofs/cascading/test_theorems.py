"""Theorems A and B, certified: non-vacuous on hidden_gem, and on instances of every other kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from envs_synthetic.cascading import cascading_bandit, hidden_gem, myopic_trap, noclick_trap, random_cascade
from theoryrl.algorithms import CascadingBPI, CascadingVI, CascadingVIOracle
from theoryrl.proofs import theorem_a, theorem_b

pytestmark = pytest.mark.regret

Certify = Callable[..., Any]


@pytest.mark.parametrize(
    "algorithm, n, seeds",
    [
        (CascadingVI(), 30_000, 200),
        (CascadingVI(variant="explicit-kl"), 30_000, 100),
        (CascadingVI(variant="paper", log_term="explicit"), 100_000, 20),
        (CascadingVI(replan="geometric"), 100_000, 100),
        (CascadingVIOracle(), 30_000, 20),
    ],
    ids=repr,
)
def test_theorem_A_is_not_vacuous(algorithm: CascadingVI, n: int, seeds: int, certified: Certify) -> None:
    certificate = certified(theorem_a, algorithm, hidden_gem(), n, seeds)
    assert certificate.verdict == "not violated" and certificate.violations == 0
    assert certificate.vacuity < 1 and certificate.nonvacuous_from <= n


@pytest.mark.parametrize(
    "problem, n",
    [
        (myopic_trap(), 5_000),
        (noclick_trap(), 5_000),
        (noclick_trap((0.25, 0.3, 0.2, 0.4, 0.22)), 5_000),
        (cascading_bandit(8), 5_000),
        (hidden_gem(n_items=4, list_length=2, horizon=3), 5_000),
        (random_cascade(4, 6, 2, 3, 0), 2_000),
    ],
    ids=repr,
)
def test_theorem_A(problem: Any, n: int, certified: Certify) -> None:
    certificate = certified(theorem_a, CascadingVI(), problem, n, 40)
    assert certificate.verdict in ("not violated", "vacuous") and certificate.violations == 0


@pytest.mark.parametrize("options", [{"fallback": "literal"}, {"variant": "paper"}], ids=str)
def test_theorem_A_says_where_it_does_not_apply(options: dict[str, str], certified: Certify) -> None:
    certificate = certified(theorem_a, CascadingVI(**options), noclick_trap(), 100, 2)
    assert certificate.verdict == "not applicable" and certificate.failing[0].witness


@pytest.mark.parametrize("problem", [hidden_gem(), myopic_trap(), noclick_trap()], ids=repr)
@pytest.mark.parametrize("replan", ["every", "geometric"])
def test_theorem_B(problem: Any, replan: str, certified: Certify) -> None:
    certificate = certified(theorem_b, CascadingBPI(epsilon=0.4, replan=replan), problem, 100_000, 40)
    assert certificate.verdict == "not violated" and certificate.violations == 0
