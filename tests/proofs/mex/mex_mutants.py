"""The mutants of MEX: how each is made, and the checks that must each reject it."""

from __future__ import annotations

from theoryrl.testing.mutants import Mutant

FINITE = "theoryrl.algorithms.mex.finite"
GAME = "theoryrl.algorithms.mex.game"

OBJECTIVE = "objective = start_values[f] - eta * loss[f]"
EXCESS = "excess[h, g, v] = squares[h, g, v] - least"
SQUARES = "            squares[g, v] += error * error\n"
LEAST_OF_THE_SAMPLE = """
    for v in range(followers):
        least = math.inf
        for g in range(tables):
            error = f[g, s, a] - r - V_next[v, s_next]
            least = min(least, error * error)
        for g in range(tables):
            squares[g, v] -= least
"""
MODEL_EXPLOITER = "g = best_model(models.against[f], loss, eta)"
VALUE_EXPLOITER = "viterbi(values.sizes, chain.minus_V, chain.excess, eta, chain.best, chain.follow, exploiter)"
FROM_COUNTS = "        exploiter_squares(values.f, values.sizes, values.against, values.r, main, chain.n, chain.n_next, chain.exploiter_squares)\n"
LEARN = "            chain.n[h, s, joint] += 1\n"
LEARN_STALE = """            stale = values.against[h + 1, main[h + 1] if h + 1 < H else 0]
            add_squares(values.f[h], stale, values.sizes[h], values.sizes[h + 1], s, joint, values.r[h, s, joint], s_next, chain.exploiter_squares[h])
"""


def mutant(id: str, description: str, killers: str, *patches: tuple[str, str, str], compiled: bool = False) -> Mutant:
    return Mutant("mex", id, description, patches, tuple(killers.split()), compiled)


MUTANTS = [
    mutant("m1", "V_1 is dropped: maximum likelihood", "T16 T14", (FINITE, OBJECTIVE, "objective = -eta * loss[f]"), compiled=True),
    mutant("m2", "eta = 0", "T16", (FINITE, OBJECTIVE, "objective = start_values[f] - 0.0 * loss[f]"), compiled=True),
    mutant("m3", "the sign of V_1 is flipped", "T16 T14", (FINITE, OBJECTIVE, "objective = -start_values[f] - eta * loss[f]"), compiled=True),
    mutant("m4", "no infimum in the loss", "T15 T1", (FINITE, EXCESS, "excess[h, g, v] = squares[h, g, v]")),
    mutant(
        "m5",
        "1 / (2 eta) in place of 1 / (4 eta) in F of Theorem A",
        "T2",
        ("theoryrl.algorithms.mex.policy_form", "d[h, x] / (4 * eta * n[h, row])", "d[h, x] / (2 * eta * n[h, row])"),
    ),
    mutant(
        "m6",
        "no exploiter: the min-player answers as the main player's own hypothesis says",
        "T23 T16",
        (GAME, MODEL_EXPLOITER, "g = f"),
        (GAME, VALUE_EXPLOITER, "copy(main, exploiter)"),
        compiled=True,
    ),
    mutant(
        "m7",
        "the local search has two starts",
        "T28",
        ("theoryrl.algorithms.mex.local_search", "for which in range(PLANS + A)", "for which in range(2)"),
        compiled=True,
    ),
    mutant(
        "m8",
        "stale losses of the exploiter: running sums whose old targets keep the old mu",
        "T22 T23",
        (GAME, FROM_COUNTS, ""),
        (GAME, LEARN, LEARN_STALE + LEARN),
    ),
    mutant(
        "m9",
        "the infimum of each sample in place of that of the sum",
        "T15 T14",
        (FINITE, EXCESS, "excess[h, g, v] = squares[h, g, v]"),
        (FINITE, SQUARES, SQUARES + LEAST_OF_THE_SAMPLE.removeprefix("\n")),
    ),
    mutant(
        "m10",
        "binom(n + S - 2, S - 2) in the mixture radius",
        "T13",
        ("theoryrl.algorithms.mex.tabular_trace", "math.log((n + S) / (n + 1))", "math.log((n + S - 1) / (n + 1))"),
    ),
]
