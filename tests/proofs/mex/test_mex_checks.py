"""T1 to T28 on the package itself, and what the spec calls them."""

from __future__ import annotations

import mex_finite_checks as finite
import mex_game_checks as games
import mex_math_checks as lemmas
import mex_oracles as own
import mex_tabular_checks as tabular
import pytest

from theoryrl.testing.world import original, world

pytestmark = pytest.mark.regret


@pytest.fixture(autouse=True)
def session_seed(regret_seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "FIRST_SEED", regret_seed)


def test_T1_loss_from_samples() -> None:
    """T1."""
    finite.check_T1(original)


def test_T2_theorem_A() -> None:
    """T2."""
    tabular.check_T2(original)


def test_T3_theorem_B() -> None:
    """T3."""
    tabular.check_T3(original)


def test_T4_local_search_is_certified() -> None:
    """T4."""
    tabular.check_T4(original)


def test_T5_local_search_is_monotone() -> None:
    """T5."""
    tabular.check_T5(original)


def test_T6_hellinger_affinity() -> None:
    """T6."""
    lemmas.check_T6(original)


def test_T7_exponential_moments() -> None:
    """T7."""
    lemmas.check_T7(original)


def test_T8_pigeonhole() -> None:
    """T8."""
    lemmas.check_T8(original)


def test_T9_gec_of_tabular_problems() -> None:
    """T9."""
    lemmas.check_T9(original)


def test_T10_brute_force_gec() -> None:
    """T10."""
    finite.check_T10(original)


def test_T11_in_sample_lemma() -> None:
    """T11."""
    finite.check_T11(original)


def test_T12_likelihood_martingale() -> None:
    """T12."""
    lemmas.check_T12(original)


def test_T13_mixture_radius() -> None:
    """T13."""
    lemmas.check_T13(original)


def test_T14_feel_good() -> None:
    """T14."""
    finite.check_T14(original)
    tabular.tabular_feel_good(original)


def test_T15_loss_of_the_truth() -> None:
    """T15."""
    finite.check_T15(original)


def test_T16_regret_bound() -> None:
    """T16."""
    finite.check_T16(original)


def test_T16_unknown_horizon() -> None:
    """T16."""
    finite.check_doubling(original)


def test_T17_growth() -> None:
    """T17."""
    tabular.check_T17(original)


def test_T18_matrix_games_and_nash() -> None:
    """T18."""
    games.check_T18(original)


def test_T19_decomposition() -> None:
    """T19."""
    games.check_T19(original)


def test_T20_linear_class() -> None:
    """T20."""
    tabular.check_T20(original)


def test_T21_model_based_bound() -> None:
    """T21."""
    tabular.check_T21(original)


def test_T22_losses_of_the_learner() -> None:
    """T22."""
    finite.check_T22(original)


def test_T22_losses_of_the_exploiter() -> None:
    """T22, for games."""
    games.check_T22(original)


def test_T23_feel_good_of_the_exploiter() -> None:
    """T23."""
    games.check_T23(original)


def test_T24_lines_of_finite_classes() -> None:
    """T24."""
    finite.check_T24(original)


def test_T24_lines_of_the_tabular_class() -> None:
    """T24."""
    tabular.check_T24(original)


def test_T24_lines_of_games() -> None:
    """T24."""
    games.check_T24(original)


def test_T25_cellwise_and_vtype_gec() -> None:
    """T25."""
    finite.check_T25(original)


def test_T26_whole_table_programs() -> None:
    """T26."""
    tabular.check_T26(original)


def test_T27_maximal_inequalities() -> None:
    """T27."""
    lemmas.check_T27(original)


def test_T28_probe_policies() -> None:
    """T28."""
    tabular.check_T28(original)


def test_T14_T15_T22_interpreted() -> None:
    """T14, T15, T22: the uncompiled twin, in which some mutants live."""
    twin = world()
    finite.check_T14(twin)
    finite.check_T15(twin)
    games.check_T22(twin)
    games.check_T23(twin)
