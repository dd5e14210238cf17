"""The record of a run: `steps.jsonl`, one JSON object a line, made as the run goes; reports are drawn from it alone.

{"kind": "step",  "task": …, "epoch": 0, "step": 0, "loss": 27.1, "examples": 125}              rank 0's updates
{"kind": "epoch", "task": …, "epoch": 0, "error": 19.7, "loss": …, "examples": 60000, …, "seconds": 4.1}
{"kind": "traffic", "task": …, "examples": {"computed": …}, "staleness": {"0": 17, …}, "pushes_per_second": …}

The updates of a server are the pushes that it has applied; a line of traffic ends a task whose workers went at their
own pace. A run on a simulated cluster has its "virtual_clock", in seconds, in the lines of epochs; and their
"test_error", where it was watched, and the share of the ranks' time in which they were "waiting", where that was.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from anabranch.errors import CheckpointError
from anabranch.files import storage_error
from anabranch.strategies import EpochReport, Throughput
from anabranch.types import Step

WAITING = 1000  # steps that wait in memory, at most an epoch's: a line at a time would cost many times as much
_PIECE = 1 << 20


@dataclass(frozen=True)
class Extent:
    """How much of a record a checkpoint vouches for: its length in bytes, and their SHA-256."""

    length: int
    sha256: str


class Record(Protocol):
    """What rank 0's journal tells the course of a run to."""

    def step(self, task: str, step: Step) -> None:
        """One update of this rank."""
        ...

    def epoch(self, report: EpochReport, seconds: float, more: dict[str, float], ranks: Sequence[Throughput]) -> None:
        """One epoch of all ranks.

        Args:
            report: of it.
            seconds: of wall-clock time since the task began.
            more: other figures by their names.
            ranks: what each of them did in it; empty where nobody asked.
        """
        ...

    def traffic(self, task: str, traffic: dict[str, Any]) -> None:
        """The books of a task whose workers went at their own pace."""
        ...

    def flush(self) -> object:
        """Bring everything to where it belongs."""
        ...


class Recorder:
    """Appends to `steps.jsonl`. What lies beyond `kept`, from a run that broke off, is cut away.

    The file is open only while lines are written, so that a run may end by any exception and leave nothing open.

    Raises:
        CheckpointError: the record is no longer the one that `kept` describes.
        StorageError: it cannot be written.
    """

    def __init__(self, path: Path, kept: Extent | None = None) -> None:
        self._path, self._length = path, kept.length if kept else 0
        self._waiting: list[tuple[str, Step]] = []
        self._digest = _checked(path, kept) if kept else hashlib.sha256()
        try:
            with path.open("ab") as file:
                file.truncate(self._length)
        except OSError as error:
            raise storage_error(path, error) from error

    def step(self, task: str, step: Step) -> None:
        """One update of this rank."""
        self._waiting.append((task, step))
        if len(self._waiting) >= WAITING:
            self._write(to_disk=False)

    def epoch(self, report: EpochReport, seconds: float, more: dict[str, float], ranks: Sequence[Throughput]) -> None:
        """See `Record`."""
        self._write(_encoded(epoch_line(report, seconds, more, ranks)), to_disk=False)

    def traffic(self, task: str, traffic: dict[str, Any]) -> None:
        """The books of a task whose workers went at their own pace."""
        self._write(_encoded({"kind": "traffic", "task": task} | traffic), to_disk=False)

    def flush(self) -> Extent:
        """Bring everything to the disk; return how much that is.

        Raises:
            StorageError: the disk is full, or fails.
        """
        self._write(to_disk=True)
        return Extent(self._length, self._digest.hexdigest())

    def _write(self, end: bytes = b"", *, to_disk: bool) -> None:
        """The steps that wait, then `end`."""
        content = b"".join(_encoded(_step_line(task, step)) for task, step in self._waiting) + end
        self._waiting = []
        try:
            with self._path.open("ab") as file:
                file.write(content)
                file.flush()
                if to_disk:
                    os.fsync(file.fileno())
        except OSError as error:
            raise storage_error(self._path, error) from error
        self._length += len(content)
        self._digest.update(content)


def epoch_line(
    report: EpochReport, seconds: float, more: dict[str, float], ranks: Sequence[Throughput]
) -> dict[str, Any]:
    """The line of an epoch: see `Record.epoch`."""
    line = {"kind": "epoch"} | dataclasses.asdict(report) | more
    known = [(rank.working, rank.waiting) for rank in ranks if rank.waiting is not None]
    whole = sum(working + waiting for working, waiting in known)
    if whole:
        line["waiting"] = round(sum(waiting for _, waiting in known) / whole, 6)
    return line | {"seconds": round(seconds, 4)}


def _step_line(task: str, step: Step) -> dict[str, Any]:
    line = {"kind": "step", "task": task, "epoch": step.epoch, "step": step.index, "loss": step.loss}
    return line | {"examples": step.examples}


def _encoded(line: dict[str, Any]) -> bytes:
    return json.dumps(line).encode() + b"\n"


def _checked(path: Path, kept: Extent) -> "hashlib._Hash":
    digest, left = hashlib.sha256(), kept.length
    try:
        with path.open("rb") as file:
            while left and (piece := file.read(min(left, _PIECE))):
                digest.update(piece)
                left -= len(piece)
    except OSError as error:
        raise _changed(path, error.strerror or "it cannot be read") from error
    if left:
        raise _changed(path, f"it is {left} bytes shorter")
    if digest.hexdigest() != kept.sha256:
        raise _changed(path, "its content differs")
    return digest


def _changed(path: Path, how: str) -> CheckpointError:
    return CheckpointError(
        f"{path} was changed since the checkpoint was written ({how}): put it back as it was, or start the run anew."
    )
