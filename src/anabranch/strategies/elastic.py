"""Elastic averaging SGD: workers explore on their own, tied to a centre by a spring.

Zhang, Choromanska & LeCun 2015, "Deep learning with elastic averaging SGD". With c the centre, w a worker's weights,
τ the period and α = β / p for p workers:

    asynchronous (Algorithm 1), every τ steps of a worker       synchronous (equations 5 and 6), every τ steps of all
        e = α (w - c)                                               e_i = α (w_i - c)
        w ← w - e                                                   w_i ← w_i - e_i
        c ← c + e                                                   c ← c + Σ e_i
        w ← w - η g                                                 w_i ← w_i - η g_i

With g where w was before the exchange. With Nesterov's momentum in the workers' rule it is EAMSGD. All begin at one
point. What is learnt is the centre, with which a task ends.

Deviations: the exchange comes after a worker's τ-th step, and not before its first, where w and c are equal; so the
next g is taken where the exchange has left w. Workers that end between two exchanges make one more. Asynchronous worker
and centre are shard by shard in step, not altogether. The command line's momentum is the plain one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite

import torch
from torch import Tensor

from anabranch.comm.base import Communicator
from anabranch.errors import UsageError
from anabranch.optim import DEFAULT_RULE, Rule
from anabranch.server.update import Add
from anabranch.strategies.own_pace import WINDOW, Hosting, Plan, Replica, asynchronous
from anabranch.strategies.rounds import Rounds
from anabranch.strategies.task import Task
from anabranch.types import Step

PERIOD, ELASTICITY = 10, 0.9


@dataclass(frozen=True)
class Elastic:
    """Elastic averaging, each worker at its own pace.

    Attributes:
        rule: of each worker.
        every: steps from one exchange with the centre to the next (τ).
        elasticity: of the spring, summed over all workers (β).
        hosting: where the centre is.
    """

    rule: Rule = DEFAULT_RULE
    every: int = PERIOD
    elasticity: float = ELASTICITY
    hosting: Hosting = WINDOW

    def __post_init__(self) -> None:
        _check(self.every, self.elasticity)

    def run(self, task: Task, comm: Communicator) -> Iterator[Step]:
        """Train workers on springs."""
        return asynchronous(task, comm, Plan(self.hosting, Add(), self.rule), self._work)

    def _work(self, task: Task, replica: Replica) -> Iterator[Step]:
        w, optimizer = replica.weights, task.optimizer(self.rule, replica.weights)
        alpha = self.elasticity / task.shard.size
        centre, e = torch.empty_like(w), torch.empty_like(w)
        replica.fetch()
        owed = False
        for step, batch in replica.batches():
            optimizer.advance(replica.epoch)
            loss = task.objective.descend(batch, optimizer)
            yield replica.step(loss, batch)
            owed = (step + 1) % self.every != 0
            if not owed:
                replica.fetch(centre)
                e = replica.push(stretch(w, centre, alpha, out=e))
        if owed:
            replica.fetch(centre)
            replica.push(stretch(w, centre, alpha, out=e))


@dataclass(frozen=True)
class ElasticSync:
    """Elastic averaging, all workers in step.

    Attributes:
        rule: of each worker.
        every: steps from one exchange with the centre to the next (τ).
        elasticity: of the spring, summed over all workers (β).
    """

    rule: Rule = DEFAULT_RULE
    every: int = PERIOD
    elasticity: float = ELASTICITY

    def __post_init__(self) -> None:
        _check(self.every, self.elasticity)

    def run(self, task: Task, comm: Communicator) -> Iterator[Step]:
        """Train workers on springs; every rank has the centre."""
        w = task.objective.weights  # [P]
        comm.broadcast(w, root=0)
        centre, e = w.clone(), torch.empty_like(w)
        task.keep("weights", w)
        task.keep("centre", centre)
        alpha = self.elasticity / comm.size

        def exchange() -> None:
            comm.allreduce(stretch(w, centre, alpha, out=e), op="sum")
            centre.add_(e)

        def at_the_end(ranks: Communicator) -> Tensor:
            """The centre, after the exchange that would end the task here."""
            if task.steps % self.every == 0:
                return centre
            ranks.allreduce(pull := (w - centre).mul_(alpha), op="sum")
            return pull.add_(centre)

        task.judged_by(at_the_end)
        rounds = Rounds(task, task.optimizer(self.rule, w), self.every, exchange)
        for batches in task.epochs(comm):
            yield from rounds.epoch(batches)
        rounds.end()
        w.copy_(centre)


def stretch(w: Tensor, centre: Tensor, alpha: float, *, out: Tensor) -> Tensor:
    """`out` becomes e = α (w - c), by which `w` comes nearer to `centre`; all [P]."""
    torch.sub(w, centre, out=out).mul_(alpha)
    w -= out
    return out


def _check(every: int, elasticity: float) -> None:
    if every < 1:
        raise UsageError(f"workers can meet the centre every 1 or more batches, not every {every}.")
    if not (isfinite(elasticity) and elasticity > 0):
        raise UsageError(f"the elasticity must be a positive number, not {elasticity}: try {ELASTICITY}.")
