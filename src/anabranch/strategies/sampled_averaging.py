"""Model averaging: workers train on large random minibatches with a line search, then their models are averaged.

Alowaisheq & Dhami 2015, "Distributed neural networks: a parallel approach", Algorithm 1, inside one split:

    initialise the weights                          the model's; a broadcast
    for (number of iterations / 5):                 an epoch of the task is one such round
        randomly sample the minibatch               `sample` of the training part, without replacement
        train for 5 epochs                          `iterations` full steps, each as long as a line search finds
        allreduce; average the models               one allreduce

Their sequential program is this one with one worker. "The different number of mappers yield the same accuracy which is
expected as the random sampling is fixed across experiments": if that means that every worker drew the same minibatches,
all the models were equal, `draws = "same"`. With "own" every worker draws its own from all the data, and with "shard"
from its own part of them.

Deviations: `directions` may be conjugate, which the paper does not say; docs/alowaisheq2015.md tells why. It samples
"with replacement", which is read of minibatches, that may overlap, and not of the examples of one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from anabranch.comm.base import Communicator
from anabranch.errors import UsageError
from anabranch.optim import Directions, minimise
from anabranch.strategies.shard import Draws
from anabranch.strategies.task import Task
from anabranch.types import Step


@dataclass(frozen=True)
class SampledAveraging:
    """Average models that were trained by line search on random minibatches.

    Attributes:
        iterations: steps of a worker between two averages, all on one minibatch.
        sample: size of that minibatch, as a fraction of what it is drawn from.
        draws: same: every worker draws the same examples. own: each its own. shard: each from its own part of the data.
        directions: in which the line searches go.
    """

    iterations: int = 5
    sample: float = 0.9
    draws: Draws = "own"
    directions: Directions = "gradient"

    def __post_init__(self) -> None:
        if self.iterations < 1:
            raise UsageError(f"models can be averaged every 1 or more iterations, not every {self.iterations}.")
        if not 0 < self.sample <= 1:
            raise UsageError(f"--sample is a fraction of the data above 0 and up to 1, not {self.sample}: try 0.9.")

    def run(self, task: Task, comm: Communicator) -> Iterator[Step]:
        """Train models that are averaged after every few iterations."""
        w = task.objective.weights  # [P]
        comm.broadcast(w, root=0)
        task.keep("weights", w)
        for _ in task.epochs(comm):
            batch = task.shard.draw(task.epoch, self.sample, self.draws)
            cost = partial(task.objective.gradient, batch)
            for loss in minimise(cost, w, self.iterations, self.directions):
                yield task.step(loss, batch)
            comm.allreduce(w, op="mean")
