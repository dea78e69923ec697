r"""The time bound of GOSPRL in explicit form: every line of its proof, evaluated on a run.

The paper (Tarbouriech, Pirotta, Valko, Lazaric, NeurIPS 2021) states :math:`\tilde O(B D + D^{3/2} S^2 A)` steps; the constants
here are derived.  Two chains, one for each kind of confidence sets; a run with `both` has both.  They hold after every step of
a run, finished or not, which is what proves that it ends.

- A1, with failure probability at most delta / 2: the true laws are in all confidence sets, at all counts that the run passes.
- M-l1, M-bernstein, Y, at most delta / 4 each (delta / 6 for `both`): the martingales of the proof are at most their bounds after
  every step.  Their terms are counted while the plan's values are at most D, which on A1 they always are.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

import numpy as np

from theoryrl.algorithms.gosprl import requirements
from theoryrl.algorithms.gosprl.gosprl import GOSPRL
from theoryrl.algorithms.gosprl.gosprl_theory import SetTheory, Theory, doublings, gosprl_theory, harmonic
from theoryrl.algorithms.run import Run
from theoryrl.complexity.collection import uniform_collection_time
from theoryrl.problems.continuing import ContinuingMDP
from theoryrl.proofs.lemmas import less_than_zero
from theoryrl.proofs.theorem import Assumption, Event, Line, Proof, theorem

SWEEPS = 1e6
"""Sweeps of value iteration, each of which rounds; no plan takes more."""

DEGENERATE = "nothing is to be travelled"


def _assumptions(algorithm: GOSPRL, problem: ContinuingMDP, n: int) -> list[Assumption]:
    witness = problem.cut_witness
    scaled = "" if algorithm.scale == 1 else f"scale={algorithm.scale:g}"
    return [Assumption("the MDP is communicating", not witness, witness), Assumption("the confidence radii are the theorem's", not scaled, scaled)]


def _bound(algorithm: GOSPRL, problem: ContinuingMDP, n: int, k: np.ndarray) -> np.ndarray:
    """Return the last line of the first chain: the travel steps that the time bound leaves, times 1 - precision; NaN for a rule without levels."""
    theory = gosprl_theory(algorithm, problem)
    if theory.b is None:
        return np.full(len(k), np.nan)
    return np.full(len(k), (1 - theory.precision) * (theory.time_bound - theory.B))


@theorem(
    for_=GOSPRL,
    id="T",
    paper="gosprl",
    name="Theorem T (GOSPRL)",
    source="explicit form, derived here; after Tarbouriech, Pirotta, Valko, Lazaric, NeurIPS 2021 (arXiv 2007.06437)",
    statement=r"""With probability at least $1 - \delta$ all samples are collected within $T = T_{tr} + B$ steps, with travel steps
$(1 - \varepsilon) T_{tr} \le I_0 + D m + \frac{\kappa T_{tr}}{8} + \frac{D^2 \iota'}{\kappa} + 4 D \sqrt{\ell_T S A T_{tr}}$ (L1 sets) or
$(1 - \varepsilon) T_{tr} \le I_0 + D m + \frac{(e - 2) \kappa_1 \bar Y}{D} + \frac{D \iota'}{\kappa_1} + 2 \sqrt{2 K \bar Y} + 4 D K$ (boxes),
$\bar Y = \frac{D^2 \iota' / \kappa_2 + D^2 (m + 1) + 2 D T_{tr}}{1 - 4 (e - 2) \kappa_2}$, $K = S \iota_T H$, where $I_0 = \sum_s D_s \sum_a b(s, a)$,
$\iota' = \ln\frac4\delta$, $\ell_T = S \ln 2 + \ln\frac{2 S A T (T + 1)}{\delta}$, $\iota_T = \ln\frac{4 S^2 A T (T + 1)}{\delta}$,
$m = \max_{0 < k \le S A} k (1 + \log_2\frac{T_{tr}}k)$, $H = \max_{0 < k \le S A} k (1 + 2 \ln\frac{T_{tr}}k)$ and the $\kappa$ are any constants fixed
before the run, $\kappa_1 \le 1$, $\kappa_2 \le \frac14$.  With both sets, both hold at $\iota' = \ln\frac6\delta$ and $\frac\delta2$ for $\delta$ in
$\ell_T$, $\iota_T$.  For a rule that may change the goals at any step, $B$ is the number of sampling steps, $I_0 = D (B + 1)$, and the number of
changes is added to $m$.""",
    assumptions=_assumptions,
    bound=_bound,
)
def theorem_gosprl(run: Run) -> Proof:
    """Optimism of the plans, values that telescope along an episode, widths of the sets, martingales, counts that double."""
    algorithm, problem = run.algorithm, run.problem
    assert isinstance(algorithm, GOSPRL) and isinstance(problem, ContinuingMDP)
    theory, t, done = gosprl_theory(algorithm, problem), run["true_travel"], run.checkpoints
    if theory.degenerate:
        lines = [Line("L0", "(1 - precision) travel steps", (1 - theory.precision) * t, "surely", reason=DEGENERATE), Line("L10", "zero", np.zeros(len(t)))]
        time = [Line("C0", "steps", done, "surely", reason=DEGENERATE), Line("C1", "number of samples", np.full(len(t), theory.B))]
        return Proof({"travel": lines, "time": time})
    fixed = theory.b is not None
    sets = theory.sets if fixed else theory.realised(run["true_sampling"], run["goal_changes"])
    events = _events(run, theory)
    on = {part.kind: tuple(e.id for e in events if e.id in ("A1", f"M-{part.kind}") or (e.id == "Y" and part.kind == "bernstein")) for part in sets}
    chains = {part.kind: _chain(run, theory, part, on[part.kind]) for part in sets}
    if len(chains) == 2 and chains["bernstein"][-1].value[-1] < chains["l1"][-1].value[-1]:
        chains = dict(reversed(chains.items()))
    least = np.min([_each(part.root + part.B, len(t)) for part in sets], axis=0)
    everything = tuple(event.id for event in events)
    chains["time"] = [Line("C0", "steps", done, on=everything, reason="(1 - precision) T_tr <= R(T_tr)"), Line("C1", "the time bound", least)]
    return Proof(chains | _side(run, theory, sets), events, _trivial(algorithm, problem, theory, len(t)))


@lru_cache(maxsize=64)
def _uniform_time(problem: ContinuingMDP, b: bytes) -> float:
    return uniform_collection_time(problem, np.frombuffer(b, np.int64).reshape(problem.n_states, problem.n_actions))


def _trivial(algorithm: GOSPRL, problem: ContinuingMDP, theory: Theory, count: int) -> np.ndarray | None:
    """Return what the first line would be in the mean time of the uniform policy (or less, where that is only bounded): the worst policy never ends.

    None where it is no yardstick: with one action, where every policy is uniform, and for rules whose demands may rise.
    """
    if theory.b is None or theory.A == 1 or len(requirements.levels(algorithm.requirement, problem)) > 1:
        return None
    return _each((1 - theory.precision) * max(0.0, _uniform_time(problem, theory.b.astype(np.int64).tobytes()) - theory.B), count)


def _each(value: Any, count: int) -> np.ndarray:
    """Return a number, or one for each checkpoint, as an array."""
    array: np.ndarray = np.broadcast_to(np.asarray(value, dtype=float), (count,))
    return array


def _ends(run: Run, theory: Theory) -> np.ndarray:
    """Return S_D: the SSP-diameters of where episodes ended, of an open one the least of an unmet state; D for each one if a rule may move the ends."""
    ends: np.ndarray = run["ends"] + run["open_end"] if theory.b is not None else theory.D * run["true_episodes"]
    return ends


def _chain(run: Run, theory: Theory, part: SetTheory, on: tuple[str, ...]) -> list[Line]:
    """Return the lines of one kind of sets."""
    t, D, Y, size = run["true_travel"], theory.D, run["variance"], max(1.0, theory.D)
    M, Q, inside = run["martingale"], run["excess"], run["inside_plans"]
    w, total = run[f"{part.kind}_widths"], run["roots" if part.kind == "l1" else "reciprocals"]
    base, martingale = _ends(run, theory) + D * inside, part.martingale(t, Y)
    line = partial(Line, terms=(run.checkpoints + 1) * (theory.S + 8) * size)
    lines = [
        line("L0", r"$(1 - \varepsilon) T_{tr}$", (1 - theory.precision) * t, "surely", reason="1 - precision <= v - m where the plan stopped"),
        line("L1", "sum of v(s) - m", run["optimistic_steps"], "surely", equality=True, reason="identity"),
        line("L2", "sum of v(s) - v(s'), M and Q", run["telescope"] + M + Q, "surely", reason="A6: telescopes under one plan"),
        line("L3", "v at the starts of pieces", run["piece_values"] + M + Q, on="A1", reason="A2: v is at most the best times to the goals"),
        line("L4", "SSP-diameters of the ends, D for each plan inside", base + M + Q, on="A1", reason="A4: Pv - m <= w"),
        line("L5", "widths w", base + M + w, on=("A1", on[1]), reason="A8: M is at most its bound"),
        line("L6", "bound of M", base + martingale + w, "surely", reason="log terms grow" + ("" if part.kind == "l1" else "; Cauchy-Schwarz")),
    ]  # fmt: skip
    if part.kind == "l1":
        lines.append(line("L7", "widths at the last log term", base + martingale + part.widths(t, total), "surely", reason="A5, A6, S_D <= I_0"))
    else:
        plans = inside if theory.b is not None else inside + run["cut_episodes"]
        most = part.variance(t, plans)
        lines += [
            line("L7", "widths at the last log term", base + martingale + part.widths(t, total, Y), on=("A1", "Y"), reason="A8: variances add up to Y bar"),
            line("L8", "Y bar for Y", base + part.martingale(t, most) + part.widths(t, total, most), "surely", reason="A5, A6, S_D <= I_0"),
        ]
    lines += [
        line("L9", r"$R(T_{tr})$", part.bound(t), on=on, reason="R grows, and L0 <= L9 bounds T_tr by its root"),
        line("L10", r"$(1 - \varepsilon)$ (the time bound - B)", _each((1 - theory.precision) * part.root, len(t))),
    ]
    return lines


def _events(run: Run, theory: Theory) -> list[Event]:
    """Return the events, told by the trace's own counts and sums of every step."""
    kinds, delta = [part.kind for part in theory.sets], theory.delta
    held = all(float(run[f"{part.kind}_deviation"][-1]) <= part.deviation for part in theory.sets)
    events = [Event("A1", delta / 2, held, "the true laws are in all confidence sets, at all counts")]
    share = delta / (6 if len(kinds) == 2 else 4)
    text = {"l1": "the martingale M is at most its Hoeffding bound", "bernstein": "the martingale M is at most its Bernstein bound"}
    for part in theory.sets:
        events.append(Event(f"M-{part.kind}", share, _stays(run, f"{part.kind}_path_excess", part.martingale(0)), text[part.kind] + ", after every step"))
        if part.kind == "bernstein":
            offset = theory.D**2 * part.iota / part.rates[1]
            held = _stays(run, "squares_path_excess", offset)
            events.append(Event("Y", share, held, "the martingale of squares is at most its Bernstein bound, after every step"))
    return events


def _stays(run: Run, excess: str, offset: float) -> bool:
    """Whether a martingale was never beyond its bound, which is `offset` at first, up to round-off."""
    return bool(run[excess][-1] <= 1e-9 * (1 + offset))


def _side(run: Run, theory: Theory, sets: tuple[SetTheory, ...]) -> dict[str, list[Line]]:
    """Return the lemmas: A2 to A6, and what the plans are."""
    t, done, pairs, size, count = run["true_travel"], run.checkpoints, theory.S * theory.A, max(1.0, theory.D), len(run.checkpoints)
    fixed, changes = theory.b is not None, run["goal_changes"]
    swept, once = np.full(count, SWEEPS * size), np.full(count, 16 * theory.S * size)
    samples = float(theory.B) if fixed else run["true_sampling"] + 1.0
    moved, limit = 0 if fixed else changes, pairs * (1 + np.log2(np.maximum(done, 1)))
    assert isinstance(run.algorithm, GOSPRL)
    if run.algorithm.replan == "always":
        why, plans, limit = "an episode begins", run["true_episodes"] + run["doubled"] + moved, limit + samples + moved
    else:
        why, plans = "there was none, the goals have changed", 1 + changes + run["doubled"]
        limit = limit + (theory.S if isinstance(run.algorithm.requirement, (int, tuple)) else 1 + changes)
    chains = {
        "optimism": less_than_zero("A2: largest v - V* of a plan", run["optimism_excess"], swept, on="A1"),
        "values": less_than_zero("A2: largest v of a plan, minus D", run["value_excess"], swept, on="A1"),
        "inner values": less_than_zero("A2: largest m - Pv of a plan", run["inner_excess"], once, on="A1"),
        "residual": less_than_zero("E1: largest v - 1 - m of a plan", run["residual_excess"], once),
        "precision": less_than_zero("E1: largest 1 - precision - (v - m) of a plan", run["precision_excess"], once),
        "goals": less_than_zero("largest number of states that a plan wrongly has as goals or not", run["mask_excess"], once),
        "visits": less_than_zero("A5: largest n - (2 n_k - 1) of a travel visit", run["count_excess"], once),
        "reciprocals": [
            Line("C0", "A5: sum of 1 / max(1, n_k)", run["reciprocals"], "surely", reason="counts at most double under a plan"),
            Line("C1", r"sum over pairs of $1 + 2 \ln \tau$", run["logs"], "surely", reason="Jensen"),
            Line("C2", "H", harmonic(t, pairs)),
        ],
        "roots": [
            Line("C0", r"A5: sum of $1 / \sqrt{\max(1, n_k)}$", run["roots"], "surely", reason="counts at most double under a plan"),
            Line("C1", r"$2 \sqrt 2$ sum over pairs of $\sqrt \tau$", np.sqrt(8) * run["square_roots"], "surely", reason="Cauchy-Schwarz"),
            Line("C2", r"$2 \sqrt{2 S A T_{tr}}$", np.sqrt(8.0 * pairs * t)),
        ],
        "plans inside": [
            Line("C0", "A6: plans made inside episodes" + ("" if fixed else ", and episodes cut"), run["inside_plans"] + (0 if fixed else run["cut_episodes"]),
                 "surely", reason="a count has doubled" + ("" if fixed else ", or the goals have changed")),
            Line("C1", "doublings", run["doubled"] + moved, "surely", reason="each takes as many travel visits as the pair had before"),
            Line("C2", r"sum over pairs of $1 + \lfloor \log_2 \tau \rfloor$", run["floors"] + moved, "surely", reason="Jensen"),
            Line("C3", "m", doublings(t, pairs) + moved),
        ],
        "plans": [
            Line("C0", "plans", run["true_plans"], "surely", reason=why + ", or a count has doubled"),
            Line("C1", "occasions", plans, "surely", reason="a count doubles at most log2 T times"),
            Line("C2", "SA (1 + log2 T), and S, the changes of the goals or B", limit),
        ],
        "ends": [
            Line("C0", "S_D", _ends(run, theory), "surely", reason="each episode ends with, or is owed, a sample there"),
            Line("C1", "I_0", _each(sets[0].I_0, count)),
        ],
        "episodes": [
            Line("C0", "episodes", run["true_episodes"], "surely", reason="each ends with, or is owed, a sample"),
            Line("C1", "samples", _each(samples, count)),
        ],
    }  # fmt: skip
    for part in sets:
        chains[f"{part.kind} widths"] = less_than_zero("A4: largest Pv - m - w of a plan", run[f"{part.kind}_width_excess"], swept, on="A1")
    return chains
