"""Asynchronous SGD as Ma 2014 has it: fetch, compute, update, put; and the same with an addition, which mends it.

Ma 2014, "Parallel implementation of deep learning using MPI", Algorithm 4:

    while not stopping criterion do
      StartFetchingParameters(parameters)                parameters ← MPI_Get(parameters, ..., win)
      data ← GetNextMiniBatch()
      gradients ← ComputeGradient(parameters, data)
      parameters ← parameters + α * gradients
      StartPushingGradients(gradients)                   MPI_Put(parameters, ..., win)

The put overwrites the parameters, and with them whatever other workers have put since this one's fetch: with n workers
of equal speed about n - 1 updates of n are lost. `FetchAdd` pushes α * gradients with MPI_Accumulate instead, so that
all are kept.

Deviation: α * gradients is the step of any update rule of the worker's own (momentum stays with the worker).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from anabranch.comm.base import Communicator
from anabranch.optim import DEFAULT_RULE, Rule
from anabranch.server.update import Add, Put
from anabranch.strategies.own_pace import WINDOW, Hosting, Plan, Replica, asynchronous
from anabranch.strategies.task import Task
from anabranch.types import Step


@dataclass(frozen=True)
class FetchPut:
    """Fetch, compute, update, put: what others have put meanwhile is lost.

    Attributes:
        rule: of each worker.
        hosting: where the parameters are.
    """

    rule: Rule = DEFAULT_RULE
    hosting: Hosting = WINDOW

    def run(self, task: Task, comm: Communicator) -> Iterator[Step]:
        """Train workers that overwrite each other's parameters."""
        return asynchronous(task, comm, Plan(self.hosting, Put(), self.rule), self._work)

    def _work(self, task: Task, replica: Replica) -> Iterator[Step]:
        w, optimizer = replica.weights, task.optimizer(self.rule, replica.weights)
        outgoing = torch.empty_like(w)
        for _, batch in replica.batches():
            replica.fetch()
            optimizer.advance(replica.epoch)
            loss = task.objective.descend(batch, optimizer)
            yield replica.step(loss, batch)
            outgoing = replica.push(outgoing.copy_(w))


@dataclass(frozen=True)
class FetchAdd:
    """Fetch, compute, update, add: nothing is lost.

    Attributes:
        rule: of each worker.
        hosting: where the parameters are.
    """

    rule: Rule = DEFAULT_RULE
    hosting: Hosting = WINDOW

    def run(self, task: Task, comm: Communicator) -> Iterator[Step]:
        """Train workers that add their updates up."""
        return asynchronous(task, comm, Plan(self.hosting, Add(), self.rule), self._work)

    def _work(self, task: Task, replica: Replica) -> Iterator[Step]:
        w, optimizer = replica.weights, task.optimizer(self.rule, replica.weights)
        before, outgoing = torch.empty_like(w), torch.empty_like(w)
        for _, batch in replica.batches():
            replica.fetch()
            before.copy_(w)
            optimizer.advance(replica.epoch)
            loss = task.objective.descend(batch, optimizer)
            yield replica.step(loss, batch)
            outgoing = replica.push(torch.sub(w, before, out=outgoing))
