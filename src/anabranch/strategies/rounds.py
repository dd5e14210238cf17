"""What averaging and its relatives share: replicas learn alone for a round of batches, then all meet."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from anabranch.errors import UsageError
from anabranch.optim import FlatOptimizer
from anabranch.strategies.task import Task
from anabranch.types import Batch, Step


@dataclass(frozen=True)
class Rounds:
    """The rounds of one replica.

    Attributes:
        task: what it learns.
        optimizer: of its weights.
        every: batches of a round, the same on every rank; None: an epoch.
        meet: brings all replicas together, and writes their weights.
    """

    task: Task
    optimizer: FlatOptimizer
    every: int | None
    meet: Callable[[], None]

    @property
    def under_way(self) -> bool:
        """Whether anything was learnt since the last meeting."""
        return self.every is not None and self.task.steps % self.every != 0

    def epoch(self, batches: Iterator[Batch]) -> Iterator[Step]:
        """Learn alone from the batches of one epoch, and meet wherever a round ends."""
        alone = False  # whether the weights are as this replica's last step left them
        for batch in batches:
            loss = self.task.objective.descend(batch, self.optimizer, again=alone)
            step, alone = self.task.step(loss, batch), True
            if self.every is not None and (step.index + 1) % self.every == 0:
                self.meet()
                alone = False
            yield step
        if self.every is None:
            self.meet()

    def end(self) -> None:
        """Meet once more if a round is under way; not otherwise, for a momentum of the rounds would go on."""
        if self.under_way:
            self.meet()


def check_every(every: int | None) -> None:
    """Refuse a round without batches.

    Raises:
        UsageError: naming the number.
    """
    if every is not None and every < 1:
        raise UsageError(f"replicas can be averaged every 1 or more batches, not every {every}.")
