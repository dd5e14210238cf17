"""Prices of allreduce, by hand: 64 bytes take 4 s inside a node, 8 s between nodes, 1 s to add."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from network_helpers import block, flat, network

from anabranch.cluster.collective_allreduce import (
    NATIVE,
    Algorithm,
    cheapest,
    rabenseifner,
    recursive_doubling,
    ring,
    trees,
)
from anabranch.cluster.collective_modes import SMALL, chunked, master, ordered
from anabranch.cluster.collective_rounds import alone
from anabranch.cluster.description import Link
from anabranch.cluster.shape import Shape

SHAPES = st.integers(2, 70).flatmap(lambda ranks: st.builds(block, st.just(ranks), st.integers(1, ranks)))
SIZES = st.integers(0, 10**9)


@pytest.mark.parametrize(
    ("ranks", "size", "algorithm", "seconds", "sent"),
    [
        (2, 64, recursive_doubling, 6.0, 64),
        (2, 64, ring, 6.5, 64),
        (2, 64, rabenseifner, 6.5, 64),
        (2, 64, trees, 11.0, 64),
        (3, 48, recursive_doubling, 13.5, 64),  # fold, one exchange, unfold: 3 (1 + 3) + 2 * 0.75
        (3, 48, ring, 8.5, 64),
        (3, 48, rabenseifner, 14.125, 64),
        (3, 48, trees, 17.5, 64),
        (4, 64, recursive_doubling, 12.0, 128),
        (4, 64, ring, 12.75, 96),
        (4, 64, rabenseifner, 10.75, 96),
        (4, 64, trees, 22.0, 96),
        (8, 64, recursive_doubling, 18.0, 192),
        (8, 64, ring, 21.875, 112),
        (8, 64, rabenseifner, 13.875, 112),
        (8, 64, trees, 33.0, 112),
        (4, 64, chunked, 12.75, 96),  # on one node, the ring's rounds
        (4, 64, master, 3 * 6.0 + 10, 96),
    ],
)
def test_on_one_node(ranks: int, size: int, algorithm: Algorithm, seconds: float, sent: float) -> None:
    assert algorithm(network(), flat(ranks), size)[:2] == (seconds, sent)


@pytest.mark.parametrize(
    ("algorithm", "shared", "alone"),
    [
        (recursive_doubling, (5 + 1) + (20 + 1), (5 + 1) + (12 + 1)),
        (ring, 6 * 6 + 0.75, 6 * 6 + 0.75),
        (rabenseifner, 6.5 + 2 * 8 + 0.25, 6.5 + 2 * 6 + 0.25),
        (trees, 2 * 5 + 1 + 2 * 12 + 1, 36),
        (chunked, (6 + 8 + 6) + 3 * (6 + 0.25), (6 + 6 + 6) + 3 * (6 + 0.25)),
        (master, (5 + 1) + 2 * (12 + 1) + (5 + 12), 49),
    ],
)
def test_two_ranks_on_each_of_two_nodes(algorithm: Algorithm, shared: float, alone: float) -> None:
    assert algorithm(network(), block(4, 2), 64).seconds == shared
    assert algorithm(network(shared_card=False), block(4, 2), 64).seconds == alone


def test_two_ranks_on_each_of_four_nodes() -> None:
    net, shape = network(), block(8, 2)
    assert recursive_doubling(net, shape, 64).seconds == 6 + 21 + 21
    assert ring(net, shape, 64).seconds == 14 * 5 + 7 * 0.125
    assert rabenseifner(net, shape, 64).seconds == 6.5 + (2 * 8 + 0.25) + (2 * 6 + 0.125)
    # Shifts by 1 to 7 of 8 bytes: one message leaves each node in the first and the last, two in the others.
    assert chunked(net, shape, 64).seconds == (2 * 5 + 5 * 6) + 7 * (5 + 0.125)


@given(SHAPES, SIZES, st.sampled_from([*NATIVE, cheapest, chunked, master]), st.integers(0, 10**9))
def test_more_bytes_are_never_cheaper(shape: Shape, size: int, algorithm: Algorithm, more: int) -> None:
    less, greater = algorithm(network(), shape, size), algorithm(network(), shape, size + more)
    assert 0 <= less.seconds <= greater.seconds * (1 + 1e-12)
    assert less.sent >= 0


@given(SHAPES, SIZES, st.sampled_from([*NATIVE, ordered, master]))
def test_a_card_of_ones_own_is_never_dearer(shape: Shape, size: int, algorithm: Algorithm) -> None:
    assert algorithm(network(shared_card=False), shape, size).seconds <= algorithm(network(), shape, size).seconds


def test_the_cheapest_is_a_matter_of_size() -> None:
    net = replace(network(), inside=Link(1e-6, 1e10), add_bandwidth=1e10)
    assert cheapest(net, flat(16), 8).algorithm == "recursive doubling"
    assert cheapest(net, flat(16), 10**9).algorithm in ("Rabenseifner", "ring")
    assert cheapest(net, flat(15), 10**9).algorithm == "ring"  # nothing is folded there


def test_the_ring_moves_every_byte_twice_however_many_ranks_there_are() -> None:
    net = replace(network(), inside=Link(0.0, 16.0), add_bandwidth=float("inf"))
    assert ring(net, flat(1024), 1024.0).seconds == 2 * (1024 / 16) * 1023 / 1024


@given(st.integers(3, 70), SIZES)
def test_the_rank_order_has_its_price_on_one_node(ranks: int, size: int) -> None:
    slower, faster = ordered(network(), flat(ranks), size).seconds, cheapest(network(), flat(ranks), size).seconds
    # Bruck's allgather needs one round less than a folded doubling, so that small vectors may win that.
    folded = ranks.bit_count() > 1 and ranks * size < SMALL
    assert slower >= (faster - folded * alone(network().inside, size)) * (1 - 1e-12)


def test_the_ordered_algorithm_changes_where_it_does_on_mpi() -> None:
    net, shape = network(), flat(4)
    assert ordered(net, flat(2), 64) == cheapest(net, flat(2), 64)
    assert ordered(net, shape, 64) == (2 * 1 + 3 * 4 + 3 * 1, 3 * 64, "ordered: recursive doubling")
    assert ordered(net, shape, SMALL // 4 - 1).algorithm == "ordered: recursive doubling"
    assert ordered(net, shape, SMALL // 4) == chunked(net, shape, SMALL // 4)


def test_the_threshold_is_that_of_our_mpi() -> None:
    spec = find_spec("anabranch.comm.mpi_reduce")  # read, for importing it would start MPI
    assert spec is not None
    assert spec.origin is not None
    assert "\nSMALL = 256 * 1024 " in Path(spec.origin).read_text()
    assert SMALL == 256 * 1024
