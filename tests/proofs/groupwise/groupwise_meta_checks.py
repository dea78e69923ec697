"""GW-1 to GW-5, GW-11, GW-15, GW-19, GW-21 and the range check: the meta step, sleeping experts alone.

A check takes a world (``name -> module``) and judges what was played (p, and the true losses) by formulas of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import groupwise_oracles as own
import numpy as np
from groupwise_oracles import KAPPAS, Replay, World, attack, games, phi, played
from hypothesis import assume, example, given
from hypothesis import strategies as st

from theoryrl.proofs import statistics

STREAK_PRIORS = (1e-4, 1e-8, 1e-16)
BOTH = np.ones((3, 2), dtype=np.uint8)
WITNESSES = (
    (np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]), BOTH, None, "drawn"),
    (np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]), BOTH, (0.9, 0.1), "drawn"),  # M7
    (np.array([[0.0, 1.0, 0.0], [0.0, 1.0, 1.0]] * 2), np.array([[1, 1, 0], [0, 1, 1]] * 2, dtype=np.uint8), None, "drawn"),  # M1, M2
)


def experts(world: World, **options: Any) -> Any:
    return own.groupwise(world).SleepingExperts(**options)


def streak_replay(world: World, q: float, T: int = 400) -> Replay:
    losses, awake = own.streak(T)
    prior = (1 - q, q)
    p = own.raw(experts(world, prior=prior), own.streams(world).ExpertStream(losses, awake))["p"]
    return Replay(p, losses, awake, prior)


def adversary_replays(world: World) -> Iterator[Replay]:
    """The five adversaries of the spec: short games first, in which no mutant overflows."""
    for _, awake, losses in (*own.five_adversaries(120), *own.five_adversaries(1_000)):
        if losses is None:
            p, losses, awake = own.play(world, experts(world), awake, own.kill)
        else:
            p = own.raw(experts(world), own.streams(world).ExpertStream(losses, awake))["p"]
        yield Replay(p, losses, awake, own.uniform(3))


# --- GW-1


def zero_sum(replay: Replay) -> None:
    """Lemma 1, the support of p and its mass."""
    somebody = replay.awake.any(axis=1)
    assert np.all(replay.p[somebody] >= 0) and np.all(np.abs(replay.p[somebody].sum(axis=1) - 1) <= 1e-12), "p is a distribution"
    assert np.all(replay.p[somebody] * ~replay.awake[somebody] == 0), "p is supported on the awake groups"
    terms, total = (replay.q * replay.w * replay.r).sum(axis=1), (replay.q * replay.w).sum(axis=1)
    assert np.all(np.abs(terms) <= 1e-9 * total + 1e-16), f"Lemma 1: {np.max(np.abs(terms) / (total + 1e-300))}"
    lost = somebody & (total == 0)
    rest = (replay.q * replay.awake)[lost]
    assert np.allclose(replay.p[lost], rest / rest.sum(axis=1, keepdims=True), rtol=1e-12, atol=0), "p is the prior if no weight is left"


def check_GW1(world: World) -> None:
    """GW-1. Lemma 1: the prior-weighted w r sum to zero over the awake groups, on which p lives."""

    @attack(120)
    @given(games())
    def every_game(game: Any) -> None:
        zero_sum(played(world, game))

    for witness in WITNESSES:
        zero_sum(played(world, witness))
    every_game()
    stepper = experts(world).stepwise(own.streams(world).ExpertStream(np.zeros((1, 2)), BOTH[:1]))
    assert np.array_equal(stepper.predict([1, 1]).p, [0.5, 0.5]), "the worked values of the spec"
    stepper.update([0.0, 1.0])
    assert np.all(np.abs(stepper.predict([1, 1]).p - (0.9190652, 0.0809348)) <= 5e-8), "the worked values of the spec"


# --- the range check


def check_range(world: World) -> None:
    """The learners' losses reach the meta step scaled to [0, 1], and are the loss of the proposal over the known scale."""
    rng = np.random.default_rng(0)
    T, awake = 40, np.ones((40, 2), dtype=np.uint8)
    groupwise, streams = own.groupwise(world), own.streams(world)
    losses = rng.random((T, 3)) * 5
    found = own.raw(groupwise.GroupwiseFinite(), streams.ClassStream(losses, awake, scale=5.0))["losses"]
    assert np.all((found >= 0) & (found <= 1)), f"scaled losses up to {found.max()}"
    losses = rng.random((T, 2))
    assert np.array_equal(own.raw(experts(world), streams.ExpertStream(losses, awake))["losses"], losses)
    X, y = rng.random((T, 2)), rng.random(T) * 6 - 3
    out = own.raw(groupwise.GroupwiseRegression(), streams.RegressionStream(X, y, awake, (-3.0, 3.0)))
    assert np.all((out["losses"] >= 0) & (out["losses"] <= 1))
    assert np.allclose(out["losses"], (out["proposals"] - y[:, None]) ** 2 / 36, rtol=1e-12, atol=1e-15)
    edges = rng.random((T, 3, 2, 2))
    found = own.raw(groupwise.GroupwisePaths(), streams.PathStream(edges, awake))["losses"]
    assert np.all((found >= 0) & (found <= 1)), f"scaled losses up to {found.max()}"


# --- GW-2 and GW-3


def check_GW2(world: World) -> None:
    """GW-2. Lemma 2: one step of the potential is at most its tangent plus |r| Gamma, with equality at r in {-1, 0, 1}."""
    meta = world("theoryrl.algorithms.groupwise.meta")

    @attack(400)
    @given(st.one_of(st.just(0.0), st.floats(-3, 6).map(lambda e: 10.0**e)), st.floats(-1, 1), st.floats(-1, 1))
    @example(2.5, 1.0, 0.5)  # M8: w(2.5, 2.5)
    @example(0.0, 0.0, 1.0)
    @example(1.0, -1.0, 1.0)
    @example(1e6, 1.0, -1.0)
    def step(C: float, share: float, r: float) -> None:
        R = share * min(C, (30 * C) ** 0.5)
        w, drift = float(meta.anh_weight(R, C)), float(meta.drift(R, C))
        before, wide = float(phi(R, C)), 1e-12 * float(phi(R + 1, C + 1))
        for at in (r, -1.0, 0.0, 1.0):
            excess = float(phi(R + at, C + abs(at))) - (before + w * at + abs(at) * drift)
            assert excess <= wide, f"R={R} C={C} r={at}: the potential is {excess} above"
            assert at == r or abs(excess) <= wide, f"R={R} C={C} r={at}: no equality, {excess}"
        w_exact, drift_exact = own.exact_weight_and_gamma(R, C)
        assert abs(w - w_exact) <= 1e-12 * w_exact, f"R={R} C={C}: w={w}, exactly {w_exact}"
        assert abs(drift - drift_exact) <= wide
        assert abs(float(meta.potential(R, C)) - before) <= 1e-12 * before

    step()


def check_GW3(world: World) -> None:
    """GW-3. Lemma 3: (C + 1) Gamma <= 2/3, in fact at most .33596, attained near R = .98, C = 10.2; Lemma 4."""
    meta = world("theoryrl.algorithms.groupwise.meta")
    largest = 0.0
    grid = itertools.product([0.0, 10.2, *np.geomspace(1e-3, 1e6, 60)], np.linspace(-1, 1, 61))
    for C, R in itertools.chain([(10.2, 0.98)], ((C, share * min(C, (30 * C) ** 0.5)) for C, share in grid)):
        value = (C + 1) * float(meta.drift(R, C))
        largest = max(largest, value)
        assert all(value <= kappa * (1 + 1e-12) for kappa in KAPPAS), f"R={R} C={C}: (C + 1) Gamma = {value}"
    assert 0.3359 <= largest <= 0.336, f"the largest (C + 1) Gamma is {largest}"

    @attack(60)
    @given(st.lists(st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0, 1)), max_size=200))
    @example([1.0] * 200)
    def lemma_4(increments: list[float]) -> None:
        r = np.array(increments)
        C = own.from_zero(r)
        total = float((r / (1 + C[:-1])).sum()) if len(r) else 0.0
        assert total <= C[-1] / (1 + C[-1]) + np.log1p(C[-1]) + 1e-12 * (1 + len(r))
        assert C[-1] / (1 + C[-1]) <= 1

    lemma_4()


# --- GW-4 and GW-5


def potential_is_certified(replay: Replay) -> None:
    slack = 1e-10 * replay.cert
    assert np.all(replay.potential <= replay.cert + slack), f"the potential exceeds Cert: {np.max(replay.potential / replay.cert)}"
    assert all(np.all(replay.cert <= replay.B(kappa) * (1 + 1e-10)) for kappa in KAPPAS), "Cert exceeds B"


def check_GW4(world: World) -> None:
    """GW-4. The potential is at most Cert and Cert at most B, at every prefix; the run's own Cert is that number."""

    def reported(replay: Replay) -> None:
        problem = own.streams(world).ExpertStream(replay.losses, replay.awake)
        run = own.every_prefix(experts(world, prior=tuple(replay.q)), problem, trace=True)
        assert np.allclose(run["cert"], replay.cert[1:], rtol=1e-10, atol=0), "the recorded certificate"
        assert np.allclose(run["R"], replay.R[1:], rtol=0, atol=1e-9) and np.allclose(run["C"], replay.C[1:], rtol=0, atol=1e-9)
        assert run["lemma1"].max() <= 1e-9 and run["lemma2"].min() >= -1e-12

    for q in STREAK_PRIORS:
        potential_is_certified(streak_replay(world, q))
    reported(streak_replay(world, 1e-8, 60))

    @attack(80)
    @given(games())
    def every_game(game: Any) -> None:
        replay = played(world, game)
        potential_is_certified(replay)
        if game[3] == "drawn" and len(replay.lhat) <= 12:
            reported(replay)

    every_game()


def theorem_A(replay: Replay) -> float:
    """Theorem A at every prefix in all three forms; the largest ratio with kappa = 2/3."""
    forms = {f"kappa={kappa:.3g}": replay.M(replay.B(kappa)) for kappa in KAPPAS} | {"Cert": replay.M(replay.cert)}
    for name, M in forms.items():
        assert np.all(replay.R <= M + 1e-9), f"Theorem A ({name}): R exceeds its bound by {np.max(replay.R - M)}"
    return float(np.max(replay.R[1:] / np.maximum(forms["kappa=0.667"][1:], 1e-300), initial=0.0))


def theorem_A_of_mixtures(replay: Replay, u: np.ndarray) -> None:
    KL = float(np.sum(np.where(u > 0, u * np.log(np.maximum(u, 1e-300) / replay.q), 0.0)))
    bound = np.sqrt(3 * (replay.C @ u) * (KL + np.log(replay.B(2 / 3))))
    assert np.all(replay.R @ u <= bound + 1e-9), f"Theorem A': {np.max(replay.R @ u - bound)}"


def theorem_A_first_order(replay: Replay) -> None:
    L = own.from_zero(replay.losses)
    K = np.log(1 / replay.q) + np.log(replay.B(2 / 3))[:, None]
    assert np.all(3 * K + np.sqrt(6 * K * L) + 1e-9 >= replay.R), "Theorem A''"


def check_GW5(world: World) -> None:
    """GW-5. Theorems A, A' and A'' for every expert at every prefix."""
    for q in STREAK_PRIORS:
        theorem_A(streak_replay(world, q))
    for replay in adversary_replays(world):
        theorem_A(replay)
        theorem_A_first_order(replay)
    rng = np.random.default_rng(0)

    @attack(120)
    @given(games())
    def every_game(game: Any) -> None:
        replay = played(world, game)
        theorem_A(replay)
        theorem_A_first_order(replay)
        for u in [*np.eye(len(replay.q)), *rng.dirichlet(np.full(len(replay.q), 0.5), 3)]:
            theorem_A_of_mixtures(replay, u)

    every_game()
    exhaust(world)


def exhaust(world: World, T: int = 5) -> float:
    """Two experts, all masks times binary losses: 8^T sequences, up to swapping the experts; the largest ratio."""
    stepper = experts(world).stepwise(own.streams(world).ExpertStream(np.zeros((1, 2)), BOTH[:1]))
    seen: list[tuple[float, float, float, float]] = []

    def grow(R: tuple[float, float], C: tuple[float, float], depth: int) -> None:
        for awake in ((1, 1), (1, 0), (0, 1)):
            if depth == 0 and awake == (0, 1):
                continue  # the same with the experts swapped
            for losses in itertools.product((0.0, 1.0), repeat=sum(awake)):
                stepper.state["R"][0], stepper.state["R"][1] = R
                stepper.state["C"][0], stepper.state["C"][1] = C
                p = stepper.predict(awake).p
                full = losses if sum(awake) == 2 else (losses[0] * awake[0], losses[0] * awake[1])
                lhat = float(p[0]) * full[0] + float(p[1]) * full[1]
                r = ((lhat - full[0]) * awake[0], (lhat - full[1]) * awake[1])
                stepper.update(full)
                moved = (R[0] + r[0], R[1] + r[1]), (C[0] + abs(r[0]), C[1] + abs(r[1]))
                seen.append((*moved[0], *moved[1]))
                if depth + 1 < T:
                    grow(*moved, depth + 1)

    grow((0.0, 0.0), (0.0, 0.0), 0)
    found = np.array(seen)
    R, C = found[:, :2], found[:, 2:]
    B = 1 + 2 / 3 * (0.5 * (1 + np.log1p(C))).sum(axis=1, keepdims=True)
    M = np.sqrt(3 * C * np.log(2 * B))
    assert np.all(R <= M + 1e-9), f"Theorem A, exhaustively: {np.max(R - M)}"
    return float(np.max(R / np.maximum(M, 1e-300)))


# --- GW-11


def check_GW11(world: World) -> None:
    """GW-11. Permuting groups permutes p; a duplicate gets the same p and R; a group that never wakes changes nothing."""

    def p_of(losses: np.ndarray, awake: np.ndarray, prior: Any) -> np.ndarray:
        return own.raw(experts(world, prior=prior), own.streams(world).ExpertStream(losses, awake))["p"]

    @attack(60)
    @given(games(40), st.randoms(use_true_random=False))
    def metamorphosis(game: Any, random: Any) -> None:
        losses, awake, prior, _ = game
        G = losses.shape[1]
        replay = Replay(p_of(losses, awake, prior), losses, awake, own.uniform(G) if prior is None else prior)
        somebody = replay.awake.any(axis=1)
        assume(np.all((replay.q * replay.w).sum(axis=1)[somebody] > 1e-6))  # at R = -1 the fallback is not continuous
        order = list(range(G))
        random.shuffle(order)
        shuffled = p_of(losses[:, order], awake[:, order], None if prior is None else tuple(np.array(prior)[order]))
        assert np.allclose(shuffled, replay.p[:, order], rtol=0, atol=1e-12), "permuted groups"
        twice = p_of(np.column_stack([losses, losses[:, :1]]), np.column_stack([awake, awake[:, :1]]), None)
        assert np.allclose(twice[:, 0], twice[:, -1], rtol=0, atol=1e-12), "a duplicate"
        if prior is None:
            more = p_of(np.column_stack([losses, losses[:, :1]]), np.column_stack([awake, np.zeros(len(awake), dtype=np.uint8)]), None)
            assert np.allclose(more[:, :G], replay.p, rtol=0, atol=1e-12) and np.all(more[:, G] == 0), "a group that never wakes"

    metamorphosis()


# --- GW-15


def slope(T: np.ndarray, regrets: np.ndarray) -> tuple[float, float]:
    """Interval of the slope of ln mean regret in ln T, by the jackknife over seeds (rows)."""
    x = np.log(T) - np.log(T).mean()

    def fit(rows: np.ndarray) -> float:
        return float(x @ np.log(np.maximum(rows.mean(axis=0), 1e-300)) / (x @ x))

    n = len(regrets)
    pseudo = [n * fit(regrets) - (n - 1) * fit(np.delete(regrets, i, axis=0)) for i in range(n)]
    statistics.performed += 1
    return statistics.student_interval(pseudo)


def check_GW15(world: World) -> None:
    """GW-15. Growth: on the hard instances the controls are linear in T and the algorithm is not; on fair coins it grows like sqrt T."""
    groupwise = own.groupwise(world)
    crossing = own.environment(world, "crossing", 4_000)
    checkpoints = np.unique(np.geomspace(40, 4_000, 12).astype(int))

    def exponent(algorithm: Any, problem: Any, group: int) -> float:
        regret = algorithm.run(problem, problem.n_rounds, seed=0, checkpoints=checkpoints)["regret"][:, group]
        return float(statistics.growth_exponents(checkpoints, np.maximum(regret, 1e-9)[None], decades=2)[0])

    assert exponent(groupwise.GroupwiseFinite(), crossing, 1) <= 0.65, "the algorithm on the second group of crossing"
    for control in ("single", "uniform", "priority"):
        found = exponent(groupwise.GroupwiseFinite(meta=control), crossing, 1)
        assert found >= 0.85, f"{control} on the second group of crossing has slope {found}"
    flips = [own.environment(world, "sign_flip", 4_000, own.FIRST_SEED + seed) for seed in range(10)]
    for control in ("single", "uniform"):
        regrets = np.array([groupwise.GroupwiseRegression(meta=control).run(p, 4_000, seed=0, checkpoints=checkpoints)["regret"][:, 0] for p in flips])
        assert slope(checkpoints, regrets)[1] >= 0.85, f"{control} on the first group of sign_flip: {slope(checkpoints, regrets)}"
    for N in (2, 8):
        lengths = 2 ** np.arange(6, 17)
        regrets = np.zeros((10, len(lengths)))
        for (i, seed), (j, T) in itertools.product(enumerate(range(own.FIRST_SEED, own.FIRST_SEED + 10)), enumerate(lengths)):
            problem = own.environment(world, "fair_coins", int(T), N, 11 * seed + j)
            regrets[i, j] = experts(world).run(problem, int(T), seed=0, checkpoints=[int(T)])["R"][-1].max()
        low, high = slope(lengths, regrets)
        assert high >= 0.35 and low <= 0.65, f"fair coins, N={N}: slope in [{low}, {high}]"


# --- GW-19


def check_GW19(world: World) -> None:
    """GW-19. Theorem A is tight: on streak with q = 1e-16 the largest R / M over 400 rounds lies in [.940, .950], and R_400 = 101.563."""
    replay = streak_replay(world, 1e-16)
    ratios = [float(np.max(replay.R[1:, 1] / replay.M(replay.B(kappa))[1:, 1])) for kappa in KAPPAS]
    assert all(0.940 - 1e-3 <= ratio <= 0.950 + 1e-3 for ratio in ratios), f"R / M = {ratios}"
    assert abs(replay.R[-1, 1] - 101.563) <= 1e-3, f"R_400 = {replay.R[-1, 1]}"
    extreme = streak_replay(world, 1e-300, 3_000)  # the smallest prior at which nothing may overflow
    ratio = float(np.max(extreme.R[1:, 1] / extreme.M(extreme.B(2 / 3))[1:, 1]))
    assert abs(ratio - 0.997) <= 1e-3, f"R / M = {ratio} at q = 1e-300"


# --- GW-21


def check_GW21(world: World) -> None:
    """GW-21. Sampled losses stay below the expected ones plus sqrt(T_g ln(G / delta) / 2), all groups at once, but for a share of at most delta."""
    T, delta, failures, total = 500, 0.01, 0, 0
    for seed in range(own.FIRST_SEED, own.FIRST_SEED + 20):
        rng = np.random.default_rng(seed)
        _, awake, losses = next(a for a in own.five_adversaries(T, seed) if a[0] == "rnd")
        assert losses is not None
        p = own.raw(experts(world), own.streams(world).ExpertStream(losses, awake))["p"]
        chosen = (rng.random((200, T, 1)) > np.cumsum(p, axis=1)[None, :, :-1]).sum(axis=2)
        sampled = losses[np.arange(T), chosen]
        excess = (sampled - (p * losses).sum(axis=1)) @ awake
        failures += int(np.any(excess > np.sqrt(0.5 * awake.sum(axis=0) * np.log(3 / delta)), axis=1).sum())
        total += 200
    assert not statistics.too_many_failures(failures, total, delta), f"{failures} of {total} samples left the bound"
