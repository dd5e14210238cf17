"""Operations of simulated ranks that go on while their rank computes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from anabranch.comm.mailbox import Expectation, Mailbox, Message
from anabranch.errors import CommunicationError, PeerLost

Read = Callable[[Message], None]
"""Copies a message to where its receiver wants it, or raises."""


Hear = Callable[[frozenset[int]], None]
"""Notes that this rank has heard of the death of these."""


class Sending:
    """A message under way: done when its receiver has taken it."""

    def __init__(self, mailbox: Mailbox, message: Message, hear: Hear) -> None:
        self._mailbox, self._message, self._hear = mailbox, message, hear

    def done(self) -> bool:
        """Whether it was taken.

        Raises:
            PeerLost: the receiver has died before.
        """
        if not self._message.taken and self._message.to in (lost := self._message.group.lost()):
            self._mailbox.withdraw(self._message)
            self._hear(lost)
            raise PeerLost(lost)
        return self._message.taken

    def wait(self) -> None:
        """Stand still until it was taken."""
        if not self.done():
            with _hearing(self._hear):
                self._mailbox.stand(self._message)


class Receiving:
    """A message that is expected: done when it has come and was copied. When it has failed, each call says so."""

    def __init__(self, mailbox: Mailbox, wanted: Expectation, read: Read, hear: Hear) -> None:
        self._mailbox, self._wanted, self._read, self._hear, self._over = mailbox, wanted, read, hear, False
        self._error: CommunicationError | None = None

    def done(self) -> bool:
        """Whether it is here; then it was copied.

        Raises:
            PeerLost: its sender has died, and nothing is under way.
            CommunicationError: it does not fit.
        """
        if self._over or self._mailbox.is_there(self._wanted):
            self.wait()
        return self._over

    def wait(self) -> None:
        """Stand still until it is here. Raises as `done`."""
        if not self._over:
            self._over = True
            try:
                with _hearing(self._hear):
                    self._read(self._mailbox.take(self._wanted, None, frozenset()))
            except CommunicationError as error:
                self._error = error
        if self._error is not None:
            raise self._error


@contextmanager
def _hearing(hear: Hear) -> Iterator[None]:
    try:
        yield
    except PeerLost as lost:
        hear(lost.ranks)
        raise
