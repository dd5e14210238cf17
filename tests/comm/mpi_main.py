"""Runs the table of checks on the ranks of one mpirun, and writes each rank's outcomes: `mpi_main.py OUT.json`."""

import json
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from conformance import CHECKS

from anabranch.comm import Communicator
from anabranch.comm.mpi import MpiCommunicator


def outcome(check: Callable[[Communicator], None], comm: Communicator) -> str | None:
    """None: the check passed; else the traceback."""
    try:
        check(comm)
    except Exception:
        return traceback.format_exc()
    return None


def main(path: Path) -> None:
    world = MpiCommunicator.world()
    table: dict[str, list[object]] = {}
    for name, check in CHECKS.items():
        # A communicator each: what a failed check leaves under way cannot reach the next one.
        comm = world.split(0)
        assert comm is not None
        outcomes = world.gather(outcome(check, comm))
        if outcomes is not None:
            table[name] = [*outcomes]
            path.write_text(json.dumps(table))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
