"""Every algorithm of the package: a run that is cut at random places and goes on from its file has the bits of an uncut one."""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs_synthetic import baselines as of_baselines
from envs_synthetic import cascading as of_cascading
from envs_synthetic import groupwise as of_groupwise
from envs_synthetic import mex as of_mex
from theoryrl import algorithms as every
from theoryrl.algorithms import Algorithm, Run, store
from theoryrl.algorithms.run import begin, chunks
from theoryrl.cli import _algorithms


def episodic() -> Any:
    return of_baselines.two_state(3)


def continuing() -> Any:
    return of_baselines.river_swim_continuing(4)


def classes() -> Any:
    return of_groupwise.crossing(T=300)


DEMAND = ((3, 0), (0, 9), (1, 1), (0, 7))

CASES: dict[str, tuple[Callable[[], Algorithm], Callable[[], Any]]] = {
    **{name: (getattr(every, name), episodic) for name in ("EpsGreedyModel", "EpsGreedyQLearning", "OptimisticFirstVisit", "OptimisticQLearning")},
    **{name: (getattr(every, name), episodic) for name in ("PSRL", "SimplifiedUCBVI", "UCBVI", "MEXTabular")},
    **{name: (getattr(every, name), of_cascading.hidden_gem) for name in ("AdaptVI", "CascadingVI", "CascadingVIBonus", "CascadingVIOracle")},
    **{name: (getattr(every, name), of_cascading.hidden_gem) for name in ("GreedyCascade", "MyopicCascade")},
    "CascadingBPI": (lambda: every.CascadingBPI(epsilon=0.5), of_cascading.hidden_gem),
    "UCRL2": (every.UCRL2, continuing),
    **{name: (functools.partial(getattr(every, name), DEMAND), continuing) for name in ("GOSPRL", "UniformCollection", "OracleCollection", "ZeroOneUCRL")},
    "MaxEntCollection": (lambda: every.MaxEntCollection(DEMAND), continuing),
    **{name: (getattr(every, name), continuing) for name in ("MaxEntEstimation", "FrankWolfeEstimation")},
    "MEX": (lambda: every.MEX(of_mex.treasure_class()), of_mex.treasure),
    "DoublingMEX": (lambda: every.DoublingMEX(every.MEX(of_mex.treasure_class())), of_mex.treasure),
    "MEXMG": (lambda: every.MEXMG(of_mex.mg_trap_class()), of_mex.mg_trap),
    "GroupwiseRegression": (every.GroupwiseRegression, lambda: of_groupwise.sign_flip(T=300)),
    "GroupwisePaths": (every.GroupwisePaths, lambda: of_groupwise.paths(T=300)),
    **{name: (getattr(every, name), classes) for name in ("AnhPairs", "BlumLykouris", "GroupwiseFinite", "MinimaxMW")},
    "SleepingExperts": (every.SleepingExperts, lambda: of_groupwise.rnd(T=300)),
}  # fmt: skip
NAMES = sorted(key.partition(".")[2] for key in _algorithms())
N = 240


def bits(run: Run) -> str:
    """A digest of all that a run is, but its wall time."""
    return store.digest({"curves": run.curves, "checkpoints": run.checkpoints, "state": run.state, "steps": run.steps, "stopped": run.stopped})


def cut(run: Run, file: Path, moments: random.Random) -> Run:
    """Go on from the file after one to three chunks, again and again."""
    while not run.finished:
        *_, last = itertools.islice(chunks(run), moments.randint(1, 3))
        last.save(file)
        run = Run.load(file)
    return run


@pytest.mark.parametrize("name", NAMES)
def test_cut_at_random_places(name: str, tmp_path: Path) -> None:
    make, problem = CASES[name]
    algorithm, instance = make(), problem()
    for trace in (False, True):
        places = random.Random(f"{name} {trace}")
        checkpoints = sorted(places.sample(range(1, N), 12))
        whole = algorithm.run(instance, N, seed=7, checkpoints=checkpoints, trace=trace)
        assert bits(cut(begin(algorithm, instance, N, seed=7, checkpoints=checkpoints, trace=trace), tmp_path / "a.run", places)) == bits(whole)


@pytest.mark.parametrize("name", [name for name in NAMES if CASES[name][0]().anytime])
def test_n_then_n_more_is_2n(name: str) -> None:
    algorithm, instance = CASES[name][0](), CASES[name][1]()
    twice, whole = algorithm.run(instance, N // 2, seed=7).proceed(N // 2), algorithm.run(instance, N, seed=7)
    assert twice.steps == whole.steps and all(np.array_equal(twice[curve][-1], whole[curve][-1], equal_nan=True) for curve in whole.curves)
    kept = [key for key in whole.state if "horizon" not in key]
    assert [key for key in kept if store.digest(twice.state[key]) != store.digest(whole.state[key])] == []
