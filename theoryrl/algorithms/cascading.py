"""Cascading RL: CascadingVI (regret) and CascadingBPI (best policy identification), and the baselines of their paper.

Source: Y. Du, R. Srikant, W. Chen, "Cascading Reinforcement Learning", ICLR 2024 (arXiv 2401.08961).

One episode of CascadingVI, as the paper states it; the kernels below name the lines that they carry out.

1. From all earlier episodes: click rates q_hat(s, a) over *examined* items, transition frequencies p_hat(s, a) over
   clicks (no click included, at index N), and confidence intervals of q.
2. Backwards over h: w_bar(s, a) = r(s, a) + min(p_hat V_bar_{h+1} + bonus, H - h).
3. V_bar_h(s) and the list pi_h(s): the best list at the optimistic q and w_bar (BestPerm, `theoryrl.planning.best_perm`).
4. Pessimistic values V_low of the chosen lists, at the least favourable q in its interval.
5. Play pi; update the counts of examined items only, and of the realised click or no-click.

CascadingBPI plans in the same way and stops as soon as V_bar_1 - V_low_1 <= epsilon at the start state.
"""

from __future__ import annotations

import abc
import dataclasses
import math
from typing import Any

import numpy as np

from theoryrl import validate
from theoryrl.algorithms import cascading_trace as tracing
from theoryrl.algorithms.run import Algorithm, State, Trace
from theoryrl.estimation.bernoulli import bernstein_radius, hoeffding_radius, kl_lower, kl_upper
from theoryrl.estimation.transitions import l1_radius
from theoryrl.jit import kernel, record
from theoryrl.planning.arrays import copy, expectation, invert
from theoryrl.planning.best_perm import BOX, DP, ENUMERATE, GREEDY, LITERAL, all_lists, box_kernel, list_length, pessimistic_list_value, workspace
from theoryrl.planning.cascade import policy_values
from theoryrl.problems.cascading import CascadingMDP

ORACLES = {"greedy": GREEDY, "bestperm": DP, "enum": ENUMERATE}
FALLBACKS = {"box": BOX, "literal": LITERAL}
BERNSTEIN, KL, HOEFFDING, POINT = range(4)  # intervals of q
L1, VARIANCE, SMALLER, NONE, IGNORE = range(5)  # bonuses of p; NONE plans with p_hat, IGNORE for the immediate reward
EPISODE, REPLANS, DUE, CHANGED = range(4)  # entries of `progress`
UNSEEN = 1e300  # radius of a pair without samples: its bonus is then the cap

World = record(__name__, "World", "q P cumulative r start V_star")
Counts = record(__name__, "Counts", "n_q clicks n_p n_next touched")
Model = record(__name__, "Model", "lower upper p_hat radius log_over_n due_q due_p stale")
Plan = record(__name__, "Plan", "V_bar V_low V_pi lists lengths at_lower u_low bonus")
Scratch = record(__name__, "Scratch", "table cells order w_bar w_low moments candidate")
Options = record(__name__, "Options", "interval bonus oracle fallback min_length every anytime alpha_q beta_q alpha_p beta_p x dimension eta epsilon")


@kernel
def play(
    world: Any, counts: Any, model: Any, plan: Any, work: Any, options: Any, trace: Any, progress: Any, regret: Any, rng: Any, k: int, traced: bool, raw: bool
) -> int:
    """Play up to `k` episodes; return how many (fewer: the stopping rule of CascadingBPI fired)."""
    S, N = world.q.shape
    H = plan.lists.shape[0]
    for done in range(k):
        s = world.start[progress[EPISODE] if world.start.shape[0] > 1 else 0]
        if progress[DUE] == 1:
            estimate(counts, model, options)
            make_plan(world.r, model, plan, work, options, progress, traced or options.anytime)
            if progress[CHANGED] == 1:
                policy_values(plan.lists, plan.lengths, world.q, world.P, world.r, plan.V_pi)
            if traced:
                tracing.record_plan(world, model, plan, trace, options.anytime)
            progress[REPLANS] += 1
            progress[DUE] = options.every
        if options.anytime and plan.V_bar[0, s] - plan.V_low[0, s] <= options.epsilon:  # CascadingBPI stops
            progress[DUE] = 0
            return done
        regret[0] += world.V_star[0, s] - plan.V_pi[0, s]
        if traced:
            tracing.open_episode(s, plan, trace)
        for h in range(H):
            length = plan.lengths[h, s]
            position = browse(world.q[s], plan.lists[h, s], length, rng)
            for i in range(min(position + 1, length)):  # line 5
                examine(counts, model, progress, s, plan.lists[h, s, i], i == position)
            clicked = plan.lists[h, s, position] if position < length else N
            s_next = invert(world.cumulative[s, clicked], rng.random())
            transit(counts, model, progress, s, clicked, s_next)
            if traced:
                tracing.record_step(h, s, clicked, s_next, world, plan, trace, options.anytime)
                if raw:
                    tracing.record_raw(progress[EPISODE], h, s, clicked, s_next, plan, trace)
            s = s_next
        if traced:
            tracing.close_episode(trace)
        progress[EPISODE] += 1
    return k


@kernel
def browse(q: Any, items: Any, length: int, rng: Any) -> int:
    """Let the user go down the list; return the position of the first attractive item, or `length` if there is none."""
    for i in range(length):
        if rng.random() < q[items[i]]:
            return i
    return length


@kernel
def examine(counts: Any, model: Any, progress: Any, s: int, a: int, attracted: bool) -> None:
    """Line 5: count an examined item and its click; items below the click are never examined."""
    counts.n_q[s, a] += 1
    counts.clicks[s, a] += attracted
    touch(counts.touched, s * counts.n_p.shape[1] + a)
    if counts.n_q[s, a] >= model.due_q[s, a]:
        progress[DUE] = 1


@kernel
def transit(counts: Any, model: Any, progress: Any, s: int, clicked: int, s_next: int) -> None:
    """Line 5: count the transition after a click, or after no click (index N)."""
    counts.n_p[s, clicked] += 1
    counts.n_next[s, clicked, s_next] += 1
    touch(counts.touched, s * counts.n_p.shape[1] + clicked)
    if counts.n_p[s, clicked] >= model.due_p[s, clicked]:
        progress[DUE] = 1


@kernel
def touch(touched: Any, pair: int) -> None:
    """Push `pair` on the stack of the pairs whose counts moved since the last plan: row 0 (its height last), flags in row 1."""
    if touched[1, pair] == 0:
        height = touched[0, touched.shape[1] - 1]
        touched[0, height] = pair
        touched[1, pair] = 1
        touched[0, touched.shape[1] - 1] = height + 1


@kernel
def estimate(counts: Any, model: Any, options: Any) -> None:
    """Line 1: frequencies, intervals and radii of the pairs whose counts moved since the last plan."""
    touched = counts.touched
    width = counts.n_p.shape[1]
    for t in range(touched[0, touched.shape[1] - 1]):
        pair = touched[0, t]
        touched[1, pair] = 0
        s, a = pair // width, pair % width
        if a < width - 1 and counts.n_q[s, a] > 0:
            n = counts.n_q[s, a]
            x = log_term(options.x, n, options.anytime)
            model.lower[s, a], model.upper[s, a] = q_interval(options.interval, counts.clicks[s, a] / n, n, x, options.alpha_q, options.beta_q)
            model.due_q[s, a] = (1 + options.eta) * n
            model.stale[s] = 1
        if counts.n_p[s, a] > 0:
            n = counts.n_p[s, a]
            x = log_term(options.x, n, options.anytime)
            for s_next in range(counts.n_next.shape[2]):
                model.p_hat[s_next, pair] = counts.n_next[s, a, s_next] / n
            model.radius[pair] = 0.0 if options.bonus == NONE else l1_radius(n, options.dimension + x)
            model.log_over_n[pair] = x / n
            model.due_p[s, a] = (1 + options.eta) * n
    touched[0, touched.shape[1] - 1] = 0


@kernel
def log_term(x: float, n: int, anytime: bool) -> float:
    """Return x, or the anytime x(n) = x + ln(n (n + 1))."""
    return x + math.log(n * (n + 1.0)) if anytime else x


@kernel
def q_interval(interval: int, q_hat: float, n: int, x: float, alpha: float, beta: float) -> tuple[float, float]:
    """Line 1: the confidence interval of an attraction probability, clipped to [0, 1]."""
    if interval == KL:
        return kl_lower(q_hat, x / n), kl_upper(q_hat, x / n)
    if interval == POINT:
        return q_hat, q_hat
    width = bernstein_radius(q_hat, n, x, alpha, beta) if interval == BERNSTEIN else hoeffding_radius(n, x)
    return max(q_hat - width, 0.0), min(q_hat + width, 1.0)


@kernel
def make_plan(r: Any, model: Any, plan: Any, work: Any, options: Any, progress: Any, pessimistic: bool) -> None:
    """Lines 2 to 4, backwards over h.  At h = H nothing is unknown in w, so that lists change only where q's interval did."""
    S, N = model.lower.shape
    H, _, m = plan.lists.shape
    w_bar, w_low, candidate = work.w_bar, work.w_low, work.candidate
    needs_low = pessimistic or options.bonus == VARIANCE or options.bonus == SMALLER
    progress[CHANGED] = 0
    for h in range(H - 1, -1, -1):
        known = h == H - 1 or options.bonus == IGNORE
        if known:
            for s in range(S):
                copy(r[s], w_bar[s])
                copy(r[s], w_low[s])
        else:
            optimistic_w(r, plan.V_bar[h + 1], plan.V_low[h + 1], float(H - 1 - h), model, options, plan.bonus[h], w_bar, work.moments)
            if needs_low:
                pessimistic_w(r, plan.V_low[h + 1], model.p_hat, plan.bonus[h], w_low)
        for s in range(S):
            if not known or model.stale[s] == 1:
                value, length, low = box_kernel(
                    options.oracle, options.fallback, model.lower[s], model.upper[s], w_bar[s, :N], w_bar[s, N], m, options.min_length,
                    work.table, work.cells, work.order, candidate,
                )  # fmt: skip
                plan.V_bar[h, s] = value  # line 3
                plan.at_lower[h, s] = low
                if differ(candidate, plan.lists[h, s]):
                    progress[CHANGED] = 1
                    copy(candidate, plan.lists[h, s])
                    plan.lengths[h, s] = length
            if needs_low:  # line 4
                plan.V_low[h, s] = pessimistic_list_value(
                    plan.lists[h, s], plan.lengths[h, s], model.lower[s], model.upper[s], w_low[s, :N], w_low[s, N], plan.u_low[h, s]
                )
    model.stale[:] = 0


@kernel
def differ(a: Any, b: Any) -> bool:
    """Return whether two padded lists differ."""
    for i in range(a.shape[0]):
        if a[i] != b[i]:
            return True
    return False


@kernel
def optimistic_w(r: Any, V_bar: Any, V_low: Any, cap: float, model: Any, options: Any, bonus: Any, w_bar: Any, moments: Any) -> None:
    """Line 2: w_bar = r + min(p_hat V_bar + b, H - h); the bonus b is capped at H - h, which it is at n = 0."""
    flat, r_flat = w_bar.reshape(-1), r.reshape(-1)
    expectation(model.p_hat, V_bar, flat)
    if options.bonus == L1 or options.bonus == NONE:
        for row in range(flat.shape[0]):
            bonus[row] = min(cap * model.radius[row], cap)
    else:
        squares(model.p_hat, V_bar, V_low, moments)
        for row in range(flat.shape[0]):
            y = model.log_over_n[row]
            variance = max(moments[0, row] - flat[row] * flat[row], 0.0)
            b = options.alpha_p * (math.sqrt(variance * y) + math.sqrt(moments[1, row] * y)) + options.beta_p * cap * y
            if options.bonus == SMALLER:
                b = min(b, cap * model.radius[row])
            bonus[row] = min(b, cap)
    for row in range(flat.shape[0]):
        flat[row] = r_flat[row] + min(flat[row] + bonus[row], cap)


@kernel
def squares(p_hat: Any, V_bar: Any, V_low: Any, moments: Any) -> None:
    """Fill the rows of `moments` with p_hat V_bar^2 and p_hat (V_bar - V_low)^2."""
    moments[:] = 0.0
    for s_next in range(V_bar.shape[0]):
        second = V_bar[s_next] * V_bar[s_next]
        gap = (V_bar[s_next] - V_low[s_next]) * (V_bar[s_next] - V_low[s_next])
        for row in range(moments.shape[1]):
            moments[0, row] += p_hat[s_next, row] * second
            moments[1, row] += p_hat[s_next, row] * gap


@kernel
def pessimistic_w(r: Any, V_low: Any, p_hat: Any, bonus: Any, w_low: Any) -> None:
    """Line 4: w_low = r + max(p_hat V_low - b, 0)."""
    flat, r_flat = w_low.reshape(-1), r.reshape(-1)
    expectation(p_hat, V_low, flat)
    for row in range(flat.shape[0]):
        flat[row] = r_flat[row] + max(flat[row] - bonus[row], 0.0)


class _CascadeLearner(Algorithm):
    """Counts, model and plan that all learners of this file share; they differ in the `Options` of their kernels."""

    unit = "episodes"

    @abc.abstractmethod
    def _options(self, problem: CascadingMDP, n: int) -> Any:
        """Return the kernels' options for a horizon of n episodes."""

    def start(self, problem: CascadingMDP, n: int, rng: np.random.Generator) -> State:
        """Return the state before the first episode."""
        check_problem(problem, n)
        S, N, H, m = problem.n_states, problem.n_items, problem.horizon, problem.list_length
        options = self._options(problem, n)
        unknown_q = (0.5, 0.5) if options.interval == POINT else (0.0, 1.0)
        counts = Counts(
            n_q=np.zeros((S, N), np.int64), clicks=np.zeros((S, N), np.int64), n_p=np.zeros((S, N + 1), np.int64),
            n_next=np.zeros((S, N + 1, S), np.int64), touched=np.zeros((2, S * (N + 1) + 1), np.int64),
        )  # fmt: skip
        model = Model(
            lower=np.full((S, N), unknown_q[0]), upper=np.full((S, N), unknown_q[1]), p_hat=np.zeros((S, S * (N + 1))),
            radius=np.full(S * (N + 1), 0.0 if options.bonus == NONE else UNSEEN), log_over_n=np.full(S * (N + 1), UNSEEN),
            due_q=np.ones((S, N)), due_p=np.ones((S, N + 1)), stale=np.ones(S, np.int64),
        )  # fmt: skip
        plan = Plan(
            V_bar=np.zeros((H + 1, S)), V_low=np.zeros((H + 1, S)), V_pi=np.zeros((H + 1, S)), lists=np.full((H, S, m), -2, np.int64),
            lengths=np.zeros((H, S), np.int64), at_lower=np.zeros((H, S), np.bool_), u_low=np.zeros((H, S, m)), bonus=np.zeros((H, S * (N + 1))),
        )  # fmt: skip
        own = {"progress": np.array([0, 0, 1, 0]), "cumulative_regret": np.zeros(1), "horizon": np.array(n), "rng": rng}
        return counts._asdict() | model._asdict() | plan._asdict() | own | tracing.start(problem)

    def advance(self, problem: CascadingMDP, state: State, k: int, trace: Trace) -> int:
        """Play up to `k` episodes."""
        options = self._options(problem, int(state["horizon"]))
        if trace == "raw":
            tracing.allocate_raw(problem, state)
        counts, model, plan, record = (kind(*(state[field] for field in kind._fields)) for kind in (Counts, Model, Plan, tracing.Record))
        work, progress, regret = scratch(problem, options), state["progress"], state["cumulative_regret"]
        return play(known_world(problem), counts, model, plan, work, options, record, progress, regret, state["rng"], k, bool(trace), trace == "raw")

    def measure(self, problem: CascadingMDP, state: State, trace: Trace) -> dict[str, Any]:
        """Return regret, replans and the values of the last plan at the last start state; with a trace, all that the proof needs."""
        start = np.atleast_1d(problem.start)
        s = start[max(int(state["progress"][EPISODE]) - 1, 0) if len(start) > 1 else 0]
        row = {
            "regret": state["cumulative_regret"][0],
            "replans": state["progress"][REPLANS],
            "upper_value": state["V_bar"][0, s],
            "policy_value": state["V_pi"][0, s],
        }
        return row | (tracing.measure(state) | {"lower_value": state["V_low"][0, s]} if trace else {})

    def output(self, problem: CascadingMDP, state: State) -> np.ndarray:
        """Return the last policy, an (H, S, m) array of lists padded with -1."""
        return np.array(state["lists"])


def check_problem(problem: Any, n: int) -> None:
    """Raise unless `problem` is a CascadingMDP with a start state for each of `n` episodes."""
    if not isinstance(problem, CascadingMDP):
        raise TypeError(f"problem: expected a CascadingMDP, got {type(problem).__name__}")
    if np.ndim(problem.start) and len(np.atleast_1d(problem.start)) < n:
        raise ValueError(f"problem: its start lists {len(np.atleast_1d(problem.start))} episodes, expected at least n={n}")


def known_world(problem: CascadingMDP) -> Any:
    """Return the true arrays, from which outcomes are drawn and regret is computed."""
    start = np.array(problem.start, dtype=np.int64, ndmin=1)
    return World(problem.attraction, problem.transition, problem.cumulative, problem.reward, start, problem.optimal_values)


def scratch(problem: CascadingMDP, options: Any) -> Any:
    """Return the arrays that a plan overwrites, and the table of all lists if the oracle enumerates."""
    N, m, shape = problem.n_items, problem.list_length, problem.reward.shape
    table = all_lists(N, m, problem.min_length) if options.oracle == ENUMERATE else np.zeros((0, m), np.int64)
    work, order = workspace(N, m)
    return Scratch(table, work, order, np.zeros(shape), np.zeros(shape), np.zeros((2, problem.reward.size)), np.zeros(m, np.int64))


def horizon_log_term(problem: CascadingMDP, n: int, delta: float) -> float:
    """Return x = ln(2 [2SN + S(N+1)(3H-2)] K H / delta): the union bound of the good event for a known horizon K = n."""
    S, N, H = problem.n_states, problem.n_items, problem.horizon
    return math.log(2 * (2 * S * N + S * (N + 1) * (3 * H - 2)) * n * H / delta)


@dataclasses.dataclass(frozen=True, repr=False)
class CascadingVI(_CascadeLearner):
    r"""CascadingVI: optimistic value iteration with a list oracle (regret minimisation).

    Source: Du, Srikant, Chen, "Cascading Reinforcement Learning", ICLR 2024, Algorithm CascadingVI; the explicit
    variants and their Theorem A are derived here.  The horizon K is known to the algorithm.

    Parameters
    ----------
    delta : float in (0, 1)
        Failure probability of the theorem.
    variant : {"explicit", "explicit-kl", "paper"}
        Intervals of q and bonus of p.  "explicit": :math:`\hat q \pm (\sqrt{2 \hat q (1 - \hat q) x / n} + x / n)` and
        :math:`(H - h) \sqrt{(S \ln 2 + x) / (2 n)}`; "explicit-kl": kl intervals and the smaller of that bonus and the
        empirical Bernstein one; "paper": the paper's Bernstein shapes, whose numbers are recalled, not verified.
    replan : {"every", "geometric"}
        Plan before every episode (the paper), or when a count has grown by the factor ``1 + eta`` since the last plan.
    eta : float > 0
        Ours; used by "geometric".
    oracle : {"greedy", "bestperm", "enum"}
        How the best list is found, always exactly; "bestperm" is the paper's dynamic program.
    fallback : {"box", "literal"}
        What to show when no item is worth more than no click: the exact box oracle, or the paper's rule, which is not
        optimistic (the theorem then does not apply).
    alpha_q, beta_q, alpha_p, beta_p : float, optional
        Constants of the "paper" variant (2, 5, 2, 5).
    log_term : {"paper", "explicit"}
        Log term of the "paper" variant: its own :math:`\ln(14 K H S N / \delta)`, which no theorem here covers, or x.

    Raises
    ------
    ValueError, TypeError
        On a parameter out of range; the message names it.
    """

    delta: float = 0.05
    variant: str = "explicit"
    replan: str = "every"
    eta: float = 0.25
    oracle: str = "greedy"
    fallback: str = "box"
    alpha_q: float | None = None
    beta_q: float | None = None
    alpha_p: float | None = None
    beta_p: float | None = None
    log_term: str = "paper"

    def __post_init__(self) -> None:
        validate.real("delta", self.delta, 0, 1, open_ends=True)
        validate.one_of("variant", self.variant, ("explicit", "explicit-kl", "paper"))
        validate.one_of("replan", self.replan, ("every", "geometric"))
        validate.real("eta", self.eta, 0, math.inf, open_ends=True)
        validate.one_of("oracle", self.oracle, tuple(ORACLES))
        validate.one_of("fallback", self.fallback, tuple(FALLBACKS))
        validate.one_of("log_term", self.log_term, ("paper", "explicit"))
        for name in ("alpha_q", "beta_q", "alpha_p", "beta_p"):
            if getattr(self, name) is not None:
                validate.real(name, getattr(self, name), 0, math.inf, open_ends=True)
                if self.variant != "paper":
                    raise ValueError(f"{name}: only variant='paper' has free constants, got variant={self.variant!r}")

    @property
    def constants(self) -> tuple[float, float, float, float]:
        """(alpha_q, beta_q, alpha_p, beta_p) in force."""
        given = (self.alpha_q, self.beta_q, self.alpha_p, self.beta_p)
        known = (2.0, 5.0, 2.0, 5.0) if self.variant == "paper" else (math.sqrt(2), 1.0, math.sqrt(2), 3.0)
        a, b, c, d = (k if g is None else g for g, k in zip(given, known, strict=True))
        return a, b, c, d

    def _log_term(self, problem: CascadingMDP, n: int) -> float:
        if self.variant == "paper" and self.log_term == "paper":
            return math.log(n * problem.horizon * problem.n_states * problem.n_items * 14 / self.delta)
        return horizon_log_term(problem, n, self.delta)

    def _options(self, problem: CascadingMDP, n: int) -> Any:
        alpha_q, beta_q, alpha_p, beta_p = self.constants
        return Options(
            interval=KL if self.variant == "explicit-kl" else BERNSTEIN,
            bonus={"explicit": L1, "explicit-kl": SMALLER, "paper": VARIANCE}[self.variant],
            oracle=ORACLES[self.oracle],
            fallback=FALLBACKS[self.fallback],
            min_length=problem.min_length,
            every=int(self.replan == "every"),
            anytime=False,
            alpha_q=alpha_q,
            beta_q=beta_q,
            alpha_p=alpha_p,
            beta_p=beta_p,
            x=self._log_term(problem, n),
            dimension=problem.n_states * math.log(2),
            eta=float(self.eta) if self.replan == "geometric" else 0.0,
            epsilon=0.0,
        )


@dataclasses.dataclass(frozen=True, repr=False)
class CascadingVIOracle(CascadingVI):
    """CascadingVI with the list found by enumeration: the paper's CascadingVI-Oracle.  Same values, much slower."""

    oracle: str = "enum"


@dataclasses.dataclass(frozen=True, repr=False)
class CascadingBPI(_CascadeLearner):
    r"""CascadingBPI: return an epsilon-optimal policy with probability at least 1 - delta.

    Source: the paper's Theorem 2; its stopping rule is not spelled out in the main text, so that this explicit version
    (anytime kl intervals and L1 bonuses, a certified lower value, stop when the gap is at most epsilon) is derived here.

    Parameters
    ----------
    delta : float in (0, 1)
    epsilon : float > 0
    replan, eta, oracle
        As in `CascadingVI`.

    Notes
    -----
    The `n` of ``run`` caps the episodes: ``run.stopped`` says whether the rule fired, ``run.steps`` is then tau, and
    ``run.output`` the policy.
    """

    delta: float = 0.05
    epsilon: float = 0.1
    replan: str = "every"
    eta: float = 0.25
    oracle: str = "greedy"

    def __post_init__(self) -> None:
        validate.real("delta", self.delta, 0, 1, open_ends=True)
        validate.real("epsilon", self.epsilon, 0, math.inf, open_ends=True)
        validate.one_of("replan", self.replan, ("every", "geometric"))
        validate.real("eta", self.eta, 0, math.inf, open_ends=True)
        validate.one_of("oracle", self.oracle, tuple(ORACLES))

    def start(self, problem: CascadingMDP, n: int, rng: np.random.Generator) -> State:
        """Return the state before the first episode."""
        if isinstance(problem, CascadingMDP) and np.ndim(problem.start):
            raise ValueError("problem: best policy identification needs one start state, got an array")
        return super().start(problem, n, rng)

    def _options(self, problem: CascadingMDP, n: int) -> Any:
        vi = CascadingVI(self.delta, replan=self.replan, eta=self.eta, oracle=self.oracle)
        x = math.log(8 * problem.n_states * (problem.n_items + 1) / self.delta)  # x(n) = ln(8 S (N+1) n (n+1) / delta)
        return vi._options(problem, n)._replace(interval=KL, anytime=True, x=x, epsilon=float(self.epsilon))


@dataclasses.dataclass(frozen=True, repr=False)
class CascadingVIBonus(_CascadeLearner):
    """CascadingVI with a variance-unaware bonus of q (the paper's CascadingVI-Bonus; its form, Hoeffding's, is our choice).

    Optimism holds (the interval contains the kl one, by Pinsker), but the regret theorem does not cover it.
    """

    delta: float = 0.05
    replan: str = "every"
    eta: float = 0.25
    oracle: str = "greedy"

    def __post_init__(self) -> None:
        CascadingVI(self.delta, replan=self.replan, eta=self.eta, oracle=self.oracle)

    def _options(self, problem: CascadingMDP, n: int) -> Any:
        vi = CascadingVI(self.delta, replan=self.replan, eta=self.eta, oracle=self.oracle)
        return vi._options(problem, n)._replace(interval=HOEFFDING)


@dataclasses.dataclass(frozen=True, repr=False)
class MyopicCascade(_CascadeLearner):
    """Per-state cascading UCB: the best list for the immediate reward, at optimistic q; ignores transitions.  No theorem."""

    delta: float = 0.05

    def __post_init__(self) -> None:
        validate.real("delta", self.delta, 0, 1, open_ends=True)

    def _options(self, problem: CascadingMDP, n: int) -> Any:
        return CascadingVI(self.delta)._options(problem, n)._replace(bonus=IGNORE)


@dataclasses.dataclass(frozen=True, repr=False)
class GreedyCascade(_CascadeLearner):
    """Plans with the estimates, without bonuses (unseen: q_hat = 1/2, w = r).  No theorem."""

    def _options(self, problem: CascadingMDP, n: int) -> Any:
        return CascadingVI()._options(problem, n)._replace(interval=POINT, bonus=NONE)



ListCounts = record(__name__, "ListCounts", "list_n list_reward list_next reward_bar list_radius")
ListPlan = record(__name__, "ListPlan", "V_bar V_pi actions lists lengths")


@kernel
def play_lists(world: Any, counts: Any, plan: Any, table: Any, x: float, dimension: float, progress: Any, regret: Any, rng: Any, k: int) -> None:
    """Play `k` episodes of AdaptVI, whose actions are the rows of `table`: whole lists."""
    N = world.q.shape[1]
    H = plan.actions.shape[0]
    for _ in range(k):
        s = world.start[progress[EPISODE] if world.start.shape[0] > 1 else 0]
        plan_lists(counts, plan, table, progress)
        progress[REPLANS] += 1
        if progress[CHANGED] == 1:
            policy_values(plan.lists, plan.lengths, world.q, world.P, world.r, plan.V_pi)
        regret[0] += world.V_star[0, s] - plan.V_pi[0, s]
        for h in range(H):
            action, length = plan.actions[h, s], plan.lengths[h, s]
            position = browse(world.q[s], table[action], length, rng)
            clicked = table[action, position] if position < length else N
            s_next = invert(world.cumulative[s, clicked], rng.random())
            n = counts.list_n[s, action] + 1
            counts.list_n[s, action] = n
            counts.list_reward[s, action] += world.r[s, clicked]
            counts.list_next[s, action, s_next] += 1
            counts.reward_bar[s, action] = min(counts.list_reward[s, action] / n + hoeffding_radius(n, x), 1.0)
            counts.list_radius[s, action] = l1_radius(n, dimension + x)
            s = s_next
        progress[EPISODE] += 1


@kernel
def plan_lists(counts: Any, plan: Any, table: Any, progress: Any) -> None:
    """Optimistic value iteration over whole lists: bonuses on the mean reward (capped at 1) and on the transitions (capped at H - h)."""
    H, S = plan.actions.shape
    progress[CHANGED] = 0
    for h in range(H - 1, -1, -1):
        cap = float(H - 1 - h)
        for s in range(S):
            best, chosen = -1.0, 0
            for action in range(table.shape[0]):
                value = counts.reward_bar[s, action]
                if counts.list_n[s, action] == 0:
                    value += cap
                elif cap > 0:
                    expected = 0.0
                    for s_next in range(S):
                        expected += counts.list_next[s, action, s_next] * plan.V_bar[h + 1, s_next]
                    value += min(expected / counts.list_n[s, action] + cap * counts.list_radius[s, action], cap)
                if value > best:
                    best, chosen = value, action
            plan.V_bar[h, s] = best
            if plan.actions[h, s] != chosen:
                progress[CHANGED] = 1
                plan.actions[h, s] = chosen
                copy(table[chosen], plan.lists[h, s])
                plan.lengths[h, s] = list_length(table[chosen])


@dataclasses.dataclass(frozen=True, repr=False)
class AdaptVI(Algorithm):
    r"""Optimistic value iteration in which every list is an action of its own (the paper's AdaptVI; its constants are ours).

    Each list's transition row has the bonus :math:`(H - h) \sqrt{(S \ln 2 + x) / (2n)}` and its mean reward
    :math:`\sqrt{x / (2n)}`, :math:`x = \ln(4 S |\mathcal A| K H / \delta)`.  No theorem; time and memory grow with the number of lists.
    """

    delta: float = 0.05

    unit = "episodes"

    def __post_init__(self) -> None:
        validate.real("delta", self.delta, 0, 1, open_ends=True)

    def start(self, problem: CascadingMDP, n: int, rng: np.random.Generator) -> State:
        """Return the state before the first episode."""
        check_problem(problem, n)
        table = all_lists(problem.n_items, problem.list_length, problem.min_length)
        S, H, L = problem.n_states, problem.horizon, len(table)
        counts = ListCounts(np.zeros((S, L), np.int64), np.zeros((S, L)), np.zeros((S, L, S), np.int64), np.ones((S, L)), np.full((S, L), UNSEEN))
        plan = ListPlan(
            np.zeros((H + 1, S)), np.zeros((H + 1, S)), np.full((H, S), -1, np.int64), np.zeros((H, S, table.shape[1]), np.int64), np.zeros((H, S), np.int64)
        )
        own = {"table": table, "progress": np.zeros(4, np.int64), "cumulative_regret": np.zeros(1), "horizon": np.array(n), "rng": rng}
        return counts._asdict() | plan._asdict() | own

    def advance(self, problem: CascadingMDP, state: State, k: int, trace: Trace) -> int:
        """Play `k` episodes."""
        x = math.log(4 * problem.n_states * len(state["table"]) * int(state["horizon"]) * problem.horizon / self.delta)
        counts, plan = (kind(*(state[field] for field in kind._fields)) for kind in (ListCounts, ListPlan))
        dimension = problem.n_states * math.log(2)
        play_lists(known_world(problem), counts, plan, state["table"], x, dimension, state["progress"], state["cumulative_regret"], state["rng"], k)
        return k

    def measure(self, problem: CascadingMDP, state: State, trace: Trace) -> dict[str, Any]:
        """Return the regret."""
        return {"regret": state["cumulative_regret"][0]}
