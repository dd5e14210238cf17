"""Ranks that work while others rest: a communicator without others, and waiting that leaves the cores alone."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from anabranch.comm.base import Communicator, Op
from anabranch.comm.reduce import divide
from anabranch.comm.wrappers import Counting

T = TypeVar("T")

TAG = 77  # of the messages that wake others up
PATIENCE = 3600.0  # seconds that a rank rests at most


class Alone(Counting):
    """A group of this rank alone. Its means are divided by 1, as MPI's are: that is part of a step."""

    def __init__(self, comm: Communicator) -> None:
        super().__init__(comm)
        self.rank, self.size = 0, 1

    def allreduce(self, x: Tensor, op: Op = "sum") -> None:
        """The reduction over one rank is there already."""
        if op == "mean":
            divide(x, 1)

    def broadcast(self, x: Tensor, root: int) -> None:
        """There is nobody to tell."""


def while_others_rest(comm: Communicator, workers: Sequence[int], work: Callable[[], T]) -> T | None:
    """What `work` returns on the ranks `workers`; None on the others, which rest until the first worker is done.

    They poll for its message with naps between: one that waits in a barrier would spin, and take the worker's core.
    Collective.
    """
    word, first = torch.zeros(1), workers[0]
    if comm.rank not in workers:
        comm.recv(word, first, TAG, PATIENCE)
        return None
    result = work()
    if comm.rank == first:
        for rank in range(comm.size):
            if rank not in workers:
                comm.send(word, rank, TAG)
    return result
