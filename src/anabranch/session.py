"""A run made ready, and carried out in this process: what the commands and a Python program's `fit` share."""

import dataclasses
import threading
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, TypeVar

import torch
from torch import nn

from anabranch.autodtype import decided
from anabranch.build import Build, build_model, outlined, resolve_model, try_alone
from anabranch.comm.simulated import SimulatedWorld
from anabranch.config import Config, updated
from anabranch.data import Dataset, load, smallest_batch
from anabranch.errors import PeerLost, UsageError
from anabranch.launch import useful_threads
from anabranch.models import DBN
from anabranch.objectives import Precision, warm_up
from anabranch.plans import batch_size, finetuning_batch_size, ranks, servers, with_momenta
from anabranch.progress import Display
from anabranch.runfolder import PROGRAM, RunFolder
from anabranch.signals import StopFlag
from anabranch.strategies import Staged, as_it_is
from anabranch.trainer import COMMON, Parts, Trainer, check
from anabranch.wording import counted

MOST_THREADS = 1024  # with thousands the system refuses them, and the process dies without a word
PATIENCE = 2.5  # seconds of getting ready after which a word is due


def with_world(config: Config, started: int) -> Config:
    """`config` with its world decided, and the number of workers that mpirun or srun started, if one did.

    Raises:
        UsageError: the number of workers does not fit the world.
    """
    world, workers = config.parallel.world, config.parallel.workers
    threads = config.parallel.threads
    if workers < 1:
        raise UsageError(f"training needs at least one worker, not {workers}: use --workers 1 or more.")
    if not config.run.checkpoint_seconds >= 0:  # NaN, too
        raise UsageError(f"--checkpoint-seconds must be 0 or more, not {config.run.checkpoint_seconds}.")
    if threads is not None and threads < 1:
        raise UsageError(f"a process needs at least one thread, not {threads}: use --threads 1 or more.")
    if threads is not None and threads > MOST_THREADS:
        raise UsageError(f"{threads} threads are more than any processor runs: use --threads {MOST_THREADS} or fewer.")
    if world == "auto":
        world = "mpi" if started else "single" if ranks(config) == 1 else "simulated"
    if world == "single" and ranks(config) > 1:
        more = f" and {counted(servers(config), 'server')}" if servers(config) else ""
        raise UsageError(f"a single process is one worker, not {workers}{more}: use --world simulated or --world mpi.")
    if world == "mpi" and started:
        workers = _workers(config, started)
    if world != "mpi" and started > 1:
        raise UsageError(f"{started} ranks were started, each of which would run alone: use --world mpi.")
    return dataclasses.replace(config, parallel=dataclasses.replace(config.parallel, world=world, workers=workers))


def _workers(config: Config, started: int) -> int:
    """How many of the ranks that were started work."""
    asked, serving = config.parallel.workers, servers(config)
    if asked != 1 and asked + serving != started:
        more = f" and --server ranks:{serving}" if serving else ""
        raise UsageError(
            f"--workers {asked}{more}, but {started} ranks were started: leave --workers out, or start "
            f"{asked + serving}."
        )
    if started <= serving:
        raise UsageError(
            f"{started} ranks were started, of which {serving} would serve and none work: start {serving + 1} or more."
        )
    return started - serving


def load_data(config: Config) -> Dataset:
    """The data.

    Raises:
        UsageError, DataError: as `anabranch.data.load`.
    """
    options = config.data
    return load(
        options.data,
        seed=config.training.seed,
        test_fraction=options.test_fraction,
        scale=options.scale,
        classes=options.classes,
        validation_fraction=options.validation_fraction,
    )


def fitted(config: Config, dataset: Dataset, cores: int, display: Display, build: Build = build_model) -> Config:
    """`config` with everything that was left open, checked against the data; its threads are in force from now on.

    A dtype that is decided here is shown.

    Raises:
        UsageError, DataError: as `build_model` and `check`.
    """
    config = with_momenta(config)
    model = dataclasses.replace(config.model, model=resolve_model(config.model.model, dataset))
    outline = outlined(build, model, dataset)
    parameters = sum(p.numel() for p in outline.parameters())
    batch = batch_size(config, len(dataset.train))
    threads = config.parallel.threads or useful_threads(parameters, batch, cores)
    torch.set_num_threads(threads)
    dtype = decided(config.training.dtype, display.say)
    config = dataclasses.replace(
        config,
        model=model,
        parallel=dataclasses.replace(config.parallel, threads=threads),
        training=dataclasses.replace(config.training, batch_size=batch, dtype=dtype),
        finetuning=dataclasses.replace(
            config.finetuning, finetune_batch_size=finetuning_batch_size(config, len(dataset.train))
        ),
    )
    check(config, dataset)
    if not isinstance(outline, DBN) and not model.model.startswith("mlp:"):
        _check_smallest(model.model.removeprefix(PROGRAM), outline, dataset, config.parallel.workers, batch)
    make_ready(dtype, display)
    return config


def _check_smallest(name: str, network: nn.Module, dataset: Dataset, workers: int, batch: int) -> None:
    """Refuse batches of one example where a user's own network cannot learn from one."""
    n = len(dataset.train)
    if smallest_batch(n, workers, batch) > 1:
        return
    larger = next((size for size in range(batch + 1, n // workers + 1) if smallest_batch(n, workers, size) > 1), None)
    try_alone(name, network, dataset, f"use --batch-size {larger}" if larger else "use fewer workers, or more data")


def with_dtype(config: Config, dtype: str) -> Config:
    """`config` with what another process, or an earlier one, has decided."""
    return updated(config, {"training": {"dtype": dtype}}, "the run's decisions")


def make_ready(precision: Precision, display: Display) -> None:
    """`warm_up`, with a word to those who wait for it."""
    notice = threading.Timer(PATIENCE, display.say, ["compiling for this processor, once for all runs …"])
    notice.start()
    try:
        warm_up(precision)
    finally:
        notice.cancel()


def train_here(
    config: Config,
    dataset: Dataset,
    folder: RunFolder | None,
    display: Display,
    world: SimulatedWorld | None = None,
    *,
    staged: Staged = as_it_is,
    watched: bool = False,
    parts: Parts = COMMON,
) -> dict[str, Any]:
    """Train in this process, which holds all workers; return the summary.

    Args:
        config: all options, resolved.
        dataset: the data.
        folder: of the run; None: nothing is written.
        display: for its course.
        world: in whose virtual time; by default in none.
        staged: as `Trainer`'s.
        watched: as `Trainer`'s.
        parts: as `Trainer`'s.

    Raises:
        AnabranchError: as `Trainer.run`.
    """
    # Without a folder there is no checkpoint to write first: a signal does what it does in any program.
    listening = StopFlag().listening(announce=True) if folder else nullcontext(StopFlag())
    with folder.held() if folder else nullcontext(), listening as flag:
        trainer = Trainer(
            config,
            dataset,
            folder,
            display,
            flag,
            staged,
            timed=world is not None,
            watched=watched or config.run.test_each_epoch,
            parts=parts,
        )
        try:
            results = (world or SimulatedWorld(ranks(config))).run(trainer.run)
        finally:
            display.close()
    return first_result(results)


R = TypeVar("R")


def first_result(results: Sequence[R | None]) -> R:
    """The result of the first rank that has one.

    Raises:
        PeerLost: none has, for those that would are dead.
    """
    found = next((result for result in results if result is not None), None)
    if found is None:
        raise PeerLost(range(len(results)))
    return found
