"""The one place that loads MPI: importing it starts the MPI library, or says how to get one."""

from anabranch.errors import no_mpi_library

try:
    from mpi4py import MPI
except (ImportError, RuntimeError) as error:
    raise no_mpi_library() from error

__all__ = ["MPI"]
