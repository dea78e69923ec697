"""Streams of rounds with groups: online prediction, where a round tells which groups are awake before the prediction.

Source of the setting: Acharya, Arunachaleswaran, Kannan, Roth, Ziani, "Oracle Efficient Algorithms for Groupwise Regret",
ICLR 2024.  A stream knows what regret compares with: for every group the smallest loss in hindsight of its class on the
group's own rounds.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any

import numpy as np

from theoryrl import validate
from theoryrl.jit import kernel
from theoryrl.problems.problem import Problem

CUT_OFF = 1e-10  # singular values at most this fraction of the largest one count as zero


class GroupStream(Problem):
    """What the streams below share: T rounds, G groups, and totals over prefixes.

    `groups` is a (T, G) array of 0 and 1 (or bool), kept as read-only uint8: ``groups[t, g]`` says whether group g is
    awake in round t.  Groups may intersect in any way, and several or none may be awake.
    """

    groups: np.ndarray

    @property
    def n_rounds(self) -> int:
        """Number of rounds T."""
        return int(self.groups.shape[0])

    @property
    def n_groups(self) -> int:
        """Number of groups G."""
        return int(self.groups.shape[1])

    @property
    def loss_scale(self) -> float:
        """The largest possible loss S of a round; losses / S are in [0, 1]."""
        raise NotImplementedError

    def group_sizes(self, t: int | None = None) -> np.ndarray:
        """Return, (G,) int64, the number of rounds of each group among the first t (None: all)."""
        sizes: np.ndarray = self.groups[: self._prefix(t)].sum(axis=0, dtype=np.int64)
        return sizes

    def hindsight(self, t: int | None = None) -> np.ndarray:
        """Return, (G,), the smallest loss of the class on each group's rounds among the first t (None: all); 0 without a round."""
        raise NotImplementedError

    def _prefix(self, t: int | None) -> int:
        return self.n_rounds if t is None else validate.integer("t", t, 0, self.n_rounds)

    def _totals(self, t: int | None) -> np.ndarray:
        """Return what `_add` makes of the first t rounds, going on from the last prefix asked for if that was shorter.

        Rounds are added one by one, so that the bits do not depend on the prefixes asked for before.
        """
        t = self._prefix(t)
        done, totals = self.__dict__.get("_last_totals", (0, None))
        if totals is None or done > t:
            done, totals = 0, self._nothing()
        if done < t:
            totals = totals.copy()  # another thread may be reading the old ones
            self._add(totals, done, t)
        self.__dict__["_last_totals"] = (t, totals)
        return totals

    def _nothing(self) -> np.ndarray:
        raise NotImplementedError

    def _add(self, totals: np.ndarray, start: int, stop: int) -> None:
        raise NotImplementedError

    def _store(self, **checked: Any) -> None:
        for field, value in checked.items():
            object.__setattr__(self, field, value)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class RegressionStream(GroupStream):
    """Online linear regression: the loss of predicting yhat is (yhat - y)^2, the class is x -> <theta, x>.

    Parameters
    ----------
    features : (T, d) array
        Features x, finite.
    labels : (T,) array in `label_range`
        Labels y.
    groups : (T, G) array of 0 and 1
        Which groups are awake.
    label_range : (float, float)
        Lower and upper end of the labels, known to the learner.

    Raises
    ------
    ValueError, TypeError
        If a field is out of range or of a wrong shape; the message names the field, the index and the value.
    """

    features: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    label_range: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        features = validate.real_array("features", self.features, (None, None))
        low, high = _interval(self.label_range)
        labels = validate.real_array("labels", self.labels, (len(features),), low, high)
        self._store(features=features, labels=labels, groups=_masks("groups", self.groups, len(features)), label_range=(low, high))

    @property
    def dimension(self) -> int:
        """Dimension d of the features."""
        return int(self.features.shape[1])

    @property
    def loss_scale(self) -> float:
        """S = (y_hi - y_lo)^2, the largest loss of a prediction in `label_range`."""
        low, high = self.label_range
        return (high - low) ** 2

    def hindsight(self, t: int | None = None) -> np.ndarray:
        """Return, (G,), the least-squares loss on each group's rounds among the first t (None: all).

        From a QR decomposition of the group's rows [X y] and the singular values of its small factor, of which those at
        most 1e-10 of the largest one count as zero; the Gram matrix, which squares the condition number, is never formed.
        """
        loss, s, c = self._spectrum(t)
        best: np.ndarray = loss + (c**2 * (s == 0)).sum(axis=1)
        return best

    def least_squares_norm2(self, t: int | None = None) -> np.ndarray:
        """Return, (G,), the squared norm of the least-squares solution of smallest norm (0 without a round)."""
        _, s, c = self._spectrum(t)
        return _norm2(s, c, np.zeros(self.n_groups))

    def ridge(self, lam: float, t: int | None = None) -> np.ndarray:
        """Return, (G,), the smallest penalised loss ``min_theta lam |theta|^2 + sum (<theta, x> - y)^2`` on each group's rounds."""
        lam = validate.real("lam", lam, 0, math.inf, open_ends=True)
        loss, s, c = self._spectrum(t, cut_off=0)
        best: np.ndarray = loss + (c**2 * (lam / (s**2 + lam))).sum(axis=1)
        return best

    def ball(self, radius: float, t: int | None = None) -> np.ndarray:
        """Return, (G,), the smallest loss with ``|theta| <= radius`` on each group's rounds.

        That of least squares if its solution of smallest norm fits, else that of the ridge solution of norm `radius`,
        whose penalty is found by bisection.
        """
        radius = validate.real("radius", radius, 0, math.inf, open_ends=True)
        loss, s, c = self._spectrum(t)
        low = np.zeros(self.n_groups)
        high = np.where(_norm2(s, c, low) <= radius**2, 0, np.sqrt(((s * c) ** 2).sum(axis=1)) / radius)
        for _ in range(200):
            middle = (low + high) / 2
            outside = _norm2(s, c, middle) > radius**2
            low, high = np.where(outside, middle, low), np.where(outside, high, middle)
        penalty = high[:, None]
        shrunk = np.divide(penalty, s**2 + penalty, out=np.where(s > 0, 0.0, 1.0), where=penalty > 0)
        best: np.ndarray = loss + ((c * shrunk) ** 2).sum(axis=1)
        return best

    def _spectrum(self, t: int | None, cut_off: float = CUT_OFF) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return (loss, s, c) of each group: the loss of theta is ``loss + |diag(s) V theta - c|^2`` for an orthogonal V."""
        d, t = self.dimension, self._prefix(t)
        done, factors = self.__dict__.get("_last_factors", (-1, None))
        if done != t:
            R = self._totals(t)
            U, s, _ = np.linalg.svd(R[:, :d, :d])
            factors = R[:, d, d] ** 2, s, np.einsum("gij,gi->gj", U, R[:, :d, d])
            self.__dict__["_last_factors"] = (t, factors)
        loss, s, c = factors
        return loss, np.where(s > cut_off * s[:, :1], s, 0), c

    def _nothing(self) -> np.ndarray:
        return np.zeros((self.n_groups, self.dimension + 1, self.dimension + 1))

    def _add(self, totals: np.ndarray, start: int, stop: int) -> None:
        _rotate_in(self.features, self.labels, self.groups, start, stop, totals, np.zeros(self.dimension + 1))


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ClassStream(GroupStream):
    """A finite class of N hypotheses; the loss of each in every round is given.

    Parameters
    ----------
    losses : (T, N) array in [0, scale]
        Loss of each hypothesis.
    groups : (T, G) array of 0 and 1
        Which groups are awake.
    scale : float
        The largest possible loss S, positive.
    separator : (N, s) array of 0 and 1, optional
        Values of the hypotheses on a separator, a set on which any two of them differ: pairwise distinct rows.

    Raises
    ------
    ValueError, TypeError
        If a field is out of range or of a wrong shape; the message names the field, the index and the value.
    """

    losses: np.ndarray
    groups: np.ndarray
    scale: float = 1.0
    separator: np.ndarray | None = None

    def __post_init__(self) -> None:
        scale = validate.real("scale", self.scale, 0, math.inf, open_ends=True)
        losses = validate.real_array("losses", self.losses, (None, None), 0, scale)
        separator = None if self.separator is None else _distinct(_masks("separator", self.separator, losses.shape[1]))
        self._store(losses=losses, groups=_masks("groups", self.groups, len(losses)), scale=scale, separator=separator)

    @property
    def n_hypotheses(self) -> int:
        """Number of hypotheses N."""
        return int(self.losses.shape[1])

    @property
    def loss_scale(self) -> float:
        """S = `scale`."""
        return self.scale

    def hindsight(self, t: int | None = None) -> np.ndarray:
        """Return, (G,), the loss of the best hypothesis on each group's rounds among the first t (None: all)."""
        best: np.ndarray = self._totals(t).min(axis=1)
        return best

    def _nothing(self) -> np.ndarray:
        return np.zeros((self.n_groups, self.n_hypotheses))

    def _add(self, totals: np.ndarray, start: int, stop: int) -> None:
        _accumulate(self.losses, self.groups, start, stop, totals)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PathStream(GroupStream):
    """Shortest paths in a layered graph of K layers of edges with W nodes between two layers.

    ``losses[t, k, i, j]`` is the loss in round t of the edge of layer k from node i to node j.  Layer 0 starts at the
    source and uses row 0 only, layer K - 1 ends at the sink and uses column 0 only (K = 1: a single edge, [0, 0]); the
    other entries are never read.  The loss of a path is the sum over its K edges.

    Parameters
    ----------
    losses : (T, K, W, W) array in [0, 1]
        Losses of the edges.
    groups : (T, G) array of 0 and 1
        Which groups are awake.

    Raises
    ------
    ValueError, TypeError
        If a field is out of range or of a wrong shape; the message names the field, the index and the value.
    """

    losses: np.ndarray
    groups: np.ndarray

    def __post_init__(self) -> None:
        losses = validate.real_array("losses", self.losses, (None, None, None, None), 0, 1)
        validate.check_shape("losses", losses, (*losses.shape[:3], losses.shape[2]))
        self._store(losses=losses, groups=_masks("groups", self.groups, len(losses)))

    @property
    def n_layers(self) -> int:
        """Number of layers of edges K."""
        return int(self.losses.shape[1])

    @property
    def width(self) -> int:
        """Number of nodes between two layers W."""
        return int(self.losses.shape[2])

    @property
    def n_paths(self) -> int:
        """Number of paths W^(K - 1)."""
        return self.width ** (self.n_layers - 1)

    @property
    def n_edges(self) -> int:
        """Number of edges in use E: (K - 2) W^2 + 2 W, or 1 if K = 1."""
        return 1 if self.n_layers == 1 else (self.n_layers - 2) * self.width**2 + 2 * self.width

    @property
    def loss_scale(self) -> float:
        """S = K."""
        return float(self.n_layers)

    def hindsight(self, t: int | None = None) -> np.ndarray:
        """Return, (G,), the loss of the shortest path on each group's rounds among the first t (None: all), by dynamic programming."""
        K, W = self.n_layers, self.width
        costs = self._totals(t).reshape(self.n_groups, K, W, W)
        to_go = costs[:, K - 1, :, 0]
        for k in range(K - 2, -1, -1):
            to_go = (costs[:, k] + to_go[:, None, :]).min(axis=2)
        return to_go[:, 0].copy()

    def enumerate_paths(self) -> np.ndarray:
        """Return all paths, (n_paths, K, 2) int64: the edge (i, j) that a path takes in each layer, in lexicographic order."""
        inner = np.array(list(itertools.product(range(self.width), repeat=self.n_layers - 1)), np.int64).reshape(self.n_paths, -1)
        nodes = np.pad(inner, ((0, 0), (1, 1)))
        return np.stack([nodes[:, :-1], nodes[:, 1:]], axis=2)

    def as_class(self) -> ClassStream:
        """Return the same stream with every path as a hypothesis, in the order of `enumerate_paths`."""
        losses = np.zeros((self.n_rounds, self.n_paths))
        for k, (i, j) in enumerate(self.enumerate_paths().transpose(1, 2, 0)):
            losses += self.losses[:, k, i, j]
        return ClassStream(losses, self.groups, scale=self.loss_scale, name=f"{self.name}.as_class()" if self.name else "")

    def _nothing(self) -> np.ndarray:
        return np.zeros((self.n_groups, self.losses[0].size))

    def _add(self, totals: np.ndarray, start: int, stop: int) -> None:
        _accumulate(self.losses.reshape(self.n_rounds, -1), self.groups, start, stop, totals)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ExpertStream(GroupStream):
    """The bare sleeping-experts problem: expert g is awake when group g is, and the comparator on its rounds is g itself.

    Parameters
    ----------
    losses : (T, G) array in [0, 1]
        Loss of each expert; what stands where it is asleep has no meaning.
    groups : (T, G) array of 0 and 1
        Which experts are awake.

    Raises
    ------
    ValueError, TypeError
        If a field is out of range or of a wrong shape; the message names the field, the index and the value.
    """

    losses: np.ndarray
    groups: np.ndarray

    def __post_init__(self) -> None:
        losses = validate.real_array("losses", self.losses, (None, None), 0, 1)
        groups = _masks("groups", self.groups, len(losses))
        validate.check_shape("groups", groups, losses.shape)
        self._store(losses=losses, groups=groups)

    @property
    def loss_scale(self) -> float:
        """S = 1."""
        return 1.0

    def hindsight(self, t: int | None = None) -> np.ndarray:
        """Return, (G,), the loss of each expert on its own rounds among the first t (None: all)."""
        return self._totals(t).copy()

    def _nothing(self) -> np.ndarray:
        return np.zeros(self.n_groups)

    def _add(self, totals: np.ndarray, start: int, stop: int) -> None:
        _accumulate_own(self.losses, self.groups, start, stop, totals)


# Validation.


def _masks(name: str, value: Any, length: int) -> np.ndarray:
    """Return `value` as a read-only (length, any) uint8 array, checked to hold 0 and 1 only."""
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "buif":
            raise TypeError
    except (TypeError, ValueError):
        raise TypeError(f"{name}: expected an array of 0 and 1, got {type(value).__name__}") from None
    if name == "groups" and array.ndim == 2 and array.shape[1] == 0:
        raise ValueError(f"groups: expected at least one group, got shape {array.shape}")
    validate.check_shape(name, array, (length, None))
    bad = ~((array == 0) | (array == 1))
    if bad.any():
        index = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(f"{name}{list(index)}: expected 0 or 1, got {array[index]}")
    masks = np.array(array, dtype=np.uint8, order="C")
    masks.setflags(write=False)
    return masks


def _distinct(separator: np.ndarray) -> np.ndarray:
    """Return `separator`, checked to have pairwise distinct rows."""
    seen: dict[bytes, int] = {}
    for h, row in enumerate(separator):
        first = seen.setdefault(row.tobytes(), h)
        if first != h:
            raise ValueError(f"separator[{h}]: expected pairwise distinct rows, got row {first} again: {row.tolist()}")
    return separator


def _interval(label_range: Any) -> tuple[float, float]:
    try:
        low, high = label_range
    except (TypeError, ValueError):
        raise TypeError(f"label_range: expected a pair of numbers, got {label_range!r}") from None
    low, high = validate.real("label_range[0]", low), validate.real("label_range[1]", high)
    if not low < high:
        raise ValueError(f"label_range: expected its lower end below its upper end, got {(low, high)}")
    return low, high


# Totals over rounds, added one by one.


def _norm2(s: np.ndarray, c: np.ndarray, penalty: np.ndarray) -> np.ndarray:
    """Return, (G,), the squared norm of the ridge solution; directions with s = 0 take no part."""
    seen = s > 0
    shift = np.divide(penalty[:, None], s, out=np.zeros_like(s), where=seen)
    theta = np.divide(c, s + shift, out=np.zeros_like(s), where=seen)
    total: np.ndarray = (theta**2).sum(axis=1)
    return total


@kernel
def _hypotenuse(a: float, b: float) -> float:
    """Return sqrt(a^2 + b^2) of two numbers that are not negative, not both 0; `math.hypot` has other bits interpreted than compiled."""
    if a < b:
        return b * math.sqrt(1 + (a / b) * (a / b))
    return a * math.sqrt(1 + (b / a) * (b / a))


@kernel
def _rotate_in(X: Any, y: Any, groups: Any, start: int, stop: int, R: Any, row: Any) -> None:
    """Add rounds ``start, ..., stop - 1`` to the triangular factors R, (G, d + 1, d + 1), of the groups' rows [X y], by Givens rotations."""
    d = X.shape[1]
    for t in range(start, stop):
        for g in range(R.shape[0]):
            if groups[t, g] == 0:
                continue
            for i in range(d):
                row[i] = X[t, i]
            row[d] = y[t]
            for i in range(d + 1):
                if row[i] == 0:
                    continue
                length = _hypotenuse(R[g, i, i], abs(row[i]))
                cosine, sine = R[g, i, i] / length, row[i] / length
                R[g, i, i] = length
                for j in range(i + 1, d + 1):
                    above = R[g, i, j]
                    R[g, i, j] = cosine * above + sine * row[j]
                    row[j] = cosine * row[j] - sine * above


@kernel
def _accumulate(losses: Any, groups: Any, start: int, stop: int, totals: Any) -> None:
    """Add the losses, (T, N), of rounds ``start, ..., stop - 1`` to the totals, (G, N), of the groups awake."""
    for t in range(start, stop):
        for g in range(totals.shape[0]):
            if groups[t, g] == 1:
                for h in range(totals.shape[1]):
                    totals[g, h] += losses[t, h]


@kernel
def _accumulate_own(losses: Any, groups: Any, start: int, stop: int, totals: Any) -> None:
    """Add the losses, (T, G), of rounds ``start, ..., stop - 1`` to the totals, (G,), of the experts awake."""
    for t in range(start, stop):
        for g in range(totals.shape[0]):
            if groups[t, g] == 1:
                totals[g] += losses[t, g]
