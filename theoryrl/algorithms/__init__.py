"""Learning algorithms, exactly as their papers state them."""

from theoryrl.algorithms.baselines import (
    PSRL,
    UCBVI,
    UCRL2,
    EpsGreedyModel,
    EpsGreedyQLearning,
    OptimisticFirstVisit,
    OptimisticQLearning,
    SimplifiedUCBVI,
)
from theoryrl.algorithms.cascading import AdaptVI, CascadingBPI, CascadingVI, CascadingVIBonus, CascadingVIOracle, GreedyCascade, MyopicCascade
from theoryrl.algorithms.groupwise import (
    AnhPairs,
    BlumLykouris,
    GroupwiseFinite,
    GroupwisePaths,
    GroupwiseRegression,
    MinimaxMW,
    SleepingExperts,
)
from theoryrl.algorithms.mex import MEX, MEXMG, DoublingMEX, MEXTabular
from theoryrl.algorithms.run import Algorithm, Run, geometric_checkpoints, iterate_runs, run_many

__all__ = [
    "MEX",
    "MEXMG",
    "PSRL",
    "UCBVI",
    "UCRL2",
    "AdaptVI",
    "Algorithm",
    "AnhPairs",
    "BlumLykouris",
    "CascadingBPI",
    "CascadingVI",
    "CascadingVIBonus",
    "CascadingVIOracle",
    "DoublingMEX",
    "EpsGreedyModel",
    "EpsGreedyQLearning",
    "GreedyCascade",
    "GroupwiseFinite",
    "GroupwisePaths",
    "GroupwiseRegression",
    "MEXTabular",
    "MinimaxMW",
    "MyopicCascade",
    "OptimisticFirstVisit",
    "OptimisticQLearning",
    "Run",
    "SimplifiedUCBVI",
    "SleepingExperts",
    "geometric_checkpoints",
    "iterate_runs",
    "run_many",
]
