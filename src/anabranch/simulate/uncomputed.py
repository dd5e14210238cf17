"""An objective that is charged and not computed: its time is all that is asked for."""

import torch
from torch import Tensor

from anabranch.objectives import Objective
from anabranch.optim import FlatOptimizer
from anabranch.types import Batch


class Uncomputed(Objective):
    """An objective that takes no memory and computes nothing: for its time alone.

    Args:
        parameters: how many weights.
        dtype: of them.
        buffers: bytes of the model's buffers.
    """

    def __init__(self, parameters: int, dtype: torch.dtype, buffers: int = 0) -> None:
        self._weights = torch.empty(parameters, dtype=dtype, device="meta")
        self._gradient = torch.empty_like(self._weights)
        self._buffers = [torch.empty(buffers, dtype=torch.uint8, device="meta")] if buffers else []

    @property
    def weights(self) -> Tensor:
        """[P], a meta tensor."""
        return self._weights

    def gradient(self, batch: Batch) -> tuple[float, Tensor]:  # noqa: ARG002
        """No loss, and a meta tensor [P]."""
        return 0.0, self._gradient

    def descend(self, batch: Batch, optimizer: FlatOptimizer, *, again: bool = False) -> float:  # noqa: ARG002
        """No loss."""
        return 0.0

    def is_finite(self) -> bool:
        """Nothing is there that could diverge."""
        return True

    def start_epoch(self, seed: int) -> None:
        """No noise."""

    def buffers(self) -> list[Tensor]:
        """All in one meta tensor."""
        return self._buffers

    def state(self) -> dict[str, Tensor]:
        """Nothing."""
        return {}
