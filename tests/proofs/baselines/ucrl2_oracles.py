"""What the checks of UCRL2 know by themselves: a replay of a run from its raw transitions, in plain NumPy, by formulas written out again.

Gains and diameters come from value iteration and from enumerated policies of small models, never from the package's planners.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from functools import cached_property
from typing import Any

import numpy as np

GROWTH = 1 + math.sqrt(2)


def gain(P: np.ndarray, r: np.ndarray) -> float:
    """The optimal gain of a communicating MDP: value iteration in the lazy model, which has the same gains, then a solve for its greedy policy."""
    S, u = len(P), np.zeros(len(P))
    while True:
        Q = r + 0.5 * (P @ u) + 0.5 * u[:, None]
        new = Q.max(axis=1)
        if np.ptp(new - u) < 1e-9:
            break
        u = new - new.min()
    rows, policy = np.arange(S), Q.argmax(axis=1)
    system = np.column_stack([np.eye(S) - P[rows, policy], np.ones(S)])
    solution, *_ = np.linalg.lstsq(system, r[rows, policy], rcond=None)
    assert np.abs(system @ solution - r[rows, policy]).max() < 1e-12
    return float(solution[-1])


def diameter(P: np.ndarray) -> float:
    """The largest of the smallest expected times, over all deterministic policies."""
    S, A, _ = P.shape
    best = np.full((S, S), math.inf)
    for policy in itertools.product(range(A), repeat=S):
        P_pi = P[np.arange(S), list(policy)]
        for g in range(S):
            others = np.arange(S) != g
            system = np.eye(S - 1) - P_pi[np.ix_(others, others)]
            if S > 1 and np.linalg.matrix_rank(system) == S - 1:
                best[others, g] = np.minimum(best[others, g], np.linalg.solve(system, np.ones(S - 1)))
    np.fill_diagonal(best, 0)
    return float(best.max())


def most(t: Any, pairs: int) -> Any:
    """m(t): the largest of j (1 + log2(t / j)) over real 0 < j <= S A, on a grid that contains the maximiser."""
    t = np.asarray(t, dtype=float)[..., None]
    j = np.minimum(pairs, np.append(np.linspace(pairs / 1000, pairs, 1000), 0) + 2 * t / math.e * np.append(np.zeros(1000), 1))
    return (j * (1 + np.log2(t / j))).max(axis=-1)


@dataclasses.dataclass(frozen=True)
class Constants:
    """Every number of 3.4 and 4.4 that is fixed before the run."""

    explicit: bool
    before: bool
    known: bool
    delta: float
    T: int
    S: int
    A: int
    D: float

    @staticmethod
    def of(algorithm: Any, problem: Any, T: int, D: float | None = None) -> Constants:
        S, A = problem.n_states, problem.n_actions
        explicit = algorithm.variant == "explicit"
        before = {None: not explicit, "after": False, "before": True}[algorithm.stop]
        return Constants(explicit, before, algorithm.known_rewards, algorithm.delta, T, S, A, diameter(problem.transition) if D is None else D)

    def radii(self, n: np.ndarray, t: int) -> tuple[np.ndarray, np.ndarray]:
        """d_p and d_r at counts n (that of one visit where there is none) in a phase that begins at t."""
        n = np.maximum(n, 1).astype(float)
        if self.explicit:
            ell = np.log(6 * self.S * self.A * n * (n + 1) / self.delta)
            return np.sqrt(2 * (self.S * math.log(2) + ell) / n), np.sqrt(ell / (2 * n))
        return np.sqrt(14 * self.S * math.log(2 * self.A * t / self.delta) / n), np.sqrt(7 * math.log(2 * self.S * self.A * t / self.delta) / (2 * n))

    @property
    def rate(self) -> float:
        return math.sqrt(8 * math.log(2 / self.delta) / self.T) / self.D

    def azuma(self, t: Any) -> Any:
        t = np.asarray(t, dtype=float)
        return np.zeros_like(t) if self.D == 0 else self.rate / 8 * self.D**2 * t + math.log(2 / self.delta) / self.rate

    def precision(self, t: Any) -> Any:
        return GROWTH * np.sqrt(np.asarray(t, dtype=float) * (self.S * self.A if self.before else 1))

    def bound(self, t: Any) -> Any:
        """L7."""
        t, T, SA = np.asarray(t, dtype=float), float(self.T), self.S * self.A
        if self.explicit:
            ell = math.log(6 * SA * T * (T + 1) / self.delta)
            reward, rows = math.sqrt(2 * ell), math.sqrt(2 * (self.S * math.log(2) + ell))
        else:
            reward, rows = 2 * math.sqrt(3.5 * math.log(2 * SA * T / self.delta)), math.sqrt(14 * self.S * math.log(2 * self.A * T / self.delta))
        reward = 0.0 if self.known else reward
        return self.precision(t) + GROWTH * (reward + self.D * rows) * np.sqrt(SA * t) + self.azuma(t) + self.D * (most(t, SA) + 1)


@dataclasses.dataclass(frozen=True)
class Phase:
    """A plan as recorded, and what the raw transitions before it say; arrays over pairs are (S, A, ...)."""

    start: int  # t_k
    stop: int  # one after the last step of the phase
    n: np.ndarray
    p_hat: np.ndarray
    r_hat: np.ndarray
    d_p: np.ndarray
    d_r: np.ndarray
    policy: np.ndarray
    u: np.ndarray
    u_next: np.ndarray
    r_tilde: np.ndarray
    p_tilde: np.ndarray


class Replay:
    """A run with raw traces."""

    def __init__(self, algorithm: Any, problem: Any, run: Any, D: float | None = None) -> None:
        self.P, self.r = np.array(problem.transition), np.array(problem.reward)
        self.c = Constants.of(algorithm, problem, run.n, D)
        self.gain = gain(self.P, self.r)
        raw = run.state
        self.s, self.a, self.next, self.phase = (raw[f"raw_{name}"] for name in ("states", "actions", "next", "phase"))
        self.rewards = raw["raw_rewards"]
        assert (self.s[1:] == self.next[:-1]).all() and self.s[0] == problem.start and (self.P[self.s, self.a, self.next] > 0).all()
        self.phases = [self._phase(k, raw) for k in range(int(self.phase[-1]) + 1)]

    def _phase(self, k: int, raw: Any) -> Phase:
        start = int(raw["raw_start"][k])
        steps = np.flatnonzero(self.phase == k)
        assert len(steps) and steps[0] == start - 1 and (np.diff(steps) == 1).all()
        before = slice(0, start - 1)
        n, p, r = np.zeros(self.r.shape, np.int64), np.zeros(self.P.shape), np.zeros(self.r.shape)
        np.add.at(n, (self.s[before], self.a[before]), 1)
        np.add.at(p, (self.s[before], self.a[before], self.next[before]), 1)
        np.add.at(r, (self.s[before], self.a[before]), self.rewards[before])
        some = np.maximum(n, 1)
        recorded = (raw[f"raw_{name}"][k] for name in ("policy", "u", "u_next", "r_tilde", "p_tilde"))
        return Phase(start, int(steps[-1]) + 2, n, p / some[..., None], r / some, *self.c.radii(n, start), *recorded)

    @cached_property
    def held(self) -> bool:
        """Event E: the truth is in every set."""
        return all(self._holds(f) for f in self.phases)

    def _holds(self, f: Phase) -> bool:
        rows = np.abs(f.p_hat - self.P).sum(axis=-1) <= f.d_p + 1e-12
        rewards = np.abs(f.r_hat - self.r) <= f.d_r + 1e-12
        return bool(((rows & (rewards | self.c.known)) | (f.n == 0)).all())

    def visits(self, f: Phase) -> np.ndarray:
        """v_k of all pairs."""
        v = np.zeros(self.r.shape, np.int64)
        np.add.at(v, (self.s[f.start - 1 : f.stop - 1], self.a[f.start - 1 : f.stop - 1]), 1)
        return v

    def steps(self, of_a_state: Any) -> np.ndarray:
        """(T,): for each step the entry of its state in the array (S,) that `of_a_state` makes of its phase."""
        table = np.array([of_a_state(f) for f in self.phases])
        return table[self.phase, self.s]

    def lines(self) -> tuple[dict[str, np.ndarray], bool]:
        """L0 to L7 after every step, and whether event F held."""
        c, S, rows = self.c, len(self.P), np.arange(len(self.P))
        t = np.arange(1, len(self.s) + 1)
        eps = 1 / np.sqrt(self.steps(lambda f: np.full(S, f.start)))
        mean = self.r[self.s, self.a]
        r_tilde, here = self.steps(lambda f: f.r_tilde), self.steps(lambda f: f.u)
        optimistic, true = self.steps(lambda f: f.p_tilde @ f.u), self.steps(lambda f: self.P[rows, f.policy] @ f.u)
        there = np.array([f.u for f in self.phases])[self.phase, self.next]
        d_p, d_r = (self.steps(lambda f, name=name: np.where(f.n > 0, getattr(f, name), 2.0)[rows, f.policy]) for name in ("d_p", "d_r"))
        reward_width = np.zeros(len(t)) if c.known else np.minimum(1, 2 * d_r)
        row_width = c.D * np.minimum(1, d_p)
        M, telescope = true - there, there - here
        phases = c.D * (self.phase + 1)
        bounded = np.cumsum(M * self.steps(lambda f: np.full(S, np.ptp(f.u) <= c.D * (1 + 1e-9))))
        lines = {
            "L0": np.cumsum(self.gain - mean),
            "L1": np.cumsum(eps + r_tilde + optimistic - here - mean),
            "L2": np.cumsum(eps + (r_tilde - mean) + (optimistic - true) + M + telescope),
            "L3": np.cumsum(eps + reward_width + (optimistic - true) + M + telescope),
            "L4": np.cumsum(eps + reward_width + row_width + M + telescope),
            "L5": np.cumsum(eps + reward_width + row_width + M) + phases,
            "L6": np.cumsum(eps + reward_width + row_width) + c.azuma(t) + phases,
            "L7": c.bound(t),
        }
        return lines, bool((bounded <= c.azuma(t) + 1e-9 * (1 + c.azuma(t)[-1])).all())
