"""M1 to M18: each mutant is rejected by every check that the spec names for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import groupwise_base_checks
import groupwise_meta_checks
import groupwise_run_checks
import pytest
from groupwise_mutants import MUTANTS

from theoryrl.testing.mutants import Mutant

CHECKS: dict[str, Callable[[Any], Any]] = {
    name.removeprefix("check_").replace("GW", "GW-"): check
    for module in (groupwise_meta_checks, groupwise_base_checks, groupwise_run_checks)
    for name, check in vars(module).items()
    if name.startswith("check_")
}


@pytest.mark.regret
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.id)
def test_mutant_is_killed(mutant: Mutant, hunted: Callable[..., Any]) -> None:
    hunted(mutant, CHECKS)
