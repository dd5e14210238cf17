"""What ranks say to each other beside the algorithm: checkpoints, measurements, the report."""

from anabranch.comm.base import Communicator
from anabranch.comm.simulated import SimulatedCommunicator


def offstage(comm: Communicator) -> Communicator:
    """The same ranks, whose messages take no virtual time, for they are not the algorithm's."""
    return comm.offstage if isinstance(comm, SimulatedCommunicator) else comm
