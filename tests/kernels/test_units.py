import math

import numpy as np
import pytest
import torch
from kernel_types import TYPES, array, assert_near, normal, number, weight_type
from torch import Tensor

from anabranch.kernels import (
    Noise,
    hidden_mean,
    mean_difference,
    reconstruct,
    sample_hidden,
    threshold_states,
    visible_mean,
)

ROWS, UNITS = 37, 21


def inputs(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Inputs [ROWS, UNITS] of `dtype`, and biases."""
    return 2 * normal(ROWS, UNITS, seed=1, dtype=dtype), normal(UNITS, seed=2, dtype=weight_type(dtype))


def mean(x: Tensor, bias: Tensor, linear: bool = False) -> Tensor:
    activation = x.to(bias.dtype) + bias
    return activation if linear else torch.sigmoid(activation)


@pytest.mark.parametrize("dtype", TYPES)
def test_hidden_units_are_drawn_and_their_means_scaled_and_summed(dtype: torch.dtype) -> None:
    x, bias = inputs(dtype)
    p = mean(x, bias)
    states, total = torch.full_like(x, 9), torch.ones_like(bias)
    sample_hidden(array(x), array(bias), Noise(4).state, number(-0.25, dtype), array(states), array(total))
    assert torch.equal(states.to(p.dtype), threshold_states(p, Noise(4)))
    assert_near(x, -0.25 * p, dtype)
    assert_near(total, 1 + x.to(bias.dtype).sum(0), bias.dtype)  # of what was stored, on top of what was there


def test_the_stream_goes_on_from_call_to_call() -> None:
    x, bias = inputs(torch.float64)
    noise, other, p = Noise(4), Noise(4), mean(x, bias)
    for _ in range(2):
        states = torch.empty_like(x)
        sample_hidden(array(x.clone()), array(bias), noise.state, np.float64(1), array(states), array(bias.clone()))
        assert torch.equal(states, threshold_states(p, other))


@pytest.mark.parametrize("x", [-3.0, 0.0, 0.7])
def test_of_all_words_as_many_switch_a_unit_on_as_its_probability_says(x: float) -> None:
    words = np.arange(65536, dtype=np.uint16).view(np.uint64)  # four units' words each
    values, states, total = np.empty((1, 4)), np.empty((1, 4)), np.zeros(4)
    state, on = np.zeros(4, np.uint64), 0
    for word in words:
        state[:] = word, 0, 0, 0  # the next word of the stream is the sum of the first, the second and the last
        values.fill(x)
        sample_hidden(values, np.zeros(4), state, np.float64(1), states, total)
        on += int(states.sum())
    assert on == math.ceil(65536 / (1 + math.exp(-x)) - 0.5)


@pytest.mark.parametrize("dtype", TYPES)
def test_hidden_means_are_scaled_and_summed(dtype: torch.dtype) -> None:
    x, bias = inputs(dtype)
    expected, total = 0.5 * mean(x, bias), torch.full_like(bias, -2)
    hidden_mean(array(x), array(bias), number(0.5, dtype), array(total))
    assert_near(x, expected, dtype)
    assert_near(total, -2 + x.to(bias.dtype).sum(0), bias.dtype)


@pytest.mark.parametrize("dtype", TYPES)
def test_differences_of_means(dtype: torch.dtype) -> None:
    (x, total), y = inputs(dtype), normal(9, UNITS, seed=3, dtype=dtype)
    mean_difference(array(x), array(y), array(total))
    assert_near(total, x.to(total.dtype).mean(0) - y.to(total.dtype).mean(0), total.dtype)
    ones = torch.ones(90, UNITS, dtype=dtype)
    mean_difference(array(ones), array(ones[:7]), array(total))
    assert float(total.abs().max()) < 1e-6


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("linear", [False, True])
def test_visible_means(dtype: torch.dtype, linear: bool) -> None:
    x, bias = inputs(dtype)
    expected = mean(x, bias, linear)
    visible_mean(array(x), array(bias), linear)
    assert_near(x, expected, dtype)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("linear", [False, True])
def test_reconstructions_with_their_error(dtype: torch.dtype, linear: bool) -> None:
    x, bias = inputs(dtype)
    v = normal(ROWS, UNITS, seed=3, dtype=dtype)
    expected = mean(x, bias, linear)
    difference = expected - v.to(bias.dtype)
    total = torch.ones_like(bias)
    squares = reconstruct(array(x), array(bias), linear, array(v), number(0.125, dtype), array(total))
    assert squares == pytest.approx(float(difference.square().sum()), rel=1e-12 if dtype == torch.float64 else 1e-5)
    assert_near(x, expected, dtype)
    assert_near(total, 1 + 0.125 * difference.sum(0), bias.dtype)


def test_a_reconstruction_by_hand() -> None:
    x, v, total = torch.tensor([[1.0, 0.0], [3.0, -1.0]]), torch.tensor([[0.5, 1.0], [2.0, 0.0]]), torch.zeros(2)
    bias = torch.tensor([0.5, 1.0])
    squares = reconstruct(array(x), array(bias), True, array(v), number(0.5, torch.float32), array(total))
    assert x.tolist() == [[1.5, 1.0], [3.5, 0.0]]
    assert squares == 1 + 0 + 2.25 + 0
    assert total.tolist() == [1.25, 0]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("where", ["input", "bias", "pattern"])
def test_a_nan_gives_a_nan_error(dtype: torch.dtype, linear: bool, where: str) -> None:
    x, bias = inputs(dtype)
    v, total = torch.zeros_like(x), torch.zeros_like(bias)
    {"input": x, "bias": bias, "pattern": v}[where].view(-1)[UNITS - 1] = math.nan
    squares = reconstruct(array(x), array(bias), linear, array(v), number(1, dtype), array(total))
    assert math.isnan(squares)
    assert math.isnan(float(total[-1]))
    assert bool(total[:-1].isfinite().all())


@pytest.mark.parametrize("dtype", TYPES)
def test_a_nan_among_the_inputs_of_hidden_units_stays_one(dtype: torch.dtype) -> None:
    for sampled in (False, True):
        x, bias = inputs(dtype)
        x[3, 5] = math.nan
        total = torch.zeros_like(bias)
        if sampled:
            sample_hidden(
                array(x), array(bias), Noise(0).state, number(1, dtype), array(torch.empty_like(x)), array(total)
            )
        else:
            hidden_mean(array(x), array(bias), number(1, dtype), array(total))
        assert x.isnan().nonzero().tolist() == [[3, 5]]
        assert total.isnan().nonzero().tolist() == [[5]]
