"""What one number of ranks has found out."""

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from anabranch.calibrate.collectives import Table, tables
from anabranch.calibrate.contention import Contention
from anabranch.calibrate.links import Sample, fit_link
from anabranch.calibrate.places import Places
from anabranch.cluster import Link, Measured
from anabranch.cluster.collective_measured import interpolate
from anabranch.cluster.tables import build
from anabranch.cluster.tables import tables as nested
from anabranch.errors import AnabranchError
from anabranch.files import write_json

K = TypeVar("K")


@dataclass(frozen=True)
class Findings:
    """What one number of ranks has measured.

    Attributes:
        ranks: how many.
        nodes: on how many machines.
        most: ranks on the fullest of them.
        cores: of the machine with the most that these ranks may use.
        slowdown: of `most` ranks that compute at the same time.
        interface_latency: seconds of a call of the communicator.
        inside: the link between two ranks of a node, if any share one.
        between: the link between two nodes, if there are two.
        measured: collective operations, if all ranks lie on one node.
    """

    ranks: int
    nodes: int
    most: int
    cores: int
    slowdown: float
    interface_latency: float
    inside: Link | None = None
    between: Link | None = None
    measured: tuple[Measured, ...] = ()

    def write(self, path: Path) -> None:
        """Write them as JSON.

        Raises:
            StorageError: the place is not writable.
        """
        write_json(path, nested(self))

    @classmethod
    def read(cls, path: Path) -> "Findings":
        """Read what `write` wrote.

        Raises:
            AnabranchError: the file is not there, though those who were to write it ended well.
        """
        try:
            return build(cls, json.loads(path.read_text(encoding="utf-8")), str(path))
        except OSError as error:
            raise AnabranchError(f"the ranks have left no measurements in {path}: {error.strerror}.") from error


def summed_up(
    where: Places,
    latency: float,
    inside: Sequence[Sequence[Sample]],
    between: Sequence[Sequence[Sample]],
    collected: Sequence[Table],
    contended: Sequence[Contention],
) -> Findings:
    """Findings from the rounds of each measurement.

    Links and collective operations are means over the rounds: where a machine is sometimes faster and sometimes slower,
    an epoch sees both.
    """
    ranks, ratios = len(where.hosts), [each.slowdown for each in contended]
    return Findings(
        ranks=ranks,
        nodes=where.nodes,
        most=where.most,
        cores=where.cores,
        slowdown=statistics.median(ratios) if ratios else 1.0,
        interface_latency=latency,
        inside=fit_link(averaged(inside)) if inside else None,
        between=fit_link(averaged(between)) if between else None,
        measured=measured(collected, contended, ranks) if collected else (),
    )


def averaged(rounds: Iterable[Iterable[tuple[K, float]]]) -> list[tuple[K, float]]:
    """The mean over the rounds of the seconds of each thing measured."""
    times: dict[K, list[float]] = {}
    for points in rounds:
        for what, seconds in points:
            times.setdefault(what, []).append(seconds)
    return [(what, statistics.fmean(mine)) for what, mine in times.items()]


def measured(collected: Sequence[Table], contended: Sequence[Contention], ranks: int) -> tuple[Measured, ...]:
    """The tables of all operations.

    An allreduce as large as a network's gradient takes what it adds to training steps, but at least as long as one
    without any.
    """
    plain = dict(averaged(table.items() for table in collected))
    added = averaged([(each.gradient_bytes, each.allreduce)] for each in contended)
    if not added:
        return tables(plain, ranks)
    bare = next(table for table in tables(plain, ranks) if table.operation == "allreduce")
    least = min(size for size, _ in added)
    kept = {(name, size): seconds for (name, size), seconds in plain.items() if name != "allreduce" or size < least}
    among = {("allreduce", size): max(seconds, interpolate(bare, size)) for size, seconds in added}
    return tables(kept | among, ranks)
