"""What MEX over finite classes and MEX-MG share: the class, eta, and the part of the state that depends on neither."""

from __future__ import annotations

import abc
import math
from typing import Any

import numpy as np

from theoryrl import validate
from theoryrl.algorithms.mex.constants import Constants
from theoryrl.algorithms.run import Algorithm, State
from theoryrl.problems.hypotheses import Hypotheses, ModelClass, ValueClass


class ClassLearner(Algorithm):
    """Base of the learners over a finite class: dataclasses with `hypotheses`, `delta` and `eta`."""

    hypotheses: Hypotheses
    delta: float
    eta: float | None

    unit = "episodes"

    def __post_init__(self) -> None:
        if not isinstance(self.hypotheses, (ModelClass, ValueClass)):
            raise TypeError(f"hypotheses: expected a ModelClass or a ValueClass, got {type(self.hypotheses).__name__}")
        validate.real("delta", self.delta, 0, 1, open_ends=True)
        if self.eta is not None:
            validate.real("eta", self.eta, 0, math.inf, open_ends=True)

    @property
    def variant(self) -> str:
        """What the class consists of: "model-based" or "model-free"."""
        return "model-based" if isinstance(self.hypotheses, ModelClass) else "model-free"

    @abc.abstractmethod
    def constants(self, problem: Any, n: int) -> Constants:
        """Return the constants (c, beta, d, b) of the theorem on an instance, for a horizon of n episodes."""

    def _own_state(self, problem: Any, n: int, rng: np.random.Generator) -> State:
        constants = self.constants(problem, n)
        return {
            "eta": np.array(constants.eta(n) if self.eta is None else float(self.eta)),
            "c": np.array(constants.c),
            "horizon": np.array(n),
            "episode": np.zeros(1, np.int64),
            "cumulative_regret": np.zeros(1),
            "rng": rng,
        }
