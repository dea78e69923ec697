"""Where Numba caches; run as a script it prints that folder (the Makefile asks)."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def numba_cache() -> Path:
    """Return a folder keyed by all sources: Numba's disk cache would serve a kernel whose callee changed in another file."""
    digest = hashlib.sha256()
    for package in ("envs_synthetic", "theoryrl"):
        for path in sorted((ROOT / package).rglob("*.py")):
            digest.update(f"{path.relative_to(ROOT)}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return ROOT / ".numba_cache" / digest.hexdigest()[:16]


if __name__ == "__main__":
    print(numba_cache())
else:
    os.environ.setdefault("NUMBA_CACHE_DIR", str(numba_cache()))  # before numba is imported; workers and subprocesses inherit it

    import hypothesis

    # The first call of a kernel compiles it: no deadline.  The same draws every time: a failure is the change's.
    hypothesis.settings.register_profile("theoryrl", deadline=None, derandomize=True)
    hypothesis.settings.load_profile("theoryrl")
