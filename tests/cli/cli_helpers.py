"""Tiny data, tiny runs and what they leave behind, for the tests of the command line."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from anabranch.cli.main import main
from anabranch.journal import RunJournal

EXAMPLES, WIDTH, CLASSES = 60, 16, 3  # 48 of them train
SIZES = ["--batch-size", "8", "--finetune-batch-size", "8", "--threads", "1"]
TINY = ["--model", "dbn:16-8-6", "--epochs", "3", "--finetune-epochs", "3", *SIZES]


def write_data(folder: Path, name: str = "tiny.npz", **arrays: Any) -> str:
    """An .npz file of 60 examples in three classes that can be told apart; `arrays` replace its own."""
    rng = np.random.default_rng(0)
    labels = np.arange(EXAMPLES) % CLASSES
    patterns = rng.random((CLASSES, WIDTH)) < 0.5
    noisy = patterns[labels] ^ (rng.random((EXAMPLES, WIDTH)) < 0.1)
    content: dict[str, Any] = {"x": noisy.astype(np.float32), "y": labels} | arrays
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / name, **{key: value for key, value in content.items() if value is not None})
    return str(folder / name)


def train(data: str, out: Path, *options: str) -> int:
    with patch("os.fsync"):  # it takes most of the time of a tiny run
        return main(["train", "--data", data, *TINY, *options, "--out", str(out)])


def resume(folder: Path, *options: str) -> int:
    with patch("os.fsync"):  # as above
        return main(["train", "--resume", str(folder), *options])


def summary(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return content


def record(folder: Path) -> list[dict[str, Any]]:
    """The lines of steps.jsonl without the seconds, which differ from run to run."""
    lines = [json.loads(line) for line in (folder / "steps.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


def assert_same_result(one: Path, other: Path) -> None:
    assert summary(one)["weights_sha256"] == summary(other)["weights_sha256"]
    assert summary(one)["test_error"] == summary(other)["test_error"]
    assert record(one) == record(other)


def sentence(captured: pytest.CaptureFixture[str], code: int, *arguments: str) -> str:
    """The one sentence that a command fails with, and nothing else on standard error."""
    captured.readouterr()
    assert main(list(arguments)) == code
    said = captured.readouterr().err.strip()
    assert said.startswith("anabranch: "), said
    assert "\n" not in said
    assert "Traceback" not in said
    assert "unforeseen" not in said
    return said.removeprefix("anabranch: ")


def checkpoints(folder: Path) -> list[Path]:
    return sorted((folder / "checkpoints").glob("[0-9]*"))


@contextmanager
def broken_off(monkeypatch: pytest.MonkeyPatch, *, steps: int = 0, saves: int = 0) -> Iterator[None]:
    """Break runs off, as a second Ctrl-C does, at rank 0's n-th step or after its n-th checkpoint."""
    left = {"on_step": steps, "save": saves}

    def breaking(name: str) -> Any:
        original = getattr(RunJournal, name)

        def replaced(self: RunJournal, *arguments: Any) -> None:
            original(self, *arguments)
            if self._leads:
                left[name] -= 1
                if left[name] == 0:
                    raise KeyboardInterrupt

        return replaced

    with monkeypatch.context() as patch:
        patch.setattr(RunJournal, "on_step", breaking("on_step"))
        patch.setattr(RunJournal, "save", breaking("save"))
        yield
