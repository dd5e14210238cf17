"""Four MPI ranks push ones, in every way there is: `mpirun -n 4 python mpi_pushes.py OUT.json` writes the sums."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor

from anabranch.comm.base import Communicator, Request
from anabranch.comm.mpi import MpiCommunicator
from anabranch.data import Examples, shard
from anabranch.objectives import Objective
from anabranch.optim import Rule
from anabranch.server.client import Client
from anabranch.server.messages import Ask, Kind
from anabranch.server.update import Add, Put, Update
from anabranch.strategies import FixedEpochs, Hosting, Shard, Silent, Task
from anabranch.strategies.own_pace.plan import Plan
from anabranch.strategies.own_pace.replica import Replica
from anabranch.strategies.own_pace.run import asynchronous
from anabranch.types import Batch, Step

TIMES, LENGTH, EXAMPLES = 200, 3000, 64
LONG = 3 * 2**18  # in hashed shards of 1 MB, which MPI does not send before they are asked for


class Nothing(Objective):
    """Weights that nobody trains, and a buffer that says whose it is."""

    def __init__(self, length: int, rank: int) -> None:
        self._weights, self.owner = torch.zeros(length), torch.tensor(rank)

    @property
    def weights(self) -> Tensor:
        return self._weights

    def gradient(self, batch: Batch) -> tuple[float, Tensor]:
        return 0.0, torch.zeros_like(self._weights)

    def start_epoch(self, seed: int) -> None:
        """No noise."""

    def buffers(self) -> list[Tensor]:
        return [self.owner]

    def state(self) -> dict[str, Tensor]:
        return {}


class Books(Silent):
    def __init__(self) -> None:
        self.staleness: dict[str, int] = {}

    def on_traffic(self, traffic: dict[str, object]) -> None:
        found = traffic["staleness"]
        assert isinstance(found, dict)
        self.staleness = found


def add_ones(task: Task, replica: Replica) -> Iterator[Step]:
    x = torch.ones_like(replica.weights)
    for _ in range(TIMES):
        x = replica.push(x.fill_(1.0))
    return iter(())


def put_one_more(task: Task, replica: Replica) -> Iterator[Step]:
    """Fetch, add one, put: what Ma's Algorithm 4 does with an update of one."""
    x = torch.zeros_like(replica.weights)
    for _ in range(TIMES):
        replica.fetch()
        x = replica.push(torch.add(replica.weights, 1.0, out=x))
    return iter(())


def total(
    comm: Communicator, hosting: Hosting, update: Update, length: int = LENGTH
) -> tuple[list[float], dict[str, int], int]:
    """The smallest and the largest weight at the end, the staleness of the pushes, and whose buffers are here."""
    number = comm.rank - hosting.servers
    workers = comm.size - hosting.servers
    rows = Examples(torch.zeros(EXAMPLES, 1))
    members = shard(EXAMPLES, number, workers, 0) if number >= 0 else torch.empty(0, dtype=torch.int64)
    part = Shard(rows, members, EXAMPLES, max(number, -1), workers, 4, 0)
    books, objective = Books(), Nothing(length, comm.rank)
    task = Task(objective, part, FixedEpochs(1), monitor=books)
    work = put_one_more if isinstance(update, Put) else add_ones
    for _ in asynchronous(task, comm, Plan(hosting, update, Rule()), work):
        pass
    w = objective.weights
    return [float(w.min()), float(w.max())], books.staleness, int(objective.owner)


def crossing(client: Client, server: int, what: Ask) -> Request:
    """As `Client.ask`; but the first worker is late at the second server, and the second worker at the first server."""
    if what.kind == Kind.FAREWELL and (client._comm.rank, server) in ((2, 1), (3, 0)):
        time.sleep(0.6 if server else 0.2)
    return ask(client, server, what)


ask = Client.ask


def main(path: Path) -> None:
    comm = MpiCommunicator.world()
    found: dict[str, object] = {}

    def add(hosting: Hosting, update: Update, length: int = LENGTH) -> None:
        name = f"{hosting} {hosting.placing} {type(update).__name__}"
        found[name], ages, found[name + " buffers"] = total(comm, hosting, update, length)
        found[name + " pushes"] = sum(ages.values())
        if comm.rank == 0:
            path.write_text(json.dumps(found))

    for hosting in (Hosting(), Hosting("window", placing="hashed"), Hosting("ranks", 1), Hosting("shared")):
        for update in (Add(), Put()):
            add(hosting, update)
    with patch.object(Client, "ask", crossing):  # servers that part with workers as they come wait for each other
        add(Hosting("ranks", 2, "hashed"), Add(), LONG)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
