"""The end of a simulated rank: raised by a program, or foreseen for an exact virtual time."""

import math
from dataclasses import dataclass


class RankDied(BaseException):
    """Raised inside a simulated rank's program, this kills that rank alone: the others meet `PeerLost`.

    It stands for SIGKILL, so it is no `Exception`: a strategy's own `except Exception` must not survive it.
    """


@dataclass(frozen=True)
class Fate:
    """When a rank's process stops for ever, by dying or hanging, and when the others can know of it, in seconds.

    Until `noticed` they wait for it in vain; then they meet `PeerLost`. Infinity: never.
    """

    stops: float = math.inf
    noticed: float = math.inf
