"""Event files for TensorBoard: the figures of every epoch and task, drawn from the record as it grows.

The record is what counts. A run that goes on writes its event files anew from the record, which ends where the
checkpoint was written: so no epoch is missing and none is there twice. Steps are epochs of the task, from 1.
"""

import importlib.util
import json
import re
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anabranch.errors import UsageError
from anabranch.files import make_folder, storage_error
from anabranch.record import epoch_line
from anabranch.strategies import EpochReport, Throughput
from anabranch.types import Step

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

FIGURES = ("loss", "error", "test_error", "learning_rate", "waiting", "staleness")
"""Of the line of an epoch, where it has them; and `samples_per_second`, which follows from two lines."""


def check_tensorboard() -> None:
    """Refuse to begin a run whose event files could not be written.

    Raises:
        UsageError: TensorBoard is not installed.
    """
    if importlib.util.find_spec("tensorboard") is None:
        raise UsageError(
            "--tensorboard needs the package tensorboard, which is not installed: pip install 'anabranch[tensorboard]'."
        )


class EventFiles:
    """Keeps the event files in `folder` like the record at `record`, which may have some lines already.

    Raises:
        StorageError: the folder cannot be written.
    """

    def __init__(self, folder: Path, record: Path) -> None:
        self._folder = folder
        self._before: tuple[str, float] = ("", 0.0)  # task and its seconds, at the last line
        self._epochs = 0
        try:
            shutil.rmtree(folder, ignore_errors=True)
            make_folder(folder)
            self._writer = _writer(folder)
        except OSError as error:
            raise storage_error(folder, error) from error
        lines = _lines(record)
        self._origin = time.time() - _seconds(lines)  # where the first line would have been, had nothing been between
        self._passed = 0.0
        for line in lines:
            self._line(line)
        self._origin = 0.0

    def step(self, task: str, step: Step) -> None:
        """Steps are too many."""

    def epoch(self, report: EpochReport, seconds: float, more: dict[str, float], ranks: Sequence[Throughput]) -> None:
        """See `Record`."""
        self._line(epoch_line(report, seconds, more, ranks))

    def traffic(self, task: str, traffic: dict[str, Any]) -> None:
        """See `Record`."""
        self._line({"kind": "traffic", "task": task} | traffic)

    def flush(self) -> None:
        """Bring everything to the disk, and let go of the file: the next figure opens another."""
        self._writer.close()

    def _line(self, line: dict[str, Any]) -> None:
        if line["kind"] == "traffic":
            figures = {"mean_staleness": line.get("mean_staleness"), "mean_waiting": line.get("waiting")}
        elif line["kind"] == "epoch":
            figures = self._figures(line)
        else:
            return
        for name, value in figures.items():
            if value is not None:
                tag = f"{_tag(line['task'])}/{name}"
                at = self._origin + self._passed if self._origin else None
                self._writer.add_scalar(tag, value, self._epochs, walltime=at)
        self._writer.flush()

    def _figures(self, line: dict[str, Any]) -> dict[str, float | None]:
        task, before = self._before
        seconds = line["seconds"] - (before if task == line["task"] else 0.0)
        self._before, self._epochs = (line["task"], line["seconds"]), line["epoch"] + 1
        self._passed += seconds
        figures = {name: line.get(name) for name in FIGURES}
        return figures | {"samples_per_second": line["examples"] / seconds if seconds > 0 else None}


def _writer(folder: Path) -> "SummaryWriter":
    from torch.utils.tensorboard import SummaryWriter  # a second or two

    return SummaryWriter(str(folder))


def _tag(task: str) -> str:
    """`layer_1_784-500` of 'layer 1 (784-500)': what TensorBoard takes as it is."""
    return re.sub(r"[^\w.-]+", "_", task).strip("_")


def _lines(record: Path) -> list[dict[str, Any]]:
    """Those of epochs and of traffic."""
    if not record.exists():
        return []
    with record.open(encoding="utf-8") as file:
        lines: list[dict[str, Any]] = [json.loads(text) for text in file if '"kind": "step"' not in text]
    return lines


def _seconds(lines: Sequence[dict[str, Any]]) -> float:
    """Of all tasks, training alone."""
    last: dict[str, float] = {line["task"]: line["seconds"] for line in lines if line["kind"] == "epoch"}
    return sum(last.values())
