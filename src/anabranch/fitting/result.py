"""What `fit` returns, and how it is put together while a run goes on."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from anabranch.errors import UsageError
from anabranch.strategies import EpochReport, Throughput
from anabranch.types import Step


@dataclass(frozen=True)
class Epoch:
    """One epoch of one task, as all workers have agreed on it.

    Attributes:
        task: "training"; or a layer of a deep belief network, or "fine-tuning".
        number: from 1.
        quantity: what the error is: "loss", "reconstruction error".
        error: what the stopping criterion watches.
        loss: mean training loss over its examples.
        examples: that all workers used.
        learning_rate: in force; None of a strategy without an update rule.
        seconds: of wall-clock time since the task began.
        test_error: a fraction; None where it was not measured.
    """

    task: str
    number: int
    quantity: str
    error: float
    loss: float
    examples: int
    learning_rate: float | None
    seconds: float
    test_error: float | None = None


@dataclass(frozen=True)
class Fit:
    """A trained model, and how it became one. On MPI every rank has the same.

    Attributes:
        model: what was given to `fit`, with the weights that were learnt; or what its name stands for. Of a deep belief
            network that was fine-tuned, the classifier.
        epochs: of all tasks, in order; of this call, where a run was resumed.
        workers: what each rank did: examples, seconds of work and of waiting, on a cluster in virtual time.
        summary: what `anabranch train` writes to summary.json; and "test_loss", where `fit` was given a loss.
        virtual_seconds: of all workers, on a simulated cluster; None elsewhere.
    """

    model: nn.Module
    epochs: tuple[Epoch, ...]
    workers: tuple[Throughput, ...]
    summary: dict[str, Any]
    virtual_seconds: float | None = None

    @property
    def losses(self) -> tuple[float, ...]:
        """Mean training loss of each epoch of the last task."""
        return tuple(epoch.loss for epoch in self._last)

    @property
    def errors(self) -> tuple[float, ...]:
        """What the stopping criterion watched, of each epoch of the last task."""
        return tuple(epoch.error for epoch in self._last)

    @property
    def test_error(self) -> float | None:
        """The fraction of test examples that are classified wrongly; None where there are no classes."""
        found: float | None = self.summary["test_error"]
        return found

    @property
    def test_loss(self) -> float | None:
        """The mean of the loss that was given, over the test examples; None where none was."""
        return self.summary.get("test_loss")

    @property
    def seconds(self) -> float:
        """Wall-clock seconds of training."""
        return float(self.summary["seconds"])

    @property
    def _last(self) -> Sequence[Epoch]:
        return [epoch for epoch in self.epochs if epoch.task == self.epochs[-1].task]


class History:
    """Keeps the epochs and the ranks' accounts of a run: see `anabranch.record.Record`.

    Args:
        on_epoch: told of each epoch, on rank 0.

    Raises:
        UsageError: it cannot be called.
    """

    def __init__(self, on_epoch: Callable[[Epoch], None] | None) -> None:
        if on_epoch is not None and not callable(on_epoch):
            raise UsageError(f"on_epoch is {on_epoch!r}: give a function of an Epoch.")
        self.epochs: list[Epoch] = []
        self.workers: dict[int, Throughput] = {}
        self._on_epoch = on_epoch

    def step(self, task: str, step: Step) -> None:
        """Steps are too many."""

    def epoch(self, report: EpochReport, seconds: float, more: dict[str, float], ranks: Sequence[Throughput]) -> None:
        """Keep it."""
        epoch = Epoch(
            report.task,
            report.epoch + 1,
            report.quantity,
            report.error,
            report.loss,
            report.examples,
            report.learning_rate,
            seconds,
            more.get("test_error"),
        )
        self.epochs.append(epoch)
        for one in ranks:
            self.workers[one.rank] = _sum(self.workers.get(one.rank), one)
        if self._on_epoch:
            self._on_epoch(epoch)

    def traffic(self, task: str, traffic: dict[str, Any]) -> None:
        """It is in the summary."""

    def flush(self) -> None:
        """Nothing waits."""

    def as_json(self) -> dict[str, Any]:
        """For the other ranks."""
        return {
            "epochs": [dataclasses.asdict(epoch) for epoch in self.epochs],
            "workers": [dataclasses.asdict(self.workers[rank]) for rank in sorted(self.workers)],
        }


def fit_of(model: nn.Module, history: dict[str, Any], summary: dict[str, Any], virtual: float | None = None) -> Fit:
    """From what `History.as_json` gave."""
    epochs = tuple(Epoch(**epoch) for epoch in history["epochs"])
    return Fit(model, epochs, tuple(Throughput(**one) for one in history["workers"]), summary, virtual)


def _sum(before: Throughput | None, one: Throughput) -> Throughput:
    if before is None:
        return one
    waiting = None if one.waiting is None else (before.waiting or 0.0) + one.waiting
    return Throughput(one.rank, before.examples + one.examples, before.working + one.working, waiting)
