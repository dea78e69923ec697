"""Checks T1-T8, T21, T25 and the grid of T22: the list oracles of cascading RL against enumeration and the identities of their proofs.

A check takes a world.  In an uncompiled one it works on fractions, and every tolerance is zero.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

World = Callable[[str], Any]
TOLERANCE = 1e-12

THIRDS = [Fraction(i, 3) for i in range(4)]
QUARTERS = [Fraction(i, 4) for i in range(5)]


def drawn(examples: int) -> Callable[[Any], Any]:
    """Hypothesis with the same draws every time."""
    return settings(derandomize=True, database=None, deadline=None, max_examples=examples, phases=(Phase.explicit, Phase.generate))


def exact(world: World) -> bool:
    return not world("theoryrl.jit").COMPILED


def tolerance(world: World) -> Any:
    return 0 if exact(world) else TOLERANCE


def array(world: World, values: Iterable[Any]) -> np.ndarray:
    """Return the values as floats, or as fractions where the world is uncompiled."""
    values = [Fraction(x) for x in values]
    return np.array(values, dtype=object) if exact(world) else np.array([float(x) for x in values])


def scalar(world: World, value: Any) -> Any:
    return Fraction(value) if exact(world) else float(value)


@st.composite
def instances(draw: st.DrawFn, max_items: int = 5) -> tuple[list[Any], list[Any], Any, int]:
    """Return u, w, w_perp, m: floats, or small fractions with ties and zeros; in a third of the draws nothing is worth a click."""
    n = draw(st.integers(1, max_items))
    chances = draw(st.sampled_from([st.floats(0, 1), st.sampled_from(THIRDS), st.sampled_from(QUARTERS)]))
    values = draw(st.sampled_from([st.floats(-2, 2), st.sampled_from(THIRDS), st.sampled_from(QUARTERS)]))
    u = draw(st.lists(chances, min_size=n, max_size=n))
    w = draw(st.lists(values, min_size=n, max_size=n))
    no_click = draw(st.one_of(values, values, st.just(max(w) + Fraction(1, 4))))
    return u, w, no_click, draw(st.integers(1, n + 2))


WITNESSES = {
    "M3": ([1, Fraction(1, 2)], [Fraction(3, 5), 1], 0, 2),
    "M4": ([Fraction(1, 100), Fraction(9, 10)], [1, Fraction(99, 100)], 0, 1),
    "M5": ([Fraction(9, 10), Fraction(9, 10), Fraction(1, 5)], [Fraction(9, 10), Fraction(17, 20), 3], 0, 2),
    "M6": ([Fraction(1, 2), Fraction(1, 2)], [1, 0], Fraction(4, 5), 2),
}


def f(items: Iterable[int], u: Any, w: Any, no_click: Any) -> Any:
    """The value of a list by its definition, summed from the front."""
    examined, total = 1, 0
    for a in items:
        total += examined * u[a] * w[a]
        examined *= 1 - u[a]
    return total + examined * no_click


def suffixes(items: Any, u: Any, w: Any, no_click: Any) -> list[Any]:
    """g_1, ..., g_{l+1}."""
    g = [no_click]
    for a in reversed(items):
        g.insert(0, u[a] * w[a] + (1 - u[a]) * g[0])
    return g


def lists_up_to(n: int, longest: int, shortest: int) -> Iterator[tuple[int, ...]]:
    return itertools.chain.from_iterable(itertools.permutations(range(n), length) for length in range(shortest, min(longest, n) + 1))


def near(world: World, a: Any, b: Any) -> bool:
    return abs(a - b) <= tolerance(world)


def check_T1(world: World) -> None:
    """The dynamic program, greedy and enumeration reach the maximum of f over all lists, with and without the empty list."""
    best_perm = world("theoryrl.planning").best_perm

    @drawn(250)
    @given(instances())
    @example(WITNESSES["M3"])
    @example(WITNESSES["M4"])
    @example(WITNESSES["M5"])
    @example(WITNESSES["M6"])
    def claim(instance: Any) -> None:
        u, w, no_click, m = array(world, instance[0]), array(world, instance[1]), scalar(world, instance[2]), instance[3]
        for empty in (False, True):
            best = max(f(items, u, w, no_click) for items in lists_up_to(len(u), m, 0 if empty else 1))
            for method in ("enumerate", "dp", "greedy"):
                value = best_perm(u, w, no_click, m, method, empty).value
                assert near(world, value, best), f"{method}: {float(value)} instead of {float(best)} at u={u}, w={w}, w_perp={no_click}, m={m}"

    claim()


def check_T2(world: World) -> None:
    """The list reproduces the value; its items are distinct, in descending w, and as many as allowed."""
    best_perm = world("theoryrl.planning").best_perm

    @drawn(150)
    @given(instances())
    def claim(instance: Any) -> None:
        u, w, no_click, m = array(world, instance[0]), array(world, instance[1]), scalar(world, instance[2]), instance[3]
        for empty in (False, True):
            for method in ("enumerate", "dp", "greedy"):
                items, value = best_perm(u, w, no_click, m, method, empty)
                assert near(world, f(items, u, w, no_click), value)
                assert len(set(items.tolist())) == len(items)
                assert (0 if empty else 1) <= len(items) <= min(m, len(u))
                if method != "enumerate":  # which returns the first of equally good lists, sorted or not
                    assert all(w[a] >= w[b] for a, b in itertools.pairwise(items))

    claim()


def check_T3(world: World) -> None:
    """Swapping neighbours x, y changes f by o u_x u_y (w_x - w_y), o the probability to reach them (Lemma 1)."""
    list_value = world("theoryrl.planning.best_perm").list_value

    @drawn(100)
    @given(instances(), st.permutations(range(5)), st.integers(0, 3))
    def claim(instance: Any, order: list[int], place: int) -> None:
        u, w, no_click = array(world, instance[0]), array(world, instance[1]), scalar(world, instance[2])
        items = np.array([a for a in order if a < len(u)])
        if len(items) < 2:
            return
        i = place % (len(items) - 1)
        x, y = items[i], items[i + 1]
        swapped = items.copy()
        swapped[[i, i + 1]] = y, x
        reach = math.prod((1 - u[a] for a in items[:i]), start=1)
        change = list_value(items, len(items), u, w, no_click) - list_value(swapped, len(items), u, w, no_click)
        assert near(world, change, reach * u[x] * u[y] * (w[x] - w[y]))

    claim()


def check_T4(world: World) -> None:
    """Telescoping (Lemma 6), the variance of the clicked value (Lemma 7) and elimination (Lemma 4)."""
    list_value = world("theoryrl.planning.best_perm").list_value

    @drawn(100)
    @given(instances(), st.lists(st.sampled_from(THIRDS), min_size=5, max_size=5), st.permutations(range(5)), st.integers(0, 4))
    def claim(instance: Any, other: list[Any], order: list[int], chosen: int) -> None:
        u, w, no_click = array(world, instance[0]), array(world, instance[1]), scalar(world, instance[2])
        v = array(world, other)
        items = np.array([a for a in order if a < len(u)])
        length = len(items)
        reach = [math.prod((1 - u[a] for a in items[:i]), start=1) for i in range(length + 1)]

        g = suffixes(items, v, w, no_click)
        terms = (reach[i] * (v[a] - u[a]) * (w[a] - g[i + 1]) for i, a in enumerate(items))
        assert near(world, list_value(items, length, v, w, no_click) - list_value(items, length, u, w, no_click), sum(terms)), "telescoping"

        g = suffixes(items, u, w, no_click)
        mean = list_value(items, length, u, w, no_click)
        variance = sum(reach[i] * u[a] * (w[a] - mean) ** 2 for i, a in enumerate(items)) + reach[length] * (no_click - mean) ** 2
        terms = (reach[i] * u[a] * (1 - u[a]) * (w[a] - g[i + 1]) ** 2 for i, a in enumerate(items))
        assert abs(variance - sum(terms)) <= 10 * tolerance(world), "variance"

        positive = array(world, [abs(x) for x in w])
        descending = np.array(sorted(range(len(u)), key=lambda a: -positive[a]))
        k = descending[chosen % len(u)]
        gain = u[k] * positive[k]
        left = np.array([x - gain if x > positive[k] else (1 - u[k]) * x for x in positive])
        rest = descending[descending != k]
        whole, parts = list_value(descending, len(u), u, positive, 0 * no_click), gain + list_value(rest, len(rest), u, left, 0 * no_click)
        assert near(world, whole, parts), "elimination"
        assert all(left[a] >= left[b] - tolerance(world) for a, b in itertools.pairwise(rest)), "elimination keeps the order"

    claim()


def check_T5(world: World) -> None:
    """Best lists are nested in m, and their value is concave in m (generic instances, where the best sets are unique)."""
    best_perm = world("theoryrl.planning").best_perm

    @drawn(100)
    @given(st.lists(st.tuples(st.integers(1, 96), st.integers(1, 1000)), min_size=1, max_size=6, unique_by=lambda pair: pair[1]))
    def claim(pairs: Any) -> None:
        u = array(world, [Fraction(x, 97) for x, _ in pairs])
        w = array(world, [Fraction(y, 1009) for _, y in pairs])
        for method in ("dp", "greedy"):
            best = [best_perm(u, w, scalar(world, 0), m, method) for m in range(1, len(pairs) + 1)]
            assert all(set(a.items.tolist()) < set(b.items.tolist()) for a, b in itertools.pairwise(best)), "nested"
            values = [scalar(world, 0), *(b.value for b in best)]
            gains = [b - a for a, b in itertools.pairwise(values)]
            assert all(a >= b - tolerance(world) for a, b in itertools.pairwise(gains)), "concave"

    claim()


def vertices(lower: Any, upper: Any) -> Iterator[np.ndarray]:
    return (np.array(v, dtype=lower.dtype) for v in itertools.product(*zip(lower, upper, strict=True)))


@st.composite
def boxes(draw: st.DrawFn, max_items: int) -> tuple[list[Any], list[Any], list[Any], Any, int]:
    """Return lower, upper, w, w_perp, m."""
    u, w, no_click, m = draw(instances(max_items))
    other = draw(st.lists(st.one_of(st.floats(0, 1), st.sampled_from(THIRDS)), min_size=len(u), max_size=len(u)))
    pairs = [sorted(pair) for pair in zip(u, other, strict=True)]
    return [low for low, _ in pairs], [high for _, high in pairs], w, no_click, m


NO_CLICK_IS_BEST = ([Fraction(1, 4)], [Fraction(3, 4)], [0], 1, 1)


def check_T6(world: World) -> None:
    """The box oracle is the maximum of enumeration over all vertices of the box, also where no item is worth more than no click."""
    planning = world("theoryrl.planning")

    @drawn(100)
    @given(boxes(max_items=4))
    @example(NO_CLICK_IS_BEST)
    def claim(box: Any) -> None:
        lower, upper, w, no_click, m = array(world, box[0]), array(world, box[1]), array(world, box[2]), scalar(world, box[3]), box[4]
        for empty in (False, True):
            best = max(planning.best_perm(u, w, no_click, m, "enumerate", empty).value for u in vertices(lower, upper))
            for method in ("enumerate", "dp", "greedy"):
                value = planning.best_perm_box(lower, upper, w, no_click, m, method, empty).value
                assert near(world, value, best), f"{method}: {float(value)} instead of {float(best)} on [{lower}, {upper}], w={w}, w_perp={no_click}, m={m}"

    claim()


def check_T7(world: World) -> None:
    """With the empty list allowed the maximum of f is nondecreasing in u; with one item forced it is not (Lemma 8: .7, then .6)."""
    best_perm = world("theoryrl.planning").best_perm

    @drawn(100)
    @given(boxes(max_items=4))
    def claim(box: Any) -> None:
        lower, upper, w, no_click, m = array(world, box[0]), array(world, box[1]), array(world, box[2]), scalar(world, box[3]), box[4]
        low, high = (best_perm(u, w, no_click, m, "greedy", allow_empty=True).value for u in (lower, upper))
        assert low <= high + tolerance(world)

    claim()
    values = [best_perm(array(world, [u]), array(world, [0]), scalar(world, 1), 1).value for u in (Fraction(3, 10), Fraction(4, 10))]
    assert near(world, values[0], scalar(world, Fraction(7, 10)))
    assert near(world, values[1], scalar(world, Fraction(6, 10)))


def check_T8(world: World) -> None:
    """Planning with lists is planning in the MDP whose actions are whole lists; the worst values are its worst ones."""
    cascading = world("envs_synthetic.cascading")
    flatten = world("theoryrl.planning.cascade").flatten
    problems = [cascading.myopic_trap(), cascading.hidden_gem(4, 2, 3), cascading.noclick_trap(), cascading.noclick_trap((0.25, 0.3, 0.2, 0.4))]
    problems += [cascading.random_cascade(S, N, m, 3, seed) for seed, (S, N, m) in enumerate([(1, 1, 1), (3, 4, 2), (4, 3, 5), (2, 4, 4)])]
    MDP = world("theoryrl.problems").CascadingMDP
    problems += [MDP(p.attraction, p.transition, p.reward, p.horizon, p.max_length, p.start, allow_empty=True) for p in problems]
    for problem in problems:
        _, P_A, R_A = flatten(problem.attraction, problem.transition, problem.reward, problem.max_length, problem.allow_empty)
        assert np.all(np.abs(P_A.sum(axis=-1) - 1) <= TOLERANCE)
        for choose, planned in ((np.max, problem.optimal_values), (np.min, problem.worst_values)):
            V = np.zeros(problem.n_states)
            for h in reversed(range(problem.horizon)):
                V = choose(R_A + P_A @ V, axis=1)
                assert np.all(np.abs(V - planned[h]) <= 1e-10), f"{problem}, step {h + 1}: {planned[h]} instead of {V}"


def check_T21(world: World) -> None:
    """The pessimistic value of a list is the minimum of f over all vertices of the box, and its minimiser attains it."""
    bp = world("theoryrl.planning.best_perm")

    @drawn(150)
    @given(boxes(max_items=5), st.permutations(range(5)), st.integers(0, 5))
    @example(([Fraction(1, 4)], [Fraction(3, 4)], [0], 1, 1), [0, 1, 2, 3, 4], 1)
    def claim(box: Any, order: list[int], length: int) -> None:
        lower, upper, w, no_click = array(world, box[0]), array(world, box[1]), array(world, box[2]), scalar(world, box[3])
        items = np.array([a for a in order if a < len(w)])
        length = min(length, len(items))
        minimiser = 0 * lower
        value = bp.pessimistic_list_value(items, length, lower, upper, w, no_click, minimiser)
        least = min(f(items[:length], u, w, no_click) for u in vertices(lower, upper))
        assert near(world, value, least), f"{float(value)} instead of {float(least)}"
        u = lower.copy()
        u[items[:length]] = minimiser[:length]
        assert near(world, f(items[:length], u, w, no_click), value)

    claim()


def check_T22_grid(world: World) -> None:
    """On a rational grid (N <= 2) the maximum of f is nondecreasing in u in every case but J = 0 with a list forced, where it is nonincreasing."""
    best_perm = world("theoryrl.planning").best_perm
    fell = 0
    for n, m in ((1, 1), (2, 1), (2, 2)):
        grid = [array(world, u) for u in itertools.product(QUARTERS, repeat=n)]
        for values in itertools.product(THIRDS, repeat=n):
            w = array(world, values)
            for no_click in (scalar(world, x) for x in (0, Fraction(1, 2), 1)):
                for empty in (False, True):
                    best = [best_perm(u, w, no_click, m, "dp", empty).value for u in grid]
                    costly = not empty and all(x <= no_click for x in w)
                    for (u, low), (v, high) in itertools.product(zip(grid, best, strict=True), repeat=2):
                        if all(u <= v):
                            assert low >= high - tolerance(world) if costly else low <= high + tolerance(world)
                            fell += costly and low > high + tolerance(world)
    assert fell, "the counterexamples of Lemma 8 are on the grid"


def check_T25(world: World) -> None:
    """Every best set of h items, ties included, extends to a best one of h + 1 (Lemma 5); and the three oracles agree.  Exhaustive, N <= 4."""
    best_perm = world("theoryrl.planning").best_perm
    chances = [Fraction(0), Fraction(1, 3), Fraction(1, 2), Fraction(1)]
    weights = {1: [0, 1, 2], 2: [0, 1, 2], 3: [0, 1, 2, 3], 4: [1, 2, 3]}
    for n in range(1, 5):
        pairs = list(itertools.product(chances, weights[n]))
        for items in itertools.combinations_with_replacement(sorted(pairs, key=lambda p: -p[1]), n):  # a set does not depend on the names of its items
            values = best_of_sets(items)
            u, w = array(world, [p[0] for p in reversed(items)]), array(world, [p[1] for p in reversed(items)])
            for h in range(1, n + 1):
                best = max(value for chosen, value in values.items() if len(chosen) == h)
                if h < n:
                    larger = {chosen for chosen, value in values.items() if len(chosen) == h + 1}
                    record = max(values[chosen] for chosen in larger)
                    for chosen in (c for c, value in values.items() if len(c) == h and value == best):
                        assert any(values[c] == record for c in larger if chosen < c), f"{items}: {set(chosen)} does not extend"
                if n < 4 or h == 2:
                    for method in ("dp", "greedy") if n > 2 else ("dp", "greedy", "enumerate"):
                        value = best_perm(u, w, scalar(world, 0), h, method, allow_empty=True).value
                        assert near(world, value, scalar(world, best)), f"{method} at {items}, m={h}: {value} instead of {best}"


@functools.cache
def best_of_sets(items: tuple[tuple[Fraction, int], ...]) -> dict[frozenset[int], Fraction]:
    """Return the value of every set of items (attraction, weight), given in descending weight; no click is worth 0."""
    u, w = [p[0] for p in items], [p[1] for p in items]
    subsets = itertools.chain.from_iterable(itertools.combinations(range(len(items)), h) for h in range(1, len(items) + 1))
    return {frozenset(chosen): f(chosen, u, w, 0) for chosen in subsets}
