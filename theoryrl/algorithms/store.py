"""One run, one file: arrays and plain values in a zip archive of ``.npy`` members, written atomically, read without pickle."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib
import json
import os
import platform
import secrets
import zipfile
from pathlib import Path
from typing import Any

import numba
import numpy as np

import theoryrl

FORMAT = 1
"""Raised when files of before can no longer be read."""


def versions() -> dict[str, str]:
    """Return the versions that decide the bits of a run."""
    return {"theoryrl": theoryrl.__version__, "numpy": np.__version__, "numba": numba.__version__, "python": platform.python_version()}


def writable(name: str, file: str | os.PathLike[str]) -> Path:
    """Return `file` as a path whose folder exists, or raise a ValueError that names the argument."""
    path = Path(file)
    if not path.parent.is_dir():
        raise ValueError(f"{name}: the folder {str(path.parent)!r} does not exist")
    return path


def save(file: str | os.PathLike[str], value: Any) -> None:
    """Write `value` (plain values, arrays, generators, frozen dataclasses, and dicts and tuples of them) to `file`."""
    path = writable("file", file)
    arrays: dict[str, np.ndarray] = {}
    text = json.dumps(_encode(value, "run", arrays))
    with atomic(path) as temporary, open(temporary, "wb") as handle:
        np.savez(handle, **{"json": np.frombuffer(text.encode(), dtype=np.uint8)}, **arrays)  # type: ignore[arg-type]
        handle.flush()
        os.fsync(handle.fileno())


def digest(value: Any) -> str:
    """Return a digest (64 hexadecimal digits) of what `save` would write of `value`: equal content, equal digest.

    Raises
    ------
    TypeError
        If `value` cannot be saved, with the place of what cannot.
    """
    arrays: dict[str, np.ndarray] = {}
    found = hashlib.sha256(json.dumps(_encode(value, type(value).__name__, arrays), sort_keys=True).encode())
    for path, array in arrays.items():
        found.update(f"\n{path} {array.dtype.str} {array.shape}\n".encode() + np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def load(file: str | os.PathLike[str]) -> Any:
    """Read what `save` wrote."""
    try:
        with open(file, "rb") as handle, np.load(handle, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
        return _decode(json.loads(arrays.pop("json").tobytes()), arrays)
    except FileNotFoundError:
        raise
    except (zipfile.BadZipFile, ValueError, TypeError, KeyError, EOFError, OSError, AttributeError, ImportError) as error:
        raise ValueError(f"file: {os.fspath(file)} is cut short, damaged, or not a saved run ({error})") from error


@contextlib.contextmanager
def atomic(path: Path) -> Any:
    """Give a temporary path beside `path` that replaces it on success and vanishes on failure."""
    temporary = path.parent / f".{path.name}.{secrets.token_hex(8)}"
    temporary.open("xb").close()  # with the permissions that the user's other files have
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _encode(value: Any, path: str, arrays: dict[str, np.ndarray]) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.ndarray):
        arrays[path] = value
        return {"array": path}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.random.Generator):
        return {"generator": value.bit_generator.state}
    if isinstance(value, (list, tuple)):
        return {"tuple": [_encode(item, f"{path}/{i}", arrays) for i, item in enumerate(value)]}
    if isinstance(value, dict):
        return {"dict": {key: _encode(item, f"{path}/{key}", arrays) for key, item in value.items()}}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: _encode(getattr(value, f.name), f"{path}/{f.name}", arrays) for f in dataclasses.fields(value) if f.init}
        return {"class": [type(value).__module__, type(value).__qualname__], "fields": fields}
    raise TypeError(f"{path}: a {type(value).__name__} cannot be saved; a run is saved only if its problem and algorithm are made of arrays and plain values")


def _decode(code: Any, arrays: dict[str, np.ndarray]) -> Any:
    if not isinstance(code, dict):
        return code
    if "array" in code:
        return arrays[code["array"]]
    if "generator" in code:
        bits = getattr(np.random, code["generator"]["bit_generator"])()
        bits.state = code["generator"]
        return np.random.Generator(bits)
    if "tuple" in code:
        return tuple(_decode(item, arrays) for item in code["tuple"])
    if "dict" in code:
        return {key: _decode(item, arrays) for key, item in code["dict"].items()}
    module, name = code["class"]
    kind: Any = importlib.import_module(module)
    for part in name.split("."):
        kind = getattr(kind, part)
    if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
        raise ValueError(f"{module}.{name} is not a dataclass")
    return kind(**{key: _decode(item, arrays) for key, item in code["fields"].items()})
