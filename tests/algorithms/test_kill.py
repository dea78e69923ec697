"""A run that is killed, however often, goes on from its file with the bits of an uninterrupted one."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from envs_synthetic.cascading import hidden_gem
from theoryrl.algorithms import CascadingVI, Run

pytestmark = pytest.mark.fault

N = 3_000_000
SCRIPT = f"""
import sys
from pathlib import Path
from theoryrl.algorithms import CascadingVI, Run
from envs_synthetic.cascading import hidden_gem
file = Path(sys.argv[1])
print("started", flush=True)
if file.exists():
    Run.load(file).proceed(file=file)
else:
    CascadingVI().run(hidden_gem(), {N}, seed=3, file=file)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["SIGKILL", "SIGINT"])
def test_killed_runs_go_on(how: signal.Signals, tmp_path: Path) -> None:
    file, delays = tmp_path / "a.run", random.Random(0)
    for _ in range(4):
        process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(file)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert process.stdout is not None and process.stdout.readline() == b"started\n"
        time.sleep(delays.uniform(0.1, 1.2))
        os.kill(process.pid, how)
        process.wait()
        process.stdout.close()
        if file.exists():
            Run.load(file)  # never half-written
    cut = Run.load(file) if file.exists() else CascadingVI().run(hidden_gem(), N, seed=3, file=file)
    finished = cut.proceed(file=file)
    whole = CascadingVI().run(hidden_gem(), N, seed=3)
    assert np.array_equal(finished.regret, whole.regret) and np.array_equal(finished.checkpoints, whole.checkpoints)
    assert finished.state["rng"].bit_generator.state == whole.state["rng"].bit_generator.state
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == ["a.run"]
