"""What several proofs share; the inequalities that traces need too are on the floor `estimation`."""

from __future__ import annotations

from typing import Any

import numpy as np

from theoryrl.problems.episodic import EpisodicMDP
from theoryrl.problems.markov_game import MarkovGame
from theoryrl.proofs.theorem import Line


def largest_regret(problem: EpisodicMDP, k: Any) -> np.ndarray:
    """Return the regret of the worst policy after each number of episodes in `k`."""
    regret: np.ndarray = np.asarray(k) * (problem.optimal_value - problem.worst_value)
    return regret


def operations(problem: EpisodicMDP | MarkovGame) -> float:
    """Return what one evaluated plan counts for in round-off: its products, times the largest value, whose ulp is what is left when values cancel."""
    return problem.horizon * (problem.n_states + 2) * max(1.0, float(problem.value_caps[0]))


def less_than_zero(label: str, value: np.ndarray, terms: np.ndarray, on: str = "") -> list[Line]:
    """Return a side condition: a running maximum that is at most zero, surely or on an event."""
    first = Line("C0", label, value, on=on, terms=terms) if on else Line("C0", label, value, "surely", terms=terms)
    return [first, Line("C1", "zero", np.zeros(len(value)))]
