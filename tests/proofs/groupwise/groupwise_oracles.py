"""What the checks of groupwise regret know by themselves: the potential, the replay of a run from its p and losses, comparators, adversaries.

Nothing here calls the package's kernels; a run is judged by these formulas, written out again from the theorems.
"""

from __future__ import annotations

import decimal
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from hypothesis import Phase, settings
from hypothesis import strategies as st

World = Callable[[str], Any]
KAPPAS = (2 / 3, 3 / 2)
FIRST_SEED = 0  # the session's seed under --regret-vary-seed


def attack(max_examples: int) -> settings:
    """Settings of every Hypothesis check: the same draws every time, no shrinking."""
    return settings(derandomize=True, database=None, deadline=None, max_examples=max_examples, phases=(Phase.explicit, Phase.generate))


# --- the potential (spec 3.1, 4.2)


def phi(R: Any, C: Any) -> np.ndarray:
    R, C = np.broadcast_arrays(np.asarray(R, dtype=float), np.asarray(C, dtype=float))
    with np.errstate(over="ignore"):
        return np.exp(np.where(R > 0, R, 0.0) ** 2 / np.where(R > 0, 3 * C, 1.0))


def weight(R: Any, C: Any) -> np.ndarray:
    return 0.5 * (phi(np.add(R, 1), np.add(C, 1)) - phi(np.subtract(R, 1), np.add(C, 1)))


def gamma(R: Any, C: Any) -> np.ndarray:
    return 0.5 * (phi(np.add(R, 1), np.add(C, 1)) + phi(np.subtract(R, 1), np.add(C, 1))) - phi(R, C)


def exact_weight_and_gamma(R: float, C: float) -> tuple[float, float]:
    """w and Gamma of the same two floats in fifty digits."""
    with decimal.localcontext() as context:
        context.prec = 50

        def exact_phi(R: decimal.Decimal, C: decimal.Decimal) -> decimal.Decimal:
            return (R * R / (3 * C)).exp() if R > 0 else decimal.Decimal(1)

        r, c = decimal.Decimal(R), decimal.Decimal(C)
        up, down = exact_phi(r + 1, c + 1), exact_phi(r - 1, c + 1)
        return float((up - down) / 2), float((up + down) / 2 - exact_phi(r, c))


# --- the replay of a run


class Replay:
    """R, C, Cert and Lemma 1 recomputed from recorded p and true scaled losses, before each round and at the end (T + 1 rows)."""

    def __init__(self, p: Any, losses: Any, awake: Any, prior: Any) -> None:
        self.p, self.awake = np.asarray(p, dtype=float), np.asarray(awake).astype(bool)
        self.losses = np.where(self.awake, losses, 0.0)
        self.q = np.asarray(prior, dtype=float)
        self.lhat = (self.p * self.losses).sum(axis=1)
        self.r = np.where(self.awake, self.lhat[:, None] - self.losses, 0.0)
        self.R, self.C = from_zero(self.r), from_zero(np.abs(self.r))
        with np.errstate(all="ignore"):
            self.w = np.where(self.awake, weight(self.R[:-1], self.C[:-1]), 0.0)
            self.cert = 1 + from_zero((self.q * np.abs(self.r) * gamma(self.R[:-1], self.C[:-1])).sum(axis=1))
            self.potential = (self.q * phi(self.R, self.C)).sum(axis=1)

    def B(self, kappa: float) -> np.ndarray:
        return 1 + kappa * (self.q * (1 + np.log1p(self.C))).sum(axis=1)

    def M(self, total: np.ndarray, C: np.ndarray | None = None) -> np.ndarray:
        """sqrt(3 C (ln 1/q + ln total)) at every prefix and group."""
        with np.errstate(invalid="ignore"):
            return np.sqrt(3 * (self.C if C is None else C) * (np.log(1 / self.q) + np.log(total)[:, None]))


def from_zero(increments: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros_like(increments[:1]), np.cumsum(increments, axis=0)]) if len(increments) else np.zeros((1, *increments.shape[1:]))


def uniform(n: int) -> np.ndarray:
    return np.full(n, 1 / n)


# --- comparators by numpy


def least_squares(X: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Smallest sum of squares on these rows, and the squared norm of the minimum-norm solution."""
    if not len(y):
        return 0.0, 0.0
    theta = np.linalg.lstsq(X, y, rcond=1e-10)[0]
    return float(((X @ theta - y) ** 2).sum()), float(theta @ theta)


def ridge(X: np.ndarray, y: np.ndarray, lam: float) -> float:
    """Smallest lam |theta|^2 + sum of squares, through a QR of the stacked rows."""
    d = X.shape[1]
    R = np.linalg.qr(np.vstack([np.column_stack([X, y]), np.column_stack([np.sqrt(lam) * np.eye(d), np.zeros(d)])]), mode="r")
    return float(R[d, d] ** 2) if R.shape[0] > d else 0.0


def leverages(X: np.ndarray, lam: float) -> tuple[np.ndarray, np.ndarray]:
    """h_t and gamma_t of each row, by solving with the whole matrix."""
    A = lam * np.eye(X.shape[1])
    h, g = np.zeros(len(X)), np.zeros(len(X))
    for t, x in enumerate(X):
        g[t] = x @ np.linalg.solve(A, x)
        A = A + np.outer(x, x)
        h[t] = x @ np.linalg.solve(A, x)
    return h, g


def best_in_ball(X: np.ndarray, y: np.ndarray, radius: float) -> float:
    """Smallest sum of squares with |theta| <= radius, by bisection on the ridge path."""
    least, norm2 = least_squares(X, y)
    if norm2 <= radius**2:
        return least
    values, vectors = np.linalg.eigh(X.T @ X)
    c = vectors.T @ (X.T @ y)
    low, high = 0.0, float(np.linalg.norm(c)) / radius + 1e-300
    for _ in range(200):
        mu = (low + high) / 2
        low, high = (mu, high) if np.sum((c / (np.maximum(values, 0) + mu)) ** 2) > radius**2 else (low, mu)
    theta = vectors @ (c / (np.maximum(values, 0) + high))
    return float(((X @ theta - y) ** 2).sum())


def all_paths(K: int, W: int) -> np.ndarray:
    """Every source-sink path as its nodes 0 = v_0, v_1, ..., v_K = 0: shape (W**(K-1), K + 1)."""
    return np.array([(0, *inner, 0) for inner in itertools.product(range(W), repeat=K - 1)])


def path_losses(edge_losses: np.ndarray, paths: np.ndarray) -> np.ndarray:
    """(T, n_paths): the sum of the edges' losses along each path."""
    K = edge_losses.shape[1]
    return sum(edge_losses[:, k][:, paths[:, k], paths[:, k + 1]] for k in range(K))


# --- instances from bytes (fast to draw, and they shrink)


def table(draw: Any, *shape: int) -> np.ndarray:
    size = int(np.prod(shape))
    return np.frombuffer(draw(st.binary(min_size=size, max_size=size)), dtype=np.uint8).reshape(shape).astype(int)


LOSS_KINDS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "binary": lambda b: (b & 1).astype(float),
    "any": lambda b: b / 255.0,
    "few": lambda b: np.array([0.0, 0.25, 0.5, 1.0])[b & 3],
    "ties": lambda b: np.where(b < 200, 0.0, 1.0) * 1.0,
    "zero": lambda b: np.zeros(b.shape),
}
MASK_KINDS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "all": lambda b: np.ones(b.shape, dtype=np.uint8),
    "half": lambda b: (b < 128).astype(np.uint8),
    "rare": lambda b: (b < 40).astype(np.uint8),
    "nested": lambda b: (b[:, :1] < 256 - 40 * np.arange(b.shape[1])).astype(np.uint8),
    "once": lambda b: np.vstack([np.ones((1, b.shape[1]), dtype=np.uint8), np.zeros((len(b) - 1, b.shape[1]), dtype=np.uint8)]),
    "always": lambda b: np.where(np.arange(b.shape[1]) == b.shape[1] - 1, 1, b < 128).astype(np.uint8),
}


@st.composite
def masks(draw: Any, T: int, G: int) -> np.ndarray:
    return MASK_KINDS[draw(st.sampled_from(sorted(MASK_KINDS)))](table(draw, T, G))


@st.composite
def priors(draw: Any, G: int) -> tuple[float, ...] | None:
    kind = draw(st.sampled_from(["uniform", "random", "geometric", "tiny"]))
    if kind == "uniform":
        return None
    q = table(draw, G) + 1.0 if kind == "random" else 0.1 ** np.arange(G) if kind == "geometric" else np.append(np.full(G - 1, 1e-8), 1.0)
    q = q / q.sum()
    return tuple(float(x) for x in q)


@st.composite
def games(draw: Any, most: int = 60) -> tuple[np.ndarray, np.ndarray, tuple[float, ...] | None, str]:
    """Losses, masks, prior of a sleeping-experts game, and who chooses the losses: "drawn" or an adaptive adversary."""
    T, G = draw(st.integers(1, most)), draw(st.integers(1, 6))
    losses = LOSS_KINDS[draw(st.sampled_from(sorted(LOSS_KINDS)))](table(draw, T, G))
    return losses, draw(masks(T, G)), draw(priors(G)), draw(st.sampled_from(["drawn", "kill", "spare", "leader", "hide"]))


# --- playing


def groupwise(world: World) -> Any:
    return world("theoryrl.algorithms.groupwise")


def streams(world: World) -> Any:
    return world("theoryrl.problems.groupwise")


def environment(world: World, name: str, *arguments: Any, **named: Any) -> Any:
    return getattr(world("envs_synthetic.groupwise"), name)(*arguments, **named)


def prior_of(algorithm: Any, G: int) -> np.ndarray:
    return uniform(G) if algorithm.prior is None else np.asarray(algorithm.prior)


Adversary = Callable[[int, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def kill(t: int, awake: np.ndarray, p: np.ndarray, R: np.ndarray) -> np.ndarray:
    """Loss 1 on the awake group with the largest p (the first if tied), else 0."""
    losses = np.zeros(len(p))
    if awake.any():
        losses[int(np.argmax(np.where(awake > 0, p, -1.0)))] = 1.0
    return losses


def spare(t: int, awake: np.ndarray, p: np.ndarray, R: np.ndarray) -> np.ndarray:
    """Loss 0 on the awake group with the least p, else 1."""
    losses = np.ones(len(p))
    if awake.any():
        losses[int(np.argmin(np.where(awake > 0, p, 2.0)))] = 0.0
    return losses


def leader(t: int, awake: np.ndarray, p: np.ndarray, R: np.ndarray) -> np.ndarray:
    """Loss 0 on the awake group with the largest R, else 1: it pushes the regret up."""
    losses = np.ones(len(p))
    if awake.any():
        losses[int(np.argmax(np.where(awake > 0, R, -np.inf)))] = 0.0
    return losses


ADVERSARIES: dict[str, Adversary] = {"kill": kill, "spare": spare, "leader": leader}


def play(world: World, algorithm: Any, awake: np.ndarray, adversary: Adversary, hide: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Play sleeping experts step by step against an adversary that sees p; return p, losses and masks.

    With `hide` the mask is adaptive, too: the group that leads is put to sleep every other round.
    """
    T, G = awake.shape
    awake = awake.copy()
    stepper = algorithm.stepwise(streams(world).ExpertStream(np.zeros((1, G)), np.ones((1, G), dtype=np.uint8)))
    p, losses, R = np.zeros((T, G)), np.zeros((T, G)), np.zeros(G)
    for t in range(T):
        if hide and t % 2:
            awake[t, int(np.argmax(R))] = 0
        p[t] = stepper.predict(awake[t]).p
        losses[t] = adversary(t, awake[t], p[t], R)
        stepper.update(losses[t])
        R += awake[t] * (p[t] @ (awake[t] * losses[t]) - losses[t])
    return p, losses, awake


def played(world: World, game: tuple[np.ndarray, np.ndarray, tuple[float, ...] | None, str]) -> Replay:
    """Play a drawn game and replay it."""
    losses, awake, prior, who = game
    algorithm = groupwise(world).SleepingExperts(prior=prior)
    if who == "drawn":
        p = raw(algorithm, streams(world).ExpertStream(losses, awake))["p"]
    else:
        p, losses, awake = play(world, algorithm, awake, ADVERSARIES.get(who, leader), hide=who == "hide")
    return Replay(p, losses, awake, prior_of(algorithm, awake.shape[1]))


def raw(algorithm: Any, problem: Any, seed: int = 0) -> dict[str, np.ndarray]:
    """Per-round p, scaled losses and proposals of the groups, expected scaled loss and played loss."""
    return algorithm.run(problem, problem.n_rounds, seed=seed, checkpoints=[problem.n_rounds], trace="raw").output


def every_prefix(algorithm: Any, problem: Any, seed: int = 0, trace: Any = "raw") -> Any:
    return algorithm.run(problem, problem.n_rounds, seed=seed, checkpoints=range(1, problem.n_rounds + 1), trace=trace)


def five_adversaries(T: int = 2000, seed: int = 0) -> Iterator[tuple[str, np.ndarray, np.ndarray | None]]:
    """The spec's adversaries on three groups: name, masks, losses (None: adaptive)."""
    rng = np.random.default_rng(seed)
    t = np.arange(T)
    ones = np.ones(T, dtype=int)
    k = 7 * t % 10
    y = (k >= 6).astype(float)
    yield "cross", np.stack([k < 8, k >= 6, ones], axis=1).astype(np.uint8), np.stack([y, 1 - y, y], axis=1)
    some = np.column_stack([rng.random((T, 2)) < 0.6, ones]).astype(np.uint8)
    yield "rnd", some, (rng.random((T, 3)) < 0.5).astype(float)
    yield "kill", some, None
    rare = np.column_stack([rng.random(T) < 0.2, ones, ones]).astype(np.uint8)
    yield "rare", rare, np.column_stack([np.zeros(T), rng.random((T, 2)) < 0.6]).astype(float)
    yield "alt", np.ones((T, 3), dtype=np.uint8), np.stack([t % 2 == 0, t % 2 == 1, t // 2 % 2], axis=1).astype(float)


def streak(T: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Losses (1, 0) in every round, both awake."""
    return np.tile([1.0, 0.0], (T, 1)), np.ones((T, 2), dtype=np.uint8)
