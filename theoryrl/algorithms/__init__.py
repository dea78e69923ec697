"""Learning algorithms, exactly as their papers state them."""

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
from theoryrl.algorithms.run import Algorithm, Run, geometric_checkpoints, iterate_runs, run_many

__all__ = [
    "AdaptVI",
    "Algorithm",
    "AnhPairs",
    "BlumLykouris",
    "CascadingBPI",
    "CascadingVI",
    "CascadingVIBonus",
    "CascadingVIOracle",
    "GreedyCascade",
    "GroupwiseFinite",
    "GroupwisePaths",
    "GroupwiseRegression",
    "MinimaxMW",
    "MyopicCascade",
    "Run",
    "SleepingExperts",
    "geometric_checkpoints",
    "iterate_runs",
    "run_many",
]
