"""Messages between simulated ranks. A send waits until its message is taken, as MPI_Ssend does.

So a program that runs here does not deadlock on MPI for want of buffers; and a message needs no copy of its own, since
its sender stands still, or has promised not to touch it.
"""

import math
from bisect import insort
from operator import attrgetter

from torch import Tensor

from anabranch.comm.costs import Transfer
from anabranch.comm.group import Group, PeerWait
from anabranch.comm.ledger import Ledger
from anabranch.comm.scheduler import Strand
from anabranch.errors import PeerLost, ReceiveTimeout


class Message(PeerWait):
    """A tensor under way, and what its sender waits for. `source` and `to` are ranks in the group."""

    def __init__(self, group: Group, source: int, to: int, tag: int, x: Tensor) -> None:
        super().__init__(group)
        self.source = source
        self.to = to
        self.tag = tag
        self.x = x
        self.transfer = Transfer(math.inf, math.inf)
        self.arrival = (math.inf, 0)
        self.taken = False

    def describe(self) -> str:
        """For example `send to rank 1 (tag 0)`."""
        return f"send to rank {self.group.members[self.to]} (tag {self.tag})"

    def needs(self, rank: int) -> bool:
        """The receiver, until it has taken the message."""
        return rank == self.to and not self.taken


class Expectation(PeerWait):
    """What a receiver waits for."""

    def __init__(self, mailbox: "Mailbox", group: Group, to: int, source: int | None, tag: int) -> None:
        super().__init__(group)
        self.mailbox = mailbox
        self.to = to
        self.source = source
        self.tag = tag

    def describe(self) -> str:
        """For example `recv from any rank (tag 0)`."""
        source = "any rank" if self.source is None else f"rank {self.group.members[self.source]}"
        return f"recv from {source} (tag {self.tag})"

    def accepts(self, message: Message) -> bool:
        """Whether `message`, of the right group, receiver and tag, comes from the right source."""
        return self.source is None or self.source == message.source

    def needs(self, rank: int) -> bool:
        """Its source; without a source it must hear of every death. Nobody once a message is under way."""
        return self.source in (None, rank) and self.mailbox.first(self) is None


class Mailbox:
    """The messages of one communicator that are under way."""

    def __init__(self) -> None:
        self._queues: dict[tuple[int, int], list[Message]] = {}
        self._sent = 0
        self._ends: dict[tuple[int, int, int], float] = {}

    def send(self, message: Message) -> None:
        """Post `message`, and return when its receiver has taken it.

        Raises:
            PeerLost: the receiver died before.
        """
        self.post(message)
        self.stand(message)

    def post(self, message: Message) -> None:
        """Get `message` under way.

        Raises:
            PeerLost: the receiver is dead.
        """
        group = message.group
        if message.to in (lost := group.lost()) or group.revoked:
            raise PeerLost(lost)
        receiver = group.strand(message.to)
        self._dispatch(message, group.strand(message.source).clock)
        wait = receiver.wait
        if isinstance(wait, Expectation) and wait.mailbox is self and wait.tag == message.tag and wait.accepts(message):
            group.scheduler.wake(receiver, message.arrival[0])

    def stand(self, message: Message) -> None:
        """Let the sender of `message` stand still until it is taken.

        Raises:
            PeerLost: the receiver died before.
        """
        group = message.group
        sender = group.strand(message.source)
        stood = sender.clock
        try:
            group.scheduler.wait(sender, message)
        except BaseException:
            self.withdraw(message)
            raise
        finally:
            _enter("send", group.ledger, sender, stood, message)

    def withdraw(self, message: Message) -> None:
        """Take `message` off its way, if it still is on it."""
        queue = self._queue(message.to, message.tag)
        if message in queue:
            queue.remove(message)

    def is_there(self, wanted: Expectation) -> bool:
        """Whether what `wanted` waits for has come, or never will."""
        message = self.first(wanted)
        if message is None:
            return wanted.source in wanted.group.lost() or wanted.group.revoked
        return message.arrival[0] <= wanted.group.strand(wanted.to).clock

    def take(self, wanted: Expectation, timeout: float | None, known: frozenset[int]) -> Message:
        """Wait for the first message to arrive that `wanted` accepts, and take it.

        The caller reads it before it does anything else, for from then on the sender may go on. `timeout` is in
        seconds; `known` are the dead that the receiver has heard of already.

        Raises:
            ReceiveTimeout: nothing came in time.
            PeerLost: the source is dead; or, without a source, a rank that is not `known` is.
        """
        group, strand = wanted.group, wanted.group.strand(wanted.to)
        if group.revoked:
            raise PeerLost(group.lost())
        asked, message = strand.clock, None
        try:
            message = self._await(wanted, timeout, known)
        finally:
            _enter("recv", group.ledger, strand, asked, message)
        self._queue(wanted.to, wanted.tag).remove(message)
        message.taken = True
        sender = group.strand(message.source)
        if sender.wait is message:
            group.scheduler.wake(sender, strand.clock)
        return message

    def _await(self, wanted: Expectation, timeout: float | None, known: frozenset[int]) -> Message:
        """The message that `take` takes, once it is there."""
        group, strand = wanted.group, wanted.group.strand(wanted.to)
        deadline = math.inf if timeout is None else strand.clock + timeout
        waited = False
        while (message := self.first(wanted)) is None or message.arrival[0] > strand.clock:
            if message is None:
                self._check_lost(wanted, known)
            if waited and strand.clock >= deadline:
                raise ReceiveTimeout(
                    f"rank {wanted.to} got no message within {timeout} s: {wanted.describe()} is still open."
                )
            # Even a timeout of 0 waits for its turn, or a rank that polls would never let the others send.
            group.scheduler.wait(strand, wanted, min(deadline, message.arrival[0] if message else math.inf))
            waited = True
        return message

    def first(self, wanted: Expectation) -> Message | None:
        """The message that arrives first, of those under way that `wanted` accepts."""
        return next(filter(wanted.accepts, self._queue(wanted.to, wanted.tag)), None)

    def _queue(self, to: int, tag: int) -> list[Message]:
        """The messages for `to` with `tag`, by time of arrival, then in the order of sending."""
        return self._queues.setdefault((to, tag), [])

    def _dispatch(self, message: Message, now: float) -> None:
        group = message.group
        source, to = group.members[message.source], group.members[message.to]
        self._sent += 1
        begin, end = group.links.transfer("send", message.x.nbytes, source, to, now)
        way = message.source, message.to, message.tag
        end = self._ends[way] = max(end, self._ends.get(way, end))  # none overtakes another, as in MPI
        message.transfer = Transfer(begin, end)
        message.arrival = (end, self._sent)
        group.ledger.sent(source, message.x.nbytes)
        insort(self._queue(message.to, message.tag), message, key=attrgetter("arrival"))

    def _check_lost(self, wanted: Expectation, known: frozenset[int]) -> None:
        lost = wanted.group.lost()
        news = lost - known if wanted.source is None else lost & {wanted.source}
        if news:
            raise PeerLost(lost)


def _enter(name: str, ledger: Ledger, strand: Strand, since: float, message: Message | None) -> None:
    """Put what `strand` did until now on the books: it waited, while `message` was under way it communicated."""
    begin, end = message.transfer if message else (math.inf, math.inf)
    begin, end = (min(max(at, since), strand.clock) for at in (begin, end))
    ledger.span(strand.rank, "waiting", name, since, begin)
    ledger.span(strand.rank, "communicating", name, begin, end)
    ledger.span(strand.rank, "waiting", name, end, strand.clock)
