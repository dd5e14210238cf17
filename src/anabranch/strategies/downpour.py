"""Downpour SGD: replicas fetch parameters and push gradients, each at its own pace.

Dean, Corrado, Monga et al. 2012, "Large scale distributed deep networks", Algorithm 1.1:

    loop
      if step mod n_fetch = 0 then STARTASYNCHRONOUSLYFETCHINGPARAMETERS      `refresh`
      data ← GETNEXTMINIBATCH
      gradient ← COMPUTEGRADIENT(parameters, data)
      accruedgradients ← accruedgradients + gradient
      parameters ← parameters - α * gradient
      if step mod n_push = 0 then STARTASYNCHRONOUSLYPUSHINGGRADIENTS; accruedgradients ← 0
      step ← step + 1

So the first push follows the first batch. What is pushed are raw gradients, summed: the server owns its rate, and may
have one for each parameter (Adagrad, section 4.1). Shards are fetched and updated one by one, so that a replica's
parameters need not have existed together at any time. `warm_start`: one replica trains alone before the others begin.

With `overlap` the two activities go on while the replica computes, as in the paper: parameters that come are taken at
the next step, and a push is waited for only when the next one is due. So a gradient is computed from parameters that
lack the replica's own last one. Without it, which is the default (docs/decisions/0009), every fetch and push is waited
for; then one replica with n_fetch = n_push = 1 does what its update rule does alone.

Deviations: at its end a replica pushes what it has accrued since its last push. The very first fetch is waited for.
Where the server adapts its rates, a replica's own α is a tenth of the server's: the paper finds Adagrad's to be about
an order of magnitude larger than a fixed one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite

import torch

from anabranch.comm.base import Communicator
from anabranch.errors import UsageError
from anabranch.optim import DEFAULT_RULE, Rule
from anabranch.server.update import Course, Descend
from anabranch.strategies.own_pace import WINDOW, Hosting, Plan, Replica, asynchronous
from anabranch.strategies.task import Task
from anabranch.types import Step

CAUTION = 10  # how much smaller a replica's own steps are than those of a server that adapts its rates (section 4.1)


@dataclass(frozen=True)
class Downpour:
    """Fetch parameters, push gradients, never wait for the other replicas.

    Attributes:
        rule: of the server.
        n_fetch: steps from one fetch to the next.
        n_push: steps from one push to the next.
        overlap: whether they go on while the replica computes.
        warm_start: epochs that the first replica trains alone, or a part of one.
        hosting: where the parameters are.
    """

    rule: Rule = DEFAULT_RULE
    n_fetch: int = 1
    n_push: int = 1
    overlap: bool = False
    warm_start: float = 0.0
    hosting: Hosting = WINDOW

    def __post_init__(self) -> None:
        for name, steps in (("fetch", self.n_fetch), ("push", self.n_push)):
            if steps < 1:
                raise UsageError(f"Downpour can {name} every 1 or more steps, not every {steps}.")
        if not (isfinite(self.warm_start) and self.warm_start >= 0):
            raise UsageError(f"the warm start lasts 0 or more epochs, not {self.warm_start}: try 1.")
        self.hosting.check(Descend(self.rule))

    def run(self, task: Task, comm: Communicator) -> Iterator[Step]:
        """Train replicas at their own pace."""
        return asynchronous(task, comm, Plan(self.hosting, Descend(self.rule), self.rule, self.overlap), self._work)

    def _work(self, task: Task, replica: Replica) -> Iterator[Step]:
        alone, w = round(self.warm_start * task.shard.total), replica.weights
        accrued, course = torch.zeros_like(w), Course(self.rule)
        owed = False
        for step, batch in replica.batches(alone):
            if step % self.n_fetch == 0:
                replica.refresh()
            loss, g = task.objective.gradient(batch)
            accrued += g
            w.sub_(g, alpha=course.at(replica.epoch) / (1 if self.rule.name == "sgd" else CAUTION))
            yield replica.step(loss, batch)
            replica.catch_up()
            owed = step % self.n_push != 0
            if not owed:
                accrued = replica.push(accrued)
        if owed:
            replica.push(accrued)
