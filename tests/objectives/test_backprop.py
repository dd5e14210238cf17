from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anabranch.errors import UsageError
from anabranch.models import mlp
from anabranch.objectives import BackPropagation
from anabranch.types import Batch


def batch_of(n: int = 6, seed: int = 0, dtype: torch.dtype = torch.float64) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    return Batch(torch.rand(n, 4, generator=generator).to(dtype), torch.arange(n) % 3)


def test_gradient_against_central_differences() -> None:
    network = mlp([4, 5, 3], activation="tanh", dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    objective, batch = BackPropagation(network), batch_of()
    loss, g = objective.gradient(batch)
    g, w, step = g.clone(), objective.weights, 1e-6
    assert loss == pytest.approx(float(F.cross_entropy(network(batch.x), torch.arange(6) % 3).detach()))
    for i in range(len(w)):
        value = float(w[i])
        w[i] = value + step
        up, _ = objective.gradient(batch)
        w[i] = value - step
        down, _ = objective.gradient(batch)
        w[i] = value
        assert (up - down) / (2 * step) == pytest.approx(float(g[i]), abs=1e-8)


def test_a_loss_of_ones_own() -> None:
    network = mlp([4, 3], dtype=torch.float64)
    objective = BackPropagation(network, loss=lambda output, y: output.square().mean() + 0.0 * y.sum())
    loss, g = objective.gradient(batch_of())
    assert loss == pytest.approx(float(network(batch_of().x).square().mean().detach()))
    assert float(g.abs().sum()) > 0


def test_gradients_do_not_pile_up() -> None:
    objective = BackPropagation(mlp([4, 3], dtype=torch.float64))
    first = objective.gradient(batch_of())[1].clone()
    assert torch.equal(objective.gradient(batch_of())[1], first)


def test_dropout_draws_from_the_objectives_own_stream() -> None:
    network = nn.Sequential(nn.Dropout(0.5), nn.Linear(4, 3, dtype=torch.float64))
    objective, batch = BackPropagation(network), batch_of()
    objective.start_epoch(3)
    first = objective.gradient(batch)[1].clone()
    second = objective.gradient(batch)[1].clone()
    objective.start_epoch(3)
    torch.manual_seed(99)
    before = torch.random.get_rng_state()
    assert torch.equal(objective.gradient(batch)[1], first)
    assert torch.equal(torch.random.get_rng_state(), before)  # nor does it disturb the global one
    assert not torch.equal(first, second)


def test_buffers_are_state() -> None:
    network = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 3))
    objective = BackPropagation(network)
    assert "0.running_mean" in objective.state()
    objective.gradient(batch_of(dtype=torch.float32))
    assert float(objective.state()["0.running_mean"].abs().sum()) > 0


def test_gradients_are_taken_in_training_mode() -> None:
    network = nn.Sequential(nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 3)).eval()
    objective = BackPropagation(network)
    objective.gradient(batch_of(dtype=torch.float32))
    assert all(part.training for part in network.modules())
    assert int(objective.state()["0.num_batches_tracked"]) == 1
    network[0].eval()  # frozen by its owner
    objective.gradient(batch_of(dtype=torch.float32))
    assert [part.training for part in network.modules()] == [True, False, True, True]
    assert int(objective.state()["0.num_batches_tracked"]) == 1


def test_gradients_are_taken_under_no_grad_too() -> None:
    objective = BackPropagation(mlp([4, 3], dtype=torch.float64))
    expected = objective.gradient(batch_of())[1].clone()
    with torch.no_grad():
        assert torch.equal(objective.gradient(batch_of())[1], expected)


def test_bf16_mixed_stays_near_float32() -> None:
    network = mlp([4, 50, 3], generator=torch.Generator().manual_seed(1))
    batch = batch_of(dtype=torch.float32)
    loss, g = BackPropagation(network).gradient(batch)
    mixed_loss, mixed = BackPropagation(network, precision="bf16-mixed").gradient(batch)
    assert mixed_loss == pytest.approx(loss, rel=0.02)
    assert float((mixed - g).norm() / g.norm()) < 0.05


def test_outputs_of_any_structure_come_to_the_loss_in_float32() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
            return self.layer(x), {"x": x, "number": torch.arange(len(x))}

    def loss(output: Any, targets: Tensor) -> Tensor:
        logits, rest = output
        assert (logits.dtype, rest["x"].dtype, rest["number"].dtype) == (torch.float32, torch.float32, torch.int64)
        return torch.nn.functional.cross_entropy(logits, targets)

    found, gradient = BackPropagation(Both(), loss=loss, precision="bf16-mixed").gradient(
        Batch(torch.rand(4, 3), torch.tensor([0, 1, 1, 0]))
    )
    assert 0 < found < 10
    assert gradient.any()


def test_unlabelled_batches_are_refused() -> None:
    with pytest.raises(UsageError, match="needs labels"):
        BackPropagation(mlp([4, 3])).gradient(Batch(torch.zeros(2, 4)))
