"""The mutants of the baselines: how each is made, and the checks that must each reject it."""

from __future__ import annotations

from theoryrl.testing.mutants import Mutant

UCBVI = "theoryrl.algorithms.baselines.ucbvi"
Q_LEARNING = "theoryrl.algorithms.baselines.q_learning"
PSRL = "theoryrl.algorithms.baselines.psrl"
UCRL2 = "theoryrl.algorithms.baselines.ucrl2"

FILL = "        fill_bonus(settings, settings.widths[h], model.p_hat[g], model.linear[g], model.quadratic[g], V_bar[h + 1], arrivals[h], scratch, bonus[h])\n"
COUNT = "            counts.arrivals[h, s_next] += 1\n"
AT_THE_STAGE = "            plan.bonus[h, row] = settings.widths[h] * settings.linear_factor / math.sqrt(counts.visits[0, row])\n"
NOT_AT_THE_END = "        for row in range(S * A):\n            if h == H - 1 and model.linear[g, row] != 1:\n                bonus[h, row] = 0.0\n"
DRAW = "rng.standard_gamma(prior + next_visits[g, s2, row])"
LEARN = "            count(posterior.visits, posterior.next_visits, min(h, posterior.visits.shape[0] - 1), s * A + a, s_next)\n"
LEARN_PHASE = "    learn(world.following, world.reward, counts)\n"
PLAN_PHASE = "    extended_value_iteration(scratch, 1 / math.sqrt(t), plan)\n"
WIDTH = "math.sqrt((H + 1) ** 2 / (2 * H + 1) * x / 2)"


def mutant(id: str, description: str, killers: str, *patches: tuple[str, str, str], compiled: bool = False) -> Mutant:
    return Mutant("baselines", id, description, patches, tuple(killers.split()), compiled)


MUTANTS = [
    mutant("M1", "the bonus is refreshed only at the stage of the visit", "T2", (UCBVI, FILL, ""), (UCBVI, COUNT, COUNT + AT_THE_STAGE)),
    mutant("M2", "unvisited pairs are worth r", "T1 T4", (UCBVI, "linear=np.ones((G, rows))", "linear=np.zeros((G, rows))")),
    mutant(
        "M3",
        "Bernstein without the variance branch: b = 3 C x / n",
        "T1",
        (UCBVI, "VARIANCE_FACTOR, LINEAR_FACTOR = 2.6, 6.8", "VARIANCE_FACTOR, LINEAR_FACTOR = 0.0, 3.0"),
        compiled=True,
    ),
    mutant("M4", "the learning rate is 1 / t", "T7 T8", (Q_LEARNING, "return (H + 1) / (H + t)", "return 1 / t")),
    mutant("M5", "the bonus is .2 C sqrt(x / 2t)", "T8 T9", (Q_LEARNING, WIDTH, "0.2 * math.sqrt(x / 2)"), compiled=True),
    mutant("M6", "the posterior mean in place of a draw", "T10", (PSRL, DRAW, "prior + next_visits[g, s2, row]"), compiled=True),
    mutant("M7", "posterior counts times 4", "T10", (PSRL, DRAW, "rng.standard_gamma(prior + 4 * next_visits[g, s2, row])"), compiled=True),
    mutant("M8", "the posterior is never updated", "T10", (PSRL, LEARN, ""), compiled=True),
    mutant("M9", "UCRL2 plans before the last phase is in the model", "T12", (UCRL2, LEARN_PHASE, ""), (UCRL2, PLAN_PHASE, PLAN_PHASE + LEARN_PHASE)),
    mutant("M10", "cumulative in place of mean rewards", "T12 T14", (UCRL2, "reward_totals[row] / n + d_r", "reward_totals[row] + d_r")),
    mutant("M11", "the paper's test before the action, under the lines of the explicit form", "T13", (UCRL2, 'before=self.rule == "before"', "before=True")),
    mutant("M12", "the paper's form without its bonus at the last stage", "T2", (UCBVI, FILL, FILL + NOT_AT_THE_END)),
]
