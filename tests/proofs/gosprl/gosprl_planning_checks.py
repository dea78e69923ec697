"""G2 to G5, G12 and G18: confidence sets, inner problems, extended value iteration, hitting times and lower bounds, without any run."""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any

import gosprl_oracles as own
import numpy as np
from gosprl_oracles import World, at_the_end, continuing, near, random_case
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

ABSOLUTE = 1e-9
POINTWISE = 1e-12
DELTA_M = 0.025
PLANNING = "theoryrl.algorithms.gosprl.planning"


def random_row(rng: np.random.Generator, S: int) -> np.ndarray:
    p = rng.dirichlet(np.full(S, 0.7)) * (rng.random(S) < 0.7)
    return np.asarray(p / p.sum() if p.sum() > 0 else np.eye(S)[0])


def random_counts(rng: np.random.Generator, S: int, A: int) -> np.ndarray:
    """Counts of any kind: no samples, a few, many, all the same next state; no model that they come from need be near them."""
    N = np.zeros((S, A, S), np.int64)
    for s in range(S):
        for a in range(A):
            n = int(rng.choice([0, 1, 2, 10, 100, 3000]))
            N[s, a] = rng.multinomial(n, random_row(rng, S))
    return N


# --- the package's words for what is checked here


def package_radius(world: World, n: int, S: int, A: int, delta_m: float) -> float:
    return float(world(PLANNING).l1_radius(n, S, A, delta_m))


def package_box(world: World, p: np.ndarray, n: int, A: int, delta_m: float) -> tuple[np.ndarray, np.ndarray]:
    low, high = world(PLANNING).bernstein_box(p, n, A, delta_m)
    return np.array(low), np.array(high)


def package_inner(world: World, kind: str, p: np.ndarray, ends: Any, v: np.ndarray) -> float:
    optimistic = world("theoryrl.planning.optimistic")
    return float(optimistic.inner_l1(p, ends, v) if kind == "l1" else optimistic.inner_box(*ends, v))


def package_plan(world: World, N: np.ndarray, goal: np.ndarray, delta_m: float, kind: str, eps: float) -> Any:
    """An object with values (S,), policy (S,) and the number of sweeps."""
    try:
        return world(PLANNING).extended_value_iteration(N, goal, delta_m, kind, eps)
    except RuntimeError as error:
        raise AssertionError(str(error)) from error


GRID = 4 ** np.arange(25)
"""Counts at which the package's own radii and boxes are asked for."""


def outside(world: World, replay: own.Replay) -> str:
    """Where the truth leaves a set: by the formulas at all counts that a run passes, at grids of them in the package's own sets; or ""."""
    algorithm, S, A = replay.algorithm, replay.S, replay.A
    if not replay.held:
        return "event A1, by the formulas"
    kinds = ("l1", "bernstein") if algorithm.confidence == "both" else (algorithm.confidence,)
    share, n, laws = algorithm.delta / 2 / len(kinds), replay.n_before + 1, replay.P[replay.s, replay.a]
    radius = functools.cache(lambda n: package_radius(world, n, S, A, share))
    for t in np.flatnonzero(np.isin(n, GRID)) if "l1" in kinds else ():
        if np.abs(replay.rows[t] / n[t] - laws[t]).sum() > radius(int(n[t])) + POINTWISE:
            return f"l1: the counts {replay.rows[t]} exclude {laws[t]}"
    for t in np.flatnonzero(np.isin(n, GRID)) if "bernstein" in kinds else ():
        low, high = package_box(world, replay.rows[t] / n[t], int(n[t]), A, share)
        if (laws[t] < low - POINTWISE).any() or (laws[t] > high + POINTWISE).any():
            return f"bernstein: the counts {replay.rows[t]} exclude {laws[t]}"
    return ""


# --- G2 to G4


def check_G2(world: World) -> None:
    """G2. The inner problems are solved as by a linear program; `both` is the larger of the two."""
    rng = np.random.default_rng(2)
    for case in range(300):
        S, A = int(rng.integers(1, 7)), int(rng.integers(1, 4))
        p, n = random_row(rng, S), int(rng.choice([1, 2, 7, 60, 1000, 10**6]))
        v = rng.integers(0, 4, S) / 3 if case % 3 == 0 else rng.random(S) * 30
        low, high = package_box(world, p, n, A, DELTA_M)
        balls = [("l1", radius) for radius in (package_radius(world, n, S, A, DELTA_M), rng.random() * 2.5, 0.0)]
        for kind, ends in [*balls, ("bernstein", (low, high)), ("bernstein", (p, p))]:
            mine, theirs = own.least_by_program(kind, p, ends, v), package_inner(world, kind, p, ends, v)
            assert abs(mine - theirs) <= ABSOLUTE * 10, f"{kind}, p={p}, v={v}, ends {ends}: {theirs}, the program has {mine}"


def check_G3(world: World) -> None:
    """G3. Radii by their formulas; the Bernstein interval is the set, contains the estimate, leaves room for a law, and shrinks with n."""
    rng = np.random.default_rng(3)
    for _ in range(300):
        S, A = int(rng.integers(1, 8)), int(rng.integers(1, 4))
        p, before = random_row(rng, S), None
        for n in (1, 2, 3, 10, 31, 1000, 10**5, 10**9):
            low, high = package_box(world, p, n, A, DELTA_M)
            assert (low <= p + POINTWISE).all() and (p <= high + POINTWISE).all() and low.min() >= 0 and high.max() <= 1, f"p={p}, n={n}: [{low}, {high}]"
            assert low.sum() <= 1 + POINTWISE and high.sum() >= 1 - POINTWISE
            mine = own.box_by_bisection(p, own.log_term(np.array(n), S, A, DELTA_M) / n)
            assert np.abs(np.subtract(mine, own.box(p, own.log_term(np.array(n), S, A, DELTA_M) / n))).max() <= POINTWISE
            assert np.abs(low - mine[0]).max() <= POINTWISE and np.abs(high - mine[1]).max() <= POINTWISE, f"p={p}, n={n}: [{low}, {high}], by bisection {mine}"
            assert near(own.l1_radius(np.array(n), S, A, DELTA_M), package_radius(world, n, S, A, DELTA_M))
            if before is not None:
                assert (low >= before[0] - POINTWISE).all() and (high <= before[1] + POINTWISE).all(), f"p={p}: wider at n={n}"
            before = low, high


def width_holds(low: np.ndarray, high: np.ndarray, a: float) -> None:
    """A3 at both ends and a grid of P between them."""
    for lowest, highest in zip(low, high, strict=True):
        P = np.append(np.linspace(lowest, highest, 101), lowest + (highest - lowest) * np.geomspace(1e-9, 1, 60))
        ratio = np.maximum(highest - P, P - lowest) / (2 * np.sqrt(2 * P * a) + 4 * a)
        assert ratio.max() <= 1 + POINTWISE, f"[{lowest}, {highest}], a={a}: {ratio.max()} times the width"


def check_G4(world: World) -> None:
    """G4. Two laws in the same Bernstein set are within 2 sqrt(2 P a) + 4 a of each other, entry by entry."""
    for n in (1, 3, 10, 40, 200, 2000, 10**5, 10**8):
        for p in np.append(np.linspace(0, 1, 41), 10.0 ** np.arange(-9, -1)):
            low, high = package_box(world, np.array([p, 1 - p]), n, 2, DELTA_M)
            width_holds(low, high, float(own.log_term(np.array(n), 2, 2, DELTA_M)) / n)

    @settings(derandomize=True, database=None, deadline=None, max_examples=150, phases=(Phase.explicit, Phase.generate))
    @given(st.floats(0, 1), st.integers(1, 10**9), st.floats(1e-6, 0.5))
    def drawn(p: float, n: int, delta_m: float) -> None:
        low, high = package_box(world, np.array([p, 1 - p]), n, 1, delta_m)
        width_holds(low, high, float(own.log_term(np.array(n), 2, 1, delta_m)) / n)

    drawn()


# --- G5


def check_G5(world: World) -> None:
    """G5. Extended value iteration: monotone from zero, residual at most eps, E2, greedy, and E3's number of sweeps, whatever the counts."""
    rng = np.random.default_rng(5)
    for case in range(200):
        S, A = int(rng.integers(2, 6)), int(rng.integers(1, 4))
        N, eps = random_counts(rng, S, A), float(rng.choice([0.02, 0.3, 0.9]))
        goal = rng.random(S) < 0.4
        goal[rng.integers(S)] = True
        kind = ("l1", "bernstein", "both")[case % 3]
        sets = own.Sets(kind, N, DELTA_M)
        found = package_plan(world, N, goal, DELTA_M, kind, eps)
        v, policy = np.asarray(found.values), np.asarray(found.policy)
        name = f"{kind}, eps={eps}, goal {np.flatnonzero(goal)}, counts {N.tolist()}"
        iterates = own.sweeps(sets, goal, eps)
        assert all((after >= before - ABSOLUTE).all() for before, after in itertools.pairwise(iterates)), name
        next_v = np.where(goal, 0, 1 + sets.least(v).min(axis=1))
        assert (v <= next_v + ABSOLUTE).all() and (next_v <= v + eps + ABSOLUTE).all(), f"{name}: the residual of {v} is {next_v - v}"
        assert np.abs(v - iterates[-2]).max() <= ABSOLUTE, f"{name}: {v}, by the definition {iterates[-2]}"
        out = np.flatnonzero(~goal)
        least = sets.least(v)
        assert (least[out, policy[out]] <= least[out].min(axis=1) + ABSOLUTE).all(), f"{name}: {policy} is not greedy"
        exact = own.sweeps(sets, goal, 1e-12, cap=10**6)[-1]
        assert (v <= exact + ABSOLUTE).all() and (exact * (1 - eps) <= v + ABSOLUTE).all(), f"{name}: {v}, the optimistic time is {exact}"
        W = exact.max()
        if W > 0:
            limit = math.ceil(2 * W) * max(math.ceil(math.log2(W / eps)), 0) + 1
            assert found.sweeps <= limit, f"{name}: {found.sweeps} sweeps, E3 has {limit}"
            assert found.sweeps == len(iterates) - 1, f"{name}: {found.sweeps} sweeps, by the definition {len(iterates) - 1}"
        if len(out):
            assert W * sets.entering(goal)[out].max(axis=1).min() <= 1 + ABSOLUTE, f"{name}: {W}"


# --- G12, G18


def check_G12(world: World) -> None:
    """G12. The linear program is at most the exact mean time of the sampling rule with known laws and of the uniform policy."""
    few = np.array([[0, 0]] * 2 + [[0, 1]] * 2 + [[1, 0]] * 2)
    cases = [(own.two(0.2), np.array([[0], [5]])), (own.lock(8), at_the_end(8, 2, 3)), (own.river_swim(6), few)]
    for seed in range(12):
        problem, b = random_case(world, seed, 2 + seed % 3, 1 + seed % 2, 2)
        cases.append((np.array(problem.transition), b if 0 < b.sum() <= 6 else at_the_end(*b.shape, 2)))
    collection = world("theoryrl.complexity.collection")
    for P, b in cases:
        problem = continuing(world, P, 0, "case")
        value = own.programme(P, b, 0)
        assert near(value, collection.collection_time_lower_bound(problem, b))
        for uniform in (False, True):
            exact = own.exact_mean_time(P, b, 0, uniform)
            assert exact >= value * (1 - ABSOLUTE), f"P={P.tolist()}, b={b.tolist()}: mean time {exact}, the program has {value}"
            theirs = (collection.uniform_collection_time if uniform else collection.known_model_collection_time)(problem, b)
            assert near(exact, theirs), f"P={P.tolist()}, b={b.tolist()}, uniform: {uniform}: {theirs}, not {exact}"
    for n, samples in ((5, 3), (12, 50), (20, 20), (20, 50)):
        mean = 2 * samples * (2**n - 1)
        assert near(mean, collection.uniform_collection_time(continuing(world, own.lock(n), 0, "lock"), at_the_end(n, 2, samples)))


def check_G18(world: World) -> None:
    """G18. Hitting times: value iteration from below, the value of a policy from above, closed forms."""
    cases = [(own.lock(n), n - 1.0) for n in (2, 5, 12, 20)] + [(own.two(q), 1 / q) for q in (0.5, 0.2, 0.01)]
    cases += [(own.shortcut(40, 0.3), 41.0), (ring(), 4.0), (own.river_swim(6), None), (own.four_rooms(), None)]
    cases += [(np.array(random_case(world, seed, 2 + seed % 5, 1 + seed % 3, 1)[0].transition), None) for seed in range(30)]
    for P, closed in cases:
        problem = continuing(world, P, 0, "case")
        times = np.array(problem.hitting_times)
        below = np.array([own.times_from_below(P, g) for g in range(len(P))]).T
        above = np.array([own.best_times(P, np.arange(len(P)) == g) for g in range(len(P))]).T
        assert (below <= above + 1e-11 * (1 + above)).all() and (above - below).max() <= 1e-8
        assert np.abs(times - above).max() <= 1e-10 * (1 + above.max()), f"{times}, by policy iteration {above}"
        assert near(problem.diameter, times.max()) and near(problem.diameters, times.max(axis=0))
        if closed is not None:
            assert near(closed, problem.diameter), f"the diameter is {problem.diameter}, not {closed}"
    for P, digits in ((own.river_swim(6), 16.11), (own.four_rooms(), 13.93)):
        assert round(float(continuing(world, P, 0, "case").diameter), 2) == digits


def ring() -> np.ndarray:
    """Section 18: three states; an action leads on, the other one back, each with probability 1/4."""
    P = np.zeros((3, 2, 3))
    for s in range(3):
        P[s, :, s] = 0.75
        P[s, 0, (s + 1) % 3] = P[s, 1, (s - 1) % 3] = 0.25
    return P
