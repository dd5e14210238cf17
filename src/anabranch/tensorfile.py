"""Tensors as the content of a safetensors file."""

from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from anabranch.errors import CheckpointError


def tensor_bytes(tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> bytes:
    """A safetensors file's content. Views of one flat tensor are stored one by one."""
    # A clone: safetensors refuses tensors that share storage, as the views of flat parameters do.
    return safetensors.torch.save({name: t.detach().clone().contiguous() for name, t in tensors.items()}, metadata)


def tensors_from(content: bytes, path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file's content.

    Raises:
        CheckpointError: naming `path`, when the content is damaged.
    """
    try:
        return safetensors.torch.load(content)
    except safetensors.SafetensorError as error:
        raise CheckpointError(f"{path} is damaged ({error}): restore it from a copy, or start the run anew.") from error
