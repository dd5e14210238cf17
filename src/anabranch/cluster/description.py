"""A cluster as data: nodes, links, speeds, disturbances. One TOML file describes one cluster.

Every class raises `UsageError` for figures that cannot be.
"""

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

from anabranch.cluster import checks
from anabranch.cluster.disturbances import Failure, Straggling
from anabranch.errors import UsageError
from anabranch.objectives import Precision

Allreduce = Literal["ordered", "cheapest", "master"]
LoadKind = Literal["contrastive", "backprop", "autograd"]

MOST_RETRIES = 60  # twice as long each time: more would be longer than any clock can tell


@dataclass(frozen=True)
class Link:
    """Hockney 1994: a message of n bytes takes `latency + n / bandwidth`.

    Attributes:
        latency: seconds.
        bandwidth: bytes per second, of one message alone.
    """

    latency: float
    bandwidth: float

    def __post_init__(self) -> None:
        checks.at_least("the latency of a link", self.latency, 0, "s")
        checks.positive("the bandwidth of a link", self.bandwidth, "bytes/s")


@dataclass(frozen=True)
class Nodes:
    """The machines.

    Attributes:
        count: how many.
        cores: of each.
        processes: numbers of processes on one node for which `slowdown` is known, rising.
        slowdown: by which factor each process then computes more slowly than alone (shared memory, shared cores).
    """

    count: int
    cores: int
    processes: tuple[int, ...] = ()
    slowdown: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        checks.at_least("the number of nodes (count)", self.count, 1)
        checks.at_least("the number of cores of a node", self.cores, 1)
        checks.together("numbers of processes", self.processes, "slowdowns", self.slowdown)
        checks.rising("the numbers of processes on a node", self.processes, 1)
        for processes, slowdown in zip(self.processes, self.slowdown, strict=True):
            checks.factor(f"the slowdown of {processes} processes", slowdown)


@dataclass(frozen=True)
class Network:
    """How they talk.

    Attributes:
        inside: the link between two processes of a node.
        between: the link between two nodes; None: the cluster has one.
        shared_card: all processes of a node share its network card, so their messages to other nodes queue there.
        allreduce: ordered: as Anabranch's own on MPI, which adds in rank order. cheapest: as an MPI library, which
            chooses by size. master: one rank gathers, adds and sends back.
        add_bandwidth: bytes per second that a core adds in a reduction.
        interface_latency: seconds that a call of the communicator itself takes on each rank.
        retransmission: seconds after which a lost message is sent again; twice as long each further time.
        retries: losses of one message in a row that its sender survives; after one more it counts as dead.
    """

    inside: Link
    between: Link | None = None
    shared_card: bool = True
    allreduce: Allreduce = "ordered"
    add_bandwidth: float = math.inf
    interface_latency: float = 0.0
    retransmission: float = 0.2
    retries: int = 6

    def __post_init__(self) -> None:
        checks.name("allreduce", self.allreduce, get_args(Allreduce))
        checks.positive("the bandwidth of adding (add_bandwidth)", self.add_bandwidth, "bytes/s")
        checks.at_least("the latency of a call (interface_latency)", self.interface_latency, 0, "s")
        checks.at_least("the time to a retransmission", self.retransmission, 0, "s")
        checks.at_least("the number of retries", self.retries, 0)
        if self.retries > MOST_RETRIES:
            raise UsageError(f"the number of retries is {self.retries}: give {MOST_RETRIES} or less; TCP has 15.")


@dataclass(frozen=True)
class Speed:
    """What one core needs for a training step: a sum, see `step_seconds`. Infinite speeds cost nothing.

    Attributes:
        flop_per_second: of the matrix products.
        precision: of the arithmetic; None: any.
        kind: of the objective; None: any.
        activities_per_second: units whose activity is computed.
        parameters_per_second: parameters that are read, and updated where the objective does that itself.
        updates_per_second: parameters that an update rule updates apart from the objective.
        step_seconds: whatever the sizes.
        update_seconds: of an update apart from the objective, whatever the sizes.
    """

    flop_per_second: float
    precision: Precision | None = None
    kind: LoadKind | None = None
    activities_per_second: float = math.inf
    parameters_per_second: float = math.inf
    updates_per_second: float = math.inf
    step_seconds: float = 0.0
    update_seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.precision is not None:
            checks.name("precision", self.precision, get_args(Precision))
        if self.kind is not None:
            checks.name("kind of objective", self.kind, get_args(LoadKind))
        checks.positive("the speed of matrix products (flop_per_second)", self.flop_per_second, "FLOP/s")
        for what in ("activities", "parameters", "updates"):
            checks.positive(f"the speed {what}_per_second", getattr(self, f"{what}_per_second"), f"{what}/s")
        checks.at_least("the time of a step (step_seconds)", self.step_seconds, 0, "s")
        checks.at_least("the time of an update (update_seconds)", self.update_seconds, 0, "s")


@dataclass(frozen=True)
class Measured:
    """Measured seconds of one collective operation between so many ranks of one node, by its bytes a rank, rising."""

    operation: str
    ranks: int
    bytes: tuple[int, ...]
    seconds: tuple[float, ...]

    def __post_init__(self) -> None:
        checks.at_least(f"the number of ranks of a measured {self.operation}", self.ranks, 1)
        checks.together("sizes", self.bytes, f"times of a measured {self.operation}", self.seconds)
        checks.rising(f"the bytes of a measured {self.operation}", self.bytes, 0)
        if not self.bytes:
            raise UsageError(f"a measured {self.operation} has no bytes: give one size or more, or leave it out.")
        for seconds in self.seconds:
            checks.at_least(f"a time of a measured {self.operation}", seconds, 0, "s")


@dataclass(frozen=True)
class Cluster:
    """Everything that a simulation must know of a cluster.

    Attributes:
        name: for tables.
        about: one or two sentences for people: what it stands for, where its figures come from.
        nodes: the machines.
        network: how they talk.
        compute: how fast a core computes; the first entry that fits is taken, so the special ones come first.
        stragglers: how workers are disturbed.
        failures: what befalls them.
        measured: collective operations inside a node, where they were measured; others follow from the links.
        detection: seconds from a death until the others can know it.
        supervision: seconds from a hang until a supervisor kills the process.
        seed: of all chance in the laws above.
    """

    name: str
    nodes: Nodes
    network: Network
    compute: tuple[Speed, ...]
    about: str = ""
    stragglers: tuple[Straggling, ...] = ()
    failures: tuple[Failure, ...] = ()
    measured: tuple[Measured, ...] = ()
    detection: float = 0.02
    supervision: float = 60.0
    seed: int = field(default=0)

    def __post_init__(self) -> None:
        checks.at_least("the time to the detection of a death", self.detection, 0, "s")
        checks.at_least("the time to the supervisor's notice of a hang (supervision)", self.supervision, 0, "s")
        for node in (node for law in self.stragglers for node in law.nodes):
            if node >= self.nodes.count:
                raise UsageError(
                    f"a law '{self._law_on(node)}' names node {node}, but the cluster has {self.nodes.count}, "
                    f"from 0: give nodes up to {self.nodes.count - 1}."
                )

    def _law_on(self, node: int) -> str:
        return next(law.law for law in self.stragglers if node in law.nodes)
