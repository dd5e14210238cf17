"""Prices of the other collective operations, by hand, and of measured ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from network_helpers import block, cluster, flat, network

from anabranch.cluster.collective_measured import interpolate
from anabranch.cluster.collective_modes import OPERATIONS, price
from anabranch.cluster.collectives import allgather_doubling, allgather_ring, binomial, bruck, scatter_allgather
from anabranch.cluster.description import Allreduce, Measured
from anabranch.cluster.shape import Shape
from anabranch.errors import UsageError

SHAPES = st.integers(1, 70).flatmap(lambda ranks: st.builds(block, st.just(ranks), st.integers(1, ranks)))
NAMES = st.sampled_from(["allreduce", *OPERATIONS])


@pytest.mark.parametrize(
    ("operation", "seconds", "sent", "algorithm"),
    [
        ("allgather", 2 * 1 + 3 * 4, 3 * 64, "recursive doubling"),
        ("broadcast", 2 * (1 + 4), 3 * 64 / 4, "binomial tree"),
        ("barrier", 2, 0, "dissemination"),
        ("gather", 2 * 1 + 3 * 4, (1 + 1 + 2) * 64 / 4, "binomial tree"),
        ("split", 2 * 1 + 3 * 1, 48, "recursive doubling"),
        ("window", 2 * 1 + 3 * 1 + 2, 48, "recursive doubling and dissemination"),
        ("window's close", 7, 48, "recursive doubling and dissemination"),
        ("shrink", 3 * 2, 0, "agreement"),
    ],
)
def test_four_ranks_of_one_node(operation: str, seconds: float, sent: float, algorithm: str) -> None:
    assert price(cluster(network()), operation, 64, flat(4)) == (seconds, sent, algorithm)


def test_two_ranks_on_each_of_two_nodes() -> None:
    net, shape = network(), block(4, 2)
    assert allgather_ring(net, shape, 64).seconds == 3 * (4 + 8)
    assert allgather_doubling(net, shape, 64).seconds == (1 + 4) + (4 + 2 * 16)
    assert bruck(net, shape, 64).seconds == (4 + 8) + (4 + 2 * 16)
    assert binomial(net, shape, 64).seconds == (1 + 4) + (4 + 8)
    assert scatter_allgather(net, shape, 64).seconds == (1 + 1) + (4 + 4) + 3 * (4 + 2)
    assert price(cluster(net), "barrier", 0, shape).seconds == 4 + 4
    assert price(cluster(net), "gather", 64, shape).seconds == (1 + 4) + (4 + 16)


def test_three_ranks() -> None:
    net = network()
    assert bruck(net, flat(3), 64)[:2] == (2 * 1 + 2 * 4, 128)
    assert allgather_ring(net, flat(3), 64).seconds == 2 * 5
    assert price(cluster(net), "allgather", 64, flat(3)).algorithm == "Bruck"  # there is no doubling of three
    assert binomial(net, flat(3), 48)[:2] == (2 * (1 + 3), 32)
    # The scatter sends 16 bytes twice, each chunk one hop; the ring does 2 rounds of 16.
    assert scatter_allgather(net, flat(3), 48)[:2] == (2 * (1 + 1) + 2 * (1 + 1), 2 * 16 / 3 + 32)


def test_a_long_vector_is_broadcast_in_chunks() -> None:
    assert price(cluster(network()), "broadcast", 64, flat(8)).algorithm == "binomial tree"
    assert price(cluster(network()), "broadcast", 6400, flat(8)).algorithm == "scatter and ring"


def test_the_call_itself_costs() -> None:
    costly = cluster(network(call=0.5))
    assert price(costly, "allreduce", 64, flat(1)) == (0.5, 0, "")
    assert price(costly, "barrier", 0, flat(4)).seconds == 2.5


@pytest.mark.parametrize(("mode", "seconds"), [("ordered", 2 + 12 + 3), ("cheapest", 10.75), ("master", 28)])
def test_the_cluster_says_how_it_reduces(mode: Allreduce, seconds: float) -> None:
    assert price(cluster(network(allreduce=mode)), "allreduce", 64, flat(4)).seconds == seconds


def test_a_wrong_operation_is_named() -> None:
    with pytest.raises(UsageError, match="did you mean 'barrier'"):
        price(cluster(network()), "barier", 0, flat(2))


@given(NAMES.filter(lambda name: name != "allreduce"), SHAPES, st.integers(0, 10**9), st.integers(0, 10**9))
def test_more_bytes_are_never_cheaper(operation: str, shape: Shape, size: int, more: int) -> None:
    small, large = (price(cluster(network()), operation, each, shape) for each in (size, size + more))
    assert 0 <= small.seconds <= large.seconds * (1 + 1e-12)
    assert 0 <= small.sent <= large.sent


TABLE = Measured("allreduce", 4, (100, 10_000, 20_000), (1.0, 100.0, 300.0))


def test_measurements_go_before_the_model() -> None:
    measured = cluster(network(call=0.5), TABLE)
    assert price(measured, "allreduce", 100, flat(4)) == (1.0, 300, "measured")  # all of it, the call included
    assert price(measured, "allreduce", 100, flat(5)).algorithm != "measured"
    assert price(measured, "allreduce", 100, block(4, 2)).algorithm != "measured"
    assert price(measured, "allgather", 100, flat(4)).algorithm != "measured"
    assert price(cluster(network(allreduce="master"), TABLE), "allreduce", 100, flat(4)).algorithm == "master"


@pytest.mark.parametrize(
    ("size", "seconds"),
    [(0, 1), (100, 1), (1000, 10), (10_000, 100), (20_000, 300), (30_000, 300 + 10_000 * 200 / 10_000)],
)
def test_between_beyond_and_below_what_was_measured(size: int, seconds: float) -> None:
    assert interpolate(TABLE, size) == pytest.approx(seconds, rel=1e-12)


def test_one_measurement() -> None:
    assert interpolate(Measured("barrier", 4, (0,), (3.0,)), 0) == 3
    assert interpolate(Measured("barrier", 4, (0,), (3.0,)), 10) == 3
    assert [interpolate(Measured("gather", 4, (100,), (3.0,)), size) for size in (10, 100, 200)] == [3, 3, 6]


def test_noise_and_zeros_in_measurements() -> None:
    falling = Measured("gather", 4, (100, 200), (4.0, 2.0))
    assert interpolate(falling, 1000) == 2
    assert interpolate(Measured("gather", 4, (0, 100), (1.0, 3.0)), 50) == 2
