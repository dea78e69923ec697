"""Every error names the argument, what was expected and what came."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from theoryrl import validate
from theoryrl.testing.world import world


def test_arrays_are_converted_and_frozen_copies() -> None:
    given_ = np.arange(6).reshape(2, 3)
    array = validate.real_array("a", given_[:, ::-1], (2, None))
    assert array.dtype == np.float64 and array.flags.c_contiguous and not array.flags.writeable
    np.testing.assert_array_equal(array, given_[:, ::-1])
    given_[0, 0] = 99
    assert array[0, 2] == 0, "a later change of the caller's array must not reach a problem"
    floats = np.zeros(2)
    validate.real_array("a", floats, (2,))
    floats[0] = 1  # the caller's own array stays writable


@given(hnp.arrays(np.float64, hnp.array_shapes(), elements=st.floats(-10, 10)))
def test_what_is_inside_passes_unchanged(array: np.ndarray) -> None:
    np.testing.assert_array_equal(validate.real_array("a", array, array.shape, -10, 10), array)


@pytest.mark.parametrize(
    ("value", "shape", "error", "message"),
    [
        ([[0.5, math.nan]], (1, 2), ValueError, r"q\[0, 1\]: expected \[0, 1\], got nan"),
        ([[0.5, math.inf]], (1, 2), ValueError, r"q\[0, 1\]: expected \[0, 1\], got inf"),
        ([0.5, 1.5, 2.5], (3,), ValueError, r"q\[1\]: expected \[0, 1\], got 1.5"),
        (2.0, (), ValueError, r"q: expected \[0, 1\], got 2.0"),
        ([0.5], (2,), ValueError, r"q: expected shape \(2,\), got \(1,\)"),
        ([0.5], (None, 3), ValueError, r"q: expected shape \(any, 3\), got \(1,\)"),
        ([], (None,), ValueError, r"q: expected shape \(any,\), got \(0,\)"),
        ("abc", (None,), TypeError, r"q: expected an array of real numbers, got str 'abc'"),
        ([1j], (1,), TypeError, r"q: expected an array of real numbers, got list \[1j\]"),
        ([[1], [1, 2]], (2, None), TypeError, r"q: expected an array of real numbers, got list"),
        ([None], (1,), ValueError, r"q\[0\]: expected \[0, 1\], got nan"),
        (["a" * 100], (1,), TypeError, r"got list .{57}\.\.\.$"),
    ],
)
def test_bad_arrays_are_named(value: Any, shape: tuple[int | None, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        validate.real_array("q", value, shape, 0, 1)


def test_an_uncompiled_world_keeps_exact_numbers() -> None:
    thirds = np.array([Fraction(1, 3), Fraction(2, 3)], dtype=object)
    exact = world()("theoryrl.validate").distributions("p", thirds, (2,))
    assert exact.dtype == object and exact[0] == Fraction(1, 3)
    assert validate.real_array("p", thirds, (2,)).dtype == np.float64


def test_distributions_sum_to_one_within_round_off() -> None:
    validate.distributions("p", [[0.1] * 10], (1, 10))
    validate.distributions("p", [0.5, 0.5 + 1e-12], (2,))
    with pytest.raises(ValueError, match=r"p\[1\]: expected a row that sums to one, got a sum of 0.9"):
        validate.distributions("p", [[1, 0], [0.4, 0.5]], (2, 2))
    with pytest.raises(ValueError, match=r"p: expected a row that sums to one, got a sum of"):
        validate.distributions("p", [0.5, 0.5 + 1e-11], (2,))
    with pytest.raises(ValueError, match=r"p\[0, 0\]: expected \[0, inf\], got -0.5"):
        validate.distributions("p", [[-0.5, 1.5]], (1, 2))


def test_integers() -> None:
    for value in (5, 5.0, np.int32(5), np.float64(5)):
        got = validate.integer("n", value, 1, 5)
        assert got == 5 and type(got) is int
    assert validate.integer("n", -(10**30)) == -(10**30)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (0, ValueError, r"n: expected an integer in \[1, 9\], got 0"),
        (10, ValueError, r"n: expected an integer in \[1, 9\], got 10"),
        (2.5, ValueError, "n: expected an integer, got 2.5"),
        (math.inf, ValueError, "n: expected an integer, got inf"),
        (math.nan, ValueError, "n: expected an integer, got nan"),
        (True, TypeError, "n: expected an integer, got bool True"),
        ("3", TypeError, "n: expected an integer, got str '3'"),
        (None, TypeError, "n: expected an integer, got NoneType None"),
    ],
)
def test_bad_integers_are_named(value: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        validate.integer("n", value, 1, 9)


def test_integers_without_an_upper_end_say_inf() -> None:
    with pytest.raises(ValueError, match=r"n: expected an integer in \[1, inf\], got 0"):
        validate.integer("n", 0, 1)


def test_integer_arrays() -> None:
    array = validate.integer_array("s", [0.0, 2.0], (2,), 0, 2)
    assert array.dtype == np.int64 and not array.flags.writeable and list(array) == [0, 2]
    with pytest.raises(ValueError, match=r"s\[1\]: expected an integer, got 0.5"):
        validate.integer_array("s", [0, 0.5], (2,), 0, 2)
    with pytest.raises(ValueError, match=r"s\[0\]: expected \[0, 2\], got 3"):
        validate.integer_array("s", [3, 0], (2,), 0, 2)


@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, math.nan])
def test_open_ends_exclude_their_ends(value: float) -> None:
    with pytest.raises(ValueError, match=r"delta: expected a number in \(0, 1\), got"):
        validate.real("delta", value, 0, 1, open_ends=True)


def test_real_numbers() -> None:
    assert validate.real("x", 1, 0, 1) == 1.0 and type(validate.real("x", np.float32(0.5))) is float
    with pytest.raises(ValueError, match=r"x: expected a number in \[-inf, inf\], got inf"):
        validate.real("x", math.inf)
    for value in (True, "1", None, [1]):
        with pytest.raises(TypeError, match="x: expected a real number, got"):
            validate.real("x", value)


def test_choices() -> None:
    assert validate.one_of("variant", "a", ("a", "b")) == "a"
    for value in ("c", None, ["a"]):
        with pytest.raises(ValueError, match="variant: expected one of 'a', 'b', got"):
            validate.one_of("variant", value, ("a", "b"))
