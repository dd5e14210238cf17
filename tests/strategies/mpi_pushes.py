"""Four MPI ranks push ones, in every way there is: `mpirun -n 4 python mpi_pushes.py OUT.json` writes the sums."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from anabranch.comm.base import Communicator
from anabranch.comm.mpi import MpiCommunicator
from anabranch.data import Examples, shard
from anabranch.objectives import Objective
from anabranch.optim import Rule
from anabranch.server.update import Add, Put, Update
from anabranch.strategies import FixedEpochs, Hosting, Shard, Silent, Task
from anabranch.strategies.own_pace.plan import Plan
from anabranch.strategies.own_pace.replica import Replica
from anabranch.strategies.own_pace.run import asynchronous
from anabranch.types import Batch, Step

TIMES, LENGTH, EXAMPLES = 200, 3000, 64


class Nothing(Objective):
    """Weights that nobody trains."""

    def __init__(self) -> None:
        self._weights = torch.zeros(LENGTH)

    @property
    def weights(self) -> Tensor:
        return self._weights

    def gradient(self, batch: Batch) -> tuple[float, Tensor]:
        return 0.0, torch.zeros(LENGTH)

    def start_epoch(self, seed: int) -> None:
        """No noise."""

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
    x = torch.ones(LENGTH)
    for _ in range(TIMES):
        x = replica.push(x.fill_(1.0))
    return iter(())


def put_one_more(task: Task, replica: Replica) -> Iterator[Step]:
    """Fetch, add one, put: what Ma's Algorithm 4 does with an update of one."""
    x = torch.zeros(LENGTH)
    for _ in range(TIMES):
        replica.fetch()
        x = replica.push(torch.add(replica.weights, 1.0, out=x))
    return iter(())


def total(comm: Communicator, hosting: Hosting, update: Update) -> tuple[list[float], dict[str, int]]:
    """The smallest and the largest weight at the end, and the staleness of the pushes."""
    number = comm.rank - hosting.servers
    workers = comm.size - hosting.servers
    rows = Examples(torch.zeros(EXAMPLES, 1))
    members = shard(EXAMPLES, number, workers, 0) if number >= 0 else torch.empty(0, dtype=torch.int64)
    part = Shard(rows, members, EXAMPLES, max(number, -1), workers, 4, 0)
    books = Books()
    task = Task(Nothing(), part, FixedEpochs(1), monitor=books)
    work = put_one_more if isinstance(update, Put) else add_ones
    for _ in asynchronous(task, comm, Plan(hosting, update, Rule()), work):
        pass
    w = task.objective.weights
    return [float(w.min()), float(w.max())], books.staleness


def main(path: Path) -> None:
    comm = MpiCommunicator.world()
    found: dict[str, object] = {}
    for hosting in (Hosting(), Hosting("window", placing="hashed"), Hosting("ranks", 1), Hosting("shared")):
        for update in (Add(), Put()):
            name = f"{hosting} {hosting.placing} {type(update).__name__}"
            found[name], ages = total(comm, hosting, update)
            found[name + " pushes"] = sum(ages.values())
    if comm.rank == 0:
        path.write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
