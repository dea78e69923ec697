r"""What GOSPRL's pairings guarantee: a theorem for each rule of the library, every line evaluated on a run with that rule (all derived in theoryrl).

The theorems are not those that a run's `proof()` finds by itself, which is GOSPRL's: pass them, as in ``run.proof(theorem_modest)``.
Each says that the objective is reached with probability at least 1 - delta - delta', delta GOSPRL's and delta' the rule's own, and
within how many steps (`pairing_time_bound`).  Chains that claim something about estimates claim it when the requirement is met.

Event F, with failure probability at most delta': the estimates from the first samples of each pair are as good as the rule's
inequality says, judged from these samples and the true laws.  Event T, with failure probability at most delta: GOSPRL's own theorem.

A guarantee "for all goals and costs" is evaluated at all goals, each with unit costs and with two draws of costs (a fixed
generator's); `costs_drawn` says which.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from theoryrl.algorithms.gosprl import GOSPRL
from theoryrl.algorithms.gosprl.estimates import EstimatedModel, bernstein_certificate, l1_certificate, model_of
from theoryrl.algorithms.gosprl.gosprl_theory import collection_theory
from theoryrl.algorithms.gosprl.rules import (
    ClippedGoalFree,
    DiameterEstimate,
    Discounted,
    GoalFree,
    GoalFreeUnknownDiameter,
    Modest,
    PairingRule,
    RoundRule,
    Treasure,
    bernstein_factor,
    l1_accuracy,
    l1_width,
)
from theoryrl.algorithms.run import Run
from theoryrl.planning.discounted import discounted, discounted_policy_values
from theoryrl.planning.shortest_path import policy_costs, shortest_path
from theoryrl.problems.continuing import ContinuingMDP
from theoryrl.proofs.lemmas import less_than_zero
from theoryrl.proofs.theorem import Assumption, Event, Line, Proof, Theorem, theorem

DRAWS = 2
"""Costs (or rewards) that are drawn for each goal, beside unit costs."""

OPERATIONS = 1e4
"""What a linear system counts for in round-off, times its size and the diameter, which is about its condition number."""


def pairing_time_bound(algorithm: GOSPRL, problem: ContinuingMDP) -> float:
    """Return the number of steps within which GOSPRL meets a rule of the library, with probability at least 1 - `algorithm.delta`.

    GOSPRL's bound for the most samples of each pair that the rule can demand; of a rule that goes in rounds, can demand unless
    its estimates fail, so that its own delta is to be added.  A rule with levels raises a demand only when it is met, at a
    sampling step: all lines of GOSPRL's proof hold with the last demands in place of a fixed requirement.

    Raises
    ------
    TypeError
        If the requirement is no rule of the library.
    ValueError
        If the MDP is not communicating, or a rule may need more than 2^53 samples of a pair.
    """
    rule = algorithm.requirement
    if not isinstance(rule, PairingRule):
        raise TypeError(f"algorithm: expected GOSPRL with a rule of the library, got {algorithm}")
    problem.require_communicating("the bound")
    return collection_theory(problem, rule.most(problem), algorithm.delta, algorithm.confidence, algorithm.precision).time_bound


class Drawn(NamedTuple):
    """A goal with costs (S, A), the least of which is positive away from the goal unless clipping is meant."""

    goal: int
    costs: np.ndarray


def costs_drawn(n_states: int, n_actions: int, low: float, high: float = 1.0, zeros: float = 0.0) -> list[Drawn]:
    """Return all goals with unit costs, and `DRAWS` times with costs uniform on [low, high], each of which is 0 with probability `zeros`."""
    rng, shape = np.random.default_rng(0), (n_states, n_actions)
    found = []
    for goal in range(n_states):
        found.append(Drawn(goal, np.ones(shape)))
        found += [Drawn(goal, rng.uniform(low, high, shape) * (rng.random(shape) >= zeros)) for _ in range(DRAWS)]
    return found


class Ended(NamedTuple):
    """A traced run with a rule: the rule, the instance, its sizes, the model if the requirement is met, and what a solved value counts for in round-off."""

    run: Run
    rule: Any
    problem: ContinuingMDP
    S: int
    A: int
    model: EstimatedModel | None
    terms: np.ndarray

    def last(self, shape: tuple[int, ...], value: Callable[[EstimatedModel], Any]) -> np.ndarray:
        """Return `value` of the model at the last checkpoint if the requirement is met, NaN elsewhere, (C, *shape)."""
        found = np.full((len(self.run.checkpoints), *shape), np.nan)
        if self.model is not None:
            found[-1] = value(self.model)
        return found

    def away(self, drawn: Sequence[Drawn], value: Callable[[EstimatedModel], np.ndarray]) -> np.ndarray:
        """Return `last` of values (K, S) for goals and costs, NaN at the goals, where nothing is at stake."""
        found = self.last((len(drawn), self.S), value)
        found[:, np.arange(len(drawn)), [goal for goal, _ in drawn]] = np.nan
        return found

    def constant(self, value: float) -> np.ndarray:
        return np.full(len(self.run.checkpoints), value)

    def line(self, id: str, label: str, value: Any, holds: Any = None, **more: Any) -> Line:
        return Line(id, label, value, holds, terms=self.terms, **more)


def _ended(run: Run) -> Ended:
    algorithm, problem = run.algorithm, run.problem
    assert isinstance(algorithm, GOSPRL) and isinstance(problem, ContinuingMDP)
    rule, S, A = algorithm.requirement, problem.n_states, problem.n_actions
    model = model_of(rule, run["first_samples"][-1]) if run.stopped else None
    return Ended(run, rule, problem, S, A, model, run.checkpoints + OPERATIONS * S * max(1.0, problem.diameter))


def _proof(end: Ended, chains: dict[str, list[Line]], events: Sequence[Event], trivial: float | None = None) -> Proof:
    """Add what all pairings share: the total time, the samples that were demanded, and where the first samples are from."""
    run, rule, rounds = end.run, end.rule, isinstance(end.rule, RoundRule)
    T = Event("T", run.algorithm.delta, None, "GOSPRL's theorem: all is met within the time bound")  # type: ignore[attr-defined]
    bound = end.constant(pairing_time_bound(run.algorithm, end.problem))  # type: ignore[arg-type]
    most, asked = end.constant(rule.most(end.problem)), run["first_samples"].sum(axis=-1).max(axis=(1, 2))
    how: dict[str, Any] = {"on": "F"} if rounds else {"holds": "surely"}
    chains |= {
        "time": [
            Line("C0", "steps", run.checkpoints, on=("T", "F") if rounds else "T", reason="GOSPRL's theorem for the most samples"),
            Line("C1", "its time bound", bound),
        ],
        "cost": [Line("C0", "first samples of a pair", asked, reason="the last level", **how), Line("C1", "the most that the rule demands", most)],
        "samples": less_than_zero("first samples that the trace did not see", run["foreign_samples"], run.checkpoints),
    }
    return Proof(chains, [*events, T], None if trivial is None else end.constant(trivial))


def _levels(end: Ended) -> np.ndarray:
    return np.asarray(end.rule.levels(end.S, end.A))


def _diameters(end: Ended, on: str = "F") -> dict[str, list[Line]]:
    """A10: c = 1 in A9' and in A9 (a) with the two models exchanged, at the largest hitting time."""
    D = end.problem.diameter
    low = end.last((), lambda model: model.diameter_interval[0])
    high = end.last((), lambda model: _finite(model.diameter_interval[1]))
    return {
        "A10, lower": [
            end.line("C0", "D^ / (1 + eta D^ / 2)", low, on=on, reason="A10"),
            end.line("C1", "diameter", end.constant(D)),
        ],
        "A10, upper": [end.line("C0", "diameter", end.constant(D), on=on, reason="A10"), end.line("C1", "D^ / (1 - eta D^ / 2)", high)],
    }


def _finite(value: float) -> float:
    return value if value < math.inf else math.nan


class Solved(NamedTuple):
    """Arrays (K, S) over goals and costs: optimal values, those of the plan in the true model, those of the estimated model; its least costs (K, 1)."""

    best: np.ndarray
    played: np.ndarray
    estimated: np.ndarray
    c_min: np.ndarray


def _solve(end: Ended, drawn: list[Drawn]) -> Solved | None:
    if end.model is None:
        return None
    P, best, played, estimated, c_min = end.problem.transition, [], [], [], []
    for goal, costs in drawn:
        plan = end.model.plan(goal, costs)
        paid = np.arange(end.S) != goal
        best.append(shortest_path(P, plan.costs, goal).values)
        played.append(policy_costs(P, plan.costs, plan.policy, goal))
        estimated.append(plan.values)
        c_min.append([plan.costs[paid].min() if end.S > 1 else 1.0])
    return Solved(*(np.array(x) for x in (best, played, estimated, c_min)))


def _certified(end: Ended, drawn: list[Drawn], solved: Solved | None, on: str) -> dict[str, list[Line]]:
    """A9' and, where the rule knows it, A11 with what is read off the estimated model, and A9 at the accuracy claimed."""
    shape = (len(drawn), end.S)

    def ends(certify: Callable[[np.ndarray, float], Any], side: str) -> np.ndarray:
        def value(_: EstimatedModel) -> np.ndarray:
            assert solved is not None
            found = np.full(shape, np.nan)
            for k, values in enumerate(solved.estimated):
                if values.max() < math.inf and (certificate := certify(values, float(solved.c_min[k, 0]))) is not None:
                    found[k] = getattr(certificate, side)
            return found

        return end.away(drawn, value)

    def middle(field: str) -> np.ndarray:
        return end.away(drawn, lambda _: getattr(solved, field))

    def chain(lemma: str, certify: Callable[[np.ndarray, float], Any]) -> list[Line]:
        return [
            end.line("C0", "its lower end", ends(certify, "lower"), on=on, reason=f"{lemma}, lower side, in the true model along pi*"),
            end.line("C1", "V*", middle("best"), "surely", reason="V* is the least"),
            end.line("C2", "V of the plan", middle("played"), on=on, reason=f"{lemma}, along the plan in the true model"),
            end.line("C3", "its upper end", ends(certify, "upper")),
        ]

    if end.model is None or end.model.accuracy < math.inf:
        chains = {"A9'": chain("A9'", lambda values, c: l1_certificate(values, _model(end).accuracy, c))}

        def a9(model: EstimatedModel) -> np.ndarray:
            assert solved is not None
            z = model.accuracy * solved.best.max(axis=1, keepdims=True) / solved.c_min
            return np.divide(solved.best, 1 - z, out=np.full(shape, np.nan), where=z < 1)

        chains["A9"] = [
            end.line("C0", "V of the plan", middle("played"), on=on, reason="A9: supersolutions in both models"),
            end.line("C1", "V* / (1 - z)", end.away(drawn, a9)),
        ]
    if isinstance(end.rule, (GoalFree, ClippedGoalFree)):
        chains["A11"] = chain("A11", lambda values, c: bernstein_certificate(values, _model(end).term, _model(end).support, c))
    return chains


def _model(end: Ended) -> EstimatedModel:
    assert end.model is not None
    return end.model


def _estimates(end: Ended, held: bool, description: str) -> Event:
    return Event("F", end.rule.delta, bool(held), description)


def _within(end: Ended, level: int, accuracy: float) -> bool:
    """Whether all pairs that have been at a level had estimates within an L1 accuracy there."""
    return bool(end.run["l1_errors"][-1, level] <= accuracy * (1 + 1e-12))


def _pairing(
    id: str, rule: type[PairingRule], name: str, statement: str, assume: Callable[[Any, ContinuingMDP], list[Assumption]] = lambda rule, problem: []
) -> Callable[[Callable[[Run], Proof]], Theorem]:
    """Make a theorem about runs of GOSPRL with a class of rules, evaluated on request."""

    def assumptions(algorithm: Any, problem: ContinuingMDP, n: int) -> list[Assumption]:
        asked = algorithm.requirement
        fits = isinstance(asked, rule)
        witness = problem.cut_witness
        found = [Assumption(f"the requirement is {rule.__name__}", fits, "" if fits else f"it is {asked!r}")]
        found += [Assumption("the MDP is communicating", not witness, witness)]
        return found + (assume(asked, problem) if fits and not witness else [])

    def make(evaluate: Callable[[Run], Proof]) -> Theorem:
        source = "derived in theoryrl; the objective is of Tarbouriech et al., NeurIPS 2021"
        register = theorem(
            for_=GOSPRL, id=id, paper="gosprl", source=source, name=name, statement=statement, assumptions=assumptions, on_request=True
        )  # fmt: skip
        return register(evaluate)

    return make


def _knows(rule: Any, problem: ContinuingMDP) -> list[Assumption]:
    D, Gamma, S = problem.diameter, problem.support, problem.n_states
    rule = rule.clipped if isinstance(rule, ClippedGoalFree) else rule
    fits = rule.diameter >= D * (1 - 1e-12)
    return [
        Assumption("the diameter is at most the one given", fits, "" if fits else f"it is {D:.6g}, and {rule.diameter:g} was given"),
        Assumption("a pair has at most as many next states as given", rule.next_states(S) >= Gamma, f"one has {Gamma}"),
    ]


@_pairing(
    "treasure",
    Treasure,
    "TREASURE (sparse reward discovery)",
    r"""With $b \equiv \lceil \ln(S A / \delta') / (-\ln(1 - \rho)) \rceil$ samples of each pair ($b \equiv 1$ at $\rho = 1$), every reward that appears with
probability at least $\rho$ at each visit of its pair is seen with probability at least $1 - \delta'$; $\ln(1 / \delta')$ if at most one pair has one.""",
)
def theorem_treasure(run: Run) -> Proof:
    """The rewards do not act on the trajectory: given the visits n, that of a pair is missed with probability (1 - rho)^n."""
    end = _ended(run)
    rule, single = end.rule, end.rule.single
    first = run["first_samples"][-1].sum(axis=-1)
    b, pairs = rule.samples(end.S, end.A), 1 if single else end.S * end.A
    missed, at_b = (1 - rule.rho) ** first.astype(float), pairs * (1 - rule.rho) ** float(b)
    chain = [
        end.line("L0", "probability to miss one, given the visits", end.last((), lambda _: missed.max() if single else -math.expm1(np.log1p(-missed).sum())),
                 "surely", reason="union over the pairs"),
        end.line("L1", "sum over pairs", end.last((), lambda _: missed.max() if single else missed.sum()), "surely", reason="n >= b"),
        end.line("L2", "the same at b visits", end.constant(at_b), "surely", reason="choice of b"),
        end.line("L3", "delta' (0 at rho = 1)", end.constant(rule.delta if rule.rho < 1 else 0.0)),
    ]  # fmt: skip
    return _proof(end, {"rewards missed": chain}, [], 1.0)


@_pairing(
    "modest",
    Modest,
    "MODEST (model estimation)",
    r"""With probability at least $1 - \delta'$, $\|\hat P - P\|_1 \le \eta$ for all pairs, from the first
$b = \lceil \frac{2}{\eta^2} (\ln(2^S - 2) + \ln\frac{S A}{\delta'}) \rceil$ samples of each (`entrywise`: $|\hat P - P| \le \eta$ from
$\lceil \ln(2 S^2 A / \delta') / (2 \eta^2) \rceil$; `adaptive`: until Bernstein's intervals are narrow enough, at most $n_W(\eta, \delta' / 2)$).""",
)
def theorem_modest(run: Run) -> Proof:
    """Weissman's, Hoeffding's or Bernstein's inequality for fixed numbers of independent samples, union over pairs."""
    end = _ended(run)
    rule, P, S, A, levels = end.rule, end.problem.transition, end.S, end.A, _levels(end)
    last = int(levels[-1])

    def errors(model: EstimatedModel) -> np.ndarray:
        distance = np.abs(model.transition - P)
        return np.asarray(distance.max(axis=-1) if rule.entrywise else distance.sum(axis=-1))

    if S == 1:
        radius, held = end.last((S, A), lambda _: 0.0), True
    elif rule.entrywise:
        hoeffding = math.sqrt(math.log(2 * S * S * A / rule.delta) / (2 * last))
        held = end.model is None or errors(end.model).max() <= hoeffding * (1 + 1e-12)
        radius = end.last((S, A), lambda _: hoeffding)
    elif not rule.adaptive:
        weissman = l1_accuracy(S, A, last, rule.delta)
        radius, held = end.last((S, A), lambda _: weissman), _within(end, 0, weissman)
    else:
        weissman, iota = l1_accuracy(S, A, last, rule.delta / 2), rule.log_term(S, A)
        held = _within(end, len(levels) - 1, weissman) and bool(np.all(run["entry_errors"][-1] <= iota * (1 + 1e-12)))
        counts = run["first_samples"][-1]

        def widths(model: EstimatedModel) -> np.ndarray:
            return np.array([
                [weissman if n == last else l1_width(counts[s, a], int(n), iota) for a, n in enumerate(row)] for s, row in enumerate(model.samples)
            ])  # fmt: skip

        radius = end.last((S, A), widths)
    what = "entry" if rule.entrywise else "L1 distance"
    chain = [
        end.line("L0", f"largest {what} of the estimate from the law, each pair", end.last((S, A), errors), on="F", reason="the inequality"),
        end.line("L1", "radius at the number of samples", radius, "surely", reason="choice of the number"),
        end.line("L2", "eta", end.constant(rule.accuracy)[:, None, None]),
    ]
    event = _estimates(end, held, "the estimates are within their radii, at all counts that are looked at")
    drawn = costs_drawn(S, A, 0.5)
    chains = {"accuracy": chain} | _diameters(end) | _certified(end, drawn, _solve(end, drawn), "F")
    proof = _proof(end, chains, [event])
    return dataclasses.replace(proof, trivial=np.full((len(run.checkpoints), S, A), 1.0 if rule.entrywise else 2.0))


def _both_sets(end: Ended) -> Event:
    """The event of the certificates of a rule that has both kinds: each at half of delta'."""
    S, A = end.S, end.A
    rule = end.rule.clipped if isinstance(end.rule, ClippedGoalFree) else end.rule
    b = rule.samples(S, A)
    held = _within(end, 0, rule.accuracy_of(b, S, A)) and bool(end.run["entry_errors"][-1, 0] <= rule.entry_term(b, S, A) * b * (1 + 1e-12))
    return Event("G", rule.delta, held, "the estimates are within both of their sets, each with half of delta'")


def _method(end: Ended, rule: GoalFree) -> tuple[Event, Callable[[np.ndarray], np.ndarray], str]:
    """Event F of the smaller number of samples, its factor of V* at the largest V*, and its lemma."""
    S, A = end.S, end.A
    b, largest = rule.samples(S, A), bernstein_factor
    if rule.method(S, A) == "l1":
        radius = l1_accuracy(S, A, b, rule.delta)

        def a9(size: np.ndarray) -> np.ndarray:
            z = rule.l1 * size / rule.c_min
            return np.divide(1.0, 1 - z, out=np.full(z.shape, np.inf), where=z < 1)

        return _estimates(end, _within(end, 0, radius), "the estimates are within their L1 radius"), a9, "A9"
    iota = rule.log_term(S, A)
    held = bool(end.run["entry_errors"][-1, 0] <= iota * (1 + 1e-12))

    def a11(size: np.ndarray) -> np.ndarray:
        ratios = iota / b * rule.next_states(S) * size / rule.c_min
        return np.array([[largest(float(r))] for r in ratios[:, 0]])

    return _estimates(end, held, "every entry of the estimates is within Bernstein's radius"), a11, "A11"


@_pairing(
    "goal-free",
    GoalFree,
    "goal-free and cost-free exploration",
    r"""With probability at least $1 - \delta'$, for every goal and all costs in $[c_{\min}, 1]$ at once, the best policy of the estimated model has
$V^{\hat\pi} \le V^* + \epsilon$, from the smaller of the first $n_W(\frac{c_{\min} \epsilon}{D (D + \epsilon)}, \delta')$ samples of each pair (A9) and
$\lceil \iota \Gamma D / (c_{\min} r^*) \rceil$ (A11), $\iota = \ln(2 S^2 A / \delta')$.""",
    _knows,
)
def theorem_goal_free(run: Run) -> Proof:
    """Simulation lemmas A9 or A11, in both directions; sizes of values at most the diameter."""
    end = _ended(run)
    rule, drawn = end.rule, costs_drawn(end.S, end.A, end.rule.c_min)
    solved = _solve(end, drawn)
    event, factor, lemma = _method(end, rule)

    def loss(_: EstimatedModel) -> np.ndarray:
        assert solved is not None
        return solved.played - solved.best

    def limit(_: EstimatedModel) -> np.ndarray:
        assert solved is not None
        return solved.best * (factor(solved.best.max(axis=1, keepdims=True)) - 1)

    chain = [
        end.line("L0", "V of the plan - V*, each goal and costs and state", end.away(drawn, loss), on="F", reason=lemma),
        end.line("L1", f"(factor of {lemma} - 1) V*", end.away(drawn, limit), "surely", reason="V* <= D, choice of the number of samples"),
        end.line("L2", "epsilon", end.constant(rule.epsilon)[:, None, None]),
    ]
    return _proof(end, {"loss": chain} | _diameters(end, "G") | _certified(end, drawn, solved, "G"), [event, _both_sets(end)])


@_pairing(
    "clipped goal-free",
    ClippedGoalFree,
    "goal-free exploration for costs that may vanish",
    r"""With probability at least $1 - \delta'$, for every goal and all costs in $[0, 1]$ at once, the best policy of the estimated model for the costs
$\max(c, \omega)$, $\omega = \epsilon / (2 \theta D)$, has $V_c^{\hat\pi} \le V_c^\pi + \epsilon$ for every $\pi$ whose expected time to the goal is at
most $\theta D$.""",
    _knows,
)
def theorem_clipped_goal_free(run: Run) -> Proof:
    """Goal-free exploration at the clipped costs, with epsilon / 2; clipping adds at most omega a step."""
    end = _ended(run)
    rule, clipped, P, S, A = end.rule, end.rule.clipped, end.problem.transition, end.S, end.A
    drawn = costs_drawn(S, A, 0, zeros=0.25)
    rivals = [rule.floor * 4.0**-i for i in range(4)] + [1.0]
    event, _, lemma = _method(end, clipped)
    shape, found = (len(drawn), len(rivals), S), np.full((5, len(drawn), len(rivals), S), np.nan)
    if end.model is not None:
        for k, (goal, costs) in enumerate(drawn):
            plan = end.model.plan(goal, costs)
            free, raised = policy_costs(P, costs, plan.policy, goal), policy_costs(P, plan.costs, plan.policy, goal)
            best = shortest_path(P, plan.costs, goal).values
            for i, floor in enumerate(rivals):  # the best policies for costs that are clipped ever less, and the fastest one
                rival = shortest_path(P, np.maximum(costs, floor), goal).policy
                time, cheap, dear = (policy_costs(P, c, rival, goal) for c in (np.ones((S, A)), costs, plan.costs))
                fast = (time <= rule.slack * rule.diameter) & (np.arange(S) != goal)
                lines = free, raised, best + rule.epsilon / 2, dear + rule.epsilon / 2, cheap + rule.floor * time + rule.epsilon / 2
                for line, value in enumerate(lines):
                    found[line, k, i, fast] = (value - cheap)[fast]
    values = np.full((5, len(run.checkpoints), *shape), np.nan)
    values[:, -1] = found
    chain = [
        end.line("L0", "V_c of the plan - V_c of a rival, each goal, rival and state", values[0], "surely", reason="c <= max(c, omega)"),
        end.line("L1", "clipped costs of the plan", values[1], on="F", reason=lemma + " with epsilon / 2"),
        end.line("L2", "least clipped costs + epsilon / 2", values[2], "surely", reason="the least ones"),
        end.line("L3", "clipped costs of the rival + epsilon / 2", values[3], "surely", reason="clipping adds at most omega a step"),
        end.line("L4", "omega E tau + epsilon / 2", values[4], "surely", reason="E tau <= theta D"),
        end.line("L5", "epsilon", end.constant(rule.epsilon)[:, None, None, None]),
    ]
    return _proof(end, {"loss": chain} | _diameters(end, "G") | _certified(end, drawn, _solve(end, drawn), "G"), [event, _both_sets(end)])


def _all_rounds(end: Ended) -> Event:
    """Event F of a rule that goes in rounds: all estimates of all rounds."""
    levels, delta = _levels(end), end.rule.delta
    held = all(_within(end, j - 1, l1_accuracy(end.S, end.A, int(level), delta / (j * (j + 1)))) for j, level in enumerate(levels, 1))
    return _estimates(end, held, "the estimates of every round are within their L1 radius")


@_pairing(
    "goal-free, unknown diameter",
    GoalFreeUnknownDiameter,
    "goal-free exploration without knowledge of the diameter",
    r"""In rounds with $\eta_j = 2^{-j}$, $\delta_j = \delta' / (j (j + 1))$ until $x = \eta_j \hat D_j / (2 c_{\min}) < 1$ and
$\hat D_j \frac{2 x}{1 - x^2} \le \epsilon$: with probability at least $1 - \delta'$, for every goal and all costs in $[c_{\min}, 1]$ at once,
$V^{\hat\pi} \le V^* + \epsilon$.""",
)
def theorem_goal_free_unknown_diameter(run: Run) -> Proof:
    """The two-sided certificate A9' at the diameter of the estimated model, which bounds all its values."""
    end = _ended(run)
    rule, drawn = end.rule, costs_drawn(end.S, end.A, end.rule.c_min)
    solved = _solve(end, drawn)

    def loss(_: EstimatedModel) -> np.ndarray:
        assert solved is not None
        return solved.played - solved.best

    def gap(model: EstimatedModel) -> np.ndarray:
        assert solved is not None
        x = model.accuracy * solved.estimated.max(axis=1, keepdims=True) / (2 * rule.c_min)
        return solved.estimated * 2 * x / (1 - x * x)

    def largest(model: EstimatedModel) -> float:
        x = model.accuracy * model.diameter / (2 * rule.c_min)
        return model.diameter * 2 * x / (1 - x * x)

    chain = [
        end.line("L0", "V of the plan - V*, each goal and costs and state", end.away(drawn, loss), on="F", reason="A9'"),
        end.line("L1", "V^ 2x / (1 - x^2)", end.away(drawn, gap), "surely", reason="V^ <= D^"),
        end.line("L2", "the same at D^", end.last((), largest)[:, None, None], "surely", reason="the rule stops then"),
        end.line("L3", "epsilon", end.constant(rule.epsilon)[:, None, None]),
    ]
    return _proof(end, {"loss": chain} | _diameters(end) | _certified(end, drawn, solved, "F"), [_all_rounds(end)])


@_pairing(
    "diameter",
    DiameterEstimate,
    "diameter estimation",
    r"""In rounds with $\eta_j = 2^{-j}$, $\delta_j = \delta' / (j (j + 1))$ until $\eta_j \hat D_j / 2 \le \varepsilon / (1 + \varepsilon)$: with probability
at least $1 - \delta'$, $\frac{\hat D}{1 + \eta \hat D / 2} \le D \le \frac{\hat D}{1 - \eta \hat D / 2} \le (1 + \varepsilon) \hat D$, and it stops no later
than when $\eta_j D / 2 \le \varepsilon / (1 + 2 \varepsilon)$.""",
)
def theorem_diameter(run: Run) -> Proof:
    """A10, with the choice of the last round."""
    end = _ended(run)
    high = end.last((), lambda model: model.diameter_interval[1])
    chain = [
        end.line("L0", "diameter", end.constant(end.problem.diameter), on="F", reason="A10"),
        end.line("L1", "D^ / (1 - eta D^ / 2)", high, "surely", reason="the rule stops then"),
        end.line("L2", "(1 + factor) D^", end.last((), lambda model: (1 + end.rule.factor) * model.diameter)),
    ]
    drawn = costs_drawn(end.S, end.A, 0.5)
    return _proof(end, {"diameter": chain} | _diameters(end) | _certified(end, drawn, _solve(end, drawn), "F"), [_all_rounds(end)])


@_pairing(
    "discounted",
    Discounted,
    "PAC discounted policies, reward-free",
    r"""With probability at least $1 - \delta'$, for all rewards in $[0, 1]$ at once, the best policy of the estimated model has
$\|V^* - V^{\hat\pi}\|_\infty \le \epsilon$, from the first $n_W(\epsilon (1 - \gamma)^2 / \gamma, \delta')$ samples of each pair.""",
)
def theorem_discounted(run: Run) -> Proof:
    r"""Simulation lemma :math:`|V^\pi - \hat V^\pi| \le \gamma \eta / (2 (1 - \gamma)^2)`, twice."""
    end = _ended(run)
    rule, P, S, A, gamma = end.rule, end.problem.transition, end.S, end.A, end.rule.gamma
    drawn = [np.eye(S)[s][:, None] * np.ones(A) for s in range(S)] + [d.costs for d in costs_drawn(S, A, 0)[1 :: 1 + DRAWS]]
    shape, found = (len(drawn), S), np.full((2, len(drawn), S), np.nan)
    if end.model is not None:
        for k, rewards in enumerate(drawn):
            best, plan = discounted(P, rewards, gamma), end.model.discounted(rewards, gamma)
            played = discounted_policy_values(P, rewards, gamma, plan.policy)
            abroad = discounted_policy_values(end.model.transition, rewards, gamma, best.policy)
            found[:, k] = best.values - played, (best.values - abroad) + (plan.values - played)
    simulation = end.constant(gamma * rule.l1 / (1 - gamma) ** 2)[:, None, None]
    chain = [
        end.line("L0", "V* - V of the plan, each reward and state", end.last(shape, lambda _: found[0]), "surely", reason="the plan is best in its model"),
        end.line("L1", "errors of the model along pi* and the plan", end.last(shape, lambda _: found[1]), on="F", reason="simulation, twice"),
        end.line("L2", "gamma eta / (1 - gamma)^2", simulation, "surely", reason="choice of eta"),
        end.line("L3", "epsilon", end.constant(rule.epsilon)[:, None, None]),
    ]  # fmt: skip
    radius = l1_accuracy(S, A, rule.samples(S, A), rule.delta)
    proof = _proof(end, {"loss": chain}, [_estimates(end, _within(end, 0, radius), "the estimates are within their L1 radius")])
    return dataclasses.replace(proof, trivial=np.full((len(run.checkpoints), *shape), 1 / (1 - gamma)))


PAIRINGS = (
    theorem_treasure,
    theorem_modest,
    theorem_goal_free,
    theorem_clipped_goal_free,
    theorem_goal_free_unknown_diameter,
    theorem_diameter,
    theorem_discounted,
)
"""The theorems of the pairings."""
