"""Mutants: broken copies of an algorithm that named checks must reject.

A check is a function of a world (``name -> module``) that raises AssertionError when its claim fails.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from theoryrl.testing.world import Patch, world

Check = Callable[[Any], None]


@dataclasses.dataclass(frozen=True)
class Mutant:
    """A patch of the package, and the checks that must each reject it.

    Parameters
    ----------
    paper, id, description : str
    patches : tuple of (module, old, new)
        As for `theoryrl.testing.world.world`.
    killers : tuple of str
        Ids of the checks that must fail on the patched world.
    compiled : bool
        Whether the patched world is compiled (for long runs).
    """

    paper: str
    id: str
    description: str
    patches: tuple[Patch, ...]
    killers: tuple[str, ...]
    compiled: bool = False


@dataclasses.dataclass(frozen=True)
class Kills:
    """The checks that rejected a mutant, and the largest number of seeds that one of them took (0: no seed involved)."""

    mutant: Mutant
    killed_by: tuple[str, ...]
    seeds: int

    @property
    def survived(self) -> tuple[str, ...]:
        """The expected killers that did not reject it."""
        return tuple(check for check in self.mutant.killers if check not in self.killed_by)


def hunt(mutant: Mutant, checks: Mapping[str, Check]) -> Kills:
    """Run the checks that `mutant` names on its world.

    Raises
    ------
    KeyError
        If a killer is not among `checks`.
    ValueError
        If a patch is stale.
    """
    patched = world(mutant.patches, mutant.compiled)
    killed, seeds = [], 0
    for name in mutant.killers:
        try:
            checks[name](patched)
        except AssertionError as error:
            killed.append(name)
            seeds = max(seeds, getattr(error, "seeds", 0))
    return Kills(mutant, tuple(killed), seeds)


def each_seed(seeds: Iterable[int], check: Callable[[int], None]) -> None:
    """Run `check` on each seed; a failure remembers how many seeds it took."""
    for count, seed in enumerate(seeds, 1):
        try:
            check(seed)
        except AssertionError as error:
            error.seeds = count  # type: ignore[attr-defined]
            raise
