"""The list oracles: examples by hand, ties, bad input, fractions, and the same bits interpreted and compiled."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from theoryrl.planning import all_lists, best_perm, best_perm_box
from theoryrl.planning.best_perm import list_value, pessimistic_list_value, sort_descending, workspace
from theoryrl.testing.world import world

METHODS = ("greedy", "dp", "enumerate")


@pytest.mark.parametrize("method", METHODS)
def test_by_hand(method: str) -> None:
    items, value = best_perm([0.9, 0.9, 0.2], [0.9, 0.85, 3], 0, 2, method)
    assert items.tolist() == [2, 0]
    assert value == pytest.approx(0.2 * 3 + 0.8 * 0.9 * 0.9, abs=1e-15)


@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_worth_a_click(method: str) -> None:
    assert best_perm([0.5, 0.25], [0, 0], 1, 2, method)[0].tolist() == [1]
    assert best_perm([0.5, 0.25], [0, 0], 1, 2, method).value == 0.75
    items, value = best_perm([0.5, 0.25], [0, 0], 1, 2, method, allow_empty=True)
    assert items.tolist() == []
    assert value == 1


@pytest.mark.parametrize("method", METHODS)
def test_the_box_takes_the_upper_ends_unless_every_click_costs(method: str) -> None:
    assert best_perm_box([0.2, 0.3], [0.5, 0.4], [1, 0.5], 0, 1, method).value == 0.5
    items, value = best_perm_box([0.2, 0.3], [0.5, 0.4], [0, 0], 1, 1, method)
    assert (items.tolist(), value) == ([0], 0.8)
    items, value = best_perm_box([0.2, 0.3], [0.5, 0.4], [0, 0], 1, 1, method, fallback="literal")
    assert (items.tolist(), value) == ([1], 0.6)


def test_ties() -> None:
    """Greedy: lowest index.  The dynamic program takes on equality.  Enumeration: shortest, then lexicographic."""
    u, w = [1, 1, 1], [1, 1, 1]
    assert best_perm(u, w, 0, 2, "greedy").items.tolist() == [0, 1]
    assert best_perm(u, w, 0, 2, "dp").items.tolist() == [0, 1]
    assert best_perm(u, w, 0, 2, "enumerate").items.tolist() == [0]
    assert best_perm([0.5, 0.5, 0.5], [0, 0, 0], 0, 2, "greedy").items.tolist() == [0]
    assert best_perm([0, 0], [2, 3], 1, 2, "greedy").items.tolist() == [1, 0]


def test_the_number_of_lists() -> None:
    assert [len(all_lists(n, 3)) for n in (10, 15, 20, 25)] == [820, 2955, 7240, 14425]
    assert all_lists(3, 2, 0).tolist() == [[-1, -1], [0, -1], [1, -1], [2, -1], [0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1]]
    assert all_lists(2, 5).tolist() == [[0, -1], [1, -1], [0, 1], [1, 0]]


@pytest.mark.parametrize("n", [1, 2, 3, 7, 16, 33])
def test_sort_is_stable(n: int) -> None:
    keys = np.random.default_rng(n).integers(0, 5, n).astype(float)
    rank = np.zeros(n, np.int64)
    sort_descending(keys, rank, np.zeros(n, np.int64))
    assert rank.tolist() == sorted(range(n), key=lambda i: -keys[i])


def test_pessimistic_value_uses_either_end() -> None:
    lower, upper, w = np.array([0.25, 0.5]), np.array([0.75, 1.0]), np.array([0.0, 2.0])
    u = np.zeros(2)
    assert pessimistic_list_value(np.array([0, 1]), 2, lower, upper, w, 1.0, u) == 0.75 * 0 + 0.25 * 1.5
    assert u.tolist() == [0.75, 0.5]
    assert list_value(np.array([0, 1]), 2, np.array([0.75, 0.5]), w, 1.0) == 0.375
    assert list_value(np.array([0, 1]), 0, lower, w, 1.0) == 1


def test_the_same_bits_interpreted() -> None:
    kernels, interpreted = world()("theoryrl.planning.best_perm"), world()("theoryrl.planning").best_perm
    assert not hasattr(kernels.best_perm_greedy, "py_func")
    rng = np.random.default_rng(0)
    for _ in range(30):
        n, m = int(rng.integers(1, 30)), int(rng.integers(1, 5))
        u, w, no_click = rng.random(n), rng.random(n), rng.random() - 0.3
        for method in ("greedy", "dp"):
            ours, theirs = best_perm(u, w, no_click, m, method), interpreted(u, w, no_click, m, method)
            assert (ours.items.tolist(), ours.value) == (theirs.items.tolist(), theirs.value)


@pytest.mark.parametrize("method", METHODS)
def test_fractions(method: str) -> None:
    items, value = world()("theoryrl.planning").best_perm([Fraction(1, 3), Fraction(1, 2)], [Fraction(1), Fraction(1, 7)], Fraction(0), 2, method)
    assert items.tolist() == [0, 1]
    assert value == Fraction(1, 3) + Fraction(2, 3) * Fraction(1, 14)
    assert isinstance(value, Fraction)


def test_workspace_keeps_a_row_for_the_caller() -> None:
    work, order = workspace(4, 2)
    work[-1] = 7
    best_perm_kernel = world()("theoryrl.planning.best_perm")
    for oracle in (best_perm_kernel.best_perm_greedy, best_perm_kernel.best_perm_dp):
        oracle(np.full(4, 0.5), np.arange(1.0, 5.0), 0.0, 2, 1, work, order, np.zeros(2, np.int64))
    assert np.all(work[-1] == 7)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.5, 1.5], [1, 1], 0, 1), r"attraction\[1\]: expected \[0, 1\], got 1.5"),
        (([0.5, np.nan], [1, 1], 0, 1), r"attraction\[1\]: .*got nan"),
        (([], [], 0, 1), r"attraction: expected shape \(any,\), got \(0,\)"),
        (([0.5], [1, 1], 0, 1), r"value: expected shape \(1,\), got \(2,\)"),
        (([0.5], [np.inf], 0, 1), r"value\[0\]: .*got inf"),
        (([0.5], [1], np.nan, 1), r"no_click_value: .*got nan"),
        (([0.5], [1], 0, 0), r"max_length: .*got 0"),
        (([0.5], [1], 0, 1.5), r"max_length: .*got 1.5"),
        (([0.5], [1], 0, 1, "best"), r"method: .*got 'best'"),
        ((np.full(1000, 0.5), np.ones(1000), 0, 10, "enumerate"), r"max_length: expected at most 10000000 lists"),
    ],
)
def test_bad_input(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        best_perm(*arguments)


def test_bad_boxes() -> None:
    with pytest.raises(ValueError, match=r"lower\[1\]: expected at most upper\[1\] = 0.2, got 0.3"):
        best_perm_box([0.1, 0.3], [0.1, 0.2], [1, 1], 0, 1)
    with pytest.raises(ValueError, match=r"fallback: .*got 'none'"):
        best_perm_box([0.1], [0.1], [1], 0, 1, fallback="none")
    with pytest.raises(TypeError, match=r"attraction: expected an array of real numbers, got list \['x'\]"):
        best_perm(["x"], [1], 0, 1)


def test_integers_are_accepted() -> None:
    assert best_perm([1, 0], [2, 3], 1, 2).value == 2
