"""The three types of numbers that kernels take, and arguments of those types."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from anabranch.kernels import Array, Memory

TYPES = [torch.float32, torch.float64, torch.bfloat16]
ROUNDING = {torch.float32: 1e-6, torch.float64: 1e-13, torch.bfloat16: 2**-7}  # the last: one unit in the last place


def weight_type(dtype: torch.dtype) -> torch.dtype:
    """The type of biases and sums beside activities of `dtype`."""
    return torch.float32 if dtype == torch.bfloat16 else dtype


def number(value: float, dtype: torch.dtype) -> Any:
    """A scalar argument beside activities of `dtype`."""
    return np.float64(value) if dtype == torch.float64 else np.float32(value)


def normal(*shape: int, seed: int, dtype: torch.dtype) -> Tensor:
    """Normal numbers, rounded to `dtype`."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def array(tensor: Tensor) -> Array:
    """What a kernel sees of `tensor`: the same memory."""
    return Memory(tensor).array


def assert_near(actual: Tensor, expected: Tensor, dtype: torch.dtype) -> None:
    """Equal up to a rounding or two in `dtype`, beside numbers of order one."""
    size = 2e-7 if dtype == torch.bfloat16 else ROUNDING[dtype]
    torch.testing.assert_close(actual.double(), expected.double(), rtol=ROUNDING[dtype], atol=size)
