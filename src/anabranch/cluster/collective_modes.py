"""The three ways in which a simulated cluster may carry out an allreduce, and the price of any operation at all."""

from anabranch.cluster.collective_allreduce import Algorithm, cheapest
from anabranch.cluster.collective_measured import interpolate
from anabranch.cluster.collective_rounds import alone, link_between, seconds, shift
from anabranch.cluster.collectives import allgather, barrier, binomial, broadcast, gather, shrink, split, window
from anabranch.cluster.description import Allreduce, Cluster, Measured, Network
from anabranch.cluster.shape import Shape
from anabranch.comm.costs import Price
from anabranch.errors import unknown_name

SMALL = 256 * 1024  # bytes of all ranks together; as in comm/mpi_reduce.py, which cannot be read without MPI


def ordered(network: Network, shape: Shape, size: float) -> Price:
    """As Anabranch's own on MPI, which adds in rank order: see `anabranch.comm.mpi_reduce`."""
    if shape.ranks <= 2:
        return cheapest(network, shape, size)
    if size * shape.ranks < SMALL:
        rows = allgather(network, shape, size)
        adding = (shape.ranks - 1) * size / network.add_bandwidth
        return Price(rows.seconds + adding, rows.sent, f"ordered: {rows.algorithm}")
    return chunked(network, shape, size)


def chunked(network: Network, shape: Shape, size: float) -> Price:
    """Everybody gets its chunk from all by pairwise exchange, adds p - 1 of them, and passes the sum round a ring.

    With t ranks a node, t (p - t) n / p bytes leave each card in the exchange.
    """
    ranks = shape.ranks
    chunk = size / ranks
    swapping = sum(seconds(network, shift(shape, by), chunk) for by in range(1, ranks))
    passing = seconds(network, shift(shape, 1), chunk) + chunk / network.add_bandwidth
    return Price(swapping + (ranks - 1) * passing, 2 * (ranks - 1) * chunk, "ordered: chunks")


def master(network: Network, shape: Shape, size: float) -> Price:
    """Rank 0 gets every vector, one after the other, and adds it; then a binomial tree takes the sum back.

    After De Filippo De Grazia, Stoianov & Zorzi 2012, "Parallelization of deep networks", Table 1, steps (4) to (6).
    """
    ranks, _, most = shape
    add = size / network.add_bandwidth
    spent = (most - 1) * (alone(network.inside, size) + add)
    if ranks > most:
        spent += (ranks - most) * (alone(link_between(network), size) + add)
    back = binomial(network, shape, size)
    return Price(spent + back.seconds, (ranks - 1) * size / ranks + back.sent, "master")


MODES: dict[Allreduce, Algorithm] = {"ordered": ordered, "cheapest": cheapest, "master": master}
OPERATIONS: dict[str, Algorithm] = {
    "allgather": allgather,
    "broadcast": broadcast,
    "barrier": barrier,
    "gather": gather,
    "split": split,
    "window": window,
    "window's close": window,
    "shared": window,
    "shared memory's close": window,
    "shrink": shrink,
}


def price(cluster: Cluster, operation: str, size: float, shape: Shape) -> Price:
    """Of `operation`, a communicator's method, on `size` bytes a rank, in a group of `shape`.

    What was measured goes before what is modelled, except where a master was asked for, which nobody measured.
    A measured time includes the call itself; a modelled one gets `interface_latency` more.

    Raises:
        UsageError: there is no such operation, or no link that it needs.
    """
    network = cluster.network
    if shape.ranks == 1:
        return Price(network.interface_latency)
    modelled = _algorithm(network, operation)(network, shape, size)
    table = _measured(cluster, operation, shape)
    if table is not None:
        return Price(interpolate(table, size), modelled.sent, "measured")
    return modelled._replace(seconds=modelled.seconds + network.interface_latency)


def _algorithm(network: Network, operation: str) -> Algorithm:
    if operation == "allreduce":
        return MODES[network.allreduce]
    if operation not in OPERATIONS:
        raise unknown_name("collective operation", operation, ["allreduce", *OPERATIONS])
    return OPERATIONS[operation]


def _measured(cluster: Cluster, operation: str, shape: Shape) -> Measured | None:
    if shape.nodes > 1 or (operation == "allreduce" and cluster.network.allreduce == "master"):
        return None
    fitting = (table for table in cluster.measured if (table.operation, table.ranks) == (operation, shape.ranks))
    return next(fitting, None)
