import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from kernel_types import TYPES, array, assert_near, normal, number, weight_type
from torch import Tensor

from anabranch.kernels import momentum_step, momentum_step_after

STEPS = 4


def by_torch(w: Tensor, first: int, gradients: list[Tensor], rate: float, momentum: float, cost: float) -> Tensor:
    """The weights after torch's own SGD, with weight decay on the `first` ones alone."""
    parts = [w[:first].clone(), w[first:].clone()]
    groups = [{"params": parts[:1], "weight_decay": cost}, {"params": parts[1:], "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=rate, momentum=momentum)
    for g in gradients:
        parts[0].grad, parts[1].grad = g[:first].clone(), g[first:].clone()
        optimizer.step()
    return torch.cat(parts)


@given(
    first=st.integers(0, 40),
    rest=st.integers(0, 9),
    rate=st.floats(1e-3, 1),
    momentum=st.floats(0, 0.99),
    cost=st.floats(0, 0.5),
    after=st.booleans(),
)
def test_it_is_torchs_sgd(first: int, rest: int, rate: float, momentum: float, cost: float, after: bool) -> None:
    start = normal(first + rest, seed=0, dtype=torch.float64)
    gradients = [normal(first + rest, seed=seed, dtype=torch.float64) for seed in range(1, STEPS + 1)]
    w, v = start.clone(), torch.zeros_like(start)
    for g in gradients:
        if after:
            v[:first].mul_(momentum).add_(g[:first])
            momentum_step_after(array(w), array(v), first, array(g[first:]), rate, momentum, cost)
        else:
            copy = torch.full((first,), 9.0, dtype=torch.float64)
            doubled, rest_g = array(g[:first] * 2), array(g[first:])
            momentum_step(array(w), array(v), doubled, 0.5, rest_g, array(copy), rate, momentum, cost)
            assert torch.equal(copy, w[:first])
    expected = by_torch(start, first, gradients, rate, momentum, cost)
    torch.testing.assert_close(w, expected, rtol=1e-12, atol=1e-12)


def test_two_steps_by_hand() -> None:
    w, v, copy = np.array([1.0, 1.0]), np.zeros(2), np.zeros(1)
    momentum_step(w, v, np.array([1.0]), 2.0, np.array([3.0]), copy, 0.1, 0.5, 0.25)
    assert v.tolist() == [2.25, 3]  # 2 + ¼ · 1, and no cost on the second
    assert w.tolist() == pytest.approx([0.775, 0.7])
    momentum_step(w, v, np.array([0.5]), 2.0, np.array([0.0]), copy, 0.1, 0.5, 0.25)
    assert v.tolist() == pytest.approx([2.31875, 1.5])  # ½ · 2.25 + 1 + ¼ · 0.775
    assert w.tolist() == pytest.approx([0.543125, 0.55])
    assert copy.tolist() == [w[0]]


@pytest.mark.parametrize("dtype", TYPES)
def test_gradients_and_copies_of_every_type(dtype: torch.dtype) -> None:
    kind = weight_type(dtype)
    w, v = normal(50, seed=0, dtype=kind), normal(50, seed=1, dtype=kind)
    first, rest = normal(40, seed=2, dtype=dtype), normal(10, seed=3, dtype=kind)
    velocity = 0.9 * v + torch.cat([first.to(kind) + 0.01 * w[:40], rest])
    expected = w - 0.1 * velocity
    one, *numbers = (number(value, dtype) for value in (1.0, 0.1, 0.9, 0.01))
    copy = torch.zeros_like(first)
    momentum_step(array(w), array(v), array(first), one, array(rest), array(copy), *numbers)
    assert_near(v, velocity, kind)
    assert_near(w, expected, kind)
    assert torch.equal(copy, w[:40].to(dtype))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_reaches_its_weight_alone(bad: float) -> None:
    w, v, g = np.ones(4), np.zeros(4), np.array([0.0, bad, 0.0])
    momentum_step(w, v, g, 1.0, np.array([bad]), np.zeros(3), 0.1, 0.0, 0.0)
    assert np.isfinite(w).tolist() == [True, False, True, False]
