"""Hogwild: workers update one shared memory without locks.

Niu, Recht, Ré & Wright 2011, "Hogwild!: a lock-free approach to parallelizing stochastic gradient descent", section 2:

    loop
      sample e uniformly at random from E            the worker's next minibatch
      read current state x_e and evaluate G_e(x)     a copy of the shared weights, which others may be writing
      for v ∈ e do x_v ← x_v - γ b_v^T G_e(x)        an addition to the shared weights, which may undo others'

Deviations: the paper's steps are sparse, each touching few weights, which is why they seldom collide; those of a
network touch all of them. Its additions are atomic for each component; ours are not, and a few are lost (`Win` of MPI
has atomic ones: use Downpour with windows). Its γ is multiplied by a constant after every pass; ours has a schedule.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch

from anabranch.comm.base import Communicator
from anabranch.optim import DEFAULT_RULE, Rule
from anabranch.server.update import Descend
from anabranch.strategies.own_pace import Hosting, Plan, Replica, asynchronous
from anabranch.strategies.task import Task
from anabranch.types import Step


@dataclass(frozen=True)
class Hogwild:
    """Read, compute, add, without a lock.

    Attributes:
        rule: plain SGD or Adagrad.
        hosting: in shared memory, always.
    """

    rule: Rule = DEFAULT_RULE
    hosting: ClassVar[Hosting] = Hosting("shared")

    def __post_init__(self) -> None:
        self.hosting.check(Descend(self.rule))

    def run(self, task: Task, comm: Communicator) -> Iterator[Step]:
        """Train workers on one memory."""
        return asynchronous(task, comm, Plan(self.hosting, Descend(self.rule), self.rule), self._work)

    def _work(self, task: Task, replica: Replica) -> Iterator[Step]:
        outgoing = torch.empty_like(replica.weights)
        for _, batch in replica.batches():
            replica.fetch()
            loss, g = task.objective.gradient(batch)
            yield replica.step(loss, batch)
            outgoing = replica.push(outgoing.copy_(g))
