"""Inequalities that several proofs share; the traces of runs need them too, so that they live on the floor `estimation`."""

from theoryrl.estimation.supermartingale import best_supermartingale_bound, supermartingale_bound

__all__ = ["best_supermartingale_bound", "supermartingale_bound"]
