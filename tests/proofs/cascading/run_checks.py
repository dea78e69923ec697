"""Checks T10-T20 and T22-T24: runs of CascadingVI and CascadingBPI against the lines of their proofs.

A check takes a world (``name -> module``).  "Given the good event" means the theorem's own event, observed from raw
outcomes, and never the intervals of the run, which a mutant may have changed.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from theoryrl.proofs import statistics
from theoryrl.testing.mutants import each_seed

World = Callable[[str], Any]
VARIANTS: tuple[dict[str, Any], ...] = ({"variant": "explicit"}, {"variant": "explicit-kl"}, {"variant": "paper", "log_term": "explicit"})
FIRST_SEED = 0  # the session's seed under --regret-vary-seed
DELTA = 0.05
ABSOLUTE = 1e-9
TRAPS = ((0.3, 0.25), (0.3, 0.27))


def vi(world: World, **options: Any) -> Any:
    return world("theoryrl.algorithms.cascading").CascadingVI(**options)


def instance(world: World, name: str, *arguments: Any, **named: Any) -> Any:
    return getattr(world("envs_synthetic.cascading"), name)(*arguments, **named)


def runs(world: World, algorithm: Any, problem: Any, n: int, seeds: int, **options: Any) -> Iterator[Any]:
    """Runs one after the other, as far as they are asked for: pytest-xdist has the other cores."""
    chosen = range(FIRST_SEED, FIRST_SEED + seeds)
    return world("theoryrl.algorithms.run").iterate_runs(algorithm, problem, n, seeds=chosen, jobs=1, **options)


def prove(world: World, run: Any) -> Any:
    return world("theoryrl.proofs.theorem").prove(run)


def good_event(run: Any, x: float) -> bool:
    """(Q), (P1) and (P2) at every sample, from the trace's own counts."""
    return all(run[name][-1] <= x for name in ("q_deviation", "l1_deviation", "bernstein_deviation"))


def x_of(run: Any) -> float:
    """The log term of section 4.2, written out again."""
    p = run.problem
    S, N, H = p.n_states, p.n_items, p.horizon
    return math.log(2 * (2 * S * N + S * (N + 1) * (3 * H - 2)) * run.n * H / run.algorithm.delta)


def problems(world: World) -> list[Any]:
    return [
        instance(world, "noclick_trap", TRAPS[0]),
        instance(world, "noclick_trap", TRAPS[1]),
        instance(world, "myopic_trap"),
        instance(world, "hidden_gem"),
        instance(world, "cascading_bandit", 4),
        instance(world, "random_cascade", 4, 6, 2, 3, 0),
    ]


@functools.lru_cache(1)
def _recorded(world: World) -> tuple[Iterator[Any], list[Any]]:
    return _traced(world), []


def traced(world: World) -> Iterator[Any]:
    """Yield traced runs of all variants, made as far as they are asked for and kept for the next check of this world."""
    source, kept = _recorded(world)
    for i in itertools.count():
        if i == len(kept):
            run = next(source, None)
            if run is None:
                return
            kept.append(run)
        yield kept[i]


def _traced(world: World) -> Iterator[Any]:
    """K = 2e4 and 5 seeds on the traps, where the literal rule shows itself late."""
    for problem, options in itertools.product(problems(world), VARIANTS):
        trap = problem.name.startswith("noclick_trap")
        yield from runs(world, vi(world, **options), problem, 20_000 if trap else 4_000, 5 if trap else 2, trace=True)


def check_T10(world: World) -> None:
    """Counts come from examined items only: recounted from the raw outcomes, exactly."""
    for problem in (instance(world, "random_cascade", 3, 4, 3, 3, 1), instance(world, "cascading_bandit", 4), instance(world, "myopic_trap")):
        K = 200
        run = vi(world).run(problem, K, seed=FIRST_SEED, trace="raw")
        state, N, H = run.state, problem.n_items, problem.horizon
        n_q, clicks = np.zeros_like(state["n_q"]), np.zeros_like(state["clicks"])
        n_next = np.zeros_like(state["n_next"])
        for k, h in np.ndindex(K, H):
            s, clicked, s_next = (int(state[name][k, h]) for name in ("raw_states", "raw_clicks", "raw_next"))
            for a in state["raw_lists"][k, h]:
                if a < 0:
                    break
                n_q[s, a] += 1
                clicks[s, a] += a == clicked
                if a == clicked:
                    break
            n_next[s, clicked, s_next] += 1
        assert np.array_equal(state["n_q"], n_q) and np.array_equal(state["clicks"], clicks), "counts of examined items"
        assert np.array_equal(state["n_next"], n_next) and np.array_equal(state["n_p"], n_next.sum(axis=2)), "transition counts"
        assert state["n_p"].sum() == K * H and state["clicks"].sum() <= K * H
        assert np.array_equal(state["n_p"][:, :N].sum(axis=1), state["clicks"].sum(axis=1)), "every click is one transition"


def check_T11(world: World) -> None:
    """q lies in the interval that the run used, and (P1), (P2) hold, but for a share of at most delta / 2 of the seeds."""
    for problem, options in itertools.product((instance(world, "hidden_gem"), instance(world, "cascading_bandit", 4)), VARIANTS):
        failed = [
            not (run["interval_excess"][-1] <= 0 and run["l1_deviation"][-1] <= x_of(run) and run["bernstein_deviation"][-1] <= x_of(run))
            for run in runs(world, vi(world, **options), problem, 2_000, 20, trace=True)
        ]
        assert not statistics.too_many_failures(sum(failed), len(failed), DELTA / 2), f"{sum(failed)} of {len(failed)} seeds left an interval: {problem!r}"


def check_T12(world: World) -> None:
    """Given the good event V_low <= V* <= V_bar at all (h, s) and plans."""

    def one(run: Any) -> None:
        if good_event(run, x_of(run)):
            assert run["optimism_excess"][-1] <= ABSOLUTE, f"{run}: V* exceeds V_bar by {run['optimism_excess'][-1]}"
            assert run["pessimism_excess"][-1] <= ABSOLUTE, f"{run}: V_low exceeds V* by {run['pessimism_excess'][-1]}"

    over_runs(traced(world), one)


def check_T13(world: World) -> None:
    """With the L1 bonus, given the good event, V_low <= V^pi, and the regret is at most the sum of V_bar - V_low."""

    def one(run: Any) -> None:
        if run.algorithm.variant == "explicit" and good_event(run, x_of(run)):
            assert run["certificate_excess"][-1] <= ABSOLUTE, f"{run}: V_low exceeds V^pi by {run['certificate_excess'][-1]}"
            assert np.all(run.regret <= run["certificate"] + ABSOLUTE * run.checkpoints)

    over_runs(traced(world), one)


def check_T14(world: World) -> None:
    """Given the good event V_bar - V^pi <= D at all (h, s) and plans (Lem 12); with equality at h = H if m = 1, r = 1, r_perp = 0."""

    def one(run: Any) -> None:
        if good_event(run, x_of(run)):
            assert run["decomposition_excess"][-1] <= ABSOLUTE, f"{run}: {run['decomposition_excess'][-1]}"

    over_runs(traced(world), one)
    for n, options in itertools.product((1, 10, 100, 1000), VARIANTS):
        state = vi(world, **options).run(instance(world, "hidden_gem"), n, seed=FIRST_SEED + 3, trace=True).state
        assert abs(state["D"][1, 0] - (state["V_bar"][1, 0] - state["V_pi"][1, 0])) <= ABSOLUTE


def over_runs(found: Iterator[Any], one: Callable[[Any], None]) -> None:
    """Apply a check to each run; a failure remembers how many seeds of its instance it took."""
    for run in found:
        try:
            one(run)
        except AssertionError as error:
            error.seeds = run.seed - FIRST_SEED + 1  # type: ignore[attr-defined]
            raise


def check_T15(world: World) -> None:
    """Pigeonhole with counts frozen inside an episode, and its sum over pairs."""
    Widths = world("theoryrl.proofs.cascading").Widths

    @settings(derandomize=True, database=None, deadline=None, max_examples=300, phases=(Phase.explicit, Phase.generate))
    @given(st.integers(1, 5).flatmap(lambda H: st.tuples(st.just(H), st.lists(st.lists(st.integers(0, H), min_size=3, max_size=3), min_size=1, max_size=60))))
    def sums(drawn: tuple[int, list[list[int]]]) -> None:
        H, episodes = drawn
        visits = np.array([[min(v, H) for v in row] for row in episodes])
        before = np.vstack([np.zeros((1, 3), dtype=int), np.cumsum(visits, axis=0)[:-1]])
        n = visits.sum(axis=0)
        frozen = np.maximum(before, 1)
        root, harmonic = (visits / np.sqrt(frozen)).sum(axis=0), (visits / frozen).sum(axis=0)
        assert np.all(root <= 2 * np.sqrt(n) + H + ABSOLUTE)
        assert np.all(harmonic <= 2 + np.log(np.maximum(n, 1)) + H + ABSOLUTE)
        widths = Widths(S=1, N=3, m=1, H=H, K=len(episodes), x=1, delta=0.05, c1=1, c2=1, a1=1, a2=1, largest=1, kappa=1)
        most = max(int(n.sum()), 1)
        assert root.sum() <= widths.root(3, most) + ABSOLUTE and harmonic.sum() <= widths.harmonic(3, most) + ABSOLUTE

    sums()


def check_T16(world: World) -> None:
    """Regret <= Theorem A at a non-vacuous K on hidden_gem: surely, on every seed on which its events held."""
    problem, K = instance(world, "hidden_gem"), 30_000
    bound = world("theoryrl.proofs.cascading").regret_widths(vi(world), problem, K).bound(K)
    assert bound < K * (problem.optimal_value - problem.worst_value), "the bound is vacuous"

    def one(run: Any) -> None:
        if run.regret[-1] > bound:
            proof = prove(world, run)
            assert not all(proof.held.values()), f"{run} exceeds {bound} although all events held"

    over_runs(runs(world, vi(world), problem, K, 100), one)


def check_T17(world: World) -> None:
    """Sublinear: the log-log slope of the last decade is below .6, every variant, on myopic_trap and hidden_gem."""
    for problem, options in itertools.product((instance(world, "myopic_trap"), instance(world, "hidden_gem")), VARIANTS):
        found = list(runs(world, vi(world, **options), problem, 200_000, 10))
        slopes = statistics.growth_exponents(found[0].checkpoints, np.array([run.regret for run in found]))
        if statistics.grows_faster(slopes, 0.6):
            error = AssertionError(f"slopes {slopes} on {problem!r}, {options}")
            error.seeds = len(found)  # type: ignore[attr-defined]
            raise error


def check_T18(world: World) -> None:
    """Regret per bad item within a factor 1.6 over N = 4..32 at a fixed gap; a learner with whole lists as actions has ten times more."""
    seeds, K = 10, 200_000
    per_item, ratios = {}, {}
    for N in (4, 8, 16, 32):
        problem = instance(world, "cascading_bandit", N)
        regret = np.array([run.regret[-1] for run in runs(world, vi(world), problem, K, seeds)])
        per_item[N] = regret / (N - 2)
        whole = world("theoryrl.algorithms.cascading").AdaptVI()
        lists = np.array([run.regret[-1] for run in runs(world, whole, problem, K, seeds)])
        ratios[N] = lists / regret
    for N, M in itertools.permutations(per_item, 2):
        low, _ = statistics.student_interval(per_item[N] - 1.6 * per_item[M], statistics.LEVEL)
        assert low <= 0, f"regret per bad item at N={N} exceeds 1.6 times that at N={M}: {per_item}"
    for N, ratio in ratios.items():
        _, high = statistics.student_interval(ratio, statistics.LEVEL)
        assert high >= 10, f"lists as actions have only {ratio} times the regret at N={N}"


def check_T20(world: World) -> None:
    """Rare switching plans at most 1 + (2 S N + S) (1 + log_{1+eta}(K H)) times."""
    for problem, eta, K in itertools.product(problems(world)[2:], (0.1, 0.5, 1.0), (1, 50, 3_000)):
        run = vi(world, replan="geometric", eta=eta).run(problem, K, seed=FIRST_SEED)
        S, N = problem.n_states, problem.n_items
        assert run["replans"][-1] <= 1 + (2 * S * N + S) * (1 + math.log(K * problem.horizon, 1 + eta))
        if K > 50:
            assert run["replans"][-1] < K


def check_T22(world: World) -> None:
    """The literal J = 0 rule is not optimistic on a good event without any randomness; the box oracle is."""
    cascading = world("theoryrl.algorithms.cascading")
    problem = instance(world, "noclick_trap", (0.5, 0.25))
    n, literal, box = 1024, [], []
    for options in VARIANTS:
        for fallback, values in (("literal", literal), ("box", box)):
            algorithm = vi(world, fallback=fallback, **options)
            state = algorithm.start(problem, 1, np.random.default_rng(0))
            state["n_q"][:] = n
            state["clicks"][:] = np.round(n * problem.attraction)
            state["n_p"][:] = n
            state["n_p"][0] = (512, 256, 1280)
            state["n_next"][:] = np.round(state["n_p"][..., None] * problem.transition)
            pairs = state["n_p"].size
            state["touched"][0, :-1], state["touched"][1, :-1], state["touched"][0, -1] = np.arange(pairs), 1, pairs
            counts, model, plan = (kind(*(state[f] for f in kind._fields)) for kind in (cascading.Counts, cascading.Model, cascading.Plan))
            choices = algorithm._options(problem, 1)._replace(x=20.0)
            cascading.estimate(counts, model, choices)
            cascading.make_plan(problem.reward, model, plan, cascading.scratch(problem, choices), choices, state["progress"], True)
            values.append(float(plan.V_bar[0, 0]))
    assert abs(problem.optimal_value - 0.75) <= ABSOLUTE
    assert np.all(np.abs(np.array(box) - (0.8852, 0.8641, 0.9809)) <= 1e-4), box
    assert np.all(np.array(box) >= 0.75)
    assert np.all(np.abs(np.array(literal) - (0.7186, 0.7296, 0.7144)) <= 1e-4), literal


def check_T19(world: World) -> None:
    """CascadingBPI returns an epsilon-optimal policy within K_0 episodes, but for a share of at most delta of the seeds."""
    cascading = world("theoryrl.algorithms.cascading")
    for problem, epsilon in itertools.product((instance(world, "myopic_trap"), instance(world, "hidden_gem")), (0.4, 0.2)):
        algorithm = cascading.CascadingBPI(delta=DELTA, epsilon=epsilon)
        most = world("theoryrl.proofs.cascading").bpi_bound(algorithm, problem)
        failed = [
            not (run.stopped and run.steps <= most and problem.optimal_value - run["policy_value"][-1] <= epsilon)
            for run in runs(world, algorithm, problem, most, 20, checkpoints=[1])
        ]
        assert not statistics.too_many_failures(sum(failed), len(failed), DELTA), f"{sum(failed)} of {len(failed)} seeds failed on {problem!r}"


def check_T23(world: World) -> None:
    """L0 <= ... <= L7 at every checkpoint on the events, and L7(K) = Theorem A, over variants, eta, K and instances, degenerate ones too."""
    CascadingMDP = world("theoryrl.problems.cascading").CascadingMDP
    tiny = CascadingMDP([[0.5]], np.ones((1, 2, 1)), [[1.0, 0.0]], 1, 1, name="S=N=H=1")
    longer = CascadingMDP([[0.5, 0.2]], np.ones((1, 3, 1)), [[1.0, 0.5, 0.0]], 2, 5, name="m>N")
    theorem = world("theoryrl.proofs.cascading").theorem_a
    best = world("theoryrl.estimation.supermartingale").best_supermartingale_bound
    failures = {"E": 0, "F1": 0, "F2": 0}
    total = 0
    for problem, options, eta, K in itertools.product([*problems(world)[1:], tiny, longer], VARIANTS, (0, 0.5), (1, 7, 20_000)):
        algorithm = vi(world, **options, **({"replan": "geometric", "eta": eta} if eta else {}))
        proof = theorem.proof(algorithm.run(problem, K, seed=FIRST_SEED + K, trace=True))
        assert not proof.violations, f"{problem!r} {algorithm} K={K}: {proof.violations[0]}"
        widths = world("theoryrl.proofs.cascading").regret_widths(algorithm, problem, K)
        stated = best(float(widths.total(K)), widths.largest, math.log(4 / DELTA))[0]
        assert abs(proof.bound[-1] - stated) <= 1e-9 * stated
        total += 1
        for event, held in proof.held.items():
            failures[event] += not held
    for event, probability in (("E", DELTA / 2), ("F1", DELTA / 4), ("F2", DELTA / 4)):
        assert not statistics.too_many_failures(failures[event], total, probability), f"{event} failed on {failures[event]} of {total}"


def check_T24(world: World) -> None:
    """CascadingBPI at every planning: V_low <= V^pi <= V* <= V_bar, gap <= D', and the lines of Theorem B, given the events."""
    cascading, theorem = world("theoryrl.algorithms.cascading"), world("theoryrl.proofs.cascading").theorem_b

    failed: list[bool] = []

    def one(seed: int) -> None:
        for problem, eta in itertools.product(problems(world)[1:], (0, 0.1)):
            epsilon = 0.15 * problem.horizon**2
            algorithm = cascading.CascadingBPI(delta=DELTA, epsilon=epsilon, **({"replan": "geometric", "eta": eta} if eta else {}))
            run = algorithm.run(problem, 30_000, seed=FIRST_SEED + seed, trace=True)
            proof = theorem.proof(run)
            assert not proof.violations, f"{run}: {proof.violations[0]}"
            for name in ("optimism", "pessimism", "certificate", "decomposition"):
                assert not proof.held["E"] or run[f"{name}_excess"][-1] <= ABSOLUTE, f"{run}: {name}"
            failed.append(not proof.held["E"])

    each_seed(range(4), one)
    assert not statistics.too_many_failures(sum(failed), len(failed), 3 * DELTA / 8), f"the good event failed on {sum(failed)} of {len(failed)} runs"


