"""A run from data to results, as each rank executes it: pretraining, fine-tuning, evaluation, files."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from anabranch.build import Build, build_model, with_classes
from anabranch.comm.base import Communicator, Timed
from anabranch.comm.offstage import offstage
from anabranch.comm.simulated import SimulatedCommunicator
from anabranch.config import Config
from anabranch.data import Dataset, check_sharding, check_unit_interval
from anabranch.errors import DivergedError, UsageError
from anabranch.evaluate import CHUNK, classification_error, mean_loss
from anabranch.eventfiles import EventFiles, check_tensorboard
from anabranch.gallery import write_gallery
from anabranch.heeded import check_heeded
from anabranch.journal import RunJournal
from anabranch.judgement import Judgement, judge
from anabranch.models import DBN, mlp
from anabranch.objectives import Loss, check_penalty
from anabranch.objectives.base import pattern_dtype, weight_dtype
from anabranch.plans import (
    FINE_TUNING,
    TRAINING,
    batch_size,
    check_momentum,
    finetuning_batch_size,
    finetuning_plan,
    finetuning_workers,
    pretraining_plan,
    servers,
    training_plan,
)
from anabranch.pretrain import pretrain
from anabranch.progress import Display
from anabranch.record import Record
from anabranch.runfolder import RunFolder
from anabranch.samedata import check_same_data
from anabranch.signals import StopFlag
from anabranch.speed import with_speeds, works
from anabranch.strategies import Hosting, Shard, Staged, Strategy, as_it_is
from anabranch.strategies.catalogue import find
from anabranch.strategies.own_pace.served import survivors
from anabranch.summary import crew, write_results
from anabranch.supervise import Supervision, supervise


def _nothing(_comm: Communicator, _model: nn.Module, _network: nn.Module | None, _summary: object) -> None:
    """The end of a run that was asked for by options alone."""


@dataclass(frozen=True)
class Parts:
    """What a Python program gives as objects in place of options.

    Attributes:
        build: makes each rank's model.
        loss: of a network, in place of its cross-entropy.
        classifies: whether a network's largest output is the class.
        records: what rank 0 tells the course of the run to.
        finished: called on every rank at the end, with all that live, its model, what classifies in the end
            (if anything does), and at rank 0 the summary.
    """

    build: Build = build_model
    loss: Loss | None = None
    classifies: bool = True
    records: Sequence[Record] = ()
    finished: Callable[[Communicator, nn.Module, nn.Module | None, dict[str, Any] | None], None] = _nothing


COMMON = Parts()


@dataclass
class Trainer:
    """One rank's part of a run. Its model must be resolved (`build.resolve_model`), its dtype decided (`autodtype`).

    Attributes:
        config: all options.
        dataset: the data; every rank has them all, and trains on its shard.
        folder: of the run; it exists. None: nothing is written.
        display: rank 0 shows the course there.
        flag: raised by signals.
        staged: what the world makes of a task's objective.
        timed: the communicator's clock tells virtual time, which goes into the record.
        watched: after each epoch with labels rank 0 records the test error, too; the same on every rank.
        parts: what a program gives in place of options.
    """

    config: Config
    dataset: Dataset
    folder: RunFolder | None
    display: Display
    flag: StopFlag
    staged: Staged = as_it_is
    timed: bool = False
    watched: bool = False
    parts: Parts = COMMON

    def run(self, comm: Communicator) -> dict[str, Any] | None:
        """Train, evaluate, and write the results; the summary at rank 0, None elsewhere.

        Raises:
            DataError: the data are not those of the other ranks, or not those with which the run began.
            DivergedError: a loss or weights are no longer finite.
            Interrupted: a signal came; a checkpoint was written.
            StorageError: a file cannot be written.
        """
        check_same_data(self.dataset, comm, self.folder)
        began = time.monotonic()
        config, dtype = self.config, weight_dtype(self.config.training.precision)
        model = self.parts.build(config.model, self.dataset, config.training.seed, dtype)
        journal = RunJournal(
            self.folder,
            comm.rank,
            partial(named_tensors, model),
            display=self.display,
            flag=self.flag,
            checkpoint_seconds=config.run.checkpoint_seconds,
            clock=comm.clock if self.timed else None,
            spent=comm.spent if isinstance(comm, Timed) and self._tells_time else None,
            verbose=config.run.verbose,
        )
        if comm.rank == 0:
            journal.records += self._records()
        if comm.rank == 0:
            staff = crew(config.parallel.workers, servers(config), config.parallel.world, torch.get_num_threads())
            self.display.say(f"{staff}, {config.training.dtype}")
        if journal.model:
            model.load_state_dict(journal.model)
        try:
            network = self._train(model, comm, journal)
            self._share_buffers(network, comm)
        finally:
            journal.close()  # the record shows what led to a failure, too
        summary = None
        if comm.rank == 0:
            judgement = self._judgement(network) if network and self._classifies else None
            lost = self._test_loss(network) if network else {}
            _check_finite([*lost.values(), judgement.loss if judgement else 0.0])
            if self.folder:
                write_gallery(self.folder.path, self.dataset, model, judgement, dtype, config.training.seed)
            error = judgement.error if judgement else None
            counted = find(config.parallel.strategy).counted
            work = works(config, model, network, len(self.dataset.train)) if counted else {}
            tasks = with_speeds(journal.finished, work, config.training.precision)
            seconds = time.monotonic() - began
            earlier = journal.earlier_seconds
            summary = write_results(self.folder, config, model, network, tasks, error, seconds, earlier) | lost
        living = self._living(comm)
        living.barrier()
        self.parts.finished(living, model, network, summary)
        return summary

    @property
    def _classifies(self) -> bool:
        return self.dataset.classes > 0 and self.parts.classifies

    @property
    def _tells_time(self) -> bool:
        return self.config.run.verbose or self.config.run.tensorboard or bool(self.parts.records)

    def _records(self) -> list[Record]:
        """What rank 0 tells the course to, beside the record itself."""
        drawn = self.config.run.tensorboard and self.folder
        return [*self.parts.records, *([EventFiles(drawn.events, drawn.steps)] if drawn else [])]

    def _living(self, comm: Communicator) -> Communicator:
        """Those of `comm` that live, where the others go on without the dead; else all."""
        serving = servers(self.config)
        return survivors(comm, serving) if serving else comm

    def _share_buffers(self, network: nn.Module | None, comm: Communicator) -> None:
        """Give everybody the buffers (running statistics) of the first worker: those of a server saw no examples."""
        buffers = [] if network is None else list(network.buffers())
        if buffers:
            living = self._living(offstage(comm))  # not a part of the algorithm: it takes no virtual time
            for buffer in buffers:
                content = buffer.detach().contiguous()  # a mask may be a transposed view
                living.broadcast(content.view(-1).view(torch.uint8), root=servers(self.config))
                buffer.copy_(content)

    def _train(self, model: nn.Module, comm: Communicator, journal: RunJournal) -> nn.Module | None:
        """Train `model`; return what classifies in the end, or None for an unsupervised run."""
        options, batch = self.config.training, batch_size(self.config, len(self.dataset.train))
        if not isinstance(model, DBN):
            self._supervise(TRAINING, model, batch, training_plan(self.config), comm, journal)
            return model
        plan = pretraining_plan(self.config, batch)
        patterns = replace(self._shard(comm, batch), dtype=pattern_dtype(options.precision))
        pretrain(model, patterns, plan, comm, journal, self.staged)
        return self._fine_tune(model, comm, journal)

    def _fine_tune(self, dbn: DBN, comm: Communicator, journal: RunJournal) -> nn.Module | None:
        options = self.config.finetuning
        if not (self.dataset.classes and options.finetune_epochs):
            return None
        network = with_classes(dbn, self.dataset.classes, options.finetune_dropout, self.config.training.seed)
        comm, serving = self._living(comm), servers(self.config)
        workers = min(finetuning_workers(self.config), comm.size - serving)
        group = comm.split(0 if comm.rank < serving + workers else None)
        if group is not None:
            batch = finetuning_batch_size(self.config, len(self.dataset.train))
            self._supervise(FINE_TUNING, network, batch, finetuning_plan(self.config), group, journal)
        return network

    def _supervise(
        self, name: str, network: nn.Module, batch: int, plan: Supervision, comm: Communicator, journal: RunJournal
    ) -> None:
        """Back-propagation, with the test error after each epoch where that is asked for."""
        if self.watched and self._classifies:
            journal.test_error = partial(self._test_error, network)
            journal.pausing = _pausing(plan.strategy, comm)
        plan = replace(plan, loss=self.parts.loss)
        supervise(network, self._shard(comm, batch), plan, comm, journal, name, self.staged)

    def _judgement(self, network: nn.Module) -> Judgement:
        batches = self.dataset.test.chunks(CHUNK, weight_dtype(self.config.training.precision))
        return judge(network, batches, self.config.model.outputs)

    def _test_error(self, network: nn.Module) -> float:
        return classification_error(
            network, self.dataset.test.chunks(CHUNK, weight_dtype(self.config.training.precision))
        )

    def _test_loss(self, network: nn.Module) -> dict[str, float]:
        """Where a program gives a loss of its own."""
        if self.parts.loss is None:
            return {}
        batches = self.dataset.test.chunks(CHUNK, weight_dtype(self.config.training.precision))
        return {"test_loss": mean_loss(network, self.parts.loss, batches)}

    def _shard(self, comm: Communicator, batch_size: int) -> Shard:
        options, serving = self.config.training, servers(self.config)
        dtype = weight_dtype(options.precision)
        return Shard.at(self.dataset.train, comm, serving, batch_size, options.seed, dtype)


def _pausing(strategy: Strategy, comm: Communicator) -> float:
    """The part of all training that stands still while the first rank measures the test error.

    In step all wait for it, and on servers all wait for the first of these; but where every rank works at its own pace,
    the others go on.
    """
    hosting = getattr(strategy, "hosting", None)
    goes_on = isinstance(hosting, Hosting) and hosting.kind != "ranks" and not isinstance(comm, SimulatedCommunicator)
    return 1 / comm.size if goes_on else 1.0


def _check_finite(losses: Sequence[float | None]) -> None:
    """Weights may be finite whose outputs are not.

    Raises:
        DivergedError: a loss on the test part is not.
    """
    for loss in losses:
        if loss is not None and not math.isfinite(loss):
            raise DivergedError(f"the loss on the test part is {loss} after training: {DivergedError.remedy}.")


def check(config: Config, dataset: Dataset) -> None:
    """Find what is wrong with a run's options before it starts.

    Raises:
        UsageError: an option is out of its range, does not fit the data, or two do not go together.
        DataError: the data do not suit the model's units.
    """
    t, f = config.training, config.finetuning
    examples = len(dataset.train)
    batch = batch_size(config, examples)
    if config.run.tensorboard:
        check_tensorboard()
    check_sharding(examples, config.parallel.workers, batch)
    training_plan(config)
    for momentum in (t.momentum, t.early_momentum):
        check_momentum(momentum, t.optimizer)
    check_heeded(config)
    if not config.model.model.startswith("dbn:"):
        check_penalty(t.penalty)
        return
    if t.penalty:
        raise UsageError(f"--penalty {t.penalty} is for an mlp or a module: an RBM has --weight-cost.")
    pretraining_plan(config, batch)
    if config.model.units == "bernoulli":
        check_unit_interval(dataset.train, dataset.name)
    if f.finetune_epochs and dataset.classes:
        check_sharding(examples, finetuning_workers(config), finetuning_batch_size(config, examples))
        finetuning_plan(config)
        check_momentum(f.finetune_momentum, f.finetune_optimizer)
        mlp([1, 1], dropout=f.finetune_dropout)  # refuses what is no probability, hours before it is needed


def named_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers, by name."""
    return dict(model.state_dict())
