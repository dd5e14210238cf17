"""The catalogue: every strategy by its name on the command line."""

from collections.abc import Callable
from dataclasses import dataclass

from anabranch.errors import UsageError, unknown_name
from anabranch.optim import Rule
from anabranch.strategies.allreduce import Allreduce
from anabranch.strategies.averaging import Averaging
from anabranch.strategies.base import Strategy


@dataclass(frozen=True)
class Options:
    """What the command line may say to a strategy beside its update rule; None where it says nothing."""

    every: int | None = None


def _allreduce(rule: Rule, options: Options) -> Strategy:
    if options.every is not None:
        raise UsageError(
            f"--every {options.every} does not go with --strategy allreduce, which averages at every step: "
            "use --strategy averaging."
        )
    return Allreduce(rule)


def _averaging(rule: Rule, options: Options) -> Strategy:
    return Averaging(rule, options.every)


CATALOGUE: dict[str, Callable[[Rule, Options], Strategy]] = {
    "allreduce": _allreduce,
    "averaging": _averaging,
}


def strategy(name: str, rule: Rule, options: Options) -> Strategy:
    """The strategy called `name`, with its update rule and options.

    Raises:
        UsageError: no such name, or an option that the strategy does not have.
    """
    if name not in CATALOGUE:
        raise unknown_name("strategy", name, CATALOGUE)
    return CATALOGUE[name](rule, options)
