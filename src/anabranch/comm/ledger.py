"""What the ranks of a simulated world spend their virtual time on: sums, and on request every span of it."""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

Kind = Literal["computing", "waiting", "communicating"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class Span(NamedTuple):
    """What a rank did from `begin` to `end`, in seconds: the operation `name`, so many `times` in a row."""

    rank: int
    kind: Kind
    name: str
    begin: float
    end: float
    times: int = 1


class Account(NamedTuple):
    """One rank's virtual time, in seconds, and the bytes that it has sent."""

    clock: float = 0.0
    computing: float = 0.0
    waiting: float = 0.0
    communicating: float = 0.0
    sent: float = 0.0


class Ledger:
    """The books of a world of `size` ranks.

    Args:
        size: number of ranks.
        spans: the most spans to keep; 0 keeps the sums alone. Neighbours that are alike become one span.
        start: where each rank stood when an earlier run of the same world was broken off.

    Attributes:
        spans: in the order in which they ended; complete unless `cut`.
        cut: the time before which all spans began that were kept, for there were too many; infinite where all were.
    """

    def __init__(self, size: int, spans: int = 0, start: Sequence[Account] = ()) -> None:
        self.spans: list[Span] = []
        self.cut = math.inf
        self._most = spans
        self._open: list[Span | None] = [None] * size
        self._ends = [math.inf] * size
        self._sums = {kind: [float(getattr(account, kind)) for account in start] or [0.0] * size for kind in KINDS}
        self._sent = [account.sent for account in start] or [0.0] * size
        self._clocks = [account.clock for account in start] or [0.0] * size

    def span(self, rank: int, kind: Kind, name: str, begin: float, end: float) -> None:
        """Rank `rank` has done this; no time at all is not worth a line."""
        end = min(end, self._ends[rank])
        if end <= begin:
            return
        self._sums[kind][rank] += end - begin
        self._clocks[rank] = end
        if self._most and begin < self.cut:
            self._keep(Span(rank, kind, name, begin, end))

    def sent(self, rank: int, size: float) -> None:
        """Rank `rank` has sent `size` bytes."""
        self._sent[rank] += size

    def stop(self, rank: int, at: float) -> None:
        """The process of `rank` does nothing more from `at` on."""
        self._ends[rank] = at

    def accounts(self) -> list[Account]:
        """Of every rank, in their order."""
        sums = [self._sums[kind] for kind in KINDS]
        return [Account(*row) for row in zip(self._clocks, *sums, self._sent, strict=True)]

    def account(self, rank: int) -> Account:
        """Of one rank."""
        computing, waiting, communicating = (self._sums[kind][rank] for kind in KINDS)
        return Account(self._clocks[rank], computing, waiting, communicating, self._sent[rank])

    def close(self) -> None:
        """Put the spans that might still have grown to the others. No more may follow."""
        left = sorted((span for span in self._open if span), key=lambda span: (span.end, span.rank))
        self.spans += left
        self._open = [None] * len(self._open)

    def _keep(self, span: Span) -> None:
        before = self._open[span.rank]
        if before and before.kind == span.kind and before.name == span.name and before.end == span.begin:
            self._open[span.rank] = before._replace(end=span.end, times=before.times + 1)
            return
        if before:
            self.spans.append(before)
        self._open[span.rank] = span
        if len(self.spans) >= self._most and self.cut == math.inf:
            self.cut = span.begin
