"""The cells of Ma 2014, and what is made of their outcomes."""

from collections.abc import Collection
from pathlib import Path

import pytest

from anabranch.cli.options import Arguments, SimulateArguments, as_config, parse
from anabranch.cli.simulate import take_counts
from anabranch.cluster import load_cluster
from anabranch.experiments.cell import Cell, Outcome
from anabranch.experiments.drawing import draw
from anabranch.experiments.findings import Comparison, Findings, markdown
from anabranch.experiments.ma2014 import TABLES, Ma2014
from anabranch.experiments.ma2014_runs import MA, NODES, OTHERS, TASKS, learning
from anabranch.experiments.paper import Plan
from anabranch.plans import with_momenta
from anabranch.strategies import CATALOGUE

NEVER = "fetch-put-32-on-16"


@pytest.mark.parametrize("quick", [False, True])
def test_cells_are_commands_of_ours(quick: bool) -> None:
    cells = Ma2014().cells(Plan(quick=quick))
    # One core; both tables, which share four cores; the others; a hundred iterations, simulated once, measured twice.
    assert len(cells) == (1 + 3 + 2 - 1 + 2 * 2 + 3 if quick else 1 + 8 + 8 - 1 + 3 * 5 + 2 * 3 + 3)
    assert len({cell.name for cell in cells}) == len(cells)
    assert not any("/" in cell.name for cell in cells)
    for cell in cells if quick else set(cells) - set(Ma2014().cells(Plan(quick=True))):
        command, *rest = cell.arguments
        if command == "simulate":
            counts, rest = take_counts(rest)
            found = parse(rest, "anabranch", "", SimulateArguments)
            nodes = load_cluster(found.cluster).nodes
            assert -(-max(counts) // (found.tasks_per_node or 1)) <= nodes.count
            assert (found.target_error is None) == found.timing_only
        options = parse(rest, "anabranch", "", SimulateArguments if command == "simulate" else Arguments)
        assert options.parallel.strategy in CATALOGUE
        assert (options.model.model, options.training.batch_size) == ("dbn:784-500", 20)
        assert cell.alone == cell.name.startswith("iterations-measured")


def test_strategies_are_compared_on_equal_terms() -> None:
    """Rate and minibatch are the same for all; a momentum is in the name, and there is Ma's algorithm with it, too."""
    said = {method.name: learning(method, TASKS, 16).arguments for method in (MA, *OTHERS)}
    momenta = {name: parse(take_counts(a[1:])[1], "", "", SimulateArguments) for name, a in said.items()}
    for name, found in momenta.items():
        assert found.finetuning.finetune_learning_rate == momenta[MA.name].finetuning.finetune_learning_rate == 0.3
        assert found.training.batch_size == found.finetuning.finetune_batch_size == 20
        with_it = 0.9 if name.endswith("momentum 0.9") else 0.0
        assert (found.training.momentum, found.finetuning.finetune_momentum) in {(with_it, with_it), (None, None)}
    assert momenta[MA.name].training.momentum is None  # whose usual momentum is none:
    assert with_momenta(as_config(momenta[MA.name])).training.momentum == 0
    assert {name.partition(", momentum")[0] for name in said if "momentum" in name} == set(said) - {
        name for name in said if "momentum" in name
    }


def test_the_quick_form_is_part_of_the_full_one() -> None:
    assert set(Ma2014().cells(Plan(quick=True))) < set(Ma2014().cells(Plan()))


def test_where_the_workers_sit() -> None:
    def tasks(fixed: str, cores: int) -> str:
        arguments = learning(MA, fixed, cores).arguments
        return arguments[arguments.index("--tasks-per-node") + 1]

    assert [tasks(NODES, cores) for cores in (4, 8, 32)] == ["2", "4", "16"]
    assert [tasks(TASKS, cores) for cores in (4, 8, 32)] == ["2", "2", "2"]
    assert learning(MA, NODES, 4) == learning(MA, TASKS, 4)


def outcome_of(cell: Cell, never: Collection[str]) -> Outcome:
    """One core takes 80 s, and n take 80/n s for half the rest of the error in each epoch, unless they never do."""
    if cell.name.startswith("iterations-measured"):
        return Outcome(1.0, summary={"tasks": [{"seconds": 30.0 if cell.name.endswith("1") else 20.0}]})
    counts, _ = take_counts(cell.arguments[1:])
    if cell.name == "iterations-simulated":
        return Outcome(1.0, rows=[{"workers": n, "virtual_seconds": 50.0 + 50.0 / n} for n in counts])
    (cores,) = counts
    errors = [0.3, 0.2] if cell.name in never else [0.2, 0.1, 0.05]
    lines = [{"error": 40.0}] + [{"test_error": error} for error in errors]  # contrastive divergence has no labels
    row = {"workers": cores, "seconds_to_target": None if cell.name in never else 80.0 / cores}
    return Outcome(1.0, rows=[row], epochs={str(cores): lines})


def findings(
    *, quick: bool, measured: bool = True, never: Collection[str] = (NEVER,)
) -> tuple[dict[str, Comparison], Findings]:
    paper, plan = Ma2014(), Plan(quick, measured=measured)
    found = paper.findings({cell.name: outcome_of(cell, never) for cell in paper.cells(plan)}, plan)
    return {table.name: table for table in found.tables}, found


def test_tables_by_hand() -> None:
    tables, _ = findings(quick=False)
    seconds, speed_ups = tables["Table 1"].entries, tables["Table 1, speed-up"].entries
    assert [one.label for one in seconds] == [f"{cores} cores" for cores in TABLES[NODES]]
    assert (seconds[0].paper, seconds[0].ours, seconds[0].note) == (1413, (20.0,), "simulated, in epoch 2")
    assert [one.ours for one in speed_ups] == [(4.0,), (8.0,), (12.0,), (16.0,), (20.0,), (24.0,), (28.0,), (32.0,)]
    assert speed_ups[-1].paper == 6.0152
    assert tables["Table 2"].entries[0].ours == (20.0,)


def test_what_never_reached_the_target_is_missing() -> None:
    tables, found = findings(quick=False)
    last = tables["Table 2"].entries[-1]
    assert (last.paper, last.ours, last.note) == (856, (), "simulated, 80.0 % after epoch 2")
    assert tables["Table 2, speed-up"].entries[-1].ours == ()
    assert "| 32 cores | fetch-put | 856.00 |  |  |  |  | simulated, 80.0 % after epoch 2 |" in markdown(
        tables["Table 2"]
    )
    pictures = {picture.name: picture for picture in found.pictures}
    paper, ours = pictures["fixed-tasks-per-node"].panels[-1].lines
    assert (paper.x[-1], ours.x[-1]) == (32, 28)


def test_without_the_time_of_one_core_there_is_no_speed_up(tmp_path: Path) -> None:
    tables, found = findings(quick=True, never=("fetch-put-1-on-1",))
    assert [one.ours for one in tables["Table 2, speed-up"].entries] == [(), (), ()]
    assert not any(line.x for line in found.pictures[-1].panels[1].lines)
    for picture in found.pictures[-2:]:
        assert draw(picture, tmp_path)


def test_iterations_by_hand() -> None:
    tables, found = findings(quick=True)
    measured, one, two = tables["Cores vs speed-up"].entries[:3]
    assert (measured.ours, measured.note) == ((1.5,), "measured on MPI, this machine")
    assert (one.ours, two.label) == ((1.0,), "2 cores")
    assert two.ours == pytest.approx((100 / 75,))
    (times,) = found.pictures[0].panels[0].lines
    assert (times.x[0], times.y[0]) == (1, 100 * 100.0)  # one epoch was simulated


def test_without_mpi_the_simulated_rows_are_left() -> None:
    left_out = set(Ma2014().cells(Plan())) - set(Ma2014().cells(Plan(measured=False)))
    assert {cell.name for cell in left_out} == {"iterations-measured-1", "iterations-measured-2"}
    (with_mpi, whole), (without, found) = findings(quick=True), findings(quick=True, measured=False)
    assert without["Cores vs speed-up"].entries == with_mpi["Cores vs speed-up"].entries[1:]
    assert [line.name for line in whole.pictures[0].panels[1].lines][2:] == ["measured on MPI"]
    assert found.pictures[0].panels[1].lines == whole.pictures[0].panels[1].lines[:2]
    assert (found.tables[1:], found.pictures[1:]) == (whole.tables[1:], whole.pictures[1:])


def test_other_strategies() -> None:
    tables, found = findings(quick=False)
    entries = tables["Beyond 20 cores"].entries
    assert list(dict.fromkeys(one.series for one in entries)) == [method.name for method in OTHERS]
    assert all(one.paper is None for one in entries)
    assert found.pictures[-1].name == "beyond-20-cores"
    lines = found.pictures[-1].panels[1].lines
    assert lines[1].name == OTHERS[0].name
    assert lines[1].y == (8.0, 16.0, 20.0, 24.0, 32.0)
