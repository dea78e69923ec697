"""M1 to M12: each mutant is rejected by every check that the spec names for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gosprl_planning_checks
import gosprl_run_checks
import pairing_checks
import pytest
from gosprl_mutants import MUTANTS

from theoryrl.testing.mutants import Mutant

CHECKS: dict[str, Callable[[Any], None]] = {
    name.removeprefix("check_"): check
    for module in (gosprl_planning_checks, gosprl_run_checks, pairing_checks)
    for name, check in vars(module).items()
    if name.startswith("check_")
}


@pytest.mark.regret
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.id)
def test_mutant_is_killed(mutant: Mutant, hunted: Callable[..., Any]) -> None:
    hunted(mutant, CHECKS)
