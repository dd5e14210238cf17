"""What communication costs in virtual time. This version: nothing."""

from collections.abc import Sequence
from typing import Protocol


class Costs(Protocol):
    """The price list of a simulated world's links."""

    def cost(self, operation: str, size: int, ranks: Sequence[int]) -> float:
        """Seconds that `operation` takes when it moves `size` bytes a rank between `ranks` (world ranks).

        `operation` is the communicator's or window's method, `ranks` all members of a collective operation, or (from,
        to) of a message, or (caller, owner) of a window's operation.
        """
        ...


class ZeroCosts:
    """Communication takes no time."""

    def cost(self, operation: str, size: int, ranks: Sequence[int]) -> float:  # noqa: ARG002
        """0 seconds."""
        return 0.0
