"""UCBVI of rlberry-scool on an episodic MDP, as a peer; needs ``pip install rlberry-scool``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import rlberry.spaces
from rlberry_scool.agents.ucbvi import UCBVIAgent

from theoryrl.problems import EpisodicMDP


class Environment(gymnasium.Env):
    """A stationary EpisodicMDP with rewards that do not depend on the stage; the caller ends the episodes."""

    reward_range = (0.0, 1.0)

    def __init__(self, problem: EpisodicMDP):
        self.observation_space, self.action_space = (rlberry.spaces.Discrete(n) for n in (problem.n_states, problem.n_actions))
        self.reward, self.start = problem.reward.tolist(), problem.start
        self.cumulative, self.rng = problem.cumulative[0], np.random.default_rng(0)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        """Begin an episode."""
        self.state = self.start
        return self.state, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        """Play one step."""
        reward = self.reward[self.state][action]
        self.state = int(np.searchsorted(self.cumulative[self.state, action], self.rng.random(), side="right"))
        return self.state, reward, False, False, {}


def ucbvi(problem: EpisodicMDP) -> Callable[[int], None]:
    """Return what plays a number of episodes: rewards are learned, counts pooled, and the plan is a compiled backward induction."""
    agent = UCBVIAgent(Environment(problem), horizon=problem.horizon)
    agent.fit(2)  # compiles
    return agent.fit
