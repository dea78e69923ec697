"""M1 to M12: each mutant is rejected by every check that the spec names for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import baseline_math_checks
import baseline_run_checks
import pytest
import ucrl2_checks
from baseline_mutants import MUTANTS

from theoryrl.testing.mutants import Mutant

CHECKS: dict[str, Callable[[Any], None]] = {
    name.removeprefix("check_"): check
    for module in (baseline_math_checks, baseline_run_checks, ucrl2_checks)
    for name, check in vars(module).items()
    if name.startswith("check_T")
}


@pytest.mark.regret
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.id)
def test_mutant_is_killed(mutant: Mutant, hunted: Callable[..., Any]) -> None:
    hunted(mutant, CHECKS)
