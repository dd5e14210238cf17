"""A run's folder, read for its page: options, results, the course of its tasks. What it lacks is None or empty."""

import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from anabranch.errors import CheckpointError

Json = dict[str, Any]
BINS = 100  # points of a curve of steps
STEP = '{"kind": "step"'  # how most lines of a record begin


@dataclass(frozen=True)
class Run:
    """What a run's folder holds.

    Attributes:
        folder: of the run.
        name: of the run, for people.
        config: all options, in groups.
        summary: the results; None of a run that has not ended.
        epochs: the record's lines of epochs, in order.
        steps: of each task, (step, mean loss) of `BINS` parts of its updates at most.
        traffic: of each task whose workers went at their own pace, its books.
        environment: versions and machine.
        evaluation: what the classifier made of what was held out.
        row: the figures of virtual time, of a run inside a simulation.
    """

    folder: Path
    name: str
    config: Json
    summary: Json | None = None
    epochs: list[Json] = field(default_factory=list)
    steps: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    traffic: dict[str, Json] = field(default_factory=dict)
    environment: Json | None = None
    evaluation: Json | None = None
    row: Json | None = None

    @property
    def tasks(self) -> list[str]:
        """Their names, in order."""
        return list(dict.fromkeys([line["task"] for line in self.epochs] + list(self.steps)))

    @property
    def held_out(self) -> str:
        """The part of the data on which it was measured: "test" or "validation"."""
        return "validation" if self.config["data"].get("validation_fraction") else "test"

    def course(self, task: str) -> list[Json]:
        """The epochs of a task."""
        return [line for line in self.epochs if line["task"] == task]


def held_out(runs: Sequence[Run]) -> str:
    """The part of the data on which runs were measured: "test", "validation", or "held-out" where they differ."""
    parts = {run.held_out for run in runs}
    return parts.pop() if len(parts) == 1 else "held-out"


def is_run(folder: Path) -> bool:
    """Whether there is a run in `folder`."""
    return (folder / "config.toml").is_file()


def read_run(folder: Path, name: str = "", *, steps: bool = True) -> Run:
    """Read the run in `folder`, however far it got; without its `steps` it is read faster.

    Raises:
        CheckpointError: a file is damaged.
    """
    epochs, losses, traffic = read_record(folder / "steps.jsonl", steps=steps)
    return Run(
        folder,
        name or folder.resolve().name,
        read_toml(folder / "config.toml"),
        read_json(folder / "summary.json"),
        epochs,
        {task: binned(values) for task, values in losses.items()},
        traffic,
        read_json(folder / "environment.json"),
        read_json(folder / "evaluation.json"),
        read_json(folder / "simulation.json"),
    )


def read_record(path: Path, *, steps: bool = True) -> tuple[list[Json], dict[str, list[float]], dict[str, Json]]:
    """Lines of epochs, losses of the steps by task, and books by task. A half-written last line is left out.

    Raises:
        CheckpointError: a line before it is damaged.
    """
    epochs, losses, traffic = list[Json](), dict[str, list[float]](), dict[str, Json]()
    if not path.is_file():
        return epochs, losses, traffic
    with path.open(encoding="utf-8") as lines:
        for text in lines:
            if not text.endswith("\n"):
                break
            if text.startswith(STEP) and not steps:
                continue
            line = _parsed(text, path)
            if line["kind"] == "step":
                losses.setdefault(line["task"], []).append(line["loss"])
            elif line["kind"] == "epoch":
                epochs.append(line)
            elif line["kind"] == "traffic":
                traffic[line["task"]] = line
    return epochs, losses, traffic


def binned(losses: Sequence[float]) -> list[tuple[float, float]]:
    """(number of the last step, mean loss) of parts of about equal size."""
    parts = np.array_split(np.asarray(losses, dtype=np.float64), min(BINS, len(losses)) or 1)
    ends = np.cumsum([len(part) for part in parts])
    return [(float(end), float(part.mean())) for end, part in zip(ends, parts, strict=True) if len(part)]


def read_json(path: Path) -> Any:
    """A file of JSON; None where there is none.

    Raises:
        CheckpointError: it is damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise damaged(path) from error


def read_toml(path: Path) -> Json:
    """A file of TOML; empty where there is none.

    Raises:
        CheckpointError: it is damaged.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise damaged(path) from error


def read_tensors(path: Path, endings: Sequence[str] = ("",)) -> dict[str, NDArray[Any]]:
    """The tensors of a safetensors file whose names end in one of `endings`, in order; empty where there is no file.

    Raises:
        CheckpointError: it is damaged.
    """
    if not path.is_file():
        return {}
    try:
        with safe_open(path, "np") as file:
            return {name: file.get_tensor(name) for name in sorted(file.keys()) if name.endswith(tuple(endings))}
    except (OSError, SafetensorError) as error:
        raise damaged(path) from error


def damaged(path: Path) -> CheckpointError:
    """The error for a file that cannot be read."""
    return CheckpointError(f"{path} cannot be read: restore it from a copy, or delete it, to leave out what it shows.")


def _parsed(text: str, path: Path) -> Json:
    try:
        line: Json = json.loads(text)
    except ValueError as error:
        raise damaged(path) from error
    return line
