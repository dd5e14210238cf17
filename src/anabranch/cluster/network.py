"""The price list of a cluster: what a simulated world's communication costs, in virtual time.

Collective operations are priced as a whole, from when their last rank has come, and take no notice of other traffic;
messages and one-sided operations queue at each other's cards and memories.
"""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Protocol

from anabranch.cluster.collective_modes import price
from anabranch.cluster.collective_rounds import link_between
from anabranch.cluster.description import Cluster
from anabranch.cluster.network_losses import Losses, Pending
from anabranch.cluster.network_transfer import Traffic
from anabranch.cluster.shape import Shape, Shapes
from anabranch.comm.costs import Price, Transfer

NO_LOSSES: Losses = MappingProxyType({})
_MANY = 4096  # prices that are remembered; records to gather may have any size


class Places(Protocol):
    """Where the ranks of a world are."""

    @property
    def nodes_used(self) -> int:
        """Nodes with at least one rank."""
        ...

    def node(self, rank: int) -> int:
        """The node of `rank`."""
        ...


class NetworkCosts:
    """See `anabranch.comm.costs.Costs`. All sizes are in bytes, all times in virtual seconds.

    Args:
        cluster: its network and its measurements.
        placement: of the ranks.
        losses: for each rank, times from which its next message, or collective operation, is lost, and what delay
            that costs.

    Raises:
        UsageError: the ranks lie on several nodes, between which the cluster has no link.
    """

    def __init__(self, cluster: Cluster, placement: Places, losses: Losses = NO_LOSSES) -> None:
        if placement.nodes_used > 1:
            link_between(cluster.network)
        self.cluster = cluster
        self.placement = placement
        self.losses = losses
        self._prices: dict[tuple[str, int, Shape], Price] = {}

    def links(self) -> "NetworkLinks":
        """Idle links; they share what they remember of prices, and nothing else."""
        return NetworkLinks(self)

    def price(self, operation: str, size: int, shape: Shape) -> Price:
        """Of a collective operation without losses: see `anabranch.cluster.collective_modes.price`."""
        key = operation, size, shape
        if (known := self._prices.get(key)) is None:
            if len(self._prices) >= _MANY:
                self._prices.clear()
            known = self._prices[key] = price(self.cluster, operation, size, shape)
        return known


class NetworkLinks:
    """See `anabranch.comm.costs.Links`."""

    def __init__(self, costs: NetworkCosts) -> None:
        self._costs = costs
        self._call = costs.cluster.network.interface_latency
        self._node = costs.placement.node
        self._shapes = Shapes(self._node)
        self._traffic = Traffic(costs.cluster.network, self._node)
        self._losses = Pending(costs.losses)

    def collective(self, operation: str, size: int, ranks: Sequence[int], now: float) -> Price:
        """The price of `operation` for the group `ranks`, with the losses of its members that are due."""
        known = self._costs.price(operation, size, self._shapes.find(ranks))
        lost = self._losses.strike(ranks, now) if len(ranks) > 1 else 0.0
        return known._replace(seconds=known.seconds + lost) if lost else known

    def same_node(self, one: int, other: int) -> bool:
        """As they were placed."""
        return self._node(one) == self._node(other)

    def transfer(self, operation: str, size: int, source: int, to: int, now: float) -> Transfer:
        """Carry `size` bytes. A lost message leaves its sender as late as it is sent again."""
        ready = now + self._call + (self._losses.strike((source,), now) if source != to else 0.0)
        if operation == "send":
            return self._traffic.message(size, source, to, now, ready)
        return self._traffic.one_sided(operation, size, source, to, now, ready)
