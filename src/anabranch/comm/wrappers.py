"""Communicators around a communicator."""

from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from torch import Tensor

from anabranch.comm import records
from anabranch.comm.base import Communicator, Feature, Json, Op, Request, Window


class Counting:
    """Counts a rank's operations, and is otherwise the communicator that it wraps.

    `calls` and `nbytes` map an operation's name ("allreduce", "get", …) to how often it was called and how many bytes
    this rank gave to it or, of those that only receive or get, took. The counts are the algorithm's, the same in every
    world, whatever a transport makes of them. A call counts when it begins, also if it then fails. The communicators of
    `split`, `shrink` and `alone` add to the same counts, so that one pair of counters holds all that a strategy did.
    """

    rank: int
    size: int
    provides: frozenset[Feature]

    def __init__(self, comm: Communicator) -> None:
        self.rank = comm.rank
        self.size = comm.size
        self.provides = comm.provides
        self.calls: Counter[str] = Counter()
        self.nbytes: Counter[str] = Counter()
        self._comm = comm

    def allreduce(self, x: Tensor, op: Op = "sum") -> None:
        """See `Communicator.allreduce`."""
        self._count("allreduce", x.nbytes)
        self._comm.allreduce(x, op)

    def allgather(self, x: Tensor, out: Tensor) -> None:
        """See `Communicator.allgather`."""
        self._count("allgather", x.nbytes)
        self._comm.allgather(x, out)

    def broadcast(self, x: Tensor, root: int) -> None:
        """See `Communicator.broadcast`."""
        self._count("broadcast", x.nbytes)
        self._comm.broadcast(x, root)

    def send(self, x: Tensor, to: int, tag: int = 0) -> None:
        """See `Communicator.send`."""
        self._count("send", x.nbytes)
        self._comm.send(x, to, tag)

    def recv(self, out: Tensor, source: int | None = None, tag: int = 0, timeout: float | None = None) -> int:
        """See `Communicator.recv`. Counts what has come: a timeout is a call of 0 bytes."""
        self._count("recv", 0)
        sender = self._comm.recv(out, source, tag, timeout)
        self.nbytes["recv"] += out.nbytes
        return sender

    def isend(self, x: Tensor, to: int, tag: int = 0) -> Request:
        """See `Communicator.isend`."""
        self._count("isend", x.nbytes)
        return self._comm.isend(x, to, tag)

    def irecv(self, out: Tensor, source: int, tag: int = 0) -> Request:
        """See `Communicator.irecv`. Counts what is to come when it begins."""
        self._count("irecv", out.nbytes)
        return self._comm.irecv(out, source, tag)

    def shared(self, local: Tensor) -> AbstractContextManager[Tensor]:
        """See `Communicator.shared`. What is read and written there is not counted."""
        self._count("shared", local.nbytes)
        return self._comm.shared(local)

    def window(self, local: Tensor) -> AbstractContextManager[Window]:
        """See `Communicator.window`. The window's operations are counted too."""
        self._count("window", local.nbytes)
        return self._window(local)

    def barrier(self) -> None:
        """See `Communicator.barrier`."""
        self._count("barrier", 0)
        self._comm.barrier()

    def split(self, color: int | None, key: int = 0) -> "Counting | None":
        """See `Communicator.split`."""
        self._count("split", 0)
        part = self._comm.split(color, key)
        return None if part is None else self._wrap(part)

    def alone(self) -> "Counting":
        """See `Communicator.alone`. It adds to the same counts; making it is free, and not counted."""
        return self._wrap(self._comm.alone())

    def failed(self) -> frozenset[int]:
        """See `Communicator.failed`. Asking is free: it is not counted."""
        return self._comm.failed()

    def shrink(self) -> "Counting":
        """See `Communicator.shrink`."""
        self._count("shrink", 0)
        return self._wrap(self._comm.shrink())

    def gather(self, record: Json, root: int = 0) -> list[Json] | None:
        """See `Communicator.gather`."""
        self._count("gather", len(records.encode(record)))
        return self._comm.gather(record, root)

    def clock(self) -> float:
        """See `Communicator.clock`."""
        return self._comm.clock()

    def _count(self, operation: str, size: int) -> None:
        self.calls[operation] += 1
        self.nbytes[operation] += size

    def _wrap(self, comm: Communicator) -> "Counting":
        wrapped = Counting(comm)
        wrapped.calls, wrapped.nbytes = self.calls, self.nbytes
        return wrapped

    @contextmanager
    def _window(self, local: Tensor) -> Iterator[Window]:
        with self._comm.window(local) as window:
            yield _CountingWindow(window, self)


class _CountingWindow:
    """A window whose operations its communicator counts."""

    def __init__(self, window: Window, counting: Counting) -> None:
        self._window = window
        self._counting = counting

    @property
    def local(self) -> Tensor:
        """See `Window.local`."""
        return self._window.local

    def get(self, owner: int, out: Tensor, start: int = 0) -> None:
        """See `Window.get`."""
        self._counting._count("get", out.nbytes)
        self._window.get(owner, out, start)

    def put(self, owner: int, x: Tensor, start: int = 0) -> None:
        """See `Window.put`."""
        self._counting._count("put", x.nbytes)
        self._window.put(owner, x, start)

    def accumulate(self, owner: int, x: Tensor, start: int = 0) -> None:
        """See `Window.accumulate`."""
        self._counting._count("accumulate", x.nbytes)
        self._window.accumulate(owner, x, start)

    def get_accumulate(self, owner: int, x: Tensor, out: Tensor, start: int = 0) -> None:
        """See `Window.get_accumulate`."""
        self._counting._count("get_accumulate", x.nbytes)
        self._window.get_accumulate(owner, x, out, start)

    def start_get(self, owner: int, out: Tensor, start: int = 0) -> Request:
        """See `Window.start_get`."""
        self._counting._count("start_get", out.nbytes)
        return self._window.start_get(owner, out, start)

    def start_accumulate(self, owner: int, x: Tensor, start: int = 0) -> Request:
        """See `Window.start_accumulate`."""
        self._counting._count("start_accumulate", x.nbytes)
        return self._window.start_accumulate(owner, x, start)

    def fetch_add(self, owner: int, index: int, by: int) -> int:
        """See `Window.fetch_add`."""
        self._counting._count("fetch_add", self.local.element_size())
        return self._window.fetch_add(owner, index, by)
