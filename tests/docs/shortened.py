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
        options: and their values; a value that the page gives stays where it is a smaller number.
        why: that loses nothing of what a page says.
        unless: a word with which it is left alone.
    """

    command: str
    options: tuple[tuple[str, str], ...]
    why: str
    unless: str = "--help"


AN_EPOCH = (("--epochs", "1"), ("--finetune-epochs", "1"))

RULES = (
    Rule("train", AN_EPOCH, "one epoch goes the whole way, from the data to the summary", unless="--resume"),
    Rule("simulate", AN_EPOCH, "one epoch goes the whole way, from the data to the table"),
    Rule("compare", AN_EPOCH, "as of train: each of its cells is a run"),
    Rule(
        "compare",
        (("--seeds", "1"), ("--budget", "1")),
        "each further seed or rate repeats cells; tests/compare has them",
    ),
    Rule(
        "compare",
        (("--model", "mlp"), ("--jobs", "1")),
        "what is compared are strategies; the small network is the fast one",
    ),
    Rule("sample", (("--steps", "5"),), "longer chains do the same again"),
    Rule("doctor", (("--no-self-test", ""),), "tests/doctor run it; it takes up to half a minute"),
    Rule(
        "calibrate",
        (("--quick", ""), ("--overwrite", "")),
        "coarse measurements make a whole file, too; a page may measure twice",
    ),
)


def shortened(words: Sequence[str]) -> list[str]:
    """The words behind `anabranch`, as they are run."""
    found = list(words)
    for rule in RULES:
        if words and words[0] == rule.command and rule.unless not in words:
            for option, value in rule.options:
                found = _with(found, option, value)
    return found


def _with(words: list[str], option: str, value: str) -> list[str]:
    if option not in words:
        return [*words, option, *[value] * bool(value)]
    if not value:
        return words
    at = words.index(option) + 1
    if value.isdigit() and int(words[at]) <= int(value):
        return words
    return [*words[:at], value, *words[at + 1 :]]


if __name__ == "__main__":
    sys.exit(main(shortened(sys.argv[1:])))
