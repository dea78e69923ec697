"""The mutants of GOSPRL: how each is made, and the checks that must each reject it."""

from __future__ import annotations

from theoryrl.testing.mutants import Mutant

GOSPRL = "theoryrl.algorithms.gosprl.gosprl"
PLANNING = "theoryrl.algorithms.gosprl.planning"
OPTIMISTIC = "theoryrl.planning.optimistic"
INTERVALS = "theoryrl.estimation.transitions"

BALL, BOX = "l1_half_radius(n, settings.ell)", "(settings.iota + math.log(n * (n + 1.0))) / n"
RADIUS = "return math.sqrt((ell + math.log(n * (n + 1.0))) / (2 * n))"
SORT = "        sort_states(v, order, False)\n"
START = "        v[s], v_next[s], least[s] = 0.0, 0.0, 0.0\n"
GOAL = "        plan.goal[s] = 1 if counts.owed[s] >= 0 else 0\n"
COUNT = "        transitions[row, s_next] += 1\n        visits[row] += 1\n"
COUNT_TRAVEL = "        if travel:\n            transitions[row, s_next] += 1\n            visits[row] += 1\n"
END = "            return sweep\n        copy(v_next, v)\n    return -1\n"
CAPPED = ((OPTIMISTIC, "MOST_SWEEPS = 10**6", "MOST_SWEEPS = 100"), (OPTIMISTIC, END, END.replace("-1", "MOST_SWEEPS")))
"""Planning that does not end is cut off and its plan played: pessimistic times are infinite where a goal was never seen to be reached."""
LATCH = "    progress[DUE] |= changed\n"
UNLATCHED = (
    '    progress[DUE] = progress[PLANS] == 0 or np.any((owed >= 0) != (state["goal"] == 1)) '
    'or np.any(state["phase_visits"] >= np.maximum(1, state["planned_visits"]))\n'
)
TRAVEL, NEVER = "(policy[s] if travel else owed[s])", "phase_visits[row] < 0"
LARGE = "        if goal[s] == 0:\n            v[s] = 1000.0\n"
ENDS, TENTH = "    low, high = 0.0, 1.0\n    below, above = p - a / 3, p + a / 3\n", "    below, above = p - a / 300, p + a / 300\n    a = a / 100\n"


def mutant(id: str, description: str, killers: str, *patches: tuple[str, str, str], compiled: bool = False) -> Mutant:
    return Mutant("gosprl", id, description, patches, tuple(killers.split()), compiled)


MUTANTS = [
    mutant(
        "M1",
        "no optimism: the empirical model (nothing is known of a pair without samples)",
        "G6 shortcut",
        (PLANNING, BALL, "0.0"),
        (PLANNING, BOX, "0.0"),
        *CAPPED,
        compiled=True,
    ),
    mutant("M2", "travel steps are uniformly random", "G11", (GOSPRL, TRAVEL, TRAVEL.replace("policy[s]", "int(rng.random() * A)")), compiled=True),
    mutant("M3", "counts that double do not end a plan", "G8 river_swim", (GOSPRL, "phase_visits[row] >= max(1, planned_visits[row])", NEVER), compiled=True),
    mutant("M4", "pessimistic: the largest expectations in the sets", "G6", (OPTIMISTIC, SORT, SORT.replace("False", "True")), *CAPPED, compiled=True),
    mutant("M5", "states stay goals when they are met", "G1", (GOSPRL, GOAL, GOAL.replace(">= 0", ">= 0 or plan.goal[s] == 1"))),
    mutant("M6", "one goal in place of all unmet states", "G1 G6", (GOSPRL, GOAL, GOAL.replace(">= 0", ">= 0 and counts.owed[:s].sum() == -s"))),
    mutant("M7", "sampling steps are not counted", "G1", (GOSPRL, COUNT, COUNT_TRAVEL)),
    mutant("M8", "a tenth of the radii", "G7", (PLANNING, RADIUS, RADIUS.replace("return", "return 0.1 *")), (INTERVALS, ENDS, ENDS + TENTH)),
    mutant("M9", "no latch: a plan is stale only while its goals are not the present ones", "G17", (GOSPRL, LATCH, UNLATCHED)),
    mutant("M10", "extended value iteration starts from a large constant", "G5 G6", (OPTIMISTIC, START, START + LARGE)),
    mutant("M11", "a plan is returned after one sweep", "G9", (OPTIMISTIC, "        if growth <= precision:\n", "        if growth < math.inf:\n")),
    mutant("M12", "a tenth of the Bernstein widths alone", "G3 G7", (INTERVALS, ENDS, ENDS + TENTH)),
]
