"""What a trace adds for the proofs of the pairings: the first samples of each pair, and how far they are from the true laws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from theoryrl.algorithms.gosprl.rules import PairingRule
from theoryrl.estimation.transitions import entry_variance_deviation
from theoryrl.problems.continuing import ContinuingMDP

if TYPE_CHECKING:
    from theoryrl.algorithms.gosprl.gosprl import GOSPRL


def measure(algorithm: GOSPRL, problem: ContinuingMDP, state: Any) -> dict[str, Any]:
    """Return the curves that the pairings' proofs read; none unless the requirement is a rule of the library.

    `first_samples` (S, A, S): transition counts of the first samples of each pair, as many as are demanded.
    `l1_errors` (L,): the largest L1 distance of the estimates from the true laws that pairs had at each level of the rule; `entry_errors` (L,):
    the largest x that Bernstein's inequality for each entry needs (`entry_variance_deviation`); -1 where no pair has been there.
    `foreign_samples`: by how much a count of the first samples exceeds what the trace saw, or how many of them are missing: 0.
    """
    if not isinstance(algorithm.requirement, PairingRule):
        return {}
    S, levels = problem.n_states, state["levels"]
    laws, first = problem.transition.reshape(-1, S), algorithm.output(problem, state).reshape(-1, S)
    l1, entries = np.full(len(levels), -1.0), np.full(len(levels), -1.0)
    for level in range(int(state["reached"].max())):
        there = np.flatnonzero(state["reached"] > level)
        N, n = state["snapshots"][level, there], levels[level, there][:, None]
        l1[level] = np.abs(N / n - laws[there]).sum(axis=1).max()
        entries[level] = max(entry_variance_deviation(levels[level, row], counts, laws[row]) for row, counts in zip(there, N, strict=True))
    wanted = np.minimum(state["true_visits"], state["demand"])
    foreign = max((first - state["true_next"]).max(), np.abs(first.sum(axis=1) - wanted).max())
    return {"first_samples": first.reshape(S, -1, S), "l1_errors": l1, "entry_errors": entries, "foreign_samples": foreign}
