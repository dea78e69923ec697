"""Every check of MEX under its id: where several modules check one statement, all of them do."""

from __future__ import annotations

import mex_finite_checks
import mex_game_checks
import mex_math_checks
import mex_tabular_checks
from mex_oracles import World

from theoryrl.testing.mutants import Check

PARTS: dict[str, list[Check]] = {}
for module in (mex_math_checks, mex_finite_checks, mex_tabular_checks, mex_game_checks):
    for name, check in vars(module).items():
        if name.startswith("check_T"):
            PARTS.setdefault(name.removeprefix("check_"), []).append(check)


def every(parts: list[Check]) -> Check:
    def check(world: World) -> None:
        for part in parts:
            part(world)

    return check


CHECKS: dict[str, Check] = {name: every(parts) for name, parts in PARTS.items()}
