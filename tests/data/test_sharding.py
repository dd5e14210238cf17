import re

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from anabranch.data import check_sharding, epoch_batches, shard, shard_length, smallest_batch, steps_per_epoch
from anabranch.data.sharding import pass_batches
from anabranch.errors import UsageError
from anabranch.seeding import derive_seed, generator

SEEDS = st.integers(-(2**40), 2**63)


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 500), size=st.integers(1, 500), seed=SEEDS)
def test_shards_are_disjoint_covering_and_even(n: int, size: int, seed: int) -> None:
    assume(size <= n)
    shards = [shard(n, rank, size, seed) for rank in range(size)]
    assert torch.cat(shards).sort().values.tolist() == list(range(n))
    lengths = [len(part) for part in shards]
    assert max(lengths) - min(lengths) <= 1
    assert lengths == [shard_length(n, rank, size) for rank in range(size)]
    assert torch.equal(shards[-1], shard(n, size - 1, size, seed))


@settings(max_examples=100, deadline=None)
@given(
    n=st.integers(1, 500), size=st.integers(1, 40), batch_size=st.integers(1, 80), epoch=st.integers(0, 50), seed=SEEDS
)
def test_an_epoch_uses_each_example_once(n: int, size: int, batch_size: int, epoch: int, seed: int) -> None:
    assume(size <= n and batch_size <= n // size)
    assume(batch_size > 1 or n % size == 0)
    steps = steps_per_epoch(n, size, batch_size)
    for rank in range(size):
        batches = epoch_batches(n, epoch, rank, size, seed, batch_size)
        lengths = [len(batch) for batch in batches]
        assert len(batches) == steps
        assert min(lengths) >= 1
        assert max(lengths) <= batch_size
        assert max(lengths) - min(lengths) <= 1
        assert torch.cat(batches).sort().values.tolist() == list(range(shard_length(n, rank, size)))
        again = epoch_batches(n, epoch, rank, size, seed, batch_size)
        assert all(torch.equal(one, other) for one, other in zip(batches, again, strict=True))


@settings(max_examples=100, deadline=None)
@given(n=st.integers(1, 500), size=st.integers(1, 40), batch_size=st.integers(1, 80))
def test_what_the_check_lets_pass_has_no_empty_batch(n: int, size: int, batch_size: int) -> None:
    try:
        check_sharding(n, size, batch_size)
    except UsageError:
        assert size > n or batch_size > n // size or (batch_size == 1 and n % size)
    else:
        assert steps_per_epoch(n, size, batch_size) <= n // size


@settings(max_examples=100, deadline=None)
@given(n=st.integers(1, 200), size=st.integers(1, 20), batch_size=st.integers(1, 40))
def test_the_smallest_batch(n: int, size: int, batch_size: int) -> None:
    assume(size <= n and batch_size <= n // size)
    assume(batch_size > 1 or n % size == 0)
    lengths = [
        len(batch)
        for rank in range(size)
        for batches in (
            epoch_batches(n, 0, rank, size, 1, batch_size),
            pass_batches(shard_length(n, rank, size), 0, rank, 1, batch_size),
        )
        for batch in batches
    ]
    assert smallest_batch(n, size, batch_size) == min(lengths)


@settings(max_examples=50, deadline=None)
@given(n=st.integers(20, 500), epoch=st.integers(0, 1000), seed=SEEDS)
def test_orders_differ_between_epochs_ranks_and_seeds(n: int, epoch: int, seed: int) -> None:
    def order(epoch: int, rank: int, seed: int) -> list[int]:
        return [int(i) for i in torch.cat(epoch_batches(2 * n, epoch, rank, 2, seed, 5))]

    orders = [order(epoch, 0, seed), order(epoch + 1, 0, seed), order(epoch, 1, seed), order(epoch, 0, seed + 1)]
    assert len({tuple(positions) for positions in orders}) == 4
    assert shard(n, 0, 1, seed).tolist() != shard(n, 0, 1, seed + 1).tolist()


def test_the_drawing_in_the_module() -> None:
    assert [shard(7, rank, 2, 0).tolist() for rank in (0, 1)] == [[5, 2, 4, 3], [0, 1, 6]]
    table = [[[b.tolist() for b in epoch_batches(7, e, r, 2, 0, 2)] for r in (0, 1)] for e in (0, 1)]
    assert table == [[[[0, 1], [3, 2]], [[0, 2], [1]]], [[[3, 2], [1, 0]], [[2, 1], [0]]]]


def test_a_shard_owns_its_memory() -> None:
    assert shard(100, 0, 10, 0).untyped_storage().nbytes() == 80


@pytest.mark.parametrize(
    ("n", "size", "batch_size", "sentence"),
    [
        (3, 5, 1, "5 workers but only 3 examples: use 3 workers or fewer, or more data."),
        (
            1500,
            15,
            125,
            "batch size 125 is larger than the smallest shard (100 examples on each of 15 workers): "
            "use --batch-size 100 or fewer, or fewer workers.",
        ),
        (
            1505,
            15,
            101,
            "batch size 101 is larger than the smallest shard (100 examples of 1505 on 15 workers): "
            "use --batch-size 100 or fewer, or fewer workers.",
        ),
        (100, 1, 125, "batch size 125 is larger than the 100 examples: use --batch-size 100 or fewer."),
        (
            10,
            4,
            1,
            "10 examples do not divide evenly among 4 workers, so with batch size 1 some would have none in the last "
            "step: use --batch-size 2 or more, or 2 workers.",
        ),
        (
            3,
            2,
            1,
            "3 examples do not divide evenly among 2 workers, so with batch size 1 some would have none in the last "
            "step: use 1 worker.",
        ),
        (10, 2, 0, "the batch size is 0: it must be 1 or more."),
        (10, 0, 1, "the number of workers is 0: it must be 1 or more."),
    ],
)
def test_sizes_that_do_not_fit(n: int, size: int, batch_size: int, sentence: str) -> None:
    with pytest.raises(UsageError, match=f"^{re.escape(sentence)}$"):
        check_sharding(n, size, batch_size)
    with pytest.raises(UsageError, match=f"^{re.escape(sentence)}$"):
        epoch_batches(n, 0, 0, size, 0, batch_size)


@pytest.mark.parametrize("rank", [-1, 2])
def test_no_such_rank(rank: int) -> None:
    sentence = re.escape(f"there is no rank {rank} among 2 workers: ranks run from 0 to 1.")
    with pytest.raises(UsageError, match=sentence):
        shard(10, rank, 2, 0)
    with pytest.raises(UsageError, match=sentence):
        epoch_batches(10, 0, rank, 2, 0, 1)


@settings(deadline=None)
@given(parts=st.lists(st.integers(-(2**63), 2**64 - 1), max_size=4))
def test_seeds_are_pure_and_fit_torch(parts: list[int]) -> None:
    seed = derive_seed(*parts)
    assert 0 <= seed < 2**63
    assert seed == derive_seed(*parts)
    assert seed != derive_seed(*parts, 0)
    assert generator(*parts).initial_seed() == seed


def test_the_order_of_the_parts_counts() -> None:
    assert len({derive_seed(0, 1), derive_seed(1, 0), derive_seed(1), derive_seed(2**32), derive_seed(-1)}) == 5
