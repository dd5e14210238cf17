"""Messages, one-sided operations and losses by hand: 64 bytes take 1 + 4 s inside, 4 + 8 s between, 1 s to add."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from network_helpers import Block, cluster, network

from anabranch.cluster.description import Network
from anabranch.cluster.network import NetworkCosts, NetworkLinks
from anabranch.errors import UsageError

OPERATIONS = ("send", "get", "put", "accumulate", "fetch_add")


def links(most: int = 2, net: Network | None = None, **losses: Sequence[tuple[float, float]]) -> NetworkLinks:
    """Of 16 ranks; `r3=[(5, 1)]` loses a message of rank 3."""
    by_rank = {int(name[1:]): each for name, each in losses.items()}
    return NetworkCosts(cluster(net or network()), Block(16, most), by_rank).links()


@pytest.mark.parametrize(
    ("operation", "inside", "between", "own"),
    [
        ("send", 1 + 4, 4 + 8, 1 + 4),
        ("put", 1 + 4, 4 + 8, 4),
        ("get", 2 * 1 + 4, 2 * 4 + 8, 4),
        ("accumulate", 1 + 4 + 1, 4 + 8 + 1, 1),
        ("fetch_add", 2 * 1 + 4 + 1, 2 * 4 + 8 + 1, 1),
    ],
)
@pytest.mark.parametrize("call", [0.0, 0.5])
def test_alone(operation: str, inside: float, between: float, own: float, call: float) -> None:
    for to, seconds in ((1, inside), (2, between), (0, own)):
        assert links(net=network(call=call)).transfer(operation, 64, 0, to, 10) == (10, 10 + seconds + call)


def test_messages_to_one_node_queue_at_its_card() -> None:
    net = links(most=1)
    assert [net.transfer("send", 64, source, 0, 0) for source in (1, 2, 3)] == [(0, 12), (8, 20), (16, 28)]
    assert net.transfer("send", 64, 4, 5, 0) == (0, 12)


@given(st.integers(1, 15), st.integers(0, 10**6))
def test_k_messages_to_one_node_take_k_times_as_long(count: int, size: int) -> None:
    net = links(most=1)
    ends = [net.transfer("send", size, source, 0, 0).end for source in range(1, count + 1)]
    assert ends[-1] == 4 + count * size / 8


def test_messages_from_one_node_queue_at_its_card_if_they_share_it() -> None:
    shared, own = links(), links(net=network(shared_card=False))
    assert [shared.transfer("send", 64, 0, 2, 0), shared.transfer("send", 64, 1, 4, 0)] == [(0, 12), (8, 20)]
    assert [own.transfer("send", 64, 0, 2, 0), own.transfer("send", 64, 1, 4, 0)] == [(0, 12), (0, 12)]


def test_cards_are_full_duplex_and_the_inside_of_a_node_needs_none() -> None:
    net = links()
    assert [net.transfer("send", 64, 0, 2, 0), net.transfer("send", 64, 2, 0, 0)] == [(0, 12), (0, 12)]
    assert [net.transfer("send", 64, 0, 1, 0), net.transfer("send", 64, 1, 0, 0)] == [(0, 5), (0, 5)]


def test_a_message_that_is_late_for_its_own_card_keeps_no_other_waiting() -> None:
    net = links()
    net.transfer("send", 640, 0, 4, 0)  # out of its card at 80
    assert net.transfer("send", 64, 1, 2, 0) == (80, 92)
    assert net.transfer("send", 64, 6, 2, 1) == (1, 13)


def test_two_gets_at_one_owner() -> None:
    far, near = links(most=1), links(most=3)
    assert [far.transfer("get", 64, caller, 0, 0) for caller in (1, 2)] == [(0, 16), (8, 24)]
    assert [near.transfer("get", 64, caller, 0, 0) for caller in (1, 2)] == [(0, 6), (4, 10)]


def test_accumulations_queue_at_the_card_and_at_the_memory() -> None:
    net = links(most=1)
    # The second comes in from 12 on, when the card is free, and is added from 13 on, when the memory is.
    assert [net.transfer("accumulate", 64, caller, 0, 0) for caller in (1, 2)] == [(0, 13), (9, 22)]
    assert net.transfer("get", 64, 0, 0, 1) == (22, 26)  # 4 s do not fit before the first


def test_memories_of_several_owners_are_free_of_each_other() -> None:
    net = links(most=4)
    assert [net.transfer("put", 64, 0, 1, 0), net.transfer("put", 64, 2, 3, 0)] == [(0, 5), (0, 5)]


def test_each_loss_strikes_once_and_not_before_its_time() -> None:
    net = links(r0=[(5, 2.0), (30, 1.0), (31, 4.0)])
    assert net.transfer("send", 64, 0, 1, 4) == (4, 9)
    assert net.transfer("send", 64, 1, 0, 6) == (6, 11)
    assert net.transfer("get", 64, 0, 1, 6) == (6, 6 + 6 + 2)
    assert net.transfer("send", 64, 0, 1, 20) == (20, 25)
    assert net.transfer("send", 64, 0, 1, 31) == (31, 36 + 1 + 4)
    assert net.transfer("send", 64, 0, 1, 50) == (50, 55)


def test_only_what_is_sent_is_lost() -> None:
    net = links(r0=[(1, 2.0)])
    assert net.transfer("get", 64, 0, 0, 2) == links().transfer("get", 64, 0, 0, 2)
    assert net.collective("barrier", 0, (0,), 2) == links().collective("barrier", 0, (0,), 2)
    assert net.transfer("send", 64, 0, 1, 20) == (20, 25 + 2)


def test_who_shares_a_node() -> None:
    net = links(most=2)
    assert [net.same_node(0, other) for other in range(4)] == [True, True, False, False]


def test_a_loss_delays_the_collective_operation_of_its_rank() -> None:
    net = links(r0=[(1, 2.0)], r1=[(1, 3.0)], r2=[(1, 4.0)])
    alone = net.collective("barrier", 0, (0, 1), 0.5)
    assert alone.seconds == 1
    assert net.collective("barrier", 0, (0, 1), 2) == alone._replace(seconds=1 + 3)  # they wait at the same time
    assert net.collective("barrier", 0, (0, 1), 3) == alone
    assert net.collective("barrier", 0, (2, 3), 3).seconds == 1 + 4


def test_several_nodes_need_a_link() -> None:
    alone = cluster(replace(network(), between=None))
    assert NetworkCosts(alone, Block(4, 4)).links().transfer("send", 64, 0, 3, 0) == (0, 5)
    with pytest.raises(UsageError, match=r"several nodes.*\[network.between\]"):
        NetworkCosts(alone, Block(4, 3))


CALLS = st.lists(
    st.tuples(
        st.sampled_from(OPERATIONS), st.integers(0, 999), st.integers(0, 15), st.integers(0, 15), st.floats(0, 9)
    ),
    max_size=30,
)


@given(CALLS, st.integers(1, 16))
def test_every_world_begins_with_idle_links_and_nothing_is_faster_than_alone(
    calls: list[tuple[str, int, int, int, float]], most: int
) -> None:
    costs = NetworkCosts(cluster(network()), Block(16, most))
    first, second = costs.links(), costs.links()
    now = 0.0
    for operation, size, source, to, after in calls:
        now += after
        begin, end = first.transfer(operation, size, source, to, now)
        assert second.transfer(operation, size, source, to, now) == (begin, end)
        assert now <= begin <= end
        alone = costs.links().transfer(operation, size, source, to, now)
        assert alone.begin == now
        assert end >= alone.end
