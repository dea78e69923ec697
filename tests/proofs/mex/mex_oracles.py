"""What the checks of MEX know by themselves: planning, losses from raw samples, enumeration of policies, quadratic programs, game values.

Nothing here calls the package; arrays have the public shapes (H, S, A, S) and stages are counted from 0.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from hypothesis import Phase, settings
from scipy import optimize

World = Callable[[str], Any]
FIRST_SEED = 0  # the session's seed under --regret-vary-seed


def attack(max_examples: int) -> settings:
    """Settings of every Hypothesis check: the same draws every time, no shrinking."""
    return settings(derandomize=True, database=None, deadline=None, max_examples=max_examples, phases=(Phase.explicit, Phase.generate))


def generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(FIRST_SEED + seed)


# --- planning


def value_caps(r: np.ndarray) -> np.ndarray:
    """C_h = C_{h+1} + max r_h, shape (H+1,)."""
    return np.append(np.cumsum(r.reshape(len(r), -1).max(axis=1)[::-1])[::-1], 0.0)


def plan(P: np.ndarray, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Optimal V (H+1, S) and Q (H, S, A)."""
    V, Q = np.zeros((len(r) + 1, r.shape[1])), np.zeros(r.shape)
    for h in reversed(range(len(r))):
        Q[h] = r[h] + P[h] @ V[h + 1]
        V[h] = Q[h].max(axis=1)
    return V, Q


def evaluate(P: np.ndarray, r: np.ndarray, policy: np.ndarray) -> np.ndarray:
    """V of a deterministic policy (H, S), shape (H+1, S)."""
    V, rows = np.zeros((len(r) + 1, r.shape[1])), np.arange(r.shape[1])
    for h in reversed(range(len(r))):
        V[h] = r[h, rows, policy[h]] + P[h, rows, policy[h]] @ V[h + 1]
    return V


def occupancy(P: np.ndarray, policy: np.ndarray, start: int) -> np.ndarray:
    """Probability of each (h, x, a) under a deterministic policy (H, S); rows of P may sum to less than one."""
    H, S, A, _ = P.shape
    d, mass = np.zeros((H, S, A)), np.eye(S)[start]
    for h in range(H):
        d[h, np.arange(S), policy[h]] = mass
        mass = np.einsum("x,xy->y", mass, P[h, np.arange(S), policy[h]])
    return d


def max_reach(P: np.ndarray, start: int) -> np.ndarray:
    """Largest probability of x_h = x over policies, shape (H, S)."""
    H, S = P.shape[:2]
    reach = np.zeros((H, S))
    for h, x in itertools.product(range(H), range(S)):
        V = np.eye(S)[x]
        for g in reversed(range(h)):
            V = (P[g] @ V).reshape(S, -1).max(axis=1)
        reach[h, x] = V[start]
    return reach


def policies(H: int, S: int, A: int) -> Iterator[np.ndarray]:
    """Every deterministic policy."""
    for choice in itertools.product(range(A), repeat=H * S):
        yield np.array(choice, dtype=np.int64).reshape(H, S)


def hellinger(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """D_H^2 = half the squared distance of the square roots, over the last axis."""
    return 0.5 * ((np.sqrt(p) - np.sqrt(q)) ** 2).sum(axis=-1)


# --- data


@dataclasses.dataclass(frozen=True)
class Data:
    """Raw samples, one row per episode: states, actions, next states, rewards, each (n, H)."""

    states: np.ndarray
    actions: np.ndarray
    following: np.ndarray
    rewards: np.ndarray

    def before(self, k: int) -> Data:
        return Data(*(value[:k] for value in (self.states, self.actions, self.following, self.rewards)))

    def counts(self, S: int, A: int) -> np.ndarray:
        """Transition counts (H, S, A, S)."""
        H = self.states.shape[1]
        N = np.zeros((H, S, A, S))
        for h in range(H):
            np.add.at(N[h], (self.states[:, h], self.actions[:, h], self.following[:, h]), 1)
        return N


def play(P: np.ndarray, r: np.ndarray, start: int, n: int, rng: np.random.Generator, explore: float = 1.0) -> Data:
    """Data of n episodes: each follows a fresh random policy, with probability `explore` per step a uniform action."""
    H, S, A, _ = P.shape
    out = np.zeros((3, n, H), dtype=np.int64)
    rewards = np.zeros((n, H))
    for k in range(n):
        policy, x = rng.integers(0, A, (H, S)), start
        for h in range(H):
            a = rng.integers(0, A) if rng.random() < explore else policy[h, x]
            y = rng.choice(S, p=P[h, x, a])
            out[:, k, h], rewards[k, h] = (x, a, y), r[h, x, a]
            x = y
    return Data(*out, rewards)


def raw_data(run: Any, reward: np.ndarray) -> Data:
    """Raw samples of a run with trace="raw"; `reward` is (H, S, A)."""
    x, a, y = (np.array(run.state[name]) for name in ("raw_states", "raw_actions", "raw_next"))
    return Data(x, a, y, reward[np.arange(x.shape[1]), x, a])


# --- model-free losses, from samples


def squares(g: np.ndarray, V: np.ndarray, data: Data, h: int) -> float:
    """Sum over samples of (g(x, a) - r - V(x'))^2, added sample by sample."""
    return float(((g[data.states[:, h], data.actions[:, h]] - data.rewards[:, h] - V[data.following[:, h]]) ** 2).sum())


def finite_loss(tables: Any, h: int, g: int, V: np.ndarray, data: Data) -> float:
    """L_h of table g of stage h for the next value V: the infimum is over the list of the stage, of the whole sum."""
    return squares(tables[h][g], V, data, h) - min(squares(other, V, data, h) for other in tables[h])


def chain_losses(tables: Any, data: Data, at: Any = None) -> list[np.ndarray]:
    """For each stage the matrix L_h[g, v], v over the tables of stage h+1 (one column of zeros at the last stage).

    With `at`, a list over stages of (M_{h+1}, S) next values replaces the maxima (the exploiter's losses).
    """
    out = []
    for h in range(len(tables)):
        values = next_values(tables, h) if at is None else at[h]
        T = np.array([[squares(g, V, data, h) for V in values] for g in tables[h]])
        out.append(T - T.min(axis=0))
    return out


def next_values(tables: Any, h: int) -> np.ndarray:
    """V of every table of stage h+1, shape (M, S)."""
    return np.zeros((1, tables[h].shape[1])) if h + 1 == len(tables) else tables[h + 1].max(axis=2)


def chain_best(first: np.ndarray, losses: list[np.ndarray], eta: float) -> float:
    """max over (f_1, ..., f_H) of first[f_1] - eta sum_h L_h[f_h, f_{h+1}], by dynamic programming from the last stage."""
    tail = np.zeros(losses[-1].shape[1])
    for L in reversed(losses):
        tail = (-eta * L + tail).max(axis=1)
    return float((first + tail).max())


def chain_objective(first: np.ndarray, losses: list[np.ndarray], eta: float, index: Any) -> float:
    """The same expression at one chain of tables."""
    path = [*(int(i) for i in index), 0]
    return float(first[path[0]] - eta * sum(L[path[h], path[h + 1]] for h, L in enumerate(losses)))


# --- the full tabular class, model-free


@dataclasses.dataclass(frozen=True)
class Empirical:
    """Counts n, and the model in which an unvisited pair ends the episode with value C_h."""

    n: np.ndarray
    r: np.ndarray
    P: np.ndarray
    caps: np.ndarray
    start: int

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.n.shape


def empirical(data: Data, S: int, A: int, caps: np.ndarray, start: int) -> Empirical:
    N = data.counts(S, A)
    n = N.sum(axis=3)
    total = np.zeros(n.shape)
    for h in range(len(n)):
        np.add.at(total[h], (data.states[:, h], data.actions[:, h]), data.rewards[:, h])
    seen = np.maximum(n, 1)
    r = np.where(n > 0, total / seen, caps[:-1, None, None])
    return Empirical(n, r, N / seen[..., None], caps, start)


def tabular_loss(f: np.ndarray, model: Empirical) -> float:
    """sum n (f_h - r - P V_{h+1,f})^2."""
    V = np.vstack([f.max(axis=2), np.zeros((1, f.shape[1]))])
    return float(sum((model.n[h] * (f[h] - model.r[h] - model.P[h] @ V[h + 1]) ** 2).sum() for h in range(len(f))))


def tabular_objective(f: np.ndarray, model: Empirical, eta: float) -> float:
    return float(f[0, model.start].max()) - eta * tabular_loss(f, model)


def theorem_A(policy: np.ndarray, model: Empirical, eta: float) -> float:
    """F(pi) = V^pi + sum d^2 / (4 eta n), in the empirical model."""
    d = occupancy(model.P, policy, model.start)
    seen = model.n > 0
    return float((d * model.r).sum() + (d[seen] ** 2 / (4 * eta * model.n[seen])).sum())


def theorem_B(policy: np.ndarray, model: Empirical, eta: float) -> float:
    """QP(pi): bounded least squares on the cells that pi reaches in the empirical model."""
    H, S, _ = model.shape
    d = occupancy(model.P, policy, model.start).sum(axis=2)
    cells = [(h, x) for h in range(H) for x in range(S) if d[h, x] > 0]
    number = {cell: i for i, cell in enumerate(cells)}
    M, target, upper, weight = np.eye(len(cells)), np.zeros(len(cells)), np.zeros(len(cells)), np.zeros(len(cells))
    constant = 0.0
    for (h, x), i in number.items():
        a = policy[h, x]
        n, upper[i] = model.n[h, x, a], model.caps[h]
        if n == 0:
            weight[i] = -1.0  # v = C_h, free of charge
            continue
        weight[i] = n
        if h + 1 < H:
            for y in np.flatnonzero(model.P[h, x, a]):
                M[i, number[h + 1, y]] -= model.P[h, x, a, y]
        target[i] = model.r[h, x, a] + d[h, x] / (2 * eta * n)
        constant += d[h, x] * model.r[h, x, a] + d[h, x] ** 2 / (4 * eta * n)
    free, fixed = weight > 0, weight < 0
    constant += sum(d[cell] * model.caps[cell[0]] for cell, i in number.items() if fixed[i])
    if not free.any():
        return float(constant)
    # v_1 = sum d (v - P v' - r) + sum d r + (terminal cells) d C, so that the objective is a square plus `constant`
    root = np.sqrt(weight[free])[:, None]
    A, b = root * M[free][:, free], root[:, 0] * (target[free] - M[free][:, fixed] @ upper[fixed])
    positive = upper[free] > 0
    solution = np.zeros(free.sum())
    if positive.any():
        found = optimize.lsq_linear(A[:, positive], b, (-np.inf, upper[free][positive]), method="bvls", tol=1e-14)
        solution[positive] = found.x
    return float(constant - eta * ((A @ solution - b) ** 2).sum())


def chord_bound(model: Empirical, eta: float) -> float:
    """U_1(x_1): U = max over a of min(C, r + reach / (4 eta n) + P U), of the policies that take the first unvisited action wherever there is one."""
    H, S, A = model.shape
    unvisited = model.n == 0
    allowed = np.where(unvisited.any(axis=2, keepdims=True), np.arange(A) == unvisited.argmax(axis=2)[..., None], True)
    reach = np.zeros((H, S))
    for h, x in itertools.product(range(H), range(S)):
        V = np.eye(S)[x]
        for g in reversed(range(h)):
            V = np.where(allowed[g], model.P[g] @ V, -np.inf).max(axis=1)
        reach[h, x] = V[model.start]
    U = np.zeros(S)
    for h in reversed(range(H)):
        bonus = np.where(unvisited[h], 0.0, reach[h][:, None] / (4 * eta * np.maximum(model.n[h], 1)))
        U = np.where(allowed[h], np.minimum(model.caps[h], model.r[h] + bonus + model.P[h] @ U), -np.inf).max(axis=1)
    return float(U[model.start])


def best_over_policies(value: Callable[[np.ndarray], float], H: int, S: int, A: int) -> float:
    return max(value(policy) for policy in policies(H, S, A))


def whole_table_programs(data: Data, S: int, A: int, caps: np.ndarray, start: int, eta: float, clip: bool) -> float:
    """The largest objective over tables f, by one concave program over the whole table for each greedy policy (cvxpy).

    The loss is built from the samples: per visited pair the mean of r + V(x') over its samples.
    """
    import cvxpy

    H = data.states.shape[1]
    f = cvxpy.Variable(H * S * A)

    def cell(h: int, x: int, a: int) -> int:
        return (h * S + x) * A + a

    best = -np.inf
    groups: dict[tuple[int, int, int], list[tuple[float, int]]] = {}
    for k, h in itertools.product(range(len(data.states)), range(H)):
        key = h, int(data.states[k, h]), int(data.actions[k, h])
        groups.setdefault(key, []).append((float(data.rewards[k, h]), int(data.following[k, h])))
    limit = np.repeat(caps[:-1], S * A)
    free = np.array([(h, x, a) not in groups for h in range(H) for x in range(S) for a in range(A)])
    # the lower end stays, and an unvisited pair is bounded always
    bounds = [f >= 0, f <= limit] if clip else [f >= 0, f[np.flatnonzero(free)] <= limit[free]] if free.any() else [f >= 0]
    picks = cvxpy.Parameter((len(groups), H * S * A))
    order = cvxpy.Parameter((H * S * A, H * S * A))
    value = cvxpy.Parameter(H * S * A)
    program = cvxpy.Problem(cvxpy.Maximize(value @ f - eta * cvxpy.sum_squares(picks @ f - _means(groups))), [*bounds, order @ f <= 0])
    for policy in policies(H, S, A):
        rows = np.zeros((len(groups), H * S * A))
        for i, ((h, x, a), samples) in enumerate(groups.items()):
            root = np.sqrt(len(samples))
            rows[i, cell(h, x, a)] += root
            if h + 1 < H:
                for _, y in samples:
                    rows[i, cell(h + 1, y, policy[h + 1, y])] -= root / len(samples)
        below = np.zeros((H * S * A, H * S * A))
        for h, x, a in itertools.product(range(H), range(S), range(A)):
            below[cell(h, x, a), cell(h, x, a)] += 1
            below[cell(h, x, a), cell(h, x, policy[h, x])] -= 1
        picks.value, order.value, value.value = rows, below, np.eye(H * S * A)[cell(0, start, policy[0, start])]
        best = max(best, float(program.solve(solver="CLARABEL")))
    return best


def _means(groups: dict[tuple[int, int, int], list[tuple[float, int]]]) -> np.ndarray:
    return np.array([np.sqrt(len(samples)) * np.mean([reward for reward, _ in samples]) for samples in groups.values()])


# --- the full tabular class, model-based


def divergence(counts: np.ndarray, P: np.ndarray) -> float:
    """sum over rows of n KL(P hat || P), from transition counts (..., S)."""
    n = counts.sum(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(counts > 0, counts * (np.log(counts / n) - np.log(P)), 0.0)
    return float(terms.sum())


# --- games: arrays (H, S, A, B, S), the row player maximises


def game_value(payoff: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Value, maximin and minimax strategy by two linear programs."""
    a, b = payoff.shape
    upper = optimize.linprog(np.append(np.zeros(a), -1.0), np.hstack([-payoff.T, np.ones((b, 1))]), np.zeros(b), np.append(np.ones(a), 0.0)[None], [1.0],
                             [(0, None)] * a + [(None, None)])  # fmt: skip
    lower = optimize.linprog(np.append(np.zeros(b), 1.0), np.hstack([payoff, -np.ones((a, 1))]), np.zeros(a), np.append(np.ones(b), 0.0)[None], [1.0],
                             [(0, None)] * b + [(None, None)])  # fmt: skip
    assert abs(upper.x[-1] - lower.x[-1]) < 1e-9, "the two programs agree"
    return float(upper.x[-1]), upper.x[:-1], lower.x[:-1]


def nash(P: np.ndarray, r: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """V (H+1, S), Q (H, S, A, B), mu (H, S, A), nu (H, S, B) of a Nash equilibrium."""
    H, S, A, B = r.shape
    V, Q, mu, nu = np.zeros((H + 1, S)), np.zeros(r.shape), np.zeros((H, S, A)), np.zeros((H, S, B))
    for h in reversed(range(H)):
        Q[h] = r[h] + P[h] @ V[h + 1]
        for x in range(S):
            V[h, x], mu[h, x], nu[h, x] = game_value(Q[h, x])
    return V, Q, mu, nu


def against_best_response(P: np.ndarray, r: np.ndarray, mu: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """V^{mu, dagger} (H+1, S) and Q^{mu, dagger} (H, S, A, B)."""
    H, S, _, _ = r.shape
    V, Q = np.zeros((H + 1, S)), np.zeros(r.shape)
    for h in reversed(range(H)):
        Q[h] = r[h] + P[h] @ V[h + 1]
        V[h] = np.einsum("xa,xab->xb", mu[h], Q[h]).min(axis=1)
    return V, Q


def joint(P: np.ndarray, r: np.ndarray, mu: np.ndarray, nu: np.ndarray) -> np.ndarray:
    """V of the pair of Markov strategies mu (H, S, A), nu (H, S, B)."""
    V = np.zeros((len(r) + 1, r.shape[1]))
    for h in reversed(range(len(r))):
        V[h] = np.einsum("xa,xb,xab->x", mu[h], nu[h], r[h] + P[h] @ V[h + 1])
    return V


def joint_occupancy(P: np.ndarray, mu: np.ndarray, nu: np.ndarray, start: int) -> np.ndarray:
    """Probability of each (h, x, a, b)."""
    H, S, A, B, _ = P.shape
    d, mass = np.zeros((H, S, A, B)), np.eye(S)[start]
    for h in range(H):
        d[h] = mass[:, None, None] * mu[h][:, :, None] * nu[h][:, None, :]
        mass = np.einsum("xab,xaby->y", d[h], P[h])
    return d


# --- random instances


def random_rows(rng: np.random.Generator, *shape: int, sparse: float = 0.0) -> np.ndarray:
    """Dirichlet(0.7) rows; each entry is dropped with probability `sparse` (the largest stays)."""
    P = rng.dirichlet(np.full(shape[-1], 0.7), shape[:-1])
    keep = (rng.random(P.shape) >= sparse) | (P == P.max(axis=-1, keepdims=True))
    P = np.where(keep, P, 0.0)
    return P / P.sum(axis=-1, keepdims=True)


def random_mdp(rng: np.random.Generator, H: int, S: int, A: int, sparse: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    return random_rows(rng, H, S, A, S, sparse=sparse), np.round(rng.random((H, S, A)), 2)
