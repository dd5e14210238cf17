"""What a strategy sees of a model: flat weights, and the gradient of a loss on one batch."""

from typing import Literal, Protocol

import torch
from torch import Tensor

from anabranch.errors import UsageError
from anabranch.optim import FlatOptimizer
from anabranch.types import Batch

Precision = Literal["float32", "bf16-mixed", "float64"]
"""Of the arithmetic. bf16-mixed: bfloat16 matrix products, float32 weights, statistics and updates."""


def weight_dtype(precision: Precision) -> torch.dtype:
    """The dtype of weights and gradients, and of what a network is given, under `precision`."""
    return torch.float64 if precision == "float64" else torch.float32


def pattern_dtype(precision: Precision) -> torch.dtype:
    """The dtype in which an RBM's patterns are kept under `precision`: that of the products which they go into."""
    return torch.bfloat16 if precision == "bf16-mixed" else weight_dtype(precision)


def check_width(batch: Batch, width: int) -> None:
    """Refuse a batch that is not [n, width], which a copy would stretch where it has a single column.

    Raises:
        UsageError: naming both widths.
    """
    if batch.x.dim() != 2 or batch.x.shape[1] != width:
        found = " x ".join(str(size) for size in batch.x.shape)
        raise UsageError(f"a batch of {found} does not fit a model with {width} inputs: give it [examples, {width}].")


class Objective(Protocol):
    """A loss over batches as a function of flat weights. It may be noisy: its noise is its own. Inherit from it."""

    @property
    def weights(self) -> Tensor:
        """[P], contiguous; the model's parameters are views of it."""
        ...

    def gradient(self, batch: Batch) -> tuple[float, Tensor]:
        """The mean loss over the batch, and its gradient [P]. The tensor is overwritten by the next call."""
        ...

    def descend(self, batch: Batch, optimizer: FlatOptimizer, *, again: bool = False) -> float:  # noqa: ARG002 - for those who can keep something
        """One local step, `gradient` and then `optimizer`; the loss. It may be done faster, with other roundings.

        Args:
            batch: as for `gradient`.
            optimizer: of `weights`.
            again: nothing else has written to the weights since the last call; what was made of them may be kept.
        """
        loss, gradient = self.gradient(batch)
        optimizer.step(gradient)
        return loss

    def applied(self, weights: int) -> None:  # noqa: ARG002 - for those who charge it
        """So many weights were updated with what came from elsewhere: a world in virtual time charges it here."""
        return

    def is_finite(self) -> bool:
        """Whether no weight is infinite or NaN."""
        return bool(torch.isfinite(self.weights).all())

    def start_epoch(self, seed: int) -> None:
        """Make all noise until the next call a function of `seed` alone, so that a resumed epoch repeats it."""
        ...

    def buffers(self) -> list[Tensor]:
        """Tensors of the model that are no weights, but that training changes, such as running statistics.

        They are sent to a rank that serves, for there the model is judged and saved.
        """
        return []

    def state(self) -> dict[str, Tensor]:
        """Tensors beside the weights that must survive from one epoch to the next; restored by writing into them."""
        ...
