"""Parallel training with averaged updates: replicas learn alone, then the mean of their updates is applied.

De Filippo De Grazia, Stoianov & Zorzi 2012, "Parallelization of deep networks", Table 1 (the flowchart). The step
numbers below are the paper's; a star marks what its master node does. With `every` it is also local SGD (Stich
2019, Algorithm 1).

    (1*) W⁰ = rand; D = D₁ ∪ … ∪ D_k      the model's initial weights; `sharding.shard`, the same on every rank
    (2)  D_j, W⁰ to every rank j          the task's shard; a broadcast
    (3)  rank j trains alone              `every` batches, or one epoch of its shard: `rounds.py`
    (4)  ΔW_j to the master               ⎫
    (5*) ΔW = 1/k Σ ΔW_j;  W += ΔW        ⎬ one allreduce: no rank is special, the arithmetic is the same
    (6)  W to every rank                  ⎭
    (7)  if not converged: go to (3)      `task.epochs` ends on all ranks together
    (8), (9*) the outputs become the next layer's data: `pretrain.py`, on the rank that holds them

Deviations: the momentum of a replica is its own and is never averaged (the paper does not say). A run that does not end
on a multiple of `every` averages once more, so that replicas end in agreement.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from anabranch.comm.base import Communicator
from anabranch.optim import DEFAULT_RULE, Rule
from anabranch.strategies.judged import mean_of
from anabranch.strategies.rounds import Rounds, check_every
from anabranch.strategies.task import Task
from anabranch.types import Step


@dataclass(frozen=True)
class Averaging:
    """Average the weight updates every so many batches.

    Attributes:
        rule: the update rule of each replica.
        every: batches that a replica trains alone (H of local SGD); None: an epoch, as in the paper.
    """

    rule: Rule = DEFAULT_RULE
    every: int | None = None

    def __post_init__(self) -> None:
        check_every(self.every)

    def run(self, task: Task, comm: Communicator) -> Iterator[Step]:
        """Train replicas that leave, learn on their own shards, and rejoin."""
        w = task.objective.weights  # [P]
        comm.broadcast(w, root=0)  # (2)
        common = w.clone()  # W^i
        task.keep("weights", w)
        task.keep("common", common)
        if self.every is not None:
            task.judged_by(mean_of(w))
        optimizer = task.optimizer(self.rule, w)
        rounds = Rounds(task, optimizer, self.every, lambda: average_updates(w, common, comm))
        for batches in task.epochs(comm):  # (7)
            yield from rounds.epoch(batches)  # (3) to (6)
        rounds.end()


def average_updates(w: Tensor, common: Tensor, comm: Communicator) -> None:
    """W^{i+1} = W^i + 1/k Σ (W_j - W^i): steps (4) to (6). `w` and `common` [P] leave as W^{i+1}."""
    if comm.size == 1:
        return  # The mean of one update is that update; computing W + (w - W) would only round it.
    w.sub_(common)  # ΔW_j
    comm.allreduce(w, op="mean")  # (4), (5*)
    common.add_(w)  # (5*)
    w.copy_(common)  # (6)
