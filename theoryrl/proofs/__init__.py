"""Theorems that can be evaluated on a run, and certificates over many seeds."""

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
    "registry",
    "regret_bound",
    "regret_per_group",
    "theorem",
    "theorem_a",
    "theorem_anh_pairs",
    "theorem_b",
    "theorem_blum_lykouris",
    "theorem_combined",
    "theorem_for",
    "theorem_minimax",
    "theorem_specialist",
]
