"""The figures of groupwise regret: their names, and that they show the tables that are given and say which are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from envs_synthetic.groupwise import sign_flip
from paper_figs import groupwise
from paper_figs.groupwise import FIGURES


@pytest.fixture
def no_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MEDICAL", "ADULT"):
        monkeypatch.delenv(f"THEORYRL_{name}", raising=False)


@pytest.fixture
def small_medical(no_tables: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Point THEORYRL_MEDICAL at 80 made-up rows."""
    rng = np.random.default_rng(0)
    rows = ["age,sex,bmi,children,smoker,region,charges"]
    for _ in range(80):
        sex, smoker, region = rng.choice(["male", "female"]), rng.choice(["yes", "no"]), rng.choice(["north", "south"])
        rows.append(f"{rng.integers(18, 65)},{sex},{rng.uniform(15, 45):.1f},{rng.integers(0, 5)},{smoker},{region},{rng.uniform(1e3, 6e4):.2f}")
    path = tmp_path / "insurance.csv"
    path.write_text("\n".join(rows) + "\n")
    monkeypatch.setenv("THEORYRL_MEDICAL", str(path))


def test_every_figure_of_the_spec_is_there() -> None:
    assert list(FIGURES) == ["regret", "end_regret", "weights", "decomposition", "growth_in_rounds", "scaling", "tightness", "published"]


def test_without_the_paper_s_table_an_instance_of_ours_stands_in_and_is_named(no_tables: None) -> None:
    given = groupwise._medical_or_sign_flip()
    assert [stream.name for stream in given.streams] == [f"sign_flip(T=100000, seed={seed})" for seed in range(10)]
    assert "for want of the paper's medical costs" in given.about


@pytest.mark.parametrize("name", ["regret", "end_regret"])
def test_a_table_that_is_given_is_drawn_and_named(small_medical: None, name: str) -> None:
    drawing = FIGURES[name]("quick")
    for stated in ("medical costs (80 rows", "10 row orders", "clipped VAW learners, lambda = 1", "derived here", "T = 80 rounds"):
        assert stated.lower() in drawing.caption.lower()
    assert "\n" not in drawing.caption and "  " not in drawing.caption
    if name == "regret":
        assert [ax.get_title(loc="left") for ax in drawing.figure.axes[:5]] == ["age", "bmi", "smoker", "sex", "all"]
    else:
        assert "Regrets above their bound, over all groups and row orders: 0." in drawing.caption


def test_the_weights_are_drawn_for_each_set_of_groups_awake() -> None:
    drawing = FIGURES["weights"]("quick")
    assert [ax.get_title(loc="left").partition("  ")[0] for ax in drawing.figure.axes] == ["awake: $g_1$, all", "awake: $g_1$, $g_2$, all", "awake: $g_2$, all"]
    assert "crossing(T=10000)" in drawing.caption


def test_published_numbers_stand_beside_ours() -> None:
    ours = np.array([[1.25, -2.5, 3.0], [0.5, 0.25, 1234.0]])
    theirs = np.array([[1.5, -2.75, 3.25], [112.5, 0.05, np.nan]])
    fig = groupwise._beside([("Adult", ("young", "old"), ours, theirs)])
    shown = [text.get_text() for text in fig.axes[0].texts]
    assert shown[1:3] == ["1.5", "112.5"] and shown[4:6] == ["1.25", "0.500"] and "−2.5" in shown and "1,234" in shown and "–" in shown
    assert [label.get_text() for label in fig.axes[0].get_yticklabels()] == ["young", "old"]


@pytest.mark.parametrize("table", ["medical", "adult"])
def test_every_group_has_published_numbers(table: str) -> None:
    assert np.all(np.isfinite(groupwise._paper(table)))


def test_the_authors_offset_is_the_gain_of_the_last_round_of_each_group() -> None:
    stream = sign_flip(50)
    last = [int(np.flatnonzero(mask)[-1]) for mask in stream.groups.T]
    expected = [stream.hindsight()[g] - stream.hindsight(t)[g] for g, t in enumerate(last)]
    assert np.allclose(groupwise._offset([stream, stream]), expected, rtol=0, atol=1e-12) and min(expected) >= -1e-12


def test_a_scale_that_is_not_one_is_named() -> None:
    with pytest.raises(ValueError, match="scale"):
        FIGURES["tightness"]("huge")
