"""Where a message of MPI goes, decided before it is received: MPI may write a longer one beyond the memory's end."""

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from anabranch.comm.checks import misfit
from anabranch.comm.mpi_buffers import buffer
from anabranch.comm.mpi_library import MPI
from anabranch.errors import CommunicationError


def landing(status: MPI.Status, source: int, out: Tensor) -> tuple[NDArray[Any] | None, CommunicationError | None]:
    """Memory for the message that a probe has found, and the error where that is not `out`.

    A message that does not fit must be received all the same, or its sender would wait for ever. There is no memory for
    one whose size MPI cannot tell.
    """
    size = status.Get_elements(MPI.BYTE)  # Get_count is undefined from 2 GiB on
    if size == out.nbytes:
        return buffer(out), None
    if size == MPI.UNDEFINED:
        return None, misfit(source, "more than MPI can count", out)
    words = torch.empty(-(-size // 8), dtype=torch.int64)  # MPI 3 takes less than 2^31 elements, of whatever size
    return buffer(words), misfit(source, f"{size} bytes", out)
