"""Receiving on MPI: fair between senders, with a time limit, and checked before it writes."""

import time

from torch import Tensor

from anabranch.comm.mpi_failures import Failures
from anabranch.comm.mpi_landing import landing
from anabranch.comm.mpi_library import MPI
from anabranch.comm.mpi_request import Expected
from anabranch.errors import ReceiveTimeout

_SPINS = 1000  # polls without a sleep, about 1 ms: a server answers fast while it is busy
_NAP = 0.0002  # seconds between polls from then on


class Receiver:
    """The receiving end of one MPI communicator."""

    def __init__(self, comm: MPI.Comm, failures: Failures, expected: Expected) -> None:
        self._comm = comm
        self._failures = failures
        self._expected = expected
        self._size = comm.Get_size()
        self._next = 0

    def recv(self, out: Tensor, source: int | None, tag: int, timeout: float | None) -> int:
        """Receive into `out` and return the source. `timeout` is in seconds.

        Raises:
            ReceiveTimeout: nothing came in time.
            CommunicationError: the message's size is not that of `out`.
        """
        status = MPI.Status()
        if source is not None and timeout is None and not self._expected.claims(source, tag):
            message = self._comm.Mprobe(source, tag, status)
        else:
            message = self._await(source, tag, timeout, status)
        sender = status.Get_source()
        memory, error = landing(status, sender, out)
        if memory is not None:
            message.Recv(memory)
        if error is not None:
            raise error
        return sender

    def _await(self, source: int | None, tag: int, timeout: float | None, status: MPI.Status) -> MPI.Message:
        began = time.monotonic()
        polls = 0
        while (message := self._poll(source, tag, status)) is None:
            waited = time.monotonic() - began
            if timeout is not None and waited >= timeout:
                peer = "any rank" if source is None else f"rank {source}"
                raise ReceiveTimeout(f"no message from {peer} (tag {tag}) within {timeout} s.")
            polls += 1
            if polls > _SPINS:
                if source is None:
                    self._failures.check_news()
                time.sleep(_NAP)
        return message

    def _poll(self, source: int | None, tag: int, status: MPI.Status) -> MPI.Message | None:
        if source is not None:
            if self._expected.claims(source, tag):
                return None
            return self._comm.Improbe(source, tag, status)
        try:
            if not self._comm.Iprobe(MPI.ANY_SOURCE, tag):
                return None
        except MPI.Exception:
            if not self._failures.live:
                raise
            self._failures.check_news()
        return self._take_fairly(tag, status)

    def _take_fairly(self, tag: int, status: MPI.Status) -> MPI.Message | None:
        """The waiting message of the rank that is next in turn: MPI's own choice may starve some ranks."""
        for step in range(self._size):
            source = (self._next + step) % self._size
            if source in self._failures.told or self._expected.claims(source, tag):
                continue
            message = self._comm.Improbe(source, tag, status)
            if message is not None:
                self._next = (source + 1) % self._size
                return message
        return None
