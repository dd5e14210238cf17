"""Messages on MPI that are under way while their rank computes."""

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from anabranch.comm.mpi_buffers import buffer
from anabranch.comm.mpi_failures import Failures
from anabranch.comm.mpi_landing import landing
from anabranch.comm.mpi_library import MPI
from anabranch.comm.mpi_progress import PROGRESS
from anabranch.errors import CommunicationError

_SPINS = 300  # polls without a sleep
_BURST = 100  # polls between naps, about 0.1 ms: a large message may need hundreds of the sender too
_NAP = 0.0002  # seconds between bursts from then on: MPI's own wait would keep a core busy that others compute on


@dataclass
class Stood:
    """How long a rank has stood still in operations, in seconds; one for a communicator and all its relatives."""

    seconds: float = 0.0


class _Transfer(Protocol):
    """What a request is about."""

    def test(self) -> bool:
        """Whether it has ended well; it waits for nobody. Raises what went wrong, when it has ended so."""
        ...

    def is_moving(self) -> bool:
        """Whether the other rank is known to take part, so that it is going to end soon."""
        ...


class MpiRequest:
    """A message under way: see `anabranch.comm.base.Request`.

    When it has failed, each call raises the same error.
    """

    def __init__(self, transfer: _Transfer, turn: threading.Lock, failures: Failures, stood: Stood) -> None:
        self._transfer, self._stood = transfer, stood
        self._turn = turn  # MPI forbids two threads to test one request at once
        self._failures = failures
        self._over = False
        self._error: MPI.Exception | CommunicationError | None = None
        if not self.advance():
            PROGRESS.watch(self)

    def advance(self) -> bool:
        """Let MPI get on with it, and whether it has ended, well or not."""
        with self._turn:
            if not self._over and self._test():
                self._over = True
                PROGRESS.forget(self)
            return self._over

    def done(self) -> bool:
        """Whether it has ended.

        Raises:
            PeerLost: the other rank is dead.
            CommunicationError: it failed, or the message's size is not that of the tensor.
        """
        if not self.advance():
            return False
        if isinstance(self._error, MPI.Exception):
            self._error = self._failures.translate(self._error)
        if self._error is not None:
            raise self._error
        return True

    def wait(self) -> None:
        """Return when it has ended. Raises as `done`."""
        began = time.monotonic()
        try:
            self._wait()
        finally:
            self._stood.seconds += time.monotonic() - began

    def _wait(self) -> None:
        polls = 0
        while not self.done():
            polls += 1
            if polls > _SPINS and polls % _BURST == 0 and not self._transfer.is_moving():
                time.sleep(_NAP)

    def _test(self) -> bool:
        try:
            return self._transfer.test()
        except (MPI.Exception, CommunicationError) as error:
            self._error = error
            return True


class _Sending:
    """A message that goes out of the memory of `x`."""

    def __init__(self, comm: MPI.Comm, x: Tensor, to: int, tag: int) -> None:
        self._memory = buffer(x)  # kept until MPI has read it
        self._handle = comm.Isend(self._memory, to, tag)

    def test(self) -> bool:
        return self._handle.Test()

    def is_moving(self) -> bool:
        return False  # MPI does not tell


class _Receiving:
    """A message that is expected into the memory of `out`."""

    def __init__(self, expected: "Expected", comm: MPI.Comm, out: Tensor, source: int, tag: int) -> None:
        self._expected = expected
        self._comm = comm
        self._out = out
        self._source = source
        self._tag = tag
        self._handle: MPI.Request | None = None
        self._error: MPI.Exception | CommunicationError | None = None

    def test(self) -> bool:
        if self._handle is None and self._error is None:
            self._expected.match(self._source, self._tag)
        if self._handle is not None and not self._handle.Test():
            return False
        if self._error is not None:
            raise self._error
        return self._handle is not None

    def is_moving(self) -> bool:
        return self._handle is not None

    def take(self) -> bool:
        """Take the next message, if one is there, and whether this receive waits for none any more."""
        try:
            return self._take()
        except MPI.Exception as error:
            self._error = error
            return True

    def _take(self) -> bool:
        status = MPI.Status()
        message = self._comm.Improbe(self._source, self._tag, status)
        if message is None:
            return False
        self._memory, self._error = landing(status, self._source, self._out)
        if self._memory is not None:
            self._handle = message.Irecv(self._memory)
        return True


class Expected:
    """The receives that were started on one communicator and whose messages have not come, in their order.

    MPI is not told of them before: where a message is longer than the memory that MPI was given, Open MPI 5.0 writes
    beyond its end. So each message is looked at first, and the receive gets it that was started first.
    """

    def __init__(self, comm: MPI.Comm, failures: Failures, stood: Stood) -> None:
        self._comm = comm
        self._failures, self._stood = failures, stood
        self._queues: dict[tuple[int, int], deque[_Receiving]] = {}
        self._turn = threading.Lock()  # one for all, for a receive is looked after by those that come after it

    def start(self, out: Tensor, source: int, tag: int) -> MpiRequest:
        """Receive into `out` from `source`."""
        buffer(out)  # refuses what has no memory
        receiving = _Receiving(self, self._comm, out, source, tag)
        with self._turn:
            self._queues.setdefault((source, tag), deque()).append(receiving)
        return MpiRequest(receiving, self._turn, self._failures, self._stood)

    def claims(self, source: int, tag: int) -> bool:
        """Whether the next message of `source` belongs to a receive that was started before."""
        with self._turn:
            self.match(source, tag)
            return (source, tag) in self._queues

    def match(self, source: int, tag: int) -> None:
        """Give the messages that have come to the receives that wait for them. Only in the turn of this object."""
        queue = self._queues.get((source, tag))
        while queue and queue[0].take():
            queue.popleft()
        if not queue:
            self._queues.pop((source, tag), None)


def start_sending(comm: MPI.Comm, x: Tensor, to: int, tag: int, failures: Failures, stood: Stood) -> MpiRequest:
    """Send `x` to the rank `to`."""
    return MpiRequest(_Sending(comm, x, to, tag), threading.Lock(), failures, stood)


class Done:
    """What was over when it was started."""

    def done(self) -> bool:
        """Always."""
        return True

    def wait(self) -> None:
        """Return at once."""
