"""Instances of MEX: small MDPs and games with known constants, and classes of hypotheses about them.

The algorithm and its analysis: Liu, Lu, Xiong, Zhong, Hu, Zhang, Zheng, Yang, Wang, "Maximize to Explore" (NeurIPS 2023,
arXiv 2305.18258); its experiments have no tabular instance, so that these are ours.  Stages, states, actions and hypotheses
count from 0, and episodes start in state 0 unless another one is named.  A class of value functions is a product of lists,
one a stage, complete under the Bellman operators by construction.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from envs_synthetic.calls import call
from theoryrl import validate
from theoryrl.planning.matrix_game import solve_matrix_game
from theoryrl.problems import EpisodicMDP, MarkovGame, ModelClass, ValueClass

# MDPs with a list of models.


def lock(H: int = 3, slip: float = 0.1, truth: int | None = None) -> EpisodicMDP:
    """Return a combination lock: each stage has one good action (S = A = 2).

    States are off and on, the start is on.  In on the good action stays there with probability 1 - slip, the other one with
    probability slip; off is left with probability slip, whatever is done.  Being in on at the last stage pays 1, all else
    nothing.  The lock is number `truth` of `lock_class`; None: the last but one, whose good actions are 1, ..., 1, 0, so that
    the lowest-index rule for ties does not open it by luck, and the laws differ between stages.

    With p = 1 - 2 slip, V* = (1 + p^(H - 1)) / 2, and the worst policy has slip (1 for H = 1).  Differences to it are .72 for
    (H, slip) = (3, .1) and .778 for (5, .05).  Easy: optimism is not needed.
    """
    models = lock_class(H, slip).models
    truth = _member(truth, len(models), len(models) - 2)
    reward = np.zeros(models.shape[1:-1])
    reward[-1, 1] = 1
    return EpisodicMDP(models[truth], reward, len(reward), start=1, name=call("lock", H=H, slip=slip, truth=truth))


def lock_class(H: int = 3, slip: float = 0.1) -> ModelClass:
    """Return all 2^H locks; the binary digits of a lock's number are its good actions, the first stage first."""
    H, slip = validate.integer("H", H, 1, 16), validate.real("slip", slip, 0, 0.5)
    good = np.array(list(itertools.product((0, 1), repeat=H)))
    models = np.zeros((len(good), H, 2, 2, 2))
    models[:, :, 0] = 1 - slip, slip
    models[:, :, 1] = np.where((good[..., None] == np.arange(2))[..., None], (slip, 1 - slip), (1 - slip, slip))
    return ModelClass(models, name=call("lock_class", H=H, slip=slip))


def treasure(n_actions: int = 5, hi: float = 0.9, lo: float = 0.1, safe: float = 0.5, truth: int | None = None) -> EpisodicMDP:
    """Return the instance that is hopeless without optimism (S = 4, H = 2).

    States are start, safe, good and bad.  Action 0 leads to safe, action j > 0 to good with probability `hi` if j = `truth`
    and `lo` otherwise, else to bad.  The second step pays `safe` in safe, 1 in good and nothing in bad, and leads to safe.
    The problem is number `truth` of `treasure_class`, where 0 says that there is no treasure; None: the last.

    With the default arguments V* = .9 and the worst policy has .1.  The safe action has regret .4 an episode and never tells
    the models apart, so that maximum likelihood, with ties to the lowest index, plays it for ever.
    """
    models, safe = treasure_class(n_actions, hi, lo).models, validate.real("safe", safe, 0, 1)
    truth = _member(truth, len(models), len(models) - 1)
    reward = np.zeros(models.shape[1:-1])
    reward[1, 1], reward[1, 2] = safe, 1
    return EpisodicMDP(models[truth], reward, 2, name=call("treasure", n_actions=n_actions, hi=hi, lo=lo, safe=safe, truth=truth))


def treasure_class(n_actions: int = 5, hi: float = 0.9, lo: float = 0.1) -> ModelClass:
    """Return the models of `treasure`: in number 0 no action leads to good with probability `hi`, in number j action j does."""
    A, hi, lo = validate.integer("n_actions", n_actions, 1), validate.real("hi", hi, 0, 1), validate.real("lo", lo, 0, 1)
    models = np.zeros((A, 2, 4, A, 4))
    models[..., 1] = 1
    chance = np.where(np.eye(A, dtype=bool), hi, lo)[:, 1:]
    models[:, 0, 0, 1:] = np.stack([0 * chance, 0 * chance, chance, 1 - chance], axis=-1)
    return ModelClass(models, name=call("treasure_class", n_actions=n_actions, hi=hi, lo=lo))


# MDPs for the full tabular class.


def deep_sea(size: int = 10, slip: float = 0.0, cost: float = 0.01) -> EpisodicMDP:
    """Return the chain on which only going right all the way pays (S = H = `size`, A = 2).

    The state is the column.  Action 1 goes right with probability 1 - slip, else left, and pays nothing; action 0 goes left
    and pays cost / size at once.  Walls hold one in the same column.  Action 1 in the last column at the last stage pays 1.

    Without slips V* = 1, and the policy that always goes left has `cost`; uniformly random actions find the reward with
    probability 2^-size.  For size 10 and slip .02 the policy that always goes right has .98^9 = .8337, V* = .8346, and the
    worst policy has .0008.

    The family is that of Osband, Doron, Hessel, et al., "Behaviour suite for reinforcement learning" (ICLR 2020), with the
    state reduced to its column, slips to the left, and a small reward for going left in place of a cost of going right.
    """
    N, slip, cost = validate.integer("size", size, 1), validate.real("slip", slip, 0, 1), validate.real("cost", cost, 0, 1)
    columns = np.arange(N)
    left, right = np.eye(N)[np.maximum(columns - 1, 0)], np.eye(N)[np.minimum(columns + 1, N - 1)]
    transition = np.stack([left, (1 - slip) * right + slip * left], axis=1)
    reward = np.zeros((N, N, 2))
    reward[:, :, 0] = cost / N
    reward[-1, -1, 1] = 1
    return EpisodicMDP(transition, reward, N, name=call("deep_sea", size=size, slip=slip, cost=cost))


def random_mdp(H: int, S: int, A: int, seed: int = 0) -> EpisodicMDP:
    """Return an MDP drawn at random: rows from Dirichlet(.7, ..., .7) at every stage, rewards uniform on [0, 1] and rounded to .01."""
    H, S, A = _sizes(H=H, S=S, A=A)
    rng = _generator(seed)
    transition = rng.dirichlet(np.full(S, 0.7), (H, S, A))
    return EpisodicMDP(transition, rng.random((H, S, A)).round(2), H, name=call("random_mdp", H=H, S=S, A=A, seed=seed))


def garnet(H: int, S: int, A: int, branching: int, seed: int = 0) -> EpisodicMDP:
    """Return a random sparse MDP: every pair has `branching` next states, drawn uniformly, with weights from Dirichlet(1, ..., 1).

    The laws are the same at all stages and are drawn anew until every state can be reached from every other one; rewards are
    uniform on [0, 1] and rounded to .01.

    Archibald, McKinnon, Thomas, "On the generation of Markov decision processes" (JORS 46, 1995).

    Raises
    ------
    ValueError
        If an argument is out of range, or none of 1000 draws is strongly connected.
    """
    H, S, A = _sizes(H=H, S=S, A=A)
    branching, rng = validate.integer("branching", branching, 1, S), _generator(seed)
    for _ in range(1000):
        transition = np.zeros((S, A, S))
        successors = rng.permuted(np.broadcast_to(np.arange(S), (S, A, S)), axis=2)[..., :branching]
        np.put_along_axis(transition, successors, rng.dirichlet(np.ones(branching), (S, A)), axis=2)
        if np.all(np.linalg.matrix_power(np.eye(S) + (transition.max(axis=1) > 0), S) > 0):
            return EpisodicMDP(transition, rng.random((S, A)).round(2), H, name=call("garnet", H=H, S=S, A=A, branching=branching, seed=seed))
    raise ValueError(f"branching: expected enough next states to connect {S} states with {A} actions in one of 1000 draws, got {branching}")


# Zero-sum Markov games.


def mg_trap() -> MarkovGame:
    """Return the game in which the max-player must be shown its weakness (S = 3, A = B = 2, H = 2).

    From the start the max-player wins with probability .5 by action 0, and by action 1 with .6 if the min-player answers 0,
    w if it answers 1; won and lost are absorbing, and the second step pays 1 in won.  The truth has w = .05.

    V* = .5, by action 0.  The decoy of `mg_trap_class` says .95, so that action 1 looks like .6; it has an exploitability of
    .45, which stays hidden as long as the min-player does not look for it.
    """
    reward = np.zeros((2, 3, 2, 2))
    reward[1, 1] = 1
    return MarkovGame(mg_trap_class().models[0], reward, 2, name="mg_trap()")


def mg_trap_class() -> ModelClass:
    """Return the two models of `mg_trap`: the truth, w = .05, and the decoy, w = .95."""
    models = np.zeros((2, 2, 3, 2, 2, 3))
    win = np.array([[[0.5, 0.5], [0.6, w]] for w in (0.05, 0.95)])
    models[:, 0, 0] = np.stack([0 * win, win, 1 - win], axis=-1)
    models[:, 1, 0, ..., 0] = models[:, :, 1, ..., 1] = models[:, :, 2, ..., 2] = 1
    return ModelClass(models, name="mg_trap_class()")


def mg_switch() -> MarkovGame:
    """Return the game in which the max-player changes its strategy after the min-player has learned (S = 3, A = B = 2, H = 2).

    The min-player chooses at the start: 0 leads to state 1, 1 to state 2, both absorbing.  The second step pays by the
    max-player's action: .30 and .29 in state 1, .60 and .20 in state 2, nothing in state 0.

    V* = .30.  With `mg_switch_class` the max-player first trusts one false table and then another, after the exploiter has
    learned that state 2 is bad for it: losses that remember old strategies are wrong here.
    """
    transition = np.zeros((3, 2, 2, 3))
    transition[0, :, 0, 1] = transition[0, :, 1, 2] = transition[1, ..., 1] = transition[2, ..., 2] = 1
    reward = np.zeros((2, 3, 2, 2))
    reward[1, 1], reward[1, 2] = [[0.30], [0.29]], [[0.60], [0.20]]
    return MarkovGame(transition, reward, 2, name="mg_switch()")


def mg_switch_class() -> ValueClass:
    """Return the tables about `mg_switch`, 8 and 4 of them.

    Last stage: the truth; A, which says .90 for action 1 in state 1; B, which says .32 for action 0 in state 1 and .90 for
    action 1 in state 2; C, which says 0 in state 2.  First stage: what the last one's tables are worth under all of their
    maximin strategies, the truth first.
    """
    game = mg_switch()
    last = np.repeat(game.stage_reward[1][None], 4, axis=0)
    last[1, 1, 1] = 0.90
    last[2, 1, 0], last[2, 2, 1] = 0.32, 0.90
    last[3, 2] = 0
    return ValueClass((_distinct(_backups(game, 0, last)), last), name="mg_switch_class()")


def random_game(H: int, S: int, A: int, B: int, seed: int = 0) -> MarkovGame:
    """Return a game drawn at random: rows uniform on the simplex at every stage, rewards uniform on [0, 1]."""
    H, S, A, B = _sizes(H=H, S=S, A=A, B=B)
    rng = _generator(seed)
    transition = rng.dirichlet(np.ones(S), (H, S, A, B))
    return MarkovGame(transition, rng.random((H, S, A, B)), H, name=call("random_game", H=H, S=S, A=A, B=B, seed=seed))


# Classes about any problem.


def random_models(problem: EpisodicMDP | MarkovGame, m: int, seed: int = 0) -> ModelClass:
    """Return m + 1 models: the truth, and m whose rows are uniform on the simplex."""
    m, truth = validate.integer("m", m, 0), problem.stage_transition
    others = _generator(seed).dirichlet(np.ones(problem.n_states), (m, *truth.shape[:-1]))
    return ModelClass(np.concatenate([truth[None], others]), name=call("random_models", problem=problem, m=m, seed=seed))


def closure_class(problem: EpisodicMDP | MarkovGame, m: int, seed: int = 0) -> ValueClass:
    """Return the complete class of m random tables a stage and everything that the Bellman operators make of them.

    The tables are uniform on [0, u C], u being .6 or 1 for the whole table and C the cap of the stage.  The list of a stage
    is {T g : g in the list of the next one}, then its own m; Q* is the first of every list.  For a game the list has the
    value of g under the maximin strategy of every f of the next list, of which Q* is one.

    Sizes are (13, 7) for m = 6 and H = 2, (13, 9, 5) for m = 4 and H = 3, and (19, 4) for m = 3 and a game with H = 2 (fewer
    where tables coincide).
    """

    def tables(rng: np.random.Generator, optimal: np.ndarray, cap: float) -> np.ndarray:
        scale = cap * rng.choice([0.6, 1.0], (m, *(1,) * optimal.ndim))
        return scale * rng.random((m, *optimal.shape))

    m = validate.integer("m", m, 0)
    return ValueClass(_closure(problem, tables, seed), name=call("closure_class", problem=problem, m=m, seed=seed))


def near_truth(problem: EpisodicMDP | MarkovGame, m: int, seed: int = 0, sigma: float = 0.05) -> ValueClass:
    """Return the class that is hard to tell from the truth: as `closure_class`, the tables being Q* plus noise.

    The noise is normal with standard deviation `sigma`, and the sum is clipped to [0, C].  On random tables a loss with a
    wrong infimum goes unnoticed; here it does not.
    """

    def tables(rng: np.random.Generator, optimal: np.ndarray, cap: float) -> np.ndarray:
        return np.clip(optimal + sigma * rng.standard_normal((m, *optimal.shape)), 0, cap)

    m, sigma = validate.integer("m", m, 0), validate.real("sigma", sigma, 0)
    return ValueClass(_closure(problem, tables, seed), name=call("near_truth", problem=problem, m=m, seed=seed, sigma=sigma))


# What they share.

Tables = Callable[[np.random.Generator, np.ndarray, float], np.ndarray]  # (generator, Q*_h, C_h) -> tables of stage h


def _closure(problem: EpisodicMDP | MarkovGame, tables: Tables, seed: int) -> tuple[np.ndarray, ...]:
    """Return the lists of the stages, made from the last one: what the operators make of the next list, then tables of its own."""
    rng = _generator(seed)
    following = np.zeros((1, *problem.stage_reward.shape[1:]))
    lists: list[np.ndarray] = []
    for h in reversed(range(problem.horizon)):
        cap = float(problem.value_caps[h])
        made = np.minimum(_distinct(_backups(problem, h, following)), cap)  # the cap is exceeded by round-off alone
        following = _distinct([*made, *tables(rng, made[0], cap)])
        lists.insert(0, following)
    return tuple(lists)


def _backups(problem: EpisodicMDP | MarkovGame, h: int, following: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the tables of stage h that the operators make of those of the next one; the first is that of the first one."""
    reward, transition = problem.stage_reward[h], problem.stage_transition[h]
    if isinstance(problem, EpisodicMDP):
        for table in following:
            yield reward + transition @ table.max(axis=1)
        return
    strategies = [np.array([solve_matrix_game(payoff)[1] for payoff in table]) for table in following]
    for table in following:
        for mu in strategies:
            yield reward + transition @ np.einsum("sa,sab->sb", mu, table).min(axis=1)


def _distinct(tables: Iterable[np.ndarray]) -> np.ndarray:
    """Return the tables without repetitions, in the order of their first occurrence."""
    found: dict[bytes, np.ndarray] = {}
    for table in tables:
        found.setdefault(table.tobytes(), table)
    return np.array(list(found.values()))


def _member(truth: int | None, size: int, default: int) -> int:
    return default if truth is None else validate.integer("truth", truth, 0, size - 1)


def _sizes(**sizes: int) -> Iterator[int]:
    for name, size in sizes.items():
        yield validate.integer(name, size, 1)


def _generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(validate.integer("seed", seed, 0))
