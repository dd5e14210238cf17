"""The published results of full experiments: today's command goes on from them, and the pages say what is in them."""

from dataclasses import replace
from pathlib import Path
from statistics import mean

import pytest

from anabranch.experiments.catalogue import PAPERS
from anabranch.experiments.cell import Outcome, finished
from anabranch.experiments.degrazia2012 import FULL
from anabranch.experiments.degrazia2012_tables import figure_1, figure_2, follow_up
from anabranch.experiments.findings import Comparison
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
    (fixed,) = (table for table in figure_1(found, extent) if table.unit == "%")
    error, seconds, _, epochs = figure_2(found, extent)
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
