"""This process among the ranks that mpirun or srun started: joining them, and ending them all when one fails."""

import os
import sys

import numpy as np

from anabranch.comm.cores import share_of_cores
from anabranch.comm.mpi import MpiCommunicator
from anabranch.comm.mpi_library import MPI
from anabranch.errors import UsageError


def join(expected: int) -> MpiCommunicator:
    """The communicator of all ranks.

    Raises:
        UsageError: MPI sees another number of ranks than mpirun or srun started, as it does when the MPI library that
            was loaded is not the one of that mpirun.
    """
    seen = MPI.COMM_WORLD.Get_size()
    if seen != expected:
        library = MPI.Get_library_version().split(",")[0].strip()
        raise UsageError(
            f"{expected} ranks were started, but {library} sees {seen}: start them with the mpirun of that library "
            "(or srun --mpi=pmix), or set MPI4PY_LIBMPI to the libmpi.so of your mpirun."
        )
    return MpiCommunicator.world()


def own_cores() -> int:
    """Cores for this rank: those that it may run on, each shared out among the ranks that may run on it too.

    So it is right whether the launcher binds every rank to cores of its own or lets all run everywhere. The least of
    all ranks, for a run's record holds one number of threads, on which its bits depend. Collective.
    """
    mine = sorted(os.sched_getaffinity(0))
    users = np.zeros(os.sysconf("SC_NPROCESSORS_CONF"), dtype=np.int32)
    users[mine] = 1
    node = MPI.COMM_WORLD.Split_type(MPI.COMM_TYPE_SHARED)
    node.Allreduce(MPI.IN_PLACE, users, MPI.SUM)
    node.Free()
    share = np.array([share_of_cores(users[mine].tolist())])
    MPI.COMM_WORLD.Allreduce(MPI.IN_PLACE, share, MPI.MIN)
    return int(share[0])


def leave() -> None:
    """End this process well without MPI's own end, which would wait for ranks that are dead. Does not return."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def end_all(code: int) -> None:
    """End every rank at once with `code`: those that wait for this one would wait for ever. Does not return."""
    if MPI.COMM_WORLD.Get_size() > 1:
        MPI.COMM_WORLD.Abort(code)
    os._exit(code)
