"""Problems to and from environments of Gymnasium, which loads when `to_gymnasium` is called."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from theoryrl import validate
from theoryrl.problems.episodic import EpisodicMDP
from theoryrl.problems.groupwise import GroupStream
from theoryrl.problems.markov_game import MarkovGame
from theoryrl.problems.problem import Problem

if TYPE_CHECKING:
    import gymnasium

NOT_ENVIRONMENTS = (
    (MarkovGame, "a game has two players, and gymnasium.Env has one agent"),
    (GroupStream, "online prediction has rounds without a state that a prediction could change"),
)

# Wrappers of gymnasium that change neither laws nor rewards, observations or actions; TimeLimit gives way to the horizon.
HARMLESS = ("HumanRendering", "OrderEnforcing", "PassiveEnvChecker", "RecordEpisodeStatistics", "RecordVideo", "RenderCollection", "TimeLimit")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class GymnasiumMDP(EpisodicMDP):
    """An episodic MDP that `from_gymnasium` made, which remembers the environment's numbering and rewards.

    Parameters
    ----------
    states : (S,) array of int
        The environment's number of each state; -1 for the absorbing state and for an added start.
    reward_offset, reward_scale : float
        A reward r here is ``reward_offset + reward_scale * r`` in the environment; the scale is positive.
    """

    states: np.ndarray = dataclasses.field(kw_only=True)
    reward_offset: float = dataclasses.field(default=0.0, kw_only=True)
    reward_scale: float = dataclasses.field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "states", validate.integer_array("states", self.states, (self.n_states,), -1, 2**53))
        object.__setattr__(self, "reward_offset", validate.real("reward_offset", self.reward_offset))
        object.__setattr__(self, "reward_scale", validate.real("reward_scale", self.reward_scale, 0, np.inf, open_ends=True))

    def in_environment(self, value: Any, steps: Any = None) -> Any:
        """Return what a sum of `steps` rewards of this problem is in the environment's rewards.

        Parameters
        ----------
        value : number or array
            A value, which is such a sum in expectation; or a regret, with 0 `steps`.
        steps : number or array, optional
            How many rewards are added up (default: the horizon).
        """
        return self.reward_scale * value + self.reward_offset * (self.horizon if steps is None else steps)


def to_gymnasium(problem: Problem) -> gymnasium.Env[Any, Any]:
    """Return the problem as an environment of Gymnasium: states and actions are numbers, the law is the problem's.

    An `EpisodicMDP` terminates after H steps, and ``info["stage"]`` counts them.  So does a `CascadingMDP`, whose actions are
    the numbers of lists (``env.unwrapped.lists``) and whose click is ``info["clicked"]``.  A `ContinuingMDP` never ends.

    Raises
    ------
    TypeError
        If the problem is of another kind; the message says why it is no environment.
    ValueError
        If a `CascadingMDP` has more than 10,000 lists.
    ModuleNotFoundError
        If gymnasium is not installed.
    """
    for kind, reason in NOT_ENVIRONMENTS:
        if isinstance(problem, kind):
            raise TypeError(f"problem: a {type(problem).__name__} is not an environment: {reason}")
    try:
        from theoryrl.problems.environments import environment
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"to_gymnasium needs gymnasium (pip install 'theoryrl[gym]'): {error}", name=error.name) from error
    made = environment(problem)
    if made is None:
        raise TypeError(
            "problem: expected an EpisodicMDP, a CascadingMDP or a ContinuingMDP, which have one player and a state that is observed, "
            f"got {type(problem).__name__}"
        )
    return made


def from_gymnasium(env: Any, horizon: int) -> GymnasiumMDP:
    """Return a finite environment that has a transition table as an episodic MDP, with rewards in [0, 1].

    The table is ``env.unwrapped.P``, as FrozenLake, CliffWalking and Taxi have it: ``P[s][a]`` is a list of outcomes
    (probability, next state, reward, terminated); ``env.unwrapped.initial_state_distrib`` is the law of the first state.

    - States are those that some policy can be in, in the environment's order; the rest cannot matter and is left out.
    - Outcomes that terminate lead to one absorbing state, the next number, in which all actions pay what 0 is in the environment.
    - If the first state is random, a start with its law is added, the last state, in which all actions do the same and pay what 0 is
      in the environment; this step comes before the `horizon` steps of the environment, so that the problem has one stage more.
    - Rewards in [0, 1] are left as they are; others are mapped affinely, the smallest that can occur to 0 and the largest to 1 (and
      0 counts as one that can occur where a state was added).  `GymnasiumMDP.in_environment` maps values back.
    - The rewards of an `EpisodicMDP` are known and deterministic.  Where the environment's reward depends on the next state, as in FrozenLake,
      it becomes its mean: values of policies are the same, but a learner that runs here is told the means.

    Time limits of the environment do not count, `horizon` does.

    Parameters
    ----------
    env : gymnasium.Env
        The environment; wrappers that change rewards, observations or actions are refused.
    horizon : int
        Steps of an episode, at least 1.

    Raises
    ------
    TypeError, ValueError
        If there is no table or no law of the first state, or they are damaged; the message names the entry.

    Examples
    --------
    >>> import gymnasium
    >>> from_gymnasium(gymnasium.make("FrozenLake-v1"), horizon=20).n_states  # 11 squares of ice and the end
    12
    """
    H = validate.integer("horizon", horizon, 1)
    bare = _without_wrappers(env)
    table = _read(bare)
    law = _first_law(bare, len(table))
    states = _reachable(table, law)
    index = {s: i for i, s in enumerate(states)}
    A, firsts = len(table[0]), np.flatnonzero(law)
    ends = any(outcome.terminated for s in states for outcomes in table[s] for outcome in outcomes)
    drawn = len(firsts) > 1
    S = len(states) + ends + drawn

    rewards = [outcome.reward for s in states for outcomes in table[s] for outcome in outcomes] + [0.0] * (ends or drawn)
    offset, scale = _affine(min(rewards), max(rewards))

    transition, reward = np.zeros((S, A, S)), np.full((S, A), (0.0 - offset) / scale if ends or drawn else 0.0)
    for i, s in enumerate(states):
        for a, outcomes in enumerate(table[s]):
            first = outcomes[0].reward  # a reward that does not depend on the next state stays as it is, to the bit
            mean = first + sum(outcome.probability * (outcome.reward - first) for outcome in outcomes)
            reward[i, a] = min(max((mean - offset) / scale, 0.0), 1.0)
            for outcome in outcomes:
                transition[i, a, len(states) if outcome.terminated else index[outcome.following]] += outcome.probability
    if ends:
        transition[len(states), :, len(states)] = 1
    if drawn:
        transition[-1, :, [index[int(s)] for s in firsts]] = law[firsts, None]
    return GymnasiumMDP(
        transition,
        reward,
        H + drawn,
        S - 1 if drawn else index[int(firsts[0])],
        states=np.array([*states, *[-1] * (ends + drawn)]),
        reward_offset=offset,
        reward_scale=scale,
        name=f"from_gymnasium({_made(bare)}, horizon={H})",
    )


class Outcome(NamedTuple):
    """One entry of a transition table."""

    probability: float
    following: int
    reward: float
    terminated: bool


def _without_wrappers(env: Any) -> Any:
    """Return the environment inside of its wrappers, which must change nothing that matters."""
    if not (hasattr(env, "unwrapped") and hasattr(env, "step")):
        raise TypeError(f"env: expected a gymnasium.Env, got {env!r}")
    wrapper = env
    while wrapper is not env.unwrapped:
        if type(wrapper).__name__ not in HARMLESS or type(wrapper).__module__.partition(".")[0] != "gymnasium":
            raise ValueError(
                f"env: expected no wrapper that may change laws, rewards, observations or actions, got {type(wrapper).__name__}; "
                "env.unwrapped is the environment without its wrappers"
            )
        wrapper = wrapper.env
    if getattr(wrapper, "fickle_passenger", False):
        raise ValueError("env: expected an environment that its table describes, got a Taxi with fickle_passenger=True, which is not in the table")
    return wrapper


def _read(env: Any) -> list[list[list[Outcome]]]:
    """Return the transition table, checked, without outcomes of probability 0."""
    P = getattr(env, "P", None)
    if not isinstance(P, (Mapping, Sequence)) or not len(P):
        raise TypeError(f"env: expected an environment with a transition table P, as FrozenLake, CliffWalking and Taxi have, got {type(env).__name__}")
    S, A = len(P), len(_entry(P, 0, "env.P"))
    for space, size, what in (("observation_space", S, "states"), ("action_space", A, "actions")):
        n = getattr(getattr(env, space, None), "n", None)
        if n != size or getattr(getattr(env, space), "start", 0) != 0:
            raise ValueError(f"env.{space}: expected Discrete({size}), for the {size} {what} of env.P, got {getattr(env, space, None)!r}")
    table = []
    for s in range(S):
        actions = _entry(P, s, "env.P")
        if not isinstance(actions, (Mapping, Sequence)) or len(actions) != A:
            raise ValueError(f"env.P[{s}]: expected {A} actions, as state 0 has, got {actions!r}")
        table.append([_outcomes(_entry(actions, a, f"env.P[{s}]"), f"env.P[{s}][{a}]", S) for a in range(A)])
    return table


def _entry(table: Any, key: int, name: str) -> Any:
    try:
        return table[key]
    except (KeyError, IndexError, TypeError):
        raise ValueError(f"{name}: expected entries 0 to {len(table) - 1}, got none for {key}") from None


def _outcomes(listed: Any, name: str, S: int) -> list[Outcome]:
    if not isinstance(listed, Sequence) or not len(listed):
        raise TypeError(f"{name}: expected a list of outcomes, got {listed!r}")
    outcomes = []
    for i, outcome in enumerate(listed):
        where = f"{name}[{i}]"
        if not isinstance(outcome, Sequence) or len(outcome) != 4:
            raise TypeError(f"{where}: expected (probability, next state, reward, terminated), got {outcome!r}")
        probability, following, reward, terminated = outcome
        if not isinstance(terminated, (bool, np.bool_)):
            raise TypeError(f"{where}, terminated: expected True or False, got {terminated!r}")
        outcomes.append(
            Outcome(
                validate.real(f"{where}, probability", probability, 0, 1),
                validate.integer(f"{where}, next state", following, 0, S - 1),
                validate.real(f"{where}, reward", reward),
                bool(terminated),
            )
        )
    total = sum(outcome.probability for outcome in outcomes)
    if abs(total - 1) > S * 1e-12:
        raise ValueError(f"{name}: expected probabilities that sum to one, got a sum of {total}")
    return [outcome for outcome in outcomes if outcome.probability > 0]


def _first_law(env: Any, S: int) -> np.ndarray:
    law = getattr(env, "initial_state_distrib", None)
    if law is None:
        raise TypeError(f"env: expected an environment with the law of its first state as initial_state_distrib, got {type(env).__name__} without")
    return validate.distributions("env.initial_state_distrib", law, (S,))


def _reachable(table: list[list[list[Outcome]]], law: np.ndarray) -> list[int]:
    """Return, in order, the states that some policy can be in before the environment has terminated."""
    found = {int(s) for s in np.flatnonzero(law)}
    ahead = list(found)
    while ahead:
        for outcomes in table[ahead.pop()]:
            new = {outcome.following for outcome in outcomes if not outcome.terminated} - found
            found |= new
            ahead += new
    return sorted(found)


def _affine(low: float, high: float) -> tuple[float, float]:
    """Return offset and scale of the map to [0, 1]: the identity if rewards lie there."""
    if 0 <= low and high <= 1:
        return 0.0, 1.0
    scale = high - low
    if not np.isfinite(scale):
        raise ValueError(f"env.P: expected rewards whose range is finite, got rewards from {low} to {high}")
    return low, scale or 1.0


def _made(env: Any) -> str:
    """Return the call that makes `env`, if it came from gymnasium.make."""
    spec = getattr(env, "spec", None)
    if spec is None:
        return type(env).__name__
    return f"make({', '.join([repr(spec.id), *(f'{key}={value!r}' for key, value in spec.kwargs.items())])})"
