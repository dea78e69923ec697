"""The theorems of GOSPRL and of what it collects samples for."""

from theoryrl.proofs.gosprl.core import theorem_gosprl
from theoryrl.proofs.gosprl.pairings import (
    PAIRINGS,
    pairing_time_bound,
    theorem_clipped_goal_free,
    theorem_diameter,
    theorem_discounted,
    theorem_goal_free,
    theorem_goal_free_unknown_diameter,
    theorem_modest,
    theorem_treasure,
)

__all__ = [
    "PAIRINGS",
    "pairing_time_bound",
    "theorem_clipped_goal_free",
    "theorem_diameter",
    "theorem_discounted",
    "theorem_goal_free",
    "theorem_goal_free_unknown_diameter",
    "theorem_gosprl",
    "theorem_modest",
    "theorem_treasure",
]
