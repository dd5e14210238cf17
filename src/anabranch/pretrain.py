"""Greedy layer-wise pretraining: a deep belief network is a loop of strategy runs over its RBMs.

Hinton, Osindero & Teh 2006; parallel as in De Filippo De Grazia, Stoianov & Zorzi 2012, Table 1. Steps (1*) to (7) are
the strategy's. Here are

    (8)  out_j of rank j's layer          `propagate`
    (9*) D = ∪ out_j; next layer          the outputs become the next layer's data

Deviation: the paper's master gathers the outputs and splits them anew; ours stay on the rank that computed them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from anabranch.comm.base import Communicator
from anabranch.data import Examples
from anabranch.models import DBN, RBM
from anabranch.objectives import ContrastiveDivergence, Objective, Precision
from anabranch.objectives.contrastive import check_settings
from anabranch.seeding import derive_seed
from anabranch.strategies import Journal, Shard, Staged, Stopping, Strategy, Task, as_it_is, carry_out
from anabranch.strategies.shard import Rows
from anabranch.types import Batch

CHUNK = 4096  # rows of one matrix product when a whole shard is propagated


@dataclass(frozen=True)
class Pretraining:
    """How each layer is trained.

    Attributes:
        strategy: of every layer.
        stopping: of every layer.
        k: Gibbs steps of contrastive divergence.
        chains: persistent chains per rank; 0 for plain contrastive divergence.
        weight_cost: L2 penalty on the weights.
        precision: of the arithmetic.
        seed: of the noise.
    """

    strategy: Strategy
    stopping: Stopping
    k: int = 1
    chains: int = 0
    weight_cost: float = 0.0
    precision: Precision = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self.k, self.chains, self.weight_cost)


def pretrain(
    dbn: DBN,
    shard: Shard,
    plan: Pretraining,
    comm: Communicator,
    journal: Journal,
    staged: Staged = as_it_is,
) -> None:
    """Train the RBMs of `dbn` in place, lowest first. Every rank calls it with its own shard and an equal `dbn`.

    What is trained is `staged` of each layer's objective.

    Raises:
        DivergedError: a layer's loss or weights are no longer finite.
        Interrupted: a signal came; a checkpoint was written.
    """
    for number, rbm in enumerate(dbn.layers):
        name = layer_name(number, rbm)
        if not journal.is_finished(name):
            task = Task(
                staged(_objective(rbm, plan), name, comm),
                shard,
                plan.stopping,
                seed=layer_seed(plan, number, shard.rank),
                name=name,
                restored=journal.restored(name),
                monitor=journal,
                quantity="reconstruction error",
            )
            carry_out(plan.strategy, task, comm, journal)  # (1*) to (7)
        if number + 1 < len(dbn.layers):
            shard = propagate(shard, rbm)  # (8), (9*)


def layer_seed(plan: Pretraining, number: int, rank: int) -> int:
    """The seed of a rank's noise in layer `number` (from 0)."""
    return derive_seed(plan.seed, number, rank)


def layer_name(number: int, rbm: RBM) -> str:
    """What layer `number` (from 0) is called in messages and records."""
    return f"layer {number + 1} ({rbm.visible}-{rbm.hidden})"


def propagate(shard: Shard, rbm: RBM) -> Shard:
    """The mean-field hidden activities of this rank's examples, as the next layer's shard.

    So Hinton & Salakhutdinov 2006. They are kept in memory where the examples are, and computed batch by batch where
    those are mapped from a file.
    """
    whole = Hidden(shard.whole or shard.source, rbm)
    if isinstance(shard.source, Hidden) or (isinstance(shard.source, Examples) and shard.source.mapped):
        return replace(shard, source=Hidden(shard.source, rbm), whole=whole if shard.whole else None)
    out = torch.empty(len(shard), rbm.hidden, dtype=shard.dtype)
    for number, batch in enumerate(shard.in_order(CHUNK, rbm.weight.dtype)):
        out[number * CHUNK : (number + 1) * CHUNK] = rbm(batch.x)
    return replace(shard, source=Examples(out), members=torch.arange(len(shard)), whole=whole)


@dataclass(frozen=True)
class Hidden:
    """Rows of hidden activities, computed when they are read: for data larger than memory."""

    source: Rows
    rbm: RBM

    def __len__(self) -> int:
        return len(self.source)

    def take(self, index: Tensor, dtype: torch.dtype) -> Batch:
        """The hidden activities of the examples at `index` [batch]."""
        return self._up(self.source.take(index, self.rbm.weight.dtype), dtype)

    def chunks(self, size: int, dtype: torch.dtype) -> Iterator[Batch]:
        """All of them, in order."""
        return (self._up(batch, dtype) for batch in self.source.chunks(size, self.rbm.weight.dtype))

    def _up(self, batch: Batch, dtype: torch.dtype) -> Batch:
        return Batch(self.rbm(batch.x).to(dtype), batch.y)


def _objective(rbm: RBM, plan: Pretraining) -> Objective:
    return ContrastiveDivergence(
        rbm,
        k=plan.k,
        chains=plan.chains,
        sampled=plan.chains > 0 and rbm.units == "bernoulli",
        weight_cost=plan.weight_cost,
        precision=plan.precision,
    )
