"""Cascading MDPs: six small ones with known constants, and loaders of rating tables.

The family follows "Cascading Reinforcement Learning" (Du, Srikant, Chen, ICLR 2024).  Its experiments use MovieLens in
the way of `from_ratings`; the other instances are ours, each made to show one thing.  Items are numbered from 0, index N
is no click, and no click pays nothing.
"""

from __future__ import annotations

import csv
import math
import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from envs_synthetic.calls import call
from theoryrl import validate
from theoryrl.problems import CascadingMDP

MAX_RATING = 5


def myopic_trap() -> CascadingMDP:
    """Return an instance where the best immediate reward leads nowhere (S = 2, N = 2, m = 1, H = 3).

    State 0: a click on item 0 (attraction .9) pays .3 and stays, one on item 1 (.5) pays nothing and leads to state 1,
    no click stays.  State 1 is absorbing, and any click (.9) pays 1.

    V* = 1.1925 and the worst policy has .54.  Learners that maximise the immediate reward, or explore without bonuses
    for transitions, have linear regret.
    """
    attraction = np.array([[0.9, 0.5], [0.9, 0.9]])
    transition = np.zeros((2, 3, 2))
    transition[0, [0, 2], 0] = 1
    transition[0, 1, 1] = 1
    transition[1, :, 1] = 1
    reward = np.array([[0.3, 0, 0], [1, 1, 0]])
    return CascadingMDP(attraction, transition, reward, horizon=3, max_length=1, name="myopic_trap()")


def hidden_gem(n_items: int = 2, list_length: int = 1, horizon: int = 2) -> CascadingMDP:
    """Return an instance with one attractive item, the last (S = 2).

    The last item attracts with probability .9, the others with .15.  Every click leads to state 0 and no click to state
    1; a click pays 1 in state 0 and .5 in state 1.  The good item is the last on purpose: the lowest-index rule for ties
    must not find it by luck.

    With the default arguments V* = 1.755 and the worst policy has .23625, and the regret bound of CascadingVI is
    non-vacuous from about 24,000 episodes on.
    """
    n_items = validate.integer("n_items", n_items, 1)
    attraction = np.full((2, n_items), 0.15)
    attraction[:, -1] = 0.9
    transition = np.zeros((2, n_items + 1, 2))
    transition[:, :-1, 0] = 1
    transition[:, -1, 1] = 1
    reward = np.zeros((2, n_items + 1))
    reward[0, :-1] = 1
    reward[1, :-1] = 0.5
    name = call("hidden_gem", n_items=n_items, list_length=list_length, horizon=horizon)
    return CascadingMDP(attraction, transition, reward, horizon, list_length, name=name)


def noclick_trap(qs: Sequence[float] = (0.3, 0.25)) -> CascadingMDP:
    """Return an instance where the best that can happen is that nobody clicks (S = 3, m = 1, H = 2).

    From state 0, where item a attracts with probability ``qs[a]``, a click leads to state 1 (dead: nothing pays,
    attraction .5) and no click to state 2 (rich: attraction 1, and a click pays 1); both are absorbing.  So in state 0 no
    item is worth more than no click (J = 0), yet one must be shown: V* = 1 - min(qs), and the worst policy has
    1 - max(qs).  The rule of the paper for J = 0 is not optimistic here.

    Ours are ``(.3, .25)``, ``(.3, .27)``, ``(.5, .45, .4, .35, .3)`` and ``(.25, .3, .2, .4, .22)``.
    """
    first = validate.real_array("qs", qs, (None,), 0, 1)
    n_items = len(first)
    attraction = np.array([first, np.full(n_items, 0.5), np.ones(n_items)])
    transition = np.zeros((3, n_items + 1, 3))
    transition[0, :-1, 1] = 1
    transition[0, -1, 2] = 1
    transition[1, :, 1] = 1
    transition[2, :, 2] = 1
    reward = np.zeros((3, n_items + 1))
    reward[2, :-1] = 1
    return CascadingMDP(attraction, transition, reward, horizon=2, max_length=1, name=call("noclick_trap", qs=tuple(first.tolist())))


def cascading_bandit(n_items: int, list_length: int = 2, good: float = 0.5, other: float = 0.3, n_good: int = 2) -> CascadingMDP:
    """Return a stochastic cascading bandit (S = H = 1): the last `n_good` items attract with probability `good`, the rest with `other`.

    Every click pays 1, so V* = 1 - (1 - good)^2 = .75 with the default arguments.  The family is that of Kveton et al.,
    "Cascading Bandits" (ICML 2015).
    """
    good, other = validate.real("good", good, 0, 1), validate.real("other", other, 0, 1)
    list_length = validate.integer("list_length", list_length, 1)
    return _bandit(
        call("cascading_bandit", n_items=n_items, list_length=list_length, good=good, other=other, n_good=n_good),
        n_items, list_length, good, other, n_good,
    )  # fmt: skip


def low_click_bandit(n_items: int = 10, list_length: int = 3, base: float = 0.02, gap: float = 0.02) -> CascadingMDP:
    """Return a cascading bandit with rare clicks (S = H = 1): all items attract with probability `base`, the last with `base` + `gap`.

    At such rates q (1 - q) is far below 1/4, so confidence intervals that know the variance gain most.  With the default
    arguments V* = 1 - .96 * .98^2 = .078016.
    """
    base, list_length = validate.real("base", base, 0, 1), validate.integer("list_length", list_length, 1)
    gap = validate.real("gap", gap, -base, 1 - base)
    return _bandit(call("low_click_bandit", n_items=n_items, list_length=list_length, base=base, gap=gap), n_items, list_length, base + gap, base, 1)


def _bandit(name: str, n_items: int, list_length: int, good: float, other: float, n_good: int) -> CascadingMDP:
    n_items = validate.integer("n_items", n_items, 1)
    n_good = validate.integer("n_good", n_good, 0, n_items)
    attraction = np.full((1, n_items), other, dtype=float)
    attraction[0, n_items - n_good :] = good
    reward = np.append(np.ones(n_items), 0)[None]
    return CascadingMDP(attraction, np.ones((1, n_items + 1, 1)), reward, horizon=1, max_length=list_length, name=name)


def random_cascade(n_states: int, n_items: int, list_length: int = 3, horizon: int = 5, seed: int = 0) -> CascadingMDP:
    """Return a random instance: attraction uniform on [.05, .6], transitions Dirichlet(.3), rewards of clicks uniform on [0, 1]."""
    S, N = validate.integer("n_states", n_states, 1), validate.integer("n_items", n_items, 1)
    rng = np.random.default_rng(validate.integer("seed", seed, 0))
    attraction = rng.uniform(0.05, 0.6, (S, N))
    transition = rng.dirichlet(np.full(S, 0.3), (S, N + 1))
    reward = rng.uniform(0, 1, (S, N + 1))
    reward[:, N] = 0
    name = call("random_cascade", n_states=S, n_items=N, list_length=list_length, horizon=horizon, seed=seed)
    return CascadingMDP(attraction, transition, reward, horizon, list_length, name=name)


def from_ratings(
    ratings: Any = None,
    threshold: float = 4.5,
    list_length: int = 3,
    horizon: int = 3,
    rank: int = 4,
    n_users: int | None = None,
    n_items: int | None = None,
    seed: int = 0,
) -> CascadingMDP:
    """Return the instance of the paper's experiments on a table of ratings: users are states, movies are items.

    An item attracts with probability rating / 5, and every click pays 1.  After a click on an item rated at least
    `threshold` the same user comes back with probability .9, and each other one with .1 / (S - 1); after any other
    click, and after no click, the next user is uniform.  (The paper's recipe as far as we know it; the law after no click
    is ours.)

    Parameters
    ----------
    ratings : (users, items) array or str or path, optional
        Ratings in [0, 5]; NaN where there is none.  Or the path of a CSV file with the columns user, item, rating (more
        columns are ignored, a header is allowed).  None: ``synthetic_ratings(n_users, n_items, seed)``, with 20 users
        and 10 items unless given.
    threshold : float
        Rating from which on a user stays.
    list_length, horizon : int
        m and H; the paper has 3 and 3, with 20 users and 10, 15, 20 or 25 items.
    rank : int
        Missing ratings are filled from the truncated singular value decomposition of this rank of the table, centred by
        user, and clipped to [.5, 5].
    n_users, n_items : int, optional
        Keep the users and the items with the most ratings (ties: the first ones); None keeps all of a given table.
    seed : int
        Seed of the synthetic table; not used with a given one.

    Raises
    ------
    ValueError, TypeError
        If a rating is out of range or not a number; the message names its row and column.
    FileNotFoundError
        If there is no such file.
    """
    threshold = validate.real("threshold", threshold)
    if ratings is None:
        filled = synthetic_ratings(20 if n_users is None else n_users, 10 if n_items is None else n_items, seed)
    else:
        filled = _filled(_table(ratings, n_users, n_items), rank)
    S, N = filled.shape
    transition = np.full((S, N + 1, S), 1 / S)
    if S > 1:
        user, item = np.nonzero(filled >= threshold)
        transition[user, item] = 0.1 / (S - 1)
        transition[user, item, user] = 0.9
    reward = np.ones((S, N + 1))
    reward[:, N] = 0
    name = call(
        "from_ratings",
        ratings=_shown(ratings),
        threshold=threshold, list_length=list_length, horizon=horizon, rank=rank, n_users=n_users, n_items=n_items, seed=seed,
    )  # fmt: skip
    return CascadingMDP(filled / MAX_RATING, transition, reward, horizon, list_length, name=name)


def synthetic_ratings(n_users: int, n_items: int, seed: int) -> np.ndarray:
    """Return a full table of ratings that stands in for MovieLens: rank 4, mean 3.3, noise .5, rounded to half stars in [.5, 5].

    The rating of an item by a user is 3.3 + <x_user, y_item> / 2 + .5 noise, all coordinates standard normal (so that
    the low-rank part has standard deviation 1).

    Returns
    -------
    (n_users, n_items) array
    """
    n_users, n_items = validate.integer("n_users", n_users, 1), validate.integer("n_items", n_items, 1)
    rng = np.random.default_rng(validate.integer("seed", seed, 0))
    users, items = rng.standard_normal((n_users, 4)), rng.standard_normal((n_items, 4))
    raw = 3.3 + users @ items.T / 2 + 0.5 * rng.standard_normal((n_users, n_items))
    rounded: np.ndarray = np.clip(np.round(2 * raw) / 2, 0.5, MAX_RATING)
    return rounded


def logged_clicks(
    ratings: Any = None,
    genres: Sequence[Any] | None = None,
    click_rate: float = 0.1,
    kappa: float = 0.2,
    rho: float = 0.3,
    list_length: int = 3,
    horizon: int = 5,
    rank: int = 4,
    seed: int = 0,
) -> CascadingMDP:
    """Return an instance made from logged ratings and genres (a mapping of ours): the state is the genre of the last click.

    State 0 is idle, state 1 + g the g-th genre.  Item a attracts in state s with probability
    sigmoid(alpha <z_s, v_a> + beta), where v_a is the vector of the item in the truncated singular value decomposition of
    the ratings centred by user, z_s the mean vector of the items of a genre (idle: of all items), alpha makes the standard
    deviation of the logits 1 (0 if all are equal), and beta makes the mean attraction `click_rate`.  A click on a leads to
    the genre of a with probability 1 - kappa, else nothing changes; no click leads to idle with probability rho, else
    nothing changes.  A click pays the mean rating of the item / 5.

    Parameters
    ----------
    ratings : (users, N) array or str or path, optional
        As in `from_ratings`; None is ``synthetic_ratings(200, 20, seed)``.
    genres : (N,) sequence, optional
        Genre of each item (for a file: in the order in which items first appear); anything that can be sorted.  None:
        four genres in turn.
    click_rate : float
        Mean attraction probability over states and items, in (0, 1).
    kappa, rho : float
        Probabilities in [0, 1] to stay in the genre after a click, and to become idle after no click.
    list_length, horizon : int
        m and H.
    rank : int
        Rank of the decomposition.
    seed : int
        Seed of the synthetic table; not used with a given one.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range or of a wrong shape; the message names it.
    """
    table = synthetic_ratings(200, 20, seed) if ratings is None else _filled(_table(ratings), rank)
    N = table.shape[1]
    labels = np.arange(N) % 4 if genres is None else np.asarray(genres)
    validate.check_shape("genres", labels, (N,))
    click_rate = validate.real("click_rate", click_rate, 0, 1, open_ends=True)
    kappa, rho = validate.real("kappa", kappa, 0, 1), validate.real("rho", rho, 0, 1)
    names, genre = np.unique(labels, return_inverse=True)
    S = 1 + len(names)

    _, scale, right = np.linalg.svd(table - table.mean(axis=1, keepdims=True), full_matrices=False)
    vectors = right[:rank].T * scale[:rank]
    centroids = np.array([vectors.mean(axis=0)] + [vectors[genre == g].mean(axis=0) for g in range(len(names))])
    logits = centroids @ vectors.T
    spread = logits.std()
    attraction = _with_mean(logits / spread if spread > 1e-9 else np.zeros_like(logits), click_rate)

    transition = np.zeros((S, N + 1, S))
    for s in range(S):
        transition[s, :N, s] += kappa
        transition[s, np.arange(N), 1 + genre] += 1 - kappa
        transition[s, N, s] += 1 - rho
        transition[s, N, 0] += rho
    reward = np.tile(np.append(table.mean(axis=0) / MAX_RATING, 0), (S, 1))
    name = call(
        "logged_clicks",
        ratings=_shown(ratings),
        genres=None if genres is None else labels.tolist(),
        click_rate=click_rate, kappa=kappa, rho=rho, list_length=list_length, horizon=horizon, rank=rank, seed=seed,
    )  # fmt: skip
    return CascadingMDP(attraction, transition, reward, horizon, list_length, name=name)


def _shown(ratings: Any) -> Any:
    """Return `ratings` as `call` shows it."""
    if ratings is None or isinstance(ratings, str):
        return ratings
    return os.fspath(ratings) if isinstance(ratings, os.PathLike) else np.asarray(ratings)


def _with_mean(logits: np.ndarray, mean: float) -> np.ndarray:
    """Return sigmoid(logits + beta) for the beta that gives it this mean, by bisection."""
    low, high = -60 - float(logits.max()), 60 - float(logits.min())
    for _ in range(200):
        beta = (low + high) / 2
        if np.mean(1 / (1 + np.exp(-(logits + beta)))) < mean:
            low = beta
        else:
            high = beta
    probabilities: np.ndarray = 1 / (1 + np.exp(-(logits + low)))
    return probabilities


def _table(ratings: Any, n_users: int | None = None, n_items: int | None = None) -> np.ndarray:
    """Return given ratings as an array with NaN where there is none, reduced to the users and items with the most ratings."""
    if isinstance(ratings, (str, os.PathLike)):
        return _read(os.fspath(ratings), n_users, n_items)
    try:
        table = np.array(ratings, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"ratings: expected a table of numbers, or the path of a CSV file, got {type(ratings).__name__}") from None
    validate.check_shape("ratings", table, (None, None))
    bad = np.argwhere(~(np.isnan(table) | ((table >= 0) & (table <= MAX_RATING))))
    if len(bad):
        row, column = (int(i) for i in bad[0])
        raise ValueError(f"ratings[{row}, {column}]: expected a rating in [0, {MAX_RATING}] or NaN, got {table[row, column]}")
    rated = ~np.isnan(table)
    users = _most(rated.sum(axis=1).tolist(), n_users, "n_users")
    items = _most(rated.sum(axis=0).tolist(), n_items, "n_items")
    return table[np.ix_(users, items)]


def _most(counts: Sequence[int], n: int | None, name: str) -> list[int]:
    """Return the indices, in order, of the n largest counts (ties: the first ones)."""
    n = len(counts) if n is None else validate.integer(name, n, 1, len(counts))
    return sorted(sorted(range(len(counts)), key=lambda i: -counts[i])[:n])


def _read(path: str, n_users: int | None, n_items: int | None) -> np.ndarray:
    """Read a CSV file of user, item, rating into a table; errors name the row and the column."""
    triples: dict[tuple[str, str], float] = {}
    with open(path, newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.reader(file), start=1):
            if not row:
                continue
            if len(row) < 3:
                raise ValueError(f"{path}, row {number}: expected the columns user, item, rating, got {len(row)} of them: {row}")
            user, item, text = (cell.strip() for cell in row[:3])
            try:
                rating = float(text)
            except ValueError:
                if number == 1:
                    continue
                raise ValueError(f"{path}, row {number}, column 3 (rating): expected a number, got {text!r}") from None
            if not 0 <= rating <= MAX_RATING:
                raise ValueError(f"{path}, row {number}, column 3 (rating): expected a rating in [0, {MAX_RATING}], got {text}")
            if (user, item) in triples:
                raise ValueError(f"{path}, row {number}: user {user} rates item {item} a second time")
            triples[user, item] = rating
    if not triples:
        raise ValueError(f"{path}: expected rows of user, item, rating, got none")
    users = _kept(Counter(user for user, _ in triples), n_users, "n_users")
    items = _kept(Counter(item for _, item in triples), n_items, "n_items")
    table = np.full((len(users), len(items)), math.nan)
    for (user, item), rating in triples.items():
        if user in users and item in items:
            table[users[user], items[item]] = rating
    return table


def _kept(counts: Counter[str], n: int | None, name: str) -> dict[str, int]:
    """Return the row (or column) of each user (or item) that is kept."""
    keys = list(counts)
    return {keys[i]: place for place, i in enumerate(_most(list(counts.values()), n, name))}


def _filled(table: np.ndarray, rank: int) -> np.ndarray:
    """Fill missing ratings from the truncated SVD of the table centred by user, clipped to [.5, 5]."""
    rank = validate.integer("rank", rank, 1)
    missing = np.isnan(table)
    if not missing.any():
        return table
    if missing.all():
        raise ValueError("ratings: expected at least one rating, got none")
    counts = (~missing).sum(axis=1)
    overall = float(np.nanmean(table))
    centre = np.where(counts > 0, np.nansum(table, axis=1) / np.maximum(counts, 1), overall)[:, None]
    left, scale, right = np.linalg.svd(np.where(missing, 0, table - centre), full_matrices=False)
    guess = centre + (left[:, :rank] * scale[:rank]) @ right[:rank]
    return np.where(missing, np.clip(guess, 0.5, MAX_RATING), table)
