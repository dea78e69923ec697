"""Small stationary MDPs that many papers share, and the prior of Bayesian theorems.

Stages, states and actions count from 0, and episodes start in state 0.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from envs_synthetic.calls import call
from theoryrl import validate
from theoryrl.problems import ContinuingMDP, EpisodicMDP

# Probabilities of staying and of moving on at the left end, to the right; the papers differ there.
LEFT_END = {"mex": (0.4, 0.6), "gosprl": (0.65, 0.35)}

_TWO_LAWS, _TWO_REWARDS = np.array([[[0.1, 0.9], [0.9, 0.1]]] * 2), np.array([[1, 1], [0, 0]])


def river_swim(S: int = 6, horizon: int = 20, preset: str = "mex") -> EpisodicMDP:
    """Return the chain against whose current one must swim for the reward (A = 2).

    Action 0 swims left and always gets there; at the left end it pays .005.  Action 1 swims right: from inside, one comes
    back with probability .05, stays with .6 and gets ahead with .35; at the right end it pays 1, and one is washed back with
    probability .4.  The start is the left end, where action 1 gets ahead with probability .6 (`preset` "mex") or .35
    ("gosprl").

    For S = 6 the diameter is 14.722 ("mex") or 16.111 ("gosprl"); with "mex" the optimal gain is .4286, and V* = 3.3973 for
    H = 20.  The worst policy never gets anything.

    Strehl and Littman, "An analysis of model-based interval estimation for Markov decision processes" (JCSS 74, 2008);
    the rewards and probabilities, which vary in the literature, are those of the papers that the presets name.
    """
    transition, reward = _river(S, preset)
    return EpisodicMDP(transition, reward, horizon, name=call("river_swim", S=S, horizon=horizon, preset=preset))


def river_swim_continuing(S: int = 6, preset: str = "mex") -> ContinuingMDP:
    """Return the chain of `river_swim` without resets and with Bernoulli rewards.

    For S = 6 the optimal gain is .4286 with both presets; the worst one is 0.
    """
    transition, reward = _river(S, preset)
    return ContinuingMDP(transition, reward, name=call("river_swim_continuing", S=S, preset=preset))


def _river(S: int, preset: str) -> tuple[np.ndarray, np.ndarray]:
    """Return laws and rewards of river swim."""
    S, (stay, ahead) = validate.integer("S", S, 2), LEFT_END[validate.one_of("preset", preset, tuple(LEFT_END))]
    transition = np.zeros((S, 2, S))
    states = np.arange(S)
    transition[states, 0, np.maximum(states - 1, 0)] = 1
    for step, chance in zip((-1, 0, 1), (0.05, 0.6, 0.35)):
        transition[states[1:-1], 1, states[1:-1] + step] = chance
    transition[0, 1, :2] = stay, ahead
    transition[-1, 1, -2:] = 0.4, 0.6
    reward = np.zeros((S, 2))
    reward[0, 0], reward[-1, 1] = 0.005, 1
    return transition, reward


def two_state(horizon: int = 3) -> EpisodicMDP:
    """Return the smallest MDP in which actions matter (S = A = 2).

    Being in state 0 pays 1.  Action 0 leads to state 0 with probability .1 and to state 1 with .9, action 1 the other way
    round, from either state.

    The diameter is 10/9 = 1.111, the optimal gain .9 and the worst one .1; V* = 1 + .9 (H - 1), which is 2.8 for H = 3, and
    the worst policy has 1 + .1 (H - 1) = 1.2.
    """
    return EpisodicMDP(_TWO_LAWS, _TWO_REWARDS, horizon, name=call("two_state", horizon=horizon))


def two_state_continuing() -> ContinuingMDP:
    """Return `two_state` without resets: gains .9 and .1."""
    return ContinuingMDP(_TWO_LAWS, _TWO_REWARDS, name=call("two_state_continuing"))


def cycle(S: int = 8, horizon: int = 8) -> EpisodicMDP:
    """Return the deterministic cycle s -> s + 1 mod S without a choice (A = 1); state 0 pays 1, the others nothing.

    The diameter is S - 1 and the gain 1 / S; no policy has regret.  UCRL2 that tests before the action, as the paper does,
    has a first phase of S steps here: more than (1 + sqrt 2) sqrt S for S >= 6.
    """
    transition, reward = _cycle(S)
    return EpisodicMDP(transition, reward, horizon, name=call("cycle", S=S, horizon=horizon))


def cycle_continuing(S: int = 8) -> ContinuingMDP:
    """Return `cycle` without resets; its rewards are deterministic, too."""
    transition, reward = _cycle(S)
    return ContinuingMDP(transition, reward, deterministic=True, name=call("cycle_continuing", S=S))


def _cycle(S: int) -> tuple[np.ndarray, np.ndarray]:
    """Return laws and rewards of the cycle."""
    S = validate.integer("S", S, 1)
    reward = np.zeros((S, 1))
    reward[0] = 1
    return np.roll(np.eye(S), 1, axis=1)[:, None], reward


@dataclasses.dataclass(frozen=True)
class DirichletPrior:
    """A law of MDPs: every row of the transition laws is drawn from Dirichlet(a, ..., a), independently.

    The reward of (s, a) is known: S A numbers, equally spaced from 0 to 1, in row-major order (0 if there is one pair).
    Called with a seed it draws an instance, from another stream than a run with the same seed uses.
    """

    n_states: int
    n_actions: int
    horizon: int
    concentration: float
    per_stage: bool

    def __call__(self, seed: int) -> EpisodicMDP:
        """Return the instance of this seed."""
        S, A, H = self.n_states, self.n_actions, self.horizon
        rng = np.random.default_rng((validate.integer("seed", seed, 0), 1))
        laws = rng.dirichlet(np.full(S, self.concentration), (H, S, A) if self.per_stage else (S, A))
        reward = np.linspace(0, 1, S * A).reshape(S, A)
        return EpisodicMDP(laws, reward, H, prior=self.concentration, name=f"{self!r}({seed})")

    def __repr__(self) -> str:
        return call("dirichlet_prior", S=self.n_states, A=self.n_actions, H=self.horizon, concentration=self.concentration, per_stage=self.per_stage)


def dirichlet_prior(S: int = 3, A: int = 2, H: int = 3, concentration: float = 1.0, per_stage: bool = False) -> Callable[[int], EpisodicMDP]:
    """Return the prior of posterior sampling: a function from a seed to an MDP with rows from Dirichlet(concentration, ...).

    The laws are the same at every stage, or drawn for each one (`per_stage`, for learners that count by stage).  Rewards are
    known, equally spaced from 0 to 1 over the pairs in row-major order.
    """
    S, A, H = (validate.integer(name, value, 1) for name, value in (("S", S), ("A", A), ("H", H)))
    concentration = validate.real("concentration", concentration, 0, np.inf, open_ends=True)
    if not isinstance(per_stage, bool):
        raise TypeError(f"per_stage: expected True or False, got {per_stage!r}")
    return DirichletPrior(S, A, H, concentration, per_stage)
