"""What the pages' `anabranch` commands run with: as they stand, but for the words in this table, which make them short.

As a program it is the `anabranch` of the shell scripts and of the ranks that mpirun starts.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from anabranch.cli.main import main


@dataclass(frozen=True)
class Rule:
    """Options that are added to a command, or take the place of those that it has.

    Attributes:
        command: which.
        options: and their values; a number that the page gives stays where it is smaller.
        why: that loses nothing of what a page says.
        only: the rule holds where the command has this word, if one is given.
        unless: and where it has not this one.
    """

    command: str
    options: tuple[tuple[str, str], ...]
    why: str
    only: str = ""
    unless: str = ""


AN_EPOCH = (("--epochs", "1"), ("--finetune-epochs", "1"))
SMALL = (("--model", "dbn:784-50-50-100"),)

RULES = (
    Rule("train", AN_EPOCH, "one epoch goes the whole way, from the data to the summary", unless="--resume"),
    Rule("train", SMALL, "the preset's network, narrower: its layers take seconds an epoch", only="degrazia"),
    Rule("train", (("--workers", "2"),), "each rank is a process, which starts for seconds", only="mpi"),
    Rule("simulate", AN_EPOCH, "one epoch goes the whole way, from the data to the table"),
    Rule("simulate", SMALL, "as of train", only="degrazia"),
    Rule("compare", AN_EPOCH, "as of train, for each of its cells is a run"),
    Rule("compare", (("--seeds", "1"), ("--budget", "1")), "more repeat cells; tests/compare has more of both"),
    Rule("compare", (("--model", "mlp"), ("--jobs", "1")), "the fastest network: strategies are what is compared"),
    Rule("sample", (("--steps", "5"),), "longer chains do the same again"),
    Rule("doctor", (("--no-self-test", ""),), "which takes up to half a minute; tests/doctor has it"),
    Rule("calibrate", (("--quick", ""), ("--overwrite", "")), "coarse measurements make a whole file, too"),
)

LISTS = {"simulate": "--workers", "compare": "--strategies"}
"""Options whose values are lists, of which the first and the last are run (on MPI the first): others would do the same again."""


def shortened(words: Sequence[str]) -> list[str]:
    """The words behind `anabranch`, as they are run."""
    found = list(words)
    if not words or "--help" in words:
        return found
    for rule in RULES:
        if words[0] == rule.command and rule.only in (*words, "") and rule.unless not in words:
            for option, value in rule.options:
                found = _with(found, option, value)
    return _with_ends(found, LISTS.get(words[0], ""))


def _with(words: list[str], option: str, value: str) -> list[str]:
    if option not in words:
        return [*words, option, *[value] * bool(value)]
    if not value:
        return words
    at = words.index(option) + 1
    if value.isdigit() and int(words[at]) <= int(value):
        return words
    return [*words[:at], value, *words[at + 1 :]]


def _with_ends(words: list[str], option: str) -> list[str]:
    if option not in words:
        return words
    at = words.index(option) + 1
    items = words[at].split(",")
    ends = items[:1] if "mpi" in words else dict.fromkeys((items[0], items[-1]))
    return [*words[:at], ",".join(ends), *words[at + 1 :]]


if __name__ == "__main__":
    sys.exit(main(shortened(sys.argv[1:])))
