r"""Controls without a theorem: what remains of an optimistic learner when its bonus, or its optimism, is taken away.

All plan in the empirical model of each stage before every episode, and know the reward of a pair from its first visit on:
Q_h = min(r_h + p_hat V_{h+1} + b_h, C_h), with a fixed value at pairs never tried.  Derived here, for comparisons.
"""

from __future__ import annotations

import abc
import dataclasses
import math
from typing import Any

import numpy as np

from theoryrl import validate
from theoryrl.algorithms.baselines.episodes import (
    EPISODE,
    SWITCHES,
    EpisodicLearner,
    Steps,
    allocate_raw,
    check_problem,
    known_world,
    no_raw,
    own_state,
    record_raw,
)
from theoryrl.algorithms.baselines.q_learning import Table, new_table
from theoryrl.algorithms.baselines.q_learning import play as play_table
from theoryrl.algorithms.run import State, Trace
from theoryrl.jit import kernel, record
from theoryrl.planning.arrays import expectation, invert
from theoryrl.planning.episodic import greedy, mixture_values, policy_values
from theoryrl.problems.episodic import EpisodicMDP

Model = record(__name__, "Model", "visits next_visits p_hat Q V policy V_pi")


@kernel
def play(
    world: Any, model: Any, unvisited: Any, caps: Any, widths: Any, epsilon: float, scratch: Any, progress: Any, regret: Any, rng: Any, k: int, raw: Any
) -> None:
    """Play `k` episodes, with uniform actions at rate `epsilon`; `raw` is None or the arrays of the raw transitions."""
    H, S = model.policy.shape
    A = model.visits.shape[1] // S
    last = world.cumulative.shape[0] - 1
    for _ in range(k):
        if make_plan(model.p_hat, model.visits, world.r, unvisited, caps, widths, model.Q, model.V, model.policy, scratch):
            if epsilon > 0:
                mixture_values(world.P, world.r, model.policy, epsilon, model.V_pi, scratch[0])
            else:
                policy_values(world.P, world.r, model.policy, model.V_pi)
            progress[SWITCHES] += 1
        s = world.start
        regret[0] += world.V_star[0, s] - model.V_pi[0, s]
        for h in range(H):
            a = model.policy[h, s]
            if epsilon > 0 and rng.random() < epsilon:
                a = int(A * rng.random())
            s_next = invert(world.cumulative[min(h, last), s, a], rng.random())
            observe(model.visits[h], model.next_visits[h], model.p_hat[h], s * A + a, s_next)
            if raw is not None:
                record_raw(raw.raw_states, raw.raw_actions, raw.raw_next, progress[EPISODE], h, s, a, s_next)
            s = s_next
        progress[EPISODE] += 1


@kernel
def observe(visits: Any, next_visits: Any, p_hat: Any, row: int, s_next: int) -> None:
    """Count a transition, and bring the frequencies of its pair up to date: each pair of a stage is visited at most once an episode."""
    visits[row] += 1
    next_visits[s_next, row] += 1
    for s2 in range(p_hat.shape[0]):
        p_hat[s2, row] = next_visits[s2, row] / visits[row]


@kernel
def make_plan(p_hat: Any, visits: Any, r: Any, unvisited: Any, caps: Any, widths: Any, Q: Any, V: Any, policy: Any, scratch: Any) -> bool:
    """Plan backwards over h; return whether the greedy policy changed, which it does on the first plan, as policy starts at -1."""
    H, S = policy.shape
    mean, before = scratch[0], scratch[1]
    changed = False
    for h in range(H - 1, -1, -1):
        expectation(p_hat[h], V[h + 1], mean)
        for row in range(mean.shape[0]):
            n = visits[h, row]
            Q[h, row] = min(r[h, row] + mean[row] + widths[h] / math.sqrt(n), caps[h]) if n > 0 else unvisited[h]
        for s in range(S):
            before[s] = policy[h, s]
        greedy(Q[h], V[h], policy[h])
        for s in range(S):
            changed = changed or before[s] != policy[h, s]
    return changed


class _ModelLearner(EpisodicLearner):
    """Counts and plan that the controls share; they differ in the value of an unvisited pair, the bonus and the exploration rate."""

    @abc.abstractmethod
    def _options(self, problem: EpisodicMDP, n: int) -> tuple[np.ndarray, np.ndarray, float]:
        r"""Return the values of unvisited pairs (H,), the bonuses times :math:`\sqrt n` (H,), and the exploration rate."""

    def start(self, problem: EpisodicMDP, n: int, rng: np.random.Generator) -> State:
        """Return the state before the first episode."""
        check_problem(problem)
        H, S, A = problem.horizon, problem.n_states, problem.n_actions
        model = Model(
            visits=np.zeros((H, S * A), np.int64), next_visits=np.zeros((H, S, S * A), np.int64), p_hat=np.zeros((H, S, S * A)), Q=np.zeros((H, S * A)),
            V=np.zeros((H + 1, S)), policy=np.full((H, S), -1, np.int64), V_pi=np.zeros((H + 1, S)),
        )  # fmt: skip
        return model._asdict() | own_state(n, rng) | no_raw(problem)

    def advance(self, problem: EpisodicMDP, state: State, k: int, trace: Trace) -> int:
        """Play `k` episodes."""
        if trace == "raw":
            allocate_raw(state, k)
        model = Model(*(state[field] for field in Model._fields))
        raw = Steps(*(state[field] for field in Steps._fields)) if trace == "raw" else None
        unvisited, widths, epsilon = self._options(problem, int(state["horizon"]))
        caps, scratch = np.array(problem.value_caps, dtype=float), np.zeros((2, problem.n_states * problem.n_actions))
        play(known_world(problem), model, unvisited, caps, widths, epsilon, scratch, state["progress"], state["cumulative_regret"], state["rng"], k, raw)
        return k


@dataclasses.dataclass(frozen=True, repr=False)
class EpsGreedyModel(_ModelLearner):
    """Greedy in the empirical model, where unvisited pairs are worth 0, with uniform actions at rate epsilon.  No theorem.

    The regret is that of the executed mixture, exactly.

    Parameters
    ----------
    epsilon : float in [0, 1]
        Ours: 0.1.
    """

    epsilon: float = 0.1

    anytime = True

    def __post_init__(self) -> None:
        validate.real("epsilon", self.epsilon, 0, 1)

    def _options(self, problem: EpisodicMDP, n: int) -> tuple[np.ndarray, np.ndarray, float]:
        return np.zeros(problem.horizon), np.zeros(problem.horizon), float(self.epsilon)


@dataclasses.dataclass(frozen=True, repr=False)
class OptimisticFirstVisit(_ModelLearner):
    """Greedy in the empirical model, where unvisited pairs are worth the cap C_h: optimism without a bonus.  No theorem."""

    anytime = True

    def _options(self, problem: EpisodicMDP, n: int) -> tuple[np.ndarray, np.ndarray, float]:
        return np.array(problem.value_caps[:-1], dtype=float), np.zeros(problem.horizon), 0.0


@dataclasses.dataclass(frozen=True, repr=False)
class SimplifiedUCBVI(_ModelLearner):
    r"""Greedy with the bonus :math:`c\, C_h \sqrt{\ln(5 S A H K / 0.05) / n}`, clipped at C_h: the tunable baseline of the MEX study.  No theorem.

    Parameters
    ----------
    scale : float > 0
        c, to be tuned; ours is 1.
    """

    scale: float = 1.0

    def __post_init__(self) -> None:
        validate.real("scale", self.scale, 0, math.inf, open_ends=True)

    def _options(self, problem: EpisodicMDP, n: int) -> tuple[np.ndarray, np.ndarray, float]:
        caps = np.array(problem.value_caps[:-1], dtype=float)
        log_term = math.log(5 * problem.n_states * problem.n_actions * problem.horizon * n / 0.05)
        return caps, self.scale * caps * math.sqrt(log_term), 0.0


@dataclasses.dataclass(frozen=True, repr=False)
class EpsGreedyQLearning(EpisodicLearner):
    """Q-learning from Q = 0 with the learning rate (H + 1) / (H + t) and uniform actions at rate epsilon.  No theorem.

    The regret is that of the executed mixture, exactly.

    Parameters
    ----------
    epsilon : float in [0, 1]
        Ours: 0.1.
    """

    epsilon: float = 0.1

    anytime = True

    def __post_init__(self) -> None:
        validate.real("epsilon", self.epsilon, 0, 1)

    def start(self, problem: EpisodicMDP, n: int, rng: np.random.Generator) -> State:
        """Return the state before the first episode."""
        check_problem(problem)
        return new_table(problem, np.zeros(problem.horizon + 1)) | own_state(n, rng) | no_raw(problem)

    def advance(self, problem: EpisodicMDP, state: State, k: int, trace: Trace) -> int:
        """Play `k` episodes."""
        if trace == "raw":
            allocate_raw(state, k)
        raw = Steps(*(state[field] for field in Steps._fields)) if trace == "raw" else None
        play_table(
            known_world(problem), Table(*(state[field] for field in Table._fields)), np.zeros(problem.horizon), np.array(problem.value_caps, dtype=float),
            float(self.epsilon), np.zeros(problem.n_states * problem.n_actions), state["progress"], state["cumulative_regret"], state["rng"], k,
            None, None, raw,
        )  # fmt: skip
        return k
