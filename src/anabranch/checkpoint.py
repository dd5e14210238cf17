"""Checkpoints: folders that appear whole, by a rename, and are checked by their sums when they are read.

checkpoints/000007/state.json            which task, its errors, what else rank 0 must know; sums of the files
                   model.safetensors     the whole model, as rank 0 has it
                   rank-0.safetensors    what each rank's task keeps: weights, momentum, chains, …
                   rank-1.safetensors
"""

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from anabranch.comm.base import Communicator, Json
from anabranch.comm.ledger import Account
from anabranch.errors import CheckpointError
from anabranch.files import make_folder, storage_error, sync_folder, write_bytes, write_json
from anabranch.strategies import TaskState
from anabranch.tensorfile import tensor_bytes, tensors_from

KEPT = 2  # the newest, and the one before it in case the newest is damaged
FORMAT = 1
MODEL = "model.safetensors"


@dataclass(frozen=True)
class Progress:
    """Where a run stands, apart from tensors.

    Attributes:
        running: the running task's summary so far: task (its name), epochs, error, examples, seconds.
        errors: of the running task's epochs.
        steps: rank 0's updates in it.
        finished: summaries of the tasks before it, in order.
        recorded_bytes: length of `steps.jsonl`.
        recorded_sha256: of these bytes.
        world: of a simulated cluster: each rank's `Account`.
    """

    running: dict[str, Any]
    errors: list[float]
    steps: int
    finished: list[dict[str, Any]]
    recorded_bytes: int
    recorded_sha256: str
    world: list[list[float]] | None = None


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint as it was read: progress, the model's tensors, and this rank's part of the task."""

    number: int
    progress: Progress
    model: dict[str, Tensor]
    state: TaskState


class Checkpoints:
    """The checkpoints in one folder."""

    def __init__(self, folder: Path, number: int = 0) -> None:
        self._folder, self._number = folder, number

    def save(self, progress: Progress, model: dict[str, Tensor], state: TaskState, comm: Communicator) -> None:
        """Write one more, all ranks of `comm` together, and drop the oldest.

        Raises:
            StorageError: a file cannot be written; the checkpoints before are untouched.
        """
        self._number += 1
        final = self._folder / f"{self._number:06d}"
        partial = self._folder / f".{final.name}.partial"
        make_folder(partial)
        sums: dict[str, Json] = {}
        name = f"rank-{comm.rank}.safetensors"
        sums[name] = _write(partial / name, tensor_bytes(state.tensors))
        if comm.rank == 0:
            sums[MODEL] = _write(partial / MODEL, tensor_bytes(model))
        gathered = comm.gather(sums)
        if gathered is not None:
            files = {key: value for part in gathered if isinstance(part, dict) for key, value in part.items()}
            content = {"format": FORMAT, "ranks": comm.size, "files": files, "progress": asdict(progress)}
            write_json(partial / "state.json", content)
            self._publish(partial, final)
        comm.barrier()

    def _publish(self, partial: Path, final: Path) -> None:
        try:
            shutil.rmtree(final, ignore_errors=True)
            partial.rename(final)
            sync_folder(self._folder)
            for old in numbered(self._folder)[:-KEPT]:
                shutil.rmtree(old)
        except OSError as error:
            raise storage_error(final, error) from error


def load_newest(folder: Path, rank: int) -> Checkpoint | None:
    """The newest checkpoint in `folder` as `rank` needs it, or None where there is none yet.

    Raises:
        CheckpointError: it is damaged.
    """
    found = numbered(folder)
    if not found:
        return None
    newest = found[-1]
    content = _state(newest)
    progress = Progress(**content["progress"])
    model = tensors_from(_read(newest, MODEL, content), newest / MODEL)
    mine = f"rank-{rank}.safetensors"
    # A task that runs on fewer ranks (fine-tuning on one) leaves nothing for the others.
    tensors = tensors_from(_read(newest, mine, content), newest / mine) if rank < content["ranks"] else {}
    return Checkpoint(int(newest.name), progress, model, TaskState(tuple(progress.errors), progress.steps, tensors))


def load_world(folder: Path) -> list[Account]:
    """Where each rank of a simulated cluster stood at the newest checkpoint in `folder`; empty where there is none.

    Raises:
        CheckpointError: it is damaged.
    """
    found = numbered(folder)
    world = _state(found[-1])["progress"].get("world") if found else None
    return [Account(*account) for account in world or []]


def numbered(folder: Path) -> list[Path]:
    """The complete checkpoints in `folder`, oldest first."""
    found = folder.glob("[0-9]*") if folder.is_dir() else []  # somebody's copy, such as "000007 old", is none of ours
    return sorted(path for path in found if path.name.isdecimal() and path.is_dir())


def _write(path: Path, content: bytes) -> str:
    write_bytes(path, content)
    return hashlib.sha256(content).hexdigest()


def _state(folder: Path) -> dict[str, Any]:
    path = folder / "state.json"
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise CheckpointError(
                f"checkpoint {folder} has format {content['format']}, but this version reads format {FORMAT}: "
                "go on with the version that wrote it."
            )
        Progress(**content["progress"])
        dict(content["files"]), int(content["ranks"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(folder, "state.json cannot be read") from error
    return content


def _read(folder: Path, name: str, content: dict[str, Any]) -> bytes:
    try:
        data = (folder / name).read_bytes()
    except OSError as error:
        raise _damaged(folder, f"{name} cannot be read") from error
    if hashlib.sha256(data).hexdigest() != content["files"].get(name):
        raise _damaged(folder, f"{name} does not match its checksum")
    return data


def _damaged(folder: Path, what: str) -> CheckpointError:
    return CheckpointError(
        f"checkpoint {folder} is damaged ({what}): delete that folder to go on from the checkpoint before it."
    )
