"""The terms of a comparison: who takes part, and what is the same for all."""

import dataclasses
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from anabranch.errors import UsageError
from anabranch.strategies.catalogue import find

Equal = Literal["examples", "time"]
Where = Literal["simulated", "mpi"]

ALONE = "one process"


@dataclass(frozen=True)
class Contender:
    """A strategy with options of its own; or one process, which every other is measured against.

    Attributes:
        name: what the tables call it.
        strategy: its name in the catalogue.
        workers: how many.
        options: further words of the command line, its own alone.
    """

    name: str
    strategy: str
    workers: int
    options: tuple[str, ...] = ()

    @property
    def slug(self) -> str:
        """In names of folders."""
        return "-".join(word.lstrip("-") for word in self.name.split())

    @property
    def tuned(self) -> bool:
        """Whether it has a learning rate: a line search has none."""
        return find(self.strategy).ruled


@dataclass(frozen=True)
class Terms:
    """What is the same for all.

    Attributes:
        contenders: the first is one process.
        world: simulated, or mpi.
        place: words of `anabranch simulate` about the cluster; empty on MPI.
        options: words of `anabranch train` that all share.
        epochs: of a run.
        rate: the learning rate that is tried first.
        budget: learning rates that each may try.
        validation: part of the training examples that they are tried on.
        seeds: runs of each with its best rate.
        equal: "examples": all see as many; "time": all have as long as one process needs for `epochs`.
        finetuning: epochs of it; None where there is none.
        cluster: its file's content, which the words in `place` only name; empty on MPI.
    """

    contenders: tuple[Contender, ...]
    world: Where
    place: tuple[str, ...]
    options: tuple[str, ...]
    epochs: int
    rate: float
    budget: int
    validation: float
    seeds: int
    equal: Equal
    finetuning: int | None = None
    cluster: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in (("--budget", self.budget), ("--seeds", self.seeds), ("--epochs", self.epochs)):
            if value < 1:
                raise UsageError(f"{name} must be 1 or more, not {value}.")
        if not 0 < self.validation < 1:
            raise UsageError(
                f"--validation-fraction is {self.validation}: learning rates are chosen on it, so it must be above 0 "
                "and below 1."
            )

    def as_data(self) -> dict[str, object]:
        """For `comparison.json`."""
        return dataclasses.asdict(self)


def contenders(text: str, workers: int) -> tuple[Contender, ...]:
    """One process, and the strategies in `text`, separated by commas, each perhaps with options of its own.

    Raises:
        UsageError: a strategy is unknown, or named twice, or there is none.
    """
    found = [Contender(ALONE, "averaging", 1)]
    for part in text.split(","):
        words = _words(part)
        if not words:
            raise UsageError(f"'{text}' is no list of strategies: write names with commas, as in allreduce,averaging.")
        find(words[0])
        found.append(Contender(" ".join(words), words[0], workers, tuple(words[1:])))
    names = [one.name for one in found]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise UsageError(f"{twice[0]} is named twice in --strategies: leave one out, or give it other options.")
    return tuple(found)


def _words(part: str) -> list[str]:
    try:
        return shlex.split(part)
    except ValueError as error:
        raise UsageError(f"'{part}' cannot be read: {error}.") from error
