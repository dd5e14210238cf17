"""BMUF, or block momentum: the mean updates of the replicas, block after block, are smoothed by a momentum.

Chen & Huo 2016, "Scalable training of deep learning machines by incremental block training with intra-block parallel
optimization and blockwise model-update filtering". A block is what N workers learn from between two meetings:

    W̄(t) = 1/N Σ W_i(t)                   replicas that began at W_g(t-1), each on its own split of block t
    G(t) = W̄(t) - W_g(t-1)
    Δ(t) = η Δ(t-1) + ζ G(t)               block momentum η, block learning rate ζ
    W(t) = W(t-1) + Δ(t)
    W_g(t) = W(t)                          is broadcast: classical block momentum, or
    W_g(t) = W(t) + η Δ(t)                 Nesterov block momentum, which is the default here

In terms of W_g both are SGD on the gradient -G, with rate ζ and momentum η, as torch has it (its velocity is -Δ/ζ): see
`outer.py`. With η = 1 - 1/N and ζ = 1 an update counts ζ / (1 - η) = N times in the end, as if the N replicas had
learnt one after the other; for one worker it is the serial method.

Deviations: η and ζ do not change in time. A replica's own momentum is never averaged, nor begun anew. What a task ends
with is what would be broadcast, with Nesterov W_g and not W. A run that does not end on a multiple of `every` has a
shorter block at its end, with an update as of any other.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from anabranch.comm.base import Communicator
from anabranch.optim import DEFAULT_RULE, Rule
from anabranch.strategies.outer import check_outer, train_in_rounds
from anabranch.strategies.rounds import check_every
from anabranch.strategies.task import Task
from anabranch.types import Step


@dataclass(frozen=True)
class BMUF:
    """Averaging with block momentum.

    Attributes:
        rule: the update rule of each replica.
        every: batches of a replica in a block; None: an epoch.
        block_learning_rate: ζ.
        block_momentum: η; None: 1 - 1/N for N workers.
        nesterov: whether Nesterov block momentum, or the classical one.
    """

    rule: Rule = DEFAULT_RULE
    every: int | None = None
    block_learning_rate: float = 1.0
    block_momentum: float | None = None
    nesterov: bool = True

    def __post_init__(self) -> None:
        check_every(self.every)
        check_outer(self.block_learning_rate, self.block_momentum)

    def run(self, task: Task, comm: Communicator) -> Iterator[Step]:
        """Train replicas block by block."""
        eta = 1 - 1 / comm.size if self.block_momentum is None else self.block_momentum
        outer = Rule("sgd", self.block_learning_rate, eta, nesterov=self.nesterov)
        return train_in_rounds(task, comm, self.rule, outer, self.every)
