"""One of the ranks of the self-test: `mpirun -n 2 python -m anabranch.doctor.ranks FILE SECONDS [survival]`.

Rank 0 writes FILE, JSON. Every rank ends by itself after SECONDS, for a killed mpirun may leave its ranks behind.
"""

import json
import os
import signal
import sys
from pathlib import Path


def main(file: str, seconds: str, *mode: str) -> int:
    """Take part; return the exit code. With the mode "survival" only say whether MPI survives a death."""
    signal.alarm(int(seconds))  # before anything that may hang, such as starting MPI
    try:
        found = _survival() if mode else _two_ranks()
    except Exception as error:  # whatever it was, the doctor is to tell it
        from anabranch.errors import AnabranchError

        known = isinstance(error, AnabranchError)
        _write(Path(file), {"error": str(error) if known else f"{type(error).__name__}: {error}"})
        os._exit(1)  # without MPI's own end, which might wait for the other rank; mpirun ends that
    if found:
        _write(Path(file), found)
    return 0


def _two_ranks() -> dict[str, object]:
    """What they computed, at rank 0; nothing at the other."""
    from anabranch.comm import mpi_world
    from anabranch.doctor.exercise import exercise, timings

    comm = mpi_world.join(2)
    operations, (latency, allreduce) = exercise(comm), timings(comm)
    if comm.rank:
        return {}
    return {"operations": operations, "latency": latency, "allreduce_seconds": allreduce}


def _survival() -> dict[str, object]:
    from anabranch.comm import mpi_world
    from anabranch.comm.base import Feature

    return {"survives": Feature.FAILURES in mpi_world.join(1).provides}


def _write(file: Path, content: dict[str, object]) -> None:
    partial = file.with_suffix(f".{os.getpid()}")
    partial.write_text(json.dumps(content), encoding="utf-8")
    partial.replace(file)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
