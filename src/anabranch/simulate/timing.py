"""A run in virtual time alone: every task and its communication, without the mathematics.

The strategies are those of a real run, on tensors without memory; so the times are those of a run with the mathematics
(a test holds them equal), at the cost of some microseconds a step.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from anabranch.cluster import Load
from anabranch.comm.simulated import SimulatedCommunicator
from anabranch.config import Config
from anabranch.errors import UsageError
from anabranch.plans import (
    FINE_TUNING,
    batch_size,
    finetuning_batch_size,
    finetuning_plan,
    finetuning_workers,
    pretraining_plan,
    training_plan,
)
from anabranch.pretrain import layer_seed
from anabranch.progress import Display, Silence
from anabranch.simulate.stage import Stage
from anabranch.simulate.uncomputed import Uncomputed
from anabranch.strategies import EpochReport, Shard, Silent, Stopping, Strategy, Task, carry_out
from anabranch.strategies.own_pace.served import survivors
from anabranch.supervise import supervised_seed
from anabranch.types import Batch, Step


@dataclass(frozen=True)
class Lengths:
    """Examples that have a number and nothing else."""

    count: int

    def __len__(self) -> int:
        return self.count

    def take(self, index: Tensor, dtype: torch.dtype) -> Batch:
        """As many examples as `index` [batch] names."""
        return Batch(torch.empty(len(index), 0, dtype=dtype))

    def chunks(self, size: int, dtype: torch.dtype) -> Iterator[Batch]:
        """All of them, at most `size` at a time."""
        return (Batch(torch.empty(min(size, self.count - at), 0, dtype=dtype)) for at in range(0, self.count, size))


class Timekeeper(Silent):
    """Notes what one rank's tasks take in virtual time, and shows their course."""

    def __init__(self, comm: SimulatedCommunicator, display: Display) -> None:
        self.tasks: list[dict[str, Any]] = []
        self._comm, self._display, self._began = comm, display, 0.0

    def begin(self, task: str, epochs: int, steps: int, done: int) -> None:
        """A task begins."""
        self.tasks.append({"task": task, "epochs": 0, "virtual_seconds": 0.0})
        self._began = self._comm.clock()
        self._display.start(task, epochs, steps, done)

    def on_step(self, step: Step) -> None:
        """A step was made."""
        self._display.on_step(step)

    def on_traffic(self, traffic: dict[str, Any]) -> None:
        """A task's books were closed."""
        self.tasks[-1]["traffic"] = traffic

    def on_epoch(self, report: EpochReport) -> None:
        """An epoch has ended."""
        seconds = self._comm.clock() - self._began
        self.tasks[-1] |= {"epochs": report.epoch + 1, "virtual_seconds": seconds}
        self._display.on_epoch(replace(report, error=seconds, quantity="virtual seconds"))


@dataclass(frozen=True)
class TimedTask:
    """A task of a run, as far as its time goes; `seed` maps a rank to the seed of its chance."""

    name: str
    load: Load
    strategy: Strategy
    stopping: Stopping
    batch: int
    workers: int
    seed: Callable[[int], int]


def timed_tasks(config: Config, examples: int, loads: Mapping[str, Load]) -> list[TimedTask]:
    """The tasks of a run in their order, like those that `Trainer` makes.

    Args:
        config: all options, resolved.
        examples: in the training data.
        loads: of all tasks, by their names.

    Raises:
        UsageError: when a task ends depends on what it learns.
    """
    if "convergence" in (config.training.stop, config.finetuning.finetune_stop):
        raise UsageError(
            "timing alone cannot know when training converges: use --stop epochs, or leave --timing-only out."
        )
    return [_timed(config, examples, number, name, load) for number, (name, load) in enumerate(loads.items())]


def _timed(config: Config, examples: int, number: int, name: str, load: Load) -> TimedTask:
    if name == FINE_TUNING:
        plan, batch, workers = (
            finetuning_plan(config),
            finetuning_batch_size(config, examples),
            finetuning_workers(config),
        )
    else:
        plan, batch, workers = training_plan(config), batch_size(config, examples), config.parallel.workers
    seed = partial(supervised_seed, plan.seed)
    if load.kind == "contrastive":
        seed = partial(layer_seed, pretraining_plan(config, batch), number)
    return TimedTask(name, load, plan.strategy, plan.stopping, batch, workers, seed)


@dataclass(frozen=True)
class Timing:
    """A run without the mathematics, as each rank executes it.

    Attributes:
        tasks: in their order.
        examples: in the training data.
        seed: of their order.
        dtype: of the weights.
        stage: what it plays on.
        display: rank 0 shows the course there.
    """

    tasks: list[TimedTask]
    examples: int
    seed: int
    dtype: torch.dtype
    stage: Stage
    display: Display

    def run(self, comm: SimulatedCommunicator) -> list[dict[str, Any]]:
        """Go through all tasks; return each one's name, epochs and virtual seconds."""
        keeper = Timekeeper(comm, self.display if comm.rank == 0 else Silence())
        for timed in self.tasks:
            group: SimulatedCommunicator | None = comm
            if timed.name == FINE_TUNING:
                living = self._living(comm)
                workers = min(timed.workers, living.size - self.stage.servers)
                group = living.split(0 if living.rank < self.stage.servers + workers else None)
            if group is not None:
                self._carry_out(timed, group, keeper)
        self._living(comm).barrier()
        return keeper.tasks

    def _living(self, comm: SimulatedCommunicator) -> SimulatedCommunicator:
        return survivors(comm, self.stage.servers) if self.stage.servers else comm

    def _carry_out(self, timed: TimedTask, comm: SimulatedCommunicator, keeper: Timekeeper) -> None:
        uncomputed = Uncomputed(timed.load.parameters, self.dtype, timed.load.buffers)
        objective = self.stage.staged(uncomputed, timed.name, comm)
        shard = Shard.at(Lengths(self.examples), comm, self.stage.servers, timed.batch, self.seed, self.dtype)
        task = Task(objective, shard, timed.stopping, seed=timed.seed(shard.rank), name=timed.name, monitor=keeper)
        carry_out(timed.strategy, task, comm, keeper)
