"""Who sits on which node."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.cluster import Nodes, Placement
from anabranch.errors import UsageError


def test_blocks_by_hand() -> None:
    place = Placement(Nodes(3, 4), 10)
    assert [place.node(rank) for rank in range(10)] == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2]
    assert [place.on_node(rank) for rank in (0, 5, 9)] == [4, 4, 2]
    assert (place.nodes_used, place.most, place.oversubscribed) == (3, 4, False)


def test_two_to_a_node() -> None:
    place = Placement(Nodes(8, 4), 5, 2)
    assert [place.node(rank) for rank in range(5)] == [0, 0, 1, 1, 2]
    assert (place.nodes_used, place.most, place.oversubscribed) == (3, 2, False)


def test_more_workers_than_cores_share_evenly() -> None:
    place = Placement(Nodes(2, 4), 12)
    assert Counter(place.node(rank) for rank in range(12)) == {0: 6, 1: 6}
    assert place.oversubscribed
    assert Placement(Nodes(2, 4), 5, 5).oversubscribed


def test_no_room() -> None:
    with pytest.raises(
        UsageError, match=r"9 processes do not fit: 2 on each of 4 nodes are 8; .* 3 or more on each node"
    ):
        Placement(Nodes(4, 4), 9, 2)
    with pytest.raises(UsageError, match="number of workers on each node"):
        Placement(Nodes(4, 4), 9, 0)


@given(st.integers(1, 20), st.integers(1, 16), st.integers(1, 300))
def test_every_worker_has_a_place(count: int, cores: int, workers: int) -> None:
    place = Placement(Nodes(count, cores), workers)
    found = Counter(place.node(rank) for rank in range(workers))
    assert set(found) == set(range(place.nodes_used))
    assert place.nodes_used <= count
    assert max(found.values()) == place.most
    assert all(place.on_node(rank) == found[place.node(rank)] for rank in range(workers))
    assert place.oversubscribed == (place.most > cores)
