"""What every world demands of its arguments, so that a program that runs in one runs in all."""

import math

import torch
from torch import Tensor

from anabranch.comm.base import Op
from anabranch.errors import CommunicationError, Unsupported, UsageError

OPS = ("sum", "mean", "max", "min")
REDUCIBLE = frozenset(
    {torch.float64, torch.float32, torch.bfloat16, torch.float16}
    | {torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8}
)
WINDOW_DTYPES = frozenset({torch.float64, torch.float32, torch.int64, torch.int32})
MAX_TAG = 32767  # what every MPI library allows at least


def dtype_name(x: Tensor) -> str:
    """`float32`, not `torch.float32`."""
    return str(x.dtype).removeprefix("torch.")


def describe(x: Tensor) -> str:
    """`float32 [4, 2]`."""
    return f"{dtype_name(x)} {list(x.shape)}"


def check_tensor(x: Tensor, operation: str) -> None:
    """Raise a UsageError unless `x` is plain contiguous memory of this process, or a meta tensor, which has none."""
    if x.device.type not in ("cpu", "meta"):
        raise UsageError(f"{operation} needs a CPU tensor, not one on {x.device}: give it x.cpu().")
    if not x.is_contiguous():
        raise UsageError(
            f"{operation} needs a contiguous tensor, not {describe(x)} with strides {list(x.stride())}: "
            "give it x.contiguous()."
        )
    if x.requires_grad:
        raise UsageError(f"{operation} needs a tensor outside autograd, not {describe(x)}: give it x.detach().")


def check_reduction(x: Tensor, op: Op) -> None:
    """Raise a UsageError unless `op` can reduce `x`."""
    check_tensor(x, "allreduce")
    if op not in OPS:
        raise UsageError(f"allreduce knows no op '{op}': choose one of {', '.join(OPS)}.")
    if x.dtype not in REDUCIBLE:
        raise UsageError(f"allreduce cannot reduce {dtype_name(x)}: convert it to a floating or integer dtype.")
    if op == "mean" and not x.dtype.is_floating_point:
        raise UsageError(f"allreduce cannot average {dtype_name(x)}: convert it to float64, or take op='sum'.")


def check_allgather(x: Tensor, out: Tensor, size: int) -> None:
    """Raise a UsageError unless `out` holds `size` times `x`."""
    check_tensor(x, "allgather")
    check_tensor(out, "allgather")
    if out.dtype != x.dtype or out.numel() != size * x.numel():
        raise UsageError(
            f"allgather of {describe(x)} over {size} ranks needs an out of {size * x.numel()} {dtype_name(x)}, "
            f"not {describe(out)}."
        )


def check_rank(rank: int, size: int, what: str) -> None:
    """Raise a UsageError unless `rank` is one of `size`."""
    if not 0 <= rank < size:
        raise UsageError(f"{what} is rank {rank}, but the ranks are 0 to {size - 1}.")


def check_send(x: Tensor, rank: int, size: int, to: int, tag: int) -> None:
    """Raise a UsageError for a message that cannot be sent."""
    check_tensor(x, "send")
    _check_peer(rank, size, to, "send's destination", tag)


def check_recv(out: Tensor, rank: int, size: int, source: int | None, tag: int, timeout: float | None) -> None:
    """Raise a UsageError for a message that cannot come."""
    check_tensor(out, "recv")
    if timeout is not None and not timeout >= 0:
        raise UsageError(f"recv got timeout {timeout}: give 0 seconds or more, or None to wait without end.")
    if source is not None:
        _check_peer(rank, size, source, "recv's source", tag)
    elif size == 1 and timeout is None:
        raise UsageError("recv waits for a message, but 1 rank has nobody to send it: use 2 ranks or more.")
    else:
        _check_tag(tag)


def _check_peer(rank: int, size: int, peer: int, what: str, tag: int) -> None:
    check_rank(peer, size, what)
    _check_tag(tag)
    if peer == rank:
        raise UsageError(f"{what} is rank {rank} itself, which would wait for itself: name another rank.")


def _check_tag(tag: int) -> None:
    if not 0 <= tag <= MAX_TAG:
        raise UsageError(f"tag {tag} is out of range: choose one from 0 to {MAX_TAG}.")


def check_color(color: int | None) -> None:
    """Raise a UsageError for a colour that MPI has not."""
    if color is not None and color < 0:
        raise UsageError(f"split got color {color}: give 0 or more, or None to join no group.")


def check_seconds(seconds: float) -> None:
    """Raise a UsageError unless time goes forward."""
    if not (seconds >= 0 and math.isfinite(seconds)):
        raise UsageError(f"elapse got {seconds} seconds: give a finite number, 0 or more.")


def misfit(source: int, found: str, out: Tensor) -> CommunicationError:
    """The error for a message that does not fit into `out`."""
    return CommunicationError(
        f"recv waits for {describe(out)} but rank {source} sent {found}: make both sides use one size and dtype."
    )


def check_window(local: Tensor) -> None:
    """Raise a UsageError for memory that cannot be a window."""
    check_tensor(local, "window")
    if local.dim() != 1:
        raise UsageError(f"window needs one dimension, not {describe(local)}: give it x.view(-1).")
    if local.dtype not in WINDOW_DTYPES:
        raise UsageError(
            f"window cannot hold {dtype_name(local)}, which MPI cannot add: use float32, float64, int32 or int64."
        )


def not_on_one_node(size: int) -> Unsupported:
    """The error for memory that `size` ranks on several nodes were to share."""
    return Unsupported(
        f"shared needs the {size} ranks on one node, for nodes share no memory: "
        "use a strategy that sends messages, or fewer ranks, on one node."
    )


def check_shared(local: Tensor) -> None:
    """Raise a UsageError for memory that cannot be shared."""
    check_tensor(local, "shared")
    if local.dim() != 1:
        raise UsageError(f"shared memory has one dimension, not {describe(local)}: give it x.view(-1).")


def check_slice(x: Tensor, start: int, local: Tensor, owner: int, length: int, operation: str) -> None:
    """Raise a UsageError unless `x` fits from `start` into `owner`'s window of `length` elements like `local`'s."""
    check_tensor(x, operation)
    if x.dtype != local.dtype:
        raise UsageError(f"{operation} of {describe(x)} does not fit a window of {dtype_name(local)}: convert it.")
    if not 0 <= start <= length - x.numel():
        raise UsageError(
            f"{operation} of elements {start} to {start + x.numel()} is outside of rank {owner}'s window of {length}."
        )


def check_exchange(x: Tensor, out: Tensor) -> None:
    """Raise a UsageError unless `out` has room for as much as `x`."""
    check_tensor(out, "get_accumulate")
    if out.numel() != x.numel() or out.dtype != x.dtype:
        raise UsageError(f"get_accumulate of {describe(x)} needs an out of its size, not {describe(out)}.")


def check_counter(local: Tensor, owner: int, index: int, length: int) -> None:
    """Raise a UsageError unless `index` is an element of `owner`'s int64 window."""
    if local.dtype != torch.int64:
        raise UsageError(f"fetch_add needs an int64 window, not {dtype_name(local)}: open one for the counters.")
    if not 0 <= index < length:
        raise UsageError(f"fetch_add of element {index} is outside of rank {owner}'s window of {length}.")
