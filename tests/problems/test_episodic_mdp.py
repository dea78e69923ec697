"""EpisodicMDP: what it accepts, what it refuses and how it says so, what it knows, against enumeration of policies and trajectories."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theoryrl.planning.arrays import invert
from theoryrl.problems import EpisodicMDP

CLOSE = 1e-13
ABSORBING = np.broadcast_to(np.eye(2)[:, None], (2, 3, 2))


def fields(**changes: Any) -> dict[str, Any]:
    """A valid instance with S = 2, A = 3, H = 2."""
    return {"transition": np.array(ABSORBING), "reward": np.array([[0, 0.5, 1], [1, 0.25, 0]]), "horizon": 2} | changes


def spoiled(name: str, index: tuple[int, ...], value: float) -> dict[str, Any]:
    array = np.array(fields()[name], dtype=float)
    array[index] = value
    return fields(**{name: array})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (spoiled("transition", (1, 2, 0), 0.5), r"transition\[1, 2\]: expected a row that sums to one, got a sum of 1.5"),
        (spoiled("transition", (0, 0, 1), np.nan), r"transition\[0, 0, 1\]: .*got nan"),
        (spoiled("transition", (0, 0, 1), -1), r"transition\[0, 0, 1\]: .*got -1"),
        (spoiled("transition", (0, 0, 0), 1 - 1e-9), r"transition\[0, 0\]: expected a row that sums to one"),
        (spoiled("reward", (0, 2), 1.1), r"reward\[0, 2\]: expected \[0, 1\], got 1.1"),
        (spoiled("reward", (1, 0), -0.5), r"reward\[1, 0\]: expected \[0, 1\], got -0.5"),
        (spoiled("reward", (0, 2), np.inf), r"reward\[0, 2\]: .*got inf"),
        (fields(transition=np.stack([ABSORBING] * 3)), r"transition: expected shape \(2, any, any, any\), got \(3, 2, 3, 2\)"),
        (fields(transition=np.ones((2, 3, 1))), r"transition: expected shape \(2, 3, 2\), got \(2, 3, 1\)"),
        (fields(transition=np.stack([np.ones((2, 3, 1))] * 2)), r"transition: expected shape \(2, 2, 3, 2\), got \(2, 2, 3, 1\)"),
        (fields(transition=np.ones((2, 2))), r"transition: expected shape \(2, any, any, any\), got \(2, 2\)"),
        (fields(transition=np.ones((0, 2, 0))), r"transition: expected shape \(any, any, any\), got \(0, 2, 0\)"),
        (fields(reward=np.ones((2, 2))), r"reward: expected shape \(2, 3\), got \(2, 2\)"),
        (fields(reward=np.ones((3, 2, 3))), r"reward: expected shape \(2, 2, 3\), got \(3, 2, 3\)"),
        (fields(reward=np.ones(3)), r"reward: expected shape \(2, 2, 3\), got \(3,\)"),
        (fields(horizon=0), r"horizon: .*got 0"),
        (fields(horizon=2.5), r"horizon: expected an integer, got 2.5"),
        (fields(start=2), r"start: expected an integer in \[0, 1\], got 2"),
        (fields(start=-1), r"start: .*got -1"),
        (fields(prior=0.0), r"prior: expected a number in \(0, inf\), got 0"),
        (fields(prior=np.nan), r"prior: .*got nan"),
    ],
)
def test_bad_values(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EpisodicMDP(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (fields(transition="sure"), r"transition: expected an array of real numbers, got str 'sure'"),
        (fields(reward=[[1, 2], [3]]), r"reward: expected an array of real numbers, got list"),
        (fields(transition=[[1, 2], [3]]), r"transition: expected an array of real numbers, got list"),
        (fields(horizon="2"), r"horizon: expected an integer, got str '2'"),
        (fields(start=True), r"start: expected an integer, got bool True"),
        (fields(start=[0, 1]), r"start: expected an integer, got list"),
        (fields(prior="flat"), r"prior: expected a real number, got str 'flat'"),
    ],
)
def test_bad_types(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        EpisodicMDP(**arguments)


@pytest.mark.parametrize(
    ("policy", "error", "message"),
    [
        (np.full((2, 2), 3), ValueError, r"policy\[0, 0\]: expected \[0, 2\], got 3"),
        (np.array([[0, 0], [0, -1]]), ValueError, r"policy\[1, 1\]: .*got -1"),
        (np.array([[0, 0.5], [0, 0]]), ValueError, r"policy\[0, 1\]: expected an integer, got 0.5"),
        (np.zeros(2), ValueError, r"policy: expected shape \(2, 2\), got \(2,\)"),
        ("greedy", TypeError, r"policy: expected an array"),
    ],
)
def test_bad_policies_are_named(policy: Any, error: type[Exception], message: str) -> None:
    problem = EpisodicMDP(**fields())
    for method in (problem.policy_values, problem.occupancy):
        with pytest.raises(error, match=message):
            method(policy)


def test_arrays_are_copied_converted_and_read_only() -> None:
    transition = np.array(ABSORBING, dtype=int)
    problem = EpisodicMDP(**fields(transition=transition, horizon=2.0, start=np.int64(1)))
    transition[:] = 0
    assert problem.transition.dtype == np.float64 and problem.transition.sum() == 6
    assert type(problem.horizon) is int and type(problem.start) is int and problem.prior is None
    names = (
        "transition", "reward", "stage_transition", "stage_reward", "optimal_values", "optimal_policy", "worst_values", "value_caps", "max_reach",
        "reachability", "next_first", "reward_rows", "cumulative",
    )  # fmt: skip
    for name in names:
        with pytest.raises(ValueError, match="read-only"):
            getattr(problem, name)[0] = 0


def test_shapes_and_the_kernels_layouts() -> None:
    rng = np.random.default_rng(0)
    same = EpisodicMDP(rng.dirichlet(np.ones(2), (2, 3)), rng.random((2, 3)), 4)
    each = EpisodicMDP(rng.dirichlet(np.ones(2), (4, 2, 3)), rng.random((4, 2, 3)), 4)
    for problem, G in ((same, 1), (each, 4)):
        assert (problem.n_states, problem.n_actions, problem.horizon) == (2, 3, 4)
        assert problem.stage_transition.shape == (4, 2, 3, 2) and problem.stage_reward.shape == (4, 2, 3)
        assert problem.next_first.shape == (G, 2, 6) and problem.reward_rows.shape == (4, 6) and problem.cumulative.shape == (G, 2, 3, 2)
        assert problem.next_first.flags.c_contiguous and problem.reward_rows.flags.c_contiguous
        for g, s, a, s2 in itertools.product(range(G), range(2), range(3), range(2)):
            assert problem.next_first[g, s2, s * 3 + a] == problem.stage_transition[g, s, a, s2]
            assert problem.reward_rows[g, s * 3 + a] == problem.stage_reward[g, s, a]


def test_stationarity_is_by_content() -> None:
    one = np.random.default_rng(0).dirichlet(np.ones(2), (2, 3))
    assert EpisodicMDP(**fields(transition=one)).stationary
    assert EpisodicMDP(**fields(transition=np.stack([one, one]))).stage_change is None
    assert EpisodicMDP(**fields(transition=one[None], horizon=1)).stationary
    other = np.array(one)
    other[1, 2] = np.nextafter(other[1, 2], [0, 1])
    changing = EpisodicMDP(**fields(transition=np.stack([one, one, other, one]), horizon=4))
    assert changing.stage_change == 2 and not changing.stationary
    assert EpisodicMDP(**fields(reward=np.stack([np.zeros((2, 3)), np.ones((2, 3))]))).stationary  # rewards may change


def test_diameter() -> None:
    cycle = np.eye(3)[[1, 2, 0]][:, None]
    assert EpisodicMDP(cycle, np.zeros((3, 1)), 2).diameter == 2
    assert EpisodicMDP(np.stack([cycle, cycle]), np.zeros((3, 1)), 2).diameter == 2
    assert EpisodicMDP(**fields()).diameter == np.inf
    assert EpisodicMDP(np.ones((1, 1, 1)), [[0]], 1).diameter == 0
    with pytest.raises(ValueError, match="transition: a diameter needs the same laws at every stage, but stages 0 and 1 differ"):
        _ = EpisodicMDP(np.stack([cycle, cycle[[1, 2, 0]]]), np.zeros((3, 1)), 2).diameter


def test_value_caps_and_support() -> None:
    reward = np.array([[[0.5, 0.2, 0]] * 2, np.zeros((2, 3)), [[0, 0, 1], [0, 0.1, 0]]])
    problem = EpisodicMDP(**fields(reward=reward, horizon=3))
    assert problem.value_caps.tolist() == [1.5, 1, 1, 0]
    assert problem.support == 1
    transition = np.array(ABSORBING)
    transition[1, 1] = 0.5
    assert EpisodicMDP(**fields(transition=transition)).support == 2
    assert EpisodicMDP(**fields(transition=np.stack([ABSORBING, transition]))).support == 2


def test_no_impossible_state_is_drawn() -> None:
    """The next state is the first one whose cumulative entry exceeds a uniform draw, however the sums were rounded."""
    row = np.array([0, 0.1, 0.2, 0.7, 0])
    problem = EpisodicMDP(np.tile(row, (5, 2, 1)), np.zeros((5, 2)), 1)
    assert [invert(problem.cumulative[0, 2, 1], u) for u in (0.0, 0.05, 0.15, 0.5, np.nextafter(1, 0))] == [1, 1, 2, 3, 3]


@settings(max_examples=60)
@given(st.lists(st.sampled_from([0.0, 1e-300, 1e-17, 0.1, 1 / 3, 0.7, 1.0]), min_size=1, max_size=6).filter(sum), st.integers(0, 2**53 - 1))
def test_no_impossible_state_is_drawn_from_any_row(weights: list[float], draw: int) -> None:
    row = np.array(weights) / np.sum(weights)
    S = len(row)
    problem = EpisodicMDP(np.tile(row, (S, 1, 1)), np.zeros((S, 1)), 1)
    for uniform in (draw / 2**53, 0.0, 1 - 2**-53):
        drawn = invert(problem.cumulative[0, 0, 0], uniform)
        assert drawn < S and row[drawn] > 0
        assert drawn == np.flatnonzero(row)[-1] or row[: drawn + 1].sum() + CLOSE > uniform
        assert uniform + CLOSE >= row[:drawn].sum()


@st.composite
def instances(draw: st.DrawFn) -> EpisodicMDP:
    """Small problems on coarse grids: ties, zeros, absorbing states, a single state or action, laws and rewards by stage or not."""
    S, A, H = draw(st.sampled_from([(1, 1, 1), (1, 1, 3), (1, 3, 2), (2, 1, 3), (2, 2, 1), (2, 2, 2), (2, 2, 3), (3, 2, 2), (2, 3, 2), (3, 1, 2)]))

    def array(values: list[float], *shape: int) -> np.ndarray:
        size = int(np.prod(shape))
        return np.array(draw(st.lists(st.sampled_from(values), min_size=size, max_size=size)), dtype=float).reshape(shape)

    weights = array([0, 0, 1, 2, 0.1], *((H,) if draw(st.booleans()) else ()), S, A, S)
    weights += np.where(weights.sum(axis=-1, keepdims=True) == 0, np.eye(S)[:, None], 0)  # a row of zeros becomes absorbing
    reward = array([0, 0.25, 0.5, 1, 0.3], *((H,) if draw(st.booleans()) else ()), S, A)
    return EpisodicMDP(weights / weights.sum(axis=-1, keepdims=True), reward, H, start=draw(st.integers(0, S - 1)))


def policies(problem: EpisodicMDP) -> Iterator[np.ndarray]:
    H, S = problem.horizon, problem.n_states
    for actions in itertools.product(range(problem.n_actions), repeat=H * S):
        yield np.array(actions).reshape(H, S)


def rolled_out(problem: EpisodicMDP, policy: np.ndarray, start: int) -> tuple[float, np.ndarray]:
    """Value of a policy from `start` and probabilities (H, S, A), summed over all trajectories."""
    H, S, A = problem.horizon, problem.n_states, problem.n_actions
    P, r = problem.stage_transition, problem.stage_reward
    value, d = 0.0, np.zeros((H, S, A))
    for rest in itertools.product(range(S), repeat=H - 1):
        path = (start, *rest)
        chance = 1.0
        for h in range(H - 1):
            chance *= P[h, path[h], policy[h, path[h]], path[h + 1]]
        value += chance * sum(r[h, s, policy[h, s]] for h, s in enumerate(path))
        for h, s in enumerate(path):
            d[h, s, policy[h, s]] += chance
    return value, d


@settings(max_examples=40)
@given(instances())
def test_best_worst_and_reach_are_those_of_all_policies(problem: EpisodicMDP) -> None:
    S = problem.n_states
    values = np.stack([problem.policy_values(policy) for policy in policies(problem)])
    reached = np.stack([problem.occupancy(policy).sum(axis=2) for policy in policies(problem)])
    assert np.abs(problem.optimal_values - values.max(axis=0)).max() <= CLOSE
    assert np.abs(problem.worst_values - values.min(axis=0)).max() <= CLOSE
    assert np.abs(problem.max_reach - reached.max(axis=0)).max() <= CLOSE
    assert np.array_equal(problem.reachability, problem.n_actions * problem.max_reach.sum(axis=1))
    assert np.all(problem.reachability <= S * problem.n_actions * (1 + CLOSE)) and np.all(problem.reachability >= problem.n_actions * (1 - CLOSE))
    assert np.all(problem.optimal_values.max(axis=1) <= problem.value_caps + CLOSE)
    assert np.abs(problem.policy_values(problem.optimal_policy) - problem.optimal_values).max() <= CLOSE
    assert problem.optimal_value == problem.optimal_values[0, problem.start] and problem.worst_value == problem.worst_values[0, problem.start]
    assert not problem.optimal_values[-1].any() and not problem.worst_values[-1].any()


@settings(max_examples=40)
@given(instances(), st.data())
def test_a_policy_is_worth_its_trajectories(problem: EpisodicMDP, data: st.DataObject) -> None:
    H, S = problem.horizon, problem.n_states
    actions = data.draw(st.lists(st.integers(0, problem.n_actions - 1), min_size=H * S, max_size=H * S))
    policy = np.array(actions).reshape(H, S)
    for start in range(S):
        value, d = rolled_out(problem, policy, start)
        assert abs(problem.policy_values(policy)[0, start] - value) <= CLOSE
        if start == problem.start:
            assert np.abs(problem.occupancy(policy) - d).max() <= CLOSE


def test_equality_repr_and_pickle() -> None:
    problem = EpisodicMDP(**fields())
    assert problem == EpisodicMDP(**fields()) and hash(problem) == hash(EpisodicMDP(**fields()))
    assert problem != EpisodicMDP(**fields(start=1)) and problem != EpisodicMDP(**fields(prior=1.0))
    assert problem != EpisodicMDP(**fields(transition=np.stack([ABSORBING] * 2)))  # given by stage: other layouts
    assert repr(problem) == "EpisodicMDP(transition=array(2, 3, 2), reward=array(2, 3), horizon=2, start=0, prior=None)"
    assert repr(EpisodicMDP(**fields(), name="mine()")) == "mine()"
    _ = problem.optimal_value, problem.cumulative
    copied = pickle.loads(pickle.dumps(problem))
    assert copied == problem and copied.optimal_value == problem.optimal_value
