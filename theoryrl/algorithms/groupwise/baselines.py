"""The enumerating baselines over a finite class: Blum and Lykouris, AdaNormalHedge over pairs, and minimax multiplicative weights."""

from __future__ import annotations

import abc
import dataclasses
import math
from typing import Any, ClassVar

import numpy as np

from theoryrl import validate
from theoryrl.algorithms.groupwise import pairs
from theoryrl.algorithms.run import Algorithm, State, Trace
from theoryrl.problems.groupwise import ClassStream


class PairsLearner(Algorithm):
    """One expert for each pair of a group and a hypothesis; they differ in the weights of the pairs."""

    unit: ClassVar[str] = "rounds"
    kind: ClassVar[int]

    @abc.abstractmethod
    def rate(self, problem: ClassStream, n: int) -> float:
        """Return the learning rate at horizon n: beta, or eta."""

    def start(self, problem: ClassStream, n: int, rng: np.random.Generator) -> State:
        """Return the state before the first round."""
        if not isinstance(problem, ClassStream):
            raise TypeError(f"problem: expected a ClassStream, got {type(problem).__name__}")
        if n > problem.n_rounds:
            raise ValueError(f"n: expected at most the {problem.n_rounds} rounds of the problem, got {n}")
        return pairs.start(problem.n_groups, problem.losses.shape[1]) | {"t": np.zeros(1, np.int64), "rate": np.array(self.rate(problem, n)), "rng": rng}

    def advance(self, problem: ClassStream, state: State, k: int, trace: Trace) -> int:
        """Play `k` rounds."""
        t0 = int(state["t"][0])
        pairs.play(problem.losses, problem.groups, pairs.bundle(state), self.kind, float(state["rate"]), float(problem.loss_scale), t0, k)
        state["t"] += k
        return k

    def measure(self, problem: ClassStream, state: State, trace: Trace) -> dict[str, Any]:
        """Return each group's sums, and those of its hypotheses, unscaled."""
        scale, hindsight = problem.loss_scale, problem.hindsight(int(state["t"][0]))
        row = {"regret": scale * state["expected"] - hindsight, "expected": scale * state["expected"], "hindsight": hindsight, "rounds": state["rounds"]}
        return {name: np.array(value) for name, value in (row | {"losses": scale * state["losses"], "C": state["C"]}).items()}


def _log_pairs(problem: ClassStream) -> float:
    return math.log(problem.n_groups * problem.losses.shape[1])


@dataclasses.dataclass(frozen=True, repr=False)
class BlumLykouris(PairsLearner):
    """Sleeping multiplicative weights (Blum and Lykouris, ITCS 2020).

    Parameters
    ----------
    beta : float in [1/2, 1), optional
        Default 1 - min(1/2, sqrt(ln N / T)), N the number of pairs.
    """

    beta: float | None = None

    kind: ClassVar[int] = pairs.BLUM_LYKOURIS

    def __post_init__(self) -> None:
        if self.beta is not None and not 0.5 <= validate.real("beta", self.beta) < 1:
            raise ValueError(f"beta: expected a number in [0.5, 1), got {self.beta}")

    def rate(self, problem: ClassStream, n: int) -> float:
        """Return beta."""
        return 1 - min(0.5, math.sqrt(_log_pairs(problem) / n)) if self.beta is None else float(self.beta)


@dataclasses.dataclass(frozen=True, repr=False)
class AnhPairs(PairsLearner):
    """AdaNormalHedge over all pairs, uniform prior: parameter-free."""

    anytime: ClassVar[bool] = True
    kind: ClassVar[int] = pairs.ANH_PAIRS

    def rate(self, problem: ClassStream, n: int) -> float:
        """Return 0: there is none to tune."""
        return 0.0


@dataclasses.dataclass(frozen=True, repr=False)
class MinimaxMW(PairsLearner):
    """Multiplicative weights on the regrets of all pairs, in the style of Lee, Noarov, Pai, Roth (NeurIPS 2022).

    Parameters
    ----------
    eta : {"theory", "literature"}
        sqrt(8 ln N / T), or sqrt(2 ln N / T), which treats the increments as if their range were 2.
    """

    eta: str = "theory"

    kind: ClassVar[int] = pairs.MINIMAX

    def __post_init__(self) -> None:
        validate.one_of("eta", self.eta, ("theory", "literature"))

    def rate(self, problem: ClassStream, n: int) -> float:
        """Return eta."""
        return math.sqrt((8 if self.eta == "theory" else 2) * _log_pairs(problem) / n)
