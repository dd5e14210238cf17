"""One contiguous tensor for all parameters of a module: what optimizers and communicators work on."""

import torch
from torch import Tensor, nn

from anabranch.errors import UsageError


def flat_parameters(module: nn.Module) -> Tensor:
    """Return the trained parameters of `module` as one contiguous tensor [P]; the parameters become views of it.

    Calling it again returns the same memory, as long as nothing has replaced the parameters (`module.to(...)` does).

    Raises:
        UsageError: the module has no parameters, or parameters of several dtypes or devices.
    """
    parameters = trained_parameters(module)
    kinds = {(p.dtype, p.device) for p in parameters}
    if len(kinds) != 1:
        found = ", ".join(sorted(f"{dtype} on {device}" for dtype, device in kinds)) or "none"
        raise UsageError(f"a model needs parameters of one dtype on one device, but its parameters are: {found}.")
    flat = _shared_storage(parameters)
    return flat if flat is not None else _move_into_one(parameters)


def trained_parameters(module: nn.Module) -> list[nn.Parameter]:
    """Those that require a gradient, each once; all where none does, as in an RBM, which computes its own."""
    parameters = list(module.parameters())
    return [p for p in parameters if p.requires_grad] or parameters


def views(flat: Tensor, like: list[nn.Parameter]) -> list[Tensor]:
    """Cut `flat` [P] into views of the shapes of `like`, in their order."""
    parts = torch.split(flat, [p.numel() for p in like])
    return [part.view(p.shape) for part, p in zip(parts, like, strict=True)]


def _move_into_one(parameters: list[nn.Parameter]) -> Tensor:
    flat = parameters[0].detach().new_empty(sum(p.numel() for p in parameters))
    for parameter, view in zip(parameters, views(flat, parameters), strict=True):
        parameter.data = view.copy_(parameter.detach())  # one after another: each frees its own memory
        parameter.grad = None
    return flat


def _shared_storage(parameters: list[nn.Parameter]) -> Tensor | None:
    first, end = parameters[0].detach(), parameters[0].storage_offset()
    for p in parameters:
        same = p.untyped_storage().data_ptr() == first.untyped_storage().data_ptr()
        if not (same and p.storage_offset() == end and p.is_contiguous()):
            return None
        end += p.numel()
    size = end - first.storage_offset()
    return first.as_strided((size,), (1,), first.storage_offset())
