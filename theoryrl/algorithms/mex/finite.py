"""MEX over finite hypothesis classes: one objective that fuses estimation, planning and exploration.

Source: Z. Liu et al., "Maximize to Explore: One Objective Function Fusing Estimation, Planning, and Exploration",
NeurIPS 2023 (arXiv 2305.18258), Algorithm 1.  For k = 1, ..., K:

1. f^k maximises V_{1,f}(x_1) - eta sum_h L_h^{k-1}(f) over the class.
2. Execute pi_{f^k} (with ``explore="v"``: H roll-ins, the h-th ends with a uniform action at stage h).
3. Append the data.  L is the log loss of a model, or the squared Bellman loss less its infimum over the first table.

A class of value functions is a product over stages, so that line 1 is a Viterbi pass over the chain of lists.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from theoryrl import validate
from theoryrl.algorithms.mex import finite_trace as tracing
from theoryrl.algorithms.mex.classes import check_class, model_tables, value_tables
from theoryrl.algorithms.mex.constants import Constants, model_constants, value_constants
from theoryrl.algorithms.mex.over_class import ClassLearner
from theoryrl.algorithms.run import State, Trace
from theoryrl.jit import kernel, record
from theoryrl.planning.arrays import copy, invert
from theoryrl.planning.episodic import occupancy, policy_values
from theoryrl.problems.episodic import EpisodicMDP
from theoryrl.problems.hypotheses import Hypotheses, ModelClass

World = record(__name__, "World", "P r cumulative start optimal")
Models = record(__name__, "Models", "policy start_values policy_values loss")
Values = record(__name__, "Values", "f sizes V policy start_values")
Chain = record(__name__, "Chain", "squares excess best follow chosen played policy V_pi d")


@kernel
def play_models(
    world: Any, models: Any, record: Any, loss: Any, eta: float, vtype: bool, episode: Any, regret: Any, rng: Any, k: int, traced: bool, raw: bool
) -> None:
    """Play `k` episodes of MEX over a list of models."""
    for _ in range(k):
        f = best_model(models.start_values, loss, eta)
        regret[0] += world.optimal - models.policy_values[f]
        if traced:
            tracing.open_model_episode(world.optimal, models.start_values[f], models.loss, f, eta, vtype, record)
        if raw:
            copy(loss, record.raw_loss[episode[0]])
            record.raw_hypothesis[episode[0], 0] = f
        roll_out(world, models.policy[f], models.loss, loss, vtype, episode, rng, record, traced, raw)
        episode[0] += 1


@kernel
def best_model(start_values: Any, loss: Any, eta: float) -> int:
    """Line 1; a model that excludes an observed transition has infinite loss and is never chosen."""
    best, chosen = -math.inf, 0
    for f in range(loss.shape[0]):
        if loss[f] < math.inf:
            objective = start_values[f] - eta * loss[f]
            if objective > best:
                best, chosen = objective, f
    return chosen


@kernel
def roll_out(
    world: Any, policy: Any, log_loss: Any, loss: Any, vtype: bool, episode: Any, rng: Any, record: Any, traced: bool, raw: bool
) -> None:
    """Lines 2 and 3 of the model-based version."""
    H = policy.shape[0]
    s = world.start
    for h in range(H):
        if vtype:
            s = roll_in(world.cumulative, policy, world.start, h, rng)
            a = min(int(rng.random() * world.cumulative.shape[2]), world.cumulative.shape[2] - 1)
        else:
            a = policy[h, s]
        s_next = invert(world.cumulative[min(h, world.cumulative.shape[0] - 1), s, a], rng.random())
        for f in range(loss.shape[0]):
            loss[f] += log_loss[h, s, a, s_next, f]
        if traced:
            tracing.count(record, h, s, a, s_next)
        if raw:
            tracing.record_raw(record, episode[0], h, s, a, s_next)
        s = s_next


@kernel
def roll_in(cumulative: Any, policy: Any, start: int, stage: int, rng: Any) -> int:
    """Follow the policy up to a stage; return the state there."""
    s = start
    for h in range(stage):
        s = invert(cumulative[min(h, cumulative.shape[0] - 1), s, policy[h, s]], rng.random())
    return s


@kernel
def play_values(
    world: Any, values: Any, chain: Any, residual: Any, record: Any, eta: float, vtype: bool, episode: Any, regret: Any, rng: Any, k: int,
    traced: bool, raw: bool,
) -> None:  # fmt: skip
    """Play `k` episodes of MEX over a product class of value functions."""
    H = values.f.shape[0]
    for _ in range(k):
        excess_loss(values.sizes, chain.squares, chain.excess)
        viterbi(values.sizes, values.start_values, chain.excess, eta, chain.best, chain.follow, chain.chosen)
        if follow(values.policy, chain.chosen, chain.played, chain.policy):
            policy_values(world.P, world.r, chain.policy, chain.V_pi)
            if traced:
                occupancy(world.P, chain.policy, world.start, chain.d)
        regret[0] += world.optimal - chain.V_pi[0, world.start]
        if traced:
            value = values.start_values[chain.chosen[0]]
            tracing.open_value_episode(world.optimal, value, values, chain.chosen, chain.policy, chain.d, residual, world.r, eta, vtype, record)
        if raw:
            for h in range(H):
                record.raw_hypothesis[episode[0], h] = chain.chosen[h]
                for g in range(values.sizes[h]):
                    copy(chain.squares[h, g], record.raw_squares[episode[0], h, g])
        s = world.start
        for h in range(H):
            if vtype:
                s = roll_in(world.cumulative, chain.policy, world.start, h, rng)
                a = min(int(rng.random() * world.cumulative.shape[2]), world.cumulative.shape[2] - 1)
            else:
                a = chain.policy[h, s]
            s_next = invert(world.cumulative[min(h, world.cumulative.shape[0] - 1), s, a], rng.random())
            r = world.r[h, s * values.f.shape[3] + a]
            add_squares(values.f[h], values.V[h + 1], values.sizes[h], values.sizes[h + 1], s, a, r, s_next, chain.squares[h])
            if traced:
                tracing.count(record, h, s, a, s_next)
            if raw:
                tracing.record_raw(record, episode[0], h, s, a, s_next)
            s = s_next
        episode[0] += 1


@kernel
def add_squares(f: Any, V_next: Any, tables: int, followers: int, s: int, a: int, r: float, s_next: int, squares: Any) -> None:
    """Line 3: add the squared error of each pair (g, v) of tables of two successive stages."""
    for g in range(tables):
        for v in range(followers):
            error = f[g, s, a] - r - V_next[v, s_next]
            squares[g, v] += error * error


@kernel
def excess_loss(sizes: Any, squares: Any, excess: Any) -> None:
    """L_h = the sum of squares less its infimum over the first table, for the same follower v: of the sum, not of each sample."""
    for h in range(sizes.shape[0] - 1):
        for v in range(sizes[h + 1]):
            least = squares[h, 0, v]
            for g in range(1, sizes[h]):
                least = min(least, squares[h, g, v])
            for g in range(sizes[h]):
                excess[h, g, v] = squares[h, g, v] - least


@kernel
def viterbi(sizes: Any, start_values: Any, excess: Any, eta: float, best: Any, follow: Any, chosen: Any) -> None:
    """Line 1: the chain of tables that maximises V_1(x_1) - eta sum_h L_h; ties to the lowest indices."""
    H = sizes.shape[0] - 1
    best[H, 0] = 0.0
    for h in range(H - 1, -1, -1):
        for g in range(sizes[h]):
            best[h, g] = -math.inf
            for v in range(sizes[h + 1]):
                objective = best[h + 1, v] - eta * excess[h, g, v]
                if objective > best[h, g]:
                    best[h, g] = objective
                    follow[h, g] = v
    top = -math.inf
    for g in range(sizes[0]):
        objective = start_values[g] + best[0, g]
        if objective > top:
            top = objective
            chosen[0] = g
    for h in range(H - 1):
        chosen[h + 1] = follow[h, chosen[h]]


@kernel
def follow(policy: Any, chosen: Any, played: Any, out: Any) -> bool:
    """Fill `out` with the greedy policy of the chosen chain; return whether the chain changed."""
    changed = False
    for h in range(chosen.shape[0]):
        if chosen[h] != played[h]:
            changed = True
            played[h] = chosen[h]
            copy(policy[h, chosen[h]], out[h])
    return changed


@dataclasses.dataclass(frozen=True, repr=False)
class MEX(ClassLearner):
    r"""Maximize to Explore over a finite class: models, or a product of lists of value functions.

    Parameters
    ----------
    hypotheses : ModelClass or ValueClass
        The class; the theorem needs the truth in it, and a class of value functions must be closed under the Bellman
        operators.
    delta : float in (0, 1)
        Failure probability of the theorem.
    eta : float > 0, optional
        Weight of the loss.  Default: the theorem's :math:`\sqrt{d / (4 c K \beta)}`, which needs K and the instance;
        `DoublingMEX` does without K.
    explore : {"q", "v"}
        "q": an episode follows :math:`\pi_{f^k}`.  "v": an episode is an iteration of H roll-ins, the h-th of which takes a
        uniform action at stage h, and only that transition enters the loss; the regret is then that of the iterates.
    gec : {"uniform", "cellwise"}
        The certified generalized eluder coefficient that eta and the bound use; "cellwise" is sharper (and ours).

    Notes
    -----
    The paper's Theorem 4.4 states the order; the constants (c, beta, d, b) are derived here, in
    `theoryrl.algorithms.mex.constants` and `theoryrl.complexity.gec`.
    """

    hypotheses: Hypotheses
    delta: float = 0.05
    eta: float | None = None
    explore: str = "q"
    gec: str = "uniform"

    def __post_init__(self) -> None:
        super().__post_init__()
        validate.one_of("explore", self.explore, ("q", "v"))
        validate.one_of("gec", self.gec, ("uniform", "cellwise"))
        if self.explore == "v" and self.gec == "cellwise":
            raise ValueError('gec: expected "uniform" with explore="v" (the cell-wise coefficient is about Q-type exploration), got \'cellwise\'')

    def constants(self, problem: EpisodicMDP, n: int) -> Constants:
        """Return the constants (c, beta, d, b) of the theorem on an instance, for a horizon of n episodes."""
        check_problem(problem, self.hypotheses)
        choices = (n, self.delta, self.gec == "cellwise", self.explore == "v")
        if isinstance(self.hypotheses, ModelClass):
            return model_constants(problem, model_tables(problem, self.hypotheses), *choices)
        return value_constants(problem, value_tables(problem, self.hypotheses), *choices)

    def start(self, problem: EpisodicMDP, n: int, rng: np.random.Generator) -> State:
        """Return the state before the first episode."""
        own = self._own_state(problem, n, rng)
        H, S, A = self.hypotheses.shape
        if isinstance(self.hypotheses, ModelClass):
            own["loss"] = np.zeros(len(self.hypotheses))
            return own | tracing.start(problem, len(self.hypotheses), None)
        M = max(self.hypotheses.sizes)
        chain = Chain(
            squares=np.zeros((H, M, M)), excess=np.zeros((H, M, M)), best=np.zeros((H + 1, M)), follow=np.zeros((H, M), np.int64),
            chosen=np.zeros(H, np.int64), played=np.full(H, -1, np.int64), policy=np.zeros((H, S), np.int64), V_pi=np.zeros((H + 1, S)), d=np.zeros((H, S)),
        )  # fmt: skip
        return own | chain._asdict() | tracing.start(problem, None, M)

    def advance(self, problem: EpisodicMDP, state: State, k: int, trace: Trace) -> int:
        """Play `k` episodes."""
        if trace == "raw":
            tracing.allocate_raw(state, self.variant == "model-based")
        world = World(problem.next_first, problem.reward_rows, problem.cumulative, problem.start, problem.optimal_value)
        common = (float(state["eta"]), self.explore == "v", state["episode"], state["cumulative_regret"], state["rng"], k, bool(trace), trace == "raw")
        if isinstance(self.hypotheses, ModelClass):
            models = model_tables(problem, self.hypotheses)
            record = tracing.model_record(state, models)
            play_models(world, Models(*(getattr(models, field) for field in Models._fields)), record, state["loss"], *common)
        else:
            tables = value_tables(problem, self.hypotheses)
            values = Values(tables.f, tables.sizes, tables.V, tables.policy, tables.V[0, :, problem.start].copy())
            chain = Chain(*(state[field] for field in Chain._fields))
            play_values(world, values, chain, tables.residual, tracing.value_record(state, tables), *common)
        return k

    def measure(self, problem: EpisodicMDP, state: State, trace: Trace) -> dict[str, Any]:
        """Return the regret and, if traced, the sums and maxima of the proof."""
        return {"regret": state["cumulative_regret"][0]} | (tracing.measure(state) if trace else {})


def check_problem(problem: Any, hypotheses: Hypotheses) -> None:
    """Raise unless `problem` is an episodic MDP that the class is about."""
    if not isinstance(problem, EpisodicMDP):
        raise TypeError(f"problem: expected an EpisodicMDP, got {type(problem).__name__}")
    check_class(hypotheses, (problem.horizon, problem.n_states, problem.n_actions))
