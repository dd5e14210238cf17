"""A world of ranks in one process and one thread, in virtual time: deterministic, and no rank can hang unnoticed.

Meta tensors, which have a size but no memory, are charged like others and not touched: thousands of ranks that only
want to know their time need no memory for their models.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from typing import TypeVar, cast

import torch
from torch import Tensor

from anabranch.comm import checks, records
from anabranch.comm.base import Feature, Json, Op, Request, Spent, Window
from anabranch.comm.costs import Costs, Links, ZeroCosts
from anabranch.comm.failures import Fate
from anabranch.comm.group import Call, Group, break_off, meet, meet_survivors, revoke, withdraw
from anabranch.comm.ledger import Account, Ledger
from anabranch.comm.mailbox import Expectation, Mailbox, Message
from anabranch.comm.reduce import reduce_in_order
from anabranch.comm.scheduler import NO_FATES, Scheduler, Strand
from anabranch.comm.simulated_request import Receiving, Sending
from anabranch.comm.simulated_window import Memories, SimulatedWindow
from anabranch.errors import PeerLost, UsageError

T = TypeVar("T")
P = TypeVar("P")
R = TypeVar("R")


class SimulatedWorld:
    """`size` simulated ranks. Each `run` is a world of its own.

    Args:
        size: number of ranks.
        costs: of communication; by default it takes no time.
        fates: of the ranks that stop at a foreseen time.
        spans: the most spans of time that the ledger keeps.
        start: where each rank stood when an earlier run was broken off; by default they begin at 0 seconds.

    Attributes:
        ledger: of the last `run`: what its ranks spent their time on.
    """

    def __init__(
        self,
        size: int,
        costs: Costs | None = None,
        *,
        fates: Mapping[int, Fate] = NO_FATES,
        spans: int = 0,
        start: Sequence[Account] = (),
    ) -> None:
        if size < 1:
            raise UsageError(f"a world of {size} ranks cannot run anything: give a size of 1 or more.")
        self.size = size
        self.costs: Costs = costs or ZeroCosts()
        self._fates, self._spans, self._start = fates, spans, start
        self.ledger = Ledger(size, spans, start)

    def run(self, program: Callable[["SimulatedCommunicator"], T]) -> list[T]:
        """Run `program` on every rank and return what they returned, in rank order; of a dead rank, None.

        Raises:
            DeadlockError: every rank that has not finished waits for another one.
            BaseException: what the first rank to fail raised. The others end there, with their `finally` blocks run.
        """
        ledger = self.ledger = Ledger(self.size, self._spans, self._start)
        scheduler = Scheduler(self.size, self._fates, [account.clock for account in self._start])

        def stop(strand: Strand) -> None:
            withdraw(strand)
            ledger.stop(strand.rank, strand.clock)

        scheduler.on_stop = stop
        scheduler.on_death = lambda dead: break_off(scheduler, dead)
        group = _Shared(scheduler, self.costs.links(), ledger, range(self.size))
        results: list[T | None] = [None] * self.size

        def run_rank(rank: int) -> None:
            results[rank] = program(SimulatedCommunicator(group, rank))

        try:
            scheduler.run([partial(run_rank, rank) for rank in range(self.size)])
        finally:
            ledger.close()
        return cast(list[T], results)


class _Shared(Group):
    """A group with its messages."""

    def __init__(self, scheduler: Scheduler, links: Links, ledger: Ledger, members: Sequence[int]) -> None:
        super().__init__(scheduler, links, ledger, members)
        self.mailbox = Mailbox()

    def part(self, ranks: Sequence[int]) -> "_Shared":
        """A group of this group's `ranks`."""
        return _Shared(self.scheduler, self.links, self.ledger, [self.members[rank] for rank in ranks])

    @cached_property
    def offstage(self) -> "_Shared":
        """The same members, with links that cost nothing."""
        return _Shared(self.scheduler, ZeroCosts(), self.ledger, self.members)


class SimulatedCommunicator:
    """A group of simulated ranks, as one of them sees it: see `anabranch.comm.base.Communicator`."""

    provides = frozenset(Feature)

    def __init__(self, group: _Shared, rank: int) -> None:
        self.rank = rank
        self.size = group.size
        self._group = group
        self._strand = group.strand(rank)
        self._calls = 0
        self._shrinks = 0
        self._known: frozenset[int] = frozenset()

    @property
    def world_rank(self) -> int:
        """This rank among all of the world."""
        return self._strand.rank

    @property
    def members(self) -> tuple[int, ...]:
        """All ranks of this communicator, among all of the world."""
        return self._group.members

    @cached_property
    def offstage(self) -> "SimulatedCommunicator":
        """The same ranks, for what does not belong to the algorithm, such as checkpoints: it takes no virtual time."""
        return SimulatedCommunicator(self._group.offstage, self.rank)

    def elapse(self, seconds: float, name: str = "computing") -> None:
        """Charge `seconds` of computing to this rank's clock; ranks whose clocks are behind it run first."""
        checks.check_seconds(seconds)
        began = self._strand.clock
        try:
            self._group.scheduler.elapse(self._strand, seconds)
        finally:
            self._group.ledger.span(self._strand.rank, "computing", name, began, self._strand.clock)

    def accounts(self) -> list[Account]:
        """Of all ranks of the world, in their order."""
        return self._group.ledger.accounts()

    def clock(self) -> float:
        """Virtual seconds since the world began."""
        return self._strand.clock

    def spent(self) -> Spent:
        """Virtual seconds; or, where nothing costs any, the real ones of this rank's turns."""
        if isinstance(self._group.links, ZeroCosts):
            return Spent(self._group.scheduler.turn_seconds(self._strand), None)
        account = self._group.ledger.account(self._strand.rank)
        return Spent(account.computing, account.waiting + account.communicating)

    def allreduce(self, x: Tensor, op: Op = "sum") -> None:
        """Reduce `x` over all ranks in rank order, in place."""
        checks.check_reduction(x, op)

        def combine(rows: list[Tensor]) -> Tensor:
            total = torch.empty_like(x)
            if not x.is_meta:
                reduce_in_order(rows, op, total)
            return total

        _fill(x, self._meet(_call("allreduce", x, op), x, combine, x.nbytes))

    def allgather(self, x: Tensor, out: Tensor) -> None:
        """Concatenate every rank's `x` [n] in rank order into `out` [size * n]."""
        checks.check_allgather(x, out, self.size)
        flat = self._meet(_call("allgather", x), x.view(-1), lambda rows: x if x.is_meta else torch.cat(rows), x.nbytes)
        _fill(out.view(-1), flat)

    def broadcast(self, x: Tensor, root: int) -> None:
        """Overwrite `x` on every rank with `root`'s."""
        checks.check_tensor(x, "broadcast")
        checks.check_rank(root, self.size, "broadcast's root")
        call = _call("broadcast", x, f"root {root}")
        _fill(x, self._meet(call, x, lambda rows: rows[root].clone(), x.nbytes))

    def barrier(self) -> None:
        """Wait until all ranks have come here."""
        self._meet(Call("barrier"), None, lambda _: None)

    def gather(self, record: Json, root: int = 0) -> list[Json] | None:
        """Every rank's `record`, in rank order, at `root`; None elsewhere."""
        checks.check_rank(root, self.size, "gather's root")
        data = records.encode(record)
        everything = self._meet(Call("gather", f"root {root}"), data, list, len(data))
        return [records.decode(one) for one in everything] if self.rank == root else None

    def send(self, x: Tensor, to: int, tag: int = 0) -> None:
        """Send `x`, and return when the receiver has taken it."""
        checks.check_send(x, self.rank, self.size, to, tag)
        try:
            self._group.mailbox.send(Message(self._group, self.rank, to, tag, x))
        except PeerLost as lost:
            self._known |= lost.ranks  # this rank has now heard of them
            raise

    def recv(self, out: Tensor, source: int | None = None, tag: int = 0, timeout: float | None = None) -> int:
        """Receive into `out` from `source` (None: whoever comes first) and return the source.

        Without a source it raises `PeerLost` once for each death, when no message is there; call it again to go on.
        """
        checks.check_recv(out, self.rank, self.size, source, tag, timeout)
        mailbox = self._group.mailbox
        wanted = Expectation(mailbox, self._group, self.rank, source, tag)
        try:
            message = mailbox.take(wanted, timeout, self._known)
        except PeerLost as lost:
            self._known |= lost.ranks  # this rank has now heard of them
            raise
        _read(message, out)
        return message.source

    def isend(self, x: Tensor, to: int, tag: int = 0) -> Request:
        """As `send`, which goes on while this rank computes. It is done when the receiver has taken `x`."""
        checks.check_send(x, self.rank, self.size, to, tag)
        message = Message(self._group, self.rank, to, tag, x)
        self._group.mailbox.post(message)
        return Sending(self._group.mailbox, message, self._hear)

    def irecv(self, out: Tensor, source: int, tag: int = 0) -> Request:
        """As `recv` from `source`, which goes on while this rank computes."""
        checks.check_recv(out, self.rank, self.size, source, tag, None)
        mailbox = self._group.mailbox
        wanted = Expectation(mailbox, self._group, self.rank, source, tag)
        return Receiving(mailbox, wanted, lambda message: _read(message, out), self._hear)

    @contextmanager
    def shared(self, local: Tensor) -> Iterator[Tensor]:
        """Memory [n] that all ranks read and write as their own. Collective to open and to close.

        Raises:
            Unsupported: the ranks lie on several nodes.
        """
        checks.check_shared(local)
        near, members = self._group.links.same_node, self._group.members
        if not all(near(members[0], member) for member in members):
            raise checks.not_on_one_node(self.size)
        yield self._meet(_call("shared", local), local, lambda rows: rows[0].clone(), local.nbytes)
        self._meet(Call("shared memory's close"), None, lambda _: None)

    @contextmanager
    def window(self, local: Tensor) -> Iterator[Window]:
        """Open a window that starts with the contents of `local` [n] on each rank. Collective to open and to close."""
        checks.check_window(local)
        call = Call("window", dtype=local.dtype)  # the sizes may differ between ranks
        yield SimulatedWindow(self._group, self.rank, self._meet(call, local.clone(), Memories, local.nbytes))
        self._meet(Call("window's close"), None, lambda _: None)

    def split(self, color: int | None, key: int = 0) -> "SimulatedCommunicator | None":
        """Part the ranks by `color`, ordered by (`key`, rank). A rank that gives None gets None."""
        checks.check_color(color)
        group = self._group

        def combine(rows: list[tuple[int | None, int]]) -> dict[int, tuple[_Shared, int]]:
            places: dict[int, tuple[_Shared, int]] = {}
            for chosen in sorted({each for each, _ in rows if each is not None}):
                ranks = sorted((r for r, row in enumerate(rows) if row[0] == chosen), key=lambda r: (rows[r][1], r))
                part = group.part(ranks)
                places |= {rank: (part, new) for new, rank in enumerate(ranks)}
            return places

        place = self._meet(Call("split"), (color, key), combine).get(self.rank)
        return None if place is None else SimulatedCommunicator(*place)

    def alone(self) -> "SimulatedCommunicator":
        """A communicator of this rank only; it takes no virtual time."""
        return SimulatedCommunicator(self._group.offstage.part([self.rank]), 0)

    def failed(self) -> frozenset[int]:
        """Ranks of this communicator that are dead."""
        self._known = self._group.lost()
        return self._known

    def shrink(self) -> "SimulatedCommunicator":
        """A communicator of the survivors, in the old order.

        Where a rank is dead, this breaks off whatever else goes on in the old communicator.
        """
        group = self._group
        if group.lost() and not group.revoked:
            revoke(group, self._strand.clock)
        self._shrinks += 1
        alive, part = meet_survivors(
            group, self.rank, Call("shrink"), self._shrinks, lambda ranks: (ranks, group.part(ranks))
        )
        return SimulatedCommunicator(part, alive.index(self.rank))

    def _hear(self, lost: frozenset[int]) -> None:
        self._known |= lost

    def _meet(self, call: Call, payload: P, combine: Callable[[list[P]], R], size: int = 0) -> R:
        self._calls += 1
        try:
            return meet(self._group, self.rank, call, self._calls, payload, combine, size)
        except PeerLost as lost:
            self._known |= lost.ranks  # this rank has now heard of them
            raise


def _call(name: str, x: Tensor, detail: str = "") -> Call:
    return Call(name, detail, tuple(x.shape), x.dtype)


def _read(message: Message, out: Tensor) -> None:
    if message.x.dtype != out.dtype or message.x.numel() != out.numel():
        raise checks.misfit(message.source, checks.describe(message.x), out)
    _fill(out.view(-1), message.x.view(-1))


def _fill(x: Tensor, value: Tensor) -> None:
    if not x.is_meta:
        x.copy_(value)
