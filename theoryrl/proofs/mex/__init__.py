"""The regret theorems of MEX."""

from theoryrl.proofs.mex.doubling import theorem_doubling
from theoryrl.proofs.mex.finite import theorem_mex
from theoryrl.proofs.mex.game import theorem_mex_game
from theoryrl.proofs.mex.tabular import theorem_mex_tabular, theorem_mex_tabular_models

__all__ = ["theorem_doubling", "theorem_mex", "theorem_mex_game", "theorem_mex_tabular", "theorem_mex_tabular_models"]
