import math

import numpy as np
import pytest
import torch
from kernel_types import ROUNDING, TYPES, array, assert_near, normal, number, weight_type
from torch import Tensor
from torch.nn import functional as F

from anabranch.kernels import Noise, activate, delta, softmax_delta

ROWS, UNITS = 29, 19


def inputs(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Inputs [ROWS, UNITS] of `dtype`, and biases."""
    return 2 * normal(ROWS, UNITS, seed=1, dtype=dtype), normal(UNITS, seed=2, dtype=weight_type(dtype))


def kept_units(noise: Noise, rows: int, units: int, keep: float) -> Tensor:
    """Which units are kept by the next words of `noise`: [rows, units] of 0 and 1."""
    return torch.from_numpy((noise.words(rows, units) + 0.5 < 65536 * keep).astype(np.float64))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("keep", [0.5, 0.75])
def test_activities_are_scaled_sigmoids_of_the_units_that_are_kept(dtype: torch.dtype, keep: float) -> None:
    x, bias = inputs(dtype)
    sigmoids = torch.sigmoid(x.to(bias.dtype) + bias)
    activate(array(x), array(bias), Noise(3).state, number(keep, dtype))
    assert_near(x, kept_units(Noise(3), ROWS, UNITS, keep) * sigmoids / keep, dtype)


@pytest.mark.parametrize("dtype", TYPES)
def test_where_all_are_kept_no_noise_is_drawn(dtype: torch.dtype) -> None:
    x, bias = inputs(dtype)
    expected, noise = torch.sigmoid(x.to(bias.dtype) + bias), Noise(3)
    activate(array(x), array(bias), noise.state, number(1, dtype))
    assert_near(x, expected, dtype)
    assert np.array_equal(noise.state, Noise(3).state)


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.8])
def test_dropout_leaves_the_right_share_out_and_the_mean_as_it_was(keep: float) -> None:
    n = 1000 * 1000
    x, bias = torch.full((1000, 1000), 0.3), torch.zeros(1000)
    activate(array(x), array(bias), Noise(5).state, number(keep, torch.float32))
    deviation = math.sqrt(keep * (1 - keep) / n)  # of the share of the kept
    assert abs(float((x > 0).double().mean()) - keep) < 5 * deviation
    sigmoid = 1 / (1 + math.exp(-0.3))
    assert abs(float(x.double().mean()) - sigmoid) < 5 * deviation * sigmoid / keep


@pytest.mark.parametrize("keep", [1e-4, 0.5, 0.7, 1 - 1e-5])
def test_of_all_words_as_many_keep_a_unit_as_its_probability_says(keep: float) -> None:
    words = np.arange(65536, dtype=np.uint16).view(np.uint64)  # four units' words each
    x, bias, state, kept = np.empty((1, 4)), np.zeros(4), np.zeros(4, np.uint64), 0
    for word in words:
        state[:] = word, 0, 0, 0  # the next word of the stream is the sum of the first, the second and the last
        x.fill(0)
        activate(x, bias, state, np.float64(keep))
        kept += int(np.count_nonzero(x))
    assert kept == math.ceil(65536 * keep - 0.5)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("keep", [0.75, 1.0])
def test_delta_is_the_derivative_of_the_activity(dtype: torch.dtype, keep: float) -> None:
    kept = kept_units(Noise(3), ROWS, UNITS, keep)
    x = normal(ROWS, UNITS, seed=1, dtype=torch.float64).requires_grad_()
    g, o = normal(ROWS, UNITS, seed=4, dtype=dtype), torch.sigmoid(x) * kept / keep
    torch.autograd.backward(o, g.double())
    assert x.grad is not None
    total = torch.ones(UNITS, dtype=weight_type(dtype))
    delta(array(g), array(o.detach().to(dtype)), number(keep, dtype), array(total))
    if dtype == torch.bfloat16:  # 1 - o is less exact than o
        torch.testing.assert_close(g.double(), x.grad, rtol=0.02, atol=0.005)
    else:
        assert_near(g, x.grad, dtype)
    assert_near(total, 1 + g.to(total.dtype).sum(0), total.dtype)


@pytest.mark.parametrize("dtype", TYPES)
def test_softmax_delta_is_the_cross_entropy_and_its_gradient(dtype: torch.dtype) -> None:
    x, bias = inputs(dtype)
    labels = torch.arange(ROWS) % UNITS
    logits = (x.to(bias.dtype) + bias).double().requires_grad_()
    expected = F.cross_entropy(logits, labels)
    torch.autograd.backward(expected)
    assert logits.grad is not None
    total = torch.ones_like(bias)
    loss = softmax_delta(array(x), array(bias), array(labels), array(total))
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    torch.testing.assert_close(x.double(), logits.grad, rtol=ROUNDING[dtype], atol=1e-16)
    assert_near(total, 1 + x.to(total.dtype).sum(0), total.dtype)


def test_softmax_delta_by_hand() -> None:
    x, total = np.log(np.array([[1.0, 3.0], [4.0, 1.0]])), np.zeros(2)
    loss = softmax_delta(x, np.zeros(2), np.array([1, 1]), total)
    assert loss == pytest.approx((math.log(4 / 3) + math.log(5)) / 2)
    assert x == pytest.approx(np.array([[0.25, -0.25], [0.8, -0.8]]) / 2)
    assert total.tolist() == pytest.approx([0.525, -0.525])


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("size", [1e4, 1e30])
def test_large_logits_do_not_overflow(dtype: torch.dtype, size: float) -> None:
    x = torch.tensor([[size, 0.0, -size], [-size, -size, -size]], dtype=dtype)
    size, zeros = float(x[0, 0]), torch.zeros(3, dtype=weight_type(dtype))  # as it was rounded
    loss = softmax_delta(array(x), array(zeros), np.array([1, 0]), array(zeros.clone()))
    assert loss == pytest.approx((size + math.log(3)) / 2)
    expected = torch.tensor([[0.5, -0.5, 0], [-1 / 3, 1 / 6, 1 / 6]])
    torch.testing.assert_close(x.float(), expected, rtol=ROUNDING[dtype], atol=0)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_logits_that_are_not_finite_give_no_finite_loss(bad: float) -> None:
    x = np.zeros((2, 3))
    x[1, 1] = bad
    assert not math.isfinite(softmax_delta(x, np.zeros(3), np.zeros(2, np.int64), np.zeros(3)))


@pytest.mark.parametrize("keep", [0.5, 1.0])
def test_a_nan_stays_one_whether_the_unit_is_kept_or_not(keep: float) -> None:
    x = torch.full((8, 8), math.nan)
    activate(array(x), np.zeros(8, np.float32), Noise(0).state, number(keep, torch.float32))
    assert bool(x.isnan().all())


@pytest.mark.parametrize("label", [-1, -100, 3])
def test_labels_that_are_no_class_are_refused(label: int) -> None:
    with pytest.raises(IndexError, match="label out of range"):
        softmax_delta(np.zeros((2, 3)), np.zeros(3), np.array([0, label]), np.zeros(3))
