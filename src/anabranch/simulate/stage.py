"""A cluster with so many workers on it, ready for runs in virtual time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from zlib import crc32

from anabranch.cluster import Cluster, Load, NetworkCosts, Pace, Placement, fates, losses, step_seconds, update_seconds
from anabranch.comm.base import Communicator
from anabranch.comm.ledger import Account
from anabranch.comm.simulated import SimulatedCommunicator, SimulatedWorld
from anabranch.errors import UsageError
from anabranch.objectives import Objective, Precision
from anabranch.seeding import derive_seed
from anabranch.simulate.charged import Charged, Seconds, Update


@dataclass(frozen=True)
class Stage:
    """What a run in virtual time plays on.

    Attributes:
        cluster: its machines, links, and what disturbs them.
        workers: how many.
        per_node: workers on each node; None: as many as it has cores.
        loads: what a step asks of a core, by the name of the task.
        precision: of the arithmetic.
        servers: ranks that serve parameters; they come first, and take a core each.
        seed: of the run.
    """

    cluster: Cluster
    workers: int
    per_node: int | None
    loads: Mapping[str, Load]
    precision: Precision
    servers: int = 0
    seed: int = 0

    @property
    def ranks(self) -> int:
        """Servers and workers."""
        return self.servers + self.workers

    @cached_property
    def placement(self) -> Placement:
        """Who sits where."""
        return Placement(self.cluster.nodes, self.ranks, self.per_node)

    def world(self, *, spans: int = 0, start: Sequence[Account] = ()) -> SimulatedWorld:
        """A world of these ranks, as `SimulatedWorld` describes `spans` and `start`."""
        lost = losses(self.cluster, self.ranks)
        if start:  # what was lost before the checkpoint is not lost again
            lost = {rank: [(at, delay) for at, delay in lost[rank] if at >= start[rank].clock] for rank in lost}
        costs = NetworkCosts(self.cluster, self.placement, lost)
        return SimulatedWorld(self.ranks, costs, fates=fates(self.cluster, self.ranks), spans=spans, start=start)

    def staged(self, objective: Objective, name: str, comm: Communicator) -> Objective:
        """`objective` of the task so named, charged to the clock of this worker."""
        if not isinstance(comm, SimulatedCommunicator):
            raise UsageError(f"{type(comm).__name__} has no virtual clock to charge: run in a SimulatedWorld.")
        pace = Pace(self.cluster, self.placement, comm.world_rank, comm.members)
        pace.start(derive_seed(self.seed, crc32(name.encode())), comm.clock())  # for servers, which begin no epoch
        return Charged(objective, comm, pace, self.seconds(name), self.update(name))

    def seconds(self, name: str) -> Seconds:
        """What a step of the task so named takes an undisturbed core."""

        def seconds(load: Load, batch: int, fused: bool) -> float:
            return step_seconds(self.cluster.compute, load, batch, self.precision, fused=fused)

        return partial(seconds, self.loads[name])

    def update(self, name: str) -> Update:
        """What an update of weights takes a core that serves the task so named."""
        compute, load = self.cluster.compute, self.loads[name]
        return lambda weights: update_seconds(compute, load, weights, self.precision)
