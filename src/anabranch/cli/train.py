"""`anabranch train`: one run, in one process, in a simulated world, or on MPI."""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from anabranch.checkpoint import numbered
from anabranch.cli.options import Arguments, as_config, parse
from anabranch.cli.pages import write_page
from anabranch.comm.base import Communicator
from anabranch.comm.text import share_text
from anabranch.config import Config
from anabranch.data import Dataset
from anabranch.environment import environment
from anabranch.errors import AnabranchError, Interrupted, PeerLost
from anabranch.files import write_json
from anabranch.launch import cores, report_success, run_mpirun, started_ranks, tell_folder
from anabranch.plans import ranks, servers
from anabranch.progress import Display, Silence, make_display
from anabranch.runfolder import RunFolder, default_path, resumed_config, saved_config
from anabranch.serving import with_server
from anabranch.session import fitted, load_data, make_ready, train_here, with_dtype, with_world
from anabranch.signals import StopFlag
from anabranch.strategies.own_pace.served import survivors
from anabranch.summary import sentences
from anabranch.trainer import Trainer

DESCRIPTION = """\
Train a model and evaluate it. Examples:

  anabranch train                                              8x8 digits, a small DBN
  anabranch train --data mnist --preset degrazia               the paper's experiment
  anabranch train --workers 8 --strategy averaging --every 16  eight simulated workers
  anabranch train --workers 2 --world mpi                      two processes (starts mpirun itself)
  mpirun -n 4 anabranch train --strategy allreduce             joins the ranks that mpirun or srun started
  anabranch train --resume runs/digits-dbn-…                   go on with a run that was stopped or killed
"""


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


def run_rank(config: Config, comm: Communicator, own_cores: int, *, resume: bool) -> int:
    """Train as one rank of many; return the exit code.

    Raises:
        AnabranchError: as `Trainer.run`.
    """
    display: Display = make_display() if comm.rank == 0 else Silence()
    config = with_server(config, comm, display)
    if resume:
        RunFolder(Path(config.run.out or "")).check_workers(config)
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
                watched = config.run.test_each_epoch
                summary = Trainer(config, dataset, folder, display, flag, watched=watched).run(comm)
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
