"""Exact solvers as kernels over plain arrays."""

from theoryrl.planning.best_perm import BestList, all_lists, best_perm, best_perm_box

__all__ = ["BestList", "all_lists", "best_perm", "best_perm_box"]
