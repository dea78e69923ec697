"""Theorems that can be evaluated on a run, and certificates over many seeds."""

from theoryrl.proofs.cascading import bpi_bound, regret_bound, theorem_a, theorem_b
from theoryrl.proofs.certify import Certificate, certify
from theoryrl.proofs.theorem import Assumption, Event, Line, Proof, Theorem, nonvacuous_n, registry, theorem, theorem_for

__all__ = [
    "Assumption",
    "Certificate",
    "Event",
    "Line",
    "Proof",
    "Theorem",
    "bpi_bound",
    "certify",
    "nonvacuous_n",
    "registry",
    "regret_bound",
    "theorem",
    "theorem_a",
    "theorem_b",
    "theorem_for",
]
