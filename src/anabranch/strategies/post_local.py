"""Post-local SGD: gradients averaged at every step at first, then replicas that learn alone and are averaged.

Lin, Stich, Patel & Jaggi 2020, "Don't use large mini-batches, use local SGD". With t' the step of the switch:

    H(t) = 1 for t ≤ t'                    mini-batch SGD on all workers: `allreduce.py`
    H(t) = H for t > t'                    local SGD: `averaging.py`

Unless told, the switch is after half of the epochs, where the paper's schedule on CIFAR first lowers its rate.

Deviations: t' is the end of an epoch. Up to there gradients are averaged, not weights, which is the same under plain
SGD; so the replicas have one momentum at t', and each its own from there on. Rounds are counted from the first step of
all, so that the one after t' may be shorter than H. A run that does not end on a multiple of H averages once more.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from anabranch.comm.base import Communicator
from anabranch.errors import UsageError
from anabranch.optim import DEFAULT_RULE, Rule
from anabranch.strategies.allreduce import in_lockstep
from anabranch.strategies.averaging import average_updates
from anabranch.strategies.judged import mean_of
from anabranch.strategies.rounds import Rounds, check_every
from anabranch.strategies.task import Task
from anabranch.types import Step


@dataclass(frozen=True)
class PostLocal:
    """In lockstep until the switch, alone from round to round after it.

    Attributes:
        rule: the update rule, of all at first, then of each replica.
        every: batches from one average to the next after the switch (H).
        local_after: epochs before the switch; None: half of the task's, rounded up.
    """

    rule: Rule = DEFAULT_RULE
    every: int = 16
    local_after: int | None = None

    def __post_init__(self) -> None:
        check_every(self.every)
        if self.local_after is not None and self.local_after < 0:
            raise UsageError(f"replicas can learn alone after 0 or more epochs, not after {self.local_after}.")

    def run(self, task: Task, comm: Communicator) -> Iterator[Step]:
        """Train in lockstep, then as replicas."""
        w = task.objective.weights  # [P]
        comm.broadcast(w, root=0)
        common = w.clone()
        task.keep("weights", w)
        task.keep("common", common)
        task.judged_by(mean_of(w))
        optimizer = task.optimizer(self.rule, w)
        switch = (task.stopping.limit + 1) // 2 if self.local_after is None else self.local_after
        rounds = Rounds(task, optimizer, self.every, lambda: average_updates(w, common, comm))
        for batches in task.epochs(comm):
            if task.epoch < switch:
                yield from in_lockstep(task, comm, optimizer, batches)
                common.copy_(w)
            else:
                yield from rounds.epoch(batches)
        if task.epoch > switch:  # replicas in lockstep agree already
            rounds.end()
