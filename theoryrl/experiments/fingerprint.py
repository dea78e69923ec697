"""The version of the code that decides a run's bits: the sources of its algorithm and problem and of all of theoryrl that they import."""

from __future__ import annotations

import ast
import dataclasses
import functools
import hashlib
import importlib
import importlib.util
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numba
import numpy as np

from theoryrl.algorithms import store

FLOORS = ("jit", "validate", "planning", "problems", "estimation", "complexity", "algorithms")
"""What an algorithm may rest on; imports of higher floors are doors upward, which change no bits."""


def code_version(*things: Any) -> str:
    """Return a digest (64 hexadecimal digits) of all sources that algorithms and problems rest on, the store format, and minor versions of numpy and numba.

    Covered are the modules that define their classes, and those of the dataclasses in their fields, and every module of
    theoryrl, up to the floor of algorithms, that these import, directly or not.

    Raises
    ------
    ValueError
        If the source of a class cannot be read (it was typed at a prompt).
    """
    classes = sorted({kind for thing in things for kind in _classes(thing)}, key=lambda kind: (kind.__module__, kind.__qualname__))
    modules = tuple(sorted({kind.__module__ for made in classes for kind in made.__mro__} - sys.stdlib_module_names))
    digest = hashlib.sha256(f"format {store.FORMAT}, numpy {_minor(np.__version__)}, numba {_minor(numba.__version__)}\n".encode())
    for name in sorted(_closure(modules)):
        digest.update(f"{name}\n".encode() + _source(name))
    for made in classes:
        if _file(made.__module__) is None:
            try:
                digest.update(inspect.getsource(made).encode())
            except (OSError, TypeError):
                raise ValueError(f"{made.__qualname__}: its source cannot be read, so that its runs cannot be told from those of another version") from None
    return digest.hexdigest()


def _classes(thing: Any) -> Iterator[type]:
    """Yield the class of a dataclass instance, and those of the ones in its fields."""
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        yield type(thing)
        for field in dataclasses.fields(thing):
            yield from _classes(getattr(thing, field.name, None))
    elif isinstance(thing, (tuple, list)):
        for item in thing:
            yield from _classes(item)


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


@functools.cache
def _closure(modules: tuple[str, ...]) -> frozenset[str]:
    found: set[str] = set()
    ahead = list(modules)
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead += _imported(name)
    return frozenset(found)


@functools.cache
def _imported(name: str) -> tuple[str, ...]:
    """Return the modules of theoryrl's lower floors that a module names in its imports."""
    package = name if (_file(name) or Path()).name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(_source(name))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if _lower(alias.name)}
        elif isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package) if node.level else node.module or ""
            found |= {home for alias in node.names for home in _homes(base, alias.name)}
    return tuple(sorted(found))


def _homes(base: str, name: str) -> Iterator[str]:
    """Yield the module that ``from base import name`` needs: the one of that name, or where `base` has it from."""
    if not _lower(base) and base != "theoryrl":
        return
    if _file(f"{base}.{name}") is not None:
        home = f"{base}.{name}"
    else:
        home = getattr(getattr(importlib.import_module(base), name, None), "__module__", None) or base
        home = home if _lower(home) else base
    if _lower(home):
        yield home


def _lower(name: str) -> bool:
    parts = name.split(".")
    return parts[0] == "theoryrl" and len(parts) > 1 and parts[1] in FLOORS


@functools.cache
def _file(name: str) -> Path | None:
    """Return the source file of a module, or None if there is no such module or it has none."""
    if name == "__main__":
        file = getattr(sys.modules[name], "__file__", None)
        return Path(file) if file and Path(file).suffix == ".py" else None
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, AttributeError, ValueError):
        return None
    return Path(spec.origin) if spec is not None and spec.origin is not None and spec.origin.endswith(".py") else None


@functools.cache
def _source(name: str) -> bytes:
    file = _file(name)
    return b"" if file is None else file.read_bytes()


def checkout(folder: Path) -> tuple[str | None, bool]:
    """Return Git's HEAD, and whether tracked files have changed since; None outside a repository."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None, False
    head = done.stdout.strip()
    return head.removesuffix("-dirty"), head.endswith("-dirty")
