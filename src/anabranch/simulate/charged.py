"""Computing in virtual time: an objective whose every step is charged to the clock of its worker."""

from collections.abc import Callable

from torch import Tensor

from anabranch.cluster import Pace
from anabranch.comm.simulated import SimulatedCommunicator
from anabranch.objectives import Objective
from anabranch.optim import FlatOptimizer
from anabranch.types import Batch

Seconds = Callable[[int, bool], float]
"""Seconds of an undisturbed core for a step: of its examples, and whether the objective updates the weights itself."""

Update = Callable[[int], float]
"""Seconds of an undisturbed core for the update of so many weights."""


class Charged(Objective):
    """`objective`, with a price: a step's examples are read, its gradient computed and the weights updated.

    It is charged when it is done, so that a step ends with weights of the time at which it ends. Under `gradient` the
    update comes later, but is charged with it: for one that is sent elsewhere, too.
    """

    def __init__(
        self, objective: Objective, comm: SimulatedCommunicator, pace: Pace, seconds: Seconds, update: Update
    ) -> None:
        self._objective, self._comm, self._pace, self._seconds = objective, comm, pace, seconds
        self._update = update
        self._known: dict[tuple[int, bool], float] = {}

    @property
    def weights(self) -> Tensor:
        """[P], the objective's."""
        return self._objective.weights

    def gradient(self, batch: Batch) -> tuple[float, Tensor]:
        """As the objective's."""
        result = self._objective.gradient(batch)
        self._charge(len(batch), fused=False)
        return result

    def descend(self, batch: Batch, optimizer: FlatOptimizer, *, again: bool = False) -> float:
        """As the objective's."""
        loss = self._objective.descend(batch, optimizer, again=again)
        self._charge(len(batch), fused=optimizer.momentum is not None)
        return loss

    def applied(self, weights: int) -> None:
        """Charge the update of so many weights: a parameter server's work."""
        self._comm.elapse(self._pace.stretch(self._update(weights), self._comm.clock()), "updating")

    def is_finite(self) -> bool:
        """As the objective's."""
        return self._objective.is_finite()

    def start_epoch(self, seed: int) -> None:
        """Seed the noise of the coming epoch, and what disturbs the worker in it."""
        self._objective.start_epoch(seed)
        self._pace.start(seed, self._comm.clock())

    def buffers(self) -> list[Tensor]:
        """As the objective's."""
        return self._objective.buffers()

    def state(self) -> dict[str, Tensor]:
        """As the objective's."""
        return self._objective.state()

    def _charge(self, examples: int, *, fused: bool) -> None:
        key = examples, fused
        if key not in self._known:
            self._known[key] = self._seconds(examples, fused)
        self._comm.elapse(self._pace.stretch(self._known[key], self._comm.clock()))
