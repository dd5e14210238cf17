"""How `BernoulliRBM` trains: whole epochs under a strategy, or one step."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from anabranch.comm.base import Communicator
from anabranch.comm.simulated import SimulatedWorld
from anabranch.errors import DivergedError
from anabranch.estimators.notes import Notes
from anabranch.models import RBM
from anabranch.objectives import ContrastiveDivergence, Precision
from anabranch.objectives.base import pattern_dtype
from anabranch.optim import Rule
from anabranch.seeding import derive_seed
from anabranch.strategies import EpochReport, FixedEpochs, Shard, Strategy, Task, carry_out
from anabranch.strategies.shard import Rows
from anabranch.types import Batch


@dataclass(frozen=True)
class Learner:
    """An RBM's way to learn.

    Attributes:
        strategy: of whole epochs.
        rule: of one step.
        workers: simulated ones, of whole epochs.
        batch_size: of each worker.
        k: Gibbs steps.
        chains: persistent chains of each worker, with binary visible units; 0: the chains start at the data.
        weight_cost: L2 penalty on the weights.
        precision: of the arithmetic.
        shuffle: whether every epoch has an order of its own; else it is that of the data.
    """

    strategy: Strategy
    rule: Rule
    workers: int
    batch_size: int
    k: int
    chains: int
    weight_cost: float
    precision: Precision
    shuffle: bool

    def silent(self, rbm: RBM) -> Tensor:
        """Hidden states of the chains [chains, hidden], before the first step: all zero."""
        return torch.zeros(self.chains, rbm.hidden, dtype=rbm.weight.dtype)

    def fit(
        self, start: RBM, rows: Rows, epochs: int, seed: int, say: Callable[[RBM, EpochReport, float], None] | None
    ) -> tuple[RBM, Tensor]:
        """What becomes of `start` in so many epochs, and the hidden states of the first worker's chains.

        Raises:
            DivergedError: its loss or weights became infinite or NaN.
        """

        def program(comm: Communicator) -> tuple[RBM, Tensor]:
            rbm = RBM.of(start.weight, start.visible_bias, start.hidden_bias)
            objective = self._objective(rbm)
            notes = Notes(say=partial(say, rbm) if say and comm.rank == 0 else None)
            shard = Shard.of(rows, comm, self.batch_size, seed, pattern_dtype(self.precision))
            if not self.shuffle:
                shard = replace(shard, members=shard.members.sort().values, ordered=True)
            task = Task(objective, shard, FixedEpochs(epochs), seed=derive_seed(seed, comm.rank), monitor=notes)
            carry_out(self.strategy, task, comm, notes)
            return rbm, _states(objective, rbm)

        return SimulatedWorld(self.workers).run(program)[0]

    def step(
        self, rbm: RBM, batch: Batch, states: Tensor, velocity: Tensor | None, seed: int
    ) -> tuple[Tensor, Tensor | None]:
        """Train `rbm` in place with one batch, its chains at the hidden `states`; their new states, and the velocity.

        Raises:
            DivergedError: its weights became infinite or NaN.
        """
        objective = self._objective(rbm)
        objective.start_epoch(derive_seed(derive_seed(seed, 0), 0))  # the noise of the first epoch of `fit`
        for chains in objective.state().values():
            chains.copy_(states)
        optimizer = self.rule.build(objective.weights)
        optimizer.restore({} if velocity is None else {"momentum_buffer": velocity})
        objective.descend(batch, optimizer)
        if not objective.is_finite():
            raise DivergedError("the weights became infinite or NaN")
        return _states(objective, rbm), optimizer.state().get("momentum_buffer") if self.rule.momentum else None

    def _objective(self, rbm: RBM) -> ContrastiveDivergence:
        persistent = self.chains > 0
        return ContrastiveDivergence(
            rbm,
            k=self.k,
            chains=self.chains,
            sampled=persistent,
            watched=not persistent,
            weight_cost=self.weight_cost,
            precision=self.precision,
        )


def _states(objective: ContrastiveDivergence, rbm: RBM) -> Tensor:
    """Of the persistent chains [chains, hidden], in the weights' type; of none, no rows."""
    return objective.state().get("chains", torch.empty(0, rbm.hidden)).to(rbm.weight.dtype)
