"""From command-line arguments to a `Config`: defaults, then a preset, then a file, then the options themselves."""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from anabranch.config import Config, preset, read_toml


@dataclasses.dataclass(frozen=True)
class Arguments(Config):
    """All options of `anabranch train`. Later sources win: defaults, --preset, --config, then the command line."""

    preset: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """Start from a paper's experiment: degrazia."""
    config: Annotated[str | None, tyro.conf.arg(metavar="FILE.toml")] = None
    """Start from a file like a run's own config.toml."""
    resume: Annotated[str | None, tyro.conf.arg(metavar="DIR")] = None
    """Go on with the run in this folder, to the same result as if it had never stopped."""


def parse(arguments: Sequence[str], command: str, description: str) -> tuple[Arguments, Config]:
    """The options, and the defaults that they started from.

    Exits with code 2 and a message for an option that does not exist or has the wrong type (tyro does).

    Raises:
        UsageError: a preset, file or table in it is wrong.
    """
    start = _starting_point(arguments)
    default = Arguments(**{f.name: getattr(start, f.name) for f in dataclasses.fields(start)})
    return tyro.cli(Arguments, args=arguments, default=default, prog=command, description=description), start


def _starting_point(arguments: Sequence[str]) -> Config:
    """What --preset and --config say, read before the other options, whose defaults they are."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    first.add_argument("--preset")
    first.add_argument("--config")
    try:
        known, _ = first.parse_known_args(list(arguments))
    except argparse.ArgumentError:
        return Config()  # an option without its value: the full parser says so
    config = preset(known.preset) if known.preset else Config()
    return read_toml(Path(known.config), config) if known.config else config


def as_config(arguments: Arguments) -> Config:
    """The run's options alone."""
    return Config(**{f.name: getattr(arguments, f.name) for f in dataclasses.fields(Config)})
