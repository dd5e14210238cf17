"""An outer optimizer: what replicas have learnt in a round is a gradient, on which SGD with momentum moves them all.

With W the common weights, and W_i those of replica i of N after a round that it began at W:

    g = 1/N Σ (W - W_i)                      the outer gradient, which points away from what was learnt; one allreduce
    v ← μ v + g                              ⎫
    W ← W - η v, or with Nesterov's momentum ⎬ torch.optim.SGD on W, the same on every rank
    W ← W - η (g + μ v)                      ⎭
    W_i ← W

η = 1 with μ = 0 is averaging. What the papers make of it is in `bmuf.py` and `diloco.py`.
"""

from collections.abc import Iterator
from math import isfinite

import torch
from torch import Tensor

from anabranch.comm.base import Communicator
from anabranch.errors import UsageError
from anabranch.optim import FlatOptimizer, Rule
from anabranch.strategies.averaging import average_updates
from anabranch.strategies.judged import mean_of
from anabranch.strategies.rounds import Rounds
from anabranch.strategies.task import Task
from anabranch.types import Step


def train_in_rounds(task: Task, comm: Communicator, inner: Rule, outer: Rule, every: int | None) -> Iterator[Step]:
    """Replicas that learn alone by the `inner` rule for `every` batches (None: an epoch), joined by the `outer` one."""
    w = task.objective.weights  # [P]
    comm.broadcast(w, root=0)
    common = w.clone()  # W
    task.keep("weights", w)
    task.keep("common", common)
    optimizer = task.optimizer(inner, w)
    if outer.learning_rate == 1 and outer.momentum == 0:
        rounds = Rounds(task, optimizer, every, lambda: average_updates(w, common, comm))  # of one worker, to the bit
        ended = mean_of(w)
    else:
        mover = task.optimizer(outer, common)
        rounds = Rounds(task, optimizer, every, lambda: outer_step(w, common, mover, comm))

        def ended(ranks: Communicator) -> Tensor:
            """After the outer step that would end the task here."""
            if not rounds.under_way:
                return common
            ranks.allreduce(g := common - w, op="mean")
            return mover.would_make(g)

    if every is not None:
        task.judged_by(ended)
    for batches in task.epochs(comm):
        yield from rounds.epoch(batches)
    rounds.end()


def outer_step(w: Tensor, common: Tensor, outer: FlatOptimizer, comm: Communicator) -> None:
    """One step of `outer`, which moves `common` [P]; `w` [P] comes as W_i and leaves as the new W."""
    torch.sub(common, w, out=w)
    comm.allreduce(w, op="mean")  # g
    outer.step(w)
    w.copy_(common)


def check_outer(learning_rate: float, momentum: float | None) -> None:
    """Refuse what is no learning rate or no momentum.

    Raises:
        UsageError: naming the number.
    """
    if not (isfinite(learning_rate) and learning_rate > 0):
        raise UsageError(f"the outer learning rate must be a positive number, not {learning_rate}: try 1.")
    if momentum is not None and not 0 <= momentum < 1:
        raise UsageError(f"the outer momentum must lie in [0, 1), not {momentum}: try 0.9.")
