"""A model's buffers, such as running statistics: workers gather them, and a server, which sees no examples, is told."""

from collections.abc import Sequence

import torch
from torch import Tensor


def packed(buffers: Sequence[Tensor]) -> Tensor:
    """A copy of them all [bytes], which stays as it is while the worker goes on."""
    return torch.cat([buffer.reshape(-1).view(torch.uint8) for buffer in buffers])


def unpack(memory: Tensor, buffers: Sequence[Tensor]) -> None:
    """Write into `buffers` what `packed` gave."""
    parts = memory.split_with_sizes([buffer.nbytes for buffer in buffers])
    for buffer, part in zip(buffers, parts, strict=True):
        buffer.copy_(part.clone().view(buffer.dtype).view(buffer.shape))  # where a part begins, an int64 need not
