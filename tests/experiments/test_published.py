"""The published results of full experiments: today's command goes on from them, and the pages say what is in them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean

import pytest

from anabranch.experiments.catalogue import PAPERS
from anabranch.experiments.cell import Outcome, finished
from anabranch.experiments.degrazia2012 import FULL
from anabranch.experiments.degrazia2012_reading import exponent
from anabranch.experiments.degrazia2012_tables import figure_1, figure_2, follow_up
from anabranch.experiments.findings import Comparison, Entry
from anabranch.experiments.paper import Plan

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks/results"
PUBLISHED = sorted(path.name for path in RESULTS.iterdir() if path.is_dir())


def outcomes(paper: str) -> dict[str, Outcome]:
    """Of the cells that are there, known by today's arguments."""
    folder = RESULTS / paper / "cells"
    cells = PAPERS[paper].cells(Plan(dtype="float32"))
    return {cell.name: found for cell in cells if (found := finished(cell, folder))}


@pytest.mark.parametrize("paper", PUBLISHED)
def test_todays_command_goes_on_from_them(paper: str) -> None:
    folders = {path.parent.name for path in (RESULTS / paper / "cells").glob("*/result.json")}
    assert folders
    assert set(outcomes(paper)) == folders


def row(table: Comparison, shape: str) -> str:
    """Means of all counts of workers, as a row of the page has them."""
    return " | ".join(shape.format(entry.mean) for entry in table.entries)


def test_the_page_of_degrazia2012_says_what_is_in_them() -> None:
    found, page = outcomes("degrazia2012"), (ROOT / "docs/degrazia2012.md").read_text(encoding="utf-8")
    whole = [n for n in range(FULL.networks) if is_whole(found, n)]
    assert whole == list(range(len(whole)))
    extent = replace(FULL, networks=len(whole))
    fixed, times = (next(table for table in figure_1(found, extent) if table.unit == unit) for unit in ("%", "s"))
    error, seconds, _, epochs = figure_2(found, extent)
    assert f"| seconds, 50 epochs a layer | {row(times, '{:,.0f}')} |" in page
    for table, name in ((fixed, "50 epochs a layer"), (error, "until convergence")):
        rises = [last - first for first, last in zip(table.entries[0].ours, table.entries[-1].ours, strict=True)]
        assert f"{mean(rises):.2f}" in page, name
        assert f"{min(rises):.2f} to {max(rises):.2f}" in page, name
    for table in (times, seconds):
        assert f"{exponent(FULL.counts, [mean(entry.ours) for entry in table.entries]):.2f}" in page
    assert f"| test error, 50 epochs a layer | {row(fixed, '{:.2f} %')} |" in page
    assert f"| test error, until convergence | {row(error, '{:.2f} %')} |" in page
    assert f"| seconds until convergence | {row(seconds, '{:,.0f}')} |" in page
    lengths = [[mean(entry.ours) for entry in epochs.entries[at : at + 3]] for at in range(0, len(epochs.entries), 3)]
    text = " | ".join(", ".join(f"{length:.0f}" for length in layers) for layers in lengths)
    assert f"| epochs of the three layers | {text} |" in page


def test_the_page_of_degrazia2012_says_what_the_follow_up_has_found() -> None:
    found, page = outcomes("degrazia2012"), (ROOT / "docs/degrazia2012.md").read_text(encoding="utf-8")
    whole = [n for n in range(FULL.repeats) if follows_up(found, n)]
    assert whole == list(range(len(whole)))
    epochs, errors = (table.entries for table in follow_up(found, replace(FULL, repeats=len(whole))))
    cells = [f"{epoch.mean:.0f} epochs, {error.mean:.2f}" for epoch, error in zip(epochs, errors, strict=True)]
    for at, batch in enumerate(FULL.batches):
        assert f"| {batch} | {' | '.join(cells[at :: len(FULL.batches)])} |" in page


def follows_up(found: dict[str, Outcome], network: int) -> bool:
    """Whether all minibatches and numbers of workers of the follow-up are there for that network."""
    return all(f"first-layer-{batch}x{n}-network-{network}" in found for batch in FULL.batches for n in FULL.spread)


def is_whole(found: dict[str, Outcome], network: int) -> bool:
    """Whether both figures have all counts of workers of that network."""
    kinds = [("fixed", FULL.counts), ("convergence", FULL.converging)]
    return all(f"{kind}-{n}-network-{network}" in found for kind, counts in kinds for n in counts)


MA_SERIES = (
    "fetch-put",
    "fetch-put, momentum 0.9",
    "allreduce",
    "allreduce, momentum 0.9",
    "easgd, every 10",
    "easgd, every 10, momentum 0.9",
)


def ma2014() -> dict[str, Comparison]:
    """The tables of the published runs; what is measured on MPI is not among them."""
    found = PAPERS["ma2014"].findings(outcomes("ma2014"), Plan(dtype="float32", measured=False))
    return {table.name: table for table in found.tables}


def reached(entry: Entry) -> str:
    """Seconds until 90 %, and in which epoch of fine-tuning; or how far it went."""
    note = entry.note.removeprefix("simulated, ")
    return f"{entry.ours[0]:.1f} s, {note.removeprefix('in epoch ')}" if entry.ours else note


def ma_rows() -> list[str]:
    """Of his tables: cores, then for each table his time and speed-up, ours, and the epochs that ours took."""
    tables, rows = ma2014(), dict[str, list[str]]()
    for name in ("Table 1", "Table 2"):
        for time, speed_up in zip(tables[name].entries, tables[f"{name}, speed-up"].entries, strict=True):
            seconds, _, epoch = reached(time).partition(", ")
            ours = seconds.removesuffix(" s"), f"{speed_up.ours[0]:.2f}", epoch
            cells = (f"{time.paper:.0f}", f"{speed_up.paper:.2f}", *ours)
            rows.setdefault(time.label.removesuffix(" cores"), []).append(" | ".join(cells))
    return [f"| {cores} | {' | '.join(cells)} |" for cores, cells in rows.items()]


def other_rows() -> list[str]:
    """Of the strategies: cores, then time and epochs of each; empty where none was run."""
    tables = ma2014()
    entries = [*tables["Table 2"].entries, *tables["Beyond 20 cores"].entries]
    known = {(entry.label, entry.series): reached(entry) for entry in entries}
    labels = dict.fromkeys(entry.label for entry in tables["Beyond 20 cores"].entries)
    return [
        f"| {label.removesuffix(' cores')} | {' | '.join(known.get((label, one), '') for one in MA_SERIES)} |"
        for label in labels
    ]


def test_the_page_of_ma2014_says_what_is_in_them() -> None:
    page = (ROOT / "docs/ma2014.md").read_text(encoding="utf-8")
    for row in (*ma_rows(), *other_rows()):
        assert row in page


def alowaisheq2015() -> dict[str, Comparison]:
    """As `ma2014`."""
    found = PAPERS["alowaisheq2015"].findings(outcomes("alowaisheq2015"), Plan(measured=False))
    return {table.name: table for table in found.tables}


def accuracy(entry: Entry) -> str:
    """Mean and standard deviation over the splits."""
    return f"{entry.mean:.2f} ± {entry.deviation:.2f} %"


def accuracy_rows() -> list[str]:
    """Of Table 1, by epochs: sequential, then 2, 4 and 8 workers; the paper's figures, ours, differences."""
    entries, rows = alowaisheq2015()["Table 1"].entries, []
    for sequential, *parallel in batched(entries, 4):
        epochs = sequential.label.removesuffix(" epochs")
        rows.append(
            f"| {epochs} | {sequential.paper:.2f} % | {accuracy(sequential)} | {sequential.difference:+.2f} "
            f"| {parallel[0].paper:.2f} % | {' | '.join(map(accuracy, parallel))} "
            f"| {'; '.join(f'{one.difference:+.2f}' for one in parallel)} |"
        )
    return rows


def readings() -> list[str]:
    """Of other readings: accuracies at the four numbers of epochs."""
    entries = alowaisheq2015()["Table 1, other readings"].entries
    return [f"| {' | '.join(map(accuracy, group))} |" for group in batched(entries, 4)]


def test_the_page_of_alowaisheq2015_says_what_is_in_them() -> None:
    page = (ROOT / "docs/alowaisheq2015.md").read_text(encoding="utf-8")
    for row in (*accuracy_rows(), *readings()):
        assert row in page
    for group in batched(alowaisheq2015()["Table 2"].entries, 3):
        epochs, ratios = group[0].label.removesuffix(" epochs"), " / ".join(f"{one.mean:.2f}" for one in group)
        (row,) = [line for line in page.splitlines() if line.startswith(f"| {epochs} | ") and " / " in line]
        assert row.endswith(f"| {ratios} |")


def batched(entries: Sequence[Entry], size: int) -> list[Sequence[Entry]]:
    assert entries
    assert len(entries) % size == 0
    return [entries[at : at + size] for at in range(0, len(entries), size)]
