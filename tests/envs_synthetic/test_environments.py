"""The ids under which Gymnasium makes the instances."""

from __future__ import annotations

import inspect
import pkgutil
import subprocess
import sys
import warnings
from importlib import import_module
from pathlib import Path

import pytest

import envs_synthetic
from envs_synthetic.baselines import river_swim
from envs_synthetic.environments import IDS, register

gymnasium = pytest.importorskip("gymnasium", reason="needs gymnasium: pip install 'theoryrl[gym]'")
from gymnasium.utils.env_checker import check_env  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.parametrize("name", IDS)
def test_every_id_is_made(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gymnasium.make(f"theoryrl/{name}-v0")
        check_env(env.unwrapped)
        env.reset(seed=0)
        env.step(env.action_space.sample())


def test_every_family_has_an_id() -> None:
    found = set()
    for module in pkgutil.iter_modules(envs_synthetic.__path__):
        for name, value in inspect.getmembers(import_module(f"envs_synthetic.{module.name}"), inspect.isfunction):
            mine = value.__module__ == f"envs_synthetic.{module.name}" and not name.startswith("_")
            if mine and value.__annotations__.get("return") in ("EpisodicMDP", "CascadingMDP", "ContinuingMDP"):
                found.add(f"{module.name}.{name}")
    assert found == {generator for generator, _ in IDS.values()}


def test_arguments_are_the_generators() -> None:
    env = gymnasium.make("theoryrl/RiverSwim-v0", S=8, horizon=30, preset="gosprl")
    assert env.unwrapped.problem == river_swim(8, 30, "gosprl")  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="S: expected an integer in"):
        gymnasium.make("theoryrl/RiverSwim-v0", S=1)
    with pytest.raises(TypeError, match="unexpected keyword argument 'width'"):
        gymnasium.make("theoryrl/RiverSwim-v0", width=8)
    with pytest.raises(ValueError, match="at most 10,000 lists"):
        gymnasium.make("theoryrl/LowClickBandit-v0", n_items=30)


def test_a_continuing_one_can_be_cut() -> None:
    env = gymnasium.make("theoryrl/RiverSwimContinuing-v0", max_episode_steps=3)
    env.reset(seed=0)
    assert [env.step(1)[2:4] for _ in range(3)] == [(False, False), (False, False), (False, True)]


def test_many_at_once() -> None:
    envs = gymnasium.make_vec("theoryrl/RiverSwim-v0", num_envs=3, horizon=4)
    assert envs.reset(seed=0)[0].tolist() == [0, 0, 0]
    for h in range(4):
        _, _, terminated, _, _ = envs.step([1, 1, 1])
        assert terminated.tolist() == [h == 3] * 3


def test_registering_twice_is_silent() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        register()


def test_the_id_may_name_the_module() -> None:
    script = "import gymnasium; print(gymnasium.make('envs_synthetic.environments:theoryrl/TwoState-v0').unwrapped.problem)"
    said = subprocess.run([sys.executable, "-W", "error", "-c", script], cwd=ROOT, check=True, capture_output=True, text=True)
    assert (said.stdout, said.stderr) == ("two_state(horizon=3)\n", "")
