"""The cells of Alowaisheq & Dhami 2015, and what is made of their outcomes."""

import pytest

from anabranch.cli.options import Arguments, SimulateArguments, parse
from anabranch.cli.simulate import take_counts
from anabranch.experiments.alowaisheq2015 import EPOCHS, Alowaisheq2015
from anabranch.experiments.cell import Cell, Outcome
from anabranch.experiments.paper import Plan


@pytest.mark.parametrize("quick", [False, True])
def test_cells_are_commands_of_ours(quick: bool) -> None:
    cells = Alowaisheq2015().cells(Plan(quick=quick))
    assert len({cell.name for cell in cells}) == len(cells) == (2 * (1 + 2 + 1) if quick else 10 * (1 + 3 + 4)) + 2
    assert not any("/" in cell.name for cell in cells)
    of_each_kind = {cell.name.rsplit("-split-")[0]: cell for cell in cells}  # parsing takes long
    for cell in of_each_kind.values():
        command, *rest = cell.arguments
        if command == "simulate":
            counts, rest = take_counts(rest)
            assert len(counts) == 1
        options = parse(rest, "anabranch", "", SimulateArguments if command == "simulate" else Arguments)
        assert options.training.epochs == (40 if quick else 100)  # rounds of five of the paper's epochs
        assert options.training.penalty == 0.6987
        assert options.data.test_fraction == 0.3
        assert cell.alone == cell.name.startswith("timed")


def outcome_of(cell: Cell) -> Outcome:
    """Accuracy 50 % + a point every 50 epochs, and one more of the second split; a second an epoch and worker."""
    rounds = int(cell.arguments[cell.arguments.index("--epochs") + 1])
    workers = cell.arguments[cell.arguments.index("--workers") + 1] if "--workers" in cell.arguments else "1"
    split = int(cell.arguments[cell.arguments.index("--seed") + 1])
    lines = []
    for number in range(1, rounds + 1):
        error = 0.5 - number / 1000 - 0.01 * split
        lines.append({"test_error": error, "seconds": number * 5.0, "virtual_clock": number * int(workers) * 5.0})
    return Outcome(1.0, epochs={workers: lines})


def test_findings_by_hand() -> None:
    paper = Alowaisheq2015()
    outcomes = {cell.name: outcome_of(cell) for cell in paper.cells(Plan(quick=True))}
    accuracy, readings, seconds = paper.findings(outcomes, Plan(quick=True)).tables
    assert [(one.label, one.series, one.paper) for one in accuracy.entries] == [
        ("100 epochs", "sequential", 80.67),
        ("", "parallel (2)", 84.06),
        ("", "parallel (4)", 84.06),
        ("200 epochs", "sequential", 86.89),
        ("", "parallel (2)", 87.28),
        ("", "parallel (4)", 87.28),
    ]
    assert accuracy.entries[0].ours == pytest.approx((52.0, 53.0))
    assert accuracy.entries[3].ours == pytest.approx((54.0, 55.0))
    assert [one.series for one in readings.entries] == ["weights from 0 to 1"] * 2
    measured, two, four = seconds.entries[:3]
    assert (measured.note, two.note) == ("measured on MPI", "simulated")
    assert measured.ours == (1.0,)
    assert (two.ours, four.ours) == ((2.0, 2.0), (4.0, 4.0))
    assert two.paper == pytest.approx(211 / 244)


@pytest.mark.parametrize("quick", [False, True])
def test_without_mpi_the_simulated_rows_are_left(quick: bool) -> None:
    paper, plan = Alowaisheq2015(), Plan(quick, measured=False)
    cells, whole = paper.cells(plan), paper.cells(Plan(quick))
    assert [cell.name for cell in whole if cell not in cells] == ["timed-1", "timed-2"]
    with_mpi = paper.findings({cell.name: outcome_of(cell) for cell in whole}, Plan(quick))
    without = paper.findings({cell.name: outcome_of(cell) for cell in cells}, plan)
    assert without.tables[:2] == with_mpi.tables[:2]
    assert without.pictures == with_mpi.pictures
    entries, before = without.tables[2].entries, with_mpi.tables[2].entries
    assert [one.ours for one in entries] == [one.ours for one in before if one.note == "simulated"]
    labels = [one.label for one in before if one.label]
    assert [one.label for one in entries if one.label] == labels
    assert (entries[0].label, entries[0].series) == ("100 epochs", "parallel (2)")


def test_fewer_splits_are_some_of_the_runs_of_all() -> None:
    paper, plan = Alowaisheq2015(), Plan(repeats=3)
    some = paper.cells(plan)
    left_out = {cell.name for cell in paper.cells(Plan())} - {cell.name for cell in some}
    assert {name.rsplit("-", 1)[1] for name in left_out} == set("3456789")
    found = paper.findings({cell.name: outcome_of(cell) for cell in some}, plan)
    assert {len(entry.ours) for table in found.tables for entry in table.entries if "MPI" not in entry.note} == {3}


def test_pictures_have_a_curve_for_each_series() -> None:
    paper = Alowaisheq2015()
    outcomes = {cell.name: outcome_of(cell) for cell in paper.cells(Plan())}
    figure, times = paper.findings(outcomes, Plan()).pictures
    (panel,) = figure.panels
    assert [line.name for line in panel.lines] == [
        "paper, sequential",
        "paper, parallel",
        "sequential",
        "parallel (2)",
        "parallel (4)",
        "parallel (8)",
    ]
    assert all(line.x == EPOCHS for line in panel.lines)
    assert all(len(line.x) == len(line.y) for panel in times.panels for line in panel.lines)
