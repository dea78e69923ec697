"""Theorems that can be evaluated on a run, and certificates over many seeds."""

from theoryrl.proofs.certify import Certificate, certify
from theoryrl.proofs.theorem import Assumption, Event, Line, Proof, Theorem, registry, theorem, theorem_for

__all__ = ["Assumption", "Certificate", "Event", "Line", "Proof", "Theorem", "certify", "registry", "theorem", "theorem_for"]
