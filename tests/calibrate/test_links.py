"""In a simulated world the links and operations that are measured are those of its network."""

import pytest

from anabranch.calibrate.alone import Alone, while_others_rest
from anabranch.calibrate.assemble import Computing
from anabranch.calibrate.assemble import cluster as assembled
from anabranch.calibrate.collectives import Table, collectives, interface_latency, tables
from anabranch.calibrate.findings import Findings
from anabranch.calibrate.fit import Fit
from anabranch.calibrate.links import fit_link, ping_pong, repeats
from anabranch.calibrate.places import Places, places
from anabranch.cluster import Cluster, Link, Measured, Network, NetworkCosts, Nodes, Placement, Speed, load_cluster
from anabranch.comm.base import Communicator
from anabranch.comm.simulated import SimulatedWorld

LINK = Link(latency=2e-6, bandwidth=8e9)


def world(ranks: int, *measured: Measured) -> SimulatedWorld:
    nodes = Nodes(1, 4)
    cluster = Cluster("test", nodes, Network(LINK, interface_latency=3e-6), (), measured=measured)
    return SimulatedWorld(ranks, NetworkCosts(cluster, Placement(nodes, ranks)))


def test_a_link_is_found_again() -> None:
    samples = world(2).run(lambda comm: ping_pong(comm, 0, 1))[0]
    found = fit_link(samples)
    call = dict(samples)[8] - 8 / LINK.bandwidth - LINK.latency  # what the calls themselves take in this world
    assert call == pytest.approx(3e-6)
    assert found.bandwidth == pytest.approx(LINK.bandwidth, rel=1e-6)
    assert found.latency == pytest.approx(LINK.latency + call, rel=1e-6)


def test_a_cluster_that_was_measured_is_charged_as_it_was() -> None:
    """Latency, bandwidth and the time of a call, found by messages and calls that take them."""

    def measure(comm: Communicator) -> tuple[float, Link]:
        return interface_latency(comm), fit_link(ping_pong(comm, 0, 1))

    call, link = world(2).run(measure)[0]
    found = Findings(2, 1, 2, 4, 1.0, call, inside=link)
    computing = Computing(Fit((Speed(1e9),), 0.0, 0.0), 1e9, 4)
    made = assembled("again", "", computing, [found], load_cluster("laptop"))
    assert made.network.interface_latency == pytest.approx(3e-6)
    assert made.network.inside.latency == pytest.approx(LINK.latency)
    assert made.network.inside.bandwidth == pytest.approx(LINK.bandwidth)


def test_a_link_by_hand() -> None:
    """1 µs and 1 GB/s: 1000 bytes take 2 µs, 9000 bytes 10 µs."""
    found = fit_link([(1000, 2e-6), (9000, 10e-6)])
    assert [found.latency, found.bandwidth] == pytest.approx([1e-6, 1e9])


def test_operations_are_found_again() -> None:
    known = Measured("allreduce", 3, (4, 16_777_216), (1e-5, 1e-5))

    def measure(comm: Communicator) -> Table:
        return collectives(comm)

    found = world(3, known).run(measure)[0]
    assert {size: seconds for (name, size), seconds in found.items() if name == "allreduce"} == {
        size: pytest.approx(1e-5) for size in (4, 256, 4096, 65_536, 524_288, 2_097_152, 16_777_216)
    }
    assert {name for name, _ in found} == {"allgather", "allreduce", "barrier", "broadcast"}


def test_the_latency_of_a_call() -> None:
    assert world(2).run(interface_latency) == pytest.approx([3e-6, 3e-6])


def test_tables_rise_and_name_their_operation() -> None:
    found = tables({("b", 8): 2.0, ("b", 4): 1.0, ("a", 0): 3.0}, ranks=5)
    assert found == (Measured("a", 5, (0,), (3.0,)), Measured("b", 5, (4, 8), (1.0, 2.0)))


def test_large_messages_are_repeated_less_often() -> None:
    assert [repeats(size) for size in (0, 8, 2_000_000, 16_000_000)] == [50, 50, 15, 5]


def test_those_who_rest_wait_for_the_first_worker() -> None:
    def program(comm: Communicator) -> tuple[int | None, float]:
        def work() -> int:
            alone = Alone(comm)
            assert (alone.rank, alone.size) == (0, 1)
            return comm.rank

        return while_others_rest(comm, [1], work), comm.clock()

    results = world(3).run(program)
    assert [result for result, _ in results] == [None, 1, None]
    assert results[0][1] > 0  # the message took its time


def test_pairs_by_hand() -> None:
    one, two = Places(("a", "a", "a"), 4), Places(("a", "b", "b"), 4)
    assert (one.nodes, one.most, one.inside, one.between) == (1, 3, (0, 1), None)
    assert (two.nodes, two.most, two.inside, two.between) == (2, 2, (1, 2), (0, 1))
    assert Places(("a", "b"), 1).inside is None


def test_cores_of_a_host_count_once() -> None:
    """Two ranks bound to cores of their own, and one that may use either."""
    bound = [[0], [1], [0, 1]]
    found = SimulatedWorld(3).run(lambda comm: places(comm, bound[comm.rank]))
    assert found[0] == found[2]
    assert (found[0].cores, found[0].most) == (2, 3)
