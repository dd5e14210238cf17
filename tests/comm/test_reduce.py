"""The arithmetic of reductions on numbers worked out by hand."""

import pytest
import torch

from anabranch.comm.mpi_chunks import chunks
from anabranch.comm.reduce import reduce_in_order


def test_the_order_is_the_ranks() -> None:
    rows = torch.tensor([[1e8], [1.0], [-1e8], [1.0]])  # 1e8 + 1 = 1e8 in float32
    out = torch.empty(1)
    reduce_in_order(rows, "sum", out)
    assert out.item() == 1.0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_rounded_once(dtype: torch.dtype) -> None:
    rows = torch.tensor([[2048.0]] + [[1.0]] * 8, dtype=dtype)  # each 2048 + 1 rounds back to 2048 in both
    out = torch.empty(1, dtype=dtype)
    reduce_in_order(rows, "sum", out)
    assert out.item() == torch.tensor(2056.0).to(dtype).item()


def test_the_result_may_overwrite_the_first_row() -> None:
    rows = list(torch.tensor([[1.0, 2.0], [3.0, 4.0]]).unbind())
    reduce_in_order(rows, "mean", rows[0])
    assert rows[0].tolist() == [2.0, 3.0]


@pytest.mark.parametrize(
    ("length", "size", "counts", "starts"),
    [(10, 4, [3, 3, 2, 2], [0, 3, 6, 8]), (2, 3, [1, 1, 0], [0, 1, 2]), (0, 2, [0, 0], [0, 0])],
)
def test_chunks(length: int, size: int, counts: list[int], starts: list[int]) -> None:
    assert chunks(length, size) == (counts, starts)
