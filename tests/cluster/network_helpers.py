"""A network whose costs are exact binary numbers: 64 bytes take 4 s inside a node and 8 s between nodes."""

from dataclasses import dataclass

from anabranch.cluster.collective_rounds import Round
from anabranch.cluster.description import Allreduce, Cluster, Link, Measured, Network, Nodes
from anabranch.cluster.shape import Shape

INSIDE = Link(latency=1.0, bandwidth=16.0)
BETWEEN = Link(latency=4.0, bandwidth=8.0)


def network(shared_card: bool = True, allreduce: Allreduce = "ordered", call: float = 0.0) -> Network:
    return Network(INSIDE, BETWEEN, shared_card, allreduce, add_bandwidth=64.0, interface_latency=call)


def cluster(net: Network, *measured: Measured) -> Cluster:
    return Cluster("test", Nodes(count=8, cores=8), net, (), measured=measured)


def block(ranks: int, most: int) -> Shape:
    return Shape(ranks, -(-ranks // most), most)


def flat(ranks: int) -> Shape:
    return block(ranks, ranks)


@dataclass(frozen=True)
class Block:
    """`most` ranks on each node, one node after the other."""

    ranks: int
    most: int

    @property
    def nodes_used(self) -> int:
        return block(self.ranks, self.most).nodes

    def node(self, rank: int) -> int:
        return rank // self.most


def counted(pairs: list[tuple[int, int]], most: int) -> Round:
    """A round of messages from one rank to another, counted one by one."""
    leaving = [source // most for source, to in pairs if source // most != to // most]
    return Round(max(map(leaving.count, leaving), default=0), len(leaving) < len(pairs))
