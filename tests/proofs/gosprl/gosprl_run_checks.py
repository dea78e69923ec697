"""G1, G6 to G11, G13 and G14: runs of GOSPRL against replays from their raw transitions.

The unmet states, plans, counts, events and lines of a run are recomputed by `gosprl_oracles`; of the learner's own words only
each plan's values, policy and goal set are taken, and these are judged.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import gosprl_oracles as own
import numpy as np
from gosprl_oracles import World, at_the_end, continuing, near, random_case
from gosprl_planning_checks import outside
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from theoryrl.proofs import statistics
from theoryrl.testing.world import original

DELTA = 0.05
ABSOLUTE = 1e-9
SHORT = 20_000
"""Steps after which a short run, which takes hundreds, is given up."""
KINDS = ("l1", "bernstein", "both")


def learner(world: World, b: Any, **options: Any) -> Any:
    return world("theoryrl.algorithms.gosprl").GOSPRL(b, **options)


def theorem(world: World) -> Any:
    return world("theoryrl.proofs.gosprl").theorem_gosprl


def package_bound(world: World, algorithm: Any, problem: Any) -> float:
    return float(world("theoryrl.algorithms.gosprl.gosprl_theory").time_bound(algorithm, problem))


def run_of(algorithm: Any, problem: Any, n: int, seed: int, checkpoints: Any = None) -> Any:
    """A raw run, on which planning that does not end is a failure."""
    try:
        return algorithm.run(problem, n, seed=own.FIRST_SEED + seed, trace="raw", checkpoints=checkpoints)
    except RuntimeError as error:
        raise AssertionError(f"{algorithm} on {problem!r}: {error}") from error


def short_cases(world: World) -> Iterator[tuple[Any, Any, np.ndarray]]:
    """Learner, instance, requirement: one of each kind, replanned lazily and always, cheap ones first."""
    for number, (kind, replan) in enumerate((kind, replan) for kind in KINDS for replan in ("lazy", "always")):
        options: dict[str, Any] = {"confidence": kind, "replan": replan, "delta": DELTA}
        cases = [random_case(world, 10 * number + i, S, A, 12) for i, (S, A) in enumerate(((3, 2), (2, 1), (4, 3), (5, 2)))]
        cases.append((continuing(world, own.two(0.2), 0, "two(.2)"), np.array([[0], [300]])))
        cases.append((continuing(world, own.river_swim(6), 0, "river_swim(6)"), np.full((6, 2), 10)))
        cases.append((continuing(world, own.lock(8), 0, "lock(8)"), at_the_end(8, 2, 5)))
        cases.append((continuing(world, own.shortcut(6, 0.3), 0, "shortcut(6)"), at_the_end(8, 2, 60)))
        for problem, b in cases:
            yield learner(world, b, **options), problem, b


def replays(world: World) -> Iterator[tuple[Any, own.Replay, Any]]:
    for number, (algorithm, problem, b) in enumerate(short_cases(world)):
        if b.any():
            run = run_of(algorithm, problem, SHORT, number)
            yield algorithm, own.Replay(algorithm, problem, b, run), run


# --- G1


def structure(replay: own.Replay, run: Any) -> None:
    """Everything that 3.1 says about a step, apart from the values of plans."""
    T = replay.T
    wrong = np.flatnonzero(replay.travel == replay.goal[np.arange(T), replay.s])
    assert not len(wrong), f"{run}, step {wrong[0]}: sampling is for unmet states"
    sampling = ~replay.travel
    assert (replay.a[sampling] == replay.lowest[sampling]).all(), f"{run}: a sampling step plays another action than the lowest unmet one"
    at = np.flatnonzero(replay.travel)
    if len(at):
        masks = np.array([plan.mask for plan in replay.plans])[replay.plan[at]]
        wrong = at[(masks != replay.goal[at]).any(axis=1)]
        assert not len(wrong), f"{run}, step {wrong[0]}: plan {replay.plan[wrong[0]]} is for another goal set"
        policies = np.array([plan.policy for plan in replay.plans])
        assert (replay.a[at] == policies[replay.plan[at], replay.s[at]]).all(), f"{run}: a travel step leaves its plan"
    assert run.stopped and replay.met_at == T and (replay.n >= replay.b).all(), f"{run}: all is met at {replay.met_at}, stopped: {run.stopped}"
    wrong = np.flatnonzero(replay.due != replay.new_plan)
    assert not len(wrong), f"{run}, step {wrong[0]}: a plan was {'missing' if replay.due[wrong[0]] else 'made without need'}"


def check_G1(world: World) -> None:
    """G1. Sampling exactly in unmet states, lowest unmet action first; plans by the rule, for the present goal set; the end when all is met."""
    for S, A in ((1, 1), (1, 3), (3, 2)):
        b = np.arange(S * A).reshape(S, A) * 3 if S == 1 else np.zeros((S, A), np.int64)
        b = b + 2 * (S == A == 1)
        problem, _ = random_case(world, S, S, A, 1)
        for kind in KINDS:
            algorithm = learner(world, b, confidence=kind, delta=DELTA)
            run = run_of(algorithm, problem, int(b.sum()) + 1, 0)
            assert run.stopped and run.steps == b.sum(), f"{run}: {b.sum()} samples are wanted"
    for _, replay, run in replays(world):
        structure(replay, run)

    @settings(derandomize=True, database=None, deadline=None, max_examples=60, phases=(Phase.explicit, Phase.generate))
    @given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 3), st.sampled_from(KINDS), st.sampled_from(["lazy", "always"]))
    def drawn(seed: int, S: int, A: int, kind: str, replan: str) -> None:
        problem, b = random_case(world, seed, S, A, 8)
        algorithm = learner(world, b, confidence=kind, replan=replan, delta=DELTA)
        run = run_of(algorithm, problem, SHORT, seed)
        if b.any():
            structure(own.Replay(algorithm, problem, b, run), run)
        assert run.stopped and run.steps >= b.sum()

    drawn()


# --- G6, G7, G10, G11: section 18's instances and seeds


@dataclasses.dataclass(frozen=True, eq=False)
class Instance:
    name: str
    P: np.ndarray
    b: np.ndarray


@functools.cache
def instances() -> list[Instance]:
    garnet, rooms = own.garnet(10, 3, 3, 0), own.four_rooms()
    return [
        Instance("river_swim(6)", own.river_swim(6), np.full((6, 2), 30)),
        Instance("lock(12)", own.lock(12), at_the_end(12, 2, 50)),
        Instance("garnet(10, 3, 3)", garnet, np.full((10, 3), 20)),
        Instance("two(.2)", own.two(0.2), np.array([[0], [20_000]])),
        Instance("four_rooms", rooms, np.full((len(rooms), 4), 10)),
    ]


SEEDS = 40


LONG = 200_000
"""Steps of a raw run that are looked at; only broken learners need more, or runs that are seen to end by their untraced twins."""
FINDINGS: dict[str, Callable[[World, own.Replay, Any], Any]] = {
    "G6": lambda world, replay, run: pessimism(replay),
    "G7": lambda world, replay, run: outside(world, replay),
    "G10": lambda world, replay, run: proven(world, run),
}


class Survey:
    """The runs of section 18, made when first asked for; in the package itself each is judged for all checks at once."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.seed = world, seed
        self.known: dict[tuple[Any, ...], tuple[Any, dict[str, Any]]] = {}

    def found(self, check: str, instance: Instance, kind: str, seed: int) -> tuple[str, Any]:
        """The text of a run, and what `check` asks of it."""
        wanted = tuple(FINDINGS) if self.world is original else (check,)
        key = (wanted, instance.name, kind, seed)
        if key not in self.known:
            algorithm, problem, most = self.case(instance, kind)
            steps = min(most, LONG)
            run = run_of(algorithm, problem, steps, seed, [k for k in (4**i for i in range(1, 20)) if k <= steps])
            replay = own.Replay(algorithm, problem, instance.b, run)
            self.known[key] = repr(run), {name: FINDINGS[name](self.world, replay, run) for name in wanted}
        return self.known[key][0], self.known[key][1][check]

    @functools.cache  # noqa: B019  (surveys are few, and kept)
    def case(self, instance: Instance, kind: str) -> tuple[Any, Any, int]:
        """The learner, the problem, and the number of steps from which on a run has exceeded the bound."""
        algorithm = learner(self.world, instance.b, confidence=kind, delta=DELTA)
        problem = continuing(self.world, instance.P, 0, instance.name)
        return algorithm, problem, int(own.time_bound(algorithm, problem, instance.b)) + 1


@functools.lru_cache(maxsize=1)
def survey(world: World, seed: int) -> Survey:
    return Survey(world, seed)


def each(world: World, check: str) -> Iterator[Iterator[tuple[str, Any]]]:
    """For each instance and kind, what `check` asks of each run."""
    runs = survey(world, own.FIRST_SEED)
    for instance, kind in itertools.product(instances(), KINDS):
        yield (runs.found(check, instance, kind, seed) for seed in range(SEEDS))


def seldom(failures: Iterable[str], n: int, probability: float) -> None:
    """The binomial rule at `n` runs, of which the last ones are not made if the others decide; a failure is a text that is not empty."""
    count, last, made = 0, "", 0
    for failure in failures:
        made += 1
        count, last = (count + 1, failure) if failure else (count, last)
        if statistics.binomial_tail(count, n, probability) < statistics.LEVEL:
            break
    assert not statistics.too_many_failures(count, n, probability), f"{count} of {made} runs fail (allowed: {probability:g}), such as: {last}"


def pessimism(replay: own.Replay) -> str:
    """What is not optimistic about a run: a plan above the best times, or an inner value above Pv; or ""."""
    v, goal = replay.values, np.array([plan.goal for plan in replay.plans], bool).reshape(-1, replay.S)
    after = np.where(goal, 0, 1 + np.einsum("sat,kt->ksa", replay.P, v).min(axis=-1, initial=math.inf))
    for k in np.flatnonzero((v > after + ABSOLUTE).any(axis=1)):  # v <= 1 + min P v, 0 at goals: v is at most the best times
        excess = (v[k] - own.best_times(replay.P, goal[k]) * (1 + ABSOLUTE)).max()
        if not excess <= ABSOLUTE:
            return f"plan {k} is above the best times by {excess}"
    x = replay.steps
    excess = (x["m"] - x["mean"] * (1 + ABSOLUTE)).max(initial=-math.inf)
    return "" if excess <= ABSOLUTE else f"an inner value exceeds Pv by {excess}"


def proven(world: World, run: Any) -> tuple[str, dict[str, bool], dict[str, float]]:
    """The first violated line or "", which events held, and with which probabilities they may fail."""
    proof = theorem(world).proof(run)
    violated = str(proof.violations[0]) if proof.violations else ""
    return violated, proof.held, {event.id: event.probability for event in proof.events}


def check_G6(world: World) -> None:
    """G6. Every plan is at most V* of its goal set, and every inner value at most Pv: fails with probability at most delta / 2."""
    for runs in each(world, "G6"):
        seldom((f"{run}: {wrong}" if wrong else "" for run, wrong in runs), SEEDS, DELTA / 2)


def check_G7(world: World) -> None:
    """G7. The true laws are in the sets at all counts that a run passes: fails with probability at most delta / 2."""
    for runs in each(world, "G7"):
        seldom((f"{run}: {wrong}" if wrong else "" for run, wrong in runs), SEEDS, DELTA / 2)


def check_G10(world: World) -> None:
    """G10. Each line of the proof is at most the next, all together with probability at least 1 - delta; each event by its own probability."""
    for runs in each(world, "G10"):
        found = list(runs)
        for run, (violated, _, _) in found:
            assert not violated, f"{run}: {violated}"
        probabilities = found[0][1][2]
        assert sum(probabilities.values()) <= DELTA * (1 + ABSOLUTE), f"the events fail with probability up to {probabilities}"
        for event, probability in probabilities.items():
            seldom(("" if held[event] else f"{run}: event {event}" for run, (_, held, _) in found), SEEDS, probability)
        seldom(("" if all(held.values()) else f"{run}: {held}" for run, (_, held, _) in found), SEEDS, DELTA)


def check_G11(world: World) -> None:
    """G11. The requirements are met within the time bound of the run's own kind; its inequality holds on an interval, and it is the package's."""
    grid = 10.0 ** np.arange(-2, 16.01, 0.05)
    locks = Instance("lock(20)", own.lock(20), at_the_end(20, 2, 50))
    for instance, kind, seeds, delta in [(locks, "l1", LOCKS, LOCK_DELTA), *((i, kind, SEEDS, DELTA) for i in instances() for kind in KINDS)]:
        problem = continuing(world, instance.P, 0, instance.name)
        algorithm = learner(world, instance.b, confidence=kind, delta=delta)
        for c in own.parts(algorithm, problem, instance.b):
            assert (np.diff((1 - c.eps) * grid <= c.R(grid, c.solved[1])) != 0).sum() == 1, f"{instance.name}, {c.set}: no interval"
        bound = own.time_bound(algorithm, problem, instance.b)
        assert near(bound, package_bound(world, algorithm, problem))
        runs = (algorithm.run(problem, int(bound) + 1, seed=own.FIRST_SEED + seed) for seed in range(seeds))
        seldom(("" if run.stopped and run.steps <= bound else f"{run}: the bound is {bound}" for run in runs), seeds, delta)


LOCK_DELTA = 0.1
LOCKS = statistics.seeds_to_reject(LOCK_DELTA)


# --- what mutants slow down or stop


def check_shortcut(world: World) -> None:
    """On shortcut(40, .3) with 2000 samples, a run beyond three times the linear program, which never is one of GOSPRL's, is rare: not one in twenty."""
    problem, b = continuing(world, own.shortcut(40, 0.3), 0, "shortcut(40)"), at_the_end(42, 2, 2000)
    limit = int(3 * own.programme(own.shortcut(40, 0.3), b, 0))
    runs = (learner(world, b).run(problem, limit, seed=own.FIRST_SEED + seed) for seed in range(SHORTCUTS))
    seldom(("" if run.stopped else f"{run}: three times the linear program" for run in runs), SHORTCUTS, 0.05)


SHORTCUTS = statistics.seeds_to_reject(0.05, 0.5)
"""About three of five runs without optimism take the detour for ever."""


def check_river_swim(world: World) -> None:
    """The requirement on RiverSwim-6 is met within 2 10^7 steps, which is beyond the bound."""
    problem, algorithm = continuing(world, own.river_swim(6), 0, "river_swim(6)"), learner(world, np.full((6, 2), 100), delta=1e-10)
    assert package_bound(world, algorithm, problem) <= 2e7
    run = algorithm.run(problem, 20_000_000, seed=own.FIRST_SEED)
    assert run.stopped, f"{run}: not finished"


# --- G8, G9, G13, G14


def at_most(mine: Any, theirs: Any) -> bool:
    return bool(np.all(np.asarray(mine) <= theirs + 1e-8 * (1 + np.abs(mine))))


def check_G8(world: World) -> None:
    """G8. Counts (A5), doublings (A6) and S_D <= I_0, at every step."""
    for algorithm, replay, run in replays(world):
        x, r, pairs = replay.steps, replay.sums, replay.S * replay.A
        known = x["raw_n_k"] >= 1
        wrong = np.flatnonzero(known & (x["n"] > 2 * x["raw_n_k"] - 1) | ~known & (x["n"] > 0))
        assert not len(wrong), f"{run}: a travel visit at {x['n'][wrong[0]]} counts, planned at {x['raw_n_k'][wrong[0]]}"
        logs, roots, floors = (replay.tau_form(form) for form in (lambda k: 1 + 2 * np.log(k), np.sqrt, lambda k: 1 + np.floor(np.log2(k) + 1e-12)))
        travel = r["travel"]
        for name, chain in {
            "sum of 1 / n_k": (replay.spread(1 / x["n_k"]), logs, own.harmonic(travel, pairs)),
            "sum of roots": (replay.spread(1 / np.sqrt(x["n_k"])), 2 * math.sqrt(2) * roots, 2 * math.sqrt(2) * np.sqrt(pairs * travel)),
            "plans in an episode": (r["mid"], replay.doublings, floors, own.doublings(travel, pairs)),
        }.items():
            for smaller, larger in itertools.pairwise(chain):
                assert at_most(smaller, larger), f"{run}: the {name} is beyond its limit, {smaller[-1]} > {larger[-1]}"
        for c in own.parts(algorithm, run.problem, replay.b, replay.D_s):
            assert at_most(r["S_D"], c.I_0), f"{run}: S_D is {r['S_D'][-1]}, I_0 is {c.I_0}"


def check_G9(world: World) -> None:
    """G9. The package's lines are those recomputed from the raw transitions, and L0 <= L1 = L2 <= L3 and L6 <= L7 (`l1`: <= L9) surely."""
    for algorithm, replay, run in replays(world):
        own_chains = {c.set: replay.lines(c) for c in own.parts(algorithm, run.problem, replay.b, replay.D_s)}
        for kind, lines in own_chains.items():
            later = [("L6", "L7"), ("L7", "L9")] if kind == "l1" else [("L8", "L9")]
            for smaller, larger in [("L0", "L1"), ("L1", "L2"), ("L2", "L1"), ("L2", "L3"), *later]:
                excess = (lines[smaller] - lines[larger] - 1e-8 * (1 + np.abs(lines[smaller]))).max()
                assert excess <= 0, f"{run}, {kind}: {smaller} exceeds {larger} by {excess}"
        proof = theorem(world).proof(run)
        assert not proof.violations, f"{run}: {proof.violations[0]}"
        chains = {kind: proof.chains[kind] for kind in own_chains}
        assert next(iter(proof.chains)) in own_chains
        for kind, theirs in chains.items():
            for line in theirs:
                if line.id in own_chains[kind]:  # not L10, the bound
                    mine = own_chains[kind][line.id][run.checkpoints - 1]
                    assert near(mine, line.value), f"{run}, {kind}: {line.id} is {line.value[-1]}, recomputed {mine[-1]}"
            assert {line.id for line in theirs} >= set(own_chains[kind]), f"{kind}: lines {[line.id for line in theirs]}"


def check_G13(world: World) -> None:
    """G13. At most S + SA (1 + log2 T) plans (always: B + SA (1 + log2 T)), and no more episodes than samples wanted."""
    for algorithm, replay, run in replays(world):
        first = replay.S if algorithm.replan == "lazy" else replay.b.sum()
        limit = first + replay.S * replay.A * (1 + math.log2(replay.T))
        assert len(replay.plans) <= limit, f"{run}: {len(replay.plans)} plans, at most {limit}"
        episodes = replay.sums["episodes"][-1]
        assert episodes <= replay.b.sum(), f"{run}: {episodes} episodes for {replay.b.sum()} samples"


def check_G14(world: World) -> None:
    """G14. On two(q) with B samples, T - 2 B is negative binomial, whatever the plans: its exact tails at ten runs."""
    from scipy.stats import nbinom

    B, runs = 20_000, 10
    for q in (0.5, 0.2, 0.1, 0.02, 0.01):
        problem, b = continuing(world, own.two(q), 0, f"two({q:g})"), np.array([[0], [B]])
        algorithm = learner(world, b)
        for seed in range(runs):
            run = algorithm.run(problem, 2**40, seed=own.FIRST_SEED + seed)
            assert run.stopped and run.steps >= 2 * B
            extra = run.steps - 2 * B
            tail = min(nbinom.cdf(extra, B, q), nbinom.sf(extra - 1, B, q))
            assert tail >= statistics.LEVEL, f"{run}: T / B = {run.steps / B}, its mean is {1 + 1 / q}, the tail {tail:.2g}"
