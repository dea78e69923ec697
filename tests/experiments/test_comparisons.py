"""Paired comparisons, against exact enumerations written anew."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from made_runs import made
from scipy import stats
from toys import UCB, UCB1, Bandit, EpsilonGreedy

from theoryrl.experiments import comparisons
from theoryrl.experiments.comparisons import compare, hodges_lehmann, holm, signed_rank


def enumerated(differences: Sequence[float]) -> Fraction:
    """The share of all sign patterns of the nonzero differences whose signed rank sum is at least as far from its centre."""
    sizes = sorted(abs(d) for d in differences)
    rank = {size: Fraction(sum(s < size for s in sizes) + sum(s <= size for s in sizes) + 1, 2) for size in sizes}
    nonzero = [d for d in differences if d != 0]
    ranks = [rank[abs(d)] for d in nonzero]
    seen = abs(sum(r if d > 0 else -r for r, d in zip(ranks, nonzero, strict=True)))
    patterns = list(itertools.product((1, -1), repeat=len(ranks)))
    return Fraction(sum(abs(sum(s * r for s, r in zip(signs, ranks, strict=True))) >= seen for signs in patterns), len(patterns))


@pytest.mark.parametrize("seed", range(40))
def test_p_is_that_of_all_sign_patterns_with_zeros_and_ties(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 1 + seed % 10
    differences = rng.normal(0.4, 1, n) if seed % 2 else rng.integers(-3, 5, n).astype(float)
    assert math.isclose(signed_rank(differences).p, enumerated(differences.tolist()), rel_tol=1e-13)


@pytest.mark.parametrize("n", [3, 12, 50, 200])
def test_p_is_scipys_without_zeros_and_ties(n: int) -> None:
    differences = np.random.default_rng(n).normal(0.2, 1, n)
    reference = stats.wilcoxon(differences, method="exact")
    found = signed_rank(differences)
    assert math.isclose(found.p, reference.pvalue, rel_tol=1e-10)
    assert min(found.statistic, n * (n + 1) / 2 - found.statistic) == reference.statistic


def test_beyond_the_exact_law_the_normal_approximation_goes_on_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    differences = np.random.default_rng(0).normal(0.1, 1, 200).round(1)
    assert (differences == 0).any()
    exact, interval = signed_rank(differences).p, hodges_lehmann(differences)
    monkeypatch.setattr(comparisons, "EXACT_PAIRS", 10)
    assert 0.97 < signed_rank(differences).p / exact < 1.03
    assert np.abs(np.subtract(hodges_lehmann(differences), interval)).max() <= 0.05


def test_zeros_and_ties_are_counted_and_all_zeros_are_no_evidence() -> None:
    found = signed_rank([0.0, 1.0, -1.0, 2.0, 0.0, 3.0])
    assert (found.pairs, found.zeros, found.ties, found.statistic, found.smallest_p) == (6, 2, 2, 3.5 + 5 + 6, 0.125)
    assert signed_rank([0.0, 0.0]).p == signed_rank([0.0, 0.0]).smallest_p == 1


@pytest.mark.parametrize("n", [1, 2, 5, 6, 20])
def test_the_smallest_p_is_reached_when_all_signs_agree(n: int) -> None:
    found = signed_rank(np.arange(1.0, n + 1))
    assert found.p == found.smallest_p == min(1, 2 / 2**n)


@pytest.mark.parametrize("level", [0.05, 0.2])
@pytest.mark.parametrize("sizes", [range(1, 10), [1, 1, 2, 2, 2, 3, 4], [1, 3]])
def test_the_interval_covers_its_centre_as_often_as_it_says(sizes: Sequence[int], level: float) -> None:
    patterns = [np.array(signs) * np.array(sizes) for signs in itertools.product((1.0, -1.0), repeat=len(sizes))]
    missed = []
    for differences in patterns:
        _, low, high = hodges_lehmann(differences, level)
        missed.append(not low <= 0 <= high)
        if len(set(sizes)) == len(sizes):
            assert missed[-1] == (signed_rank(differences).p <= level)
    assert sum(missed) <= level * len(patterns)


def test_hodges_and_lehmann_is_the_median_of_averages_with_its_order_statistics() -> None:
    differences = [1.0, 4.0, 2.5, 9.0, -1.0, 3.0]
    averages = sorted((a + b) / 2 for a, b in itertools.combinations_with_replacement(differences, 2))
    assert hodges_lehmann(differences) == (averages[10], averages[0], averages[-1])  # 6 seeds: 2 / 2^6 < .05 < 4 / 2^6
    assert hodges_lehmann(differences[:5])[1:] == (-math.inf, math.inf)


def test_holm_is_the_least_level_at_which_the_step_down_procedure_rejects() -> None:
    p = [0.04, 0.001, 0.04, 0.9, 0.012]

    def rejected(level: float) -> set[int]:
        out: set[int] = set()
        for step, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
            if p[i] > level / (len(p) - step):
                break
            out.add(i)
        return out

    adjusted = holm(p)
    np.testing.assert_allclose(adjusted, [0.12, 0.005, 0.12, 0.9, 0.048], rtol=1e-14)
    for i, value in enumerate(adjusted):
        assert i in rejected(value * (1 + 1e-12)) and i not in rejected(value * (1 - 1e-12))


OTHER = Bandit([0.9, 0.2], name="two_arms()")


def test_all_pairs_of_all_problems_are_one_family() -> None:
    rng = np.random.default_rng(1)
    finals = {(a, p): rng.normal(50 * (1 + i), 3, 8) for i, (a, p) in enumerate(itertools.product((UCB(), UCB1(), EpsilonGreedy()), (0, 1)))}
    runs = [made(a, seed, x, **({"problem": OTHER} if p else {})) for (a, p), values in finals.items() for seed, x in enumerate(values)]
    table = compare(runs)
    assert len(table.pairs) == 6 and {pair.problem for pair in table.pairs} == {"three_arms()", "two_arms()"}
    first = table.pairs[0]
    assert (first.first, first.second) == ("UCB(delta=0.05)", "UCB1()")
    differences = finals[UCB(), 0] - finals[UCB1(), 0]
    assert first.difference == hodges_lehmann(differences)[0] and first.first_median == np.median(finals[UCB(), 0])
    assert first.low <= first.difference <= first.high < 0 and first.test.p == 2 / 2**8
    np.testing.assert_array_equal([pair.adjusted for pair in table.pairs], holm([pair.test.p for pair in table.pairs]))
    assert "0.04688 *" in repr(table) and "two_arms(), n = 1,000" in repr(table) and "Holm over the 6 pairs" in table.caption
    assert table.notes == ()


def test_too_few_seeds_are_told_with_the_smallest_p_and_how_many_would_do() -> None:
    table = compare([made(a, seed, 10 * i + seed) for i, a in enumerate((UCB(), UCB1(), EpsilonGreedy())) for seed in range(5)])
    assert table.notes == ("Too few seeds: with 5 no p below 0.0625 can be reached, after Holm over 3 pairs 0.1875; 7 seeds can reach 0.05.",)
    assert table.pairs[0].low == -math.inf and "[−∞, ∞]" in repr(table)


def test_algorithms_that_act_alike_do_not_differ_by_roundoff() -> None:
    finals = np.random.default_rng(0).random(6) * 100
    runs = [made(UCB(), seed, x) for seed, x in enumerate(finals)] + [made(UCB1(), seed, x * (1 + 4e-14)) for seed, x in enumerate(finals)]
    pair = compare(runs).pairs[0]
    assert pair.test.zeros == 6 and pair.test.p == 1 and (pair.low, pair.difference, pair.high) == (0, 0, 0)
    assert any("Some differences are zero" in note for note in compare(runs).notes)


def test_unpaired_seeds_are_refused_by_name() -> None:
    runs = [made(UCB(), seed) for seed in (0, 1, 2, 5)] + [made(UCB1(), seed) for seed in (0, 1, 4)]
    with pytest.raises(ValueError, match=r"unpaired seeds on three_arms\(\), n = 1,000: UCB\(delta=0.05\) lacks seed 4; UCB1\(\) lacks seeds 2, 5"):
        compare(runs)


def test_one_algorithm_an_unfinished_run_and_a_bad_level_are_refused() -> None:
    with pytest.raises(ValueError, match="at least two algorithms on one problem"):
        compare([made(UCB(), 0), made(UCB1(), 0, n=100)])
    with pytest.raises(ValueError, match="is not finished"):
        compare([made(UCB(), 0), made(UCB1(), 0, steps=10)])
    with pytest.raises(ValueError, match="level: expected"):
        compare([made(UCB(), 0), made(UCB1(), 0)], level=1)


def test_an_algorithm_that_is_missing_on_a_problem_is_told() -> None:
    runs = [made(a, seed) for a in (UCB(), UCB1()) for seed in range(9)]
    runs += [made(a, seed, problem=OTHER) for a in (UCB(), UCB1(), EpsilonGreedy()) for seed in range(9)]
    assert "Missing on three_arms(), n = 1,000: EpsilonGreedy(epsilon=0.2)." in compare(runs).notes


def test_a_comparison_is_a_frame() -> None:
    pytest.importorskip("pandas", reason="pandas is not installed")
    table = compare([made(a, seed, seed + 3 * i) for i, a in enumerate((UCB(), UCB1())) for seed in range(8)], "regret", level=0.1)
    frame = table.to_frame()
    assert len(frame) == 1 and frame["difference"][0] == -3 and frame["p"][0] == frame["adjusted"][0] == 2 / 2**8
    assert frame.attrs["level"] == 0.1 and frame.attrs["curve"] == "regret"
