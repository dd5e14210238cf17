"""Synchronous data-parallel SGD: the gradients of all workers are averaged at every step.

Dean et al. 2012 and Chilimbi et al. 2014 measure themselves against it; with n workers it is the serial method on a
batch n times as large (Goyal et al. 2017, equation 4).

Deviation: the mean is over workers, not over examples. Batches of one step differ by at most one example in size, so
an example's weight differs by at most 1 in the batch size. A penalty of the objective is divided by the examples of
each worker's own minibatch, so that it weighs n times as much as on the joined one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from anabranch.comm.base import Communicator
from anabranch.optim import DEFAULT_RULE, FlatOptimizer, Rule
from anabranch.strategies.task import Task
from anabranch.types import Batch, Step


@dataclass(frozen=True)
class Allreduce:
    """Average the gradients at every step."""

    rule: Rule = DEFAULT_RULE

    def run(self, task: Task, comm: Communicator) -> Iterator[Step]:
        """Train in lockstep: every rank takes the same step with the mean gradient."""
        w = task.objective.weights  # [P]
        comm.broadcast(w, root=0)
        task.keep("weights", w)
        optimizer = task.optimizer(self.rule, w)
        for batches in task.epochs(comm):
            yield from in_lockstep(task, comm, optimizer, batches)


def in_lockstep(task: Task, comm: Communicator, optimizer: FlatOptimizer, batches: Iterator[Batch]) -> Iterator[Step]:
    """One epoch, in which the gradients are averaged at every step."""
    for batch in batches:
        loss, g = task.objective.gradient(batch)
        comm.allreduce(g, op="mean")
        optimizer.step(g)
        yield task.step(loss, batch)
