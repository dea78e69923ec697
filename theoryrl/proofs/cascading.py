r"""Theorems A and B of Cascading RL in explicit form: every line of their proofs, evaluated on a run.

The paper (Du, Srikant, Chen, ICLR 2024) states regret :math:`\tilde O(H \sqrt{HSNK})` (Theorem 1) and
:math:`\tilde O(H^3 S N / \varepsilon^2)` episodes (Theorem 2) without explicit constants; those here are derived.

Good event, at every pair (s, a), sample size n and step h >= 2, with failure probability at most delta / 2:
(Q) n kl(q_hat, q) <= x (Chernoff), (P1) ||p_hat - p||_1 <= sqrt(2 (S ln 2 + x) / n) (Weissman), and (P2)
|(p_hat - p) V*_h| <= sqrt(2 Var_p_hat(V*_h) x / n) + 3 (H - h + 1) x / n (empirical Bernstein).

Nothing here reads a log term, radius or interval of the run: the theorem brings its own.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from theoryrl import validate
from theoryrl.algorithms.cascading import CascadingBPI, CascadingVI
from theoryrl.algorithms.run import Run
from theoryrl.estimation.supermartingale import best_supermartingale_bound, supermartingale_bound
from theoryrl.problems.cascading import CascadingMDP
from theoryrl.proofs.theorem import Assumption, Event, Line, Proof, theorem

SOURCE = "explicit form, derived here; after Du, Srikant, Chen, ICLR 2024, Theorem {}"


@dataclasses.dataclass(frozen=True)
class Widths:
    r"""The constants of one theorem at one horizon, and the deterministic terms of its bound.

    On the good event the widths of a step are at most, per examined item, :math:`H_h (c_1 \sqrt{q x / n} + c_2 x / n)`,
    and for the click :math:`(H - h) (a_1 / \sqrt n + a_2 / n)`, n the count frozen at the last plan (at least 1).

    Parameters
    ----------
    S, N, m, H : int
        States, items, list length min(m, N), horizon of an episode.
    K : int
        Number of episodes for which the log terms and the free parameters y are fixed.
    x : float
        Log term of the good event.
    delta : float
    c1, c2, a1, a2 : float
        As above.
    largest : float
        B, the largest value of the widths of one episode.
    kappa : float
        1, or 1 + eta with rare switching.
    """

    S: int
    N: int
    m: int
    H: int
    K: int
    x: float
    delta: float
    c1: float
    c2: float
    a1: float
    a2: float
    largest: float
    kappa: float

    @property
    def iota(self) -> float:
        """Log of the inverse failure probability of each of the two supermartingale events, ln(4 / delta)."""
        return math.log(4 / self.delta)

    @property
    def squares(self) -> int:
        """W_2, the sum of H_h^2."""
        return sum(j * j for j in range(1, self.H + 1))

    @cached_property
    def y(self) -> float:
        """y_*, which minimises the bound at K."""
        return best_supermartingale_bound(float(self.total(self.K)), self.largest, self.iota)[1]

    @cached_property
    def y_clicks(self) -> float:
        """y_2, which minimises the bound of the click mass at K."""
        return best_supermartingale_bound(self.K * self.squares, self.H**2, self.iota)[1]

    def clicks(self, k: Any) -> Any:
        r"""Bound the sum of H_h^2 q over examined items by :math:`\varphi_{y_2}(k W_2, H^2)`: at most one click a step."""
        return supermartingale_bound(self.y_clicks, np.asarray(k) * self.squares, self.H**2, self.iota)

    def harmonic(self, pairs: int, visits: Any) -> Any:
        r"""Bound the sum of 1 / n over `visits` visits to `pairs` pairs, counts frozen inside an episode: :math:`M (2 + \ln^+(T / M) + H)`."""
        ratio = np.maximum(np.asarray(visits, dtype=float) / pairs, 1)
        return self.kappa * pairs * (2 + np.log(ratio) + self.H)

    def root(self, pairs: int, visits: Any) -> Any:
        r"""Bound the sum of :math:`1 / \sqrt n` likewise: :math:`2 \sqrt{M T} + M H`."""
        return math.sqrt(self.kappa) * (2 * np.sqrt(pairs * np.asarray(visits, dtype=float)) + pairs * self.H)

    def total(self, k: Any) -> Any:
        """D_k: the largest possible sum of widths after k episodes, x and the y being those of K."""
        k = np.asarray(k, dtype=float)
        items, moves = self.S * self.N, self.S * (self.N + 1)
        examined = self.harmonic(items, self.m * k * self.H)
        t1 = np.sqrt(self.clicks(k) * examined)
        t2 = self.H * self.root(items, self.m * k * self.H)
        transitions = (self.H - 1) * (self.a1 * self.root(moves, k * (self.H - 1)) + self.a2 * self.harmonic(moves, k * (self.H - 1)))
        return self.c1 * math.sqrt(self.x) * np.minimum(t1, t2) + self.c2 * self.x * self.H * examined + transitions

    def bound(self, k: Any) -> Any:
        r""":math:`\varphi_{y_*}(D_k, B)`; at k = K the theorem's bound :math:`\Phi(D_K, B)`."""
        return supermartingale_bound(self.y, self.total(k), self.largest, self.iota)

    def lines(self, run: Run, first: Sequence[Line]) -> list[Line]:
        """Return the proof's lines from L2 on, after the lines L0 and L1 in `first`."""
        k = run.checkpoints
        y, x, root_x = self.y, self.x, math.sqrt(self.x)

        def phi(total: Any) -> Any:
            return supermartingale_bound(y, total, self.largest, self.iota)

        terms = k * self.H * self.S * (self.N + 1)
        transitions = self.a1 * run["transition_root"] + self.a2 * run["transition_over_n"]
        over_n = self.c2 * x * run["over_n"]
        cauchy = np.minimum(np.sqrt(run["click_mass"] * run["plain_over_n"]), run["over_root_n"])
        one_click = np.minimum(np.sqrt(self.clicks(k) * run["plain_over_n"]), run["over_root_n"])
        rest = [
            Line("L2", "expected widths of the plans", run["expected_widths"], on="F1", reason="supermartingale and Ville, all k at once"),
            Line("L3", "realised widths", phi(run["realised_widths"]), on="E", reason="widths on (Q), Lem 10"),
            Line("L4", "widths at the counts", phi(self.c1 * root_x * run["root_q"] + over_n + transitions), "surely", reason="Cauchy-Schwarz, q <= 1"),
            Line("L5", "click mass times 1/n", phi(self.c1 * root_x * cauchy + over_n + transitions), on="F2", reason="at most one click a step"),
            Line("L6", "click mass bounded", phi(self.c1 * root_x * one_click + over_n + transitions), "surely", reason="pigeonhole, frozen counts"),
            Line("L7", "the bound", self.bound(k)),
        ]
        return [dataclasses.replace(line, terms=terms) for line in (*first, *rest)]


def _sizes(problem: CascadingMDP) -> dict[str, int]:
    return {"S": problem.n_states, "N": problem.n_items, "m": problem.list_length, "H": problem.horizon}


def regret_widths(algorithm: CascadingVI, problem: CascadingMDP, n: int) -> Widths:
    """Return the constants of Theorem A for a horizon of n episodes."""
    S, N, m, H = _sizes(problem).values()
    x = math.log(2 * (2 * S * N + S * (N + 1) * (3 * H - 2)) * n * H / algorithm.delta)
    weissman = S * math.log(2) + x
    c1, c2, a1, a2 = {
        "explicit": (2 * math.sqrt(2), 2 * math.sqrt(2) + 2, math.sqrt(2 * weissman), 0.0),
        "explicit-kl": (2 * math.sqrt(2), 3 * math.sqrt(2), math.sqrt(2 * weissman), 0.0),
        "paper": (4.0, 14.0, 3 * math.sqrt(x) + math.sqrt(weissman / 2), 5 * x),
    }[algorithm.variant]
    largest = sum(m * (j + 1) + 2 * j for j in range(H))
    kappa = 1.0 if algorithm.replan == "every" else 1 + algorithm.eta
    return Widths(**_sizes(problem), K=n, x=x, delta=algorithm.delta, c1=c1, c2=c2, a1=a1, a2=a2, largest=largest, kappa=kappa)


def bpi_widths(algorithm: CascadingBPI, problem: CascadingMDP, episodes: int) -> Widths:
    """Return the constants of Theorem B when log terms and free parameters are fixed at `episodes`."""
    S, N, m, H = _sizes(problem).values()
    samples = episodes * H
    x = math.log(8 * S * (N + 1) / algorithm.delta) + math.log(samples) + math.log(samples + 1)
    a1 = 3 * math.sqrt((S * math.log(2) + x) / 2)
    largest = sum(2 * m * (j + 1) + 3 * j for j in range(H))
    kappa = 1.0 if algorithm.replan == "every" else 1 + algorithm.eta
    c1, c2 = 4 * math.sqrt(2), 6 * math.sqrt(2)
    return Widths(**_sizes(problem), K=episodes, x=x, delta=algorithm.delta, c1=c1, c2=c2, a1=a1, a2=0.0, largest=largest, kappa=kappa)


def regret_bound(algorithm: CascadingVI, problem: CascadingMDP, n: int) -> float:
    """Return Theorem A's bound of the regret of `n` episodes, in units of reward.

    Raises
    ------
    ValueError
        If the theorem does not cover the algorithm's options (see `theorem_a`).
    """
    n = validate.integer("n", n, 1)
    if failing := theorem_a.failing(algorithm, problem, n):
        raise ValueError(f"algorithm: Theorem A does not apply: {failing[0].name} ({failing[0].witness})")
    return float(regret_widths(algorithm, problem, n).bound(n))


def bpi_bound(algorithm: CascadingBPI, problem: CascadingMDP) -> int:
    """Return K_0 of Theorem B, a number of episodes within which CascadingBPI stops with probability at least 1 - delta."""

    def enough(episodes: int) -> bool:
        return float(bpi_widths(algorithm, problem, episodes).bound(episodes)) <= episodes * algorithm.epsilon

    high = 1
    while not enough(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def largest_regret(problem: CascadingMDP, k: np.ndarray) -> np.ndarray:
    """Return the regret of the worst policy after each number of episodes in `k`."""
    gap = problem.optimal_value - problem.worst_value
    return np.cumsum(gap)[np.asarray(k) - 1] if np.ndim(gap) else np.asarray(k) * gap


def _regret_assumptions(algorithm: CascadingVI, problem: CascadingMDP, n: int) -> list[Assumption]:
    paper = algorithm.variant == "paper"
    covered = algorithm.log_term == "explicit" or not paper
    alpha_q, beta_q, alpha_p, beta_p = algorithm.constants
    x = regret_widths(algorithm, problem, n).x
    return [
        Assumption("the list oracle maximises over the box", algorithm.fallback == "box" or problem.allow_empty, f"fallback={algorithm.fallback!r}"),
        Assumption("the log term is at least x", covered, f"log_term='paper' has ln(14 K H S N / delta), the proof needs x = {x:.4g}"),
        Assumption(
            "the constants are those of the proof",
            not paper or (alpha_q, beta_q, alpha_p, beta_p) == (2, 5, 2, 5),
            f"(alpha_q, beta_q, alpha_p, beta_p) = {algorithm.constants}, expected (2, 5, 2, 5)",
        ),
    ]


def _events(run: Run, delta: float, good: float, log_term: float, deviations: Sequence[str]) -> list[Event]:
    """Return the good event, which held if no deviation ever needed more than `log_term`, and the two supermartingale events."""
    held = all(float(run[name][-1]) <= log_term for name in deviations)
    return [
        Event("E", good, held, "every estimate is within its radius of the truth, at every sample size"),
        Event("F1", delta / 4, None, "expected widths are bounded by realised ones, for all k"),
        Event("F2", delta / 4, None, "the click mass is bounded by one click a step, for all k"),
    ]


def _excess_chains(run: Run, widths: Widths, names: dict[str, tuple[str, str]]) -> dict[str, list[Line]]:
    """Side conditions: largest excesses over all (h, s) and plans, at most zero on the good event."""
    terms = np.full(len(run.checkpoints), widths.H * widths.S * (widths.N + 1))
    zero = np.zeros(len(run.checkpoints))
    return {
        title: [Line("C0", label, run[curve], on="E", terms=terms), Line("C1", "zero", zero)]
        for title, (curve, label) in names.items()
    }  # fmt: skip


@theorem(
    for_=CascadingVI,
    id="A",
    paper="cascading",
    name="Theorem A (regret)",
    source=SOURCE.format(1),
    statement=r"""With probability at least $1 - \delta$, $\mathrm{Regret}(K) \le \Phi(D_K, B)$, where
$\Phi(D, B) = \min_{y > 0} \frac{y D + B \ln(4 / \delta)}{1 - e^{-y}}$, $B = \sum_h [\bar m H_h + 2 (H - h)]$, $H_h = H - h + 1$,
$D_K = c_1 \sqrt{x} \min\{t_1, t_2\} + c_2 x H \kappa \Lambda_q + P_K$, $x = \ln\frac{2 [2 S N + S (N + 1) (3 H - 2)] K H}{\delta}$,
$t_1 = \sqrt{\Phi(K W_2, H^2) \kappa \Lambda_q}$, $t_2 = H \sqrt{\kappa} (2 \sqrt{S N \bar m K H} + S N H)$, $W_2 = \sum_h H_h^2$,
$\Lambda_q = S N (2 + \ln^+\frac{\bar m K H}{S N} + H)$, $P_K = (H - 1) \sqrt{2 \kappa (S \ln 2 + x)} (2 \sqrt{S (N + 1) K (H - 1)} + S (N + 1) H)$,
$(c_1, c_2) = (2 \sqrt{2}, 2 \sqrt{2} + 2)$ for `explicit`, $(2 \sqrt{2}, 3 \sqrt{2})$ for `explicit-kl`; for `paper`, $(4, 14)$ and
$P_K = (H - 1) \{(3 \sqrt{x} + \sqrt{(S \ln 2 + x) / 2}) \sqrt{\kappa} (2 \sqrt{S (N + 1) K (H - 1)} + S (N + 1) H) + 5 x \kappa \Lambda_p\}$.""",
    assumptions=_regret_assumptions,
    bound=lambda algorithm, problem, n, k: regret_widths(algorithm, problem, n).bound(k),
    trivial=largest_regret,
)
def theorem_a(run: Run) -> Proof:
    """Optimism, decomposition into widths, a supermartingale, Cauchy-Schwarz with at most one click a step, pigeonhole."""
    widths = regret_widths(run.algorithm, run.problem, run.n)  # type: ignore[arg-type]
    first = [
        Line("L0", "regret", run.regret, on="E", reason="optimism, Lem 11"),
        Line("L1", "optimistic regret", run["optimistic_regret"], on="E", reason="decomposition, Lem 12"),
    ]
    chains: dict[str, list[Line]] = {"regret": widths.lines(run, first)}
    excesses = {
        "optimism": ("optimism_excess", "largest V* - V_bar at any (h, s) and plan"),
        "pessimism": ("pessimism_excess", "largest V_low - V*"),
        "decomposition": ("decomposition_excess", "largest V_bar - V^pi - D"),
    }
    if run.algorithm.variant == "explicit":  # type: ignore[attr-defined]
        terms = chains["regret"][0].terms
        chains["certificate"] = [
            Line("L0", "regret", run.regret, on="E", terms=terms, reason="with the L1 bonus V_low is a value that the policy reaches"),
            Line("C1", "sum of V_bar - V_low", run["certificate"]),
        ]
        excesses["certified"] = ("certificate_excess", "largest V_low - V^pi")
    chains |= _excess_chains(run, widths, excesses)
    events = _events(run, widths.delta, widths.delta / 2, widths.x, ("q_deviation", "l1_deviation", "bernstein_deviation"))
    return Proof(chains, events, largest_regret(run.problem, run.checkpoints))  # type: ignore[arg-type]


@theorem(
    for_=CascadingBPI,
    id="B",
    paper="cascading",
    name="Theorem B (best policy identification)",
    source=SOURCE.format(2),
    statement=r"""With probability at least $1 - \delta$, $V^{\hat\pi}_1(s_1) \ge V^*_1(s_1) - \varepsilon$ and
$\tau \le K_0 = \min\{K : \Phi(D'_K, B') \le K \varepsilon\}$, where $D'_K = 4 \sqrt{2 x} \min\{t_1, t_2\} + 6 \sqrt{2} x H \kappa \Lambda_q + P'_K$,
$P'_K = 3 (H - 1) \sqrt{\kappa (S \ln 2 + x) / 2} (2 \sqrt{S (N + 1) K (H - 1)} + S (N + 1) H)$,
$x = x(K H)$, $x(n) = \ln\frac{8 S (N + 1) n (n + 1)}{\delta}$, $B' = \sum_h [2 \bar m H_h + 3 (H - h)]$; $\Phi$, $t_1$, $t_2$, $\Lambda_q$ as in Theorem A.""",
)
def theorem_b(run: Run) -> Proof:
    """While the rule has not fired every episode has a gap above epsilon, and the gaps sum to at most Phi."""
    algorithm, problem = run.algorithm, run.problem
    assert isinstance(algorithm, CascadingBPI) and isinstance(problem, CascadingMDP)
    most = bpi_bound(algorithm, problem)
    widths = bpi_widths(algorithm, problem, most)
    k = run.checkpoints
    first = [
        Line("L0", "episodes times epsilon", k * algorithm.epsilon, "surely", reason="the rule has not fired before"),
        Line("L1", "sum of V_bar - V_low", run["certificate"], on="E", reason="decomposition, Lem 6 twice"),
    ]
    output = np.where(np.arange(len(k)) == len(k) - 1, 0.0 if run.stopped else np.nan, np.nan)
    terms = np.full(len(k), widths.H * widths.S * (widths.N + 1))
    chains: dict[str, list[Line]] = {
        "gaps": widths.lines(run, first),
        "episodes": [Line("T0", "episodes", k.astype(float), on=("E", "F1", "F2")), Line("T1", "K_0", np.full(len(k), float(most)))],
        "output": [
            Line("O0", "V* - V^pi of the output", output + problem.optimal_value - run["policy_value"], on="E", terms=terms, reason="optimism"),
            Line("O1", "V_bar - V^pi", output + run["upper_value"] - run["policy_value"], on="E", terms=terms, reason="certified"),
            Line("O2", "V_bar - V_low", output + run["upper_value"] - run["lower_value"], "surely", reason="the rule"),
            Line("O3", "epsilon", np.full(len(k), algorithm.epsilon)),
        ],
    }
    chains |= _excess_chains(
        run,
        widths,
        {
            "optimism": ("optimism_excess", "largest V* - V_bar at any (h, s) and plan"),
            "certified": ("certificate_excess", "largest V_low - V^pi"),
            "decomposition": ("decomposition_excess", "largest V_bar - V_low - D'"),
        },
    )
    base = math.log(8 * widths.S * (widths.N + 1) / algorithm.delta)  # deviations are net of the growth ln(n (n + 1))
    return Proof(chains, _events(run, widths.delta, 3 * widths.delta / 8, base, ("q_deviation", "l1_deviation")))
