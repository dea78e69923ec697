"""Theorems about the learners that several papers compare with, in explicit form."""

from theoryrl.proofs.baselines.psrl import psrl_bound, theorem_psrl
from theoryrl.proofs.baselines.q_learning import q_learning_bound, theorem_q_learning
from theoryrl.proofs.baselines.ucbvi import theorem_ucbvi_bernstein, theorem_ucbvi_hoeffding, ucbvi_bound, ucbvi_printed_bound
from theoryrl.proofs.baselines.ucrl2 import theorem_ucrl2, ucrl2_bound, ucrl2_printed_bound

__all__ = [
    "psrl_bound",
    "q_learning_bound",
    "theorem_psrl",
    "theorem_q_learning",
    "theorem_ucbvi_bernstein",
    "theorem_ucbvi_hoeffding",
    "theorem_ucrl2",
    "ucbvi_bound",
    "ucbvi_printed_bound",
    "ucrl2_bound",
    "ucrl2_printed_bound",
]
