"""A penalty on large weights, added to any loss.

    J(w) = loss(w) + λ / (2 m) Σ w²

over the m examples of the batch, the sum over weights and not over biases: Dziwulski, "Distributed neural network
training", equation 2.8. Alowaisheq & Dhami 2015 name a regularisation parameter λ, without the term that it is in.
"""

from math import isfinite

import torch
from torch import Tensor, nn

from anabranch.errors import UsageError
from anabranch.models import trained_parameters
from anabranch.objectives.base import Objective
from anabranch.types import Batch


class Penalised(Objective):
    """`objective` with an L2 penalty on the weights of `module`, its parameters of two and more dimensions.

    Args:
        objective: of the same module.
        module: whose parameters they are.
        penalty: λ, of the sum over the examples of a batch.

    Raises:
        UsageError: the penalty is negative, or no number.
    """

    def __init__(self, objective: Objective, module: nn.Module, penalty: float) -> None:
        check_penalty(penalty)
        self._objective, self._penalty = objective, penalty
        self._mask = torch.cat([torch.full((p.numel(),), p.dim() > 1) for p in trained_parameters(module)])  # [P]
        self._held = torch.empty_like(objective.weights)

    @property
    def weights(self) -> Tensor:
        """[P], the objective's."""
        return self._objective.weights

    def gradient(self, batch: Batch) -> tuple[float, Tensor]:
        """Mean loss over the batch with the penalty, and its gradient [P]."""
        loss, gradient = self._objective.gradient(batch)
        held, rate = torch.mul(self.weights, self._mask, out=self._held), self._penalty / len(batch)
        gradient.add_(held, alpha=rate)
        return loss + rate / 2 * float(held.square().sum(dtype=torch.float64)), gradient

    def start_epoch(self, seed: int) -> None:
        """As the objective's."""
        self._objective.start_epoch(seed)

    def buffers(self) -> list[Tensor]:
        """As the objective's."""
        return self._objective.buffers()

    def state(self) -> dict[str, Tensor]:
        """As the objective's."""
        return self._objective.state()


def check_penalty(penalty: float) -> None:
    """Refuse a penalty that is negative, or no number.

    Raises:
        UsageError: naming it.
    """
    if not (isfinite(penalty) and penalty >= 0):
        raise UsageError(f"a penalty on weights must be 0 or more, not {penalty}.")
