"""What a run prints, and the files it leaves."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import tomllib
from pathlib import Path

import numpy as np
import pytest
from cli_helpers import (
    CLASSES,
    TINY,
    assert_same_result,
    broken_off,
    record,
    sentence,
    summary,
    train,
    write_data,
)
from rich.console import Console
from safetensors import safe_open
from safetensors.torch import load_file

from anabranch import __version__
from anabranch.cli.main import main
from anabranch.progress import Bars, Plain
from anabranch.strategies import EpochReport
from anabranch.summary import weights_sha256
from anabranch.types import Step

Captured = pytest.CaptureFixture[str]
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("output")
    assert train(write_data(folder), folder / "run", "--workers", "2", "--every", "2") == 0
    return folder / "run"


def test_the_summary_has_its_keys(run: Path) -> None:
    content = summary(run)
    assert {"test_error", "seconds", "samples_per_second", "weights_sha256", "workers", "world", "strategy"} <= set(
        content
    )
    assert 0 <= content["test_error"] <= 1
    assert content["examples"] == 9 * 48
    assert content["samples_per_second"] == pytest.approx(content["examples"] / content["seconds"], rel=0.02)
    assert (content["workers"], content["world"], content["strategy"], content["every"]) == (
        2,
        "simulated",
        "averaging",
        2,
    )
    assert [task["task"] for task in content["tasks"]] == ["layer 1 (16-8)", "layer 2 (8-6)", "fine-tuning"]
    assert [task["epochs"] for task in content["tasks"]] == [3, 3, 3]


def test_the_summary_holds_the_speed_of_every_task(run: Path) -> None:
    flop = [5 * 2 * 16 * 8, 5 * 2 * 8 * 6, 2 * (2 * 16 * 8) + 3 * (2 * 8 * 6) + 3 * (2 * 6 * 3)]
    for task, each in zip(summary(run)["tasks"], flop, strict=True):
        assert task["examples"] / task["samples_per_second"] == pytest.approx(task["seconds"], rel=0.01, abs=0.001)
        assert task["gflop_per_second"] == pytest.approx(task["samples_per_second"] * each / 1e9, abs=0.001)
        assert {"limit_samples_per_second", "fraction_of_limit"} <= set(task)


def test_tasks_that_are_worth_it_are_held_against_the_limit(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anabranch.speed.WORTH_SECONDS", 0.0)
    monkeypatch.setattr("anabranch.limit.SECONDS", 0.001)
    assert train(write_data(tmp_path), tmp_path / "run", "--workers", "2") == 0
    tasks = summary(tmp_path / "run")["tasks"]
    assert all(
        task["fraction_of_limit"]
        == pytest.approx(task["samples_per_second"] / task["limit_samples_per_second"], abs=0.001)
        for task in tasks
    )
    lines = [line for line in capsys.readouterr().out.splitlines() if line.endswith("of the matrix products' limit")]
    assert len(lines) == len(tasks)
    assert re.fullmatch(r"  layer 1 \(16-8\) {8} [\d,]+ samples/s, \d\.\d\d of the matrix products' limit", lines[0])
    assert max(len(line) for line in lines) <= 80


def test_a_module_of_the_users_own_has_samples_alone(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anabranch.speed.WORTH_SECONDS", 0.0)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_linear.py").write_text("from torch import nn\n\n\ndef net():\n    return nn.Linear(16, 3)\n")
    assert train(write_data(tmp_path), tmp_path / "run", "--model", "own_linear:net") == 0
    (task,) = summary(tmp_path / "run")["tasks"]
    assert task["samples_per_second"] > 0
    assert task["gflop_per_second"] is task["limit_samples_per_second"] is task["fraction_of_limit"] is None
    assert re.search(r"^  training               [\d,]+ samples/s$", capsys.readouterr().out, flags=re.MULTILINE)


def test_the_record_has_every_step_and_epoch(run: Path) -> None:
    lines = record(run)
    steps = [line for line in lines if line["kind"] == "step"]
    epochs = [line for line in lines if line["kind"] == "epoch"]
    assert len(lines) == len(steps) + len(epochs)
    assert len(steps) == 3 * 3 * 3  # tasks, epochs, steps of an epoch on either worker
    assert [(line["epoch"], line["step"]) for line in steps[:9]] == [(n // 3, n) for n in range(9)]
    assert [line["last"] for line in epochs] == [False, False, True] * 3
    assert all(line["examples"] == 48 for line in epochs)
    assert {line["task"] for line in lines} == {task["task"] for task in summary(run)["tasks"]}
    assert [task["error"] for task in summary(run)["tasks"]] == [line["error"] for line in epochs if line["last"]]


def test_the_model_file_holds_the_dbn_and_the_network(run: Path) -> None:
    tensors = load_file(run / "model.safetensors")
    assert {name.split(".")[0] for name in tensors} == {"dbn", "network"}
    assert list(tensors["dbn.rbms.0.weight"].shape) == [8, 16]
    assert [list(t.shape) for name, t in tensors.items() if name.startswith("network") and name.endswith("weight")] == [
        [8, 16],
        [6, 8],
        [CLASSES, 6],
    ]
    assert weights_sha256(tensors) == summary(run)["weights_sha256"]
    with safe_open(run / "model.safetensors", "pt") as file:
        assert json.loads(file.metadata()["anabranch"])["model"] == "dbn:16-8-6"


def test_other_models_have_a_network_alone(tmp_path: Path) -> None:
    assert train(write_data(tmp_path), tmp_path / "run", "--model", "mlp:16-4-3") == 0
    assert {name.split(".")[0] for name in load_file(tmp_path / "run" / "model.safetensors")} == {"network"}


def test_unlabelled_data_give_a_dbn_alone(tmp_path: Path, capsys: Captured) -> None:
    assert train(write_data(tmp_path, y=None), tmp_path / "run") == 0
    assert "test error" not in capsys.readouterr().out
    assert summary(tmp_path / "run")["test_error"] is None
    assert {name.split(".")[0] for name in load_file(tmp_path / "run" / "model.safetensors")} == {"dbn"}


def test_the_configuration_gives_the_same_run_again(run: Path, tmp_path: Path, capsys: Captured) -> None:
    config = str(run / "config.toml")
    assert tomllib.loads((run / "config.toml").read_text())["model"]["model"] == "dbn:16-8-6"
    assert main(["train", "--config", config, "--out", str(tmp_path / "again")]) == 0
    assert_same_result(run, tmp_path / "again")
    assert "go on with it by --resume" in sentence(capsys, 2, "train", "--config", config)


def test_later_sources_of_options_win(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("[training]\nepochs = 2\nseed = 7\n[model]\nmodel = 'dbn:16-8'\n")
    options = ["--preset", "degrazia", "--config", str(tmp_path / "c.toml"), "--seed", "8", "--batch-size", "8"]
    out = tmp_path / "run"
    assert (
        main(["train", "--data", write_data(tmp_path), *options, "--finetune-batch-size", "8", "--out", str(out)]) == 0
    )
    content = tomllib.loads((out / "config.toml").read_text())
    assert (content["training"]["epochs"], content["training"]["seed"]) == (2, 8)
    assert content["finetuning"]["finetune_epochs"] == 30


def test_plain_lines(tmp_path: Path, capsys: Captured) -> None:
    assert train(write_data(tmp_path), tmp_path / "run", "--workers", "2") == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert said.err == ""
    assert "\x1b" not in said.out
    assert "\r" not in said.out
    assert lines[0] == "2 workers, simulated world, 1 thread, float32"
    assert lines[1] == "layer 1 (16-8): up to 3 epochs of 3 steps"
    assert re.fullmatch(r"layer 1 \(16-8\): epoch 3/3, reconstruction error [\d.]+, [\d,]+ samples/s, done", lines[2])
    assert re.fullmatch(r"  fine-tuning            3 epochs, loss [\d.e-]+, \d+\.\d s", lines[9])
    assert re.fullmatch(r"test error \d+\.\d\d %", lines[10])
    assert re.fullmatch(r"\d+\.\d s of training, [\d,]+ samples/s", lines[11])
    assert re.match(r"  layer 1 \(16-8\)         [\d,]+ samples/s", lines[12])
    assert re.match(r"  fine-tuning            [\d,]+ samples/s", lines[14])
    assert lines[15] == "averaging, 2 workers, simulated world, 1 thread"
    assert lines[16] == f"results in {tmp_path}/run:"
    assert lines[17] == "  summary.json, model.safetensors, steps.jsonl, config.toml, checkpoints/"
    assert all((tmp_path / "run" / name.strip(" /")).exists() for name in lines[17].split(","))
    assert max(len(line) for line in lines if str(tmp_path) not in line) <= 80


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("train", "stopped at once; --resume goes on from the last checkpoint."),
        ("compare", "stopped at once; what was finished is kept: go on with the same command and --out."),
        ("reproduce", "stopped at once; what was finished is kept: go on with the same command and --out."),
        ("report", "stopped at once; nothing was written."),
    ],
)
def test_ctrl_c_at_any_moment_says_how_to_go_on(
    command: str, said: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"anabranch.cli.{command}.main", interrupted)
    assert main([command]) == 130
    assert capsys.readouterr().err == f"anabranch: {said}\n"


def test_resumed_tasks_say_what_was_done_before(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    with broken_off(monkeypatch, saves=2):
        assert train(write_data(tmp_path), tmp_path / "run", "--checkpoint-seconds", "0") == 130
    assert capsys.readouterr().err == "anabranch: stopped at once; --resume goes on from the last checkpoint.\n"
    assert main(["train", "--resume", str(tmp_path / "run")]) == 0
    assert capsys.readouterr().out.splitlines()[1] == "layer 1 (16-8): up to 3 epochs of 6 steps, 2 done before"


def test_lines_of_long_runs_come_now_and_then(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("anabranch.progress.time.monotonic", lambda: now)
    plain = Plain(Console())
    plain.start("layer 1", 20, 5, 0)
    for epoch in range(20):
        now += 1.0
        plain.on_epoch(_report(epoch, last=epoch == 19))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 4
    assert lines[1] == "layer 1: epoch 5/20, loss 0.5, 100 samples/s, 15 s left"
    assert lines[-1] == "layer 1: epoch 20/20, loss 0.5, 100 samples/s, done"


def _report(epoch: int, *, last: bool = False, task: str = "layer 1") -> EpochReport:
    return EpochReport(task, epoch, 0.5, 0.5, 100, 5 * (epoch + 1), 0.1, last)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_bars_fit_the_terminal(width: int, capsys: Captured) -> None:
    bars = Bars(Console(force_terminal=True, width=width))
    for name in ("layer 1 (784-2000)", "fine-tuning"):
        bars.start(name, 50, 5, 0)
        for epoch in range(12):
            for index in range(5):
                bars.on_step(Step(5 * epoch + index, epoch, 0.5, 20))
            bars.on_epoch(EpochReport(name, epoch, 123.456, 0.5, 60000, 5 * epoch + 5, 0.1, epoch == 11))
        bars.say("a line between")
    bars.close()
    lines = _lines(capsys.readouterr().out)
    assert max(len(line) for line in lines) <= width
    if width >= 80:  # all figures, and some bar left
        assert re.search(r"✓ layer 1 \(784-2000\) ━{9,} epoch 12/50 loss 123.5 [\d,]+/s \d:\d\d:\d\d", "\n".join(lines))


def _lines(output: str) -> list[str]:
    return [part.rstrip() for line in CONTROL.sub("", output).split("\n") for part in line.split("\r")]


def test_bars_on_a_terminal(tmp_path: Path) -> None:
    """The whole command under a pseudo-terminal of 80 columns: bars, then the summary, and nothing wraps."""
    command = [sys.executable, "-m", "anabranch", "train", "--data", write_data(tmp_path), *TINY, "--out", "run"]
    mine, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    process = subprocess.Popen(
        command, stdout=theirs, stderr=theirs, cwd=tmp_path, env=environment | {"TERM": "xterm-256color"}
    )
    os.close(theirs)
    output = b""
    try:
        while piece := os.read(mine, 1 << 16):
            output += piece
    except OSError:  # so Linux says that the other side is closed
        pass
    os.close(mine)
    assert process.wait() == 0, output.decode()
    text = output.decode()
    lines = _lines(text)
    assert max(len(line) for line in lines) <= 80
    assert any(re.match(r"✓ layer 2 \(8-6\) +━+ epoch 3/3 error", line) for line in lines)
    assert any(line.startswith("✓ fine-tuning") for line in lines)
    assert "results in run:" in lines
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1  # the cursor is hidden, and comes back


def test_help_and_version(capsys: Captured) -> None:
    for arguments in ([], ["--help"], ["-h"]):
        assert main(arguments) == 0
        said = capsys.readouterr().out
        assert "anabranch train" in said
        assert "anabranch simulate" in said
        assert max(len(line) for line in said.splitlines()) <= 120
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"anabranch {__version__}\n"
    for command in ("train", "simulate"):
        assert main([command, "--help"]) == 0
        said = capsys.readouterr().out
        assert f"usage: anabranch {command}" in said
        assert "--learning-rate FLOAT" in said
        assert "--checkpoint-seconds" in said


def test_help_does_not_wait_for_torch() -> None:
    code = "import sys; from anabranch.cli.main import main; main(['--help']); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_training_does_not_wait_for_what_it_has_no_use_for(tmp_path: Path) -> None:
    np.savez(tmp_path / "tiny.npz", x=np.eye(8, 4), y=np.arange(8) % 2)
    code = "import sys; from anabranch.cli.main import main\n"
    for model in ("mlp:4-2", "dbn:4-2"):
        options = ["--data", str(tmp_path / "tiny.npz"), "--model", model, "--epochs", "1"]
        code += f"assert main({['train', *options, '--out', str(tmp_path / model)]}) == 0\n"
    code += "print({'torch._dynamo', 'sympy', 'matplotlib', 'scipy.optimize', 'mpi4py'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.endswith("set()\n"), done.stdout + done.stderr


def test_unforeseen_errors_are_one_sentence_too(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anabranch.session.load", lambda *_, **__: 1 / 0)
    arguments = ["train", "--out", str(tmp_path / "run")]
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert said.startswith("anabranch: unforeseen ZeroDivisionError in ")
    assert said.endswith("division by zero (set ANABRANCH_TRACEBACK=1 to see all of it)\n")
    assert said.count("\n") == 1
    monkeypatch.setenv("ANABRANCH_TRACEBACK", "1")
    assert main(arguments) == 1
    assert "Traceback" in capsys.readouterr().err
