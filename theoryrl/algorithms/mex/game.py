"""MEX-MG: Maximize to Explore for two-player zero-sum Markov games, with a main player and an exploiter.

Source: Liu et al., NeurIPS 2023 (arXiv 2305.18258); the explicit regret theorem is derived here.  For k = 1, ..., K:

1. Main: f^k maximises V_{1,f}(x_1) - eta sum_h L_h(f), V_f the Nash value of f; mu^k is its maximin strategy.
2. Exploiter: g^k maximises -V_{1,g}^{mu^k, dagger}(x_1) - eta sum_h L_{h, mu^k}(g); nu^k is the best response to mu^k under g^k.
3. Execute (mu^k, nu^k) once; both losses use the one data set.

The exploiter's Bellman loss has targets V_g^{mu, dagger} for the *current* mu^k in all old samples: it is computed anew
from counts in every episode.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from theoryrl.algorithms.mex import game_trace as tracing
from theoryrl.algorithms.mex.classes import check_class
from theoryrl.algorithms.mex.constants import Constants, game_model_constants, game_value_constants
from theoryrl.algorithms.mex.finite import add_squares, best_model, excess_loss, viterbi
from theoryrl.algorithms.mex.game_classes import game_models, game_values
from theoryrl.algorithms.mex.over_class import ClassLearner
from theoryrl.algorithms.run import State, Trace
from theoryrl.jit import kernel, record
from theoryrl.planning.arrays import copy, invert
from theoryrl.problems.hypotheses import Hypotheses, ModelClass
from theoryrl.problems.markov_game import MarkovGame

World = record(__name__, "World", "cumulative start optimal")
Models = record(__name__, "Models", "start_values against cumulative_mu response loss guarantee")
Values = record(__name__, "Values", "f sizes V start_values mu cumulative_mu against response P r")
Chain = record(__name__, "Chain", "squares excess best follow main exploiter played minus_V exploiter_squares n n_next V_dagger Q_dagger")


@kernel
def play_models(
    world: Any, models: Any, record: Any, loss: Any, eta: float, episode: Any, regret: Any, rng: Any, k: int, traced: bool, raw: bool
) -> None:
    """Play `k` episodes of MEX-MG over a list of models."""
    H, S, AB, _, M = models.loss.shape
    A = models.cumulative_mu.shape[3]
    B = AB // A
    for _ in range(k):
        f = best_model(models.start_values, loss, eta)  # line 1
        g = best_model(models.against[f], loss, eta)  # line 2
        regret[0] += world.optimal - models.guarantee[f]
        if traced:
            tracing.open_model_episode(world.optimal, models.start_values[f], models.against[f, g], models.guarantee[f], models.loss, f, g, eta, record)
        if raw:
            copy(loss, record.raw_loss[episode[0]])
            record.raw_main[episode[0], 0] = f
            record.raw_exploiter[episode[0], 0] = g
        s = world.start
        for h in range(H):  # line 3
            a = invert(models.cumulative_mu[f, h, s], rng.random())
            b = models.response[f, g, h, s]
            s_next = invert(world.cumulative[h, s, a, b], rng.random())
            for i in range(M):
                loss[i] += models.loss[h, s, a * B + b, s_next, i]
            if traced:
                tracing.count(record, h, s, a * B + b, s_next)
            if raw:
                tracing.record_raw(record, episode[0], h, s, a, b, s_next)
            s = s_next
        episode[0] += 1


@kernel
def play_values(
    world: Any, values: Any, chain: Any, record: Any, eta: float, episode: Any, regret: Any, rng: Any, k: int, traced: bool, raw: bool
) -> None:
    """Play `k` episodes of MEX-MG over a product class of value functions."""
    H, _, S, AB = values.f.shape
    A = values.mu.shape[3]
    B = AB // A
    main, exploiter = chain.main, chain.exploiter
    for _ in range(k):
        excess_loss(values.sizes, chain.squares, chain.excess)
        viterbi(values.sizes, values.start_values, chain.excess, eta, chain.best, chain.follow, main)  # line 1
        exploiter_squares(values.f, values.sizes, values.against, values.r, main, chain.n, chain.n_next, chain.exploiter_squares)
        excess_loss(values.sizes, chain.exploiter_squares, chain.excess)
        for g in range(values.sizes[0]):
            chain.minus_V[g] = -values.against[0, main[0], g, world.start]
        viterbi(values.sizes, chain.minus_V, chain.excess, eta, chain.best, chain.follow, exploiter)  # line 2
        if changed(main, chain.played):
            copy(main, chain.played)
            guarantee(values.P, values.r, values.mu, main, chain.Q_dagger, chain.V_dagger)
        regret[0] += world.optimal - chain.V_dagger[0, world.start]
        if traced:
            tracing.open_value_episode(world.optimal, world.start, values, main, exploiter, chain.Q_dagger, chain.V_dagger, eta, record)
        if raw:
            for h in range(H):
                record.raw_main[episode[0], h] = main[h]
                record.raw_exploiter[episode[0], h] = exploiter[h]
                for g in range(values.sizes[h]):
                    copy(chain.squares[h, g], record.raw_squares[episode[0], h, g])
                    copy(chain.exploiter_squares[h, g], record.raw_exploiter_squares[episode[0], h, g])
        s = world.start
        for h in range(H):  # line 3
            a = invert(values.cumulative_mu[h, main[h], s], rng.random())
            b = values.response[h, main[h], exploiter[h], s]
            s_next = invert(world.cumulative[h, s, a, b], rng.random())
            joint = a * B + b
            add_squares(values.f[h], values.V[h + 1], values.sizes[h], values.sizes[h + 1], s, joint, values.r[h, s, joint], s_next, chain.squares[h])
            chain.n[h, s, joint] += 1
            chain.n_next[h, s, joint, s_next] += 1
            if traced:
                tracing.count(record, h, s, joint, s_next)
            if raw:
                tracing.record_raw(record, episode[0], h, s, a, b, s_next)
            s = s_next
        episode[0] += 1


@kernel
def exploiter_squares(f: Any, sizes: Any, against: Any, r: Any, main: Any, n: Any, n_next: Any, squares: Any) -> None:
    """Line 2: sum n (g - m)^2, m = r + P_hat V_v^{mu, dagger} with the current mu, for each pair (g, v) of tables of two successive stages.

    It differs from the sum of squared errors by the same number for all g, which the infimum takes away.
    """
    H, _, S, joint_actions = f.shape
    for h in range(H):
        squares[h] = 0.0
        for s in range(S):
            for joint in range(joint_actions):
                if n[h, s, joint] > 0:
                    for v in range(sizes[h + 1]):
                        m = 0.0
                        for s2 in range(S):
                            m += n_next[h, s, joint, s2] * against[h + 1, main[h + 1] if h + 1 < H else 0, v, s2]
                        m = r[h, s, joint] + m / n[h, s, joint]
                        for g in range(sizes[h]):
                            squares[h, g, v] += n[h, s, joint] * (f[h, g, s, joint] - m) * (f[h, g, s, joint] - m)


@kernel
def changed(main: Any, played: Any) -> bool:
    """Return whether the main player's chain differs from the one whose guarantee is known."""
    for h in range(main.shape[0]):
        if main[h] != played[h]:
            return True
    return False


@kernel
def guarantee(P: Any, r: Any, mu: Any, main: Any, Q: Any, V: Any) -> None:
    """Fill V (H + 1, S) and Q (H, S, AB) with the values of the strategy of chain `main` against the true best response."""
    H, S, joint_actions = r.shape
    A = mu.shape[3]
    B = joint_actions // A
    V[H] = 0.0
    for h in range(H - 1, -1, -1):
        for s in range(S):
            V[h, s] = math.inf
            for b in range(B):
                value = 0.0
                for a in range(A):
                    cell = r[h, s, a * B + b]
                    for s2 in range(S):
                        cell += P[h, s, a * B + b, s2] * V[h + 1, s2]
                    Q[h, s, a * B + b] = cell
                    value += mu[h, main[h], s, a] * cell
                V[h, s] = min(V[h, s], value)


@dataclasses.dataclass(frozen=True, repr=False)
class MEXMG(ClassLearner):
    r"""MEX-MG: the learner controls both players; the regret is the exploitability of the max-player's strategies.

    Parameters
    ----------
    hypotheses : ModelClass or ValueClass
        A class about games; the theorem needs the truth in it, and a class of value functions must be closed under the
        Nash Bellman operator and under those of every strategy :math:`\mu_f`.
    delta : float in (0, 1)
        Failure probability of the theorem.
    eta : float > 0, optional
        Weight of the loss, the same for both players.  Default: the theorem's :math:`\sqrt{d / (4 c K \beta)}`.

    Notes
    -----
    :math:`\mathrm{Reg}(K) = \sum_k V^*_1 - V_1^{\mu^k, \dagger}`.  The min-player is there to make a weakness of
    :math:`\mu^k` show in the data and carries no guarantee; for a min-player's strategy swap the roles and run on
    :math:`1 - r`.
    """

    hypotheses: Hypotheses
    delta: float = 0.05
    eta: float | None = None

    def constants(self, problem: MarkovGame, n: int) -> Constants:
        """Return the constants (c, beta, d, b) of each player's half of the theorem, for a horizon of n episodes."""
        check_problem(problem, self.hypotheses)
        if isinstance(self.hypotheses, ModelClass):
            return game_model_constants(problem, game_models(problem, self.hypotheses), n, self.delta)
        return game_value_constants(problem, game_values(problem, self.hypotheses), n, self.delta)

    def start(self, problem: MarkovGame, n: int, rng: np.random.Generator) -> State:
        """Return the state before the first episode."""
        own = self._own_state(problem, n, rng)
        H, S, A, B = self.hypotheses.shape
        if isinstance(self.hypotheses, ModelClass):
            own["loss"] = np.zeros(len(self.hypotheses))
            return own | tracing.start(problem, len(self.hypotheses), None)
        M = max(self.hypotheses.sizes)
        chain = Chain(
            squares=np.zeros((H, M, M)), excess=np.zeros((H, M, M)), best=np.zeros((H + 1, M)), follow=np.zeros((H, M), np.int64),
            main=np.zeros(H, np.int64), exploiter=np.zeros(H, np.int64), played=np.full(H, -1, np.int64), minus_V=np.zeros(M),
            exploiter_squares=np.zeros((H, M, M)), n=np.zeros((H, S, A * B), np.int64), n_next=np.zeros((H, S, A * B, S), np.int64),
            V_dagger=np.zeros((H + 1, S)), Q_dagger=np.zeros((H, S, A * B)),
        )  # fmt: skip
        return own | chain._asdict() | tracing.start(problem, None, M)

    def advance(self, problem: MarkovGame, state: State, k: int, trace: Trace) -> int:
        """Play `k` episodes."""
        if trace == "raw":
            tracing.allocate_raw(state, self.variant == "model-based")
        world = World(problem.cumulative, problem.start, problem.value)
        common = (float(state["eta"]), state["episode"], state["cumulative_regret"], state["rng"], k, bool(trace), trace == "raw")
        if isinstance(self.hypotheses, ModelClass):
            models = game_models(problem, self.hypotheses)
            play_models(world, Models(*(getattr(models, field) for field in Models._fields)), tracing.model_record(state, models), state["loss"], *common)
        else:
            found = game_values(problem, self.hypotheses)
            known = {"start_values": found.V[0, :, problem.start].copy()}
            values = Values(*(known[field] if field in known else getattr(found, field) for field in Values._fields))
            chain = Chain(*(state[field] for field in Chain._fields))
            play_values(world, values, chain, tracing.value_record(state, found), *common)
        return k

    def measure(self, problem: MarkovGame, state: State, trace: Trace) -> dict[str, Any]:
        """Return the regret and, if traced, the sums and maxima of the proof."""
        return {"regret": state["cumulative_regret"][0]} | (tracing.measure(state) if trace else {})


def check_problem(problem: Any, hypotheses: Hypotheses) -> None:
    """Raise unless `problem` is a Markov game that the class is about."""
    if not isinstance(problem, MarkovGame):
        raise TypeError(f"problem: expected a MarkovGame, got {type(problem).__name__}")
    check_class(hypotheses, (problem.horizon, problem.n_states, *problem.n_actions))
