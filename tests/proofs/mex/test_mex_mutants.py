"""m1 to m10: each mutant is rejected by every check that the spec names for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from mex_checks import CHECKS
from mex_mutants import MUTANTS

from theoryrl.testing.mutants import Mutant


@pytest.mark.regret
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.id)
def test_mutant_is_killed(mutant: Mutant, hunted: Callable[..., Any]) -> None:
    hunted(mutant, CHECKS)
