"""The environments of the groupwise paper: the constants that they were built to have, and clear errors from the loaders.

The two tables are not part of the repository: THEORYRL_MEDICAL and THEORYRL_ADULT hold their paths.
"""

from __future__ import annotations

import inspect
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs_synthetic import groupwise
from envs_synthetic.groupwise import (
    ADULT_GROUPS,
    DOMINANCE,
    FACTS,
    MEDICAL_GROUPS,
    ORDER_SEEDS,
    PUBLISHED,
    PUBLISHED_SYNTHETIC,
    SOURCES,
    SYNTHETIC_GROUPS,
    adult,
    alt,
    cross,
    crossing,
    describe,
    fair_coins,
    kill,
    medical,
    paths,
    rare,
    rnd,
    sign_flip,
    streak,
    synthetic_paper,
)


def table(name: str) -> str:
    """The path of a real table; without one the test is skipped."""
    path = os.environ.get(f"THEORYRL_{name.upper()}")
    if not path:
        pytest.skip(f"needs {SOURCES[name]}; set THEORYRL_{name.upper()} to its path")
    return path


def share(count: float, n: int, p: float) -> None:
    """A fixed draw, so no level: six standard deviations only say that the probability is the one meant."""
    assert abs(count - n * p) < 6 * np.sqrt(n * p * (1 - p))


# Hard instances


def test_crossing() -> None:
    problem = crossing(1000)
    y = problem.losses[:, 0]
    assert problem.losses.tolist() == np.column_stack([y, 1 - y]).tolist()
    assert problem.group_sizes().tolist() == [800, 400, 1000]
    assert problem.hindsight().tolist() == [200, 0, 400]  # .2 T, 0, .4 T
    assert problem.groups[:10].tolist() == [[1, 0, 1], [1, 1, 1], [1, 0, 1], [1, 0, 1], [0, 1, 1], [1, 0, 1], [1, 0, 1], [0, 1, 1], [1, 1, 1], [1, 0, 1]]
    assert y[:10].tolist() == [0, 1, 0, 0, 1, 0, 0, 1, 1, 0]
    g2 = problem.groups[:, 1] == 1
    single, first = 0, np.where(problem.groups[:, 0] == 1, 0, 1)  # the best constant on all, and on the first awake group
    assert np.abs(single - y)[g2].sum() == 400 and np.abs(first - y)[g2].sum() == 200
    best = np.array([0, 1, 0])
    uniform = (problem.groups * np.abs(best - y[:, None])).sum(axis=1) / problem.groups.sum(axis=1)
    assert uniform[g2].sum() == pytest.approx(7 / 30 * 1000)


def test_sign_flip() -> None:
    T = 20_000
    problem = sign_flip(T, seed=3)
    assert (problem.dimension, problem.n_groups) == (5, 4)
    s, not_s, o, everyone = problem.groups.T
    assert np.all(s + not_s == 1) and np.all(everyone == 1) and np.all(problem.features[:, 4] == 1)
    share(s.sum(), T, 0.5)
    share(o.sum(), T, 0.3)
    assert np.abs(problem.labels - np.where(s, problem.features[:, :4].mean(axis=1), 1 - problem.features[:, :4].mean(axis=1))).max() < 1e-15
    assert np.all(problem.hindsight()[:2] < 1e-20)
    assert problem.hindsight()[3] == pytest.approx(T / 48, rel=0.05)  # .0208 a round for any single model
    assert np.max(np.sum(problem.features**2, axis=1)) <= 5


def test_paths() -> None:
    problem = paths(seed=2)
    assert (problem.n_rounds, problem.n_paths, problem.n_groups) == (3000, 243, 4)
    assert np.all(problem.groups[:, 0] == 1) and set(np.unique(problem.losses)) == {0, 1}
    share(problem.groups[:, 1:].sum(), 9000, 0.4)
    as_class = problem.as_class()
    for g in range(4):  # on the rounds where g is the last group awake, the path that it owns is far ahead
        last = (problem.groups[:, g] == 1) & (problem.groups[:, g + 1 :].sum(axis=1) == 0)
        losses = as_class.losses[last].sum(axis=0)
        share(losses.min(), 6 * int(last.sum()), 0.2)
        assert losses.min() + 0.2 * last.sum() < np.sort(losses)[1]
    assert paths(50, K=1, W=2, G=1).losses.shape == (50, 1, 2, 2)


def test_streak() -> None:
    problem = streak()
    assert problem.losses.tolist() == [[1, 0]] * 400 and np.all(problem.groups == 1)


def test_fair_coins() -> None:
    problem = fair_coins(5000, 8, seed=1)
    assert problem.groups.shape == (5000, 8) and np.all(problem.groups == 1) and set(np.unique(problem.losses)) == {0, 1}
    share(problem.losses.sum(), 40_000, 0.5)


# The adversaries of the mutants


def test_adversaries() -> None:
    y = crossing(200).losses[:, 0]
    assert cross(200).losses.tolist() == np.column_stack([y, 1 - y, y]).tolist() and np.array_equal(cross(200).groups, crossing(200).groups)
    assert alt(4).losses.tolist() == [[1, 0, 0], [0, 1, 0], [1, 0, 1], [0, 1, 1]] and np.all(alt(4).groups == 1)

    random = rnd(2000, seed=5)
    assert np.all(random.groups[:, 2] == 1)
    share(random.groups[:, :2].sum(), 4000, 0.6)
    share(random.losses.sum(), 6000, 0.5)

    seldom = rare(2000, seed=5)
    assert np.all(seldom.groups[:, 1:] == 1) and np.all(seldom.losses[:, 0] == 0)
    share(seldom.groups[:, 0].sum(), 2000, 0.2)
    share(seldom.losses[:, 1:].sum(), 4000, 0.6)


@pytest.mark.parametrize(
    ("p", "awake", "losses"),
    [([0.2, 0.5, 0.3], [1, 1, 1], [0, 1, 0]), ([0.5, 0, 0.5], [1, 1, 1], [1, 0, 0]), ([0, 0, 0], [0, 1, 1], [0, 1, 0]), ([0, 0, 0], [0, 0, 0], [0, 0, 0])],
)
def test_kill(p: list[float], awake: list[int], losses: list[int]) -> None:
    assert kill(np.array(p), np.array(awake)).tolist() == losses


# The paper's synthetic data


@pytest.mark.parametrize("kind", PUBLISHED_SYNTHETIC)
def test_the_authors_draw(kind: str) -> None:
    problem = synthetic_paper(kind)
    assert (problem.n_rounds, problem.dimension) == (100_000, 25)
    assert dict(zip(SYNTHETIC_GROUPS, problem.group_sizes().tolist(), strict=True)) == {
        "circle": 49857, "square": 30044, "triangle": 20099, "green": 59985, "red": 40015, "always on": 100_000,
    }  # fmt: skip
    assert np.array_equal(problem.features[:, 20:], problem.groups[:, :5])
    assert (problem.labels.min(), problem.labels.max()) == (0, 1)
    published = PUBLISHED_SYNTHETIC[kind][2]
    assert problem.hindsight()[5] == pytest.approx(published, abs=0.05 if published > 100 else 0.005)


def test_the_order_of_dominance_is_drawn_after_the_noise() -> None:
    legacy = np.random.RandomState(21)
    for shape in ((100_000, 20), (20, 5)):
        legacy.uniform(size=shape)
    legacy.normal(size=(100_000, 5))
    assert tuple(SYNTHETIC_GROUPS[g] for g in legacy.permutation(5)) == DOMINANCE


def test_the_rows_of_the_draw_are_shuffled_together() -> None:
    drawn, shuffled, rows = synthetic_paper("max", 300), synthetic_paper("max", 300, order=1), np.random.RandomState(ORDER_SEEDS[1]).permutation(300)
    for field in ("features", "labels", "groups"):
        assert np.array_equal(getattr(shuffled, field), getattr(drawn, field)[rows])
    with pytest.raises(TypeError, match="order: expected an integer, got str 'age'"):
        synthetic_paper("max", 300, order="age")  # type: ignore[arg-type]


def test_how_two_labels_make_one() -> None:
    """Every kind scales the same labels; before that, min <= mean <= max, with min + max = 2 mean."""
    low, mean, high, first = (synthetic_paper(kind, T=500).labels for kind in ("min", "mean", "max", "dominance"))
    rows = np.column_stack([low, high, np.ones(500)])
    weights, residual, *_ = np.linalg.lstsq(rows, mean, rcond=None)
    assert residual[0] < 1e-20 and weights[0] > 0 and weights[1] > 0
    assert len(np.unique(first)) == 500


# The paper's tables


@pytest.mark.parametrize("name", ["medical", "adult"])
def test_facts_of_a_table(name: str) -> None:
    load, names, scale, mean = {"medical": (medical, MEDICAL_GROUPS, 7.232, 0.1939), "adult": (adult, ADULT_GROUPS, 11.78, 0.2408)}[name]
    problem = load(table(name))
    d, rank, sizes = FACTS[name]
    assert (problem.dimension, np.linalg.matrix_rank(problem.features, tol=1e-8), tuple(problem.group_sizes().tolist())) == (d, rank, sizes)
    assert len(names) == problem.n_groups and problem.label_range == (0, 1)
    assert np.max(np.sum(problem.features**2, axis=1)) == pytest.approx(scale, abs=5e-3)
    assert problem.labels.mean() == pytest.approx(mean, abs=5e-5)
    assert problem.features.min() == 0 and problem.features.max() == 1
    assert f"d, rank and group sizes are those of {SOURCES[name]}" in "".join(describe(**{name: table(name)}))


def test_published_losses_in_hindsight() -> None:
    """The paper fits each group on all of its rounds but the last; means over its ten row orders (cut-off noise up to .003)."""
    losses = np.zeros(12)
    for order in range(10):
        problem = medical(table("medical"), order)
        for g in range(12):
            losses[g] += problem.hindsight(int(np.flatnonzero(problem.groups[:, g])[-1]))[g] / 10
    assert losses == pytest.approx([PUBLISHED["medical"][name][2] for name in MEDICAL_GROUPS], abs=0.005)


def test_label_moments_of_medical() -> None:
    labels = medical(table("medical")).labels
    assert (labels**2).mean() == pytest.approx(0.075, abs=5e-4) and ((labels - 0.5) ** 2).mean() == pytest.approx(0.131, abs=5e-4)


# Loading a table

MEDICAL_ROWS = [
    "charges,age,sex,bmi,children,smoker,region,more",
    "100,35,female,18.4,0,yes,north,x",
    "300,36,male,18.5,2,no,south,x",
    "200,50,male,25,1,no,north,x",
    "",
    "500,51, female ,30,4,yes,east,x",
]
ADULT_HEAD = (
    "age,workclass,fnlwgt,education,education-num,marital-status,occupation,relationship,race,sex,capital-gain,capital-loss,hours-per-week,native-country"
)
ADULT_ROWS = [
    f"{ADULT_HEAD},income-per-year",
    "35, State-gov, 77516, Bachelors, 9, Never-married, Adm-clerical, Not-in-family, White, Male, 2174, 0, 40, United-States, <=50K",
    "36,?,83311,Bachelors,10,Divorced,?,Husband,Black,Female,0,0,13,United-States,>50K.",
    "51,?,83311,Bachelors,16,Divorced,?,Husband,Other,Female,0,9,60,Cuba,>50K",
]


def written(folder: Path, rows: list[str]) -> Path:
    path = folder / "table.csv"
    path.write_text("\n".join(rows) + "\n", "utf-8")
    return path


def test_the_recipe_of_medical(tmp_path: Path) -> None:
    problem = medical(written(tmp_path, MEDICAL_ROWS))
    assert problem.labels.tolist() == [0, 0.5, 0.25, 1]
    age, bmi, children, female, male, no, yes, east, north, south, *indicators = problem.features.T.tolist()
    assert age == [0, 1 / 16, 15 / 16, 1] and children == [0, 0.5, 0.25, 1] and bmi[0] == 0 and bmi[3] == 1
    assert (female, male, no, yes) == ([1, 0, 0, 1], [0, 1, 1, 0], [0, 1, 1, 0], [1, 0, 0, 1])
    assert (east, north, south) == ([0, 0, 0, 1], [1, 0, 1, 0], [0, 1, 0, 0])
    assert indicators == problem.groups[:, :7].T.tolist()
    assert problem.groups.tolist() == [
        [1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 1],
        [0, 1, 0, 0, 1, 0, 0, 0, 1, 1, 0, 1],
        [0, 1, 0, 0, 0, 1, 0, 0, 1, 1, 0, 1],
        [0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 1, 1],
    ]


def test_ranges_that_do_not_look_ahead(tmp_path: Path) -> None:
    path = written(tmp_path, MEDICAL_ROWS)
    problem = medical(path, ranges={"charges": (0, 1000), "age": (0, 100)})
    assert problem.labels.tolist() == [0.1, 0.3, 0.2, 0.5] and problem.features[:, 0].tolist() == [0.35, 0.36, 0.5, 0.51]
    assert problem.features[:, 2].tolist() == [0, 0.5, 0.25, 1]
    for ranges, message in (
        ({"charges": (0, 400)}, r"labels\[3\]: expected \[0.0, 1.0\], got 1.25"),
        ({"charge": (0, 1)}, r"ranges: expected one of 'age', .*, got 'charge'"),
        ({"age": (1, 1)}, r"ranges\['age'\]: expected the lower end below the upper end, got \(1.0, 1.0\)"),
        ({"age": (1, np.inf)}, r"ranges\['age'\]\[1\]: .*got inf"),
    ):
        with pytest.raises(ValueError, match=message):
            medical(path, ranges=ranges)
    with pytest.raises(TypeError, match=r"ranges\['age'\]: expected a pair of numbers, got 3"):
        medical(path, ranges={"age": 3})  # type: ignore[dict-item]


def test_row_orders(tmp_path: Path) -> None:
    path = written(tmp_path, MEDICAL_ROWS)
    assert medical(path, "age").labels.tolist() == [0, 0.5, 0.25, 1] and medical(path, "charges").labels.tolist() == [0, 0.25, 0.5, 1]
    for order, seed in enumerate(ORDER_SEEDS):
        shuffled, rows = medical(path, order), np.random.RandomState(seed).permutation(4)
        assert np.array_equal(shuffled.features, medical(path).features[rows])
        assert np.array_equal(shuffled.labels, medical(path).labels[rows]) and np.array_equal(shuffled.groups, medical(path).groups[rows])
    for bad, message in ((10, r"order: expected an integer in \[0, 9\], got 10"), ("bmi", "order: expected one of 'age', 'charges', got 'bmi'")):
        with pytest.raises(ValueError, match=message):
            medical(path, bad)


def test_the_recipe_of_adult(tmp_path: Path) -> None:
    problem = adult(written(tmp_path, ADULT_ROWS))
    assert problem.labels.tolist() == [0, 1, 1]
    assert problem.dimension == 5 + (2 + 2 + 2 + 2 + 2 + 3 + 2) + 3 + 2
    assert problem.features[:, :5].T.tolist() == [[27 / 47, 0, 1], [0, 1 / 16, 1], [1, 0, 0], [0, 0, 1], [0, 1 / 7, 1]]
    assert problem.groups.tolist() == [
        [1, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0, 1],
        [0, 1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 1, 1],
        [0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1],
    ]
    assert np.array_equal(problem.features[:, -5:], problem.groups[:, :5])
    assert np.array_equal(adult(tmp_path / "table.csv", "age").labels, problem.labels)  # the rows are in that order


def test_adult_with_numeric_income(tmp_path: Path) -> None:
    rows = [f"{row.rpartition(',')[0]},{income}" for row, income in zip(ADULT_ROWS, ("income", "40000", "2e4", "100000"), strict=True)]
    assert adult(written(tmp_path, rows)).labels.tolist() == [0.25, 0, 1]


def test_adult_with_one_class(tmp_path: Path) -> None:
    assert adult(written(tmp_path, [ADULT_ROWS[0], *ADULT_ROWS[2:]])).labels.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], r"row 1: expected the columns 'age', .*'region' too, got \[\]"),
        (MEDICAL_ROWS[:1], "expected rows below the line of names, got none"),
        (["age,bmi", "1,2"], r"row 1: expected the columns 'children', 'charges', 'sex', 'smoker', 'region' too, got \['age', 'bmi'\]"),
        ([*MEDICAL_ROWS, "1,2,male"], r"row 7: expected 8 cells, got 3: \['1', '2', 'male'\]"),
        ([*MEDICAL_ROWS, "1,2,male,3o,0,no,east,x"], r"row 7, column 4 \(bmi\): expected a number, got '3o'"),
        ([*MEDICAL_ROWS, "1,nan,male,30,0,no,east,x"], r"row 7, column 2 \(age\): expected a number, got 'nan'"),
        ([*MEDICAL_ROWS, ",2,male,30,0,no,east,x"], r"row 7, column 1 \(charges\): expected a number, got ''"),
        ([*MEDICAL_ROWS, "1,2,mail,30,0,no,east,x"], r"row 7, column 3 \(sex\): expected one of male, female, got 'mail'"),
        ([*MEDICAL_ROWS, "1,2,male,30,0,,east,x"], r"row 7, column 6 \(smoker\): expected one of yes, no, got ''"),
        ([*MEDICAL_ROWS, "1,2,male,30,0,no,,x"], r"row 7, column 7 \(region\): expected a text, got ''"),
    ],
)
def test_bad_files(tmp_path: Path, rows: list[str], message: str) -> None:
    path = written(tmp_path, rows)
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}.*{message}"):
        medical(path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (("income-per-year", "pay"), r"row 1: expected the columns 'income-per-year or income' too"),
        ((">50K.", "rich"), r"row 3, column 15 \(income-per-year\): expected <=50K, >50K or a number, got 'rich'"),
        (("White", "white"), r"row 2, column 9 \(race\): expected one of White, .*, got 'white'"),
        (("2174", "many"), r"row 2, column 11 \(capital-gain\): expected a number, got 'many'"),
    ],
)
def test_bad_adult_files(tmp_path: Path, changed: tuple[str, str], message: str) -> None:
    path = written(tmp_path, [row.replace(*changed) for row in ADULT_ROWS])
    with pytest.raises(ValueError, match=message):
        adult(path)


def test_files_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes(b"\xff\xfe\x00age")
    with pytest.raises(ValueError, match="expected a CSV file in UTF-8"):
        medical(tmp_path / "table.csv")
    with pytest.raises(FileNotFoundError):
        medical(tmp_path / "nowhere.csv")


def test_another_table_is_told_from_the_papers(tmp_path: Path) -> None:
    (text,) = describe(medical=str(written(tmp_path, MEDICAL_ROWS)))
    assert "d          17" in text and "NOT those of insurance.csv" in text and re.search(r"always on +4\n", text)
    assert list(describe()) == []


# Names and arguments


@pytest.mark.parametrize(
    "problem",
    [crossing(20), sign_flip(20, 4), paths(20), synthetic_paper("min", 20, order=2), streak(20), fair_coins(20, 3), cross(20), rnd(20), rare(20), alt(20)],
    ids=str,
)
def test_the_name_makes_the_instance_again(problem: Any) -> None:
    assert eval(repr(problem), vars(groupwise)) == problem


def test_the_name_of_a_table_makes_it_again(tmp_path: Path) -> None:
    path = written(tmp_path, MEDICAL_ROWS)
    problems: list[Any] = [medical(path), medical(path, 3, {"age": (0, 100)}), medical(path, "age")]
    assert [eval(repr(problem), vars(groupwise)) for problem in problems] == problems
    problem = adult(written(tmp_path, ADULT_ROWS), 2)
    assert eval(repr(problem), vars(groupwise)) == problem


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: crossing(0), "T: .*got 0"),
        (lambda: sign_flip(10, -1), "seed: .*got -1"),
        (lambda: paths(10, K=0), "K: .*got 0"),
        (lambda: synthetic_paper("median"), "kind: expected one of 'mean', .*got 'median'"),
        (lambda: fair_coins(10, 0), "n: .*got 0"),
    ],
)
def test_bad_arguments(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_the_published_tables_have_the_groups() -> None:
    assert tuple(PUBLISHED["medical"]) == MEDICAL_GROUPS and tuple(PUBLISHED["adult"]) == ADULT_GROUPS
    assert [len(FACTS[name][2]) for name in ("medical", "adult")] == [12, 13]
    assert [name for name in inspect.signature(describe).parameters] == list(SOURCES)
