"""`anabranch train`: one run, in one process, in a simulated world, or on MPI."""

import dataclasses
import shlex
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

import torch

from anabranch.autodtype import decided
from anabranch.build import build_model, resolve_model
from anabranch.checkpoint import numbered
from anabranch.cli.options import Arguments, as_config, parse
from anabranch.cli.pages import write_page
from anabranch.cli.serving import with_server
from anabranch.comm.base import Communicator
from anabranch.comm.simulated import SimulatedWorld
from anabranch.comm.text import share_text
from anabranch.config import Config, updated
from anabranch.data import Dataset, load
from anabranch.environment import environment
from anabranch.errors import AnabranchError, Interrupted, PeerLost, UsageError
from anabranch.files import write_json
from anabranch.launch import cores, report_success, run_mpirun, started_ranks, tell_folder, useful_threads
from anabranch.objectives import Precision, warm_up
from anabranch.plans import batch_size, finetuning_batch_size, ranks, servers, with_momenta
from anabranch.progress import Display, Silence, make_display
from anabranch.runfolder import RunFolder, default_path, resumed_config, saved_config
from anabranch.signals import StopFlag
from anabranch.strategies import Staged, as_it_is
from anabranch.strategies.own_pace.served import survivors
from anabranch.summary import sentences
from anabranch.trainer import Trainer, check
from anabranch.wording import counted

DESCRIPTION = """\
Train a model and evaluate it. Examples:

  anabranch train                                              8x8 digits, a small DBN
  anabranch train --data mnist --preset degrazia               the paper's experiment
  anabranch train --workers 8 --strategy averaging --every 16  eight simulated workers
  anabranch train --workers 2 --world mpi                      two processes (starts mpirun itself)
  mpirun -n 4 anabranch train --strategy allreduce             joins the ranks that mpirun or srun started
  anabranch train --resume runs/digits-dbn-…                   go on with a run that was stopped or killed
"""

PATIENCE = 2.5  # seconds of getting ready after which a word is due


def main(arguments: Sequence[str]) -> int:
    """Run the command; return the exit code.

    Raises:
        AnabranchError: every foreseen failure.
    """
    options = parse(arguments, "anabranch train", DESCRIPTION, Arguments)
    config = as_config(options)
    if options.resume is not None:
        folder = RunFolder(Path(options.resume))
        config = resumed_config(folder, saved_config(folder), config)
    config = with_world(config, started_ranks())
    if config.parallel.world == "mpi" and not started_ranks():
        words = ["train", *arguments, "--world", "mpi"]
        return run_mpirun(ranks(config), words, surviving=servers(config) > 0)
    return _run(config, resume=options.resume is not None)


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


def _run(config: Config, *, resume: bool) -> int:
    if config.parallel.world == "mpi":
        from anabranch.comm import mpi_world  # starts MPI: only where it is wanted

        comm, own_cores = mpi_world.join(ranks(config)), mpi_world.own_cores()
        return run_rank(config, comm, own_cores, resume=resume)
    display = make_display()
    config, dataset, folder = prepare(config, display, cores=cores(), resume=resume)
    if resume and (finished := folder.finished_summary()):
        return _report(folder, finished, display)
    with saying_how_to_go_on(folder):
        return _report(folder, train_here(config, dataset, folder, display), display)


@contextmanager
def saying_how_to_go_on(folder: RunFolder) -> Iterator[None]:
    """Add the command that resumes the run to the message of an interruption, or of a rank's death."""
    try:
        yield
    except PeerLost as lost:
        saved = numbered(folder.checkpoints)
        last = f"the last checkpoint is {saved[-1]}" if saved else "there is no checkpoint yet, so that it begins anew"
        raise AnabranchError(
            f"rank {', '.join(map(str, sorted(lost.ranks)))} is lost, without which the others cannot go on: start "
            f"again with  anabranch train --resume {shlex.quote(str(folder.path))}  ({last})."
        ) from lost
    except Interrupted as error:
        where = str(error).rstrip(".")
        raise Interrupted(
            error.exit_code - 128, f"{where}: go on with  anabranch train --resume {shlex.quote(str(folder.path))}"
        ) from error


def prepare(config: Config, display: Display, *, cores: int, resume: bool) -> tuple[Config, Dataset, RunFolder]:
    """Load the data, resolve and check all options, share out the threads, and make the run's folder.

    Raises:
        UsageError, DataError, StorageError: as the parts do.
    """
    config, dataset = resolve(config, cores, display)
    folder = RunFolder(Path(config.run.out or default_path(config)))
    if not resume:
        folder.create(config)
        write_json(folder.environment, environment())
    return config, dataset, folder


def resolve(config: Config, cores: int, display: Display) -> tuple[Config, Dataset]:
    """The data, and `config` as `fitted` to them."""
    dataset = load_data(config)
    return fitted(config, dataset, cores, display), dataset


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


def fitted(config: Config, dataset: Dataset, cores: int, display: Display) -> Config:
    """`config` with everything that was left open, checked against the data; its threads are in force from now on.

    A dtype that is decided here is shown.

    Raises:
        UsageError, DataError: as `build_model` and `check`.
    """
    config = with_momenta(config)
    model = dataclasses.replace(config.model, model=resolve_model(config.model.model, dataset))
    parameters = sum(p.numel() for p in build_model(model, dataset, 0, torch.float32).parameters())
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
    make_ready(dtype, display)
    return config


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
    folder: RunFolder,
    display: Display,
    world: SimulatedWorld | None = None,
    *,
    staged: Staged = as_it_is,
    watched: bool = False,
) -> dict[str, Any]:
    """Train in this process, which holds all workers; return the summary.

    Args:
        config: all options, resolved.
        dataset: the data.
        folder: of the run.
        display: for its course.
        world: in whose virtual time; by default in none.
        staged: as `Trainer`'s.
        watched: as `Trainer`'s.

    Raises:
        AnabranchError: as `Trainer.run`.
    """
    with folder.held(), StopFlag().listening(announce=True) as flag:
        trainer = Trainer(
            config,
            dataset,
            folder,
            display,
            flag,
            staged,
            timed=world is not None,
            watched=watched or config.run.test_each_epoch,
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


def run_rank(config: Config, comm: Communicator, own_cores: int, *, resume: bool) -> int:
    """Train as one rank of many; return the exit code.

    Raises:
        AnabranchError: as `Trainer.run`.
    """
    display: Display = make_display() if comm.rank == 0 else Silence()
    config = with_server(config, comm, display)
    if config.training.dtype != "auto":
        make_ready(config.training.dtype, display)  # while the first rank loads the data
    path = ""
    if comm.rank == 0:  # The first alone: it may have to download the data, decides the dtype, and makes the folder.
        config, dataset, folder = prepare(config, display, cores=own_cores, resume=resume)
        path = str(folder.path)
        tell_folder(folder.path)
    folder = RunFolder(Path(share_text(comm, path)))
    config = with_dtype(config, share_text(comm, config.training.dtype))
    if comm.rank != 0:
        config, dataset = resolve(config, own_cores, display)
    if resume and (finished := folder.finished_summary()):
        return _report(folder, finished, display) if comm.rank == 0 else 0
    comm.barrier()  # the clock of rank 0 must not run while the others load the data
    leads = comm.rank == 0
    held = folder.held() if leads else nullcontext()
    try:
        with held, StopFlag().listening(announce=leads) as flag, saying_how_to_go_on(folder):
            try:
                summary = Trainer(config, dataset, folder, display, flag).run(comm)
            finally:
                display.close()
    except Interrupted as error:
        error.agreed = not comm.failed()  # with dead ranks nobody can end by itself: MPI would wait for them
        raise
    code = _report(folder, summary, display) if summary is not None else 0
    if servers(config):
        _outlive_the_dead(comm, servers(config))
    return code


def _outlive_the_dead(comm: Communicator, serving: int) -> None:
    """End well although a worker has died: mpirun would say otherwise, and MPI's own end would wait for the dead."""
    from anabranch.comm import mpi_world

    alive = survivors(comm, serving)
    if comm.rank == 0:
        report_success()
    alive.barrier()  # what the first that leaves does to the others is mpirun's affair
    if comm.failed():
        mpi_world.leave()


def _report(folder: RunFolder, summary: dict[str, Any], display: Display) -> int:
    for line in sentences(summary, folder):
        display.say(line)
    write_page(folder.path, display.say)
    return 0
