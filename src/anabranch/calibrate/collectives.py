"""The time of collective operations between the ranks at hand; in any world, by its clock."""

import statistics
from collections.abc import Callable, Mapping

import torch

from anabranch.calibrate.links import repeats
from anabranch.cluster import Measured
from anabranch.comm.base import Communicator

SIZES = (4, 256, 4096, 65_536, 524_288, 2_097_152, 16_777_216)  # bytes a rank
MOST_GATHERED = 64 << 20  # bytes: beyond, an allgather would only fill memories
CALLS = 500

Table = dict[tuple[str, int], float]
"""Seconds by the operation and its bytes."""


def collectives(comm: Communicator) -> Table:
    """The median time of each operation for each size, begun together. Collective."""
    table = {("barrier", 0): operation_seconds(comm, comm.barrier, 0)}
    for size in SIZES:
        x = torch.zeros(size // 4)
        table["allreduce", size] = operation_seconds(comm, lambda x=x: comm.allreduce(x), size)  # type: ignore[misc]
        table["broadcast", size] = operation_seconds(comm, lambda x=x: comm.broadcast(x, 0), size)  # type: ignore[misc]
        if size * comm.size <= MOST_GATHERED:
            out = torch.zeros(comm.size * len(x))
            table["allgather", size] = operation_seconds(comm, lambda x=x, out=out: comm.allgather(x, out), size)  # type: ignore[misc]
    return table


def interface_latency(comm: Communicator) -> float:
    """The median of the seconds of a call that has nobody to talk to. Collective."""
    alone, x = comm.split(comm.rank), torch.zeros(1)
    if alone is None:
        return 0.0
    times = []
    for _ in range(CALLS):
        began = comm.clock()
        alone.allreduce(x)
        times.append(comm.clock() - began)
    return statistics.median(times)


def tables(found: Mapping[tuple[str, int], float], ranks: int) -> tuple[Measured, ...]:
    """The same as parts of a cluster."""
    operations = sorted({operation for operation, _ in found})
    return tuple(_table(operation, found, ranks) for operation in operations)


def _table(operation: str, found: Mapping[tuple[str, int], float], ranks: int) -> Measured:
    points = sorted((size, seconds) for (name, size), seconds in found.items() if name == operation)
    sizes, times = zip(*points, strict=True)
    return Measured(operation, ranks, sizes, times)


def operation_seconds(comm: Communicator, operation: Callable[[], None], size: int) -> float:
    """The median over the repetitions of the slowest rank's time."""
    operation()
    times = torch.zeros(repeats(size), dtype=torch.float64)
    for number in range(len(times)):
        comm.barrier()
        began = comm.clock()
        operation()
        times[number] = comm.clock() - began
    comm.allreduce(times, "max")
    return float(times.median())
