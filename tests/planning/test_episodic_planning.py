"""Planning in a known episodic MDP: exactly, the same bits interpreted and compiled, the same bits in both layouts of the laws."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs_synthetic.mex import deep_sea, garnet, lock, random_mdp, treasure
from theoryrl.planning import arrays, episodic
from theoryrl.problems import EpisodicMDP
from theoryrl.testing.world import world

EXACT = world()
KNOWN = ("optimal_values", "optimal_policy", "worst_values", "max_reach", "reachability", "value_caps", "cumulative")
EDGES = [random_mdp(1, 1, 1), random_mdp(2, 1, 3), random_mdp(3, 2, 1)]
INSTANCES = [random_mdp(3, 4, 3, 1), garnet(5, 6, 2, 3, 0), lock(4, 0.1), treasure(3), deep_sea(5, 0.1), *EDGES]


def fractions(array: Any) -> np.ndarray:
    return np.vectorize(Fraction, otypes=[object])(array)


@st.composite
def exact_instances(draw: st.DrawFn) -> Any:
    """Problems on fractions with small denominators, so that ties are frequent; all-zero rows become absorbing."""
    S, A, H = draw(st.sampled_from([(1, 1, 1), (1, 2, 2), (2, 1, 2), (2, 2, 1), (2, 2, 2), (3, 2, 1), (2, 3, 1), (1, 3, 2), (3, 1, 3)]))
    by_stage = draw(st.booleans())
    shape = ((H,) if by_stage else ()) + (S, A, S)

    def integers(high: int, *shape: int) -> np.ndarray:
        size = int(np.prod(shape))
        return np.array(draw(st.lists(st.integers(0, high), min_size=size, max_size=size)), dtype=object).reshape(shape)

    weights = integers(2, *shape)
    weights = weights + (weights.sum(axis=-1, keepdims=True) == 0) * np.eye(S, dtype=int)[:, None].astype(object)
    transition = fractions(weights) / weights.sum(axis=-1, keepdims=True)
    reward = fractions(integers(3, H, S, A)) / 3
    return EXACT("theoryrl.problems").EpisodicMDP(transition, reward, H, start=draw(st.integers(0, S - 1)))


def by_recursion(problem: Any, choose: Any) -> tuple[np.ndarray, np.ndarray]:
    """V (H + 1, S) and the lowest action that `choose` (max or min) takes, (H, S)."""
    H, S, A = problem.horizon, problem.n_states, problem.n_actions
    P, r = problem.stage_transition, problem.stage_reward
    V, policy = fractions(np.zeros((H + 1, S), int)), np.zeros((H, S), int)
    for h in reversed(range(H)):
        for s in range(S):
            Q = [r[h, s, a] + sum((P[h, s, a, t] * V[h + 1, t] for t in range(S)), Fraction(0)) for a in range(A)]
            V[h, s] = choose(Q)
            policy[h, s] = Q.index(V[h, s])
    return V, policy


def all_policies(problem: Any) -> list[np.ndarray]:
    H, S = problem.horizon, problem.n_states
    return [np.array(actions).reshape(H, S) for actions in itertools.product(range(problem.n_actions), repeat=H * S)]


def trajectories(problem: Any, policy: np.ndarray) -> tuple[Fraction, np.ndarray]:
    """Value at the start and probabilities (H, S) of states, summed over all trajectories."""
    H, S = problem.horizon, problem.n_states
    value, reach = Fraction(0), fractions(np.zeros((H, S), int))
    for rest in itertools.product(range(S), repeat=H - 1):
        path = (problem.start, *rest)
        chance = Fraction(1)
        for h in range(H - 1):
            chance *= problem.stage_transition[h, path[h], policy[h, path[h]], path[h + 1]]
        for h, s in enumerate(path):
            reach[h, s] += chance
            value += chance * problem.stage_reward[h, s, policy[h, s]]
    return value, reach


@settings(max_examples=30)
@given(exact_instances())
def test_exactly_what_all_policies_and_trajectories_give(problem: Any) -> None:
    """Backward induction, worst policy, evaluation, occupancy and reachability on fractions: no tolerance anywhere; ties to the lowest action."""
    for values, choose in ((problem.optimal_values, max), (problem.worst_values, min)):
        V, policy = by_recursion(problem, choose)
        assert np.array_equal(values, V)
        if choose is max:
            assert np.array_equal(problem.optimal_policy, policy)
    found = [trajectories(problem, policy) for policy in all_policies(problem)]
    assert problem.optimal_value == max(value for value, _ in found)
    assert problem.worst_value == min(value for value, _ in found)
    assert np.array_equal(problem.max_reach, np.stack([reach for _, reach in found]).max(axis=0))
    for (value, reach), policy in zip(found, all_policies(problem), strict=True):
        assert problem.policy_values(policy)[0, problem.start] == value
        assert np.array_equal(problem.occupancy(policy).sum(axis=2), reach)


def test_a_worked_instance() -> None:
    """Two stages, a coin that costs a third: V* = 1/3 + 1/2 by the coin, 0 by staying."""
    transition = fractions(np.array([[[1, 0], [1, 0]], [[0, 1], [0, 1]]]))
    transition[0, 1] = Fraction(1, 2)
    reward = fractions(np.array([[0, 0], [1, 1]]))
    reward[0, 1] = Fraction(1, 3)
    problem = EXACT("theoryrl.problems").EpisodicMDP(transition, reward, 2)
    assert problem.optimal_value == Fraction(1, 3) + Fraction(1, 2) * Fraction(1, 3) + Fraction(1, 2)
    assert problem.worst_value == 0 and problem.optimal_policy.tolist() == [[1, 0], [1, 0]]
    assert problem.value_caps.tolist() == [2, 1, 0] and problem.max_reach.tolist() == [[1, 0], [1, Fraction(1, 2)]]


@pytest.mark.parametrize("problem", INSTANCES, ids=lambda problem: problem.name)
def test_the_same_bits_interpreted(problem: EpisodicMDP) -> None:
    twin = EXACT("theoryrl.problems").EpisodicMDP(problem.transition, problem.reward, problem.horizon, problem.start)
    for name in KNOWN:
        assert getattr(problem, name).tobytes() == getattr(twin, name).tobytes(), name
    policy = np.random.default_rng(0).integers(problem.n_actions, size=problem.optimal_policy.shape)
    assert problem.policy_values(policy).tobytes() == twin.policy_values(policy).tobytes()
    assert problem.occupancy(policy).tobytes() == twin.occupancy(policy).tobytes()


@pytest.mark.parametrize("problem", [garnet(5, 6, 2, 3, 0), deep_sea(5, 0.1)], ids=lambda problem: problem.name)
def test_the_same_bits_with_one_law_and_with_one_a_stage(problem: EpisodicMDP) -> None:
    each = EpisodicMDP(np.array(problem.stage_transition), np.array(problem.stage_reward), problem.horizon, problem.start)
    assert problem.next_first.shape[0] == 1 and each.next_first.shape[0] == problem.horizon
    for name in KNOWN[:-1]:
        assert getattr(problem, name).tobytes() == getattr(each, name).tobytes(), name
    policy = np.random.default_rng(0).integers(problem.n_actions, size=problem.optimal_policy.shape)
    assert problem.policy_values(policy).tobytes() == each.policy_values(policy).tobytes()
    assert problem.occupancy(policy).tobytes() == each.occupancy(policy).tobytes()


def test_stages_are_read_in_their_order() -> None:
    """Stage 0 leads to the state that pays at stage 1, whatever the laws of stage 1 say."""
    transition = np.zeros((2, 2, 1, 2))
    transition[0, :, :, 1] = transition[1, :, :, 0] = 1
    problem = EpisodicMDP(transition, [[[0.5], [0]], [[0], [1]]], 2)
    assert problem.optimal_values.tolist() == [[1.5, 1], [0, 1], [0, 0]]
    assert problem.max_reach.tolist() == [[1, 0], [0, 1]]
    assert problem.occupancy([[0, 0], [0, 0]])[..., 0].tolist() == [[1, 0], [0, 1]]


def test_scratch_and_output_may_hold_anything() -> None:
    problem = random_mdp(3, 4, 3, 2)
    P, r, H, S = problem.next_first, problem.reward_rows, 3, 4
    V, policy, Q = np.full((H + 1, S), np.nan), np.full((H, S), 99), np.full(12, np.nan)
    episodic.backward_induction(P, r, V, policy, Q)
    assert np.array_equal(V, problem.optimal_values) and np.array_equal(policy, problem.optimal_policy)
    V[:] = np.nan
    episodic.worst_induction(P, r, V, policy, Q)
    assert np.array_equal(V, problem.worst_values)
    assert np.abs(problem.policy_values(policy) - problem.worst_values).max() <= 1e-14
    V[:] = np.nan
    episodic.policy_values(P, r, problem.optimal_policy, V)
    assert np.array_equal(V, problem.policy_values(problem.optimal_policy))
    d, reach = np.full((H, S), np.nan), np.full((H, S), np.nan)
    episodic.occupancy(P, problem.optimal_policy, 0, d)
    assert np.array_equal(d, problem.occupancy(problem.optimal_policy).sum(axis=2))
    episodic.max_reach(P, 0, reach, np.full((H + 1, S), np.nan))
    assert np.array_equal(reach, problem.max_reach)


@pytest.mark.parametrize("stage", [False, True])
def test_the_sweep_breaks_exact_ties_as_the_kernel_does(stage: bool) -> None:
    """Sums of powers of two have no round-off, so that the two agree to the last bit."""
    rng = np.random.default_rng(0)
    H, S, A = 3, 4, 5
    transition = np.eye(S)[rng.integers(S, size=(*((H,) if stage else ()), S, A, 2))].mean(axis=-2)
    problem = EpisodicMDP(transition, rng.choice([0, 0.25, 0.5], (H, S, A)), H)
    V, policy = np.full((H + 1, S), np.nan), np.full((H, S), -1)
    episodic.dense_backward_induction(problem.transition.reshape(-1, S * A, S), problem.reward_rows, V, policy)
    assert np.array_equal(V, problem.optimal_values) and np.array_equal(policy, problem.optimal_policy)


def test_inversion_counts_the_cells_below() -> None:
    cumulative = np.array([0.25, 0.25, 0.5, 2, 2])
    assert [arrays.invert(cumulative, uniform) for uniform in (0.0, 0.2499, 0.25, 0.4999, 0.5, 0.9999)] == [0, 0, 2, 2, 3, 3]
