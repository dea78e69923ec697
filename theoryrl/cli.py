"""The command ``theoryrl``: list what there is, check tables, draw the figures of a paper, certify an algorithm on an instance.

Papers, algorithms, theorems, instances and figures are found by walking the floors of the house, where a paper has the
same name everywhere.  Nothing heavy is imported before a command runs.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import difflib
import inspect
import os
import pkgutil
import sys
import traceback
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, get_args, get_origin, get_type_hints

import theoryrl

if TYPE_CHECKING:
    from types import ModuleType

    from rich.progress import Progress

    from theoryrl.proofs import Theorem

BAD_INPUT, BUG, INTERRUPTED, CLOSED_PIPE = 2, 70, 130, 141  # the last two as a shell counts SIGINT and SIGPIPE
MAX_N = 2**53  # beyond, a step is no longer exact as a float
VERDICTS = {"not violated": 0, "violated": 1, "vacuous": 3, "not applicable": 4}

EXIT_CODES = f"""\
exit codes of certify:
  0    not violated
  1    violated: a step of the proof that must hold does not, or an event fails too often
  {BAD_INPUT}    bad input; nothing was run
  3    vacuous: no violation, but the bound is above the largest possible value
  4    not applicable: an assumption of the theorem fails
  {INTERRUPTED}  interrupted by Ctrl-C; the certificate over the finished seeds is printed

exit codes of sweep:
  0    all runs are in the store
  1    some runs failed or ran into the time limit; the others are in the store
  {BAD_INPUT}    bad input, or a store that cannot be written
  {INTERRUPTED}  stopped by Ctrl-C; what had finished is in the store, and what had not goes on from where it was saved

exit codes of list, data, figures and collect:
  0    done
  {BAD_INPUT}    bad input; nothing was drawn or printed
  {INTERRUPTED}  interrupted by Ctrl-C; the finished figures are kept

Any command exits with {BUG} after an error of its own, with a traceback, and with {CLOSED_PIPE} when its reader has left.
"""


class BadInput(Exception):
    """What the user gave cannot be used; the message names the argument, what was expected and what came."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code (``theoryrl --help`` lists the codes).

    Parameters
    ----------
    argv : sequence of str, optional
        Default: ``sys.argv[1:]``.

    Raises
    ------
    SystemExit
        After ``--help`` and ``--version``, and with code 2 on a line that cannot be parsed.
    """
    arguments = _parser().parse_args(argv)
    try:
        code = int(arguments.command(arguments))
        sys.stdout.flush()
        return code
    except BadInput as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("interrupted: nothing had finished", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader has left, as in `theoryrl list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE
    except Exception:  # Python's own exit code for a traceback, 1, would read as "violated"
        traceback.print_exc()
        return BUG


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(BAD_INPUT, f"error: {message}\n")


def _parser() -> argparse.ArgumentParser:
    look: dict[str, Any] = {"epilog": EXIT_CODES, "formatter_class": argparse.RawDescriptionHelpFormatter}
    parser = _Parser(prog="theoryrl", description="Provable learning algorithms, exactly as published, with their proofs as tests.", **look)
    parser.add_argument("--version", action="version", version=f"theoryrl {theoryrl.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    listing = commands.add_parser("list", help="papers, their algorithms, theorems and instances (tab-separated lines if piped)")
    listing.set_defaults(command=_list)

    tables = _tables()
    data = commands.add_parser("data", help="check the tables that you have for a paper, and say what they hold", **look)
    papers = data.add_subparsers(metavar="PAPER", required=True)
    for paper, names in tables.items():
        of_paper = papers.add_parser(paper, help=f"tables {', '.join(names)}", **look)
        for name in names:
            of_paper.add_argument(f"--{name}", metavar="PATH", help=f"default: the environment variable {_variable(name)}")
        of_paper.set_defaults(command=_data, paper=paper, tables=names)

    figures = commands.add_parser("figures", help="draw the figures of papers, as PNG and PDF with a caption (needs a checkout)", **look)
    figures.add_argument("papers", metavar="PAPER", nargs="*", help="default: all")
    figures.add_argument("--scale", metavar="{quick,full}", default="quick", help="default: quick")
    figures.add_argument("--out", metavar="DIR", help="write DIR/PAPER/NAME.png, .pdf and .txt (default: paper_figs/out in the checkout)")
    for paper, names in tables.items():
        for name in names:
            figures.add_argument(f"--{name}", metavar="PATH", help=f"table for the figures of {paper} (default: the environment variable {_variable(name)})")
    figures.set_defaults(command=_figures, tables=[name for names in tables.values() for name in names])

    certify = commands.add_parser("certify", help="run an algorithm on an instance over many seeds and test its theorem's proof", **look)
    calls = "a call whose arguments are literals or such calls, such as"
    certify.add_argument("algorithm", help=f"{calls} \"CascadingVI(variant='explicit')\" or \"MEX(treasure_class())\"")
    certify.add_argument("problem", help=f'{calls} "hidden_gem(n_items=2, list_length=1, horizon=2)"; or a prior, whose seeds draw an instance each')
    certify.add_argument("-n", metavar="N", required=True, help="horizon, such as 1e5")
    certify.add_argument("--seeds", metavar="COUNT", default="20", help="run the seeds 0, 1, ..., COUNT - 1 (default: 20)")
    certify.add_argument("--theorem", metavar="ID", help="default: the one theorem about the algorithm")
    certify.add_argument("--report", metavar="PAGE.html", help="also write a page that shows the proof, and PAGE.json beside it")
    certify.set_defaults(command=_certify)

    sweep = commands.add_parser("sweep", help="run algorithms x problems x seeds, as a TOML file declares, into a store that survives anything", **look)
    sweep.add_argument("file", metavar="FILE", help="a table with algorithms, problems, seeds and n, such as the README's")
    sweep.add_argument("--backend", metavar="{threads,processes,dask}", default="threads", help="default: threads")
    sweep.add_argument("--scheduler", metavar="ADDRESS", help="a running Dask scheduler, such as tcp://host:8786 (default: one on this machine)")
    sweep.add_argument("--jobs", metavar="N", help="number of workers (default: all cores)")
    sweep.add_argument("--status", action="store_true", help="only say how far it is")
    sweep.set_defaults(command=_sweep)

    collect = commands.add_parser("collect", help="make a table of the finished runs of a sweep, also while it still runs (needs pandas)", **look)
    collect.add_argument("file", metavar="FILE", help="the sweep's")
    collect.add_argument("--out", metavar="CSV", help="default: the sweep's name with .csv")
    collect.add_argument("--report", metavar="PAGE.html", help="also write a page: status, final values, plots, paired comparisons, failures")
    collect.set_defaults(command=_collect)
    return parser


# What there is: the floors are walked, and a paper is a module or folder of the same name on each.


def _modules(package: str) -> Iterator[tuple[str, ModuleType]]:
    """Import all modules below `package`; yield each with the paper that it belongs to."""
    for found in pkgutil.walk_packages(import_module(package).__path__, f"{package}."):
        yield found.name.removeprefix(f"{package}.").partition(".")[0], import_module(found.name)


def _public(package: str, wanted: Callable[[Any], bool]) -> dict[str, Any]:
    """Return what the modules of `package` define under public names and `wanted` accepts, by "paper.name"."""
    return {
        f"{paper}.{name}": value
        for paper, module in _modules(package)
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__ and wanted(value)
    }


def _algorithms() -> dict[str, Any]:
    from theoryrl.algorithms import Algorithm

    return _public("theoryrl.algorithms", lambda value: inspect.isclass(value) and issubclass(value, Algorithm) and not inspect.isabstract(value))


def _rules() -> dict[str, Any]:
    """Return the rules by which GOSPRL can be asked for samples."""
    from theoryrl.algorithms.gosprl.rules import PairingRule

    return _public("theoryrl.algorithms", lambda value: inspect.isclass(value) and issubclass(value, PairingRule) and not inspect.isabstract(value))


def _made(*kinds: str) -> dict[str, Any]:
    """Return the public functions of envs_synthetic that are annotated to return one of these kinds of thing."""
    return _public("envs_synthetic", lambda value: _kind(value) in kinds)


def _kind(function: Any) -> str | None:
    """Return what a function is annotated to make: an "instance" (a Problem), a "prior" (from a seed to one), "hypotheses" (a class of them), or None.

    An array that is made for a `problem` is a "requirement".
    """
    import numpy as np

    from theoryrl.problems import ModelClass, Problem, ValueClass

    if not inspect.isfunction(function):
        return None
    returned = types.SimpleNamespace(__annotations__={"return": function.__annotations__.get("return")})
    try:
        kind = get_type_hints(returned, function.__globals__)["return"]
    except NameError:  # imported for the type checker only
        return None
    prior = get_origin(kind) is Callable and get_args(kind)[0] == [int]
    if prior:
        kind = get_args(kind)[1]
    if not inspect.isclass(kind):
        return None
    if issubclass(kind, np.ndarray) and "problem" in inspect.signature(function).parameters:
        return "requirement"
    if issubclass(kind, Problem):
        return "prior" if prior else "instance"
    return "hypotheses" if issubclass(kind, (ModelClass, ValueClass)) and not prior else None


def _theorems() -> list[Theorem]:
    from theoryrl.proofs import registry

    for _ in _modules("theoryrl.proofs"):  # a theorem registers when its module is imported
        pass
    return registry


def _list(arguments: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table

    rows = [(*key.split("."), "algorithm", _first_line(value)) for key, value in _algorithms().items()]
    rows += [(t.paper, t.id, "theorem", f"{t.title}, about {t.algorithm.__name__}") for t in _theorems()]
    rows += [(*key.split("."), "rule", _first_line(value)) for key, value in _rules().items()]
    for kind in ("instance", "prior", "hypotheses", "requirement"):
        rows += [(*(key + _parameters(value)).split(".", 1), kind, _first_line(value)) for key, value in _made(kind).items()]
    rows.sort(key=lambda row: row[0])
    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        for paper, name, kind, about in rows:
            print(paper, kind, name, about, sep="\t")
        return 0
    table = Table("paper", "kind", "name", "what it is")
    for i, (paper, name, kind, about) in enumerate(rows):
        last_of_kind = i + 1 < len(rows) and (rows[i + 1][0], rows[i + 1][2]) != (paper, kind)
        table.add_row(paper, kind, name, about, end_section=last_of_kind)
    console.print(table)
    return 0


def _first_line(value: Any) -> str:
    return (value.__doc__ or "").strip().partition("\n")[0]


def _parameters(function: Any) -> str:
    """Return the signature of `function` without its annotations."""
    signature = inspect.signature(function)
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))


# Tables that the user has: the keyword arguments of `describe` in the paper's file of envs_synthetic.


def _tables() -> dict[str, list[str]]:
    """Return the names of each paper's tables, read off the source: the line must parse before anything heavy is imported."""
    tables = {}
    for found in pkgutil.iter_modules(import_module("envs_synthetic").__path__):
        spec = find_spec(f"envs_synthetic.{found.name}")
        if spec is None or not (spec.origin or "").endswith(".py"):
            continue
        for node in ast.parse(Path(str(spec.origin)).read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name == "describe":
                tables[found.name] = [argument.arg for argument in node.args.kwonlyargs]
    return tables


def _variable(table: str) -> str:
    return f"THEORYRL_{table.upper()}"


def _given(arguments: argparse.Namespace) -> dict[str, str]:
    """Return the paths of the tables that are given on the line or, where not, by an environment variable."""
    paths = {name: getattr(arguments, name) or os.environ.get(_variable(name)) for name in arguments.tables}
    given = {name: path for name, path in paths.items() if path}
    for name, path in given.items():
        try:
            open(path, "rb").close()
        except OSError as error:
            raise BadInput(f"{name}: expected a file that can be read, got {path!r} ({error.strerror})") from None
    return given


def _data(arguments: argparse.Namespace) -> int:
    given = _given(arguments)
    if not given:
        options, variables = (" or ".join(map(shown, arguments.tables)) for shown in ("--{} PATH".format, _variable))
        raise BadInput(f"data: expected {options}, got none (nor {variables} in the environment)")
    describe = import_module(f"envs_synthetic.{arguments.paper}").describe
    with _bad_input():
        texts = list(describe(**given))
    print("\n\n".join(texts))
    return 0


@contextlib.contextmanager
def _environment(tables: Mapping[str, str]) -> Iterator[None]:
    """Set the environment variables of these tables, where figures look for them (worker processes inherit them)."""
    before = {_variable(name): os.environ.get(_variable(name)) for name in tables}
    os.environ.update({_variable(name): path for name, path in tables.items()})
    try:
        yield
    finally:
        for variable, value in before.items():
            if value is None:
                del os.environ[variable]
            else:
                os.environ[variable] = value


# Figures.


def _figures(arguments: argparse.Namespace) -> int:
    import matplotlib

    from theoryrl import validate

    matplotlib.use("Agg")
    given = _given(arguments)
    with _bad_input():
        scale = validate.one_of("scale", arguments.scale, ("quick", "full"))
        tables, default_out = _figure_tables()
        papers = [_named("PAPER", paper, tables) for paper in dict.fromkeys(arguments.papers)] or list(tables)
        out = _folder(Path(arguments.out or default_out), papers)
    tasks = [(paper, name, draw) for paper in papers for name, draw in tables[paper].items()]
    finished: list[str] = []
    try:
        with _progress() as progress, _environment(given):
            bar = progress.add_task("", total=len(tasks))
            for paper, name, draw in tasks:
                progress.update(bar, description=f"{paper}/{name}")
                _save(draw(scale), out / paper / name)
                finished.append(f"{paper}/{name}")
                progress.advance(bar)
                print(out / paper / f"{name}.png", flush=True)
    except KeyboardInterrupt:
        kept = f" and kept in {out}: {', '.join(finished)}" if finished else ""
        print(f"interrupted: {len(finished)} of {len(tasks)} figures finished{kept}", file=sys.stderr)
        return INTERRUPTED
    return 0


def _figure_tables() -> tuple[dict[str, Mapping[str, Callable[[str], Any]]], Path]:
    """Return the figures of each paper in paper_figs, and the folder for them."""
    try:
        package = import_module("paper_figs")
    except ModuleNotFoundError as error:
        if error.name != "paper_figs":
            raise
        raise BadInput("figures: expected a checkout of theoryrl, installed with `pip install -e .`, got a package without paper_figs") from None
    return {paper: module.FIGURES for paper, module in _modules("paper_figs") if hasattr(module, "FIGURES")}, Path(package.__path__[0]) / "out"


def _folder(out: Path, papers: Sequence[str]) -> Path:
    """Make `out`, whose parent must exist, and a folder in it for each paper."""
    from theoryrl.algorithms import store

    for folder in (store.writable("out", out), *(out / paper for paper in papers)):
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise BadInput(f"out: expected a folder that can be written, got {str(folder)!r} ({error.strerror})") from None
        if not os.access(folder, os.W_OK):
            raise BadInput(f"out: expected a folder that can be written, got {str(folder)!r}")
    return out


def _save(drawing: Any, stem: Path) -> None:
    """Write a Drawing as ``stem.png``, ``stem.pdf`` and, with its caption, ``stem.txt``; release the figure."""
    import matplotlib.pyplot as plt

    from theoryrl.algorithms import store
    from theoryrl.experiments.plots import save_figure

    save_figure(drawing.figure, stem)
    with store.atomic(stem.with_name(f"{stem.name}.txt")) as temporary:
        temporary.write_text(drawing.caption.rstrip() + "\n", "utf-8")
    plt.close(drawing.figure)


# Certificates.


def _certify(arguments: argparse.Namespace) -> int:
    import numpy as np

    from theoryrl import validate
    from theoryrl.experiments import page, report
    from theoryrl.problems import Problem
    from theoryrl.proofs import certify

    with _bad_input():
        path = None if arguments.report is None else page.page_path("report", arguments.report)
        n = validate.integer("n", _number(arguments.n), 1, MAX_N)
        seeds = range(validate.integer("seeds", _number(arguments.seeds), 1))
        algorithm = _built("algorithm", arguments.algorithm, _algorithms())
        problem = _built("problem", arguments.problem, _made("instance", "prior"))
        theorem = _theorem(arguments.theorem, algorithm)
        first = problem if isinstance(problem, Problem) else problem(0)
        algorithm.start(first, n, np.random.default_rng(0))  # raises on a problem that does not fit, before any work
    with _progress() as progress:
        bar = progress.add_task("seeds", total=len(seeds))
        certificate = certify(algorithm, problem, n, seeds=seeds, theorem=theorem, progress=lambda run: progress.advance(bar))
    print(certificate)
    if path is not None:
        report.write(path, report.certificate_report(certificate), f"Certificate: {certificate.theorem.paper} {certificate.theorem.id}")
        print(f"report: {path} and {path.with_suffix('.json').name}")
    return INTERRUPTED if certificate.interrupted else VERDICTS[certificate.verdict]


# Sweeps.


def _declared(file: str) -> tuple[Any, Path]:
    from theoryrl.experiments.sweep import BadSweep, read_sweep

    known = {"algorithm": _algorithms(), "problem": _made("instance", "prior")}

    def evaluate(kind: str, text: str) -> Any:
        try:
            return _built(kind, text, known[kind])
        except BadInput as error:
            raise ValueError(error) from None

    _theorems()  # each registers when its module is imported
    try:
        return read_sweep(file, evaluate)
    except BadSweep as error:
        raise BadInput("\n       ".join([f"{len(error.errors)} mistakes in {file}:"] * (len(error.errors) > 1) + list(error.errors))) from None


def _sweep(arguments: argparse.Namespace) -> int:
    from theoryrl.experiments.backends import run_sweep

    sweep, folder = _declared(arguments.file)
    if arguments.status:
        print(sweep.status(folder))
        return 0
    jobs = None if arguments.jobs is None else _number(arguments.jobs)
    try:
        with _bad_input():
            report = run_sweep(sweep, folder, backend=arguments.backend, jobs=jobs, scheduler=arguments.scheduler)  # type: ignore[arg-type]
    except KeyboardInterrupt:
        print("interrupted: finished runs are in the store, the others go on from where they were saved", file=sys.stderr, flush=True)
        os._exit(INTERRUPTED)  # threads inside a kernel would be waited for
    print(report)
    if report.unwritable:
        return BAD_INPUT
    return INTERRUPTED if report.stopped else int(not report.complete)


def _collect(arguments: argparse.Namespace) -> int:
    from theoryrl.algorithms import store
    from theoryrl.experiments import page

    sweep, folder = _declared(arguments.file)
    with _bad_input():
        out = store.writable("out", arguments.out or Path(arguments.file).with_suffix(".csv"))
        path = None if arguments.report is None else page.page_path("report", arguments.report)
        try:
            from theoryrl.experiments.frames import frame
        except ModuleNotFoundError as error:
            raise BadInput(f"collect: expected pandas, got none ({error})") from None
        runs = list(sweep.collect(folder))
        if path is not None:
            _sweep_page(path, Path(arguments.file).stem, sweep, folder, runs)
        if not runs:
            raise BadInput(f"file: expected a sweep with finished runs, got none in {folder}")
        with store.atomic(out) as temporary:
            frame(runs).to_csv(temporary, index=False)
    print(f"{out}: {len(runs)} of {len(sweep.tasks())} runs")
    return 0


def _sweep_page(path: Path, name: str, sweep: Any, folder: Path, runs: Sequence[Any]) -> None:
    import matplotlib

    from theoryrl.experiments import page
    from theoryrl.experiments.sweep_page import sweep_page

    matplotlib.use("Agg")
    page.write(path, sweep_page(f"Sweep {name}", sweep, sweep.status(folder), runs))
    print(f"report: {path}", flush=True)


def _number(text: str) -> int | float | str:
    """Read a number; other text is left to the validation, which says what was expected."""
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text


def _built(argument: str, text: str, known: Mapping[str, Any]) -> Any:
    """Evaluate `text`, a call of one of the names in `known`; its arguments are literals, or calls of anything that `theoryrl list` shows but theorems."""
    try:
        call = ast.parse(text.strip(), mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, (ast.Name, ast.Attribute)) or any(keyword.arg is None for keyword in call.keywords):
            raise ValueError
        name = ast.unparse(call.func)
        positional = [_literal(node) for node in call.args]
        keywords = {str(keyword.arg): _literal(keyword.value) for keyword in call.keywords}
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        example = next((key.partition(".")[2] for key in known), "name")
        raise BadInput(f'{argument}: expected a call whose arguments are literals or such calls, such as "{example}(...)", got {text!r}') from None
    target = known[_named(argument, name, known)]
    try:
        inspect.signature(target).bind(*positional, **keywords)
    except TypeError as error:
        raise BadInput(f"{argument}: expected {name}{_parameters(target)}, got {text!r}: {error}") from None
    if any(isinstance(value, ast.Call) for value in (*positional, *keywords.values())):
        inner = _algorithms() | _rules() | _made("instance", "prior", "hypotheses", "requirement")

        def built(value: Any) -> Any:
            return _built(argument, ast.unparse(value), inner) if isinstance(value, ast.Call) else value

        positional, keywords = [built(value) for value in positional], {key: built(value) for key, value in keywords.items()}
    try:
        return target(*positional, **keywords)
    except (OSError, MemoryError) as error:
        raise BadInput(f"{argument}: expected a call that can be carried out, got {text!r} ({error})") from None


def _literal(node: ast.expr) -> Any:
    """Return the value of a literal; a call is left to `_built`."""
    return node if isinstance(node, ast.Call) else ast.literal_eval(node)


def _named(argument: str, name: str, known: Mapping[str, Any]) -> str:
    """Return the key of `known` that is `name` or, if only one is, ends in it ("paper.name")."""
    fitting = [key for key in known if name == key or key.endswith(f".{name}")]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise BadInput(f"{argument}: expected one of {', '.join(fitting)}, got {name!r}")
    names = [key.rpartition(".")[2] for key in known]
    close = difflib.get_close_matches(name, names) or sorted(names)
    raise BadInput(f"{argument}: expected a known name, such as {', '.join(close)}, got {name!r}")


def _theorem(id: str | None, algorithm: Any) -> Theorem:
    """Return the theorem about `algorithm` with this id; None: the only one."""
    from theoryrl.proofs import theorem_for

    about = [theorem for theorem in _theorems() if theorem.is_about(algorithm)]
    if id is None:
        return theorem_for(algorithm)
    fitting = [theorem for theorem in about if theorem.id == id]
    if len(fitting) != 1:
        raise BadInput(f"theorem: expected one about {algorithm} ({', '.join(theorem.id for theorem in about) or 'there is none'}), got {id!r}")
    return fitting[0]


# What the commands share.


@contextlib.contextmanager
def _bad_input() -> Iterator[None]:
    """Report what the library raises about arguments as bad input; it names the argument itself."""
    try:
        yield
    except (TypeError, ValueError, OverflowError) as error:
        raise BadInput(str(error)) from error


def _progress() -> Progress:
    """Return a progress bar on stderr, silent unless that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    # Redirected, lines on stdout appear above the bar; but they would move to stderr, away from a pipe.
    return Progress(*columns, console=console, disable=not console.is_terminal, redirect_stdout=sys.stdout.isatty())
