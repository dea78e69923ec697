"""Speed of the baselines that several papers share: ``python -m benchmarks.baselines [--scale quick|full] [SECTION ...]``.

Every section compares alternatives in one run, so that its ratios mean something on a busy machine; times are processor
time, the least of some repetitions.  Peers (quantecon, rlberry-scool) are left out where they are not installed.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import baselines_numpy
from benchmarks.measure import cpu_seconds, exponent, in_subprocess, run_sections, short, table
from envs_synthetic.baselines import dirichlet_prior, river_swim, river_swim_continuing
from theoryrl.algorithms.baselines.controls import EpsGreedyModel
from theoryrl.algorithms.baselines.psrl import PSRL
from theoryrl.algorithms.baselines.q_learning import OptimisticQLearning
from theoryrl.algorithms.baselines.ucbvi import UCBVI
from theoryrl.algorithms.baselines.ucrl2 import UCRL2
from theoryrl.algorithms.run import Algorithm
from theoryrl.jit import kernel, sweep
from theoryrl.planning.episodic import backward_induction, dense_backward_induction
from theoryrl.problems import EpisodicMDP

SECTIONS: dict[str, Callable[[str], None]] = {}


def section(function: Callable[[str], None]) -> Callable[[str], None]:
    """Enter a section under its name; it takes the scale, "quick" or "full"."""
    SECTIONS[function.__name__] = function
    return function


def episodes(algorithm: Algorithm, problem: Any, n: int, trace: bool = False) -> Callable[[], float]:
    """Return a call that plays n episodes (steps) from a fresh state and returns the regret."""

    def play(k: int = n) -> float:
        state = algorithm.start(problem, n, np.random.default_rng(0))
        algorithm.advance(problem, state, k, trace)
        return float(algorithm.measure(problem, state, False)["regret"])

    play(1)  # compiles
    return play


@sweep
def read(P: Any, times: int) -> float:
    """Read all of P `times` times: no induction can take less."""
    total = 0.0
    for _ in range(times):
        for i in range(P.shape[0]):
            total += P[i]
    return total


def quantecon_induction(P: np.ndarray, r: np.ndarray, H: int) -> Callable[[], np.ndarray]:
    """Return a call of quantecon's backward induction, whose V it returns."""
    from quantecon.markov import DiscreteDP, ddp

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # with a discount factor of one it warns about infinite horizons
        problem = DiscreteDP(r, P, 1.0)
    return lambda: ddp.backward_induction(problem, H)[0]


@section
def induction(scale: str) -> None:
    """Finite-horizon backward induction, dense and stationary: the sweep and the exact kernel against NumPy, quantecon and the memory."""
    S, A, H, repetitions = {"quick": (20, 3, 10, 2), "full": (100, 10, 100, 500)}[scale]
    problem = dirichlet_prior(S, A, H)(0)
    P, r, rows = problem.transition, problem.reward, problem.reward_rows
    V, policy, Q = np.zeros((H + 1, S)), np.zeros((H, S), np.int64), np.zeros(S * A)
    next_last = P.reshape(1, S * A, S)

    def dense() -> np.ndarray:
        dense_backward_induction(next_last, rows, V, policy)
        return V

    def exact() -> np.ndarray:
        backward_induction(problem.next_first, rows, V, policy, Q)
        return V

    ours, naive, peer = "dense_backward_induction, a sweep", "NumPy, P @ V", "quantecon, backward_induction"
    versions: dict[str, Callable[[], Any]] = {
        ours: dense,
        "backward_induction, exact kernel": exact,
        naive: lambda: baselines_numpy.backward_induction(P, r, H)[0],
    }
    if importlib.util.find_spec("quantecon"):
        versions[peer] = quantecon_induction(P, r, H)
    for label, work in versions.items():
        error = np.max(np.abs(work() - problem.optimal_values))
        assert error < 1e-12 * H, f"{label} is another algorithm: V differs by {error}"
    read(flat := P.reshape(-1), 1)  # compiles
    versions["reading P once a stage, nothing else"] = lambda: read(flat, H)
    took = {label: cpu_seconds(work, repetitions) for label, work in versions.items()}
    lines = [[label, short(1e3 * t), f"×{t / took[ours]:.3g}"] for label, t in took.items()]
    table(f"backward induction, S = {S}, A = {A}, H = {H}, one dense P for all stages", ["", "milliseconds", "time"], lines)
    if scale == "full":
        assert took[ours] <= took[naive], "the sweep is slower than NumPy"
        assert 1.5 * took[ours] <= took.get(peer, np.inf), "the sweep is not 1.5 times as fast as quantecon"


@kernel
def plan_alone(times: int, P: Any, r: Any, V: Any, policy: Any, Q: Any) -> None:
    """Plan `times` times in a known model, and do nothing else."""
    for _ in range(times):
        backward_induction(P, r, V, policy, Q)


def plans(problem: EpisodicMDP, n: int) -> Callable[[], None]:
    """Return a call of `plan_alone`."""
    H, S, A = problem.horizon, problem.n_states, problem.n_actions
    work = (problem.next_first, problem.reward_rows, np.zeros((H + 1, S)), np.zeros((H, S), np.int64), np.zeros(S * A))
    plan_alone(1, *work)  # compiles
    return lambda: plan_alone(n, *work)


@section
def learners(scale: str) -> None:
    """Learners on river swim with exact regret: against a plan alone, plain NumPy, rlberry-scool, and each other (quick: some, which compile soon)."""
    few, n, repetitions, shown = {"quick": (20, 200, 1, 3), "full": (2_000, 200_000, 4, None)}[scale]
    problem = river_swim(S=6, horizon=20)
    size = "river swim, S = 6, A = 2, H = 20"
    hoeffding = UCBVI()
    compiled = episodes(hoeffding, problem, few)
    regrets = compiled(), baselines_numpy.ucbvi(problem, few, seed=0)
    assert abs(regrets[0] - regrets[1]) < 1e-6, f"NumPy's UCBVI is another algorithm: regrets {regrets}"
    versions: dict[str, tuple[Callable[[], object], int]] = {
        "UCBVI()": (compiled, few),
        "plain NumPy, vectorised over pairs": (lambda: baselines_numpy.ucbvi(problem, few, seed=0), few),
    }
    if importlib.util.find_spec("rlberry_scool"):
        from benchmarks import rlberry_peer

        play = rlberry_peer.ucbvi(problem)
        versions["rlberry-scool's UCBVI, another bonus"] = (lambda: play(few), few)
    _report(f"{few:,} episodes, {size}", versions, "UCBVI()", min(repetitions, 2))

    learners: dict[str, tuple[Algorithm, bool]] = {
        "UCBVI()": (hoeffding, False),
        "counts='stage'": (UCBVI(counts="stage"), False),
        "variant='bernstein'": (UCBVI("bernstein"), False),
        "UCBVI(), traced": (hoeffding, True),
        "variant='bernstein', traced": (UCBVI("bernstein"), True),
        "OptimisticQLearning()": (OptimisticQLearning(), False),
        "PSRL()": (PSRL(), False),
        "EpsGreedyModel()": (EpsGreedyModel(), False),
    }
    versions = {"a plan in a known model, nothing else": (plans(problem, n), n)}
    versions |= {label: (episodes(learner, problem, n, trace), n) for label, (learner, trace) in list(learners.items())[:shown]}
    _report(f"{n:,} episodes, {size}", versions, "UCBVI()", repetitions)


def _report(title: str, versions: dict[str, tuple[Callable[[], object], int]], unit: str, repetitions: int, step: str = "episode") -> dict[str, float]:
    took = {label: cpu_seconds(work, repetitions) / n for label, (work, n) in versions.items()}
    rows = [[label, short(1e6 * t), f"{1 / t:,.0f}", f"×{t / took[unit]:.3g}"] for label, t in took.items()]
    table(title, ["", f"microseconds {'an' if step == 'episode' else 'a'} {step}", f"{step}s/s", "time"], rows)
    return took


@kernel
def draw(rng: Any, times: int) -> float:
    """Draw uniform numbers and do nothing else: a step needs one."""
    total = 0.0
    for _ in range(times):
        total += rng.random()
    return total


@section
def average_reward(scale: str) -> None:
    """UCRL2 on river swim, planning included: against the draws alone, plain NumPy, and its other forms."""
    few, n, repetitions = {"quick": (300, 3_000, 1), "full": (20_000, 30_000_000, 3)}[scale]
    problem = river_swim_continuing(S=6)
    size = "river swim, S = 6, A = 2"
    compiled = episodes(UCRL2(), problem, few)
    regrets = compiled(), baselines_numpy.ucrl2(problem, few, seed=0)
    assert abs(regrets[0] - regrets[1]) < 1e-6, f"NumPy's UCRL2 is another algorithm: regrets {regrets}"
    versions: dict[str, tuple[Callable[[], object], int]] = {
        "UCRL2()": (compiled, few),
        "plain NumPy, vectorised over pairs": (lambda: baselines_numpy.ucrl2(problem, few, seed=0), few),
    }
    _report(f"{few:,} steps, {size}", versions, "UCRL2()", min(repetitions, 2), "step")
    rng = np.random.default_rng(0)
    draw(rng, 1)  # compiles
    versions = {
        "one uniform number, nothing else": (lambda: draw(rng, n), n),
        "UCRL2()": (episodes(UCRL2(), problem, n), n),
        "variant='paper'": (episodes(UCRL2("paper"), problem, n), n),
        "UCRL2(), traced": (episodes(UCRL2(), problem, n, True), n),
    }
    took = _report(f"{n:,} steps, {size}", versions, "UCRL2()", repetitions, "step")
    if scale == "full":
        assert 1 / took["UCRL2()"] >= 5e7, f"{1 / took['UCRL2()']:,.0f} steps/s, not 5e7"


@section
def growth(scale: str) -> None:
    """UCBVI: the cost of an episode against S and against H, with the fitted power."""
    n, draws, states, horizons = {"quick": (50, 2, [4, 6, 8], [5, 10, 20]), "full": (3_000, 5, [10, 20, 40, 80], [10, 20, 40, 80])}[scale]
    for symbol, sizes, shape in (("S", states, lambda size: (size, 2, 20)), ("H", horizons, lambda size: (20, 2, size))):
        took = np.array([[cpu_seconds(episodes(UCBVI(), dirichlet_prior(*shape(size))(seed), n), 3) / n for size in sizes] for seed in range(draws)])
        rows = [["UCBVI()", *(short(1e6 * t) for t in np.median(took, axis=0)), exponent(sizes, took)]]
        header = ["", *(f"{symbol} = {size}" for size in sizes), f"power of {symbol} [95 %]"]
        fixed = "A = 2, H = 20" if symbol == "S" else "S = 20, A = 2"
        table(f"dense MDPs, {fixed}: microseconds an episode, median over {draws} draws", header, rows)


@section
def memory(scale: str) -> None:
    """Peak memory of a process that runs for more and more episodes; only trace="raw" may grow."""
    n = {"quick": 2_000, "full": 200_000}[scale]
    script = """
from benchmarks.measure import peak_mebibytes
from envs_synthetic.baselines import river_swim
from theoryrl.algorithms.baselines.ucbvi import UCBVI
run = UCBVI().run(river_swim(), {n}, seed=0, trace={trace!r})
print(peak_mebibytes(), run.seconds)
"""
    in_subprocess(script.format(n=1, trace=True))  # compiles, which takes memory
    in_subprocess(script.format(n=1, trace="raw"))
    peaks, rows = [], []
    for episodes_played, trace in ((n // 100, True), (n, True), (n // 10, "raw")):
        mebibytes, seconds = in_subprocess(script.format(n=episodes_played, trace=trace))
        peaks.append(mebibytes)
        rows.append([f"{episodes_played:,}", repr(trace), f"{mebibytes:.1f}", f"{seconds:.3g}", f"×{mebibytes / peaks[0]:.3f}"])
    table("UCBVI() on river swim: peak memory of the whole process", ["episodes", "trace", "MiB", "seconds", "memory"], rows)
    assert peaks[1] < 1.1 * peaks[0], f"peak memory grows with the number of episodes: {peaks[:2]} MiB"


def main(argv: list[str] | None = None) -> None:
    """Run the sections that are named, or all."""
    run_sections("baselines", __doc__, SECTIONS, argv)


if __name__ == "__main__":
    main()
