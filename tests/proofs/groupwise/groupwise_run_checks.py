"""GW-8, GW-14, GW-18, GW-20 and the search for violations: whole runs against the theorem, its lines and the baselines' bounds.

GW-17 (how the time of a round scales) is a benchmark only: see benchmarks/groupwise.py.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from typing import Any

import groupwise_oracles as own
import numpy as np
from groupwise_base_checks import alpha, classes, own_gradient_descent, own_rows, regression, regressions, stream
from groupwise_oracles import KAPPAS, Replay, World, attack, streams
from hypothesis import given
from hypothesis import strategies as st

MEDICAL, ADULT = os.environ.get("THEORYRL_MEDICAL"), os.environ.get("THEORYRL_ADULT")


def proofs(world: World) -> Any:
    return world("theoryrl.proofs.groupwise")


def environments(world: World) -> Iterator[tuple[Any, Any, int]]:
    """Algorithm, instance and horizon: every environment of spec 7, the two tables where they are."""
    groupwise = own.groupwise(world)
    vaw, mean, ridge = (groupwise.GroupwiseRegression(**o) for o in ({}, {"play": "average"}, {"base": "ridge"}))
    for q in (1e-4, 1e-16):
        yield groupwise.SleepingExperts(prior=(1 - q, q)), own.environment(world, "streak"), 400
    for name in ("cross", "rnd", "rare", "alt"):
        yield groupwise.SleepingExperts(), own.environment(world, name), 2_000
    yield groupwise.GroupwiseFinite(), own.environment(world, "crossing", 10_000), 10_000
    yield groupwise.GroupwisePaths(), own.environment(world, "paths", 1_000), 1_000
    flips = own.environment(world, "sign_flip", 5_000, 0)
    for algorithm in (vaw, mean, ridge, groupwise.GroupwiseRegression(center=True), groupwise.GroupwiseRegression(base="ogd", radius=2.0)):
        yield algorithm, flips, 5_000
    for kind in ("mean", "min", "max", "dominance"):
        yield vaw, own.environment(world, "synthetic_paper", kind, 3_000, 21), 3_000
    if MEDICAL:
        for order in (*range(10), "age", "charges"):
            problem = own.environment(world, "medical", MEDICAL, order)
            yield vaw, problem, problem.n_rounds
        yield mean, problem, problem.n_rounds
        yield ridge, problem, problem.n_rounds
    if ADULT:
        yield vaw, own.environment(world, "adult", ADULT, 0), 2_000


def some_checkpoints(problem: Any, n: int) -> np.ndarray:
    """64 of them, log-spaced; fewer where every comparator is a large decomposition."""
    return np.unique(np.geomspace(1, n, 64 if getattr(problem, "dimension", 0) < 50 else 6).astype(int))


# --- GW-8


def furthest_labels(world: World, algorithm: Any, X: np.ndarray, awake: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Play step by step; the label is the end of [0, 1] that is further from the mean prediction.  Return labels and p."""
    stepper = algorithm.stepwise(stream(world, X[:1], np.zeros(1), np.ones((1, awake.shape[1]), dtype=np.uint8)))
    y, p = np.zeros(len(X)), np.zeros(awake.shape)
    for t in range(len(X)):
        prediction = stepper.predict(X[t], awake[t])
        y[t] = float(prediction.played < 0.5)
        stepper.update(y[t])
        p[t] = prediction.p
    return y, p


def combined(world: World, algorithm: Any, X: np.ndarray, y: np.ndarray, awake: np.ndarray, prefixes: Any) -> float:
    """The combined theorem for every group at these prefixes, by comparators and alphas of our own; the largest regret / bound against ridge."""
    run = algorithm.run(stream(world, X, y, awake), len(y), seed=0, checkpoints=range(1, len(y) + 1), trace="raw")
    out, q = run.output, own.prior_of(algorithm, awake.shape[1])
    replay, lam, base = Replay(out["p"], out["losses"], awake, q), algorithm.lam, algorithm.base
    mixture = (out["p"] * out["proposals"]).sum(axis=1)
    loss = (mixture - y) ** 2 if algorithm.play == "average" else replay.lhat
    M = [replay.M(replay.B(kappa)) for kappa in KAPPAS]
    sizes = own.from_zero(awake.astype(float))
    worst_M = replay.M(1 + 1.5 * (q * (1 + np.log1p(sizes))).sum(axis=1), sizes)
    reported = {kind: proofs(world).bound_per_group(run, kind) for kind in ("data", "worst", "certificate")}
    largest = 0.0
    for g, rows in own_rows(awake):
        h, gamma = own.leverages(X[rows], lam)
        for t in prefixes:
            seen = rows[rows < t]
            if not len(seen):
                continue
            x, z, total = X[seen], y[seen], float(loss[seen].sum())
            least, slack = own.least_squares(x, z)[0], 1e-9 * (1 + len(seen))
            if base == "ogd":
                data = 2 * math.sqrt(2) * algorithm.radius * math.sqrt(own_gradient_descent(x, z, algorithm.radius)[1])
                least, ridge, worst = own.best_in_ball(x, z, algorithm.radius), None, math.inf
            else:
                data, _, worst = alpha(base, x, z, lam, h[: len(seen)], gamma[: len(seen)])
                ridge = own.ridge(x, z, lam)
            bounds = [data + float(m[t, g]) for m in M]
            assert total - least <= bounds[0] + slack, f"{algorithm}: regret {total - least} exceeds {bounds[0]} (group {g}, {t} rounds)"
            assert total - least <= worst + float(worst_M[t, g]) + slack, f"{algorithm}: regret {total - least} exceeds the worst case"
            if ridge is not None and bounds[0] - ridge + least > 0:
                largest = max(largest, (total - ridge) / (bounds[0] - ridge + least))
            assert abs(run["regret"][t - 1, g] - (total - least)) <= 1e-7 * (1 + t), "the recorded regret"
            assert abs(reported["data"][t - 1, g] - bounds[1]) <= 1e-7 * (1 + bounds[1]), f"bound {reported['data'][t - 1, g]}, ours {bounds[1]}"
            certificate = data + float(replay.M(replay.cert)[t, g])
            assert abs(reported["certificate"][t - 1, g] - certificate) <= 1e-7 * (1 + certificate)
            if base != "ogd":
                assert abs(reported["worst"][t - 1, g] - worst - float(worst_M[t, g])) <= 1e-6 * (1 + worst)
    return largest


def check_GW8(world: World) -> None:
    """GW-8. Regret <= alpha_g + S M_g for every group and prefix, against labels that adapt and on every environment; equality is attained."""
    largest = [0.0]

    @attack(30)
    @given(regressions(40, 3), st.sampled_from(["vaw", "ridge", "ogd"]), st.sampled_from(["randomized", "average"]), st.booleans(), st.data())
    def every_stream(drawn: Any, base: str, play: str, adaptive: bool, data: Any) -> None:
        X, y, awake = drawn
        algorithm = regression(world, base=base, play=play, prior=data.draw(own.priors(awake.shape[1])))
        if adaptive:
            y, p = furthest_labels(world, algorithm, X, awake)
            somebody = awake.any(axis=1)
            assert np.array_equal(own.raw(algorithm, stream(world, X, y, awake))["p"][somebody], p[somebody]), "step by step, the bits of a run"
        largest[0] = max(largest[0], combined(world, algorithm, X, y, awake, range(1, len(y) + 1)))

    every_stream()
    X = np.vstack([np.eye(5)[np.arange(150) % 5]])
    awake = np.column_stack([np.ones(150), np.arange(150) < 1, np.arange(150) % 2, np.zeros(150)]).astype(np.uint8)
    for base in ("vaw", "ridge"):
        algorithm = regression(world, base=base)
        largest[0] = max(largest[0], combined(world, algorithm, X, furthest_labels(world, algorithm, X, awake)[0], awake, range(1, 151)))
    assert 1 - 1e-9 <= largest[0] <= 1 + 1e-9, f"the largest regret / bound is {largest[0]}"
    for algorithm, problem, n in environments(world):
        run = algorithm.run(problem, n, seed=0, checkpoints=some_checkpoints(problem, n), trace=True)
        slack = 1e-9 * (1 + run["rounds"])
        for kind in ("data", "worst", "certificate"):
            bound = proofs(world).bound_per_group(run, kind)
            assert np.all(run["regret"] <= bound + slack), f"{run}: {kind}, {np.max(run['regret'] - bound)} above"
        assert np.all(run["regret"][run["rounds"] == 0] == 0), "a group without a round has no regret"


# --- GW-14

PAIRS = {"BlumLykouris": "theorem_blum_lykouris", "AnhPairs": "theorem_anh_pairs", "MinimaxMW": "theorem_minimax"}


def pairs_by_hand(kind: str, losses: np.ndarray, awake: np.ndarray, rate: float) -> np.ndarray:
    """Expected scaled loss of every round, the weights of all pairs written out."""
    T, H = losses.shape
    G = awake.shape[1]
    R, C, lhat, L, E = np.zeros((G, H)), np.zeros((G, H)), np.zeros(T), np.zeros((G, H)), np.zeros((G, 1))
    for t in range(T):
        on = awake[t] > 0
        if not on.any():
            continue
        if kind == "AnhPairs":
            weights = own.weight(R, C)
        else:
            exponent = rate * R if kind == "MinimaxMW" else math.log(rate) * (L - rate * E)
            weights = np.exp(exponent - exponent[on].max())
        p = weights[on].sum(axis=0)
        p = p / p.sum() if p.sum() > 0 else own.uniform(H)
        lhat[t] = p @ losses[t]
        r = on[:, None] * (lhat[t] - losses[t])
        R, C, L, E = R + r, C + np.abs(r), L + on[:, None] * losses[t], E + on[:, None] * lhat[t]
    return lhat


def pairs_ratio(world: World, name: str, losses: np.ndarray, awake: np.ndarray, scale: float = 1.0) -> tuple[float, Any]:
    """The bound of spec 4.5 at every prefix; the largest ratio, and the run."""
    problem = streams(world).ClassStream(losses, awake, scale=scale)
    (T, H), G = losses.shape, awake.shape[1]
    log_N = math.log(G * H)
    scaled = losses / scale
    sums = own.from_zero(awake[:, :, None] * scaled[:, None, :])[1:]
    awake_rounds = np.cumsum(awake.any(axis=1))[:, None, None]
    rate = 0.0
    if name == "BlumLykouris":
        rate = 1 - min(0.5, math.sqrt(log_N / T))
    elif name == "MinimaxMW":
        rate = math.sqrt(8 * log_N / T)
    lhat = pairs_by_hand(name, scaled, awake, rate)
    expected = np.cumsum(awake * lhat[:, None], axis=0)
    run = getattr(own.groupwise(world), name)().run(problem, T, seed=0, checkpoints=range(1, T + 1), trace=True)
    assert np.allclose(run["expected"], scale * expected, rtol=0, atol=1e-9 * scale), f"{name}, step by step"
    value = expected[:, :, None] - sums
    if name == "BlumLykouris":
        value, bound = np.broadcast_to(expected[:, :, None], sums.shape), (sums + (log_N / math.log(1 / rate) if rate < 1 else 0.0)) / rate
    elif name == "MinimaxMW":
        bound = np.broadcast_to(log_N / rate + rate * awake_rounds / 8 if rate else np.zeros((T, 1, 1)), value.shape)
    else:
        r = awake[:, :, None] * (lhat[:, None, None] - scaled[:, None, :])
        C = own.from_zero(np.abs(r).reshape(T, -1))[1:]
        B = 1 + 2 / 3 * (1 + np.log1p(C)).mean(axis=1, keepdims=True)
        bound = np.sqrt(3 * C * (log_N + np.log(B))).reshape(value.shape)
    assert np.all(value <= bound + 1e-9), f"{name}: {np.max(value - bound)} above its bound"
    return float(np.max(value / np.maximum(bound, 1e-12), where=bound > 1e-6, initial=0.0)), run


def check_GW14(world: World) -> None:
    """GW-14. The bounds of the baselines that enumerate pairs, for every pair at every prefix."""

    @attack(30)
    @given(classes(40))
    def every_class(drawn: Any) -> None:
        losses, awake, scale = drawn
        for name, theorem in PAIRS.items():
            _, run = pairs_ratio(world, name, losses, awake, scale)
            if name != "BlumLykouris" or losses.shape[1] * awake.shape[1] > 1:
                proof = getattr(proofs(world), theorem).proof(run)
                assert not proof.violations, f"{run}: {proof.violations[0]}"

    every_class()


# --- GW-18


def check_GW18(world: World) -> None:
    """GW-18. The published medical table: ridge, unclipped, mean over the ten row orders; the comparator is one round behind, as published."""
    instances = world("envs_synthetic.groupwise")
    published = np.array([instances.PUBLISHED["medical"][name] for name in instances.MEDICAL_GROUPS])
    found = np.zeros((10, 12, 3))
    for order in range(10):
        problem = own.environment(world, "medical", MEDICAL, order)
        X, y, awake = np.array(problem.features), np.array(problem.labels), np.array(problem.groups)
        behind = np.array([own.least_squares(X[rows[:-1]], y[rows[:-1]])[0] for _, rows in own_rows(awake)])
        for column, meta in ((0, "single"), (1, "anh")):
            run = regression(world, base="ridge", clip=False, meta=meta).run(problem, len(y), seed=0, checkpoints=[len(y)])
            found[order, :, column] = run["expected"][-1] - behind
        found[order, :, 2] = behind
    error = np.abs(found.mean(axis=0) - published)
    assert np.all(error <= 0.005), f"off by up to {error.max(axis=0)}"


# --- GW-20


def lines_hold(world: World, algorithm: Any, problem: Any, checkpoints: Any, n: int | None = None) -> Any:
    n = n or problem.n_rounds
    run = algorithm.run(problem, n, seed=0, checkpoints=checkpoints, trace=True)
    proof = proofs(world).theorem_combined.proof(run)
    assert not proof.violations, f"{run}: {proof.violations[0]}"
    return run, {line.id: line.value for chain in ("regret", "worst case") for line in proof.chains[chain]}


def own_lines(world: World, algorithm: Any, problem: Any) -> None:
    """The lines of spec 4.7 at every prefix from the raw arrays, compared with those of the proof, and with each other."""
    T, S = problem.n_rounds, problem.loss_scale
    run, lines = lines_hold(world, algorithm, problem, range(1, T + 1))
    out, awake = own.raw(algorithm, problem), np.array(problem.groups)
    replay = Replay(out["p"], out["losses"], awake, own.prior_of(algorithm, awake.shape[1]))
    on = awake > 0
    sizes = np.cumsum(awake, axis=0, dtype=float)
    D = S * np.cumsum(np.where(on, out["losses"], 0.0), axis=0) - run["hindsight"]
    R, C = replay.R[1:], replay.C[1:]
    Phi = own.phi(R, C)
    own_values = {
        "L0": np.cumsum(on * out["played"][:, None], axis=0) - run["hindsight"],
        "L1": S * np.cumsum(on * replay.lhat[:, None], axis=0) - run["hindsight"],
        "L2": S * R + D,
        "L3": S * np.sqrt(3 * C * np.log(Phi)) + D,
        "L4": S * replay.M(replay.potential)[1:] + D,
        "L5": S * replay.M(replay.cert)[1:] + D,
        "L6": S * replay.M(replay.B(2 / 3))[1:] + D,
        "L7": S * replay.M(replay.B(3 / 2))[1:] + D,
    }
    slack = 1e-9 * (1 + sizes)
    for name, value in own_values.items():
        assert np.all(np.abs(lines[name] - value) <= 1e-7 * (1 + sizes)), f"{name}: {np.max(np.abs(lines[name] - value))} from ours"
    if not isinstance(algorithm, own.groupwise(world).GroupwiseRegression):  # whose alpha GW-8 computes
        N = getattr(problem, "n_paths", getattr(problem, "n_hypotheses", 1))
        alphas = S * np.sqrt(sizes * math.log(N))
        total = 1 + 1.5 * (replay.q * (1 + np.log1p(sizes))).sum(axis=1)
        worst = S * np.sqrt(3 * sizes * (np.log(1 / replay.q) + np.log(total)[:, None])) + alphas
        for name, value in {"L8": own_values["L7"] - D + alphas, "L9": worst}.items():
            assert np.all(np.abs(lines[name] - value) <= 1e-7 * (1 + sizes)), f"{name}: {np.max(np.abs(lines[name] - value))} from ours"
    values = [*own_values.values(), lines["L8"], lines["L9"]]
    for i in range(len(values) - 1):
        assert np.all(values[i] <= values[i + 1] + slack), f"L{i} <= L{i + 1}: {np.max(values[i] - values[i + 1])}"
    assert np.all(np.abs(values[1] - values[2]) <= slack), "L1 = L2"
    assert np.all(np.abs(values[2] - values[3])[R >= 0] <= slack[R >= 0]), "L2 = L3 where R >= 0"
    if getattr(algorithm, "play", "randomized") == "randomized":
        assert np.all(np.abs(values[0] - values[1]) <= slack), "L0 = L1"


def check_GW20(world: World) -> None:
    """GW-20. The proof's lines, L0 <= ... <= L9, equalities both ways, for all groups and prefixes; they are the lines of the theorem."""
    groupwise = own.groupwise(world)

    @attack(40)
    @given(regressions(30, 3), st.sampled_from(["vaw", "ridge", "ogd"]), st.sampled_from(["randomized", "average"]), st.data())
    def every_regression(drawn: Any, base: str, play: str, data: Any) -> None:
        X, y, awake = drawn
        lam, prior = data.draw(st.sampled_from([0.1, 1.0, 5.0])), data.draw(own.priors(awake.shape[1]))
        solver = data.draw(st.sampled_from(["cholesky", "sherman_morrison"]))
        own_lines(world, regression(world, base=base, play=play, lam=lam, prior=prior, solver=solver), stream(world, X, 4 * y - 2, awake, (-2.0, 2.0)))
        centred = np.column_stack([X, np.ones(len(y))])
        if base == "vaw":
            own_lines(world, regression(world, play=play, center=True, solver=solver), stream(world, centred, y, awake))
        specialist = regression(world, base=base, play="average", meta="specialist_ew", lam=lam, prior=prior, solver=solver)
        run = own.every_prefix(specialist, stream(world, X, y, awake), trace=True)
        proof = proofs(world).theorem_specialist.proof(run)
        assert not proof.violations, f"{run}: {proof.violations[0]}"

    @attack(25)
    @given(classes(30), st.data())
    def every_class(drawn: Any, data: Any) -> None:
        losses, awake, scale = drawn
        prior = data.draw(own.priors(awake.shape[1]))
        own_lines(world, groupwise.GroupwiseFinite(prior=prior), streams(world).ClassStream(losses, awake, scale=scale))

    @attack(15)
    @given(st.integers(1, 4), st.integers(1, 3), st.data())
    def every_graph(K: int, W: int, data: Any) -> None:
        T = data.draw(st.integers(1, 20))
        edges, awake = own.table(data.draw, T, K, W, W) / 255.0, data.draw(own.masks(T, 3))
        own_lines(world, groupwise.GroupwisePaths(), streams(world).PathStream(edges, awake))

    @attack(25)
    @given(own.games(40))
    def every_game(game: Any) -> None:
        losses, awake, prior, _ = game
        own_lines(world, groupwise.SleepingExperts(prior=prior), streams(world).ExpertStream(losses, awake))

    every_regression()
    every_class()
    every_graph()
    every_game()
    for algorithm, problem, n in environments(world):
        lines_hold(world, algorithm, problem, some_checkpoints(problem, n), n)
    unclipped = groupwise.GroupwiseRegression(clip=False)
    problem = own.environment(world, "sign_flip", 50, 0)
    assert [a.name for a in proofs(world).theorem_combined.failing(unclipped, problem, 50)], "the theorem does not apply without clipping"


# --- the search for violations (spec 9)


def ascend(objective: Callable[[list[np.ndarray]], float], start: list[np.ndarray], choices: list[tuple[float, ...]], passes: int, rng: Any) -> float:
    """Coordinate ascent over arrays of a short game; the best value of the objective."""
    arrays = [a.copy() for a in start]
    best = objective(arrays)
    places = [(i, index) for i, a in enumerate(arrays) for index in np.ndindex(a.shape) if len(choices[i]) > 1]
    for _ in range(passes):
        before = best
        for k in rng.permutation(len(places)):
            i, index = places[k]
            for value in choices[i]:
                if value == arrays[i][index]:
                    continue
                old = arrays[i][index]
                arrays[i][index] = value
                found = objective(arrays)
                if found > best:
                    best = found
                else:
                    arrays[i][index] = old
        if best <= before * (1 + 1e-6):
            break
    return best


def tightness(world: World) -> dict[str, float]:
    """Ratio regret / bound of each theorem on the worst short sequence that coordinate ascent finds."""
    rng = np.random.default_rng(0)
    groupwise = own.groupwise(world)
    LEVELS, BITS = (0.0, 0.5, 1.0), (0.0, 1.0)
    best: dict[str, float] = {}

    def search(name: str, objective: Callable[[list[np.ndarray]], float], starts: list[list[np.ndarray]], choices: list[tuple[float, ...]]) -> None:
        best[name] = max(ascend(objective, start, choices, 3, rng) for start in starts)

    def ratio(value: np.ndarray, bound: np.ndarray) -> float:
        return float(np.max(np.where(bound > 1e-9, value / np.maximum(bound, 1e-9), 0.0)))

    def replayed(prior: Any, losses: np.ndarray, awake: np.ndarray) -> Replay:
        algorithm = groupwise.SleepingExperts(prior=prior)
        return Replay(own.raw(algorithm, streams(world).ExpertStream(losses, awake))["p"], losses, awake, own.prior_of(algorithm, awake.shape[1]))

    for q, T in ((0.5, 14), (1e-8, 60)):
        prior = (1 - q, q)
        starts = [[own.streak(T)[0], np.ones((T, 2))], [(rng.random((T, 2)) < 0.5).astype(float), np.ones((T, 2))]][: 2 if T < 20 else 1]
        for name, bound in {
            f"A, q={q:g}": lambda replay: replay.M(replay.B(2 / 3)),
            f"Cert, q={q:g}": lambda replay: replay.M(replay.cert),
            f"A'', q={q:g}": lambda replay: first_order(replay),
        }.items():

            def objective(arrays: list[np.ndarray], bound: Any = bound, prior: Any = prior) -> float:
                replay = replayed(prior, arrays[0], arrays[1].astype(np.uint8))
                return ratio(replay.R[1:], bound(replay)[1:])

            search(name, objective, starts, [LEVELS if T < 20 else BITS, BITS])

    T = 7
    X0, y0, A0, A1 = rng.random((T, 2)), (rng.random(T) < 0.5).astype(float), np.ones((T, 2)), np.eye(T, 2)
    for base in ("vaw", "ridge"):
        for meta in ("anh", "specialist_ew"):

            def regress(arrays: list[np.ndarray], base: str = base, meta: str = meta) -> float:
                X, y, awake = arrays[0], arrays[1], arrays[2].astype(np.uint8)
                out = own.raw(regression(world, base=base, meta=meta, play="average"), stream(world, X, y, awake))
                replay = Replay(out["p"], out["losses"], awake, own.uniform(2))
                M = replay.M(replay.B(2 / 3))[-1] if meta == "anh" else np.full(2, 2 * math.log(2))
                values = [0.0]
                for g, rows in own_rows(awake):
                    x, z = X[rows], y[rows]
                    h, _ = own.leverages(x, 1.0)
                    bound = float(M[g] + (z**2 * h if base == "vaw" else h).sum())
                    values.append(float((out["played"][rows].sum() - own.ridge(x, z, 1.0)) / max(bound, 1e-9)) if bound > 1e-9 else 0.0)
                return max(values)

            search(f"combined, {base}, {meta}", regress, [[X0, y0, A0], [X0, 1 - y0, A1]], [(0.0, 1.0, -1.0), BITS, BITS])

    T = 10
    L0, A0 = (rng.random((T, 2)) < 0.5).astype(float), np.ones((T, 2))

    def hedge(arrays: list[np.ndarray]) -> float:
        found = own.raw(groupwise.GroupwiseFinite(), streams(world).ClassStream(arrays[0], np.ones((T, 1), dtype=np.uint8)))["losses"][:, 0]
        D = np.cumsum(found) - np.cumsum(arrays[0], axis=0).min(axis=1)
        return ratio(D, np.sqrt(np.arange(1, T + 1) * math.log(2)))

    search("hedge", hedge, [[L0], [1 - L0]], [LEVELS])
    for name in PAIRS:

        def pairs(arrays: list[np.ndarray], name: str = name) -> float:
            return pairs_ratio(world, name, arrays[0], arrays[1].astype(np.uint8))[0]

        search(name, pairs, [[L0, A0], [1 - L0, A0[:, :1]]], [BITS, BITS])
    return best


def first_order(replay: Replay) -> np.ndarray:
    K = np.log(1 / replay.q) + np.log(replay.B(2 / 3))[:, None]
    return 3 * K + np.sqrt(6 * K * own.from_zero(replay.losses))


def check_search(world: World) -> dict[str, float]:
    """No sequence that coordinate ascent finds exceeds a bound; the ratios say how tight each one is."""
    best = tightness(world)
    assert all(value <= 1 + 1e-9 for value in best.values()), f"regret / bound: {best}"
    return best
