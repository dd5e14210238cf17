"""What pages hold: of runs whole, old, unfinished and unsupervised; of simulations, reproductions and several runs."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from report_helpers import (
    CONFUSION,
    LAYER,
    TUNING,
    summary,
    write_comparison,
    write_old_run,
    write_reproduction,
    write_run,
    write_sweep,
)

from anabranch.errors import CheckpointError, UsageError
from anabranch.report.asynchrony import bins, staleness_charts
from anabranch.report.draw import page_of
from anabranch.report.images import grid, png, signed
from anabranch.report.page import Chart, Page, Part, Section
from anabranch.report.records import binned, read_run
from anabranch.report.several import names, read_runs, several_page
from anabranch.report.spending import task_seconds


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run")


def section(page: Page, name: str) -> Section:
    return next(section for section in page.sections if section.name == name)


def part(page: Page, title: str) -> Part:
    found = [p for s in page.sections for p in s.parts if title in (getattr(p, "title", ""), getattr(p, "caption", ""))]
    assert len(found) == 1, title
    return found[0]


def chart(page: Page, title: str) -> Chart:
    found = part(page, title)
    assert isinstance(found, Chart)
    return found


def test_the_page_of_a_run_begins_with_what_came_out(run: Path) -> None:
    page = page_of(run)
    assert page.verdict == "16.67 % test error"
    assert page.lede == (
        "dbn:16-8 learnt digits in 2.00 s, with averaging, every 4 steps on 2 workers (simulated in one process)."
    )
    assert [tile.value for tile in page.tiles] == ["16.67 %", "2.00 s", "96", "2", "4"]
    assert page.tiles[0].note == "3 of 18 wrong"
    assert [s.name for s in page.sections] == ["learning", "time", "staleness", "mistakes", "layers", "setup"]


def test_curves_are_those_of_the_record(run: Path) -> None:
    page = page_of(run)
    assert chart(page, "Reconstruction error after each epoch").numbers.rows == (("1", "8"), ("2", "7"))
    assert chart(page, "Test error after each epoch").numbers.rows == (("1", "40"), ("2", "20"))
    assert chart(page, "Test error against time").numbers.rows == (("1.5", "40"), ("2", "20"))  # after layer 1's second
    steps = chart(page, "Loss of the minibatches").figure["data"]
    assert [trace["name"] for trace in steps] == [LAYER, TUNING]
    assert [len(trace["x"]) for trace in steps] == [100, 6]
    assert steps[0]["y"][0] == pytest.approx(9.0 - 0.01)  # mean of three
    assert chart(page, "Seconds of each task").numbers.rows[-1] == ("beside training", "0.5")
    resumed = summary() | {"process_seconds": 0.75, "earlier_seconds": 1.5}
    seconds = task_seconds(resumed)
    assert seconds.numbers.rows[-1] == ("beside training", "0.25")
    assert seconds.note.endswith("The run was resumed: this is of its last process.")


def test_mistakes_layers_and_staleness(run: Path) -> None:
    page = page_of(run)
    assert section(page, "mistakes").text == (
        "Of 18 test examples, 15 were classified rightly and 3 were not.",
    )  # fmt: skip
    matrix = chart(page, "Confusion matrix").numbers
    assert [list(map(int, row[1:])) for row in matrix.rows] == CONFUSION
    worst = part(page, "The worst mistakes")
    assert [tag.words for tag in worst.tags] == [("2 → 0", "90.0 %"), ("0 → 1", "60.0 %")]  # type: ignore[union-attr]
    titles = [getattr(p, "title", "") for p in section(page, "layers").parts]
    assert titles == [
        "Test examples", "Receptive fields of layer 1", "Reconstructions of layer 1", "Samples of layer 1"
    ]  # fmt: skip
    assert chart(page, "How many versions late pushes came").numbers.rows == (
        ("0", "25"), ("1", "50"), ("2", "0"), ("3", "25")
    )  # fmt: skip
    assert part(page, "Examples, pushes and traffic of each task").rows == (  # type: ignore[union-attr]
        (TUNING, "12", "12", "96", "92", "4", "25.0 %", "2", "1"),
    )


def test_an_old_run_says_what_it_lacks(tmp_path: Path) -> None:
    page = page_of(write_old_run(tmp_path / "run"))
    assert "earlier version" in section(page, "mistakes").text[0]
    assert "earlier version" in section(page, "layers").text[0]
    assert [p.title for p in section(page, "layers").parts] == ["Receptive fields of layer 1"]  # type: ignore[union-attr]
    assert "not known" in section(page, "setup").text[0]
    assert page.tiles[0].note == ""


def test_an_unfinished_run_shows_how_far_it_got(run: Path) -> None:
    for name in ("summary.json", "evaluation.json", "pictures.safetensors", "model.safetensors"):
        (run / name).unlink()
    with (run / "steps.jsonl").open("a") as file:
        file.write('{"kind": "epo')  # cut off by a kill
    page = page_of(run)
    assert page.verdict == "Not finished: 4 epochs so far"
    assert "not ended" in section(page, "time").text[0]
    assert "not ended" in section(page, "mistakes").text[0]
    assert "layers" not in {s.name for s in page.sections}
    (run / "steps.jsonl").unlink()
    assert section(page_of(run), "learning").text == ("No epoch has ended yet.",)


def test_what_was_measured_on_a_validation_part_is_called_so(run: Path, tmp_path: Path) -> None:
    text = (run / "config.toml").read_text()
    (run / "config.toml").write_text(text.replace("[data]\n", "[data]\nvalidation_fraction = 0.1\n"))
    page = page_of(run)
    assert page.verdict == "16.67 % validation error"
    assert chart(page, "Validation error against time").numbers.heads[1] == "validation error, %"
    assert section(page, "mistakes").text[0].startswith("Of 18 validation examples")
    both = several_page(read_runs([run, write_run(tmp_path / "other")]))
    assert both.verdict == "16.67 % is the least held-out error: run"


def test_an_unsupervised_run(run: Path) -> None:
    content = json.loads((run / "summary.json").read_text()) | {"test_error": None}
    content["tasks"] = content["tasks"][:1]
    (run / "summary.json").write_text(json.dumps(content))
    (run / "evaluation.json").write_text(json.dumps({"image_shape": [4, 4], "gibbs_steps": 100, "examples": 18}))
    page = page_of(run)
    assert page.verdict == "Reconstruction error 7"
    assert "unsupervised" in section(page, "mistakes").text[0]
    assert len(section(page, "layers").parts) == 4


def test_damaged_records_and_other_folders_are_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run, simulation, comparison or reproduction in"):
        page_of(tmp_path)
    for name, content in (("summary.json", "{"), ("model.safetensors", "no"), ("steps.jsonl", "x\n")):
        before = (run / name).read_bytes()
        (run / name).write_text(content)
        with pytest.raises(CheckpointError, match=f"{name} cannot be read"):
            page_of(run)
        (run / name).write_bytes(before)


def test_a_simulation(tmp_path: Path) -> None:
    page = page_of(write_sweep(tmp_path / "sweep"))
    assert page.verdict == "4 workers are 3.20 times as fast as 1"
    assert page.lede == "dbn:16-8 on digits with averaging, in the virtual time of ours."
    assert [s.name for s in page.sections] == ["scaling", "time", "learning", "staleness", "cluster", "setup"]
    ideal, reached = chart(page, "Speed-up").figure["data"]
    assert (ideal["name"], ideal["y"]) == ("ideal", [1.0, 4.0, 16.0])
    assert reached["y"] == [1.0, 3.2, None]
    assert chart(page, "Efficiency").numbers.rows == (("1", "100"), ("4", "80"), ("16", "–"))
    assert any("16 workers: rank 1 was lost" in text for text in section(page, "scaling").text)
    curves = chart(page, "Reconstruction error of layer 1 after each epoch").figure["data"]
    assert [trace["name"] for trace in curves] == ["1 worker", "4 workers"]
    assert section(page, "cluster").text == ("Two nodes.",)


def test_a_simulation_of_times_alone_and_of_nothing(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path / "sweep", runs=False)
    page = page_of(folder)
    assert page.lede.endswith("Times alone: nothing was learnt.")
    assert "learning" not in {s.name for s in page.sections}
    rows = json.loads((folder / "sweep.json").read_text())
    (folder / "sweep.json").write_text(json.dumps([rows[2]]))
    assert page_of(folder).verdict == "No run came to its end"


def test_speed_ups_are_told_against_the_smallest_number(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path / "sweep", runs=False)
    rows = json.loads((folder / "sweep.json").read_text())
    rows = [
        rows[1] | {"workers": 2, "speed_up": 2.0},
        rows[1] | {"speed_up": 3.0},
        rows[1] | {"workers": 8, "speed_up": 1.0},
    ]
    (folder / "sweep.json").write_text(json.dumps(rows))
    assert page_of(folder).verdict == "4 workers are 1.50 times as fast as 2, 8 are 0.500 times"
    rows = [rows[0] | {"workers": 1, "speed_up": 1.0}, rows[1] | {"workers": 16, "speed_up": 0.5}]
    (folder / "sweep.json").write_text(json.dumps(rows))
    assert page_of(folder).verdict == "1 worker is the fastest; 16 go at 0.500 times its speed"


def test_a_reproduction(tmp_path: Path) -> None:
    page = page_of(write_reproduction(tmp_path / "paper"))
    assert page.verdict == "Nobody 1999, A paper"
    assert "most of it" in page.lede
    table = section(page, "tables").parts[0]
    assert table.heads == ("what", "series", "paper, %", "ours, %", "deviation", "runs", "difference", "how")  # type: ignore[union-attr]
    assert table.rows[0] == ("2 workers", "error", "5", "4.5", "–", "1", "-0.5", "measured")  # type: ignore[union-attr]
    ours, paper = chart(page, "Errors").figure["data"]
    assert ours["error_y"]["array"] == [0.1, 0.0, 0.2]
    assert paper["line"]["color"] == "#808890"
    assert section(page, "notes").text == ("A note & more.",)


def test_a_comparison(tmp_path: Path) -> None:
    page = page_of(write_comparison(tmp_path / "comparison"))
    assert page.verdict == "allreduce is 2 times as fast"
    assert (page.tiles[0].value, page.tiles[0].note) == ("allreduce, one process", "shared")
    assert part(page, "Ranking").rows == (("allreduce", "1=", "2.00"), ("one process", "–", "–"))  # type: ignore[union-attr]
    (bar,) = chart(page, "Times as fast as one process").figure["data"]
    assert (bar["x"], bar["y"]) == (["allreduce"], [2.0])  # one process did not always arrive
    (curve,) = chart(page, "Test error against time").figure["data"]  # one process has no errors to show
    assert (curve["x"], curve["y"]) == ([2.0, 3.0], [30.0, 10.0])
    assert curve["error_y"]["array"] == [14.1421, 0.0]
    (rates,) = chart(page, "Error of each learning rate that was tried").figure["data"]
    assert (rates["x"], rates["y"]) == ([0.1, 0.3], [50.0, 25.0])
    terms = section(page, "setup").parts[0]
    assert ("options", "--data digits") in terms.rows  # type: ignore[union-attr]


def test_several_runs(tmp_path: Path) -> None:
    first, second = write_run(tmp_path / "a"), write_run(tmp_path / "b", strategy="allreduce")
    sweep = write_sweep(tmp_path / "sweep")
    runs = read_runs([first, second, first, sweep])
    assert [run.name for run in runs] == ["a", "b", "workers-1", "workers-4"]
    page = several_page(runs)
    assert page.verdict == "16.67 % is the least test error: a"
    assert len(part(page, "The runs").rows) == 4  # type: ignore[union-attr]
    differing = section(page, "options").parts[0]
    assert [row[0] for row in differing.rows] == ["--strategy"]  # type: ignore[union-attr]
    assert len(chart(page, "Loss of fine-tuning after each epoch").figure["data"]) == 4
    assert several_page(runs[:1]).sections[-1].text == ("The runs have the same options.",)
    with pytest.raises(UsageError, match="there is no run in"):
        read_runs([first, tmp_path])


def test_runs_that_have_hardly_begun_can_stand_among_others(tmp_path: Path) -> None:
    whole, begun, layer = (write_run(tmp_path / name) for name in ("whole", "begun", "layer"))
    for folder in (begun, layer):
        (folder / "summary.json").unlink()
    (begun / "steps.jsonl").write_text("")
    lines = (layer / "steps.jsonl").read_text().splitlines(keepends=True)
    (layer / "steps.jsonl").write_text("".join(line for line in lines if TUNING not in line))
    page = several_page(read_runs([begun, layer, whole]))
    assert [trace["name"] for trace in chart(page, "Reconstruction error against time").figure["data"]] == ["layer"]
    assert part(page, "The runs").rows[0][-2:] == ("not finished", "–")  # type: ignore[union-attr]


def test_names_are_as_short_as_they_can_be() -> None:
    assert names([Path("/x/a"), Path("/x/b")]) == ["a", "b"]
    assert names([Path("/x/a"), Path("/y/a")]) == ["x/a", "y/a"]


def test_bins_of_ages_are_single_or_double() -> None:
    assert bins(3) == [(0, 0), (1, 1), (2, 2), (3, 3)]
    assert bins(40) == [(0, 0), (1, 1), (2, 2), (3, 4), (5, 8), (9, 16), (17, 32), (33, 64)]
    assert staleness_charts({"none": {}}) == []
    (found,) = staleness_charts({"many": {"0": 1, "30": 3}})
    assert found.numbers.rows[0] == ("0", "25")
    assert found.numbers.rows[-1] == ("17–32", "75")


def test_steps_are_averaged_in_parts() -> None:
    assert binned([1.0, 2.0]) == [(1.0, 1.0), (2.0, 2.0)]
    points = binned([float(n) for n in range(1000)])
    assert len(points) == 100
    assert points[0] == (10.0, 4.5)
    assert binned([]) == []


def test_a_run_can_be_read_without_its_steps(run: Path) -> None:
    whole, quick = read_run(run), read_run(run, steps=False)
    assert quick.epochs == whole.epochs
    assert quick.steps == {}


def test_images() -> None:
    tiles = signed(np.array([[[-2.0, 0.0], [1.0, 2.0]], [[0.0, 0.0], [0.0, 0.0]]]))
    assert tiles[0, 0, 0].tolist() == [0, 114, 178]
    assert tiles[0, 1, 1].tolist() == [213, 94, 0]
    assert tiles[1].reshape(-1, 3).tolist() == [[250, 250, 250]] * 4
    whole = grid(tiles, 2)
    assert whole.shape == (2, 5, 4)
    assert whole[:, 2, 3].tolist() == [0, 0]  # clear between the tiles
    with Image.open(io.BytesIO(png(whole))) as image:
        assert image.size == (5, 2)
    assert png(whole) == png(whole.copy())
