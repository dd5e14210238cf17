"""Communicators: the protocol, the simulated world, MPI.

`MpiCommunicator` is found here too, but only looking it up loads mpi4py and starts MPI.
"""

from typing import TYPE_CHECKING, Any

from anabranch.comm.base import Communicator, Feature, Json, Op, Window
from anabranch.comm.costs import Costs, Links, Price, Transfer, ZeroCosts
from anabranch.comm.failures import Fate, RankDied
from anabranch.comm.ledger import Account, Ledger, Span
from anabranch.comm.simulated import SimulatedCommunicator, SimulatedWorld
from anabranch.comm.wrappers import Counting

if TYPE_CHECKING:
    from anabranch.comm.mpi import MpiCommunicator

__all__ = [
    "Account",
    "Communicator",
    "Costs",
    "Counting",
    "Fate",
    "Feature",
    "Json",
    "Ledger",
    "Links",
    "MpiCommunicator",
    "Op",
    "Price",
    "RankDied",
    "SimulatedCommunicator",
    "SimulatedWorld",
    "Span",
    "Transfer",
    "Window",
    "ZeroCosts",
]


def __getattr__(name: str) -> Any:
    if name == "MpiCommunicator":
        from anabranch.comm.mpi import MpiCommunicator

        return MpiCommunicator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
