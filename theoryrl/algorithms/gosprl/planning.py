r"""GOSPRL's planning: confidence sets from counts, and optimistic times to the unmet states (constants derived here).

After n >= 1 samples of a pair, with the failure probability :math:`\delta_m` of the model event:

- `l1` (Weissman et al., 2003): :math:`\|\tilde P - \hat P\|_1 \le \sqrt{2 \ell / n}`, :math:`\ell = S \ln 2 + \ln(S A n (n + 1) / \delta_m)`;
- `bernstein`: :math:`|\hat P - \tilde P|(s') \le \sqrt{2 \tilde P (1 - \tilde P) \iota / n} + \iota / (3n)` for every s',
  :math:`\iota = \ln(2 S^2 A n (n + 1) / \delta_m)`;
- `both`: both, each with :math:`\delta_m / 2`.

Of a pair without samples nothing is known.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from theoryrl import validate
from theoryrl.estimation.transitions import bernstein_interval
from theoryrl.jit import kernel, record
from theoryrl.planning.optimistic import Sets, optimistic_times

CONFIDENCE = ("l1", "bernstein", "both")

Settings = record(__name__, "Settings", "balls boxes ell iota factor precision always asked")
"""Which sets are used, the log terms ell and iota at n (n + 1) = 1 and their factor, and how GOSPRL goes on (`gosprl.py`)."""

Scratch = record(__name__, "Scratch", "sets order v_next means")


@kernel
def l1_half_radius(n: int, ell: float) -> float:
    """Return half of the L1 radius after n >= 1 samples."""
    return math.sqrt((ell + math.log(n * (n + 1.0))) / (2 * n))


@kernel
def make_sets(transitions: Any, visits: Any, goal: Any, settings: Any, sets: Any) -> None:
    """Fill `sets` for all actions of the states that are no goals."""
    S = goal.shape[0]
    A, row = visits.shape[0] // S, 0
    for s in range(S):
        if goal[s] == 0:
            for pair in range(s * A, s * A + A):
                n = visits[pair]
                sets.half[row], sets.room[row] = 1.0, 1.0
                if settings.balls:
                    if n > 0:
                        sets.half[row] = math.sqrt(settings.factor) * l1_half_radius(n, settings.ell)
                    for s2 in range(S):
                        p = transitions[pair, s2] / n if n > 0 else 0.0
                        sets.p[row, s2], sets.p_next_first[s2, row] = p, p
                if settings.boxes:
                    for s2 in range(S):
                        low, high = 0.0, 1.0
                        if n > 0:
                            low, high = bernstein_interval(transitions[pair, s2] / n, settings.factor * (settings.iota + math.log(n * (n + 1.0))) / n)
                        sets.low_next_first[s2, row], sets.width[row, s2] = low, high - low
                        sets.room[row] -= low
                row += 1


@kernel
def make_plan(transitions: Any, visits: Any, goal: Any, settings: Any, scratch: Any, values: Any, policy: Any, least: Any) -> int:
    """Line 2c: EVI-SSP at the present counts; return the number of sweeps, or -1."""
    make_sets(transitions, visits, goal, settings, scratch.sets)
    return optimistic_times(
        goal, scratch.sets, settings.balls, settings.boxes, settings.precision, values, policy, least, scratch.order, scratch.v_next, scratch.means
    )


def planning_settings(
    S: int, A: int, delta_m: float, confidence: str, precision: float, scale: float = 1.0, always: bool = False, asked: bool = False
) -> Any:  # fmt: skip
    """Return the kernels' constants."""
    share = delta_m / 2 if confidence == "both" else delta_m
    return Settings(
        balls=confidence != "bernstein", boxes=confidence != "l1", ell=S * math.log(2) + math.log(S * A / share), iota=math.log(2 * S * S * A / share),
        factor=scale * scale, precision=precision, always=always, asked=asked,
    )  # fmt: skip


def planning_scratch(S: int, A: int) -> Any:
    """Return the kernels' working memory."""
    pairs = S * A
    sets = Sets(
        p=np.zeros((pairs, S)), p_next_first=np.zeros((S, pairs)), half=np.zeros(pairs), width=np.zeros((pairs, S)), low_next_first=np.zeros((S, pairs)),
        room=np.zeros(pairs),
    )  # fmt: skip
    return Scratch(sets=sets, order=np.zeros(S, np.int64), v_next=np.zeros(S), means=np.zeros((2, pairs)))


class ExtendedPlan(NamedTuple):
    """What extended value iteration returns: `values` (S,), the greedy `policy` (S,), their `least` expectations (S,), and the number of `sweeps`."""

    values: np.ndarray
    policy: np.ndarray
    least: np.ndarray
    sweeps: int


def extended_value_iteration(N: Any, goal: Any, delta_m: float, confidence: str = "l1", precision: float = 0.02) -> ExtendedPlan:
    """Return optimistic times to the goals, at given counts.

    Parameters
    ----------
    N : (S, A, S) int array
        Transition counts.
    goal : (S,) bool array
        Which states are goals, at least one.
    delta_m : float in (0, 1)
        Failure probability of the sets, over all pairs and numbers of samples.
    confidence : {"l1", "bernstein", "both"}
    precision : float in (0, 1)
        Stop when no value grows by more in a sweep.

    Raises
    ------
    ValueError, TypeError
        On a bad argument; the message names it.
    RuntimeError
        If 10^6 sweeps were not enough.
    """
    N = np.array(validate.integer_array("N", N, (None, None, None), 0, 2**53))
    S, A = N.shape[:2]
    validate.check_shape("N", N, (S, A, S))
    goal = validate.integer_array("goal", goal, (S,), 0, 1).astype(np.int8)
    if not goal.any():
        raise ValueError("goal: expected at least one state")
    validate.real("delta_m", delta_m, 0, 1, open_ends=True)
    validate.one_of("confidence", confidence, CONFIDENCE)
    validate.real("precision", precision, 0, 1, open_ends=True)
    values, policy, least = np.zeros(S), np.zeros(S, np.int64), np.zeros(S)
    settings, scratch = planning_settings(S, A, delta_m, confidence, precision), planning_scratch(S, A)
    sweeps = make_plan(N.reshape(S * A, S), N.sum(axis=-1).reshape(-1), goal, settings, scratch, values, policy, least)
    check_sweeps(sweeps)
    return ExtendedPlan(values, policy, least, int(sweeps))


def check_sweeps(sweeps: int) -> None:
    """Raise a RuntimeError if a plan did not end."""
    if sweeps < 0:
        raise RuntimeError("extended value iteration did not end within 10^6 sweeps: the optimistic times are beyond what it can reach")


def l1_radius(n: int, S: int, A: int, delta_m: float) -> float:
    """Return the L1 radius of a pair's set after `n` >= 1 samples."""
    n = validate.integer("n", n, 1, 2**53)
    return 2 * l1_half_radius(n, planning_settings(S, A, validate.real("delta_m", delta_m, 0, 1, open_ends=True), "l1", 0.5).ell)


def bernstein_box(p: Any, n: int, A: int, delta_m: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends (S,) of the intervals of a pair's next states after `n` >= 1 samples with frequencies `p` (S,)."""
    p = validate.distributions("p", p, (None,))
    n = validate.integer("n", n, 1, 2**53)
    iota = planning_settings(len(p), A, validate.real("delta_m", delta_m, 0, 1, open_ends=True), "bernstein", 0.5).iota + math.log(n * (n + 1.0))
    ends = np.array([bernstein_interval(x, iota / n) for x in p])
    return ends[:, 0], ends[:, 1]
