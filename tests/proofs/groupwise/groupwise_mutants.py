"""The mutants of groupwise regret: how each is made, and the checks that must each reject it."""

from __future__ import annotations

from theoryrl.testing.mutants import Mutant

META = "theoryrl.algorithms.groupwise.meta"
REGRESSION = "theoryrl.algorithms.groupwise.regression"
FINITE = "theoryrl.algorithms.groupwise.finite"
REDUCTION = "theoryrl.algorithms.groupwise.reduction"

OWN_WEIGHT = "weight = meta.prior[g] * anh_weight(meta.R[g], meta.C[g])"
RETURN_WEIGHT = "    return 0.5 * math.exp(b * b / k) * math.expm1((a - b) * (a + b) / k)"
K = "k = max(R + 1, 0.0), max(R - 1, 0.0), 3 * (C + 1)"
PHI = "math.exp(R * R / (3 * C))"
R = "r = expected - meta.losses[g]\n            meta.R[g] += r"
IF_AWAKE = "        if awake[g]:\n            "
RANK_ONE = "rank_one(learners.factor[g], learners.pivots[g], x, z, learners.forward)\n"
END_OF_LEARN = "    return loss\n\n\n@kernel\ndef tally"


def mutant(id: str, description: str, killers: str, *patches: tuple[str, str, str], compiled: bool = False) -> Mutant:
    return Mutant("groupwise", id, description, patches, tuple(killers.split()), compiled)


MUTANTS = [
    mutant("M1", "asleep experts are updated as if their loss were 0", "GW-1 GW-5", (META, IF_AWAKE + R, "        if True:\n            " + R)),
    mutant("M2", "p is not renormalised on the awake", "GW-1", (META, IF_AWAKE + "weight = 1.0", "        if True:\n            weight = 1.0")),
    mutant(
        "M3",
        "C is never updated (and nothing is traced: the potential is infinite at C = 0)",
        "GW-1 GW-5",
        (META, "meta.C[g] += abs(r)", "meta.C[g] += 0.0"),
        (META, "    if traced:\n        inspect(meta, awake, expected)\n", ""),
    ),
    mutant("M4", "2 C in the potential", "GW-1 GW-3 GW-19", (META, PHI, PHI.replace("3", "2")), (META, K, K.replace("3", "2"))),
    mutant("M5", "4 C in the potential", "GW-1 GW-4 GW-5 GW-19", (META, PHI, PHI.replace("3", "4")), (META, K, K.replace("3", "4"))),
    mutant("M6", "w with C in place of C + 1 (at least .001, against overflow)", "GW-1 GW-5", (META, K, K.replace("(C + 1)", "max(C, 0.001)"))),
    mutant("M7", "the prior is left out of p", "GW-1 GW-19", (META, OWN_WEIGHT, "weight = anh_weight(meta.R[g], meta.C[g])")),
    mutant(
        "M8",
        "the derivative of the potential in place of its difference",
        "GW-1 GW-2 GW-19",
        (META, RETURN_WEIGHT, "    return 2 * R / (3 * C) * math.exp(R * R / (3 * C)) if R > 0 else 0.0"),
    ),
    mutant("M9", "p is uniform", "GW-1 GW-5 GW-15", (META, OWN_WEIGHT, "weight = 1.0")),
    mutant("M10", "p is the first awake group", "GW-1 GW-5 GW-15", (META, OWN_WEIGHT, "weight = 1.0 if total == 0 else 0.0")),
    mutant("M11", "the regret's sign is flipped", "GW-1 GW-5 GW-15", (META, R, R.replace("expected - meta.losses[g]", "meta.losses[g] - expected"))),
    mutant(
        "M12",
        "losses are fed at scale 10",
        "GW-1 range GW-5",
        (FINITE, "meta.losses[g] = loss[g] / scale if base == EXPERTS else mean(", "meta.losses[g] = 10 * loss[g] / scale if base == EXPERTS else 10 * mean("),
    ),
    mutant("M13", "the prediction of ridge under the certificate of VAW", "GW-6", (REGRESSION, "guess = guess / (1 + gamma)", "guess = guess * 1.0")),
    mutant(
        "M14",
        "the label leaks into the prediction: b_n in place of b_(n-1)",
        "GW-6 GW-10",
        (
            REGRESSION,
            "            played += meta.p[g] * learners.proposals[g]\n",
            "            learners.guess[g] += learners.gamma[g] / (1 + learners.gamma[g]) * (y - choices.middle)\n"
            "            learners.proposals[g] = learners.guess[g] + choices.middle\n"
            "            played += meta.p[g] * learners.proposals[g]\n",
        ),
    ),
    mutant(
        "M15",
        "stale b: the last label is not in it yet",
        "GW-6 GW-10",
        (REGRESSION, "        b[i] += y * x[i]\n", "        b[i] += inverse[d, i]\n        inverse[d, i] = y * x[i]\n"),
    ),
    mutant(
        "M16",
        "Sherman-Morrison divides by 1 + |x|^2",
        "GW-6 GW-10",
        (REGRESSION, "inverse[i, j] -= w[i] * w[j] / (1 + gamma)", "inverse[i, j] -= w[i] * w[j] / (1 + dot(x, x))"),
    ),
    mutant(
        "M17",
        "learners are fed all rounds",
        "GW-7 GW-10",
        (REGRESSION, END_OF_LEARN, "    for g in range(awake.shape[0]):\n        if not awake[g]:\n            " + RANK_ONE + END_OF_LEARN),
    ),
    mutant("M18", "Sherman-Morrison in place of Cholesky", "GW-16", (REDUCTION, 'solver: str = "cholesky"', 'solver: str = "sherman_morrison"'), compiled=True),
]
