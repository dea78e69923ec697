"""What the checks of the baselines know by themselves: replays of every learner from its raw transitions, in plain NumPy.

Nothing here calls the package's planners, radii or constants; a run is judged by these formulas, written out again from the
theorems.  Stages count from 0: ``C[h]`` caps the value from stage h on, ``C[H] = 0``, so that the specs' C_{h+1} of stage h is
``C[h + 1]`` and their C_1, C_2 are ``C[0]``, ``C[1]``.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from hypothesis import Phase, settings

World = Callable[[str], Any]
FIRST_SEED = 0  # the session's seed under --regret-vary-seed


def drawn(examples: int) -> settings:
    """Hypothesis with the same draws every time, no shrinking."""
    return settings(derandomize=True, database=None, deadline=None, max_examples=examples, phases=(Phase.explicit, Phase.generate))


# --- exact solutions of an instance


@dataclasses.dataclass(frozen=True)
class Tables:
    """P (H, S, A, S), r (H, S, A), the start, and what follows from them."""

    P: np.ndarray
    r: np.ndarray
    start: int

    @staticmethod
    def of(problem: Any) -> Tables:
        return Tables(np.array(problem.stage_transition), np.array(problem.stage_reward), int(problem.start))

    @property
    def shape(self) -> tuple[int, int, int]:
        H, S, A = self.r.shape
        return H, S, A

    @property
    def C(self) -> np.ndarray:
        return np.append(np.cumsum(self.r.max(axis=(1, 2))[::-1])[::-1], 0.0)

    @property
    def support(self) -> int:
        return int((self.P > 0).sum(axis=-1).max())

    def solve(self, worst: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """V (H + 1, S) and the policy (H, S) of the best (or worst) actions, ties to the lowest index."""
        return plan(self.P, self.r, worst)

    def values(self, policy: np.ndarray) -> np.ndarray:
        H, S, _ = self.shape
        V, rows = np.zeros((H + 1, S)), np.arange(S)
        for h in range(H - 1, -1, -1):
            V[h] = self.r[h, rows, policy[h]] + self.P[h, rows, policy[h]] @ V[h + 1]
        return V

    def expected(self, policy: np.ndarray, x: np.ndarray) -> float:
        """E of the sum of x (H, S, A) along the policy from the start: forwards, by occupancies."""
        H, S, _ = self.shape
        d, rows, total = np.eye(S)[self.start], np.arange(S), 0.0
        for h in range(H):
            total += float(d @ x[h, rows, policy[h]])
            d = d @ self.P[h, rows, policy[h]]
        return total


def plan(P: np.ndarray, r: np.ndarray, worst: bool = False) -> tuple[np.ndarray, np.ndarray]:
    H, S, _ = r.shape
    V, policy = np.zeros((H + 1, S)), np.zeros((H, S), dtype=np.int64)
    for h in range(H - 1, -1, -1):
        Q = r[h] + in_order(P[h], V[h + 1])
        policy[h] = Q.argmin(axis=1) if worst else Q.argmax(axis=1)
        V[h] = Q.min(axis=1) if worst else Q.max(axis=1)
    return V, policy


def in_order(P: np.ndarray, V: np.ndarray) -> np.ndarray:
    """P V summed from the first next state to the last, so that equal rows have equal values and ties are the learner's."""
    total = P[..., 0] * V[0]
    for y in range(1, len(V)):
        total = total + P[..., y] * V[y]
    return total


# --- the phi lemma, the parameter y on the grid of the library


GRID = np.geomspace(1e-8, 50, 20_001)


def phi(y: Any, total: Any, largest: float, iota: float) -> Any:
    """phi_y(D, B), zero at B = 0."""
    total = np.asarray(total, dtype=float)
    return np.zeros_like(total) if largest == 0 else (y * total + largest * iota) / (1 - np.exp(-np.asarray(y)))


def best_y(total: float, largest: float, iota: float) -> float:
    return 1.0 if largest == 0 else float(GRID[np.argmin((GRID * total + largest * iota) / -np.expm1(-GRID))])


# --- UCBVI (3.1, 4.1)


@dataclasses.dataclass(frozen=True)
class UCBVIConstants:
    """Every number of 3.1 and 4.1 that is fixed before the run."""

    H: int
    S: int
    A: int
    K: int
    delta: float
    variant: str
    stage: bool
    C: np.ndarray
    support: int

    @staticmethod
    def of(algorithm: Any, problem: Any, K: int) -> UCBVIConstants:
        tables = Tables.of(problem)
        return UCBVIConstants(*tables.shape, K, algorithm.delta, algorithm.variant, algorithm.counts == "stage", tables.C, tables.support)

    @property
    def paper(self) -> bool:
        return self.variant.endswith("-paper")

    @property
    def bernstein(self) -> bool:
        return self.variant.startswith("bernstein")

    @property
    def caps(self) -> np.ndarray:
        """The cap of Q-bar minus r (what an unvisited pair is promised after this stage), per stage; the paper's is H in all."""
        return np.full(self.H, float(self.H)) if self.paper else self.C[1:]

    @property
    def x(self) -> float:
        H, S, A, K = self.H, self.S, self.A, self.K
        if self.variant in ("hoeffding", "hoeffding-paper"):
            inside = 4 * S * A * max(H - 1, 1) * K if self.stage else 2 * S * A * H * K * H
        else:
            inside = 2 * S * A * max(H - 1, 1) * (3 + 2 * S) * K if self.stage else 2 * S * A * (3 * (H - 1) + 2 * S) * K * H
        return math.log(inside / self.delta)

    @property
    def L(self) -> float:
        """The paper's logarithm."""
        return math.log(5 * self.S * self.A * self.K * self.H / self.delta)

    @property
    def iota(self) -> float:
        return math.log(2 / self.delta)

    @property
    def largest(self) -> float:
        """B of the phi lemma."""
        if self.bernstein:
            return self.H - 1
        return float(self.H**2) if self.paper else float(self.C[1 : self.H].sum())

    @property
    def a(self) -> float:
        return math.sqrt(self.x / 2) + math.sqrt((self.S * math.log(2) + self.x) / 2)

    @property
    def a1(self) -> float:
        return 2.6 + math.sqrt(2 * self.support)

    @property
    def a2(self) -> float:
        return max(6.8, 2.6 * math.sqrt(self.support / 2)) + self.support / 3

    def bonus(self, h: int, n: np.ndarray, P_hat: np.ndarray, V: np.ndarray, arrivals: np.ndarray) -> np.ndarray:
        """b (S, A) of stage h at counts n (S, A), the empirical model (S, A, S), the next V-bar (S,) and earlier arrivals (S,) in stage h + 1."""
        H, S, A, x, L, n = self.H, self.S, self.A, self.x, self.L, np.maximum(n, 1)
        variance = np.maximum((P_hat * (V - (P_hat @ V)[..., None]) ** 2).sum(axis=-1), 0)
        if self.variant == "hoeffding":
            return self.C[h + 1] * np.sqrt(x / (2 * n))
        if self.variant == "bernstein":
            return np.maximum(2.6 * np.sqrt(variance * x / n), 6.8 * self.C[h + 1] * x / n)
        if self.variant == "hoeffding-paper":
            return 7 * H * L * np.sqrt(1 / n)
        third = np.where(arrivals > 0, np.minimum(100**2 * H**3 * S**2 * A * L**2 / np.maximum(arrivals, 1), H**2), H**2)
        return np.sqrt(8 * L * variance / n) + 14 * H * L / (3 * n) + np.sqrt(8 / n * (P_hat @ third))

    def X(self, n: np.ndarray, variance: np.ndarray) -> np.ndarray:
        """X (H, S, A): zero where the theorem does not sum (h = H - 1, unless the paper's)."""
        n = np.maximum(n, 1)
        C = self.C[1:, None, None]
        if self.variant == "hoeffding-paper":
            last = np.arange(self.H)[:, None, None] == self.H - 1
            deviation = np.where(last, 0.0, self.H * math.sqrt((self.S * math.log(2) + self.x) / 2))
            return np.minimum(self.H, (7 * self.H * self.L + deviation) / np.sqrt(n))
        if self.bernstein:
            return np.minimum(C, self.a1 * np.sqrt(variance * self.x / n) + self.a2 * C * self.x / n)
        return np.minimum(C, self.a * C / np.sqrt(n))

    def D(self, k: Any) -> Any:
        """The pigeonhole's bound of the realised X after k episodes (the Hoeffding forms)."""
        H, cells, k = self.H, self.S * self.A, np.asarray(k, dtype=float)
        if self.variant == "hoeffding-paper":
            return (7 * H * self.L + H * math.sqrt((self.S * math.log(2) + self.x) / 2)) * (2 * np.sqrt(cells * k * H) + cells * H)
        if self.stage:
            return 2 * self.a * float(self.C[1:H].sum()) * np.sqrt(cells * k)
        return self.a * self.C[1] * (2 * np.sqrt(cells * k * (H - 1)) + cells * H)

    def harmonic(self, k: Any) -> Any:
        """Lambda_k, the pigeonhole's bound of the realised 1/n (the Bernstein form)."""
        H, cells, k = self.H, self.S * self.A, np.asarray(k, dtype=float)
        if self.stage:
            return cells * (H - 1) * (2 + np.log(np.maximum(k / cells, 1)))
        return cells * (2 + H + np.log(np.maximum(k * (H - 1) / cells, 1)))

    @property
    def y(self) -> float:
        return best_y(float(self.harmonic(self.K) if self.bernstein else self.D(self.K)), self.largest, self.iota)

    def phi(self, total: Any) -> Any:
        return phi(self.y, total, self.largest, self.iota)

    def bound(self, k: Any) -> Any:
        """U-H, or U-B, with y and the logarithms at K."""
        k = np.asarray(k, dtype=float)
        if not self.bernstein:
            return self.phi(self.D(k))
        N, C1, C2 = self.phi(self.harmonic(k)), self.C[0], self.C[1]
        beta, c0 = self.a1 * np.sqrt(self.x * N), self.a2 * self.x * C2 * N
        p, q = 2 * c0 + 2 * C1 * beta**2, c0**2 - 2 * beta**2 * C1**2 * k
        return (p + np.sqrt(p**2 - 4 * q)) / 2


@dataclasses.dataclass(frozen=True)
class UCBVIPlan:
    """One episode's plan as the spec makes it from the counts before the episode; counts spread over stages."""

    n: np.ndarray
    P_hat: np.ndarray
    bonus: np.ndarray
    Q: np.ndarray
    V: np.ndarray
    policy: np.ndarray


class UCBVIReplay:
    """All plans of a run, recomputed from its raw transitions, with the event, the pointwise widths and the lines of 4.1."""

    def __init__(self, algorithm: Any, problem: Any, run: Any) -> None:
        self.c = UCBVIConstants.of(algorithm, problem, run.n)
        self.tables = Tables.of(problem)
        self.monotone = self.c.paper if algorithm.monotone is None else algorithm.monotone
        self.history = np.stack([run.state[f"raw_{name}"] for name in ("states", "actions", "next")], axis=-1)

    def plans(self) -> Iterator[UCBVIPlan]:
        """The plans of all episodes, and the one that would follow."""
        c, r = self.c, self.tables.r
        visits, arrivals = np.zeros((c.H, c.S, c.A, c.S)), np.zeros((c.H + 1, c.S))
        previous = None
        for episode in [*self.history, None]:
            counts = visits if c.stage else np.broadcast_to(visits.sum(axis=0), visits.shape)
            n = counts.sum(axis=-1)
            P_hat = counts / np.maximum(n, 1)[..., None]
            found = self._plan(n, P_hat, arrivals, previous, r)
            yield found
            previous = found.Q
            if episode is not None:
                for h, (s, a, s_next) in enumerate(episode):
                    visits[h, s, a, s_next] += 1
                    arrivals[h, s] += 1
                arrivals[c.H, episode[-1, 2]] += 1

    def _plan(self, n: np.ndarray, P_hat: np.ndarray, arrivals: np.ndarray, previous: np.ndarray | None, r: np.ndarray) -> UCBVIPlan:
        c = self.c
        V, Q, bonus, policy = np.zeros((c.H + 1, c.S)), np.zeros((c.H, c.S, c.A)), np.zeros((c.H, c.S, c.A)), np.zeros((c.H, c.S), dtype=np.int64)
        for h in range(c.H - 1, -1, -1):
            bonus[h] = c.bonus(h, n[h], P_hat[h], V[h + 1], arrivals[h + 1])
            formula = in_order(P_hat[h], V[h + 1]) + bonus[h]
            if c.paper:
                Q[h] = np.where(n[h] > 0, np.minimum(r[h] + formula, c.H), c.H)
            elif h == c.H - 1:
                Q[h] = r[h]
            else:
                Q[h] = r[h] + np.where(n[h] > 0, np.minimum(formula, c.C[h + 1]), c.C[h + 1])
            if self.monotone and previous is not None:
                Q[h] = np.minimum(Q[h], previous[h])
            policy[h], V[h] = Q[h].argmax(axis=1), Q[h].max(axis=1)
        return UCBVIPlan(n.copy(), P_hat, bonus, Q, V, policy)

    def event(self, found: UCBVIPlan, V_star: np.ndarray) -> bool:
        """Whether the good event holds at the counts of one plan."""
        c = self.c
        seen = found.n[: c.H - 1] > 0
        if not seen.any():
            return True
        n, C = found.n[: c.H - 1][seen], np.broadcast_to(c.C[1 : c.H, None, None], seen.shape)[seen]
        P, P_hat = self.tables.P[: c.H - 1][seen], found.P_hat[: c.H - 1][seen]
        V = np.broadcast_to(V_star[1 : c.H, None, None, :], (*seen.shape, c.S))[seen]
        shift = ((P - P_hat) * V).sum(axis=-1)
        if c.bernstein:
            variance = (P_hat * (V - (P_hat * V).sum(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
            first = np.abs(shift) <= np.sqrt(2 * variance * c.x / n) + 3 * C * c.x / n
            return bool(first.all() and (np.abs(P_hat - P) <= np.sqrt(2 * P * c.x / n[:, None]) + c.x / (3 * n[:, None])).all())
        second = np.abs(P_hat - P).sum(axis=-1) <= np.sqrt(2 * (c.S * math.log(2) + c.x) / n)
        return bool((shift <= C * np.sqrt(c.x / (2 * n))).all() and second.all())

    def judge(self) -> UCBVIJudgement:
        """Go through all episodes once."""
        c, tables = self.c, self.tables
        V_star, _ = tables.solve()
        stages = np.arange(c.H)
        summed = np.ones((c.H, 1, 1)) if c.paper else (stages < c.H - 1)[:, None, None] * 1.0
        rows, held, gap, optimism, over = [], True, -math.inf, -math.inf, -math.inf
        top = np.full(c.H, c.H) if c.paper else c.C[: c.H]
        for found, episode in zip(self.plans(), self.history, strict=False):
            held &= self.event(found, V_star)
            next_V = found.V[1:, None, None, :]
            mean = (tables.P * next_V).sum(axis=-1)
            variance = (tables.P * (next_V - mean[..., None]) ** 2).sum(axis=-1)
            shift = ((found.P_hat - tables.P) * next_V).sum(axis=-1)
            caps = c.caps[:, None, None]
            xi = summed * np.where(found.n > 0, np.minimum(caps, found.bonus + np.maximum(shift, 0)), caps)
            X, over_n = summed * c.X(found.n, variance), summed / np.maximum(found.n, 1)
            along = (stages, episode[:, 0], episode[:, 1])
            value = tables.values(found.policy)[0, tables.start]
            gap, optimism = max(gap, float((xi - X).max())), max(optimism, float((V_star[:-1] - found.V[:-1]).max()))
            over = max(over, float((found.V[:-1] - top[:, None]).max()))
            row = [V_star[0, tables.start] - value, found.V[0, tables.start] - value]
            row += [tables.expected(found.policy, width) for width in (xi, X, summed * variance, over_n)]
            rows.append([*row, float(X[along].sum()), float(over_n[along].sum())])
        sums = np.cumsum(rows, axis=0)
        k = np.arange(1, len(rows) + 1)
        lines = {f"L{i}": sums[:, i] for i in range(4)}
        Y, N, X, over_n = sums[:, 4:].T
        if c.bernstein:
            factor, linear = c.a1 * math.sqrt(c.x), c.a2 * c.x * c.C[1]

            def cauchy(Y: Any, N: Any) -> Any:
                return factor * np.sqrt(Y * N) + linear * N

            bounded = 2 * c.C[0] ** 2 * k + 2 * c.C[0] * lines["L3"]
            totals = (N, c.phi(over_n), c.phi(c.harmonic(k)))
            lines |= {"L4": cauchy(Y, N)} | {f"L{5 + i}": cauchy(bounded, total) for i, total in enumerate(totals)}
            lines["L8"], supermartingale = c.bound(k), totals[1] - N
        else:
            lines |= {"L4": c.phi(X), "L5": c.bound(k)}
            supermartingale = lines["L4"] - lines["L3"]
        return UCBVIJudgement(lines, held, bool((supermartingale >= -1e-9 * (1 + k)).all()), gap, optimism, over)


@dataclasses.dataclass(frozen=True)
class UCBVIJudgement:
    """Lines (K,), events, and the largest xi - X, V* - V-bar and V-bar - cap at any (h, s, a) and plan."""

    lines: dict[str, np.ndarray]
    E: bool
    F: bool
    gap: float
    optimism: float
    over: float


# --- optimistic Q-learning (3.2, 4.2)


def rate(H: int, t: Any) -> Any:
    """alpha_t."""
    return (H + 1) / (H + t)


def weights(alphas: np.ndarray) -> np.ndarray:
    """alpha_t^i (T, T), lower triangular, from alpha_1, ..., alpha_T."""
    T = len(alphas)
    out = np.zeros((T, T))
    for t in range(T):
        out[t, :t] = out[t - 1, :t] * (1 - alphas[t]) if t else 0
        out[t, t] = alphas[t]
    return out


@dataclasses.dataclass(frozen=True)
class QConstants:
    """Every number of 3.2 and 4.2 that is fixed before the run."""

    H: int
    S: int
    A: int
    K: int
    delta: float
    variant: str
    c: float
    bonus_scale: float
    C: np.ndarray

    @staticmethod
    def of(algorithm: Any, problem: Any, K: int) -> QConstants:
        tables = Tables.of(problem)
        return QConstants(*tables.shape, K, algorithm.delta, algorithm.variant, algorithm.c, algorithm.bonus_scale, tables.C)

    @property
    def paper(self) -> bool:
        return self.variant == "hoeffding-paper"

    @property
    def caps(self) -> np.ndarray:
        return np.append(np.full(self.H, float(self.H)), 0.0) if self.paper else self.C

    @property
    def c_H(self) -> float:
        return (self.H + 1) ** 2 / (2 * self.H + 1)

    @property
    def x(self) -> float:
        return math.log(4 * self.S * self.A * max(self.H - 1, 1) * self.K / self.delta)

    @property
    def iota(self) -> float:
        return math.log(self.S * self.A * self.K * self.H / self.delta)

    def error(self, h: Any, t: Any) -> Any:
        """e_t at stage h."""
        return self.C[np.asarray(h) + 1] * np.sqrt(self.c_H * self.x / (2 * t))

    def bonus(self, h: Any, t: Any) -> Any:
        return self.bonus_scale * (self.c * np.sqrt(self.H**3 * self.iota / t) if self.paper else self.error(h, t))

    @property
    def rho(self) -> np.ndarray:
        return (1 + 1 / self.H) ** np.arange(self.H)

    @property
    def W(self) -> float:
        return float((self.rho**2 * self.C[1:] ** 2).sum())

    def azuma(self, k: Any) -> Any:
        """(lambda / 8) k W + (1 / lambda) ln(2 / delta), lambda fixed at K."""
        if self.W == 0:
            return np.zeros_like(np.asarray(k, dtype=float))
        log = math.log(2 / self.delta)
        lam = math.sqrt(8 * log / (self.K * self.W))
        return lam / 8 * np.asarray(k) * self.W + log / lam

    def bound(self, k: Any) -> Any:
        k, cells = np.asarray(k, dtype=float), self.S * self.A
        root = np.sqrt(cells * k)
        total = self.azuma(k)
        for h in range(self.H):
            error = self.C[h + 1] * math.sqrt(self.c_H * self.x / 2)
            slope = 4 * self.c * math.sqrt(self.H**3 * self.iota) + 2 * error if self.paper else 6 * error
            total = total + self.rho[h] * (cells * self.caps[h] + slope * root)
        return total


@dataclasses.dataclass(frozen=True)
class QJudgement:
    """Final tables, lines (K,), events, and the worst optimism over all tables of all episodes."""

    Q: np.ndarray
    V: np.ndarray
    lines: dict[str, np.ndarray]
    E: bool
    F: bool
    optimism: float
    policies: np.ndarray


def judge_q_learning(algorithm: Any, problem: Any, run: Any) -> QJudgement:
    """The run of spec 3.2 replayed step by step, with the nu of 4.2 by the same recursion."""
    c, tables = QConstants.of(algorithm, problem, run.n), Tables.of(problem)
    H, S, A = tables.shape
    V_star, _ = tables.solve()
    Q_star = tables.r + (tables.P @ V_star[1:, None, :, None])[..., 0]
    Q, V = np.repeat(c.caps[:H], S * A).reshape(H, S, A), np.repeat(c.caps[:, None], S, axis=1)
    t, nu = np.zeros((H, S, A), dtype=np.int64), np.zeros((H, S, A))
    raw = np.stack([run.state[f"raw_{name}"] for name in ("states", "actions", "next")], axis=-1)
    rows, policies, held, optimism = [], [], True, max(0.0, float((Q_star - Q).max()))
    for episode in raw:
        policy = Q.argmax(axis=2)
        policies.append(policy)
        V_pi = tables.values(policy)
        row = [V_star[0, tables.start] - V_pi[0, tables.start], V[0, tables.start] - V_pi[0, tables.start], 0.0, 0.0, 0.0]
        for h, (s, a, s_next) in enumerate(episode):
            assert a == policy[h, s], "the action is greedy in the tables before the episode"
            seen, gap = t[h, s, a], V_star[h + 1] - V_pi[h + 1]
            zeta = tables.P[h, s, a] @ gap - gap[s_next]
            width = 2 * c.bonus(h, seen) if seen else 0.0
            row[2] += c.rho[h] * (width + nu[h, s, a] if seen else c.caps[h])
            row[3] += c.rho[h] * (width + c.error(h, seen) if seen else c.caps[h])
            row[4] += c.rho[h] * zeta
            now = seen + 1
            alpha = rate(H, now)
            Q[h, s, a] = (1 - alpha) * Q[h, s, a] + alpha * (tables.r[h, s, a] + V[h + 1, s_next] + c.bonus(h, now))
            V[h, s] = min(c.caps[h], Q[h, s].max())
            nu[h, s, a] = (1 - alpha) * nu[h, s, a] + alpha * (V_star[h + 1, s_next] - tables.P[h, s, a] @ V_star[h + 1])
            t[h, s, a] = now
            held &= bool(abs(nu[h, s, a]) <= c.error(h, now) + 1e-12)
            optimism = max(optimism, float(Q_star[h, s, a] - Q[h, s, a]), float(V_star[h, s] - V[h, s]))
        rows.append(row)
    L0, L1, with_nu, with_error, Z = np.cumsum(rows, axis=0).T
    k = np.arange(1, len(raw) + 1)
    lines = {"L0": L0, "L1": L1, "L2": with_nu + Z, "L3": with_error + Z, "L4": with_error + c.azuma(k), "L5": c.bound(k)}
    return QJudgement(Q, V, lines, held, bool((c.azuma(k) - Z >= -1e-9 * (1 + k)).all()), optimism, np.array(policies))


# --- PSRL (3.3, 4.3)


@dataclasses.dataclass(frozen=True)
class PSRLConstants:
    """Every number of Theorem P."""

    H: int
    S: int
    A: int
    K: int
    stage: bool
    C: np.ndarray

    @staticmethod
    def of(algorithm: Any, problem: Any, K: int) -> PSRLConstants:
        tables = Tables.of(problem)
        return PSRLConstants(*tables.shape, K, algorithm.counts == "stage", tables.C)

    @property
    def x(self) -> float:
        factor = max(self.H - 1, 1) if self.stage else self.H
        return math.log(self.S * self.A * factor * self.K**2)

    @property
    def radius(self) -> float:
        """The L1 radius times sqrt(n)."""
        return math.sqrt(2 * (self.S * math.log(2) + self.x))

    @property
    def largest(self) -> float:
        return float(self.C[1 : self.H].sum())

    def bound(self, k: Any) -> Any:
        k, cells = np.asarray(k, dtype=float), self.S * self.A
        if self.stage:
            return 2 * self.C[0] + 2 * self.radius * np.sqrt(cells * k) * self.largest
        return 2 * self.C[0] + self.C[1] * self.radius * (2 * np.sqrt(cells * k * (self.H - 1)) + cells * self.H)


@dataclasses.dataclass(frozen=True)
class PSRLJudgement:
    """Lines (K,) and L1 by the simulation identity."""

    lines: dict[str, np.ndarray]
    simulation: np.ndarray


def judge_psrl(algorithm: Any, problem: Any, run: Any) -> PSRLJudgement:
    """The lines of 4.3 from the drawn models and the raw transitions of a run."""
    c, tables = PSRLConstants.of(algorithm, problem, run.n), Tables.of(problem)
    H, S, A = tables.shape
    V_star, _ = tables.solve()
    raw = np.stack([run.state[f"raw_{name}"] for name in ("states", "actions", "next")], axis=-1)
    visits, stages, caps = np.zeros((H, S, A, S)), np.arange(H), c.C[1:, None, None]
    summed = (stages < H - 1)[:, None, None]
    rows = []
    for model, episode in zip(run.state["raw_models"], raw, strict=True):
        P = np.moveaxis(np.broadcast_to(model, (H, *model.shape[1:])).reshape(H, S, S, A), 1, -1)
        V, policy = plan(P, tables.r)
        V_pi = tables.values(policy)
        assert np.array_equal(policy[stages, episode[:, 0]], episode[:, 1]), "the actions are the best ones of the drawn model"
        counts = visits if c.stage else np.broadcast_to(visits.sum(axis=0), visits.shape)
        n = counts.sum(axis=-1)
        P_hat, radius = counts / np.maximum(n, 1)[..., None], c.radius / np.sqrt(np.maximum(n, 1))
        outside = [np.abs(law - P_hat).sum(axis=-1) > radius for law in (P, tables.P)]
        failed = bool(((outside[0] | outside[1]) & (n > 0) & (summed if c.stage else True)).any())
        width = np.where(summed, caps * np.minimum(1, radius), 0.0)
        distance = np.where(summed, caps * np.abs(P - tables.P).sum(axis=-1) / 2, 0.0)
        shift = ((P - tables.P) * V[1:, None, None, :]).sum(axis=-1)
        row = [V_star[0, tables.start] - V_pi[0, tables.start], V[0, tables.start] - V_pi[0, tables.start], tables.expected(policy, shift)]
        row += [min(c.C[0], tables.expected(policy, distance)), tables.expected(policy, width) + c.C[0] * failed]
        rows.append([*row, float(width[stages, episode[:, 0], episode[:, 1]].sum())])
        for h, (s, a, s_next) in enumerate(episode):
            visits[h, s, a, s_next] += 1
    sums = np.cumsum(rows, axis=0).T
    lines = {"L0": sums[0], "L1": sums[1], "L2": sums[3], "L3": sums[4], "L4": sums[5] + 2 * c.C[0], "L5": c.bound(np.arange(1, len(raw) + 1))}
    return PSRLJudgement(lines, sums[2])
