"""Latency and bandwidth between two ranks, by sending messages to and fro; in any world, by its clock."""

import statistics
from collections.abc import Sequence
from time import perf_counter

import torch

from anabranch.calibrate.fit import fit_terms
from anabranch.cluster import Link
from anabranch.comm.base import Communicator

SIZES = (8, 64, 512, 4096, 32_768, 262_144, 2_097_152, 16_777_216)  # bytes
ADDED = 4_000_000  # bytes
REPEATS = 50

_SENT = 30_000_000  # bytes of one size in all

Sample = tuple[int, float]
"""Bytes, and seconds one way."""


def ping_pong(comm: Communicator, first: int, second: int, sizes: Sequence[int] = SIZES) -> list[Sample]:
    """What messages between two ranks take, which both call it."""
    samples = []
    for size in sizes:
        x = torch.zeros(size, dtype=torch.uint8)
        times = [_to_and_fro(comm, x, first, second) for _ in range(repeats(size))]
        samples.append((size, statistics.median(times) / 2))
    return samples


def repeats(size: int) -> int:
    """How often a message of so many bytes is sent."""
    return max(5, min(REPEATS, _SENT // max(size, 1)))


def fit_link(samples: Sequence[Sample]) -> Link:
    """The latency and bandwidth that explain `samples` best, by relative errors."""
    latency, per_byte = fit_terms([(1.0, size) for size, _ in samples], [seconds for _, seconds in samples])
    return Link(latency, 1 / per_byte if per_byte else float("inf"))


def add_bandwidth() -> float:
    """Bytes a second of one vector that this core adds to another."""
    x, y = torch.zeros(ADDED // 4), torch.ones(ADDED // 4)
    times = []
    for _ in range(REPEATS):
        began = perf_counter()
        x.add_(y)
        times.append(perf_counter() - began)
    return ADDED / statistics.median(times)


def _to_and_fro(comm: Communicator, x: torch.Tensor, first: int, second: int) -> float:
    began = comm.clock()
    if comm.rank == first:
        comm.send(x, second)
        comm.recv(x, second)
    else:
        comm.recv(x, first)
        comm.send(x, first)
    return comm.clock() - began
