"""Cells are run once, several at a time; what is broken off goes on; what fails says so."""

import io
import json
import os
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest
import slow_net
from rich.console import Console
from tiny_paper import EPOCHS, OPTIONS, SHORT, Finished, cells, runner

from anabranch.cli.main import main
from anabranch.errors import AnabranchError, CheckpointError, Interrupted, UsageError
from anabranch.experiments.cell import Cell, Outcome, conclude
from anabranch.experiments.course import Course, in_words
from anabranch.runfolder import RunFolder
from anabranch.signals import StopFlag


def test_each_cell_runs_once_and_says_what_it_found(finished: Finished) -> None:
    outcomes, folder = finished.outcomes, finished.folder
    assert set(outcomes) == {"short", "other", "many"}
    assert outcomes["short"].summary["test_error"] == outcomes["short"].epochs["1"][-1]["test_error"]
    assert [row["workers"] for row in outcomes["many"].rows] == [1, 2]
    assert {workers: len(lines) for workers, lines in outcomes["many"].epochs.items()} == {"1": 2, "2": 2}
    lines = finished.said.splitlines()
    assert lines[-1].startswith("3/3 many, ")  # alone, after the others; two errors are no figure of one run
    assert lines[-1].endswith("; all done")
    assert any("other: test error" in line and "left" in line for line in lines[:2])
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("result.json")}
    run, said = runner(folder)
    assert run.run(cells()) == outcomes
    assert said.getvalue() == "3 cells finished before, 0 to run\n"
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("result.json")}


def test_a_stopped_experiment_goes_on_to_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cell,) = (cell for cell in cells(long=True) if cell.name == "other")
    monkeypatch.chdir(Path(slow_net.__file__).parent)
    monkeypatch.setenv(slow_net.PAUSE, "0.02")
    flag = StopFlag()
    run, _ = runner(tmp_path / "stopped", flag=flag)

    def stop_in_its_midst() -> None:
        record = tmp_path / "stopped/other/run/steps.jsonl"
        while not (record.exists() and record.read_text().count('"kind": "epoch"') > 2):
            time.sleep(0.02)
        flag.signal_number = signal.SIGINT

    threading.Thread(target=stop_in_its_midst, daemon=True).start()
    with pytest.raises(Interrupted) as caught:
        run.run([cell])
    assert caught.value.exit_code == 128 + signal.SIGINT
    assert not (tmp_path / "stopped/other/result.json").exists()
    assert any((tmp_path / "stopped/other/run/checkpoints").iterdir())
    monkeypatch.delenv(slow_net.PAUSE)
    (resumed,) = runner(tmp_path / "stopped")[0].run([cell]).values()
    assert main([*cell.arguments, "--out", str(tmp_path / "whole")]) == 0
    whole = json.loads((tmp_path / "whole/summary.json").read_text())
    assert resumed.summary["weights_sha256"] == whole["weights_sha256"]
    assert len(resumed.epochs["1"]) == EPOCHS


def test_a_second_ctrl_c_does_not_wait_for_the_end_of_an_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An epoch takes minutes here; so would the end of this test."""
    (cell,) = (cell for cell in cells(long=True) if cell.name == "other")
    monkeypatch.chdir(Path(slow_net.__file__).parent)
    monkeypatch.setenv(slow_net.PAUSE, "10")
    flag = StopFlag()
    run, _ = runner(tmp_path, flag=flag)

    def stop_twice() -> None:
        while not (tmp_path / "other/run/steps.jsonl").exists():
            time.sleep(0.02)
        flag.signal_number = signal.SIGINT
        while "stopping at the end of this epoch" not in (tmp_path / "other/said.txt").read_text():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=stop_twice, daemon=True).start()
    with pytest.raises(Interrupted):
        run.run([cell])
    assert "stopped at once" in (tmp_path / "other/said.txt").read_text()
    assert json.loads((tmp_path / "other/spent.json").read_text()) > 0


def test_a_cell_whose_last_process_goes_on_is_waited_for(tmp_path: Path, finished: Finished) -> None:
    shutil.copytree(finished.folder / "other", tmp_path / "other")
    (tmp_path / "other/result.json").unlink()
    run, said = runner(tmp_path)
    left = RunFolder(tmp_path / "other/run")
    held = threading.Event()

    def go_on_for_a_while() -> None:
        with left.held():
            held.set()
            while "waiting" not in said.getvalue():
                time.sleep(0.02)

    assert not left.is_held()
    threading.Thread(target=go_on_for_a_while, daemon=True).start()
    assert held.wait(60)
    (cell,) = (cell for cell in cells() if cell.name == "other")
    found = run.run([cell])[cell.name]
    assert found.summary["weights_sha256"] == finished.outcomes["other"].summary["weights_sha256"]
    assert "other: another process is training there still; waiting until it has stopped …\n" in said.getvalue()


def test_the_seconds_of_all_parts_of_a_cell_count(tmp_path: Path, finished: Finished) -> None:
    shutil.copytree(finished.folder / "short", tmp_path / "short")
    (tmp_path / "short/result.json").unlink()
    (cell,) = cells()[:1]
    for code in (143, 137):
        with pytest.raises(AnabranchError):
            conclude(cell, tmp_path, code, "", 10.0)
    assert conclude(cell, tmp_path, 0, "", 1.5).seconds == 21.5
    assert not (tmp_path / "short/spent.json").exists()


def test_a_failing_cell_names_its_command_and_ends_the_others(tmp_path: Path, finished: Finished) -> None:
    """It fails since it goes on with a run that was begun with other options."""
    shutil.copytree(finished.folder / "short", tmp_path / "short")
    (tmp_path / "short/result.json").unlink()
    begun = cells()[0]
    wrong = Cell(begun.name, (*begun.arguments, "--learning-rate", "0.2"))
    endless = Cell("endless", ("train", "--world", "single", *OPTIONS, *SHORT, "--epochs", "1000000"))
    run, _ = runner(tmp_path)
    with pytest.raises(AnabranchError) as caught:
        run.run([wrong, endless])
    said = str(caught.value)
    run_there = f"the run in {tmp_path}/short/run has --learning-rate 0.1, not 0.2: a resumed run keeps its options"
    assert said.startswith(f"short failed with exit code 2 ({run_there}")
    assert said.endswith(f"its command was {wrong.command}")
    assert wrong.command.endswith("--model mlp --learning-rate 0.2")
    assert not (tmp_path / "endless/result.json").exists()


def test_another_experiments_cell_is_not_taken_for_ones_own(tmp_path: Path, finished: Finished) -> None:
    (cell,) = cells()[:1]
    shutil.copytree(finished.folder / cell.name, tmp_path / cell.name)
    other = Cell(cell.name, (*cell.arguments, "--learning-rate", "0.2"))
    with pytest.raises(UsageError, match="holds another experiment's cell: give another --out"):
        runner(tmp_path)[0].run([other])
    (tmp_path / "short/result.json").write_text("{")
    with pytest.raises(CheckpointError, match="cannot be read: delete its folder"):
        runner(tmp_path)[0].run([cell])


def test_a_killed_cell_is_not_taken_for_a_wish_to_stop(tmp_path: Path) -> None:
    cell = Cell("big", ("train",))
    (tmp_path / "big").mkdir()
    for code in (-9, 137):
        with pytest.raises(AnabranchError, match=r"big was killed .*fewer --jobs") as caught:
            conclude(cell, tmp_path, code, "", 1.0)
        assert not isinstance(caught.value, Interrupted)
    for code in (-15, 143, 130):
        with pytest.raises(Interrupted, match="big was stopped"):
            conclude(cell, tmp_path, code, "", 1.0)


def test_costs_make_the_time_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.0, 30.0, 90.0, 90.0])
    said = io.StringIO()
    console = Console(file=said, width=200)
    monkeypatch.setattr("anabranch.experiments.course.time.monotonic", lambda: next(clock))
    course = Course(console)
    first, second = Cell("first", ("train", *SHORT), 1), Cell("second", ("train", *SHORT), 2)
    course.begin([first, second], 0)
    course.ended(first, Outcome(30.0))
    course.ended(second, Outcome(60.0))
    assert said.getvalue().splitlines() == [
        "1/2 first, 30 s; about 60 s left",
        "2/2 second, 60 s; all done",
    ]


@pytest.mark.parametrize(("options", "part"), [((), "test"), (("--validation-fraction", "0.1"), "validation")])
def test_an_error_is_called_by_the_part_that_it_was_measured_on(options: tuple[str, ...], part: str) -> None:
    said = io.StringIO()
    course, cell = Course(Console(file=said, width=200)), Cell("one", ("train", *SHORT, *options))
    course.begin([cell], 0)
    course.ended(cell, Outcome(30.0, {"test_error": 0.021}))
    assert said.getvalue() == f"1/1 one: {part} error 2.10 %, 30 s; all done\n"


@pytest.mark.parametrize(
    ("seconds", "words"), [(3.2, "3 s"), (99.0, "99 s"), (150.0, "2 min"), (5400.0, "90 min"), (11100.0, "3 h 05 min")]
)
def test_seconds_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
