"""What a worker sees of a parameter server, whatever carries the parameters."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from anabranch.comm.base import Request

FINISHED, SIGNALLED = 1, 128  # why work stops: the second with a signal's number added to it


@dataclass(frozen=True)
class Note:
    """What a worker has done since its last note: it rides on a push.

    Attributes:
        examples: whose gradients are in the push.
        loss: summed over them.
        waiting: seconds in which the worker has stood still for fetches and pushes.
    """

    examples: int = 0
    loss: float = 0.0
    waiting: float = 0.0


@dataclass(frozen=True)
class Heard:
    """What a worker was last told.

    Attributes:
        examples: that all workers have used since the task began.
        stop: 0: go on; FINISHED; or SIGNALLED and the number of a signal. Not 0 means to stop.
        deaths: how many workers have died.
    """

    examples: int = 0
    stop: int = 0
    deaths: int = 0


class Fetch(Request, Protocol):
    """Parameters on their way into the tensor that was given."""

    versions: Sequence[int]
    """Of each shard, once it is done: how many pushes it had seen, at least."""


class Transport(Protocol):
    """The way to the shards of one task's parameters [P].

    Attributes:
        heard: what was last told.
        staleness: of this worker's pushes, where only the worker can know it.
    """

    heard: Heard
    staleness: Counter[int]

    def start_fetch(self, out: Tensor, taken: int) -> Fetch:
        """Get the parameters into `out` [P]; `taken` are the examples that this worker has begun so far."""
        ...

    def start_push(self, x: Tensor, versions: Sequence[int], note: Note) -> Request:
        """Push `x` [P], computed from shards of these `versions`. The contents of `x` are used up."""
        ...

    def wish(self, why: int) -> None:
        """Ask that all stop, for the reason `why`."""
        ...


class Every:
    """Several requests as one: done when all are."""

    def __init__(self, requests: Iterable[Request]) -> None:
        self._left = list(requests)

    def done(self) -> bool:
        """Whether all have ended."""
        self._left = [request for request in self._left if not request.done()]
        return not self._left

    def wait(self) -> None:
        """Return when all have ended."""
        while self._left:
            self._left[0].wait()
            del self._left[0]
