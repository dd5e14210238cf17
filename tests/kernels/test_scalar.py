"""The arithmetic of single numbers, seen through the kernels that do little else."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from kernel_types import array
from torch import Tensor

from anabranch.kernels import gather_scaled, visible_mean


def sigmoid(x: Tensor) -> Tensor:
    """σ as kernels compute it, of x [n]."""
    y = x.reshape(1, -1).clone()
    visible_mean(array(y), array(torch.zeros_like(x)), False)
    return y.reshape(-1)


def rounded(x: Tensor) -> Tensor:
    """x [n] float32 as kernels store it in bfloat16: 0 · 1 + x."""
    out = torch.empty(1, len(x), dtype=torch.bfloat16)
    zeros, ones = np.zeros((1, len(x)), np.uint8), np.ones(len(x), np.float32)
    gather_scaled(zeros, np.zeros(1, np.int64), ones, array(x), array(out))
    return out.reshape(-1)


def assert_same_bits(actual: Tensor, expected: Tensor) -> None:
    assert torch.equal(actual.view(torch.int16), expected.view(torch.int16))


def test_sigmoid_in_float32_lies_within_2e_7() -> None:
    x = torch.linspace(-100, 100, 1_000_001)
    assert float((sigmoid(x).double() - torch.sigmoid(x.double())).abs().max()) < 2e-7


def test_sigmoid_in_float64_is_exact_to_the_last_bits() -> None:
    x = torch.linspace(-100, 100, 100_001, dtype=torch.float64)
    torch.testing.assert_close(sigmoid(x), torch.sigmoid(x), rtol=1e-14, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sigmoid_saturates(dtype: torch.dtype) -> None:
    x = torch.tensor([-math.inf, -1e38, -1000, 0, 1000, 1e38, math.inf], dtype=dtype)
    expected = torch.tensor([0, 0, 0, 0.5, 1, 1, 1], dtype=dtype)
    torch.testing.assert_close(sigmoid(x), expected, rtol=0, atol=2e-7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("linear", [False, True])
def test_nan_stays_nan(dtype: torch.dtype, linear: bool) -> None:
    x = torch.full((1, 33), math.nan, dtype=dtype)
    x[0, 16:] *= -1  # the other sign, as x86 makes it
    bias = torch.zeros(33, dtype=torch.float64 if dtype == torch.float64 else torch.float32)
    visible_mean(array(x), array(bias), linear)
    assert bool(x.isnan().all())


@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=50))
def test_numbers_are_rounded_to_bfloat16_as_torch_does(numbers: list[float]) -> None:
    x = torch.tensor(numbers).add_(0.0)  # -0 is 0 to a kernel
    assert_same_bits(rounded(x), x.bfloat16())


def test_all_exponents_are_rounded_to_bfloat16_as_torch_does() -> None:
    bits = torch.randint(-(2**31), 2**31, (1_000_000,), generator=torch.Generator().manual_seed(0)).to(torch.int32)
    x = bits.view(torch.float32)
    x = x[x.isfinite()]
    assert_same_bits(rounded(x), x.bfloat16())


def test_ties_are_rounded_to_even() -> None:
    # Eight bits of precision: of 1 + k/256 the odd ones lie half way between 1 + (k ± 1)/256.
    x = torch.tensor([1 + 1 / 256, 1 + 3 / 256, 1 + 1 / 256 + 2**-23, 1 + 3 / 256 - 2**-23, -1 - 1 / 256])
    expected = [1, 1 + 4 / 256, 1 + 2 / 256, 1 + 2 / 256, -1]
    assert rounded(x).tolist() == expected
    assert_same_bits(rounded(x), x.bfloat16())


def test_denormal_numbers_and_infinities_are_rounded_as_torch_does() -> None:
    tiny, largest = 2.0**-149, torch.finfo(torch.float32).max
    x = torch.tensor([tiny, -tiny, 2.0**-133, 3 * 2.0**-134, 2.0**-127, largest, -largest, math.inf, -math.inf])
    assert_same_bits(rounded(x), x.bfloat16())
    assert rounded(x)[-4:].tolist() == [math.inf, -math.inf, math.inf, -math.inf]


def test_every_bfloat16_number_is_read_and_stored_unchanged() -> None:
    x = torch.arange(65536).to(torch.int16).view(torch.bfloat16)
    x = x[~x.isnan()].reshape(1, -1)
    y = x.clone()
    visible_mean(array(y), np.zeros(x.shape[1], np.float32), True)
    assert torch.equal(y, x)
