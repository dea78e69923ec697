"""Groupwise regret by sleeping experts: the oracle-efficient reduction, its instances, and the baselines that enumerate.

Source: K. Acharya, E. R. Arunachaleswaran, S. Kannan, A. Roth, J. Ziani, "Oracle Efficient Algorithms for Groupwise Regret",
ICLR 2024 (arXiv 2310.04652), on AdaNormalHedge (H. Luo and R. Schapire, COLT 2015).
"""

from theoryrl.algorithms.groupwise.baselines import AnhPairs, BlumLykouris, MinimaxMW, PairsLearner
from theoryrl.algorithms.groupwise.reduction import (
    GroupwiseFinite,
    GroupwisePaths,
    GroupwiseRegression,
    Prediction,
    Reduction,
    SleepingExperts,
    Stepwise,
)

__all__ = [
    "AnhPairs",
    "BlumLykouris",
    "GroupwiseFinite",
    "GroupwisePaths",
    "GroupwiseRegression",
    "MinimaxMW",
    "PairsLearner",
    "Prediction",
    "Reduction",
    "SleepingExperts",
    "Stepwise",
]
