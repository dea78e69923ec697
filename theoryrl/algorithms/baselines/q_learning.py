r"""Optimistic Q-learning: a stage-wise, model-free learner for episodic tabular MDPs with known rewards.

Source: C. Jin, Z. Allen-Zhu, S. Bubeck, M. I. Jordan, "Is Q-learning provably efficient?", NeurIPS 2018 (arXiv 1807.03765),
Algorithm 1 (Hoeffding).  The constants of the default bonus are derived here.

Step h of an episode, from Q_h = V_h = C_h (the paper: H):

1. a = argmax Q_h(s, .), lowest action first; observe s'.
2. t = visits of (h, s, a), this one included; alpha_t = (H + 1) / (H + t).
3. Q_h(s, a) <- (1 - alpha_t) Q_h(s, a) + alpha_t [r + V_{h+1}(s') + b_t].
4. V_h(s) <- min{C_h, max_a Q_h(s, a)}.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from theoryrl import validate
from theoryrl.algorithms.baselines import q_learning_trace as tracing
from theoryrl.algorithms.baselines.episodes import EPISODE, SWITCHES, EpisodicLearner, Steps, allocate_raw, check_problem, known_world, own_state, record_raw
from theoryrl.algorithms.baselines.q_learning_theory import q_learning_theory
from theoryrl.algorithms.run import State, Trace
from theoryrl.jit import kernel, record
from theoryrl.planning.arrays import invert
from theoryrl.planning.episodic import mixture_values, policy_values
from theoryrl.problems.episodic import EpisodicMDP

VARIANTS = ("hoeffding", "hoeffding-paper")

Table = record(__name__, "Table", "Q V visits policy V_pi stale")


@kernel
def play(
    world: Any, table: Any, widths: Any, caps: Any, epsilon: float, scratch: Any, progress: Any, regret: Any, rng: Any, k: int, trace: Any, numbers: Any,
    raw: Any,
) -> None:  # fmt: skip
    """Play `k` episodes, greedily or with uniform actions at rate `epsilon`; `trace` and `raw` are None or records (those of `raw` may be empty)."""
    H, S = table.policy.shape
    A = table.Q.shape[1] // S
    last = world.cumulative.shape[0] - 1
    for _ in range(k):
        if table.stale[0] == 1:
            if epsilon > 0:
                mixture_values(world.P, world.r, table.policy, epsilon, table.V_pi, scratch)
            else:
                policy_values(world.P, world.r, table.policy, table.V_pi)
            table.stale[0] = 0
            progress[SWITCHES] += 1
        s = world.start
        if trace is not None:
            tracing.open_episode(table.V[0, s] - table.V_pi[0, s], trace.sums)
        regret[0] += world.V_star[0, s] - table.V_pi[0, s]
        for h in range(H):
            a = table.policy[h, s]  # line 1
            if epsilon > 0 and rng.random() < epsilon:
                a = int(A * rng.random())
            row = s * A + a
            s_next = invert(world.cumulative[min(h, last), s, a], rng.random())
            table.visits[h, row] += 1
            t = table.visits[h, row]
            rate = learning_rate(t, H)
            bonus = widths[h] / math.sqrt(t)
            following = table.V[h + 1, s_next]
            table.Q[h, row] = (1 - rate) * table.Q[h, row] + rate * (world.r[h, row] + following + bonus)  # line 3
            if trace is not None:
                tracing.record_step(h, s, row, s_next, rate, bonus, world, table.V_pi, trace, numbers)
                if trace.raw_rate.shape[0] > 0:
                    trace.raw_rate[progress[EPISODE], h] = rate
                    trace.raw_bonus[progress[EPISODE], h] = bonus
                    trace.raw_next_value[progress[EPISODE], h] = following
            if raw is not None:  # noqa: SIM102  (Numba drops the branch only if this is all that it asks)
                if raw.raw_states.shape[0] > 0:
                    record_raw(raw.raw_states, raw.raw_actions, raw.raw_next, progress[EPISODE], h, s, a, s_next)
            greedy(table.Q[h], s, A, caps[h], table.V[h], table.policy[h], table.stale)
            if trace is not None:
                tracing.record_update(h, s, row, table.Q[h, row], table.V[h, s], world.V_star, trace.Q_star, trace.maxima)
            s = s_next
        if trace is not None:
            tracing.close_episode(trace.sums, trace.maxima, numbers.azuma_slope * (progress[EPISODE] + 1) + numbers.azuma_offset)
        progress[EPISODE] += 1


@kernel
def learning_rate(t: Any, H: Any) -> Any:
    """Line 2: alpha_t."""
    return (H + 1) / (H + t)


@kernel
def greedy(Q: Any, s: int, A: int, cap: float, V: Any, policy: Any, stale: Any) -> None:
    """Line 4, and the action that will be played."""
    best = s * A
    for row in range(s * A + 1, s * A + A):
        if Q[row] > Q[best]:
            best = row
    V[s] = min(cap, Q[best])
    if policy[s] != best - s * A:
        policy[s] = best - s * A
        stale[0] = 1


def new_table(problem: EpisodicMDP, first: np.ndarray) -> dict[str, Any]:
    """Return the learner's part of the state before the first episode; `first` (H + 1,) fills Q and V."""
    H, S, A = problem.horizon, problem.n_states, problem.n_actions
    return Table(
        Q=np.repeat(first[:H, None], S * A, axis=1), V=np.repeat(first[:, None], S, axis=1), visits=np.zeros((H, S * A), np.int64),
        policy=np.zeros((H, S), np.int64), V_pi=np.zeros((H + 1, S)), stale=np.ones(1, np.int64),
    )._asdict()  # fmt: skip


@dataclasses.dataclass(frozen=True, repr=False)
class OptimisticQLearning(EpisodicLearner):
    r"""Optimistic Q-learning with Hoeffding bonuses, for a known number of episodes K.

    Source: Jin, Allen-Zhu, Bubeck, Jordan, NeurIPS 2018, Algorithm 1.  Any transition, stationary or not.

    Parameters
    ----------
    variant : {"hoeffding", "hoeffding-paper"}
        "hoeffding" (derived here): :math:`b_t = C_{h+1} \sqrt{c_H x / (2t)}`, :math:`c_H = (H + 1)^2 / (2H + 1)`,
        :math:`x = \ln(4 S A \max(H - 1, 1) K / \delta)`.  "hoeffding-paper": :math:`b_t = c \sqrt{H^3 \iota / t}` at every stage,
        :math:`\iota = \ln(S A K H / \delta)`, tables that start from H and are capped by it.
    delta : float in (0, 1)
        Failure probability of the theorem.
    c : float > 0
        "Some constant" of the paper (recalled); ours is 1, which dominates the default bonus when iota >= ln 4.
    bonus_scale : float > 0
        Ours: factor of every bonus; the theorem covers 1 alone.

    Raises
    ------
    ValueError, TypeError
        On a parameter out of range; the message names it.
    """

    variant: str = "hoeffding"
    delta: float = 0.05
    c: float = 1.0
    bonus_scale: float = 1.0

    def __post_init__(self) -> None:
        validate.one_of("variant", self.variant, VARIANTS)
        validate.real("delta", self.delta, 0, 1, open_ends=True)
        validate.real("c", self.c, 0, math.inf, open_ends=True)
        validate.real("bonus_scale", self.bonus_scale, 0, math.inf, open_ends=True)
        if self.c != 1 and not self.printed:
            raise ValueError(f"c: only variant='hoeffding-paper' has it, got variant={self.variant!r}")

    @property
    def printed(self) -> bool:
        """Whether the variant is the paper's."""
        return self.variant == "hoeffding-paper"

    def _widths(self, problem: EpisodicMDP, n: int) -> np.ndarray:
        r"""Return the bonuses times :math:`\sqrt t`, an (H,) array."""
        H, pairs = problem.horizon, problem.n_states * problem.n_actions
        if self.printed:
            return np.full(H, self.bonus_scale * self.c * math.sqrt(H**3 * math.log(pairs * n * H / self.delta)))
        x = math.log(4 * pairs * max(H - 1, 1) * n / self.delta)
        return self.bonus_scale * np.asarray(problem.value_caps[1:], dtype=float) * math.sqrt((H + 1) ** 2 / (2 * H + 1) * x / 2)

    def _caps(self, problem: EpisodicMDP) -> np.ndarray:
        """Return the caps, from which the tables start, an (H + 1,) array with 0 last."""
        if self.printed:
            return np.append(np.full(problem.horizon, float(problem.horizon)), 0.0)
        return np.array(problem.value_caps, dtype=float)

    def start(self, problem: EpisodicMDP, n: int, rng: np.random.Generator) -> State:
        """Return the state before the first episode."""
        check_problem(problem)
        return new_table(problem, self._caps(problem)) | own_state(n, rng) | tracing.start(problem)

    def advance(self, problem: EpisodicMDP, state: State, k: int, trace: Trace) -> int:
        """Play `k` episodes."""
        n = int(state["horizon"])
        if trace == "raw":
            allocate_raw(state, k)
        recorded, numbers, raw = None, None, None
        if trace:
            raw = Steps(*(state[field] for field in Steps._fields))
            recorded = tracing.Record(*(state[field] for field in tracing.Record._fields))
            numbers = tracing.numbers(q_learning_theory(self.variant, self.c, self.delta, problem, n), problem)
        play(
            known_world(problem), Table(*(state[field] for field in Table._fields)), self._widths(problem, n), self._caps(problem), 0.0,
            np.zeros(problem.n_states * problem.n_actions), state["progress"], state["cumulative_regret"], state["rng"], k, recorded, numbers, raw,
        )  # fmt: skip
        return k

    def measure(self, problem: EpisodicMDP, state: State, trace: Trace) -> dict[str, Any]:
        """Return the regret, the table's and the executed policy's value, and how often the policy changed; with a trace, all that the proof needs."""
        row = super().measure(problem, state, trace) | {"upper_value": state["V"][0, problem.start]}
        return row | (tracing.measure(state) if trace else {})
