"""From command-line arguments to a `Config`: defaults, then a preset, then a file, then the options themselves."""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import tyro

from anabranch.config import PRESETS, Config, preset, read_toml, updated
from anabranch.launch import own_rank
from anabranch.runfolder import RunFolder, saved_config


@dataclasses.dataclass(frozen=True)
class Arguments(Config):
    """All options of `anabranch train`. Later sources win: defaults, --preset, --config, then the command line."""

    preset: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """Start from a paper's experiment: degrazia."""
    config: Annotated[str | None, tyro.conf.arg(metavar="FILE.toml")] = None
    """Start from a file like a run's own config.toml."""
    resume: Annotated[str | None, tyro.conf.arg(metavar="DIR")] = None
    """Go on with the run in this folder. In step: to the same bits as if it had never stopped.
    At their own pace: from the last checkpoint."""


@dataclasses.dataclass(frozen=True)
class SimulateArguments(Arguments):
    """All options of `anabranch simulate`: those of `anabranch train`, and the cluster's."""

    cluster: Annotated[str, tyro.conf.arg(metavar="NAME|FILE.toml")] = "ethernet-25g"
    """Where it runs: laptop, ethernet-1g, ethernet-25g, infiniband-hdr, padova-2012, ccr-2014, or a file, as
    `anabranch calibrate` writes it."""
    tasks_per_node: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Workers on each node; as many as it has cores unless given."""
    timing_only: bool = False
    """Charge the mathematics without doing it: times, no errors; for thousands of workers."""
    target_error: Annotated[float | None, tyro.conf.arg(metavar="FLOAT")] = None
    """Tell the virtual time to this test error (0.05 is 5 %), which is then measured after every epoch with labels."""
    trace: Annotated[int | None, tyro.conf.arg(metavar="WORKERS")] = None
    """Draw the time line of this number of workers; the largest up to 64 unless given, 0 for none."""


A = TypeVar("A", bound=Arguments)


def parse(arguments: Sequence[str], command: str, description: str, kind: type[A], usual: Config | None = None) -> A:
    """The options, as `kind` lists them; `usual` has the command's own defaults where they are not those of a run.

    Exits with code 2 and a message for an option that does not exist or has the wrong type (tyro does).

    Raises:
        UsageError: a preset, a file, or an option in it is wrong, or there is no run to resume.
    """
    start = _starting_point(arguments, usual or Config())
    default = kind(**{f.name: getattr(start, f.name) for f in dataclasses.fields(start)})
    # Under mpirun every rank reads the same options: the first alone says what is wrong with them.
    speaks = own_rank() == 0
    return tyro.cli(
        kind, args=arguments, default=default, prog=command, description=description, console_outputs=speaks
    )


def _starting_point(arguments: Sequence[str], usual: Config) -> Config:
    """What --resume, --preset and --config say, read before the other options, whose defaults they are."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for name in ("--resume", "--preset", "--config"):
        first.add_argument(name)
    try:
        known, _ = first.parse_known_args(list(arguments))
    except argparse.ArgumentError:
        return usual  # an option without its value: the full parser says so
    config = usual
    if known.resume is not None and (folder := RunFolder(Path(known.resume))).config.is_file():
        config = saved_config(folder)  # without a run there, the command says so
    if known.preset is not None:
        preset(known.preset)  # refuses an unknown name
        config = updated(config, PRESETS[known.preset], f"preset {known.preset}")
    return config if known.config is None else read_toml(Path(known.config), config)


def as_config(arguments: Arguments) -> Config:
    """The run's options alone."""
    return Config(**{f.name: getattr(arguments, f.name) for f in dataclasses.fields(Config)})
