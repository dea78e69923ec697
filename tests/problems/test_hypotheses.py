"""Hypothesis classes: what they accept, what they refuse and how they say so; equality by content, through tuples of arrays."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any

import numpy as np
import pytest

from theoryrl.problems import ModelClass, ValueClass
from theoryrl.problems.problem import Content

MODELS = np.full((3, 2, 2, 2, 2), 0.5)
GAMES = np.full((3, 2, 2, 2, 4, 2), 0.5)
TABLES = (np.ones((3, 2, 2)), np.zeros((1, 2, 2)))


def spoiled(array: np.ndarray, index: tuple[int, ...], value: float) -> np.ndarray:
    changed = np.array(array)
    changed[index] = value
    return changed


@pytest.mark.parametrize(
    ("models", "message"),
    [
        (spoiled(MODELS, (2, 1, 0, 1, 0), 0.6), r"models\[2, 1, 0, 1\]: expected a row that sums to one, got a sum of 1.1"),
        (spoiled(MODELS, (2, 1, 0, 1, 0), np.nan), r"models\[2, 1, 0, 1, 0\]: .*got nan"),
        (spoiled(GAMES, (0, 0, 0, 0, 3, 1), -0.5), r"models\[0, 0, 0, 0, 3, 1\]: .*got -0.5"),
        (np.ones((3, 2, 2, 2, 1)), r"models: expected shape \(3, 2, 2, 2, 2\), got \(3, 2, 2, 2, 1\)"),
        (np.ones((3, 2, 2, 2, 4, 1)), r"models: expected shape \(3, 2, 2, 2, 4, 2\), got \(3, 2, 2, 2, 4, 1\)"),
        (MODELS[0], r"models: expected shape \(any, any, any, any, any\), got \(2, 2, 2, 2\)"),
        (MODELS[:0], r"models: expected shape \(any, any, any, any, any\), got \(0, 2, 2, 2, 2\)"),
    ],
)
def test_bad_models(models: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ModelClass(models)


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ((TABLES[0], spoiled(TABLES[1], (0, 1, 0), -0.1)), r"tables\[1\]\[0, 1, 0\]: expected \[0, inf\], got -0.1"),
        ((spoiled(TABLES[0], (2, 1, 1), np.inf), TABLES[1]), r"tables\[0\]\[2, 1, 1\]: .*got inf"),
        ((spoiled(TABLES[0], (2, 1, 1), np.nan), TABLES[1]), r"tables\[0\]\[2, 1, 1\]: .*got nan"),
        ((TABLES[0], np.zeros((1, 2, 3))), r"tables\[1\]: expected shape \(any, 2, 2\), got \(1, 2, 3\)"),
        ((TABLES[0], TABLES[1][:0]), r"tables\[1\]: expected shape \(any, 2, 2\), got \(0, 2, 2\)"),
        ((TABLES[0][0], TABLES[1]), r"tables\[0\]: expected shape \(any, any, any\), got \(2, 2\)"),
        ((np.ones((3, 2, 2, 2)), TABLES[1]), r"tables\[1\]: expected shape \(any, 2, 2, 2\), got \(1, 2, 2\)"),
    ],
)
def test_bad_tables(tables: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ValueClass(tables)


@pytest.mark.parametrize("tables", [np.ones((2, 3, 2, 2)), np.ones((2, 0)), (), [], {}, None, "best", iter(TABLES)], ids=lambda t: type(t).__name__)
def test_tables_are_a_sequence_of_stages(tables: Any) -> None:
    with pytest.raises(TypeError, match="tables: expected one array a stage, got"):
        ValueClass(tables)


def test_entries_that_are_no_numbers() -> None:
    with pytest.raises(TypeError, match=r"tables\[1\]: expected an array of real numbers, got str 'best'"):
        ValueClass((TABLES[0], "best"))  # type: ignore[arg-type]
    for models in ("all", [[1], [1, 2]]):
        with pytest.raises(TypeError, match="models: expected an array of real numbers"):
            ModelClass(models)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"tables\[0\]: expected an array of real numbers"):
        ValueClass(([[1], [1, 2]],))  # type: ignore[list-item]


def test_shapes_and_sizes() -> None:
    assert ModelClass(MODELS).shape == (2, 2, 2) and len(ModelClass(MODELS)) == 3
    assert ModelClass(GAMES).shape == (2, 2, 2, 4)
    assert ValueClass(TABLES).shape == (2, 2, 2) and ValueClass(list(TABLES)).sizes == (3, 1)
    assert ValueClass((np.zeros((2, 3, 4, 5)),)).shape == (1, 3, 4, 5)
    assert ModelClass(np.ones((1, 1, 1, 1, 1))).shape == (1, 1, 1)


def test_arrays_are_copied_converted_and_read_only() -> None:
    tables = [np.ones((3, 2, 2), int), np.zeros((1, 2, 2))]
    hypotheses = ValueClass(tables)
    tables[0][:] = 7
    tables.pop()
    assert isinstance(hypotheses.tables, tuple) and len(hypotheses.tables) == 2
    assert hypotheses.tables[0].dtype == np.float64 and hypotheses.tables[0].max() == 1
    models = np.array(MODELS)
    frozen = ModelClass(models)
    models[:] = 0
    assert np.array_equal(frozen.models, MODELS)
    for array in (*hypotheses.tables, frozen.models):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        frozen.models = MODELS  # type: ignore[misc]


def test_equality_by_content() -> None:
    assert ModelClass(MODELS) == ModelClass(np.array(MODELS)) != ModelClass(MODELS[:2])
    assert ValueClass(TABLES) == ValueClass([np.array(table) for table in TABLES])
    assert hash(ValueClass(TABLES)) == hash(ValueClass(list(TABLES))) and hash(ModelClass(MODELS)) == hash(ModelClass(np.array(MODELS)))
    for other in ((TABLES[0], spoiled(TABLES[1], (0, 0, 0), 1e-300)), TABLES[:1], (*TABLES, TABLES[1]), (TABLES[1], TABLES[0]), (TABLES[0][:2], TABLES[1])):
        assert ValueClass(TABLES) != ValueClass(other)
    assert ModelClass(MODELS) != ModelClass(spoiled(spoiled(MODELS, (0, 0, 0, 0, 0), 0.25), (0, 0, 0, 0, 1), 0.75))
    assert ModelClass(MODELS) != ValueClass(TABLES) and ValueClass(TABLES) != TABLES
    assert len({ValueClass(TABLES), ValueClass(list(TABLES)), ValueClass(TABLES[:1])}) == 2


def test_equality_looks_into_tuples_of_tuples() -> None:
    @dataclasses.dataclass(frozen=True, eq=False, repr=False)
    class Nested(Content):
        parts: Any

    def nested(last: float) -> Nested:
        return Nested((1, "a", (np.zeros(2), (np.array([1.0, last]), 2.0))))

    assert nested(3) == nested(3) != nested(4)
    assert Nested((1, np.zeros(2))) != Nested((1, 0)) and Nested(()) == Nested(()) != Nested((np.zeros(0),))
    assert repr(nested(3)) == "Nested(parts=(1, 'a', (array(2,), (array(2,), 2.0))))"


def test_repr_and_pickle() -> None:
    for hypotheses in (ModelClass(MODELS), ValueClass(TABLES), ValueClass(TABLES, name="mine()")):
        assert pickle.loads(pickle.dumps(hypotheses)) == hypotheses
    assert repr(ModelClass(MODELS)) == "ModelClass(models=array(3, 2, 2, 2, 2))"
    assert repr(ValueClass(TABLES)) == "ValueClass(tables=(array(3, 2, 2), array(1, 2, 2)))"
    assert repr(ValueClass(TABLES, name="mine()")) == "mine()"
