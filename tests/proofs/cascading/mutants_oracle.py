"""Mutants of the list oracles: (id, what is broken, patches, the checks of `oracle_checks` that must fail)."""

from __future__ import annotations

MODULE = "theoryrl.planning.best_perm"

Mutant = tuple[str, str, tuple[tuple[str, str, str], ...], tuple[str, ...]]

# The value of the list that was chosen, so that only the choice is wrong.
BY_ITS_LIST = (MODULE, "    return no_click + total, length", "    return list_value(out, length, u, w, no_click), length")

MUTANTS: list[Mutant] = [
    (
        "M3",
        "the dynamic program sorts by u w",
        ((MODULE, "keys = work[2, :n]", "keys = work[1, :n] * work[2, :n]"),),
        ("T1",),
    ),
    (
        "M4",
        "greedy takes the top m by w",
        ((MODULE, "    return u * d", "    return d"),),
        ("T1",),
    ),
    (
        "M5",
        "greedy takes the top m by u w",
        ((MODULE, "    return d - gain if w > w_k else keep * d", "    return d"), BY_ITS_LIST),
        ("T1",),
    ),
    (
        "M6",
        "no threshold at w_perp",
        ((MODULE, "n += w[a] > no_click", "n += 1"),),
        ("T1",),
    ),
    (
        "M8",
        "the fallback for J = 0 is at the upper ends",
        ((MODULE, "best_short(lower, w, no_click, min_length, out)", "best_short(upper, w, no_click, min_length, out)"),),
        ("T6",),
    ),
    (
        "M11",
        "the pessimistic value takes the lower end of every item",
        ((MODULE, "if at_lower <= at_upper:", "if True:"),),
        ("T21",),
    ),
]
