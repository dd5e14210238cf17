"""What is judged at the end of an epoch, where that is not a worker's own weights."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor

from anabranch.comm.base import Communicator

Judged = Callable[[Communicator], Tensor]
"""The weights [P] that a task would end in, if it ended here. Collective, and the same on every rank."""


def mean_of(w: Tensor) -> Judged:
    """The mean of all replicas' weights, of which `w` [P] is this rank's."""

    def mean(comm: Communicator) -> Tensor:
        found = w.clone()
        comm.allreduce(found, op="mean")
        return found

    return mean


@contextmanager
def lent(w: Tensor, other: Tensor) -> Iterator[None]:
    """Let the task's weights `w` be `other` for a while."""
    own = w.clone()
    w.copy_(other)
    try:
        yield
    finally:
        w.copy_(own)
