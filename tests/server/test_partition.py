"""Shards: everything once, in order, and every owner its share."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.errors import UsageError
from anabranch.server.partition import SHARD_BYTES, Partition, Piece, contiguous, hashed, partition

OWNERS = st.integers(1, 12)
PARTITIONS = st.builds(contiguous, st.integers(1, 300), OWNERS) | st.builds(
    hashed, st.integers(1, 300), OWNERS, st.integers(1, 40)
)
MEGABYTE = SHARD_BYTES // 4  # in float32


@given(PARTITIONS)
def test_the_pieces_cover_everything_once_in_order(shards: Partition) -> None:
    assert shards.pieces[0].start == 0
    for before, after in zip(shards.pieces, shards.pieces[1:], strict=False):
        assert before.stop == after.start
    assert all(piece.length >= 1 for piece in shards.pieces)
    assert sum(shards.held(owner) for owner in range(shards.owners)) == shards.pieces[-1].stop


@given(PARTITIONS)
def test_the_pieces_of_an_owner_tile_its_memory(shards: Partition) -> None:
    for owner in range(shards.owners):
        end = 0
        for slot, piece in enumerate(shards.of(owner)):
            assert (piece.owner, piece.slot, piece.offset) == (owner, slot, end)
            end += piece.length
        assert shards.held(owner) == end
    assert {piece.owner for piece in shards.pieces} <= set(range(shards.owners))
    assert shards.pieces[0].owner == 0


@given(st.integers(1, 300), OWNERS)
def test_contiguous_lengths_differ_by_at_most_one(parameters: int, owners: int) -> None:
    held = [contiguous(parameters, owners).held(owner) for owner in range(owners)]
    assert sum(held) == parameters
    assert max(held) - min(held) <= 1
    assert held == sorted(held, reverse=True)


def test_contiguous_by_hand() -> None:
    assert partition(10, 3, "contiguous") == Partition(
        (Piece(0, 4, 0, 0, 0), Piece(4, 7, 1, 0, 0), Piece(7, 10, 2, 0, 0)), 3
    )


@pytest.mark.parametrize("placing", ["contiguous", "hashed"])
def test_owners_beyond_the_parameters_hold_nothing(placing: str) -> None:
    shards = partition(2, 5, placing)  # type: ignore[arg-type]
    held = [shards.held(owner) for owner in range(5)]
    assert held == ([1, 1, 0, 0, 0] if placing == "contiguous" else [2, 0, 0, 0, 0])
    assert shards.of(4) == []


def test_hashed_shards_are_of_one_megabyte_but_the_last() -> None:
    assert MEGABYTE == 262_144
    lengths = [piece.length for piece in partition(3 * MEGABYTE + 1, 2, "hashed").pieces]
    assert lengths == [MEGABYTE] * 3 + [1]
    doubles = [piece.length for piece in partition(MEGABYTE, 2, "hashed", itemsize=8).pieces]
    assert doubles == [MEGABYTE // 2] * 2


def test_one_owner_has_all_hashed_shards_in_order() -> None:
    assert hashed(10, 1, 4).pieces == (Piece(0, 4, 0, 0, 0), Piece(4, 8, 0, 4, 1), Piece(8, 10, 0, 8, 2))


@given(st.integers(1, 300), OWNERS, st.integers(1, 40))
def test_hashed_shards_are_dealt_out_evenly_and_always_alike(parameters: int, owners: int, shard: int) -> None:
    shards = hashed(parameters, owners, shard)
    assert shards == hashed(parameters, owners, shard)
    counts = [len(shards.of(owner)) for owner in range(owners)]
    assert max(counts) - min(counts) <= 1


def test_neighbouring_shards_are_spread_at_random() -> None:
    """Were they dealt out in their own order, no two neighbours would have one owner; by chance a quarter has."""
    owners = [piece.owner for piece in partition(400 * MEGABYTE, 4, "hashed").pieces]
    together = sum(one == other for one, other in itertools.pairwise(owners))
    assert 60 <= together <= 140


@pytest.mark.parametrize("placing", ["contiguous", "hashed"])
@pytest.mark.parametrize(("parameters", "owners"), [(0, 1), (-3, 2), (5, 0), (5, -1)])
def test_nothing_to_share_or_nobody(parameters: int, owners: int, placing: str) -> None:
    with pytest.raises(UsageError, match=f"{parameters} parameters cannot be shared out among {owners} owners"):
        partition(parameters, owners, placing)  # type: ignore[arg-type]
