"""Problems as environments of Gymnasium, with the problem's own law.

This module needs gymnasium, and nothing in theoryrl imports it before `to_gymnasium` is called.
"""

from __future__ import annotations

import itertools
import math
from functools import cached_property
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec

from theoryrl.problems.cascading import CascadingMDP
from theoryrl.problems.continuing import ContinuingMDP
from theoryrl.problems.episodic import EpisodicMDP
from theoryrl.problems.problem import Problem

MOST_LISTS = 10_000

Table = dict[int, dict[int, list[tuple[float, int, float, bool]]]]


class ProblemEnvironment(gymnasium.Env[Any, Any]):
    """What the environments below share: numbers as observations and actions, and a law that is the problem's.

    `reset` with a seed makes the generator that a run of theoryrl with this seed has, and `step` draws from it what a learner
    draws.  So the actions of a run lead through the same states here, bit for bit, if the learner draws nothing of its own.

    Parameters
    ----------
    problem : Problem
        The instance, which stays at hand as `problem`.
    n_actions : int
        Number of actions.

    Attributes
    ----------
    state : int
        The state, which is also the observation.
    stage : int
        Steps made since the last reset.
    """

    def __init__(self, problem: Any, n_actions: int) -> None:
        self.problem, self.n_actions = problem, n_actions
        self.observation_space = gymnasium.spaces.Discrete(problem.n_states)
        self.action_space = gymnasium.spaces.Discrete(n_actions)
        self.state: int = -1
        self.stage: int = 0
        kind = type(self)
        self.spec = EnvSpec(f"theoryrl/{type(problem).__name__}-v0", entry_point=f"{kind.__module__}:{kind.__qualname__}", kwargs={"problem": problem})

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """Begin anew at the start; `options` must be empty."""
        super().reset(seed=seed)
        if options:
            raise ValueError(f"options: expected none, got {', '.join(map(repr, options))}")
        self.state, self.stage = self._begin(seed is not None), 0
        return self.state, self._info()

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        """Play an action; return the next state, the reward, whether that was the last stage, False, and what else is known.

        Raises
        ------
        ValueError
            If there is no such action.
        gymnasium.error.ResetNeeded
            If the episode is over or has not begun.
        """
        if not self.action_space.contains(action):
            raise ValueError(f"action: expected an integer in [0, {self.n_actions - 1}], got {action!r}")
        if self.state < 0:
            raise gymnasium.error.ResetNeeded("call reset before step: no episode has begun, or the last one is over")
        following, reward, extra = self._play(int(action))
        self.stage += 1
        over = self._over()
        self.state = -1 if over else following
        return following, reward, over, False, self._info() | extra

    def _begin(self, seeded: bool) -> int:
        return int(self.problem.start)

    def _info(self) -> dict[str, Any]:
        return {"stage": self.stage}

    def _over(self) -> bool:
        return self.stage == int(self.problem.horizon)

    def _play(self, action: int) -> tuple[int, float, dict[str, Any]]:
        raise NotImplementedError

    def _draw(self, cumulative: np.ndarray) -> int:
        """Draw by inversion: the first index at which `cumulative` exceeds a uniform number."""
        return int(np.searchsorted(cumulative, self.np_random.random(), side="right"))


class EpisodicEnvironment(ProblemEnvironment):
    """An `EpisodicMDP`: terminated after H steps, with the number of steps made as ``info["stage"]``."""

    def __init__(self, problem: EpisodicMDP) -> None:
        super().__init__(problem, problem.n_actions)

    def _play(self, action: int) -> tuple[int, float, dict[str, Any]]:
        cumulative = self.problem.cumulative
        following = self._draw(cumulative[min(self.stage, len(cumulative) - 1), self.state, action])
        return following, float(self.problem.stage_reward[self.stage, self.state, action]), {}

    @cached_property
    def P(self) -> Table:
        """The transition table as the toy environments of Gymnasium have it, without an end.

        Raises
        ------
        AttributeError
            If laws or rewards differ between stages.
        """
        reward = self.problem.stage_reward
        if not self.problem.stationary or np.any(reward != reward[0]):
            raise AttributeError("P: a table needs the same laws and rewards at every stage")
        laws = self.problem.stage_transition[0]
        return {
            s: {a: [(float(laws[s, a, t]), int(t), float(reward[0, s, a]), False) for t in np.flatnonzero(laws[s, a])] for a in range(laws.shape[1])}
            for s in range(len(laws))
        }

    @property
    def initial_state_distrib(self) -> np.ndarray:
        """The law of the first state, (S,): a point."""
        return np.eye(self.problem.n_states)[self.problem.start]


class CascadingEnvironment(ProblemEnvironment):
    """A `CascadingMDP`: an action is the number of a list, and ``info["clicked"]`` is the clicked item, or N without a click.

    A problem with one start for each of K episodes uses them in turn, again from the first after a reset with a seed or
    after the K-th episode.

    Attributes
    ----------
    lists : tuple of tuples of int
        The list of each action: the short ones first, and lists of the same length in lexicographic order.

    Raises
    ------
    ValueError
        If there are more than 10,000 lists.
    """

    def __init__(self, problem: CascadingMDP) -> None:
        lengths = range(problem.min_length, problem.list_length + 1)
        count = sum(math.perm(problem.n_items, length) for length in lengths)
        if count > MOST_LISTS:
            raise ValueError(
                f"problem: expected at most {MOST_LISTS:,} lists, which become the actions, "
                f"got {count:,} ({problem.n_items} items, lists of up to {problem.list_length})"
            )
        self.lists = tuple(itertools.chain.from_iterable(itertools.permutations(range(problem.n_items), length) for length in lengths))
        self.episode = -1
        super().__init__(problem, count)

    def _begin(self, seeded: bool) -> int:
        self.episode = 0 if seeded else self.episode + 1
        starts = np.atleast_1d(self.problem.start)
        return int(starts[self.episode % len(starts)])

    def _play(self, action: int) -> tuple[int, float, dict[str, Any]]:
        attraction = self.problem.attraction[self.state]
        clicked = next((item for item in self.lists[action] if self.np_random.random() < attraction[item]), self.problem.n_items)
        following = self._draw(self.problem.cumulative[self.state, clicked])
        return following, float(self.problem.reward[self.state, clicked]), {"clicked": clicked}


class ContinuingEnvironment(ProblemEnvironment):
    """A `ContinuingMDP`: one trajectory that never ends; its rewards are drawn (0 or 1) unless the problem says that they are deterministic.

    A limit on its length is Gymnasium's: ``gymnasium.make(..., max_episode_steps=...)`` truncates.
    """

    def __init__(self, problem: ContinuingMDP) -> None:
        super().__init__(problem, problem.n_actions)

    def _info(self) -> dict[str, Any]:
        return {}

    def _over(self) -> bool:
        return False

    def _play(self, action: int) -> tuple[int, float, dict[str, Any]]:
        cumulative, following, reward = self.problem.outcomes
        row = self.state * self.problem.n_actions + action
        outcome = self._draw(cumulative[row])
        return int(following[row, outcome]), float(reward[row, outcome]), {}


def environment(problem: Problem) -> ProblemEnvironment | None:
    """Return the environment of a problem, or None if its kind has none."""
    if isinstance(problem, EpisodicMDP):
        return EpisodicEnvironment(problem)
    if isinstance(problem, CascadingMDP):
        return CascadingEnvironment(problem)
    if isinstance(problem, ContinuingMDP):
        return ContinuingEnvironment(problem)
    return None
