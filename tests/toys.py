"""Two throw-away papers that keep the five nouns honest: bandits (events, expectations) and Hedge (sure, one entry an expert)."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from theoryrl import validate
from theoryrl.algorithms import Algorithm
from theoryrl.problems import Problem
from theoryrl.proofs import Event, Line, Proof, theorem


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Bandit(Problem):
    """Bernoulli arms with means `means`, shape (K,)."""

    means: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "means", validate.real_array("means", self.means, (None,), 0, 1))


class _BanditLearner(Algorithm):
    unit = "rounds"

    def start(self, problem: Bandit, n: int, rng: np.random.Generator) -> dict[str, Any]:
        arms = len(problem.means)
        zeros = {name: np.zeros(1) for name in ("regret", "widths", "deviation")}
        return {"rng": rng, "pulls": np.zeros(arms, dtype=np.int64), "total": np.zeros(arms), "horizon": np.array([n])} | zeros

    def index(self, pulls: np.ndarray, means: np.ndarray, state: dict[str, Any]) -> np.ndarray:
        raise NotImplementedError

    def advance(self, problem: Bandit, state: dict[str, Any], k: int, trace: Any) -> int:
        best = problem.means.max()
        for _ in range(k):
            pulls, rng = state["pulls"], state["rng"]
            mean = state["total"] / np.maximum(pulls, 1)
            arm = int(np.argmax(np.where(pulls == 0, np.inf, self.index(np.maximum(pulls, 1), mean, state))))
            if trace:
                state["widths"] += min(1.0, 2 * math.sqrt(1 / (2 * max(pulls[arm], 1)))) if pulls[arm] else 1.0
            state["total"][arm] += rng.random() < problem.means[arm]
            pulls[arm] += 1
            state["regret"] += best - problem.means[arm]
            if trace:
                deviation = abs(state["total"][arm] / pulls[arm] - problem.means[arm]) * math.sqrt(2 * pulls[arm])
                state["deviation"][0] = max(state["deviation"][0], deviation)
        return k

    def measure(self, problem: Bandit, state: dict[str, Any], trace: Any) -> dict[str, Any]:
        return {name: state[name][0] for name in ("regret", *(("widths", "deviation") if trace else ()))}


@dataclasses.dataclass(frozen=True)
class UCB(_BanditLearner):
    """UCB with radius sqrt(ln(2 K n / delta) / (2 N))."""

    delta: float = 0.05

    def index(self, pulls: np.ndarray, means: np.ndarray, state: dict[str, Any]) -> np.ndarray:
        return means + np.sqrt(log_term(self, len(pulls), int(state["horizon"][0])) / (2 * pulls))


@dataclasses.dataclass(frozen=True)
class UCB1(_BanditLearner):
    """Auer, Cesa-Bianchi, Fischer 2002."""

    def index(self, pulls: np.ndarray, means: np.ndarray, state: dict[str, Any]) -> np.ndarray:
        return means + np.sqrt(2 * math.log(pulls.sum()) / pulls)


@dataclasses.dataclass(frozen=True)
class EpsilonGreedy(_BanditLearner):
    """Explores a fixed share of the rounds: linear regret."""

    epsilon: float = 0.2

    def index(self, pulls: np.ndarray, means: np.ndarray, state: dict[str, Any]) -> np.ndarray:
        return state["rng"].random(len(pulls)) if state["rng"].random() < self.epsilon else means


def log_term(algorithm: UCB, arms: int, n: int) -> float:
    return math.log(2 * arms * n / algorithm.delta)


def trivial(problem: Bandit, k: np.ndarray) -> np.ndarray:
    return k * (problem.means.max() - problem.means.min())


@theorem(for_=UCB, id="U", paper="toys", source="textbook")
def ucb_regret(run: Any) -> Proof:
    """2 sum of widths on the confidence event, then pigeonhole."""
    arms, k = len(run.problem.means), run.checkpoints
    x = log_term(run.algorithm, arms, run.n)
    lines = [
        Line("L0", "regret", run.regret, on="E", reason="optimism"),
        Line("L1", "twice the widths", math.sqrt(x) * run["widths"] + arms, "surely", reason="pigeonhole"),
        Line("L2", "bound", 2 * np.sqrt(2 * arms * k * x) + 2 * arms * math.sqrt(x) + arms),
    ]
    held = bool(run["deviation"][-1] <= math.sqrt(x))
    return Proof({"regret": lines}, [Event("E", run.algorithm.delta, held, "all means within their radius")], trivial(run.problem, k))


@theorem(for_=UCB1, id="1", paper="toys", source="Auer et al. 2002, Theorem 1")
def ucb1_regret(run: Any) -> Proof:
    """In expectation."""
    gaps = run.problem.means.max() - run.problem.means
    bound = sum(8 * np.log(run.checkpoints) / gap + (1 + math.pi**2 / 3) * gap for gap in gaps[gaps > 0])
    most = trivial(run.problem, run.checkpoints)
    line = Line("L0", "regret", run.regret, "in expectation", difference=(-bound, most - bound))
    return Proof({"regret": [line, Line("L1", "bound", bound)]}, [], most)


@theorem(for_=EpsilonGreedy, id="false", paper="toys", source="wishful thinking")
def epsilon_greedy_is_sublinear(run: Any) -> Proof:
    """False: claims a square-root bound with probability .95."""
    lines = [Line("L0", "regret", run.regret, on="E"), Line("L1", "bound", np.sqrt(run.checkpoints))]
    return Proof({"regret": lines}, [Event("E", 0.05)], trivial(run.problem, run.checkpoints))


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Experts(Problem):
    """Losses in [0, 1] of N experts, shape (T, N)."""

    losses: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "losses", validate.real_array("losses", self.losses, (None, None), 0, 1))


@dataclasses.dataclass(frozen=True)
class Hedge(Algorithm):
    """Exponential weights with eta_t = 2 sqrt(ln N / t)."""

    unit = "rounds"
    anytime = True

    def start(self, problem: Experts, n: int, rng: np.random.Generator) -> dict[str, Any]:
        return {"t": np.zeros(1, dtype=np.int64), "loss": np.zeros(1), "losses": np.zeros(problem.losses.shape[1])}

    def advance(self, problem: Experts, state: dict[str, Any], k: int, trace: Any) -> int:
        for _ in range(k):
            t = int(state["t"][0])
            eta = 2 * math.sqrt(math.log(len(state["losses"])) / (t + 1))
            weights = np.exp(-eta * (state["losses"] - state["losses"].min()))
            state["loss"] += weights @ problem.losses[t] / weights.sum()
            state["losses"] += problem.losses[t]
            state["t"] += 1
        return k

    def measure(self, problem: Experts, state: dict[str, Any], trace: Any) -> dict[str, Any]:
        return {"regret": state["loss"][0] - state["losses"]}


@theorem(for_=Hedge, id="H", paper="toys", source="Cesa-Bianchi and Lugosi 2006, Theorem 2.3")
def hedge_regret(run: Any) -> Proof:
    """Surely, against every expert."""
    n = run.problem.losses.shape[1]
    lines = [Line("L0", "regret", run.regret, "surely"), Line("L1", "bound", np.sqrt(run.checkpoints * math.log(n))[:, None])]
    return Proof({"regret": lines}, [], run.checkpoints[:, None].astype(float))
