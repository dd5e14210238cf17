"""Allreduce on MPI that adds in rank order, whatever the algorithm that MPI would choose."""

import torch
from torch import Tensor

from anabranch.comm.base import Op
from anabranch.comm.mpi_buffers import Workspace, buffer
from anabranch.comm.mpi_chunks import chunks
from anabranch.comm.mpi_library import MPI
from anabranch.comm.reduce import divide, reduce_in_order

SMALL = 256 * 1024  # bytes of all ranks together; below, one Allgather of everything beats two exchanges of chunks
_OPS = {"sum": MPI.SUM, "mean": MPI.SUM, "max": MPI.MAX, "min": MPI.MIN}


class Reducer:
    """Reductions over one MPI communicator. Not `ordered`: MPI's own order, wherever MPI has the arithmetic."""

    def __init__(self, comm: MPI.Comm, ordered: bool) -> None:
        self._comm = comm
        self._size = comm.Get_size()
        self._rank = comm.Get_rank()
        self._ordered = ordered
        self._work = Workspace()

    def allreduce(self, x: Tensor, op: Op) -> None:
        """Reduce the flat `x` [n] over all ranks, in place."""
        if self._is_native(x.dtype, op):
            self._comm.Allreduce(MPI.IN_PLACE, buffer(x), _OPS[op])
            if op == "mean":
                divide(x, self._size)
        elif x.nbytes * self._size < SMALL:
            self._gathered(x, op)
        else:
            self._chunked(x, op)

    def _is_native(self, dtype: torch.dtype, op: Op) -> bool:
        """Whether MPI's own reduction gives the bits of the rank order, or they were not asked for."""
        if dtype in (torch.int64, torch.int32):
            return True
        if dtype not in (torch.float32, torch.float64):
            return False  # Open MPI would add half precision's bit patterns, and its int8 and int16 sums saturate
        if not self._ordered:
            return True
        return self._size <= 2 and op in ("sum", "mean")  # a + b = b + a; but MPI's max of a NaN is either

    def _gathered(self, x: Tensor, op: Op) -> None:
        """Everybody gets all rows and adds them."""
        rows = self._work.take(self._size * len(x), x.dtype)
        self._comm.Allgather(buffer(x), buffer(rows))
        reduce_in_order(rows.view(self._size, -1).unbind(), op, x)

    def _chunked(self, x: Tensor, op: Op) -> None:
        """Rank r gets chunk r from everybody, adds the rows, and gives the result to everybody."""
        counts, starts = chunks(len(x), self._size)
        count, start = counts[self._rank], starts[self._rank]
        rows = self._work.take(self._size * count, x.dtype)
        memory = buffer(x)
        places = [count * rank for rank in range(self._size)]
        self._comm.Alltoallv([memory, (counts, starts)], [buffer(rows), ([count] * self._size, places)])
        reduce_in_order(rows.view(self._size, count).unbind(), op, x[start : start + count])
        self._comm.Allgatherv(MPI.IN_PLACE, [memory, (counts, starts)])
