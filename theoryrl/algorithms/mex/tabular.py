r"""MEX over the full tabular class, model-free or model-based, with a certified gap in every episode.

Source: Z. Liu et al., "Maximize to Explore", NeurIPS 2023 (arXiv 2305.18258), Algorithm 1.  The paper takes the argmax from
an oracle and states no tabular algorithm; the exact forms of the objective, the solvers and all constants are derived here.
In each episode:

1. f^k maximises V_{1,f}(x_1) - eta sum_h L_h^{k-1}(f) over all tables with 0 <= f_h <= C_h (model-free; L_h is the sum of
   n (f_h - r - P_hat V_{h+1,f})^2), or over all models (L_h is the log loss); up to a certified gap g_k.
2. Execute the greedy policy of f^k.
3. Append the data.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from theoryrl import validate
from theoryrl.algorithms.mex import tabular_trace as tracing
from theoryrl.algorithms.mex.bounded_qp import bounded_values, cells
from theoryrl.algorithms.mex.branch_and_bound import best_policy
from theoryrl.algorithms.mex.constants import Constants
from theoryrl.algorithms.mex.empirical import Empirical, add_sample, agree, first_unvisited, unseen
from theoryrl.algorithms.mex.local_search import present, same, search, search_scratch
from theoryrl.algorithms.mex.policy_form import Table, chord
from theoryrl.algorithms.mex.tabular_models import ModelTable, search_models, tilt_scratch
from theoryrl.algorithms.run import Algorithm, State, Trace
from theoryrl.complexity.gec import model_gec, value_gec
from theoryrl.jit import kernel, record
from theoryrl.planning.arrays import copy, invert
from theoryrl.planning.episodic import policy_values
from theoryrl.problems.episodic import EpisodicMDP

World = record(__name__, "World", "P r cumulative start V_star")
Learner = record(__name__, "Learner", "P r n unvisited n_next f greedy model policy V_pi caps eta model_based progress totals")
"""The empirical model P, r, n, unvisited; n_next (H, S A, S); f (H, S A) with greedy policy and model (H, S', S A); the played policy
(H, S) with its true values V_pi; whether it is model-based; progress: episodes, exact episodes; totals: regret, sum of gaps, lower and upper objective."""
EPISODE, EXACT = range(2)
REGRET, GAPS, LOWER, UPPER = range(4)


@kernel
def play_values(world: Any, learner: Any, bounds: Any, work: Any, scratch: Any, best: Any, trace: Any, rng: Any, k: int, traced: bool, raw: bool) -> None:
    """Play `k` episodes of the model-free version with the local solver."""
    model = Empirical(learner.P, learner.r, learner.n, learner.unvisited)
    for _ in range(k):
        lower, upper = search(model, learner.caps, world.start, learner.eta, bounds, work, scratch, best)
        play_episode(world, learner, lower, max(lower, upper), trace, rng, traced, raw)


@kernel
def play_models(world: Any, learner: Any, work: Any, best: Any, trace: Any, rng: Any, k: int, traced: bool, raw: bool) -> None:
    """Play `k` episodes of the model-based version."""
    for _ in range(k):
        lower, upper = search_models(learner.P, learner.r, learner.n, learner.caps, world.start, learner.eta, work, best)
        play_episode(world, learner, lower, max(lower, upper), trace, rng, traced, raw)


@kernel
def play_episode(world: Any, learner: Any, lower: float, upper: float, trace: Any, rng: Any, traced: bool, raw: bool) -> None:
    """Lines 2 and 3: play the greedy policy of learner.f and count what happened."""
    policy, greedy, totals, progress = learner.policy, learner.greedy, learner.totals, learner.progress
    H, S = policy.shape
    A = learner.f.shape[1] // S
    changed = not same(policy, greedy)
    if changed:
        for h in range(H):
            copy(greedy[h], policy[h])
        policy_values(world.P, world.r, policy, learner.V_pi)
    s = world.start
    totals[REGRET] += world.V_star[0, s] - learner.V_pi[0, s]
    totals[GAPS] += upper - lower
    totals[LOWER] = lower
    totals[UPPER] = upper
    progress[EXACT] += agree(lower, upper)
    if traced:
        tracing.open_episode(world, learner.model, learner.f, policy, lower, upper, learner.eta, learner.caps, learner.model_based, changed, trace)
        if raw:
            tracing.record_plan(trace, progress[EPISODE], learner.f, policy, learner.model, lower, upper, learner.model_based)
    for h in range(H):
        a = policy[h, s]
        row = s * A + a
        s_next = invert(world.cumulative[min(h, world.cumulative.shape[0] - 1), s, a], rng.random())
        add_sample(learner.P, learner.n, learner.n_next, h, row, s_next)
        learner.r[h, row] = world.r[h, row]
        first_unvisited(learner.n, learner.unvisited, h, s)
        if traced:
            tracing.count(world.P, trace, h, row, s_next)
            if raw:
                tracing.record_step(trace, progress[EPISODE], h, s, a, s_next)
        s = s_next
    progress[EPISODE] += 1


@dataclasses.dataclass(frozen=True, repr=False)
class MEXTabular(Algorithm):
    r"""Maximize to Explore over all tables (model-free) or all models (model-based) of an episodic MDP.

    Parameters
    ----------
    variant : {"model-free", "model-based"}
        The class.  Rewards are known in the model-based version, and seen in the other.
    solver : {"local", "exact"}
        "local": several starts and a monotone alternation.  "exact" (model-free): branch and bound, where the local solution is
        not certified as optimal already; an episode that meets the node cap keeps the best hypothesis found.  The gap
        between the hypothesis and a certified upper bound is part of the run and of its regret bound either way; a local
        MEX at small eta is not MEX.  Model-based, "local" is exact for H <= 2.
    delta : float in (0, 1)
        Failure probability of the theorem.
    eta : float > 0, optional
        Weight of the loss.  Default: the theorem's :math:`\sqrt{d / (4 c K \beta)}`, which needs K and the instance.
    node_cap : int
        Largest number of branch-and-bound nodes in an episode.

    Notes
    -----
    It plans anew in every episode: a policy that is kept has another gap on new data.

    Size that branch and bound takes (random MDPs, H, S in 2..5, A in {2, 3}, one core, about 10 microseconds a node): on 10
    random episodes every one ends within 1,700 nodes (11 ms) at eta = .01 or .1, within 35 at eta = 1; on 100 episodes within
    96,127 nodes (.9 s) at eta >= .1, while at eta = .01 those beyond about H S = 16 (A = 2) or 12 (A = 3) reach 100,000 nodes.
    """

    variant: str = "model-free"
    solver: str = "local"
    delta: float = 0.05
    eta: float | None = None
    node_cap: int = 100_000

    unit = "episodes"

    def __post_init__(self) -> None:
        validate.one_of("variant", self.variant, ("model-free", "model-based"))
        validate.one_of("solver", self.solver, ("local", "exact") if self.variant == "model-free" else ("local",))
        validate.real("delta", self.delta, 0, 1, open_ends=True)
        if self.eta is not None:
            validate.real("eta", self.eta, 0, open_ends=True)
        validate.integer("node_cap", self.node_cap, 1)

    def constants(self, problem: EpisodicMDP, n: int) -> Constants:
        r"""Return the constants (c, beta, d, b) of the theorem on an instance, for a horizon of n episodes.

        With :math:`\Gamma_K = S A \ln \binom{K / (S A) + S - 1}{S - 1}` and :math:`L = \ln(2 H S A / \delta)`: model-free,
        :math:`c = \frac12 (1 - 1/e)`, :math:`\beta = \sum_h C_{h+1}^2 (\ln \frac{2 H}{\delta} + \Gamma_K) + \frac12 L S A \sum_h C_h^2`;
        model-based, :math:`c = 1 - 1/e`, :math:`\beta = 2 (\ln \frac2\delta + H \Gamma_K) + H S A L`.
        """
        if not isinstance(problem, EpisodicMDP):
            raise TypeError(f"problem: expected an EpisodicMDP, got {type(problem).__name__}")
        H, S, A = problem.horizon, problem.n_states, problem.n_actions
        caps, share = problem.value_caps, 1 - math.exp(-1)
        visits = n / (S * A)
        mixture = S * A * (math.lgamma(visits + S) - math.lgamma(visits + 1) - math.lgamma(S))
        counts = math.log(2 * H * S * A / self.delta)
        if self.variant == "model-based":
            return Constants(share, 2 * (math.log(2 / self.delta) + H * mixture) + H * S * A * counts, model_gec(n, problem.reachability, caps[1:]))
        beta = float(np.sum(caps[1:] ** 2)) * (math.log(2 * H / self.delta) + mixture) + counts / 2 * S * A * float(np.sum(caps**2))
        return Constants(share / 2, beta, value_gec(n, problem.reachability, caps[:-1]))

    def start(self, problem: EpisodicMDP, n: int, rng: np.random.Generator) -> State:
        """Return the state before the first episode."""
        constants = self.constants(problem, n)
        H, S, A = problem.horizon, problem.n_states, problem.n_actions
        model_based = self.variant == "model-based"
        empirical = unseen(problem.value_caps, S, A)
        return {
            "eta": np.array(constants.eta(n) if self.eta is None else float(self.eta)), "horizon": np.array(n), "n": empirical.n.reshape(H, S, A),
            "n_next": np.zeros((H, S, A, S), np.int64), "P_hat": empirical.P, "r_hat": np.array(problem.reward_rows) if model_based else empirical.r,
            "unvisited": empirical.unvisited, "f": np.zeros((H, S, A)), "f_values": np.zeros((H + 1, S)), "greedy": np.zeros((H, S), np.int64),
            "next_first": np.zeros((H, S, S * A) if model_based else (0, 0, 0)), "policy": np.full((H, S), -1, np.int64), "V_pi": np.zeros((H + 1, S)),
            "progress": np.zeros(2, np.int64), "totals": np.zeros(4), "rng": rng,
        } | tracing.start(problem, model_based)  # fmt: skip

    def advance(self, problem: EpisodicMDP, state: State, k: int, trace: Trace) -> int:
        """Play `k` episodes."""
        if trace == "raw":
            tracing.allocate_raw(state)
        H, S, A = problem.horizon, problem.n_states, problem.n_actions
        world = World(problem.next_first, problem.reward_rows, problem.cumulative, problem.start, problem.optimal_values)
        f = state["f"].reshape(H, -1)
        learner = Learner(
            P=state["P_hat"], r=state["r_hat"], n=state["n"].reshape(H, -1), unvisited=state["unvisited"], n_next=state["n_next"].reshape(H, S * A, S), f=f,
            greedy=state["greedy"], model=state["next_first"], policy=state["policy"], V_pi=state["V_pi"], caps=problem.value_caps, eta=float(state["eta"]),
            model_based=self.variant == "model-based", progress=state["progress"], totals=state["totals"],
        )  # fmt: skip
        record = tracing.Record(*(state[field] for field in tracing.Record._fields))
        common = (record, state["rng"])
        flags = (bool(trace), trace == "raw")
        if self.variant == "model-based":
            best = ModelTable(f, state["f_values"], state["greedy"], state["next_first"])
            play_models(world, learner, tilt_scratch(H, S, A), best, *common, k, *flags)
            return k
        table = Table(f, state["f_values"], state["greedy"])
        bounds, work, scratch = chord(H, S), cells(H, S), search_scratch(H, S, A)
        if self.solver == "local":
            play_values(world, learner, bounds, work, scratch, table, *common, k, *flags)
            return k
        model = Empirical(learner.P, learner.r, learner.n, learner.unvisited)
        for _ in range(k):
            lower, upper = search(model, learner.caps, world.start, learner.eta, bounds, work, scratch, table)
            if not agree(lower, upper):
                lower, upper = self._improve(model, learner, world.start, work, scratch, table, lower, upper)
            play_episode(world, learner, lower, max(lower, upper), *common, *flags)
        return k

    def _improve(self, model: Any, learner: Any, start: int, work: Any, scratch: Any, table: Any, lower: float, upper: float) -> tuple[float, float]:
        """Go on from the local solution with branch and bound; fill the table and return its objective and the certified bound."""
        arguments = (model.P, model.r, model.n, learner.caps, start, learner.eta)
        planned, bound, _ = best_policy(model, learner.caps, start, learner.eta, True, self.node_cap, scratch.best_policy, lower)
        if planned is not scratch.best_policy:
            bounded_values(*arguments, planned, work)
            lower = present(*arguments, planned, work.e, table.f, table.V, table.policy, scratch.V, scratch.policy)
        return lower, min(upper, bound)

    def measure(self, problem: EpisodicMDP, state: State, trace: Trace) -> dict[str, Any]:
        """Return the regret, the sum of gaps, the last objectives and, if traced, the sums and maxima of the proof."""
        regret, gaps, lower, upper = state["totals"]
        row = {"regret": regret, "gaps": gaps, "lower_objective": lower, "upper_objective": upper, "exact_episodes": state["progress"][EXACT]}
        return row | (tracing.measure(state) if trace else {})

    def output(self, problem: EpisodicMDP, state: State) -> np.ndarray:
        """Return the last policy, an (H, S) array."""
        return np.array(state["policy"])
