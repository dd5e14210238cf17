"""The options of a command as a page has them: understood, although a shorter form is run."""

from collections.abc import Sequence

from anabranch.cli.compare import CompareArguments
from anabranch.cli.options import Arguments, SimulateArguments, parse
from anabranch.compare.terms import contenders

KINDS: dict[str, type[Arguments]] = {"train": Arguments, "simulate": SimulateArguments, "compare": CompareArguments}


def understood(words: Sequence[str]) -> Arguments | None:
    """The options behind `anabranch`; None of a command that always runs as it stands.

    Raises:
        SystemExit, UsageError: one of them does not exist, or its value is wrong.
    """
    command, *options = words
    if command not in KINDS or "--help" in options or "--resume" in options:
        return None
    if command == "simulate" and "--workers" in options:  # a list there, which it reads by itself
        at = options.index("--workers")
        del options[at : at + 2]
    found = parse(options, f"anabranch {command}", "", KINDS[command])
    if isinstance(found, CompareArguments):
        contenders(found.strategies, found.parallel.workers)
    return found
