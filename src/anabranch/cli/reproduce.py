"""`anabranch reproduce`: a paper's experiment, its tables and figures, with the paper's own numbers beside ours."""

import dataclasses
import json
import shlex
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import compress
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from anabranch.cli.pages import write_page
from anabranch.config import Arithmetic
from anabranch.environment import environment
from anabranch.errors import Interrupted, UsageError, unknown_name
from anabranch.experiments.catalogue import PAPERS
from anabranch.experiments.cell import Cell, Outcome
from anabranch.experiments.course import Course
from anabranch.experiments.decisions import World, why_unmeasured, with_dtype
from anabranch.experiments.drawing import draw
from anabranch.experiments.findings import Comparison, Findings, markdown
from anabranch.experiments.paper import Paper, Plan
from anabranch.experiments.runner import Runner
from anabranch.files import make_folder, write_json, write_text
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
    outcomes = _run(cells, options, folder, console)
    found = paper.findings(outcomes, plan)
    if unmeasured:
        found = dataclasses.replace(found, notes=(*found.notes, f"Nothing was measured on MPI ({unmeasured})."))
    _write(folder, paper, plan, cells, outcomes, found)
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


def _announce(paper: Paper, plan: Plan, unmeasured: str, console: Console) -> None:
    _say(paper.title, console)
    if cuts := _left_out(paper, plan):
        _say(f"{'the quick form' if plan.quick else 'in part'}: {'; '.join(cuts)}", console)
    if unmeasured:
        _say(f"nothing is measured on MPI ({unmeasured})", console)


def _go_on(options: Arguments, folder: Path) -> str:
    words = ["anabranch", "reproduce", options.paper, *["--quick"] * options.quick]
    words += ["--repeats", str(options.repeats)] if options.repeats else []
    words += ["--world", options.world] if options.world != "auto" else []
    words += ["--dtype", options.dtype] if options.dtype else []
    return f"stopped; finished runs are kept: go on with  {shlex.join([*words, '--out', str(folder)])}"


def _left_out(paper: Paper, plan: Plan) -> list[str]:
    """In sentences; nothing, of the full form."""
    if plan.quick:
        return list(paper.cuts)
    whole = paper.repeats
    if whole is None or plan.repeats in (None, whole.count):
        return []
    return [f"{plan.repeats} instead of {whole.count} {whole.what}"]


def _write(
    folder: Path, paper: Paper, plan: Plan, cells: Sequence[Cell], outcomes: Mapping[str, Outcome], found: Findings
) -> None:
    cuts = _left_out(paper, plan)
    content: dict[str, Any] = {
        "paper": paper.title,
        "quick": plan.quick,
        "repeats": plan.repeats,
        "measured": plan.measured,
        "left_out": cuts,
        "environment": environment(),
        "notes": list(found.notes),
        "tables": [table.as_data() for table in found.tables],
        "pictures": [dataclasses.asdict(picture) for picture in found.pictures],
        "cells": [
            {"name": cell.name, "command": cell.command, "seconds": outcomes[cell.name].seconds} for cell in cells
        ],
    }
    write_json(folder / "results.json", json.loads(json.dumps(content)))
    text = [f"# {paper.title}\n"]
    text += [f"Shorter than the full form: {'; '.join(cuts)}.\n"] if cuts else []
    text += [markdown(table) for table in found.tables]
    text += [f"![{picture.title}]({picture.name}.svg)\n" for picture in found.pictures]
    text += [f"- {note}" for note in found.notes]
    write_text(folder / "results.md", "\n".join(text) + "\n")
    for picture in found.pictures:
        draw(picture, folder)


def _show(found: Findings, folder: Path, console: Console) -> None:
    for table in found.tables:
        console.print(_for_terminal(table))
    for note in found.notes:
        _say(note, console)
    _say(f"results in {folder}:", console)
    pictures = ", ".join(f"{picture.name}.png" for picture in found.pictures)
    _say(f"  results.md, results.json, {pictures}", console)
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
