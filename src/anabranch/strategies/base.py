"""What every strategy is: an SPMD program that reads like its paper."""

from collections.abc import Callable, Iterator
from typing import Protocol

from anabranch.comm.base import Communicator
from anabranch.objectives import Objective
from anabranch.strategies.monitor import Journal
from anabranch.strategies.task import Task
from anabranch.types import Step


class Strategy(Protocol):
    """A frozen dataclass of hyper-parameters; every rank runs `run`, which yields one `Step` an update.

    It sees the task's objective and the communicator and nothing else. It ends when the task says so, at the same
    point on every rank, with the same weights on every rank.
    """

    def run(self, task: Task, comm: Communicator) -> Iterator[Step]:
        """Train `task.objective.weights` in place."""
        ...


Staged = Callable[[Objective, str, Communicator], Objective]
"""What a world makes of the objective of the task so named on its way to the strategy: a simulated one charges it."""


def as_it_is(objective: Objective, name: str, comm: Communicator) -> Objective:  # noqa: ARG001
    """`objective`, for worlds that take their own time."""
    return objective


def carry_out(strategy: Strategy, task: Task, comm: Communicator, journal: Journal) -> None:
    """Run `task` to its end under `strategy`, with an entry in the journal."""
    journal.begin(task.name, task.stopping.limit, task.shard.steps, task.epoch)
    for _ in strategy.run(task, comm):
        pass
    journal.end()
