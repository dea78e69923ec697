"""T18, T19, T22, T23, T24 for Markov games: solvers, the decomposition of the regret, the exploiter's losses and its feel-good step, the lines."""

from __future__ import annotations

import itertools
import math
from typing import Any

import mex_oracles as own
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from mex_oracles import World, attack

DELTA = 0.05


def game(world: World, P: np.ndarray, r: np.ndarray) -> Any:
    return world("theoryrl.problems.markov_game").MarkovGame(P, r, len(r))


def random_game(rng: np.random.Generator, H: int, S: int, A: int, B: int, sparse: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    return own.random_rows(rng, H, S, A, B, S, sparse=sparse), np.round(rng.random((H, S, A, B)), 2)


SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))


# --- T18


def check_T18(world: World) -> None:
    """T18. The solver of a matrix game has no duality gap; Nash strategies are not exploitable; no strategy beats the value."""
    solve = world("theoryrl.planning.matrix_game").solve_matrix_game

    @attack(60)
    @given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 2**31), st.sampled_from([1, 3, 1000]))
    def every_matrix(A: int, B: int, seed: int, levels: int) -> None:
        payoff = np.random.default_rng(seed).integers(0, levels + 1, (A, B)) / levels
        value, mu, nu = solve(payoff)
        assert mu.min() >= 0 and nu.min() >= 0 and abs(mu.sum() - 1) <= 1e-12 and abs(nu.sum() - 1) <= 1e-12
        assert abs(value - own.game_value(payoff)[0]) <= 1e-8
        assert abs((mu @ payoff).min() - value) <= 1e-8 and abs((payoff @ nu).max() - value) <= 1e-8, "duality gap"

    @attack(25)
    @given(SHAPES, st.integers(0, 2**31))
    def every_game(shape: tuple[int, int, int, int], seed: int) -> None:
        rng = np.random.default_rng(seed)
        P, r = random_game(rng, *shape)
        problem = game(world, P, r)
        V, _, _, _ = own.nash(P, r)
        assert np.abs(problem.nash_values - V).max() <= 1e-8
        mine = own.against_best_response(P, r, problem.nash_max)[0]
        assert np.abs(problem.best_response(problem.nash_max)[0] - mine).max() <= 1e-12
        assert abs(mine[0, 0] - V[0, 0]) <= 1e-8, "the maximin strategy is not exploitable"
        other = own.against_best_response(P.swapaxes(2, 3), -r.swapaxes(2, 3), problem.nash_min)[0]
        assert abs(-other[0, 0] - V[0, 0]) <= 1e-8, "nor is the minimax strategy"
        mu, nu = (rng.dirichlet(np.ones(k), shape[:2]) for k in shape[2:])
        held = own.against_best_response(P, r, mu)[0][0, 0]
        assert held <= V[0, 0] + 1e-8 and held <= own.joint(P, r, mu, nu)[0, 0] + 1e-12, "the regret's terms are not negative"

    every_matrix()
    every_game()


# --- T19


def check_T19(world: World) -> None:
    """T19. V* - V^{mu, +} in four terms: term 2 at most, term 3 exactly, the expected residuals under (mu_f, nu)."""
    solve = world("theoryrl.planning.matrix_game").solve_matrix_game

    @attack(40)
    @given(SHAPES, st.integers(0, 2**31))
    def every_pair(shape: tuple[int, int, int, int], seed: int) -> None:
        rng = np.random.default_rng(seed)
        H, S, A, B = shape
        P, r = random_game(rng, *shape)
        caps = own.value_caps(r)
        f, g = (rng.random(shape) * caps[:-1, None, None, None] for _ in range(2))
        mu, nu = np.zeros((H, S, A)), np.zeros((H, S, B))
        V_f, V_g = np.zeros((H + 1, S)), np.zeros((H + 1, S))
        for h in range(H):
            for x in range(S):
                V_f[h, x], mu[h, x], _ = solve(f[h, x])
                against = mu[h, x] @ g[h, x]
                V_g[h, x], nu[h, x, against.argmin()] = against.min(), 1.0
                assert abs(V_f[h, x] - (mu[h, x] @ f[h, x]).min()) <= 1e-15 * (1 + caps[h]), "the value of f is what its own strategy guarantees"
        problem = game(world, P, r)
        V_star, V_held, V_both = problem.value, problem.best_response(mu)[0][0, 0], own.joint(P, r, mu, nu)[0, 0]
        d = own.joint_occupancy(P, mu, nu, 0)
        residual_f, residual_g = (
            float(sum((d[h] * (q[h] - r[h] - P[h] @ V[h + 1])).sum() for h in range(H))) for q, V in ((f, V_f), (g, V_g))
        )
        terms = [V_star - V_f[0, 0], V_f[0, 0] - V_both, V_both - V_g[0, 0], V_g[0, 0] - V_held]
        assert abs(sum(terms) - (V_star - V_held)) <= 1e-9
        assert terms[1] <= residual_f + 1e-9, f"term 2: {terms[1]} exceeds {residual_f}"
        assert abs(terms[2] + residual_g) <= 1e-9, f"term 3: {terms[2]} is not {-residual_g}"

    every_pair()


# --- runs: what a class and a game imply, given the maximin strategies that the learner uses


class GameFacts:
    """A class about a game: strategies (checked to be maximin), values against them, losses from samples, constants."""

    def __init__(self, world: World, problem: Any, hypotheses: Any) -> None:
        self.P, self.r, self.start = np.array(problem.stage_transition), np.array(problem.stage_reward), problem.start
        self.H, self.S, self.A, self.B = self.r.shape
        self.optimal = own.nash(self.P, self.r)[0][0, self.start]
        self.models = np.array(hypotheses.models) if hasattr(hypotheses, "models") else None
        classes = world("theoryrl.algorithms.mex.game_classes")
        reach = np.array([[self.largest(h, x) for x in range(self.S)] for h in range(self.H)])
        self.number = self.A * self.B * reach.sum(axis=1)
        if self.models is not None:
            self.mu = np.array(classes.game_models(problem, hypotheses).mu)
            self.nash = np.array([own.against_best_response(model, self.r, mu)[0] for model, mu in zip(self.models, self.mu)])
            for V, model in zip(self.nash, self.models):
                assert abs(V[0, self.start] - own.nash(model, self.r)[0][0, self.start]) <= 1e-9, "mu_f is maximin"
            self.against = np.array([[own.against_best_response(model, self.r, mu)[0] for model in self.models] for mu in self.mu])
            self.held = np.array([own.against_best_response(self.P, self.r, mu)[0][0, self.start] for mu in self.mu])
            self.caps = np.ptp(self.against, axis=3).max(axis=(0, 1))[1:]
            self.c, self.beta = 2.0, 2 * self.H * math.log(self.H * len(self.models) / DELTA)
            return
        self.tables = [np.array(table) for table in hypotheses.tables]
        mu = np.array(classes.game_values(problem, hypotheses).mu)
        self.mu = [mu[h, : len(list_)] for h, list_ in enumerate(self.tables)]
        # against[h][i, g] = min over b of sum over a of mu_i g, the value of table g against the strategy of table i
        self.against = [np.einsum("ixa,gxab->igxb", m, list_).min(axis=3) for m, list_ in zip(self.mu, self.tables)]
        self.against.append(np.zeros((1, 1, self.S)))
        for h, (m, list_) in enumerate(zip(self.mu, self.tables)):
            for strategy, table in zip(m, list_):
                for x in range(self.S):
                    assert abs((strategy[x] @ table[x]).min() - own.game_value(table[x])[0]) <= 1e-9, f"mu_f is maximin at stage {h}"
        self.caps = np.zeros(self.H)
        for h, list_ in enumerate(self.tables):
            following = self.against[h + 1].reshape(-1, self.S)
            residual = list_[:, None] - (self.r[h] + np.einsum("xaby,vy->vxab", self.P[h], following))
            self.caps[h] = max(np.abs(residual).max(), np.ptp(following, axis=1).max())
        sizes = [len(list_) for list_ in self.tables]
        N = sum(a * b**2 for a, b in zip(sizes, [*sizes[1:], 1]))
        self.c, self.beta = 1 - math.exp(-0.5), 1.5 * float((self.caps**2).sum()) * math.log(4 * N / DELTA)

    def largest(self, h: int, x: int) -> float:
        V = np.eye(self.S)[x]
        for g in reversed(range(h)):
            V = (self.P[g] @ V).reshape(self.S, -1).max(axis=1)
        return float(V[self.start])

    def gec(self, n: int) -> tuple[float, float]:
        log, b = math.log2(max(n, 2)), 2 * float((self.caps * self.number).sum())
        return (2 * log * float((self.caps**2 * self.number).sum()) if self.models is not None else log * float(self.number.sum())), b

    def eta(self, n: int) -> float:
        return math.sqrt(self.gec(n)[0] / (4 * self.c * n * self.beta))

    def bound(self, n: int) -> float:
        d, b = self.gec(n)
        return 2 * (math.sqrt(n * self.beta * d / self.c) + b)

    def squares(self, k: int, samples: Any, values: list[np.ndarray]) -> list[np.ndarray]:
        """L[g, v] of every stage after k episodes, for the next values V (v, S) of each stage, sample by sample."""
        x, a, b, y = (part[:k] for part in samples)
        out = []
        for h, list_ in enumerate(self.tables):
            X, Ac, Bc, Y = x[:, h], a[:, h], b[:, h], y[:, h]
            error = list_[:, X, Ac, Bc][:, None, :] - self.r[h, X, Ac, Bc] - values[h][:, Y]
            T = (error**2).sum(axis=2)
            out.append(T - T.min(axis=0))
        return out

    def nash_values(self) -> list[np.ndarray]:
        """V of the tables of the next stage, for the main player's targets."""
        return [np.array([value[i, i] for i in range(len(value))]) for value in self.against[1:]]

    def exploiters_values(self, main: np.ndarray) -> list[np.ndarray]:
        """V^{mu, +} of the tables of the next stage, mu that of the chain `main`."""
        return [self.against[h + 1][main[h + 1] if h + 1 < self.H else 0] for h in range(self.H)]

    def strategy(self, main: np.ndarray) -> np.ndarray:
        return self.mu[main[0]] if self.models is not None else np.array([self.mu[h][i] for h, i in enumerate(main)])

    def excess(self, k: int, samples: Any, Q: np.ndarray, V: np.ndarray, h: int) -> float:
        """L_h of a table and a next value that need not be in the lists, the infimum over the list."""
        x, a, b, y = (part[:k, h] for part in samples)
        target = self.r[h, x, a, b] + V[y]
        least = min(float(((other[x, a, b] - target) ** 2).sum()) for other in self.tables[h])
        return float(((Q[x, a, b] - target) ** 2).sum()) - least


def learner(world: World, hypotheses: Any, **options: Any) -> Any:
    return world("theoryrl.algorithms.mex.game").MEXMG(hypotheses, delta=DELTA, **options)


def instances(world: World) -> dict[str, tuple[Any, Any]]:
    e = world("envs_synthetic.mex")
    small, long = e.random_game(2, 2, 2, 2, 0), e.random_game(3, 2, 2, 2, 1)
    return {
        "trap": (e.mg_trap(), e.mg_trap_class()),
        "switch": (e.mg_switch(), e.mg_switch_class()),
        "random models": (long, e.random_models(long, 4, 0)),
        "closure": (small, e.closure_class(small, 2, 0)),
    }


def raw_run(world: World, name: str, n: int, **options: Any) -> tuple[GameFacts, Any, Any]:
    """The facts, a raw run, and its samples (states, actions, responses, next states)."""
    problem, hypotheses = instances(world)[name]
    run = learner(world, hypotheses, **options).run(problem, n, seed=own.FIRST_SEED, checkpoints=[n], trace="raw")
    return GameFacts(world, problem, hypotheses), run, [np.array(run.state[f"raw_{what}"]) for what in ("states", "actions", "responses", "next")]


def log_losses(facts: GameFacts, samples: Any) -> np.ndarray:
    """Log losses of the models before each episode, (n, M)."""
    x, a, b, y = samples
    with np.errstate(divide="ignore"):
        steps = -np.log(facts.models[:, np.arange(facts.H), x, a, b, y]).sum(axis=2).T
    return np.vstack([np.zeros(steps.shape[1]), np.cumsum(steps, axis=0)])[:-1]


def chain_parts(run: Any, k: int) -> tuple[np.ndarray, np.ndarray]:
    return np.atleast_1d(np.array(run.state["raw_main"])[k]), np.atleast_1d(np.array(run.state["raw_exploiter"])[k])


# --- T22, T23


def check_T22(world: World) -> None:
    """T22. The exploiter's losses are those of the raw samples with the current mu in every target; both players maximise their objectives."""
    for name in ("switch", "closure"):
        n = 120
        facts, run, samples = raw_run(world, name, n, eta=0.01)
        for k in range(n):
            main, exploiter = chain_parts(run, k)
            ours = facts.squares(k, samples, facts.exploiters_values(main))
            for h, L in enumerate(ours):
                theirs = np.array(run.state["raw_exploiter_squares"])[k, h, : L.shape[0], : L.shape[1]]
                apart = np.abs(theirs - theirs.min(axis=0) - L).max()
                assert apart <= 1e-9, f"{name}: the exploiter's losses of stage {h} are off by {apart} before episode {k + 1}"
            values = -facts.against[0][main[0], :, facts.start]
            assert own.chain_objective(values, ours, 0.01, exploiter) >= own.chain_best(values, ours, 0.01) - 1e-9, f"{name}: exploiter, episode {k + 1}"
            ours = facts.squares(k, samples, facts.nash_values())
            for h, L in enumerate(ours):
                theirs = np.array(run.state["raw_squares"])[k, h, : L.shape[0], : L.shape[1]]
                assert np.abs(theirs - theirs.min(axis=0) - L).max() <= 1e-9, f"{name}: the main player's losses of stage {h}"
            values = np.diagonal(facts.against[0], axis1=0, axis2=1)[facts.start]
            assert own.chain_objective(values, ours, 0.01, main) >= own.chain_best(values, ours, 0.01) - 1e-9, f"{name}: main player, episode {k + 1}"
    for name in ("trap", "random models"):
        facts, run, samples = raw_run(world, name, 200)
        L, eta = log_losses(facts, samples), facts.eta(200)
        assert np.abs(np.array(run.state["raw_loss"]) - L).max() <= 1e-9, f"{name}: log losses"
        for k in range(200):
            (main,), (exploiter,) = chain_parts(run, k)
            objective = facts.nash[:, 0, facts.start] - eta * L[k]
            assert objective[main] >= objective.max() - 1e-9, f"{name}: main player, episode {k + 1}"
            objective = -facts.against[main, :, 0, facts.start] - eta * L[k]
            assert objective[exploiter] >= objective.max() - 1e-9, f"{name}: exploiter, episode {k + 1}"


def exploiter_slack(facts: GameFacts, run: Any, samples: Any, eta: float) -> np.ndarray:
    """-V_g^{mu, +} - eta L_mu(g) - (-V^{mu, +} - eta L_mu(Q^{mu, +})) in every episode, losses from the samples."""
    slack = np.zeros(run.n)
    if facts.models is not None:
        L = log_losses(facts, samples)
        truth = int(np.argmin(np.abs(facts.models - facts.P).reshape(len(facts.models), -1).max(axis=1)))
        main, exploiter = (np.array(run.state[f"raw_{who}"]).reshape(-1) for who in ("main", "exploiter"))
        rows = np.arange(run.n)
        return facts.held[main] - facts.against[main, exploiter, 0, facts.start] - eta * (L[rows, exploiter] - L[rows, truth])
    known: dict[bytes, Any] = {}
    for k in range(run.n):
        main, exploiter = chain_parts(run, k)
        if main.tobytes() not in known:
            known[main.tobytes()] = own.against_best_response(facts.P, facts.r, facts.strategy(main))
        V, Q = known[main.tobytes()]
        values = facts.exploiters_values(main)
        chosen = sum(
            facts.excess(k, samples, facts.tables[h][g], values[h][exploiter[h + 1] if h + 1 < facts.H else 0], h) for h, g in enumerate(exploiter)
        )
        truth = sum(facts.excess(k, samples, Q[h], V[h + 1], h) for h in range(facts.H))
        slack[k] = V[0, facts.start] - facts.against[0][main[0], exploiter[0], facts.start] - eta * (chosen - truth)
    return slack


def check_T23(world: World) -> None:
    """T23. The exploiter's feel-good step in every episode: -V_g^{mu, +} - eta L_mu(g) >= -V^{mu, +} - eta L_mu(Q^{mu, +})."""
    for name, n, eta in (("trap", 500, None), ("switch", 400, 0.01), ("closure", 100, None), ("random models", 200, None)):
        facts, run, samples = raw_run(world, name, n, **({} if eta is None else {"eta": eta}))
        slack = exploiter_slack(facts, run, samples, facts.eta(n) if eta is None else eta)
        assert slack.min() >= -1e-9, f"{name}: violated in {(slack < -1e-9).sum()} of {n} episodes, by up to {-slack.min()}"


def trap_bound(world: World) -> None:
    """T16 for games: the exploitability of mg_trap after 3 * 10^4 episodes is at most the bound, by constants of our own."""
    from mex_finite_checks import rarely, seeds

    problem, hypotheses = instances(world)["trap"]
    n, facts = 30_000, GameFacts(world, problem, hypotheses)
    found = learner(world, hypotheses).constants(problem, n)
    d, b = facts.gec(n)
    for name, theirs, ours in (("c", found.c, facts.c), ("beta", found.beta, facts.beta), ("d", found.gec.d, d), ("b", found.gec.b, b)):
        assert abs(theirs - ours) <= 1e-9 * (1 + ours), f"{name}: {theirs}, ours {ours}"
    runs = [learner(world, hypotheses).run(problem, n, seed=seed, checkpoints=[n]) for seed in seeds()]
    rarely([run.regret[-1] > facts.bound(n) for run in runs], f"mg_trap: exploitability {runs[0].regret[-1]} exceeds {facts.bound(n)}")


# --- T24


def check_T24(world: World) -> None:
    """T24. M0 = M1 <= ... <= M6 on every class of games, also with one state, action, stage or episode; the curves are those of the samples."""
    e, prove = world("envs_synthetic.mex"), world("theoryrl.proofs.theorem").prove
    cases = list(instances(world).values())
    for shape in ((1, 2, 2, 2), (2, 1, 2, 2), (2, 2, 1, 2), (2, 2, 2, 1), (1, 1, 1, 1)):
        problem = e.random_game(*shape, 2)
        cases += [(problem, e.closure_class(problem, 2, 0)), (problem, e.random_models(problem, 3, 0))]
    for problem, hypotheses in cases:
        facts = GameFacts(world, problem, hypotheses)
        for n, options in itertools.product((1, 2, 80), ({}, {"eta": 0.05})):
            run = learner(world, hypotheses, **options).run(problem, n, seed=own.FIRST_SEED, trace="raw")
            proof = prove(run)
            assert not proof.violations, f"{problem!r}, {hypotheses!r}, {options}, K = {n}: {proof.violations}"
            if not options and facts.gec(n)[0] > 0:
                assert abs(float(run.state["eta"]) - facts.eta(n)) <= 1e-9 * facts.eta(n), f"eta {run.state['eta']}, ours {facts.eta(n)}"
                assert abs(proof.bound[-1] - facts.bound(n)) <= 1e-8 * facts.bound(n), f"{problem!r}, {hypotheses!r}: bound {proof.bound[-1]}"
            compare_curves(facts, run)


def compare_curves(facts: GameFacts, run: Any) -> None:
    """The traced sums at the last episode against the raw samples."""
    samples = [np.array(run.state[f"raw_{what}"]) for what in ("states", "actions", "responses", "next")]
    sums = dict.fromkeys(("term1", "term2", "term3", "term4", "pred_main", "pred_exploiter", "in_sample_main", "in_sample_exploiter"), 0.0)
    D = np.zeros(facts.r.shape)
    for k in range(run.n):
        main, exploiter = chain_parts(run, k)
        mu = facts.strategy(main)
        if facts.models is not None:
            f, g = facts.models[main[0]], facts.models[exploiter[0]]
            V_f, (V_g, Q_g) = facts.nash[main[0]], own.against_best_response(g, facts.r, mu)
            E_f, E_g = (np.einsum("hxaby,hy->hxab", model - facts.P, V[1:]) for model, V in ((f, V_f), (g, V_g)))
            loss_f, loss_g = own.hellinger(f, facts.P), own.hellinger(g, facts.P)
        else:
            Q_f, Q_g = (np.array([facts.tables[h][i] for h, i in enumerate(chain)]) for chain in (main, exploiter))
            V_f, V_g = (np.vstack([np.einsum("hxa,hxab->hxb", mu, Q).min(axis=2), np.zeros((1, facts.S))]) for Q in (Q_f, Q_g))
            E_f, E_g = (Q - facts.r - np.einsum("hxaby,hy->hxab", facts.P, V[1:]) for Q, V in ((Q_f, V_f), (Q_g, V_g)))
            loss_f, loss_g = E_f**2, E_g**2
        nu = np.eye(facts.B)[np.einsum("hxa,hxab->hxb", mu, Q_g).argmin(axis=2)]
        d, V_both = own.joint_occupancy(facts.P, mu, nu, facts.start), own.joint(facts.P, facts.r, mu, nu)[0, facts.start]
        held = own.against_best_response(facts.P, facts.r, mu)[0][0, facts.start]
        found = (facts.optimal - V_f[0, facts.start], V_f[0, facts.start] - V_both, V_both - V_g[0, facts.start], V_g[0, facts.start] - held)
        found += (float((d * E_f).sum()), -float((d * E_g).sum()), float((D * loss_f).sum()), float((D * loss_g).sum()))
        for name, value in zip(sums, found):
            sums[name] += value
        D += d
    for name, ours in sums.items():
        assert abs(run[name][-1] - ours) <= 1e-8 * (1 + abs(ours)), f"{name}: {run[name][-1]}, from the samples {ours}"
    if facts.models is not None:
        assert np.array_equal(samples[0][:, 0], np.full(run.n, facts.start))
