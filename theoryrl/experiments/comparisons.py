"""Paired comparisons by seed: Wilcoxon's signed rank test of all pairs of algorithms, Holm's correction, Hodges-Lehmann differences."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from theoryrl import validate
from theoryrl.algorithms.run import Run
from theoryrl.experiments.frames import Group, final_value, groups, listed
from theoryrl.experiments.wording import number

if TYPE_CHECKING:
    import pandas

EXACT_PAIRS = 200
"""Up to so many pairs the law of the signed rank statistic is computed, beyond the normal approximation is taken."""


@dataclasses.dataclass(frozen=True)
class SignedRank:
    """Wilcoxon's signed rank test of paired differences.

    Attributes
    ----------
    pairs, zeros : int
        Number of differences, and how many of them are zero.
    ties : int
        Number of nonzero differences that share their absolute value with another one.
    statistic : float
        Sum of the ranks of the positive differences.
    p : float
        Two-sided.
    smallest_p : float
        The least p that so many nonzero differences can give, ``2 / 2^(pairs - zeros)``, reached when all have one sign.
    """

    pairs: int
    zeros: int
    ties: int
    statistic: float
    p: float
    smallest_p: float


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two algorithms on one problem.

    Attributes
    ----------
    problem : str
    n : int
        Horizon.
    first, second : str
        The algorithms.
    first_median, second_median : float
        Medians of the final values over seeds.
    difference : float
        Hodges-Lehmann estimate of the median of first minus second.
    low, high : float
        Its confidence interval; infinite where so few seeds can give none.
    test : SignedRank
    adjusted : float
        Holm's p over all pairs of the table.
    """

    problem: str
    n: int
    first: str
    second: str
    first_median: float
    second_median: float
    difference: float
    low: float
    high: float
    test: SignedRank
    adjusted: float


@dataclasses.dataclass(frozen=True, repr=False)
class Comparisons:
    """A table of paired comparisons.

    Attributes
    ----------
    curve : str
        Whose final values are compared.
    level : float
        Familywise error probability of the tests, error probability of each confidence interval.
    pairs : tuple of Pair
    notes : tuple of str
        What a reader must know: too few seeds, runs that are missing.
    """

    curve: str
    level: float
    pairs: tuple[Pair, ...]
    notes: tuple[str, ...]

    def to_frame(self) -> pandas.DataFrame:
        """Return one row per pair; ``frame.attrs`` holds the curve, the level and the notes."""
        import pandas

        rows = []
        for pair in self.pairs:
            row = {f.name: getattr(pair, f.name) for f in dataclasses.fields(pair) if f.name not in ("test", "adjusted")}
            rows.append(row | dataclasses.asdict(pair.test) | {"adjusted": pair.adjusted})
        table = pandas.DataFrame(rows)
        table.attrs |= {"curve": self.curve, "level": self.level, "notes": list(self.notes)}
        return table

    @property
    def caption(self) -> str:
        """What the table shows."""
        share = f"{100 * (1 - self.level):g} %"
        return (
            f"Final {self.curve}, first minus second, paired by seed: Hodges–Lehmann difference with its {share} interval; p: Wilcoxon's signed rank test,"
            f" two-sided, zeros as Pratt, ties by mean ranks; adjusted: Holm over the {len(self.pairs)} pairs of this table (* below {self.level:g})."
        )

    def __repr__(self) -> str:
        head = ("first", "second", "medians", "difference", "interval", "seeds", "p", "adjusted")
        lines = [self.caption]
        for (problem, n), pairs in itertools.groupby(self.pairs, key=lambda pair: (pair.problem, pair.n)):
            rows = [head, *(_cells(pair, self.level) for pair in pairs)]
            widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
            lines += ["", f"{problem}, n = {n:,}"]
            lines += ["  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([*lines, *([""] if self.notes else []), *self.notes])


def compare(runs: Iterable[Run], curve: str = "regret", *, level: float = 0.05) -> Comparisons:
    """Compare, on each problem, all pairs of algorithms by their final values, paired by seed.

    Parameters
    ----------
    runs : iterable of Run
        Finished; on each problem (and horizon) all algorithms with the same seeds.
    curve : str
        A curve of the runs (at its largest entry if it has trailing axes), or "steps", what a rule that stops by itself took.
    level : float
        In (0, 1).

    Returns
    -------
    Comparisons

    Raises
    ------
    ValueError
        If seeds are unpaired, a run is not finished or has no such curve, two runs are the same, or nothing can be compared.

    Notes
    -----
    All pairs of all problems in `runs` are one family: Holm's correction is over all of them.  Differences within the
    round-off of n accumulated terms are zero: algorithms that act alike must not differ by the order of their additions.
    """
    level = validate.real("level", level, 0, 1, open_ends=True)
    found = groups(runs)
    for group in found:
        if group.unpaired:
            lacking = "; ".join(f"{name} lacks seed{'s' if len(seeds) > 1 else ''} {listed(seeds)}" for name, seeds in group.unpaired.items())
            raise ValueError(f"runs: unpaired seeds on {group.problem}, n = {group.n:,}: {lacking}")
    rows = [(group, first, second, *_differences(group, first, second, curve)) for group in found for first, second in itertools.combinations(group.runs, 2)]
    if not rows:
        raise ValueError("runs: expected at least two algorithms on one problem with one horizon")
    tests = [signed_rank(difference) for *_, difference in rows]
    adjusted = holm([test.p for test in tests])
    pairs = []
    for (group, first, second, a, b, difference), test, p in zip(rows, tests, adjusted, strict=True):
        estimate, low, high = hodges_lehmann(difference, level)
        pairs.append(Pair(group.problem, group.n, first, second, float(np.median(a)), float(np.median(b)), estimate, low, high, test, float(p)))
    return Comparisons(curve, level, tuple(pairs), tuple(_notes(found, tests, level)))


def signed_rank(differences: Sequence[float] | np.ndarray) -> SignedRank:
    """Return Wilcoxon's two-sided signed rank test that `differences` are symmetric about zero.

    Zeros take part in the ranking and are then left out (Pratt 1959); tied absolute values have the mean of their ranks.
    Up to `EXACT_PAIRS` nonzero differences p is exact given the absolute values, ties and zeros too: all sign patterns are
    equally likely.  Beyond it is `scipy.stats.wilcoxon`'s normal approximation.

    Raises
    ------
    ValueError
        If there is none, or one is not finite.
    """
    from scipy import stats

    differences = validate.real_array("differences", differences, (None,))
    size = np.abs(differences)
    ranks = stats.rankdata(size)[size > 0]
    positive = differences[size > 0] > 0
    pairs, zeros = len(differences), int((size == 0).sum())
    _, counts = np.unique(size[size > 0], return_counts=True)
    ties = int(counts[counts > 1].sum())
    statistic = float(ranks[positive].sum())
    if len(ranks) == 0:
        p = 1.0
    elif len(ranks) <= EXACT_PAIRS:
        law = _law(tuple(np.sort(np.rint(2 * ranks).astype(np.int64)).tolist()))
        extreme = min(statistic, float(ranks.sum()) - statistic)
        p = min(1.0, 2 * float(law[: round(2 * extreme) + 1].sum()))
    else:
        p = float(stats.wilcoxon(differences, zero_method="pratt", method="approx").pvalue)
    return SignedRank(pairs, zeros, ties, statistic, p, smallest_p(pairs - zeros))


def smallest_p(pairs: int) -> float:
    """Return the least two-sided p of the signed rank test of `pairs` nonzero differences."""
    return min(1.0, 2.0 ** (1 - pairs))


def hodges_lehmann(differences: Sequence[float] | np.ndarray, level: float = 0.05) -> tuple[float, float, float]:
    """Return the Hodges-Lehmann estimate of the centre of symmetric `differences`, and its interval of error probability at most `level`.

    The estimate is the median of the averages ``(d_i + d_j) / 2``, i <= j; the ends of the interval are order statistics of these
    averages (Hodges and Lehmann 1963; Lehmann 1975, 4.4), from the exact law of the signed rank statistic up to `EXACT_PAIRS`
    differences.  Tied differences make the closed interval wider than needed, never narrower.  Where no interval reaches the level
    (5 differences at .05) its ends are infinite.
    """
    differences = validate.real_array("differences", differences, (None,))
    n = len(differences)
    rows, columns = np.triu_indices(n)
    averages = np.sort(differences[rows] / 2 + differences[columns] / 2)
    if n <= EXACT_PAIRS:
        tail = np.cumsum(_law(tuple(range(1, n + 1))))
        rank = int(np.searchsorted(tail, level / 2, side="right"))
    else:
        rank = math.floor(n * (n + 1) / 4 + float(special.ndtri(level / 2)) * math.sqrt(n * (n + 1) * (2 * n + 1) / 24))
    low, high = (-math.inf, math.inf) if rank == 0 else (float(averages[rank - 1]), float(averages[-rank]))
    return float(np.median(averages)), low, high


def holm(p: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return Holm's adjusted p values (1979), in the order given: those below a level are rejected with that familywise error probability."""
    p = validate.real_array("p", p, (None,), 0, 1)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p)))))
    return adjusted


@functools.lru_cache(maxsize=64)
def _law(ranks: tuple[int, ...]) -> np.ndarray:
    """The law of the sum of ranks, each with probability 1/2: entry j is the probability that it is j."""
    law = np.zeros(1 + sum(ranks))
    law[0] = 1
    reach = 0
    for rank in ranks:
        reach += rank
        law[rank : reach + 1] += law[: reach + 1 - rank].copy()
        law[: reach + 1] /= 2
    law.setflags(write=False)
    return law


def _differences(group: Group, first: str, second: str, curve: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    a, b = (np.array([final_value(run, curve) for run in group.runs[name].values()]) for name in (first, second))
    roundoff = 4 * np.finfo(float).eps * (group.n + 8) * (1 + np.maximum(np.abs(a), np.abs(b)))
    return a, b, np.where(np.abs(a - b) <= roundoff, 0.0, a - b)


def _notes(found: Sequence[Group], tests: Sequence[SignedRank], level: float) -> list[str]:
    notes = []
    least = min(test.pairs for test in tests)
    if len(tests) * smallest_p(least) >= level:
        needed = next(n for n in itertools.count(1) if len(tests) * smallest_p(n) < level)
        notes.append(
            f"Too few seeds: with {least} no p below {number(smallest_p(least))} can be reached, after Holm over {len(tests)} pairs"
            f" {number(min(1.0, len(tests) * smallest_p(least)))}; {needed} seeds can reach {level:g}."
        )
    if any(test.zeros for test in tests):
        notes.append("Some differences are zero: the smallest p that a pair can reach is 2 / 2^(seeds - zeros), in the column smallest_p of to_frame().")
    names = dict.fromkeys(name for group in found for name in group.runs)
    for group in found:
        absent = [name for name in names if name not in group.runs]
        if absent:
            notes.append(f"Missing on {group.problem}, n = {group.n:,}: {', '.join(absent)}.")
    return notes


def _cells(pair: Pair, level: float) -> tuple[str, ...]:
    interval = f"[{_signed(pair.low)}, {_signed(pair.high)}]"
    star = " *" if pair.adjusted < level else ""
    medians = f"{_signed(pair.first_median)} / {_signed(pair.second_median)}"
    seeds = f"{pair.test.pairs}" + (f" ({pair.test.zeros} alike)" if pair.test.zeros else "")
    return pair.first, pair.second, medians, _signed(pair.difference), interval, seeds, number(pair.test.p), number(pair.adjusted) + star


def _signed(value: Any) -> str:
    return ("−∞" if value < 0 else "∞") if math.isinf(value) else number(value)
