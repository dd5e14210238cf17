"""`anabranch reproduce`: a paper's experiment, its tables and figures, with the paper's own numbers beside ours."""

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import compress
from pathlib import Path
from typing import Annotated

import tyro
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from anabranch.cli.pages import write_page
from anabranch.config import Arithmetic
from anabranch.errors import AnabranchError, Interrupted, UsageError, unknown_name
from anabranch.experiments.catalogue import PAPERS
from anabranch.experiments.cell import Cell, Outcome, finished
from anabranch.experiments.course import Course
from anabranch.experiments.decisions import World, why_unmeasured, with_dtype
from anabranch.experiments.findings import Comparison, Findings
from anabranch.experiments.paper import Paper, Plan
from anabranch.experiments.partial import Known
from anabranch.experiments.results import has_whole_results, left_out, write_results
from anabranch.experiments.runner import Runner
from anabranch.files import make_folder
from anabranch.launch import cores, started_ranks
from anabranch.runfolder import RunFolder
from anabranch.signals import StopFlag

DESCRIPTION = """\
Run a paper's experiment and put its tables and figures beside the paper's own.
Numbers of workers beyond this machine's cores are simulated, and are labelled so. Started again with the same --out, it
goes on where it was.

  anabranch reproduce alowaisheq2015 --quick              some minutes
  anabranch reproduce ma2014 --jobs 2                     half an hour
  anabranch reproduce degrazia2012 --dtype bf16-mixed     hours, in bfloat16
  anabranch reproduce degrazia2012 --repeats 1            one network of each figure; --repeats 5 goes on from there
  anabranch reproduce degrazia2012 --quick --dtype auto   what is fast here
  anabranch reproduce ma2014 --quick --world simulated    needs no MPI
  anabranch reproduce ma2014 --quick --world mpi          insists on MPI
"""


@dataclasses.dataclass(frozen=True)
class Arguments:
    """All options of `anabranch reproduce`."""

    paper: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="PAPER")]]
    """degrazia2012, ma2014 or alowaisheq2015."""
    quick: bool = False
    """A shorter form, of minutes; it says what it leaves out."""
    repeats: Annotated[
        int | None, tyro.conf.arg(metavar="INT", help_behavior_hint="(default: as many as in the paper)")
    ] = None
    """Networks (degrazia2012) or splits (alowaisheq2015) of every figure: few are done soon, and a larger number later,
    with the same --out, runs no more than the others."""
    world: World = "auto"
    """mpi: one and two workers are also timed on this machine's MPI; refused where that cannot be used.
    simulated: nothing is started on MPI, and the tables leave out those rows.
    auto: mpi where it can be used and there are two cores, else simulated.
    More workers than cores are always simulated."""
    dtype: Annotated[Arithmetic | None, tyro.conf.arg(help_behavior_hint="(default: float32)")] = None
    """Of the training in degrazia2012; the other papers fix their own.
    bf16-mixed: bfloat16 matrix products with float32 weights.
    auto: decided once for all runs, by what is fast here, and kept when the experiment goes on."""
    jobs: Annotated[int | None, tyro.conf.arg(metavar="INT", help_behavior_hint="(default: one for each core)")] = None
    """Runs at the same time, each on one core."""
    out: Annotated[
        str | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="(default: reproductions/PAPER, or PAPER-quick)")
    ] = None
    """Where the results go."""


def main(arguments: Sequence[str]) -> int:
    """Run the command; return the exit code.

    Raises:
        AnabranchError: every foreseen failure.
    """
    if started_ranks():
        raise UsageError("anabranch reproduce starts MPI by itself: start it without mpirun or srun.")
    options = parse(arguments)
    paper = _checked(options)
    unmeasured = why_unmeasured(options.world)
    folder = Path(options.out or f"reproductions/{options.paper}{'-quick' if options.quick else ''}")
    console = Console()
    RunFolder(folder).check_no_run()
    make_folder(folder)
    plan = Plan(options.quick, options.repeats, measured=not unmeasured)
    _announce(paper, plan, unmeasured, console)
    plan = with_dtype(plan, options.dtype or plan.dtype, paper, folder / "cells", lambda text: _say(text, console))
    cells = paper.cells(plan)
    try:
        outcomes = _run(cells, options, folder, console)
    except AnabranchError:
        known = Known({cell.name: done for cell in cells if (done := finished(cell, folder / "cells"))})
        found = _findings(paper, known, plan, unmeasured)
        if found.tables and not has_whole_results(folder):
            write_results(folder, paper, plan, cells, known, found)
            _say(f"of {len(cells)} runs {len(known)} are finished; what lacks no run is in {folder}:", console)
            _name_files(found, folder, console)
        raise
    found = _findings(paper, outcomes, plan, unmeasured)
    write_results(folder, paper, plan, cells, outcomes, found)
    _show(found, folder, console)
    return 0


def parse(arguments: Sequence[str]) -> Arguments:
    """The options. Exits with code 2 and a message for one that does not exist or has the wrong type."""
    return tyro.cli(
        Arguments,
        args=arguments,
        prog="anabranch reproduce",
        description=DESCRIPTION,
        config=(tyro.conf.DisallowNone,),
    )


def _checked(options: Arguments) -> Paper:
    """The paper that is asked for, if its options fit it.

    Raises:
        UsageError: they do not.
    """
    if options.paper not in PAPERS:
        raise unknown_name("paper", options.paper, PAPERS)
    if options.jobs is not None and options.jobs < 1:
        raise UsageError(f"--jobs must be 1 or more, not {options.jobs}.")
    paper = PAPERS[options.paper]
    _check_repeats(options, paper)
    if options.dtype is not None and paper.fixed_dtype is not None:
        raise UsageError(f"the figures of {options.paper} rest on training in {paper.fixed_dtype}: leave --dtype out.")
    return paper


def _check_repeats(options: Arguments, paper: Paper) -> None:
    if options.repeats is None:
        return
    if options.quick:
        raise UsageError("--quick has a number of repeats of its own: leave one of --quick and --repeats out.")
    if paper.repeats is None:
        raise UsageError(f"{options.paper} repeats nothing: leave --repeats out.")
    if not 1 <= options.repeats <= paper.repeats.count:
        many = f"from 1 to {paper.repeats.count} {paper.repeats.what}"
        raise UsageError(f"--repeats of {options.paper} are {many}, not {options.repeats}.")


def _run(cells: Sequence[Cell], options: Arguments, folder: Path, console: Console) -> dict[str, Outcome]:
    try:
        with StopFlag().listening(announce=False) as flag:
            return Runner(folder / "cells", options.jobs or cores(), Course(console), flag).run(cells)
    except Interrupted as error:
        raise Interrupted(error.exit_code - 128, _go_on(options, folder)) from error


def _findings(paper: Paper, outcomes: Mapping[str, Outcome], plan: Plan, unmeasured: str) -> Findings:
    found = paper.findings(outcomes, plan)
    if not unmeasured:
        return found
    return dataclasses.replace(found, notes=(*found.notes, f"Nothing was measured on MPI ({unmeasured})."))


def _announce(paper: Paper, plan: Plan, unmeasured: str, console: Console) -> None:
    _say(paper.title, console)
    if cuts := left_out(paper, plan):
        _say(f"{'the quick form' if plan.quick else 'in part'}: {'; '.join(cuts)}", console)
    if unmeasured:
        _say(f"nothing is measured on MPI ({unmeasured})", console)


def _go_on(options: Arguments, folder: Path) -> str:
    words = ["anabranch", "reproduce", options.paper, *["--quick"] * options.quick]
    words += ["--repeats", str(options.repeats)] if options.repeats else []
    words += ["--world", options.world] if options.world != "auto" else []
    words += ["--dtype", options.dtype] if options.dtype else []
    return f"stopped; finished runs are kept: go on with  {shlex.join([*words, '--out', str(folder)])}"


def _show(found: Findings, folder: Path, console: Console) -> None:
    for table in found.tables:
        console.print(_for_terminal(table))
    for note in found.notes:
        _say(note, console)
    _say(f"results in {folder}:", console)
    _name_files(found, folder, console)


def _name_files(found: Findings, folder: Path, console: Console) -> None:
    pictures = ", ".join(f"{picture.name}.png" for picture in found.pictures)
    _say(f"  results.md, results.json, {pictures}".rstrip(", "), console)
    write_page(folder, partial(_say, console=console))


def _say(text: str, console: Console) -> None:
    console.print(text, highlight=False, soft_wrap=True, markup=False)


def _for_terminal(table: Comparison) -> Table:
    """Without the columns that say nothing here: 80 characters have no room for them."""
    heads, rows = table.cells()
    told = [
        any(cells) and not (head == "runs" and set(cells) <= {"", "1"})
        for head, *cells in zip(heads, *rows, strict=True)
    ]
    shown = Table(title=f"{table.name}. {table.title}", box=SIMPLE_HEAD)
    for head in compress(heads, told):
        shown.add_column(head, justify="left" if head in ("", "series", "how") else "right")
    for row in rows:
        shown.add_row(*compress(row, told))
    return shown
