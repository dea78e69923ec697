"""Peers of GOSPRL: random actions, an oracle that knows the model, and what all peers share.

J. Tarbouriech et al., NeurIPS 2021, compare with random policies; the details are decided here.  No peer has a theorem.
"""

from __future__ import annotations

import abc
import dataclasses
from typing import Any, ClassVar

import numpy as np

from theoryrl import validate
from theoryrl.algorithms.gosprl import requirements
from theoryrl.algorithms.run import Algorithm, State, Trace
from theoryrl.jit import kernel
from theoryrl.planning.shortest_path import goal_times
from theoryrl.problems.continuing import ContinuingMDP

CLOCK, PLACE, PLANS, LEFT, HIT, UNMET = range(6)
"""Entries of `progress`: steps done, the state, plans made, steps left of the plan, whether a limit has been reached, unmet pairs (-1: none is wanted)."""

ENDLESS = 2**62
NEVER = -1


@kernel
def walk(cumulative: Any, following: Any, transitions: Any, visits: Any, limit: Any, policy: Any, progress: Any, rng: Any, k: int) -> int:
    """Make at most `k` steps of the plan and return their number: the last is that at which a pair's visits reach their limit.

    Parameters
    ----------
    cumulative, following : (S A, W) arrays
        `Outcomes` of the problem.
    transitions : (S A, S) int64 array; visits, limit : (S A,) int64 arrays
    policy : (S,) int64 array
        What is played; -1 stands for a random action.
    progress : int64 array
    """
    S = transitions.shape[1]
    A = visits.shape[0] // S
    s = progress[PLACE]
    most = min(k, progress[LEFT])
    moved = 0
    while moved < most and progress[HIT] == 0:
        a = policy[s]
        if a < 0:
            a = int(A * rng.random())
        row = s * A + a
        uniform = rng.random()
        j = 0
        while uniform >= cumulative[row, j]:
            j += 1
        s = following[row, j]
        transitions[row, s] += 1
        visits[row] += 1
        moved += 1
        if visits[row] == limit[row]:
            progress[HIT] = 1
    progress[PLACE] = s
    progress[CLOCK] += moved
    progress[LEFT] -= moved
    return moved


class Walker(Algorithm):
    """Base of the peers: walk by a plan until it ends.  A subclass writes `plan`."""

    unit = "steps"
    anytime = True
    replans_at_limits: ClassVar[bool] = True
    """Whether a plan ends when a pair's visits reach their limit."""

    @abc.abstractmethod
    def plan(self, problem: ContinuingMDP, state: State) -> int:
        """Fill the `policy` in `state`, and the `limit` where it moves; return for how many steps they stand."""

    def start(self, problem: ContinuingMDP, n: int, rng: np.random.Generator) -> State:
        """Return the state before the first step."""
        if not isinstance(problem, ContinuingMDP):
            raise TypeError(f"problem: expected a ContinuingMDP, got {type(problem).__name__}")
        problem.require_communicating(type(self).__name__)
        S, pairs = problem.n_states, problem.n_states * problem.n_actions
        counts = {"transitions": np.zeros((pairs, S), np.int64), "visits": np.zeros(pairs, np.int64), "limit": np.full(pairs, NEVER)}
        return counts | {"policy": np.full(S, -1), "progress": np.array([0, problem.start, 0, 0, 0, -1]), "rng": rng}

    def advance(self, problem: ContinuingMDP, state: State, k: int, trace: Trace) -> int:
        """Make `k` steps, fewer if all is met; there is nothing to trace."""
        progress, done = state["progress"], 0
        transitions, visits, limit, policy = (state[name] for name in ("transitions", "visits", "limit", "policy"))
        cumulative, following, _ = problem.outcomes
        while done < k and progress[UNMET] != 0:
            if progress[LEFT] == 0:
                progress[LEFT] = self.plan(problem, state)
            done += walk(cumulative, following, transitions, visits, limit, policy, progress, state["rng"], k - done)
            if progress[HIT] == 1:
                progress[HIT] = 0
                if progress[UNMET] > 0:
                    progress[UNMET] = (visits < state["demand"]).sum()
                if self.replans_at_limits:
                    progress[LEFT] = 0
        return done

    def output(self, problem: ContinuingMDP, state: State) -> np.ndarray:
        """Return the transition counts (S, A, S) of all samples."""
        return state["transitions"].reshape(problem.n_states, problem.n_actions, -1).copy()


@dataclasses.dataclass(frozen=True, repr=False)
class Collector(Walker):
    """Base of the peers that collect what is required; they stop when it is met."""

    requirement: Any

    def __post_init__(self) -> None:
        requirement = requirements.parse(self.requirement)
        if not isinstance(requirement, (int, tuple)):
            raise TypeError(f"requirement: expected a number or an (S, A) array, got the rule {requirement!r}")
        object.__setattr__(self, "requirement", requirement)

    def __repr__(self) -> str:
        return requirements.shorten(super().__repr__(), self.requirement)

    def start(self, problem: ContinuingMDP, n: int, rng: np.random.Generator) -> State:
        """Return the state before the first step."""
        state = super().start(problem, n, rng)
        state["demand"] = requirements.fixed_demand(self.requirement, problem).reshape(-1)
        state["limit"][:] = state["demand"]
        state["progress"][UNMET] = (state["demand"] > 0).sum()
        return state

    def measure(self, problem: ContinuingMDP, state: State, trace: Trace) -> dict[str, Any]:
        """Return the steps that brought no wanted sample, the plans made, and what is missing."""
        progress, missing = state["progress"], np.maximum(state["demand"] - state["visits"], 0)
        travel = progress[CLOCK] - (state["demand"] - missing).sum()
        return {"travel": travel, "plans": progress[PLANS], "missing": missing.sum(dtype=float), "met": (missing == 0).mean()}

    def remark(self, problem: ContinuingMDP, state: State) -> str:
        """Say what is missing."""
        return requirements.missing(state["demand"] - state["visits"], problem.n_actions)


@dataclasses.dataclass(frozen=True, repr=False)
class UniformCollection(Collector):
    """Collect by uniformly random actions, everywhere and always.

    Parameters
    ----------
    requirement : int or (S, A) array of int
        Samples wanted of each pair; a number stands for all pairs.

    Raises
    ------
    ValueError, TypeError
        If it is out of range or a rule, and at the start of a run on an MDP that is not communicating or does not fit it.
    """

    replans_at_limits = False

    def plan(self, problem: ContinuingMDP, state: State) -> int:
        """Keep to random actions."""
        return ENDLESS


@dataclasses.dataclass(frozen=True, repr=False)
class OracleCollection(Collector):
    """Collect as GOSPRL does, but knowing the model: travel to the unmet states in the least expected time.

    In an unmet state it plays the first unmet action.  Going to the nearest unmet state is no optimal tour, so that others
    may take less time.

    Parameters
    ----------
    requirement : int or (S, A) array of int
        Samples wanted of each pair; a number stands for all pairs.

    Raises
    ------
    ValueError, TypeError
        If it is out of range or a rule, and at the start of a run on an MDP that is not communicating or does not fit it.
    """

    def start(self, problem: ContinuingMDP, n: int, rng: np.random.Generator) -> State:
        """Return the state before the first step."""
        return super().start(problem, n, rng) | {"values": np.zeros(problem.n_states), "goal": np.zeros(problem.n_states, bool)}

    def plan(self, problem: ContinuingMDP, state: State) -> int:
        """Plan anew if a state has been met, and play the unmet actions of the others."""
        unmet = (state["visits"] < state["demand"]).reshape(problem.n_states, -1)
        goal = unmet.any(axis=1)
        if not np.array_equal(goal, state["goal"]):
            state["values"][:], state["policy"][:] = goal_times(problem.transition, goal)
            state["goal"][:] = goal
            state["progress"][PLANS] += 1
        state["policy"][goal] = unmet[goal].argmax(axis=1)
        return ENDLESS


def model_error(N: Any, P: Any) -> float:
    """Return the largest L1 distance of a pair's frequencies from its law; it is 2 for a pair without samples.

    Parameters
    ----------
    N : (S, A, S) int array
        Transition counts.
    P : (S, A, S) array
        The true laws.

    Raises
    ------
    ValueError, TypeError
        If `P` holds no laws, or `N` no counts of the same shape.
    """
    P = validate.distributions("P", P, (None, None, None))
    N = validate.integer_array("N", N, P.shape, 0, 2**53)
    n = N.sum(axis=-1)
    return float(np.abs(N / n[..., None] - P).sum(axis=-1).max()) if n.all() else 2.0
