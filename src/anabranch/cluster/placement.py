"""Which worker is on which node."""

from dataclasses import dataclass
from functools import cached_property

from anabranch.cluster import checks
from anabranch.cluster.description import Nodes
from anabranch.errors import UsageError


@dataclass(frozen=True)
class Placement:
    """Blocks: the first ranks on node 0, the next on node 1, and so on, as `mpirun` does.

    Attributes:
        nodes: the machines.
        workers: how many there are to place.
        per_node: workers on each node. None: as many as it has cores, or, if they do not fit so, evenly more.

    Raises:
        UsageError: fewer than one worker, or more than fit with `per_node`.
    """

    nodes: Nodes
    workers: int
    per_node: int | None = None

    def __post_init__(self) -> None:
        checks.at_least("the number of workers", self.workers, 1)
        if self.per_node is None:
            return
        checks.at_least("the number of workers on each node", self.per_node, 1)
        count, room = self.nodes.count, self.per_node * self.nodes.count
        if self.workers > room:
            raise UsageError(
                f"{self.workers} processes do not fit: {self.per_node} on each of {count} nodes are {room}; "
                f"take fewer workers, or {-(-self.workers // count)} or more on each node."
            )

    @cached_property
    def full(self) -> int:
        """Workers on a full node."""
        if self.per_node is not None:
            return self.per_node
        return max(self.nodes.cores, -(-self.workers // self.nodes.count))

    def node(self, rank: int) -> int:
        """The node of `rank`."""
        return rank // self.full

    def on_node(self, rank: int) -> int:
        """Number of workers on the node of `rank`, with itself."""
        return min(self.full, self.workers - self.node(rank) * self.full)

    @property
    def nodes_used(self) -> int:
        """Nodes with at least one worker."""
        return -(-self.workers // self.full)

    @property
    def most(self) -> int:
        """The largest number of workers on a node."""
        return min(self.full, self.workers)

    @property
    def oversubscribed(self) -> bool:
        """Whether some node has more workers than cores."""
        return self.most > self.nodes.cores
