"""What the finite-horizon learners share: the true world as kernels see it, checks of the problem, and raw transitions."""

from __future__ import annotations

from typing import Any

import numpy as np

from theoryrl.algorithms.run import Algorithm, State, Trace
from theoryrl.jit import kernel, record
from theoryrl.problems.episodic import EpisodicMDP

EPISODE, SWITCHES = range(2)  # entries of `progress`: episodes played, changes of the executed policy

World = record(__name__, "World", "P r cumulative V_star start")
Steps = record(__name__, "Steps", "raw_states raw_actions raw_next")


class EpisodicLearner(Algorithm):
    """Base of the learners that play a greedy policy of a table in each episode; its state has `policy` (H, S) and the true values `V_pi`."""

    unit = "episodes"

    def output(self, problem: EpisodicMDP, state: State) -> np.ndarray:
        """Return the last policy, an (H, S) array of actions."""
        return np.array(state["policy"])

    def measure(self, problem: EpisodicMDP, state: State, trace: Trace) -> dict[str, Any]:
        """Return the regret, the value of the last executed policy, and how often it changed."""
        return {
            "regret": state["cumulative_regret"][0],
            "policy_value": state["V_pi"][0, problem.start],
            "switches": state["progress"][SWITCHES],
        }


def check_problem(problem: Any) -> None:
    """Raise unless `problem` is an EpisodicMDP."""
    if not isinstance(problem, EpisodicMDP):
        raise TypeError(f"problem: expected an EpisodicMDP, got {type(problem).__name__}")


def pooling_witness(problem: EpisodicMDP) -> str:
    """Return two stages with different rows, counted from one, or "" if the laws are the same at every stage."""
    h = problem.stage_change
    if h is None:
        return ""
    s, a = np.argwhere(np.any(problem.stage_transition[h] != problem.stage_transition[0], axis=-1))[0]
    rows = (np.array2string(problem.stage_transition[i, s, a], precision=4, threshold=6) for i in (0, h))
    return "the row of (s, a) = ({}, {}) is {} at stage 1 and {} at stage {}; use counts='stage'".format(s, a, *rows, h + 1)


def check_pooling(problem: EpisodicMDP, counts: str) -> None:
    """Raise if counts that are pooled over the stages would mix different laws."""
    if counts == "pooled" and (witness := pooling_witness(problem)):
        raise ValueError(f"counts: pooled counts need the same transition at every stage, but {witness}")


def known_world(problem: EpisodicMDP) -> Any:
    """Return the true arrays, from which outcomes are drawn and regret is computed."""
    return World(problem.next_first, problem.reward_rows, problem.cumulative, problem.optimal_values, problem.start)


def own_state(n: int, rng: np.random.Generator) -> dict[str, Any]:
    """Return the entries of the state that do not depend on the learner."""
    return {"progress": np.zeros(2, np.int64), "cumulative_regret": np.zeros(1), "horizon": np.array(n), "rng": rng}


def no_raw(problem: EpisodicMDP, **others: tuple[int, ...]) -> dict[str, Any]:
    """Return empty raw arrays: states, actions, next states, and float arrays of the given shapes per episode."""
    steps = {name: np.zeros((0, problem.horizon), np.int64) for name in Steps._fields}
    return steps | {name: np.zeros((0, *shape)) for name, shape in others.items()}


def allocate_raw(state: dict[str, Any], k: int) -> None:
    """Make room for the raw transitions of all episodes of the horizon, or of `k` more beyond it; unplayed ones are -1."""
    rows = max(int(state["horizon"]), int(state["progress"][EPISODE]) + k)
    for name, have in state.items():
        if name.startswith("raw_") and len(have) < rows:
            state[name] = np.concatenate([have, np.full((rows - len(have), *have.shape[1:]), -1, have.dtype)])


@kernel
def record_raw(states: Any, actions: Any, following: Any, episode: int, h: int, s: int, a: int, s_next: int) -> None:
    """Keep one raw transition."""
    states[episode, h] = s
    actions[episode, h] = a
    following[episode, h] = s_next


@kernel
def note_visit(stack: Any, pair: int) -> None:
    """Push a pair on the stack of those visited in the episode (its height last), once."""
    last = stack.shape[0] - 1
    for t in range(stack[last]):
        if stack[t] == pair:
            return
    stack[stack[last]] = pair
    stack[last] += 1
