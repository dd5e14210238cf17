"""The record of a run: `steps.jsonl`, one JSON object a line, made as the run goes; reports are drawn from it alone.

{"kind": "step",  "task": …, "epoch": 0, "step": 0, "loss": 27.1, "examples": 125}              rank 0's updates
{"kind": "epoch", "task": …, "epoch": 0, "error": 19.7, "loss": …, "examples": 60000, …, "seconds": 4.1}
"""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

from anabranch.errors import CheckpointError
from anabranch.files import storage_error
from anabranch.strategies import EpochReport
from anabranch.types import Step


class Recorder:
    """Appends to `steps.jsonl`. What lies beyond `length` bytes, from a run that broke off, is cut away."""

    def __init__(self, path: Path, length: int = 0) -> None:
        self._path = path
        try:
            if length and (not path.exists() or path.stat().st_size < length):
                raise CheckpointError(
                    f"{path} is shorter than its checkpoint says ({length} bytes): it was changed since; "
                    "put it back, or start the run anew."
                )
            self._file = path.open("r+b" if path.exists() else "x+b")
            self._file.truncate(length)
            self._file.seek(length)
        except OSError as error:
            raise storage_error(path, error) from error

    def step(self, task: str, step: Step) -> None:
        """One update of this rank."""
        line = {"kind": "step", "task": task, "epoch": step.epoch, "step": step.index, "loss": step.loss}
        self._append(line | {"examples": step.examples})

    def epoch(self, report: EpochReport, seconds: float) -> None:
        """One epoch of all ranks; `seconds` is the wall-clock time since the run began."""
        self._append({"kind": "epoch"} | dataclasses.asdict(report) | {"seconds": round(seconds, 4)})

    def flush(self) -> int:
        """Bring everything to the disk; return the length in bytes."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            return self._file.tell()
        except OSError as error:
            raise storage_error(self._path, error) from error

    def close(self) -> None:
        """Flush and close."""
        try:
            self._file.close()
        except OSError as error:
            raise storage_error(self._path, error) from error

    def _append(self, line: dict[str, Any]) -> None:
        try:
            self._file.write(json.dumps(line).encode() + b"\n")
        except OSError as error:
            raise storage_error(self._path, error) from error
