"""T2, T3, T4, T5, T17, T20, T21, T24, T26, T28: MEX over the full tabular class, judged by enumeration, bounded least squares and cvxpy."""

from __future__ import annotations

import itertools
import math
from typing import Any

import mex_oracles as own
import numpy as np
from mex_oracles import World
from scipy import optimize, special

from theoryrl.proofs import statistics

ETAS = (0.01, 0.1, 1.0, 10.0)
DELTA = 0.05
HARD = ((12, (3, 3, 2), 40, 0.003), (116, (3, 3, 2), 10, 0.01), (152, (3, 3, 2), 20, 0.1), (205, (3, 2, 2), 40, 0.003))
"""Seed, (H, S, A), episodes and eta of counts, found among 1500, on which the local search is not exact."""


def part(world: World, name: str) -> Any:
    return world(f"theoryrl.algorithms.mex.{name}")


class Case:
    """Counts drawn from a fixed seed: the arguments of the package's solvers, and the empirical model of our own."""

    def __init__(self, H: int, S: int, A: int, episodes: int, seed: int, eta: float, sparse: float = 0.0) -> None:
        rng = np.random.default_rng(seed)
        self.P, self.r = own.random_mdp(rng, H, S, A, sparse)
        self.caps, self.data = own.value_caps(self.r), own.play(self.P, self.r, 0, episodes, rng)
        self.eta, self.shape = eta, (H, S, A)
        self.model = own.empirical(self.data, S, A, self.caps, 0)
        self.counts = self.data.counts(S, A).astype(np.int64)

    @property
    def arguments(self) -> tuple[Any, ...]:
        return self.counts.sum(axis=3), self.counts, self.r, self.caps, 0, self.eta

    def best(self, clipped: bool) -> float:
        value = own.theorem_B if clipped else own.theorem_A
        return own.best_over_policies(lambda policy: value(policy, self.model, self.eta), *self.shape)

    def __repr__(self) -> str:
        return f"(H, S, A) = {self.shape}, {len(self.data.states)} episodes, eta = {self.eta}"


def near(a: float, b: float, tolerance: float) -> bool:
    return abs(a - b) <= tolerance * (1 + abs(b))


def random_cases(shapes: tuple[tuple[int, int, int], ...], episodes: tuple[int, ...], etas: tuple[float, ...] = ETAS) -> list[Case]:
    found = itertools.product(shapes, episodes, etas)
    return [Case(*shape, n, seed, eta, sparse=0.4 * (seed % 2)) for seed, (shape, n, eta) in enumerate(found)]


# --- T2, T3, T4, T5, T26


def check_T2(world: World) -> None:
    """T2. Theorem A: the largest F over policies = branch and bound without the clip = enumeration."""
    for case in random_cases(((1, 2, 2), (2, 2, 2), (3, 2, 2)), (0, 2, 8, 30)):
        best = case.best(clipped=False)
        enumerated = part(world, "policy_form").enumerate_policies(*case.arguments, clipped=False)
        found = part(world, "branch_and_bound").branch_and_bound(*case.arguments, clipped=False)
        for name, value in (("enumeration", enumerated.lower), ("branch and bound", found.lower), ("its bound", found.upper)):
            assert near(value, best, 1e-6), f"{case}: {name} {value}, the largest F {best}"
        for policy in itertools.islice(own.policies(*case.shape), 0, None, 7):
            value = part(world, "policy_form").policy_value(*case.arguments, policy, clipped=False)
            assert near(value, own.theorem_A(policy, case.model, case.eta), 1e-9), f"{case}: F {value}"
        assert near(own.tabular_objective(found.f, case.model, case.eta), best, 1e-6), f"{case}: the hypothesis attains it"


def black_box(case: Case, starts: int, rng: np.random.Generator) -> float:
    """The best of many L-BFGS-B ascents of the objective over tables f in [0, C]."""
    H, S, A = case.shape
    n, eta, model = case.model.n, case.eta, case.model
    caps = np.repeat(case.caps[:-1], S * A)

    def negative(flat: np.ndarray) -> tuple[float, np.ndarray]:
        f = flat.reshape(H, S, A)
        greedy, gradient, value = f.argmax(axis=2), np.zeros(f.shape), float(f[0, 0].max())
        gradient[0, 0, greedy[0, 0]] = 1.0
        for h in range(H):
            V = f[h + 1].max(axis=1) if h + 1 < H else np.zeros(S)
            e = f[h] - model.r[h] - model.P[h] @ V
            value -= eta * float((n[h] * e**2).sum())
            gradient[h] -= 2 * eta * n[h] * e
            if h + 1 < H:
                gradient[h + 1, np.arange(S), greedy[h + 1]] += 2 * eta * np.einsum("xa,xay->y", n[h] * e, model.P[h])
        return -value, -gradient.ravel()

    best = -math.inf
    for _ in range(starts):
        found = optimize.minimize(negative, rng.random(H * S * A) * caps, jac=True, method="L-BFGS-B", bounds=[(0, cap) for cap in caps],
                                  options={"maxiter": 1000, "maxfun": 4000, "ftol": 1e-15, "gtol": 1e-9})  # fmt: skip
        best = max(best, -float(found.fun))
    return best


def check_T3(world: World) -> None:
    """T3. Theorem B: branch and bound = the best bounded least squares over policies; ascents from 60 starts never exceed it, and the best attains it."""
    for case in random_cases(((1, 2, 2), (2, 2, 2), (3, 2, 2)), (0, 2, 8, 30)):
        best = case.best(clipped=True)
        enumerated = part(world, "policy_form").enumerate_policies(*case.arguments)
        found = part(world, "branch_and_bound").branch_and_bound(*case.arguments)
        for name, value in (("enumeration", enumerated.lower), ("branch and bound", found.lower), ("its bound", found.upper)):
            assert near(value, best, 1e-6), f"{case}: {name} {value}, bounded least squares {best}"
        assert best <= case.best(clipped=False) + 1e-9, "the clip costs"
    for seed, eta in enumerate((0.1, 0.3, 1.0, 3.0)):
        case = Case(2, 2, 2, 6 + 6 * seed, 100 + seed, eta)
        found, searched = part(world, "branch_and_bound").branch_and_bound(*case.arguments), black_box(case, 60, np.random.default_rng(seed))
        assert searched <= found.lower + 1e-6, f"{case}: an ascent reaches {searched}, above {found.lower}"
        assert searched >= found.lower - 1e-6, f"{case}: the best of 60 ascents is {searched}, below {found.lower}"


def check_T4(world: World) -> None:
    """T4. Local search: lower <= exact <= upper, the chord bound; the objective of its hypothesis is `lower`, and its policy is greedy for it."""
    short = 0
    hard = [Case(*shape, n, seed, eta, sparse=0.5 * (seed % 3 > 0)) for seed, shape, n, eta in HARD]
    for case in hard + random_cases(((1, 2, 2), (2, 2, 2), (3, 2, 2), (3, 3, 2), (2, 3, 3)), (0, 3, 20, 200)):
        exact = part(world, "branch_and_bound").branch_and_bound(*case.arguments)
        assert exact.upper - exact.lower <= 1e-9 * (1 + abs(exact.upper)), f"{case}: branch and bound ends"
        if case in hard or np.prod(case.shape[:2]) * math.log2(case.shape[2]) <= 6:
            assert near(exact.lower, case.best(clipped=True), 1e-7)
        found = part(world, "local_search").local_search(*case.arguments)
        bound = own.chord_bound(case.model, case.eta)
        assert near(found.upper, max(found.lower, bound), 1e-9), f"{case}: upper {found.upper}, the chord bound {bound}"
        short += found.lower < exact.lower - 1e-6
        for found in (part(world, "local_search").local_search(*case.arguments), exact):
            assert found.lower <= exact.upper + 1e-7 and exact.lower <= found.upper + 1e-7, f"{case}: [{found.lower}, {found.upper}] misses {exact.lower}"
            assert near(own.tabular_objective(found.f, case.model, case.eta), found.lower, 1e-7), f"{case}: the objective of f is not {found.lower}"
            played = np.take_along_axis(found.f, found.policy[..., None], axis=2)[..., 0]
            assert np.array_equal(played, found.f.max(axis=2)), f"{case}: the policy is not greedy for f"
            assert found.f.min() >= 0 and np.all(found.f <= case.caps[:-1, None, None] + 1e-12), f"{case}: f leaves [0, C]"
    assert short >= 3, "on the hard cases local search falls short, so that the bound has something to certify"


def check_T5(world: World) -> None:
    """T5. The alternation of the local search never lowers QP, from any policy; its values are QP of our own."""
    moved = 0
    for case in random_cases(((2, 2, 2), (3, 2, 2), (3, 3, 3)), (3, 12, 60), (0.01, 0.1, 1.0)):
        rng = np.random.default_rng(7)
        for _ in range(6):
            policy = rng.integers(0, case.shape[2], case.shape[:2])
            path = part(world, "local_search").search_path(*case.arguments, policy)
            assert np.diff(path).min(initial=0.0) >= -1e-10, f"{case}: {path}"
            assert near(path[0], own.theorem_B(policy, case.model, case.eta), 1e-7), f"{case}: QP {path[0]}"
            moved += len(path) > 1
    assert moved > 50, "the search moves"


def check_T26(world: World) -> None:
    """T26. Theorems A and B by programs over the whole table, one for each greedy policy (cvxpy), the losses from the samples."""
    shapes = ((2, 2, 2), (1, 2, 3), (2, 1, 2), (2, 2, 1), (1, 1, 1), (3, 1, 2), (2, 3, 1), (3, 2, 1), (2, 3, 2))
    for seed, (shape, episodes) in enumerate(itertools.product(shapes, (1, 5, 11))):
        case = Case(*shape, episodes, 300 + seed, (0.01, 0.1, 1.0, 10.0)[seed % 4])
        for clipped in (False, True):
            programs = own.whole_table_programs(case.data, *case.shape[1:], case.caps, 0, case.eta, clipped)
            found = part(world, "branch_and_bound").branch_and_bound(*case.arguments, clipped=clipped)
            assert near(found.lower, programs, 1e-6), f"{case}, clipped = {clipped}: {found.lower}, programs {programs}"


# --- T20


def check_T20(world: World) -> None:
    """T20. The linear class at a fixed policy: closed form and value within a radius, against cvxpy; an unseen direction makes it infinite."""
    import cvxpy

    linear = part(world, "linear")
    for seed, (H, m, n) in enumerate(itertools.product((1, 2, 3), (1, 2, 4), (8, 30))):
        rng = np.random.default_rng(500 + seed)
        features = rng.normal(size=(H, n, m))
        following = rng.normal(size=(H, n, m)) * (np.arange(H) < H - 1)[:, None, None]
        rewards, psi, eta = rng.random((H, n)), rng.normal(size=m), 0.1 + rng.random()
        found = linear.linear_value(*linear.linear_statistics(features, following, rewards), psi, eta)
        theta = [cvxpy.Variable(m) for _ in range(H)]
        objective = psi @ theta[0]
        for h in range(H):
            # the loss from the samples: what is left of the targets after the best linear fit is no part of it
            Z, R = features[h], rewards[h]
            project = Z @ np.linalg.pinv(Z)
            target = project @ R + (project @ following[h] @ theta[h + 1] if h + 1 < H else 0)
            objective = objective - eta * cvxpy.sum_squares(Z @ theta[h] - target)
        for radius in (1e4, 0.5):
            program = cvxpy.Problem(cvxpy.Maximize(objective), [cvxpy.norm(t) <= radius for t in theta])
            value = float(program.solve(solver="CLARABEL"))
            if radius < 1:
                found = linear.linear_value(*linear.linear_statistics(features, following, rewards), psi, eta, radius)
            assert near(found.value, value, 1e-6), f"radius {radius}: {found.value}, program {value}"
        features[0, :, 0] = 0.0
        unseen = linear.linear_value(*linear.linear_statistics(features, following, rewards), np.ones(m), eta)
        assert unseen.value == math.inf, f"a direction without samples: {unseen.value}"


# --- T21


def check_T21(world: World) -> None:
    """T21. Model-based: the objective of the model found is at most the bound; at H = 2 the bound is attained, and a fine grid comes up to it."""
    models = part(world, "tabular_models")
    for case in random_cases(((1, 2, 2), (2, 2, 2), (3, 2, 2), (3, 3, 2)), (0, 3, 20, 100), (0.03, 0.3, 3.0)):
        n, n_next, r, _, start, eta = case.arguments
        found = models.optimistic_model(n, n_next, r, start, eta)
        value = own.plan(found.model, r)[0][0, start] - eta * own.divergence(n_next, found.model)
        assert near(found.lower, value, 1e-8), f"{case}: lower {found.lower}, the objective of its model {value}"
        assert found.lower <= found.upper + 1e-9
        assert np.abs(found.model.sum(axis=-1) - 1).max() <= 1e-9 and found.model.min() >= 0
        H, S, A = case.shape
        if H <= 2:
            assert near(found.lower, found.upper, 1e-6), f"{case}: exact at two stages, [{found.lower}, {found.upper}]"
        if H == 2 and S == 2:
            p = np.linspace(0, 1, 20_001)
            grid = np.stack([p, 1 - p], axis=1)
            V, best = r[1].max(axis=1), -math.inf
            for a in range(A):
                counts = n_next[0, start, a]
                with np.errstate(divide="ignore"):
                    loss = special.rel_entr(counts / max(counts.sum(), 1), grid).sum(axis=1) * counts.sum()
                best = max(best, float((r[0, start, a] + grid @ V - eta * loss).max()))
            assert best <= found.upper + 1e-9 and best >= found.upper - 1e-3, f"{case}: grid {best}, bound {found.upper}"


# --- runs: T14, T17, T24, T28


def learner(world: World, **options: Any) -> Any:
    return part(world, "tabular").MEXTabular(**({"delta": DELTA} | options))


def theory(problem: Any, n: int, variant: str = "model-free") -> tuple[float, float, float, float, float]:
    """(c, beta, d, b, Gamma_K) of the full class, by formulas of our own."""
    P, r = np.array(problem.stage_transition), np.array(problem.stage_reward)
    H, S, A = r.shape
    caps, reach = own.value_caps(r), A * own.max_reach(P, problem.start).sum(axis=1)
    share, log = n / (S * A), math.log2(max(n, 2))
    gamma = S * A * float(special.gammaln(share + S) - special.gammaln(share + 1) - special.gammaln(S))
    counts = math.log(2 * H * S * A / DELTA)
    if variant == "model-based":
        beta = 2 * (math.log(2 / DELTA) + H * gamma) + H * S * A * counts
        return 1 - math.exp(-1), beta, 2 * log * float((caps[1:] ** 2 * reach).sum()), 2 * float((caps[1:] * reach).sum()), gamma
    beta = float((caps[1:] ** 2).sum()) * (math.log(2 * H / DELTA) + gamma) + 0.5 * counts * S * A * float((caps[:-1] ** 2).sum())
    return 0.5 * (1 - math.exp(-1)), beta, log * float(reach.sum()), 2 * float((caps[:-1] * reach).sum()), gamma


def check_T17(world: World) -> None:
    """T17. At the theory eta of each horizon the regret grows no faster than K^0.6, over ten seeds."""
    problem = world("envs_synthetic.mex").random_mdp(2, 2, 2, 0)
    horizons = np.array([3_000, 10_000, 30_000, 100_000])
    regret = np.zeros((10, len(horizons)))
    for i, n in enumerate(horizons):
        for seed in range(10):
            regret[seed, i] = learner(world).run(problem, int(n), seed=own.FIRST_SEED + seed, checkpoints=[n]).regret[-1]
    slopes = statistics.growth_exponents(horizons, regret, decades=2)
    assert not statistics.grows_faster(slopes, 0.6), f"slopes {slopes}"


def tabular_feel_good(world: World) -> None:
    """T14 for the full tabular class: V_f - eta L(f) + g >= V* - eta L(f*), losses from the samples, g the certified gap."""
    e = world("envs_synthetic.mex")
    for H, S, A in ((2, 2, 2), (3, 3, 2)):
        problem, n, eta = e.random_mdp(H, S, A, 0), 120, 0.1
        run = learner(world, eta=eta).run(problem, n, seed=own.FIRST_SEED, checkpoints=[n], trace="raw")
        P, r = np.array(problem.stage_transition), np.array(problem.stage_reward)
        data, caps = own.raw_data(run, r), own.value_caps(r)
        V, Q = own.plan(P, r)
        for k in range(n):
            model = own.empirical(data.before(k), S, A, caps, problem.start)
            f, (lower, upper) = np.array(run.state["raw_f"])[k], run.state["raw_bounds"][k]
            mine = own.tabular_objective(f, model, eta)
            assert near(mine, lower, 1e-9), f"episode {k + 1}: objective {mine}, reported {lower}"
            assert upper >= V[0, problem.start] - eta * own.tabular_loss(Q, model) - 1e-9, f"episode {k + 1}: the bound is below the truth's objective"
            policy = np.array(run.state["raw_policy"])[k]
            assert np.array_equal(np.take_along_axis(f, policy[..., None], axis=2)[..., 0], f.max(axis=2)), "greedy for f"


def check_T28(world: World) -> None:
    """T28. On deep_sea(10, .02), eta = .1, the objective of 50 episodes of a run is at least QP of the policies "always a" on the same counts."""
    problem, n, eta = world("envs_synthetic.mex").deep_sea(10, 0.02), 2000, 0.1
    r = np.array(problem.stage_reward)
    H, S, A = r.shape
    caps = own.value_caps(r)
    for seed in range(2):
        run = learner(world, eta=eta).run(problem, n, seed=own.FIRST_SEED + seed, checkpoints=[n], trace="raw")
        data = own.raw_data(run, r)
        for k in np.linspace(0, n - 1, 50).astype(int):
            model, returned = own.empirical(data.before(k), S, A, caps, problem.start), run.state["raw_bounds"][k, 0]
            for a in range(A):
                probe = own.theorem_B(np.full((H, S), a), model, eta)
                assert returned >= probe - 1e-9, f"seed {seed}, episode {k + 1}: always {a} has {probe}, returned {returned}"


def check_T24(world: World) -> None:
    """T24. Full tabular class: the lines are in order, and the curves are those of the samples."""
    e, prove = world("envs_synthetic.mex"), world("theoryrl.proofs.theorem").prove
    shapes = ((2, 2, 2), (1, 2, 2), (2, 1, 2), (3, 2, 1), (1, 1, 1), (2, 3, 2))
    for (H, S, A), variant, n in itertools.product(shapes, ("model-free", "model-based"), (1, 2, 200)):
        problem = e.random_mdp(H, S, A, 1)
        for options in ({}, {"eta": 0.2}):
            run = learner(world, variant=variant, **options).run(problem, n, seed=own.FIRST_SEED, trace="raw")
            proof = prove(run)
            assert not proof.violations, f"{problem!r}, {variant}, {options}, K = {n}: {proof.violations}"
            compare_lines(problem, run, proof, variant, compare_curves(problem, run, variant))


def compare_lines(problem: Any, run: Any, proof: Any, variant: str, sums: dict[str, float]) -> None:
    """The lines at the last episode, from the sums and constants of our own."""
    n, caps = run.n, own.value_caps(np.array(problem.stage_reward))
    c, beta, d, b, gamma = theory(problem, n, variant)
    constants = run.algorithm.constants(problem, n)
    for name, theirs, ours in (("c", constants.c, c), ("beta", constants.beta, beta), ("d", constants.gec.d, d), ("b", constants.gec.b, b)):
        assert near(theirs, ours, 1e-9), f"{problem!r}, {variant}, K = {n}: {name} {theirs}, ours {ours}"
    if d == 0:
        assert proof.bound[-1] <= b + (run.algorithm.eta or 0.0) * n * beta + sums["gaps"] + 1e-9, "nothing to learn"
        return
    eta = math.sqrt(d / (4 * c * n * beta)) if run.algorithm.eta is None else run.algorithm.eta
    assert near(float(run.state["eta"]), eta, 1e-9), f"{problem!r}, {variant}, K = {n}: eta {run.state['eta']}, ours {eta}"
    H, weight = problem.horizon, float((caps[1:] ** 2).sum())
    if variant == "model-free":
        x = math.log(2 * H / DELTA)
        between = {
            "a": sums["truth_kl"] - sums["residual"] / 2,
            "b": n * weight * x + sums["binomial"] - sums["residual"] / 2,
            "c": n * weight * (x + gamma) - sums["residual"] / 2,
        }
    else:
        x = math.log(2 / DELTA)
        between = {
            "a": sums["truth_kl"] - sums["model_kl"],
            "b": 2 * sums["truth_kl"] - sums["residual"],
            "c": 2 * (n * x + sums["binomial"]) - sums["residual"],
            "d": 2 * n * (x + H * gamma) - sums["residual"],
        }
    pred, gaps, rest = sums["pred"], sums["gaps"], eta * (n * beta - c * sums["in_sample"])
    expected = {"L0": sums["regret"], "L1": sums["optimism_gap"] + pred, "L2": eta * sums["loss_gap"] + pred + gaps}
    expected |= {name: eta * value + pred + gaps for name, value in between.items()}
    expected |= {"L3": rest + pred + gaps, "L4": rest + math.sqrt(d * sums["in_sample"]) + b + gaps, "L5": eta * n * beta + d / (4 * c * eta) + b + gaps}
    expected |= {"L6": math.sqrt(n * beta * d / c) + b + gaps}
    found = {line.id: line.value[-1] for name in ("regret", "at the horizon") for line in proof.chains.get(name, ())}
    assert set(found) == set(expected) - (set() if run.algorithm.eta is None else {"L6"}), f"lines {sorted(found)}"
    for name, value in found.items():
        assert near(value, expected[name], 1e-7), f"{problem!r}, {variant}, K = {n}: {name} {value}, ours {expected[name]}"


def compare_curves(problem: Any, run: Any, variant: str) -> dict[str, float]:
    """The traced sums at the last episode against the raw samples, by formulas of our own; return ours."""
    P, r = np.array(problem.stage_transition), np.array(problem.stage_reward)
    H, S, A = r.shape
    V, Q = own.plan(P, r)
    caps, data, D = own.value_caps(r), own.raw_data(run, r), np.zeros((H, S, A))
    sums = dict.fromkeys(("regret", "optimism_gap", "pred", "loss_gap", "in_sample", "gaps", "truth_kl", "residual", "binomial", "model_kl"), 0.0)
    for k in range(run.n):
        policy = np.array(run.state["raw_policy"])[k]
        d = own.occupancy(P, policy, problem.start)
        counts = data.before(k).counts(S, A)
        if variant == "model-free":
            f = np.array(run.state["raw_f"])[k]
            following = np.vstack([f.max(axis=2), np.zeros((1, S))])
            E = np.array([f[h] - r[h] - P[h] @ following[h + 1] for h in range(H)])
            loss, model = E**2, own.empirical(data.before(k), S, A, caps, problem.start)
            sums["loss_gap"] += own.tabular_loss(Q, model) - own.tabular_loss(f, model)
            value = f[0, problem.start].max()
        else:
            other = np.array(run.state["raw_model"])[k]
            following = own.plan(other, r)[0]
            E = np.array([(other[h] - P[h]) @ following[h + 1] for h in range(H)])
            loss, value = own.hellinger(other, P), following[0, problem.start]
            sums["model_kl"] += own.divergence(counts, other)
            sums["loss_gap"] += own.divergence(counts, P) - own.divergence(counts, other)
        sums["regret"] += V[0, problem.start] - own.evaluate(P, r, policy)[0, problem.start]
        sums["optimism_gap"] += V[0, problem.start] - value
        sums["pred"] += float((d * E).sum())
        sums["in_sample"] += float((D * loss).sum())
        sums["gaps"] += float(np.subtract(*run.state["raw_bounds"][k][::-1]))
        weights, n = (caps[1:] ** 2 if variant == "model-free" else np.ones(H)), counts.sum(axis=3)
        radii = special.gammaln(n + S) - special.gammaln(n + 1) - special.gammaln(S)
        sums["truth_kl"] += sum(float(w * own.divergence(counts[h], P[h])) for h, w in enumerate(weights))
        sums["binomial"] += float((weights[:, None, None] * radii).sum())
        sums["residual"] += float((n * loss).sum())
        D += d
    for name, ours in sums.items():
        assert abs(run[name][-1] - ours) <= 1e-7 * (1 + abs(ours)), f"{problem!r}, {variant}: {name} {run[name][-1]}, from the samples {ours}"
    return sums
