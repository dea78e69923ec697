"""The figures of GOSPRL: their names, one that is drawn with an honest caption, and what the others compute for themselves."""

from __future__ import annotations

import numpy as np
import pytest

from envs_synthetic.gosprl import lock_chain, only, ring, two
from paper_figs import gosprl
from paper_figs.gosprl import FIGURES
from theoryrl.algorithms.gosprl import GOSPRL, MaurerPontil, Modest, UniformCollection
from theoryrl.planning.shortest_path import shortest_path
from theoryrl.testing.world import world


def test_every_figure_of_the_spec_is_there() -> None:
    assert list(FIGURES) == ["fraction", "growth", "optimism", "errors", "deficit", "goal_free", "plans", "proofs", "nonvacuous", "requirements"]


def test_a_figure_is_drawn_and_its_caption_names_its_parameters() -> None:
    drawing = FIGURES["nonvacuous"]("quick")
    left, right = drawing.figure.axes
    assert left.get_xlabel() == "length n of the lock" and left.get_yscale() == "log"
    assert [len(ax.get_legend().get_texts()) for ax in (left, right)] == [6, 6]
    for stated in ("derived here", "delta = .1", "2 B (2^n - 1)", "B = 50", "over 5 seeds", "L1 from n = 16 on", "Bernstein from n = 24 on"):
        assert stated in drawing.caption
    assert "\n" not in drawing.caption and "  " not in drawing.caption
    uniform, l1, times, *_, least = (np.asarray(line.get_ydata(), dtype=float) for line in left.lines)
    n = np.asarray(left.lines[0].get_xdata(), dtype=float)
    assert np.allclose(uniform, 100 * (2**n - 1), rtol=1e-9) and np.all(least <= times) and np.all(times < l1)


def test_a_curve_is_read_at_the_steps_of_a_grid_and_stays_where_a_run_has_ended() -> None:
    grid = np.array([1, 5, 20, 60, 500])
    runs = [GOSPRL(only(two(), 1, b)).run(two(), 500, seed=0, checkpoints=grid.tolist()) for b in (3, 1000)]
    curves = gosprl._curves(runs, "met", grid, 1.0)
    assert runs[0].stopped and not runs[1].stopped
    assert curves[1].tolist() == [0.5] * 5 and curves[0, -1] == 1
    for k, value in zip(grid, curves[0], strict=True):
        assert value == GOSPRL(only(two(), 1, 3)).run(two(), int(k), seed=0)["met"][-1]


def test_the_gaps_are_those_of_the_plans_and_never_negative() -> None:
    problem = lock_chain(5)
    learner = GOSPRL(only(problem, -1, 4))
    at, gap = gosprl._gaps(learner, problem, 400, 0)
    run = learner.run(problem, 400, seed=0, trace="raw")
    assert gap.shape == (len(run.state["raw_values"]), 4) and np.all(np.diff(at) > 0) and np.all(gap >= -1e-12)
    assert np.array_equal(gap[0], np.array([4.0, 3, 2, 1]) - run.state["raw_values"][0, :4])


def test_the_samples_of_a_rule_are_those_it_stops_at() -> None:
    problem = ring()
    fixed, adaptive = Modest(0.3, 0.1), Modest(0.3, 0.1, adaptive=True)
    assert np.all(gosprl._collected(problem, fixed, 0) == fixed.most(problem))
    taken = gosprl._collected(problem, adaptive, 0)
    assert np.isin(taken, adaptive.levels(3, 2)).all()
    assert np.all(gosprl._textbook(problem, MaurerPontil(0.3, 0.1), 0) > fixed.most(problem))


def test_what_is_lost_and_what_is_missing() -> None:
    problem, goal, costs = ring(), 1, np.array([[0.5, 1], [1, 1], [1, 0.7]])
    best = shortest_path(problem.transition, costs, goal).values
    assert gosprl._losses(problem, problem.transition, [(goal, costs)], [best]) == [0]
    reversed_actions = problem.transition[:, ::-1]
    assert gosprl._losses(problem, reversed_actions, [(goal, costs)], [best])[0] > 1
    assert gosprl._owed(UniformCollection(2).run(problem, 3, seed=0)).sum() == 12 - 3


def test_the_mutant_without_optimism_is_up_to_date() -> None:
    assert world(gosprl.WITHOUT_OPTIMISM)("theoryrl.algorithms.gosprl").GOSPRL is not None


def test_a_scale_that_is_not_one_is_named() -> None:
    with pytest.raises(ValueError, match="scale"):
        FIGURES["growth"]("huge")
