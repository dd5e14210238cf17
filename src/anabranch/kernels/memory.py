"""One piece of memory, as torch and as Numba see it."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

Array = np.ndarray[Any, Any]


class Memory:
    """The memory of a tensor on the CPU.

    Attributes:
        tensor: for matrix products.
        array: for kernels; that of bfloat16 is uint16, for NumPy has no such type.
    """

    __slots__ = ("array", "tensor")

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        seen = tensor.detach()
        self.array: Array = (seen.view(torch.uint16) if seen.dtype == torch.bfloat16 else seen).numpy()
