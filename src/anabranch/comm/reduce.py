"""The arithmetic of reductions, shared by all worlds so that all worlds give equal bits.

Rows are added in rank order, `((x0 + x1) + x2) + …`. Half precision is added in float32 and rounded once.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from anabranch.comm.base import Op

HALF = frozenset({torch.bfloat16, torch.float16})


def reduce_in_order(rows: Sequence[Tensor] | Tensor, op: Op, out: Tensor) -> None:
    """Reduce `rows` (one [n] a rank, or [size, n]) into `out` [n].

    `out` may be the first row, no other. A NaN in any row makes the result NaN, for "max" and "min" too.
    """
    if op in ("max", "min"):
        _extreme(rows, op, out)
    elif out.dtype in HALF:
        total = rows[0].float()
        _add(iter(rows), total)
        if op == "mean":
            divide(total, len(rows))
        out.copy_(total)
    else:
        if out is not rows[0]:
            out.copy_(rows[0])
        _add(iter(rows), out)
        if op == "mean":
            divide(out, len(rows))


def divide(x: Tensor, size: int) -> None:
    """Turn the sum `x` [n], float32 or float64, of `size` ranks into their mean, in place."""
    x.div_(size)


def _add(rows: Iterator[Tensor], total: Tensor) -> None:
    next(rows)
    for row in rows:
        total.add_(row)


def _extreme(rows: Sequence[Tensor] | Tensor, op: Op, out: Tensor) -> None:
    choose = torch.maximum if op == "max" else torch.minimum
    if out is not rows[0]:
        out.copy_(rows[0])
    for rank in range(1, len(rows)):
        choose(out, rows[rank], out=out)
