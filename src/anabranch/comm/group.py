"""The members of a simulated communicator, and how their collective operations come together."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import torch

from anabranch.comm.costs import Links, Price
from anabranch.comm.deadlock import name_ranks
from anabranch.comm.ledger import Ledger
from anabranch.comm.scheduler import Scheduler, Strand
from anabranch.errors import CommunicationError, PeerLost

P = TypeVar("P")
R = TypeVar("R")


class Group:
    """What the members of one communicator share. `members` are world ranks, in the communicator's order."""

    def __init__(self, scheduler: Scheduler, links: Links, ledger: Ledger, members: Sequence[int]) -> None:
        self.scheduler = scheduler
        self.links = links
        self.ledger = ledger
        self.members = tuple(members)
        self.size = len(self.members)
        self.ranks = {world_rank: rank for rank, world_rank in enumerate(self.members)}
        self.revoked = False
        self.meetings: dict[tuple[str, int], Meeting] = {}
        self._lost: frozenset[int] = frozenset()
        self._deaths = 0

    def strand(self, rank: int) -> Strand:
        """The thread of control of the communicator's `rank`."""
        return self.scheduler.strands[self.members[rank]]

    def lost(self) -> frozenset[int]:
        """The communicator's ranks that are dead."""
        if self._deaths != self.scheduler.dead:
            self._deaths = self.scheduler.dead
            self._lost = frozenset(rank for rank in range(self.size) if self.strand(rank).dead)
        return self._lost


class PeerWait(ABC):
    """What a strand waits for when it needs others of its group."""

    def __init__(self, group: Group) -> None:
        self.group = group

    @abstractmethod
    def describe(self) -> str:
        """For example `recv from rank 0 (tag 0)`."""

    @abstractmethod
    def needs(self, rank: int) -> bool:
        """Whether the wait must be broken off when `rank` dies: it needs it, and is not yet sure to succeed."""


class Call(NamedTuple):
    """A collective operation as one rank calls it; all ranks must call it alike."""

    name: str
    detail: str = ""
    shape: tuple[int, ...] = ()
    dtype: torch.dtype | None = None

    def describe(self) -> str:
        """For example `allreduce (sum) of float32 [4]`."""
        detail = f" ({self.detail})" if self.detail else ""
        tensor = f" of {str(self.dtype).removeprefix('torch.')} {list(self.shape)}" if self.dtype else ""
        return f"{self.name}{detail}{tensor}"


class Meeting(PeerWait):
    """One collective operation under way: who has come, with what, and in the end the result for all."""

    def __init__(self, group: Group, call: Call, number: int) -> None:
        super().__init__(group)
        self.call = call
        self.number = number
        self.payloads: dict[int, Any] = {}
        self.latest = (0.0, 0)
        self.size = 0
        self.result: Any = None
        self.price = Price(0.0)
        self.over = False

    def describe(self) -> str:
        """For example `allreduce #3 (1 of 2 arrived)`; the number counts its communicator's collective calls."""
        return f"{self.call.name} #{self.number} ({len(self.payloads)} of {self.group.size} arrived)"

    def needs(self, rank: int) -> bool:  # noqa: ARG002
        """All of the group, until it is over."""
        return not self.over


class SurvivorMeeting(Meeting):
    """A meeting of those members that live."""

    def needs(self, rank: int) -> bool:  # noqa: ARG002
        """Nobody in particular."""
        return False

    def all_came(self) -> bool:
        """Whether every member that is alive has come."""
        return len(self.payloads) >= self.group.size - len(self.group.lost() - self.payloads.keys())


def meet(
    group: Group, rank: int, call: Call, number: int, payload: P, combine: Callable[[list[P]], R], size: int = 0
) -> R:
    """Bring `payload` to collective call `number`, wait for all members, and return what `combine` made of them.

    `combine` gets all payloads in rank order, once; its result goes to all ranks, and none may change it. `size`, in
    bytes, is what the operation moves for this rank; the largest has the price.

    Raises:
        CommunicationError: another rank's collective call `number` is another one.
        PeerLost: a member is dead, or dies before all have come.
    """
    if lost := group.lost():
        raise PeerLost(lost)
    meeting = _join(group.meetings.get(("all", number)) or Meeting(group, call, number), "all", rank, call, payload)
    meeting.size = max(meeting.size, size)
    if len(meeting.payloads) == group.size:
        _conclude(meeting, "all", combine)
    _wait(meeting, group.strand(rank))
    result: R = meeting.result
    return result


def meet_survivors(group: Group, rank: int, call: Call, number: int, combine: Callable[[list[int]], R]) -> R:
    """As `meet`, with the members that are alive; one that dies meanwhile is not waited for any longer."""
    found = group.meetings.get(("alive", number))
    meeting = found if isinstance(found, SurvivorMeeting) else SurvivorMeeting(group, call, number)
    _join(meeting, "alive", rank, call, rank)
    strand = group.strand(rank)
    while not meeting.over:
        if meeting.all_came():
            meeting.latest = max(meeting.latest, (strand.clock, strand.turn))  # a death may have been what was awaited
            _conclude(meeting, "alive", combine)
        _wait(meeting, strand)
    result: R = meeting.result
    return result


def revoke(group: Group, at: float) -> None:
    """Make every operation of the communicator raise `PeerLost` from now on, those under way included."""
    group.revoked = True
    lost = group.lost()
    for rank in range(group.size):
        strand = group.strand(rank)
        wait = strand.wait
        if isinstance(wait, PeerWait) and wait.group is group and any(map(wait.needs, range(group.size))):
            group.scheduler.interrupt(strand, at, PeerLost(lost))


def withdraw(stopped: Strand) -> None:
    """Take `stopped` out of the operation that it waits for, which cannot end without it."""
    meeting = stopped.wait
    if isinstance(meeting, Meeting) and not meeting.over:
        del meeting.payloads[meeting.group.ranks[stopped.rank]]


def break_off(scheduler: Scheduler, dead: Strand) -> None:
    """Wake all who wait for `dead`."""
    for strand in scheduler.strands:
        wait = strand.wait
        if not isinstance(wait, PeerWait) or dead.rank not in wait.group.ranks:
            continue
        if wait.needs(wait.group.ranks[dead.rank]):
            scheduler.interrupt(strand, dead.clock, PeerLost(wait.group.lost()))
        elif isinstance(wait, SurvivorMeeting):
            scheduler.wake(strand, dead.clock)


def _join(meeting: Meeting, kind: str, rank: int, call: Call, payload: object) -> Meeting:
    group = meeting.group
    if meeting.call != call:
        raise CommunicationError(
            f"collective call #{meeting.number} is {meeting.call.describe()} on {name_ranks(meeting.payloads)} but "
            f"{call.describe()} on rank {rank}: make all ranks call the same operations in the same order."
        )
    group.meetings[kind, meeting.number] = meeting
    meeting.payloads[rank] = payload
    strand = group.strand(rank)
    meeting.latest = max(meeting.latest, (strand.clock, strand.turn))
    return meeting


def _wait(meeting: Meeting, strand: Strand) -> None:
    """Until it is over, or something comes between; on the books either way."""
    came, ledger, name = strand.clock, meeting.group.ledger, meeting.call.name
    try:
        meeting.group.scheduler.wait(strand, meeting)
    finally:
        begin = max(came, meeting.latest[0]) if meeting.over else strand.clock
        ledger.span(strand.rank, "waiting", name, came, begin)
        if meeting.over:
            ledger.span(strand.rank, "communicating", name, begin, strand.clock)
            ledger.sent(strand.rank, meeting.price.sent)


def _conclude(meeting: Meeting, kind: str, combine: Callable[[list[Any]], R]) -> None:
    group = meeting.group
    del group.meetings[kind, meeting.number]
    came = sorted(meeting.payloads)
    meeting.result = combine([meeting.payloads[rank] for rank in came])
    meeting.over = True
    members = group.members if len(came) == group.size else [group.members[rank] for rank in came]
    clock, turn = meeting.latest
    meeting.price = group.links.collective(meeting.call.name, meeting.size, members, clock)
    cost = meeting.price.seconds
    for world_rank in members:
        # One place in time for all: they leave together and in rank order, whoever came last.
        group.scheduler.schedule(group.scheduler.strands[world_rank], clock + cost, 0 if cost else turn + 1)
