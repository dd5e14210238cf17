"""`anabranch report`: a page about what is in a folder, or in several."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from anabranch.errors import UsageError
from anabranch.report.draw import PAGE, draw, draw_several

DESCRIPTION = """\
Write a page with charts, report.html, from the records of a run, a simulation, a comparison or a reproduction alone. It
is one file that needs no network. Several folders with runs make one page about all of them.

  anabranch report runs/digits-dbn-…                         into that folder
  anabranch report runs/first runs/second --out both.html    one page
"""


@dataclasses.dataclass(frozen=True)
class Arguments:
    """All options of `anabranch report`."""

    folders: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="DIR [DIR ...]")]]
    """Folders of runs, or of one simulation, comparison or reproduction."""
    out: Annotated[str | None, tyro.conf.arg(metavar="FILE.html")] = None
    """The page; report.html in the folder, or of several folders in this one, unless given."""


def main(arguments: Sequence[str]) -> int:
    """Run the command; return the exit code.

    Raises:
        AnabranchError: every foreseen failure.
    """
    options = tyro.cli(Arguments, args=arguments, prog="anabranch report", description=DESCRIPTION)
    folders = [Path(folder) for folder in options.folders]
    if not folders:
        raise UsageError("there is nothing to report: name the folder of a run, as in  anabranch report runs/…")
    if missing := [folder for folder in folders if not folder.is_dir()]:
        raise UsageError(f"there is no folder {missing[0]}: name those that `anabranch train` and its like have made.")
    out = Path(options.out) if options.out is not None else None
    if out is not None and (out.is_dir() or not out.parent.is_dir()):
        raise UsageError(f"--out {out} is no place for a file: name one in a folder that exists, such as {PAGE}.")
    if out is not None and out.suffix != ".html":
        raise UsageError(f"a page ends in .html, which --out {out} does not: name a file such as {PAGE}.")
    path = draw(folders[0], out) if len(folders) == 1 else draw_several(folders, out or Path(PAGE))
    print(f"{path} ({path.stat().st_size / 1e6:.1f} MB): open it in a browser")
    return 0
