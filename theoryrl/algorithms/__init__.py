"""Learning algorithms, exactly as their papers state them."""

from theoryrl.algorithms.cascading import AdaptVI, CascadingBPI, CascadingVI, CascadingVIBonus, CascadingVIOracle, GreedyCascade, MyopicCascade
from theoryrl.algorithms.run import Algorithm, Run, geometric_checkpoints, iterate_runs, run_many

__all__ = [
    "AdaptVI",
    "Algorithm",
    "CascadingBPI",
    "CascadingVI",
    "CascadingVIBonus",
    "CascadingVIOracle",
    "GreedyCascade",
    "MyopicCascade",
    "Run",
    "geometric_checkpoints",
    "iterate_runs",
    "run_many",
]
