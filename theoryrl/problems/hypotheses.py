"""Hypothesis classes: finite lists of models, and stagewise lists of value functions, for MDPs and for two-player games."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from theoryrl import validate
from theoryrl.problems.problem import Content


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ModelClass(Content):
    """A finite class of transition models; rewards are known.

    Parameters
    ----------
    models : (M, H, S, A, S) array, or (M, H, S, A, B, S) for games
        Transition laws of M hypotheses; rows sum to one.

    Raises
    ------
    ValueError, TypeError
        If a row does not sum to one, or a shape is wrong.
    """

    models: np.ndarray

    def __post_init__(self) -> None:
        models = validate.distributions("models", self.models, (None,) * (6 if validate.dimensions("models", self.models) == 6 else 5))
        validate.check_shape("models", models, (*models.shape[:-1], models.shape[2]))
        object.__setattr__(self, "models", models)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape (H, S, A) or (H, S, A, B) of the problems that the class is about."""
        return self.models.shape[1:-1]

    def __len__(self) -> int:
        """Return the number of hypotheses."""
        return len(self.models)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ValueClass(Content):
    """A product class of action-value functions f = (f_1, ..., f_H): any table of the list of stage h may follow any of stage h - 1.

    Parameters
    ----------
    tables : sequence of H arrays, (M_h, S, A) or (M_h, S, A, B) for games
        The lists of the stages; entries at least 0.

    Raises
    ------
    ValueError, TypeError
        If a shape is wrong, or an entry is negative or not finite.
    """

    tables: Sequence[np.ndarray]

    def __post_init__(self) -> None:
        if not isinstance(self.tables, (list, tuple)) or not self.tables:
            empty = " without entries" if isinstance(self.tables, (list, tuple)) else ""
            raise TypeError(f"tables: expected one array a stage, got a {type(self.tables).__name__}{empty}")
        inner: tuple[int | None, ...] = (None,) * (3 if validate.dimensions("tables[0]", self.tables[0]) == 4 else 2)
        checked: list[Any] = []
        for h, table in enumerate(self.tables):
            checked.append(validate.real_array(f"tables[{h}]", table, (None, *inner), low=0))
            inner = checked[0].shape[1:]
        object.__setattr__(self, "tables", tuple(checked))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape (H, S, A) or (H, S, A, B) of the problems that the class is about."""
        return (len(self.tables), *self.tables[0].shape[1:])

    @property
    def sizes(self) -> tuple[int, ...]:
        """The numbers of tables of the stages."""
        return tuple(len(table) for table in self.tables)


Hypotheses = ModelClass | ValueClass
