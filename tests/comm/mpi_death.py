"""Three ranks, of which one kills itself; the survivors shrink, go on, and write what they saw: `mpi_death.py DIR`."""

import json
import os
import signal
import sys
from pathlib import Path

import torch

from anabranch.comm import Feature
from anabranch.comm.base import Request
from anabranch.comm.mpi import MpiCommunicator
from anabranch.comm.mpi_world import leave
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


def start_with_victim(comm: MpiCommunicator) -> list[Request]:
    """What a survivor has under way with the rank that is about to die: a message each way, the victim takes none."""
    if comm.rank == VICTIM:
        return []
    return [comm.irecv(torch.zeros(10), VICTIM), comm.isend(torch.ones(1_000_000), VICTIM)]


def lost_in_wait(requests: list[Request]) -> list[list[int]]:
    """Whom waiting for each of `requests` tells to be lost; asking again tells it again."""
    lost = []
    for request in requests:
        for ask in (request.wait, request.done):
            try:
                ask()
            except PeerLost as error:
                lost.append(sorted(error.ranks))
    return lost


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
    served, pending = world.split(0), world.split(0)
    assert served is not None
    assert pending is not None
    started = start_with_victim(pending)
    world.barrier()
    if world.rank == VICTIM:
        os.kill(os.getpid(), signal.SIGKILL)
    waited = lost_in_wait(started)
    heard = heard_by_server(served)
    lost = lost_in_allreduce(world)
    survivors = world.shrink()
    x = torch.full((100_000,), float(world.rank + 1))
    survivors.allreduce(x)
    seen = {
        "waited": waited,
        "heard": heard,
        "lost": lost,
        "failed": sorted(world.failed()),
        "size": survivors.size,
        "sum": sorted(set(x.tolist())),
        "provides": Feature.FAILURES in survivors.provides,
    }
    (directory / f"{world.rank}.json").write_text(json.dumps(seen))
    survivors.barrier()
    leave()  # MPI's own end would wait for the dead, for a minute


if __name__ == "__main__":
    main(Path(sys.argv[1]))
