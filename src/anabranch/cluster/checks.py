"""Checks of a cluster's figures, each refused in one sentence: what it is, its number, and what to give instead."""

import math
from collections.abc import Collection, Sequence
from itertools import pairwise

from anabranch.errors import UsageError, unknown_name


def at_least(what: str, value: float, least: float = 0, unit: str = "") -> None:
    """Refuse what is less than `least`, or not finite.

    Raises:
        UsageError: naming `what`, both numbers and the `unit`.
    """
    if not (value >= least and math.isfinite(value)):
        raise UsageError(f"{what} is {_with(value, unit)}: give {_with(least, unit)} or more, and not infinity.")


def positive(what: str, value: float, unit: str = "") -> None:
    """Refuse what is not above 0. Infinity will do: what is infinitely fast costs nothing.

    Raises:
        UsageError: naming `what`, its value and the `unit`.
    """
    if not value > 0:
        raise UsageError(f"{what} is {_with(value, unit)}: give more than 0.")


def factor(what: str, value: float, least: float = 0.0) -> None:
    """Refuse a factor that is not finite, not above 0, or less than `least`.

    Raises:
        UsageError: naming `what` and its value.
    """
    if not (0 < value < math.inf and value >= least):
        wanted = f"{least:g} or more" if least else "more than 0"
        raise UsageError(f"{what} is {value}: give {wanted}, and not infinity (2 means: takes twice as long).")


def rising(what: str, values: Sequence[int], least: int) -> None:
    """Refuse numbers that do not rise, or begin below `least`.

    Raises:
        UsageError: naming `what` and all of them.
    """
    if (list(values[:1]) < [least] and values) or any(low >= high for low, high in pairwise(values)):
        raise UsageError(f"{what} are {list(values)}: give each once, rising, from {least} or more.")


def together(what: str, values: Sequence[object], other: str, others: Sequence[object]) -> None:
    """Refuse two rows of different lengths.

    Raises:
        UsageError: naming both, and both lengths.
    """
    if len(values) != len(others):
        raise UsageError(
            f"there are {len(values)} {what} and {len(others)} {other}: give as many of one as of the other."
        )


def places(what: str, values: Sequence[int]) -> None:
    """Refuse negative numbers of ranks or nodes, which are counted from 0.

    Raises:
        UsageError: naming `what` and the first that is negative.
    """
    for value in values:
        if value < 0:
            raise UsageError(f"{what} name {value}: they are counted from 0, so give 0 or more.")


def name(kind: str, value: str, known: Collection[str]) -> None:
    """Refuse a name that is not among the `known`.

    Raises:
        UsageError: with the nearest one.
    """
    if value not in known:
        raise unknown_name(kind, value, known)


def unused(what: str, given: Collection[str], used: Collection[str]) -> None:
    """Refuse options which have no effect: they were meant for something else.

    Args:
        what: for which they were given.
        given: names of options with other values than their defaults.
        used: names of options that have an effect.

    Raises:
        UsageError: naming the first such option, and those that have an effect.
    """
    for option in given:
        if option not in used:
            raise UsageError(f"{what} takes no {option}: leave it out; what it takes is {', '.join(used)}.")


def _with(value: float, unit: str) -> str:
    return f"{value} {unit}" if unit else str(value)
