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
        unless: and where it has none of these.
    """

    command: str
    options: tuple[tuple[str, str], ...]
    why: str
    only: str = ""
    unless: tuple[str, ...] = ()


AN_EPOCH = (("--epochs", "1"), ("--finetune-epochs", "1"))
SMALL = (("--model", "dbn:784-50-50-100"),)

RULES = (
    Rule("train", AN_EPOCH, "one epoch goes the whole way, from the data to the summary", unless=("--resume",)),
    Rule("train", SMALL, "the preset's network, narrower: its layers take seconds an epoch", only="degrazia"),
    Rule("train", (("--workers", "2"),), "each rank is a process, which starts for seconds", only="mpi"),
    Rule("simulate", AN_EPOCH, "one epoch goes the whole way, from the data to the table"),
    Rule("simulate", SMALL, "as of train", only="degrazia"),
    Rule("simulate", (("--model", "mlp"),), "one task in place of a DBN's four", unless=("--model", "--preset")),
    Rule("compare", AN_EPOCH, "as of train, for each of its cells is a run"),
    Rule("compare", (("--seeds", "1"), ("--budget", "1")), "more repeat cells; tests/compare has more of both"),
    Rule(
        "compare", (("--world", "simulated"),), "docs/compare.md has one on MPI", only="mpi", unless=("--target-error",)
    ),
    Rule("compare", (("--model", "mlp"), ("--jobs", "1")), "the fastest network: strategies are what is compared"),
    Rule("sample", (("--steps", "5"),), "longer chains do the same again"),
    Rule("doctor", (("--no-self-test", ""),), "which takes up to half a minute; tests/doctor has it"),
    Rule("calibrate", (("--quick", ""), ("--overwrite", "")), "coarse measurements make a whole file, too"),
)

LISTS = {"simulate": ("--workers", (0, -1)), "compare": ("--strategies", (0,))}
"""Options whose values are lists, and which items are run: all others would do the same again."""


def shortened(words: Sequence[str]) -> list[str]:
    """The words behind `anabranch`, as they are run."""
    found = list(words)
    if not words or "--help" in words:
        return found
    for rule in RULES:
        if words[0] == rule.command and rule.only in (*words, "") and not {*rule.unless} & {*words}:
            for option, value in rule.options:
                found = _with(found, option, value)
    return _with_items(found, *LISTS[words[0]]) if words[0] in LISTS else found


def _with(words: list[str], option: str, value: str) -> list[str]:
    if option not in words:
        return [*words, option, *[value] * bool(value)]
    if not value:
        return words
    at = words.index(option) + 1
    if value.isdigit() and int(words[at]) <= int(value):
        return words
    return [*words[:at], value, *words[at + 1 :]]


def _with_items(words: list[str], option: str, items: tuple[int, ...]) -> list[str]:
    if option not in words:
        return words
    at = words.index(option) + 1
    given = words[at].split(",")
    return [*words[:at], ",".join(dict.fromkeys(given[item] for item in items)), *words[at + 1 :]]


if __name__ == "__main__":
    sys.exit(main(shortened(sys.argv[1:])))
