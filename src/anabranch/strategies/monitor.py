"""What a task tells the outside, and what the outside may ask of it: progress, checkpoints, a wish to stop."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor

from anabranch.comm.base import Communicator
from anabranch.types import Step


@dataclass(frozen=True)
class EpochReport:
    """One epoch, as all ranks have agreed on it.

    Attributes:
        task: the task's name.
        epoch: counted from 0.
        error: what the stopping criterion watches; the mean over all examples of all ranks.
        loss: the mean loss over the same examples.
        examples: how many all ranks used.
        steps: this rank's updates since the task began.
        learning_rate: in force during the epoch; None of a strategy without an update rule.
        last: whether the task ends with it.
        quantity: what the error is: "reconstruction error", "loss", "RMS error".
    """

    task: str
    epoch: int
    error: float
    loss: float
    examples: int
    steps: int
    learning_rate: float | None
    last: bool
    quantity: str = "loss"


@dataclass(frozen=True)
class Throughput:
    """What one rank did since the epoch before.

    Attributes:
        rank: among those of the task.
        examples: that it used.
        working: seconds by the world's clock, without those of waiting.
        waiting: seconds for others, and for bytes; None where the world cannot tell.
    """

    rank: int
    examples: int
    working: float
    waiting: float | None = None

    @property
    def rate(self) -> float:
        """Examples a second of work."""
        return self.examples / self.working if self.working > 0 else 0.0

    @property
    def share(self) -> float | None:
        """Of its time in which it waited."""
        if self.waiting is None or not self.working + self.waiting:
            return None
        return self.waiting / (self.working + self.waiting)


@dataclass(frozen=True)
class TaskState:
    """Where a rank's task stands at the end of an epoch: all that it needs to go on.

    Attributes:
        errors: of the epochs so far; their number is the number of finished epochs.
        steps: this rank's updates so far.
        tensors: of the strategy, the update rule and the objective, by name.
    """

    errors: tuple[float, ...] = ()
    steps: int = 0
    tensors: dict[str, Tensor] = field(default_factory=dict)


class Monitor(Protocol):
    """Watches one rank's task. `checkpoint_due`, `stop_signal` may differ between ranks: the task makes them agree."""

    def on_step(self, step: Step) -> None:
        """An update was made."""
        ...

    def on_epoch(self, report: EpochReport) -> None:
        """An epoch has ended on all ranks."""
        ...

    def meet(self, comm: Communicator) -> None:
        """All ranks of the task have come to the end of an epoch, which `on_epoch` will tell of. Collective."""
        ...

    def judges(self) -> bool:
        """Whether `on_epoch` judges the task's weights; the same on every rank."""
        ...

    def on_throughput(self, each: Sequence[Throughput], staleness: float | None = None) -> None:
        """What each worker did in the epoch that `on_epoch` will tell of, and how stale its gradients were on average.

        Where workers go at their own pace; on the one rank that keeps the books.
        """
        ...

    def on_traffic(self, traffic: dict[str, Any]) -> None:
        """The books of a task whose workers went at their own pace: see `anabranch.server.traffic`."""
        ...

    def checkpoint_due(self) -> bool:
        """Whether this rank wants a checkpoint at the end of this epoch."""
        ...

    def stop_signal(self) -> int:
        """The number of the signal that asked this process to stop, or 0."""
        ...

    def save(self, state: TaskState, comm: Communicator) -> None:
        """Write a checkpoint; called by all ranks of the task together."""
        ...


class Journal(Monitor, Protocol):
    """Watches a run of several tasks, and knows what an earlier, broken-off run had done of them."""

    def is_finished(self, task: str) -> bool:
        """Whether the task of this name was finished before."""
        ...

    def restored(self, task: str) -> TaskState | None:
        """Where the task of this name stopped before, if it did."""
        ...

    def begin(self, task: str, epochs: int, steps: int, done: int) -> None:
        """A task of at most `epochs` epochs of `steps` steps begins, `done` epochs of which were made before."""
        ...

    def end(self) -> None:
        """The task has ended."""
        ...


class Silent:
    """A journal that wants nothing and keeps nothing: for strategies in a user's own training loop."""

    def on_step(self, step: Step) -> None:
        """Ignore it."""

    def on_epoch(self, report: EpochReport) -> None:
        """Ignore it."""

    def meet(self, comm: Communicator) -> None:
        """Exchange nothing."""

    def judges(self) -> bool:
        """Never."""
        return False

    def on_throughput(self, each: Sequence[Throughput], staleness: float | None = None) -> None:
        """Ignore it."""

    def on_traffic(self, traffic: dict[str, Any]) -> None:
        """Ignore it."""

    def checkpoint_due(self) -> bool:
        """Never."""
        return False

    def stop_signal(self) -> int:
        """Never."""
        return 0

    def save(self, state: TaskState, comm: Communicator) -> None:
        """Keep nothing."""

    def is_finished(self, task: str) -> bool:
        """Nothing was."""
        return False

    def restored(self, task: str) -> TaskState | None:
        """Nothing is known."""
        return None

    def begin(self, task: str, epochs: int, steps: int, done: int) -> None:
        """Ignore it."""

    def end(self) -> None:
        """Ignore it."""
