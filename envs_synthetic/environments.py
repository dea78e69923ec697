"""The instances as environments of Gymnasium, by id: importing this module registers them.

Either of the following does (Gymnasium from 1.0 on finds no plugins by entry points)::

    import envs_synthetic.environments
    env = gymnasium.make("theoryrl/RiverSwim-v0", S=6, horizon=20)

    env = gymnasium.make("envs_synthetic.environments:theoryrl/RiverSwim-v0", S=6, horizon=20)

Keyword arguments are the generator's.  Where it has no default for one, the default here is ours (`IDS`).
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import gymnasium

IDS: dict[str, tuple[str, dict[str, Any]]] = {
    "RiverSwim": ("baselines.river_swim", {}),
    "RiverSwimContinuing": ("baselines.river_swim_continuing", {}),
    "TwoState": ("baselines.two_state", {}),
    "TwoStateContinuing": ("baselines.two_state_continuing", {}),
    "Cycle": ("baselines.cycle", {}),
    "CycleContinuing": ("baselines.cycle_continuing", {}),
    "MyopicTrap": ("cascading.myopic_trap", {}),
    "HiddenGem": ("cascading.hidden_gem", {}),
    "NoclickTrap": ("cascading.noclick_trap", {}),
    "CascadingBandit": ("cascading.cascading_bandit", {"n_items": 8}),
    "LowClickBandit": ("cascading.low_click_bandit", {}),
    "RandomCascade": ("cascading.random_cascade", {"n_states": 5, "n_items": 6}),
    "Ratings": ("cascading.from_ratings", {}),
    "LoggedClicks": ("cascading.logged_clicks", {}),
    "Lock": ("mex.lock", {}),
    "Treasure": ("mex.treasure", {}),
    "DeepSea": ("mex.deep_sea", {}),
    "RandomMDP": ("mex.random_mdp", {"H": 5, "S": 5, "A": 3}),
    "Garnet": ("mex.garnet", {"H": 10, "S": 10, "A": 3, "branching": 3}),
    "Two": ("gosprl.two", {}),
    "LockChain": ("gosprl.lock_chain", {}),
    "Shortcut": ("gosprl.shortcut", {}),
    "FourRooms": ("gosprl.four_rooms", {}),
    "GarnetContinuing": ("gosprl.garnet_continuing", {"S": 10, "A": 3, "branching": 3}),
    "Ring": ("gosprl.ring", {}),
    "FarGoal": ("gosprl.far_goal", {}),
}
"""For each id "theoryrl/NAME-v0" the generator of its instances, and keyword arguments that it is given by default."""


def create(generator: str, **arguments: Any) -> gymnasium.Env[Any, Any]:
    """Return the environment of the instance that a generator, such as ``"baselines.river_swim"``, makes of `arguments`."""
    from theoryrl.problems.interchange import to_gymnasium

    module, _, function = generator.partition(".")
    return to_gymnasium(getattr(import_module(f"envs_synthetic.{module}"), function)(**arguments))


def register() -> None:
    """Register every id that is not registered yet."""
    import gymnasium

    for name, (generator, defaults) in IDS.items():
        identifier = f"theoryrl/{name}-v0"
        if identifier not in gymnasium.registry:
            gymnasium.register(identifier, entry_point="envs_synthetic.environments:create", kwargs={"generator": generator, **defaults})


if find_spec("gymnasium") is not None:  # the command line imports every module of this package
    register()
