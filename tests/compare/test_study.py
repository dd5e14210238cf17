"""A whole comparison on a made-up landscape of errors: which runs it asks for, and what it makes of them."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from test_terms import terms

from anabranch.compare.ranking import verdict
from anabranch.compare.study import Study, compare
from anabranch.compare.tables import all_sheets, markdown
from anabranch.compare.terms import ALONE, contenders
from anabranch.compare.writing import as_data, notes, write
from anabranch.errors import AnabranchError
from anabranch.experiments.cell import Cell, Outcome

BEST = {"one-process": 0.1, "allreduce": 0.3, "averaging-every-8": 0.03}
SECONDS = {"one-process": 8.0, "allreduce": 4.0, "averaging-every-8": 2.0}


class Landscape:
    """Outcomes as a simulation would leave them: least error at a rate of each strategy, divergence above 1."""

    which = ""

    def __init__(self) -> None:
        self.asked: list[list[Cell]] = []

    def __call__(self, cells: Sequence[Cell]) -> Mapping[str, Outcome]:
        self.asked.append(list(cells))
        return {cell.name: self._outcome(cell) for cell in cells}

    def _outcome(self, cell: Cell) -> Outcome:
        words = cell.arguments
        epochs, seed = (float(words[words.index(name) + 1]) for name in ("--epochs", "--seed"))
        rate = float(words[words.index("--learning-rate") + 1]) if "--learning-rate" in words else 0.1
        who = next(name for name in BEST if cell.name.startswith(name))
        if rate > 1:
            return Outcome(1.0, diverged=True)
        final = 0.05 * (1 + abs(math.log10(rate / BEST[who]))) + 0.001 * seed
        each = SECONDS[who] / 4 * (1 + 0.01 * seed)
        lines = [
            {"task": "training", "virtual_clock": each * (at + 1), "test_error": final + 0.1 * (epochs - 1 - at)}
            for at in range(int(epochs))
        ]
        row = {"virtual_seconds": each * epochs, "test_error": final, "bytes_per_worker": 2e6, "waiting": 0.1}
        return Outcome(1.0, rows=[row], epochs={"4": lines})


@pytest.fixture(scope="module")
def study() -> Study:
    return compare(terms(epochs=4, seeds=3), None, Landscape())


def test_each_has_its_budget_and_its_best_rate(study: Study) -> None:
    assert {name: len(trials.errors) for name, trials in study.trials.items()} == dict.fromkeys(study.results, 4)
    assert study.results[ALONE].rate == 0.1
    assert study.results["allreduce"].rate == 0.316
    assert study.results["averaging --every 8"].rate == 0.0316


def test_the_test_part_is_not_looked_at_before_the_end() -> None:
    landscape = Landscape()
    compare(terms(seeds=2), 0.2, landscape)
    *tuning, last = landscape.asked
    assert all("--validation-fraction" in cell.arguments for cells in tuning for cell in cells)
    assert not any("--validation-fraction" in cell.arguments for cell in last)
    assert [cell.name for cell in last][:4] == [
        "one-process-seed-0",
        "allreduce-seed-0",
        "averaging-every-8-seed-0",
        "one-process-seed-1",  # seed after seed
    ]
    assert len(tuning[0]) == 9  # all contenders' first rates at the same time


def test_places_and_equal_time(study: Study) -> None:
    assert [place.result.contender.name for place in study.places] == ["averaging --every 8", "allreduce", ALONE]
    assert [place.number for place in study.places] == [1, 2, 3]
    assert study.equal_seconds == 2 * 1.02  # of the slowest of the first's three seeds
    (first, *_) = study.places
    assert first.result.errors_at(study.equal_seconds) == first.result.errors
    assert (
        verdict(study.places, study.target)
        == "averaging --every 8 reaches 5.61 % first, 4 times as fast as one process."
    )


def test_equal_time_gives_fast_ones_more_epochs() -> None:
    study = compare(terms(epochs=4, equal="time"), None, Landscape())
    assert {name: result.runs[0].epochs for name, result in study.results.items()} == {
        ALONE: 4,
        "allreduce": 8,
        "averaging --every 8": 16,
    }
    assert "time: as much as one process needs" in notes(study)[0]


def test_equal_time_makes_fine_tuning_longer_by_the_same_factor() -> None:
    landscape = Landscape()
    compare(terms(epochs=4, equal="time", finetuning=3), None, landscape)
    words = {cell.name: cell.arguments for cell in landscape.asked[-1]}
    assert "--finetune-epochs" not in words["one-process-seed-0"]  # as all: among the options that they share
    given = words["averaging-every-8-seed-0"]
    assert given[given.index("--finetune-epochs") + 1] == "12"


def test_where_one_process_diverges_there_is_no_target_of_its_own() -> None:
    class Hot(Landscape):
        def _outcome(self, cell: Cell) -> Outcome:
            return Outcome(1.0, diverged=True) if cell.name.startswith(self.which) else super()._outcome(cell)

    found = Hot()
    found.which = "one-process-seed"
    with pytest.raises(AnabranchError, match="one process diverged with 2 of 2 seeds at its best learning rate"):
        compare(terms(), None, found)
    assert compare(terms(), 0.06, found).places[0].result.contender.name != ALONE
    found.which = ""
    with pytest.raises(AnabranchError, match="every run diverged: give a lower --learning-rate"):
        compare(terms(), 0.06, found)


def test_who_diverged_sets_no_time_for_the_others() -> None:
    """With one seed of two it is the first to finish; but the other one never did."""

    class Shaky(Landscape):
        def _outcome(self, cell: Cell) -> Outcome:
            lost = cell.name == "averaging-every-8-seed-1"
            return Outcome(1.0, diverged=True) if lost else super()._outcome(cell)

    found = compare(terms(epochs=4, seeds=2), 0.06, Shaky())
    assert found.equal_seconds == SECONDS["allreduce"] * 1.01


def test_a_line_search_has_one_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    landscape = Landscape()
    monkeypatch.setitem(BEST, "sampled-averaging", 0.1)
    monkeypatch.setitem(SECONDS, "sampled-averaging", 3.0)
    found = compare(terms(contenders=contenders("sampled-averaging", 4)), None, landscape)
    assert list(found.trials["sampled-averaging"].errors) == [0.1]
    assert "line search" in markdown(all_sheets(found)[1])


def test_rates_that_diverge_are_shown_and_not_taken() -> None:
    study = compare(terms(rate=0.9), None, Landscape())
    assert any(math.isinf(error) for error in study.trials["allreduce"].errors.values())
    assert study.results["allreduce"].rate <= 0.9
    assert "diverged" in markdown(all_sheets(study)[2])
    assert all(trial["error"] is None or trial["error"] < 1 for trial in as_data(study)["trials"]["allreduce"])


def test_the_files_tell_everything_and_are_the_same_again(study: Study, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write(study, tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == ["comparison.json", "comparison.md", "curves.png", "curves.svg", "environment.json"]
    for name in set(files) - {"environment.json"}:  # which says when it began
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    content = json.loads((tmp_path / "one/comparison.json").read_text())
    assert content["ranking"][0] == {"place": 1, "name": "averaging --every 8"}
    assert content["results"][ALONE]["runs"][0]["final"] == pytest.approx(0.05)
    text = (tmp_path / "one/comparison.md").read_text()
    assert content["verdict"] in text
    assert "| averaging --every 8 | 1 | 2.02 ± 0.0497 |" in text  # of 2.00, 2.02 and 2.04: 4.3027 * 0.02 / sqrt(3)
