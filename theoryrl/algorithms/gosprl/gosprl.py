r"""GOSPRL: prescribed numbers of samples of each pair, collected online in an unknown communicating MDP as fast as optimism allows.

Source: J. Tarbouriech, M. Pirotta, M. Valko, A. Lazaric, "A Provably Efficient Sample Collection Strategy for Reinforcement
Learning", NeurIPS 2021 (arXiv 2007.06437).  Constants and the lazy replanning are derived here.

The kernels below name the lines that they carry out.

1. No samples, no plan.
2. Until no state is unmet (a state is, while it has an action with fewer samples than wanted):
   a. if the set of unmet states has changed, the plan is stale, for good;
   b. in an unmet state: play its first unmet action (a sampling step);
   c. else, without a plan, with a stale one, or if the visits nu of a pair in this phase have reached max(1, n_k), its number of
      samples at planning: plan for the unmet states (`planning.make_plan`); play the plan (a travel step);
   d. count the next state.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from theoryrl import validate
from theoryrl.algorithms.gosprl import gosprl_trace as tracing
from theoryrl.algorithms.gosprl import pairing_trace, requirements
from theoryrl.algorithms.gosprl.planning import CONFIDENCE, check_sweeps, make_plan, planning_scratch, planning_settings
from theoryrl.algorithms.run import Algorithm, State, Trace
from theoryrl.jit import kernel, record
from theoryrl.planning.arrays import copy
from theoryrl.problems.continuing import ContinuingMDP

CLOCK, PLACE, SAMPLING, EPISODES, PLANS, CHANGES, UNMET, DUE, TRAVELLING, ASK, SWEEPS = range(11)
"""Entries of `progress`: steps done, the state, sampling steps, episodes begun, plans made, changes of the goal set, unmet pairs; flags: a plan must be
made before the next travel step, inside an episode, a rule must be asked; sweeps of the last plan (-1: it did not end)."""

World = record(__name__, "World", "cumulative following")
Counts = record(__name__, "Counts", "transitions visits demand levels snapshots reached next_level owed phase_visits planned_visits")
Plan = record(__name__, "Plan", "values policy least goal")
Raw = record(__name__, "Raw", "raw_states raw_actions raw_next raw_plan raw_values raw_policy raw_goal")


@kernel
def collect(
    world: Any, counts: Any, plan: Any, settings: Any, scratch: Any, progress: Any, rng: Any, k: int, trace: Any, numbers: Any, raw: Any
) -> int:  # fmt: skip
    """Make at most `k` steps and return their number: fewer if all is met, a rule must be asked, planning failed, or there is no room for a raw plan.

    `trace` and `raw` are None or records (a caller without one compiles nothing of it).
    """
    done = 0
    while done < k and progress[UNMET] > 0 and progress[ASK] == 0:
        if progress[DUE] == 1 and counts.owed[progress[PLACE]] < 0:
            if raw is not None and progress[PLANS] == raw.raw_values.shape[0]:
                return done
            progress[SWEEPS] = replan(counts, plan, settings, scratch)
            if progress[SWEEPS] < 0:
                return done
            if raw is not None:
                record_plan_raw(progress[PLANS], plan, raw)
            progress[PLANS] += 1
            progress[DUE] = 0
            if trace is not None:
                tracing.record_plan(progress[PLACE], 1 - progress[TRAVELLING], plan, counts.planned_visits, trace, numbers)
        moved = walk(
            world.cumulative, world.following, counts, plan, settings.always, settings.asked, progress, rng, k - done, trace, numbers, raw
        )  # fmt: skip
        progress[CLOCK] += moved
        done += moved
    return done


@kernel
def replan(counts: Any, plan: Any, settings: Any, scratch: Any) -> int:
    """Line 2c: the plan for the states that are unmet now."""
    for s in range(plan.goal.shape[0]):
        plan.goal[s] = 1 if counts.owed[s] >= 0 else 0
    copy(counts.visits, counts.planned_visits)
    counts.phase_visits[:] = 0
    return make_plan(counts.transitions, counts.visits, plan.goal, settings, scratch, plan.values, plan.policy, plan.least)


@kernel
def walk(
    cumulative: Any, following: Any, counts: Any, plan: Any, always: bool, asked: bool, progress: Any, rng: Any, k: int, trace: Any, numbers: Any, raw: Any
) -> int:  # fmt: skip
    """Lines 2a to 2d for at most `k` steps, up to where a plan or a rule is needed or all is met; return how many were made."""
    transitions, visits, demand, next_level, owed, policy = counts.transitions, counts.visits, counts.demand, counts.next_level, counts.owed, plan.policy
    phase_visits, planned_visits = counts.phase_visits, counts.planned_visits
    s, travelling, A = progress[PLACE], progress[TRAVELLING], visits.shape[0] // owed.shape[0]
    moved = 0
    while moved < k:
        travel = owed[s] < 0
        if travel and progress[DUE] == 1:
            break
        row = s * A + (policy[s] if travel else owed[s])
        uniform = rng.random()
        j = 0
        while uniform >= cumulative[row, j]:
            j += 1
        s_next = following[row, j]
        transitions[row, s_next] += 1
        visits[row] += 1
        if raw is not None:
            record_step_raw(progress[CLOCK] + moved, progress[PLANS] - 1 if travel else -1, s, row - s * A, s_next, raw)
        moved += 1
        if visits[row] == next_level[row]:
            keep_samples(row, counts)
        if travel:
            if trace is not None:
                tracing.record_travel(s, row, s_next, 1 - travelling, owed[s_next] >= 0, plan, planned_visits, trace, numbers)
            progress[EPISODES] += 1 - travelling
            travelling = 1
            phase_visits[row] += 1
            if phase_visits[row] >= max(1, planned_visits[row]):
                progress[DUE] = 1
            s = s_next
        else:
            if trace is not None:
                tracing.record_sample(s, row, s_next, trace, numbers)
            progress[SAMPLING] += 1
            travelling = 0
            if always:
                progress[DUE] = 1
            s = s_next
            if visits[row] >= demand[row]:
                if asked:
                    progress[ASK] = 1
                    break
                if meet(row, visits, demand, owed, progress):
                    if trace is not None:
                        tracing.record_goal(owed, trace, numbers)
                    if progress[UNMET] == 0:
                        break
    progress[PLACE], progress[TRAVELLING] = s, travelling
    return moved


@kernel
def keep_samples(row: int, counts: Any) -> None:
    """Keep the first samples of a pair, before more come."""
    level = counts.reached[row]
    copy(counts.transitions[row], counts.snapshots[level, row])
    counts.reached[row] = level + 1
    counts.next_level[row] = counts.levels[level + 1, row] if level + 1 < counts.levels.shape[0] else -1


@kernel
def meet(row: int, visits: Any, demand: Any, owed: Any, progress: Any) -> bool:
    """Line 2a after a pair has met its demand: return whether its state has left the goals, which makes the plan stale."""
    A = visits.shape[0] // owed.shape[0]
    s = row // A
    progress[UNMET] -= 1
    owed[s] = -1
    for later in range(row + 1, (s + 1) * A):
        if visits[later] < demand[later]:
            owed[s] = later - s * A
            return False
    progress[CHANGES] += 1
    progress[DUE] = 1
    return True


@kernel
def record_step_raw(step: int, plan: int, s: int, a: int, s_next: int, raw: Any) -> None:
    """Keep one raw transition, and by which plan it was made."""
    raw.raw_states[step] = s
    raw.raw_actions[step] = a
    raw.raw_next[step] = s_next
    raw.raw_plan[step] = plan


@kernel
def record_plan_raw(number: int, plan: Any, raw: Any) -> None:
    """Keep a plan."""
    copy(plan.values, raw.raw_values[number])
    copy(plan.policy, raw.raw_policy[number])
    for s in range(plan.goal.shape[0]):
        raw.raw_goal[number, s] = plan.goal[s] == 1


@dataclasses.dataclass(frozen=True, repr=False)
class GOSPRL(Algorithm):
    r"""GOSPRL: collect prescribed numbers of samples of each state-action pair in a communicating MDP.

    Source: Tarbouriech, Pirotta, Valko, Lazaric, NeurIPS 2021.  It travels to unmet states by optimistic shortest paths, and
    plays an unmet pair when it is there; it stops when all is met.  `n` caps the number of steps and changes nothing before, so
    that a capped run can be continued.  `run.stopped` says whether the requirement is met, ``run["missing"]`` how many samples
    are still owed, and `run.output` holds the transition counts (S, A, S) of the *first* samples of each pair, as many as
    were demanded: what came beyond them depends on the samples.

    Parameters
    ----------
    requirement : int, (S, A) array of int, or rule
        Samples wanted of each pair, from 0 to 2^53; a number stands for all pairs.  A rule prescribes them while they come in:
        `Modest` and the other pairings, an object with `requirements(N)`, or a function of N (see `Rule`); a run with a
        function cannot be saved.
    delta : float in (0, 1)
        Failure probability of the theorem; half of it goes to the confidence sets.
    confidence : {"l1", "bernstein", "both"}
        Confidence sets of the transition laws.
    precision : float in (0, 1)
        Precision epsilon of extended value iteration.
    replan : {"lazy", "always"}
        Whether also to plan anew at the first step of every episode, as (from memory) the paper does.  An episode is a maximal run
        of travel steps.
    scale : float > 0
        Ours: factor of the confidence radii (the log terms have its square), for figures; the theorem needs 1.

    Raises
    ------
    ValueError, TypeError
        On a parameter out of range, and at the start of a run on an MDP that is not communicating (with a witness) or does not
        fit the requirement.
    """

    unit = "steps"
    anytime = True

    requirement: Any
    delta: float = 0.1
    confidence: str = "l1"
    precision: float = 0.02
    replan: str = "lazy"
    scale: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "requirement", requirements.parse(self.requirement))
        validate.real("delta", self.delta, 0, 1, open_ends=True)
        validate.one_of("confidence", self.confidence, CONFIDENCE)
        validate.real("precision", self.precision, 0, 1, open_ends=True)
        validate.one_of("replan", self.replan, ("lazy", "always"))
        validate.real("scale", self.scale, 0, 1e6, open_ends=True)

    def __repr__(self) -> str:
        return requirements.shorten(super().__repr__(), self.requirement)

    def demand(self, problem: ContinuingMDP) -> np.ndarray:
        """Return the samples wanted of each pair, (S, A): all of them, or what a rule demands first."""
        if isinstance(self.requirement, (int, tuple)):
            return requirements.fixed_demand(self.requirement, problem)
        return requirements.demanded(self.requirement, np.zeros((problem.n_states, problem.n_actions, problem.n_states), np.int64))

    def start(self, problem: ContinuingMDP, n: int, rng: np.random.Generator) -> State:
        """Return the state before the first step."""
        if not isinstance(problem, ContinuingMDP):
            raise TypeError(f"problem: expected a ContinuingMDP, got {type(problem).__name__}")
        problem.require_communicating("GOSPRL")
        S, pairs, levels = problem.n_states, problem.n_states * problem.n_actions, requirements.levels(self.requirement, problem)
        reached = (levels <= 0).sum(axis=0)
        counts = Counts(
            transitions=np.zeros((pairs, S), np.int64), visits=np.zeros(pairs, np.int64), demand=self.demand(problem).reshape(-1), levels=np.array(levels),
            snapshots=np.zeros((*levels.shape, S), np.int64), reached=reached, next_level=_next_levels(levels, reached), owed=np.full(S, -1),
            phase_visits=np.zeros(pairs, np.int64), planned_visits=np.zeros(pairs, np.int64),
        )  # fmt: skip
        plan = Plan(values=np.zeros(S), policy=np.zeros(S, np.int64), least=np.zeros(S), goal=np.zeros(S, np.int8))
        progress = np.zeros(11, np.int64)
        progress[PLACE] = problem.start
        state = counts._asdict() | plan._asdict() | {"progress": progress, "rng": rng} | tracing.start(problem, self)
        _look(state)
        self._ask(problem, state)
        progress[CHANGES], progress[DUE] = 0, 1
        return state

    def advance(self, problem: ContinuingMDP, state: State, k: int, trace: Trace) -> int:
        """Make `k` steps, fewer if the requirement is met."""
        progress, S, A = state["progress"], problem.n_states, problem.n_actions
        recorded, numbers, raw = None, None, None
        if trace:
            recorded, numbers = tracing.Record(*(state[field] for field in tracing.Record._fields)), tracing.numbers(self, problem)
            if progress[CLOCK] == 0:
                tracing.record_goal(state["owed"], recorded, numbers)
        counts, plan = (kind(*(state[field] for field in kind._fields)) for kind in (Counts, Plan))
        world = World(problem.outcomes.cumulative, problem.outcomes.following)
        settings = planning_settings(S, A, self.delta / 2, self.confidence, self.precision, self.scale, self.replan == "always", self._asked)
        scratch, begin, done = planning_scratch(S, A), int(progress[CLOCK]), 0
        every_step = self._asked and not len(state["levels"])
        if trace == "raw":
            raw = _room(state, begin + k)
        while done < k and progress[UNMET] > 0:
            if raw is not None and progress[PLANS] == len(raw.raw_values):
                raw = _room(state, begin + k)
            steps = 1 if every_step else k - done
            done += collect(world, counts, plan, settings, scratch, progress, state["rng"], steps, recorded, numbers, raw)
            check_sweeps(progress[SWEEPS])
            if every_step or progress[ASK] == 1:
                progress[ASK] = 0
                if self._ask(problem, state) and recorded is not None:
                    tracing.record_goal(state["owed"], recorded, numbers)
        if raw is not None:
            state |= {name: state[name][: progress[CLOCK] if name in RAW_STEPS else progress[PLANS]].copy() for name in Raw._fields}
        return done

    @property
    def _asked(self) -> bool:
        return not isinstance(self.requirement, (int, tuple))

    def _ask(self, problem: ContinuingMDP, state: State) -> bool:
        """Line 2a for a rule, until its demands stay; return whether the goals have changed."""
        changed, shape, levelled = False, (problem.n_states, problem.n_actions), len(state["levels"]) > 0
        while self._asked:
            old, visits = state["demand"].copy(), state["visits"]
            N = _first_samples(state) if levelled else state["transitions"].copy()
            new = requirements.demanded(self.requirement, N.reshape(*shape, -1)).reshape(-1)
            floor = old if levelled else np.minimum(old, visits)
            if np.any(new < floor):
                row = int(np.argmax(new < floor))
                raise ValueError(
                    f"requirement(N)[{row // shape[1]}, {row % shape[1]}]: a demand may be dropped only when it is met, and then not below what was counted: "
                    f"expected at least {floor[row]}, got {new[row]}"
                )
            if levelled and not (new == state["levels"]).any(axis=0).all():
                raise ValueError(f"requirement(N): expected numbers among its levels {state['levels'][:, 0].tolist()}, got {np.unique(new).tolist()}")
            state["demand"][:] = new
            changed |= _look(state)
            if not (levelled and np.any((new > old) & (visits >= new))):
                break
        return changed

    def measure(self, problem: ContinuingMDP, state: State, trace: Trace) -> dict[str, Any]:
        """Return how far the collection is; with a trace, all that the proof needs."""
        progress, owing = state["progress"], np.maximum(state["demand"] - state["visits"], 0)
        row = {
            "travel": progress[CLOCK] - progress[SAMPLING],
            "sampling": progress[SAMPLING],
            "episodes": progress[EPISODES],
            "plans": progress[PLANS],
            "changes": progress[CHANGES],
            "missing": owing.sum(dtype=float),
            "met": (owing == 0).mean(),
        }
        return row | (tracing.measure(state) | pairing_trace.measure(self, problem, state) if trace else {})

    def output(self, problem: ContinuingMDP, state: State) -> np.ndarray:
        """Return the transition counts (S, A, S) of the first samples of each pair, as many as are demanded; with a rule without levels, of all samples."""
        N = _first_samples(state) if len(state["levels"]) else state["transitions"].copy()
        return N.reshape(problem.n_states, problem.n_actions, -1)

    def remark(self, problem: ContinuingMDP, state: State) -> str:
        """Say what is missing."""
        return requirements.missing(state["demand"] - state["visits"], problem.n_actions)


RAW_STEPS = Raw._fields[:4]


def _next_levels(levels: np.ndarray, reached: np.ndarray) -> np.ndarray:
    """Return the count of each pair at which its samples are kept next, -1 for never."""
    padded = np.vstack([levels, np.full((1, levels.shape[1]), -1)])
    return np.take_along_axis(padded, reached[None], axis=0)[0]


def _first_samples(state: State) -> np.ndarray:
    """Return the transition counts (S A, S) of the first min(n, b) samples of each pair."""
    level = np.argmax(state["levels"] == state["demand"], axis=0)
    kept = state["snapshots"][level, np.arange(len(level))]
    return np.where((state["visits"] >= state["demand"])[:, None], kept, state["transitions"])


def _look(state: State) -> bool:
    """Line 2a: find each state's first unmet action; return whether the goals have changed, which makes the plan stale."""
    progress, owed = state["progress"], state["owed"]
    unmet = (state["visits"] < state["demand"]).reshape(len(owed), -1)
    before = owed >= 0
    owed[:] = np.where(unmet.any(axis=1), unmet.argmax(axis=1), -1)
    progress[UNMET] = unmet.sum()
    changed = bool(np.any(before != (owed >= 0)))
    progress[CHANGES] += changed
    progress[DUE] |= changed
    return changed


def _room(state: State, steps: int) -> Any:
    """Return the raw arrays with room for all transitions of `steps` steps, and for one plan at least."""
    S, plans = len(state["owed"]), int(state["progress"][PLANS])
    shapes: dict[str, tuple[Any, ...]] = dict.fromkeys(RAW_STEPS, ()) | dict.fromkeys(Raw._fields[4:], (S,))
    kinds = dict.fromkeys(Raw._fields, np.int64) | {"raw_values": float, "raw_goal": bool}
    for name, shape in shapes.items():
        have = state.get(name, np.zeros((0, *shape), kinds[name]))
        room = steps if name in RAW_STEPS else len(have) if len(have) > plans else 2 * plans + 8
        state[name] = np.concatenate([have, np.zeros((room - len(have), *shape), kinds[name])])
    return Raw(*(state[name] for name in Raw._fields))
