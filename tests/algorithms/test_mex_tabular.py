"""MEXTabular: the same bits however a run is cut, traced or interpreted; edge cases; its proof on short runs."""

import numpy as np
import pytest

from envs_synthetic.mex import deep_sea, random_mdp
from theoryrl.algorithms.mex.tabular import MEXTabular
from theoryrl.algorithms.run import Run
from theoryrl.problems.episodic import EpisodicMDP
from theoryrl.proofs.mex.tabular import log_mixture, tabular_constants, theorem_mex_tabular, theorem_mex_tabular_models
from theoryrl.testing.world import world

ALGORITHMS = (MEXTabular(), MEXTabular(solver="exact"), MEXTabular("model-based"), MEXTabular(eta=0.3), MEXTabular("model-based", eta=0.3))
EDGES = [random_mdp(H, S, A, 0) for H, S, A in ((1, 2, 2), (2, 1, 2), (2, 2, 1), (1, 1, 1), (3, 2, 2))]


def same_state(a, b):
    return all(np.array_equal(a[key], b[key]) for key in a if key != "rng" and not key.startswith("raw")) and a["rng"].random() == b["rng"].random()


def proof_of(run):
    theorem = theorem_mex_tabular if run.algorithm.variant == "model-free" else theorem_mex_tabular_models
    return theorem.proof(run)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_chunks_saves_and_traces_change_no_bit(algorithm, tmp_path):
    problem = random_mdp(3, 2, 2, 1)
    whole = algorithm.run(problem, 60, seed=3, checkpoints=[60], trace=True)
    cut = algorithm.run(problem, 60, seed=3, checkpoints=range(1, 61), trace="raw", file=tmp_path / "run")
    loaded = Run.load(tmp_path / "run")
    half = algorithm.start(problem, 60, np.random.Generator(np.random.PCG64(np.random.SeedSequence(3))))
    for k in (1, 7, 20, 32):
        algorithm.advance(problem, half, k, True)
    for name, curve in whole.curves.items():
        assert np.array_equal(curve[-1], cut[name][-1]), name
        assert np.array_equal(curve[-1], loaded[name][-1]), name
    assert same_state(whole.state, half) and same_state(loaded.state, cut.state)
    untraced = algorithm.run(problem, 60, seed=3)
    for name in ("n", "n_next", "f", "policy", "totals"):
        assert np.array_equal(untraced.state[name], whole.state[name]), name


@pytest.mark.parametrize("algorithm", [MEXTabular(), MEXTabular("model-based"), MEXTabular(solver="exact")])
def test_interpreted_runs_have_the_same_bits(algorithm):
    problem = random_mdp(3, 2, 2, 1)
    plain = world()
    interpreted = plain("theoryrl.algorithms.mex.tabular").MEXTabular(algorithm.variant, algorithm.solver)
    twin = plain("envs_synthetic.mex").random_mdp(3, 2, 2, 1)
    ours, theirs = {}, {}
    for learner, instance, curves in ((algorithm, problem, ours), (interpreted, twin, theirs)):
        state = learner.start(instance, 25, np.random.Generator(np.random.PCG64(7)))
        learner.advance(instance, state, 25, True)
        curves.update(learner.measure(instance, state, True))
    for name, value in ours.items():
        assert np.array_equal(value, theirs[name]), name


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("problem", EDGES, ids=repr)
def test_proofs_of_edge_cases(algorithm, problem):
    for n in (1, 2, 40):
        proof = proof_of(algorithm.run(problem, n, seed=1, trace=True))
        assert not proof.violations, proof


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_nothing_to_learn(algorithm):
    reward = np.zeros((2, 2, 2))
    for first in (0.0, 0.4):
        reward[0] = first
        problem = EpisodicMDP(random_mdp(2, 2, 2, 0).stage_transition, reward, 2)
        run = algorithm.run(problem, 20, seed=0, trace=True)
        assert not proof_of(run).violations
        constants = algorithm.constants(problem, 20)
        if algorithm.variant == "model-based":
            assert constants.gec.d == 0 and constants.bound(20) == constants.gec.b and run.regret[-1] <= 1e-12
        elif first == 0:
            assert constants.beta == 0 and run.regret[-1] == 0


def test_the_curves_are_those_of_the_raw_samples():
    problem = random_mdp(2, 2, 2, 0)
    run = MEXTabular().run(problem, 50, seed=2, checkpoints=range(1, 51), trace="raw")
    state, V = run.state, problem.optimal_values
    n_next, squares = np.zeros((2, 2, 2, 2)), np.zeros(2)
    for k in range(50):
        f = state["raw_f"][k]
        n = n_next.sum(axis=-1)
        mean = n_next / np.maximum(n, 1)[..., None]
        for i, (table, values) in enumerate(((f, np.concatenate([f.max(axis=-1), np.zeros((1, 2))])), (None, V))):
            targets = problem.stage_reward + np.einsum("hsat,ht->hsa", mean, values[1:])
            exact = problem.stage_reward + np.einsum("hsat,ht->hsa", problem.stage_transition, values[1:])
            squares[i] = np.sum(n * ((exact if table is None else table) - targets) ** 2)
        gap = run["loss_gap"][k] - (run["loss_gap"][k - 1] if k else 0)
        assert abs(gap - (squares[1] - squares[0])) <= 1e-9
        lower, upper = state["raw_bounds"][k]
        assert abs(f[0, problem.start].max() - float(state["eta"]) * squares[0] - lower) <= 1e-9 and lower <= upper
        assert np.array_equal(state["raw_policy"][k], f.argmax(axis=-1))
        for h in range(2):
            n_next[h, state["raw_states"][k, h], state["raw_actions"][k, h], state["raw_next"][k, h]] += 1
    assert np.array_equal(n_next, state["n_next"])
    assert abs(np.sum(state["binomials"]) - np.sum(log_mixture(n_next.sum(axis=-1), 2))) <= 1e-10


def test_the_theorem_and_the_learner_have_the_same_constants():
    for algorithm in (MEXTabular(), MEXTabular("model-based")):
        for problem in EDGES:
            ours, theirs = algorithm.constants(problem, 1000), tabular_constants(problem, 1000, algorithm.delta, algorithm.variant)
            assert ours.gec == theirs.gec and ours.c == theirs.c and ours.beta == pytest.approx(theirs.beta, rel=1e-12)


def test_constants_of_the_specification():
    """Section 9 of specs/mex.md took C = (2, 1): bounds 6580, 13218, 24773, 48948 on the full tabular class (2, 2, 2)."""
    problem = random_mdp(2, 2, 2, 0)
    reward = np.array(problem.stage_reward)
    reward[:, 1, 1] = 1.0
    problem = EpisodicMDP(problem.stage_transition, reward, 2)
    bounds = [MEXTabular().constants(problem, n).bound(n) for n in (3_000, 10_000, 30_000, 100_000)]
    assert np.allclose(bounds, [6580, 13218, 24773, 48948], rtol=1e-4)


def test_the_exact_solver_leaves_no_gap_and_a_node_cap_is_certified():
    problem = deep_sea(4, 0.1)
    exact = MEXTabular(solver="exact", eta=0.1).run(problem, 40, seed=0, trace=True)
    assert exact["exact_episodes"][-1] == 40 and exact["gaps"][-1] <= 1e-7
    capped, local = (MEXTabular(solver=solver, eta=0.1, node_cap=2).run(problem, 40, seed=0, trace=True) for solver in ("exact", "local"))
    assert local["gaps"][-1] >= capped["gaps"][-1] > 0
    assert not proof_of(capped).violations and not proof_of(exact).violations


def test_bad_parameters_are_named():
    with pytest.raises(ValueError, match="variant"):
        MEXTabular("free")
    with pytest.raises(ValueError, match="solver"):
        MEXTabular("model-based", "exact")
    with pytest.raises(ValueError, match="eta"):
        MEXTabular(eta=0.0)
    with pytest.raises(ValueError, match="delta"):
        MEXTabular(delta=1.0)
    with pytest.raises(ValueError, match="node_cap"):
        MEXTabular(node_cap=0)
