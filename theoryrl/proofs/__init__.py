"""Theorems that can be evaluated on a run, and certificates over many seeds."""

from theoryrl.proofs.baselines import (
    psrl_bound,
    q_learning_bound,
    theorem_psrl,
    theorem_q_learning,
    theorem_ucbvi_bernstein,
    theorem_ucbvi_hoeffding,
    theorem_ucrl2,
    ucbvi_bound,
    ucbvi_printed_bound,
    ucrl2_bound,
    ucrl2_printed_bound,
)
from theoryrl.proofs.cascading import bpi_bound, regret_bound, theorem_a, theorem_b
from theoryrl.proofs.certify import Certificate, certify
from theoryrl.proofs.groupwise import (
    bound_per_group,
    regret_per_group,
    theorem_anh_pairs,
    theorem_blum_lykouris,
    theorem_combined,
    theorem_minimax,
    theorem_specialist,
)
from theoryrl.proofs.mex import theorem_doubling, theorem_mex, theorem_mex_game, theorem_mex_tabular, theorem_mex_tabular_models
from theoryrl.proofs.theorem import Assumption, Event, Line, Proof, Theorem, nonvacuous_n, registry, theorem, theorem_for

__all__ = [
    "Assumption",
    "Certificate",
    "Event",
    "Line",
    "Proof",
    "Theorem",
    "bound_per_group",
    "bpi_bound",
    "certify",
    "nonvacuous_n",
    "psrl_bound",
    "q_learning_bound",
    "registry",
    "regret_bound",
    "regret_per_group",
    "theorem",
    "theorem_a",
    "theorem_anh_pairs",
    "theorem_b",
    "theorem_blum_lykouris",
    "theorem_combined",
    "theorem_doubling",
    "theorem_for",
    "theorem_mex",
    "theorem_mex_game",
    "theorem_mex_tabular",
    "theorem_mex_tabular_models",
    "theorem_minimax",
    "theorem_psrl",
    "theorem_q_learning",
    "theorem_specialist",
    "theorem_ucbvi_bernstein",
    "theorem_ucbvi_hoeffding",
    "theorem_ucrl2",
    "ucbvi_bound",
    "ucbvi_printed_bound",
    "ucrl2_bound",
    "ucrl2_printed_bound",
]
