"""Starting MPI programs from tests: one command line, which leaves nothing behind."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_COMPONENTS = {"pml": "ob1", "btl": "self,sm,tcp", "osc": "^ucx", "mpi_yield_when_idle": "1"}
FLAGS = ["--oversubscribe", "--bind-to", "none", *(w for item in _COMPONENTS.items() for w in ("--mca", *item))]


def find_mpirun() -> str | None:
    """mpirun beside this Python, else on the path."""
    beside = Path(sys.executable).parent / "mpirun"
    return str(beside) if beside.exists() else shutil.which("mpirun")


def run_mpi(
    ranks: int, script: Path, arguments: Sequence[str], scratch: Path, extra: Sequence[str] = (), seconds: int = 200
) -> subprocess.CompletedProcess[str]:
    """Run `script` on `ranks` ranks, for at most `seconds`, with its shared memory in `scratch`."""
    mpirun = find_mpirun()
    assert mpirun is not None
    private = [
        word
        for name in ("btl_sm_backing_directory", "osc_sm_backing_directory")
        for word in ("--mca", name, str(scratch))
    ]
    command = ["timeout", "-k", "5", str(seconds), mpirun, "-n", str(ranks), *FLAGS, *private, *extra]
    command += [sys.executable, "-m", "mpi4py", str(script), *arguments]
    rooted = {f"{tool}_ALLOW_RUN_AS_ROOT{end}": "1" for tool in ("PRTE", "OMPI") for end in ("", "_CONFIRM")}
    environment = os.environ | rooted | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
