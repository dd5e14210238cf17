import numpy as np
import pytest
import torch
from kernel_types import TYPES, array, assert_near, normal, weight_type

from anabranch.kernels import gather_scaled

STORED = torch.randint(256, (9, 5), generator=torch.Generator().manual_seed(0)).to(torch.uint8)


@pytest.mark.parametrize("dtype", TYPES)
def test_rows_are_gathered_and_scaled(dtype: torch.dtype) -> None:
    index = torch.tensor([8, 0, 3, 3])
    scale, shift = (normal(5, seed=seed, dtype=weight_type(dtype)) for seed in (1, 2))
    scale /= 255
    out = torch.empty(4, 5, dtype=dtype)
    gather_scaled(array(STORED), array(index), array(scale), array(shift), array(out))
    assert_near(out, STORED[index].to(scale.dtype) * scale + shift, dtype)


@pytest.mark.parametrize("dtype", TYPES)
def test_bytes_are_exact_where_nothing_is_rounded(dtype: torch.dtype) -> None:
    every = torch.arange(256).to(torch.uint8).reshape(1, -1)
    one = torch.ones(256, dtype=weight_type(dtype))
    out = torch.empty(1, 256, dtype=dtype)
    gather_scaled(array(every), np.zeros(1, np.int64), array(one / 256), array(one), array(out))
    assert torch.equal(out, (1 + torch.arange(256) / 256).to(dtype).reshape(1, -1))


@pytest.mark.parametrize("row", [-1, 9, 2**40])
def test_rows_that_are_not_there_are_refused(row: int) -> None:
    out, numbers = np.empty((2, 5), np.float32), np.ones(5, np.float32)
    with pytest.raises(IndexError, match="out of range"):
        gather_scaled(array(STORED), np.array([0, row]), numbers, numbers, out)
