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
        keep: whether the state at the end of a task is wanted.
        say: shows each epoch.

    Attributes:
        losses: of the epochs of each task, by its name.
        state: at the end of the last task.
    """

    def __init__(
        self, *, restored: Mapping[str, TaskState] | None = None, keep: bool = False, say: Say | None = None
    ) -> None:
        self.losses: dict[str, list[float]] = {}
        self.state: TaskState | None = None
        self._restored, self._keep, self._say = restored or {}, keep, say
        self._began = time.monotonic()

    def restored(self, task: str) -> TaskState | None:
        """Where this task goes on, if it does."""
        return self._restored.get(task)

    def on_epoch(self, report: EpochReport) -> None:
        """Note it, and show it."""
        self.losses.setdefault(report.task, []).append(report.loss)
        if self._say:
            self._say(report, time.monotonic() - self._began)
        self._began = time.monotonic()

    def save(self, state: TaskState, comm: Communicator) -> None:  # noqa: ARG002 - each worker keeps its own
        """Keep a copy: a strategy may still bring its replicas together after the last epoch."""
        if self._keep:
            self.state = replace(state, tensors={name: tensor.clone() for name, tensor in state.tensors.items()})
