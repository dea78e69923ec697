"""What is to be learned: immutable, validated instances that know their exact solution."""

from theoryrl.problems.cascading import CascadingMDP
from theoryrl.problems.problem import Problem

__all__ = ["CascadingMDP", "Problem"]
