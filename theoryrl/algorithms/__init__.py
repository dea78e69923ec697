"""Learning algorithms, exactly as their papers state them."""

from theoryrl.algorithms.run import Algorithm, Run, geometric_checkpoints, iterate_runs, run_many

__all__ = ["Algorithm", "Run", "geometric_checkpoints", "iterate_runs", "run_many"]
