"""Second copies of the package: patched (mutants), uncompiled (exact arithmetic, naive version), or both.

A world executes every module of ``theoryrl`` and ``envs_synthetic`` anew, from patched sources, under an import of its own
that hands out the world's modules.  ``sys.modules`` is never touched, so worlds and the original live side by side.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import linecache
import sys
import threading
import types
from collections.abc import Iterable
from typing import Any

import numpy as np

from theoryrl import jit

PACKAGES = ("theoryrl", "envs_synthetic")
Patch = tuple[str, str, str]


class World:
    """One copy of the package; ``world("theoryrl.algorithms")`` is its module of that name.

    Do not make a world directly: call `world`, or `original` for the package itself.
    """

    def __init__(self, patches: Iterable[Patch], compiled: bool) -> None:
        self._patches = tuple(patches)
        self._compiled = compiled
        self._modules: dict[str, types.ModuleType] = {}
        self._lock = threading.RLock()
        for module, old, _ in self._patches:
            found = _source(module)[0].count(old)
            if found != 1:
                raise ValueError(f"patch of {module}: the old text must match exactly once, it matches {found} times: {old!r}")

    def __call__(self, name: str) -> Any:
        """Return the world's module `name`."""
        with self._lock:
            return self._modules.get(name) or self._load(name)

    def _load(self, name: str) -> types.ModuleType:
        importlib.import_module(name)  # dataclasses look the module up by name; an import error is the original's, too
        parent, _, child = name.rpartition(".")
        if parent:
            self(parent)
            if name in self._modules:
                return self._modules[name]
        source, path, is_package = _source(name)
        for module, old, new in self._patches:
            if module == name:
                source = source.replace(old, new)
        filename = f"<world {id(self):x}>/{name}"
        linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
        module_ = types.ModuleType(name)
        module_.__dict__.update(__file__=path, __package__=name if is_package else parent, __builtins__=vars(builtins) | {"__import__": self._import})
        if is_package:
            module_.__path__ = []
        self._modules[name] = module_
        try:
            exec(compile(source, filename, "exec"), module_.__dict__)
        except BaseException:
            del self._modules[name]
            raise
        if name == "theoryrl.jit":
            module_.__dict__.update(COMPILED=self._compiled, CACHED=False, records=jit.records)
        if self._compiled:
            _share_unchanged_kernels(module_)
        if parent:
            setattr(self._modules[parent], child, module_)
        return module_

    def _import(self, name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        if level:
            package = globals["__package__"].rsplit(".", level - 1)[0] if level > 1 else globals["__package__"]
            name = f"{package}.{name}" if name else package
        if name.partition(".")[0] not in PACKAGES:
            return builtins.__import__(name, globals, locals, fromlist, 0)
        module = self(name)
        for item in fromlist or ():
            if not hasattr(module, item) and importlib.util.find_spec(f"{name}.{item}"):
                self(f"{name}.{item}")
        return module if fromlist else self(name.partition(".")[0])


def world(patches: Iterable[Patch] = (), compiled: bool = False) -> World:
    """Load a second copy of the package.

    Parameters
    ----------
    patches : iterable of (module, old, new)
        Source texts to replace; `old` must match exactly once in the source of `module`.
    compiled : bool
        Whether kernels are compiled, never with Numba's disk cache.  A kernel that no patch reaches, neither itself nor
        through a function or constant that it uses, is the original's, so that a mutant compiles only what it changes.

    Returns
    -------
    World
        A callable: ``world("theoryrl.planning")`` is the copy of that module.  Runs in this process and its threads only.

    Raises
    ------
    ValueError
        If a patch does not match exactly once.
    """
    return World(patches, compiled)


def original(name: str) -> Any:
    """Return the module `name` of the package itself: the world in which nothing is changed."""
    return importlib.import_module(name)


def _source(name: str) -> tuple[str, str, bool]:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ValueError(f"patch of {name}: there is no such module")
    with open(spec.origin, encoding="utf-8") as file:
        return file.read(), spec.origin, spec.submodule_search_locations is not None


def _share_unchanged_kernels(module: types.ModuleType) -> None:
    """Put the original's compiled kernels in the place of those of a world's module that do the same.

    This waits until the module is complete, because a kernel may use what is defined further down.
    """
    for name, ours in list(vars(module).items()):
        twin = getattr(sys.modules[module.__name__], name, None)
        if hasattr(ours, "py_func") and hasattr(twin, "py_func") and ours is not twin and _meaning(ours) == _meaning(twin):
            setattr(module, name, twin)


def _meaning(value: Any, names: tuple[str, ...] = (), above: tuple[Any, ...] = ()) -> Any:
    """What a kernel, or a value that a kernel reads, computes: a nested tuple without addresses.

    `names` are those that the reader uses, which may be attributes of a module; `above` are the functions around it.
    """
    function = getattr(value, "py_func", None)
    if function in above:
        return "recursion"
    if function is not None:
        used = _names(function.__code__)
        read = tuple((name, _meaning(function.__globals__.get(name), used, (*above, function))) for name in used)
        return repr(value.targetoptions), function.__defaults__, _code(function.__code__, function.__doc__), read
    if isinstance(value, types.ModuleType):
        ours = names if value.__name__.partition(".")[0] in PACKAGES else ()
        return value.__name__, tuple(_meaning(getattr(value, name), names, above) for name in ours if hasattr(value, name))
    if isinstance(value, types.FunctionType):
        return value.__qualname__  # plain Python, which a kernel cannot call
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    return repr(value)


def _code(code: types.CodeType, doc: str | None) -> Any:
    constants = tuple(_code(c, None) if isinstance(c, types.CodeType) else repr(c) for c in code.co_consts if doc is None or c != doc)
    return code.co_code, constants, code.co_names, code.co_varnames, code.co_freevars


def _names(code: types.CodeType) -> tuple[str, ...]:
    return code.co_names + tuple(name for c in code.co_consts if isinstance(c, types.CodeType) for name in _names(c))
