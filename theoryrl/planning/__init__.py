"""Exact solvers as kernels over plain arrays."""

from theoryrl.planning.average_reward import AverageReward, average_reward
from theoryrl.planning.best_perm import BestList, all_lists, best_perm, best_perm_box
from theoryrl.planning.matrix_game import solve_matrix_game
from theoryrl.planning.shortest_path import diameter, hitting_times

__all__ = [
    "AverageReward",
    "BestList",
    "all_lists",
    "average_reward",
    "best_perm",
    "best_perm_box",
    "diameter",
    "hitting_times",
    "solve_matrix_game",
]
