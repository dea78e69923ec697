"""What the checks of GOSPRL know by themselves, in plain NumPy: confidence sets, optimistic values, exact times, bounds, and a replay of whole runs.

Nothing here calls the package's planners: inner problems are linear programs or sums of quantiles, hitting times come from
policy iteration, and the lines of the proof are added up again from the raw transitions.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

World = Callable[[str], Any]
FIRST_SEED = 0
"""Added to the seeds of all checks; --regret-vary-seed changes it."""

GOLDEN = math.e - 2
ROUND_OFF = 1e-12
L1_RATES = 2.0 ** np.arange(2, -15, -1)
BERNSTEIN_RATES = np.array(list(itertools.product(2.0 ** np.arange(0, -15, -1), 2.0 ** np.arange(-2, -12, -1)))).T


def near(mine: Any, theirs: Any) -> bool:
    """Equal up to 1e-8, relative to the first."""
    return bool(np.all(np.abs(np.asarray(mine) - theirs) <= 1e-8 * (1 + np.abs(mine))))


# ---------------------------------------------------------------- instances (7)


def continuing(world: World, P: np.ndarray, start: int, name: str) -> Any:
    return world("theoryrl.problems.continuing").ContinuingMDP(P, None, start, name=name)


def at_the_end(S: int, A: int, samples: int) -> np.ndarray:
    """All samples wanted at the first action of the last state."""
    b = np.zeros((S, A), np.int64)
    b[S - 1, 0] = samples
    return b


def random_case(world: World, seed: int, S: int, A: int, largest: int) -> tuple[Any, np.ndarray]:
    """Dirichlet rows, some sparse or deterministic, one action of which leads on around a cycle; requirements with many zeros."""
    rng = np.random.default_rng((7, seed))
    P = rng.dirichlet(np.full(S, 0.5), (S, A)) * (rng.random((S, A, S)) < 0.6)
    P[np.arange(S), rng.integers(0, A, S), (np.arange(S) + 1) % S] += 0.3
    P[..., 0] += P.sum(axis=-1) == 0
    P /= P.sum(axis=-1, keepdims=True)
    return continuing(world, P, seed % S, f"random({S}, {A}, {seed})"), rng.integers(0, largest + 1, (S, A)) * (rng.random((S, A)) < 0.7)


def two(q: float) -> np.ndarray:
    return np.array([[[1 - q, q]], [[1.0, 0.0]]])


def river_swim(S: int) -> np.ndarray:
    P = np.zeros((S, 2, S))
    for s in range(S):
        P[s, 0, max(s - 1, 0)] = 1
        up, down = (0.35 if s < S - 1 else 0), (0.4 if s == S - 1 else 0.05 if s else 0)
        P[s, 1, s] = 1 - up - down
        P[s, 1, min(s + 1, S - 1)] += up
        P[s, 1, max(s - 1, 0)] += down
    return P


def lock(n: int) -> np.ndarray:
    P = np.zeros((n, 2, n))
    P[:, 0, 0] = 1
    P[np.arange(n), 1, (np.arange(n) + 1) % n] = 1
    return P


def shortcut(L: int, p: float) -> np.ndarray:
    """State 0: action 0 to a detour of L states, action 1 to g (the last state) with probability p, else stay; g leads to 0."""
    S = L + 2
    P = np.zeros((S, 2, S))
    P[0, 0, 1] = 1
    P[0, 1, [S - 1, 0]] = p, 1 - p
    P[np.arange(1, S - 1), :, np.arange(2, S)] = 1
    P[S - 1, :, 0] = 1
    return P


def garnet(S: int, A: int, nb: int, seed: int) -> np.ndarray:
    """Rows of nb uniform successors with Dirichlet(1) weights, drawn again until the MDP is communicating."""
    rng = np.random.default_rng(seed)
    while True:
        P = np.zeros((S, A, S))
        for s, a in itertools.product(range(S), range(A)):
            P[s, a, rng.choice(S, nb, replace=False)] = rng.dirichlet(np.ones(nb))
        reach = np.linalg.matrix_power(np.eye(S) + (P.sum(axis=1) > 0), S)
        if (reach > 0).all():
            return P


def four_rooms() -> np.ndarray:
    wall = {(3, x) for x in range(7)} | {(x, 3) for x in range(7)}
    cells = [cell for cell in itertools.product(range(7), range(7)) if cell not in wall - {(3, 1), (3, 5), (1, 3), (5, 3)}]
    place = {cell: i for i, cell in enumerate(cells)}
    P = np.zeros((len(cells), 4, len(cells)))
    for (y, x), i in place.items():
        for a, b in itertools.product(range(4), repeat=2):
            dy, dx = ((-1, 0), (0, 1), (1, 0), (0, -1))[b]
            P[i, a, place.get((y + dy, x + dx), i)] += 0.9 if a == b else 0.1 / 3
    return P


# ---------------------------------------------------------------- confidence sets and inner problems (3.2)


def l1_radius(n: Any, S: int, A: int, delta_m: float) -> np.ndarray:
    """The L1 radius at n >= 1 samples (the one at 1 where there are none)."""
    n = np.maximum(n, 1).astype(float)
    return np.asarray(np.sqrt(2 * (S * math.log(2) + np.log(S * A * n * (n + 1) / delta_m)) / n))


def box(p: np.ndarray, a: Any) -> tuple[np.ndarray, np.ndarray]:
    """The ends of {q: |p - q| <= sqrt(2 q (1 - q) a) + a / 3}, entry by entry, by the quadratic formula; a = iota / n."""
    p, a = np.broadcast_arrays(np.asarray(p, float), np.asarray(a, float))
    below, above = np.maximum(p - a / 3, 0), np.minimum(p + a / 3, 1)
    low = (below + a - np.sqrt(a * (a + 2 * below * (1 - below)))) / (1 + 2 * a)
    high = (above + a + np.sqrt(a * (a + 2 * above * (1 - above)))) / (1 + 2 * a)
    return np.where(below > 0, np.clip(low, 0, p), 0.0), np.where(above < 1, np.clip(high, p, 1), 1.0)


def box_by_bisection(p: np.ndarray, a: Any) -> tuple[np.ndarray, np.ndarray]:
    """The same by bisection: the condition holds on an interval around p."""
    p, a = np.broadcast_arrays(np.asarray(p, float), np.asarray(a, float))

    def far(q: np.ndarray) -> np.ndarray:
        return np.abs(p - q) > np.sqrt(2 * q * (1 - q) * a) + a / 3

    ends = []
    for end in (np.zeros_like(p), np.ones_like(p)):
        inside, outside = p.copy(), end.copy()
        for _ in range(64):
            middle = (inside + outside) / 2
            beyond = far(middle)
            inside, outside = np.where(beyond, inside, middle), np.where(beyond, middle, outside)
        ends.append(np.where(far(end), inside, end))
    return ends[0], ends[1]


def log_term(n: Any, S: int, A: int, delta_m: float) -> np.ndarray:
    """iota at n >= 1 samples."""
    n = np.maximum(n, 1).astype(float)
    return np.asarray(np.log(2 * S**2 * A * n * (n + 1) / delta_m))


def inside(kind: str, counts: np.ndarray, laws: np.ndarray, A: int, delta_m: float) -> np.ndarray:
    """Whether each law (T, S) is in the "l1" or "bernstein" set of the counts (T, S) of a pair, which are positive."""
    n, S = counts.sum(axis=-1), counts.shape[-1]
    distance = np.abs(counts / n[:, None] - laws)
    if kind == "l1":
        return np.asarray(distance.sum(axis=-1) <= l1_radius(n, S, A, delta_m) + ROUND_OFF)
    a = (log_term(n, S, A, delta_m) / n)[:, None]
    return np.asarray((distance <= np.sqrt(2 * laws * (1 - laws) * a) + a / 3 + ROUND_OFF).all(axis=-1))


class Sets:
    """The confidence sets of all pairs at counts N (S, A, S), and smallest expectations in them.

    Counts (X, S) of some pairs of an MDP of `shape` (S, A) will do; then each pair has its own v, (X, S).
    """

    def __init__(self, kind: str, N: np.ndarray, delta_m: float, shape: tuple[int, int] | None = None) -> None:
        self.kind = kind
        self.n = N.sum(axis=-1)
        S, A = shape or self.n.shape
        self.p = N / np.maximum(self.n, 1)[..., None]
        share = delta_m / 2 if kind == "both" else delta_m
        self.radius = l1_radius(self.n, S, A, share)
        self.a = log_term(self.n, S, A, share) / np.maximum(self.n, 1)
        if kind != "l1":
            self.low, self.high = box(self.p, self.a[..., None])

    def least(self, v: np.ndarray) -> np.ndarray:
        """(S, A): the smallest expectation of v in each pair's set (`both`: the larger of the two)."""
        order = np.broadcast_to(np.argsort(v, axis=-1, kind="stable"), self.p.shape)
        v = np.broadcast_to(v, self.p.shape)
        rising = np.take_along_axis(v, order, axis=-1)
        found = np.full(self.n.shape, -math.inf)
        if self.kind in ("l1", "both"):  # mass at the top quantiles of v is moved to the bottom
            p = np.take_along_axis(self.p, order, axis=-1)
            cut = np.minimum(self.radius / 2, 1 - p[..., 0])
            above = np.cumsum(p[..., ::-1], axis=-1)
            moved = np.diff(np.minimum(above, cut[..., None]), axis=-1, prepend=0)
            found = (p * rising).sum(axis=-1) + cut * rising[..., 0] - (moved * rising[..., ::-1]).sum(axis=-1)
        if self.kind in ("bernstein", "both"):  # the lower ends, and the rest where v is least
            room = np.minimum(np.cumsum(np.take_along_axis(self.high - self.low, order, axis=-1), axis=-1), 1 - self.low.sum(axis=-1, keepdims=True))
            found = np.maximum(found, (self.low * v).sum(axis=-1) + (np.diff(room, axis=-1, prepend=0) * rising).sum(axis=-1))
        return np.where(self.n > 0, found, rising[..., 0])

    def entering(self, goal: np.ndarray) -> np.ndarray:
        """(S, A): a probability with which the set lets `goal` be entered in one step (E3)."""
        some = np.full(self.n.shape, math.inf)
        if self.kind in ("l1", "both"):
            some = np.minimum(some, np.minimum(1, self.p[..., goal].sum(axis=-1) + self.radius / 2))
        if self.kind in ("bernstein", "both"):
            high, low = self.high[..., goal].sum(axis=-1), self.low[..., ~goal].sum(axis=-1)
            some = np.minimum(some, np.minimum(high, 1 - low))
        return np.where(self.n > 0, some, 1.0)


def least_by_program(kind: str, p: np.ndarray, ends: Any, v: np.ndarray) -> float:
    """The smallest expectation of v by a linear program; `ends` is the radius ("l1") or (low, high) ("bernstein")."""
    from scipy.optimize import linprog

    S = len(v)
    if kind == "l1":
        rows = np.block([[np.eye(S), -np.eye(S)], [-np.eye(S), -np.eye(S)], [np.zeros((1, S)), np.ones((1, S))]])
        best = linprog(np.append(v, np.zeros(S)), rows, np.concatenate([p, -p, [ends]]), [np.append(np.ones(S), np.zeros(S))], [1], bounds=(0, None))
    else:
        best = linprog(v, A_eq=[np.ones(S)], b_eq=[1], bounds=np.column_stack(ends))
    assert best.status == 0, best.message
    return float(best.fun)


def sweeps(sets: Sets, goal: np.ndarray, eps: float, cap: int = 20_000) -> list[np.ndarray]:
    """The iterates v_0, ..., v_j, v_{j+1} of extended value iteration: the last but one is what it returns."""
    found = [np.zeros(len(goal))]
    while len(found) < 2 or (found[-1] - found[-2]).max() > eps:
        assert len(found) < cap, f"no end after {cap} sweeps"
        found.append(np.where(goal, 0, 1 + sets.least(found[-1]).min(axis=1)))
    return found


# ---------------------------------------------------------------- exact times


def best_times(P: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """The smallest expected hitting times (S,) of the set `goal` in a communicating MDP, by policy iteration."""
    S = len(P)
    out = np.flatnonzero(~goal)
    near, policy = goal.copy(), np.zeros(S, int)
    while not near.all():  # each state plays an action that may lead a step nearer: a proper policy
        closer = (P[:, :, near] > 0).any(axis=2)
        new = closer.any(axis=1) & ~near
        assert new.any(), "not communicating"
        policy[new] = closer[new].argmax(axis=1)
        near = near | new
    v = np.zeros(S)
    while len(out):
        old = v.copy()
        v[out] = np.linalg.solve(np.eye(len(out)) - P[out, policy[out]][:, out], np.ones(len(out)))
        Q = 1 + P @ v
        better = (Q.min(axis=1) < Q[np.arange(S), policy] - 1e-11 * (1 + v)) & ~goal
        if not better.any() or (old.any() and v.sum() >= old.sum() * (1 - 1e-15)):
            break
        policy[better] = Q[better].argmin(axis=1)
    return v


def times_from_below(P: np.ndarray, goal: int, tolerance: float = 1e-12, cap: int = 200_000) -> np.ndarray:
    """A lower bound of the hitting times (S,) of a state: value iteration from zero."""
    v = np.zeros(len(P))
    for _ in range(cap):
        new = 1 + (P @ v).min(axis=1)
        new[goal] = 0
        if (new - v).max() <= tolerance:
            return new
        v = new
    return v


def diameters(P: np.ndarray) -> np.ndarray:
    """D_s (S,)."""
    return np.array([best_times(P, np.arange(len(P)) == g).max() for g in range(len(P))])


def programme(P: np.ndarray, b: np.ndarray, start: int) -> float:
    """The linear program of 4.4: a lower bound of the mean time of every algorithm."""
    from scipy.optimize import linprog

    S, A, _ = P.shape
    flow = np.repeat(np.eye(S), A, axis=1) - P.reshape(S * A, S).T  # departures minus arrivals
    equal = np.vstack([np.hstack([flow, np.eye(S)]), np.append(np.zeros(S * A), np.ones(S))])
    best = linprog(np.append(np.ones(S * A), np.zeros(S)), A_eq=equal, b_eq=np.append(np.eye(S)[start], 1),
                   bounds=[(need, None) for need in b.ravel()] + [(0, None)] * S)  # fmt: skip
    assert best.status == 0, best.message
    return float(best.fun)


def exact_mean_time(P: np.ndarray, b: np.ndarray, start: int, uniform: bool) -> float:
    """The mean time of the uniform policy, or of the sampling rule with known P, by a linear solve for each vector of remaining counts."""
    S, A, _ = P.shape
    known: dict[tuple[int, ...], np.ndarray] = {}

    def times(left: tuple[int, ...]) -> np.ndarray:
        need = np.array(left).reshape(S, A)
        if not need.any():
            return np.zeros(S)
        if left not in known:
            goal = need.any(axis=1)
            v = best_times(P, goal)
            system, right = np.eye(S), np.ones(S)
            for s in range(S):
                if uniform:
                    chances = np.full(A, 1 / A)
                else:
                    chances = np.eye(A)[np.argmax(need[s] > 0) if goal[s] else np.argmin(P[s] @ v)]
                for a in np.flatnonzero(chances):
                    if need[s, a] > 0:
                        after = need.copy()
                        after[s, a] -= 1
                        right[s] += chances[a] * P[s, a] @ times(tuple(after.ravel()))
                    else:
                        system[s] -= chances[a] * P[s, a]
            known[left] = np.linalg.solve(system, right)
        return known[left]

    return float(times(tuple(int(x) for x in b.ravel()))[start])


# ---------------------------------------------------------------- the bound (4.2)


def doublings(t: Any, pairs: int) -> Any:
    """m(t)."""
    t = np.asarray(t, float)
    k = np.minimum(pairs, 2 * t / math.e)
    return np.where(t > 0, k * (1 + np.log2(np.maximum(t, 1e-300) / np.maximum(k, 1e-300))), 0)


def harmonic(t: Any, pairs: int) -> Any:
    """H(t)."""
    t = np.asarray(t, float)
    k = np.minimum(pairs, t * math.exp(-0.5))
    return np.where(t > 0, k * (1 + 2 * np.log(np.maximum(t, 1e-300) / np.maximum(k, 1e-300))), 0)


@dataclasses.dataclass(frozen=True)
class Constants:
    """What is fixed before a run; `set` is "l1" or "bernstein", `both` whether the run uses both sets."""

    set: str
    both: bool
    delta: float
    eps: float
    S: int
    A: int
    D_s: np.ndarray
    b: np.ndarray

    @property
    def B(self) -> int:
        return int(self.b.sum())

    @property
    def D(self) -> float:
        return float(self.D_s.max())

    @property
    def I_0(self) -> float:
        return float(self.D_s @ self.b.sum(axis=1))

    @property
    def iota(self) -> float:
        """iota'."""
        return math.log((6 if self.both else 4) / self.delta)

    @property
    def delta_m(self) -> float:
        """The argument of this set's log terms."""
        return self.delta / (4 if self.both else 2)

    def ell(self, T: Any) -> Any:
        """ell_T or iota_T."""
        T = np.asarray(T, float)
        if self.set == "l1":
            return self.S * math.log(2) + np.log(self.S * self.A * T * (T + 1) / self.delta_m)
        return np.log(2 * self.S**2 * self.A * T * (T + 1) / self.delta_m)

    def variance(self, t: Any, doubled: Any, rate: Any) -> Any:
        """Y bar, with `doubled` for m."""
        return (self.D**2 * self.iota / rate + self.D**2 * (doubled + 1) + 2 * self.D * t) / (1 - 4 * GOLDEN * rate)

    def R(self, t: Any, rates: Any) -> Any:
        """R(T_tr) at the rates kappa (`l1`) or (kappa_1, kappa_2)."""
        t, pairs, D = np.asarray(t, float), self.S * self.A, self.D
        ell, m = self.ell(np.maximum(t + self.B, 1)), doublings(t, pairs)
        if self.set == "l1":
            return self.I_0 + D * m + rates * t / 8 + D**2 * self.iota / rates + 4 * D * np.sqrt(ell * pairs * t)
        first, second = rates
        Y, K = self.variance(t, m, second), self.S * ell * harmonic(t, pairs)
        return self.I_0 + D * m + GOLDEN * first * Y / D + D * self.iota / first + 2 * np.sqrt(2 * K * Y) + 4 * D * K

    @property
    def rates(self) -> np.ndarray:
        return L1_RATES if self.set == "l1" else BERNSTEIN_RATES

    @cached_property
    def solved(self) -> tuple[float, Any]:
        """The bound of T, and the rates that give it."""
        if self.S == 1 or self.B == 0:
            return float(self.B), self.rates[..., 0]
        rates = self.rates
        low, high = np.zeros(rates.shape[-1]), np.ones(rates.shape[-1])
        while True:
            under = ((1 - self.eps) * high <= self.R(high, rates)) & (high < 1e25)
            if not under.any():
                break
            high = np.where(under, 2 * high, high)
        for _ in range(200):
            middle = (low + high) / 2
            under = (1 - self.eps) * middle <= self.R(middle, rates)
            low, high = np.where(under, middle, low), np.where(under, high, middle)
        high = np.where(high >= 1e25, math.inf, high)
        best = int(np.argmin(high))
        return self.B + float(high[best]), rates[..., best]


def parts(algorithm: Any, problem: Any, b: np.ndarray, D_s: np.ndarray | None = None) -> list[Constants]:
    """The constants of each set that the learner uses."""
    kinds = ("l1", "bernstein") if algorithm.confidence == "both" else (algorithm.confidence,)
    D_s = diameters(np.array(problem.transition)) if D_s is None else D_s
    return [Constants(kind, len(kinds) == 2, algorithm.delta, algorithm.precision, *b.shape, D_s, b) for kind in kinds]


def time_bound(algorithm: Any, problem: Any, b: np.ndarray, D_s: np.ndarray | None = None) -> float:
    """`both`: the smaller of the two."""
    return min(c.solved[0] for c in parts(algorithm, problem, b, D_s))


# ---------------------------------------------------------------- a run again (3.1 and 4.3)


def visits(pair: np.ndarray) -> np.ndarray:
    """For each entry of `pair`, how many earlier ones are equal to it."""
    return totals(pair, np.ones((len(pair), 1), np.int64))[:, 0] - 1


def totals(pair: np.ndarray, values: np.ndarray) -> np.ndarray:
    """For each entry of `pair`, the sum of the rows of `values` (T, X) at it and at the earlier entries equal to it."""
    order = np.argsort(pair, kind="stable")
    running = np.cumsum(values[order], axis=0)
    first = np.searchsorted(pair[order], pair[order], side="left")
    found = np.empty_like(running)
    found[order] = running - np.where(first[:, None] > 0, running[first - 1], 0)
    return found


@dataclasses.dataclass(frozen=True)
class Plan:
    """A plan as recorded, and what the raw transitions before it say."""

    step: int  # the 0-based step at which it was made
    v: np.ndarray
    policy: np.ndarray
    mask: np.ndarray  # recorded
    goal: np.ndarray  # the unmet states at that step
    N: np.ndarray


class Replay:
    """A run with raw traces, for a fixed requirement b (S, A); arrays over steps have length T, those over travel steps are marked."""

    def __init__(self, algorithm: Any, problem: Any, b: np.ndarray, run: Any) -> None:
        self.P, self.b, self.algorithm = np.array(problem.transition), np.array(b), algorithm
        self.S, self.A = b.shape
        raw, T = run.state, int(run.steps)
        self.T, self.stopped = T, bool(run.stopped)
        self.s, self.a, self.next, self.plan = (np.asarray(raw[f"raw_{name}"], np.int64)[:T] for name in ("states", "actions", "next", "plan"))
        self.travel = self.plan >= 0
        if T:
            assert self.s[0] == problem.start and (self.s[1:] == self.next[:-1]).all() and (self.P[self.s, self.a, self.next] > 0).all(), "no trajectory"
        self.D_s = diameters(self.P)
        self._count(raw)

    def _count(self, raw: Any) -> None:
        """Counts and goal sets before every step, from the transitions alone."""
        T, S, A = self.T, self.S, self.A
        pair, steps = self.s * A + self.a, np.arange(T + 1)
        self.n_before = visits(pair)  # of the pair played
        met = np.where(self.b > 0, T + 1, 0)  # from which step on; T + 1: not in this run
        last = self.n_before + 1 == self.b.ravel()[pair]
        met.reshape(-1)[pair[last]] = np.flatnonzero(last) + 1
        self.met, self.met_at = met, int(met.max())
        self.goal = steps[:, None] < met.max(axis=1)
        open_ = steps[:-1, None] < met[self.s]
        self.lowest = np.where(open_.any(axis=1), open_.argmax(axis=1), -1)  # the lowest unmet action of the state
        self.rows = totals(pair, np.eye(S, dtype=np.int64)[self.next])  # counts of the pair played, this step included
        self.n = np.bincount(pair, minlength=S * A).reshape(S, A)
        made = np.unique(self.plan[self.travel])
        assert made.tolist() == list(range(len(made))), f"plans {made} were used"
        self.new_plan, self.plans = np.zeros(T, bool), []
        N, done = np.zeros((S, A, S), np.int64), 0
        for k in made:
            t = int(np.argmax(self.plan == k))
            np.add.at(N, (self.s[done:t], self.a[done:t], self.next[done:t]), 1)
            done, self.new_plan[t] = t, True
            recorded = (np.array(raw[f"raw_{name}"][k]) for name in ("values", "policy", "goal"))
            self.plans.append(Plan(t, *recorded, self.goal[t].copy(), N.copy()))

    @cached_property
    def due(self) -> np.ndarray:
        """(T,): whether the rule of 3.1 asks for a plan at this step, given the plans that were made."""
        due = np.zeros(self.T, bool)
        n_k, visits, stale, doubled, mask = np.zeros(0), np.zeros((self.S, self.A), np.int64), False, False, None
        for t in range(self.T):
            stale |= mask is not None and not np.array_equal(mask, self.goal[t])
            if not self.goal[t][self.s[t]]:
                begins = t == 0 or bool(self.goal[t - 1][self.s[t - 1]])
                due[t] = mask is None or stale or doubled or (begins and self.algorithm.replan == "always")
                if self.new_plan[t]:
                    n_k, visits, stale, doubled, mask = self.plans[self.plan[t]].N.sum(axis=-1), np.zeros_like(visits), False, False, self.goal[t]
                visits[self.s[t], self.a[t]] += 1
                doubled |= bool(mask is not None and visits[self.s[t], self.a[t]] >= max(1, n_k[self.s[t], self.a[t]]))
        return due

    @cached_property
    def values(self) -> np.ndarray:
        """(plans, S)."""
        return np.array([plan.v for plan in self.plans]).reshape(-1, self.S)

    def least(self) -> np.ndarray:
        """m of each travel step: the smallest expectation of its plan's values in the learner's set of the pair."""
        at = np.flatnonzero(self.travel)
        if not len(at):
            return np.zeros(0)
        played, where = np.unique(self.plan[at] * self.S * self.A + self.s[at] * self.A + self.a[at], return_inverse=True)
        k, pair = np.divmod(played, self.S * self.A)
        counts = np.array([self.plans[i].N.reshape(-1, self.S)[z] for i, z in zip(k, pair, strict=True)])
        return np.asarray(Sets(self.algorithm.confidence, counts, self.algorithm.delta / 2, (self.S, self.A)).least(self.values[k])[where])

    @cached_property
    def steps(self) -> dict[str, np.ndarray]:
        """For each travel step: v(s), v(s'), m, Pv, Var_P(v), max(1, n_k), n_t, tau (the visit's number), whether v <= D; where the step is."""
        at = np.flatnonzero(self.travel)
        k, s, a, after = self.plan[at], self.s[at], self.a[at], self.next[at]
        values = self.values
        counts = np.array([plan.N.sum(axis=-1) for plan in self.plans]).reshape(-1, self.S, self.A)
        v = values[k]
        law = self.P[s, a]
        mean = (law * v).sum(axis=-1)
        return {
            "at": at, "v": v[np.arange(len(at)), s], "next": v[np.arange(len(at)), after], "m": self.least(), "mean": mean,
            "variance": (law * (v - mean[:, None]) ** 2).sum(axis=-1), "square": (law * v**2).sum(axis=-1), "n_k": np.maximum(1, counts[k, s, a]),
            "raw_n_k": counts[k, s, a], "n": self.n_before[at], "tau": 1 + visits(s * self.A + a),
            "bounded": v.max(axis=1, initial=0) <= self.D_s.max() * (1 + 1e-9),
        }  # fmt: skip

    @cached_property
    def sums(self) -> dict[str, np.ndarray]:
        """Running numbers after every step: travel steps, mid-episode plans, S_D, plan pieces' start values, sum over pairs of tau-forms."""
        T, x = self.T, self.steps
        begins = self.travel & ~np.concatenate([[False], self.travel[:-1]])
        ends = self.travel & self.goal[np.arange(1, T + 1), self.next]
        piece = begins | (self.travel & self.new_plan)
        values = np.zeros(T)
        values[x["at"]] = x["v"]
        owed = np.where(self.goal[1:], self.D_s, math.inf).min(axis=1, initial=math.inf)
        paid = np.cumsum(np.where(ends, self.D_s[self.next], 0)) + np.where(self.travel & ~ends, owed, 0)
        return {
            "travel": np.cumsum(self.travel), "episodes": np.cumsum(begins), "mid": np.cumsum(self.travel & self.new_plan & ~begins), "S_D": paid,
            "pieces": np.cumsum(np.where(piece, values, 0)),
        }  # fmt: skip

    def spread(self, of_travel: np.ndarray) -> np.ndarray:
        """Running sum, after every step, of a number of each travel step."""
        found = np.zeros(self.T)
        found[self.steps["at"]] = of_travel
        return np.cumsum(found)

    def tau_form(self, form: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """The sum over pairs of `form` of their travel visits so far (nothing for none), after every step."""
        tau = self.steps["tau"]
        return self.spread(form(tau) - np.where(tau > 1, form(np.maximum(tau - 1, 1)), 0))

    @cached_property
    def doublings(self) -> np.ndarray:
        """How often a pair's travel visits in a phase reached max(1, n_k), after every step."""
        x = self.steps
        phase = self.plan[x["at"]] * self.S * self.A + self.s[x["at"]] * self.A + self.a[x["at"]]
        return self.spread((visits(phase) + 1 == x["n_k"]).astype(float))

    def widths(self, c: Constants) -> np.ndarray:
        """w_t of each travel step."""
        x = self.steps
        if c.set == "l1":
            return np.asarray(c.D * l1_radius(x["n_k"], c.S, c.A, c.delta_m))
        a = log_term(x["n_k"], c.S, c.A, c.delta_m) / x["n_k"]
        return np.asarray(2 * math.sqrt(2) * np.sqrt(c.S * a * x["variance"]) + 4 * a * c.S * c.D)

    def martingales(self, c: Constants) -> tuple[bool, ...]:
        """Whether the inequalities of A8 hold after every step."""
        x, rates = self.steps, c.solved[1]
        Y, t = self.spread(x["variance"] * x["bounded"]), self.sums["travel"]
        M = self.spread((x["next"] - x["mean"]) * x["bounded"])
        if c.set == "l1":
            limits = [(M, rates * t / 8 + c.D**2 * c.iota / rates)]
        else:
            first, second = rates
            limits = [(M, GOLDEN * first * Y / c.D + c.D * c.iota / first)]
            limits.append((self.spread((x["square"] - x["next"] ** 2) * x["bounded"]), 4 * GOLDEN * second * Y + c.D**2 * c.iota / second))
        return tuple(bool((total <= limit + 1e-9 * (1 + limit)).all()) for total, limit in limits)

    def lines(self, c: Constants) -> dict[str, np.ndarray]:
        """L0 to L9 of one set after every step; ell_T and iota_T are those of T_tr + B."""
        x, r, rates = self.steps, self.sums, c.solved[1]
        t = r["travel"]
        M, Q, w = self.spread(x["next"] - x["mean"]), self.spread(x["mean"] - x["m"]), self.spread(self.widths(c))
        Y = self.spread(x["variance"])
        base = r["S_D"] + c.D * r["mid"]
        ell = c.ell(np.maximum(t + c.B, 1))
        reciprocal, roots = self.spread(1 / x["n_k"]), self.spread(1 / np.sqrt(x["n_k"]))
        found = {
            "L0": (1 - c.eps) * t,
            "L1": self.spread(x["v"] - x["m"]),
            "L2": self.spread(x["v"] - x["next"]) + M + Q,
            "L3": r["pieces"] + M + Q,
            "L4": base + M + Q,
            "L5": base + M + w,
        }
        if c.set == "l1":
            azuma = rates * t / 8 + c.D**2 * c.iota / rates
            found |= {"L6": base + azuma + w, "L7": base + azuma + c.D * np.sqrt(2 * ell) * roots}
        else:
            first, second = rates

            def last(Y: np.ndarray) -> np.ndarray:
                width = 2 * np.sqrt(2 * c.S * ell * Y * reciprocal) + 4 * c.S * c.D * ell * reciprocal
                return np.asarray(GOLDEN * first * Y / c.D + c.D * c.iota / first + width)

            bar = c.variance(t, r["mid"], second)
            found |= {"L6": base + GOLDEN * first * Y / c.D + c.D * c.iota / first + w, "L7": base + last(Y), "L8": base + last(bar)}
        found["L9"] = c.R(t, rates)
        return found

    @cached_property
    def held(self) -> bool:
        """A1: the truth is in each of the learner's sets at all counts that the run passed."""
        kinds = ("l1", "bernstein") if self.algorithm.confidence == "both" else (self.algorithm.confidence,)
        share = self.algorithm.delta / 2 / len(kinds)
        laws = self.P[self.s, self.a]
        return all(bool(inside(kind, self.rows, laws, self.A, share).all()) for kind in kinds)
