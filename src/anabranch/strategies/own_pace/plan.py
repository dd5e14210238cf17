"""How a task runs asynchronously, as data."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from anabranch.optim import Rule
from anabranch.server.update import Update
from anabranch.strategies.own_pace.hosting import Hosting
from anabranch.strategies.own_pace.replica import Replica
from anabranch.strategies.task import Task
from anabranch.types import Step

Work = Callable[[Task, Replica], Iterator[Step]]
"""What a worker does, from its first batch to its last push."""


@dataclass(frozen=True)
class Plan:
    """How a task runs asynchronously.

    Attributes:
        hosting: where the parameters are.
        update: what a push does to them.
        rule: of the learning rate that the record shows.
        overlap: whether fetches and pushes go on while a worker computes.
    """

    hosting: Hosting
    update: Update
    rule: Rule
    overlap: bool = False
