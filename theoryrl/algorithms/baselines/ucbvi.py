r"""UCBVI: optimistic value iteration with exploration bonuses, for episodic tabular MDPs with known rewards.

Source: M. G. Azar, I. Osband, R. Munos, "Minimax regret bounds for reinforcement learning", ICML 2017 (arXiv 1703.05449);
Algorithms 1 to 4 for the variants whose names end in "-paper".  The bonuses of "hoeffding" and "bernstein" are derived
here; a bonus that is monotone in the value function is the idea of Zhang, Ji, Du, COLT 2021.

One episode; the kernels below name the lines that they carry out.

1. From all earlier episodes: transition frequencies p_hat, and the factors of the bonuses at the counts n.
2. Backwards over h: Q_bar_h = r_h + min(p_hat V_bar_{h+1} + b_h, C_{h+1}), and r_h + C_{h+1} at n = 0
   (the paper: min(r_h + p_hat V_bar_{h+1} + b_h, H), with a bonus at the last stage, too); at most the previous Q_bar_h if `monotone`.
3. V_bar_h = max_a Q_bar_h; play greedily, lowest action first.
4. Count the transitions.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from theoryrl import validate
from theoryrl.algorithms.baselines import ucbvi_trace as tracing
from theoryrl.algorithms.baselines.episodes import (
    EPISODE,
    SWITCHES,
    EpisodicLearner,
    allocate_raw,
    check_pooling,
    check_problem,
    known_world,
    own_state,
    record_raw,
)
from theoryrl.algorithms.baselines.ucbvi_theory import BERNSTEIN, HOEFFDING, PRINTED, ucbvi_theory
from theoryrl.algorithms.run import State, Trace
from theoryrl.jit import kernel, record
from theoryrl.planning.arrays import expectation, invert
from theoryrl.planning.episodic import policy_values
from theoryrl.problems.episodic import EpisodicMDP

VARIANTS = ("hoeffding", "bernstein", "hoeffding-paper", "bernstein-paper")
VARIANCE_FACTOR, LINEAR_FACTOR = 2.6, 6.8
"""c1 and c2 of the Bernstein bonus: it is monotone as c2 >= c1^2, and covers empirical Bernstein's sqrt(2), 3."""

Counts = record(__name__, "Counts", "visits next_visits arrivals touched")
Model = record(__name__, "Model", "p_hat linear quadratic")
Plan = record(__name__, "Plan", "Q_bar V_bar V_pi bonus policy")
Settings = record(__name__, "Settings", "shape linear_factor quadratic_factor variance_scale third widths inner outer monotone")


@kernel
def play(
    world: Any, counts: Any, model: Any, plan: Any, settings: Any, scratch: Any, progress: Any, regret: Any, rng: Any, k: int, trace: Any, numbers: Any,
    raw: bool,
) -> None:  # fmt: skip
    """Play `k` episodes; `trace` is None or a record (a caller without one compiles nothing of it)."""
    H, S = plan.policy.shape
    A = plan.Q_bar.shape[1] // S
    last = world.cumulative.shape[0] - 1
    for _ in range(k):
        refresh(counts.touched, counts.visits, counts.next_visits, model.p_hat, model.linear, model.quadratic, settings.shape, settings.linear_factor,
                settings.quadratic_factor)  # fmt: skip
        changed = make_plan(model, counts.arrivals, world.r, plan.Q_bar, plan.V_bar, plan.bonus, plan.policy, settings, scratch)
        if changed:
            policy_values(world.P, world.r, plan.policy, plan.V_pi)
            progress[SWITCHES] += 1
        if trace is not None:
            tracing.record_plan(world, model.p_hat, plan.bonus, plan.V_bar, plan.V_pi, plan.policy, changed, trace, numbers, scratch)
            if raw:
                tracing.record_plan_raw(progress[EPISODE], plan.bonus, plan.V_bar, trace)
        s = world.start
        regret[0] += world.V_star[0, s] - plan.V_pi[0, s]
        for h in range(H):
            a = plan.policy[h, s]
            row = s * A + a
            s_next = invert(world.cumulative[min(h, last), s, a], rng.random())
            count(counts.touched, counts.visits, counts.next_visits, min(h, counts.visits.shape[0] - 1), row, s_next)
            counts.arrivals[h, s_next] += 1
            if trace is not None:
                tracing.record_step(
                    h, s, row, s_next, trace.stack, trace.true_visits, trace.true_next, trace.true_arrivals, trace.widths, trace.over_n, trace.realised
                )
                if raw:
                    record_raw(trace.raw_states, trace.raw_actions, trace.raw_next, progress[EPISODE], h, s, a, s_next)
            s = s_next
        if trace is not None:
            tracing.close_episode(trace.sums, trace.maxima, trace.realised, numbers.bernstein, numbers.slope, numbers.offset)
        progress[EPISODE] += 1


@kernel
def count(touched: Any, visits: Any, next_visits: Any, g: int, row: int, s_next: int) -> None:
    """Line 4, and push the pair on the stack of those whose counts moved: row 0 (its height last), flags in row 1."""
    visits[g, row] += 1
    next_visits[g, s_next, row] += 1
    pair = g * visits.shape[1] + row
    if touched[1, pair] == 0:
        height = touched[0, touched.shape[1] - 1]
        touched[0, height] = pair
        touched[1, pair] = 1
        touched[0, touched.shape[1] - 1] = height + 1


@kernel
def refresh(
    touched: Any, visits: Any, next_visits: Any, p_hat: Any, linear: Any, quadratic: Any, shape: int, linear_factor: float, quadratic_factor: float
) -> None:
    """Line 1 at the pairs whose counts moved: frequencies, and the factors of the bonuses, in 1 / sqrt(n) or in 1 / n."""
    width = visits.shape[1]
    for t in range(touched[0, touched.shape[1] - 1]):
        pair = touched[0, t]
        touched[1, pair] = 0
        g, row = pair // width, pair % width
        n = visits[g, row]
        for s2 in range(next_visits.shape[1]):
            p_hat[g, s2, row] = next_visits[g, s2, row] / n
        linear[g, row] = linear_factor / (math.sqrt(n) if shape == HOEFFDING else n)
        quadratic[g, row] = quadratic_factor / n
    touched[0, touched.shape[1] - 1] = 0


@kernel
def make_plan(model: Any, arrivals: Any, r: Any, Q_bar: Any, V_bar: Any, bonus: Any, policy: Any, settings: Any, scratch: Any) -> bool:
    """Lines 2 and 3, backwards over h; return whether the greedy policy changed."""
    H, S = policy.shape
    A = r.shape[1] // S
    mean = scratch[0]
    changed = False
    for h in range(H - 1, -1, -1):
        g = min(h, model.p_hat.shape[0] - 1)
        expectation(model.p_hat[g], V_bar[h + 1], mean)
        fill_bonus(settings, settings.widths[h], model.p_hat[g], model.linear[g], model.quadratic[g], V_bar[h + 1], arrivals[h], scratch, bonus[h])
        optimistic_table(r[h], mean, bonus[h], settings.inner[h], settings.outer, settings.monotone, Q_bar[h])
        for s in range(S):
            best = s * A
            for row in range(s * A + 1, s * A + A):
                if Q_bar[h, row] > Q_bar[h, best]:
                    best = row
            V_bar[h, s] = Q_bar[h, best]
            changed = changed or policy[h, s] != best - s * A
            policy[h, s] = best - s * A
    return changed


@kernel
def optimistic_table(r: Any, mean: Any, bonus: Any, inner: float, outer: float, monotone: bool, Q_bar: Any) -> None:
    """Line 2 for one stage; `inner` caps the value to go and `outer` the whole."""
    for row in range(Q_bar.shape[0]):
        q = min(r[row] + min(mean[row] + bonus[row], inner), outer)
        Q_bar[row] = min(q, Q_bar[row]) if monotone else q


@kernel
def fill_bonus(settings: Any, width: float, p_hat: Any, linear: Any, quadratic: Any, V_next: Any, arrivals: Any, scratch: Any, bonus: Any) -> None:
    """The bonuses b_h of one stage; where n = 0, `linear` is 1 and the others vanish, so that the bonus is the cap `width`."""
    if settings.shape == HOEFFDING:
        for row in range(bonus.shape[0]):
            bonus[row] = width * linear[row]
        return
    mean, variance, third = scratch[0], scratch[1], scratch[2]
    variance[:] = 0.0
    for s2 in range(V_next.shape[0]):
        for row in range(bonus.shape[0]):
            d = V_next[s2] - mean[row]
            variance[row] += p_hat[s2, row] * (d * d)
    if settings.shape == BERNSTEIN:
        for row in range(bonus.shape[0]):
            bonus[row] = max(math.sqrt(quadratic[row] * variance[row]), width * linear[row])
        return
    third[:] = 0.0
    for s2 in range(V_next.shape[0]):
        spread = min(settings.third / arrivals[s2], width * width) if arrivals[s2] > 0 else width * width
        for row in range(bonus.shape[0]):
            third[row] += p_hat[s2, row] * spread
    for row in range(bonus.shape[0]):
        root = math.sqrt(quadratic[row] * settings.variance_scale * variance[row])
        bonus[row] = root + width * linear[row] + math.sqrt(quadratic[row] * third[row])


@dataclasses.dataclass(frozen=True, repr=False)
class UCBVI(EpisodicLearner):
    r"""UCBVI: optimistic value iteration, replanned before every episode, for a known number of episodes K.

    Source: Azar, Osband, Munos, ICML 2017.  With n the count before the episode, :math:`C_h` the caps
    `EpisodicMDP.value_caps` and :math:`L = \ln(5 S A K H / \delta)`, the bonus :math:`b_h` is

    - "hoeffding" (derived here): :math:`C_{h+1} \sqrt{x / (2n)}`, where pooled :math:`x = \ln(2 S A H \cdot K H / \delta)`
      and by stage :math:`x = \ln(4 S A \max(H - 1, 1) K / \delta)`;
    - "bernstein" (derived here): :math:`\max\{2.6 \sqrt{\mathrm{Var}_{\hat p}(\bar V_{h+1}) x / n}, 6.8\, C_{h+1} x / n\}`, where
      pooled :math:`x = \ln(2 S A (3 (H - 1) + 2S) K H / \delta)` and by stage :math:`x = \ln(2 S A \max(H - 1, 1) (3 + 2 S) K / \delta)`;
    - "hoeffding-paper" (Algorithm 3): :math:`7 H L \sqrt{1 / n}`, caps H, the minimum with the previous table;
    - "bernstein-paper" (Algorithm 4): :math:`\sqrt{8 L \mathrm{Var}_{\hat p}(\bar V_{h+1}) / n} + \frac{14 H L}{3 n} +
      \sqrt{\frac 8n \sum_y \hat p(y) \min\{\frac{100^2 H^3 S^2 A L^2}{N'_{h+1}(y)}, H^2\}}`, as before; no theorem here covers it.

    Parameters
    ----------
    variant : {"hoeffding", "bernstein", "hoeffding-paper", "bernstein-paper"}
    delta : float in (0, 1)
        Failure probability of the theorem.
    counts : {"pooled", "stage"}
        "pooled" (the paper): one count per (s, a), which needs a transition that is the same at every stage.  "stage": one
        per (h, s, a); not for the paper's variants.
    monotone : bool, optional
        Whether a table is at most its predecessor (the paper).  Default: True in the paper's variants, else False.
    bonus_scale : float > 0
        Ours: factor of every bonus; the theorem covers 1 alone.

    Raises
    ------
    ValueError, TypeError
        On a parameter out of range; the message names it.
    """

    variant: str = "hoeffding"
    delta: float = 0.05
    counts: str = "pooled"
    monotone: bool | None = None
    bonus_scale: float = 1.0

    def __post_init__(self) -> None:
        validate.one_of("variant", self.variant, VARIANTS)
        validate.real("delta", self.delta, 0, 1, open_ends=True)
        validate.one_of("counts", self.counts, ("pooled", "stage"))
        validate.real("bonus_scale", self.bonus_scale, 0, math.inf, open_ends=True)
        if self.monotone not in (None, True, False):
            raise TypeError(f"monotone: expected None, True or False, got {self.monotone!r}")
        if self.printed and self.counts == "stage":
            raise ValueError(f"counts: variant={self.variant!r} pools its counts, as the paper does, got counts='stage'")

    @property
    def printed(self) -> bool:
        """Whether the variant is one of the paper's."""
        return self.variant.endswith("-paper")

    def log_term(self, problem: EpisodicMDP, n: int) -> float:
        """Return x, or L in the paper's variants, for a horizon of `n` episodes."""
        pairs, H = problem.n_states * problem.n_actions, problem.horizon
        inner = max(H - 1, 1)
        if self.printed:
            return math.log(5 * pairs * n * H / self.delta)
        if self.variant == "hoeffding":
            return math.log((2 * pairs * H * n * H if self.counts == "pooled" else 4 * pairs * inner * n) / self.delta)
        S = problem.n_states
        return math.log((2 * pairs * (3 * (H - 1) + 2 * S) * n * H if self.counts == "pooled" else 2 * pairs * inner * (3 + 2 * S) * n) / self.delta)

    def _settings(self, problem: EpisodicMDP, n: int) -> Any:
        """Return the kernels' constants for a horizon of n episodes."""
        H, S, A, x, c = problem.horizon, problem.n_states, problem.n_actions, self.log_term(problem, n), self.bonus_scale
        shape, linear, quadratic = {
            "hoeffding": (HOEFFDING, math.sqrt(x / 2), 0.0),
            "bernstein": (BERNSTEIN, LINEAR_FACTOR * x, VARIANCE_FACTOR**2 * x),
            "hoeffding-paper": (HOEFFDING, 7 * x, 0.0),
            "bernstein-paper": (PRINTED, 14 * x / 3, 8.0),
        }[self.variant]
        widths = np.full(H, float(H)) if self.printed else np.array(problem.value_caps[1:], dtype=float)
        return Settings(
            shape=shape, linear_factor=c * linear, quadratic_factor=c * c * quadratic, variance_scale=x, third=(100 * H * S * x) ** 2 * H * A,
            widths=widths, inner=np.full(H, np.inf) if self.printed else widths, outer=float(H) if self.printed else math.inf,
            monotone=self.printed if self.monotone is None else bool(self.monotone),
        )  # fmt: skip

    def start(self, problem: EpisodicMDP, n: int, rng: np.random.Generator) -> State:
        """Return the state before the first episode."""
        check_problem(problem)
        check_pooling(problem, self.counts)
        H, S, A = problem.horizon, problem.n_states, problem.n_actions
        G, rows = (1 if self.counts == "pooled" else H), S * A
        settings = self._settings(problem, n)
        counts = Counts(np.zeros((G, rows), np.int64), np.zeros((G, S, rows), np.int64), np.zeros((H, S), np.int64), np.zeros((2, G * rows + 1), np.int64))
        model = Model(p_hat=np.zeros((G, S, rows)), linear=np.ones((G, rows)), quadratic=np.zeros((G, rows)))
        first = np.full((H, rows), float(H)) if self.printed else problem.reward_rows + settings.widths[:, None]
        plan = Plan(
            Q_bar=np.array(first, dtype=float), V_bar=np.zeros((H + 1, S)), V_pi=np.zeros((H + 1, S)),
            bonus=np.repeat(settings.widths[:, None], rows, axis=1), policy=np.full((H, S), -1, np.int64),
        )  # fmt: skip
        return counts._asdict() | model._asdict() | plan._asdict() | own_state(n, rng) | tracing.start(problem, self.counts)

    def advance(self, problem: EpisodicMDP, state: State, k: int, trace: Trace) -> int:
        """Play `k` episodes."""
        n = int(state["horizon"])
        if trace == "raw":
            allocate_raw(state, k)
        counts, model, plan = (kind(*(state[field] for field in kind._fields)) for kind in (Counts, Model, Plan))
        recorded, numbers = None, None
        if trace:
            recorded = tracing.Record(*(state[field] for field in tracing.Record._fields))
            numbers = tracing.numbers(ucbvi_theory(self.variant, self.counts, self.delta, problem, n), problem)
        scratch = np.zeros((3, problem.n_states * problem.n_actions))
        play(
            known_world(problem), counts, model, plan, self._settings(problem, n), scratch, state["progress"], state["cumulative_regret"], state["rng"], k,
            recorded, numbers, trace == "raw",
        )  # fmt: skip
        return k

    def measure(self, problem: EpisodicMDP, state: State, trace: Trace) -> dict[str, Any]:
        """Return the regret, the values of the last plan and its policy, and how often the policy changed; with a trace, all that the proof needs."""
        row = super().measure(problem, state, trace) | {"upper_value": state["V_bar"][0, problem.start]}
        return row | (tracing.measure(state) if trace else {})
