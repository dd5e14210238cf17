"""Windows between simulated ranks: an operation happens at once, at its end in virtual time.

What was started and goes on is put down in a list and done by the next operation of any rank that comes after its end,
before that one: nobody could have seen the difference.
"""

import heapq
from collections.abc import Callable, Sequence
from itertools import count

from torch import Tensor

from anabranch.comm.base import Request
from anabranch.comm.checks import check_counter, check_exchange, check_rank, check_slice
from anabranch.comm.group import Group
from anabranch.errors import PeerLost

Deed = Callable[[], None]


class Memories:
    """The memories of all ranks of one window, with what is going to be done to them."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self.tensors = tensors
        self._due: list[tuple[float, int, Deed]] = []
        self._numbers = count()

    def plan(self, at: float, deed: Deed) -> None:
        """Do `deed` at the time `at`, in virtual seconds."""
        heapq.heappush(self._due, (at, next(self._numbers), deed))

    def settle(self, now: float) -> None:
        """Do all that was to be done by `now`, in its order."""
        while self._due and self._due[0][0] <= now:
            heapq.heappop(self._due)[2]()


class SimulatedWindow:
    """The memories of all ranks, seen by `rank`: see `anabranch.comm.base.Window`."""

    def __init__(self, group: Group, rank: int, memories: Memories) -> None:
        self._group = group
        self._strand = group.strand(rank)
        self._memories = memories
        self._local = memories.tensors[rank]

    @property
    def local(self) -> Tensor:
        """This rank's memory [n], as it is now."""
        self._memories.settle(self._strand.clock)
        return self._local

    def get(self, owner: int, out: Tensor, start: int = 0) -> None:
        """Copy `owner`'s elements `[start : start + len(out)]` into `out`."""
        part = self._part("get", owner, out, start)
        self._take_turn("get", owner, out.nbytes)
        _copy(part, out)

    def put(self, owner: int, x: Tensor, start: int = 0) -> None:
        """Overwrite `owner`'s elements from `start` on with `x`."""
        part = self._part("put", owner, x, start)
        self._take_turn("put", owner, x.nbytes)
        _copy(x, part)

    def accumulate(self, owner: int, x: Tensor, start: int = 0) -> None:
        """Add `x` to `owner`'s elements from `start` on."""
        part = self._part("accumulate", owner, x, start)
        self._take_turn("accumulate", owner, x.nbytes)
        part.add_(x.view(-1))

    def get_accumulate(self, owner: int, x: Tensor, out: Tensor, start: int = 0) -> None:
        """Add `x` to `owner`'s elements from `start` on, with what they were before in `out`."""
        check_exchange(x, out)
        part = self._part("get_accumulate", owner, x, start)
        self._take_turn("get_accumulate", owner, x.nbytes)
        _copy(part, out)
        part.add_(x.view(-1))

    def start_get(self, owner: int, out: Tensor, start: int = 0) -> Request:
        """As `get`, which goes on while this rank computes; inside a node it is this rank that copies."""
        part = self._part("get", owner, out, start)
        return self._start("get", owner, out.nbytes, lambda: _copy(part, out))

    def start_accumulate(self, owner: int, x: Tensor, start: int = 0) -> Request:
        """As `accumulate`, which goes on while this rank computes; inside a node it is this rank that adds."""
        part = self._part("accumulate", owner, x, start)
        return self._start("accumulate", owner, x.nbytes, lambda: _add(x, part))

    def fetch_add(self, owner: int, index: int, by: int) -> int:
        """Add `by` to one element of an int64 window and return the value before."""
        check_rank(owner, len(self._memories.tensors), "the window's owner")
        memory = self._memories.tensors[owner]
        check_counter(memory, owner, index, len(memory))
        self._take_turn("fetch_add", owner, memory.element_size())
        before = int(memory[index])
        memory[index] = before + by
        return before

    def _part(self, operation: str, owner: int, x: Tensor, start: int) -> Tensor:
        """The part of `owner`'s memory that `operation` on `x` is about."""
        check_rank(owner, len(self._memories.tensors), "the window's owner")
        memory = self._memories.tensors[owner]
        check_slice(x, start, memory, owner, len(memory), operation)
        return memory[start : start + x.numel()]

    def _take_turn(self, operation: str, owner: int, size: int) -> None:
        """Let the time of the operation pass; what others have started and ended in it is done then."""
        asked = self._strand.clock
        begin, end = self._transfer(operation, owner, size)
        self._stand(operation, asked, begin, end)
        self._memories.settle(self._strand.clock)
        self._check_alive(owner)

    def _start(self, operation: str, owner: int, size: int, deed: Deed) -> "_Started":
        group, asked = self._group, self._strand.clock
        begin, end = self._transfer(operation, owner, size)
        self._memories.plan(end, deed)
        if end > asked and group.links.same_node(self._strand.rank, group.members[owner]):
            self._stand(operation, asked, begin, end)
        return _Started(self, operation, owner, begin, end)

    def _transfer(self, operation: str, owner: int, size: int) -> tuple[float, float]:
        group, rank = self._group, self._strand.rank
        begin, end = group.links.transfer(operation, size, rank, group.members[owner], self._strand.clock)
        target = group.members[owner]
        if operation != "get" and target != rank:
            group.ledger.sent(rank, size)
        if operation in ("get", "get_accumulate") and target != rank:
            group.ledger.sent(target, size)
        return begin, end

    def _stand(self, operation: str, asked: float, begin: float, end: float) -> None:
        strand, ledger = self._strand, self._group.ledger
        try:
            self._group.scheduler.elapse(strand, end - asked)
        finally:
            at = min(max(begin, asked), strand.clock)
            ledger.span(strand.rank, "waiting", operation, asked, at)
            ledger.span(strand.rank, "communicating", operation, at, strand.clock)

    def _check_alive(self, owner: int) -> None:
        if owner in (lost := self._group.lost()):
            raise PeerLost(lost)


class _Started:
    """An operation that its rank has started; it ends at a time that is known."""

    def __init__(self, window: SimulatedWindow, operation: str, owner: int, begin: float, end: float) -> None:
        self._window, self._operation, self._owner, self._begin, self._end = window, operation, owner, begin, end

    def done(self) -> bool:
        """Whether its time has come.

        Raises:
            PeerLost: the memory's owner is dead.
        """
        window = self._window
        if window._strand.clock < self._end:
            return False
        window._memories.settle(window._strand.clock)
        window._check_alive(self._owner)
        return True

    def wait(self) -> None:
        """Stand still until its time has come."""
        window = self._window
        if (now := window._strand.clock) < self._end:
            window._stand(self._operation, now, self._begin, self._end)
        self.done()


def _copy(x: Tensor, to: Tensor) -> None:
    if not x.is_meta:
        to.view(-1).copy_(x.view(-1))


def _add(x: Tensor, to: Tensor) -> None:
    to.add_(x.view(-1))
