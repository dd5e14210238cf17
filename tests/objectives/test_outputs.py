"""Logistic outputs and the penalty: Dziwulski's document, equation 2.8."""

import math

import pytest
import torch
from torch import nn

from anabranch.errors import UsageError
from anabranch.models import mlp
from anabranch.objectives import BackPropagation, Penalised, SigmoidBackPropagation, back_propagation
from anabranch.types import Batch


def network() -> nn.Sequential:
    return mlp([4, 5, 3], activation="sigmoid", dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def batch() -> Batch:
    x = torch.rand(6, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return Batch(x, torch.arange(6) % 3)


def equation_2_8(net: nn.Sequential, data: Batch, penalty: float) -> float:
    """As it is printed, term by term."""
    assert data.y is not None
    h, m = torch.sigmoid(net(data.x).detach()), len(data)
    total = 0.0
    for i in range(m):
        for k in range(h.shape[1]):
            y = float(data.y[i] == k)
            total += y * math.log(h[i, k]) + (1 - y) * math.log(1 - h[i, k])
    squares = sum(float(module.weight.detach().square().sum()) for module in net if isinstance(module, nn.Linear))
    return -total / m + penalty / (2 * m) * squares


@pytest.mark.parametrize("penalty", [0.0, 0.6987, 30.0])
def test_the_loss_is_equation_2_8(penalty: float) -> None:
    net = network()
    objective = back_propagation(net, outputs="logistic", penalty=penalty, precision="float64")
    assert objective.gradient(batch())[0] == pytest.approx(equation_2_8(net, batch(), penalty), rel=1e-12)


@pytest.mark.parametrize("outputs", ["softmax", "logistic"])
def test_the_gradient_against_central_differences(outputs) -> None:  # type: ignore[no-untyped-def]
    objective = back_propagation(network(), outputs=outputs, penalty=0.5, precision="float64")
    w, step = objective.weights, 1e-6
    g = objective.gradient(batch())[1].clone()
    for i in range(len(w)):
        value = float(w[i])
        ends = []
        for moved in (value + step, value - step):
            w[i] = moved
            ends.append(objective.gradient(batch())[0])
        w[i] = value
        assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(float(g[i]), abs=1e-7)


def test_biases_are_not_penalised() -> None:
    net = network()
    plain, penalised = (back_propagation(net, penalty=p, precision="float64") for p in (0.0, 6.0))
    difference = penalised.gradient(batch())[1] - plain.gradient(batch())[1]
    at = 0
    for parameter in net.parameters():
        part = difference[at : at + parameter.numel()]
        expected = parameter.detach().reshape(-1) if parameter.dim() > 1 else torch.zeros(parameter.numel())
        torch.testing.assert_close(part, expected.to(part.dtype))  # λ / m = 1
        at += parameter.numel()


def test_the_fast_objective_serves_where_it_can() -> None:
    assert isinstance(back_propagation(network()), SigmoidBackPropagation)
    assert isinstance(back_propagation(network(), outputs="logistic"), BackPropagation)
    assert isinstance(back_propagation(mlp([4, 3, 2])), BackPropagation)
    assert isinstance(back_propagation(network(), penalty=0.1), Penalised)


@pytest.mark.parametrize("penalty", [-1.0, math.nan, math.inf])
def test_a_penalty_is_no_reward(penalty: float) -> None:
    with pytest.raises(UsageError, match="must be 0 or more"):
        back_propagation(network(), penalty=penalty)


def test_noise_and_buffers_pass_through() -> None:
    net = nn.Sequential(nn.Linear(4, 3, dtype=torch.float64), nn.BatchNorm1d(3, dtype=torch.float64), nn.Dropout(0.5))
    objective = back_propagation(net, penalty=0.1, precision="float64")
    assert set(objective.state()) == {"1.running_mean", "1.running_var", "1.num_batches_tracked"}
    losses = []
    for seed in (1, 1, 2):
        objective.start_epoch(seed)
        losses.append(objective.gradient(batch())[0])
    assert losses[0] == losses[1] != losses[2]
