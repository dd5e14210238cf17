"""Whether MPI can be used here, tried in processes of its own.

In this process MPI is never started: the runs that it starts would take themselves for parts of its MPI job.
"""

import subprocess
import sys
import tempfile
from collections.abc import Sequence

from anabranch.errors import UsageError, no_mpi_library
from anabranch.launch import find_mpirun, mpirun_command

PATIENCE_SECONDS = 60.0  # for two ranks that take half a second where nothing is wrong

_LOAD = "import mpi4py; mpi4py.rc.initialize = False; import mpi4py.MPI"
_MEET = "from mpi4py import MPI; raise SystemExit(MPI.COMM_WORLD.Get_size() != 2)"


def try_mpi() -> None:
    """Start two ranks that do nothing but meet.

    Raises:
        UsageError: there is no mpirun, or no MPI library, or these two do not go together.
    """
    mpirun = find_mpirun()
    if not _succeeds([sys.executable, "-c", _LOAD]):
        raise no_mpi_library()
    with tempfile.TemporaryDirectory(prefix="anabranch-") as private:
        command = [*mpirun_command(mpirun, 2, private), sys.executable, "-c", _MEET]
        if not _succeeds(command):
            raise UsageError(
                f"two ranks started with {mpirun} did not meet: if  {mpirun} -n 2 hostname  works, set MPI4PY_LIBMPI "
                "to the libmpi.so of that mpirun."
            )


def _succeeds(command: Sequence[str]) -> bool:
    quiet = subprocess.DEVNULL
    try:
        ended = subprocess.run(command, stdin=quiet, stdout=quiet, stderr=quiet, timeout=PATIENCE_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return False
    return ended.returncode == 0
