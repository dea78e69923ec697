"""Online prediction with groups: the data of the paper, hard instances, and sequences made against the meta algorithm.

The data are those of Acharya, Arunachaleswaran, Kannan, Roth, Ziani, "Oracle Efficient Algorithms for Groupwise Regret"
(ICLR 2024), with the preprocessing and the random draws of the authors' code.  The two tables are not part of theoryrl:
`SOURCES` says what they are and where they are published, and the loaders take a path.  The other instances are ours.
Rounds count from 0.
"""

from __future__ import annotations

import csv
import math
import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from envs_synthetic.calls import call
from theoryrl import validate
from theoryrl.problems import ClassStream, ExpertStream, PathStream, RegressionStream

SOURCES = {
    "medical": "insurance.csv, the medical costs of B. Lantz, Machine Learning with R (1338 rows; Kaggle: Medical Cost Personal Datasets)",
    "adult": "adult.csv, the training part of UCI Adult (Becker and Kohavi 1996, doi:10.24432/C5XW20; 32561 rows) with a line of column names",
}

# The paper's row orders: the legacy generator of NumPy with these seeds.
ORDER_SEEDS = (473, 503, 623, 550, 692, 989, 617, 458, 301, 205)

MEDICAL_GROUPS = (
    "young", "middle", "old", "underweight", "healthy", "overweight", "obese", "smoker", "non-smoker", "male", "female", "always on",
)  # fmt: skip
ADULT_GROUPS = (
    "young", "middle", "old", "high school or less", "college or more", "male", "female",
    "White", "Asian-Pac-Islander", "Amer-Indian-Eskimo", "Other", "Black", "always on",
)  # fmt: skip
SYNTHETIC_GROUPS = ("circle", "square", "triangle", "green", "red", "always on")
DOMINANCE = ("green", "square", "red", "triangle", "circle")

# Dimension, rank of the features and group sizes of the files in SOURCES.
FACTS: dict[str, tuple[int, int, tuple[int, ...]]] = {
    "medical": (18, 14, (574, 408, 356, 20, 225, 386, 707, 274, 1064, 676, 662, 1338)),
    "adult": (96, 87, (14925, 11176, 6460, 14754, 17807, 21790, 10771, 27816, 1039, 311, 271, 3124, 32561)),
}

# The paper's mean regrets at the end over the ten row orders (single ridge, the algorithm) and the loss in hindsight, by
# group; `adult` is about another file, with numeric income, that may not be redistributed.
PUBLISHED: dict[str, dict[str, tuple[float, float, float]]] = {
    "medical": {
        "young": (0.547, -1.583, 5.404),
        "middle": (0.376, -0.972, 3.336),
        "old": (0.437, -0.643, 3.131),
        "underweight": (0.157, 0.112, 0.027),
        "healthy": (1.588, 0.364, 1.004),
        "overweight": (1.547, 0.431, 1.837),
        "obese": (3.420, 1.246, 3.651),
        "smoker": (5.065, 1.474, 0.900),
        "non-smoker": (1.699, 0.732, 5.567),
        "male": (0.647, -1.749, 6.112),
        "female": (0.593, -1.569, 5.879),
        "always on": (1.129, -3.429, 12.102),
    },
    "adult": {
        "young": (37.40, 14.01, 421.9),
        "middle": (20.11, 14.93, 608.1),
        "old": (22.99, 14.81, 414.6),
        "high school or less": (33.02, 14.38, 499.6),
        "college or more": (28.67, 10.55, 963.9),
        "male": (20.95, -2.17, 1171.0),
        "female": (18.82, 5.19, 314.3),
        "White": (14.67, -17.42, 1326.0),
        "Asian-Pac-Islander": (5.82, 4.66, 55.1),
        "Amer-Indian-Eskimo": (3.55, 3.48, 9.04),
        "Other": (3.28, 3.21, 7.50),
        "Black": (6.16, 2.79, 94.6),
        "always on": (18.25, -18.51, 1507.0),
    },
}

# The same for the group "always on" of `synthetic_paper`.
PUBLISHED_SYNTHETIC = {
    "mean": (0.764, -39.93, 89.18),
    "min": (1.04, -94.94, 202.3),
    "max": (0.860, -66.98, 148.1),
    "dominance": (1.26, -185.8, 294.4),
}


# Hard instances.


def crossing(T: int = 100_000) -> ClassStream:
    """Return the instance that breaks one model for all (N = 2, G = 3): constants 0 and 1 under |h - y|, groups g1, g2 and all.

    Round t has k = 7 t mod 10.  k < 6: only g1 is awake, and y = 0; k = 6, 7: both, y = 1; k = 8, 9: only g2, y = 1.  The
    group of all is always awake.

    In hindsight the best is 0 on g1 (loss .2 T), 1 on g2 (loss 0) and 0 on all (loss .4 T; T a multiple of 10).  On g2 a
    single learner has regret .4 T, the first awake group's .2 T, the mean over the awake groups 7 T / 30.
    """
    y, groups = _crossing(T)
    return ClassStream(np.column_stack([y, 1 - y]), groups, name=call("crossing", T=T))


def sign_flip(T: int = 100_000, seed: int = 0) -> RegressionStream:
    """Return the regression that no single linear model fits (d = 5, G = 4: s, not s, o, all).

    Features are uniform on [0, 1]^4 with a constant 1 added, s and o are coins with probabilities .5 and .3; the label is
    the mean of the four features if s, else 1 minus that.  On s and on not s a linear model of its own has loss 0, the best
    one on all rounds has 1/48 = .0208 a round.
    """
    T, rng = validate.integer("T", T, 1), _generator(seed)
    u, s, o = rng.random((T, 4)), rng.random(T) < 0.5, rng.random(T) < 0.3
    mean = np.clip(u.mean(axis=1), 0, 1)
    features, groups = np.column_stack([u, np.ones(T)]), np.column_stack([s, ~s, o, np.ones(T, bool)])
    return RegressionStream(features, np.where(s, mean, 1 - mean), groups, name=call("sign_flip", T=T, seed=seed))


def paths(T: int = 3000, K: int = 6, W: int = 3, G: int = 4, seed: int = 0) -> PathStream:
    """Return a layered graph in which every group has a path of its own (K layers of edges, W nodes between two).

    Group 0 is always awake, the others with probability .4, independently.  Each group owns one path, its inner nodes
    uniform; edges lose 1 with probability .5, those of the path of the last group awake with probability .2.
    """
    T, K, W, G = (validate.integer(name, value, 1) for name, value in (("T", T), ("K", K), ("W", W), ("G", G)))
    rng = _generator(seed)
    nodes = np.pad(rng.integers(0, W, (G, K - 1)), ((0, 0), (1, 1)))
    groups = rng.random((T, G)) < 0.4
    groups[:, 0] = True
    last = G - 1 - np.argmax(groups[:, ::-1], axis=1)
    chance = np.full((G, K, W, W), 0.5)
    for k in range(K):
        chance[np.arange(G), k, nodes[:, k], nodes[:, k + 1]] = 0.2
    losses = (rng.random((T, K, W, W)) < chance[last]).astype(np.float64)
    return PathStream(losses, groups, name=call("paths", T=T, K=K, W=W, G=G, seed=seed))


# The paper's data.


def synthetic_paper(kind: str = "mean", T: int = 100_000, seed: int = 21, order: int | None = None) -> RegressionStream:
    """Return the paper's synthetic data (d = 25, G = 6), with the authors' draw for the default `T` and `seed`.

    Each round has 20 features uniform on [0, 1], a shape (circle .5, square .3, triangle .2) and a colour (green .6, red
    .4).  Each of the five groups has a weight vector uniform on [0, 1]^20 and a label of its own, linear with normal noise of
    standard deviation .16.  The round's label is made of those of its shape and its colour, scaled to [0, 1] over the
    whole table (a look-ahead of the paper).  The five indicators are features too; the groups are the five and all.

    Parameters
    ----------
    kind : {"mean", "min", "max", "dominance"}
        How the two labels make one; "dominance" takes that of the first awake group in the order of `DOMINANCE`.
    T : int
        Rounds; another number than 100,000 is another draw, not a prefix.
    seed : int
        Seed of the two legacy generators: NumPy's draws features, weights and noise, Python's shapes, then colours.
    order : int, optional
        Order of the rows.  None: as drawn; 0, ..., 9: shuffled as in the paper, whose results are means over the ten.
    """
    kind, T = validate.one_of("kind", kind, tuple(PUBLISHED_SYNTHETIC)), validate.integer("T", T, 1)
    legacy, choose = np.random.RandomState(validate.integer("seed", seed, 0, 2**32 - 1)), random.Random(seed)
    features = legacy.uniform(size=(T, 20))
    shape = np.array(choose.choices(range(3), (0.5, 0.3, 0.2), k=T))
    colour = 3 + np.array(choose.choices(range(2), (0.6, 0.4), k=T))
    labels = features @ legacy.uniform(size=(20, 5)) + legacy.normal(scale=0.16, size=(T, 5))

    rounds = np.arange(T)
    of_shape, of_colour = labels[rounds, shape], labels[rounds, colour]
    if kind == "dominance":
        place = np.array([DOMINANCE.index(name) for name in SYNTHETIC_GROUPS[:5]])
        label = np.where(place[shape] < place[colour], of_shape, of_colour)
    else:
        label = {"mean": (of_shape + of_colour) / 2, "min": np.minimum(of_shape, of_colour), "max": np.maximum(of_shape, of_colour)}[kind]
    groups = [(shape == g) | (colour == g) for g in range(5)]
    name = call("synthetic_paper", kind=kind, T=T, seed=seed, order=order)
    return _regression([features, *groups], _scaled(label), groups, _rows(T, order, {}), name)


def medical(path: str | os.PathLike[str], order: int | str | None = None, ranges: Mapping[str, Sequence[float]] | None = None) -> RegressionStream:
    """Return the paper's medical costs from the file that `SOURCES` names: charges from 18 features, 12 groups (`MEDICAL_GROUPS`).

    Features: age, bmi and children, scaled to [0, 1]; sex, smoker and region, one column for every level; three indicators
    of age (at most 35, 36-50, above 50) and four of bmi (below 18.5, 25, 30, and from 30 on).  There is no constant, but the
    indicators sum to one: rank 14, and max |x|^2 = 7.23.  Groups: age, bmi, smoker, sex, and all.

    Parameters
    ----------
    path : str or path
        The CSV file; columns are found by name, more are ignored.
    order : int or str, optional
        Order of the rows.  None: as in the file; 0, ..., 9: the paper's shuffles; "age", "charges": sorted, ties as in the file.
    ranges : mapping, optional
        Ends (low, high) of age, bmi, children or charges that are scaled to 0 and 1.  Where there is none they are the
        smallest and largest value in the file: the paper's way, which looks ahead.

    Raises
    ------
    ValueError, TypeError
        If a column is missing or a cell cannot be read; the message names the row (1: the names) and the column.
    OSError
        If the file cannot be read.
    """
    numeric = ("age", "bmi", "children", "charges")
    limits = _limits(ranges, numeric)
    known = {"sex": ("male", "female"), "smoker": ("yes", "no"), "region": None}
    table = _read(path, dict.fromkeys(numeric, _number) | {name: _level(levels) for name, levels in known.items()})
    by_age, bmi = _by_age(table["age"]), table["bmi"]
    by_bmi = [bmi < 18.5, (bmi >= 18.5) & (bmi < 25), (bmi >= 25) & (bmi < 30), bmi >= 30]
    features = [
        *(_scaled(table[name], limits.get(name)) for name in numeric[:3]),
        *(column for name in known for column in _one_hot(table[name])),
        *by_age,
        *by_bmi,
    ]
    groups = [*by_age, *by_bmi, *(table["smoker"] == level for level in ("yes", "no")), *(table["sex"] == level for level in ("male", "female"))]
    rows = _rows(len(bmi), order, {"age": table["age"], "charges": table["charges"]})
    name = call("medical", path=os.fspath(path), order=order, **({} if ranges is None else {"ranges": limits}))
    return _regression(features, _scaled(table["charges"], limits.get("charges")), groups, rows, name)


def adult(path: str | os.PathLike[str], order: int | str | None = None) -> RegressionStream:
    """Return the paper's recipe on the file of incomes that `SOURCES` names: d = 96, 13 groups (`ADULT_GROUPS`).

    Features: hours, age, capital gain and loss and education-num, scaled to [0, 1] over the file; workclass, marital
    status, relationship, country, occupation, race and sex, one column for every level ("?" is one); three indicators of age
    and two of education.  Groups: age (at most 35, 36-50, above 50), education-num (at most 9, from 10 on), sex, race, all.
    On this file the rank is 87, max |x|^2 = 11.78, and the mean label .2408.

    The label says whether the income is above 50K.  The paper used a file with numeric income, which may not be
    redistributed; given that one, the label is the income scaled to [0, 1].

    Parameters
    ----------
    path : str or path
        The CSV file; columns are found by name, the income as income-per-year or income, and more are ignored.
    order : int or str, optional
        Order of the rows.  None: as in the file; 0, ..., 9: shuffled as in the paper; "age": sorted, ties as in the file.

    Raises
    ------
    ValueError, TypeError
        If a column is missing or a cell cannot be read; the message names the row (1: the names) and the column.
    OSError
        If the file cannot be read.
    """
    numeric = ("hours-per-week", "age", "capital-gain", "capital-loss", "education-num")
    races = ADULT_GROUPS[7:12]
    known = dict.fromkeys(("workclass", "marital-status", "relationship", "native-country", "occupation")) | {"race": races, "sex": ("Male", "Female")}
    cells = dict.fromkeys(numeric, _number) | {name: _level(levels) for name, levels in known.items()}
    table = _read(path, cells | {"income-per-year|income": _income})
    by_age, education = _by_age(table["age"]), table["education-num"]
    by_education = [education <= 9, education > 9]
    features = [
        *(_scaled(table[name]) for name in numeric),
        *(column for name in known for column in _one_hot(table[name])),
        *by_age,
        *by_education,
    ]
    groups = [*by_age, *by_education, *(table["sex"] == level for level in ("Male", "Female")), *(table["race"] == level for level in races)]
    income = table["income-per-year|income"]
    labels = income if np.isin(income, (0, 1)).all() else _scaled(income)
    rows = _rows(len(labels), order, {"age": table["age"]})
    return _regression(features, labels, groups, rows, call("adult", path=os.fspath(path), order=order))


def describe(*, medical: str | None = None, adult: str | None = None) -> Iterator[str]:
    """Check the tables at these paths and yield a text on each: rounds, dimension, rank and group sizes (``theoryrl data groupwise``)."""
    for key, path, load, names in (("medical", medical, _medical, MEDICAL_GROUPS), ("adult", adult, _adult, ADULT_GROUPS)):
        if path is None:
            continue
        stream = load(path)
        scale = np.linalg.svd(stream.features, compute_uv=False)
        facts = stream.dimension, int((scale > 1e-10 * scale[0]).sum()), tuple(stream.group_sizes().tolist())
        lines = [
            f"{key}: {path}",
            f"  rounds     {stream.n_rounds:,}",
            f"  d          {facts[0]}",
            f"  rank       {facts[1]}",
            f"  max |x|^2  {(stream.features**2).sum(axis=1).max():.4g}",
            f"  mean label {stream.labels.mean():.4f}",
            "  group sizes",
            *(f"    {name:<20} {size:>6}" for name, size in zip(names, facts[2], strict=True)),
            f"  d, rank and group sizes are {'' if facts == FACTS[key] else 'NOT '}those of {SOURCES[key]}",
        ]
        yield "\n".join(lines)


# Sequences for the meta algorithm: bare experts.


def streak(T: int = 400) -> ExpertStream:
    """Return the sequence on which the bound of AdaNormalHedge is tight (G = 2): always awake, losses 1 and 0 in every round.

    Run it with the prior (1 - q, q): the regret to expert 1 grows up to about 3 ln(1 / q) - 9, which is 18.77, 46.28,
    101.56 for q = 1e-4, 1e-8, 1e-16 and T = 400.
    """
    T = validate.integer("T", T, 1)
    return ExpertStream(np.tile([1.0, 0.0], (T, 1)), np.ones((T, 2), bool), name=call("streak", T=T))


def fair_coins(T: int, n: int, seed: int = 0) -> ExpertStream:
    """Return n experts that are always awake and lose 0 or 1 by fair coins: the regret to the best grows like sqrt(T)."""
    T, n = validate.integer("T", T, 1), validate.integer("n", n, 1)
    losses = _generator(seed).random((T, n)) < 0.5
    return ExpertStream(losses, np.ones((T, n), bool), name=call("fair_coins", T=T, n=n, seed=seed))


def cross(T: int = 2000) -> ExpertStream:
    """Return the adversary on the masks and labels y of `crossing`: losses (y, 1 - y, y)."""
    y, groups = _crossing(T)
    return ExpertStream(np.column_stack([y, 1 - y, y]), groups, name=call("cross", T=T))


def rnd(T: int = 2000, seed: int = 0) -> ExpertStream:
    """Return random masks and losses (G = 3): groups 0 and 1 awake with probability .6, group 2 always; all losses are fair coins."""
    T, rng = validate.integer("T", T, 1), _generator(seed)
    groups = rng.random((T, 3)) < 0.6
    groups[:, 2] = True
    return ExpertStream(rng.random((T, 3)) < 0.5, groups, name=call("rnd", T=T, seed=seed))


def rare(T: int = 2000, seed: int = 0) -> ExpertStream:
    """Return a good expert that is seldom awake (G = 3): expert 0 with probability .2 and loss 0; the others always, losing 1 with probability .6."""
    T, rng = validate.integer("T", T, 1), _generator(seed)
    groups = np.ones((T, 3), bool)
    groups[:, 0] = rng.random(T) < 0.2
    losses = rng.random((T, 3)) < 0.6
    losses[:, 0] = False
    return ExpertStream(losses, groups, name=call("rare", T=T, seed=seed))


def alt(T: int = 2000) -> ExpertStream:
    """Return alternating losses (G = 3, always awake): 1 in even rounds, 1 in odd rounds, and 0, 0, 1, 1 in turn."""
    t = np.arange(validate.integer("T", T, 1))
    return ExpertStream(np.column_stack([t % 2 == 0, t % 2 == 1, t // 2 % 2 == 1]), np.ones((len(t), 3), bool), name=call("alt", T=T))


def kill(p: np.ndarray, awake: np.ndarray) -> np.ndarray:
    """Return, (G,), the losses of the adaptive adversary: 1 for the awake expert with the largest p (the first of them), else 0.

    Made to be asked in every round of a stepwise run, with the masks of ``rnd(T, seed)``.
    """
    losses = np.zeros(len(p))
    if np.any(awake):
        losses[np.argmax(np.where(awake, p, -math.inf))] = 1
    return losses


# What they share.

_medical, _adult = medical, adult  # the arguments of `describe` have the names of the tables


def _crossing(T: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels, (T,), and masks, (T, 3), of `crossing`."""
    k = 7 * np.arange(validate.integer("T", T, 1)) % 10
    return (k >= 6).astype(np.float64), np.column_stack([k < 8, k >= 6, k >= 0])


def _generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(validate.integer("seed", seed, 0))


def _regression(features: Sequence[Any], labels: np.ndarray, groups: Sequence[Any], rows: np.ndarray, name: str) -> RegressionStream:
    """Return the stream of these columns, with the group of all added, in the order of `rows`."""
    masks = np.column_stack([*groups, np.ones(len(labels), bool)])
    return RegressionStream(np.column_stack(features).astype(np.float64)[rows], labels[rows], masks[rows], name=name)


def _by_age(age: np.ndarray) -> list[np.ndarray]:
    return [age <= 35, (age > 35) & (age <= 50), age > 50]


def _one_hot(column: np.ndarray) -> Iterator[np.ndarray]:
    """Yield an indicator of each level, in sorted order."""
    for level in np.unique(column):
        yield column == level


def _scaled(column: np.ndarray, ends: tuple[float, float] | None = None) -> np.ndarray:
    """Return `column` with these ends (None: its smallest and largest value) moved to 0 and 1; zeros if they are equal."""
    low, high = (column.min(), column.max()) if ends is None else ends
    return (column - low) / (high - low) if high > low else np.zeros(len(column))


def _limits(ranges: Mapping[str, Sequence[float]] | None, numeric: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Return `ranges`, checked to give two increasing numbers to some of the numeric columns."""
    limits = {}
    for name, ends in (ranges or {}).items():
        validate.one_of("ranges", name, numeric)
        if not isinstance(ends, Sequence) or len(ends) != 2:
            raise TypeError(f"ranges[{name!r}]: expected a pair of numbers, got {ends!r}")
        low, high = (validate.real(f"ranges[{name!r}][{i}]", end) for i, end in enumerate(ends))
        if not low < high:
            raise ValueError(f"ranges[{name!r}]: expected the lower end below the upper end, got {(low, high)}")
        limits[name] = low, high
    return limits


def _rows(n: int, order: int | str | None, keys: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the rows in the order asked for: of the file, one of the paper's shuffles, or sorted by a key."""
    if order is None:
        return np.arange(n)
    if isinstance(order, str) and keys:
        return np.argsort(keys[validate.one_of("order", order, tuple(keys))], kind="stable")
    return np.random.RandomState(ORDER_SEEDS[validate.integer("order", order, 0, len(ORDER_SEEDS) - 1)]).permutation(n)


# Reading tables.


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"expected a number, got {text!r}")
    return value


def _level(levels: Sequence[str] | None) -> Callable[[str], str]:
    """Return a reader of cells that hold one of `levels` (None: any text)."""

    def read(text: str) -> str:
        if not text or (levels is not None and text not in levels):
            raise ValueError(f"expected {'a text' if levels is None else 'one of ' + ', '.join(levels)}, got {text!r}")
        return text

    return read


def _income(text: str) -> float:
    """Read a number, or one of the two classes (UCI's test part ends them with a full stop)."""
    classes = {"<=50K": 0.0, ">50K": 1.0}
    try:
        return classes[text.rstrip(".")] if text.rstrip(".") in classes else _number(text)
    except ValueError:
        raise ValueError(f"expected <=50K, >50K or a number, got {text!r}") from None


def _read(path: str | os.PathLike[str], cells: Mapping[str, Callable[[str], Any]]) -> dict[str, np.ndarray]:
    """Read the columns named by `cells` ("a|b": the column a or b) of a CSV file with a line of names, each cell by its reader."""
    path = os.fspath(path)
    values: dict[str, list[Any]] = {name: [] for name in cells}
    with open(path, newline="", encoding="utf-8-sig") as file:
        try:
            lines = ((number, [cell.strip() for cell in row]) for number, row in enumerate(csv.reader(file), start=1) if row)
            head = next(lines, (1, []))[1]
            places = {name: next((head.index(one) for one in name.split("|") if one in head), None) for name in cells}
            missing = [name.replace("|", " or ") for name, place in places.items() if place is None]
            if missing:
                raise ValueError(f"{path}, row 1: expected the columns {', '.join(map(repr, missing))} too, got {head}")
            for number, row in lines:
                if len(row) != len(head):
                    raise ValueError(f"{path}, row {number}: expected {len(head)} cells, got {len(row)}: {row}")
                for name, read in cells.items():
                    place = places[name] or 0
                    try:
                        values[name].append(read(row[place]))
                    except ValueError as error:
                        raise ValueError(f"{path}, row {number}, column {place + 1} ({head[place]}): {error}") from None
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{path}: expected a CSV file in UTF-8, got {error}") from None
    if not values[next(iter(cells))]:
        raise ValueError(f"{path}: expected rows below the line of names, got none")
    return {name: np.array(column) for name, column in values.items()}
