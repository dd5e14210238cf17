"""What each worker did from the end of one epoch to the end of the next, from the totals that one rank is told."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from anabranch.strategies.monitor import Throughput


@dataclass(frozen=True)
class Totals:
    """Of one worker, since the task began.

    Attributes:
        examples: that it has used.
        waiting: seconds in which it stood still for a fetch or a push.
    """

    examples: int
    waiting: float


class Paces:
    """Differences between totals.

    Args:
        clock: of the world, in seconds. Where it stands still real seconds are taken, and nothing is known of waiting.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._at, self._real = clock, clock(), time.monotonic()
        self._before: dict[int, Totals] = {}
        self._ages = self._pushes = 0

    def since(self, totals: Mapping[int, Totals]) -> list[Throughput]:
        """What each worker, by its number, did since the last call."""
        at, real = self._clock(), time.monotonic()
        told, by_clock = at - self._at, at > self._at
        seconds = told if by_clock else real - self._real
        self._at, self._real = at, real
        found = []
        for number, now in sorted(totals.items()):
            before = self._before.get(number, Totals(0, 0.0))
            waiting = min(max(now.waiting - before.waiting, 0.0), seconds) if by_clock else None
            found.append(Throughput(number, now.examples - before.examples, seconds - (waiting or 0.0), waiting))
        self._before = dict(totals)
        return found

    def staleness(self, ages: int, pushes: int) -> float | None:
        """Mean age of the pushes since the last call; so far there were `pushes`, with so great a sum of `ages`."""
        older, more = ages - self._ages, pushes - self._pushes
        self._ages, self._pushes = ages, pushes
        return older / more if more else None
