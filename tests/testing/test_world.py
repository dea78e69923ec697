"""Second copies of the package: patched or uncompiled, beside an original that never notices."""

from __future__ import annotations

import ast
import dataclasses
import sys
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

import theoryrl
import theoryrl.estimation as estimation
from theoryrl.testing.world import World, _meaning, original, world

BERNOULLI, TRANSITIONS = "theoryrl.estimation.bernoulli", "theoryrl.estimation.transitions"
HALVED = (BERNOULLI, "return math.sqrt(x / (2 * n))", "return math.sqrt(x / (4 * n))")
ONE_STEP = (BERNOULLI, "_MOST_STEPS = 20", "_MOST_STEPS = 1")


@pytest.mark.parametrize(("old", "count"), [("no such text", 0), ("@kernel", 9)])
def test_a_patch_must_match_exactly_once(old: str, count: int) -> None:
    found = Path(estimation.bernoulli.__file__).read_text().count(old)
    assert bool(found) == bool(count)
    with pytest.raises(ValueError, match=rf"patch of {BERNOULLI}: the old text must match exactly once, it matches {found} times: '{old}'"):
        world([(BERNOULLI, old, "new")])


def test_a_patch_of_a_missing_module_fails() -> None:
    with pytest.raises(ValueError, match=r"patch of theoryrl\.nowhere: there is no such module"):
        world([("theoryrl.nowhere", "a", "b")])


def test_a_stale_patch_among_good_ones_fails() -> None:
    with pytest.raises(ValueError, match="matches 0 times"):
        world([HALVED, (TRANSITIONS, "stale", "")])


def test_several_patches_of_one_module_all_apply() -> None:
    both = world([HALVED, (BERNOULLI, "+ beta * x / n", "+ 2 * beta * x / n")])(BERNOULLI)
    assert both.hoeffding_radius(1, 4.0) == 1.0 and both.bernstein_radius(0.0, 1, 1.0, 1.0, 1.0) == 2.0


@pytest.mark.parametrize("compiled", [False, True])
def test_the_original_is_untouched(compiled: bool) -> None:
    before, modules = estimation.hoeffding_radius(1, 2.0), dict(sys.modules)
    mutant = world([HALVED], compiled)
    assert mutant("theoryrl.estimation").hoeffding_radius(1, 4.0) == 1.0
    assert estimation.hoeffding_radius(1, 2.0) == before == 1.0
    assert original("theoryrl.estimation") is estimation and mutant("theoryrl.estimation") is not estimation
    assert {name: module for name, module in sys.modules.items() if name in modules} == modules
    assert theoryrl.estimation is estimation and original("theoryrl.jit").COMPILED


def test_a_module_is_loaded_once_and_hangs_below_its_parent() -> None:
    w = world()
    assert w(BERNOULLI) is w(BERNOULLI) is w("theoryrl").estimation.bernoulli is w("theoryrl.estimation").bernoulli
    assert w("theoryrl.estimation").kl_upper is w(BERNOULLI).kl_upper


def test_an_uncompiled_world_is_plain_python_with_the_same_bits() -> None:
    plain, compiled = world()(BERNOULLI), world(compiled=True)(BERNOULLI)
    assert not hasattr(plain.kl_upper, "py_func") and hasattr(compiled.kl_upper, "py_func")
    for p in (0.0, 1e-6, 0.3, 0.999, 1.0):
        for y in (1e-9, 0.01, 2.0, 40.0):
            assert plain.kl_upper(p, y) == compiled.kl_upper(p, y) == estimation.kl_upper(p, y)


def test_an_uncompiled_world_takes_exact_numbers() -> None:
    values = np.empty((2, 1), dtype=object)
    cascade = world()("theoryrl.planning.cascade")
    q, P, r = (np.array(x, dtype=object) for x in ([[Fraction(1, 3)]], [[[Fraction(1)], [Fraction(1)]]], [[Fraction(1, 7), Fraction(0)]]))
    values[:] = 0
    cascade.policy_values(np.zeros((1, 1, 1), dtype=np.int64), np.ones((1, 1), dtype=np.int64), q, P, r, values)
    assert values[0, 0] == Fraction(1, 21)


# --- sharing ------------------------------------------------------------------------------------------------------------


def test_a_constant_patched_in_one_module_changes_its_callers_in_another() -> None:
    patch = ("theoryrl.jit", "COMPILED = True", "COMPILED = True\nCHANGED = 5")
    assert world([patch])("theoryrl.jit").CHANGED == 5
    one_step = world([ONE_STEP])("theoryrl.estimation")
    assert one_step.kl_upper(0.99, 0.0002502439117679105) != estimation.kl_upper(0.99, 0.0002502439117679105)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_patched_callee_changes_its_callers(compiled: bool) -> None:
    patched = world([(BERNOULLI, "return a * (math.log(a) - math.log(b))", "return 7.0")], compiled)("theoryrl.estimation")
    assert patched.bernoulli_deviation(10, 9, 0.01) > 70 > estimation.bernoulli_deviation(10, 9, 0.01) > 0


def test_unchanged_kernels_are_shared_and_changed_ones_and_their_callers_are_not() -> None:
    mutant, package = world([ONE_STEP], compiled=True)(BERNOULLI), original(BERNOULLI)
    for name in ("bernoulli_kl", "_kl_term", "bernstein_radius", "hoeffding_radius", "bernoulli_deviation"):
        assert getattr(mutant, name) is getattr(package, name), name
    for name in ("_kl_offset", "kl_upper", "kl_lower"):
        assert getattr(mutant, name) is not getattr(package, name), name


def test_an_unpatched_compiled_world_shares_everything() -> None:
    w = world(compiled=True)
    for name in (BERNOULLI, TRANSITIONS, "theoryrl.planning.best_perm", "theoryrl.planning.cascade"):
        kernels = [key for key, value in vars(original(name)).items() if hasattr(value, "py_func")]
        assert kernels and all(getattr(w(name), key) is getattr(original(name), key) for key in kernels)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return math.sqrt(x / (2 * n))", "return math.sqrt(x / (3 * n))"),  # a constant
        ("return math.sqrt(x / (2 * n))", "return math.log(x / (2 * n))"),  # an attribute
        ("return math.sqrt(x / (2 * n))", "return math.sqrt(x * (2 * n))"),  # an operation
        ("return math.sqrt(x / (2 * n))", "return math.sqrt(n / (2 * x))"),  # the order of arguments
    ],
)
def test_every_kind_of_change_is_noticed(old: str, new: str) -> None:
    mutant = world([(BERNOULLI, old, new)], compiled=True)(BERNOULLI)
    assert mutant.hoeffding_radius is not estimation.hoeffding_radius
    assert mutant.hoeffding_radius(2, 3.0) != estimation.hoeffding_radius(2, 3.0)


def test_changes_that_hide_in_a_kernels_surroundings_are_noticed() -> None:
    for what, one, two in [
        ("default", "def f(x, y=1): return x + y", "def f(x, y=2): return x + y"),
        ("text", "def f(x): return x if str(x) == 'a' else 0", "def f(x): return x if str(x) == 'b' else 0"),
        ("nested", "def f(x): return [y + 1 for y in x]", "def f(x): return [y + 2 for y in x]"),
        ("nested name", "Y = 1\ndef f(x): return [y + Y for y in x]", "Y = 2\ndef f(x): return [y + Y for y in x]"),
        (
            "large array",
            "import numpy as np\nT = np.arange(5000.0)\ndef f(i): return T[i]",
            "import numpy as np\nT = np.arange(5000.0); T[2500] = 7\ndef f(i): return T[i]",
        ),
    ]:
        assert _meaning(_kernel(one)) != _meaning(_kernel(two)), what
        assert _meaning(_kernel(one)) == _meaning(_kernel(one)), what


def test_a_docstring_or_a_recursion_changes_nothing() -> None:
    assert _meaning(_kernel("def f(x):\n    'One.'\n    return x")) == _meaning(_kernel("def f(x):\n    'Two.'\n    return x"))
    recursive = "@njit\ndef f(x): return f(x - 1) if x > 0 else {}"
    assert _meaning(_kernel(recursive.format(0))) == _meaning(_kernel(recursive.format(0))) != _meaning(_kernel(recursive.format(1)))


def test_a_kernel_that_calls_through_a_module_is_not_shared_with_its_mutants() -> None:
    """The episode loop calls the trace's kernels as `tracing.close_episode`."""
    trace = "theoryrl.algorithms.cascading_trace"
    text = next(line for line in Path(original(trace).__file__).read_text().splitlines() if line.startswith("def close_episode("))
    mutant, unchanged = world([(trace, text, f"{text}\n    trace = trace")], compiled=True), world(compiled=True)
    loop = original("theoryrl.algorithms.cascading").play
    assert mutant("theoryrl.algorithms.cascading").play is not loop and unchanged("theoryrl.algorithms.cascading").play is loop


def test_a_patch_behind_a_module_attribute_is_noticed() -> None:
    mutant = world([ONE_STEP])(BERNOULLI)
    ours, theirs = (_kernel("def f(x): return b._MOST_STEPS", b=module) for module in (mutant, original(BERNOULLI)))
    assert _meaning(ours) != _meaning(theirs)


def _kernel(source: str, **names: Any) -> Any:
    """The kernel f that `source` defines."""
    names["njit"] = numba.njit
    exec(source, names)
    return names["f"] if hasattr(names["f"], "py_func") else numba.njit(names["f"])


# --- imports ------------------------------------------------------------------------------------------------------------


def test_imports_inside_functions_give_the_worlds_modules() -> None:
    w = world([("theoryrl.proofs.theorem", 'raise ValueError(f"theorem: {how_many}', 'raise ArithmeticError(f"theorem: {how_many}')])
    run = w("theoryrl.algorithms.run")
    made = dataclasses.dataclass(type("A", (run.Algorithm,), {"start": lambda *_: {}, "advance": lambda s, p, t, k, c: k, "measure": lambda *_: {}}))
    problem = w("theoryrl.problems.problem").Problem()
    finished = made().run(problem, 3, seed=0, trace=True)
    with pytest.raises(ArithmeticError, match="no theorem is registered"):
        finished.proof()


def test_dataclasses_errors_and_registries_are_the_worlds_own() -> None:
    w = world()
    ours, theirs = original("theoryrl.proofs.theorem"), w("theoryrl.proofs.theorem")
    assert theirs.registry is not ours.registry and theirs.Line is not ours.Line
    with pytest.raises(ValueError, match="line L0"):
        theirs.Line("L0", "", 1, "in expectation")
    assert theirs.Run is w("theoryrl.algorithms").Run


def test_every_module_loads_in_a_world() -> None:
    w = world()
    root = Path(theoryrl.__file__).parent
    for file in sorted(root.rglob("*.py")):
        parts = file.relative_to(root.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if parts[-1] != "__main__" and "plugin" not in parts:
            module = w(name)
            assert module.__name__ == name and module is not sys.modules[name]
            classes = [key for key, value in vars(module).items() if dataclasses.is_dataclass(value) and value.__module__ == name]
            assert all(vars(module)[key] is not vars(sys.modules[name])[key] for key in classes), name


def test_a_module_that_fails_to_load_can_be_tried_again() -> None:
    broken = world([(TRANSITIONS, "import math\n", "import math\n1 / 0\n")])
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            broken(TRANSITIONS)


def test_threads_share_one_copy() -> None:
    w, seen = world(), []
    threads = [threading.Thread(target=lambda: seen.append(w("theoryrl.estimation"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(module) for module in seen}) == 1 and isinstance(w, World)


def test_tracebacks_show_the_patched_source() -> None:
    patched = world([(TRANSITIONS, "return math.sqrt(constant / (2 * n))", "raise OverflowError  # here")])
    with pytest.raises(OverflowError) as caught:
        patched(TRANSITIONS).l1_radius(1, 1.0)
    assert "raise OverflowError  # here" in str(caught.traceback[-1].statement)
    assert ast.parse("".join(_lines(caught.traceback[-1].path)))


def _lines(path: Any) -> list[str]:
    import linecache

    return linecache.getlines(str(path))
