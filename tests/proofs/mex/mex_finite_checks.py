"""T1, T10, T11, T14, T15, T16, T22, T24, T25: MEX over finite classes, judged by losses from raw samples and by constants of our own."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import mex_oracles as own
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from mex_oracles import World, attack

from theoryrl.proofs import statistics

DELTA = 0.05
SEEDS = statistics.seeds_to_reject(DELTA) + 1  # 8: an event that always fails is rejected
C1 = 1 - math.exp(-0.5)


def environments(world: World) -> Any:
    return world("envs_synthetic.mex")


def learner(world: World, hypotheses: Any, **options: Any) -> Any:
    return world("theoryrl.algorithms.mex.finite").MEX(hypotheses, delta=DELTA, **options)


def rarely(failed: list[bool], what: str) -> None:
    """The event of probability DELTA does not fail too often over independent seeds."""
    if statistics.too_many_failures(sum(failed), len(failed), DELTA):
        error = AssertionError(f"{what}: fails on {sum(failed)} of {len(failed)} seeds")
        error.seeds = len(failed)  # type: ignore[attr-defined]
        raise error


def seeds(n: int = SEEDS) -> range:
    return range(own.FIRST_SEED, own.FIRST_SEED + n)


# --- what a class and an instance imply, by formulas of our own


def roll_in(d: np.ndarray, vtype: bool) -> np.ndarray:
    """Where the samples of a stage come from: V-type takes a uniform action there."""
    return np.repeat(d.sum(axis=2, keepdims=True) / d.shape[2], d.shape[2], axis=2) if vtype else d


class Models:
    """A list of models on an instance: values, policies, residuals, distances, constants."""

    def __init__(self, problem: Any, hypotheses: Any) -> None:
        self.P, self.r, self.start = np.array(problem.stage_transition), np.array(problem.stage_reward), problem.start
        self.models = np.array(hypotheses.models)
        self.H, self.S, self.A = self.r.shape
        solved = [own.plan(model, self.r) for model in self.models]
        self.V = np.array([V for V, _ in solved])
        self.policies = np.array([Q.argmax(axis=2) for _, Q in solved])
        self.values = self.V[:, 0, self.start]
        self.optimal = own.plan(self.P, self.r)[0][0, self.start]
        self.worth = np.array([own.evaluate(self.P, self.r, policy)[0, self.start] for policy in self.policies])
        self.d = np.array([own.occupancy(self.P, policy, self.start) for policy in self.policies])
        self.residual = np.array([[(model[h] - self.P[h]) @ V[h + 1] for h in range(self.H)] for model, V in zip(self.models, self.V)])
        self.distance = own.hellinger(self.models, self.P)
        self.caps = np.ptp(self.V, axis=2).max(axis=0)
        self.reach = np.repeat(own.max_reach(self.P, self.start)[..., None], self.A, axis=2)
        found = [f for f, model in enumerate(self.models) if np.abs(model - self.P).max() < 1e-12]
        self.truth = found[0] if found else None
        self.c, self.beta = 2.0, 2 * self.H * math.log(self.H * len(self.models) / DELTA)

    @property
    def pred(self) -> np.ndarray:
        return np.array([(d * E).sum() for d, E in zip(self.d, self.residual)])

    def in_sample(self, vtype: bool = False) -> np.ndarray:
        """Entry [f, g]: the loss of f expected under the policy of g (vtype: actions uniform)."""
        return np.array([[(roll_in(d, vtype) * D2).sum() for d in self.d] for D2 in self.distance])

    def gec(self, n: int, kind: str = "uniform") -> tuple[float, float]:
        log = math.log2(max(n, 2))
        if kind == "cellwise":
            with np.errstate(divide="ignore", invalid="ignore"):
                kappa = np.where(self.residual != 0, self.residual**2 / self.distance, 0.0).max(axis=0)
            return log * float((kappa * self.reach).sum()), 2 * float((np.abs(self.residual).max(axis=0) * self.reach).sum())
        number = self.reach.sum(axis=(1, 2))
        b = 2 * float((self.caps[1:] * number).sum())
        return 2 * log * float((self.caps[1:] ** 2 * number).sum()), b / self.A if kind == "vtype" else b

    def losses(self, data: own.Data) -> np.ndarray:
        """Log losses before each episode and at the end, (n + 1, M)."""
        with np.errstate(divide="ignore"):
            steps = -np.log(self.models[:, np.arange(self.H), data.states, data.actions, data.following]).sum(axis=2)
        return np.vstack([np.zeros(len(self.models)), np.cumsum(steps.T, axis=0)])


class Tables:
    """A class of value functions on an instance: the same."""

    def __init__(self, problem: Any, hypotheses: Any) -> None:
        self.P, self.r, self.start = np.array(problem.stage_transition), np.array(problem.stage_reward), problem.start
        self.tables = [np.array(table) for table in hypotheses.tables]
        self.H, self.S, self.A = self.r.shape
        self.next = [own.next_values(self.tables, h) for h in range(self.H)]
        V, Q = own.plan(self.P, self.r)
        self.optimal = V[0, self.start]
        self.truth = [next((g for g, table in enumerate(list_) if np.abs(table - Q[h]).max() < 1e-12), None) for h, list_ in enumerate(self.tables)]
        self.residual = [self.tables[h][:, None] - (self.r[h] + np.einsum("xay,vy->vxa", self.P[h], self.next[h])) for h in range(self.H)]
        self.ranges = np.array([max(np.abs(E).max(), np.ptp(V, axis=1).max()) for E, V in zip(self.residual, self.next)])
        self.first = self.tables[0].max(axis=2)[:, self.start]
        sizes = [len(list_) for list_ in self.tables]
        self.pairs, self.singles = sum(a * b for a, b in zip(sizes, [*sizes[1:], 1])), sum(sizes)
        self.reach = np.repeat(own.max_reach(self.P, self.start)[..., None], self.A, axis=2)
        self.c = C1
        self.beta = float((self.ranges**2).sum()) * (math.log(2 * self.pairs / DELTA) + 0.5 * math.log(2 * self.singles / DELTA))

    def policy(self, chain: Any) -> np.ndarray:
        return np.array([self.tables[h][g].argmax(axis=1) for h, g in enumerate(chain)])

    def gec(self, n: int, kind: str = "uniform") -> tuple[float, float]:
        log = math.log2(max(n, 2))
        if kind == "cellwise":
            rho = np.array([np.abs(E).max(axis=(0, 1)) for E in self.residual])
            return log * float(self.reach[rho > 0].sum()), 2 * float((rho * self.reach).sum())
        number = self.reach.sum(axis=(1, 2))
        b = 2 * float((self.ranges * number).sum())
        return log * float(number.sum()), b / self.A if kind == "vtype" else b

    def squares(self, data: own.Data) -> list[np.ndarray]:
        """For each stage the sums T[g, v] before each episode and at the end, (n + 1, M_h, M_{h+1})."""
        out = []
        for h in range(self.H):
            x, a = data.states[:, h], data.actions[:, h]
            error = self.tables[h][:, x, a].T[:, :, None] - data.rewards[:, h, None, None] - self.next[h][:, data.following[:, h]].T[:, None, :]
            out.append(np.concatenate([np.zeros((1, *error.shape[1:])), np.cumsum(error**2, axis=0)]))
        return out

    def losses(self, data: own.Data) -> list[np.ndarray]:
        return [T - T.min(axis=1, keepdims=True) for T in self.squares(data)]

    def at(self, L: list[np.ndarray], k: int, chain: Any) -> float:
        return sum(float(loss[k, f, g]) for loss, f, g in zip(L, chain, [*chain[1:], 0]))


def implied(problem: Any, hypotheses: Any) -> Models | Tables:
    return Models(problem, hypotheses) if hasattr(hypotheses, "models") else Tables(problem, hypotheses)


def theory_eta(facts: Models | Tables, n: int, kind: str = "uniform") -> float:
    d = facts.gec(n, kind)[0]
    return math.sqrt(d / (4 * facts.c * n * facts.beta))


def theory_bound(facts: Models | Tables, n: int, kind: str = "uniform") -> float:
    d, b = facts.gec(n, kind)
    return math.sqrt(n * facts.beta * d / facts.c) + b


def instances(world: World) -> dict[str, tuple[Any, Any]]:
    """The problems and classes of the spec's checks."""
    e = environments(world)
    small, long = e.random_mdp(2, 3, 2, 0), e.random_mdp(3, 3, 2, 1)
    return {
        "treasure": (e.treasure(), e.treasure_class()),
        "lock": (e.lock(3, 0.1), e.lock_class(3, 0.1)),
        "random models": (long, e.random_models(long, 5, 0)),
        "closure": (small, e.closure_class(small, 6, 0)),
        "near": (small, e.near_truth(small, 6, 0)),
        "near, three stages": (long, e.near_truth(long, 4, 0)),
    }


def stepwise(algorithm: Any, problem: Any, n: int, seed: int) -> Iterator[dict[str, Any]]:
    """The learner's state before each episode and at the end."""
    state = algorithm.start(problem, n, np.random.default_rng(seed))
    yield state
    for _ in range(n):
        algorithm.advance(problem, state, 1, "raw")
        yield state


def samples(state: Any, reward: np.ndarray) -> own.Data:
    """The raw samples in a state."""
    x, a, y = (np.array(state[name]) for name in ("raw_states", "raw_actions", "raw_next"))
    k = int(state["episode"][0])
    return own.Data(x[:k], a[:k], y[:k], reward[np.arange(x.shape[1]), x[:k], a[:k]])


def learners_losses(world: World, hypotheses: Any, state: Any) -> Any:
    """What the learner subtracts, in the shape of `Models.losses` or `Tables.losses` at one time: its own kernel on its own sums."""
    if hasattr(hypotheses, "models"):
        return np.array(state["loss"])
    sizes = np.array([*hypotheses.sizes, 1])
    excess = np.zeros(state["squares"].shape)
    world("theoryrl.algorithms.mex.finite").excess_loss(sizes, state["squares"], excess)
    return [excess[h, : sizes[h], : sizes[h + 1]] for h in range(len(sizes) - 1)]


def raw_run(world: World, name: str, n: int, seed: int, **options: Any) -> tuple[Any, Any, Any, own.Data]:
    """The facts of an instance, its class, a raw run, and the run's samples."""
    problem, hypotheses = instances(world)[name]
    run = learner(world, hypotheses, **options).run(problem, n, seed=seed, checkpoints=[n], trace="raw")
    facts = implied(problem, hypotheses)
    return facts, hypotheses, run, own.raw_data(run, facts.r)


# --- T1 and T22


def check_T1(world: World) -> None:
    """T1. The loss from raw samples: sum of n (f - T hat f)^2 for the full tabular class, less its infimum over the list for a finite one."""
    policy_form = world("theoryrl.algorithms.mex.policy_form")

    @attack(60)
    @given(st.integers(0, 2**31), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(0, 30))
    def every_table(seed: int, H: int, S: int, A: int, n: int) -> None:
        rng = np.random.default_rng(seed)
        P, r = own.random_mdp(rng, H, S, A)
        caps, data = own.value_caps(r), own.play(P, r, 0, n, rng)
        f = rng.random((H, S, A)) * caps[:-1, None, None]
        V = np.vstack([f.max(axis=2), np.zeros((1, S))])
        loss = 0.0
        for h, x, a in itertools.product(range(H), range(S), range(A)):
            here = (data.states[:, h] == x) & (data.actions[:, h] == a)
            targets = data.rewards[here, h] + V[h + 1][data.following[here, h]]
            if len(targets):
                best = targets.mean()
                assert 0 <= best <= caps[h] + 1e-12, "the infimum over [0, C_h] is at the mean"
                loss += float(((f[h, x, a] - targets) ** 2).sum() - ((best - targets) ** 2).sum())
        model = own.empirical(data, S, A, caps, 0)
        assert abs(loss - own.tabular_loss(f, model)) <= 1e-9
        N = data.counts(S, A).astype(np.int64)
        value = policy_form.objective(N.sum(axis=3), N, r, caps, 0, 0.5, f)
        assert abs(value - (V[0, 0] - 0.5 * loss)) <= 1e-9, f"objective {value}, from samples {V[0, 0] - 0.5 * loss}"

    every_table()
    for name in ("closure", "near", "near, three stages"):
        facts, hypotheses, run, data = raw_run(world, name, 60, own.FIRST_SEED)
        learned = learners_losses(world, hypotheses, run.state)
        for h, (theirs, ours) in enumerate(zip(learned, own.chain_losses(facts.tables, data))):
            assert np.abs(theirs - ours).max() <= 1e-9, f"{name}: the loss of stage {h} is off by {np.abs(theirs - ours).max()}"


def check_T22(world: World) -> None:
    """T22. The learner's losses are those of the raw samples before every episode, and what it plays maximises the objective they give."""
    for name, (problem, hypotheses) in instances(world).items():
        n = 40
        facts, algorithm = implied(problem, hypotheses), learner(world, hypotheses)
        eta, states = theory_eta(facts, n), []
        for k, state in enumerate(stepwise(algorithm, problem, n, own.FIRST_SEED)):
            data = samples(state, facts.r) if k else own.Data(*(np.zeros((0, facts.H), dtype=np.int64),) * 3, np.zeros((0, facts.H)))
            theirs = learners_losses(world, hypotheses, state)
            states.append((theirs, np.array(state["raw_hypothesis"]) if k else None))
            ours = facts.losses(data)
            apart = [theirs - ours[-1]] if isinstance(facts, Models) else [a - b[-1] for a, b in zip(theirs, ours)]
            assert max(np.abs(difference).max() for difference in apart) <= 1e-9, f"{name}: losses differ before episode {k + 1}"
        chosen, ours = states[-1][1], facts.losses(data)
        for k in range(n):
            if isinstance(facts, Models):
                objective = facts.values - eta * ours[k]
                assert objective[int(np.ravel(chosen[k])[0])] >= objective.max() - 1e-9, f"{name}: episode {k + 1} does not maximise the objective"
            else:
                at = own.chain_objective(facts.first, [L[k] for L in ours], eta, chosen[k])
                assert at >= own.chain_best(facts.first, [L[k] for L in ours], eta) - 1e-9, f"{name}: episode {k + 1} does not maximise the objective"


# --- T10, T25


def check_T10(world: World) -> None:
    """T10. The GEC of treasure with three actions over all 3^9 sequences is at most max(d, b^2 / HK)."""
    e, gec = environments(world), world("theoryrl.complexity.gec")
    K = 9
    sequences = np.array(list(itertools.product(range(3), repeat=K)))
    for truth in range(3):
        problem, hypotheses = e.treasure(n_actions=3, truth=truth), e.treasure_class(n_actions=3)
        facts = Models(problem, hypotheses)
        pred, matrix = facts.pred, facts.in_sample()
        total = np.tril(matrix[sequences[:, :, None], sequences[:, None, :]], -1).sum(axis=(1, 2))
        for epsilon in (0.0, 1 / math.sqrt(facts.H * K)):
            excess = np.maximum(pred[sequences].sum(axis=1) - epsilon * facts.H * K, 0)
            brute = float(((excess / (np.sqrt(total) + math.sqrt(facts.H * K))) ** 2).max())
            assert abs(gec.brute_force_gec(pred, matrix, K, facts.H, epsilon) - brute) <= 1e-12
            for kind in ("uniform", "cellwise"):
                d, b = facts.gec(K, kind)
                certified = learner(world, hypotheses, gec=kind).constants(problem, K).gec
                assert abs(certified.d - d) <= 1e-9 * (1 + d) and abs(certified.b - b) <= 1e-9 * (1 + b), f"({certified.d}, {certified.b}), ours ({d}, {b})"
                assert brute <= gec.paper_gec(certified, K, facts.H), f"brute force {brute}, certified {gec.paper_gec(certified, K, facts.H)}"


def chains(rng: np.random.Generator, facts: Models | Tables, K: int, kind: int) -> np.ndarray:
    """K hypotheses: fresh ones, blocks, or one that comes back after a long time."""
    sizes = [len(facts.models)] if isinstance(facts, Models) else [len(list_) for list_ in facts.tables]
    pool = np.array([[rng.integers(0, size) for size in sizes] for _ in range(K)])
    if kind == 1:
        pool = np.repeat(pool[: (K + 9) // 10], 10, axis=0)[:K]
    if kind == 2:
        pool[:-1] = pool[0]
    return pool


def prediction_and_in_sample(facts: Models | Tables, sequence: np.ndarray, vtype: bool) -> tuple[float, float]:
    D, pred, total = np.zeros((facts.H, facts.S, facts.A)), 0.0, 0.0
    for chain in sequence:
        if isinstance(facts, Models):
            d, E, loss = facts.d[chain[0]], facts.residual[chain[0]], facts.distance[chain[0]]
        else:
            E = np.array([facts.residual[h][g, v] for h, (g, v) in enumerate(zip(chain, [*chain[1:], 0]))])
            d, loss = own.occupancy(facts.P, facts.policy(chain), facts.start), E**2
        pred, total = pred + float((d * E).sum()), total + float((D * loss).sum())
        D = D + roll_in(d, vtype)
    return pred, total


def check_T25(world: World) -> None:
    """T25. The cell-wise and the V-type GEC obey (ii) for arbitrary sequences of hypotheses; cell-wise is at most uniform."""
    rng = own.generator(3)
    for name, (problem, hypotheses) in instances(world).items():
        facts = implied(problem, hypotheses)
        for K, kind in itertools.product((1, 2, 9, 100), range(3)):
            certified = {
                "uniform": learner(world, hypotheses).constants(problem, K).gec,
                "cellwise": learner(world, hypotheses, gec="cellwise").constants(problem, K).gec,
                "vtype": learner(world, hypotheses, explore="v").constants(problem, K).gec,
            }
            assert certified["cellwise"].d <= certified["uniform"].d + 1e-9 and certified["cellwise"].b <= certified["uniform"].b + 1e-9, name
            sequence = chains(rng, facts, K, kind)
            for which, found in certified.items():
                d, b = facts.gec(K, which)
                assert abs(found.d - d) <= 1e-9 * (1 + d) and abs(found.b - b) <= 1e-9 * (1 + b), f"{name}, {which}: ({found.d}, {found.b}), ours ({d}, {b})"
                pred, total = prediction_and_in_sample(facts, sequence, which == "vtype")
                assert pred <= math.sqrt(found.d * total) + found.b + 1e-9, f"{name}, {which}: {pred} exceeds sqrt({found.d} * {total}) + {found.b}"


# --- T11, T14, T15, T16


def lemma_excess(facts: Models | Tables, run: Any, data: own.Data, k: int, vtype: bool) -> float:
    """The largest over the whole class of L(f*) - L(f) + c sum D l(f) - beta, before episode k + 1."""
    chosen = np.array(run.state["raw_hypothesis"])[:k].reshape(k, -1)
    if isinstance(facts, Models):
        L = facts.losses(data.before(k))[-1]
        expected = facts.in_sample(vtype) @ np.bincount(chosen[:, 0], minlength=len(facts.models))
        return float((L[facts.truth] - L + facts.c * np.where(np.isinf(L), 0, expected)).max()) - facts.beta
    D = np.zeros((facts.H, facts.S, facts.A))
    for chain, times in zip(*np.unique(chosen, axis=0, return_counts=True)):
        D += times * roll_in(own.occupancy(facts.P, facts.policy(chain), facts.start), vtype)
    L = [loss[-1] for loss in facts.losses(data.before(k))]
    shifted = [loss - facts.c * np.einsum("gvxa,xa->gv", facts.residual[h] ** 2, D[h]) for h, loss in enumerate(L)]
    worst = own.chain_best(np.zeros(len(facts.tables[0])), shifted, 1.0)
    return sum(float(loss[f, g]) for loss, f, g in zip(L, facts.truth, [*facts.truth[1:], 0])) + worst - facts.beta


def check_T11(world: World) -> None:
    """T11. The in-sample lemma for every hypothesis of the class, at many episodes; on the package's constants, which are ours."""
    cases = [("treasure", 1500, "q"), ("lock", 1500, "q"), ("closure", 600, "q"), ("near", 600, "q"), ("treasure", 500, "v"), ("near", 600, "v")]
    for name, n, explore in cases:
        failed = []
        for seed in seeds():
            facts, _, run, data = raw_run(world, name, n, seed, explore=explore)
            found = run.algorithm.constants(run.problem, n)
            assert abs(found.c - facts.c) <= 1e-15 and abs(found.beta - facts.beta) <= 1e-9 * facts.beta, f"{name}: c {found.c}, beta {found.beta}"
            times = np.unique(np.geomspace(1, n, 12).astype(int))
            failed.append(max(lemma_excess(facts, run, data, k, explore == "v") for k in times) > 1e-9)
        rarely(failed, f"{name}, explore = {explore}: the in-sample lemma")


def feel_good_slack(facts: Models | Tables, run: Any, data: own.Data, eta: float) -> np.ndarray:
    """V_f - eta L(f) - (V* - eta L(f*)) before each episode, losses from the samples."""
    chosen = np.array(run.state["raw_hypothesis"]).reshape(run.n, -1)
    L = facts.losses(data)
    if isinstance(facts, Models):
        played = np.arange(run.n), chosen[:, 0]
        return facts.values[chosen[:, 0]] - facts.optimal - eta * (L[:-1][played] - L[:-1, facts.truth])
    slack = []
    for k, chain in enumerate(chosen):
        slack.append(facts.first[chain[0]] - facts.optimal - eta * (facts.at(L, k, chain) - facts.at(L, k, facts.truth)))
    return np.array(slack)


def check_T14(world: World) -> None:
    """T14. V_f - eta L(f) >= V* - eta L(f*) in every episode."""
    for name, n in (("treasure", 1000), ("lock", 500), ("near", 500), ("closure", 500), ("near, three stages", 300)):
        facts, _, run, data = raw_run(world, name, n, own.FIRST_SEED)
        slack = feel_good_slack(facts, run, data, theory_eta(facts, n))
        assert slack.min() >= -1e-9, f"{name}: violated in {(slack < -1e-9).sum()} of {n} episodes, by up to {-slack.min()}"


def check_T15(world: World) -> None:
    """T15. L_h(f*) <= B_h^2 / 2 log(2 N_g / delta) at every time: the learner's own loss, and the one from the samples."""
    for name, n in (("near", 600), ("near, three stages", 400)):
        failed = []
        for seed in seeds():
            facts, hypotheses, run, data = raw_run(world, name, n, seed)
            x = math.log(2 * facts.singles / DELTA)
            radius = np.array([world("theoryrl.algorithms.mex.constants").truth_radius(B, x) for B in facts.ranges])
            assert np.abs(radius - facts.ranges**2 / 2 * x).max() <= 1e-12
            follow = [*facts.truth[1:], 0]
            ours = np.array([L[:, f, g].max() for L, f, g in zip(facts.losses(data), facts.truth, follow)])
            theirs = np.array([L[f, g] for L, f, g in zip(learners_losses(world, hypotheses, run.state), facts.truth, follow)])
            failed.append(bool(np.any(np.maximum(ours, theirs) > radius)))
        rarely(failed, f"{name}: the loss of the truth")


def check_T16(world: World) -> None:
    """T16. Reg(K) <= sqrt(K beta d / c) + b with constants of our own: treasure at 10^4, and the exploitability of mg_trap at 3 * 10^4."""
    from mex_game_checks import trap_bound

    e, n = environments(world), 10_000
    problem, hypotheses = e.treasure(), e.treasure_class()
    facts = Models(problem, hypotheses)
    bound = theory_bound(facts, n)
    assert 3700 < bound < 3800 < 8000, "not vacuous"
    runs = [learner(world, hypotheses).run(problem, n, seed=seed, checkpoints=[n]) for seed in seeds()]
    rarely([run.regret[-1] > bound for run in runs], f"treasure: regret {runs[0].regret[-1]} exceeds {bound}")
    trap_bound(world)


def check_doubling(world: World) -> None:
    """T16 for an unknown K: the bound is the sum of those of the epochs, 2^i episodes with 6 delta / (pi (i + 1))^2, a cut-short one at its full length."""
    e = environments(world)
    problem, hypotheses = e.treasure(), e.treasure_class()
    algorithm = world("theoryrl.algorithms.mex.doubling").DoublingMEX(learner(world, hypotheses))
    run = algorithm.run(problem, 3000, seed=own.FIRST_SEED, checkpoints=[1, 2, 3, 7, 8, 1000, 3000], trace=True)
    proof = world("theoryrl.proofs.theorem").prove(run)
    assert not proof.violations
    facts, total, bounds = Models(problem, hypotheses), 0.0, []
    for i in range(12):
        facts.beta = 2 * facts.H * math.log(facts.H * len(facts.models) * math.pi**2 * (i + 1) ** 2 / (6 * DELTA))
        total += theory_bound(facts, 2**i)
        bounds.append(total)
    expected = np.array([bounds[int(k).bit_length() - 1] for k in run.checkpoints])
    assert np.abs(proof.bound - expected).max() <= 1e-8 * expected[-1], f"bounds {proof.bound}, ours {expected}"


# --- T24


def check_T24(world: World) -> None:
    """T24. L0 = L1 <= ... <= L5 = L6 on every class, also with one state, action, stage or episode; the curves are those of the samples."""
    e = environments(world)
    cases = list(instances(world).values())
    for H, S, A in ((1, 2, 2), (2, 1, 2), (3, 2, 1), (1, 1, 1)):
        problem = e.random_mdp(H, S, A, 3)
        cases += [(problem, e.near_truth(problem, 3, 0)), (problem, e.random_models(problem, 3, 0))]
    for problem, hypotheses in cases:
        facts = implied(problem, hypotheses)
        for n, options in itertools.product((1, 2, 150), ({}, {"gec": "cellwise"}, {"explore": "v"}, {"eta": 0.3})):
            algorithm = learner(world, hypotheses, **options)
            run = algorithm.run(problem, n, seed=own.FIRST_SEED, trace="raw")
            proof = world("theoryrl.proofs.theorem").prove(run)
            assert not proof.violations, f"{problem!r}, {hypotheses!r}, {options}, K = {n}: {proof.violations}"
            sums = compare_curves(facts, run, options.get("explore") == "v")
            compare_lines(facts, run, proof, sums, options)


def compare_lines(facts: Models | Tables, run: Any, proof: Any, sums: dict[str, float], options: dict[str, Any]) -> None:
    """The lines at the last episode, from the sums and constants of our own."""
    n = run.n
    kind = "vtype" if "explore" in options else options.get("gec", "uniform")
    (d, b), (d_cells, b_cells), c, beta = facts.gec(n, kind), facts.gec(n, "cellwise"), facts.c, facts.beta
    if d == 0 or beta == 0:
        assert proof.bound[-1] <= b + options.get("eta", 0.0) * n * beta + 1e-9, "nothing to learn"
        return
    eta, total = options.get("eta", theory_eta(facts, n, kind)), sums["in_sample"]
    assert abs(float(run.state["eta"]) - eta) <= 1e-9 * eta, f"eta {run.state['eta']}, ours {eta}"
    rest = eta * (n * beta - c * total)
    expected = {
        "L0": sums["regret"], "L1": sums["optimism_gap"] + sums["pred"], "L2": eta * sums["loss_gap"] + sums["pred"], "L3": rest + sums["pred"],
        "L4'": rest + math.sqrt(d_cells * total) + b_cells, "L4": rest + math.sqrt(d * total) + b, "L5": eta * n * beta + d / (4 * c * eta) + b,
        "L6": theory_bound(facts, n, kind),
    }  # fmt: skip
    found = {line.id: line.value[-1] for name in ("regret", "at the horizon") for line in proof.chains.get(name, ())}
    assert set(found) >= {"L0", "L1", "L2", "L3", "L4", "L5"} and ("L6" in found) == ("eta" not in options), f"lines {sorted(found)}"
    assert "L4'" in found or kind != "uniform" or (d, b) == (d_cells, b_cells), "the cell-wise line"
    for name, value in found.items():
        assert abs(value - expected[name]) <= 1e-8 * (1 + abs(expected[name])), f"{name}: {value}, ours {expected[name]} ({options}, K = {n})"


def compare_curves(facts: Models | Tables, run: Any, vtype: bool) -> dict[str, float]:
    """The traced sums at the last episode against the raw samples, by formulas of our own; return ours."""
    data, n = own.raw_data(run, facts.r), run.n
    chosen = np.array(run.state["raw_hypothesis"]).reshape(n, -1)
    if isinstance(facts, Models):
        values, worth = facts.values[chosen[:, 0]], facts.worth[chosen[:, 0]]
        L = facts.losses(data)
        gaps = L[:-1, facts.truth] - L[:-1][np.arange(n), chosen[:, 0]]
    else:
        values = facts.first[chosen[:, 0]]
        worth = np.array([own.evaluate(facts.P, facts.r, facts.policy(chain))[0, facts.start] for chain in chosen])
        L = facts.losses(data)
        gaps = np.array([facts.at(L, k, facts.truth) - facts.at(L, k, chain) for k, chain in enumerate(chosen)])
    pred, total = prediction_and_in_sample(facts, chosen, vtype)
    expected = {
        "regret": (facts.optimal - worth).sum(), "optimism_gap": (facts.optimal - values).sum(), "pred": pred, "loss_gap": gaps.sum(), "in_sample": total,
    }  # fmt: skip
    for name, value in expected.items():
        assert abs(run[name][-1] - value) <= 1e-8 * (1 + abs(value)), f"{name}: {run[name][-1]}, from the samples {value}"
    return expected
