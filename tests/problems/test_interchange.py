"""Problems as environments of Gymnasium, with exactly the problem's law, and tables of Gymnasium as problems, with exactly their values."""

from __future__ import annotations

import itertools
import subprocess
import sys
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs_synthetic.baselines import dirichlet_prior, river_swim, river_swim_continuing
from envs_synthetic.cascading import myopic_trap, random_cascade
from envs_synthetic.groupwise import crossing
from envs_synthetic.mex import mg_trap, random_mdp
from theoryrl.algorithms import UCBVI, UCRL2, CascadingVI, Run
from theoryrl.problems import CascadingMDP, ContinuingMDP, EpisodicMDP, Problem
from theoryrl.problems.interchange import GymnasiumMDP, from_gymnasium, to_gymnasium
from theoryrl.proofs import statistics
from theoryrl.testing.strategies import cascading_mdps, distributions

gymnasium = pytest.importorskip("gymnasium", reason="needs gymnasium: pip install 'theoryrl[gym]'")
from gymnasium.utils.env_checker import check_env  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent.parent
TOYS = [("FrozenLake", {}), ("FrozenLake", {"is_slippery": False}), ("FrozenLake", {"map_name": "8x8"}), ("CliffWalking", {}), ("Taxi", {})]


def toy(name: str, **arguments: Any) -> Any:
    """Return the newest version of a toy environment; their numbers differ between releases."""
    newest = max(spec.version for spec in gymnasium.registry.values() if spec.name == name and spec.namespace is None)
    return gymnasium.make(f"{name}-v{newest}", **arguments)


# Problem -> environment.


class Uniforms:
    """A generator whose uniform numbers are given."""

    def __init__(self, numbers: Iterable[float]) -> None:
        self.numbers = list(numbers)

    def random(self) -> float:
        return self.numbers.pop(0)


def pieces(row: np.ndarray) -> Iterator[tuple[float, float]]:
    """Yield (a uniform number, how likely its piece is): [0, 1) is cut at the cumulative sums of `row`, and a piece is probed inside and at its end points."""
    cuts = np.unique([0.0, *np.minimum(np.cumsum(row), 1.0)[:-1], 1.0])
    for low, high in itertools.pairwise(cuts):
        yield from ((low, (high - low) / 4), ((low + high) / 2, (high - low) / 2), (np.nextafter(high, 0), (high - low) / 4))


def after(env: Any, state: int, stage: int, action: int, uniforms: Iterable[float]) -> tuple[Any, ...]:
    env._np_random, env.state, env.stage = Uniforms(uniforms), state, stage
    outcome = env.step(action)
    assert env._np_random.numbers == []
    return outcome


@pytest.mark.parametrize("problem", [river_swim(), random_mdp(3, 4, 2), dirichlet_prior(3, 2, 2, per_stage=True)(0)], ids=repr)
def test_law_of_an_episodic_environment(problem: EpisodicMDP) -> None:
    env: Any = to_gymnasium(problem)
    for h, s, a in np.ndindex(problem.horizon, problem.n_states, problem.n_actions):
        law = np.zeros(problem.n_states)
        for uniform, chance in pieces(problem.stage_transition[h, s, a]):
            following, reward, terminated, truncated, info = after(env, s, h, a, [uniform])
            law[following] += chance
            assert reward == problem.stage_reward[h, s, a] and (terminated, truncated, info) == (h == problem.horizon - 1, False, {"stage": h + 1})
        assert np.abs(law - problem.stage_transition[h, s, a]).max() < problem.n_states * 4e-16


@pytest.mark.parametrize("problem", [myopic_trap(), random_cascade(2, 3, 2, 2)], ids=repr)
def test_law_of_a_cascading_environment(problem: CascadingMDP) -> None:
    """The law of the click is compared with its formula, the law of the next state with that of the clicked item."""
    env: Any = to_gymnasium(problem)
    N = problem.n_items
    for s, (action, shown) in itertools.product(range(problem.n_states), enumerate(env.lists)):
        q = problem.attraction[s]
        passed = 1.0
        for position in range(len(shown) + 1):
            clicked = shown[position] if position < len(shown) else N
            browsing = [(1 + q[item]) / 2 for item in shown[:position]]
            if position < len(shown):
                browsing.append(q[clicked] / 2)
            law = np.zeros(problem.n_states)
            for uniform, chance in pieces(problem.transition[s, clicked]):
                following, reward, _, _, info = after(env, s, 0, action, [*browsing, uniform])
                law[following] += chance
                assert (info["clicked"], info["stage"], reward) == (clicked, 1, problem.reward[s, clicked])
            assert np.abs(law - problem.transition[s, clicked]).max() < problem.n_states * 4e-16
            if position < len(shown):  # the click happens on [0, q) exactly
                assert after(env, s, 0, action, [*browsing[:-1], np.nextafter(q[clicked], 0), 0.0])[4]["clicked"] == clicked
                assert after(env, s, 0, action, [*browsing[:-1], q[clicked], *[np.nextafter(1, 0)] * (len(shown) - position)])[4]["clicked"] != clicked
                passed *= 1 - q[clicked]


def test_lists_are_all_that_can_be_shown() -> None:
    assert to_gymnasium(random_cascade(2, 3, 2, 2)).lists == ((0,), (1,), (2,), (0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1))  # type: ignore[attr-defined]
    with_empty = CascadingMDP(np.ones((1, 2)) / 2, np.ones((1, 3, 1)), np.ones((1, 3)), 1, 5, allow_empty=True)
    assert to_gymnasium(with_empty).lists == ((), (0,), (1,), (0, 1), (1, 0))  # type: ignore[attr-defined]


@pytest.mark.parametrize("deterministic", [False, True])
def test_law_of_a_continuing_environment(deterministic: bool) -> None:
    swim = river_swim_continuing()
    problem = ContinuingMDP(swim.transition, swim.reward, start=2, deterministic=deterministic)
    env: Any = to_gymnasium(problem)
    assert env.reset(seed=0) == (2, {})
    joint: dict[tuple[int, float], float]
    for s, a in np.ndindex(problem.n_states, problem.n_actions):
        mean = problem.reward[s, a]  # type: ignore[index]
        joint = {}
        likeliest = problem.outcomes.cumulative[s * problem.n_actions + a]
        for uniform, chance in pieces(np.diff(np.minimum(likeliest, 1), prepend=0.0)):
            following, reward, terminated, truncated, info = after(env, s, 0, a, [uniform])
            joint[following, reward] = joint.get((following, reward), 0) + chance
            assert (terminated, truncated, info) == (False, False, {})
        for t, p in enumerate(problem.transition[s, a]):
            wanted = {mean: p} if deterministic else {1.0: p * mean, 0.0: p * (1 - mean)}
            assert all(abs(joint.get((t, r), 0) - chance) < 1e-15 for r, chance in wanted.items())
        assert abs(sum(joint.values()) - 1) < 1e-15


@pytest.mark.parametrize("problem", [river_swim(), random_mdp(3, 4, 2)], ids=repr)
def test_the_actions_of_a_run_lead_through_the_same_states(problem: EpisodicMDP) -> None:
    run = UCBVI(counts="pooled" if problem.stationary else "stage").run(problem, 50, seed=7, trace="raw")
    env = to_gymnasium(problem)
    for k, actions in enumerate(run.state["raw_actions"]):
        first, _ = env.reset(seed=run.seed if k == 0 else None)
        assert first == run.state["raw_states"][k, 0]
        assert [env.step(a)[0] for a in actions] == run.state["raw_next"][k].tolist()


def test_the_lists_of_a_run_lead_through_the_same_states_and_clicks() -> None:
    problem = random_cascade(3, 4, 3, 4)
    run = CascadingVI().run(problem, 50, seed=3, trace="raw")
    env: Any = to_gymnasium(problem)
    number = {shown: action for action, shown in enumerate(env.lists)}
    for k in range(50):
        env.reset(seed=run.seed if k == 0 else None)
        for h, shown in enumerate(run.state["raw_lists"][k]):
            following, _, _, _, info = env.step(number[tuple(int(item) for item in shown if item >= 0)])
            assert (following, info["clicked"]) == (run.state["raw_next"][k, h], run.state["raw_clicks"][k, h])


def test_the_steps_of_a_continuing_run_are_the_same() -> None:
    problem = river_swim_continuing()
    run = UCRL2().run(problem, 500, seed=5, trace="raw")
    env = to_gymnasium(problem)
    env.reset(seed=5)
    assert [env.step(a)[:2] for a in run.state["raw_actions"]] == list(zip(run.state["raw_next"], run.state["raw_rewards"]))


def test_starts_of_episodes_are_used_in_turn() -> None:
    trap = myopic_trap()
    problem = CascadingMDP(trap.attraction, trap.transition, trap.reward, 3, 1, start=np.array([0, 1, 1]))
    env = to_gymnasium(problem)
    assert [env.reset()[0] for _ in range(5)] == [0, 1, 1, 0, 1]
    assert [env.reset(seed=0)[0], env.reset()[0], env.reset(seed=0)[0]] == [0, 1, 0]


def test_an_episode_has_an_end() -> None:
    env = to_gymnasium(river_swim(horizon=2))
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset before step"):
        env.step(0)
    assert env.reset(seed=1) == (0, {"stage": 0})
    assert [env.step(0)[2:] for _ in range(2)] == [(False, False, {"stage": 1}), (True, False, {"stage": 2})]
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(0)
    env.reset()
    for action in (2, -1, 0.5, "left"):
        with pytest.raises(ValueError, match=r"action: expected an integer in \[0, 1\], got"):
            env.step(action)
    with pytest.raises(ValueError, match="options: expected none, got 'state'"):
        env.reset(options={"state": 3})


@pytest.mark.parametrize(
    "problem",
    [
        river_swim(),
        river_swim(horizon=1),
        random_mdp(3, 4, 2),
        river_swim_continuing(),
        ContinuingMDP(np.ones((1, 1, 1))),
        myopic_trap(),
        random_cascade(3, 4, 3, 4),
        CascadingMDP(np.ones((2, 2)) / 2, np.ones((2, 3, 2)) / 2, np.ones((2, 3)), 2, 5, start=np.array([0, 1]), allow_empty=True),
    ],
    ids=repr,
)
def test_gymnasium_has_no_objection(problem: Problem) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(to_gymnasium(problem))


@given(cascading_mdps())
def test_gymnasium_has_no_objection_to_drawn_cascades(problem: CascadingMDP) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(to_gymnasium(problem))


def test_what_is_no_environment() -> None:
    with pytest.raises(TypeError, match="problem: a MarkovGame is not an environment: a game has two players"):
        to_gymnasium(mg_trap())
    with pytest.raises(TypeError, match="problem: a ClassStream is not an environment: online prediction has rounds without a state"):
        to_gymnasium(crossing(10))
    with pytest.raises(TypeError, match="problem: expected an EpisodicMDP, a CascadingMDP or a ContinuingMDP, which have one player"):
        to_gymnasium("river_swim()")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"problem: expected at most 10,000 lists, which become the actions, got 12,720 \(24 items, lists of up to 3\)"):
        to_gymnasium(random_cascade(1, 24, 3, 1))


def test_without_gymnasium() -> None:
    script = """
import sys
sys.modules["gymnasium"] = None
import theoryrl.problems.interchange as interchange
import envs_synthetic.environments
from envs_synthetic.baselines import two_state
try:
    interchange.to_gymnasium(two_state())
except ModuleNotFoundError as error:
    print(error)
"""
    said = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert said.startswith("to_gymnasium needs gymnasium (pip install 'theoryrl[gym]')")


# Environment -> problem.


def values(table: Any, horizon: int, policy: Any = None) -> list[list[float]]:
    """Return the values with 0, ..., `horizon` steps to go of an environment's table, in its own numbers: optimal, or of a policy(steps to go, state)."""
    V = [[0.0] * len(table)]
    for left in range(1, horizon + 1):
        Q = {s: [sum(p * (r + (0 if over else V[-1][t])) for p, t, r, over in table[s][a]) for a in table[s]] for s in table}
        V.append([max(Q[s]) if policy is None else Q[s][policy(left, s)] for s in range(len(table))])
    return V


@pytest.mark.parametrize(("name", "arguments"), TOYS, ids=str)
@pytest.mark.parametrize("horizon", [1, 20])
def test_optimal_values_of_the_toys(name: str, arguments: dict[str, Any], horizon: int) -> None:
    env = toy(name, **arguments)
    problem = from_gymnasium(env, horizon)
    V = values(env.unwrapped.P, horizon)
    drawn = problem.horizon - horizon
    for h in range(drawn, problem.horizon + 1):
        left = problem.horizon - h
        for i, s in enumerate(problem.states):
            if s >= 0:
                assert problem.in_environment(problem.optimal_values[h, i], left) == pytest.approx(V[left][s], abs=1e-11)
    first = env.unwrapped.initial_state_distrib @ np.array(V[horizon])
    assert problem.in_environment(problem.optimal_value) == pytest.approx(first, abs=1e-11)


@pytest.mark.parametrize(
    ("name", "size", "affine", "value"),
    [("FrozenLake", (12, 4, 20), (0, 1), 0.19913270083486), ("CliffWalking", (38, 4, 20), (-100, 100), -13), ("Taxi", (402, 6, 21), (-10, 30), 7.93)],
)
def test_the_toys(name: str, size: tuple[int, int, int], affine: tuple[float, float], value: float) -> None:
    """FrozenLake: 11 squares of ice; CliffWalking: 37 neither cliff nor goal; Taxi: 400 with the passenger not at the destination, and the start."""
    problem = from_gymnasium(toy(name), 20)
    assert (problem.n_states, problem.n_actions, problem.horizon) == size
    assert (problem.reward_offset, problem.reward_scale) == affine
    assert problem.in_environment(problem.optimal_value) == pytest.approx(value, abs=1e-11)
    assert (problem.states[problem.start] < 0) == (name == "Taxi") and np.count_nonzero(problem.states < 0) == 1 + (name == "Taxi")
    assert repr(problem).startswith(f"from_gymnasium(make('{name}-v") and repr(problem).endswith("horizon=20)")


def test_rewards_of_the_lake_are_means() -> None:
    problem = from_gymnasium(toy("FrozenLake"), 20)
    (before_goal,) = np.flatnonzero(problem.states == 14)
    assert problem.reward[before_goal] == pytest.approx([0, 1 / 3, 1 / 3, 1 / 3]) and np.count_nonzero(problem.reward) == 3


def test_the_optimal_policy_is_as_good_in_the_environment() -> None:
    """Its share of episodes that reach the goal is Binomial(n, V*) / n, exactly."""
    env, horizon, n = toy("FrozenLake").unwrapped, 20, 1500
    problem = from_gymnasium(env, horizon)
    index = {int(s): i for i, s in enumerate(problem.states)}
    value = float(problem.optimal_value)
    assert n >= max(statistics.seeds_to_reject(value, 0.33), statistics.seeds_to_reject(1 - value, 0.9))
    reached, seed = 0.0, 11
    for k in range(n):
        state, _ = env.reset(seed=seed if k == 0 else None)
        for h in range(horizon):
            state, reward, terminated, _, _ = env.step(int(problem.optimal_policy[h, index[state]]))
            reached += reward
            if terminated:
                break
    assert not statistics.too_many_failures(int(reached), n, value) and not statistics.too_many_failures(n - int(reached), n, 1 - value)


class Tabular:
    """An environment that is only its table."""

    def __init__(self, P: Any, law: Any) -> None:
        self.P, self.initial_state_distrib = P, law
        self.observation_space, self.action_space = gymnasium.spaces.Discrete(len(P)), gymnasium.spaces.Discrete(len(P[0]))

    @property
    def unwrapped(self) -> Tabular:
        return self

    def step(self, action: int) -> None:
        raise NotImplementedError


@st.composite
def tables(draw: st.DrawFn) -> Tabular:
    S, A = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    rewards = draw(st.sampled_from([st.sampled_from([0.0, 1.0]), st.sampled_from([-1.0, 2.5, 0.5]), st.floats(-3, 3), st.just(-2.0), st.just(1e-3)]))

    def outcomes() -> list[tuple[float, int, float, bool]]:
        law = draw(distributions(draw(st.integers(1, 3))))
        return [(float(p), draw(st.integers(0, S - 1)), draw(rewards), draw(st.booleans())) for p in law]

    return Tabular({s: {a: outcomes() for a in range(A)} for s in range(S)}, draw(distributions(S)))


@given(tables(), st.integers(1, 4), st.integers(0, 2**32))
def test_policies_have_the_values_that_they_have_in_the_table(env: Tabular, horizon: int, code: int) -> None:
    problem = from_gymnasium(env, horizon)
    drawn = problem.horizon - horizon
    assert drawn == (np.count_nonzero(env.initial_state_distrib) > 1)
    S, A = problem.n_states, problem.n_actions
    policy = (code // (1 + np.arange(problem.horizon * S))).reshape(problem.horizon, S) % A
    index = {int(s): i for i, s in enumerate(problem.states)}
    law = np.array(env.initial_state_distrib)
    for mine, theirs in (
        (problem.optimal_value, values(env.P, horizon)),
        (
            problem.policy_values(policy)[0, problem.start],
            values(env.P, horizon, lambda left, s: policy[problem.horizon - left, index[s]] if s in index else 0),
        ),
    ):
        assert problem.in_environment(mine) == pytest.approx(law @ np.array(theirs[horizon]), abs=1e-10)
    assert problem.in_environment(problem.optimal_value - problem.worst_value, 0) >= 0


@given(tables(), st.integers(1, 3))
def test_a_problem_from_a_table_goes_there_and_back(env: Tabular, horizon: int) -> None:
    problem = from_gymnasium(env, horizon)
    again = from_gymnasium(to_gymnasium(problem), problem.horizon)
    assert again.states.tolist() == list(range(problem.n_states)) and (again.reward_offset, again.reward_scale) == (0, 1)
    for field in ("transition", "reward", "horizon", "start"):
        assert np.array_equal(getattr(again, field), getattr(problem, field)), field


def test_states_that_cannot_be_reached_are_left_out() -> None:
    transition = np.array([[[0, 0.5, 0.5]], [[0, 1, 0]], [[0, 0, 1]]])
    problem = EpisodicMDP(transition, [[0.1], [0.2], [0.3]], 2, start=1)
    found = from_gymnasium(to_gymnasium(problem), 2)
    assert found.states.tolist() == [1] and found.reward.tolist() == [[0.2]] and found.optimal_value == problem.optimal_value


def test_continuing_problems_have_no_table_and_stages_must_agree() -> None:
    for problem in (river_swim_continuing(), random_mdp(2, 2, 2)):
        with pytest.raises(TypeError, match="env: expected an environment with a transition table P"):
            from_gymnasium(to_gymnasium(problem), 2)


def test_a_run_is_saved_with_the_map(tmp_path: Path) -> None:
    problem = from_gymnasium(toy("CliffWalking"), 5)
    run = UCBVI().run(problem, 20, seed=0, file=tmp_path / "run")
    loaded = Run.load(tmp_path / "run")
    assert loaded.problem == problem and isinstance(loaded.problem, GymnasiumMDP) and loaded.problem.reward_scale == 100
    assert loaded.regret.tolist() == run.regret.tolist()


def test_wrappers() -> None:
    wrapped = gymnasium.wrappers.RecordEpisodeStatistics(toy("FrozenLake"))
    assert from_gymnasium(wrapped, 3) == from_gymnasium(toy("FrozenLake"), 3)
    with pytest.raises(ValueError, match="env: expected no wrapper that may change laws, rewards, observations or actions, got TransformReward"):
        from_gymnasium(gymnasium.wrappers.TransformReward(toy("FrozenLake"), lambda reward: -reward), 3)


def test_a_passenger_who_changes_his_mind_is_refused() -> None:
    try:
        env = toy("Taxi", fickle_passenger=True)
    except TypeError:
        pytest.skip("this release of gymnasium has no fickle passengers")
    with pytest.raises(ValueError, match="fickle_passenger"):
        from_gymnasium(env, 3)


GOOD = {0: {0: [(1.0, 1, 0.0, False)]}, 1: {0: [(0.5, 0, 1.0, False), (0.5, 1, 0.0, True)]}}


@pytest.mark.parametrize(
    ("entry", "error", "message"),
    [
        ([(0.5, 1, 0.0, False)], ValueError, r"env.P\[0\]\[0\]: expected probabilities that sum to one, got a sum of 0.5"),
        ([(-0.5, 1, 0.0, False), (1.5, 1, 0.0, False)], ValueError, r"env.P\[0\]\[0\]\[0\], probability: expected a number in \[0, 1\], got -0.5"),
        ([(float("nan"), 1, 0.0, False)], ValueError, r"env.P\[0\]\[0\]\[0\], probability"),
        ([(1.0, 2, 0.0, False)], ValueError, r"env.P\[0\]\[0\]\[0\], next state: expected an integer in \[0, 1\], got 2"),
        ([(1.0, 1, float("inf"), False)], ValueError, r"env.P\[0\]\[0\]\[0\], reward"),
        ([(0.5, 1, 1e308, False), (0.5, 1, -1e308, False)], ValueError, "env.P: expected rewards whose range is finite"),
        ([(1.0, 1, "much", False)], TypeError, r"env.P\[0\]\[0\]\[0\], reward"),
        ([(1.0, 1, 0.0, "no")], TypeError, r"env.P\[0\]\[0\]\[0\], terminated: expected True or False, got 'no'"),
        ([(1.0, 1, 0.0)], TypeError, r"env.P\[0\]\[0\]\[0\]: expected \(probability, next state, reward, terminated\)"),
        ([], TypeError, r"env.P\[0\]\[0\]: expected a list of outcomes"),
        (None, TypeError, r"env.P\[0\]\[0\]: expected a list of outcomes"),
    ],
)
def test_a_damaged_table_is_named(entry: Any, error: type[Exception], message: str) -> None:
    assert from_gymnasium(Tabular(GOOD, [1, 0]), 2).n_states == 3
    with pytest.raises(error, match=message):
        from_gymnasium(Tabular(GOOD | {0: {0: entry}}, [1, 0]), 2)


def test_other_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="horizon: expected an integer in"):
        from_gymnasium(Tabular(GOOD, [1, 0]), 0)
    with pytest.raises(ValueError, match=r"env.initial_state_distrib: expected a row that sums to one"):
        from_gymnasium(Tabular(GOOD, [1, 1]), 2)
    with pytest.raises(TypeError, match="env: expected an environment with the law of its first state"):
        from_gymnasium(Tabular(GOOD, None), 2)
    with pytest.raises(TypeError, match=r"env: expected a gymnasium\.Env, got 'FrozenLake-v1'"):
        from_gymnasium("FrozenLake-v1", 2)
    with pytest.raises(TypeError, match=r"env: expected an environment with a transition table P, .* got CartPoleEnv"):
        from_gymnasium(toy("CartPole"), 2)
    with pytest.raises(ValueError, match=r"env.P: expected entries 0 to 1, got none for 1"):
        from_gymnasium(Tabular({0: GOOD[0], 2: GOOD[1]}, [1, 0]), 2)
    with pytest.raises(ValueError, match=r"env.P\[1\]: expected 1 actions, as state 0 has"):
        from_gymnasium(Tabular(GOOD | {1: {0: GOOD[0][0], 1: GOOD[0][0]}}, [1, 0]), 2)
    odd = Tabular(GOOD, [1, 0])
    odd.observation_space = gymnasium.spaces.Discrete(3)
    with pytest.raises(ValueError, match=r"env.observation_space: expected Discrete\(2\), for the 2 states of env.P, got Discrete\(3\)"):
        from_gymnasium(odd, 2)
