"""GOSPRL's constants: the bounds that the spec lists, what they are maxima and roots of, rules and degenerate cases."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from envs_synthetic.baselines import river_swim_continuing
from envs_synthetic.gosprl import lock_chain, only, two
from theoryrl.algorithms.gosprl import GOSPRL
from theoryrl.algorithms.gosprl.gosprl_theory import FREE_RATE, SetTheory, closed_form, collection_theory, doublings, gosprl_theory, harmonic, time_bound
from theoryrl.problems import ContinuingMDP

RIVER, LOCK, TWO = river_swim_continuing(6, "gosprl"), lock_chain(20), two(0.2)
KINDS = ("l1", "bernstein", "both")


class Steps:
    """A rule with levels 2, 5 and 9, of which the states demand different ones."""

    def levels(self, n_states: int, n_actions: int) -> np.ndarray:
        return np.array([2, 5, 9])

    def requirements(self, N: np.ndarray) -> np.ndarray:
        n = N.sum(axis=-1)
        most = np.array([2, 5, 9])[(np.arange(n.size) % 3).reshape(n.shape)]
        return np.minimum(most, np.where(n < 2, 2, np.where(n < 5, 5, 9)))


@pytest.mark.parametrize(
    ("problem", "b", "kind", "spec"),
    [
        (LOCK, only(LOCK, 19, 20), "l1", "1.30e+07"), (LOCK, only(LOCK, 19, 50), "l1", "1.30e+07"), (LOCK, only(LOCK, 19, 20), "bernstein", "6.4e+08"),
        (RIVER, 1000, "l1", "2.317e+06"), (RIVER, 1000, "bernstein", "3.757e+07"),
    ],
)  # fmt: skip
def test_time_bounds_of_section_9(problem: ContinuingMDP, b: Any, kind: str, spec: str) -> None:
    """To their digits; those of river swim with I_0 (with B D they are 2.49e6 and 3.77e7)."""
    assert f"{time_bound(GOSPRL(b, confidence=kind), problem):.{len(spec) - 6}e}" == spec


@pytest.mark.parametrize(("kind", "spec"), [("l1", ("2.26", "1.50", "1.31", "1.23")), ("bernstein", ("10.0", "2.62", "1.57", "1.26"))])
def test_bounds_over_B_D_of_section_9(kind: str, spec: tuple[str, ...]) -> None:
    for B, text in zip((10**4, 10**5, 10**6, 10**8), spec, strict=True):
        assert f"{time_bound(GOSPRL(only(TWO, 1, B), confidence=kind), TWO) / (5 * B):.{len(text) - 1 - len(text.split('.')[0])}f}" == text


def test_first_terms_of_section_9() -> None:
    lock = lock_chain(12)
    for problem, b, ratio in ((RIVER, 10, 0.55), (lock, 10, 0.58)):
        theory = gosprl_theory(GOSPRL(b), problem)
        assert round(theory.I_0 / (theory.B * theory.D), 2) == ratio


@pytest.mark.parametrize("pairs", [1, 3, 40])
def test_m_and_H_are_maxima(pairs: int) -> None:
    for t in (0.3, 1.0, 2.0, 7.5, 100.0, 1e9):
        k = np.linspace(0, pairs, 100_001)[1:]
        for form, values in ((doublings, k * (1 + np.log2(t / k))), (harmonic, k * (1 + 2 * np.log(t / k)))):
            assert form(t, pairs) == pytest.approx(values.max(), rel=1e-6) and form(t, pairs) >= values.max() * (1 - 1e-12)
    assert doublings(0, pairs) == harmonic(0, pairs) == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("problem", "b"), [(RIVER, 10), (LOCK, only(LOCK, 19, 50)), (TWO, only(TWO, 1, 10**6))], ids=["river", "lock", "two"])
def test_roots(problem: ContinuingMDP, b: Any, kind: str) -> None:
    """R grows, the inequality flips once, at the root; no neighbouring kappa of the grid gives a smaller one."""
    theory = gosprl_theory(GOSPRL(b, confidence=kind), problem)
    grid = 10.0 ** np.arange(-2, 16.01, 0.01)
    for part in theory.sets:
        right, left = part.bound(grid), (1 - part.precision) * grid
        assert (np.diff(right) > 0).all() and (np.diff(left <= right) != 0).sum() == 1
        assert part.bound(part.root) == pytest.approx((1 - part.precision) * part.root, rel=1e-9)
        assert part.bound(part.root) <= (1 - part.precision) * part.root
        for i in range(len(part.rates)):
            for factor in (0.5, 2.0):
                rates = tuple(rate * factor if j == i else rate for j, rate in enumerate(part.rates))
                if part.kind == "l1" or (rates[0] <= 1 and 2**-11 <= rates[1] <= 0.25):
                    assert SetTheory(**{**vars_of(part), "rates": rates}).root >= part.root
    assert theory.time_bound == theory.B + min(part.root for part in theory.sets)


def vars_of(part: SetTheory) -> dict[str, Any]:
    return {name: getattr(part, name) for name in part.__dataclass_fields__}


def test_both_share_delta() -> None:
    """Half of the sets' share for each, a third of the martingales': more than either alone at delta."""
    alone = [gosprl_theory(GOSPRL(10, confidence=kind), RIVER).sets[0] for kind in ("l1", "bernstein")]
    both = gosprl_theory(GOSPRL(10, confidence="both"), RIVER).sets
    for one, shared in zip(alone, both, strict=True):
        assert shared.constant - one.constant == pytest.approx(math.log(2)) and shared.iota - one.iota == pytest.approx(math.log(1.5))
        assert shared.root > one.root


def test_closed_form() -> None:
    """At precision .02 and kappas of 1/8 the root is at most .977 of the closed form at itself, for 20,000 drawn parameters."""
    rng = np.random.default_rng(0)
    worst = 0.0
    for _ in range(100):
        S, A = int(np.exp(rng.uniform(math.log(2), math.log(200)))), int(np.exp(rng.uniform(0, math.log(20))))
        D, delta = np.exp(rng.uniform(0, math.log(1e4))), np.exp(rng.uniform(math.log(1e-6), math.log(0.5)))
        B = np.floor(np.exp(rng.uniform(0, math.log(1e9), 200)))
        iota, pairs = math.log(4 / delta), S * A
        part = SetTheory("bernstein", iota, math.log(4 * S * S * A / delta), pairs, S, D, 0.02, B, B * D, 0, (0.125, 0.125))
        t = part.root
        form = 2.3 * B * D + 2.9 * D * (doublings(t, pairs) + 1) + 23 * D * iota + 66 * D * S * part.log_term(t) * harmonic(t, pairs)
        worst = max(worst, float((t / form).max()))
    assert 0.9 < worst <= 0.977
    algorithm, theory = GOSPRL(10, confidence="bernstein"), gosprl_theory(GOSPRL(10, confidence="bernstein"), RIVER)
    free = SetTheory(**{**vars_of(theory.sets[0]), "rates": (0.125, 0.125)})
    assert free.root <= closed_form(algorithm, RIVER, free.root) and closed_form(GOSPRL(0, confidence="both"), RIVER, 5.0) == 0
    with pytest.raises(ValueError, match="confidence"):
        closed_form(GOSPRL(10), RIVER, 1.0)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_to_travel(kind: str) -> None:
    single = ContinuingMDP(np.ones((1, 3, 1)))
    assert time_bound(GOSPRL([[4, 0, 1]], confidence=kind), single) == 5
    assert time_bound(GOSPRL(0, confidence=kind), RIVER) == 0


def test_rules() -> None:
    assert time_bound(GOSPRL(Steps()), RIVER) == time_bound(GOSPRL(9), RIVER) > time_bound(GOSPRL(5), RIVER)

    def rule(N: np.ndarray) -> np.ndarray:
        return np.full(N.shape[:2], 3)

    with pytest.raises(ValueError, match="a rule without levels has no bound"):
        time_bound(GOSPRL(rule), RIVER)
    theory = gosprl_theory(GOSPRL(rule, confidence="bernstein"), RIVER)
    assert theory.b is None and theory.sets[0].rates == (FREE_RATE, FREE_RATE)
    (part,) = theory.realised(np.array([0, 36]), np.array([0, 2]))
    assert part.bound(np.array([0.0, 100.0])).shape == part.root.shape == (2,)
    assert part.I_0.tolist() == [theory.D, 37 * theory.D]


def test_a_bound_needs_a_communicating_mdp() -> None:
    trap = ContinuingMDP(np.eye(2)[:, None])
    with pytest.raises(ValueError, match="from state 0 no policy surely reaches state 1"):
        time_bound(GOSPRL(1), trap)


def test_large_requirements_do_not_overflow() -> None:
    b = np.full((6, 2), 2**53)
    theory = collection_theory(RIVER, b, 0.1)
    assert theory.B == 12 * 2**53 and theory.time_bound > theory.B and math.isfinite(theory.time_bound)
