"""`anabranch reproduce`: a paper's experiment, its tables and figures, with the paper's own numbers beside ours."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.table import Table

from anabranch.cli.pages import write_page
from anabranch.environment import environment
from anabranch.errors import Interrupted, UsageError, unknown_name
from anabranch.experiments.catalogue import PAPERS
from anabranch.experiments.cell import Cell, Outcome
from anabranch.experiments.course import Course
from anabranch.experiments.drawing import draw
from anabranch.experiments.findings import Comparison, Findings, markdown
from anabranch.experiments.paper import Paper
from anabranch.experiments.runner import Runner
from anabranch.files import make_folder, write_json, write_text
from anabranch.launch import cores, started_ranks
from anabranch.signals import StopFlag

DESCRIPTION = """\
Run a paper's experiment and put its tables and figures beside the paper's own.
Numbers of workers beyond this machine's cores are simulated, and are labelled so. Started again with the same --out, it
goes on where it was.

  anabranch reproduce alowaisheq2015 --quick     some minutes; says what it left out
  anabranch reproduce degrazia2012 --jobs 2      hours
"""


@dataclasses.dataclass(frozen=True)
class Arguments:
    """All options of `anabranch reproduce`."""

    paper: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="PAPER")]]
    """degrazia2012, ma2014 or alowaisheq2015."""
    quick: bool = False
    """A shorter form, of minutes; it says what it leaves out."""
    jobs: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Runs at the same time, each on one core; as many as this process may use unless given."""
    out: Annotated[str | None, tyro.conf.arg(metavar="DIR")] = None
    """Where the results go; reproductions/PAPER, or PAPER-quick, unless given."""


def main(arguments: Sequence[str]) -> int:
    """Run the command; return the exit code.

    Raises:
        AnabranchError: every foreseen failure.
    """
    if started_ranks():
        raise UsageError("anabranch reproduce starts MPI by itself: start it without mpirun or srun.")
    options = tyro.cli(Arguments, args=arguments, prog="anabranch reproduce", description=DESCRIPTION)
    if options.paper not in PAPERS:
        raise unknown_name("paper", options.paper, PAPERS)
    jobs = options.jobs or cores()
    if options.jobs is not None and options.jobs < 1:
        raise UsageError(f"--jobs must be 1 or more, not {options.jobs}.")
    paper, quick = PAPERS[options.paper], options.quick
    folder = Path(options.out or f"reproductions/{options.paper}{'-quick' if quick else ''}")
    cells, console = paper.cells(quick=quick), Console()
    make_folder(folder)
    _announce(paper, quick, console)
    try:
        with StopFlag().listening(announce=False) as flag:
            outcomes = Runner(folder / "cells", jobs, Course(console), flag).run(cells)
    except Interrupted as error:
        raise Interrupted(error.exit_code - 128, _go_on(options, folder)) from error
    found = paper.findings(outcomes, quick=quick)
    _write(folder, paper, quick, cells, outcomes, found)
    _show(found, folder, console)
    return 0


def _announce(paper: Paper, quick: bool, console: Console) -> None:
    console.print(paper.title, highlight=False, soft_wrap=True, markup=False)
    if quick:
        console.print(f"the quick form: {'; '.join(paper.cuts)}", highlight=False, soft_wrap=True, markup=False)


def _go_on(options: Arguments, folder: Path) -> str:
    quick = " --quick" if options.quick else ""
    return f"stopped; finished runs are kept: go on with anabranch reproduce {options.paper}{quick} --out {folder}"


def _write(
    folder: Path, paper: Paper, quick: bool, cells: Sequence[Cell], outcomes: Mapping[str, Outcome], found: Findings
) -> None:
    content: dict[str, Any] = {
        "paper": paper.title,
        "quick": quick,
        "left_out": list(paper.cuts) if quick else [],
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
    text += [f"The quick form leaves out: {'; '.join(paper.cuts)}.\n"] if quick else []
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
        console.print(note, highlight=False, soft_wrap=True, markup=False)
    console.print(f"results in {folder}:", soft_wrap=True, highlight=False, markup=False)
    pictures = ", ".join(f"{picture.name}.png" for picture in found.pictures)
    console.print(f"  results.md, results.json, {pictures}", soft_wrap=True, highlight=False, markup=False)
    write_page(folder, partial(console.print, soft_wrap=True, highlight=False, markup=False))


def _for_terminal(table: Comparison) -> Table:
    heads, rows = table.cells()
    shown = Table(title=f"{table.name}. {table.title}")
    for head in heads:
        shown.add_column(head, justify="left" if head in ("", "series", "how") else "right")
    for row in rows:
        shown.add_row(*row)
    return shown
