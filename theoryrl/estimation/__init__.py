"""What is known after n samples: counts, deviations, confidence radii."""

from theoryrl.estimation.bernoulli import bernoulli_deviation, bernoulli_kl, bernstein_radius, hoeffding_radius, kl_lower, kl_upper
from theoryrl.estimation.supermartingale import best_supermartingale_bound, supermartingale_bound
from theoryrl.estimation.transitions import (
    bernstein_deviation,
    bernstein_interval,
    entry_deviation,
    entry_variance_deviation,
    hoeffding_deviation,
    l1_deviation,
    l1_radius,
)

__all__ = [
    "bernoulli_deviation",
    "bernoulli_kl",
    "bernstein_deviation",
    "bernstein_interval",
    "bernstein_radius",
    "best_supermartingale_bound",
    "entry_deviation",
    "entry_variance_deviation",
    "hoeffding_deviation",
    "hoeffding_radius",
    "kl_lower",
    "kl_upper",
    "l1_deviation",
    "l1_radius",
    "supermartingale_bound",
]
