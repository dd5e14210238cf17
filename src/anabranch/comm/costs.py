"""What communication costs in virtual time: the price list of a simulated world. Without one it costs nothing."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Price(NamedTuple):
    """Of one collective operation: seconds from when the last rank has come, bytes that a rank sends, and how."""

    seconds: float
    sent: float = 0.0
    algorithm: str = ""


class Transfer(NamedTuple):
    """When a message, or a window's operation, is under way: from `begin` (queued before) to `end`, in seconds."""

    begin: float
    end: float


class Links(Protocol):
    """The links of one world while it runs. They may remember until when they are busy."""

    def collective(self, operation: str, size: int, ranks: Sequence[int], now: float) -> Price:
        """The price of `operation`, a communicator's method, on `size` bytes a rank.

        `ranks` are all members, as world ranks; the last of them came at `now`, in seconds.
        """
        ...

    def transfer(self, operation: str, size: int, source: int, to: int, now: float) -> Transfer:
        """Carry `size` bytes for `operation`, "send" or a window's method, as of `now`. Calls come in order of time.

        `source` and `to` are world ranks: of a message, or the caller and the owner of a window's memory.
        """
        ...

    def same_node(self, one: int, other: int) -> bool:
        """Whether these world ranks reach each other's memory by themselves, without a network."""
        ...


class Costs(Protocol):
    """The price list of a simulated world."""

    def links(self) -> Links:
        """Idle links, for a world that begins."""
        ...


class ZeroCosts:
    """Communication takes no time."""

    def links(self) -> Links:
        """There is nothing to remember."""
        return self

    def collective(self, operation: str, size: int, ranks: Sequence[int], now: float) -> Price:  # noqa: ARG002
        """0 seconds."""
        return Price(0.0)

    def transfer(self, operation: str, size: int, source: int, to: int, now: float) -> Transfer:  # noqa: ARG002
        """0 seconds."""
        return Transfer(now, now)

    def same_node(self, one: int, other: int) -> bool:  # noqa: ARG002
        """There is one node."""
        return True
