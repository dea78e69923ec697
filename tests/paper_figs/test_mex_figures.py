"""The figures of MEX: their names, one that is drawn with an honest caption, and what the others compute for themselves."""

from __future__ import annotations

import numpy as np
import pytest

from envs_synthetic.mex import random_mdp
from paper_figs import mex
from paper_figs.mex import FIGURES
from theoryrl.algorithms import MEXTabular
from theoryrl.testing.world import world


def test_every_figure_of_the_spec_is_there() -> None:
    assert list(FIGURES) == ["comparison", "bound", "weight", "gaps", "coefficient", "exploiter", "in_sample", "proofs"]


def test_a_figure_is_drawn_and_its_caption_names_its_parameters() -> None:
    drawing = FIGURES["coefficient"]("quick")
    (ax,) = drawing.figure.axes
    assert ax.get_xlabel() == "episodes K" and ax.get_yscale() == "log" and len(ax.get_legend().get_texts()) == 5
    for stated in ("treasure(n_actions=3,", "epsilon = 0", "theory eta for K = 10,000", "seeds 0 to 99", "derived here", "lower bound"):
        assert stated in drawing.caption
    assert "\n" not in drawing.caption and "  " not in drawing.caption
    uniform, sharp, exact, realised, _ = (line.get_ydata() for line in ax.lines)
    assert np.all(np.asarray(sharp) <= uniform) and max(*exact, np.nanmax(realised)) <= min(*uniform, *sharp)


def test_the_sweeps_are_shown_in_full_and_the_theory_s_eta_is_among_them() -> None:
    contestants = mex._contestants()
    assert [len(sweep) for sweep in contestants.values()] == [6, 5, 5, 1, 1]
    assert contestants["MEX"]["theory"] == MEXTabular() and set(contestants) == set(mex.LOOKS) == set(mex.SWEPT)


def test_the_exact_optimum_of_an_episode_is_between_the_solver_s_bounds() -> None:
    run = MEXTabular(eta=0.3).run(random_mdp(2, 2, 2), 60, seed=0, trace="raw")
    for j in (0, 1, 7, 30, 59):
        lower, upper = run.state["raw_bounds"][j]
        found = mex._exact(run, j, 0.3, 10_000)
        assert found.exact and lower - 1e-9 <= found.lower <= upper + 1e-9


def test_the_mutant_without_an_exploiter_is_up_to_date() -> None:
    assert world(mex.WITHOUT_EXPLOITER)(mex.GAME).MEXMG is not None


def test_a_scale_that_is_not_one_is_named() -> None:
    with pytest.raises(ValueError, match="scale"):
        FIGURES["bound"]("huge")
