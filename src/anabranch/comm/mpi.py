"""A world of MPI processes. Importing this module starts MPI; launch it with `mpirun`, or run it alone as one rank."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import torch
from torch import Tensor

from anabranch.comm import checks, records
from anabranch.comm.base import Feature, Json, Op, Request, Spent, Window
from anabranch.comm.mpi_buffers import buffer
from anabranch.comm.mpi_failures import Failures, ulfm_is_live
from anabranch.comm.mpi_library import MPI
from anabranch.comm.mpi_receive import Receiver
from anabranch.comm.mpi_reduce import Reducer
from anabranch.comm.mpi_request import Expected, Stood, start_sending
from anabranch.comm.mpi_shared import open_shared
from anabranch.comm.mpi_window import open_window
from anabranch.errors import Unsupported

P = ParamSpec("P")
R = TypeVar("R")


def _translated(
    method: Callable[Concatenate["MpiCommunicator", P], R],
) -> Callable[Concatenate["MpiCommunicator", P], R]:
    """`method`, with MPI's exceptions turned into Anabranch's, and its time counted."""

    @wraps(method)
    def translated(self: "MpiCommunicator", /, *args: P.args, **kwargs: P.kwargs) -> R:
        began = time.monotonic()
        try:
            return method(self, *args, **kwargs)
        except MPI.Exception as error:
            raise self._failures.translate(error) from error
        finally:
            self._stood.seconds += time.monotonic() - began

    return translated


class MpiCommunicator:
    """A group of MPI ranks, as one of them sees it: see `anabranch.comm.base.Communicator`. Collective to create.

    `ordered=False` leaves the order of float32 and float64 additions to MPI: faster from 3 ranks on, but the bits then
    depend on the MPI library and the number of elements.
    """

    def __init__(self, mpi_comm: MPI.Intracomm, ordered: bool = True, stood: Stood | None = None) -> None:
        self.rank = mpi_comm.Get_rank()
        self.size = mpi_comm.Get_size()
        self._comm = mpi_comm
        self._ordered = ordered
        self._began, self._stood = time.monotonic(), stood or Stood()
        self._reducer = Reducer(mpi_comm, ordered)
        self._failures = Failures(mpi_comm, ulfm_is_live())
        self._expected = Expected(mpi_comm, self._failures, self._stood)
        self._receiver = Receiver(mpi_comm, self._failures, self._expected)
        self.provides = self._find_features()

    @classmethod
    def world(cls, ordered: bool = True) -> "MpiCommunicator":
        """All ranks that were launched together, with messages of its own, apart from those of other libraries."""
        return cls(MPI.COMM_WORLD.Dup(), ordered)

    def clock(self) -> float:
        """Wall-clock seconds since the first communicator of this family was made."""
        return time.monotonic() - self._began

    def spent(self) -> Spent:
        """Wall-clock seconds. Waiting is the time within operations, transfers and additions included."""
        return Spent(self.clock() - self._stood.seconds, self._stood.seconds)

    @_translated
    def allreduce(self, x: Tensor, op: Op = "sum") -> None:
        """Reduce `x` over all ranks, in rank order unless `ordered` is off, in place."""
        checks.check_reduction(x, op)
        self._reducer.allreduce(x.view(-1), op)

    @_translated
    def allgather(self, x: Tensor, out: Tensor) -> None:
        """Concatenate every rank's `x` [n] in rank order into `out` [size * n]."""
        checks.check_allgather(x, out, self.size)
        self._comm.Allgather(buffer(x), buffer(out))

    @_translated
    def broadcast(self, x: Tensor, root: int) -> None:
        """Overwrite `x` on every rank with `root`'s."""
        checks.check_tensor(x, "broadcast")
        checks.check_rank(root, self.size, "broadcast's root")
        self._comm.Bcast(buffer(x), root)

    @_translated
    def barrier(self) -> None:
        """Wait until all ranks have come here."""
        self._comm.Barrier()

    @_translated
    def gather(self, record: Json, root: int = 0) -> list[Json] | None:
        """Every rank's `record`, in rank order, at `root`; None elsewhere."""
        checks.check_rank(root, self.size, "gather's root")
        data = torch.frombuffer(bytearray(records.encode(record)), dtype=torch.uint8)
        sizes = torch.empty(self.size, dtype=torch.int64)
        self._comm.Gather(buffer(torch.tensor([len(data)])), buffer(sizes), root)
        if self.rank != root:
            self._comm.Gatherv(buffer(data), None, root)
            return None
        everything = bytearray(int(sizes.sum()))
        self._comm.Gatherv(buffer(data), [everything, sizes.tolist(), MPI.BYTE], root)
        ends = sizes.cumsum(0).tolist()
        return [records.decode(everything[end - size : end]) for size, end in zip(sizes.tolist(), ends, strict=True)]

    @_translated
    def send(self, x: Tensor, to: int, tag: int = 0) -> None:
        """Send `x`. Returns when `x` may be reused; a large one waits until the receiver takes it."""
        checks.check_send(x, self.rank, self.size, to, tag)
        self._comm.Send(buffer(x), to, tag)

    @_translated
    def recv(self, out: Tensor, source: int | None = None, tag: int = 0, timeout: float | None = None) -> int:
        """Receive into `out` from `source` (None: whoever comes first, in fair turns) and return the source.

        The message's size is checked, but MPI does not tell its dtype: int32 and float32 pass for each other. Without
        a source it raises `PeerLost` once for each death; call it again to go on.
        """
        checks.check_recv(out, self.rank, self.size, source, tag, timeout)
        return self._receiver.recv(out, source, tag, timeout)

    @_translated
    def isend(self, x: Tensor, to: int, tag: int = 0) -> Request:
        """As `send`, which goes on while this rank computes. Write `x` again only when it is done."""
        checks.check_send(x, self.rank, self.size, to, tag)
        return start_sending(self._comm, x, to, tag, self._failures, self._stood)

    @_translated
    def irecv(self, out: Tensor, source: int, tag: int = 0) -> Request:
        """As `recv` from `source`, which goes on while this rank computes.

        A message of another size raises `CommunicationError` in `done` or `wait`.
        """
        checks.check_recv(out, self.rank, self.size, source, tag, None)
        return self._expected.start(out, source, tag)

    @contextmanager
    def shared(self, local: Tensor) -> Iterator[Tensor]:
        """Memory [n] that all ranks read and write as their own. Collective to open and to close.

        It is gone when the block ends: a tensor or view of it that is touched later ends the process. Copy what is to
        stay.

        Raises:
            Unsupported: the ranks lie on several nodes.
            CommunicationError: the ranks' `local` differ in size or dtype.
        """
        checks.check_shared(local)
        if Feature.SHARED not in self.provides:
            raise checks.not_on_one_node(self.size)
        try:
            with open_shared(self._comm, local) as memory:
                yield memory
        except MPI.Exception as error:
            raise self._failures.translate(error) from error

    @contextmanager
    def window(self, local: Tensor) -> Iterator[Window]:
        """Open a window that starts with the contents of `local` [n] on each rank. Collective to open and to close.

        Raises:
            Unsupported: the ranks lie on several nodes.
        """
        checks.check_window(local)
        if Feature.WINDOW not in self.provides:
            raise Unsupported(
                f"window needs the {self.size} ranks on one node, for between nodes MPI stalls until the owner calls "
                "it: use a strategy with a served parameter server, or launch on one node."
            )
        try:
            with open_window(self._comm, local) as window:
                yield window
        except MPI.Exception as error:
            raise self._failures.translate(error) from error

    @_translated
    def split(self, color: int | None, key: int = 0) -> "MpiCommunicator | None":
        """Part the ranks by `color`, ordered by (`key`, rank). A rank that gives None gets None."""
        checks.check_color(color)
        part = self._comm.Split(MPI.UNDEFINED if color is None else color, key)
        return None if part == MPI.COMM_NULL else self._relative(MPI.Intracomm(part))

    def alone(self) -> "MpiCommunicator":
        """A communicator of this rank only. Not collective."""
        # No duplicate: a rank sends itself no message, so there is none that another library could mistake for its own.
        return self._relative(MPI.COMM_SELF)

    def failed(self) -> frozenset[int]:
        """Ranks of this communicator that are known to be dead; always none without ULFM."""
        return self._failures.dead()

    @_translated
    def shrink(self) -> "MpiCommunicator":
        """A communicator of the survivors, in the old order.

        Where a rank is dead, this breaks off whatever else goes on in the old communicator.

        Raises:
            Unsupported: this MPI does not survive a death.
        """
        if not self._failures.live:
            raise Unsupported(
                "shrink needs an MPI that survives a death: launch with  mpirun --with-ft ulfm  (Open MPI 5)"
            )
        # A survivor may still wait for another survivor, which is on its way here: without this it never comes.
        if self._failures.dead() and not self._comm.Is_revoked():
            self._comm.Revoke()
        return self._relative(MPI.Intracomm(self._comm.Shrink()))

    def _relative(self, mpi_comm: MPI.Intracomm) -> "MpiCommunicator":
        relative = MpiCommunicator(mpi_comm, self._ordered, self._stood)
        relative._began = self._began
        return relative

    def _find_features(self) -> frozenset[Feature]:
        features = {Feature.ANY_SOURCE}
        node = self._comm.Split_type(MPI.COMM_TYPE_SHARED)
        if node.Get_size() == self.size:
            features |= {Feature.WINDOW, Feature.SHARED}
        node.Free()
        if self._failures.live:
            features.add(Feature.FAILURES)
        return frozenset(features)
