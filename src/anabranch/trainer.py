"""A run from data to results, as each rank executes it: pretraining, fine-tuning, evaluation, files."""

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from anabranch.build import build_model, with_classes
from anabranch.comm.base import Communicator
from anabranch.config import Config
from anabranch.data import Dataset, check_sharding, check_unit_interval
from anabranch.errors import UsageError
from anabranch.evaluate import CHUNK, classification_error
from anabranch.gallery import write_gallery
from anabranch.journal import RunJournal
from anabranch.judgement import Judgement, judge
from anabranch.models import DBN, mlp
from anabranch.objectives import check_penalty
from anabranch.objectives.base import pattern_dtype, weight_dtype
from anabranch.plans import (
    FINE_TUNING,
    TRAINING,
    batch_size,
    finetuning_batch_size,
    finetuning_plan,
    finetuning_workers,
    pretraining_plan,
    servers,
    training_plan,
)
from anabranch.pretrain import pretrain
from anabranch.progress import Display
from anabranch.runfolder import RunFolder
from anabranch.signals import StopFlag
from anabranch.speed import with_speeds, works
from anabranch.strategies import Shard, Staged, as_it_is
from anabranch.strategies.catalogue import find
from anabranch.strategies.own_pace.served import survivors
from anabranch.summary import crew, write_results
from anabranch.supervise import Supervision, supervise


@dataclass
class Trainer:
    """One rank's part of a run. Its model must be resolved (`build.resolve_model`), its dtype decided (`autodtype`).

    Attributes:
        config: all options.
        dataset: the data; every rank has them all, and trains on its shard.
        folder: of the run; it exists.
        display: rank 0 shows the course there.
        flag: raised by signals.
        staged: what the world makes of a task's objective.
        timed: the communicator's clock tells virtual time, which goes into the record.
        watched: after each epoch with labels rank 0 records the test error, too.
    """

    config: Config
    dataset: Dataset
    folder: RunFolder
    display: Display
    flag: StopFlag
    staged: Staged = as_it_is
    timed: bool = False
    watched: bool = False

    def run(self, comm: Communicator) -> dict[str, Any] | None:
        """Train, evaluate, and write the results; the summary at rank 0, None elsewhere.

        Raises:
            DivergedError: a loss or weights are no longer finite.
            Interrupted: a signal came; a checkpoint was written.
            StorageError: a file cannot be written.
        """
        began = time.monotonic()
        config, dtype = self.config, weight_dtype(self.config.training.precision)
        model = build_model(config.model, self.dataset, config.training.seed, dtype)
        journal = RunJournal(
            self.folder,
            comm.rank,
            partial(named_tensors, model),
            display=self.display,
            flag=self.flag,
            checkpoint_seconds=config.run.checkpoint_seconds,
            clock=comm.clock if self.timed else None,
        )
        if comm.rank == 0:
            staff = crew(config.parallel.workers, servers(config), config.parallel.world, torch.get_num_threads())
            self.display.say(f"{staff}, {config.training.dtype}")
        if journal.model:
            model.load_state_dict(journal.model)
        try:
            network = self._train(model, comm, journal)
        finally:
            journal.close()  # the record shows what led to a failure, too
        summary = None
        if comm.rank == 0:
            judgement = self._judgement(network) if network and self.dataset.classes else None
            write_gallery(self.folder.path, self.dataset, model, judgement, dtype, config.training.seed)
            error = judgement.error if judgement else None
            searches = find(config.parallel.strategy).searches
            work = {} if searches else works(config, model, network, len(self.dataset.train))
            tasks = with_speeds(journal.finished, work, config.training.precision)
            summary = write_results(self.folder, config, model, network, tasks, error, time.monotonic() - began)
        self._living(comm).barrier()
        return summary

    def _living(self, comm: Communicator) -> Communicator:
        """Those of `comm` that live, where the others go on without the dead; else all."""
        serving = servers(self.config)
        return survivors(comm, serving) if serving else comm

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
        if self.watched and comm.rank == 0:
            journal.test_error = partial(self._test_error, network)
        supervise(network, self._shard(comm, batch), plan, comm, journal, name, self.staged)

    def _judgement(self, network: nn.Module) -> Judgement:
        batches = self.dataset.test.chunks(CHUNK, weight_dtype(self.config.training.precision))
        return judge(network, batches, self.dataset.classes, self.config.model.outputs)

    def _test_error(self, network: nn.Module) -> float:
        return classification_error(
            network, self.dataset.test.chunks(CHUNK, weight_dtype(self.config.training.precision))
        )

    def _shard(self, comm: Communicator, batch_size: int) -> Shard:
        options, serving = self.config.training, servers(self.config)
        dtype = weight_dtype(options.precision)
        return Shard.at(self.dataset.train, comm, serving, batch_size, options.seed, dtype)


def check(config: Config, dataset: Dataset) -> None:
    """Find what is wrong with a run's options before it starts.

    Raises:
        UsageError: an option is out of its range, does not fit the data, or two do not go together.
        DataError: the data do not suit the model's units.
    """
    t, f = config.training, config.finetuning
    examples = len(dataset.train)
    batch = batch_size(config, examples)
    check_sharding(examples, config.parallel.workers, batch)
    training_plan(config)
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
        mlp([1, 1], dropout=f.finetune_dropout)  # refuses what is no probability, hours before it is needed


def named_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers, by name."""
    return dict(model.state_dict())
