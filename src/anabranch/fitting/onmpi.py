"""`fit` on MPI: every rank calls it, and all get the same."""

import json
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from anabranch.comm import mpi_world
from anabranch.comm.base import Communicator
from anabranch.comm.text import share_text
from anabranch.config import Config
from anabranch.data import Dataset
from anabranch.errors import AnabranchError, Interrupted, UsageError
from anabranch.fitting.given import Given, load_into, prepare, run_folder
from anabranch.fitting.loop import mpi
from anabranch.fitting.result import Fit, History, fit_of
from anabranch.progress import Display, Silence, make_display
from anabranch.runfolder import RunFolder
from anabranch.serving import with_server
from anabranch.session import with_dtype
from anabranch.signals import StopFlag
from anabranch.trainer import Parts, Trainer

R = TypeVar("R")


def fit_on_mpi(config: Config, given: Given, history: History, *, resume: bool, progress: bool) -> Fit:
    """Train as one rank of many.

    Raises:
        UsageError, DataError: on all ranks, what is wrong on one.
    """
    comm = mpi()
    display: Display = make_display() if progress and comm.rank == 0 else Silence()
    config = with_server(config, comm, display)
    if isinstance(given.model, nn.Module):
        module = given.model
        agreed(comm, lambda: check_alike(comm, module))
        share_state(comm, module)
    config, dataset, parts = _prepared(config, given, comm, display, resume=resume)
    ended: list[Fit] = []

    def finished(living: Communicator, model: nn.Module, network: nn.Module | None, summary: object) -> None:
        for one in {id(module): module for module in (model, network) if module is not None}.values():
            share_state(living, one)
        told = json.loads(share_text(living, json.dumps([history.as_json(), summary])))
        ended.append(fit_of(load_into(given.model, model, network), *told))

    parts = Parts(parts.build, parts.loss, parts.classifies, [history], finished)
    folder = None if config.run.out is None else RunFolder(Path(config.run.out))
    _train(config, dataset, folder, display, parts, comm)
    return ended[0]


def _prepared(
    config: Config, given: Given, comm: Communicator, display: Display, *, resume: bool
) -> tuple[Config, Dataset, Parts]:
    """First by the first rank alone, which may have to download the data, decides the dtype, and makes the folder."""
    cores, ready = mpi_world.own_cores(), None
    if comm.rank == 0:
        ready = agreed(comm, lambda: _first(config, given, cores, display, resume=resume))
    else:
        agreed(comm, lambda: None)
    config = with_dtype(config, share_text(comm, ready[0].training.dtype if ready else ""))
    return agreed(comm, lambda: ready or prepare(config, given, cores, display))


def _first(
    config: Config, given: Given, cores: int, display: Display, *, resume: bool
) -> tuple[Config, Dataset, Parts]:
    ready = prepare(config, given, cores, display)
    run_folder(ready[0], resume=resume)
    return ready


def _train(
    config: Config, dataset: Dataset, folder: RunFolder | None, display: Display, parts: Parts, comm: Communicator
) -> None:
    leads = comm.rank == 0
    held = folder.held() if folder and leads else nullcontext()
    listening = StopFlag().listening(announce=leads) if folder else nullcontext(StopFlag())
    comm.barrier()  # the clock of rank 0 must not run while the others load the data
    with ending_all(comm), held, listening as flag:
        trainer = Trainer(config, dataset, folder, display, flag, watched=config.run.test_each_epoch, parts=parts)
        try:
            trainer.run(comm)
        finally:
            display.close()


def agreed(comm: Communicator, work: Callable[[], R]) -> R:
    """What `work` returns on this rank. Collective.

    Raises:
        Exception: on the first rank to fail, what it raised.
        UsageError: on the others, its sentence.
    """
    result, failure, own = None, "", Exception()
    try:
        result = work()
    except Exception as error:  # of a user's own data set or module, too: the other ranks must not wait for ever
        failure, own = str(error) or type(error).__name__, error
    told = comm.gather(failure)
    rank, sentence = next(((n, text) for n, text in enumerate(told or []) if text), (-1, ""))
    rank, sentence = json.loads(share_text(comm, json.dumps([rank, sentence])))
    if not sentence:
        return result  # type: ignore[return-value]
    if rank == comm.rank:
        raise own
    raise UsageError(f"{sentence} (rank {rank})")


def check_alike(comm: Communicator, module: nn.Module) -> None:
    """Refuse a module that differs from rank 0's in its tensors. Collective.

    Raises:
        UsageError: it does.
    """
    mine = json.dumps([[name, str(x.dtype), list(x.shape)] for name, x in module.state_dict().items()])
    if share_text(comm, mine) != mine:
        raise UsageError(f"{type(module).__name__} has other tensors than rank 0's: make the same model on all ranks.")


@torch.no_grad()
def share_state(comm: Communicator, module: nn.Module) -> None:
    """Give all ranks the parameters and buffers of rank 0's. Collective."""
    for tensor in module.state_dict().values():
        content = tensor.detach().contiguous()
        comm.broadcast(content.view(-1).view(torch.uint8), root=0)
        tensor.copy_(content)


@contextmanager
def ending_all(comm: Communicator) -> Iterator[None]:
    """Have an error that this rank alone has end all ranks, for the others would wait for it for ever."""
    try:
        yield
    except Interrupted:
        raise  # all have agreed on it
    except BaseException as error:
        if comm.size == 1:
            raise
        if isinstance(error, AnabranchError):
            print(f"anabranch: {error} (rank {comm.rank})", file=sys.stderr, flush=True)
        else:
            traceback.print_exception(error)
        mpi_world.end_all(getattr(error, "exit_code", 1))
