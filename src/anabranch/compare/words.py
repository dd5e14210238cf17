"""A configuration as words of the command line."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from anabranch.config import Config
from anabranch.errors import UsageError

OWN = frozenset(("validation_fraction", "strategy", "workers", "world", "epochs", "learning_rate", "seed"))
OWN |= {"out", "test_each_epoch"}
"""Options that a comparison sets by itself in each run."""

_OF_ALL = frozenset(("finetune_epochs", "stop", "finetune_stop", "dtype", "threads", "preset", "config", "resume"))
_OF_ALL |= {"cluster", "tasks_per_node", "target_error", "timing_only", "trace"}
_GROUPS_OF_ALL = ("data", "model", "run")


def shared_words(config: Config) -> tuple[str, ...]:
    """What `config` asks for beyond the defaults of `anabranch train`, without the options in OWN."""
    words: list[str] = []
    for group in dataclasses.fields(Config):
        usual, asked = getattr(Config(), group.name), getattr(config, group.name)
        for option in dataclasses.fields(asked):
            value = getattr(asked, option.name)
            if option.name not in OWN and value != getattr(usual, option.name):
                words += _words(option.name, value)
    return tuple(words)


def check_own(options: Sequence[str], name: str) -> None:
    """Refuse, among the options of the strategy called `name`, those that must be the same for all.

    Raises:
        UsageError: naming the first.
    """
    groups = [getattr(Config(), group) for group in _GROUPS_OF_ALL]
    same = OWN | _OF_ALL | {option.name for group in groups for option in dataclasses.fields(group)}
    for word in options:
        flag = word.partition("=")[0]
        if word.startswith("--") and flag[2:].removeprefix("no-").replace("-", "_") in same:
            raise UsageError(f"{flag} is the same for all: give it to anabranch compare, and not to {name} alone.")


def _words(name: str, value: Any) -> list[str]:
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{flag}" if value else f"--no-{flag}"]
    return [f"--{flag}", str(value)]
