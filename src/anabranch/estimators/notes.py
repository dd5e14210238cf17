"""What an estimator wants to know of its training: losses, where it stands at its end; and a line an epoch if asked."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from anabranch.comm.base import Communicator
from anabranch.strategies import EpochReport, Silent, TaskState

Say = Callable[[EpochReport, float], None]
"""Show an epoch, and the seconds that it took."""


class Notes(Silent):
    """One worker's.

    Args:
        restored: where tasks go on, by their names.
        keep: whether the states at the ends of tasks are wanted.
        say: shows each epoch.

    Attributes:
        losses: of the epochs of each task, by its name.
        states: at the end of each task, by its name; workers at their own pace leave that to the first one.
    """

    def __init__(
        self, *, restored: Mapping[str, TaskState] | None = None, keep: bool = False, say: Say | None = None
    ) -> None:
        self.losses: dict[str, list[float]] = {}
        self.states: dict[str, TaskState] = {}
        self._restored, self._keep, self._say = restored or {}, keep, say
        self._task, self._began = "", time.monotonic()

    def restored(self, task: str) -> TaskState | None:
        """Where this task goes on, if it does."""
        return self._restored.get(task)

    def begin(self, task: str, epochs: int, steps: int, done: int) -> None:  # noqa: ARG002 - the name alone is wanted
        """What follows is of this task."""
        self._task, self._began = task, time.monotonic()

    def on_epoch(self, report: EpochReport) -> None:
        """Note it, and show it."""
        self.losses.setdefault(report.task, []).append(report.loss)
        if self._say:
            self._say(report, time.monotonic() - self._began)
        self._began = time.monotonic()

    def save(self, state: TaskState, comm: Communicator) -> None:  # noqa: ARG002 - each worker keeps its own
        """Keep a copy: a strategy may still bring its replicas together after the last epoch."""
        if self._keep:
            tensors = {name: tensor.clone() for name, tensor in state.tensors.items()}
            self.states[self._task] = replace(state, tensors=tensors)
