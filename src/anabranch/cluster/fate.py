"""From the failures of a cluster's file to what befalls each worker, at which virtual second."""

from collections.abc import Iterator

from anabranch.cluster.description import Cluster
from anabranch.cluster.disturbances import Failure
from anabranch.comm.failures import Fate
from anabranch.seeding import numpy_generator

_STREAM = int.from_bytes(b"failure")
Spell = tuple[float, float, float]
"""From when until when, in seconds, and by which factor a worker computes more slowly."""


def fates(cluster: Cluster, workers: int) -> dict[int, Fate]:
    """When the processes stop that do, and when the others can know; the earliest failure of each worker counts."""
    found: dict[int, Fate] = {}
    for failure, rank, at in _occurring(cluster, workers):
        delay = _until_noticed(cluster, failure)
        if delay is not None and (rank not in found or at < found[rank].stops):
            found[rank] = Fate(at, at + delay)
    return found


def losses(cluster: Cluster, workers: int) -> dict[int, list[tuple[float, float]]]:
    """For each worker the seconds from which on its next message is lost, and the delay that this costs.

    Each further loss of the same message doubles the time until it is sent again, as TCP does (RFC 6298, section 5.5).
    """
    found: dict[int, list[tuple[float, float]]] = {}
    for failure, rank, at in _occurring(cluster, workers):
        if failure.kind == "lose" and failure.times <= cluster.network.retries:
            found.setdefault(rank, []).append((at, _delay(cluster, failure.times)))
    return {rank: sorted(each) for rank, each in found.items()}


def slow_spells(cluster: Cluster, workers: int, rank: int) -> list[Spell]:
    """When the worker `rank` computes more slowly."""
    found = _occurring(cluster, workers, only=rank)
    return [(at, at + failure.seconds, failure.factor) for failure, _, at in found if failure.kind == "slow"]


def _occurring(cluster: Cluster, workers: int, only: int | None = None) -> Iterator[tuple[Failure, int, float]]:
    """Each failure with the worker that it befalls, and when."""
    for number, failure in enumerate(cluster.failures):
        candidates = range(workers) if only is None else [only]  # not all, where each of thousands asks for itself
        whom = candidates if failure.rank is None else [rank for rank in [failure.rank] if rank in candidates]
        for rank in whom:
            at = failure.at
            if at is None:
                at = float(numpy_generator(_STREAM, cluster.seed, number, rank).exponential(failure.mean or 0.0))
            yield failure, rank, at


def _until_noticed(cluster: Cluster, failure: Failure) -> float | None:
    """Seconds from the end of a process until the others can know of it; None: the process goes on."""
    match failure.kind:
        case "die":
            return cluster.detection
        case "hang":
            return cluster.supervision
        case "lose" if failure.times > cluster.network.retries:
            return _delay(cluster, cluster.network.retries)
        case _:
            return None


def _delay(cluster: Cluster, times: int) -> float:
    return cluster.network.retransmission * float(2**times - 1)
