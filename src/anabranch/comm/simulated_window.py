"""Windows between simulated ranks: an operation happens at once, at its caller's turn in virtual time."""

from collections.abc import Sequence

from torch import Tensor

from anabranch.comm.checks import check_counter, check_rank, check_slice
from anabranch.comm.group import Group
from anabranch.errors import PeerLost


class SimulatedWindow:
    """The memories of all ranks, seen by `rank`: see `anabranch.comm.base.Window`."""

    def __init__(self, group: Group, rank: int, memories: Sequence[Tensor]) -> None:
        self.local = memories[rank]
        self._group = group
        self._rank = rank
        self._memories = memories

    def get(self, owner: int, out: Tensor, start: int = 0) -> None:
        """Copy `owner`'s elements `[start : start + len(out)]` into `out`."""
        memory = self._reach("get", owner, out, start)
        if not memory.is_meta:
            out.view(-1).copy_(memory)

    def put(self, owner: int, x: Tensor, start: int = 0) -> None:
        """Overwrite `owner`'s elements from `start` on with `x`."""
        self._reach("put", owner, x, start).copy_(x.view(-1))

    def accumulate(self, owner: int, x: Tensor, start: int = 0) -> None:
        """Add `x` to `owner`'s elements from `start` on."""
        self._reach("accumulate", owner, x, start).add_(x.view(-1))

    def fetch_add(self, owner: int, index: int, by: int) -> int:
        """Add `by` to one element of an int64 window and return the value before."""
        check_rank(owner, len(self._memories), "the window's owner")
        memory = self._memories[owner]
        check_counter(memory, owner, index, len(memory))
        self._take_turn("fetch_add", owner, memory.element_size())
        before = int(memory[index])
        memory[index] = before + by
        return before

    def _reach(self, operation: str, owner: int, x: Tensor, start: int) -> Tensor:
        """The part of `owner`'s memory that `operation` is about, once it is its turn."""
        check_rank(owner, len(self._memories), "the window's owner")
        memory = self._memories[owner]
        check_slice(x, start, memory, owner, len(memory), operation)
        self._take_turn(operation, owner, x.nbytes)
        return memory[start : start + x.numel()]

    def _take_turn(self, operation: str, owner: int, size: int) -> None:
        group, strand = self._group, self._group.strand(self._rank)
        asked = strand.clock
        begin, end = group.links.transfer(operation, size, strand.rank, group.members[owner], asked)
        group.ledger.sent(group.members[owner] if operation == "get" else strand.rank, size)
        try:
            group.scheduler.elapse(strand, end - asked)
        finally:
            group.ledger.span(strand.rank, "waiting", operation, asked, min(begin, strand.clock))
            group.ledger.span(strand.rank, "communicating", operation, min(begin, strand.clock), strand.clock)
        if owner in (lost := group.lost()):
            raise PeerLost(lost)
