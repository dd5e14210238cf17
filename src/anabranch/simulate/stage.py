"""A cluster with so many workers on it, ready for runs in virtual time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from anabranch.cluster import Cluster, Load, NetworkCosts, Pace, Placement, fates, losses, step_seconds
from anabranch.comm.base import Communicator
from anabranch.comm.ledger import Account
from anabranch.comm.simulated import SimulatedCommunicator, SimulatedWorld
from anabranch.errors import UsageError
from anabranch.objectives import Objective, Precision
from anabranch.simulate.charged import Charged, Seconds


@dataclass(frozen=True)
class Stage:
    """What a run in virtual time plays on.

    Attributes:
        cluster: its machines, links, and what disturbs them.
        workers: how many.
        per_node: workers on each node; None: as many as it has cores.
        loads: what a step asks of a core, by the name of the task.
        precision: of the arithmetic.
    """

    cluster: Cluster
    workers: int
    per_node: int | None
    loads: Mapping[str, Load]
    precision: Precision

    @cached_property
    def placement(self) -> Placement:
        """Who sits where."""
        return Placement(self.cluster.nodes, self.workers, self.per_node)

    def world(self, *, spans: int = 0, start: Sequence[Account] = ()) -> SimulatedWorld:
        """A world of these workers, as `SimulatedWorld` describes `spans` and `start`."""
        lost = losses(self.cluster, self.workers)
        if start:  # what was lost before the checkpoint is not lost again
            lost = {rank: [(at, delay) for at, delay in lost[rank] if at >= start[rank].clock] for rank in lost}
        costs = NetworkCosts(self.cluster, self.placement, lost)
        return SimulatedWorld(self.workers, costs, fates=fates(self.cluster, self.workers), spans=spans, start=start)

    def staged(self, objective: Objective, name: str, comm: Communicator) -> Objective:
        """`objective` of the task so named, charged to the clock of this worker."""
        if not isinstance(comm, SimulatedCommunicator):
            raise UsageError(f"{type(comm).__name__} has no virtual clock to charge: run in a SimulatedWorld.")
        pace = Pace(self.cluster, self.placement, comm.world_rank)
        return Charged(objective, comm, pace, self.seconds(name))

    def seconds(self, name: str) -> Seconds:
        """What a step of the task so named takes an undisturbed core."""

        def seconds(load: Load, batch: int, fused: bool) -> float:
            return step_seconds(self.cluster.compute, load, batch, self.precision, fused=fused)

        return partial(seconds, self.loads[name])
