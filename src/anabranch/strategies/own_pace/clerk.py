"""The one rank that keeps an asynchronous task's books: when an epoch has ended, when all is done, when to save.

An epoch is as many examples as there are, whoever has used them: a fast worker goes over its shard more often than a
slow one (Dean et al. 2012 divide the data likewise, and count what all replicas have done).
"""

from collections.abc import Callable

import torch

from anabranch.server.keeper import Books, Worker
from anabranch.server.transport import FINISHED, SIGNALLED, Heard
from anabranch.strategies.task import Task

Rest = Callable[[Callable[[], None], int, bool], None]
"""Called where epochs end with what is to be done while the task's weights are the server's, how many of them end, and
whether to save a checkpoint afterwards."""


class Clerk(Books):
    """Keeps the books of `task`.

    Args:
        task: of this rank.
        rest: brings the server's weights to the task.
        gone: workers that died in earlier tasks.

    Attributes:
        stop: as `Heard`'s.
        used: examples in the pushes that this server has applied.
        lost: examples that workers had begun and not pushed when they died.
        begun_by_dead: examples that workers which died had begun.
        applied_of_dead: those of them that were pushed, and applied.
        dead: those that have died, the `gone` among them.
    """

    def __init__(self, task: Task, rest: Rest, gone: frozenset[int] = frozenset()) -> None:
        self.stop = FINISHED if task.is_done else 0
        self.dead = gone
        self.used = self.lost = self.begun_by_dead = self.applied_of_dead = 0
        self._task, self._rest = task, rest
        self._books = torch.zeros(4, dtype=torch.float64)  # examples, loss: now, and when the epoch began
        task.keep("books", self._books)

    @property
    def totals(self) -> tuple[int, float]:
        """Examples that all workers have used, and the sum of their losses."""
        return int(self._books[0]), float(self._books[1])

    def heard(self) -> Heard:
        """How the task stands."""
        return Heard(int(self._books[0]), self.stop, len(self.dead))

    def applied(self, examples: int, loss: float) -> None:
        """So many more examples were used, with so great a sum of losses."""
        self.used += examples
        self.count(int(self._books[0]) + examples, float(self._books[1]) + loss)

    def count(self, examples: int, loss: float) -> None:
        """So many examples were used since the task began, with so great a sum of losses.

        Where that ends several epochs at once, they share what was used equally.
        """
        self._books[0], self._books[1] = examples, loss
        ended = min(examples // self._task.shard.total, self._task.stopping.limit) - self._task.epoch
        if ended > 0 and not self._task.is_done:  # after a signal, too: what is under way still counts
            self._end(ended)
        if (signal_number := self._task.signal()) and not self.stop:
            self.stopped(SIGNALLED + signal_number)

    def stopped(self, why: int) -> None:
        """All should stop."""
        self.stop = self.stop or why

    def died(self, worker: Worker) -> None:
        """What it had begun and nobody has seen is lost."""
        self.dead |= {worker.number}
        self.lost += worker.taken - worker.applied
        self.begun_by_dead += worker.taken
        self.applied_of_dead += worker.applied

    def _end(self, epochs: int) -> None:
        examples, loss = (self._books[:2] - self._books[2:]).tolist()
        self._books[2:] = self._books[:2]
        due = self._task.checkpoint_due()

        def conclude() -> None:
            for _ in range(epochs):
                if not self._task.is_done and self._task.end_epoch(loss / examples, int(examples) // epochs):
                    self.stop = FINISHED

        self._rest(conclude, epochs, due)
