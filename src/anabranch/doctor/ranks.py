"""One of the ranks of the self-test: `mpirun -n 2 python -m anabranch.doctor.ranks FILE SECONDS [survival]`.

Rank 0 writes FILE, JSON. Every rank ends by itself after SECONDS, for a killed mpirun may leave its ranks behind.
"""

import json
import signal
import sys
from pathlib import Path


def main(file: str, seconds: str, *mode: str) -> int:
    """Take part; return the exit code. With the mode "survival" only say whether MPI survives a death."""
    signal.alarm(int(seconds))  # before anything that may hang, such as starting MPI
    from anabranch.comm import mpi_world
    from anabranch.comm.base import Feature
    from anabranch.errors import AnabranchError

    try:
        comm = mpi_world.join(1 if mode else 2)
        found: dict[str, object] = {"survives": Feature.FAILURES in comm.provides}
        if not mode:
            from anabranch.doctor.exercise import exercise, timings  # takes longer to import than all else

            operations, (latency, allreduce) = exercise(comm), timings(comm)
            found = {"operations": operations, "latency": latency, "allreduce_seconds": allreduce}
    except AnabranchError as error:
        _write(Path(file), {"error": str(error)})
        mpi_world.end_all(1)
    if comm.rank == 0:
        _write(Path(file), found)
    return 0


def _write(file: Path, content: dict[str, object]) -> None:
    partial = file.with_suffix(f".{id(content)}")
    partial.write_text(json.dumps(content), encoding="utf-8")
    partial.replace(file)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
