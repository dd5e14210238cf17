"""Who trains on what, and in which order: pure functions of (n, rank, size, seed, epoch).

    n = 7 examples, size = 2 workers, batch_size = 2, seed = 0

               rank 0       rank 1
    shard       5 2 4 3      0 1 6     examples, the same in every epoch
    epoch 0    [0 1][3 2]   [0 2][1]   positions in the shard: two steps on either rank
    epoch 1    [3 2][1 0]   [2 1][0]

Membership does not depend on the epoch: the layer outputs of a deep belief network stay on the rank that computed them
(De Filippo De Grazia, Stoianov and Zorzi 2012, flowchart steps 1* and 9*).
"""

from functools import lru_cache

import torch
from torch import Tensor

from anabranch.errors import UsageError
from anabranch.seeding import generator

# Streams of their own, so that other users of the same seed draw other numbers.
_SHARD_STREAM = int.from_bytes(b"shard")
_EPOCH_STREAM = int.from_bytes(b"epoch")
_DRAW_STREAM = int.from_bytes(b"draw")


def shard(n: int, rank: int, size: int, seed: int) -> Tensor:
    """The examples of one rank, [n // size or one more] int64: a random split of 0..n-1, disjoint and covering.

    Raises:
        UsageError: more workers than examples, or no such rank.
    """
    _check_workers(n, size)
    _check_rank(rank, size)
    start = rank * (n // size) + min(rank, n % size)
    return _order(n, seed)[start : start + shard_length(n, rank, size)].clone()


@lru_cache(maxsize=1)
def _order(n: int, seed: int) -> Tensor:
    """All examples in the order in which they are dealt out. Kept: the ranks of a simulated world ask one by one."""
    return torch.randperm(n, generator=generator(_SHARD_STREAM, seed))


def shard_length(n: int, rank: int, size: int) -> int:
    """The number of examples of `shard(n, rank, size, ...)`: the first n % size ranks have one more."""
    return n // size + (rank < n % size)


def steps_per_epoch(n: int, size: int, batch_size: int) -> int:
    """The number of batches in an epoch, the same on every rank: the largest shard over `batch_size`, rounded up.

    Raises:
        UsageError: as `check_sharding`.
    """
    check_sharding(n, size, batch_size)
    return -(-shard_length(n, 0, size) // batch_size)


def smallest_batch(n: int, size: int, batch_size: int) -> int:
    """The number of examples of the smallest batch of any rank, in step or at its own pace.

    Raises:
        UsageError: as `check_sharding`.
    """
    in_step = n // size // steps_per_epoch(n, size, batch_size)
    lengths = (n // size, shard_length(n, 0, size))
    return min(in_step, *(length // -(-length // batch_size) for length in lengths))


def epoch_batches(n: int, epoch: int, rank: int, size: int, seed: int, batch_size: int) -> list[Tensor]:
    """The batches of one rank in one epoch: `steps_per_epoch` tensors of positions in its shard, int64.

    Each position occurs exactly once; batches differ by at most one example and never exceed `batch_size`.

    Raises:
        UsageError: as `check_sharding`, or no such rank.
    """
    steps = steps_per_epoch(n, size, batch_size)
    _check_rank(rank, size)
    order = torch.randperm(shard_length(n, rank, size), generator=generator(_EPOCH_STREAM, seed, epoch, rank))
    return list(torch.tensor_split(order, steps))


def pass_batches(length: int, epoch: int, rank: int, seed: int, batch_size: int) -> list[Tensor]:
    """As `epoch_batches`, of a shard of any `length`; how many batches there are depends on it alone."""
    order = torch.randperm(length, generator=generator(_EPOCH_STREAM, seed, epoch, rank))
    return list(torch.tensor_split(order, -(-length // batch_size)))


def drawn(n: int, fraction: float, number: int, stream: int, seed: int) -> Tensor:
    """The random draw of this `number` from n examples, without replacement: a `fraction` of them, at least one.

    Draws of one `stream` (a rank, say) do not depend on those of another.
    """
    count = min(max(round(fraction * n), 1), n)
    return torch.randperm(n, generator=generator(_DRAW_STREAM, seed, number, stream))[:count]


def check_sharding(n: int, size: int, batch_size: int) -> None:
    """Check that `n` examples can be cut for `size` workers into batches of at most `batch_size`, none empty.

    Raises:
        UsageError: more workers than examples, or a batch size that does not fit the shards.
    """
    _check_workers(n, size)
    if batch_size < 1:
        raise UsageError(f"the batch size is {batch_size}: it must be 1 or more.")
    smallest, uneven = n // size, n % size != 0
    if batch_size > smallest:
        fewer = "" if size == 1 else ", or fewer workers"
        raise UsageError(
            f"batch size {batch_size} is larger than {_smallest_shard(n, size)}: "
            f"use --batch-size {smallest} or fewer{fewer}."
        )
    if batch_size == 1 and uneven:
        # Larger batches absorb the difference of one example; batches of one would leave a rank without any.
        workers = next(count for count in range(size, 0, -1) if n % count == 0)
        larger = "--batch-size 2 or more, or " if smallest > 1 else ""
        raise UsageError(
            f"{n} examples do not divide evenly among {size} workers, so with batch size 1 some would have none in the "
            f"last step: use {larger}{workers} worker{'s' * (workers > 1)}."
        )


def _smallest_shard(n: int, size: int) -> str:
    if size == 1:
        return f"the {n} examples"
    spread = f"on each of {size} workers" if n % size == 0 else f"of {n} on {size} workers"
    return f"the smallest shard ({n // size} examples {spread})"


def _check_workers(n: int, size: int) -> None:
    if size < 1:
        raise UsageError(f"the number of workers is {size}: it must be 1 or more.")
    if size > n:
        raise UsageError(f"{size} workers but only {n} examples: use {max(n, 1)} workers or fewer, or more data.")


def _check_rank(rank: int, size: int) -> None:
    if not 0 <= rank < size:
        raise UsageError(f"there is no rank {rank} among {size} workers: ranks run from 0 to {size - 1}.")
