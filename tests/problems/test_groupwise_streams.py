"""Streams of rounds with groups: what they accept, what they refuse and how they say so, and their comparators against brute force."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from theoryrl.problems import ClassStream, ExpertStream, GroupStream, PathStream, RegressionStream
from theoryrl.testing.world import world

T, D, G, N = 40, 3, 4, 5
RNG = np.random.default_rng(7)
MASKS = RNG.random((T, G)) < 0.5
MASKS[:, 0], MASKS[:, 1] = True, False  # always and never awake
MASKS[:, 2] = np.arange(T) == 9  # a group of one round

FIELDS: dict[type[GroupStream], dict[str, Any]] = {
    RegressionStream: {"features": RNG.normal(size=(T, D)), "labels": RNG.random(T), "groups": MASKS},
    ClassStream: {"losses": 2 * RNG.random((T, N)), "groups": MASKS, "scale": 2.0, "separator": [[0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 1], [1, 0, 0]]},
    PathStream: {"losses": RNG.random((T, 4, 2, 2)), "groups": MASKS},
    ExpertStream: {"losses": RNG.random((T, G)), "groups": MASKS},
}
KINDS = list(FIELDS)


def stream(kind: type[GroupStream], **changes: Any) -> Any:
    return kind(**FIELDS[kind] | changes)


def spoiled(values: Any, index: tuple[int, ...], value: float) -> np.ndarray:
    array = np.array(values, dtype=float)
    array[index] = value
    return array


def rows_of(problem: GroupStream, g: int, t: int) -> np.ndarray:
    return np.flatnonzero(problem.groups[:t, g])


# What they refuse


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (2 * MASKS, r"groups\[0, 0\]: expected 0 or 1, got 2"),
        (spoiled(MASKS, (3, 1), 0.5), r"groups\[3, 1\]: expected 0 or 1, got 0.5"),
        (spoiled(MASKS, (3, 1), np.nan), r"groups\[3, 1\]: expected 0 or 1, got nan"),
        (MASKS[:, :0], r"groups: expected at least one group, got shape \(40, 0\)"),
        (MASKS[:-1], r"groups: expected shape \(40, any\), got \(39, 4\)"),
        (MASKS[:, 0], r"groups: expected shape \(40, any\), got \(40,\)"),
    ],
)
def test_bad_masks(kind: type[GroupStream], groups: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stream(kind, groups=groups)


@pytest.mark.parametrize("groups", [None, "yes", [["a"] * G] * T, [[True], [True, False]], [[1j] * G] * T])
def test_masks_that_are_no_numbers(groups: Any) -> None:
    with pytest.raises(TypeError, match="groups: expected an array of 0 and 1, got "):
        stream(RegressionStream, groups=groups)


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        (RegressionStream, {"features": spoiled(FIELDS[RegressionStream]["features"], (5, 1), np.nan)}, r"features\[5, 1\]: .*got nan"),
        (RegressionStream, {"features": spoiled(FIELDS[RegressionStream]["features"], (5, 1), np.inf)}, r"features\[5, 1\]: .*got inf"),
        (RegressionStream, {"features": np.zeros((0, D))}, r"features: expected shape \(any, any\), got \(0, 3\)"),
        (RegressionStream, {"labels": spoiled(np.zeros(T), (8,), 1.25)}, r"labels\[8\]: expected \[0.0, 1.0\], got 1.25"),
        (RegressionStream, {"labels": np.zeros(T), "label_range": (0.5, 1)}, r"labels\[0\]: expected \[0.5, 1.0\], got 0.0"),
        (RegressionStream, {"labels": np.zeros(T - 1)}, r"labels: expected shape \(40,\), got \(39,\)"),
        (RegressionStream, {"label_range": (1, 1)}, r"label_range: expected its lower end below its upper end, got \(1.0, 1.0\)"),
        (RegressionStream, {"label_range": (0, np.inf)}, r"label_range\[1\]: .*got inf"),
        (ClassStream, {"scale": 1.0}, r"losses\[\d+, \d\]: expected \[0, 1.0\], got 1"),
        (ClassStream, {"losses": spoiled(np.zeros((T, N)), (1, 2), -0.1)}, r"losses\[1, 2\]: .*got -0.1"),
        (ClassStream, {"scale": 0}, r"scale: expected a number in \(0, inf\), got 0"),
        (ClassStream, {"separator": np.eye(N)[[0, 1, 2, 3, 1]]}, r"separator\[4\]: expected pairwise distinct rows, got row 1 again: \[0, 1, 0, 0, 0\]"),
        (ClassStream, {"separator": np.eye(N) / 2}, r"separator\[0, 0\]: expected 0 or 1, got 0.5"),
        (ClassStream, {"separator": np.eye(N - 1)}, r"separator: expected shape \(5, any\), got \(4, 4\)"),
        (PathStream, {"losses": np.zeros((T, 4, 2, 3))}, r"losses: expected shape \(40, 4, 2, 2\), got \(40, 4, 2, 3\)"),
        (PathStream, {"losses": spoiled(np.zeros((T, 1, 2, 2)), (0, 0, 1, 1), 2)}, r"losses\[0, 0, 1, 1\]: expected \[0, 1\], got 2"),
        (ExpertStream, {"losses": np.zeros((T, G + 1))}, r"groups: expected shape \(40, 5\), got \(40, 4\)"),
        (ExpertStream, {"losses": spoiled(np.zeros((T, G)), (0, 0), 1.5)}, r"losses\[0, 0\]: expected \[0, 1\], got 1.5"),
    ],
)
def test_bad_values(kind: type[GroupStream], changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stream(kind, **changes)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: p.hindsight(T + 1), r"t: expected an integer in \[0, 40\], got 41"),
        (lambda p: p.group_sizes(-1), r"t: .*got -1"),
        (lambda p: p.ridge(0), r"lam: expected a number in \(0, inf\), got 0"),
        (lambda p: p.ball(-1.0), r"radius: .*got -1.0"),
    ],
)
def test_bad_questions(call: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(stream(RegressionStream))


# What they are


@pytest.mark.parametrize(("kind", "scale"), [(RegressionStream, 1), (ClassStream, 2), (PathStream, 4), (ExpertStream, 1)])
def test_shapes_and_scale(kind: type[GroupStream], scale: float) -> None:
    problem = stream(kind)
    assert (problem.n_rounds, problem.n_groups, problem.loss_scale) == (T, G, scale)
    assert problem.groups.dtype == np.uint8 and not problem.groups.flags.writeable
    assert stream(RegressionStream, label_range=(-1, 2)).loss_scale == 9
    for t in (0, 1, 10, T):
        assert problem.group_sizes(t).tolist() == MASKS[:t].sum(axis=0).tolist()
    assert problem.group_sizes().tolist() == problem.group_sizes(T).tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_equality_and_pickling(kind: type[GroupStream]) -> None:
    problem = stream(kind)
    problem.hindsight()
    copy = pickle.loads(pickle.dumps(problem))
    assert copy == problem == stream(kind, groups=MASKS.astype(float)) != stream(kind, groups=~MASKS)
    assert copy.hindsight().tolist() == problem.hindsight().tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_the_bits_do_not_depend_on_what_was_asked_before(kind: type[GroupStream]) -> None:
    asked = stream(kind)
    forwards = [asked.hindsight(t).tolist() for t in range(T + 1)]
    backwards = [asked.hindsight(t).tolist() for t in range(T, -1, -1)][::-1]
    assert forwards == backwards == [stream(kind).hindsight(t).tolist() for t in range(T + 1)]


@pytest.mark.parametrize("kind", KINDS)
def test_interpreted_the_bits_are_the_same(kind: type[GroupStream]) -> None:
    twin = getattr(world()("theoryrl.problems.groupwise"), kind.__name__)
    assert twin(**FIELDS[kind]).hindsight().tolist() == stream(kind).hindsight().tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_returned_may_be_changed(kind: type[GroupStream]) -> None:
    problem = stream(kind)
    problem.hindsight()[:] = -1
    assert np.all(problem.hindsight() >= 0)


@pytest.mark.parametrize("kind", KINDS)
def test_no_round_no_loss(kind: type[GroupStream]) -> None:
    problem = stream(kind)
    assert problem.hindsight(0).tolist() == [0] * G
    assert problem.hindsight()[1] == 0
    if kind is RegressionStream:
        assert problem.ridge(1.0)[1] == problem.ball(1.0)[1] == problem.least_squares_norm2()[1] == 0


# Regression


def penalised(X: np.ndarray, y: np.ndarray, lam: float) -> float:
    """The smallest penalised loss, by least squares on the rows with sqrt(lam) I below."""
    rows, labels = np.vstack([X, np.sqrt(lam) * np.eye(X.shape[1])]), np.append(y, np.zeros(X.shape[1]))
    theta = np.linalg.lstsq(rows, labels, rcond=None)[0]
    return float(np.sum((rows @ theta - labels) ** 2))


@pytest.mark.parametrize("t", [1, 2, 5, 10, T])
@pytest.mark.parametrize("rank", [1, 2, D])
def test_regression_comparators(rank: int, t: int) -> None:
    """Rank-deficient designs too, and fewer rows than dimensions."""
    rng = np.random.default_rng(1)
    features = rng.normal(size=(T, rank)) @ rng.normal(size=(rank, D))
    problem = stream(RegressionStream, features=features)
    for g in range(G):
        rows = rows_of(problem, g, t)
        X, y = problem.features[rows], problem.labels[rows]
        theta = np.linalg.lstsq(X, y, rcond=1e-10)[0]
        assert problem.hindsight(t)[g] == pytest.approx(np.sum((X @ theta - y) ** 2), abs=1e-12)
        assert problem.least_squares_norm2(t)[g] == pytest.approx(theta @ theta, rel=1e-9)
        for lam in (1e-3, 1.0, 50.0):
            assert problem.ridge(lam, t)[g] == pytest.approx(penalised(X, y, lam), abs=1e-12)


@pytest.mark.parametrize("radius", [1e-3, 0.1, 0.3, 10.0])
def test_the_ball(radius: float) -> None:
    """Weak duality: L(theta) >= ridge(mu) - mu radius^2 on the ball, with equality at the best mu, here searched on a grid."""
    problem = stream(RegressionStream)
    ball, free, norm2 = problem.ball(radius), problem.hindsight(), problem.least_squares_norm2()
    dual = np.max([problem.ridge(mu) - mu * radius**2 for mu in np.geomspace(1e-9, 1e6, 4000)], axis=0)
    fits = norm2 <= radius**2
    assert np.all(ball >= free - 1e-12) and np.allclose(ball[fits], free[fits], rtol=0, atol=1e-12)
    assert np.all(ball >= dual - 1e-9) and np.all(ball <= dual + 1e-3)
    assert fits.all() if radius == 10 else radius > 1e-3 or fits.tolist() == [False, True, False, False]


def test_the_ball_contains_the_best_of_many_points() -> None:
    rng = np.random.default_rng(1)
    problem = stream(RegressionStream)
    points = rng.normal(size=(2000, D))
    points *= 0.2 * rng.random((2000, 1)) ** (1 / D) / np.linalg.norm(points, axis=1, keepdims=True)
    losses = (points @ problem.features.T - problem.labels) ** 2
    tried = (losses @ problem.groups).min(axis=0)
    assert np.all(problem.ball(0.2) <= tried + 1e-12)


def test_nearly_collinear_features() -> None:
    """Through the Gram matrix the two directions of size 1e-9 would be lost, and the loss in hindsight be too large."""
    rng = np.random.default_rng(3)
    base = rng.random(2000)
    features = base[:, None] + 1e-7 * rng.normal(size=(2000, 3))
    labels = np.clip(0.5 + features @ [2e5, -1e5, -1e5], 0, 1)
    problem = RegressionStream(features, labels, np.ones((2000, 1)))
    theta = np.linalg.lstsq(features, labels, rcond=1e-10)[0]
    exact = np.sum((features @ theta - labels) ** 2)
    assert problem.hindsight()[0] == pytest.approx(exact, rel=1e-8)
    gram = np.linalg.pinv(features.T @ features, rcond=1e-10) @ (features.T @ labels)
    assert np.sum((features @ gram - labels) ** 2) > 1.001 * exact


@settings(derandomize=True, database=None, deadline=None, max_examples=60)
@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(1, 30), st.floats(-150, 150))
@example(0, 1, 1, -150.0)
@example(1, 3, 9, 120.0)
def test_no_scale_of_the_features_is_a_problem(seed: int, d: int, t: int, exponent: float) -> None:
    rng = np.random.default_rng(seed)
    features = rng.integers(-2, 3, (t, d)) * 10.0**exponent
    problem = RegressionStream(features, rng.integers(0, 2, t), rng.integers(0, 2, (t, 3)))
    best, penalised, ball = problem.hindsight(), problem.ridge(1.0), problem.ball(1.0)
    assert np.all(best >= 0) and np.all(best <= problem.labels @ problem.groups + 1e-9)
    assert np.all(penalised >= best - 1e-9) and np.all(ball >= best - 1e-9)


# Finite classes, paths, experts


@pytest.mark.parametrize("t", [0, 1, 10, T])
def test_finite_class(t: int) -> None:
    problem = stream(ClassStream)
    for g in range(G):
        exact = [sum((Fraction(x) for x in problem.losses[rows_of(problem, g, t), h]), Fraction(0)) for h in range(N)]
        assert problem.hindsight(t)[g] == pytest.approx(float(min(exact)), abs=1e-12)
    assert problem.n_hypotheses == N and problem.separator.shape == (N, 3) and stream(ClassStream, separator=None).separator is None


@pytest.mark.parametrize(("K", "W", "edges"), [(1, 1, 1), (1, 3, 1), (2, 1, 2), (2, 3, 6), (3, 2, 8), (6, 3, 42)])
def test_paths(K: int, W: int, edges: int) -> None:
    rng = np.random.default_rng(1)
    problem = stream(PathStream, losses=rng.random((T, K, W, W)))
    paths, as_class = problem.enumerate_paths(), problem.as_class()
    assert (problem.n_layers, problem.width, problem.n_edges, problem.n_paths) == (K, W, edges, W ** (K - 1))
    assert paths.shape == (W ** (K - 1), K, 2) and len({path.tobytes() for path in paths}) == len(paths)
    assert np.all(paths[:, 0, 0] == 0) and np.all(paths[:, -1, 1] == 0) and np.array_equal(paths[:, 1:, 0], paths[:, :-1, 1])
    assert len({(k, *edge) for path in paths.tolist() for k, edge in enumerate(path)}) == edges
    assert paths.tolist() == sorted(paths.tolist())
    assert as_class.loss_scale == problem.loss_scale == K
    for h, t in itertools.product(range(0, len(paths), 7), (0, T - 1)):
        assert as_class.losses[t, h] == pytest.approx(sum(problem.losses[t, k, i, j] for k, (i, j) in enumerate(paths[h])), abs=1e-14)
    for t in (0, 1, 10, T):
        np.testing.assert_allclose(problem.hindsight(t), as_class.hindsight(t), rtol=0, atol=1e-12)


def test_entries_that_are_no_edges_do_not_matter() -> None:
    losses = np.array(FIELDS[PathStream]["losses"])
    losses[:, 0, 1:], losses[:, -1, :, 1:] = 0, 0
    assert stream(PathStream, losses=losses).hindsight().tolist() == stream(PathStream).hindsight().tolist()


def test_experts_are_compared_with_themselves() -> None:
    problem = stream(ExpertStream)
    np.testing.assert_allclose(problem.hindsight(17), (problem.losses * problem.groups)[:17].sum(axis=0), rtol=0, atol=1e-12)
