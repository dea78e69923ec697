"""Maximize to Explore (MEX): over finite classes, over the full tabular class, for Markov games, and without knowing K."""

from theoryrl.algorithms.mex.doubling import DoublingMEX
from theoryrl.algorithms.mex.finite import MEX
from theoryrl.algorithms.mex.game import MEXMG
from theoryrl.algorithms.mex.tabular import MEXTabular

__all__ = ["MEX", "MEXMG", "DoublingMEX", "MEXTabular"]
