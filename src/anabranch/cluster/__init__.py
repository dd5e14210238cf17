"""Clusters that do not exist: their description, and what work and messages take on them."""

from anabranch.cluster.compute import Load, slowdown, step_seconds, update_seconds
from anabranch.cluster.description import (
    Cluster,
    Link,
    Measured,
    Network,
    Nodes,
    Speed,
)
from anabranch.cluster.disturbances import Failure, Straggling
from anabranch.cluster.fate import fates, losses
from anabranch.cluster.network import NetworkCosts
from anabranch.cluster.pace import Pace
from anabranch.cluster.placement import Placement
from anabranch.cluster.toml import load_cluster, to_toml

__all__ = [
    "Cluster",
    "Failure",
    "Link",
    "Load",
    "Measured",
    "Network",
    "NetworkCosts",
    "Nodes",
    "Pace",
    "Placement",
    "Speed",
    "Straggling",
    "fates",
    "load_cluster",
    "losses",
    "slowdown",
    "step_seconds",
    "to_toml",
    "update_seconds",
]
