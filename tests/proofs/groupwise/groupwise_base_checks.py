"""GW-6, GW-7, GW-9, GW-10, GW-12, GW-13, GW-16: the groups' learners, each on its own rounds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import groupwise_oracles as own
import numpy as np
from groupwise_oracles import World, attack
from hypothesis import given
from hypothesis import strategies as st

from theoryrl.proofs import statistics

DESIGNS = ("any", "one-hot", "twice", "large", "tiny", "zero", "orthonormal")


@st.composite
def regressions(draw: Any, most: int = 40, groups: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, labels in [0, 1], masks."""
    T, d, G = draw(st.integers(1, most)), draw(st.integers(1, 5)), draw(st.integers(1, groups))
    b = own.table(draw, T, d)
    X = {
        "any": b / 128.0 - 1,
        "one-hot": np.eye(d)[b[:, 0] % d],
        "twice": np.repeat(b[:, :1] / 255.0, d, axis=1),  # rank one
        "large": 20 * (b / 128.0 - 1),
        "tiny": 1e-4 * b,
        "zero": np.zeros((T, d)),
        "orthonormal": np.eye(d)[np.arange(T) % d],
    }[draw(st.sampled_from(DESIGNS))]
    labels = own.table(draw, T)
    y = (labels & 1).astype(float) if draw(st.booleans()) else labels / 255.0
    return X, y, draw(own.masks(T, G))


def uniform_features(T: int = 100) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The design of the spec's mutants M13 to M16: uniform features, labels clip(x . theta / 3)."""
    rng = np.random.default_rng(0)
    X = rng.random((T, 5))
    return X, np.clip(X @ rng.random(5) / 3, 0, 1), np.column_stack([np.ones(T), np.arange(T) % 2]).astype(np.uint8)


def regression(world: World, **options: Any) -> Any:
    return own.groupwise(world).GroupwiseRegression(**options)


def stream(world: World, X: np.ndarray, y: np.ndarray, awake: np.ndarray, label_range: tuple[float, float] = (0.0, 1.0)) -> Any:
    return own.streams(world).RegressionStream(X, y, awake, label_range)


def own_rows(awake: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    for g in range(awake.shape[1]):
        rows = np.flatnonzero(awake[:, g])
        if len(rows):
            yield g, rows


# --- GW-6


def identities(world: World, X: np.ndarray, y: np.ndarray, awake: np.ndarray, lam: float, center: bool = False) -> None:
    label_range = (-1.0, 2.0)
    problem = stream(world, X, y, awake, label_range)
    middle = 0.5 if center else 0.0
    for base, solver in (("vaw", "cholesky"), ("vaw", "sherman_morrison"), ("ridge", "cholesky"), ("ridge", "sherman_morrison")):
        if center and base == "ridge":
            continue
        algorithm = regression(world, base=base, solver=solver, lam=lam, clip=False, center=center)
        run = algorithm.run(problem, len(y), seed=0, checkpoints=[len(y)], trace="raw")
        for g, rows in own_rows(awake):
            x, z, guess = X[rows], y[rows] - middle, run.output["proposals"][rows, g] - middle
            h, gamma = own.leverages(x, lam)
            optimum, slack = own.ridge(x, z, lam), 1e-9 * (1 + (z**2).sum())
            if base == "vaw":
                error = ((guess - z) ** 2).sum() - optimum - (z**2 * h - guess**2 * gamma).sum()
            else:
                error = ((guess - z) ** 2 * (1 - h)).sum() - optimum
            assert abs(error) <= slack, f"{base} by {solver}: the identity is off by {error}"
            log_det = np.linalg.slogdet(np.eye(X.shape[1]) + x.T @ x / lam)[1]
            assert abs(np.log1p(gamma).sum() - log_det) <= 1e-9 * (1 + log_det)
            expected = {"logdet": log_det, "h_sum": h.sum(), "y2h": (z**2 * h).sum(), "yhat2gamma": (guess**2 * gamma).sum()}
            for name, value in (expected | {"h_residual": (h * (guess - z) ** 2).sum()}).items():
                assert abs(run[name][-1, g] - value) <= 1e-9 * (1 + abs(value)), f"{name}: {run[name][-1, g]}, expected {value}"
            if "ridge_optimum" in run.curves:
                assert abs(run["ridge_optimum"][-1, g] - optimum) <= slack
            assert abs(problem.ridge(lam)[g] - own.ridge(x, y[rows], lam)) <= slack
            assert abs(problem.hindsight()[g] - own.least_squares(x, y[rows])[0]) <= slack


def check_GW6(world: World) -> None:
    """GW-6. The identities of VAW and ridge, and ln det = sum of ln(1 + gamma), by both solvers, centred or not."""
    identities(world, *uniform_features(), lam=1.0)

    @attack(60)
    @given(regressions(25, 2), st.floats(-2, 1).map(lambda e: 10.0**e), st.booleans())
    def every_stream(drawn: Any, lam: float, center: bool) -> None:
        identities(world, *drawn, lam, center)

    every_stream()


# --- GW-7


def alpha(base: str, x: np.ndarray, y: np.ndarray, lam: float, h: np.ndarray, gamma: np.ndarray) -> tuple[float, float, float]:
    """The learner's own alpha against least squares (labels in [0, 1]): as the sum, through ln det, and in the worst case."""
    least, norm2 = own.least_squares(x, y)
    rho, d = own.ridge(x, y, lam) - least, x.shape[1]
    Y2, X2 = (float(np.max(y**2)) if base == "vaw" else 1.0), float(np.max((x**2).sum(axis=1)))
    data = (y**2 * h).sum() if base == "vaw" else h.sum()
    return data + rho, Y2 * np.log1p(gamma).sum() + rho, Y2 * d * math.log1p(len(y) * X2 / (lam * d)) + lam * norm2


def own_gradient_descent(x: np.ndarray, y: np.ndarray, U: float) -> tuple[np.ndarray, float]:
    """Predictions of spec 3.2, and the sum of squared gradient norms."""
    theta, squares, predictions = np.zeros(x.shape[1]), 0.0, np.zeros(len(y))
    for n in range(len(y)):
        guess = theta @ x[n]
        predictions[n] = min(max(guess, 0.0), 1.0)
        gradient = 2 * (guess - y[n]) * x[n]
        squares += gradient @ gradient
        if squares > 0:
            theta = theta - math.sqrt(2) * U / math.sqrt(squares) * gradient
            theta = theta * min(1.0, U / max(float(np.linalg.norm(theta)), 1e-300))
    return predictions, squares


def regression_learners(world: World, X: np.ndarray, y: np.ndarray, awake: np.ndarray, lam: float) -> None:
    problem = stream(world, X, y, awake)
    for base in ("vaw", "ridge"):
        out = own.raw(regression(world, base=base, lam=lam), problem)
        for g, rows in own_rows(awake):
            x, z, proposals = X[rows], y[rows], out["proposals"][rows, g]
            assert np.all((proposals >= 0) & (proposals <= 1)), "clipped"
            assert np.all(np.abs(out["losses"][rows, g] - (proposals - z) ** 2) <= 1e-15)
            D = ((proposals - z) ** 2).sum() - own.least_squares(x, z)[0]
            bounds = alpha(base, x, z, lam, *own.leverages(x, lam))
            slack = 1e-9 * (1 + len(rows))
            assert D <= bounds[0] + slack, f"{base}: own regret {D} exceeds {bounds[0]}"
            assert bounds[0] <= bounds[1] + slack and bounds[1] <= bounds[2] + slack, f"{base}: {bounds}"
    for U in (0.5, 2.0):
        out = own.raw(regression(world, base="ogd", radius=U), problem)
        best = problem.ball(U)
        for g, rows in own_rows(awake):
            predictions, squares = own_gradient_descent(X[rows], y[rows], U)
            assert np.allclose(out["proposals"][rows, g], predictions, rtol=0, atol=1e-9), "gradient descent, step by step"
            least = own.best_in_ball(X[rows], y[rows], U)
            assert abs(best[g] - least) <= 1e-7 * (1 + least)
            D = ((predictions - y[rows]) ** 2).sum() - least
            assert D <= 2 * math.sqrt(2) * U * math.sqrt(squares) + 1e-7, f"gradient descent: own regret {D}"


def own_hedge(losses: np.ndarray, scale: float) -> np.ndarray:
    """Expected scaled losses of Hedge with eta_n = 2 sqrt(ln N / n) on scaled losses."""
    scaled = losses / scale
    L = own.from_zero(scaled)[:-1]
    eta = 2 * np.sqrt(math.log(losses.shape[1]) / np.arange(1, len(losses) + 1))[:, None]
    weights = np.exp(-eta * (L - L.min(axis=1, keepdims=True)))
    return (weights / weights.sum(axis=1, keepdims=True) * scaled).sum(axis=1)


@st.composite
def classes(draw: Any, most: int = 40) -> tuple[np.ndarray, np.ndarray, float]:
    """Losses of a finite class, masks, scale."""
    T, N, G = draw(st.integers(1, most)), draw(st.integers(1, 6)), draw(st.integers(1, 4))
    scale = draw(st.sampled_from([1.0, 0.125, 7.0]))
    return scale * own.LOSS_KINDS[draw(st.sampled_from(sorted(own.LOSS_KINDS)))](own.table(draw, T, N)), draw(own.masks(T, G)), scale


def hedge_learners(world: World, losses: np.ndarray, awake: np.ndarray, scale: float) -> None:
    problem = own.streams(world).ClassStream(losses, awake, scale=scale)
    run = own.groupwise(world).GroupwiseFinite().run(problem, len(losses), seed=0, checkpoints=[len(losses)], trace="raw")
    N = losses.shape[1]
    for g, rows in own_rows(awake):
        mine = own_hedge(losses[rows], scale)
        assert np.allclose(run.output["losses"][rows, g], mine, rtol=0, atol=1e-12), "Hedge, step by step"
        D = mine.sum() - losses[rows].sum(axis=0).min() / scale
        rates = 2 * np.sqrt(math.log(N) / np.arange(1, len(rows) + 1))
        lines = [D, run["mix_gap"][-1, g], rates.sum() / 8, math.sqrt(len(rows) * math.log(N))]
        rest = math.log(N) / rates[-1] if N > 1 else 0.0
        assert D <= rest + lines[1] + 1e-9 and lines[1] <= lines[2] + 1e-9 and rest + lines[2] <= lines[3] + 1e-9, f"Hedge: {lines}"
        assert D <= lines[3] + 1e-9


def perturbed_leaders(world: World) -> None:
    """FTPL's guarantee is a mean over its own noise: 20 seeds."""
    groupwise, streams = own.groupwise(world), own.streams(world)
    rng = np.random.default_rng(0)
    T, K, W, seeds = 300, 4, 2, 20
    awake = np.column_stack([np.ones(T), rng.random(T) < 0.4]).astype(np.uint8)
    edges = streams.PathStream((rng.random((T, K, W, W)) < 0.5).astype(float), awake)
    values = np.array([[h >> i & 1 for i in range(3)] for h in range(8)])
    truth = rng.integers(0, 2, (T, 1))
    points = streams.ClassStream((values[:, rng.integers(0, 3, T)].T != truth).astype(float), awake, separator=values)
    for problem, algorithm, factor in (
        (edges, groupwise.GroupwisePaths(base="path_ftpl"), 2 * K * math.sqrt(edges.n_edges)),
        (points, groupwise.GroupwiseFinite(base="separator_ftpl"), math.sqrt(2) * 3),
    ):
        runs = [algorithm.run(problem, T, seed=own.FIRST_SEED + seed, checkpoints=[T]) for seed in range(seeds)]
        own_regret = np.array([run["base_loss"][-1] - run["hindsight"][-1] for run in runs])
        sizes = awake.sum(axis=0)
        for g in range(2):
            most = problem.loss_scale * sizes[g]
            limit = factor * math.sqrt(sizes[g])
            assert not statistics.mean_exceeds(own_regret[:, g], limit, -most, most), f"{algorithm}: {own_regret[:, g]}"
            error = own_regret[:, g].std(ddof=1) / math.sqrt(seeds)
            assert own_regret[:, g].mean() <= limit + 4 * error, f"{algorithm}: {own_regret[:, g].mean()} > {limit}"
        assert own_regret.std(axis=0).min() > 0, "fresh noise"


def check_GW7(world: World) -> None:
    """GW-7. Every learner's own regret on its group's rows is at most its alpha."""
    flips = own.environment(world, "sign_flip", 1500, 0)
    regression_learners(world, np.array(flips.features), np.array(flips.labels), np.array(flips.groups)[:, [0, 1, 3]], 1.0)

    @attack(40)
    @given(regressions(30, 3), st.sampled_from([0.01, 0.3, 1.0, 10.0]))
    def every_regression(drawn: Any, lam: float) -> None:
        regression_learners(world, *drawn, lam)

    @attack(40)
    @given(classes())
    def every_class(drawn: Any) -> None:
        hedge_learners(world, *drawn)

    every_regression()
    every_class()
    perturbed_leaders(world)


# --- GW-9


def check_GW9(world: World) -> None:
    """GW-9. Round by round the mean prediction is never worse than the expected loss, from the same state."""

    @attack(60)
    @given(regressions(40, 4), st.sampled_from(["vaw", "ridge", "ogd"]))
    def every_stream(drawn: Any, base: str) -> None:
        problem = stream(world, *drawn)
        random, mean = (own.raw(regression(world, base=base, play=play), problem) for play in ("randomized", "average"))
        for name in ("p", "losses", "proposals", "expected"):
            assert np.array_equal(random[name], mean[name]), f"{name}: the state depends on the mode"
        somebody = drawn[2].any(axis=1)
        mixture = (random["p"] * random["proposals"]).sum(axis=1)
        assert np.allclose(mean["played"][somebody], ((mixture - drawn[1]) ** 2)[somebody], rtol=0, atol=1e-12)
        assert np.all(mean["played"] <= random["played"] + 1e-12)

    every_stream()


# --- GW-10


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray], rows: Any, g: Any, names: tuple[str, ...], what: str) -> None:
    for name in names:
        assert np.array_equal(a[name][rows, g], b[name][rows, g]), f"{what}: {name}"


def check_GW10(world: World) -> None:
    """GW-10. A learner sees its own rounds only, and none before its time; what it knows does not depend on the order of its past."""
    groupwise, streams = own.groupwise(world), own.streams(world)
    X, y, awake = uniform_features(60)
    awake = np.column_stack([awake, np.arange(60) % 3 != 1])
    rng = np.random.default_rng(1)
    everything = slice(None)

    for base, solver in (("vaw", "cholesky"), ("vaw", "sherman_morrison"), ("ridge", "cholesky"), ("ogd", "cholesky")):
        algorithm = regression(world, base=base, solver=solver)
        before = own.raw(algorithm, stream(world, X, y, awake))
        for g in (1, 2):
            foreign = awake[:, g] == 0
            X2, y2 = np.where(foreign[:, None], rng.random(X.shape), X), np.where(foreign, rng.random(len(y)), y)
            after = own.raw(algorithm, stream(world, X2, y2, awake))
            same(before, after, ~foreign, g, ("proposals", "losses"), f"{base} {solver}: rounds of others")
        for t in (0, 17, 43):
            X2, y2, awake2 = X.copy(), y.copy(), awake.copy()
            y2[t:], X2[t + 1 :], awake2[t + 1 :] = rng.random(60 - t), rng.random((59 - t, 5)), rng.integers(0, 2, (59 - t, 3))
            after = own.raw(algorithm, stream(world, X2, y2, awake2))
            same(before, after, slice(t + 1), everything, ("p", "proposals"), f"{base} {solver}: the future")
            same(before, after, slice(t), everything, ("losses",), f"{base} {solver}: the future")
        if base != "ogd":
            order = np.append(rng.permutation(40), np.arange(40, 60))
            after = own.raw(algorithm, stream(world, X[order], y[order], awake[order]))
            assert np.allclose(before["proposals"][40:], after["proposals"][40:], rtol=0, atol=1e-9), f"{base} {solver}: the order of the past"

    losses, edges = rng.random((60, 4)), rng.random((60, 3, 2, 2))
    for algorithm, make, data in (
        (groupwise.GroupwiseFinite(), streams.ClassStream, losses),
        (groupwise.GroupwisePaths(), streams.PathStream, edges),
    ):
        before = own.raw(algorithm, make(data, awake))
        for g in (1, 2):
            foreign = awake[:, g] == 0
            other = np.where(foreign.reshape(-1, *[1] * (data.ndim - 1)), rng.random(data.shape), data)
            same(before, own.raw(algorithm, make(other, awake)), ~foreign, g, ("losses",), f"{algorithm}: rounds of others")
        for t in (0, 17, 43):
            other = data.copy()
            other[t:] = rng.random(other[t:].shape)
            after = own.raw(algorithm, make(other, awake))
            same(before, after, slice(t + 1), everything, ("p",), f"{algorithm}: the future")
            same(before, after, slice(t), everything, ("losses",), f"{algorithm}: the future")


# --- step by step


def check_stepwise(world: World) -> None:
    """A step-wise learner fed with the rounds of a problem has the bits of a run, noise included, also where nobody is awake."""
    groupwise, streams = own.groupwise(world), own.streams(world)
    rng = np.random.default_rng(0)
    T = 40
    awake = (rng.random((T, 3)) < 0.35).astype(np.uint8)
    assert (awake.sum(axis=1) == 0).any()
    X, y = rng.random((T, 3)), rng.random(T)
    values = np.array([[h >> i & 1 for i in range(3)] for h in range(8)])
    finite, edges = streams.ClassStream(rng.random((T, 8)), awake, separator=values), streams.PathStream(rng.random((T, 4, 2, 2)), awake)
    for algorithm, problem in (
        (regression(world), stream(world, X, y, awake)),
        (regression(world, base="ogd", play="average"), stream(world, X, y, awake)),
        (regression(world, meta="specialist_ew", play="average", solver="sherman_morrison"), stream(world, X, y, awake)),
        *((groupwise.GroupwiseFinite(base=base), finite) for base in ("hedge", "separator_ftpl")),
        *((groupwise.GroupwisePaths(base=base), edges) for base in ("path_hedge", "path_ftpl")),
        (groupwise.SleepingExperts(meta="uniform"), streams.ExpertStream(rng.random((T, 3)), awake)),
    ):
        run = algorithm.run(problem, T, seed=5, checkpoints=[T], trace="raw")
        stepper = algorithm.stepwise(problem, seed=5)
        for t in range(T):
            features = (X[t],) if isinstance(algorithm, groupwise.GroupwiseRegression) else ()
            prediction = stepper.predict(*features, awake[t])
            played = stepper.update(y[t] if features else problem.losses[t])
            if awake[t].any():
                assert np.array_equal(prediction.p, run.output["p"][t]) and played == run.output["played"][t], f"{algorithm}, round {t}"
                assert not features or np.array_equal(prediction.proposals, run.output["proposals"][t])
            else:
                assert np.allclose(prediction.p, 1 / 3) and played == 0
        for name in ("R", "C", "sums"):
            assert np.array_equal(stepper.state[name], run.state[name]), f"{algorithm}: {name}"


# --- GW-12


def check_GW12(world: World) -> None:
    """GW-12. Hedge by dynamic programming is Hedge on the enumerated paths; its proposal is a unit flow; shortest paths agree."""
    groupwise, streams = own.groupwise(world), own.streams(world)
    rng = np.random.default_rng(0)
    for K, W, T in ((1, 3, 6), (2, 3, 12), (3, 1, 6), (3, 2, 25), (4, 3, 25), (6, 3, 25)):
        edges = rng.random((T, K, W, W)) if K % 2 else (rng.random((T, K, W, W)) < 0.5).astype(float)
        awake = np.column_stack([np.ones(T), rng.random(T) < 0.5]).astype(np.uint8)
        problem = streams.PathStream(edges, awake)
        paths = own.all_paths(K, W)
        losses = own.path_losses(edges, paths)
        assert problem.n_paths == len(paths) and np.allclose(problem.as_class().losses, losses, rtol=0, atol=1e-12)
        out = own.raw(groupwise.GroupwisePaths(), problem)
        best = problem.hindsight()
        for g, rows in own_rows(awake):
            assert np.allclose(out["losses"][rows, g], own_hedge(losses[rows], K), rtol=0, atol=1e-12), f"K={K} W={W}: Hedge over paths"
            assert abs(best[g] - losses[rows].sum(axis=0).min()) <= 1e-12 * T * K
            own_regret = K * out["losses"][rows, g].sum() - best[g]
            assert own_regret <= K * math.sqrt(len(rows) * math.log(len(paths))) + 1e-9, f"K={K} W={W}: own regret {own_regret}"
        for base in ("path_hedge", "path_ftpl"):
            stepper = groupwise.GroupwisePaths(base=base).stepwise(problem)
            for t in range(T):
                prediction = stepper.predict(awake[t])
                for flow in [*prediction.proposals[awake[t] > 0], prediction.played]:
                    unit_flow(flow)
                    assert base == "path_hedge" or flow is prediction.played or set(np.unique(flow)) <= {0.0, 1.0}, "a path"
                stepper.update(edges[t])


def unit_flow(flow: np.ndarray) -> None:
    K, W, _ = flow.shape
    assert np.all(flow >= 0) and np.all(np.abs(flow.sum(axis=(1, 2)) - 1) <= 1e-12), "a unit in every layer"
    assert np.all(flow[0, 1:] == 0) and np.all(flow[K - 1, :, 1:] == 0), "from the source to the sink"
    assert np.allclose(flow[:-1].sum(axis=1), flow[1:].sum(axis=2), rtol=0, atol=1e-12), "what enters a node leaves it"


# --- GW-13


def check_GW13(world: World) -> None:
    """GW-13. specialist_ew: the meta regret is at most (S / eta) ln(1 / q_g), 2 S ln G if uniform; the awake mass is conserved."""

    @attack(80)
    @given(regressions(40, 4), st.data())
    def every_stream(drawn: Any, data: Any) -> None:
        X, y, awake = drawn
        G, S = awake.shape[1], 9.0
        prior = data.draw(own.priors(G))
        q = own.uniform(G) if prior is None else np.array(prior)
        problem = stream(world, X, 3 * y - 1, awake, (-1.0, 2.0))
        run = own.every_prefix(regression(world, meta="specialist_ew", play="average", prior=prior), problem)
        out, v = run.output, q.copy()
        regret = np.zeros(G)
        for t in range(len(y)):
            on = awake[t] > 0
            if not on.any():
                continue
            p = np.where(on, v, 0.0) / v[on].sum()
            assert np.allclose(out["p"][t], p, rtol=1e-9, atol=1e-15), "the weights"
            played = ((p @ out["proposals"][t]) - (3 * y[t] - 1)) ** 2 / S
            assert abs(out["played"][t] - S * played) <= 1e-9
            mass, shrunk = v[on].sum(), np.exp(-0.5 * out["losses"][t])
            v = np.where(on, v * shrunk / (p @ shrunk), v)
            assert abs(v[on].sum() - mass) <= 1e-12, "the awake mass"
            assert abs(np.exp(run["log_v"])[t][on].sum() - np.exp(run["log_v"])[t - 1][on].sum() if t else 0.0) <= 1e-12, "the awake mass of the run"
            regret += on * (played - out["losses"][t])
            assert np.all(S * regret <= 2 * S * np.log(1 / q) + 1e-9), f"meta regret {S * regret}"
        assert np.allclose(np.exp(run["log_v"])[-1], v, rtol=1e-9, atol=1e-300)

    every_stream()


# --- GW-16


def collinear(T: int = 100_000) -> tuple[np.ndarray, np.ndarray]:
    """Exact rank 5 in d = 20."""
    rng = np.random.default_rng(0)
    X = rng.random((T, 5)) @ rng.random((5, 20)) / 5
    return X, np.clip(X @ rng.random(20) / 20 + 0.1 * rng.standard_normal(T), 0, 1)


def check_GW16(world: World) -> None:
    """GW-16. The solvers agree; on collinear features with lam = 1e-6 the default's identity holds to 1e-10, and Sherman-Morrison's not to 1e-7."""
    X, y, awake = uniform_features(300)
    problem = stream(world, X, y, awake)
    for base in ("vaw", "ridge"):
        exact, fast = (own.raw(regression(world, base=base, solver=solver), problem) for solver in ("cholesky", "sherman_morrison"))
        assert np.allclose(exact["proposals"], fast["proposals"], rtol=0, atol=1e-12), base
    X, y = collinear()
    T, lam = len(y), 1e-6
    problem = stream(world, X, y, np.ones((T, 1), dtype=np.uint8))
    optimum = own.ridge(X, y, lam)
    past = np.vstack([np.column_stack([X, np.append(y[:-1], 0.0)]), np.column_stack([math.sqrt(lam) * np.eye(20), np.zeros(20)])])
    R = np.linalg.qr(past, mode="r")
    scratch = float(X[-1] @ np.linalg.solve(R[:20, :20], R[:20, 20]))  # the last prediction of VAW, solved anew
    errors, last = {}, {}
    for options in ({}, {"solver": "sherman_morrison"}):
        run = regression(world, lam=lam, clip=False, **options).run(problem, T, seed=0, checkpoints=[T], trace="raw")
        own_loss, name = run["base_loss"][-1, 0], options.get("solver", "default")
        errors[name] = float(abs(own_loss - optimum - run["y2h"][-1, 0] + run["yhat2gamma"][-1, 0]) / (1 + (y**2).sum()))
        last[name] = abs(float(run.output["proposals"][-1, 0]) - scratch)
    assert errors["default"] < 1e-10, f"identity error {errors}"
    assert errors["sherman_morrison"] > 1e-7, f"identity error {errors}"
    assert last["default"] < 1e-10 and last["sherman_morrison"] > 100 * last["default"], f"last prediction against a solve from scratch: {last}"
