"""What the proof about optimistic Q-learning needs from a run, as running sums and maxima; nothing here feeds back into a decision.

Counts, learning rates, bonuses and widths are the trace's own, computed from the raw outcomes and the theorem's constants.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from theoryrl.algorithms.baselines.episodes import no_raw
from theoryrl.algorithms.baselines.q_learning_theory import Theory
from theoryrl.jit import kernel, record
from theoryrl.planning.arrays import raise_to
from theoryrl.problems.episodic import EpisodicMDP

SUMS = (
    "optimistic_regret",  # sum of V_1^k - V^pi_1
    "learning_noise",  # L2 without Z: sum of rho_h times the first cost, or 2 b_t + nu_t
    "learning_widths",  # L3 without Z: the same with e_t for nu_t
    "martingale",  # Z: sum of rho_h zeta_{h+1}
)
(OPTIMISTIC, NOISE, WIDTHS, MARTINGALE) = range(len(SUMS))

MAXIMA = (
    "optimism_excess",  # Q* - Q and V* - V after an update
    "bonus_error",  # |b_t used - formula at recounted t| / max(1, formula)
    "rate_error",  # |alpha_t used - (H + 1) / (H + t)|
    "noise_deviation",  # smallest log term at which |nu_t| <= e_t held after every update
    "path_excess",  # Z minus its Azuma bound
)
(OPTIMISM, BONUS, RATE, NOISE_DEVIATION, PATH) = range(len(MAXIMA))

Record = record(
    __name__, "Record", "sums maxima true_visits nu Q_star PV_star raw_rate raw_bonus raw_next_value"
)
Numbers = record(__name__, "Numbers", "rho first bonus_widths noise_widths spans c_H azuma_slope azuma_offset")


def start(problem: EpisodicMDP) -> dict[str, Any]:
    """Return the part of the state that a trace fills."""
    H, rows = problem.horizon, problem.n_states * problem.n_actions
    V_star = problem.optimal_values
    expected = np.einsum("hsat,ht->hsa", problem.stage_transition, V_star[1:]).reshape(H, rows)
    arrays: dict[str, Any] = {
        "sums": np.zeros(len(SUMS)), "maxima": np.full(len(MAXIMA), -np.inf), "true_visits": np.zeros((H, rows), np.int64), "nu": np.zeros((H, rows)),
        "Q_star": problem.reward_rows + expected, "PV_star": expected,
    }  # fmt: skip
    return arrays | no_raw(problem, raw_rate=(H,), raw_bonus=(H,), raw_next_value=(H,))


def numbers(theory: Theory, problem: EpisodicMDP) -> Any:
    """Return the theorem's constants as the kernels take them."""
    spans = np.array(problem.value_caps[1:], dtype=float)
    return Numbers(theory.rho, theory.first, theory.bonus_widths, theory.noise_widths, spans, theory.c_H, *theory.azuma)


def measure(state: dict[str, Any]) -> dict[str, Any]:
    """Return the sums and maxima by name."""
    return dict(zip(SUMS, state["sums"], strict=True)) | dict(zip(MAXIMA, state["maxima"], strict=True))


@kernel
def open_episode(gap: float, sums: Any) -> None:
    """Add V_1^k - V_1^pi of the episode."""
    sums[OPTIMISTIC] += gap


@kernel
def record_step(h: int, s: int, row: int, s_next: int, rate: float, bonus: float, world: Any, V_pi: Any, trace: Any, numbers: Any) -> None:
    """Count the raw outcome, add the step's terms at the t visits before it, and carry the noise nu on by the recursion of Q."""
    sums, maxima = trace.sums, trace.maxima
    H = trace.nu.shape[0]
    t = trace.true_visits[h, row]
    V_star, g = world.V_star, min(h, world.P.shape[0] - 1)
    if t == 0:
        noise, width = numbers.first[h], numbers.first[h]
    else:
        noise = 2 * numbers.bonus_widths[h] / math.sqrt(t) + trace.nu[h, row]
        width = (2 * numbers.bonus_widths[h] + numbers.noise_widths[h]) / math.sqrt(t)
    sums[NOISE] += numbers.rho[h] * noise
    sums[WIDTHS] += numbers.rho[h] * width
    expected = 0.0
    for s2 in range(V_star.shape[1]):
        expected += world.P[g, s2, row] * (V_star[h + 1, s2] - V_pi[h + 1, s2])
    sums[MARTINGALE] += numbers.rho[h] * (expected - (V_star[h + 1, s_next] - V_pi[h + 1, s_next]))
    t += 1
    trace.true_visits[h, row] = t
    formula = numbers.bonus_widths[h] / math.sqrt(t)
    raise_to(maxima, BONUS, abs(bonus - formula) / max(formula, 1.0))
    alpha = (H + 1) / (H + t)
    raise_to(maxima, RATE, abs(rate - alpha))
    nu = (1 - alpha) * trace.nu[h, row] + alpha * (V_star[h + 1, s_next] - trace.PV_star[h, row])
    trace.nu[h, row] = nu
    if numbers.spans[h] > 0:
        raise_to(maxima, NOISE_DEVIATION, 2 * t * (nu / numbers.spans[h]) * (nu / numbers.spans[h]) / numbers.c_H)


@kernel
def record_update(h: int, s: int, row: int, q: float, v: float, V_star: Any, Q_star: Any, maxima: Any) -> None:
    """Compare the updated entries with the optimal ones."""
    raise_to(maxima, OPTIMISM, max(Q_star[h, row] - q, V_star[h, s] - v))


@kernel
def close_episode(sums: Any, maxima: Any, bound: float) -> None:
    """Compare the martingale with its bound after the episode."""
    raise_to(maxima, PATH, sums[MARTINGALE] - bound)
