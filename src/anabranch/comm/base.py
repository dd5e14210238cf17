"""The protocols of communication: the few operations that the algorithms need, in place on flat tensors.

Every operation works on a contiguous CPU tensor, without a copy where the transport allows. Collective operations are
called by all ranks in the same order. All reductions add in rank order, `((x0 + x1) + x2) + …`, in every world: that is
why a synchronous strategy gives the same bits simulated and on MPI (docs/decisions/0003).

Not here: optimizers, averaging policy, staleness, metrics, launching, a global 'current' communicator.
"""

import enum
from contextlib import AbstractContextManager
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from torch import Tensor

Op = Literal["sum", "mean", "max", "min"]
Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


class Feature(enum.Enum):
    """What a communicator may or may not provide."""

    WINDOW = "one-sided windows that progress while their owner computes"
    ANY_SOURCE = "recv from whoever sends first"
    FAILURES = "failed() and shrink() after the death of a rank"
    SHARED = "memory that all ranks share"


class Request(Protocol):
    """An operation that this rank has started. Its tensors belong to it until it is done."""

    def done(self) -> bool:
        """Whether it has ended; never waits. What it raises is what the operation would have raised.

        In an MPI world asking is also what lets it get on.
        """
        ...

    def wait(self) -> None:
        """Return when it has ended."""
        ...


@runtime_checkable
class Window(Protocol):
    """Memory of every rank that all ranks reach one-sided. Element-wise atomic; complete when the call returns."""

    @property
    def local(self) -> Tensor:
        """This rank's exposed memory, [n]. Read or write it directly only where no other rank may be writing."""
        ...

    def get(self, owner: int, out: Tensor, start: int = 0) -> None:
        """Copy `owner`'s elements `[start : start + len(out)]` into `out`."""
        ...

    def put(self, owner: int, x: Tensor, start: int = 0) -> None:
        """Overwrite `owner`'s elements from `start` on with `x`."""
        ...

    def accumulate(self, owner: int, x: Tensor, start: int = 0) -> None:
        """Add `x` to `owner`'s elements from `start` on; concurrent additions are all kept."""
        ...

    def get_accumulate(self, owner: int, x: Tensor, out: Tensor, start: int = 0) -> None:
        """As `accumulate`, with the elements as they were before in `out`: no other addition comes between."""
        ...

    def start_get(self, owner: int, out: Tensor, start: int = 0) -> Request:
        """As `get`, which goes on while this rank computes."""
        ...

    def start_accumulate(self, owner: int, x: Tensor, start: int = 0) -> Request:
        """As `accumulate`, which goes on while this rank computes."""
        ...

    def fetch_add(self, owner: int, index: int, by: int) -> int:
        """Add `by` to one element of an int64 window, atomically, and return the value before."""
        ...


@runtime_checkable
class Communicator(Protocol):
    """A group of ranks, as one of them sees it."""

    rank: int
    size: int
    provides: frozenset[Feature]

    def allreduce(self, x: Tensor, op: Op = "sum") -> None:
        """Reduce `x` over all ranks in rank order, in place. bfloat16 and float16 are added in float32."""
        ...

    def allgather(self, x: Tensor, out: Tensor) -> None:
        """Concatenate every rank's `x` [n] in rank order into `out` [size * n]."""
        ...

    def broadcast(self, x: Tensor, root: int) -> None:
        """Overwrite `x` on every rank with `root`'s."""
        ...

    def send(self, x: Tensor, to: int, tag: int = 0) -> None:
        """Send `x`. Returns when `x` may be reused; may wait until the receiver takes it."""
        ...

    def recv(self, out: Tensor, source: int | None = None, tag: int = 0, timeout: float | None = None) -> int:
        """Receive into `out` from `source` (None: whoever comes first) and return the source.

        `timeout` is in seconds of this world's clock.

        Raises:
            ReceiveTimeout: nothing came in time.
            CommunicationError: the message's element count or dtype is not that of `out`.
        """
        ...

    def isend(self, x: Tensor, to: int, tag: int = 0) -> Request:
        """As `send`, which goes on while this rank computes. It is done when `x` may be written again."""
        ...

    def irecv(self, out: Tensor, source: int, tag: int = 0) -> Request:
        """As `recv` from `source`, which goes on while this rank computes.

        Receives from one source with one tag that are under way together must be waited for in the order in which
        they were started, and before the next `recv` of the kind.
        """
        ...

    def shared(self, local: Tensor) -> AbstractContextManager[Tensor]:
        """Memory [n] that all ranks read and write as their own, without any order or atomicity.

        It starts with rank 0's `local` [n], which gives the others its size and dtype. Collective to open and to close.
        """
        ...

    def window(self, local: Tensor) -> AbstractContextManager[Window]:
        """Open a window that starts with the contents of `local` [n] on each rank. Collective to open and to close.

        The window's memory is its own (an MPI library progresses passively only on memory that it allocated): read it
        through `Window.local`.
        """
        ...

    def barrier(self) -> None:
        """Wait until all ranks have come here."""
        ...

    def split(self, color: int | None, key: int = 0) -> "Communicator | None":
        """Part the ranks by `color`, ordered by (`key`, rank). A rank that gives None gets None. Collective."""
        ...

    def alone(self) -> "Communicator":
        """A communicator of this rank only, for what it does without the others. Not collective."""
        ...

    def failed(self) -> frozenset[int]:
        """Ranks of this communicator that are known to be dead. Any operation may raise `PeerLost`."""
        ...

    def shrink(self) -> "Communicator":
        """A communicator of the survivors, in the old order. Collective among them.

        Raises:
            Unsupported: this world cannot go on after a death.
        """
        ...

    def gather(self, record: Json, root: int = 0) -> list[Json] | None:
        """Every rank's JSON-able `record`, in rank order, at `root`; None elsewhere."""
        ...

    def clock(self) -> float:
        """Seconds since this world began: wall-clock seconds on MPI, virtual seconds when simulated."""
        ...


class Spent(NamedTuple):
    """What one rank's seconds have gone to since its world began, by the world's clock."""

    working: float
    waiting: float | None
    """For others, and for bytes; None where a world cannot tell."""


@runtime_checkable
class Timed(Protocol):
    """A communicator that knows what its rank's time has gone to."""

    def spent(self) -> Spent:
        """So far, by this rank, in all communicators of the family."""
        ...
