"""Rounds: who leaves its node, and how long the slowest message takes."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from network_helpers import BETWEEN, INSIDE, block, counted, flat, network

from anabranch.cluster.collective_rounds import Round, distances, exchange, fold, power_below, seconds, shift, tree
from anabranch.cluster.shape import Shape, Shapes, shape_of
from anabranch.errors import UsageError

BLOCKS = st.integers(2, 40).flatmap(lambda ranks: st.builds(block, st.just(ranks), st.integers(1, ranks)))


def test_a_round_takes_as_long_as_its_slowest_message() -> None:
    net = network()
    assert seconds(net, Round(0, True), 64) == 1 + 4
    assert seconds(net, Round(1, False), 64) == 4 + 8
    assert seconds(net, Round(3, True), 64) == 4 + 3 * 8
    assert seconds(network(shared_card=False), Round(3, True), 64) == 4 + 8
    assert seconds(net, Round(0, False), 64) == 0


def test_a_fast_network_does_not_hide_a_slow_memory() -> None:
    swapped = replace(network(), inside=BETWEEN, between=INSIDE)
    assert seconds(swapped, Round(1, True), 64) == 4 + 8
    assert seconds(swapped, Round(1, False), 64) == 1 + 4


def test_without_a_link_between_nodes_nothing_leaves_one() -> None:
    alone = replace(network(), between=None)
    assert seconds(alone, Round(0, True), 64) == 5
    with pytest.raises(UsageError, match=r"\[network.between\]"):
        seconds(alone, Round(1, True), 64)


@given(st.integers(0, 50), st.integers(0, 10**9), st.booleans())
def test_more_streams_on_one_card_are_never_cheaper(streams: int, size: int, shared: bool) -> None:
    net = network(shared_card=shared)
    assert seconds(net, Round(streams, True), size) <= seconds(net, Round(streams + 1, True), size)


@given(st.integers(1, 5000))
def test_distances_and_powers(ranks: int) -> None:
    assert len(distances(ranks)) == math.ceil(math.log2(ranks))
    assert power_below(ranks) == 2 ** math.floor(math.log2(ranks))


@given(BLOCKS, st.data())
def test_shifts_are_as_counted(shape: Shape, data: st.DataObject) -> None:
    by = data.draw(st.integers(1, shape.ranks - 1))
    pairs = [(rank, (rank + by) % shape.ranks) for rank in range(shape.ranks)]
    assert shift(shape, by) == counted(pairs, shape.most)


@given(BLOCKS)
def test_in_a_pairwise_exchange_every_rank_of_a_node_writes_to_all_others(shape: Shape) -> None:
    leaving = sum(shift(shape, by).streams for by in range(1, shape.ranks))
    assert leaving == shape.most * (shape.ranks - shape.most)


@given(BLOCKS, st.data())
def test_trees_are_as_counted(shape: Shape, data: st.DataObject) -> None:
    distance = data.draw(st.sampled_from(distances(shape.ranks)))
    pairs = [(rank - distance, rank) for rank in range(shape.ranks) if rank % (2 * distance) == distance]
    assert tree(shape, distance) == counted(pairs, shape.most)
    assert tree(shape, distance).streams <= 1


def test_exchanges_by_hand() -> None:
    assert [exchange(block(8, 4), distance) for distance in (1, 2, 4)] == [(0, True), (0, True), (4, False)]
    assert [exchange(flat(8), distance) for distance in (1, 2, 4)] == [(0, True)] * 3
    # Six ranks on two nodes: 0 and 2 hand over to 1 and 3, and then 1, 3, 4, 5 exchange.
    assert fold(block(6, 3)) == Round(1, True)
    assert exchange(block(6, 3), 1) == Round(1, True)  # 1-3, 4-5
    assert exchange(block(6, 3), 2) == Round(1, True)  # 1-4, 3-5


def test_the_shape_of_a_group() -> None:
    assert shape_of((0, 1, 2, 3, 4), lambda rank: rank // 3) == Shape(5, 2, 3)
    assert shape_of([0, 3, 6], lambda rank: rank // 3) == Shape(3, 3, 1)


def test_a_group_is_counted_once() -> None:
    asked = []

    def node(rank: int) -> int:
        asked.append(rank)
        return 0

    shapes = Shapes(node)
    ranks, survivors = tuple(range(1000)), [1, 2]
    assert [shapes.find(ranks) for _ in range(5)] == [Shape(1000, 1, 1000)] * 5
    assert len(asked) == 1000
    assert shapes.find(survivors) == Shape(2, 1, 2)
    survivors.append(3)
    assert shapes.find(survivors) == Shape(3, 1, 3)
