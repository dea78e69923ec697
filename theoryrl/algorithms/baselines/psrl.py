r"""PSRL: posterior sampling for episodic tabular MDPs with known rewards and independent Dirichlet rows.

Source: I. Osband, D. Russo, B. Van Roy, "(More) efficient reinforcement learning via posterior sampling", NeurIPS 2013
(arXiv 1306.0940).  One episode: draw one model from the posterior, play its optimal policy, count the transitions.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from theoryrl import validate
from theoryrl.algorithms.baselines import psrl_trace as tracing
from theoryrl.algorithms.baselines.episodes import (
    EPISODE,
    SWITCHES,
    EpisodicLearner,
    Steps,
    allocate_raw,
    check_pooling,
    check_problem,
    known_world,
    own_state,
    record_raw,
)
from theoryrl.algorithms.run import Run, State, Trace
from theoryrl.jit import kernel, record
from theoryrl.planning.arrays import copy, invert
from theoryrl.planning.episodic import backward_induction, policy_values
from theoryrl.problems.episodic import EpisodicMDP

Posterior = record(__name__, "Posterior", "visits next_visits model V_model policy V_pi")


@kernel
def play(
    world: Any, posterior: Any, prior: float, candidate: Any, Q: Any, progress: Any, regret: Any, rng: Any, k: int, trace: Any, numbers: Any, raw: Any
) -> None:
    """Play `k` episodes; `trace` and `raw` are None or records (those of `raw` may be empty)."""
    H, S = candidate.shape
    A = Q.shape[0] // S
    last = world.cumulative.shape[0] - 1
    for _ in range(k):
        draw_model(posterior.next_visits, prior, H, rng, posterior.model)
        backward_induction(posterior.model, world.r, posterior.V_model, candidate, Q)
        if adopt(candidate, posterior.policy):
            policy_values(world.P, world.r, posterior.policy, posterior.V_pi)
            progress[SWITCHES] += 1
        if trace is not None:
            tracing.record_model(world, posterior.model, posterior.V_model, posterior.V_pi, posterior.policy, trace, numbers)
            if trace.raw_models.shape[0] > 0:
                tracing.record_model_raw(progress[EPISODE], posterior.model, trace.raw_models)
        s = world.start
        regret[0] += world.V_star[0, s] - posterior.V_pi[0, s]
        for h in range(H):
            a = posterior.policy[h, s]
            s_next = invert(world.cumulative[min(h, last), s, a], rng.random())
            count(posterior.visits, posterior.next_visits, min(h, posterior.visits.shape[0] - 1), s * A + a, s_next)
            if trace is not None:
                tracing.record_step(h, s, s * A + a, s_next, trace)
            if raw is not None:  # noqa: SIM102  (Numba drops the branch only if this is all that it asks)
                if raw.raw_states.shape[0] > 0:
                    record_raw(raw.raw_states, raw.raw_actions, raw.raw_next, progress[EPISODE], h, s, a, s_next)
            s = s_next
        if trace is not None:
            tracing.close_episode(trace)
        progress[EPISODE] += 1


@kernel
def count(visits: Any, next_visits: Any, g: int, row: int, s_next: int) -> None:
    """Update the posterior by one transition."""
    visits[g, row] += 1
    next_visits[g, s_next, row] += 1


@kernel
def draw_model(next_visits: Any, prior: float, H: int, rng: Any, model: Any) -> None:
    """Fill model (G, S', S * A) with Dirichlet(prior + counts) rows, by Gamma draws; with one law a stage, the last one is never used, and not drawn."""
    G, S, rows = model.shape
    for g in range(G if G < H or G == 1 else G - 1):
        for row in range(rows):
            total = 0.0
            for s2 in range(S):
                model[g, s2, row] = rng.standard_gamma(prior + next_visits[g, s2, row])
                total += model[g, s2, row]
            if total > 0:
                for s2 in range(S):
                    model[g, s2, row] /= total
            else:  # a prior near 0, whose draws underflow: the limit of its law is one state, uniformly
                model[g, int(S * rng.random()), row] = 1.0


@kernel
def adopt(candidate: Any, policy: Any) -> bool:
    """Copy `candidate` into `policy`; return whether they differed."""
    changed = False
    for h in range(policy.shape[0]):
        for s in range(policy.shape[1]):
            changed = changed or policy[h, s] != candidate[h, s]
        copy(candidate[h], policy[h])
    return changed


@dataclasses.dataclass(frozen=True, repr=False)
class PSRL(EpisodicLearner):
    """Posterior sampling: each episode, the optimal policy of one model drawn from the posterior.

    Source: Osband, Russo, Van Roy, NeurIPS 2013.  Its theorem is about models drawn from the prior
    (``certify(PSRL(), prior, n, seeds=...)``), and says nothing about one fixed instance.

    Parameters
    ----------
    prior : float > 0
        Rows are independently Dirichlet(prior, ..., prior).
    counts : {"pooled", "stage"}
        One law for all stages (the transition must then be the same at every stage), or one for each stage.

    Raises
    ------
    ValueError, TypeError
        On a parameter out of range; the message names it.
    """

    prior: float = 1.0
    counts: str = "pooled"

    anytime = True

    def __post_init__(self) -> None:
        validate.real("prior", self.prior, 0, math.inf, open_ends=True)
        validate.one_of("counts", self.counts, ("pooled", "stage"))

    def start(self, problem: EpisodicMDP, n: int, rng: np.random.Generator) -> State:
        """Return the state before the first episode."""
        check_problem(problem)
        check_pooling(problem, self.counts)
        H, S, A = problem.horizon, problem.n_states, problem.n_actions
        G = 1 if self.counts == "pooled" else H
        posterior = Posterior(
            visits=np.zeros((G, S * A), np.int64), next_visits=np.zeros((G, S, S * A), np.int64), model=np.zeros((G, S, S * A)),
            V_model=np.zeros((H + 1, S)), policy=np.full((H, S), -1, np.int64), V_pi=np.zeros((H + 1, S)),
        )  # fmt: skip
        return posterior._asdict() | own_state(n, rng) | tracing.start(problem, self.counts)

    def advance(self, problem: EpisodicMDP, state: State, k: int, trace: Trace) -> int:
        """Play `k` episodes."""
        if trace == "raw":
            allocate_raw(state, k)
        recorded, numbers, raw = None, None, None
        if trace:
            recorded, raw = (kind(*(state[field] for field in kind._fields)) for kind in (tracing.Record, Steps))
            numbers = tracing.numbers(self.counts, problem, int(state["horizon"]))
        posterior = Posterior(*(state[field] for field in Posterior._fields))
        candidate, Q = np.zeros((problem.horizon, problem.n_states), np.int64), np.zeros(problem.n_states * problem.n_actions)
        play(
            known_world(problem), posterior, float(self.prior), candidate, Q, state["progress"], state["cumulative_regret"], state["rng"], k,
            recorded, numbers, raw,
        )  # fmt: skip
        return k

    def measure(self, problem: EpisodicMDP, state: State, trace: Trace) -> dict[str, Any]:
        """Return the regret, the value of the last policy, and how often it changed; with a trace, all that the proof needs."""
        log_term = tracing.log_term(self.counts, problem, int(state["horizon"]))
        return super().measure(problem, state, trace) | (tracing.measure(state) | {"log_term": log_term} if trace else {})


def posterior_models(run: Run, size: int, *, seed: int) -> np.ndarray:
    """Draw models from the posterior at the end of a PSRL run.

    Parameters
    ----------
    run : Run
        Of `PSRL`.
    size : int
        Number of independent draws, at least 1.
    seed : int
        Non-negative; its stream is none that a run uses.

    Returns
    -------
    models : (size, S, A, S) array, or (size, H, S, A, S) with ``counts="stage"``
        The last stage's rows are then zero: no law is needed there.

    Raises
    ------
    TypeError
        If `run` is not a run of PSRL.
    """
    algorithm, problem = run.algorithm, run.problem
    if not isinstance(algorithm, PSRL) or not isinstance(problem, EpisodicMDP):
        raise TypeError(f"run: expected a run of PSRL, got one of {type(algorithm).__name__}")
    size, seed = validate.integer("size", size, 1), validate.integer("seed", seed, 0)
    S, A = problem.n_states, problem.n_actions
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(2,))))
    models = np.zeros((size, *run.state["model"].shape))
    for model in models:
        draw_model(run.state["next_visits"], float(algorithm.prior), problem.horizon, rng, model)
    rows = np.moveaxis(models, 2, 3).reshape(size, -1, S, A, S)
    return rows[:, 0] if algorithm.counts == "pooled" else rows
