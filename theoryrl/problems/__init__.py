"""What is to be learned: immutable, validated instances that know their exact solution, and the classes of hypotheses about them."""

from theoryrl.problems.cascading import CascadingMDP
from theoryrl.problems.continuing import ContinuingMDP
from theoryrl.problems.episodic import EpisodicMDP
from theoryrl.problems.groupwise import ClassStream, ExpertStream, GroupStream, PathStream, RegressionStream
from theoryrl.problems.hypotheses import ModelClass, ValueClass
from theoryrl.problems.interchange import GymnasiumMDP, from_gymnasium, to_gymnasium
from theoryrl.problems.markov_game import MarkovGame
from theoryrl.problems.problem import Problem

__all__ = [
    "CascadingMDP",
    "ClassStream",
    "ContinuingMDP",
    "EpisodicMDP",
    "ExpertStream",
    "GroupStream",
    "GymnasiumMDP",
    "MarkovGame",
    "ModelClass",
    "PathStream",
    "Problem",
    "RegressionStream",
    "ValueClass",
    "from_gymnasium",
    "to_gymnasium",
]
