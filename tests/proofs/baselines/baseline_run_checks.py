"""T1, T2, T4, T8 to T11 and T15: runs of the baselines against replays from their raw transitions.

"On the event" means the theorem's own event, recomputed here from the raw transitions of a short run, or read from the
trace of a long one; never the radii of the run, which a mutant may have changed.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import baseline_oracles as own
import numpy as np
from baseline_oracles import World

from theoryrl.proofs import statistics

DELTA = 0.05
ABSOLUTE = 1e-9
POINTWISE = 1e-12
UCBVI_LEARNERS: list[dict[str, Any]] = [
    {"variant": variant, "counts": counts, "monotone": monotone}
    for variant, counts, monotone in itertools.product(("hoeffding", "bernstein"), ("pooled", "stage"), (False, True))
]
UCBVI_LEARNERS.append({"variant": "hoeffding-paper"})


def baselines(world: World) -> Any:
    return world("theoryrl.algorithms.baselines")


def proofs(world: World) -> Any:
    return world("theoryrl.proofs.baselines")


def instance(world: World, name: str, *arguments: Any) -> Any:
    return getattr(world("envs_synthetic.mex" if name == "treasure" else "envs_synthetic.baselines"), name)(*arguments)


def mdp(world: World, transition: Any, reward: Any, horizon: int, name: str) -> Any:
    return world("theoryrl.problems.episodic").EpisodicMDP(transition, reward, horizon, name=name)


def random_mdp(world: World, S: int, A: int, H: int, seed: int, stationary: bool = True) -> Any:
    """Sparse rows, some of them deterministic; rewards with ties and zeros, zero after some stage in every third instance."""
    rng = np.random.default_rng((3, seed))
    shape = (S, A, S) if stationary else (H, S, A, S)
    weights = rng.random(shape) * (rng.random(shape) < 0.6)
    weights[..., 0] += weights.sum(axis=-1) == 0
    reward = rng.integers(0, 5, (H, S, A)) / 4
    if seed % 3 == 2:
        reward[max(H - 2, 1) :] = 0
    return mdp(world, weights / weights.sum(axis=-1, keepdims=True), reward, H, f"random({S}, {A}, {H}, {seed}, {stationary})")


def near(mine: Any, theirs: Any) -> bool:
    """Equal up to 1e-9, relative to the line."""
    return bool(np.all(np.abs(np.asarray(mine) - theirs) <= ABSOLUTE * (1 + np.abs(mine))))


def first_lines(proof: Any) -> dict[str, np.ndarray]:
    return {line.id: line.value for line in next(iter(proof.chains.values()))}


def counted(failures: list[bool], probability: float, what: str) -> None:
    assert not statistics.too_many_failures(sum(failures), len(failures), probability), f"{what} failed on {sum(failures)} of {len(failures)} runs"


def theorem_of(world: World, algorithm: Any) -> Any:
    bernstein = algorithm.variant.startswith("bernstein")
    return proofs(world).theorem_ucbvi_bernstein if bernstein else proofs(world).theorem_ucbvi_hoeffding


# --- T1, T2


def short_runs(world: World, options: Any = UCBVI_LEARNERS) -> Iterator[tuple[Any, Any, Any]]:
    """Algorithm, instance and a raw run: river swim, two states, treasure (by stage) and random instances."""
    for number, option in enumerate(options):
        stage = option.get("counts") == "stage"
        problems = [instance(world, "river_swim", 3, 6), instance(world, "two_state", 3), random_mdp(world, 3, 2, 4, number, not stage)]
        problems += [instance(world, "treasure")] if stage else [instance(world, "river_swim")]
        for problem, K in zip(problems, (120, 60, 100, 60), strict=True):
            algorithm = baselines(world).UCBVI(**option)
            yield algorithm, problem, algorithm.run(problem, K, seed=own.FIRST_SEED + number, trace="raw")


def check_T1(world: World) -> None:
    """T1. On the event V* <= V-bar <= C (H in the paper's form) at all (h, s) and plans; Bernstein also on river swim, K = 2e5."""
    failed = []
    for algorithm, problem, run in short_runs(world):
        replay = own.UCBVIReplay(algorithm, problem, run)
        V_star, _ = replay.tables.solve()
        held = all(replay.event(found, V_star) for found, _ in zip(replay.plans(), replay.history, strict=False))
        failed.append(not held)
        V = run.state["raw_V"]
        top = np.append(np.full(problem.horizon, problem.horizon), 0) if replay.c.paper else replay.c.C
        excess = float((V_star - V)[:, :-1].max())
        assert (V <= top[:, None] + ABSOLUTE).all(), f"{run}: V-bar exceeds its cap by {(V - top[:, None]).max()}"
        assert not held or excess <= ABSOLUTE, f"{run}: V* exceeds V-bar by {excess}"
        assert abs(run["optimism_excess"][-1] - excess) <= ABSOLUTE, f"{run}: the trace saw {run['optimism_excess'][-1]} in place of {excess}"
    counted(failed, DELTA / 2, "the event")
    if not world("theoryrl.jit").COMPILED:  # an interpreted twin is judged by its short runs
        return
    K, problem, algorithm = 200_000, instance(world, "river_swim"), baselines(world).UCBVI(variant="bernstein")
    run = algorithm.run(problem, K, seed=own.FIRST_SEED, trace=True)
    x = own.UCBVIConstants.of(algorithm, problem, K).x
    if run["value_deviation"][-1] <= x and run["row_deviation"][-1] <= x:
        assert run["optimism_excess"][-1] <= ABSOLUTE, f"{run}: V* exceeds V-bar by {run['optimism_excess'][-1]}"


def check_T2(world: World) -> None:
    """T2. The recorded bonus of every (h, s, a) is the formula at counts recomputed from the raw transitions, so is V-bar; xi <= X pointwise."""
    for algorithm, problem, run in short_runs(world, (*UCBVI_LEARNERS, {"variant": "bernstein-paper"})):
        replay = own.UCBVIReplay(algorithm, problem, run)
        c = replay.c
        for k, (found, bonus, V) in enumerate(zip(replay.plans(), run.state["raw_bonus"], run.state["raw_V"], strict=False)):
            asked = np.ones_like(found.n, dtype=bool) if c.paper else np.arange(c.H)[:, None, None] < c.H - 1
            expected = np.where(found.n > 0, found.bonus, c.caps[:, None, None])
            error = np.where(asked, np.abs(bonus - expected), np.abs(bonus)) / (1 + np.abs(expected))
            worst = np.unravel_index(np.argmax(error), error.shape)
            assert error[worst] <= POINTWISE, f"{run}, episode {k}: the bonus at (h, s, a) = {worst} is {bonus[worst]}, not {expected[worst]}"
            assert np.abs(V - found.V).max() <= ABSOLUTE, f"{run}, episode {k}: V-bar is off by {np.abs(V - found.V).max()}"
        assert run["bonus_error"][-1] <= ABSOLUTE, f"{run}: the trace saw a bonus that is off by {run['bonus_error'][-1]}"
        if algorithm.variant != "bernstein-paper":
            judged = replay.judge()
            assert not judged.E or judged.gap <= ABSOLUTE, f"{run}: xi exceeds X by {judged.gap}"


# --- T4


def edge_cases(world: World) -> Iterator[tuple[dict[str, Any], Any, int]]:
    """One stage, one state, one action, one episode, and all of them."""
    one = np.ones((1, 1, 1))
    problems = [
        mdp(world, [[[0.5, 0.5], [1, 0]], [[0, 1], [0.3, 0.7]]], [[0.2, 1], [0, 0.5]], 1, "H=1"),
        mdp(world, np.ones((1, 3, 1)), [[0, 0.5, 1]], 3, "S=1"),
        mdp(world, [[[0.5, 0.5]], [[0.1, 0.9]]], [[1], [0]], 4, "A=1"),
        mdp(world, one, [[1]], 1, "S=A=H=1"),
        mdp(world, one, [[0]], 2, "no reward"),
    ]
    for problem, K, option in itertools.product(problems, (1, 25), UCBVI_LEARNERS):
        yield option, problem, K


def t4_cases(world: World) -> Iterator[tuple[dict[str, Any], Any, int, float]]:
    """Options, instance, K, delta: known instances, random ones, edge cases; a delta near one makes the radii small, and the events fail now and then."""
    for option in UCBVI_LEARNERS:
        stage = option.get("counts") == "stage"
        yield option, instance(world, "treasure") if stage else instance(world, "river_swim", 3, 6), 200, DELTA
        for seed, size in enumerate([(2, 3, 5), (4, 2, 3), (3, 2, 4)]):
            yield option, random_mdp(world, *size, seed, not stage), 40, (DELTA, 0.99)[seed % 2]
    walk = mdp(world, [[[0.5, 0.5]], [[0.1, 0.9]]], [[1], [0]], 2, "two states, no choice")
    yield {"variant": "hoeffding-paper"}, walk, 9_000, 0.99  # where the paper's widths are below H at last
    for option, problem, K in edge_cases(world):
        yield option, problem, K, DELTA


def check_T4(world: World) -> None:
    """T4. The lines of U-H and U-B at every checkpoint are those recomputed from the raw transitions, and hold; the last one at K is the theorem."""
    failed: dict[str, list[bool]] = {"E": [], "F": []}
    for option, problem, K, delta in t4_cases(world):
        algorithm = baselines(world).UCBVI(delta=delta, **option)
        run = algorithm.run(problem, K, seed=own.FIRST_SEED + K, trace="raw", checkpoints=range(1, K + 1) if K < 1_000 else None)
        proof = theorem_of(world, algorithm).proof(run)
        assert not proof.violations, f"{run}: {proof.violations[0]}"
        judged = own.UCBVIReplay(algorithm, problem, run).judge()
        lines = first_lines(proof)
        assert list(lines) == list(judged.lines), f"{run}: the lines are {list(lines)}"
        for name, values in judged.lines.items():
            mine, theirs = values[run.checkpoints - 1], lines[name]
            assert near(mine, theirs), f"{run}: {name} is {theirs[-1]}, recomputed {mine[-1]} (they differ by up to {np.abs(mine - theirs).max()})"
        assert proof.held["E"] == judged.E and proof.held["F"] == judged.F, f"{run}: events {proof.held}, recomputed {judged.E}, {judged.F}"
        theorem, last = proofs(world).ucbvi_bound(algorithm, problem, K), lines[list(lines)[-1]][-1]
        assert near(own.UCBVIConstants.of(algorithm, problem, K).bound(K), theorem) and near(theorem, last), f"{run}: the theorem is {theorem}, the line {last}"
        if problem.horizon == 1 and not algorithm.printed:
            assert all((value == 0).all() for value in lines.values()), f"{run}: with one stage all lines are 0, not {lines}"
        elif algorithm.printed:
            assert all((value > 0).all() for name, value in lines.items() if name != "L0" and (name != "L1" or problem.horizon > 1)), f"{run}: {lines}"
        if delta == DELTA:
            for event, held in proof.held.items():
                failed[event].append(not held)
    for event, failures in failed.items():
        counted(failures, DELTA / 2, event)


# --- T8, T9


Q_LEARNERS: tuple[dict[str, Any], ...] = ({}, {"variant": "hoeffding-paper"}, {"variant": "hoeffding-paper", "c": 2.5})


def q_runs(world: World, options: Any = Q_LEARNERS) -> Iterator[tuple[Any, Any, Any]]:
    for number, option in enumerate(options):
        problems = [(instance(world, "river_swim", 3, 6), 150), (instance(world, "two_state", 3), 150), (random_mdp(world, 3, 2, 4, number, False), 120)]
        problems += [(random_mdp(world, S, A, H, 7), K) for (S, A, H) in ((2, 2, 1), (1, 2, 3), (2, 1, 3), (1, 1, 1)) for K in (1, 20)]
        for problem, K in problems:
            algorithm = baselines(world).OptimisticQLearning(**option)
            yield algorithm, problem, algorithm.run(problem, K, seed=own.FIRST_SEED + number, trace="raw", checkpoints=range(1, K + 1))


def check_T8(world: World) -> None:
    """T8. Q after the run is the weighted sum of its targets, unrolled from the raw history with alpha and b of our own."""
    for algorithm, problem, run in q_runs(world):
        c = own.QConstants.of(algorithm, problem, run.n)
        raw = {name: run.state[f"raw_{name}"] for name in ("states", "actions", "next", "rate", "bonus", "next_value")}
        H, S, A = c.H, c.S, c.A
        targets: dict[tuple[int, int, int], list[float]] = {}
        V = np.repeat(c.caps[:, None], S, axis=1)
        Q = np.repeat(c.caps[:H], S * A).reshape(H, S, A)
        reward, worst = own.Tables.of(problem).r, np.zeros(3)
        for k, h in np.ndindex(*raw["states"].shape):
            s, a, s_next = (int(raw[name][k, h]) for name in ("states", "actions", "next"))
            history = targets.setdefault((h, s, a), [])
            t = len(history) + 1
            bonus, following = c.bonus(h, t), V[h + 1, s_next]
            differences = raw["rate"][k, h] - own.rate(H, t), (raw["bonus"][k, h] - bonus) / (1 + bonus), (raw["next_value"][k, h] - following) / (1 + H)
            worst = np.maximum(worst, np.abs(differences))
            history.append(float(reward[h, s, a] + following + bonus))
            Q[h, s, a] = own.weights(own.rate(H, np.arange(1, t + 1)))[-1] @ np.array(history)
            V[h, s] = min(c.caps[h], Q[h, s].max())
        error = np.abs(run.state["Q"].reshape(H, S, A) - Q).max()
        assert error <= ABSOLUTE * (1 + np.abs(Q).max()), f"{run}: Q is {error} off the unrolled sums"
        assert np.abs(run.state["V"] - V).max() <= ABSOLUTE * (1 + H), f"{run}: V is {np.abs(run.state['V'] - V).max()} off"
        assert worst.max() <= 100 * POINTWISE, f"{run}: alpha, b and V as they were used are {worst} off"


def check_T9(world: World) -> None:
    """T9. On the event Q* <= Q after every update; the lines of 4.2 are those recomputed from the raw transitions, and hold; the last at K is Theorem Q."""
    theorem, K, algorithm = proofs(world).theorem_q_learning, 100_000, baselines(world).OptimisticQLearning()
    for problem in (instance(world, "two_state", 3), instance(world, "river_swim", 3, 6)):
        run = algorithm.run(problem, K, seed=own.FIRST_SEED, trace=True)
        if run["noise_deviation"][-1] <= own.QConstants.of(algorithm, problem, K).x:
            assert run["optimism_excess"][-1] <= ABSOLUTE, f"{run}: the table falls below the optimum by {run['optimism_excess'][-1]}"
        proof = theorem.proof(run)
        assert not proof.violations, f"{run}: {proof.violations[0]}"
    failed: dict[str, list[bool]] = {"E": [], "F": []}
    for algorithm, problem, run in q_runs(world):
        proof = theorem.proof(run)
        assert not proof.violations, f"{run}: {proof.violations[0]}"
        judged, lines = own.judge_q_learning(algorithm, problem, run), first_lines(proof)
        assert list(lines) == list(judged.lines)
        for name, mine in judged.lines.items():
            assert near(mine, lines[name]), f"{run}: {name} is {lines[name][-1]}, recomputed {mine[-1]}"
        assert proof.held["E"] == judged.E and proof.held["F"] == judged.F, f"{run}: events {proof.held}, recomputed {judged.E}, {judged.F}"
        assert not judged.E or judged.optimism <= ABSOLUTE, f"{run}: Q* exceeds Q by {judged.optimism}"
        assert near(judged.optimism, max(run["optimism_excess"][-1], 0)), f"{run}: the trace saw {run['optimism_excess'][-1]}, not {judged.optimism}"
        bound = proofs(world).q_learning_bound(algorithm, problem, run.n)
        assert near(own.QConstants.of(algorithm, problem, run.n).bound(run.n), bound) and near(bound, lines["L5"][-1])
        for event, held in proof.held.items():
            failed[event].append(not held)
    for event, failures in failed.items():
        counted(failures, DELTA / 2, event)


# --- T10, T11


DRAWS, MODELS = 19, 1_000


def models_to_see(distance: float) -> int:
    """Number of models at which `not_uniform` rejects a distribution function at that distance from the uniform one."""
    return math.ceil(math.log(2 / statistics.LEVEL) / (2 * distance**2))


def not_uniform(ranks: np.ndarray) -> float:
    """How far the distribution of ranks lies from the uniform law on {0, ..., 19}, in units of the DKW radius at `statistics.LEVEL`."""
    statistics.performed += 1
    found = np.cumsum(np.bincount(ranks, minlength=DRAWS + 1)) / len(ranks)
    distance = np.abs(found - np.arange(1, DRAWS + 2) / (DRAWS + 1)).max()
    return float(distance / math.sqrt(math.log(2 / statistics.LEVEL) / (2 * len(ranks))))


def ranks_of_the_truth(world: World, stage: bool, size: tuple[int, int, int], K: int, seeds: range) -> Iterator[tuple[int, int]]:
    """For each model: the rank of V* and of the log-likelihood of the run's data among draws from the posterior after the run."""
    S, A, H = size
    prior = instance(world, "dirichlet_prior", S, A, H, 1.0, stage)
    learner = baselines(world).PSRL(counts="stage" if stage else "pooled")
    coin = np.random.default_rng((10, seeds.start))
    last = H - 1 if stage else H
    for seed in seeds:
        problem = prior(seed)
        run = learner.run(problem, K, seed=seed, trace="raw", checkpoints=[K])
        counts = np.zeros((H, S, A, S))
        raw = (run.state[f"raw_{name}"][:, :last].ravel() for name in ("states", "actions", "next"))
        np.add.at(counts, (np.tile(np.arange(last), K), *raw), 1)
        truth = problem.transition
        models = np.concatenate([truth[None], world("theoryrl.algorithms.baselines").posterior_models(run, DRAWS, seed=seed + 10**8)])
        data = counts if stage else counts.sum(axis=0)
        if stage:
            models[:, H - 1] = truth[H - 1]
        values = np.zeros((len(models), S))
        for h in range(H - 1, -1, -1):
            P = models[:, h] if stage else models
            values = (problem.stage_reward[h] + np.einsum("msay,my->msa", P, values)).max(axis=-1)
        with np.errstate(divide="ignore"):
            likelihood = np.where(data > 0, data * np.log(models), 0).reshape(len(models), -1).sum(axis=1)
        yield tuple(int((x[1:] < x[0]).sum() + coin.integers(0, (x[1:] == x[0]).sum() + 1)) for x in (values[:, 0], likelihood))


def check_T10(world: World) -> None:
    """T10. Among 19 posterior draws after the run the ranks of V* of the true model and of its log-likelihood are uniform."""
    assert models_to_see(0.11) < MODELS
    for stage, size in ((False, (3, 2, 3)), (True, (2, 2, 2))):
        ranks = np.array(list(ranks_of_the_truth(world, stage, size, 100, range(own.FIRST_SEED, own.FIRST_SEED + MODELS))))
        for name, column in zip(("V*", "the log-likelihood"), ranks.T, strict=True):
            distance = not_uniform(column)
            assert distance <= 1, f"stage={stage}: the rank of {name} lies {distance:.2f} DKW radii from uniform: {np.bincount(column, minlength=DRAWS + 1)}"


def check_T11(world: World) -> None:
    """T11. PSRL: L1 is the simulation identity, L1 <= L2 <= L3 and L4 <= L5 on every run; L0 = L1, L3 <= L4 and Theorem P in the mean."""
    replayed(world)
    theorem, K, seeds = proofs(world).theorem_psrl, 200, range(own.FIRST_SEED, own.FIRST_SEED + MODELS)
    prior, learner = instance(world, "dirichlet_prior", 3, 2, 3), baselines(world).PSRL()
    last = []
    for seed in seeds:
        run = learner.run(prior(seed), K, seed=seed, trace=True, checkpoints=[1, 20, K])
        proof = theorem.proof(run)
        assert not proof.violations, f"{run}: {proof.violations[0]}"
        identity = np.abs(run["model_regret"] - run["simulation"]).max()
        assert identity <= ABSOLUTE * K, f"{run}: L1 is {identity} off the simulation identity"
        last.append([first_lines(proof)[f"L{i}"][-1] for i in range(6)])
    lines, constants = np.array(last).T, own.PSRLConstants.of(learner, prior(0), K)
    C, largest = constants.C[0], constants.largest
    equal, realised = lines[0] - lines[1], lines[3] - lines[4]
    for sign in (1, -1):
        assert not statistics.mean_exceeds(sign * equal, 0.0, -K * C, K * C), f"L0 - L1 has mean {equal.mean()}"
    assert not statistics.mean_exceeds(realised, 0.0, -K * largest - 2 * C, K * (largest + C)), f"L3 - L4 has mean {realised.mean()}"
    bound = proofs(world).psrl_bound(learner, prior(0), K)
    assert near(constants.bound(K), bound) and near(lines[5], bound)
    assert not statistics.mean_exceeds(lines[0] - bound, 0.0, -bound, K * C - bound), f"the mean regret {lines[0].mean()} exceeds {bound}"


def replayed(world: World) -> None:
    """Few runs whose lines are recomputed from the drawn models and the raw transitions: both kinds of counts, edge cases."""
    cases = [((3, 2, 3), False, 60), ((2, 2, 2), False, 60), ((3, 2, 3), True, 60), ((3, 2, 3), True, 1)]
    cases += [((2, 2, 1), False, 5), ((1, 2, 3), False, 5), ((2, 1, 3), True, 5), ((1, 1, 1), True, 2)]
    for seed, (size, stage, K) in enumerate(cases, own.FIRST_SEED):
        problem, learner = instance(world, "dirichlet_prior", *size, 1.0, stage)(seed), baselines(world).PSRL(counts="stage" if stage else "pooled")
        run = learner.run(problem, K, seed=seed, trace="raw", checkpoints=range(1, K + 1))
        judged, proof = own.judge_psrl(learner, problem, run), proofs(world).theorem_psrl.proof(run)
        assert not proof.violations, f"{run}: {proof.violations[0]}"
        lines = first_lines(proof)
        for name, mine in judged.lines.items():
            assert near(mine, lines[name]), f"{run}: {name} is {lines[name][-1]}, recomputed {mine[-1]}"
        assert near(judged.simulation, judged.lines["L1"]) and near(run["simulation"], judged.simulation)
        for a, b in (("L1", "L2"), ("L2", "L3"), ("L4", "L5")):
            assert (judged.lines[a] <= judged.lines[b] + ABSOLUTE * K).all(), f"{run}: {a} exceeds {b}"
        S, A, H = size
        assert not (S == 1 or H == 1) or near(judged.lines["L1"], 0)
        assert 1 not in (S, A, H) or near(judged.lines["L0"], 0)


# --- T15


def learners(world: World) -> list[Any]:
    found = baselines(world)
    return [
        found.UCBVI(), found.UCBVI(variant="bernstein", monotone=True), found.UCBVI(counts="stage"), found.UCBVI(variant="bernstein-paper"),
        found.OptimisticQLearning(), found.OptimisticQLearning(variant="hoeffding-paper"), found.PSRL(), found.PSRL(counts="stage"),
        found.EpsGreedyModel(), found.EpsGreedyQLearning(), found.OptimisticFirstVisit(), found.SimplifiedUCBVI(), found.UCRL2(), found.UCRL2("paper"),
    ]  # fmt: skip


def bits(run: Any) -> dict[str, bytes]:
    """Curves and state."""
    arrays = {**run.curves, **{f"state {name}": value for name, value in run.state.items()}}
    return {name: repr(x.bit_generator.state).encode() if hasattr(x, "bit_generator") else np.asarray(x).tobytes() for name, x in arrays.items()}


class Cut(Exception):
    pass


def cut_and_continued(world: World, learner: Any, problem: Any, n: int, at: int, file: Path) -> Any:
    """A run that is torn down after `at` episodes (steps), and goes on from its file."""
    advance, done = type(learner).advance, 0

    def stopping(self: Any, problem: Any, state: Any, k: int, trace: Any) -> int:
        nonlocal done
        if done >= at:
            raise Cut
        done += k
        return advance(self, problem, state, k, trace)

    with mock.patch.object(type(learner), "advance", stopping), contextlib.suppress(Cut):
        learner.run(problem, n, seed=own.FIRST_SEED + 3, trace=True, checkpoints=[at, n], file=file)
    return world("theoryrl.algorithms.run").Run.load(file).proceed(file=file)


def check_T15(world: World) -> None:
    """T15. A run cut anywhere, saved and continued has the bits of the uncut one; n, then n more, those of 2n where the class is anytime."""
    episodic, continuing, n = instance(world, "river_swim", 4, 5), instance(world, "river_swim_continuing", 4), 130
    with tempfile.TemporaryDirectory() as folder:
        for learner in learners(world):
            problem = continuing if learner.unit == "steps" else episodic
            for at in (1, 2, 37, 64, n - 1):
                whole = learner.run(problem, n, seed=own.FIRST_SEED + 3, trace=True, checkpoints=[at, n])
                assert bits(cut_and_continued(world, learner, problem, n, at, Path(folder) / "run")) == bits(whole), f"{learner}, cut after {at}"
            if learner.anytime:
                longer = learner.run(problem, n, seed=own.FIRST_SEED, checkpoints=[n]).proceed(n)
                whole = learner.run(problem, 2 * n, seed=own.FIRST_SEED, checkpoints=[int(k) for k in longer.checkpoints])
                differing = {name for name, value in bits(whole).items() if bits(longer)[name] != value}
                assert differing <= {"state horizon"}, f"{learner}, continued after {n}: {differing}"
