"""Algorithms of allreduce, each priced by a formula.

After Thakur, Rabenseifner & Gropp 2005, "Optimization of collective communication operations in MPICH", sections on
reduce and allreduce; the numbers of rounds for ranks that are no power of two are those of MPICH: two more. Sizes
are bytes of a whole vector; p ranks; an addition of n bytes takes n / add_bandwidth seconds.
"""

from collections.abc import Callable

from anabranch.cluster.collective_rounds import distances, exchange, fold, power_below, seconds, shift, tree
from anabranch.cluster.description import Network
from anabranch.cluster.shape import Shape
from anabranch.comm.costs import Price

Algorithm = Callable[[Network, Shape, float], Price]


def recursive_doubling(network: Network, shape: Shape, size: float) -> Price:
    """Pairs swap whole vectors and add, at distances 1, 2, 4, ...: log2 p rounds of n."""
    ranks, power = shape.ranks, power_below(shape.ranks)
    add = size / network.add_bandwidth
    steps = distances(power)
    spent = sum(seconds(network, exchange(shape, distance), size) + add for distance in steps)
    sent = (power * len(steps) + 2 * (ranks - power)) * size / ranks
    return Price(spent + _folding(network, shape, size), sent, "recursive doubling")


def rabenseifner(network: Network, shape: Shape, size: float) -> Price:
    """Recursive halving, near pairs first, so that the largest messages stay inside; then doubling on the way back."""
    ranks, power = shape.ranks, power_below(shape.ranks)
    spent = 0.0
    for distance in distances(power):
        part = size / (2 * distance)
        spent += 2 * seconds(network, exchange(shape, distance), part) + part / network.add_bandwidth
    sent = 2 * (power - 1 + ranks - power) * size / ranks
    return Price(spent + _folding(network, shape, size), sent, "Rabenseifner")


def ring(network: Network, shape: Shape, size: float) -> Price:
    """Reduce-scatter and allgather round a ring: 2 (p - 1) rounds of n / p; one message leaves each node."""
    ranks = shape.ranks
    part = size / ranks
    spent = (ranks - 1) * (2 * seconds(network, shift(shape, 1), part) + part / network.add_bandwidth)
    return Price(spent, 2 * (ranks - 1) * part, "ring")


def trees(network: Network, shape: Shape, size: float) -> Price:
    """Reduce to one rank and broadcast, both by binomial trees: 2 ceil(log2 p) rounds of n."""
    add = size / network.add_bandwidth
    spent = sum(2 * seconds(network, tree(shape, distance), size) + add for distance in distances(shape.ranks))
    return Price(spent, 2 * (shape.ranks - 1) * size / shape.ranks, "trees")


NATIVE: tuple[Algorithm, ...] = (recursive_doubling, rabenseifner, ring, trees)


def cheapest(network: Network, shape: Shape, size: float) -> Price:
    """As an MPI library that always chooses well."""
    return best(NATIVE, network, shape, size)


def best(algorithms: tuple[Algorithm, ...], network: Network, shape: Shape, size: float) -> Price:
    """The cheapest of `algorithms`, of equals the first."""
    return min((algorithm(network, shape, size) for algorithm in algorithms), key=lambda price: price.seconds)


def _folding(network: Network, shape: Shape, size: float) -> float:
    """Seconds before and after a doubling, to make the ranks a power of two and give all the result."""
    if shape.ranks == power_below(shape.ranks):
        return 0.0
    return 2 * seconds(network, fold(shape), size) + size / network.add_bandwidth
