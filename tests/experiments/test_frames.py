"""Runs as frames, and grouped."""

from __future__ import annotations

import numpy as np
import pytest
from made_runs import BANDIT, made
from toys import UCB, Bandit, EpsilonGreedy, Experts, Hedge

from theoryrl.experiments import frames

pandas = pytest.importorskip("pandas", reason="pandas is not installed")


def test_a_tidy_frame_has_a_row_per_run_checkpoint_and_curve() -> None:
    runs = [UCB().run(BANDIT, 50, seed=seed, trace=True) for seed in (3, 4)] + [EpsilonGreedy().run(BANDIT, 20, seed=3)]
    table = frames.frame(iter(runs))
    assert list(table) == ["algorithm", "problem", "seed", "n", "checkpoint", "curve", "value"]
    assert len(table) == sum(len(run.checkpoints) * len(run.curves) for run in runs)
    for run in runs:
        for curve, values in run.curves.items():
            rows = table[(table["algorithm"] == repr(run.algorithm)) & (table["seed"] == run.seed) & (table["curve"] == curve)]
            np.testing.assert_array_equal(rows["checkpoint"], run.checkpoints)
            np.testing.assert_array_equal(rows["value"], values)
            assert set(rows["n"]) == {run.n} and set(rows["problem"]) == {"three_arms()"}
    assert table.attrs["left_out"] == []


def test_trailing_axes_are_left_out_and_told_or_have_an_entry_each() -> None:
    run = Hedge().run(Experts(np.random.default_rng(0).random((30, 3)), name="experts()"), 30, seed=0)
    assert len(frames.frame([run])) == 0 and frames.frame([run]).attrs["left_out"] == ["regret"]
    table = frames.frame([run], entries=True)
    assert list(table["entry"].cat.categories) == ["0", "1", "2"] and table.attrs["left_out"] == []
    for entry in range(3):
        np.testing.assert_array_equal(table[table["entry"] == str(entry)]["value"], run.regret[:, entry])


def test_several_trailing_axes_and_scalars_share_a_frame() -> None:
    pair = np.arange(12.0).reshape(3, 2, 2)
    table = frames.frame([made(UCB(), 0, pair=pair)], entries=True)
    assert list(table["entry"].cat.categories) == ["", "0,0", "0,1", "1,0", "1,1"]
    np.testing.assert_array_equal(table[table["entry"] == "1,0"]["value"], pair[:, 1, 0])
    assert len(table[table["curve"] == "regret"]) == 3


def test_no_runs_are_an_empty_frame() -> None:
    assert list(frames.frame([])) == ["algorithm", "problem", "seed", "n", "checkpoint", "curve", "value"]
    assert list(frames.summary([])) == ["algorithm", "problem", "seed", "n", "steps", "finished", "seconds"]


def test_a_summary_has_a_row_per_run_with_final_values() -> None:
    runs = [made(UCB(), 0, 7.0, width=np.array([3.0, 2.0, 1.0])), made(EpsilonGreedy(), 1, [1.0, 2.0], steps=400)]
    table = frames.summary(runs)
    assert table["final_regret"][0] == 7 and np.isnan(table["final_regret"][1])
    assert table["final_width"][0] == 1 and list(table["finished"]) == [True, False] and list(table["steps"]) == [1000, 400]
    assert table.attrs["left_out"] == ["regret"]
    assert frames.summary(runs, entries=True)["final_regret[1]"][1] == 2


def test_problems_of_a_prior_share_its_name() -> None:
    runs = [made(UCB(), seed, problem=Bandit([0.1 * seed, 0.9], name=f"prior(2)({seed})")) for seed in (1, 2)]
    assert [frames.problem_name(run) for run in runs] == ["prior(2)", "prior(2)"]
    assert frames.problem_name(made(UCB(), 2, problem=Bandit([0.5], name="arms(2)"))) == "arms(2)"
    assert [group.seeds for group in frames.groups(runs)] == [[1, 2]]


def test_groups_keep_the_order_of_the_runs_and_know_what_is_unpaired() -> None:
    runs = [made(EpsilonGreedy(), 5), made(UCB(), 2, n=100), made(UCB(), 2), made(UCB(), 5), made(UCB(), 1)]
    large, small = frames.groups(runs)
    assert (large.n, small.n) == (1000, 100) and list(large.runs) == ["EpsilonGreedy(epsilon=0.2)", "UCB(delta=0.05)"]
    assert list(large.runs["UCB(delta=0.05)"]) == [1, 2, 5] and large.unpaired == {"EpsilonGreedy(epsilon=0.2)": [1, 2]} and small.unpaired == {}


def test_runs_that_cannot_be_told_apart_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"two runs of UCB\(delta=0.05\) on three_arms\(\) have seed 0 and n = 1,000"):
        frames.groups([made(UCB(), 0), made(UCB(), 0)])
    with pytest.raises(ValueError, match=r"two different problems are called three_arms\(\) \(seed 0\)"):
        frames.groups([made(UCB(), 0), made(EpsilonGreedy(), 0, problem=Bandit([0.5, 0.3], name="three_arms()"))])
    with pytest.raises(ValueError, match="at least one run"):
        frames.groups([])
    with pytest.raises(TypeError, match="expected runs, got str"):
        frames.groups("ab")  # type: ignore[arg-type]


def test_a_final_value_is_the_largest_entry_or_the_steps() -> None:
    assert frames.final_value(made(UCB(), 0, [1.0, 3.0, 2.0]), "regret") == 3
    assert frames.final_value(made(UCB(), 0), "steps") == 1000
    with pytest.raises(ValueError, match="is not finished"):
        frames.final_value(made(UCB(), 0, steps=10), "regret")
    with pytest.raises(ValueError, match="curve: expected one of 'regret', got 'widths'"):
        frames.final_value(made(UCB(), 0), "widths")
    with pytest.raises(ValueError, match="is not a number"):
        frames.final_value(made(UCB(), 0, np.nan), "regret")


@pytest.mark.parametrize(("numbers", "text"), [([], ""), ([3], "3"), ([1, 0], "0, 1"), ([0, 1, 2, 4, 9, 8, 7], "0–2, 4, 7–9")])
def test_integers_are_listed_as_people_do(numbers: list[int], text: str) -> None:
    assert frames.listed(numbers) == text
