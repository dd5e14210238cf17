"""Cells in processes of their own."""

import os
import signal
import time
from pathlib import Path

import pytest

from anabranch.experiments.processes import ONE_CORE, CellProcess

ENDLESS = ("train", "--data", "digits", "--model", "mlp:64-10", "--epochs", "1000000", "--threads", "1")


def test_exit_codes_and_what_was_said(tmp_path: Path) -> None:
    well, wrong = CellProcess(["--version"], tmp_path / "well"), CellProcess(["trian"], tmp_path / "wrong")
    assert (well.wait(), well.said()) == (0, "")
    assert wrong.wait() == 2
    assert wrong.said() == "anabranch: unknown command 'trian': did you mean 'train'?\n"
    assert well.ended(0)
    well.kill()  # says nothing to a process that may have its number by now
    well.terminate()


def test_signals(tmp_path: Path) -> None:
    killed = CellProcess([*ENDLESS, "--out", str(tmp_path / "killed")], tmp_path / "said")
    asked = CellProcess([*ENDLESS, "--out", str(tmp_path / "asked")], tmp_path / "also")
    assert not killed.ended(0)
    killed.kill()
    assert killed.wait() == -signal.SIGKILL
    wait_for(tmp_path / "asked/steps.jsonl")
    asked.terminate()
    assert asked.wait() == 128 + signal.SIGTERM
    assert "stopped by a signal in training" in asked.said()


def test_a_cell_does_not_hear_the_terminal(tmp_path: Path) -> None:
    """Its Ctrl-C goes to all processes of a group, and the cell would hear of it a second time from us."""
    cell = CellProcess([*ENDLESS, "--out", str(tmp_path / "run")], tmp_path / "said")
    try:
        wait_for(tmp_path / "run/steps.jsonl")
        assert os.getsid(cell.pid) == cell.pid != os.getsid(0)
    finally:
        cell.kill()
        cell.wait()


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 100
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_this_process_keeps_its_environment_and_the_cell_has_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("ANABRANCH_DATA", "nowhere")
    cell = CellProcess(["train", "--data", "./gone"], Path("said"))
    assert cell.wait() == 2
    assert cell.said() == "anabranch: there is no data at gone: give the path of an existing file or folder.\n"
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert set(ONE_CORE.values()) == {"1"}
    mnist = CellProcess(["train", "--data", "mnist"], Path("said"))
    assert mnist.wait() != 0
    assert "nowhere" in mnist.said()
