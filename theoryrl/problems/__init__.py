"""What is to be learned: immutable, validated instances that know their exact solution."""

from theoryrl.problems.cascading import CascadingMDP
from theoryrl.problems.groupwise import ClassStream, ExpertStream, GroupStream, PathStream, RegressionStream
from theoryrl.problems.problem import Problem

__all__ = ["CascadingMDP", "ClassStream", "ExpertStream", "GroupStream", "PathStream", "Problem", "RegressionStream"]
