"""Supervised training: a strategy's run of back-propagation, through a network of any kind.

The criterion that ends it watches the mean loss, or the RMS error of all training examples, as De Filippo De Grazia,
Stoianov & Zorzi 2012 did.
"""

import math
from dataclasses import dataclass
from functools import partial

from torch import nn

from anabranch.comm.base import Communicator
from anabranch.evaluate import CHUNK, squared_output_error
from anabranch.objectives import Loss, Outputs, Precision, back_propagation
from anabranch.seeding import derive_seed
from anabranch.strategies import Journal, Shard, Staged, Stopping, Strategy, Task, as_it_is, carry_out

_STREAM = int.from_bytes(b"superv")


@dataclass(frozen=True)
class Supervision:
    """How a network is trained.

    Attributes:
        strategy: of the training.
        stopping: when it ends.
        outputs: what the network's outputs are.
        penalty: L2 penalty on the weights, as in `Penalised`.
        precision: of the arithmetic.
        seed: of the noise.
        by_error: whether `stopping` watches the RMS error of all examples; else the mean loss of the epoch.
        loss: in place of the outputs' cross-entropy.
    """

    strategy: Strategy
    stopping: Stopping
    outputs: Outputs = "softmax"
    penalty: float = 0.0
    precision: Precision = "float32"
    seed: int = 0
    by_error: bool = False
    loss: Loss | None = None


def supervise(
    network: nn.Module,
    shard: Shard,
    plan: Supervision,
    comm: Communicator,
    journal: Journal,
    name: str,
    staged: Staged = as_it_is,
) -> None:
    """Train `network` in place, in a task of this name. Every rank calls it with its own shard and an equal `network`.

    What is trained is `staged` of the network's objective.

    Raises:
        DivergedError: the loss or the weights are no longer finite.
        Interrupted: a signal came; a checkpoint was written.
    """
    objective = back_propagation(
        network, outputs=plan.outputs, penalty=plan.penalty, precision=plan.precision, loss=plan.loss
    )
    task = Task(
        staged(objective, name, comm),
        shard,
        plan.stopping,
        seed=supervised_seed(plan.seed, shard.rank),
        name=name,
        restored=journal.restored(name),
        monitor=journal,
        measure=partial(_squared_error, network, plan.outputs, shard) if plan.by_error else None,
        finish=math.sqrt if plan.by_error else float,
        quantity="RMS error" if plan.by_error else "loss",
    )
    carry_out(plan.strategy, task, comm, journal)


def supervised_seed(seed: int, rank: int) -> int:
    """The seed of a rank's noise in supervised training."""
    return derive_seed(seed, _STREAM, rank)


def _squared_error(network: nn.Module, outputs: Outputs, shard: Shard) -> tuple[float, int]:
    return squared_output_error(network, shard.in_order(CHUNK), outputs)
