"""The command line, on a toy paper that moves into every floor of the house for the time of a test."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import theoryrl
from theoryrl.cli import main

ROOT = Path(__file__).resolve().parent.parent
FLOORS = ("theoryrl.algorithms", "theoryrl.proofs", "envs_synthetic", "paper_figs")

COINS = {
    "algorithms": '''
        """Each toss costs the bias of the coin."""
        import dataclasses, time
        from theoryrl.algorithms.run import Algorithm
        from theoryrl.problems import Problem

        @dataclasses.dataclass(frozen=True, eq=False, repr=False)
        class Coin(Problem):
            bias: float

        @dataclasses.dataclass(frozen=True)
        class Toss(Algorithm):
            """Toss the coin [bold] once a round."""

            claim: float = 0.9
            pause: float = 0.0
            variant: tuple = ()

            def __post_init__(self):
                if self.claim < 0:
                    raise ValueError(f"claim: expected a positive number, got {self.claim}")

            def start(self, problem, n, rng):
                if not isinstance(problem, Coin):
                    raise TypeError(f"problem: expected a Coin, got {type(problem).__name__}")
                return {"regret": 0.0}

            def advance(self, problem, state, k, trace):
                time.sleep(self.pause)
                state["regret"] += k * problem.bias
                return k

            def measure(self, problem, state, trace):
                if self.claim == 77:
                    raise ValueError("a bug of ours")
                return {"regret": state["regret"]}

        class Twice(Toss):
            """Has two theorems."""

        @dataclasses.dataclass(frozen=True)
        class Again(Toss):
            """Toss as another does."""

            claim: object = Toss()
            faces: object = None

            def __post_init__(self):
                if not isinstance(self.claim, Toss):
                    raise TypeError(f"claim: expected a Toss, got {type(self.claim).__name__}")
                object.__setattr__(self, "claim", self.claim.claim)
    ''',
    "proofs": '''
        from theoryrl.algorithms.coins import Toss, Twice
        from theoryrl.proofs.theorem import Assumption, Line, Proof, theorem

        def fair(algorithm, problem, n):
            return [Assumption("no coin is worse than fair", problem.bias <= 0.5, f"bias {problem.bias}")]

        def regret(run):
            lines = [Line("L0", "regret", run.regret, "surely"), Line("L1", "bound", run.algorithm.claim * run.checkpoints)]
            return Proof({"regret": lines}, [], 1.0 * run.checkpoints)

        theorem(for_=Toss, id="one", paper="coins", source="a coin", assumptions=fair)(regret)
        theorem(for_=Twice, id="two", paper="coins", source="two coins")(regret)
    ''',
    "envs_synthetic": '''
        from __future__ import annotations
        from collections.abc import Callable
        from pathlib import Path
        from typing import TYPE_CHECKING
        from theoryrl.algorithms.coins import Coin
        from theoryrl.problems import ModelClass, Problem

        if TYPE_CHECKING:
            import pandas

        class Other(Problem): ...

        def coin(bias: float = 0.5) -> Coin:
            """Return a coin."""
            return Coin(bias, name=f"coin(bias={bias})")

        def no_coin() -> Other:
            """Return something else."""
            return Other()

        def urn(low: float = 0.25) -> Callable[[int], Coin]:
            """Return the law of a coin."""
            def draw(seed: int) -> Coin:
                return coin(low + seed / 100)
            draw.__name__ = f"urn(low={low})"
            return draw

        def sides(n: int = 2) -> ModelClass:
            """Return what a coin may be."""
            return ModelClass([[[[[1.0]]]]] * n)

        def table() -> list[float]:
            """Not an instance."""
            return []

        def frame() -> pandas.DataFrame:
            """Not an instance either."""

        def rule() -> Callable[[str], Coin]:
            """Not a prior: it wants a name."""

        def _private() -> Coin:
            return coin()

        def describe(*, purse: str | None = None, hoard: str | None = None):
            for name, path in (("purse", purse), ("hoard", hoard)):
                if path is not None:
                    coins = Path(path).read_text()
                    if "1" not in coins:
                        raise ValueError(f"{path}, row 1: expected a 1, got {coins!r}")
                    yield f"{name}: {len(coins)} coins"
    ''',
    "paper_figs": '''
        import os, time
        import matplotlib.pyplot as plt
        from paper_figs.drawing import Drawing

        def draw(scale):
            figure, axes = plt.subplots()
            axes.plot([0, 1], [0, 1])
            return Drawing(figure, f"A line at {scale} scale.")

        def slow(scale):
            time.sleep(float(os.environ.get("COINS_PAUSE", 0)))
            drawing = draw(scale)
            return Drawing(drawing.figure, f"{drawing.caption} Purse: {os.environ.get('THEORYRL_PURSE')}.")

        FIGURES = {"first": draw, "second": slow}
    ''',
}

# Moves the toy paper in, then runs the command; a shell that started pytest in the background ignores SIGINT for its children.
MOVE_IN = f"""
import signal, sys
from importlib import import_module
signal.signal(signal.SIGINT, signal.default_int_handler)
house, *arguments = sys.argv[1:]
for floor in {FLOORS!r}:
    import_module(floor).__path__.append(house + "/" + floor.split(".")[-1])
from theoryrl.cli import main
sys.exit(main(arguments))
"""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    for floor, source in COINS.items():
        (tmp_path / "house" / floor).mkdir(parents=True)
        (tmp_path / "house" / floor / "coins.py").write_text(textwrap.dedent(source), "utf-8")
    return tmp_path / "house"


@pytest.fixture
def coins(house: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The toy paper beside the others; it leaves no module and no theorem behind."""
    from theoryrl.proofs.theorem import registry

    for floor in FLOORS:
        package = import_module(floor)
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(house / floor.split(".")[-1])])
    yield
    for floor in FLOORS:
        sys.modules.pop(f"{floor}.coins", None)
        vars(import_module(floor)).pop("coins", None)
    registry[:] = [theorem for theorem in registry if theorem.paper != "coins"]


def rejected(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the one line of error that bad input gives."""
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"error: [^\n]+\n", err), err
    return err.strip()


# The line itself


def test_version_and_help_import_nothing_heavy():
    script = """
import sys
from theoryrl.cli import main
for option in ("--version", "--help"):
    try:
        main([option])
    except SystemExit as stopped:
        assert stopped.code == 0
assert not {"numpy", "numba", "matplotlib", "rich"} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"theoryrl {theoryrl.__version__}\n")


def test_console_script():
    done = subprocess.run([Path(sys.executable).with_name("theoryrl"), "certify", "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "exit codes" in done.stdout and "vacuous" in done.stdout and "130" in done.stdout


@pytest.mark.parametrize("arguments", [[], ["draw"], ["certify"], ["certify", "Toss()", "coin()"], ["list", "--all"]])
def test_unreadable_line(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "\nerror: " in capsys.readouterr().err


# list


@pytest.mark.usefixtures("coins")
def test_list_is_plain_lines_when_piped(capsys: pytest.CaptureFixture[str]):
    assert main(["list"]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [row for row in rows if row[0] == "coins"] == [
        ["coins", "algorithm", "Toss", "Toss the coin [bold] once a round."],
        ["coins", "algorithm", "Twice", "Has two theorems."],
        ["coins", "algorithm", "Again", "Toss as another does."],
        ["coins", "theorem", "one", "Theorem one (a coin), about Toss"],
        ["coins", "theorem", "two", "Theorem two (two coins), about Twice"],
        ["coins", "instance", "coin(bias=0.5)", "Return a coin."],
        ["coins", "instance", "no_coin()", "Return something else."],
        ["coins", "prior", "urn(low=0.25)", "Return the law of a coin."],
        ["coins", "hypotheses", "sides(n=2)", "Return what a coin may be."],
    ]
    assert ["cascading", "algorithm", "CascadingVI"] in [row[:3] for row in rows]
    assert ["cascading", "instance", "hidden_gem(n_items=2, list_length=1, horizon=2)"] in [row[:3] for row in rows]
    assert not [row for row in rows if row[2].startswith(("_", "Algorithm", "synthetic_ratings"))]
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)


@pytest.mark.usefixtures("coins")
def test_list_is_a_table_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert "━" in out and "Toss the coin [bold] once a round." in out


def test_a_reader_that_leaves_is_no_error():
    command = [sys.executable, "-c", "import sys; from theoryrl.cli import main; sys.exit(main(['list']))"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141


# data


@pytest.fixture
def purse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A table of the toy paper; none is in the environment."""
    for name in ("PURSE", "HOARD", "MEDICAL", "ADULT"):
        monkeypatch.delenv(f"THEORYRL_{name}", raising=False)
    (tmp_path / "purse").write_text("11 5", "utf-8")
    return str(tmp_path / "purse")


@pytest.mark.usefixtures("coins")
def test_data_describes_the_tables_given(purse: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    assert main(["data", "coins", "--purse", purse]) == 0
    assert capsys.readouterr().out == "purse: 4 coins\n"
    monkeypatch.setenv("THEORYRL_HOARD", purse)
    assert main(["data", "coins", "--purse", purse]) == 0
    assert capsys.readouterr().out == "purse: 4 coins\n\nhoard: 4 coins\n"


@pytest.mark.usefixtures("coins")
def test_data_rejects_bad_input(purse: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    none = "error: data: expected --purse PATH or --hoard PATH, got none (nor THEORYRL_PURSE or THEORYRL_HOARD in the environment)"
    assert rejected(capsys, "data", "coins") == none
    missing = str(tmp_path / "missing")
    unreadable = f"error: hoard: expected a file that can be read, got {missing!r} (No such file or directory)"
    assert rejected(capsys, "data", "coins", "--purse", purse, "--hoard", missing) == unreadable
    assert "(Is a directory)" in rejected(capsys, "data", "coins", "--hoard", str(tmp_path))
    empty = tmp_path / "empty"
    empty.write_text("")
    assert rejected(capsys, "data", "coins", "--purse", purse, "--hoard", str(empty)) == f"error: {empty}, row 1: expected a 1, got ''"


@pytest.mark.usefixtures("coins")
@pytest.mark.parametrize("arguments", [["data"], ["data", "coin"], ["data", "cascading"], ["data", "coins", "--medical", "x"]])
def test_data_knows_papers_and_their_tables(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "\nerror: " in capsys.readouterr().err


def test_data_groupwise(purse: str, capsys: pytest.CaptureFixture[str]):
    rows = ("age,sex,bmi,children,smoker,region,charges", "19,female,27.9,0,yes,north,16884.924", "18,male,33.77,one,no,south,1725.5523")
    Path(purse).write_text("\n".join(rows), "utf-8")
    error = rejected(capsys, "data", "groupwise", "--medical", purse)
    assert error == f"error: {purse}, row 3, column 4 (children): expected a number, got 'one'"


# certify


@pytest.mark.usefixtures("coins")
@pytest.mark.parametrize(
    ("algorithm", "problem", "code", "verdict"),
    [
        ("Toss()", "coin()", 0, "not violated"),
        ("Toss(0.1)", "coin(bias=5e-1)", 1, "violated"),
        ("coins.Toss(claim=2, variant=(-1, 'a'))", "coins.coin()", 3, "vacuous"),
        ("Toss()", "coin(.75)", 4, "not applicable"),
        ("Toss()", "coin(-0.5)", 0, "not violated"),
        ("Again(Toss(.1))", "coin()", 1, "violated"),
        ("Again(claim=Again(coins.Toss(claim=2)), faces=sides(n=3))", "coin()", 3, "vacuous"),
        ("Toss()", "urn()", 0, "not violated"),
        ("Toss()", "coins.urn(low=.75)", 4, "not applicable"),
    ],
)
def test_certify_verdicts(algorithm: str, problem: str, code: int, verdict: str, capsys: pytest.CaptureFixture[str]):
    assert main(["certify", algorithm, problem, "-n", "1e3", "--seeds", "3"]) == code
    out, err = capsys.readouterr()
    assert f"\nverdict: {verdict}" in out and "n = 1,000, 3 seeds" in out
    assert err.strip() == ""  # older versions of rich end a silent progress bar with an empty line


@pytest.mark.usefixtures("coins")
def test_certify_chooses_a_theorem(capsys: pytest.CaptureFixture[str]):
    assert main(["certify", "Twice()", "coin()", "-n", "10", "--seeds", "1", "--theorem", "two"]) == 0
    assert capsys.readouterr().out.startswith("Theorem two (two coins)\n")
    several = rejected(capsys, "certify", "Twice()", "coin()", "-n", "10", "--seeds", "1")
    assert "coins one" in several and "coins two" in several
    assert "(one), got 'two'" in rejected(capsys, "certify", "Toss()", "coin()", "-n", "10", "--theorem", "two")


@pytest.mark.usefixtures("coins")
@pytest.mark.parametrize(
    ("algorithm", "problem", "error"),
    [
        ("Tos()", "coin()", "error: algorithm: expected a known name, such as Toss, got 'Tos'"),
        ("Algorithm()", "coin()", "error: algorithm: expected a known name, such as .*, got 'Algorithm'"),
        ("Toss", "coin()", r"error: algorithm: expected a call whose arguments are literals or such calls, such as .*, got 'Toss'"),
        ("Toss(", "coin()", "error: algorithm: expected a call whose arguments are literals or such calls, .*"),
        ("", "coin()", "error: algorithm: expected a call whose arguments are literals or such calls, .*"),
        ("Toss(1 + one)", "coin()", "error: algorithm: expected a call whose arguments are literals or such calls, .*"),
        ("Toss(open('x'))", "coin()", "error: algorithm: expected a known name, such as .*, got 'open'"),
        ("Again(Tos())", "coin()", "error: algorithm: expected a known name, such as Toss, got 'Tos'"),
        ("Again(Toss)", "coin()", r"error: algorithm: expected a call whose arguments are literals or such calls, .*, got 'Again\(Toss\)'"),
        ("Again(Toss(1)())", "coin()", r"error: algorithm: expected a call whose arguments are literals or such calls, .*, got 'Toss\(1\)\(\)'"),
        ("Again(Toss(clam=1))", "coin()", r"error: algorithm: expected Toss\(.*\), got 'Toss\(clam=1\)': got an unexpected keyword argument 'clam'"),
        ("Again(Toss(claim=-1))", "coin()", "error: claim: expected a positive number, got -1"),
        ("Again(coin())", "coin()", "error: claim: expected a Toss, got Coin"),
        ("Again(rule())", "coin()", "error: algorithm: expected a known name, such as .*, got 'rule'"),
        ("Toss(**{'claim': 1})", "coin()", "error: algorithm: expected a call whose arguments are literals or such calls, .*"),
        ("Toss(*[1])", "coin()", "error: algorithm: expected a call whose arguments are literals or such calls, .*"),
        ("Toss()()", "coin()", "error: algorithm: expected a call whose arguments are literals or such calls, .*"),
        ("Toss(clam=1)", "coin()", r"error: algorithm: expected Toss\(claim=0.9, pause=0.0, variant=\(\)\), got .*: got an unexpected keyword argument 'clam'"),
        ("Toss(claim=-1)", "coin()", "error: claim: expected a positive number, got -1"),
        ("Toss(claim='a')", "coin()", "error: .*"),
        ("CascadingVI(delta=2)", "coin()", r"error: delta: expected a number in \(0, 1\), got 2"),
        ("Toss()", "_private()", "error: problem: expected a known name, such as .*, got '_private'"),
        ("Toss()", "table()", "error: problem: expected a known name, such as .*, got 'table'"),
        ("Toss()", "no_coin()", "error: problem: expected a Coin, got Other"),
        ("Toss()", "sides()", "error: problem: expected a known name, such as .*, got 'sides'"),
        ("Toss()", "frame()", "error: problem: expected a known name, such as .*, got 'frame'"),
        ("Toss()", "from_ratings('no/such.csv')", r"error: problem: expected a call that can be carried out, got .*no/such.csv.*"),
    ],
)
def test_certify_rejects_a_bad_call(algorithm: str, problem: str, error: str, capsys: pytest.CaptureFixture[str]):
    assert re.fullmatch(error, rejected(capsys, "certify", algorithm, problem, "-n", "10"))


@pytest.mark.usefixtures("coins")
@pytest.mark.parametrize(("option", "value"), [*(("n", value) for value in ("0", "-5", "ten", "1.5", "nan", "1e20", "1e400")), ("seeds", "0"), ("seeds", "-1")])
def test_certify_rejects_a_bad_number(option: str, value: str, capsys: pytest.CaptureFixture[str]):
    numbers = {"n": "10", "seeds": "2"} | {option: value}
    error = rejected(capsys, "certify", "Toss()", "coin()", "-n", numbers["n"], "--seeds", numbers["seeds"])
    assert error.startswith(f"error: {option}: expected an integer")


@pytest.mark.parametrize(
    ("algorithm", "problem", "error"),
    [
        ("MEX(treasure_clas())", "treasure()", "error: algorithm: expected a known name, such as treasure_class, .*, got 'treasure_clas'"),
        ("MEX(treasure())", "treasure()", "error: hypotheses: expected a ModelClass or a ValueClass, got EpisodicMDP"),
        ("MEX(near_truth(random_mdp(2, 3), 1))", "treasure()", r"error: algorithm: expected random_mdp\(H, S, A, seed=0\), got 'random_mdp\(2, 3\)': .*"),
        ("MEX(treasure_class())", "lock()", "error: hypotheses: expected a class about problems of shape .*"),
        ("MEX(treasure_class())", "treasure_class()", "error: problem: expected a known name, such as .*, got 'treasure_class'"),
        ("PSRL()", "dirichlet_prior(0)", r"error: S: expected an integer in \[1, inf\], got 0"),
    ],
)
def test_nested_calls_of_the_library_are_checked(algorithm: str, problem: str, error: str, capsys: pytest.CaptureFixture[str]):
    assert re.fullmatch(error, rejected(capsys, "certify", algorithm, problem, "-n", "10"))


def test_nested_calls_of_the_library_are_carried_out(capsys: pytest.CaptureFixture[str]):
    assert main(["certify", "DoublingMEX(MEX(treasure_class(n_actions=3)))", "treasure(3)", "-n", "10", "--seeds", "2"]) == 3
    assert "DoublingMEX(MEX(hypotheses=treasure_class(n_actions=3, hi=0.9, lo=0.1))) on treasure(n_actions=3," in capsys.readouterr().out
    assert main(["certify", "PSRL()", "dirichlet_prior(2, 2, 2)", "-n", "10", "--seeds", "2"]) == 3
    assert "PSRL() on dirichlet_prior(S=2, A=2, H=2," in capsys.readouterr().out


def test_certify_takes_requirements_and_rules(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["certify", "GOSPRL(only(ring(), -1, 3))", "ring()", "-n", "1000", "--seeds", "2"]) in (0, 3)
    assert "GOSPRL(requirement=((0, 0), (0, 0), (3, 0)))" in capsys.readouterr().out
    assert main(["certify", "GOSPRL(Modest(1.5))", "ring()", "-n", "10000", "--seeds", "2", "--theorem", "modest"]) == 0
    assert "MODEST (model estimation)" in capsys.readouterr().out
    assert main(["certify", "GOSPRL(Treasure())", "ring()", "-n", "10000", "--seeds", "2", "--theorem", "modest"]) == 4
    assert "the requirement is Modest" in capsys.readouterr().out


@pytest.mark.usefixtures("coins")
def test_an_ambiguous_name_is_listed(house: Path, capsys: pytest.CaptureFixture[str]):
    (house / "envs_synthetic" / "tokens.py").write_text("from theoryrl.algorithms.coins import Coin\ndef coin() -> Coin: ...\n", "utf-8")
    try:
        assert rejected(capsys, "certify", "Toss()", "coin()", "-n", "10") == "error: problem: expected one of coins.coin, tokens.coin, got 'coin'"
    finally:
        del sys.modules["envs_synthetic.tokens"]


@pytest.mark.usefixtures("coins")
def test_a_bug_is_not_a_verdict(capsys: pytest.CaptureFixture[str]):
    """A ValueError from inside a run is no bad input, and exit code 1 would say "violated"."""
    assert main(["certify", "Toss(claim=77)", "coin()", "-n", "10", "--seeds", "1"]) == 70
    assert "Traceback" in capsys.readouterr().err


# figures


@pytest.mark.usefixtures("coins")
def test_figures_are_saved_with_their_captions(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["figures", "coins", "--scale", "full", "--out", str(tmp_path / "out")]) == 0
    folder = tmp_path / "out" / "coins"
    assert sorted(path.name for path in folder.iterdir()) == [f"{name}.{kind}" for name in ("first", "second") for kind in ("pdf", "png", "txt")]
    assert (folder / "first.txt").read_text() == "A line at full scale.\n"
    assert (folder / "first.png").read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out.split() == [str(folder / "first.png"), str(folder / "second.png")]


@pytest.mark.usefixtures("coins")
def test_figures_find_tables_in_the_environment(purse: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    line, caption = ["figures", "coins", "--out", str(tmp_path / "out")], tmp_path / "out" / "coins" / "second.txt"
    for before in (None, "/before"):
        if before:
            monkeypatch.setenv("THEORYRL_PURSE", before)
        assert main([*line, "--purse", purse]) == 0
        assert caption.read_text().endswith(f" Purse: {purse}.\n")
        assert os.environ.get("THEORYRL_PURSE") == before
    capsys.readouterr()
    assert "purse: expected a file that can be read, got '/before'" in rejected(capsys, *line)
    monkeypatch.delenv("THEORYRL_PURSE")
    assert main(line) == 0
    assert caption.read_text().endswith(" Purse: None.\n")


@pytest.mark.usefixtures("coins")
def test_figures_reject_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = ("--out", str(tmp_path / "out"))
    assert rejected(capsys, "figures", "coin", *out) == "error: PAPER: expected a known name, such as coins, got 'coin'"
    assert rejected(capsys, "figures", "coins", "--scale", "big", *out) == "error: scale: expected one of 'quick', 'full', got 'big'"
    missing = tmp_path / "no" / "out"
    assert rejected(capsys, "figures", "coins", "--out", str(missing)) == f"error: out: the folder {str(missing.parent)!r} does not exist"
    (tmp_path / "file").write_text("")
    assert rejected(capsys, "figures", "coins", "--out", str(tmp_path / "file")).startswith("error: out: expected a folder that can be written, got")
    assert not (tmp_path / "out").exists()


def test_figures_need_a_checkout(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setitem(sys.modules, "paper_figs", None)
    assert "expected a checkout" in rejected(capsys, "figures")


# Ctrl-C


def test_interrupted_before_anything_finished(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("theoryrl.cli._algorithms", interrupt)
    assert main(["list"]) == 130
    assert capsys.readouterr().err == "interrupted: nothing had finished\n"


@pytest.mark.fault
def test_interrupted_certify_prints_the_finished_seeds(house: Path):
    """Its stderr is a terminal, whose progress bar tells when the first seed has finished."""
    terminal, stderr = pty.openpty()
    command = [sys.executable, "-c", MOVE_IN, house, "certify", "Toss(pause=0.1)", "coin()", "-n", "10", "--seeds", "1000"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=stderr, text=True, env=os.environ | {"TERM": "xterm", "COLUMNS": "120"}) as process:
        os.close(stderr)
        shown = b""
        while not re.search(rb"[1-9]\d*/1000", shown):
            shown += os.read(terminal, 4096)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    os.close(terminal)
    assert process.returncode == 130
    assert "verdict: not violated" in out and "interrupted: the seeds that had finished are counted" in out


@pytest.mark.fault
def test_interrupted_figures_are_kept(house: Path, tmp_path: Path):
    command = [sys.executable, "-c", MOVE_IN, house, "figures", "coins", "--out", tmp_path / "out"]
    environment = os.environ | {"COINS_PAUSE": "600"}
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == str(tmp_path / "out" / "coins" / "first.png")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == f"interrupted: 1 of 2 figures finished and kept in {tmp_path / 'out'}: coins/first\n"
    assert sorted(path.name for path in (tmp_path / "out" / "coins").iterdir()) == ["first.pdf", "first.png", "first.txt"]
