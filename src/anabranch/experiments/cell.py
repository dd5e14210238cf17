"""A cell of an experiment: one command of ours, with a folder of its own that says whether it was finished."""

import json
import shlex
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from anabranch.errors import AnabranchError, CheckpointError, DivergedError, Interrupted, UsageError
from anabranch.experiments.processes import CellProcess
from anabranch.files import make_folder, write_json
from anabranch.objectives import Precision
from anabranch.runfolder import RunFolder, saved_config

RESULT = "result.json"
SAID = "said.txt"
SPENT = "spent.json"


@dataclass(frozen=True)
class Cell:
    """A command, and what it is expected to cost.

    Attributes:
        name: of its folder; no two cells of a paper have one name.
        arguments: of `anabranch`, without `--out`.
        cost: in any unit that is the same for all cells of a paper; it makes the time that is left.
        alone: no other cell may run beside it, since its seconds are measured.
        may_diverge: whether that is a result, and no failure.
    """

    name: str
    arguments: tuple[str, ...]
    cost: float = 1.0
    alone: bool = False
    may_diverge: bool = False

    @property
    def command(self) -> str:
        """What a person would type."""
        return shlex.join(["anabranch", *self.arguments])


@dataclass(frozen=True)
class Outcome:
    """What a finished cell has found.

    Attributes:
        seconds: that it took this machine, in all its parts, if it was broken off.
        summary: of a run of `anabranch train`, as in its `summary.json`; empty for a simulation.
        rows: of `anabranch simulate`, as in `sweep.json`; empty for a run.
        epochs: by the number of workers of the run: the records of its epochs, of all tasks in order.
        diverged: whether it ended so; it has nothing else then.
    """

    seconds: float
    summary: dict[str, Any] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    epochs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    diverged: bool = False


def finished(cell: Cell, folder: Path) -> Outcome | None:
    """The outcome of `cell` if it was finished in `folder` before.

    Raises:
        UsageError: another command was run there.
        CheckpointError: its file cannot be read.
    """
    content = _result(cell, folder)
    if content is None:
        return None
    if content.pop("arguments") != list(cell.arguments):
        place = folder / cell.name
        raise UsageError(f"{place} holds another experiment's cell: give another --out, or delete that folder.")
    return Outcome(**content)


def dtype_begun(cell: Cell, folder: Path) -> Precision | None:
    """What the run of `cell` in `folder`, finished or not, trains in; None where none was begun.

    Raises:
        CheckpointError: its result cannot be read.
        UsageError: its options cannot be read.
    """
    content, run = _result(cell, folder), RunFolder(folder / cell.name / "run")
    if content is not None:
        return next((dtype for dtype in get_args(Precision) if dtype in content["arguments"]), None)
    return saved_config(run).training.precision if run.config.exists() else None


def start(cell: Cell, folder: Path) -> CellProcess:
    """Begin `cell` in `folder`, or go on with it where it was broken off."""
    place = folder / cell.name
    make_folder(place)
    run = place / "run"
    goes_on = cell.arguments[0] == "train" and (run / "config.toml").exists()
    # Resumed with all its options, so that a run with others is refused.
    return CellProcess([*cell.arguments, "--resume" if goes_on else "--out", str(run)], place / SAID)


def is_held(cell: Cell, folder: Path) -> bool:
    """Whether another process trains in a run of `cell`."""
    run = folder / cell.name / "run"
    return any(RunFolder(path.parent).is_held() for path in (run / "config.toml", *run.glob("workers-*/config.toml")))


def conclude(cell: Cell, folder: Path, code: int, said: str, seconds: float) -> Outcome:
    """Read what an ended `cell` has found, and keep it.

    Raises:
        Interrupted: a signal had stopped it.
        AnabranchError: it failed.
    """
    place = folder / cell.name
    seconds += _spent(place)
    try:
        _check_ended(cell, code, said)
    except AnabranchError:
        write_json(place / SPENT, seconds)
        raise
    diverged = code != 0
    outcome = Outcome(seconds, diverged=True) if diverged else _read(place / "run", seconds)
    write_json(place / RESULT, {"arguments": list(cell.arguments), **vars(outcome)})
    (place / SPENT).unlink(missing_ok=True)
    return outcome


def _check_ended(cell: Cell, code: int, said: str) -> None:
    number = code - 128 if code > 128 else -code
    if number in (signal.SIGINT, signal.SIGTERM):
        raise Interrupted(number, f"{cell.name} was stopped")
    if number == signal.SIGKILL:
        raise AnabranchError(f"{cell.name} was killed (for want of memory?): start again, with fewer --jobs.")
    diverged = code == DivergedError.exit_code and DivergedError.remedy in said
    if code and not (diverged and cell.may_diverge):
        last = (said.strip().splitlines() or ["no message"])[-1].removeprefix("anabranch: ")
        raise AnabranchError(f"{cell.name} failed with exit code {code} ({last}): its command was {cell.command}")


def _spent(place: Path) -> float:
    """Seconds of the parts of a cell that were broken off before, as far as this program saw them end."""
    path = place / SPENT
    return float(_json(path)) if path.exists() else 0.0


def _result(cell: Cell, folder: Path) -> dict[str, Any] | None:
    path = folder / cell.name / RESULT
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: delete its folder to run that cell anew.") from error
    return content


def _read(run: Path, seconds: float) -> Outcome:
    summary, sweep = run / "summary.json", run / "sweep.json"
    if summary.exists():
        found = _json(summary)
        return Outcome(seconds, summary=found, epochs={str(found["workers"]): _epochs(run / "steps.jsonl")})
    folders = sorted(run.glob("workers-*"))
    epochs = {path.name.removeprefix("workers-"): _epochs(path / "steps.jsonl") for path in folders}
    return Outcome(seconds, rows=_json(sweep), epochs=epochs)


def _epochs(record: Path) -> list[dict[str, Any]]:
    with record.open(encoding="utf-8") as lines:
        return [line for text in lines if '"epoch"' in text and (line := json.loads(text))["kind"] == "epoch"]


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
