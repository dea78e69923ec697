"""The solvers of tabular MEX against scipy's bounded least squares, enumeration, cvxpy and random tables."""

import numpy as np
import pytest
from scipy.optimize import lsq_linear

from theoryrl.algorithms.mex.bounded_qp import bounded_values, cells
from theoryrl.algorithms.mex.branch_and_bound import branch_and_bound
from theoryrl.algorithms.mex.empirical import read_counts
from theoryrl.algorithms.mex.linear import linear_statistics, linear_value
from theoryrl.algorithms.mex.local_search import local_search, search_path
from theoryrl.algorithms.mex.policy_form import enumerate_policies, objective, policy_value
from theoryrl.algorithms.mex.tabular_models import model_row, optimistic_model
from theoryrl.testing.world import world

SHAPES = ((2, 2, 2), (3, 2, 2), (2, 3, 2), (1, 2, 3), (3, 1, 2), (2, 2, 1), (1, 1, 1))


def played(rng, H, S, A, episodes):
    """Return counts, rewards and caps after `episodes` of uniform actions in a random MDP."""
    P, r = rng.dirichlet(np.full(S, 0.7), size=(H, S, A)), rng.random((H, S, A)).round(2)
    n, n_next = np.zeros((H, S, A), np.int64), np.zeros((H, S, A, S), np.int64)
    for _ in range(episodes):
        s = 0
        for h in range(H):
            a = rng.integers(A)
            following = rng.choice(S, p=P[h, s, a])
            n[h, s, a] += 1
            n_next[h, s, a, following] += 1
            s = following
    return n, n_next, r, np.append(np.cumsum(r.max(axis=(1, 2))[::-1])[::-1], 0.0)


def cases(count, shapes=SHAPES, most=25, low=-2.0, high=1.0):
    """Yield (arguments without the policy, rng) of random instances."""
    rng = np.random.default_rng(5)
    for i in range(count):
        yield (*played(rng, *shapes[i % len(shapes)], int(rng.integers(0, most))), 0, float(10 ** rng.uniform(low, high))), rng


def by_bounded_least_squares(n, n_next, r, caps, start, eta, policy):
    """Return QP(policy) by scipy, over the cells that the policy reaches."""
    H, S = policy.shape
    reach, columns = [(0, start)], {}
    while reach:
        h, x = reach.pop()
        if (h, x) not in columns and n[h, x, policy[h, x]] > 0:
            columns[h, x] = len(columns)
            reach += [(h + 1, y) for y in range(S) if h + 1 < H and n_next[h, x, policy[h, x], y] > 0]
    if not columns:
        return caps[0]
    M, plain = np.eye(len(columns)), np.zeros(len(columns))
    samples, cap = np.zeros(len(columns)), np.zeros(len(columns))
    d = np.zeros(len(columns))
    d[0] = 1.0
    for (h, x), i in sorted(columns.items()):
        a = policy[h, x]
        plain[i], samples[i], cap[i] = r[h, x, a], n[h, x, a], caps[h]
        for y in range(S):
            share = n_next[h, x, a, y] / n[h, x, a]
            if (h + 1, y) in columns:
                M[i, columns[h + 1, y]] -= share
                d[columns[h + 1, y]] += share * d[i]
            elif h + 1 < H:
                plain[i] += share * caps[h + 1]
    weight = np.sqrt(samples)
    found = lsq_linear(weight[:, None] * M, weight * (plain + d / (2 * eta * samples)), (-np.inf, cap + 1e-300), method="bvls", tol=1e-15, max_iter=1000)
    v = np.minimum(found.x, cap)
    return v[0] - eta * np.sum(samples * (M @ v - plain) ** 2)


def test_policy_value_is_bounded_least_squares():
    clipped = 0
    for arguments, rng in cases(200, ((2, 2, 2), (3, 3, 2), (5, 5, 2)), most=60, low=-3.0):
        policy = rng.integers(arguments[0].shape[2], size=arguments[0].shape[:2])
        value = policy_value(*arguments, policy)
        assert abs(value - by_bounded_least_squares(*arguments, policy)) <= 1e-9
        clipped += value < policy_value(*arguments, policy, clipped=False) - 1e-9
    assert clipped >= 50


def test_murtys_rule_alone_finds_the_same_solution():
    alone = world([("theoryrl.algorithms.mex.bounded_qp", "TRIALS = 3", "TRIALS = -1")])("theoryrl.algorithms.mex.bounded_qp")
    for arguments, rng in cases(30, ((3, 3, 2), (4, 4, 2)), most=60, low=-3.0):
        policy = rng.integers(2, size=arguments[0].shape[:2])
        model, caps, start, eta = read_counts(*arguments)
        found = alone.bounded_values(model.P, model.r, model.n, caps, start, eta, policy, cells(*policy.shape))
        assert abs(found - bounded_values(model.P, model.r, model.n, caps, start, eta, policy, cells(*policy.shape))) <= 1e-9


@pytest.mark.parametrize("clipped", [True, False])
def test_branch_and_bound_is_enumeration(clipped):
    for arguments, _ in cases(35):
        slow, fast = enumerate_policies(*arguments, clipped), branch_and_bound(*arguments, clipped)
        scale = 1 + abs(slow.lower)
        assert fast.exact and fast.gap <= 1e-9 * scale
        assert abs(slow.lower - fast.lower) <= 1e-9 * scale and abs(slow.lower - slow.upper) <= 1e-9 * scale
        assert abs(objective(*arguments, fast.f) - fast.lower) <= 1e-12 * scale


def test_branch_and_bound_certifies_what_it_has_at_the_node_cap():
    arguments = next(cases(1, ((3, 3, 2),), most=26))[0]
    best = branch_and_bound(*arguments)
    for node_cap in (1, 2, 5):
        found = branch_and_bound(*arguments, node_cap=node_cap)
        assert found.lower <= best.lower + 1e-12 and found.upper >= best.lower - 1e-12


def test_local_search_lies_between():
    for arguments, rng in cases(70):
        found, best = local_search(*arguments), branch_and_bound(*arguments)
        assert found.lower <= best.lower + 1e-9 and found.upper >= best.lower - 1e-9
        assert objective(*arguments, found.f) == found.lower
        assert np.array_equal(found.policy, found.f.argmax(axis=-1))
        assert np.all(found.f <= arguments[3][:-1, None, None]) and np.all(found.f >= 0)
        for a in range(arguments[0].shape[2]):
            assert found.lower >= policy_value(*arguments, np.full(found.policy.shape, a)) - 1e-9
        path = search_path(*arguments, rng.integers(arguments[0].shape[2], size=found.policy.shape))
        assert np.all(np.diff(path) >= -1e-10)


def test_no_table_is_better_than_branch_and_bound():
    for arguments, rng in cases(7):
        best = branch_and_bound(*arguments)
        caps = arguments[3][:-1, None, None]
        for _ in range(50):
            near = np.clip(best.f + rng.normal(size=best.f.shape) * 10 ** rng.uniform(-4, 0), 0, caps)
            assert objective(*arguments, near) <= best.lower + 1e-9


def test_model_row_is_stationary():
    rng = np.random.default_rng(0)
    for _ in range(100):
        S, n, w, eta = int(rng.integers(2, 5)), int(rng.integers(1, 12)), rng.random(), 10 ** rng.uniform(-2, 1)
        p_hat, V = rng.multinomial(n, rng.dirichlet(np.full(S, 0.5))) / n, rng.random(S)
        p = model_row(p_hat, n, V, w, eta)
        seen = p_hat > 0
        slope = w * V
        slope[seen] += eta * n * p_hat[seen] / p[seen]
        assert abs(p.sum() - 1) <= 1e-12
        assert np.all(slope[p > 0] >= slope.max() - 1e-6 * (1 + slope.max()))  # all mass where the slope is largest
    assert model_row([0.5, 0.5], 0, [1.0, 2.0], 1.0, 1.0).tolist() == [0.0, 1.0]


def test_model_search_is_exact_up_to_two_stages_and_certified_beyond():
    rng = np.random.default_rng(1)
    for i in range(40):
        H = (1, 2, 3, 4)[i % 4]
        n, n_next, r, _ = played(rng, H, 3, 2, int(rng.integers(0, 40)))
        eta = float(10 ** rng.uniform(-2, 0.5))
        found = optimistic_model(n, n_next, r, 0, eta)
        assert found.lower <= found.upper and (found.exact or H > 2)
        assert np.abs(found.model.sum(axis=-1) - 1).max() <= 1e-12
        following = np.concatenate([found.f.max(axis=-1)[1:], np.zeros((1, 3))])
        assert np.abs(found.f - r - np.einsum("hsat,ht->hsa", found.model, following)).max() <= 1e-12
        share = n_next / np.maximum(n, 1)[..., None]
        terms = np.where(n_next > 0, n_next * np.log(np.where(n_next > 0, share, 1) / np.where(n_next > 0, found.model, 1)), 0)
        assert abs(found.f[0, 0].max() - eta * terms.sum() - found.lower) <= 1e-10
        for a in range(2):  # the empirical model has no loss
            assert found.lower >= _value(share, n, r, np.full((H, 3), a)) - 1e-9


def _value(share, n, r, policy):
    V = np.zeros(3)
    for h in range(len(r) - 1, -1, -1):
        a = policy[h]
        rows = np.arange(3)
        V = r[h, rows, a] + np.where(n[h, rows, a] > 0, share[h, rows, a] @ V, V.max())
    return V[0]


def test_linear_value_in_closed_form_and_as_a_cone_program():
    pytest.importorskip("cvxpy")
    rng = np.random.default_rng(2)
    A, b, Sigma = linear_statistics(rng.normal(size=(3, 20, 4)), rng.normal(size=(3, 20, 4)), rng.random((3, 20)))
    psi = rng.normal(size=4)
    free = linear_value(A, b, Sigma, psi, 0.3)
    ball = linear_value(A, b, Sigma, psi, 0.3, radius=0.999 * np.linalg.norm(free.theta, axis=1).max())
    assert free.bounded and ball.bounded and ball.value <= free.value + 1e-7
    assert abs(ball.value - free.value) <= 1e-2 and linear_value(A, b, Sigma, psi, 0.3, radius=1e6).value == free.value
    residual = free.theta - b
    residual[:-1] -= np.einsum("hij,hj->hi", A[:-1], free.theta[1:])
    assert abs(psi @ free.theta[0] - 0.3 * np.einsum("hi,hij,hj->", residual, Sigma, residual) - free.value) <= 1e-9
    A, b, Sigma = linear_statistics(rng.normal(size=(3, 2, 4)), rng.normal(size=(3, 2, 4)), rng.random((3, 2)))
    free, ball = linear_value(A, b, Sigma, psi, 0.3), linear_value(A, b, Sigma, psi, 0.3, radius=5.0)
    assert free.value == np.inf and not free.bounded and not ball.bounded
    assert np.all(np.linalg.norm(ball.theta, axis=1) <= 5 + 1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"eta": 0.0}, "eta"), ({"start": 2}, "start"), ({"n": np.ones((2, 2, 2))}, "n_next"), ({"caps": np.array([1.0, 2.0, 0.0])}, "caps"),
        ({"reward": np.full((2, 2, 2), 2.0)}, "reward"),
    ],
)  # fmt: skip
def test_bad_counts_are_named(change, message):
    n, n_next, r, caps = played(np.random.default_rng(3), 2, 2, 2, 5)
    arguments = {"n": n, "n_next": n_next, "reward": r, "caps": caps, "start": 0, "eta": 1.0} | change
    for solver in (enumerate_policies, branch_and_bound, local_search):
        with pytest.raises(ValueError, match=message):
            solver(**arguments)
