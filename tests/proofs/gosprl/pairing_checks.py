"""G15 to G17: what samples are collected for, and rules that change their demands.

First samples, frozen rows, goal sets and visits are recomputed from raw transitions; values of policies and the best of them by
enumeration and one linear system each; the truth of a lemma's premise is measured from the true laws.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import gosprl_oracles as own
import numpy as np
from gosprl_oracles import World, continuing

from theoryrl.proofs import statistics

TOLERANCE = 1e-9
DELTA = 0.05
MOST = 10**8


def algorithms(world: World) -> Any:
    return world("theoryrl.algorithms.gosprl")


def rules(world: World) -> Any:
    return world("theoryrl.algorithms.gosprl.rules")


def estimates(world: World) -> Any:
    return world("theoryrl.algorithms.gosprl.estimates")


def collected(world: World, rule: Any, P: np.ndarray, seed: int, trace: Any = "raw", name: str = "case") -> Any:
    algorithm = algorithms(world).GOSPRL(rule, delta=DELTA)
    run = algorithm.run(continuing(world, P, 0, name), MOST, seed=own.FIRST_SEED + seed, trace=trace)
    assert run.stopped, f"{run}: it did not end"
    return run


def ring() -> np.ndarray:
    P = np.zeros((3, 2, 3))
    for s in range(3):
        P[s, 0, [(s + 1) % 3, s]] = P[s, 1, [(s - 1) % 3, s]] = 0.25, 0.75
    return P


# ---------------------------------------------------------------- exact costs, by enumeration


def policy_cost(P: np.ndarray, costs: np.ndarray, policy: Any, goal: int) -> np.ndarray:
    """Expected costs (S,) until the goal, inf from where it may not be reached."""
    S = len(P)
    chain, cost = P[np.arange(S), policy].copy(), costs[np.arange(S), policy].copy()
    chain[goal], cost[goal] = np.eye(S)[goal], 0
    reach = np.linalg.matrix_power(np.eye(S) + (chain > 0), S) > 0
    sure = ~(reach & ~reach[:, [goal]].T).any(axis=1)  # nothing can be reached from which the goal cannot
    values, inside = np.where(sure, 0, math.inf), np.flatnonzero(sure & (np.arange(S) != goal))
    values[inside] = np.linalg.solve(np.eye(len(inside)) - chain[np.ix_(inside, inside)], cost[inside])
    return values


def policies(S: int, A: int) -> Iterator[tuple[int, ...]]:
    return itertools.product(range(A), repeat=S)


def least_cost(P: np.ndarray, costs: np.ndarray, goal: int) -> np.ndarray:
    return np.min([policy_cost(P, costs, policy, goal) for policy in policies(*P.shape[:2])], axis=0)


def diameter(P: np.ndarray) -> float:
    return float(own.diameters(P).max())


# ---------------------------------------------------------------- models near the truth


def random_model(rng: np.random.Generator, S: int, A: int) -> np.ndarray:
    """Communicating, with a diameter of at most 50 (pitfall 12)."""
    while True:
        P = rng.dirichlet(np.full(S, 0.5), (S, A)) * (rng.random((S, A, S)) < 0.7)
        P[np.arange(S), rng.integers(0, A, S), (np.arange(S) + 1) % S] += 0.2
        P[..., 0] += P.sum(axis=-1) == 0
        P /= P.sum(axis=-1, keepdims=True)
        if diameter(P) <= 50:
            return P


def perturbed(rng: np.random.Generator, P: np.ndarray, size: float, kind: str, goal: int) -> np.ndarray:
    """A model within `size` of P in L1 per pair: mixed with a random law, entries multiplied, or mass moved to or from the goal; `same`: P itself."""
    if kind == "same":
        return P.copy()
    if kind == "random":
        other = rng.dirichlet(np.ones(P.shape[-1]), P.shape[:2])
    elif kind == "multiplicative":
        other = P * rng.uniform(0.5, 2, P.shape)
        other /= other.sum(axis=-1, keepdims=True)
    elif rng.random() < 0.5:
        other = np.broadcast_to(np.eye(P.shape[-1])[goal], P.shape)
    else:
        other = P.copy()
        other[..., goal] = 0
        total = other.sum(axis=-1, keepdims=True)
        other = np.where(total > 0, other / np.where(total > 0, total, 1), P)
    distance = np.abs(other - P).sum(axis=-1, keepdims=True)
    return np.asarray(P + (other - P) * np.minimum(1, size / np.maximum(distance, 1e-300)))


KINDS = ("same", "random", "multiplicative", "goal")


def least_term(Q: np.ndarray, P: np.ndarray) -> float:
    """The smallest a with |Q - P| <= sqrt(2 P (1 - P) a) + a / 3 for all entries, by bisection."""
    low, high = 0.0, 6.0
    for _ in range(200):
        middle = (low + high) / 2
        fits = bool(np.all(np.abs(Q - P) <= np.sqrt(2 * P * (1 - P) * middle) + middle / 3))
        low, high = (low, middle) if fits else (middle, high)
    return high


def factor(c: float, r: float) -> float:
    below = 1 - 3 * math.sqrt(r) - c * r
    return (2 * math.sqrt(r) + c * r) / below if below > 0 else math.inf


def rho(r: float) -> float:
    first = 1 + factor(2.63, r)
    return first * (1 + factor(1 / 3, r * first)) if first < math.inf else math.inf


def at_most(smaller: Any, larger: Any, what: str) -> None:
    excess = float(np.max(np.asarray(smaller) - np.asarray(larger) - TOLERANCE * (1 + np.abs(larger))))
    assert excess <= 0, f"{what}: exceeded by {excess}"


# ---------------------------------------------------------------- G15


def check_numbers(world: World) -> None:
    """The numbers of samples of sections 3.3, 3.4, 3.5 and 9."""
    made = rules(world)

    def plain(S: int, A: int, accuracy: float, delta: float) -> int:
        return math.ceil(2 / accuracy**2 * (S * math.log(2) + math.log(S * A / delta)))

    def tight(S: int, A: int, accuracy: float, delta: float) -> int:
        return math.ceil(2 / accuracy**2 * (math.log(2**S - 2) + math.log(S * A / delta)))

    assert plain(6, 2, 0.2, DELTA) == 482 and plain(3, 2, 0.025, DELTA) == 21975
    assert made.Modest(0.2).levels(6, 2).tolist() == [tight(6, 2, 0.2, DELTA)] == [481]
    assert made.Modest(0.1, entrywise=True).levels(6, 2).tolist() == [math.ceil(math.log(2 * 36 * 2 / DELTA) / 0.02)]
    assert made.Modest(0.2).levels(1, 3).tolist() == made.Modest(0.2, adaptive=True).levels(1, 3).tolist() == [1]
    assert made.Discounted(0.5, 0.9).samples(6, 2) == tight(6, 2, 0.5 * 0.01 / 0.9, DELTA)
    grid = made.Modest(0.2, adaptive=True).levels(6, 2)
    last = tight(6, 2, 0.2, DELTA / 2)
    wanted = {math.ceil(last * 64 ** -(1 - j / 48)) for j in range(1, 48)}
    assert grid.tolist() == [*sorted(n for n in wanted if n < last), last]
    for accuracy, delta, S, A in ((0.1, 0.1, 6, 2), (0.3, 0.01, 20, 4), (0.2, 0.05, 2, 1)):
        fixed, most = (made.Modest(accuracy, delta, adaptive=adaptive).levels(S, A)[-1] for adaptive in (False, True))
        assert fixed <= most <= fixed + 2 * math.log(2) / accuracy**2 + 1
    table = [
        (3, 2, 3, 4, 0.5, 1, 2.1e4, 7.1e4), (6, 2, 3, 16.1, 0.5, 1, 5.8e6, 3.7e6), (6, 2, 6, 16.1, 0.5, 1, 5.8e6, 7.5e6), (6, 2, 6, 16.1, 0.1, 1, 1.5e8, 3.7e7),
        (20, 2, 20, 200, 0.5, 5, 1.1e10, 2.3e9), (20, 2, 3, 200, 0.1, 5, 2.8e11, 1.7e9),
    ]  # fmt: skip
    for S, A, support, D, c_min, epsilon, first, second in table:
        rule = made.GoalFree(epsilon, c_min, D, support)
        b = rule.samples(S, A)
        assert abs(b / min(first, second) - 1) < 0.05, f"{rule}: {b} samples"
        assert rule.method(S, A) == ("l1" if first < second else "bernstein")
        eta, iota = c_min * epsilon / (D * (D + epsilon)), math.log(2 * S * S * A / DELTA)
        if rule.method(S, A) == "l1":
            assert b == tight(S, A, eta, DELTA)
        else:  # b is the least number at which A11 gives epsilon
            losses = [D * (rho(iota * support * D / (c_min * n)) - 1) for n in (b, b * (1 - 1e-6) - 1)]
            assert losses[0] <= epsilon < losses[1], f"{rule}: {losses}"
    rooms = made.GoalFree(1, 0.5, 13.93, 40)
    assert rooms.method(40, 4) == "l1" and made.GoalFree(1, 0.5, 4, 2).samples(3, 2) == tight(3, 2, 0.025, DELTA) == 21054
    clipped = made.ClippedGoalFree(0.5, 4, 2.0, 2)
    assert clipped.samples(3, 2) == made.GoalFree(0.25, 0.5 / 16, 4, 2).samples(3, 2)
    for rule in (made.DiameterEstimate(0.5), made.GoalFreeUnknownDiameter(1, 0.5)):
        levels = rule.levels(6, 2).tolist()
        assert levels == [tight(6, 2, 2.0**-j, DELTA / (j * (j + 1))) for j in range(1, len(levels) + 1)] and levels[-1] > 2**53 / 4.2


def check_widths(world: World) -> None:
    """The width of 3.4 is at least the exact largest L1 distance in the box: twice the best cut, over all sign patterns."""
    rng = np.random.default_rng(15)
    width, interval = rules(world).l1_width, world("theoryrl.estimation.transitions").bernstein_interval
    for _ in range(300):
        S, n = int(rng.integers(2, 6)), int(10 ** rng.uniform(0, 4))
        counts = rng.multinomial(n, rng.dirichlet(np.full(S, 0.3)))
        iota = float(rng.uniform(1, 15))
        p = counts / n
        low, high = np.array([interval(float(x), iota / n) for x in p]).T
        up, down = high - p, p - low
        exact = max(2 * min(up[signs].sum(), down[~signs].sum()) for signs in (np.array(x) for x in itertools.product((False, True), repeat=S)))
        found = float(width(counts, n, iota))
        at_most(exact, found, f"box around {p} at {iota} / {n}")
        grid = [float(np.maximum((1 + step / 10) * up, (1 - step / 10) * down).sum()) for step in range(-10, 11)]
        assert abs(found - min(grid)) <= 1e-12


def stacks(run: Any, S: int, A: int) -> list[np.ndarray]:
    """The next states of each pair in the order in which they came."""
    raw = run.state
    pair, after = (np.asarray(raw[name][: run.steps]) for name in ("raw_states", "raw_next"))
    pair = pair * A + raw["raw_actions"][: run.steps]
    return [after[pair == z] for z in range(S * A)]


def frozen(stack: np.ndarray, S: int, A: int, grid: list[int], accuracy: float) -> int:
    """At how many samples 3.4 stops, by its words."""
    n = np.array([number for number in grid[:-1] if number <= len(stack)])[:, None]
    p = np.array([np.bincount(stack[: int(number)], minlength=S) for number in n[:, 0]]) / n
    low, high = own.box(p, math.log(4 * S * S * A * 48 / DELTA) / n)
    width = np.min([np.maximum((1 + x) * (high - p), (1 - x) * (p - low)).sum(axis=-1) for x in np.arange(-10, 11) / 10], axis=0)
    narrow = np.flatnonzero(width <= accuracy)
    return int(n[narrow[0], 0]) if len(narrow) else grid[-1]


def seldom(failures: list[str], probability: float) -> None:
    count = sum(map(bool, failures))
    assert not statistics.too_many_failures(count, len(failures), probability), f"{count} of {len(failures)} runs fail, such as: {next(filter(None, failures))}"


SEEDS = 10


def check_modest(world: World) -> None:
    """MODEST on RiverSwim-6 at .2: first samples and frozen rows from the raw transitions, accuracy, cost."""
    P, made = own.river_swim(6), rules(world)
    S, A = P.shape[:2]
    for options in ({}, {"adaptive": True}, {"entrywise": True}):
        rule = made.Modest(0.2, **options)
        grid, failures = rule.levels(S, A).tolist(), []
        for seed in range(SEEDS):
            run = collected(world, rule, P, seed)
            model = estimates(world).estimated_model(run)
            for z, stack in enumerate(stacks(run, S, A)):
                n = frozen(stack, S, A, grid, 0.2) if rule.adaptive else grid[0]
                expected = np.bincount(stack[:n], minlength=S)
                assert (run.output.reshape(-1, S)[z] == expected).all() and n <= grid[-1], f"{run}, pair {z}: {n} samples were wanted"
                assert (model.transition.reshape(-1, S)[z] == expected / n).all()
            error = np.abs(model.transition - P)
            worst = float(error.max() if rule.entrywise else error.sum(axis=-1).max())
            failures.append(f"{run}: error {worst}" if worst > 0.2 else "")
        seldom(failures, DELTA)


def check_adaptive_cost(world: World) -> list[float]:
    """Per-pair mean of 3.4 over the fixed number, RiverSwim-6, delta = .1, at .2 and .1, sampled at will: section 9 has .86 and .71."""
    P, made = own.river_swim(6), rules(world)
    S, A = P.shape[:2]
    means = []
    for accuracy, limit in ((0.2, 0.95), (0.1, 0.8)):
        rule, ratios = made.Modest(accuracy, 0.1, adaptive=True), []
        fixed = int(made.Modest(accuracy, 0.1).levels(S, A)[-1])
        most = int(rule.levels(S, A)[-1])
        for seed in range(40):
            rng = np.random.default_rng((15, own.FIRST_SEED + seed))
            N = np.zeros((S, A, S), np.int64)
            while True:
                missing = rule.requirements(N) - N.sum(axis=-1)
                if not missing.any():
                    break
                N += rng.multinomial(missing, P)
            assert N.sum(axis=-1).max() <= most
            ratios.append(float(N.sum(axis=-1).mean()) / fixed)
        assert not statistics.mean_exceeds(ratios, limit, 0, most / fixed), f"{rule}: {np.mean(ratios)} of the fixed number"
        means.append(float(np.mean(ratios)))
    return means


def draws(rng: np.random.Generator, S: int, A: int, low: float, many: int) -> Iterator[tuple[int, np.ndarray]]:
    for _ in range(many):
        yield int(rng.integers(S)), rng.uniform(low, 1, (S, A))


def check_goal_free(world: World) -> None:
    """Plans on the ring are within epsilon for 200 random goals and costs, within their certificates; also without knowledge of the diameter."""
    P, made = ring(), rules(world)
    S, A = P.shape[:2]
    for rule, seeds in ((made.GoalFree(1, 0.5, 4, 2), 10), (made.GoalFree(8, 0.02, 4, 2), 3), (made.GoalFreeUnknownDiameter(1, 0.5), 7)):
        failures = []
        for seed in range(seeds):
            run = collected(world, rule, P, seed, trace=False)
            model, worst = estimates(world).estimated_model(run), 0.0
            fine = True
            for goal, costs in draws(np.random.default_rng((16, seed)), S, A, rule.c_min, 200):
                plan = model.plan(goal, costs)
                best, played = least_cost(P, costs, goal), policy_cost(P, costs, plan.policy, goal)
                worst = max(worst, float((played - best).max()))
                certificate = plan.certificate
                assert certificate is not None and certificate.gap == min(x.gap for x in plan.certificates)
                fine &= bool(np.all(certificate.lower <= best + TOLERANCE) and np.all(played <= certificate.upper + TOLERANCE))
            low, high = model.diameter_interval
            fine &= low <= 4 + TOLERANCE and high >= 4 - TOLERANCE
            failures.append("" if worst <= rule.epsilon and fine else f"{run}: loss {worst}, certificates {fine}")
        seldom(failures, 2 * DELTA)


def check_unknown_diameter(world: World) -> None:
    """The rounds stop by their rule, and no later than the diameter allows; the diameter is in its interval, of the width asked for."""
    made = rules(world)
    for P, factors in ((own.river_swim(6), (1.0, 0.3)), (ring(), (0.5, 0.1))):
        D, S, A = diameter(P), *P.shape[:2]
        for wanted in factors:
            rule, failures = made.DiameterEstimate(wanted), []
            for seed in range(7):
                run = collected(world, rule, P, seed, trace=False)
                model, levels = estimates(world).estimated_model(run), rule.levels(S, A).tolist()
                b = run.output.sum(axis=-1)
                assert (b == b[0, 0]).all()
                j = levels.index(int(b[0, 0])) + 1
                D_hat = diameter(run.output / b[..., None])
                assert own.near(D_hat, model.diameter) and 2.0**-j * D_hat / 2 <= wanted / (1 + wanted) and model.accuracy == 2.0**-j
                latest = next(j for j in itertools.count(1) if 2.0**-j * D / 2 <= wanted / (1 + 2 * wanted))
                assert levels[latest - 1] >= rule.most(run.problem)
                low, high = model.diameter_interval
                held = low <= D + TOLERANCE and D <= high + TOLERANCE and high <= (1 + wanted) * D_hat * (1 + TOLERANCE) and j <= latest
                failures.append("" if held else f"{run}: {low} <= {D} <= {high}, round {j}, latest {latest}")
            seldom(failures, DELTA)


def check_lemmas(world: World, models: int = 120) -> None:
    """A9, A9', A10, A11 on models near the truth, with the exact distances; plans are the best in their models."""
    rng, made = np.random.default_rng(17), rules(world)
    for number in range(models):
        S, A = int(rng.integers(2, 5)), int(rng.integers(1, 3))
        P, goal = random_model(rng, S, A), int(rng.integers(S))
        D = diameter(P)
        Q = perturbed(rng, P, float(10 ** rng.uniform(-4, 0)) / D, KINDS[number % len(KINDS)], goal)
        Q /= Q.sum(axis=-1, keepdims=True)
        eta, a, support = float(np.abs(Q - P).sum(axis=-1).max()), least_term(Q, P), int(np.count_nonzero(P, axis=-1).max())
        rule = made.GoalFree(1, 1e-6, max(1.0, D), support)
        model = estimates(world).EstimatedModel(Q, np.ones((S, A), np.int64), eta, a, DELTA, rule)
        low, high = model.diameter_interval
        at_most(low, D, f"A10, model {number}")
        at_most(D, high, f"A10, model {number}")
        for c_min in (1.0, 0.5, 0.05):
            costs = rng.uniform(c_min, 1, (S, A))
            plan = model.plan(goal, costs)
            best, played, abroad = least_cost(P, costs, goal), policy_cost(P, costs, plan.policy, goal), least_cost(Q, costs, goal)
            assert np.array_equal(np.isfinite(abroad), np.isfinite(plan.values)), "a plan reaches the goal where any policy does"
            at_most(np.where(np.isfinite(abroad), plan.values, 0), np.where(np.isfinite(abroad), abroad, 0), "the plan is the best in its model")
            least = float(np.delete(costs, goal, axis=0).min())
            z = eta * best.max() / least
            if z < 1:
                at_most(played, best / (1 - z), f"A9, model {number}")
            r = a * support * best.max() / least
            if rho(r) < math.inf:
                at_most(played, rho(r) * best, f"A11, model {number}")
            x, ratio = eta * plan.values.max() / (2 * least), a * support * plan.values.max() / least
            expected = (["A9'"] if x < 1 else []) + (["A11"] if factor(1 / 3, ratio) < math.inf else [])
            assert [c.lemma for c in plan.certificates] == expected
            for certificate in plan.certificates:
                if certificate.lemma == "A9'":
                    ends = plan.values / (1 + x), plan.values / (1 - x)
                else:
                    ends = plan.values / (1 + (2 * math.sqrt(ratio) + ratio / 3) / (1 - math.sqrt(ratio))), plan.values * (1 + factor(1 / 3, ratio))
                assert own.near(ends[0], certificate.lower) and own.near(ends[1], certificate.upper)
                at_most(certificate.lower, best, f"{certificate.lemma}, model {number}")
                at_most(played, certificate.upper, f"{certificate.lemma}, model {number}")


def check_clipped(world: World, models: int = 40) -> None:
    """Costs that may vanish: against all deterministic rivals whose expected time is at most theta D, in models as far off as the rule allows."""
    rng, made = np.random.default_rng(18), rules(world)
    for number in range(models):
        S, A = int(rng.integers(2, 5)), 2
        P, goal = random_model(rng, S, A), int(rng.integers(S))
        D, slack, epsilon = diameter(P), float(rng.uniform(1, 3)), float(rng.uniform(0.1, 2))
        rule = made.ClippedGoalFree(epsilon, D, slack)
        omega = epsilon / (2 * slack * D)
        eta = omega * (epsilon / 2) / (D * (D + epsilon / 2))
        Q = perturbed(rng, P, eta, KINDS[number % len(KINDS)], goal)
        Q /= Q.sum(axis=-1, keepdims=True)
        model = estimates(world).EstimatedModel(Q, np.ones((S, A), np.int64), eta, math.inf, DELTA, rule)
        costs = rng.uniform(0, 1, (S, A)) * (rng.random((S, A)) < 0.6)
        plan = model.plan(goal, costs)
        paid = np.arange(S) != goal
        assert (plan.costs[paid] == np.maximum(costs, omega)[paid]).all()
        played = policy_cost(P, costs, plan.policy, goal)
        for policy in policies(S, A):
            fast = policy_cost(P, np.ones((S, A)), policy, goal) <= slack * D
            at_most(np.where(fast, played, 0), np.where(fast, policy_cost(P, costs, policy, goal), 0) + epsilon, f"clipped costs, model {number}")


def check_discounted(world: World) -> None:
    """PAC discounted: the plan's loss in models within the accuracy, by enumeration."""
    rng, made = np.random.default_rng(19), rules(world)
    for number in range(60):
        S, A, gamma = int(rng.integers(1, 5)), 2, float(rng.uniform(0.1, 0.95))
        P = random_model(rng, S, A)
        rule = made.Discounted(float(rng.uniform(0.05, 1)), gamma)
        Q = perturbed(rng, P, rule.epsilon * (1 - gamma) ** 2 / gamma, KINDS[number % len(KINDS)], 0)
        Q /= Q.sum(axis=-1, keepdims=True)
        model = estimates(world).EstimatedModel(Q, np.ones((S, A), np.int64), float(np.abs(Q - P).sum(axis=-1).max()), math.inf, DELTA, rule)
        r, each = rng.random((S, A)), np.arange(S)
        values = {policy: np.linalg.solve(np.eye(S) - gamma * P[each, policy], r[each, policy]) for policy in policies(S, A)}
        plan = model.discounted(r, gamma)
        loss = np.max(list(values.values()), axis=0) - values[tuple(int(a) for a in plan.policy)]
        at_most(loss, min(rule.epsilon, model.discounted_error(gamma)), f"discounted, model {number}")


def check_theorems(world: World) -> None:
    """Each pairing's theorem, on traced runs: no violated line, events as often as they may fail, the total time of section 15."""
    made, proofs = rules(world), world("theoryrl.proofs.gosprl.pairings")
    swim, cases = own.river_swim(6), []
    cases += [(made.Treasure(0.2), proofs.theorem_treasure, swim), (made.Treasure(), proofs.theorem_treasure, swim)]
    cases += [(made.Modest(0.2, **options), proofs.theorem_modest, swim) for options in ({}, {"adaptive": True}, {"entrywise": True})]
    cases += [(made.GoalFree(2, 0.5, 4, 2), proofs.theorem_goal_free, ring()), (made.GoalFree(8, 0.02, 4, 2), proofs.theorem_goal_free, ring())]
    cases += [(made.ClippedGoalFree(4, 4, 1.0, 2), proofs.theorem_clipped_goal_free, ring())]
    cases += [(made.GoalFreeUnknownDiameter(2, 0.5), proofs.theorem_goal_free_unknown_diameter, ring())]
    cases += [(made.DiameterEstimate(1.0), proofs.theorem_diameter, swim), (made.Discounted(1.0, 0.8), proofs.theorem_discounted, swim)]
    for rule, theorem, P in cases:
        found = []
        for seed in range(7):
            run = collected(world, rule, P, seed, trace=True)
            proof = theorem.proof(run)
            assert not proof.violations, f"{run}: {proof.violations[0]}"
            found.append(proof)
            S, A = P.shape[:2]
            fixed = np.full((S, A), rule.most(run.problem))
            bound = own.time_bound(run.algorithm, run.problem, fixed)
            assert own.near(bound, proofs.pairing_time_bound(run.algorithm, run.problem))
        for event in found[0].events:
            seldom(["" if proof.held[event.id] else f"{rule}: event {event.id}" for proof in found], event.probability)


def check_G15(world: World) -> None:
    """G15. MODEST, goal-free exploration, diameters, discounted policies: numbers of samples, premises, lemmas, guarantees."""
    for part in (check_numbers, check_widths, check_lemmas, check_clipped, check_discounted):
        part(world)
    for part in (check_modest, check_adaptive_cost, check_goal_free, check_unknown_diameter, check_theorems):
        part(world)


# ---------------------------------------------------------------- G16


def check_G16(world: World) -> None:
    """G16. All treasures are found with probability at least 1 - delta: the number of visits is the least one, and treasures put into runs are seen."""
    P, made = own.river_swim(6), rules(world)
    pairs = P.shape[0] * P.shape[1]
    for single in (False, True):
        for rho_ in (1.0, 0.5, 0.1, 1e-3):
            b, union = made.Treasure(rho_, DELTA, single).samples(*P.shape[:2]), 1 if single else pairs
            assert union * (1 - rho_) ** b <= DELTA and (b == 1 or union * (1 - rho_) ** (b - 1) > DELTA), f"{b} visits at {rho_}"
    rule, misses = made.Treasure(0.1, DELTA), []
    for seed in range(statistics.seeds_to_reject(DELTA, 0.5)):
        run = collected(world, rule, P, seed)
        rng = np.random.default_rng((20, own.FIRST_SEED + seed))
        shown = rng.random(run.steps) < 0.1
        raw = run.state
        seen = np.zeros(P.shape[:2], bool)
        seen[raw["raw_states"][: run.steps][shown], raw["raw_actions"][: run.steps][shown]] = True
        misses.append("" if seen.all() else f"{run}: a treasure was missed")
    seldom(misses, DELTA)


# ---------------------------------------------------------------- G17


def rising(N: np.ndarray) -> np.ndarray:
    """Pair (0, 0) is wanted 40 times; each fifth sample triples what is wanted of (1, 0), whose state returns to the goals and leaves them in between."""
    b = np.zeros(N.shape[:2], np.int64)
    b[0, 0], b[1, 0] = 40, 4 * 3 ** min(int(N[0, 0].sum()) // 5, 6)
    return b


def returning_case() -> np.ndarray:
    """Three states: 0 leads to 1; at 1, action 0 stays or leads to 0 or 2, action 1 mostly stays; 2 leads to 1."""
    P = np.zeros((3, 2, 3))
    P[0, :, 1] = P[2, :, 1] = 1
    P[1, 0], P[1, 1] = [0.3, 0.6, 0.1], [0.05, 0.9, 0.05]
    return P


def toggling(P: np.ndarray, seed: int) -> Callable[[np.ndarray], np.ndarray]:
    """The last pair is wanted 60 times; of each other one, one more sample is wanted or none, by digits of what was counted, up to 50."""
    S, A = P.shape[:2]
    keys = np.random.default_rng((21, seed)).integers(2, 6, (S, A))

    def rule(N: np.ndarray) -> np.ndarray:
        n = N.sum(axis=-1)
        beat = int(n[-1, -1]) // 2 + int(n[0, 0]) // 3
        b = np.where((n < 50) & (beat % keys == 0), n + 1, n)
        b[-1, -1] = 60
        return np.asarray(b)

    return rule


class Changing:
    """A raw run with a rule without levels, again from its transitions."""

    def __init__(self, run: Any, P: np.ndarray, rule: Callable[[np.ndarray], np.ndarray]) -> None:
        self.run, raw, (S, A) = run, run.state, P.shape[:2]
        N, n_k, tau = np.zeros((S, A, S), np.int64), np.zeros((S, A), np.int64), np.zeros((S, A), np.int64)
        phase, mask, last, changes, returned, travelling, self.mid, self.doublings = tau.copy(), None, -1, 0, 0, False, 0, 0
        before, inverse, roots, self.sampling, self.travel = None, 0.0, 0.0, 0, 0
        planned_goal, left = None, False
        for t in range(run.steps):
            s, a, plan, n = int(raw["raw_states"][t]), int(raw["raw_actions"][t]), int(raw["raw_plan"][t]), N.sum(axis=-1)
            b = rule(N)
            goal = (n < b).any(axis=1)
            assert goal.any(), f"{run}, step {t}: it goes on although all is met"
            changes += before is not None and not np.array_equal(goal, before)
            left |= planned_goal is not None and not np.array_equal(goal, planned_goal)
            before = goal
            assert (plan >= 0) == (not goal[s]), f"{run}, step {t}: sampling is for unmet states"
            if plan < 0:
                assert a == int(np.argmax(n[s] < b[s])), f"{run}, step {t}: not the lowest unmet action"
                self.sampling, travelling = self.sampling + 1, False
            else:
                if plan != last:
                    assert plan == last + 1
                    returned += bool(left and planned_goal is not None and np.array_equal(goal, planned_goal))
                    self.mid += travelling
                    last, n_k, phase, mask = plan, n.copy(), np.zeros_like(n), np.asarray(raw["raw_goal"][plan])
                    planned_goal, left = goal, False
                count, at_plan = int(n[s, a]), int(n_k[s, a])
                assert count <= 2 * at_plan - 1 if at_plan else count == 0, f"{run}, step {t}: {count} counts, {at_plan} at planning"
                assert np.array_equal(mask, goal), f"{run}, step {t}: the plan is for another goal set"
                assert not left, f"{run}, step {t}: the goal set has changed since the plan, which must be made anew although the set is back"
                phase[s, a] += 1
                tau[s, a] += 1
                self.doublings += phase[s, a] == max(1, at_plan)
                inverse, roots = inverse + 1 / max(1, at_plan), roots + 1 / math.sqrt(max(1, at_plan))
                self.travel, travelling = self.travel + 1, True
            N[s, a, int(raw["raw_next"][t])] += 1
        visited = tau[tau > 0]
        at_most(inverse, (1 + 2 * np.log(visited)).sum(), f"{run}: sum of 1 / n_k")
        at_most(roots, 2 * math.sqrt(2) * np.sqrt(visited).sum(), f"{run}: sum of roots")
        at_most(self.mid, self.doublings + changes, f"{run}: plans inside episodes")
        at_most(self.doublings, (1 + np.floor(np.log2(visited) + 1e-12)).sum(), f"{run}: doublings")
        self.N, self.changes, self.returned = N, changes, returned
        assert run.stopped and (N.sum(axis=-1) >= rule(N)).all(), f"{run}: the rule is not satisfied at the end"
        assert (run.output == N).all(), f"{run}: its counts are not those of its transitions"


def proved(world: World, run: Any) -> None:
    """The chain of 4.2 with the realised samples and changes, where its events held."""
    proof = world("theoryrl.proofs.gosprl").theorem_gosprl.proof(run)
    assert not proof.violations, f"{run}: {proof.violations[0]}"


def check_G17(world: World) -> None:
    """G17. Rules that change: at the end the last demands are met; the latch: counts, doublings and goal sets when a set leaves and returns."""
    P = returning_case()
    for seed in range(3):
        run = algorithms(world).GOSPRL(rising, delta=DELTA).run(continuing(world, P, 2, "returning"), 20_000, seed=own.FIRST_SEED + seed, trace="raw")
        replay = Changing(run, P, rising)
        assert replay.returned > 0, "the goal set was meant to leave and return"
        proved(world, run)
    for seed in range(6):
        S, A = 3 + seed % 3, 2
        problem, _ = own.random_case(world, 300 + seed, S, A, 5)
        rule = toggling(np.array(problem.transition), seed)
        run = algorithms(world).GOSPRL(rule, delta=DELTA, confidence=("l1", "bernstein", "both")[seed % 3]).run(
            problem, 20_000, seed=own.FIRST_SEED + seed, trace="raw"
        )
        Changing(run, np.array(problem.transition), rule)
        proved(world, run)
    made = rules(world)
    for rule, P in ((made.Modest(0.4, adaptive=True), own.river_swim(4)), (made.DiameterEstimate(2.0), ring()), (made.Treasure(0.3), own.lock(4))):
        run = collected(world, rule, P, 0)
        S, A = P.shape[:2]
        demanded = rule.requirements(run.output)
        for z, stack in enumerate(stacks(run, S, A)):
            b = int(demanded.flat[z])
            assert len(stack) >= b and (run.output.reshape(-1, S)[z] == np.bincount(stack[:b], minlength=S)).all(), f"{run}, pair {z}: {b} samples were wanted"
