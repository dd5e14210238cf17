"""Memory that the ranks of one node share."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from anabranch.comm.checks import describe
from anabranch.comm.mpi_buffers import buffer
from anabranch.comm.mpi_library import MPI
from anabranch.errors import CommunicationError

_WIDTH = 64  # bytes for the words that describe a tensor


@contextmanager
def open_shared(comm: MPI.Intracomm, local: Tensor) -> Iterator[Tensor]:
    """Memory of all ranks of `comm` that starts with rank 0's `local`. It ends with the block: see `MpiCommunicator`.

    Raises:
        CommunicationError: the ranks' `local` differ in size or dtype.
    """
    contents = buffer(local)
    _agree(comm, local)
    win = MPI.Win.Allocate_shared(local.nbytes if comm.Get_rank() == 0 else 0, comm=comm)
    # Memory of no bytes has no address that torch would take.
    memory = torch.frombuffer(win.Shared_query(0)[0], dtype=local.dtype) if contents.nbytes else local.clone()
    if comm.Get_rank() == 0:
        memory.copy_(local)
    win.Lock_all()
    win.Sync()
    comm.Barrier()
    yield memory
    # Not reached when the body fails: closing is collective, and the others may never come.
    comm.Barrier()
    win.Unlock_all()
    win.Free()


def _agree(comm: MPI.Intracomm, local: Tensor) -> None:
    """See that all ranks ask for one size and dtype."""
    mine = torch.frombuffer(bytearray(describe(local).encode().ljust(_WIDTH)), dtype=torch.uint8)
    everyone = torch.empty(comm.Get_size(), _WIDTH, dtype=torch.uint8)
    comm.Allgather(buffer(mine), buffer(everyone))
    for rank, row in enumerate(everyone):
        other = bytes(row.tolist()).decode().rstrip()
        if other != describe(local):
            raise CommunicationError(
                f"the shared memory is {describe(local)} on rank {comm.Get_rank()} but {other} on rank {rank}: "
                "make all ranks give one size and dtype."
            )
