"""From folders to pages."""

from collections.abc import Sequence
from pathlib import Path

from anabranch.errors import UsageError
from anabranch.files import write_text
from anabranch.report.html import rendered
from anabranch.report.page import Page
from anabranch.report.records import is_run, read_run
from anabranch.report.reproduction import is_reproduction, read_results, reproduction_page
from anabranch.report.run import run_page
from anabranch.report.several import read_runs, several_page
from anabranch.report.simulation import is_simulation, read_sweep, simulation_page

PAGE = "report.html"


def draw(folder: Path, out: Path | None = None) -> Path:
    """Write the page of what is in `folder`; return its path: `report.html` there, or `out`.

    Raises:
        UsageError: there are no records in it.
        CheckpointError: they are damaged.
        StorageError: the page cannot be written.
    """
    return write(page_of(folder), out or folder / PAGE)


def draw_several(folders: Sequence[Path], out: Path) -> Path:
    """Write one page that compares the runs in `folders`; return its path.

    Raises:
        UsageError: there is no run in one of them.
        CheckpointError: a record is damaged.
        StorageError: the page cannot be written.
    """
    return write(several_page(read_runs(folders)), out)


def page_of(folder: Path) -> Page:
    """The page of what is in a folder.

    Raises:
        UsageError: there are no records in it.
        CheckpointError: they are damaged.
    """
    if is_run(folder):
        return run_page(read_run(folder))
    if is_simulation(folder):
        return simulation_page(read_sweep(folder))
    if is_reproduction(folder):
        return reproduction_page(read_results(folder))
    raise UsageError(f"there is no run, simulation or reproduction in {folder}: give a folder that one has made.")


def write(page: Page, path: Path) -> Path:
    """Write a page; return its path."""
    write_text(path, rendered(page))
    return path
