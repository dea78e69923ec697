"""The figures of the baselines: their names, one that needs no run, and the bonuses of a mutant on the transitions of a run."""

from __future__ import annotations

import numpy as np
import pytest

from envs_synthetic.baselines import river_swim
from paper_figs import baselines
from paper_figs.baselines import FIGURES
from theoryrl.algorithms import UCBVI


def test_every_figure_of_the_spec_is_there() -> None:
    assert list(FIGURES) == ["regret", "waterfalls", "nonvacuous", "stage_bonus"]


def test_a_figure_is_drawn_and_its_caption_names_its_parameters() -> None:
    drawing = FIGURES["nonvacuous"]("quick")
    assert [ax.get_xlabel() for ax in drawing.figure.axes] == ["states S", "steps H of an episode", "states S"]
    assert [len(ax.get_legend().get_texts()) for ax in drawing.figure.axes] == [6, 6, 3]
    assert all(ax.get_yscale() == "log" for ax in drawing.figure.axes)
    for stated in ("delta = .05", "A = 2", "derived here", "as printed", "not tested", "two_state(horizon=3): 2.02e+03,", "continuing(): 9.22e+03, 5.64e+04,"):
        assert stated in drawing.caption
    assert "\n" not in drawing.caption and "  " not in drawing.caption
    certified, _, printed, *_ = (np.asarray(line.get_ydata()) for line in drawing.figure.axes[0].lines)
    assert np.all(np.diff(certified) > 0) and np.all(certified < printed)
    explicit, paper, printed = (np.asarray(line.get_ydata()) for line in drawing.figure.axes[2].lines)
    assert np.all(np.diff(explicit) > 0) and np.all(explicit < paper) and np.all(paper < printed)


def test_the_mutant_s_bonus_is_that_of_the_last_visit_at_the_stage() -> None:
    run = UCBVI().run(river_swim(3, 4), 50, seed=0, trace="raw", checkpoints=[50])
    kept, stale = baselines._bonuses(run)
    states, actions, caps = run.state["raw_states"][:-1], run.state["raw_actions"][:-1], run.problem.value_caps
    differ = 0
    for h in range(3):
        for s in range(3):
            for a in range(2):
                order = [(k, i) for k in range(49) for i in range(4) if states[k, i] == s and actions[k, i] == a]
                seen = [i + 1 for i, (_, stage) in enumerate(order) if stage == h]
                expected = kept[h, s, a] * np.sqrt(len(order) / seen[-1]) if seen else caps[h + 1]
                assert abs(stale[h, s, a] - expected) <= 1e-12 * max(1, expected)
                differ += stale[h, s, a] != kept[h, s, a]
    assert differ > 0 and np.all(stale[:3] >= np.minimum(kept[:3], caps[1:4, None, None]) - 1e-12)


def test_a_scale_that_is_not_one_is_named() -> None:
    with pytest.raises(ValueError, match="scale"):
        FIGURES["regret"]("huge")
