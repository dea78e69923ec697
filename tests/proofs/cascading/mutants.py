"""The mutants of Cascading RL: how each is made, and the checks that must each reject it."""

from __future__ import annotations

from theoryrl.testing.mutants import Mutant

LEARNER = "theoryrl.algorithms.cascading"
ORACLE = "theoryrl.planning.best_perm"

X = "x=self._log_term(problem, n),"
DIMENSION = "dimension=problem.n_states * math.log(2),"
UNSEEN = "UNSEEN = 1e300"
CONSTANTS = "else (math.sqrt(2), 1.0, math.sqrt(2), 3.0)"


def mutant(id: str, description: str, killers: str, *patches: tuple[str, str, str], compiled: bool = True) -> Mutant:
    return Mutant("cascading", id, description, patches, tuple(killers.split()), compiled)


MUTANTS = [
    mutant("M1", "no bonuses", "T11 T12 T16 T17", (LEARNER, X, "x=0.0,"), (LEARNER, DIMENSION, "dimension=0.0,"), (LEARNER, UNSEEN, "UNSEEN = 0.0")),
    mutant("M2", "no bonus on p", "T12 T17", (LEARNER, DIMENSION, "dimension=-self._log_term(problem, n),"), (LEARNER, UNSEEN, "UNSEEN = 0.0")),
    mutant("M3", "the dynamic program sorts by u w", "T1", (ORACLE, "keys = work[2, :n]", "keys = work[1, :n] * work[2, :n]"), compiled=False),
    mutant("M4", "greedy takes the top m by w", "T1", (ORACLE, "    return u * d", "    return d"), compiled=False),
    mutant(
        "M5",
        "greedy takes the top m by u w (and reports the value of that list)",
        "T1",
        (ORACLE, "    return d - gain if w > w_k else keep * d", "    return d"),
        (ORACLE, "    return no_click + total, length", "    return list_value(out, length, u, w, no_click), length"),
        compiled=False,
    ),
    mutant("M6", "no threshold at the value of no click", "T1", (ORACLE, "n += w[a] > no_click", "n += 1"), compiled=False),
    mutant(
        "M7", "items below the click count as not attractive", "T10 T11 T12", (LEARNER, "for i in range(min(position + 1, length)):", "for i in range(length):")
    ),
    mutant(
        "M8",
        "where no item is worth a click, the best single item at the upper ends",
        "T6 T12 T22",
        (ORACLE, "best_short(lower, w, no_click, min_length, out)", "best_short(upper, w, no_click, min_length, out)"),
    ),
    mutant("M9", "the log term is dropped: x = 1", "T11 T12", (LEARNER, X, "x=1.0,")),
    mutant(
        "M10",
        "transitions without a click are not learned",
        "T10",
        (LEARNER, "    counts.n_p[s, clicked] += 1\n", "    if clicked == counts.n_q.shape[1]:\n        return\n    counts.n_p[s, clicked] += 1\n"),
        compiled=False,
    ),
    mutant("M11", "the pessimistic value takes the lower end of every item", "T21 T12 T13", (ORACLE, "if at_lower <= at_upper:", "if True:")),
    mutant("M12", "no bonus on q", "T11 T12", (LEARNER, CONSTANTS, "else (0.0, 0.0, math.sqrt(2), 3.0)")),
]
