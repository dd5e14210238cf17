"""What befalls which worker, and when, by hand."""

import dataclasses
import math

import pytest

from anabranch.cluster import Cluster, Failure, Link, Network, Nodes, Speed, fates, losses
from anabranch.cluster.fate import slow_spells
from anabranch.comm import Fate


def cluster(*failures: Failure, seed: int = 0) -> Cluster:
    network = Network(Link(1e-6, 1e9), retransmission=0.5, retries=3)
    speed = Speed(1e9)
    return Cluster("c", Nodes(1, 4), network, (speed,), failures=failures, detection=0.25, supervision=8.0, seed=seed)


def test_the_dead_are_noticed_soon_and_the_hung_late() -> None:
    found = fates(cluster(Failure("die", rank=1, at=3.0), Failure("hang", rank=2, at=4.0)), 4)
    assert found == {1: Fate(3.0, 3.25), 2: Fate(4.0, 12.0)}


def test_the_earliest_end_counts() -> None:
    found = fates(cluster(Failure("die", rank=1, at=3.0), Failure("hang", rank=1, at=2.0)), 4)
    assert found == {1: Fate(2.0, 10.0)}


def test_who_is_not_there_is_not_befallen() -> None:
    failures = [Failure(kind, rank=4, at=1.0) for kind in ("die", "hang", "lose")]
    assert fates(cluster(*failures), 4) == {}
    assert losses(cluster(*failures), 4) == {}
    assert set(fates(cluster(*failures), 5)) == {4}


def test_a_message_is_sent_again_later_and_later() -> None:
    """0.5 s, then 1 s, then 2 s; and then its sender is given up."""
    lost = cluster(*(Failure("lose", rank=n, at=1.0, times=n) for n in (1, 2, 3, 4)))
    assert losses(lost, 5) == {1: [(1.0, 0.5)], 2: [(1.0, 1.5)], 3: [(1.0, 3.5)]}
    assert fates(lost, 5) == {4: Fate(1.0, 4.5)}


def test_losses_come_in_order() -> None:
    lost = cluster(Failure("lose", rank=0, at=5.0), Failure("lose", rank=0, at=2.0))
    assert losses(lost, 1) == {0: [(2.0, 0.5), (5.0, 0.5)]}


def test_slow_spells_are_of_one_worker() -> None:
    slow = cluster(
        Failure("slow", rank=1, at=2.0, seconds=3.0, factor=4.0),
        Failure("slow", rank=1, at=9.0, factor=2.0),
        Failure("die", rank=1, at=20.0),
    )
    assert slow_spells(slow, 3, 1) == [(2.0, 5.0, 4.0), (9.0, math.inf, 2.0)]
    assert slow_spells(slow, 3, 0) == []


def test_random_times_are_exponential_each_workers_own_and_of_the_seed() -> None:
    random = cluster(Failure("die", mean=100.0))
    found = fates(random, 4000)
    times = [found[rank].stops for rank in range(4000)]
    assert len(set(times)) == 4000
    assert sum(times) / 4000 == pytest.approx(100, rel=0.1)
    assert sum(at > 100 for at in times) / 4000 == pytest.approx(math.exp(-1), abs=0.03)
    assert fates(random, 10) == {rank: found[rank] for rank in range(10)}  # others change nothing
    assert fates(dataclasses.replace(random, seed=1), 10) != fates(random, 10)


def test_two_random_failures_of_one_worker_differ() -> None:
    both = cluster(Failure("lose", mean=10.0), Failure("lose", mean=10.0))
    (first, _), (second, _) = losses(both, 1)[0]
    assert first < second


def test_a_workers_random_spells_are_those_among_all() -> None:
    slow = cluster(Failure("slow", mean=10.0, factor=2.0, seconds=1.0))
    found = [slow_spells(slow, 50, rank) for rank in range(50)]
    assert len({spells[0][0] for spells in found}) == 50
    assert slow_spells(slow, 10, 3) == found[3]
    assert slow_spells(cluster(Failure("slow", rank=3, at=1.0, factor=2.0)), 3, 2) == []
