"""The one place that loads MPI: importing it starts the MPI library, or says how to get one."""

from anabranch.errors import UsageError

try:
    from mpi4py import MPI
except (ImportError, RuntimeError) as error:
    raise UsageError(
        "no MPI library found: load your cluster's MPI module, or install one with  pip install 'anabranch[mpi]'"
    ) from error

__all__ = ["MPI"]
