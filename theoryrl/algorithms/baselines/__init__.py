"""What several papers compare with: UCBVI, optimistic Q-learning, posterior sampling, UCRL2, and controls without a theorem."""

from theoryrl.algorithms.baselines.controls import EpsGreedyModel, EpsGreedyQLearning, OptimisticFirstVisit, SimplifiedUCBVI
from theoryrl.algorithms.baselines.psrl import PSRL, posterior_models
from theoryrl.algorithms.baselines.q_learning import OptimisticQLearning
from theoryrl.algorithms.baselines.ucbvi import UCBVI
from theoryrl.algorithms.baselines.ucrl2 import UCRL2

__all__ = [
    "PSRL",
    "UCBVI",
    "UCRL2",
    "EpsGreedyModel",
    "EpsGreedyQLearning",
    "OptimisticFirstVisit",
    "OptimisticQLearning",
    "SimplifiedUCBVI",
    "posterior_models",
]
