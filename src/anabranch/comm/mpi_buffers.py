"""Torch tensors as MPI sees them: the same memory, no copy."""

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from anabranch.comm.reduce import HALF
from anabranch.errors import UsageError

_NUMPY = frozenset({torch.float64, torch.float32, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8})


def buffer(x: Tensor) -> NDArray[Any]:
    """The memory of the contiguous `x` as a flat array.

    Half precision comes as int16 and what MPI has no type for as bytes: good for moving, not for MPI's arithmetic.

    Raises:
        UsageError: `x` is a meta tensor.
    """
    if x.is_meta:
        raise UsageError("a meta tensor has no memory that MPI could send: use one, or the simulated world.")
    flat = x.view(-1)
    if x.dtype in _NUMPY:
        return flat.numpy()
    return flat.view(torch.int16 if x.dtype in HALF else torch.uint8).numpy()


class Workspace:
    """Memory that is kept from one operation to the next, for whatever dtype."""

    def __init__(self) -> None:
        self._memory = torch.empty(0, dtype=torch.uint8)

    def take(self, count: int, dtype: torch.dtype) -> Tensor:
        """[count] elements of `dtype`, with any contents; valid until the next `take`."""
        size = count * dtype.itemsize
        if self._memory.numel() < size:
            self._memory = torch.empty(size, dtype=torch.uint8)
        return self._memory[:size].view(dtype)
