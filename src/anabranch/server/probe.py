"""Whether windows do for a parameter server here: tried out, for no library tells."""

import time
from dataclasses import dataclass

import torch

from anabranch.comm.base import Communicator, Feature

BUSY = 0.1  # seconds for which the owner keeps away from MPI
QUICK = BUSY / 4  # seconds within which another rank must be able to read and add meanwhile
LENGTH = 1 << 18  # elements: one megabyte
TRIES = 3  # at most: a rank that stalls does so in each, one whose core was taken by another program does not


@dataclass(frozen=True)
class Finding:
    """What a trial has shown: whether windows work, and why it says so."""

    works: bool
    reason: str


def probe(comm: Communicator) -> Finding:
    """Have rank 0 compute for a while, and see whether the others reach its window meanwhile. Collective."""
    if comm.size == 1:
        return Finding(True, "there is one rank")
    if Feature.WINDOW not in comm.provides:
        return Finding(False, "the ranks are on several nodes, where windows stall until their owner calls MPI")
    seconds = float("inf")
    for _ in range(TRIES):
        seconds = min(seconds, _slowest(comm))
        if seconds < QUICK:
            break
    said = f"1 MB was read and added to in {1e3 * seconds:.1f} ms while its owner computed for {1e3 * BUSY:.0f} ms"
    return Finding(seconds < QUICK, said)


def _slowest(comm: Communicator) -> float:
    """The seconds of the rank that took longest, which all ranks learn."""
    slowest = torch.tensor(_try(comm), dtype=torch.float64)
    comm.allreduce(slowest, op="max")
    return float(slowest)


def _try(comm: Communicator) -> float:
    """Seconds until this rank has read and added to rank 0's window, while that computes."""
    x = torch.ones(LENGTH)
    with comm.window(torch.zeros(LENGTH if comm.rank == 0 else 0)) as window:
        comm.barrier()
        began = time.perf_counter()
        if comm.rank == 0:
            while time.perf_counter() - began < BUSY:
                torch.add(x, x, out=x)
            return 0.0
        window.accumulate(0, torch.ones(LENGTH))
        window.get(0, x)
        return time.perf_counter() - began
