"""A cluster as data: nodes, links, speeds, disturbances. One TOML file describes one cluster."""

import math
from dataclasses import dataclass, field
from typing import Literal

from anabranch.objectives import Precision

Allreduce = Literal["ordered", "cheapest", "master"]
LoadKind = Literal["contrastive", "backprop", "autograd"]
Law = Literal["constant", "log-normal", "slow-node", "pauses"]
FailureKind = Literal["die", "hang", "slow", "lose"]


@dataclass(frozen=True)
class Link:
    """Hockney 1994: a message of n bytes takes `latency + n / bandwidth`.

    Attributes:
        latency: seconds.
        bandwidth: bytes per second, of one message alone.
    """

    latency: float
    bandwidth: float


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
        retries: losses of one message in a row after which its sender counts as dead.
    """

    inside: Link
    between: Link | None = None
    shared_card: bool = True
    allreduce: Allreduce = "ordered"
    add_bandwidth: float = math.inf
    interface_latency: float = 0.0
    retransmission: float = 0.2
    retries: int = 6


@dataclass(frozen=True)
class Speed:
    """What one core needs for a training step, as a sum: see `Compute.seconds`. Infinite speeds cost nothing.

    Attributes:
        precision: of the arithmetic; None: any.
        kind: of the objective; None: any.
        flop_per_second: of the matrix products.
        activities_per_second: units whose activity is computed.
        parameters_per_second: parameters that are read, and updated where the objective does that itself.
        updates_per_second: parameters that an update rule updates apart from the objective.
        step_seconds: whatever the sizes.
    """

    flop_per_second: float
    precision: Precision | None = None
    kind: LoadKind | None = None
    activities_per_second: float = math.inf
    parameters_per_second: float = math.inf
    updates_per_second: float = math.inf
    step_seconds: float = 0.0


@dataclass(frozen=True)
class Straggling:
    """A law by which workers compute more slowly than they could. Several laws multiply.

    Attributes:
        law: constant: `factor` for all `ranks`. slow-node: `factor` for all ranks on `nodes`. log-normal: every step
            is stretched by a factor of mean 1 whose logarithm has the deviation `sigma`. pauses: a worker stands still
            for `seconds`, at random, every `every` seconds on average.
        ranks: whom it concerns; empty: all.
        nodes: likewise, by their nodes.
    """

    law: Law
    factor: float = 1.0
    sigma: float = 0.0
    every: float = math.inf
    seconds: float = 0.0
    ranks: tuple[int, ...] = ()
    nodes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Failure:
    """What befalls one worker at an exact virtual time, or at random times.

    Attributes:
        kind: die: the process ends. hang: it stops, and is killed when a supervisor notices. slow: it computes by
            `factor` more slowly for `seconds`. lose: the next message that it sends is lost, `times` times in a row.
        rank: whom; None: every worker, each at its own random time.
        at: seconds; None: at a random time, after `mean` seconds on average (exponential).
    """

    kind: FailureKind
    rank: int | None = None
    at: float | None = None
    mean: float | None = None
    factor: float = 1.0
    seconds: float = math.inf
    times: int = 1


@dataclass(frozen=True)
class Measured:
    """Measured seconds of one collective operation between so many ranks of one node, by its bytes a rank, rising."""

    operation: str
    ranks: int
    bytes: tuple[int, ...]
    seconds: tuple[float, ...]


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
