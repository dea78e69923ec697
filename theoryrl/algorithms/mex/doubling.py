"""MEX without knowing K: epochs of doubling length, each a run of its own with data dropped in between."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from theoryrl.algorithms.mex.finite import MEX
from theoryrl.algorithms.mex.game import MEXMG
from theoryrl.algorithms.mex.tabular import MEXTabular
from theoryrl.algorithms.run import Algorithm, State, Trace

EPOCHS = 54  # 2^53 steps are more than any run has


@dataclasses.dataclass(frozen=True, repr=False)
class DoublingMEX(Algorithm):
    r"""MEX for an unknown horizon: epoch i = 0, 1, ... has :math:`2^i` episodes and :math:`\delta_i = \frac{6}{\pi^2} \delta / (i + 1)^2`.

    Parameters
    ----------
    algorithm : MEX, MEXTabular or MEXMG
        What every epoch runs afresh; its `delta` is that of all epochs together, its `eta` must be the theory's (None).

    Raises
    ------
    TypeError, ValueError
        If `algorithm` is another learner, or has an eta of its own.
    """

    algorithm: Any

    unit = "episodes"
    anytime = True

    def __post_init__(self) -> None:
        if not isinstance(self.algorithm, (MEX, MEXTabular, MEXMG)):
            raise TypeError(f"algorithm: expected a MEX, MEXTabular or MEXMG, got {type(self.algorithm).__name__}")
        if self.algorithm.eta is not None:
            raise ValueError(f"algorithm: expected eta=None (the theory's eta of each epoch), got eta={self.algorithm.eta}")

    def __repr__(self) -> str:
        return f"DoublingMEX({self.algorithm!r})"

    def epoch(self, i: int) -> Any:
        """Return the algorithm of epoch i, with its delta."""
        return dataclasses.replace(self.algorithm, delta=6 / math.pi**2 * self.algorithm.delta / (i + 1) ** 2)

    def start(self, problem: Any, n: int, rng: np.random.Generator) -> State:
        """Return the state before the first episode."""
        return {"progress": np.zeros(2, np.int64), "curves": {}, "inner": self.epoch(0).start(problem, 1, rng)}

    def advance(self, problem: Any, state: State, k: int, trace: Trace) -> int:
        """Play `k` episodes, over as many epochs as they take; raw arrays of a trace are those of the current epoch."""
        progress = state["progress"]  # epoch, episodes done in it
        left = k
        while left > 0:
            if progress[1] == 2 ** int(progress[0]):
                state["curves"] = self._curves(problem, state, trace)
                progress[:] = progress[0] + 1, 0
                state["inner"] = self.epoch(int(progress[0])).start(problem, 2 ** int(progress[0]), state["inner"]["rng"])
            steps = min(left, 2 ** int(progress[0]) - int(progress[1]))
            self.epoch(int(progress[0])).advance(problem, state["inner"], steps, trace)
            progress[1] += steps
            left -= steps
        return k

    def measure(self, problem: Any, state: State, trace: Trace) -> dict[str, Any]:
        """Return the regret and, if traced, the curves of every epoch, with a trailing axis of epochs."""
        curves = self._curves(problem, state, trace)
        regret = 0.0
        for value in curves["regret"]:
            regret += float(value)
        if not trace:
            return {"regret": regret}
        return {"regret": regret} | {f"epoch_{name}": curve for name, curve in curves.items()}

    def _curves(self, problem: Any, state: State, trace: Trace) -> dict[str, np.ndarray]:
        """Return every curve of the epochs, (EPOCHS, ...) arrays, with the current epoch measured."""
        i = int(state["progress"][0])
        row = self.epoch(i).measure(problem, state["inner"], trace) | {"steps": int(state["progress"][1])}
        found = {name: np.array(state["curves"].get(name, np.zeros((EPOCHS, *np.shape(value))))) for name, value in row.items()}
        for name, value in row.items():
            found[name][i] = value
        return found
