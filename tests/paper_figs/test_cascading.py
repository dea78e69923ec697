"""The figures of Cascading RL: their names, and that one which needs no run is drawn with an honest caption."""

from __future__ import annotations

import pytest

from paper_figs.cascading import FIGURES


def test_every_figure_of_the_spec_is_there() -> None:
    assert list(FIGURES) == ["regret", "growth_in_items", "oracles", "values", "noclick", "bpi", "q_bonus", "nonvacuous", "ratings"]


def test_a_figure_is_drawn_and_its_caption_names_its_parameters() -> None:
    drawing = FIGURES["nonvacuous"]("quick")
    assert [ax.get_xlabel() for ax in drawing.figure.axes] == ["states S", "items N", "steps H of an episode"]
    assert all(ax.get_legend() is not None and ax.get_yscale() == "log" for ax in drawing.figure.axes)
    for stated in ("delta = .05", "variant 'explicit-kl'", "m = 3", "derived here", "H K"):
        assert stated in drawing.caption
    assert "\n" not in drawing.caption and "  " not in drawing.caption


def test_a_scale_that_is_not_one_is_named() -> None:
    with pytest.raises(ValueError, match="scale"):
        FIGURES["nonvacuous"]("huge")
