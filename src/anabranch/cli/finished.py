"""What the commands that work on a finished run share."""

from pathlib import Path

import torch

from anabranch.config import Config
from anabranch.errors import UsageError
from anabranch.launch import cores, started_ranks
from anabranch.runfolder import RunFolder


def alone(command: str) -> None:
    """Refuse to run several times at once.

    Raises:
        UsageError: mpirun or srun has started more than one rank.
    """
    if (ranks := started_ranks()) > 1:
        raise UsageError(
            f"anabranch {command} runs in one process, but {ranks} ranks were started: start it without mpirun or srun."
        )


def use_threads(config: Config) -> None:
    """Compute with as many threads as the run did, on which the last bits depend, or with those that there are."""
    torch.set_num_threads(min(config.parallel.threads or 1, cores()))


def checked_out(asked: str | None, folder: RunFolder, default: str, *beside: str) -> Path:
    """The file to write: `asked`, which must end like `default`, or that in the run's folder.

    Args:
        asked: the value of --out.
        folder: of the run.
        default: name of the file.
        beside: endings of other files that are written beside it.

    Raises:
        UsageError: it ends otherwise, or a file of the run itself would be replaced.
    """
    path, suffix = Path(asked) if asked is not None else folder.path / default, Path(default).suffix
    check_named("--out", path)
    if path.suffix != suffix:
        raise UsageError(f"the file ends in {suffix}, which {path} does not: use --out {path.with_suffix(suffix)}.")
    check_spared(folder, "--out", path, *beside)
    return path


def check_named(option: str, path: Path) -> None:
    """Refuse what names no file.

    Raises:
        UsageError: the path is empty, or the root.
    """
    if not path.name:
        raise UsageError(f"{option} '{path}' names no file: name one to write.")


def check_spared(folder: RunFolder, option: str, path: Path, *beside: str) -> None:
    """Refuse to replace a file of the run itself.

    Args:
        folder: of the run.
        option: that names the file to write.
        path: of that file.
        beside: endings of other files that are written beside it.

    Raises:
        UsageError: one of them is the run's own, or lies in a folder of its own.
    """
    check_named(option, path)
    own = {file.resolve() for file in folder.own}
    for written in (path, *map(path.with_suffix, beside)):
        if own & {written.resolve(), *written.resolve().parents}:
            raise UsageError(
                f"{written} is a file of the run itself, which {option} {path} would replace: choose another."
            )
