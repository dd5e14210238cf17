"""De Filippo De Grazia et al. 2012: its cells are commands of ours, and its findings are what was computed by hand."""

import math
from pathlib import Path
from typing import Any

import pytest

from anabranch.cli.options import Arguments, SimulateArguments, as_config, parse
from anabranch.config import Config
from anabranch.experiments.catalogue import PAPERS
from anabranch.experiments.cell import Cell, Outcome
from anabranch.experiments.degrazia2012 import FULL, QUICK
from anabranch.experiments.degrazia2012_reading import LAYERS, exponent
from anabranch.experiments.drawing import draw
from anabranch.experiments.findings import Comparison, Findings, markdown
from anabranch.experiments.paper import Plan

PAPER = PAPERS["degrazia2012"]
SHARES = (2.0, 1.0, 5.0)  # virtual seconds of an epoch of each layer on one worker
EPOCHS = (3, 2, 6)  # until convergence; 6 is the quick form's limit
ERRORS = {"fixed-1": 0.0125, "fixed-40": 0.0197, "recipe": 0.0135}


def config_of(cell: Cell) -> Config:
    command, *arguments = cell.arguments
    if command == "train":
        return as_config(parse(arguments, "anabranch train", "", Arguments))
    at = arguments.index("--workers")  # of a sweep: a list, which its command takes by itself
    return as_config(parse([*arguments[:at], *arguments[at + 2 :]], "anabranch simulate", "", SimulateArguments))


def outcome_of(cell: Cell) -> Outcome:
    """What such a cell might have found."""
    workers = cell.arguments[cell.arguments.index("--workers") + 1]
    if cell.arguments[0] == "simulate":
        counts = workers.split(",")
        return Outcome(1.0, rows=[{"workers": int(n), "tasks": timed(int(n))} for n in counts])
    layers = 1 if cell.name.startswith("first-layer") else 3
    tasks: list[dict[str, Any]] = [
        {"task": layer, "epochs": epochs, "error": 5.0, "seconds": epochs * 4.0 / int(workers)}
        for layer, epochs in zip(LAYERS[:layers], EPOCHS, strict=False)
    ]
    error = next((error for name, error in ERRORS.items() if cell.name.startswith(name)), 0.014)
    tasks.append({"task": "fine-tuning", "epochs": 5, "error": 0.1, "seconds": 9.0})
    return Outcome(1.0, summary={"test_error": error, "dtype": "float32", "tasks": tasks})


def timed(workers: int) -> list[dict[str, Any]]:
    return [
        {"task": layer, "epochs": 5, "virtual_seconds": 5 * share / workers}
        for layer, share in zip(LAYERS, SHARES, strict=True)
    ]


@pytest.fixture(scope="module")
def findings() -> Findings:
    cells = PAPER.cells(Plan(quick=True))
    return PAPER.findings({cell.name: outcome_of(cell) for cell in cells}, Plan(quick=True))


def table(findings: Findings, name: str) -> Comparison:
    (found,) = [one for one in findings.tables if one.name == name]
    return found


def ours(findings: Findings, name: str) -> list[tuple[float, ...]]:
    return [entry.ours for entry in table(findings, name).entries]


@pytest.mark.parametrize("quick", [True, False])
def test_cells_have_names_and_options_of_their_own(quick: bool) -> None:
    cells = PAPER.cells(Plan(quick=quick))
    assert len({cell.name for cell in cells}) == len({cell.arguments for cell in cells}) == len(cells)
    assert all(set(cell.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.") for cell in cells)
    assert all(cell.cost > 0 for cell in cells)


def test_the_full_form_is_the_papers() -> None:
    cells = {cell.name: cell for cell in PAPER.cells(Plan())}
    configs = {name: config_of(cells[name]) for name in ("fixed-40-network-4", "convergence-8-network-0", "time")}
    one = configs["fixed-40-network-4"]
    assert (one.parallel.workers, one.training.seed, one.training.epochs, one.training.batch_size) == (40, 4, 50, 125)
    assert (one.model.model, one.finetuning.finetune_workers) == ("dbn:784-500-500-2000", "one")
    assert configs["convergence-8-network-0"].training.stop == "convergence"
    assert configs["convergence-8-network-0"].training.tolerance == 0.003
    assert configs["time"].training.dtype == "float64"
    assert len([name for name in cells if name.startswith("fixed")]) == 7 * 5
    assert len([name for name in cells if name.startswith("convergence")]) == 7 * 5


@pytest.mark.parametrize("quick", [True, False])
def test_every_cell_is_a_command_of_ours(quick: bool) -> None:
    of_each_kind = {cell.name.rsplit("-network-")[0]: cell for cell in PAPER.cells(Plan(quick=quick))}
    for cell in of_each_kind.values():
        config = config_of(cell)
        assert config.data.data == "mnist"
        assert config.run.out is None


def test_a_recipe_changes_what_it_says_alone() -> None:
    cells = {cell.name: cell for cell in PAPER.cells(Plan())}
    preset = config_of(cells["fixed-40-network-0"])
    for recipe in FULL.recipes:
        one = config_of(cells[f"recipe-{recipe.slug}-network-0"])
        assert one.training.batch_size == recipe.batch
        assert (one.training.epochs, one.finetuning) == (preset.training.epochs, preset.finetuning)
        assert one.parallel.workers == recipe.workers
    assert [recipe.workers for recipe in FULL.recipes] == [40, 40, 40, 1]
    assert set(QUICK.recipes) <= set(FULL.recipes)


def test_what_is_measured_runs_alone() -> None:
    alone = [cell for cell in PAPER.cells(Plan()) if cell.alone]
    assert [config_of(cell).parallel.world for cell in alone] == ["mpi", "mpi"]
    assert [config_of(cell).parallel.workers for cell in alone] == [1, 2]


@pytest.mark.parametrize("quick", [True, False])
def test_another_arithmetic_is_that_of_the_training_alone(quick: bool) -> None:
    for plain, mixed in zip(PAPER.cells(Plan(quick)), PAPER.cells(Plan(quick, dtype="bf16-mixed")), strict=True):
        changes = [pair for pair in zip(plain.arguments, mixed.arguments, strict=True) if len(set(pair)) > 1]
        assert (plain.name, plain.cost, plain.alone) == (mixed.name, mixed.cost, mixed.alone)
        trains = plain.arguments[0] == "train" and not plain.alone
        assert changes == ([("float32", "bf16-mixed")] if trains else [])


def test_the_arguments_of_a_run_that_lasts_for_hours() -> None:
    """Results that are there are known by these words: they must not change."""
    (cell,) = (one for one in PAPER.cells(Plan(dtype="bf16-mixed")) if one.name == "fixed-40-network-0")
    assert cell.command == (
        "anabranch train --data mnist --preset degrazia --world simulated --dtype bf16-mixed --threads 1 "
        "--checkpoint-seconds 60 --finetune-epochs 30 --seed 0 --workers 40 --epochs 50"
    )


def test_the_exponent_by_hand() -> None:
    """Logarithms 0, 1, 2 and 0, -1, -1: covariance -1, variance 2."""
    assert math.isclose(exponent([1, math.e, math.e**2], [1, 1 / math.e, 1 / math.e]), -0.5)
    assert math.isclose(exponent([1, 10, 100], [5, 0.5, 0.05]), -1)


def test_figure_1(findings: Findings) -> None:
    assert ours(findings, "Figure 1, error") == [(1.25,), (1.97,)]
    assert [entry.paper for entry in table(findings, "Figure 1, error").entries] == [1.14, 1.62]
    assert ours(findings, "Figure 1, time") == [(400,), (10,)]  # 50 · 8 s, shared by the workers
    assert [entry.paper for entry in table(findings, "Figure 1, time").entries] == [16_500, 900]


def test_until_convergence_the_time_is_each_layers_epochs_times_its_seconds(findings: Findings) -> None:
    assert ours(findings, "Figure 2a, time") == [(38,), (0.95,)]  # 3 · 2 + 2 · 1 + 6 · 5
    assert ours(findings, "Figure 2b")[:3] == [(6,), (2,), (30,)]
    assert ours(findings, "Figure 2b, epochs")[3:] == [(3,), (2,), (6,)]
    assert "2 of 10 layers went on to the limit of 6 epochs" in findings.notes[-1]


def test_the_follow_up_is_against_the_product(findings: Findings) -> None:
    labels = [entry.label for entry in table(findings, "Follow-up, epochs").entries]
    assert labels == ["100 x 1 = 100", "400 x 1 = 400", "100 x 4 = 400", "400 x 4 = 1600"]
    assert set(ours(findings, "Follow-up, epochs")) == {(3,)}


def test_exponents(findings: Findings) -> None:
    found = [one for (one,) in ours(findings, "Exponents")]
    assert found == [pytest.approx(-1), pytest.approx(-1), pytest.approx(0)]
    assert [entry.paper for entry in table(findings, "Exponents").entries] == [-0.86, None, None]


def test_two_workers_measured_beside_simulated(findings: Findings) -> None:
    assert ours(findings, "Measured") == [(12,), (6,)]  # 4 s an epoch and layer, shared
    assert ours(findings, "Two workers") == [(2,), (2,)]
    assert "measured" in table(findings, "Two workers").entries[0].note
    assert "simulated" in table(findings, "Two workers").entries[1].note


def test_without_mpi_the_simulated_rows_are_left(findings: Findings) -> None:
    plan = Plan(quick=True, measured=False)
    cells = PAPER.cells(plan)
    left_out = set(PAPER.cells(Plan(quick=True))) - set(cells)
    assert {cell.name for cell in left_out} == {"measured-1", "measured-2"}
    found = PAPER.findings({cell.name: outcome_of(cell) for cell in cells}, plan)
    changed = [one for one in findings.tables if one not in found.tables]
    assert [one.name for one in changed] == ["Measured", "Two workers"]
    (entry,) = table(found, "Two workers").entries
    assert (entry.label, entry.series, entry.ours) == ("2 workers", "the paper's cluster", (2,))
    assert (found.pictures, found.notes) == (findings.pictures, findings.notes)


def test_a_recipe_is_judged_against_one_worker(findings: Findings) -> None:
    preset, recipe = table(findings, "Improved recipe, loss").entries
    assert (preset.label, preset.note) == ("preset, 40 workers", "more than 0.1 points")
    assert preset.ours == pytest.approx((0.72,))
    assert recipe.ours == pytest.approx((0.1,))
    assert (recipe.label, recipe.note) == (QUICK.recipes[0].name, "within 0.1 points")
    assert ours(findings, "Improved recipe, time") == [(8,), (0.2,), (0.2,)]


def test_a_missing_figure_leaves_its_column_empty(findings: Findings) -> None:
    lines = markdown(table(findings, "Figure 1, error")).splitlines()
    assert lines[4].startswith("| 1 worker | error | 1.14 | 1.25 |  | 1 | +0.11 | trained")
    lines = markdown(table(findings, "Figure 2b, epochs")).splitlines()
    assert lines[4].startswith("| 1 worker | layer 1 (784-500) |  | 3.0 |  | 1 |  | trained")


def test_several_networks_have_a_deviation() -> None:
    cells = PAPER.cells(Plan())
    outcomes = {cell.name: outcome_of(cell) for cell in cells}
    assert not outcomes["fixed-1-network-0"].epochs
    found = PAPER.findings(outcomes, Plan())
    rows = table(found, "Figure 1, error").cells()[1]
    assert rows[0][:6] == ["1 worker", "error", "1.14", "1.25", "0.00", "5"]
    assert not [note for note in found.notes if "to the limit of" in note]


def test_fewer_networks_are_some_of_the_runs_of_all() -> None:
    whole = PAPER.cells(Plan())
    some = PAPER.cells(Plan(repeats=4))
    assert [cell for cell in whole if cell not in some] == [cell for cell in whole if cell.name.endswith("network-4")]
    one = Plan(repeats=1)
    found = PAPER.findings({cell.name: outcome_of(cell) for cell in PAPER.cells(one)}, one)
    assert len(PAPER.cells(one)) == 7 + 7 + 4 + 9 + 1 + 4 + 2  # both criteria, recipes, follow-up, times, measured
    assert {len(values) for values in ours(found, "Figure 1, error") + ours(found, "Follow-up, epochs")} == {1}


def test_the_notes_say_which_arithmetic(findings: Findings) -> None:
    assert "Arithmetic of the training: float32 (9 runs)." in findings.notes


def test_pictures_can_be_drawn(findings: Findings, tmp_path: Path) -> None:
    names = [picture.name for picture in findings.pictures]
    assert names == ["figure-1", "figure-2a", "figure-2b", "follow-up", "improved-recipe"]
    for picture in findings.pictures:
        assert all(path.exists() for path in draw(picture, tmp_path))


def test_the_quick_form_says_what_it_left_out() -> None:
    assert "one network instead of five" in PAPER.cuts
    assert len(PAPER.cells(Plan(quick=True))) < len(PAPER.cells(Plan())) / 5
