"""Maximize to Explore (MEX): over finite classes, over the full tabular class, for Markov games, and without knowing K."""

from theoryrl.algorithms.mex.branch_and_bound import branch_and_bound
from theoryrl.algorithms.mex.doubling import DoublingMEX
from theoryrl.algorithms.mex.empirical import TabularSolution
from theoryrl.algorithms.mex.finite import MEX
from theoryrl.algorithms.mex.game import MEXMG
from theoryrl.algorithms.mex.linear import LinearValue, linear_statistics, linear_value
from theoryrl.algorithms.mex.local_search import local_search
from theoryrl.algorithms.mex.policy_form import enumerate_policies, policy_value
from theoryrl.algorithms.mex.tabular import MEXTabular
from theoryrl.algorithms.mex.tabular_models import optimistic_model

__all__ = [
    "MEX",
    "MEXMG",
    "DoublingMEX",
    "LinearValue",
    "MEXTabular",
    "TabularSolution",
    "branch_and_bound",
    "enumerate_policies",
    "linear_statistics",
    "linear_value",
    "local_search",
    "optimistic_model",
    "policy_value",
]
