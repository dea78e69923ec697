"""The instances A-G of cascading RL: the constants that they were built to have, and clear errors from the loaders."""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs_synthetic import cascading
from envs_synthetic.cascading import (
    cascading_bandit,
    from_ratings,
    hidden_gem,
    logged_clicks,
    low_click_bandit,
    myopic_trap,
    noclick_trap,
    random_cascade,
    synthetic_ratings,
)
from theoryrl.planning import all_lists, best_perm

TRAPS = [(0.3, 0.25), (0.3, 0.27), (0.5, 0.45, 0.4, 0.35, 0.3), (0.25, 0.3, 0.2, 0.4, 0.22), (0.5, 0.25)]


@pytest.mark.parametrize(
    ("problem", "best", "worst"),
    [
        (myopic_trap(), 1.1925, 0.54),
        (hidden_gem(2, 1, 2), 1.755, 0.23625),
        (hidden_gem(3, 1, 2), 1.755, 0.23625),
        (hidden_gem(4, 2, 3), None, None),
        (cascading_bandit(4), 0.75, 0.3),
        (cascading_bandit(32), 0.75, 0.3),
        (low_click_bandit(), 1 - 0.96 * 0.98**2, 0.02),
        *((noclick_trap(qs), 1 - min(qs), 1 - max(qs)) for qs in TRAPS),
    ],
    ids=str,
)
def test_values(problem: Any, best: float | None, worst: float | None) -> None:
    if best is None:  # the largest regret of an episode that the spec lists: 468,945 over 200,000 episodes
        assert problem.optimal_value - problem.worst_value == pytest.approx(468_945 / 200_000, abs=3e-6)
    else:
        assert problem.optimal_value == pytest.approx(best, abs=1e-14)
        assert problem.worst_value == pytest.approx(worst, abs=1e-14)


def test_sizes() -> None:
    def sizes(p: Any) -> tuple[int, ...]:
        return p.n_states, p.n_items, p.max_length, p.horizon

    assert sizes(myopic_trap()) == (2, 2, 1, 3)
    assert sizes(hidden_gem(4, 2, 3)) == (2, 4, 2, 3)
    assert sizes(noclick_trap(TRAPS[2])) == (3, 5, 1, 2)
    assert sizes(cascading_bandit(8)) == (1, 8, 2, 1)
    assert sizes(low_click_bandit()) == (1, 10, 3, 1)
    assert sizes(random_cascade(10, 20)) == (10, 20, 3, 5)
    assert sizes(from_ratings()) == (20, 10, 3, 3)
    assert [len(all_lists(from_ratings(n_items=n).n_items, 3)) for n in (10, 15, 20, 25)] == [820, 2955, 7240, 14425]


@pytest.mark.parametrize("qs", TRAPS)
def test_no_item_is_worth_a_click_at_the_start_of_the_trap(qs: tuple[float, ...]) -> None:
    problem = noclick_trap(qs)
    w = problem.reward[0] + problem.transition[0] @ problem.optimal_values[1]
    assert np.all(w[:-1] <= w[-1])  # J = 0
    assert problem.optimal_lists[0, 0].tolist() == [int(np.argmin(qs))]


def test_the_trap_pays_the_myopic_less() -> None:
    problem = myopic_trap()
    assert problem.optimal_lists[0, 0].tolist() == [1]
    assert best_perm(problem.attraction[0], problem.reward[0, :2], 0, 1).items.tolist() == [0]


def test_the_last_items_are_the_good_ones() -> None:
    assert hidden_gem(5).attraction[0].tolist() == [0.15, 0.15, 0.15, 0.15, 0.9]
    assert cascading_bandit(4).attraction.tolist() == [[0.3, 0.3, 0.5, 0.5]]
    assert low_click_bandit(3).attraction.tolist() == [[0.02, 0.02, 0.04]]


def test_random_cascades_have_the_stated_ranges() -> None:
    problem = random_cascade(10, 20, seed=3)
    assert 0.05 <= problem.attraction.min() < 0.1 < 0.55 < problem.attraction.max() <= 0.6
    assert np.all(problem.reward[:, -1] == 0)
    assert problem == random_cascade(10, 20, seed=3)
    assert problem != dataclasses.replace(random_cascade(10, 20, seed=4), name=problem.name)


@pytest.mark.parametrize(
    "problem",
    [
        myopic_trap(), hidden_gem(), noclick_trap(TRAPS[3]), cascading_bandit(np.int64(4), good=0.6), low_click_bandit(), random_cascade(2, 3, 2, 2, 1),
        from_ratings(n_users=4, seed=2), logged_clicks(seed=1),
    ],
    ids=str,
)  # fmt: skip
def test_the_name_makes_the_instance_again(problem: Any) -> None:
    assert eval(problem.name, vars(cascading)) == problem


def test_the_recipe_of_the_ratings() -> None:
    problem = from_ratings([[5, 3], [4.5, 0.5], [1, 4]])
    assert np.allclose(problem.attraction, [[1, 0.6], [0.9, 0.1], [0.2, 0.8]], rtol=0, atol=1e-15)
    assert np.allclose(problem.transition[0, 0], [0.9, 0.05, 0.05], rtol=0, atol=1e-15)
    assert np.allclose(problem.transition[1, 0], [0.05, 0.9, 0.05], rtol=0, atol=1e-15)
    for row in (problem.transition[0, 1], problem.transition[2, 0], problem.transition[1, 2]):
        assert np.allclose(row, 1 / 3, rtol=0, atol=1e-15)
    assert problem.reward.tolist() == [[1, 1, 0]] * 3
    assert problem.name.startswith("from_ratings(ratings=array(3, 2), threshold=4.5")
    assert from_ratings([[5.0]]).transition.tolist() == [[[1.0], [1.0]]]


def test_missing_ratings_are_filled_from_the_rank() -> None:
    full = 3 + np.outer([1, -1, 0.5, -0.5, 1], [1, -1, 0, 0.5, -0.5, 0])
    table = full.copy()
    table[1, 2] = table[3, 5] = math.nan
    attraction = from_ratings(table, rank=1).attraction * 5
    rated = ~np.isnan(table)
    assert np.allclose(attraction[rated], full[rated], rtol=0, atol=1e-12)
    assert np.allclose(attraction, full, rtol=0, atol=0.2)
    nobody = np.array([[4, 2], [math.nan, math.nan]])
    assert from_ratings(nobody, rank=1).attraction[1].tolist() == [0.6, 0.6]
    extreme = from_ratings(np.array([[5, 5, math.nan], [0, 5, 5], [5, math.nan, 0]]), rank=2)
    assert extreme.attraction.max() <= 1


def test_synthetic_ratings() -> None:
    table = synthetic_ratings(200, 100, seed=0)
    assert table.shape == (200, 100)
    assert np.array_equal(2 * table, np.round(2 * table))
    assert table.min() >= 0.5
    assert table.max() <= 5
    assert 3.1 < table.mean() < 3.5
    share = np.linalg.svd(table - table.mean(), compute_uv=False) ** 2
    assert share[:4].sum() / share.sum() > 0.7  # rank 4 plus noise


def write(folder: Path, text: str) -> str:
    path = folder / "ratings.csv"
    path.write_text(text)
    return str(path)


def test_a_csv_file_is_the_table_that_it_lists(tmp_path: Path) -> None:
    path = write(tmp_path, "userId,movieId,rating,timestamp\n7,a,5,0\n7,b,3,0\n9,a,4.5,0\n9,b,0.5,0\n")
    problem = from_ratings(path)
    assert np.array_equal(problem.attraction, from_ratings([[5, 3], [4.5, 0.5]]).attraction)
    assert repr(path) in problem.name
    assert from_ratings(Path(path)) == problem


def test_the_users_and_items_with_the_most_ratings_are_kept(tmp_path: Path) -> None:
    path = write(tmp_path, "u,x,1\nv,x,2\nv,y,3\nw,y,4\nw,z,5\nv,z,5\n")
    problem = from_ratings(path, n_users=2, n_items=1)
    assert np.allclose(problem.attraction, [[0.4], [from_ratings(path, n_users=2, n_items=1).attraction[1, 0]]])
    table = [[1, math.nan, math.nan], [2, 3, 5], [math.nan, 4, 5]]
    assert np.array_equal(from_ratings(table, n_users=2, n_items=2).attraction, from_ratings(path, n_users=2, n_items=2).attraction)
    with pytest.raises(ValueError, match=r"n_users: expected an integer in \[1, 3\], got 4"):
        from_ratings(path, n_users=4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("u,x,1\nu,y,high\n", "row 2, column 3 (rating): expected a number, got 'high'"),
        ("u,x,1\nu,y,7\n", "row 2, column 3 (rating): expected a rating in [0, 5], got 7"),
        ("u,x,nan\n", "row 1, column 3 (rating): expected a rating in [0, 5], got nan"),
        ("u,x,1\nu,y\n", "row 2: expected the columns user, item, rating, got 2 of them"),
        ("u,x,1\nu,x,2\n", "row 2: user u rates item x a second time"),
        ("user,item,rating\n", "expected rows of user, item, rating, got none"),
        ("", "expected rows of user, item, rating, got none"),
    ],
)
def test_bad_files(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        from_ratings(write(tmp_path, text))


def test_bad_ratings(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"ratings\[1, 0\]: expected a rating in \[0, 5\] or NaN, got 6.0"):
        from_ratings([[1, 2], [6, 1]])
    with pytest.raises(ValueError, match=r"ratings: expected shape \(any, any\), got \(2,\)"):
        from_ratings([1, 2])
    with pytest.raises(ValueError, match=r"ratings: expected at least one rating, got none"):
        from_ratings([[math.nan]])
    with pytest.raises(TypeError, match=r"ratings: expected a table of numbers, or the path of a CSV file, got list"):
        from_ratings([["a"]])
    with pytest.raises(FileNotFoundError, match="nowhere"):
        from_ratings(tmp_path / "nowhere.csv")
    with pytest.raises(ValueError, match=r"rank: .*got 0"):
        from_ratings([[1, math.nan]], rank=0)


def test_the_mapping_of_logged_clicks() -> None:
    table = synthetic_ratings(50, 6, seed=0)
    problem = logged_clicks(table, list("abcabc"), click_rate=0.2, kappa=0.25, rho=0.4)
    assert (problem.n_states, problem.n_items, problem.start) == (4, 6, 0)
    assert problem.attraction.mean() == pytest.approx(0.2, abs=1e-9)
    logits = np.log(problem.attraction / (1 - problem.attraction))
    assert logits.std() == pytest.approx(1, abs=1e-6)
    assert np.allclose(problem.transition[2, 2], [0, 0, 0.25, 0.75])
    assert np.allclose(problem.transition[2, 4], [0, 0, 1, 0])
    assert np.allclose(problem.transition[3, 6], [0.4, 0, 0, 0.6])
    assert np.allclose(problem.transition[0, 6], [1, 0, 0, 0])
    assert np.allclose(problem.reward[1, :6], table.mean(axis=0) / 5)
    assert np.all(problem.reward[:, 6] == 0)
    assert np.all(logged_clicks(np.full((4, 3), 2.0), click_rate=0.3).attraction == pytest.approx(0.3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: hidden_gem(0), r"n_items: .*got 0"),
        (lambda: hidden_gem(2, 0), r"max_length: .*got 0"),
        (lambda: noclick_trap(()), r"qs: expected shape \(any,\), got \(0,\)"),
        (lambda: noclick_trap((0.5, 2)), r"qs\[1\]: expected \[0, 1\], got 2"),
        (lambda: cascading_bandit(1), r"n_good: expected an integer in \[0, 1\], got 2"),
        (lambda: random_cascade(2, 2, seed=-1), r"seed: .*got -1"),
        (lambda: synthetic_ratings(0, 3, 0), r"n_users: .*got 0"),
        (lambda: logged_clicks(click_rate=0), r"click_rate: expected a number in \(0, 1\), got 0"),
        (lambda: logged_clicks([[1, 2]], genres=["a"]), r"genres: expected shape \(2,\), got \(1,\)"),
    ],
)
def test_bad_arguments(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
