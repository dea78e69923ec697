"""T6, T7, T8, T9, T12, T13, T20, T27: the lemmas behind MEX, with the package's constants, by exact sums and vectorised paths of our own."""

from __future__ import annotations

import itertools
import math
from typing import Any

import mex_oracles as own
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from mex_oracles import World, attack

from theoryrl.proofs import statistics

DELTAS = (0.5, 0.2, 0.05)
PATHS = 4000


def gec(world: World) -> Any:
    return world("theoryrl.complexity.gec")


def constants(world: World) -> Any:
    return world("theoryrl.algorithms.mex.constants")


@st.composite
def rows(draw: Any, S: int) -> np.ndarray:
    """A probability vector; zeros and tiny entries are common."""
    w = np.array(draw(st.lists(st.sampled_from([0.0, 1e-9, 0.01, 0.3, 0.5, 1.0, 2.0]), min_size=S, max_size=S)))
    w[draw(st.integers(0, S - 1))] += 1.0
    return w / w.sum()


# --- T6, T7


def check_T6(world: World) -> None:
    """T6. E exp(-X / 2) = 1 - D_H^2 for X = log(P* / P_f)(x'), x' from P*."""

    @attack(300)
    @given(st.integers(1, 6).flatmap(lambda S: st.tuples(rows(S), rows(S))))
    def every_pair(pair: tuple[np.ndarray, np.ndarray]) -> None:
        p, q = pair
        seen = p > 0
        with np.errstate(divide="ignore"):
            mean = float((p[seen] * np.exp(-0.5 * (np.log(p[seen]) - np.log(q[seen])))).sum())
        theirs = float(gec(world).squared_hellinger(p, q))
        assert abs(mean - (1 - theirs)) <= 1e-14, f"E exp(-X/2) = {mean}, 1 - D^2 = {1 - theirs}"
        assert abs(theirs - own.hellinger(p, q)) <= 1e-14

    every_pair()


def two_points(mean_weight: float, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Values and probabilities of a centred two-point law whose range is `width`."""
    p = np.array([1 - mean_weight, mean_weight])
    return np.array([-mean_weight * width, (1 - mean_weight) * width]), p


def check_T7(world: World) -> None:
    """T7. E exp(-X / B^2) <= exp(-E^2 / 2 B^2) and E exp(-2 W / B^2) <= 1, tight for small E and symmetric noise.

    On [0, 1] exp(-u/2) <= 1 - c u, tight at both ends.
    """

    def means(error: float, B: float, noise: tuple[np.ndarray, np.ndarray]) -> tuple[float, float]:
        Y, p = noise
        X = error**2 + 2 * error * Y
        W = (error - Y) ** 2 - Y**2  # g - target = error - Y, f* - target = -Y
        return float((p * np.exp(-X / B**2)).sum()), float((p * np.exp(-2 * W / B**2)).sum())

    @attack(300)
    @given(st.sampled_from([0.1, 0.5, 1.0, 3.0]), st.floats(-1, 1), st.floats(0, 1), st.floats(0, 1), st.floats(-3, 3))
    def every_law(B: float, e: float, weight: float, width: float, gap: float) -> None:
        noise = two_points(weight, width * B)
        assert means(e * B, B, noise)[0] <= math.exp(-(e**2) / 2) + 1e-12
        assert means(gap * B, B, noise)[1] <= 1 + 1e-12  # no bound of |g - f*| is needed

    every_law()
    for B in (0.5, 1.0, 2.0):
        x, w = means(0.01 * B, B, two_points(0.5, B))
        assert x >= math.exp(-(0.01**2) / 2) - 1e-8 and w >= 1 - 2e-7, "tight"
    u = np.linspace(0, 1, 1001)
    slack = 1 - constants(world).C_VALUE * u - np.exp(-u / 2)
    assert slack.min() >= -1e-12 and abs(slack[-1]) <= 1e-12, "the chord of exp(-u/2) on [0, 1]"


# --- T8, T9


def pair(found: Any) -> tuple[float, float]:
    return float(found.d), float(found.b)


def adversarial(rng: np.random.Generator, K: int, cap: float) -> list[np.ndarray]:
    """Sequences in [0, cap]: full, random, doubling, late, just below the threshold."""
    doubling = np.minimum(cap, cap * 2.0 ** (np.arange(K) - K // 2))
    return [
        np.full(K, cap),
        cap * rng.random(K),
        cap * (rng.random(K) < 0.3),
        doubling,
        cap * np.where(np.arange(K) < K // 2, 1e-3, 1.0),
        np.append(cap * (1 - 1e-9), np.full(K - 1, cap)),
        cap * rng.random(K) ** 8,
    ]


def check_T8(world: World) -> None:
    """T8. P1: sum of d^k 1{D^k < cap} <= 2 cap = b / B.  P2: sum of (d^k)^2 / D^k 1{D^k >= cap} <= cap log2 K = d, an equality at K = 2, d = cap."""
    rng = own.generator(0)
    first = second = 0.0
    for K, cap in itertools.product((1, 2, 3, 7, 50, 1000), (1.0, 0.37, 1e-3)):
        d_certified, b_certified = pair(gec(world).value_gec(K, np.array([cap]), np.ones(1)))
        for d in adversarial(rng, K, cap):
            D = np.append(0.0, np.cumsum(d))[:-1]
            early = D < cap
            P1, P2 = float(d[early].sum()), float((d[~early] ** 2 / D[~early]).sum())
            assert P1 <= b_certified + 1e-12, f"P1: {P1} exceeds {b_certified} (K = {K}, cap = {cap})"
            assert P2 <= d_certified + 1e-12, f"P2: {P2} exceeds {d_certified} (K = {K}, cap = {cap})"
            first = max(first, P1 / b_certified)
            if K == 2 and np.all(d == cap):
                assert abs(P2 - d_certified) <= 1e-12, "an equality"
            if K > 1:
                second = max(second, P2 / d_certified)
    assert first > 0.99 and second > 0.99, f"both are attained: {first}, {second}"


def adversarial_residuals(d: np.ndarray, D: np.ndarray, B: np.ndarray, level: float) -> np.ndarray:
    """Residuals in [0, B] that make the prediction error large for their in-sample sum: min(B, level d / D)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.minimum(B, np.where(D > 0, level * d / D, np.inf))


def policy_sequence(rng: np.random.Generator, kind: int, K: int, H: int, S: int, A: int) -> list[np.ndarray]:
    """Fresh random policies, one policy, blocks of two, or a slow sweep."""
    pool = [rng.integers(0, A, (H, S)) for _ in range(K if kind == 0 else 2)]
    if kind == 0:
        return pool
    if kind == 1:
        return [pool[0]] * K
    if kind == 2:
        return [pool[0]] * (K // 2) + [pool[1]] * (K - K // 2)
    return [pool[k % 7 == 0] for k in range(K)]


def check_T9(world: World) -> None:
    """T9. GEC (ii), infimum over mu taken, for any policies and adversarial residuals in [0, B]: sum of d E <= sqrt(d I) + b."""
    episodic = world("theoryrl.problems.episodic")

    @attack(80)
    @given(st.integers(0, 2**31), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 60), st.integers(0, 3), st.floats(-2, 2))
    def every_sequence(seed: int, H: int, S: int, A: int, K: int, kind: int, exponent: float) -> None:
        rng = np.random.default_rng(seed)
        P, r = own.random_mdp(rng, H, S, A, sparse=0.4)
        problem = episodic.EpisodicMDP(P, r, H)
        assert np.abs(problem.max_reach - own.max_reach(P, 0)).max() <= 1e-12
        B = 0.1 + rng.random(H)
        D, pred, in_sample = np.zeros((H, S, A)), 0.0, 0.0
        for policy in policy_sequence(rng, kind, K, H, S, A):
            d = own.occupancy(P, policy, 0)
            E = adversarial_residuals(d, D, B[:, None, None], 10.0**exponent)
            pred, in_sample, D = pred + float((d * E).sum()), in_sample + float((D * E**2).sum()), D + d
        coefficient, burn = pair(gec(world).value_gec(K, problem.reachability, B))
        assert pred <= math.sqrt(coefficient * in_sample) + burn + 1e-9, f"prediction error {pred} exceeds sqrt({coefficient} * {in_sample}) + {burn}"

    every_sequence()


# --- T12


def check_T12(world: World) -> None:
    """T12. exp(1/2 sum of log P_f / P*) / product of (1 - D_H^2) has mean one, summed over all trajectories of six adaptive episodes of lock(3, .1)."""
    mex = world("envs_synthetic.mex")
    problem, hypotheses = mex.lock(3, 0.1), mex.lock_class(3, 0.1)
    P, models, r = np.asarray(problem.stage_transition), np.asarray(hypotheses.models), np.asarray(problem.stage_reward)
    H, S, A, _ = P.shape
    truth = next(i for i, model in enumerate(models) if np.array_equal(model, P))
    false = next(i for i in range(len(models)) if i != truth)
    solved = [own.plan(model, r) for model in models]
    values, greedy = np.array([V[0, problem.start] for V, _ in solved]), np.array([Q.argmax(axis=2) for _, Q in solved])
    distance = np.array([[[gec(world).squared_hellinger(P[h, x, a], models[false, h, x, a]) for a in range(A)] for x in range(S)] for h in range(H)])
    eta = 0.3
    weight, chance, L = np.ones(1), np.ones(1), np.zeros((1, len(models)))
    for episode in range(6):
        policy = greedy[(values - eta * L).argmax(axis=1)]  # (histories, H, S)
        x = np.full(len(policy), problem.start)
        for h in range(H):
            a = policy[np.arange(len(x)), h, x]
            ratio = np.sqrt(models[false, h, x, a] / P[h, x, a]) / (1 - distance[h, x, a])[:, None]
            step = -np.log(models[:, h, x, a]).transpose(1, 2, 0)  # (histories, S', M)
            weight, chance = (weight[:, None] * ratio).ravel(), (chance[:, None] * P[h, x, a]).ravel()
            L, policy = (L[:, None] + step).reshape(-1, L.shape[1]), np.repeat(policy, S, axis=0)
            x = np.tile(np.arange(S), len(x))
        mean = float((chance * weight).sum())
        assert abs(chance.sum() - 1) <= 1e-10 and abs(mean - 1) <= 1e-10, f"mean {mean} after {episode + 1} episodes"
    assert len(weight) == 2**18 and weight.max() > 1.2, "there is something to average"


# --- T13, T27


def too_many(crossed: np.ndarray, delta: float, what: str) -> None:
    failures = int(crossed.sum())
    assert not statistics.too_many_failures(failures, len(crossed), delta), f"{what}: {failures} of {len(crossed)} paths cross, at most {delta} each"


def check_T13(world: World) -> None:
    """T13. n KL(P hat || P) <= log binom(n + S - 1, S - 1) + log 1/delta for all n <= 2000 at once, with one log term for several cells."""
    p, N = np.array([0.5, 0.3, 0.2]), 2000
    n = np.arange(1, N + 1)
    step = world("theoryrl.algorithms.mex.tabular_trace").log_binomial_step
    radius = np.cumsum([step(m, 3) for m in range(N)])
    top = np.zeros((3, PATHS))
    for cell, block in itertools.product(range(3), range(0, PATHS, 500)):
        rng = own.generator(1000 * (1 + cell) + block)
        path = np.cumsum(rng.random((500, N))[..., None] < np.cumsum(p), axis=1, dtype=np.int16)
        counts = np.diff(path, axis=2, prepend=0).astype(float)
        with np.errstate(divide="ignore", invalid="ignore"):
            kl = np.where(counts > 0, counts * np.log(counts / n[:, None] / p), 0.0).sum(axis=2)
        top[cell, block : block + 500] = np.maximum((kl - radius).max(axis=1), 0.0)  # nothing is seen at n = 0
    for delta in DELTAS:
        too_many(top[0] >= math.log(1 / delta), 0.1 if delta == 0.2 else delta, f"one cell at {delta}")
    too_many(top.sum(axis=0) >= math.log(1 / 0.2), 0.2, "three cells, of which the worst times may differ")


def crossings(steps: np.ndarray) -> np.ndarray:
    """The largest partial sum of each path, at least zero."""
    return np.maximum(np.cumsum(steps, axis=1).max(axis=1), 0.0)


def check_T27(world: World) -> None:
    """T27. The maximal inequalities of the in-sample lemma for one hypothesis: crossed with probability at most delta, and nearly so."""
    B, gap, q, false = 1.0, 0.05, 0.5, 0.56
    tops: dict[str, list[np.ndarray]] = {"W": [], "X": [], "model": []}
    for block in range(0, PATHS, 500):
        coin = own.generator(block).random((500, 4000)) < q
        Y = coin - 0.5
        tops["W"].append(crossings(2 * gap * Y - gap**2))  # -W, for g = f* + gap
        tops["X"].append(crossings(0.5 * gap**2 - (gap**2 + 2 * gap * Y)))
        ratio = np.where(coin, math.log(false / q), math.log((1 - false) / (1 - q)))
        distance = float(gec(world).squared_hellinger(np.array([q, 1 - q]), np.array([false, 1 - false])))
        tops["model"].append(crossings(ratio - 2 * math.log1p(-distance)))
    for delta in DELTAS:
        x = math.log(1 / delta)
        radii = {"W": constants(world).truth_radius(B, x), "X": constants(world).image_radius(B, x), "model": constants(world).model_radius(x)}
        for name, radius in radii.items():
            crossed = np.concatenate(tops[name]) >= radius
            too_many(crossed, delta, f"{name} at {delta}")
            few = statistics.too_many_failures(int((~crossed).sum()), PATHS, 1 - 0.75 * delta)
            assert not few, f"{name} at {delta}: the inequality is tight, but only {crossed.mean()} of the paths cross"
