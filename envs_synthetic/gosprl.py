"""Instances of GOSPRL: reward-free MDPs with known diameters, and requirements.

The algorithm and its analysis: Tarbouriech, Pirotta, Valko, Lazaric, "A Provably Efficient Sample Collection Strategy for
Reinforcement Learning" (NeurIPS 2021, arXiv 2007.06437).  The dynamics written here are ours, after families that its
experiments are remembered to use; river swim is ``envs_synthetic.baselines.river_swim_continuing(6, "gosprl")``.  States and
actions count from 0, and the trajectory starts in state 0.
"""

from __future__ import annotations

import itertools

import numpy as np

from envs_synthetic.calls import call
from theoryrl import validate
from theoryrl.problems import ContinuingMDP

MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1))
"""What the actions of `four_rooms` add to row and column: up, down, left, right."""

DOORS = ((3, 1), (3, 5), (1, 3), (5, 3))
"""Openings in the walls of `four_rooms`, which are row 3 and column 3 of a 7 x 7 grid."""


def two(q: float = 0.2) -> ContinuingMDP:
    """Return the smallest instance of the lower bound (S = 2, A = 1): 0 leads to 1 with probability q, else stays; 1 leads to 0.

    The diameter is 1 / q.  B samples of state 1 take B (1 / q + 1) steps on average, whatever the learner does.
    """
    q = validate.real("q", q, 0, 1)
    if q == 0:
        raise ValueError("q: expected a number in (0, 1], got 0")
    return ContinuingMDP(np.array([[[1 - q, q]], [[1, 0]]]), name=call("two", q=q))


def lock_chain(n: int = 12) -> ContinuingMDP:
    """Return the combination lock without an end (S = `n`, A = 2): action 1 leads to the next state, action 0 back to 0; from the last state both do.

    The diameter is n - 1.  The end is first seen after 2^n - 2 uniformly random actions on average, and B samples of one of
    its pairs take 2 B (2^n - 1); the best policy needs n steps for each, so that B of them take B n.
    """
    n = validate.integer("n", n, 2)
    transition, states = np.zeros((n, 2, n)), np.arange(n)
    transition[:, 0, 0] = 1
    transition[states, 1, (states + 1) % n] = 1
    return ContinuingMDP(transition, name=call("lock_chain", n=n))


def shortcut(length: int = 40, p: float = 0.3) -> ContinuingMDP:
    """Return the trap of a learner without optimism (S = `length` + 2, A = 2).

    State 0 has two ways to the last state g = `length` + 1: action 0 by a detour, the states 1, ..., `length`, surely; action 1
    directly with probability `p`, else it stays.  From g one is led back to 0, and the detour has no choice either.  One
    failure at the first try makes the detour look shorter for ever to a learner that trusts frequencies.

    The diameter is `length` + 1, from a state of the detour to the one before it: 41 for `length` = 40.  If 1 / p <= `length` + 1,
    B samples of g take B (1 + 1 / p) steps on average by the best policy: 8667 for B = 2000 and p = .3.
    """
    length, p = validate.integer("length", length, 1), validate.real("p", p, 0, 1, open_ends=True)
    goal = length + 1
    transition, detour = np.zeros((length + 2, 2, length + 2)), np.arange(1, goal)
    transition[0, 0, 1] = 1
    transition[0, 1, [0, goal]] = 1 - p, p
    transition[detour, :, detour + 1] = 1
    transition[goal, :, 0] = 1
    return ContinuingMDP(transition, name=call("shortcut", length=length, p=p))


def four_rooms(slip: float = 0.1) -> ContinuingMDP:
    """Return four rooms of a 7 x 7 grid with a door in each of their walls (S = 40, A = 4); `slip` is at most 3/4.

    The actions move up, down, left and right (`MOVES`); with probability `slip` one of the three others, at random, is carried
    out instead.  A move into a wall stays where it is.  States are the cells (`four_rooms_cells`).

    For slip = .1 the diameter is 13.93.
    """
    slip = validate.real("slip", slip, 0, 0.75)
    cells = [tuple(cell) for cell in four_rooms_cells().tolist()]
    place = {cell: s for s, cell in enumerate(cells)}
    transition = np.zeros((len(cells), len(MOVES), len(cells)))
    for (row, column), s in place.items():
        for a, (b, (down, right)) in itertools.product(range(len(MOVES)), enumerate(MOVES)):
            transition[s, a, place.get((row + down, column + right), s)] += 1 - slip if a == b else slip / 3
    return ContinuingMDP(transition, name=call("four_rooms", slip=slip))


def four_rooms_cells() -> np.ndarray:
    """Return the row and column of each state of `four_rooms`, (40, 2), in row-major order."""
    walls: np.ndarray = np.zeros((7, 7), bool)
    walls[3], walls[:, 3] = True, True
    walls[tuple(np.transpose(DOORS))] = False
    return np.argwhere(~walls)


def garnet_continuing(S: int, A: int, branching: int, seed: int = 0) -> ContinuingMDP:
    """Return a random sparse MDP: every pair has `branching` next states, drawn uniformly, with weights from Dirichlet(1, ..., 1).

    It is drawn anew until every state can be reached from every other one.

    Archibald, McKinnon, Thomas, "On the generation of Markov decision processes" (JORS 46, 1995).

    Raises
    ------
    ValueError
        If an argument is out of range, or none of 1000 draws is strongly connected.
    """
    S, A, branching = validate.integer("S", S, 1), validate.integer("A", A, 1), validate.integer("branching", branching, 1, S)
    rng = np.random.default_rng(validate.integer("seed", seed, 0))
    for _ in range(1000):
        transition = np.zeros((S, A, S))
        successors = rng.permuted(np.broadcast_to(np.arange(S), (S, A, S)), axis=2)[..., :branching]
        np.put_along_axis(transition, successors, rng.dirichlet(np.ones(branching), (S, A)), axis=2)
        problem = ContinuingMDP(transition, name=call("garnet_continuing", S=S, A=A, branching=branching, seed=seed))
        if _strongly_connected(transition.max(axis=1) > 0):
            return problem
    raise ValueError(f"branching: expected enough next states to connect {S} states with {A} actions in one of 1000 draws, got {branching}")


def ring(p: float = 0.25) -> ContinuingMDP:
    """Return three states in a ring (S = 3, A = 2): action 0 goes on to the next state with probability `p`, action 1 back to the one before; else they stay.

    Every state is one successful move from every other one: the diameter is 1 / p, and a pair has two next states.
    """
    p = validate.real("p", p, 0, 1, open_ends=True)
    stay, forward = np.eye(3), np.roll(np.eye(3), 1, axis=1)
    return ContinuingMDP(np.stack([(1 - p) * stay + p * forward, (1 - p) * stay + p * forward.T], axis=1), name=call("ring", p=p))


def far_goal(S: int = 4, A: int = 2, D: float = 10) -> ContinuingMDP:
    """Return the instance of the lower bound Omega(B D), with S states and A actions.

    Action 0 leads to the goal, the last state, with probability 1 / D from every other state, else it stays.  Action a > 0
    moves a states on around the ring of the S - 1 others.  From the goal every action leads to state 0.

    The diameter is D, and no state is nearer to the goal than D.  So every learner needs B (D + 1) steps on average for B
    samples of the goal, even one that knows the model; with action 0 everywhere it needs no more.

    Parameters
    ----------
    S, A : int >= 2, int >= 1
        A = 1 is possible for S = 2 only (which is `two`): there is a ring to go around otherwise.
    D : float >= max(1, S - 1)
    """
    S, A = validate.integer("S", S, 2), validate.integer("A", A, 1)
    D = validate.real("D", D, S - 1)
    if A == 1 and S > 2:
        raise ValueError(f"A: expected an integer in [2, inf] for S = {S} > 2, got 1")
    transition, others = np.zeros((S, A, S)), np.arange(S - 1)
    transition[others, 0, others] = 1 - 1 / D
    transition[others, 0, -1] = 1 / D
    for a in range(1, A):
        transition[others, a, (others + a) % (S - 1)] = 1
    transition[-1, :, 0] = 1
    return ContinuingMDP(transition, name=call("far_goal", S=S, A=A, D=D))


# Requirements.


def only(problem: ContinuingMDP, state: int, samples: int, action: int = 0) -> np.ndarray:
    """Return the requirement (S, A) of `samples` of one pair alone; negative states and actions count from the end."""
    S, A = problem.n_states, problem.n_actions
    required = np.zeros((S, A), np.int64)
    state, action = validate.integer("state", state, -S, S - 1), validate.integer("action", action, -A, A - 1)
    required[state, action] = validate.integer("samples", samples, 0, 2**53)
    return required


def uniform_demand(problem: ContinuingMDP, most: int = 100, seed: int = 0) -> np.ndarray:
    """Return a random requirement (S, A): integers, uniform on 0, ..., `most`."""
    rng = np.random.default_rng(validate.integer("seed", seed, 0))
    return rng.integers(0, validate.integer("most", most, 0), (problem.n_states, problem.n_actions), endpoint=True)


def _strongly_connected(edges: np.ndarray) -> bool:
    """Return whether every node reaches every other one, for edges (S, S)."""
    reach = edges | np.eye(len(edges), dtype=bool)
    for _ in range(len(edges).bit_length()):  # paths of twice the length
        reach = (reach.astype(float) @ reach) > 0
    return bool(reach.all())
