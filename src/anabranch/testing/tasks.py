"""Small tasks that a strategy can be tried on: a quadratic, an RBM, a classifier, on shards of random data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from anabranch.comm.base import Communicator
from anabranch.comm.costs import Costs
from anabranch.comm.simulated import SimulatedWorld
from anabranch.data import Examples, shard
from anabranch.models import RBM, mlp
from anabranch.objectives import BackPropagation, ContrastiveDivergence, Objective
from anabranch.seeding import derive_seed, generator
from anabranch.strategies import FixedEpochs, Journal, Shard, Silent, Stopping, Strategy, Task, TaskState
from anabranch.types import Batch

FEATURES, CLASSES = 6, 3


class Quadratic(Objective):
    """½|w - x|² averaged over the batch: the minimum lies at the mean of the data."""

    def __init__(self) -> None:
        self._weights = torch.zeros(FEATURES)

    @property
    def weights(self) -> Tensor:
        """[FEATURES]."""
        return self._weights

    def gradient(self, batch: Batch) -> tuple[float, Tensor]:
        """Mean loss, and w - mean(x)."""
        difference = self.weights - batch.x
        return float(difference.square().sum(1).mean()) / 2, difference.mean(0)

    def start_epoch(self, seed: int) -> None:
        """No noise."""

    def state(self) -> dict[str, Tensor]:
        """Nothing."""
        return {}


def quadratic() -> Objective:
    """A convex objective without noise."""
    return Quadratic()


def rbm() -> Objective:
    """Contrastive divergence."""
    return ContrastiveDivergence(RBM(FEATURES, 5, std=0.1, generator=generator(1)), weight_cost=0.01)


def pcd() -> Objective:
    """Contrastive divergence with a state of its own: persistent chains."""
    return ContrastiveDivergence(RBM(FEATURES, 5, std=0.1, generator=generator(1)), chains=4)


def classifier() -> Objective:
    """Back-propagation."""
    return BackPropagation(mlp([FEATURES, 5, CLASSES], generator=generator(1)))


def examples(n: int = 60) -> Examples:
    """`n` random rows with random labels, always the same."""
    chance = generator(9)
    x = torch.rand(n, FEATURES, generator=chance)
    return Examples(x, torch.randint(CLASSES, (n,), generator=chance))


def make_shard(rank: int, size: int, batch_size: int = 5, n: int = 60, seed: int = 4) -> Shard:
    """Of one worker; a rank below 0 serves."""
    members = shard(n, rank, size, seed) if rank >= 0 else torch.empty(0, dtype=torch.int64)
    return Shard(examples(n), members, n, max(rank, -1), size, batch_size, seed)


class Books(Silent):
    """Keeps what a task reports of asynchronous work."""

    def __init__(self) -> None:
        self.traffic: dict[str, Any] = {}

    def on_traffic(self, traffic: dict[str, Any]) -> None:
        """Keep it."""
        self.traffic = traffic


@dataclass(frozen=True)
class Outcome:
    """What one rank has at the end.

    Attributes:
        weights: [P].
        losses: of its updates, in order.
        errors: of the epochs, as all ranks agreed on them.
    """

    weights: Tensor
    losses: list[float]
    errors: list[float]


def train(
    strategy: Strategy,
    workers: int,
    objective: Callable[[], Objective] = quadratic,
    *,
    stopping: Stopping | None = None,
    batch_size: int = 5,
    n: int = 60,
    journals: Sequence[Journal] | None = None,
    restored: list[TaskState] | None = None,
    servers: int = 0,
    costs: Costs | None = None,
) -> list[Outcome]:
    """Train on so many simulated workers, which come after the servers; what each rank has in the end.

    Args:
        strategy: what is tried.
        workers: how many.
        objective: makes each rank's own.
        stopping: after three epochs unless given.
        batch_size: the most examples of a worker's batch.
        n: examples, of all workers together.
        journals: one a rank.
        restored: where each rank goes on.
        servers: ranks that serve.
        costs: of communication.
    """

    def program(comm: Communicator) -> Outcome:
        return train_on(
            comm,
            strategy,
            objective,
            stopping=stopping,
            part=make_shard(comm.rank - servers, workers, batch_size, n),
            journal=journals[comm.rank] if journals else None,
            restored=restored[comm.rank] if restored else None,
        )

    return SimulatedWorld(servers + workers, costs).run(program)


def train_on(
    comm: Communicator,
    strategy: Strategy,
    objective: Callable[[], Objective] = quadratic,
    *,
    stopping: Stopping | None = None,
    part: Shard | None = None,
    journal: Journal | None = None,
    restored: TaskState | None = None,
) -> Outcome:
    """As one rank of `comm`, whatever world that is of."""
    part = make_shard(comm.rank, comm.size) if part is None else part
    task = Task(
        objective(),
        part,
        stopping or FixedEpochs(3),
        seed=derive_seed(4, max(part.rank, 0)),
        monitor=journal,
        restored=restored,
    )
    losses = [step.loss for step in strategy.run(task, comm)]
    return Outcome(task.objective.weights.clone(), losses, task.errors)
