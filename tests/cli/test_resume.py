"""A run that is broken off and resumed gives the same bits as one that is not."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from cli_helpers import (
    EXAMPLES,
    SIZES,
    WIDTH,
    assert_same_result,
    broken_off,
    checkpoints,
    record,
    resume,
    sentence,
    summary,
    train,
    write_data,
)

from anabranch.runfolder import RunFolder

RUNS = {
    "single": [],
    "every 7": ["--every", "7"],
    "simulated": ["--workers", "3"],
    "simulated every 7": ["--workers", "3", "--every", "7"],
    "allreduce": ["--strategy", "allreduce"],
    "simulated allreduce": ["--workers", "3", "--strategy", "allreduce"],
    "persistent": ["--workers", "3", "--persistent"],
    "adam": ["--workers", "3", "--optimizer", "adam", "--finetune-optimizer", "adam", "--learning-rate", "0.01"],
    "schedules": ["--optimizer", "adagrad", "--schedule", "linear", "--finetune-schedule", "cosine"],
    "mlp": ["--model", "mlp:16-8-3", "--workers", "3", "--epochs", "6"],
    "finetuning on one": ["--workers", "3", "--finetune-workers", "one"],
    "convergence": ["--stop", "convergence", "--tolerance", "0.1", "--epochs", "9", "--workers", "2"],
    "finetuning to convergence": ["--finetune-stop", "convergence", "--finetune-tolerance", "0.2", "--workers", "3"],
    "dropout": ["--finetune-dropout", "0.3", "--workers", "2"],
    "bfloat16": ["--dtype", "bf16-mixed"],
    "gaussian": ["--units", "gaussian", "--scale", "standard", "--learning-rate", "0.001", "--workers", "2"],
}
Captured = pytest.CaptureFixture[str]
SCRIPT = [sys.executable, "-m", "anabranch", "train"]


@pytest.mark.parametrize("name", RUNS)
def test_broken_off_again_and_again(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the midst of epochs, and right after checkpoints, by turns."""
    data = write_data(tmp_path)
    assert train(data, tmp_path / "whole", *RUNS[name]) == 0
    breaks, code = 0, 130
    while code == 130:
        assert breaks < 30, "no progress from one resumption to the next"
        with broken_off(monkeypatch, **({"steps": 7} if breaks % 2 else {"saves": 1})):
            often = ["--checkpoint-seconds", "0"]
            begun = (tmp_path / "broken").exists()
            code = (
                resume(tmp_path / "broken", *often) if begun else train(data, tmp_path / "broken", *RUNS[name], *often)
            )
        breaks += code == 130
    assert code == 0
    assert breaks >= 3
    assert_same_result(tmp_path / "whole", tmp_path / "broken")
    assert summary(tmp_path / "whole")["earlier_seconds"] == 0
    broken = summary(tmp_path / "broken")
    assert 0 < broken["earlier_seconds"] <= broken["seconds"] + 1e-5  # the last process may have found all trained


def test_broken_off_before_the_first_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_data(tmp_path)
    assert train(data, tmp_path / "whole") == 0
    with broken_off(monkeypatch, steps=4):
        assert train(data, tmp_path / "broken") == 130
    assert checkpoints(tmp_path / "broken") == []
    assert resume(tmp_path / "broken") == 0
    assert_same_result(tmp_path / "whole", tmp_path / "broken")


def test_broken_off_between_the_last_checkpoint_and_the_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_data(tmp_path)
    assert train(data, tmp_path / "whole", "--every", "7", "--workers", "3") == 0
    with broken_off(monkeypatch, saves=3):
        assert train(data, tmp_path / "broken", "--every", "7", "--workers", "3") == 130
    assert not (tmp_path / "broken" / "summary.json").exists()
    assert resume(tmp_path / "broken") == 0
    assert_same_result(tmp_path / "whole", tmp_path / "broken")


def test_a_run_goes_on_from_the_checkpoint_before_when_the_newest_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_data(tmp_path)
    assert train(data, tmp_path / "whole") == 0
    with broken_off(monkeypatch, saves=5):
        assert train(data, tmp_path / "broken", "--checkpoint-seconds", "0") == 130
    newest = checkpoints(tmp_path / "broken")[-1]
    for file in newest.iterdir():
        file.unlink()
    newest.rmdir()
    assert resume(tmp_path / "broken") == 0
    assert_same_result(tmp_path / "whole", tmp_path / "broken")


def test_a_finished_run_prints_its_summary_again_and_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(write_data(tmp_path), tmp_path / "run") == 0
    first = capsys.readouterr().out.splitlines()
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    assert resume(tmp_path / "run") == 0
    assert capsys.readouterr().out.splitlines() == first[-11:]
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == before


def test_the_world_may_change_and_the_command_may_be_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_data(tmp_path)
    assert train(data, tmp_path / "whole", "--model", "dbn") == 0
    with broken_off(monkeypatch, saves=1):
        assert train(data, tmp_path / "broken", "--model", "dbn") == 130
    assert (
        train(data, tmp_path / "broken", "--model", "dbn", "--world", "simulated", "--resume", str(tmp_path / "broken"))
        == 0
    )
    assert_same_result(tmp_path / "whole", tmp_path / "broken")


def test_two_processes_do_not_train_in_one_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with broken_off(monkeypatch, saves=1):
        assert train(write_data(tmp_path), tmp_path / "run") == 130
    with RunFolder(tmp_path / "run").held():
        assert sentence(capsys, 2, "train", "--resume", str(tmp_path / "run")) == (
            f"another process is training in {tmp_path}/run: wait for it, or stop it before you resume its run."
        )
    assert resume(tmp_path / "run") == 0


def test_every_epoch_has_a_checkpoint_when_no_time_need_pass(tmp_path: Path) -> None:
    assert train(write_data(tmp_path), tmp_path / "run", "--checkpoint-seconds", "0") == 0
    assert [path.name for path in checkpoints(tmp_path / "run")] == ["000008", "000009"]


def test_every_task_ends_with_a_checkpoint_however_short_it_was(tmp_path: Path) -> None:
    assert train(write_data(tmp_path), tmp_path / "run") == 0
    assert [path.name for path in checkpoints(tmp_path / "run")] == ["000002", "000003"]


LONG = ["--model", "dbn:16-8", "--epochs", "40", "--finetune-epochs", "1", *SIZES, "--batch-size", "2"]


def _start(data: str, out: Path) -> subprocess.Popen[str]:
    command = [*SCRIPT, "--data", data, *LONG, "--checkpoint-seconds", "0", "--out", str(out)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _await_checkpoint(out: Path, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not checkpoints(out):
        assert time.monotonic() < end, "no checkpoint came"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A run long enough to be caught in the midst, and its data."""
    folder = tmp_path_factory.mktemp("unbroken")
    data = write_data(folder)
    assert train(data, folder / "run", *LONG, "--checkpoint-seconds", "0") == 0
    return data, folder / "run"


def test_other_data_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """A file that was written anew meanwhile; with its content of before the run goes on."""
    data, out = write_data(tmp_path), tmp_path / "run"
    with broken_off(monkeypatch, saves=1):
        assert train(data, out) == 130
    write_data(tmp_path, x=np.eye(EXAMPLES, WIDTH, dtype=np.float32))
    said = sentence(capsys, 1, "train", "--resume", str(out))
    assert said.startswith(f"{data} is not what the run in {out} began with (other values): put the data back")
    write_data(tmp_path)
    assert resume(out) == 0
    assert train(data, tmp_path / "whole") == 0
    assert_same_result(tmp_path / "whole", out)


def test_ctrl_c_writes_a_checkpoint_and_says_how_to_go_on(unbroken: tuple[str, Path], tmp_path: Path) -> None:
    data, whole = unbroken
    out = tmp_path / "it's here"
    process = _start(data, out)
    _await_checkpoint(out)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert "anabranch: stopped by a signal in layer 1 (16-8) after epoch" in said
    assert said.rstrip().endswith(f"go on with  anabranch train --resume '{tmp_path}/it'\"'\"'s here'")
    state = json.loads((checkpoints(out)[-1] / "state.json").read_text())
    assert state["progress"]["running"]["epochs"] < 40
    assert resume(out) == 0
    assert_same_result(whole, out)


def test_kill_9_at_any_moment(unbroken: tuple[str, Path], tmp_path: Path) -> None:
    data, whole = unbroken
    chance = random.Random(os.getpid())  # another moment each time; the result must not depend on it
    folders = [tmp_path / str(number) for number in range(3)]
    processes = [_start(data, out) for out in folders]
    for out, process in zip(folders, processes, strict=True):
        _await_checkpoint(out)
        time.sleep(chance.random() * 0.1)
        process.kill()
    for out, process in zip(folders, processes, strict=True):
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
        assert resume(out) == 0
        assert_same_result(whole, out)


def test_the_record_of_the_unbroken_run_is_whole(unbroken: tuple[str, Path]) -> None:
    steps = [line for line in record(unbroken[1]) if line["kind"] == "step"]
    assert len(steps) == 40 * 24 + 6
    assert summary(unbroken[1])["examples"] == 41 * 48
