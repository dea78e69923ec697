"""The reduction: one external-regret learner a group, mixed by sleeping experts (Acharya et al., ICLR 2024, Algorithm 1).

Each round: 1. read the context and which groups are active; 2. every awake group's learner proposes; 3. the meta step weighs
them; 4. play one at random, or the mixture; 5. see the loss: the awake groups' meta state and learners are updated, and
nothing else is.  The kernels of `meta`, `regression`, `finite` and `paths` name these lines.
"""

from __future__ import annotations

import abc
import copy
import dataclasses
import math
from typing import Any, ClassVar

import numpy as np

from theoryrl import validate
from theoryrl.algorithms.groupwise import finite, meta, paths, regression
from theoryrl.algorithms.run import Algorithm, State, Trace
from theoryrl.problems.groupwise import ClassStream, ExpertStream, PathStream, RegressionStream


@dataclasses.dataclass(frozen=True, repr=False)
class Reduction(Algorithm):
    """What all instances of the reduction share.

    Parameters
    ----------
    meta : {"anh", "specialist_ew", "uniform", "priority", "single"}
        "anh" is the paper's AdaNormalHedge.  "specialist_ew" is an extension that is not in the paper (exponential weights of
        specialists for exp-concave losses).  The other three are negative controls: uniform over the awake groups, the first
        awake group, and the one group that is always on (the paper's baseline).
    prior : tuple of float, optional
        Positive, one a group, summing to one; default uniform (the paper).
    """

    meta: str = "anh"
    prior: tuple[float, ...] | None = None

    unit: ClassVar[str] = "rounds"
    anytime: ClassVar[bool] = True
    stream: ClassVar[Any]

    def __post_init__(self) -> None:
        validate.one_of("meta", self.meta, meta.METHODS)
        if self.prior is not None:
            prior = validate.real_array("prior", self.prior, (None,), 0, 1)
            if np.any(prior <= 0) or abs(prior.sum() - 1) > len(prior) * 1e-12:
                raise ValueError(f"prior: expected positive numbers that sum to one, got {self.prior}")
            object.__setattr__(self, "prior", tuple(prior.tolist()))

    @property
    def variant(self) -> str:
        """The meta step, by which theorems tell which of them applies."""
        return self.meta

    @abc.abstractmethod
    def _learners(self, problem: Any) -> State:
        raise NotImplementedError

    @abc.abstractmethod
    def _bundles(self, problem: Any, state: State) -> tuple[Any, ...]:
        raise NotImplementedError

    @abc.abstractmethod
    def _play(self, problem: Any, state: State, raw: np.ndarray, t0: int, k: int, traced: bool) -> None:
        raise NotImplementedError

    @abc.abstractmethod
    def _propose(self, x: np.ndarray, awake: np.ndarray, weights: Any, bundles: Any, rng: Any) -> np.ndarray | None:
        raise NotImplementedError

    @abc.abstractmethod
    def _outcome(self, problem: Any, outcome: Any) -> Any:
        raise NotImplementedError

    @abc.abstractmethod
    def _learn(self, x: np.ndarray, outcome: Any, awake: np.ndarray, weights: Any, bundles: Any, problem: Any) -> float:
        raise NotImplementedError

    def start(self, problem: Any, n: int, rng: np.random.Generator) -> State:
        """Return the state before the first round."""
        if not isinstance(problem, self.stream):
            raise TypeError(f"problem: expected a {self.stream.__name__}, got {type(problem).__name__}")
        if n > problem.n_rounds:
            raise ValueError(f"n: expected at most the {problem.n_rounds} rounds of the problem, got {n}")
        return self._state(problem, rng)

    def _state(self, problem: Any, rng: np.random.Generator) -> State:
        G = problem.n_groups
        prior = np.full(G, 1 / G) if self.prior is None else np.array(self.prior)
        if len(prior) != G:
            raise ValueError(f"prior: expected {G} numbers, one a group, got {len(prior)}")
        lead = -1
        if self.meta == "single":
            always = np.flatnonzero(problem.groups.all(axis=0))
            if not len(always):
                raise ValueError("meta: 'single' plays the learner of a group that is always active, and there is none")
            lead = int(always[0])
        own = {"t": np.zeros(1, np.int64), "lead": np.array(lead), "raw": np.zeros((0, 3 * G + 2)), "rng": rng}
        return own | meta.start(G, prior) | self._learners(problem)

    def advance(self, problem: Any, state: State, k: int, trace: Trace) -> int:
        """Play `k` rounds (fewer at the end of the problem's data)."""
        t0 = int(state["t"][0])
        k = min(k, problem.n_rounds - t0)
        if trace == "raw" and len(state["raw"]) == 0:
            state["raw"] = np.zeros((problem.n_rounds, state["raw"].shape[1]))
        self._play(problem, state, state["raw"], t0, k, bool(trace))
        state["t"] += k
        return k

    def measure(self, problem: Any, state: State, trace: Trace) -> dict[str, Any]:
        """Return the sums of each group so far, and its exact best loss in hindsight."""
        t = int(state["t"][0])
        sums, scale = state["sums"], problem.loss_scale
        hindsight = self._hindsight(problem, t)
        row = {
            "regret": sums[meta.PLAYED] - hindsight,
            "played": sums[meta.PLAYED],
            "expected": scale * sums[meta.EXPECTED],
            "base_loss": scale * sums[meta.BASE],
            "hindsight": hindsight,
            "rounds": sums[meta.ROUNDS],
            "R": state["R"],
            "C": state["C"],
        }
        if trace:
            row |= dict(zip(meta.EXTREMES, state["extremes"], strict=True)) | {"mix_loss": scale * sums[meta.MIX], "log_v": state["log_v"]}
            row |= self._traced(problem, state)
        return {name: np.array(value) for name, value in row.items()}

    def _hindsight(self, problem: Any, t: int) -> np.ndarray:
        best: np.ndarray = problem.hindsight(t)
        return best

    def _traced(self, problem: Any, state: State) -> dict[str, Any]:
        return {}

    def output(self, problem: Any, state: State) -> dict[str, np.ndarray]:
        """Return the raw per-round arrays of a run with ``trace="raw"``: p, scaled losses, proposals, expected and played loss."""
        G, raw = problem.n_groups, state["raw"]
        return {"p": raw[:, :G], "losses": raw[:, G : 2 * G], "proposals": raw[:, 2 * G : 3 * G], "expected": raw[:, 3 * G], "played": raw[:, 3 * G + 1]}

    def stepwise(self, problem: Any, seed: int = 0) -> Stepwise:
        """Return a step-wise learner for adversaries that adapt; `problem` gives shapes and ranges, and its arrays are not read.

        Fed with the rounds of a problem it has the bits of ``run(problem, ...)``, whose kernels it calls.
        """
        return Stepwise(self, problem, seed)


@dataclasses.dataclass(frozen=True)
class Prediction:
    """A round before its loss is seen.

    Attributes
    ----------
    p : (G,) array
        Probabilities of the awake groups' learners; with nobody awake the prior.
    proposals : array
        What each awake learner proposes: numbers (G,), distributions (G, N) or unit flows (G, K, W, W); None for bare experts.
    played : float or array
        The mixture of the proposals under p.
    """

    p: np.ndarray
    proposals: np.ndarray | None
    played: Any


class Stepwise:
    """A run, round by round: ``predict(x, awake)``, then ``update(outcome)``.  Made by `Reduction.stepwise`."""

    def __init__(self, algorithm: Reduction, problem: Any, seed: int) -> None:
        if not isinstance(problem, algorithm.stream):
            raise TypeError(f"problem: expected a {algorithm.stream.__name__}, got {type(problem).__name__}")
        if algorithm.meta == "single":
            raise ValueError("meta: 'single' must know which group is always active; use run")
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(validate.integer("seed", seed, 0))))
        self._algorithm, self._problem = algorithm, problem
        self.state = algorithm._state(problem, rng)
        self._meta, *self._bundles = algorithm._bundles(problem, self.state)
        self._x = np.zeros(0)
        self._awake: np.ndarray | None = None

    def predict(self, *context: Any) -> Prediction:
        """Return the prediction for ``predict(awake)`` or, in regression, ``predict(x, awake)``."""
        wanted = ("x", "awake") if isinstance(self._problem, RegressionStream) else ("awake",)
        if len(context) != len(wanted):
            raise TypeError(f"predict: expected {' and '.join(wanted)}, got {len(context)} arguments")
        *features, awake = context
        awake = validate.integer_array("awake", awake, (self._problem.n_groups,), 0, 1).astype(np.uint8)
        if features:
            self._x = validate.real_array("x", features[0], (self._problem.features.shape[1],))
        self._awake = awake
        asked, rng = awake, self.state["rng"]
        if not awake.any():
            asked, rng = np.ones_like(awake), copy.deepcopy(rng)  # a run draws nothing in such a round
        proposals = self._algorithm._propose(self._x, asked, self._meta, self._bundles, rng)
        meta.mix(self._meta, awake)
        p = self._meta.p.copy()
        return Prediction(p, proposals, None if proposals is None else np.tensordot(p, proposals, 1))

    def update(self, outcome: Any) -> float:
        """Learn from the round's label, losses or edge losses; return the unscaled loss of what was played (0 with nobody awake)."""
        if self._awake is None:
            raise ValueError("update: expected a call of predict before it")
        outcome = self._algorithm._outcome(self._problem, outcome)
        awake, self._awake = self._awake, None
        if not awake.any():
            return 0.0
        self.state["t"] += 1
        return float(self._algorithm._learn(self._x, outcome, awake, self._meta, self._bundles, self._problem))


@dataclasses.dataclass(frozen=True, repr=False)
class GroupwiseRegression(Reduction):
    """Groupwise online linear regression with the squared loss.

    Parameters
    ----------
    base : {"vaw", "ridge", "ogd"}
        Each group's learner: Vovk-Azoury-Warmuth (default), online ridge (the paper's experiments), projected gradient descent.
    play : {"randomized", "average"}
        Account the expected loss of a draw from p (the paper), or play the mean prediction, never worse by Jensen.  The state,
        R and C do not depend on it.
    lam : float > 0
        Ridge parameter; 1 in the paper.
    clip : bool
        Clip predictions to the label range, which the theorem needs; False reproduces the published tables.
    center : bool
        Learn the labels minus the middle of their range ("vaw" only).  It helps when labels are expected near the middle; least
        squares is the same comparator only if a constant lies in the span of the features.
    solver : {"cholesky", "sherman_morrison"}
        L D L' updated by rotations (default), or the inverse, which goes wrong for tiny `lam` and collinear features.
    radius : float > 0
        Radius U of gradient descent's ball, which is then the comparator's.
    """

    base: str = "vaw"
    play: str = "randomized"
    lam: float = 1.0
    clip: bool = True
    center: bool = False
    solver: str = "cholesky"
    radius: float = 1.0

    stream: ClassVar[Any] = RegressionStream

    def __post_init__(self) -> None:
        super().__post_init__()
        validate.one_of("base", self.base, regression.BASES)
        validate.one_of("play", self.play, ("randomized", "average"))
        validate.real("lam", self.lam, 0, math.inf, open_ends=True)
        validate.one_of("solver", self.solver, regression.SOLVERS)
        validate.real("radius", self.radius, 0, math.inf, open_ends=True)
        for name in ("clip", "center"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name}: expected True or False, got {getattr(self, name)!r}")
        if self.center and self.base != "vaw":
            raise ValueError(f"center: expected False unless base='vaw', got base={self.base!r}")
        if self.meta == "specialist_ew" and self.play != "average":
            raise ValueError("play: specialist_ew needs 'average', for it rests on exp-concavity")

    def _choices(self, problem: RegressionStream) -> Any:
        low, high = problem.label_range
        return regression.Choices(
            base=regression.BASES.index(self.base),
            solver=regression.SOLVERS.index(self.solver),
            clip=self.clip,
            average=self.play == "average",
            low=float(low),
            high=float(high),
            middle=(low + high) / 2 if self.center else 0.0,
            lam=float(self.lam),
            radius=float(self.radius),
        )

    def _learners(self, problem: RegressionStream) -> State:
        return regression.start(problem.n_groups, problem.features.shape[1], self.lam, self.solver, self.base)

    def _bundles(self, problem: RegressionStream, state: State) -> tuple[Any, ...]:
        return meta.bundle(self.meta, int(state["lead"]), state), regression.bundle(state), self._choices(problem)

    def _play(self, problem: RegressionStream, state: State, raw: np.ndarray, t0: int, k: int, traced: bool) -> None:
        weights, learners, choices = self._bundles(problem, state)
        regression.play(problem.features, problem.labels, problem.groups, weights, learners, choices, raw, t0, k, traced)

    def _propose(self, x: np.ndarray, awake: np.ndarray, weights: Any, bundles: Any, rng: Any) -> np.ndarray:
        learners, choices = bundles
        regression.propose(x, awake, learners, choices)
        return np.array(learners.proposals)

    def _outcome(self, problem: RegressionStream, outcome: Any) -> float:
        return validate.real("y", outcome, *problem.label_range)

    def _learn(self, x: np.ndarray, y: float, awake: np.ndarray, weights: Any, bundles: Any, problem: RegressionStream) -> float:
        learners, choices = bundles
        return regression.learn(x, y, awake, weights, learners, choices, True)

    def _hindsight(self, problem: RegressionStream, t: int) -> np.ndarray:
        return problem.ball(self.radius, t) if self.base == "ogd" else problem.hindsight(t)

    def _traced(self, problem: RegressionStream, state: State) -> dict[str, Any]:
        row = dict(zip(regression.TOTALS, state["totals"], strict=True)) | {"squares": state["squares"]}
        if self.base != "ogd" and self.solver == "cholesky":
            row["ridge_optimum"] = state["pivots"][:, -1]
        return row


@dataclasses.dataclass(frozen=True, repr=False)
class _ClassReduction(Reduction):
    """What finite classes and paths share: a learner of the Hedge kind, or one that perturbs its leader."""

    base: str = ""
    draws: int = 1

    bases: ClassVar[tuple[str, str]]

    def __post_init__(self) -> None:
        super().__post_init__()
        validate.one_of("base", self.base, self.bases)
        if validate.integer("draws", self.draws, 1) > 1 and not self.base.endswith("ftpl"):
            raise ValueError(f"draws: expected 1 unless the learner perturbs its leader, got {self.draws} with base={self.base!r}")
        if self.meta == "specialist_ew":
            raise ValueError("meta: specialist_ew needs an exp-concave loss; expected another one here")

    def _traced(self, problem: Any, state: State) -> dict[str, Any]:
        """One draw does not tell the standard error of the base loss."""
        error = {"draw_error": problem.loss_scale * np.sqrt(state["draw_variance"])} if self.draws > 1 else {}
        return {"mix_gap": state["mix_gap"]} | error


@dataclasses.dataclass(frozen=True, repr=False)
class GroupwiseFinite(_ClassReduction):
    """The reduction over a finite class.

    Parameters
    ----------
    base : {"hedge", "separator_ftpl"}
        Each group's learner: Hedge with eta_n = 2 sqrt(ln N / n), or follow the perturbed leader over the class's separator, which
        needs an optimisation oracle only (its guarantee is in expectation).
    draws : int
        Perturbed leaders drawn in each round and group, whose mean is proposed: 1 is the algorithm; more estimate its expected loss,
        and the curve "draw_error" is the standard error of `base_loss`.
    """

    base: str = "hedge"

    bases: ClassVar[tuple[str, str]] = ("hedge", "separator_ftpl")
    stream: ClassVar[Any] = ClassStream

    def _state(self, problem: ClassStream, rng: np.random.Generator) -> State:
        if self.base == "separator_ftpl" and problem.separator is None:
            raise ValueError("problem: base 'separator_ftpl' needs a ClassStream with a separator")
        return super()._state(problem, rng)

    def _learners(self, problem: ClassStream) -> State:
        return finite.start(problem.n_groups, problem.losses.shape[1], self.base)

    def _bundles(self, problem: ClassStream, state: State) -> tuple[Any, ...]:
        separator = problem.separator if self.base == "separator_ftpl" else None
        return meta.bundle(self.meta, int(state["lead"]), state), finite.bundle(state, separator, self.draws)

    def _play(self, problem: ClassStream, state: State, raw: np.ndarray, t0: int, k: int, traced: bool) -> None:
        weights, learners = self._bundles(problem, state)
        kind, scale = finite.BASES.index(self.base), float(problem.loss_scale)
        finite.play(problem.losses, problem.groups, weights, learners, kind, scale, raw, state["rng"], t0, k, traced)

    def _propose(self, x: np.ndarray, awake: np.ndarray, weights: Any, bundles: Any, rng: Any) -> np.ndarray:
        (learners,) = bundles
        finite.propose(awake, weights, learners, finite.BASES.index(self.base), rng)
        return np.where(awake[:, None] > 0, learners.proposals, 0.0)

    def _outcome(self, problem: ClassStream, outcome: Any) -> np.ndarray:
        return validate.real_array("losses", outcome, (problem.losses.shape[1],), 0, problem.loss_scale)

    def _learn(self, x: np.ndarray, losses: np.ndarray, awake: np.ndarray, weights: Any, bundles: Any, problem: ClassStream) -> float:
        (learners,) = bundles
        return finite.learn(losses, awake, weights, learners, finite.BASES.index(self.base), float(problem.loss_scale), True)


@dataclasses.dataclass(frozen=True, repr=False)
class GroupwisePaths(_ClassReduction):
    """The reduction over all paths of a layered DAG.

    Parameters
    ----------
    base : {"path_hedge", "path_ftpl"}
        Each group's learner: Hedge over all paths by dynamic programming, or follow the perturbed leader with a shortest-path oracle
        (its guarantee is in expectation).
    draws : int
        Perturbed leaders drawn in each round and group, whose mean is proposed: 1 is the algorithm; more estimate its expected loss,
        and the curve "draw_error" is the standard error of `base_loss`.
    """

    base: str = "path_hedge"

    bases: ClassVar[tuple[str, str]] = paths.BASES
    stream: ClassVar[Any] = PathStream

    def _learners(self, problem: PathStream) -> State:
        return paths.start(problem.n_groups, *problem.losses.shape[1:3])

    def _bundles(self, problem: PathStream, state: State) -> tuple[Any, ...]:
        return meta.bundle(self.meta, int(state["lead"]), state), paths.bundle(state, self.draws)

    def _play(self, problem: PathStream, state: State, raw: np.ndarray, t0: int, k: int, traced: bool) -> None:
        weights, learners = self._bundles(problem, state)
        paths.play(problem.losses, problem.groups, weights, learners, paths.BASES.index(self.base), raw, state["rng"], t0, k, traced)

    def _propose(self, x: np.ndarray, awake: np.ndarray, weights: Any, bundles: Any, rng: Any) -> np.ndarray:
        (learners,) = bundles
        paths.propose(awake, weights, learners, paths.BASES.index(self.base), rng)
        return np.where(awake[:, None, None, None] > 0, learners.proposals, 0.0)

    def _outcome(self, problem: PathStream, outcome: Any) -> np.ndarray:
        return validate.real_array("losses", outcome, problem.losses.shape[1:], 0, 1)

    def _learn(self, x: np.ndarray, losses: np.ndarray, awake: np.ndarray, weights: Any, bundles: Any, problem: PathStream) -> float:
        (learners,) = bundles
        return paths.learn(losses, awake, weights, learners, paths.BASES.index(self.base), True)


@dataclasses.dataclass(frozen=True, repr=False)
class SleepingExperts(Reduction):
    """The meta step alone: the groups are experts that sleep when their group is not active."""

    stream: ClassVar[Any] = ExpertStream

    def _learners(self, problem: ExpertStream) -> State:
        return finite.start(problem.n_groups, 0, "experts")

    def _bundles(self, problem: ExpertStream, state: State) -> tuple[Any, ...]:
        return meta.bundle(self.meta, int(state["lead"]), state), finite.bundle(state, None)

    def _play(self, problem: ExpertStream, state: State, raw: np.ndarray, t0: int, k: int, traced: bool) -> None:
        weights, learners = self._bundles(problem, state)
        finite.play(problem.losses, problem.groups, weights, learners, finite.EXPERTS, 1.0, raw, state["rng"], t0, k, traced)

    def _propose(self, x: np.ndarray, awake: np.ndarray, weights: Any, bundles: Any, rng: Any) -> None:
        return None

    def _outcome(self, problem: ExpertStream, outcome: Any) -> np.ndarray:
        return validate.real_array("losses", outcome, (problem.n_groups,), 0, 1)

    def _learn(self, x: np.ndarray, losses: np.ndarray, awake: np.ndarray, weights: Any, bundles: Any, problem: ExpertStream) -> float:
        (learners,) = bundles
        return finite.learn(losses, awake, weights, learners, finite.EXPERTS, 1.0, True)
