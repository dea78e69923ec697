"""T12, T13, T14 and T16: runs of UCRL2 against replays from their raw transitions, and its inner step against linear programs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import baseline_oracles as own
import numpy as np
import ucrl2_oracles as average
from baseline_oracles import World
from baseline_run_checks import counted, first_lines, near

DELTA = 0.05
ABSOLUTE = 1e-9
LEARNERS: list[dict[str, Any]] = [
    {}, {"variant": "paper"}, {"stop": "before"}, {"variant": "paper", "stop": "after"}, {"known_rewards": True}, {"variant": "paper", "known_rewards": True},
]  # fmt: skip


def learner(world: World, **options: Any) -> Any:
    return world("theoryrl.algorithms.baselines").UCRL2(**options)


def theorem(world: World) -> Any:
    return world("theoryrl.proofs.baselines").theorem_ucrl2


def instance(world: World, name: str, *arguments: Any) -> Any:
    return getattr(world("envs_synthetic.baselines"), name)(*arguments)


def random_mdp(world: World, S: int, A: int, seed: int, deterministic: bool = False) -> Any:
    """Sparse rows, one action of which leads on around a cycle, so that the MDP communicates; rewards with ties and zeros."""
    rng = np.random.default_rng((5, seed))
    weights = rng.random((S, A, S)) * (rng.random((S, A, S)) < 0.5)
    weights[np.arange(S), rng.integers(0, A, S), (np.arange(S) + 1) % S] += 1
    weights[..., 0] += weights.sum(axis=-1) == 0
    reward = rng.integers(0, 5, (S, A)) / 4 * (seed % 4 > 0)
    laws = weights / weights.sum(axis=-1, keepdims=True)
    return world("theoryrl.problems.continuing").ContinuingMDP(laws, reward, seed % S, deterministic, name=f"random({S}, {A}, {seed})")


def cases(world: World) -> Iterator[tuple[Any, Any, int]]:
    """Learner, instance and number of steps: known instances, random ones (some radii small, so that events fail now and then), edge cases."""
    for number, options in enumerate(LEARNERS):
        mine = learner(world, **options)
        yield mine, instance(world, "river_swim_continuing", 6), 700
        yield mine, instance(world, "two_state_continuing"), 500
        yield mine, instance(world, "cycle_continuing", 8), 40
        for seed, (S, A) in enumerate(((3, 2), (2, 3), (4, 1), (3, 3)), 4 * number):
            yield learner(world, delta=(DELTA, 0.99)[seed % 2], **options), random_mdp(world, S, A, seed, seed % 3 == 0), 300
        for (S, A), T in itertools.product(((1, 1), (1, 3), (2, 1)), (1, 2, 30)):
            yield mine, random_mdp(world, S, A, T), T


def replays(world: World) -> Iterator[tuple[Any, average.Replay, Any]]:
    for number, (algorithm, problem, T) in enumerate(cases(world)):
        run = algorithm.run(problem, T, seed=own.FIRST_SEED + number, trace="raw", checkpoints=np.unique(np.linspace(1, T, 40, dtype=int)))
        yield algorithm, average.Replay(algorithm, problem, run), run


def check_T12(world: World) -> None:
    """T12. At every plan the recorded (r_tilde, p_tilde) is in the set built from the trajectory before it, and the plan is greedy and optimistic in it."""
    for _, replay, run in replays(world):
        S, rows = len(replay.P), np.arange(len(replay.P))
        for k, f in enumerate(replay.phases):
            n, p_hat, r_hat, d_p, d_r = (x[rows, f.policy] for x in (f.n, f.p_hat, f.r_hat, f.d_p, f.d_r))
            distance = np.where(n > 0, np.abs(f.p_tilde - p_hat).sum(axis=1) - d_p, 0)
            assert np.abs(f.p_tilde.sum(axis=1) - 1).max() <= ABSOLUTE and f.p_tilde.min() >= -ABSOLUTE, f"{run}, plan {k}: no law: {f.p_tilde}"
            assert distance.max() <= ABSOLUTE, f"{run}, plan {k}: a row leaves its ball by {distance.max()}"
            excess = np.abs(f.r_tilde - replay.r[rows, f.policy]) if replay.c.known else np.where(n > 0, np.abs(f.r_tilde - r_hat) - d_r, 0)
            assert excess.max() <= ABSOLUTE and f.r_tilde.min() >= 0 and f.r_tilde.max() <= 1, f"{run}, plan {k}: a reward is {excess.max()} outside"
            assert np.abs(f.u_next - f.r_tilde - f.p_tilde @ f.u).max() <= ABSOLUTE, f"{run}, plan {k}: u' and the policy do not belong together"
            assert np.ptp(f.u_next - f.u) < 1 / np.sqrt(f.start) + ABSOLUTE, f"{run}, plan {k}: stopped at a span of {np.ptp(f.u_next - f.u)}"
            r_up = replay.r if replay.c.known else np.where(f.n > 0, np.minimum(1, f.r_hat + f.d_r), 1)
            values = [[r_up[s, a] + largest(f.p_hat[s, a] * (f.n[s, a] > 0), f.d_p[s, a], f.u) for a in range(len(r_up[s]))] for s in range(S)]
            assert np.abs(np.max(values, axis=1) - f.u_next).max() <= ABSOLUTE, f"{run}, plan {k}: u' is {f.u_next}, not {np.max(values, axis=1)}"
        assert run["set_excess"][-1] <= ABSOLUTE, f"{run}: the trace saw a plan outside its set by {run['set_excess'][-1]}"


def largest(p: np.ndarray, radius: float, u: np.ndarray) -> float:
    """The largest expectation of u in the L1 ball: u's mean under p, quantiles moved to the top: the mass below is cut at radius / 2."""
    if p.sum() == 0:
        return float(u.max())
    order = np.argsort(u)
    cut = min(radius / 2, 1 - p[order[-1]])
    moved = np.diff(np.minimum(np.cumsum(np.append(0, p[order])), cut))
    return float(p @ u + cut * u.max() - moved @ u[order])


def check_T13(world: World) -> None:
    """T13. Spans of at most D and optimism on the event; phases, visits in a phase and precisions within their bounds; phases end by the rule."""
    algorithm = learner(world)
    run = algorithm.run(instance(world, "cycle_continuing", 8), 8, seed=own.FIRST_SEED, trace="raw")
    total = float((1 / np.sqrt(run.state["raw_start"][run.state["raw_phase"]])).sum())
    assert total <= average.GROWTH * np.sqrt(8), f"{run}: the precisions sum to {total}"
    failed = []
    for algorithm, replay, run in replays(world):
        c, pairs = replay.c, replay.r.size
        starts = np.array([f.start for f in replay.phases])
        t = np.arange(1, len(replay.s) + 1)
        for k, f in enumerate(replay.phases):
            if replay.held:
                assert np.ptp(f.u) <= c.D * (1 + ABSOLUTE) + ABSOLUTE, f"{run}, plan {k}: the span of u is {np.ptp(f.u)}, D is {c.D}"
                least = (f.u_next - f.u).min()
                assert least >= replay.gain - 1 / np.sqrt(f.start) - ABSOLUTE, f"{run}, plan {k}: min(u' - u) = {least}, the gain is {replay.gain}"
            v, limit = replay.visits(f), np.maximum(1, f.n)
            assert (v <= limit).all(), f"{run}, phase {k}: {v} visits, {f.n} before"
            if k + 1 < len(replay.phases):
                s = replay.s[f.stop - 1]
                due = (s, f.policy[s]) if c.before else (replay.s[f.stop - 2], replay.a[f.stop - 2])
                assert v[due] == limit[due] and f.stop == starts[k + 1], f"{run}, phase {k} ended at {v[due]} of {limit[due]} visits"
        phases = replay.phase + 1
        assert (phases <= 1 + average.most(t, pairs) + ABSOLUTE).all(), f"{run}: {phases[-1]} phases"
        total, allowed = np.cumsum(1 / np.sqrt(starts[replay.phase])), c.precision(t)
        assert (total <= allowed * (1 + ABSOLUTE)).all(), f"{run}: the precisions sum to {total[-1]} > {allowed[-1]}"
        root = np.sqrt(np.maximum(np.array([f.n for f in replay.phases])[replay.phase, replay.s, replay.a], 1))
        assert (np.cumsum(1 / root) <= average.GROWTH * np.sqrt(pairs * t) * (1 + ABSOLUTE)).all(), f"{run}: the pigeonhole"
        if algorithm.delta == DELTA:
            failed.append(not replay.held)
    counted(failed, DELTA / 2, "the event")


def check_T14(world: World) -> None:
    """T14. The lines of Theorem R at every checkpoint are those recomputed from the raw transitions, and hold; the last one at T is the theorem."""
    failed: dict[str, list[bool]] = {"E": [], "F": []}
    proofs = world("theoryrl.proofs.baselines")
    for algorithm, replay, run in replays(world):
        proof = theorem(world).proof(run)
        assert not proof.violations, f"{run}: {proof.violations[0]}"
        lines = first_lines(proof)
        expected, held = replay.lines()
        assert list(lines) == list(expected)
        for name, values in expected.items():
            mine = values[run.checkpoints - 1]
            assert near(mine, lines[name]), f"{run}: {name} is {lines[name][-1]}, recomputed {mine[-1]} (off by up to {np.abs(mine - lines[name]).max()})"
        assert proof.held == {"E": replay.held, "F": held}, f"{run}: events {proof.held}, recomputed {replay.held}, {held}"
        bound = proofs.ucrl2_bound(algorithm, run.problem, run.n)
        assert near(replay.c.bound(run.n), bound) and near(bound, lines["L7"][-1]), f"{run}: the theorem is {bound}, the line {lines['L7'][-1]}"
        assert near(replay.gain, run.problem.optimal_gain) and near(replay.c.D, run.problem.diameter)
        if algorithm.variant == "paper":
            c, t = replay.c, run.checkpoints
            printed = 34 * c.D * c.S * np.sqrt(c.A * t * np.log(t / c.delta))
            last = proof.chains["printed"][-1].value
            assert near(np.where(printed >= expected["L7"][t - 1], printed, -1), np.nan_to_num(last, nan=-1))
        if len(replay.P) == 1:
            assert not np.abs(run["martingale"]).max() and not np.abs(run["telescope"]).max()
        if algorithm.delta == DELTA:
            for event, happened in proof.held.items():
                failed[event].append(not happened)
    for event, failures in failed.items():
        counted(failures, DELTA / 2, event)


def check_T16(world: World) -> None:
    """T16. The inner step of extended value iteration is the solution of its linear program, for rewards and for costs."""
    from scipy.optimize import linprog

    ball = world("theoryrl.planning.l1_ball")
    rng = np.random.default_rng(16)
    for case in range(150):
        S = int(rng.integers(1, 6))
        p = rng.dirichlet(np.ones(S)) * (rng.random(S) < 0.7)
        p = p / p.sum() if p.sum() > 0 else np.eye(S)[0]
        u = rng.integers(0, 4, S) / 3 if case % 3 == 0 else rng.normal(size=S) * 10
        radius = float(rng.choice([0, 0.01, 0.3, 1, 1.9, 2, 5]) * rng.choice([1, rng.random()]))
        distance = np.hstack([np.eye(S), -np.eye(S)]), np.hstack([-np.eye(S), -np.eye(S)])
        upper = np.vstack([*distance, np.append(np.zeros(S), np.ones(S))])
        limits = np.concatenate([p, -p, [radius]])
        for descending, sign in ((True, -1), (False, 1)):
            order, found = rng.permutation(S), np.full(S, np.nan)
            ball.sort_states(u, order, descending)
            ball.favour(p, radius / 2, order, found)
            best = linprog(np.append(sign * u, np.zeros(S)), upper, limits, [np.append(np.ones(S), np.zeros(S))], [1], bounds=(0, None))
            assert best.status == 0
            assert abs(sign * found @ u - best.fun) <= ABSOLUTE * 10, f"p={p}, u={u}, radius={radius}: {found @ u}, the program has {sign * best.fun}"
            assert found.min() >= 0 and abs(found.sum() - 1) <= 1e-12 and np.abs(found - p).sum() <= radius + 1e-12
            assert np.all(np.diff(u[order]) * sign >= 0)
        ball.favour(np.zeros(S), 1.0, order, found)
        assert found.tolist() == np.eye(S)[order[0]].tolist()
