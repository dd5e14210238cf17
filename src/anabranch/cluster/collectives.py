"""The prices of all collective operations but allreduce's own algorithms.

After Thakur, Rabenseifner & Gropp 2005, "Optimization of collective communication operations in MPICH", sections on
allgather and broadcast, and Chan et al. 2007, "Collective communication: theory, practice, and experience". Each
function wants at least two ranks, which the caller sees to. A root is taken to be the first rank of its node.
"""

from anabranch.cluster.collective_allreduce import Algorithm, best
from anabranch.cluster.collective_rounds import distances, exchange, seconds, shift, tree
from anabranch.cluster.description import Network
from anabranch.cluster.shape import Shape
from anabranch.comm.costs import Price

_WORDS = 16  # bytes: two numbers of each rank, such as a color and a key


def allgather_ring(network: Network, shape: Shape, size: float) -> Price:
    """Round a ring: p - 1 rounds of n bytes, where n is what one rank brings."""
    others = shape.ranks - 1
    return Price(others * seconds(network, shift(shape, 1), size), others * size, "ring")


def bruck(network: Network, shape: Shape, size: float) -> Price:
    """ceil(log2 p) rounds of n, 2 n, 4 n, ... bytes, for any p."""
    ranks = shape.ranks
    spent = sum(seconds(network, shift(shape, by), min(by, ranks - by) * size) for by in distances(ranks))
    return Price(spent, (ranks - 1) * size, "Bruck")


def allgather_doubling(network: Network, shape: Shape, size: float) -> Price:
    """As Bruck's for powers of two, with the small messages inside nodes and the large ones between."""
    ranks = shape.ranks
    spent = sum(seconds(network, exchange(shape, distance), distance * size) for distance in distances(ranks))
    return Price(spent, (ranks - 1) * size, "recursive doubling")


def allgather(network: Network, shape: Shape, size: float) -> Price:
    """The cheapest for `size` bytes of each rank."""
    is_power = shape.ranks.bit_count() == 1
    usual: tuple[Algorithm, ...] = (bruck, allgather_ring)
    return best((allgather_doubling, *usual) if is_power else usual, network, shape, size)


def binomial(network: Network, shape: Shape, size: float) -> Price:
    """A broadcast by a binomial tree: ceil(log2 p) rounds of n bytes."""
    spent = sum(seconds(network, tree(shape, distance), size) for distance in distances(shape.ranks))
    return Price(spent, (shape.ranks - 1) * size / shape.ranks, "binomial tree")


def scatter_allgather(network: Network, shape: Shape, size: float) -> Price:
    """A broadcast by a binomial scatter of chunks and their allgather round a ring (van de Geijn)."""
    chunk = size / shape.ranks
    parts, all_parts = _halving_tree(network, shape, chunk), allgather_ring(network, shape, chunk)
    return Price(parts.seconds + all_parts.seconds, parts.sent + all_parts.sent, "scatter and ring")


def broadcast(network: Network, shape: Shape, size: float) -> Price:
    """The cheapest for a vector of `size` bytes."""
    return best((binomial, scatter_allgather), network, shape, size)


def gather(network: Network, shape: Shape, size: float) -> Price:
    """A binomial tree to the root: ceil(log2 p) rounds of n, 2 n, 4 n, ... bytes."""
    return _halving_tree(network, shape, size)


def barrier(network: Network, shape: Shape, size: float = 0) -> Price:  # noqa: ARG001
    """Dissemination (Hensgen, Finkel & Manber 1988): ceil(log2 p) rounds of empty messages."""
    spent = sum(seconds(network, shift(shape, by), 0) for by in distances(shape.ranks))
    return Price(spent, 0.0, "dissemination")


def split(network: Network, shape: Shape, size: float) -> Price:  # noqa: ARG001
    """All colors and keys to all."""
    return allgather(network, shape, _WORDS)


def window(network: Network, shape: Shape, size: float) -> Price:  # noqa: ARG001
    """To open or close one: everybody learns of everybody's memory, and nobody goes on before the last has come."""
    words, meeting = allgather(network, shape, _WORDS), barrier(network, shape)
    return Price(words.seconds + meeting.seconds, words.sent, f"{words.algorithm} and {meeting.algorithm}")


def shrink(network: Network, shape: Shape, size: float) -> Price:  # noqa: ARG001
    """Three barriers between the survivors: to agree, up and down a tree, on who is dead, and to found the new group.

    An agreement among survivors takes two passes over a tree (Herault et al. 2015, "Practical scalable consensus for
    pseudo-synchronous distributed systems"); that three barriers stand for it all is our estimate.
    """
    return Price(3 * barrier(network, shape).seconds, 0.0, "agreement")


def _halving_tree(network: Network, shape: Shape, chunk: float) -> Price:
    """One `chunk` of every rank to the root, or from it: a message holds the chunks of all below it in the tree."""
    ranks = shape.ranks
    spent = sum(
        seconds(network, tree(shape, distance), min(distance, ranks - distance) * chunk)
        for distance in distances(ranks)
    )
    hops = sum(rank.bit_count() for rank in range(ranks))  # a rank's depth in the tree
    return Price(spent, hops * chunk / ranks, "binomial tree")
