"""Figures: what they show, and that the same seed gives the same bytes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from toys import UCB, Bandit, EpsilonGreedy, Experts, Hedge

from theoryrl.algorithms import Run, run_many
from theoryrl.experiments import plots
from theoryrl.proofs import Event, Line, Proof, registry, theorem

matplotlib.use("Agg")
BANDIT = Bandit([0.5, 0.4, 0.1], name="three_arms()")


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


@pytest.fixture
def ucb() -> Run:
    return UCB().run(BANDIT, 2000, seed=1, trace=True)


def labels(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_a_run_is_drawn_against_its_unit_with_its_exponent(ucb: Run) -> None:
    ax = ucb.plot()
    assert ax.get_xlabel() == "rounds" and ax.get_xscale() == ax.get_yscale() == "log"
    assert len(labels(ax)) == 1 and "grows like $k^{" in labels(ax)[0]
    assert "three_arms()" in ax.get_title(loc="left")


def test_a_stated_bound_and_the_worst_policy_are_drawn_above() -> None:
    @dataclasses.dataclass(frozen=True)
    class Stated(UCB):
        pass

    before = list(registry)
    try:
        registry[:] = []
        theorem(for_=Stated, id="S", paper="toys", source="test", bound=lambda a, p, n, k: 10 * np.sqrt(k), trivial=lambda p, k: 0.4 * k)(lambda run: Proof({}))
        assert labels(Stated().run(BANDIT, 100, seed=0).plot())[1:] == ["theorem's bound", "worst policy"]
    finally:
        registry[:] = before


def test_a_trailing_axis_is_drawn_at_its_largest_entry() -> None:
    run = Hedge().run(Experts(np.random.default_rng(0).random((50, 3))), 50, seed=0)
    drawn = run.plot().get_lines()[0].get_ydata()
    largest = run.regret.max(axis=1)
    np.testing.assert_array_equal(drawn[largest > 0], largest[largest > 0])


def test_a_run_is_drawn_into_given_axes(ucb: Run) -> None:
    import matplotlib.pyplot as plt

    ax = plt.figure().subplots()
    assert ucb.plot(ax) is ax


def test_the_waterfall_names_each_step_and_the_largest_possible_value(ucb: Run) -> None:
    ax = ucb.proof().plot()
    shown = [text.get_text() for text in ax.texts]
    assert any("optimism" in text and "on E" in text for text in shown) and any("pigeonhole" in text for text in shown)
    assert labels(ax)[:2] == ["on an event", "surely"] and "largest possible" in labels(ax)[2]
    assert [tick.get_text()[:2] for tick in ax.get_yticklabels()] == ["L0", "L1", "L2"]


def proof_of(run: Run, *values: float, **how: Any) -> Proof:
    lines = [Line(f"L{i}", "", np.full(len(run.checkpoints), value), **(how if i + 1 < len(values) else {})) for i, value in enumerate(values)]
    return Proof({"chain": lines}, [Event("E", 0.1, False)], run=run)


def test_broken_steps_and_failed_events_are_marked(ucb: Run) -> None:
    assert "VIOLATED" in labels(plots.plot_proof(proof_of(ucb, 3.0, 2.0, holds="surely")))
    assert "on an event that failed" in labels(plots.plot_proof(proof_of(ucb, 3.0, 2.0, on="E")))


@pytest.mark.parametrize("values", [(0.0, 0.0), (-2.0, 0.0, 5.0), (np.nan, 1.0), (1.0, np.nan, 3.0)])
def test_values_that_are_not_positive_or_make_no_claim_are_drawn(ucb: Run, values: tuple[float, ...], tmp_path: Path) -> None:
    plots.save_figure(plots.plot_proof(proof_of(ucb, *values, holds="surely")).figure, tmp_path / "chain")


def test_many_runs_show_the_accent_the_muted_and_the_band() -> None:
    runs = {"UCB": run_many(UCB(), BANDIT, 200, seeds=range(3)), "greedy": run_many(EpsilonGreedy(), BANDIT, 200, seeds=range(3))}
    k = np.arange(1, 201)
    ax = plots.plot_runs(runs, bound=(k, 50 * np.sqrt(k)), trivial=(k, 0.4 * k), accent="greedy")
    colours = {line.get_label().split("  ")[0]: line.get_color() for line in ax.get_lines()}
    assert colours["greedy"] == plots.ACCENT and colours["UCB"] == plots.MUTED[0][0]
    assert colours["theorem's bound"] == plots.BOUND and len(ax.collections) == 2
    assert "10–90 % band over 3 seeds" in ax.get_title(loc="left")


@pytest.mark.parametrize(
    ("runs", "accent", "message"), [({}, None, "runs: expected"), ({"a": []}, None, "'a' has no run"), ({"a": []}, "b", "accent: expected one of 'a'")]
)
def test_nothing_to_draw_is_an_error(runs: dict[str, list[Run]], accent: str | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plots.plot_runs(runs, accent=accent)


def test_runs_that_share_no_checkpoint_are_an_error() -> None:
    runs = [UCB().run(BANDIT, n, seed=0, checkpoints=[n]) for n in (3, 4)]
    with pytest.raises(ValueError, match="'a' share no checkpoint"):
        plots.plot_runs({"a": runs})


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        png, pdf = plots.save_figure(UCB().run(BANDIT, 500, seed=3, trace=True).proof().plot().figure, tmp_path / folder / "proof.png")
    assert [png.name, pdf.name] == ["proof.png", "proof.pdf"]
    for name in ("proof.png", "proof.pdf"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_missing_folder_is_an_error(tmp_path: Path, ucb: Run) -> None:
    with pytest.raises(ValueError, match="path: the folder"):
        plots.save_figure(ucb.plot().figure, tmp_path / "missing" / "figure")


def test_formulas_are_never_broken() -> None:
    wrapped = plots._wrap(r"the sum of widths $\sum_k a_k + b_k + c_k$ over all of the episodes so far", 20)
    assert r"$\sum_k a_k + b_k + c_k$" in wrapped and "\n" in wrapped
