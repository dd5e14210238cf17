"""A run's folder: the resolved `config.toml`, `steps.jsonl`, `summary.json`, `model.safetensors`, checkpoints."""

import dataclasses
import fcntl
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from anabranch.config import Config, read_toml, tables
from anabranch.data import Sketch
from anabranch.errors import CheckpointError, UsageError
from anabranch.files import make_folder, write_text
from anabranch.wording import counted

# What may differ when a run is resumed, for it does not touch the result: synchronous strategies give the same bits in
# every world (docs/decisions/0003).
FREE = {("parallel", "world"), *(("run", name) for name in ("out", "checkpoint_seconds", "tensorboard", "verbose"))}

PROGRAM = "python:"  # before the name of what a Python program gave as an object


@dataclass(frozen=True)
class RunFolder:
    """The places in a run's folder."""

    path: Path

    @property
    def config(self) -> Path:
        """All options, resolved."""
        return self.path / "config.toml"

    @property
    def steps(self) -> Path:
        """The record."""
        return self.path / "steps.jsonl"

    @property
    def summary(self) -> Path:
        """The results."""
        return self.path / "summary.json"

    @property
    def model(self) -> Path:
        """The trained model."""
        return self.path / "model.safetensors"

    @property
    def environment(self) -> Path:
        """Versions, machine and commit."""
        return self.path / "environment.json"

    @property
    def data(self) -> Path:
        """What tells the data from others."""
        return self.path / "data.json"

    @property
    def cluster(self) -> Path:
        """In whose virtual time the run is, if a Python program said so."""
        return self.path / "cluster.toml"

    @property
    def events(self) -> Path:
        """Folder of the event files for TensorBoard."""
        return self.path / "tensorboard"

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def own(self) -> tuple[Path, ...]:
        """All that a run leaves here, files and folders: what no command on a finished run may replace."""
        more = ("evaluation.json", "pictures.safetensors", "report.html", "simulation.json")
        known = (self.config, self.steps, self.summary, self.model, self.environment, self.data, self.cluster)
        return (*known, self.events, self.checkpoints, *(self.path / name for name in more))

    def create(self, config: Config) -> None:
        """Make the folder, with its `config.toml`.

        Raises:
            UsageError: there is something in it already.
            StorageError: it cannot be written.
        """
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise UsageError(
                f"{self.path} exists and is not empty: choose another --out, or go on with it by --resume {self.path}."
            )
        make_folder(self.path)
        write_text(self.config, tomli_w.dumps(tables(config)))

    def check_no_run(self) -> None:
        """Refuse a folder in which a run of `anabranch train` is, for something else.

        Raises:
            UsageError: there is one.
        """
        if self.config.exists():
            raise UsageError(f"{self.path} holds a run of anabranch train: give another --out.")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes from training here. The system lets go when this process dies, however it does.

        Raises:
            UsageError: another process trains here.
        """
        with self.config.open("r+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UsageError(
                    f"another process is training in {self.path}: wait for it, or stop it before you resume its run."
                ) from error
            except OSError:
                pass  # a network file system without locks
            yield

    def is_held(self) -> bool:
        """Whether a process trains here."""
        if not self.config.exists():
            return False
        try:
            with self.held():
                return False
        except UsageError:
            return True

    def check_same(self, config: Config) -> None:
        """Check that the run in this folder has these options.

        Raises:
            UsageError: it has others, which would change its result.
        """
        then, now = flat(read_toml(self.config, Config())), flat(config)
        for key in now:
            if key not in FREE and not _same(key, then[key], now[key]):
                raise _other_option(self.path, key, then[key], now[key])

    def check_workers(self, config: Config) -> None:
        """Check that the run in this folder has as many workers: the ranks that were started may be others.

        Raises:
            UsageError: it has not.
        """
        then, now = read_toml(self.config, Config()).parallel.workers, config.parallel.workers
        if then != now:
            raise UsageError(
                f"the run in {self.path} has {counted(then, 'worker')}, not {now}: "
                "a resumed run keeps its workers; start as many, or start a new run."
            )

    def note_data(self, sketch: Sketch) -> None:
        """Keep what tells the run's data from others.

        Raises:
            StorageError: it cannot be written.
        """
        write_text(self.data, sketch.as_json())

    def noted_data(self) -> Sketch | None:
        """What was kept of the run's data; None before it began, and of runs of earlier versions.

        Raises:
            CheckpointError: it cannot be read.
        """
        try:
            return Sketch.from_json(self.data.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{self.data} cannot be read: delete it to take the data as they are.") from error

    def finished_summary(self) -> dict[str, Any] | None:
        """The summary of a finished run, or None."""
        try:
            content: dict[str, Any] = json.loads(self.summary.read_text(encoding="utf-8"))
            content["tasks"], content["test_error"], content["seconds"]
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"{self.summary} cannot be read: delete it to compute it anew.") from error
        return content


def default_path(config: Config) -> Path:
    """runs/DATA-MODEL-DATE in the current folder, with a number where that exists."""
    data = Path(config.data.data).stem
    model = config.model.model.replace(":", "-").replace("/", "-")
    base = f"{data}-{model}-{time.strftime('%Y%m%d-%H%M%S')}"
    paths = (Path("runs") / (base + (f"-{n}" if n else "")) for n in range(1000))
    return next(path for path in paths if not path.exists())


def saved_config(folder: RunFolder) -> Config:
    """The options of the run in `folder`.

    Raises:
        UsageError: there is no run, or its file was damaged.
    """
    if not folder.config.is_file():
        raise UsageError(f"there is no run in {folder.path} (no config.toml): give the folder of a run to --resume.")
    return read_toml(folder.config, Config())


def resumed_config(folder: RunFolder, saved: Config, asked: Config) -> Config:
    """The options of a run that goes on: `saved`, with what may change taken from `asked`.

    Raises:
        UsageError: `asked` has an option that would change the run's result, or another folder.
    """
    if any(isinstance(value, str) and value.startswith(PROGRAM) for value in flat(saved).values()):
        raise UsageError(
            f"the run in {folder.path} has parts that a Python program gave it: go on with it from there, by "
            "anabranch.fit(..., out=..., resume=True)."
        )
    then, now = flat(saved), flat(asked)
    for key in now:
        if key not in FREE and not _same(key, then[key], now[key]):
            raise _other_option(folder.path, key, then[key], now[key])
    out = asked.run.out
    if out != saved.run.out and Path(out or "") != folder.path:
        raise UsageError(f"--out {out} does not go with --resume {folder.path}, which goes on there: leave --out out.")
    return dataclasses.replace(
        saved,
        parallel=dataclasses.replace(saved.parallel, world=asked.parallel.world),
        run=dataclasses.replace(asked.run, out=str(folder.path), test_each_epoch=saved.run.test_each_epoch),
    )


def _same(key: tuple[str, str], then: Any, now: Any) -> bool:
    """Whether an option is what it was; a plain 'dbn' or an 'auto' may be repeated though it was resolved since."""
    resolved = (key == ("model", "model") and then.partition(":")[0] == now) or (
        key in (("training", "dtype"), ("parallel", "server")) and now == "auto"
    )
    return bool(then == now or resolved)


def flat(config: Config) -> dict[tuple[str, str], Any]:
    """All options by (group, name)."""
    return {(g, name): value for g, options in dataclasses.asdict(config).items() for name, value in options.items()}


def _other_option(path: Path, key: tuple[str, str], then: Any, now: Any) -> UsageError:
    return UsageError(
        f"the run in {path} has --{key[1].replace('_', '-')} {then}, not {now}: "
        "a resumed run keeps its options; leave that one out, or start a new run."
    )
