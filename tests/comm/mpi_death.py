"""Three ranks, of which one kills itself; the survivors shrink, go on, and write what they saw: `mpi_death.py DIR`."""

import json
import os
import signal
import sys
from pathlib import Path

import torch

from anabranch.comm import Feature
from anabranch.comm.mpi import MpiCommunicator
from anabranch.errors import PeerLost, ReceiveTimeout

VICTIM = 1


def lost_in_allreduce(comm: MpiCommunicator) -> list[int]:
    """Allreduce until it breaks off."""
    x = torch.ones(100_000)
    while True:
        try:
            comm.allreduce(x)
        except PeerLost as lost:
            return sorted(lost.ranks)


def heard_by_server(comm: MpiCommunicator) -> list[str]:
    """Rank 0 serves the last rank and hears of a death once."""
    out = torch.zeros(1)
    if comm.rank == comm.size - 1:
        comm.send(torch.tensor([5.0]), 0)
        return []
    heard: list[str] = []
    while len(heard) < 2:
        try:
            heard.append(f"message from {comm.recv(out, timeout=20)}")
        except PeerLost as lost:
            heard.append(f"lost {sorted(lost.ranks)}")
        except ReceiveTimeout:
            heard.append("timeout")
    return sorted(heard)


def main(directory: Path) -> None:
    world = MpiCommunicator.world()
    served = world.split(0)
    assert served is not None
    world.barrier()
    if world.rank == VICTIM:
        os.kill(os.getpid(), signal.SIGKILL)
    heard = heard_by_server(served)
    lost = lost_in_allreduce(world)
    survivors = world.shrink()
    x = torch.full((100_000,), float(world.rank + 1))
    survivors.allreduce(x)
    seen = {
        "heard": heard,
        "lost": lost,
        "failed": sorted(world.failed()),
        "size": survivors.size,
        "sum": sorted(set(x.tolist())),
        "provides": Feature.FAILURES in survivors.provides,
    }
    (directory / f"{world.rank}.json").write_text(json.dumps(seen))
    survivors.barrier()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
