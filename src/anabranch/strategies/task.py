"""What a strategy is given: an objective, this rank's batches, and when to end.

Stopping is data, and every decision that ranks must share (the end, a checkpoint, an interruption) is taken in one
place. Ranks in step take it together: `_end_epoch`, after one small allreduce; a rank that left its loop alone would
leave the others waiting. Ranks at their own pace (`passes`) leave it to one of them: see `own_pace/clerk.py`.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from anabranch.comm.base import Communicator
from anabranch.comm.offstage import offstage
from anabranch.errors import DivergedError, Interrupted
from anabranch.objectives.base import Objective
from anabranch.optim import FlatOptimizer, Rule
from anabranch.seeding import derive_seed
from anabranch.strategies.judged import Judged, lent
from anabranch.strategies.monitor import EpochReport, Monitor, Silent, TaskState, Throughput
from anabranch.strategies.shard import Shard
from anabranch.strategies.stopping import Stopping
from anabranch.types import Batch, Step

Measure = Callable[[], tuple[float, int]]
"""This rank's part of the error that the stopping criterion watches: (sum over examples, number of examples)."""


class Task:
    """One rank's part of one training task.

    Args:
        objective: what is trained.
        shard: this rank's examples.
        stopping: the criterion; the same on every rank.
        seed: of this rank's noise.
        name: for messages, such as "layer 1 (784-500)".
        restored: where an earlier run stopped.
        monitor: hears of every step and epoch.
        measure: the error that `stopping` watches; by default the mean loss of the epoch's own batches.
        finish: turns the mean of `measure` into the error (the root of a mean square, say).
        quantity: what the error is called.
    """

    def __init__(
        self,
        objective: Objective,
        shard: Shard,
        stopping: Stopping,
        *,
        seed: int = 0,
        name: str = "training",
        restored: TaskState | None = None,
        monitor: Monitor | None = None,
        measure: Measure | None = None,
        finish: Callable[[float], float] = float,
        quantity: str = "loss",
    ) -> None:
        self.objective, self.shard, self.stopping, self.name = objective, shard, stopping, name
        self._seed, self._monitor = seed, monitor or Silent()
        self._measure, self._finish, self._quantity = measure, finish, quantity
        self._restored = restored or TaskState()
        self.errors: list[float] = list(self._restored.errors)
        self._steps = self._restored.steps
        self._kept: dict[str, Tensor] = {}
        self._optimizers: list[FlatOptimizer] = []
        self._judged: Judged | None = None
        self._own_pace = False
        self._loss_sum, self._examples = 0.0, 0
        for key, tensor in objective.state().items():
            self.keep(f"objective.{key}", tensor)

    @property
    def epoch(self) -> int:
        """Finished epochs, which is the number of the running one, counted from 0."""
        return len(self.errors)

    @property
    def steps(self) -> int:
        """Updates so far, those before an interruption included; ranks in step have made as many at any meeting."""
        return self._steps

    def keep(self, name: str, tensor: Tensor) -> None:
        """Have `tensor` in every checkpoint; in a resumed run it is filled with what was saved, now."""
        self._kept[name] = tensor
        if name in self._restored.tensors:
            tensor.copy_(self._restored.tensors[name])

    def optimizer(self, rule: Rule, weights: Tensor) -> FlatOptimizer:
        """`rule` at work on `weights` [P], with its schedule driven by the epochs and its state in every checkpoint."""
        optimizer = rule.build(weights)
        prefix = f"optimizer.{len(self._optimizers)}."
        saved = self._restored.tensors.items()
        optimizer.restore({name.removeprefix(prefix): t for name, t in saved if name.startswith(prefix)})
        self._optimizers.append(optimizer)
        return optimizer

    def judged_by(self, weights: Judged) -> None:
        """At the end of an epoch `weights` are judged by the monitor, and measured, in place of this rank's own.

        For strategies whose workers differ then. It takes no virtual time.
        """
        self._judged = weights

    def epochs(self, comm: Communicator) -> Iterator[Iterator[Batch]]:
        """The batches of one epoch after another, until all ranks agree to end.

        Raises:
            Interrupted: a signal came on some rank; a checkpoint was written.
        """
        while not self.is_done:
            self.objective.start_epoch(derive_seed(self._seed, self.epoch))
            self.advance(self.epoch)
            self._loss_sum, self._examples = 0.0, 0
            yield self.shard.batches(self.epoch)
            self._end_epoch(comm)

    def step(self, loss: float, batch: Batch) -> Step:
        """Account for one update.

        Raises:
            DivergedError: the loss is not finite.
        """
        return self.tally(loss, len(batch))

    def tally(self, loss: float, examples: int) -> Step:
        """As `step`, of an update with so many examples and their mean loss."""
        if not math.isfinite(loss):
            raise self._diverged(f"the loss became {loss}")
        epoch = min(self.epoch, self.stopping.limit - 1)  # what is under way when the last one ends belongs to it
        step = Step(self._steps, epoch, loss, examples)
        self._steps += 1
        self._loss_sum += loss * examples
        self._examples += examples
        self._monitor.on_step(step)
        return step

    @property
    def is_done(self) -> bool:
        """Whether the stopping criterion is met."""
        return bool(self.errors) and self._enough()

    def at_own_pace(self) -> None:
        """The ranks do not go in step: so epochs may end together, with one error, and are one observation then."""
        self._own_pace = True

    def passes(self) -> Iterator[Batch]:
        """The batches of one pass over this rank's shard after another, without end: for a rank at its own pace."""
        for number in itertools.count(self.epoch):
            self.objective.start_epoch(derive_seed(self._seed, number))
            yield from self.shard.batches(number)

    def advance(self, epoch: int) -> None:
        """Bring the schedules of all optimizers to `epoch`, counted from 0.

        What is under way when the last epoch ends belongs to it, and has its rate.
        """
        for optimizer in self._optimizers:
            optimizer.advance(min(epoch, self.stopping.limit - 1))

    def end_epoch(self, loss: float, examples: int) -> bool:
        """An epoch of `examples` with this mean loss has ended, as the caller alone has found; whether it is the last.

        The error that the stopping criterion watches is the loss.

        Raises:
            DivergedError: the weights are not finite.
        """
        self.check_finite()
        return self._conclude(loss, loss, examples, "loss" if self._measure else self._quantity)

    def check_finite(self) -> None:
        """Refuse to go on with weights that are infinite or NaN.

        Raises:
            DivergedError: they are.
        """
        if not self.objective.is_finite():
            raise self._diverged("the weights became infinite or NaN")

    def signal(self) -> int:
        """The number of the signal that asked this process to stop, or 0."""
        return self._monitor.stop_signal()

    def checkpoint_due(self) -> bool:
        """Whether this rank wants a checkpoint."""
        return self._monitor.checkpoint_due()

    def save(self, comm: Communicator) -> None:
        """Write a checkpoint, together with all ranks of `comm`."""
        self._monitor.save(self._state(), comm)

    def tell(self, each: Sequence[Throughput], staleness: float | None) -> None:
        """Hand on what each worker did in the epoch that ends, and the mean staleness of its gradients."""
        self._monitor.on_throughput(each, staleness)

    def report(self, traffic: dict[str, Any]) -> None:
        """Hand the books of asynchronous work to the monitor."""
        self._monitor.on_traffic(traffic)

    def interrupted(self, signal_number: int) -> Interrupted:
        """The error with which a task ends early; a checkpoint must have been written."""
        return Interrupted(signal_number, f"stopped by a signal in {self.name} after epoch {self.epoch}.")

    def _end_epoch(self, comm: Communicator) -> None:
        self.check_finite()
        with self._to_be_judged(comm):
            error_sum, error_count = self._measure() if self._measure else (self._loss_sum, self._examples)
            sums = torch.tensor([error_sum, error_count, self._loss_sum, self._examples], dtype=torch.float64)
            comm.allreduce(sums, op="sum")
            wishes = torch.tensor([self._monitor.stop_signal(), int(self._monitor.checkpoint_due())])
            comm.allreduce(wishes, op="max")
            self._monitor.meet(comm)
            error = self._finish(float(sums[0] / sums[1]))
            if not math.isfinite(error):
                raise self._diverged(f"the {self._quantity} became {error}")
            last = self._conclude(error, float(sums[2] / sums[3]), int(sums[3]), self._quantity)
        signal_number, checkpoint_due = (int(wish) for wish in wishes)
        if signal_number or checkpoint_due or last:
            self.save(comm)
        if signal_number:
            comm.barrier()  # The first rank that leaves may end the world: all must have saved by then.
            raise self.interrupted(signal_number)

    def _to_be_judged(self, comm: Communicator) -> AbstractContextManager[None]:
        """While it lasts the weights are those that the strategy wants to be judged by, if anybody wants to know."""
        if self._judged is None or not (self._measure or self._monitor.judges()):
            return nullcontext()
        return lent(self.objective.weights, self._judged(offstage(comm)))

    def _conclude(self, error: float, loss: float, examples: int, quantity: str) -> bool:
        self.errors.append(error)
        last = self._enough()
        rate = self._optimizers[0].learning_rate if self._optimizers else None
        self._monitor.on_epoch(
            EpochReport(self.name, self.epoch - 1, error, loss, examples, self._steps, rate, last, quantity)
        )
        return last

    def _enough(self) -> bool:
        errors = [error for error, _ in itertools.groupby(self.errors)] if self._own_pace else self.errors
        return self.epoch >= self.stopping.limit or self.stopping.done(errors)

    def _state(self) -> TaskState:
        tensors = dict(self._kept)
        for number, optimizer in enumerate(self._optimizers):
            tensors |= {f"optimizer.{number}.{name}": tensor for name, tensor in optimizer.state().items()}
        return TaskState(tuple(self.errors), self._steps, tensors)

    def _diverged(self, what: str) -> DivergedError:
        where, kept = f"{what} in {self.name}, epoch {self.epoch + 1}", "checkpoints from before are kept."
        if not self._optimizers:
            return DivergedError(f"{where}: {DivergedError.remedy}, or look for extreme values in the data; {kept}")
        rate = self._optimizers[0].learning_rate
        return DivergedError(f"{where}, at learning rate {rate:g}: {DivergedError.remedy} (try {rate / 10:g}); {kept}")
