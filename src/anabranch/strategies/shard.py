"""A rank's part of the training data, and how an epoch cuts it into batches."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import torch
from torch import Tensor

from anabranch.comm.base import Communicator
from anabranch.data import sharding
from anabranch.types import Batch

Draws = Literal["same", "own", "shard"]
"""Of random minibatches: every rank the same, each its own from all the data, each its own from its shard."""

SERVES = -1  # the rank, among the workers, of one that is no worker


class Rows(Protocol):
    """Examples that are read by their numbers: `data.Examples`, or what computes them on the way."""

    def __len__(self) -> int: ...

    def take(self, index: Tensor, dtype: torch.dtype) -> Batch:
        """The examples at `index` [batch] int64."""
        ...

    def chunks(self, size: int, dtype: torch.dtype) -> Iterator[Batch]:
        """All examples in order, at most `size` at a time."""
        ...


@dataclass(frozen=True)
class Shard:
    """The rows `members` of `source`, which are this rank's; every rank makes as many steps an epoch.

    Attributes:
        source: the rows.
        members: [n] int64, this rank's rows of `source`.
        total: examples on all ranks together.
        rank: of this rank among the workers, or SERVES.
        size: number of workers.
        batch_size: the most examples of a batch, per rank.
        seed: of the order in which an epoch visits them.
        dtype: of the batches.
        whole: the rows of all ranks, where `source` holds this rank's alone.
        adopted: how many of `members` were another's.
        ordered: whether every epoch visits them in the order of `members`, and not in one of its own.
    """

    source: Rows
    members: Tensor
    total: int
    rank: int
    size: int
    batch_size: int
    seed: int
    dtype: torch.dtype = torch.float32
    whole: Rows | None = None
    adopted: int = 0
    ordered: bool = False

    @classmethod
    def at(
        cls,
        source: Rows,
        comm: Communicator,
        servers: int,
        batch_size: int,
        seed: int,
        dtype: torch.dtype = torch.float32,
    ) -> "Shard":
        """The shard of `source` that falls to this rank under `seed`, the same division on every rank.

        The first `servers` ranks serve, and get no examples.

        Raises:
            UsageError: more workers than examples, or (when it is cut into batches) a batch larger than a shard.
        """
        workers, number = comm.size - servers, comm.rank - servers
        members = torch.empty(0, dtype=torch.int64)
        if number >= 0:
            members = sharding.shard(len(source), number, workers, seed)
        return cls(source, members, len(source), max(number, SERVES), workers, batch_size, seed, dtype)

    @classmethod
    def of(
        cls, source: Rows, comm: Communicator, batch_size: int, seed: int, dtype: torch.dtype = torch.float32
    ) -> "Shard":
        """As `at`, where every rank works."""
        return cls.at(source, comm, 0, batch_size, seed, dtype)

    def adopting(self, dead: frozenset[int]) -> "Shard":
        """This rank's own shard, with its part of those of the ranks that are dead: all the living share them."""
        alive = [rank for rank in range(self.size) if rank not in dead]
        place = alive.index(self.rank)
        own, *others = (sharding.shard(self.total, rank, self.size, self.seed) for rank in (self.rank, *sorted(dead)))
        members = torch.cat([own, *(rows[place :: len(alive)] for rows in others)])
        return replace(
            self, source=self.whole or self.source, members=members, whole=None, adopted=len(members) - len(own)
        )

    def __len__(self) -> int:
        return len(self.members)

    @property
    def steps(self) -> int:
        """Batches an epoch: on every rank; or, of a rank that serves, of all the others together."""
        each = sharding.steps_per_epoch(self.total, self.size, self.batch_size)
        return each * self.size if self.rank == SERVES else each

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Each example of the shard once, in an order of the epoch's own, or in that of an `ordered` shard."""
        if self.adopted:
            positions = sharding.pass_batches(len(self), epoch, self.rank, self.seed, self.batch_size)
        elif self.ordered:
            positions = list(torch.tensor_split(torch.arange(len(self)), self.steps))
        else:
            positions = sharding.epoch_batches(self.total, epoch, self.rank, self.size, self.seed, self.batch_size)
        rows = self.members[torch.cat(positions)]
        for batch in torch.split(rows, [len(batch) for batch in positions]):
            yield self.source.take(batch, self.dtype)

    def draw(self, number: int, fraction: float, draws: Draws) -> Batch:
        """The random minibatch of this `number`: a `fraction` of what `draws` says, without replacement."""
        if draws == "shard":
            rows = self.members[sharding.drawn(len(self), fraction, number, self.rank, self.seed)]
            return self.source.take(rows, self.dtype)
        stream = self.rank if draws == "own" else 0
        everything = self.whole or self.source
        return everything.take(sharding.drawn(self.total, fraction, number, stream, self.seed), self.dtype)

    def in_order(self, size: int, dtype: torch.dtype | None = None) -> Iterator[Batch]:
        """The whole shard, at most `size` examples at a time, in the order of `members`; in its dtype or another."""
        for start in range(0, len(self), size):
            yield self.source.take(self.members[start : start + size], dtype or self.dtype)
