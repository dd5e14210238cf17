"""One-sided windows on MPI. Only accumulate functions, which alone are atomic: a Get that races one is undefined.

`put` and `accumulate` of several ranks at once on one element have no defined result in MPI; each kind alone has.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from anabranch.comm.base import Request
from anabranch.comm.checks import check_counter, check_exchange, check_rank, check_slice, dtype_name
from anabranch.comm.mpi_buffers import buffer
from anabranch.comm.mpi_library import MPI
from anabranch.comm.mpi_request import Done
from anabranch.errors import CommunicationError

_TYPES = {
    torch.float32: MPI.FLOAT,
    torch.float64: MPI.DOUBLE,
    torch.int32: MPI.INT32_T,
    torch.int64: MPI.INT64_T,
}
_CODES = {dtype: code for code, dtype in enumerate(_TYPES)}


class MpiWindow:
    """See `anabranch.comm.base.Window`. `lengths` are the ranks' element counts."""

    def __init__(self, win: MPI.Win, local: Tensor, lengths: Sequence[int]) -> None:
        self.local = local
        self._win = win
        self._lengths = lengths
        self._type = _TYPES[local.dtype]

    def get(self, owner: int, out: Tensor, start: int = 0) -> None:
        """Copy `owner`'s elements `[start : start + len(out)]` into `out`."""
        self._check("get", owner, out, start)
        result = buffer(out)
        nothing = [result, 0, self._type]
        self._win.Get_accumulate(nothing, [result, self._type], owner, [start, len(result), self._type], MPI.NO_OP)
        self._win.Flush(owner)

    def put(self, owner: int, x: Tensor, start: int = 0) -> None:
        """Overwrite `owner`'s elements from `start` on with `x`."""
        self._check("put", owner, x, start)
        self._combine(owner, x, start, MPI.REPLACE)

    def accumulate(self, owner: int, x: Tensor, start: int = 0) -> None:
        """Add `x` to `owner`'s elements from `start` on."""
        self._check("accumulate", owner, x, start)
        self._combine(owner, x, start, MPI.SUM)

    def get_accumulate(self, owner: int, x: Tensor, out: Tensor, start: int = 0) -> None:
        """Add `x` to `owner`'s elements from `start` on, with what they were before in `out`, which is other memory.

        Raises:
            UsageError: `out` has not the size of `x`.
        """
        self._check("get_accumulate", owner, x, start)
        self._check("get_accumulate", owner, out, start)
        check_exchange(x, out)
        given, result = buffer(x), buffer(out)
        place = [start, len(given), self._type]
        self._win.Get_accumulate([given, self._type], [result, self._type], owner, place, MPI.SUM)
        self._win.Flush(owner)

    def start_get(self, owner: int, out: Tensor, start: int = 0) -> Request:
        """As `get`, and done when this returns: on one node it is this process that copies."""
        self.get(owner, out, start)
        return Done()

    def start_accumulate(self, owner: int, x: Tensor, start: int = 0) -> Request:
        """As `accumulate`, and done when this returns: on one node it is this process that adds."""
        self.accumulate(owner, x, start)
        return Done()

    def fetch_add(self, owner: int, index: int, by: int) -> int:
        """Add `by` to one element of an int64 window and return the value before."""
        check_rank(owner, len(self._lengths), "the window's owner")
        check_counter(self.local, owner, index, self._lengths[owner])
        given = buffer(torch.tensor([by]))  # which MPI may read until the flush
        before = torch.zeros(1, dtype=torch.int64)
        self._win.Fetch_and_op(given, buffer(before), owner, index, MPI.SUM)
        self._win.Flush(owner)
        return int(before)

    def _check(self, operation: str, owner: int, x: Tensor, start: int) -> None:
        check_rank(owner, len(self._lengths), "the window's owner")
        check_slice(x, start, self.local, owner, self._lengths[owner], operation)

    def _combine(self, owner: int, x: Tensor, start: int, op: MPI.Op) -> None:
        memory = buffer(x)
        self._win.Accumulate([memory, self._type], owner, [start, len(memory), self._type], op)
        self._win.Flush(owner)


@contextmanager
def open_window(comm: MPI.Intracomm, local: Tensor) -> Iterator[MpiWindow]:
    """A window over the ranks of `comm`. Its memory ends with it; `MpiWindow.local` is a copy from then on."""
    lengths = _agree(comm, local)
    win = MPI.Win.Allocate(local.nbytes, local.element_size(), comm=comm)
    # Win.Allocate's own memory: on other memory the library progresses only while the owner is inside MPI.
    exposed = torch.frombuffer(win.tomemory(), dtype=local.dtype) if local.numel() else local.clone()
    exposed.copy_(local)
    win.Lock_all()
    win.Sync()
    comm.Barrier()
    window = MpiWindow(win, exposed, lengths)
    yield window
    # Not reached when the body fails: closing is collective, and the others may never come.
    comm.Barrier()
    win.Sync()
    window.local = exposed.clone()
    win.Unlock_all()
    win.Free()


def _agree(comm: MPI.Intracomm, local: Tensor) -> list[int]:
    """Every rank's element count, once all are seen to have one dtype."""
    mine = torch.tensor([local.numel(), _CODES[local.dtype]])
    everyone = torch.empty(comm.Get_size(), 2, dtype=torch.int64)
    comm.Allgather(buffer(mine), buffer(everyone))
    lengths, codes = everyone.unbind(1)
    for rank, code in enumerate(codes.tolist()):
        if code != _CODES[local.dtype]:
            other = str(list(_TYPES)[code]).removeprefix("torch.")
            raise CommunicationError(
                f"the window is {dtype_name(local)} on rank {comm.Get_rank()} but {other} on rank {rank}: "
                "open it with one dtype."
            )
    counts: list[int] = lengths.tolist()
    return counts
