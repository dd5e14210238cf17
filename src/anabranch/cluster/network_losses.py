"""Messages that get lost, and what it costs to send them again."""

from collections.abc import Iterable, Mapping, Sequence

Losses = Mapping[int, Sequence[tuple[float, float]]]
"""Of a rank: times from which its next message is lost, and the seconds that this costs."""


class Pending:
    """The losses that have not happened yet. Each strikes once: the first communication at or after its time."""

    def __init__(self, losses: Losses) -> None:
        rows = ((at, rank, delay) for rank, each in losses.items() for at, delay in each)
        self._coming = sorted(rows, reverse=True)
        self._due: dict[int, float] = {}

    def strike(self, ranks: Iterable[int], now: float) -> float:
        """Seconds that are lost to a communication of `ranks` as of `now`.

        Losses of one rank follow each other; those of several are waited out at the same time.
        """
        while self._coming and self._coming[-1][0] <= now:
            _, rank, delay = self._coming.pop()
            self._due[rank] = self._due.get(rank, 0.0) + delay
        if not self._due:
            return 0.0
        return max([self._due.pop(rank) for rank in ranks if rank in self._due], default=0.0)
