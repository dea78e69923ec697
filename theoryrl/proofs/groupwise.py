r"""Groupwise regret: the reduction's theorem for every group at once, line by line, and the bounds of its learners and baselines.

The paper (Acharya et al., ICLR 2024) states regret :math:`\alpha_I + O(\sqrt{T_I \log|I|})`; the explicit forms here are derived, and
all of them hold *surely*, for every sequence, except for the learners that perturb their leader (in expectation).
Every line has one entry a group.  The symbols are those of `theoryrl.algorithms.groupwise.meta`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

from theoryrl.algorithms.groupwise import AnhPairs, BlumLykouris, GroupwiseFinite, GroupwisePaths, GroupwiseRegression, MinimaxMW, Reduction
from theoryrl.algorithms.groupwise.meta import ETA
from theoryrl.algorithms.run import Run
from theoryrl.problems.groupwise import GroupStream, RegressionStream
from theoryrl.proofs.theorem import Assumption, Line, Proof, theorem

SOURCE = "explicit form, derived here; after Acharya et al., ICLR 2024, and Luo and Schapire, COLT 2015"
KAPPA = 1.5
SHARP_KAPPA = 2 / 3
TOLERANCE = 1e-9  # of a line over T_g rounds: TOLERANCE * (1 + T_g)


def potential_bound(C: np.ndarray, prior: np.ndarray, kappa: float = KAPPA) -> np.ndarray:
    r"""Return :math:`B = 1 + \kappa \sum_g q_g (1 + \ln(1 + C_g))` over the last axis, kept: global, and weighted by the prior."""
    total: np.ndarray = 1 + kappa * np.sum(prior * (1 + np.log1p(C)), axis=-1, keepdims=True)
    return total


def anh_bound(C: np.ndarray, prior: np.ndarray, B: Any) -> np.ndarray:
    r"""Return :math:`M_g = \sqrt{3 C_g (\ln(1/q_g) + \ln B)}` (Theorem A of AdaNormalHedge with sleeping experts)."""
    return _anh_bound_of_log(C, prior, np.log(np.maximum(B, 1e-300)))


def _anh_bound_of_log(C: np.ndarray, prior: np.ndarray, log_B: Any) -> np.ndarray:
    bound: np.ndarray = np.sqrt(3 * C * np.maximum(log_B - np.log(prior), 0))
    return bound


def _prior(run: Run) -> np.ndarray:
    prior = run.algorithm.prior  # type: ignore[attr-defined]
    G = run.problem.groups.shape[1]  # type: ignore[attr-defined]
    return np.full(G, 1 / G) if prior is None else np.array(prior)


def regret_per_group(run: Run) -> np.ndarray:
    """Return the regret of every group at the checkpoints, (C, G), in units of the loss."""
    return run["regret"]


def _log_potentials(run: Run) -> np.ndarray:
    """Return ln Phi(R_g, C_g)."""
    R, C = np.maximum(run["R"], 0), run["C"]
    logs: np.ndarray = np.divide(R * R, 3 * C, out=np.zeros_like(R), where=C > 0)
    return logs


def learner_lines(run: Run) -> list[Line]:
    """Return the chain from a learner's own regret D_g on the rounds of its group to its worst-case bound; line A0 is alpha_g."""
    algorithm, problem = run.algorithm, run.problem
    assert isinstance(problem, GroupStream)
    D, gap = run["base_loss"] - run["hindsight"], TOLERANCE * (1 + run["rounds"])
    if isinstance(algorithm, GroupwiseRegression):
        lines = _regression_lines(run, algorithm, D)
    elif isinstance(algorithm, GroupwiseFinite | GroupwisePaths):
        lines = _class_lines(run, algorithm, D)
    else:
        lines = [Line("D", "own regret of the expert", D, "surely", reason="an expert is its own comparator"), Line("A0", "alpha", np.zeros_like(D))]
    return [Line(x.id, x.label, x.value, x.holds, x.on, x.reason, x.equality, gap, None, x.difference) for x in lines]


def _regression_lines(run: Run, algorithm: GroupwiseRegression, D: np.ndarray) -> list[Line]:
    problem = run.problem
    assert isinstance(problem, RegressionStream)
    S, T = problem.loss_scale, run["rounds"]
    if algorithm.base == "ogd":
        steepest = 2 * (algorithm.radius * np.sqrt(run["x2"]) + np.sqrt(run["y2"])) * np.sqrt(run["x2"])
        return [
            Line("D", "own regret of the learner", D, "surely", reason="clipping to the label range"),
            Line("D1", "regret of the unclipped predictions", run["unclipped_loss"] - run["hindsight"], "surely", reason="gradient descent"),
            Line("A0", "alpha = 2 sqrt(2) U sqrt(sum of squared gradients)", 2 * math.sqrt(2) * algorithm.radius * np.sqrt(run["squares"]), "surely"),
            Line("A1", "with the steepest gradient", 2 * math.sqrt(2) * algorithm.radius * steepest * np.sqrt(T)),
        ]
    lam, d = algorithm.lam, problem.features.shape[1]
    if "ridge_optimum" in run.curves:
        ridge = run["ridge_optimum"]
    else:
        low, high = problem.label_range
        middle = (low + high) / 2 if algorithm.center else 0.0
        learned = RegressionStream(problem.features, problem.labels - middle, problem.groups, (low - middle, high - middle))
        ridge = np.array([learned.ridge(lam, int(t)) for t in run.checkpoints])
    rho = ridge - run["hindsight"]
    norms = rho if algorithm.center else lam * np.array([problem.least_squares_norm2(int(t)) for t in run.checkpoints])
    worst_log = d * np.log1p(T * run["x2"] / (lam * d))
    if algorithm.base == "vaw":
        exact = not np.any(run["clipped"])
        return [
            Line("D", "own regret of the learner", D, "surely", equality=exact, reason="VAW identity" + ("" if exact else "; clipping only helps")),
            Line("D1", "sum of y^2 h - yhat^2 gamma, plus rho", run["y2h"] - run["yhat2gamma"] + rho, "surely"),
            Line("A0", "alpha = sum of y^2 h + rho", run["y2h"] + rho, "surely", reason="h <= ln(1 + gamma)"),
            Line("A1", "Y^2 ln det(A / lam) + rho", run["y2"] * run["logdet"] + rho, "surely", reason="arithmetic and geometric means"),
            Line("A2", "Y^2 d ln(1 + T_g X^2 / (lam d)) + lam |theta|^2", run["y2"] * worst_log + norms),
        ]
    return [
        Line("D", "own regret of the learner", D, "surely", reason="ridge identity; clipping only helps"),
        Line("D1", "sum of h (yhat - y)^2, plus rho", run["h_residual"] + rho, "surely"),
        Line("A0", "alpha = S sum of h + rho", S * run["h_sum"] + rho, "surely", reason="h <= ln(1 + gamma)"),
        Line("A1", "S ln det(A / lam) + rho", S * run["logdet"] + rho, "surely", reason="arithmetic and geometric means"),
        Line("A2", "S d ln(1 + T_g X^2 / (lam d)) + lam |theta|^2", S * worst_log + norms),
    ]


def _class_lines(run: Run, algorithm: GroupwiseFinite | GroupwisePaths, D: np.ndarray) -> list[Line]:
    problem: Any = run.problem
    S, T = problem.loss_scale, run["rounds"]
    if algorithm.base in ("separator_ftpl", "path_ftpl"):
        separator = algorithm.base == "separator_ftpl"
        factor = math.sqrt(2) * problem.separator.shape[1] if separator else 2 * math.sqrt(problem.n_edges)
        label = "alpha = sqrt(2) s sqrt(T_g)" if separator else "alpha = 2 K sqrt(E T_g)"
        alpha = S * factor * np.sqrt(T)
        difference = (-S * T - alpha, S * T - alpha)
        return [Line("D", "own regret of the learner", D, "in expectation", difference=difference), Line("A0", label, alpha)]
    log_size = math.log(problem.n_paths if isinstance(algorithm, GroupwisePaths) else problem.losses.shape[1])
    half = np.sqrt(T * log_size) / 2
    inverse_roots = np.concatenate([[0.0], np.cumsum(1 / np.sqrt(np.arange(1, int(T.max(initial=0)) + 1)))])[T.astype(int)]
    return [
        Line("D", "own regret of the learner", D, "surely", reason="mix losses telescope, the rate falls"),
        Line("D1", "ln N / eta + sum of mix gaps", S * (half + run["mix_gap"]), "surely", reason="Hoeffding: a gap is at most eta / 8"),
        Line("D2", "ln N / eta + sum of eta / 8", S * (half + math.sqrt(log_size) * inverse_roots / 4), "surely"),
        Line("A0", "alpha = S sqrt(T_g ln N)", S * np.sqrt(T * log_size)),
    ]


def alpha(run: Run) -> np.ndarray:
    """Return alpha_g, the data-dependent bound of each group's own learner, (C, G), in units of the loss."""
    return next(line.value for line in learner_lines(run) if line.id == "A0")


def bound_per_group(run: Run, kind: str = "data") -> np.ndarray:
    """Return the reduction's bound for every group at the checkpoints of a traced run, (C, G), in units of the loss.

    Parameters
    ----------
    kind : {"data", "worst", "certificate"}
        From the realised C_g and alpha_g; in terms of T_g alone; or with the realised certificate in place of B.

    Raises
    ------
    ValueError
        If the theorem does not apply (see `theorem_combined`), or `kind` is unknown.
    """
    chains = theorem_combined.proof(run).chains
    lines = {line.id: line.value for line in (*chains["regret"], *chains["worst case"])}
    if kind == "certificate":
        value: np.ndarray = lines["L5"] - lines["L7"] + lines["L8"]
        return value
    if kind not in ("data", "worst"):
        raise ValueError(f"kind: expected one of 'data', 'worst', 'certificate', got {kind!r}")
    return lines["L8" if kind == "data" else "L9"]


def _clips(algorithm: Reduction, problem: Any, n: int) -> list[Assumption]:
    found = []
    if isinstance(algorithm, GroupwiseRegression):
        found.append(Assumption("scaled losses are in [0, 1]", algorithm.clip, "clip=False: predictions may leave the label range"))
        if algorithm.center:
            outside = _rows_without_a_constant(problem, n)
            found.append(Assumption("a constant is in the span of the features on every group", not outside, f"not on groups {outside}"))
    return found


def _rows_without_a_constant(problem: RegressionStream, n: int) -> list[int]:
    """Return the groups on whose rows no linear function of the features is constantly one."""
    found = []
    for g in range(problem.groups.shape[1]):
        rows = problem.features[:n][problem.groups[:n, g] > 0]
        if len(rows):
            theta = np.linalg.lstsq(rows, np.ones(len(rows)), rcond=1e-10)[0]
            if np.max(np.abs(rows @ theta - 1)) > 1e-6:
                found.append(g)
    return found


def largest_regret(run: Run) -> np.ndarray:
    """Return S T_g - L*_g: the regret if every round lost the most."""
    return run.problem.loss_scale * run["rounds"] - run["hindsight"]  # type: ignore[attr-defined]


@theorem(
    for_=Reduction,
    variants=("anh",),
    id="groupwise",
    paper="groupwise",
    name="Groupwise regret of the reduction",
    source=SOURCE,
    statement=r"""For every sequence, every $T$ and all groups $g$ at once, $\mathrm{Reg}_g(T) \le \alpha_g + S M_g$, where
$M_g = \sqrt{3 C_g (\ln\frac{1}{q_g} + \ln B)}$, $B = 1 + \frac{3}{2} \sum_{g'} q_{g'} (1 + \ln(1 + C_{g'}))$, $C_g \le T_g$,
and $\alpha_g$ bounds the regret of the learner of $g$ on the rounds of $g$.""",
    assumptions=_clips,
)
def theorem_combined(run: Run) -> Proof:
    """AdaNormalHedge's potential stays below its certificate, and each learner has its own theorem.

    The first chain ends in the data-dependent bound, which is what vacuity speaks of; the worst case in T_g is a chain of its own.
    """
    S, q = run.problem.loss_scale, _prior(run)  # type: ignore[attr-defined]
    C, T, cert = run["C"], run["rounds"], run["cert"][:, None]
    D = run["base_loss"] - run["hindsight"]
    learner = learner_lines(run)
    a = next(line.value for line in learner if line.id == "A0")
    logs = _log_potentials(run)
    total = special.logsumexp(logs, axis=1, b=q, keepdims=True)  # a broken run's potentials overflow
    linear = not (isinstance(run.algorithm, GroupwiseRegression) and run.algorithm.play == "average")
    expected = learner[0].holds == "in expectation"
    gap = TOLERANCE * (1 + T)
    sharp, B = potential_bound(C, q, SHARP_KAPPA), potential_bound(C, q)
    M = anh_bound(C, q, B)
    lines = [
        Line("L0", "regret", run["regret"], "surely", equality=linear, gap=gap, reason="the expected loss is played" if linear else "Jensen"),
        Line("L1", "expected loss minus hindsight", run["expected"] - run["hindsight"], "surely", equality=True, gap=gap, reason="definition of R"),
        Line("L2", "S R_g + own regret of the learner", S * run["R"] + D, "surely", gap=gap, reason="definition of the potential"),
        Line("L3", "S sqrt(3 C ln Phi) + D", S * np.sqrt(3 * C * logs) + D, "surely", gap=gap, reason="q_g Phi_g is at most the sum"),
        Line("L4", "with the sum of the potentials", S * _anh_bound_of_log(C, q, total) + D, "surely", gap=gap, reason="Lemmas 1 and 2, summed"),
        Line("L5", "with the certificate", S * anh_bound(C, q, cert) + D, "surely", gap=gap, reason="Lemmas 3 and 4"),
        Line("L6", "with B, kappa = 2/3", S * anh_bound(C, q, sharp) + D, "surely", gap=gap, reason="2/3 <= 3/2"),
        Line(
            "L7", "S M_g + D", S * M + D, "in expectation" if expected else "surely", gap=gap, reason="theorem of the learner",
            difference=learner[0].difference,
        ),
        Line("L8", "S M_g + alpha_g", S * M + a),
    ]  # fmt: skip
    data = Line("L8", "S M_g + alpha_g", S * M + a, "surely", gap=gap, reason="C_g <= T_g, and the learner's worst case")
    worst = Line("L9", "S sqrt(3 T_g (ln 1/q_g + ln B)) + worst alpha_g", S * anh_bound(T, q, potential_bound(T, q)) + learner[-1].value)
    one = np.ones(len(run.checkpoints))
    chains = {
        "regret": lines,
        "worst case": [data, worst],
        "learner": learner,
        "zero sum (Lemma 1)": [Line("C0", "largest |sum q w r| / sum q w", run["lemma1"], "surely", gap=TOLERANCE), Line("C1", "zero", 0 * one)],
        "one step (Lemma 2)": [Line("C0", "minus the smallest slack", -run["lemma2"], "surely", gap=TOLERANCE), Line("C1", "zero", 0 * one)],
    }
    return Proof(chains, [], largest_regret(run))


@theorem(
    for_=GroupwiseRegression,
    variants=("specialist_ew",),
    id="specialist",
    paper="groupwise",
    name="Groupwise regret with specialists (an extension)",
    source="derived here; not in the paper",
    statement=r"""With exponential weights of specialists, $\eta = \frac{1}{2}$ and the mean prediction played, for every sequence and all $g$,
$\mathrm{Reg}_g(T) \le \alpha_g + \frac{S}{\eta} \ln\frac{1}{q_g}$.""",
    assumptions=_clips,
)
def theorem_specialist(run: Run) -> Proof:
    """Exp-concavity bounds the mean's loss by the mix loss, which telescopes in the specialist's own weight, at most one."""
    S, q = run.problem.loss_scale, _prior(run)  # type: ignore[attr-defined]
    D, gap = run["base_loss"] - run["hindsight"], TOLERANCE * (1 + run["rounds"])
    learner = learner_lines(run)
    a = next(line.value for line in learner if line.id == "A0")
    lines = [
        Line("L0", "regret", run["regret"], "surely", gap=gap, reason="exp-concavity"),
        Line("L1", "mix loss minus hindsight", run["mix_loss"] - run["hindsight"], "surely", equality=True, gap=gap, reason="weights telescope"),
        Line("L2", "S ln(v_g / q_g) / eta + D", S / ETA * (run["log_v"] - np.log(q)) + D, "surely", gap=gap, reason="v_g <= 1"),
        Line("L3", "S ln(1 / q_g) / eta + D", -S / ETA * np.log(q) + D, "surely", gap=gap, reason="theorem of the learner"),
        Line("L4", "S ln(1 / q_g) / eta + alpha_g", -S / ETA * np.log(q) + a),
    ]
    return Proof({"regret": lines, "learner": learner}, [], largest_regret(run))


def _pairs_proof(run: Run, bound: np.ndarray, reason: str) -> Proof:
    """Chains of the regret against the best hypothesis of each group, and against every hypothesis; `bound` is (C, G, N)."""
    regret, gap = run["expected"][:, :, None] - run["losses"], TOLERANCE * (1 + run["rounds"])
    best = np.argmin(run["losses"], axis=2, keepdims=True)
    at_best = np.take_along_axis(bound, best, axis=2)[:, :, 0]
    chains = {
        "regret": [Line("L0", "regret", run["regret"], "surely", gap=gap, reason=reason), Line("L1", "bound at the best hypothesis", at_best)],
        "pairs": [Line("P0", "regret against each hypothesis", regret, "surely", gap=gap[:, :, None], reason=reason), Line("P1", "bound", bound)],
    }
    return Proof(chains, [], largest_regret(run))


def _log_pairs(run: Run) -> float:
    return math.log(math.prod(run["losses"].shape[1:]))


@theorem(
    for_=BlumLykouris,
    id="blum_lykouris",
    paper="groupwise",
    name="Sleeping multiplicative weights",
    source="derived here; after Blum and Lykouris, ITCS 2020",
    statement=r"""For all groups $g$ and hypotheses $h$,
$\sum_{t \in g} \hat\ell_t \le \frac{1}{\beta} (\sum_{t \in g} \ell_t(h) + \frac{S \ln N}{\ln(1 / \beta)})$.""",
    assumptions=lambda algorithm, problem, n: [Assumption("there are at least two pairs", problem.groups.shape[1] * problem.losses.shape[1] > 1, "one pair")],
)
def theorem_blum_lykouris(run: Run) -> Proof:
    """The total weight never grows."""
    S, beta = run.problem.loss_scale, run.algorithm.rate(run.problem, run.n)  # type: ignore[attr-defined]
    losses = run["losses"]
    return _pairs_proof(run, (losses + S * _log_pairs(run) / math.log(1 / beta)) / beta - losses, "the total weight never grows")


@theorem(
    for_=AnhPairs,
    id="anh_pairs",
    paper="groupwise",
    name="AdaNormalHedge over pairs",
    source=SOURCE,
    statement=r"""For all pairs, $R_{g,h} \le S \sqrt{3 C_{g,h} (\ln N + \ln B)}$.""",
)
def theorem_anh_pairs(run: Run) -> Proof:
    """Theorem A with the uniform prior over pairs."""
    S, C = run.problem.loss_scale, run["C"]  # type: ignore[attr-defined]
    flat = C.reshape(len(C), -1)
    q = np.full(flat.shape[1], 1 / flat.shape[1])
    bound = S * anh_bound(flat, q, potential_bound(flat, q)).reshape(C.shape)
    return _pairs_proof(run, bound, "Theorem A")


@theorem(
    for_=MinimaxMW,
    id="minimax_mw",
    paper="groupwise",
    name="Minimax multiplicative weights",
    source="derived here; after Lee, Noarov, Pai, Roth, NeurIPS 2022",
    statement=r"""For all pairs and rounds $t$, $R_{g,h} \le S (\frac{\ln N}{\eta} + \frac{\eta t}{8})$;
at $\eta = \sqrt{8 \ln N / T}$ and $t = T$ this is $S \sqrt{\frac{1}{2} T \ln N}$.""",
)
def theorem_minimax(run: Run) -> Proof:
    """Under the weights the increments have mean zero and range one."""
    S, eta = run.problem.loss_scale, run.algorithm.rate(run.problem, run.n)  # type: ignore[attr-defined]
    line = S * (_log_pairs(run) / eta + eta * run.checkpoints / 8) if eta > 0 else np.zeros(len(run.checkpoints))
    return _pairs_proof(run, np.broadcast_to(line[:, None, None], run["losses"].shape), "Hoeffding's lemma")
