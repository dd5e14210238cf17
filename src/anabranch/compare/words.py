"""A configuration as words of the command line."""

import dataclasses
from typing import Any

from anabranch.config import Config

OWN = frozenset(("validation_fraction", "strategy", "workers", "world", "epochs", "learning_rate", "seed"))
OWN |= {"out", "test_each_epoch"}
"""Options that a comparison sets by itself in each run."""


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


def _words(name: str, value: Any) -> list[str]:
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{flag}" if value else f"--no-{flag}"]
    return [f"--{flag}", str(value)]
