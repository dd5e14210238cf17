"""Where the ranks lie, and which pairs of them stand for the links."""

import json
import socket
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from anabranch.comm.base import Communicator
from anabranch.comm.text import share_text


@dataclass(frozen=True)
class Places:
    """Where the ranks lie.

    Attributes:
        hosts: the machine of each rank.
        cores: of the machine with the most, that its ranks may use.
    """

    hosts: tuple[str, ...]
    cores: int

    @property
    def nodes(self) -> int:
        """Machines."""
        return len(set(self.hosts))

    @property
    def most(self) -> int:
        """Ranks on the fullest machine."""
        return max(Counter(self.hosts).values())

    @property
    def inside(self) -> tuple[int, int] | None:
        """The first two ranks of a machine that has two."""
        for host, count in Counter(self.hosts).items():
            if count > 1:
                first, second, *_ = (rank for rank, mine in enumerate(self.hosts) if mine == host)
                return first, second
        return None

    @property
    def between(self) -> tuple[int, int] | None:
        """The first rank, and the first one on another machine."""
        return next(((0, rank) for rank, host in enumerate(self.hosts) if host != self.hosts[0]), None)


def places(comm: Communicator, cores: Sequence[int]) -> Places:
    """Where all ranks lie; `cores` are the numbers of those that this one may use. Collective."""
    gathered = comm.gather([socket.gethostname(), list(cores)])
    everybody = json.loads(share_text(comm, json.dumps(gathered)))
    usable: dict[str, set[int]] = {}
    for host, mine in everybody:
        usable.setdefault(host, set()).update(mine)
    return Places(tuple(host for host, _ in everybody), max(map(len, usable.values())))
