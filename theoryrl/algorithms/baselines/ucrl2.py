r"""UCRL2: optimism for average reward in communicating MDPs, in phases that double the visits of a pair.

Source: T. Jaksch, R. Ortner, P. Auer, "Near-optimal regret bounds for reinforcement learning", JMLR 11, 2010, Figure 1.
The radii of "explicit", and the phases that end right after the doubling, are derived here.

The kernels below name the lines that they carry out.

1. When a phase begins, at step t: count what happened in the last one.
2. From all counts N: frequencies p_hat and mean rewards r_hat, with radii d_p (L1) and d_r.
3. Extended value iteration from u = 0: u'(s) = max_a min(1, r_hat + d_r) + max_p p u over the L1 balls, until the span of
   u' - u is below 1 / sqrt(t).  Keep u, and the greedy policy with the rewards and rows that it was found with.
4. Play the policy until a pair has as many visits in the phase as before it, or one if there was none.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from theoryrl import validate
from theoryrl.algorithms.baselines import ucrl2_trace as tracing
from theoryrl.algorithms.baselines.ucrl2_theory import ucrl2_theory
from theoryrl.algorithms.run import Algorithm, State, Trace
from theoryrl.jit import kernel, record
from theoryrl.planning.l1_ball import favour, sort_states
from theoryrl.problems.continuing import ContinuingMDP

CLOCK, PHASES, PLACE, DUE = range(4)  # entries of `progress`: steps done, phases begun, the state, whether a phase must begin

World = record(__name__, "World", "cumulative following reward mean")
Counts = record(__name__, "Counts", "visits next_visits reward_totals phase_visits outcome_counts limit")
Plan = record(__name__, "Plan", "policy u u_next r_tilde p_tilde")
Settings = record(__name__, "Settings", "explicit before known_rewards row_factor reward_factor")
Scratch = record(__name__, "Scratch", "p_hat half r_up order row")


@kernel
def play(
    world: Any, counts: Any, plan: Any, settings: Any, scratch: Any, progress: Any, rng: Any, k: int, trace: Any, numbers: Any, raw: bool
) -> None:  # fmt: skip
    """Play `k` steps; `trace` is None or a record (a caller without one compiles nothing of it)."""
    done = 0
    while done < k:
        if progress[DUE] == 1:
            begin_phase(world, counts, plan, settings, scratch, progress)
            if trace is not None:
                tracing.record_plan(progress[CLOCK] + 1, progress[PHASES], plan, trace, numbers)
                if raw:
                    tracing.record_plan_raw(progress[CLOCK] + 1, progress[PHASES] - 1, plan, trace)
        moved = walk(
            world.cumulative, world.following, world.reward, plan.policy, counts.outcome_counts, counts.phase_visits, counts.limit, settings.before, progress,
            rng, k - done, trace, numbers, raw,
        )  # fmt: skip
        progress[CLOCK] += moved
        done += moved


@kernel
def walk(
    cumulative: Any, following: Any, reward: Any, policy: Any, outcome_counts: Any, phase_visits: Any, limit: Any, before: bool, progress: Any, rng: Any,
    k: int, trace: Any, numbers: Any, raw: bool,
) -> int:  # fmt: skip
    """Line 4, for at most `k` steps; return how many were made."""
    s, A = progress[PLACE], limit.shape[0] // policy.shape[0]
    for i in range(k):
        row = s * A + policy[s]
        if before and phase_visits[row] >= limit[row]:
            progress[PLACE], progress[DUE] = s, 1
            return i
        uniform = rng.random()
        j = 0
        while uniform >= cumulative[row, j]:
            j += 1
        outcome_counts[row, j] += 1
        phase_visits[row] += 1
        if trace is not None:
            tracing.record_step(s, row, following[row, j], reward[row, j], trace, numbers)
            if raw:
                tracing.record_step_raw(progress[CLOCK] + i, progress[PHASES] - 1, s, policy[s], following[row, j], reward[row, j], trace)
        s = following[row, j]
        if not before and phase_visits[row] >= limit[row]:
            progress[PLACE], progress[DUE] = s, 1
            return i + 1
    progress[PLACE] = s
    return k


@kernel
def begin_phase(world: Any, counts: Any, plan: Any, settings: Any, scratch: Any, progress: Any) -> None:
    """Lines 1 to 3."""
    t = progress[CLOCK] + 1
    learn(world.following, world.reward, counts)
    estimate(counts.visits, counts.next_visits, counts.reward_totals, world.mean, t, settings, scratch)
    extended_value_iteration(scratch, 1 / math.sqrt(t), plan)
    progress[PHASES] += 1
    progress[DUE] = 0


@kernel
def learn(following: Any, reward: Any, counts: Any) -> None:
    """Line 1."""
    for row in range(counts.visits.shape[0]):
        counts.visits[row] += counts.phase_visits[row]
        counts.phase_visits[row] = 0
        counts.limit[row] = max(1, counts.visits[row])
        for j in range(following.shape[1]):
            counts.next_visits[row, following[row, j]] += counts.outcome_counts[row, j]
            counts.reward_totals[row] += counts.outcome_counts[row, j] * reward[row, j]
            counts.outcome_counts[row, j] = 0


@kernel
def estimate(visits: Any, next_visits: Any, reward_totals: Any, mean: Any, t: int, settings: Any, scratch: Any) -> None:
    """Line 2: frequencies, half of d_p, and the largest rewards; of a pair without visits nothing is known."""
    rows, S = next_visits.shape
    for row in range(rows):
        n = visits[row]
        scratch.half[row] = 1.0
        scratch.r_up[row] = 1.0
        scratch.p_hat[row, :] = 0.0
        if n > 0:
            if settings.explicit:
                x = math.log(settings.row_factor * n * (n + 1.0))
                d_p, d_r = math.sqrt(2 * (S * math.log(2) + x) / n), math.sqrt(x / (2 * n))
            else:
                d_p = math.sqrt(14 * S * math.log(settings.row_factor * t) / n)
                d_r = math.sqrt(7 * math.log(settings.reward_factor * t) / (2 * n))
            scratch.half[row] = d_p / 2
            scratch.r_up[row] = min(1.0, reward_totals[row] / n + d_r)
            for s2 in range(S):
                scratch.p_hat[row, s2] = next_visits[row, s2] / n
        if settings.known_rewards:
            scratch.r_up[row] = mean[row]


@kernel
def extended_value_iteration(scratch: Any, precision: float, plan: Any) -> None:
    """Line 3; on return u' = `u_next` belongs to `u`, and so do the policy and its optimistic rewards and rows."""
    u, u_next, order = plan.u, plan.u_next, scratch.order
    S = u.shape[0]
    u_next[:] = 0.0
    for s in range(S):
        order[s] = s
    low, high = 0.0, math.inf
    while high - low >= precision:
        least = u_next[0]
        for s in range(S):
            least = min(least, u_next[s])
        for s in range(S):
            u[s] = u_next[s] - least  # a constant changes no decision
        sort_states(u, order, True)
        low, high = math.inf, -math.inf
        for s in range(S):
            u_next[s] = backup(s, u, scratch.p_hat, scratch.half, scratch.r_up, order, scratch.row, plan.policy)
            low, high = min(low, u_next[s] - u[s]), max(high, u_next[s] - u[s])
    A = scratch.half.shape[0] // S
    for s in range(S):
        row = s * A + plan.policy[s]
        plan.r_tilde[s] = scratch.r_up[row]
        favour(scratch.p_hat[row], scratch.half[row], order, plan.p_tilde[s])


@kernel
def backup(s: int, u: Any, p_hat: Any, half: Any, r_up: Any, order: Any, row_tilde: Any, policy: Any) -> float:
    """Return u'(s) and keep the greedy action, the lowest of equal ones."""
    S = u.shape[0]
    A = half.shape[0] // S
    best = -math.inf
    for a in range(A):
        row = s * A + a
        favour(p_hat[row], half[row], order, row_tilde)
        value = 0.0
        for s2 in range(S):
            value += row_tilde[s2] * u[s2]
        value += r_up[row]
        if value > best:
            best = value
            policy[s] = a
    return best


@dataclasses.dataclass(frozen=True, repr=False)
class UCRL2(Algorithm):
    r"""UCRL2: optimistic average-reward planning in L1 balls, for communicating MDPs with rewards in [0, 1].

    Source: Jaksch, Ortner, Auer, JMLR 11, 2010.  A phase that begins with step t has radii, after n >= 1 visits of a pair,

    - "explicit" (derived here): :math:`d_p = \sqrt{2 (S \ln 2 + \ell) / n}`, :math:`d_r = \sqrt{\ell / (2n)}`,
      :math:`\ell = \ln(6 S A n (n + 1) / \delta)`;
    - "paper": :math:`d_p = \sqrt{14 S \ln(2 A t / \delta) / n}`, :math:`d_r = \sqrt{7 \ln(2 S A t / \delta) / (2n)}`.

    It makes no use of its horizon, so that a run can be continued.  Its regret is the sum of the optimal gain minus the mean
    reward of each step.

    Parameters
    ----------
    variant : {"explicit", "paper"}
    delta : float in (0, 1)
        Failure probability of the theorem.
    stop : {"after", "before"}, optional
        When a phase ends: "after" the step that doubles the visits of a pair, or, as in the paper, "before" the step that
        would more than double them, so that a phase goes on while the pair that is due next is not used up.  Default:
        "before" in the paper's variant, else "after".
    known_rewards : bool
        Ours: whether mean rewards are known, so that only the laws are learned.

    Raises
    ------
    ValueError, TypeError
        On a parameter out of range; the message names it.
    """

    unit = "steps"
    anytime = True

    variant: str = "explicit"
    delta: float = 0.05
    stop: str | None = None
    known_rewards: bool = False

    def __post_init__(self) -> None:
        validate.one_of("variant", self.variant, ("explicit", "paper"))
        validate.real("delta", self.delta, 0, 1, open_ends=True)
        if self.stop is not None:
            validate.one_of("stop", self.stop, ("after", "before"))
        if not isinstance(self.known_rewards, bool):
            raise TypeError(f"known_rewards: expected True or False, got {self.known_rewards!r}")

    @property
    def rule(self) -> str:
        """When a phase ends: `stop` or its default."""
        return self.stop or ("after" if self.variant == "explicit" else "before")

    def _settings(self, problem: ContinuingMDP) -> Any:
        """Return the kernels' constants."""
        S, A = problem.n_states, problem.n_actions
        explicit = self.variant == "explicit"
        return Settings(
            explicit=explicit, before=self.rule == "before", known_rewards=self.known_rewards, row_factor=(6 * S * A if explicit else 2 * A) / self.delta,
            reward_factor=2 * S * A / self.delta,
        )  # fmt: skip

    def start(self, problem: ContinuingMDP, n: int, rng: np.random.Generator) -> State:
        """Return the state before the first step."""
        if not isinstance(problem, ContinuingMDP):
            raise TypeError(f"problem: expected a ContinuingMDP, got {type(problem).__name__}")
        problem.require_communicating("UCRL2")
        S, rows, outcomes = problem.n_states, problem.n_states * problem.n_actions, problem.outcomes.following.shape
        counts = Counts(
            visits=np.zeros(rows, np.int64), next_visits=np.zeros((rows, S), np.int64), reward_totals=np.zeros(rows),
            phase_visits=np.zeros(rows, np.int64), outcome_counts=np.zeros(outcomes, np.int64), limit=np.ones(rows, np.int64),
        )  # fmt: skip
        plan = Plan(policy=np.zeros(S, np.int64), u=np.zeros(S), u_next=np.zeros(S), r_tilde=np.zeros(S), p_tilde=np.zeros((S, S)))
        own = {"progress": np.array([0, 0, problem.start, 1]), "horizon": np.array(n), "rng": rng}
        return counts._asdict() | plan._asdict() | own | tracing.start(problem)

    def advance(self, problem: ContinuingMDP, state: State, k: int, trace: Trace) -> int:
        """Play `k` steps."""
        S, rows = problem.n_states, problem.n_states * problem.n_actions
        recorded, numbers = None, None
        if trace:
            theory = ucrl2_theory(self.variant, self.rule, self.known_rewards, self.delta, problem, int(state["horizon"]))
            if trace == "raw":
                tracing.allocate_raw(state, max(int(state["horizon"]), int(state["progress"][CLOCK]) + k), theory)
            recorded = tracing.Record(*(state[field] for field in tracing.Record._fields))
            numbers = tracing.numbers(theory, problem)
        counts, plan = (kind(*(state[field] for field in kind._fields)) for kind in (Counts, Plan))
        world = World(*problem.outcomes, np.ascontiguousarray(problem.reward).reshape(-1))
        scratch = Scratch(p_hat=np.zeros((rows, S)), half=np.zeros(rows), r_up=np.zeros(rows), order=np.arange(S), row=np.zeros(S))
        play(world, counts, plan, self._settings(problem), scratch, state["progress"], state["rng"], k, recorded, numbers, trace == "raw")
        return k

    def measure(self, problem: ContinuingMDP, state: State, trace: Trace) -> dict[str, Any]:
        """Return the regret, the number of phases, and the gain that the last plan promises; with a trace, all that the proof needs."""
        t, visits = int(state["progress"][CLOCK]), state["visits"] + state["phase_visits"]
        row = {
            "regret": t * problem.optimal_gain - math.fsum(visits * np.asarray(problem.reward).reshape(-1)),
            "phases": state["progress"][PHASES],
            "optimistic_gain": float((state["u_next"] - state["u"]).max()),
        }
        return row | (tracing.measure(state) if trace else {})

    def output(self, problem: ContinuingMDP, state: State) -> np.ndarray:
        """Return the policy of the last phase, (S,) actions."""
        return np.array(state["policy"])
