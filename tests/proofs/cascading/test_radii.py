"""T9 on the package itself."""

from __future__ import annotations

import pytest
from radius_checks import check_T9

from theoryrl.testing.world import original

pytestmark = pytest.mark.regret


def test_T9_the_kl_ball_lies_inside_bernsteins_interval() -> None:
    check_T9(original)
