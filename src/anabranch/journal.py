"""One rank's books of a run: its tasks are shown, recorded and checkpointed here, and resumed from here."""

import time
from collections.abc import Callable, Sequence
from typing import Any, cast

from torch import Tensor

from anabranch.checkpoint import Checkpoints, Progress, load_newest
from anabranch.comm.base import Communicator, Json, Spent
from anabranch.comm.offstage import offstage
from anabranch.comm.simulated import SimulatedCommunicator
from anabranch.errors import CheckpointError
from anabranch.progress import Display, Silence
from anabranch.record import Extent, Record, Recorder
from anabranch.runfolder import RunFolder
from anabranch.signals import StopFlag
from anabranch.strategies import EpochReport, TaskState, Throughput
from anabranch.types import Step


class RunJournal:
    """Keeps the books of one rank, in the run's folder.

    Args:
        folder: of the run; None: nothing is recorded or saved there.
        rank: rank 0 records, shows, and says when a checkpoint is due; the others write their part of each checkpoint.
        model: gives the whole model's tensors, for checkpoints.
        display: where rank 0 shows the course.
        flag: raised by signals.
        checkpoint_seconds: least time between two checkpoints.
        clock: the virtual clock, if the world has one that counts, in seconds.
        spent: what this rank's time has gone to, if all ranks are to tell that of every epoch.
        verbose: whether the display shows it.

    Attributes:
        finished: summaries of the finished tasks: task, epochs, quantity, error, examples, seconds.
        earlier_seconds: of training by the processes before this one, where the run goes on.
        test_error: called on rank 0 after each epoch, if it is set, and recorded with it; set on all ranks or on none.
        pausing: part of the training that stands still meanwhile, which is the part of that time that does not count.
        records: what rank 0 tells the course of the run to.

    Raises:
        CheckpointError: the newest checkpoint in the folder is damaged, or of another model.
    """

    def __init__(
        self,
        folder: RunFolder | None,
        rank: int,
        model: Callable[[], dict[str, Tensor]],
        *,
        display: Display,
        flag: StopFlag,
        checkpoint_seconds: float,
        clock: Callable[[], float] | None = None,
        spent: Callable[[], Spent] | None = None,
        verbose: bool = False,
    ) -> None:
        self._leads, self._flag, self._model = rank == 0, flag, model
        self._display: Display = display if self._leads else Silence()
        self._checkpoint_seconds = checkpoint_seconds
        self._found = load_newest(folder.checkpoints, rank) if folder else None
        number = self._found.number if self._found else 0
        self._checkpoints = Checkpoints(folder.checkpoints, number) if folder else None
        found = self._found.progress if self._found else None
        if self._found and folder:
            _check_fits(self._found.model, model(), folder)
        kept = Extent(found.recorded_bytes, found.recorded_sha256) if found else None
        self._recorder = Recorder(folder.steps, kept) if self._leads and folder else None
        self.records: list[Record] = [self._recorder] if self._recorder else []
        self.finished: list[dict[str, Any]] = list(found.finished) if found else []
        self.test_error: Callable[[], float] | None = None
        self.pausing = 1.0
        self._clock, self._spent, self._verbose = clock, spent, verbose
        self._mark, self._used, self._ranks = Spent(0.0, None), 0, list[Throughput]()
        self._staleness: float | None = None
        self._running: dict[str, Any] = dict(found.running) if found else {}
        self.earlier_seconds: float = sum(task["seconds"] for task in (*self.finished, self._running) if task)
        self._began = self._saved_at = time.monotonic()

    @property
    def model(self) -> dict[str, Tensor]:
        """The whole model's tensors from the checkpoint; empty in a new run."""
        return self._found.model if self._found else {}

    def is_finished(self, task: str) -> bool:
        """Whether the task of this name was finished before."""
        return any(summary["task"] == task for summary in self.finished)

    def restored(self, task: str) -> TaskState | None:
        """Where the task of this name stopped before, if it did."""
        return self._found.state if self._found and self._running.get("task") == task else None

    def begin(self, task: str, epochs: int, steps: int, done: int) -> None:
        """Start a summary and a bar."""
        if self._running.get("task") != task:
            self._running = {"task": task, "epochs": 0, "quantity": "", "error": None, "examples": 0, "seconds": 0.0}
            if self._clock:
                self._running |= {"virtual_began": self._clock(), "virtual_seconds": 0.0}
        self._began = time.monotonic() - self._running["seconds"]
        self._set_mark()
        self._display.start(task, epochs, steps, done)

    def on_step(self, step: Step) -> None:
        """Record it, and move the bar."""
        self._used += step.examples
        for record in self.records:
            record.step(self._running["task"], step)
        self._display.on_step(step)

    def meet(self, comm: Communicator) -> None:
        """Have all ranks tell what they did since the last time, if they are to."""
        if not self._spent:
            return
        now, before = self._spent(), self._mark
        waiting = None if now.waiting is None else now.waiting - (before.waiting or 0.0)
        own: Json = [self._used, now.working - before.working, waiting]
        told = cast(list[tuple[int, float, float | None]] | None, offstage(comm).gather(own))
        self._set_mark()
        if told is not None:
            self.on_throughput([Throughput(rank, *each) for rank, each in enumerate(told)])

    def on_throughput(self, each: Sequence[Throughput], staleness: float | None = None) -> None:
        """Keep it for the epoch that it belongs to, if anybody asked."""
        if self._spent:
            self._ranks, self._staleness = list(each), staleness

    def _set_mark(self) -> None:
        self._mark, self._used = self._spent() if self._spent else Spent(0.0, None), 0

    def on_epoch(self, report: EpochReport) -> None:
        """Record it, and bring the figures up to date."""
        self._running["epochs"] = report.epoch + 1
        self._running["quantity"], self._running["error"] = report.quantity, report.error
        self._running["examples"] += report.examples
        self._running["seconds"] = time.monotonic() - self._began
        more: dict[str, float] = {}
        if self._clock:
            self._running["virtual_seconds"] = self._clock() - self._running["virtual_began"]
            more["virtual_clock"] = self._clock()
        if self._staleness is not None:
            more["staleness"] = round(self._staleness, 6)
        if self._leads:
            if self.test_error:
                began = time.monotonic()
                more["test_error"] = self.test_error()
                self._began += self.pausing * (time.monotonic() - began)
            for record in self.records:
                record.epoch(report, self._running["seconds"], more, self._ranks)
            if self._verbose:
                self._display.on_ranks(self._ranks)
            self._display.on_epoch(report)
        self._ranks, self._staleness = [], None

    def on_traffic(self, traffic: dict[str, Any]) -> None:
        """Record it, and put it into the task's summary.

        A task that had ended when this process began has nothing new to tell: its books were closed then.
        """
        if "traffic" in self._running and not traffic["examples"]["computed"]:
            return
        self._running["traffic"] = traffic
        for record in self.records:
            record.traffic(self._running["task"], traffic)

    def judges(self) -> bool:
        """Where the test error is wanted after each epoch."""
        return self.test_error is not None

    def checkpoint_due(self) -> bool:
        """After `checkpoint_seconds`, by the clock of rank 0."""
        return (
            self._leads
            and self._checkpoints is not None
            and time.monotonic() - self._saved_at >= self._checkpoint_seconds
        )

    def stop_signal(self) -> int:
        """The signal that this process has had, or 0."""
        return self._flag.signal_number

    def save(self, state: TaskState, comm: Communicator) -> None:
        """Write a checkpoint with all ranks of `comm`, if there is a folder for it."""
        if self._checkpoints is None:
            return
        world = None
        if isinstance(comm, SimulatedCommunicator):
            world = [list(account) for account in comm.accounts()] if self._clock else None
        recorded = self._recorder.flush() if self._recorder else Extent(0, "")
        progress = Progress(
            self._running, list(state.errors), state.steps, self.finished, recorded.length, recorded.sha256, world
        )
        self._checkpoints.save(progress, self._model(), state, offstage(comm))
        self._saved_at = time.monotonic()

    def end(self) -> None:
        """Close the running task's summary."""
        self.finished.append(self._running)
        self._running = {}

    def close(self) -> None:
        """Bring the records to the disk."""
        for record in self.records:
            record.flush()


def _check_fits(found: dict[str, Tensor], model: dict[str, Tensor], folder: RunFolder) -> None:
    then, now = ({name: (t.shape, t.dtype) for name, t in tensors.items()} for tensors in (found, model))
    differing = sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))
    if differing:
        raise CheckpointError(
            f"the checkpoints in {folder.path} are of another model ({differing[0]} differs): "
            "put the model's code back as it was, or start the run anew."
        )
