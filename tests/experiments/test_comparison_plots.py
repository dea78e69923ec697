"""Comparison and parametric figures: what they show, and that nothing missing is passed over in silence."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from made_runs import BANDIT, made
from toys import UCB, UCB1, Bandit, EpsilonGreedy

from theoryrl.algorithms import Run
from theoryrl.experiments import plots
from theoryrl.proofs import Proof, registry, theorem

matplotlib.use("Agg")
OTHER = Bandit([0.9, 0.2], name="two_arms()")


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


@dataclasses.dataclass(frozen=True)
class Stated(UCB):
    """With a theorem whose bound is `size` sqrt(K k), K the number of arms."""

    size: float = 10.0


@pytest.fixture
def _stated() -> Iterator[None]:
    before = list(registry)
    registry[:] = []
    theorem(
        for_=Stated, id="S", paper="toys", source="test", bound=lambda a, p, n, k: a.size * np.sqrt(len(p.means) * k), trivial=lambda p, k: 0.4 * k
    )(lambda run: Proof({}))
    yield
    registry[:] = before


def labels(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def caption(ax: Any) -> str:
    return " ".join(ax.figure.get_supxlabel().split())


def line(ax: Any, start: str) -> Any:
    return next(found for found in ax.get_lines() if found.get_label().startswith(start))


def test_a_panel_per_problem_with_the_same_look_for_each_algorithm() -> None:
    runs = [made(a, seed, 10 + seed, problem=p) for p in (BANDIT, OTHER) for a in (UCB1(), UCB(), EpsilonGreedy()) for seed in range(5)]
    one, two = plots.plot_comparison(iter(runs), accent="UCB(delta=0.05)")
    assert one.get_title(loc="left").startswith("three_arms(), n = 1,000\nseeds 0–4") and two.get_title(loc="left").startswith("two_arms()")
    for ax in (one, two):
        assert line(ax, "UCB(delta=0.05)").get_color() == plots.ACCENT and line(ax, "UCB1()").get_color() == plots.MUTED[0][0]
        np.testing.assert_allclose(line(ax, "UCB1()").get_ydata(), [0.12, 1.2, 12.0], rtol=1e-12)
        assert len(ax.collections) == 3 and len({(found.get_color(), found.get_linestyle()) for found in ax.get_lines()}) == 3
    assert "10–90 % band" in caption(one) and "EpsilonGreedy(epsilon=0.2)" in caption(one) and "Missing" not in caption(one)


def test_what_is_missing_is_told_in_the_legend_and_in_the_caption() -> None:
    runs = [made(UCB(), seed, problem=p) for p in (BANDIT, OTHER) for seed in range(4)] + [made(UCB1(), seed) for seed in (0, 2)]
    one, two = plots.plot_comparison(runs)
    assert "(no run with seeds 1, 3)" in labels(one)[1].replace("\n", " ") and labels(two)[1] == "UCB1(): no run"
    assert "Missing runs: UCB1() on two_arms(); UCB1() on three_arms(), seeds 1, 3." in caption(one)


def test_a_curve_that_is_nowhere_positive_is_told() -> None:
    (ax,) = plots.plot_comparison([made(UCB(), 0, 0.0), made(UCB1(), 0)])
    assert "not positive: not drawn" in labels(ax)[0]


def test_an_exponent_is_claimed_only_where_all_curves_are_positive() -> None:
    late = made(UCB(), 1, 5.0)
    late.curves["regret"][1] = 0.0  # at 100, within the last decade
    (ax,) = plots.plot_comparison([made(UCB(), 0), late, made(UCB1(), 0), made(UCB1(), 1)])
    assert labels(ax) == ["UCB(delta=0.05)", "UCB1()  (grows like $k^{1.00}$)"]


def test_regret_that_is_zero_everywhere_can_be_drawn_and_saved(tmp_path: Path) -> None:
    runs = [made(UCB1(), seed, 0.0) for seed in (0, 1)]
    for ax in (plots.plot_run(runs[0]), plots.plot_runs({"UCB1": runs}), *plots.plot_comparison(runs), plots.plot_parameter(runs, "n")):
        ax.figure.savefig(tmp_path / "zero.png", dpi=40)


@pytest.mark.usefixtures("_stated")
def test_the_accents_bound_is_drawn_and_does_not_dwarf_the_runs() -> None:
    (ax,) = plots.plot_comparison([made(Stated(), 0, 100.0)])
    assert labels(ax)[1:] == ["theorem's bound", "worst policy"]
    (ax,) = plots.plot_comparison([made(Stated(size=1e6), 0, 100.0)])
    assert labels(ax)[1] == "theorem's bound (ends at 5.48×10⁷)" and ax.get_ylim()[1] == 30 * 400
    (ax,) = plots.plot_comparison([made(Stated(), 0, width=np.array([1.0, 2.0, 3.0]))], curve="width")
    assert ax.get_ylabel() == "width" and len(labels(ax)) == 1


@pytest.mark.parametrize(
    ("runs", "options", "message"),
    [
        ([], {}, "at least one run"),
        ([made(UCB(), 0)], {"accent": "UCB1()"}, "accent: expected one of 'UCB\\(delta=0.05\\)', got 'UCB1\\(\\)'"),
        ([made(UCB(), 0)], {"curve": "widths"}, "curve: expected one of 'regret', got 'widths'"),
        ([made(UCB(), 0, steps=10)], {}, "is not finished"),
    ],
)
def test_a_comparison_that_cannot_be_drawn_is_an_error(runs: list[Run], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plots.plot_comparison(runs, **options)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Arms(Bandit):
    @property
    def n_arms(self) -> int:
        return len(self.means)


def ladder(algorithm: Any, power: float, seeds: Any = range(5), arms: Any = (2, 4, 8)) -> list[Run]:
    """Runs whose exponent in the number of arms is power + .1 (seed - 2)."""
    return [made(algorithm, seed, K ** (power + 0.1 * (seed - 2)), problem=Arms(np.linspace(0.1, 0.9, K), name=f"arms({K})")) for K in arms for seed in seeds]


def test_the_exponent_stands_with_its_student_interval_beside_the_theorems() -> None:
    ax = plots.plot_parameter(ladder(UCB(), 0.5) + ladder(UCB1(), 1.0), "n_arms", symbol="K", exponent={"UCB(delta=0.05)": 0.5})
    # five slopes .3, ..., .7: the interval is .5 ± t(4, .975) sqrt(.025 / 5) = .5 ± .196
    assert labels(ax) == ["UCB(delta=0.05): $K^{0.50}$ [0.30, 0.70], 5 seeds; theorem: $K^{0.5}$", "UCB1(): $K^{1.00}$ [0.80, 1.20], 5 seeds"]
    assert ax.get_xscale() == ax.get_yscale() == "log" and ax.get_xlabel() == "$K$" and ax.get_ylabel() == "final regret"
    np.testing.assert_allclose(line(ax, "UCB(delta=0.05)").get_ydata(), np.sqrt([2, 4, 8]), rtol=1e-12)
    np.testing.assert_allclose(line(ax, "_theorem").get_ydata(), np.sqrt([2, 4, 8]), rtol=1e-12)
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["2", "4", "8"]
    assert "arms(2), arms(4), arms(8); n = 1,000, seeds 0–4" in caption(ax) and "UCB(delta=0.05)" in caption(ax)


@pytest.mark.usefixtures("_stated")
def test_without_a_stated_exponent_that_of_the_bound_is_shown() -> None:
    ax = plots.plot_parameter(ladder(Stated(), 0.2), "n_arms")
    assert labels(ax)[0].endswith(r"; bound: $\mathrm{n\_arms}^{0.5}$") and ax.get_xlabel() == r"$\mathrm{n\_arms}$"


def test_missing_rungs_and_seeds_are_told_and_only_whole_seeds_are_fitted() -> None:
    runs = ladder(UCB(), 0.5) + [run for run in ladder(UCB1(), 1.0) if run.seed != 4 or run.problem.n_arms != 4] + ladder(EpsilonGreedy(), 1.0, arms=(2, 8))
    one, two, three = labels(plots.plot_parameter(runs, "n_arms", symbol="K"))
    assert "\n" not in one and "$K^{0.95}$" in two and "4 seeds" in two and two.endswith("\n(at 4 no run with seed 4)") and three.endswith("\n(no run at 4)")


def test_what_has_no_exponent_says_why() -> None:
    zero = [made(UCB1(), seed, 0.0, problem=run.problem) for run in ladder(UCB(), 1.0, seeds=[0]) for seed in (0, 1)]
    broken = [run for run in ladder(EpsilonGreedy(), 1.0, seeds=[0, 1]) if (run.seed, run.problem.n_arms) not in {(0, 2), (1, 8)}]
    runs = ladder(UCB(), 1.0, seeds=[2]) + zero + broken + ladder(UCB(delta=0.1), 1.0, arms=[2])
    one, two, three, four = labels(plots.plot_parameter(runs, "n_arms"))
    assert "one seed: no interval" in one and "6 of 6 values are not positive" in two and "no seed was run at all values" in three
    assert "no exponent from one value" in four


def test_a_horizon_or_a_function_of_the_run_is_a_parameter() -> None:
    runs = [made(UCB(), seed, n**0.5, n=n) for n in (100, 1000) for seed in range(2)]
    ax = plots.plot_parameter(runs, "n")
    assert "^{0.50}" in labels(ax)[0] and "n from 100 to 1,000" in caption(ax)
    import matplotlib.pyplot as plt

    mine = plt.figure().subplots()
    assert plots.plot_parameter(runs, lambda run: run.n / 10, curve="steps", ax=mine) is mine
    assert "$x^{1.00}$" in labels(mine)[0] and mine.get_ylabel() == "final steps" and mine.figure.get_supxlabel() == ""


@pytest.mark.parametrize(
    ("parameter", "options", "message"),
    [
        ("colour", {}, "parameter: Arms has no 'colour'"),
        ("name", {}, "parameter: expected a positive number, got 'arms\\(2\\)'"),
        (lambda run: 0, {}, "parameter: expected a positive number, got 0"),
        (lambda run: 3, {}, "have the same parameter 3"),
        ("n_arms", {"exponent": {"UCB1()": 1}}, "exponent: expected among 'UCB\\(delta=0.05\\)', got 'UCB1\\(\\)'"),
        ("n_arms", {"accent": "UCB1()"}, "accent: expected one of"),
        ("n_arms", {"curve": "widths"}, "curve: expected one of"),
    ],
)
def test_a_parameter_that_cannot_be_drawn_is_an_error(parameter: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plots.plot_parameter(ladder(UCB(), 1.0), parameter, **options)


def test_the_same_runs_give_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        plots.save_figure(plots.plot_comparison(ladder(UCB(), 1.0, arms=[2]))[0].figure, tmp_path / folder / "comparison")
        plots.save_figure(plots.plot_parameter(ladder(UCB(), 1.0), "n_arms").figure, tmp_path / folder / "parameter")
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()
