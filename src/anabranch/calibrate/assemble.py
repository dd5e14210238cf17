"""The cluster that measurements make."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from anabranch.calibrate.findings import Findings
from anabranch.calibrate.fit import Fit
from anabranch.cluster import Cluster, Link, Network, Nodes
from anabranch.cluster.tables import tables
from anabranch.cluster.toml import from_tables


@dataclass(frozen=True)
class Computing:
    """What one process has found out by itself.

    Attributes:
        fit: of its training steps.
        add_bandwidth: bytes a second that it adds.
        cores: of its machine, that it may use.
    """

    fit: Fit
    add_bandwidth: float
    cores: int


def cluster(name: str, about: str, computing: Computing, found: Sequence[Findings], like: Cluster) -> Cluster:
    """The cluster that was measured; what was not (all links, where there was no MPI) is as `like` has it."""
    found = sorted(found, key=lambda each: each.ranks)
    slowdowns = {1: 1.0} | {each.most: max(1.0, each.slowdown) for each in found if each.most > 1}
    call = min([each.interface_latency for each in found] or [like.network.interface_latency])
    network = Network(
        inside=next((_beside(call, each.inside) for each in found if each.inside), like.network.inside),
        between=next((_beside(call, each.between) for each in found if each.between), None),
        add_bandwidth=computing.add_bandwidth,
        interface_latency=call,
    )
    nodes = Nodes(
        max([1, *(each.nodes for each in found)]),
        max([computing.cores, *(each.cores for each in found)]),
        tuple(sorted(slowdowns)),
        tuple(slowdowns[count] for count in sorted(slowdowns)),
    )
    measured = tuple(table for each in found for table in each.measured)
    whole = Cluster(name, nodes, network, computing.fit.speeds, about, measured=measured)
    return from_tables(rounded(tables(whole)), name)


def _beside(call: float, link: Link) -> Link:
    """The link itself: the messages by which it was measured were calls, too, for which a cluster charges apart."""
    return Link(max(0.0, link.latency - call), link.bandwidth)


def rounded(value: Any) -> Any:
    """Nested tables with what measurements are good for: four digits of each number with a point."""
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value
