"""The generalized eluder coefficient: closed forms, monotonicity, brute force against plain loops, and named errors."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs_synthetic.mex import near_truth, random_mdp, treasure, treasure_class
from theoryrl.algorithms.mex import MEX
from theoryrl.algorithms.mex.classes import model_tables
from theoryrl.complexity.gec import (
    Gec,
    brute_force_gec,
    cellwise_gec,
    linear_gec,
    model_gec,
    paper_gec,
    realised_gec,
    squared_hellinger,
    value_gec,
)

REACH, CAPS = np.array([2.0, 3.5, 0.0]), np.array([1.5, 1.0, 0.25])


def test_closed_forms() -> None:
    assert value_gec(8, REACH, CAPS) == Gec(3 * 5.5, 2 * (3 + 3.5))
    assert model_gec(8, REACH, CAPS) == Gec(2 * 3 * (4.5 + 3.5), 2 * (3 + 3.5))
    reach, kappa, rho = np.array([[[0.5, 0]], [[1, 0.25]]]), np.array([[[2, 7]], [[0, 4]]]), np.array([[[1, 9]], [[0, 2]]])
    assert cellwise_gec(4, reach, kappa, rho) == Gec(2 * (1 + 1), 2 * (0.5 + 0.5))
    assert paper_gec(Gec(5, 10), 10, 2) == 5 and paper_gec(Gec(4, 10), 10, 2) == 5


def test_a_single_episode_counts_as_two() -> None:
    for gec in (value_gec, model_gec):
        assert gec(1, REACH, CAPS) == gec(2, REACH, CAPS) and gec(1, REACH, CAPS).d > 0
    assert value_gec(5, np.zeros(2), np.ones(2)) == model_gec(5, np.ones(2), np.zeros(2)) == Gec(0, 0)


def test_linear_closed_form() -> None:
    gamma = [2 * math.log2(1 + 16 * 4 / (2 * 0.5)), 3 * math.log2(1 + 16 * 1 / (3 * 0.5))]
    found = linear_gec(16, (2, 3), (2, 1), (3, 0.5), (1, 2), regulariser=0.5)
    assert found.d == pytest.approx(sum(gamma), rel=1e-14)
    assert found.b == pytest.approx(3 * math.sqrt(8 * gamma[0]) + gamma[0] + 0.5 * math.sqrt(8 * gamma[1]) + 2 * gamma[1], rel=1e-14)
    assert linear_gec(16, (2, 3), (2, 1), (3, 0.5), (1, 2)) == linear_gec(16, (2, 3), (2, 1), (3, 0.5), (1, 2), regulariser=1 / 16)


def test_more_of_anything_is_no_easier() -> None:
    def at_least(more: Gec, less: Gec) -> None:
        assert more.d >= less.d and more.b >= less.b

    rng = np.random.default_rng(0)
    for _ in range(20):
        reach, caps, extra = rng.random((3, 4))
        for gec in (value_gec, model_gec):
            at_least(gec(50, reach, caps), gec(20, reach, caps))
            at_least(gec(20, reach + extra, caps), gec(20, reach, caps))
            at_least(gec(20, reach, caps + extra), gec(20, reach, caps))
        cells, kappa, rho, extra = rng.random((4, 2, 3, 2))
        for more in ((50, cells, kappa, rho), (20, cells + extra, kappa, rho), (20, cells, kappa + extra, rho), (20, cells, kappa, rho + extra)):
            at_least(cellwise_gec(*more), cellwise_gec(20, cells, kappa, rho))
        X, W, B = rng.random((3, 2))
        for arguments in ((50, (2, 3), X, W, B), (20, (3, 3), X, W, B), (20, (2, 3), X + 1, W, B), (20, (2, 3), X, W + 1, B), (20, (2, 3), X, W, B + 1)):
            at_least(linear_gec(*arguments), linear_gec(20, (2, 3), X, W, B))


@pytest.mark.parametrize("problem", [treasure(3), treasure(5)], ids=repr)
def test_the_cell_wise_coefficient_is_sharper(problem: Any) -> None:
    for hypotheses in (treasure_class(problem.n_actions), near_truth(problem, 2)):
        uniform, sharp = (MEX(hypotheses, gec=kind).constants(problem, 100).gec for kind in ("uniform", "cellwise"))
        assert sharp.d <= uniform.d and sharp.b <= uniform.b


def test_squared_hellinger() -> None:
    p, q = np.array([[0.5, 0.5, 0], [1, 0, 0]]), np.array([[0, 0.5, 0.5], [1, 0, 0]])
    assert squared_hellinger(p, q).tolist() == pytest.approx([0.5, 0], rel=1e-15)
    assert squared_hellinger([1, 0], [0, 1]) == 1
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.ones(4), (2, 5, 3)), rng.dirichlet(np.ones(4), (5, 3))
    found = squared_hellinger(p, q)
    assert found.shape == (2, 5, 3) and np.abs(found - (1 - np.sqrt(p * q).sum(axis=-1))).max() <= 1e-14
    assert np.array_equal(squared_hellinger(q, q), np.zeros((5, 3)))
    assert np.all(found <= np.abs(p - q).sum(axis=-1) / 2 + 1e-15) and np.all(np.abs(p - q).sum(axis=-1) / 2 <= np.sqrt(2 * found) + 1e-15)


def test_realised() -> None:
    assert realised_gec(6.0, 4.0, 8, 2) == 1  # (6 / (2 + 4))^2
    assert realised_gec([6.0, 6.0], [4.0, 4.0], [8, 2], 2).tolist() == [1, 6**2 / 4**2]
    assert realised_gec(6.0, 4.0, 8, 2, epsilon=0.25) == (2 / 6) ** 2
    assert realised_gec(6.0, 4.0, 8, 2, epsilon=1.0) == realised_gec(-6.0, 4.0, 8, 2) == 0
    assert realised_gec(4.0, -1e-15, 8, 2) == 1  # round-off of a sum that is 0


def plain(pred: Any, in_sample: Any, n: int, horizon: int, epsilon: float) -> float:
    """The definition, sequence by sequence."""
    largest = 0.0
    for sequence in itertools.product(range(len(pred)), repeat=n):
        error = sum(pred[f] for f in sequence) - epsilon * horizon * n
        seen = sum(in_sample[sequence[k]][sequence[s]] for k in range(n) for s in range(k))
        if error > 0:
            largest = max(largest, (error / (math.sqrt(seen) + math.sqrt(horizon * n))) ** 2)
    return largest


@settings(max_examples=40)
@given(st.data(), st.integers(1, 3), st.integers(1, 8), st.integers(1, 3), st.sampled_from([0.0, 0.1, 1.0]))
def test_brute_force_is_the_definition(data: st.DataObject, M: int, n: int, horizon: int, epsilon: float) -> None:
    n = min(n, 8 if M < 3 else 4)
    pred = data.draw(st.lists(st.sampled_from([-0.5, 0.0, 0.3, 1.0, 2.0]), min_size=M, max_size=M))
    entries = st.lists(st.sampled_from([0.0, 0.01, 0.5, 2.0]), min_size=M, max_size=M)
    in_sample = data.draw(st.lists(entries, min_size=M, max_size=M))
    assert brute_force_gec(np.array(pred), np.array(in_sample), n, horizon, epsilon) == pytest.approx(plain(pred, in_sample, n, horizon, epsilon), rel=1e-13)


def test_brute_force_of_one_hypothesis_and_of_the_truth_alone() -> None:
    assert brute_force_gec([1.0], [[4.0]], 2, 1) == pytest.approx((2 / (2 + math.sqrt(2))) ** 2, rel=1e-14)
    assert brute_force_gec([0.0], [[0.0]], 30, 3) == 0
    assert brute_force_gec([0.0, 1.0], np.zeros((2, 2)), 7, 2) == pytest.approx(7 / 2, rel=1e-14)  # never found out: K / H


def test_a_run_is_below_all_sequences_and_these_are_below_the_certificate() -> None:
    K, problem, hypotheses = 7, treasure(3), treasure_class(3)
    tables = model_tables(problem, hypotheses)
    in_sample = np.einsum("ghsa,fhsa->fg", tables.occupancy, tables.hellinger)
    largest = brute_force_gec(tables.pred, in_sample, K, 2)
    for gec in ("uniform", "cellwise"):
        learner = MEX(hypotheses, gec=gec, eta=0.1)
        certified = paper_gec(learner.constants(problem, K).gec, K, 2)
        for seed in range(5):
            run = learner.run(problem, K, seed=seed, trace=True)
            realised = realised_gec(run["pred"], run["in_sample"], run.checkpoints, 2)
            assert np.all(realised >= 0) and realised[-1] <= largest * (1 + 1e-12) and largest <= certified
    assert largest > 0


def test_any_sequence_satisfies_the_inequality() -> None:
    """sum of residuals <= sqrt(d I) + b for sequences of hypotheses that no learner chooses."""
    problem = random_mdp(2, 3, 2, 0)
    rng = np.random.default_rng(0)
    models = rng.dirichlet(np.ones(3), (4, *problem.stage_transition.shape[:-1]))
    hypotheses = type(treasure_class())(np.concatenate([problem.stage_transition[None], models]))
    tables = model_tables(problem, hypotheses)
    in_sample = np.einsum("ghsa,fhsa->fg", tables.occupancy, tables.hellinger)
    K = 60
    for kind in ("uniform", "cellwise"):
        gec = MEX(hypotheses, gec=kind).constants(problem, K).gec
        for sequence in (*rng.integers(5, size=(20, K)), *(np.full(K, f) for f in range(5)), np.repeat(np.arange(5), K // 5)):
            seen = np.tril(in_sample[np.ix_(sequence, sequence)], -1).sum()
            assert tables.pred[sequence].sum() <= math.sqrt(gec.d * seen) + gec.b


ONES, CELLS = np.ones(2), np.ones((1, 2, 2))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: value_gec(0, ONES, ONES), r"n: expected an integer in \[1, inf\], got 0"),
        (lambda: value_gec(2.5, ONES, ONES), "n: expected an integer, got 2.5"),
        (lambda: value_gec(2, [1, -1], ONES), r"reachability\[1\]: expected \[0, inf\], got -1"),
        (lambda: value_gec(2, ONES, [np.nan, 1]), r"ranges\[0\]: .*got nan"),
        (lambda: value_gec(2, ONES, np.ones(3)), r"ranges: expected shape \(2,\), got \(3,\)"),
        (lambda: value_gec(2, 1.0, ONES), r"reachability: expected shape \(any,\), got \(\)"),
        (lambda: model_gec(-3, ONES, ONES), "n: .*got -3"),
        (lambda: model_gec(2, [np.inf, 1], ONES), r"reachability\[0\]: .*got inf"),
        (lambda: model_gec(2, ONES, [1, -0.5]), r"caps\[1\]: .*got -0.5"),
        (lambda: model_gec(2, ONES, np.ones(1)), r"caps: expected shape \(2,\), got \(1,\)"),
        (lambda: cellwise_gec(0, CELLS, CELLS, CELLS), "n: .*got 0"),
        (lambda: cellwise_gec(2, ONES, ONES, ONES), r"reach: expected shape \(any, any, any\), got \(2,\)"),
        (lambda: cellwise_gec(2, CELLS, -CELLS, CELLS), r"kappa\[0, 0, 0\]: .*got -1"),
        (lambda: cellwise_gec(2, CELLS, CELLS, np.ones((1, 2, 3))), r"rho: expected shape \(1, 2, 2\), got \(1, 2, 3\)"),
        (lambda: linear_gec(0, (1,), (1,), (1,), (1,)), "n: .*got 0"),
        (lambda: linear_gec(5, (0,), (1,), (1,), (1,)), r"dimensions\[0\]: .*got 0"),
        (lambda: linear_gec(5, (1.5,), (1,), (1,), (1,)), r"dimensions\[0\]: expected an integer, got 1.5"),
        (lambda: linear_gec(5, (1, 1), (1,), (1, 1), (1, 1)), r"features: expected shape \(2,\), got \(1,\)"),
        (lambda: linear_gec(5, (1,), (1,), (-1,), (1,)), r"weights\[0\]: .*got -1"),
        (lambda: linear_gec(5, (1,), (1,), (1,), (np.inf,)), r"ranges\[0\]: .*got inf"),
        (lambda: linear_gec(5, (1,), (1,), (1,), (1,), regulariser=0), r"regulariser: expected a number in \(0, inf\), got 0"),
        (lambda: paper_gec(Gec(1, 1), 0, 1), "n: .*got 0"),
        (lambda: paper_gec(Gec(1, 1), 1, 0), "horizon: .*got 0"),
        (lambda: realised_gec(ONES, ONES, [1, 0], 1), r"n\[1\]: expected \[1, .*got 0"),
        (lambda: realised_gec([np.nan, 1], ONES, [1, 2], 1), r"pred\[0\]: .*got nan"),
        (lambda: realised_gec(ONES, [1, np.inf], [1, 2], 1), r"in_sample\[1\]: .*got inf"),
        (lambda: realised_gec(ONES, ONES, [1, 2], 0), "horizon: .*got 0"),
        (lambda: realised_gec(ONES, ONES, [1, 2], 1, epsilon=-1), "epsilon: .*got -1"),
        (lambda: brute_force_gec(ONES, np.ones((2, 2)), 0, 1), "n: .*got 0"),
        (lambda: brute_force_gec(ONES, np.ones((2, 2)), 24, 1), "n: expected at most ten million sequences, got 2\\^24"),
        (lambda: brute_force_gec(ONES, np.ones((2, 3)), 2, 1), r"in_sample: expected shape \(2, 2\), got \(2, 3\)"),
        (lambda: brute_force_gec(ONES, -np.ones((2, 2)), 2, 1), r"in_sample\[0, 0\]: .*got -1"),
        (lambda: brute_force_gec([0, np.nan], np.ones((2, 2)), 2, 1), r"pred\[1\]: .*got nan"),
        (lambda: brute_force_gec(ONES, np.ones((2, 2)), 2, 0), "horizon: .*got 0"),
        (lambda: squared_hellinger([0.5, 0.6], [0.5, 0.5]), "p: expected a row that sums to one, got a sum of 1.1"),
        (lambda: squared_hellinger([0.5, 0.5], [1.5, -0.5]), r"q\[1\]: .*got -0.5"),
        (lambda: squared_hellinger([0.5, 0.5], [1.0]), r"q: expected shape \(2,\), got \(1,\)"),
    ],
)
def test_bad_arguments_are_named(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
