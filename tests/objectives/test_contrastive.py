import math

import numpy as np
import pytest
import torch
from exact import tiny_rbm
from torch import Tensor

from anabranch.errors import UsageError
from anabranch.kernels import Noise, threshold_states
from anabranch.models import RBM, flat_parameters
from anabranch.objectives import ContrastiveDivergence
from anabranch.types import Batch


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def two_by_two(hidden_bias: tuple[float, float]) -> RBM:
    rbm = RBM(2, 2, dtype=torch.float64)
    rbm.weight.copy_(torch.tensor([[0.5, -1.0], [2.0, 0.25]], dtype=torch.float64))
    rbm.visible_bias.copy_(torch.tensor([0.1, -0.2], dtype=torch.float64))
    rbm.hidden_bias.copy_(torch.tensor(hidden_bias, dtype=torch.float64))
    return rbm


def test_cd1_statistics_of_a_2x2_rbm_by_hand() -> None:
    # Hidden biases of ±40 make the sampled states certain, h = (1, 0), so that all numbers can be written down.
    rbm = two_by_two((40.0, -40.0))
    objective = ContrastiveDivergence(rbm)
    error, g = objective.gradient(Batch(torch.tensor([[1.0, 0.0]], dtype=torch.float64)))
    v1, v2 = sigmoid(0.1 + 0.5), sigmoid(-0.2 - 1.0)  # 0.6457, 0.2315: visible bias + first row of W
    assert error == pytest.approx((1 - v1) ** 2 + v2**2, rel=1e-12)
    expected = [v1 - 1, v2 - 0, 0, 0, v1 - 1, v2 - 0, 0, 0]  # W row by row, visible biases, hidden biases
    torch.testing.assert_close(g, torch.tensor(expected, dtype=torch.float64), rtol=1e-9, atol=1e-12)


def test_cd1_statistics_with_sampled_states_by_hand() -> None:
    rbm = two_by_two((0.3, -0.4))
    objective = ContrastiveDivergence(rbm, seed=7)
    _, g = objective.gradient(Batch(torch.tensor([[1.0, 1.0]], dtype=torch.float64)))
    h1, h2 = sigmoid(0.3 + 0.5 - 1.0), sigmoid(-0.4 + 2.0 + 0.25)  # 0.4502, 0.8641
    word = int(np.random.SFC64(7).random_raw())  # 16 bits a unit, the lowest first
    u1, u2 = ((word >> 16 * unit & 0xFFFF) + 0.5 for unit in range(2))
    s1, s2 = float(u1 / 65536 < h1), float(u2 / 65536 < h2)
    v1, v2 = sigmoid(0.1 + 0.5 * s1 + 2.0 * s2), sigmoid(-0.2 - 1.0 * s1 + 0.25 * s2)
    k1, k2 = sigmoid(0.3 + 0.5 * v1 - 1.0 * v2), sigmoid(-0.4 + 2.0 * v1 + 0.25 * v2)
    expected = [
        k1 * v1 - h1, k1 * v2 - h1, k2 * v1 - h2, k2 * v2 - h2,
        v1 - 1, v2 - 1,
        k1 - h1, k2 - h2,
    ]  # fmt: skip
    torch.testing.assert_close(g, torch.tensor(expected, dtype=torch.float64), rtol=1e-12, atol=1e-14)


def negative_phase(rbm: RBM, v: Tensor, k: int, seed: int) -> Tensor:
    """The visible end of the chain, written with the RBM's own conditionals."""
    noise = Noise(seed)
    for _ in range(k):
        v = rbm.visible_mean(threshold_states(rbm(v), noise))
    return v


@pytest.mark.parametrize("units", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("k", [1, 3])
def test_gradient_is_that_of_the_free_energy_difference(units: str, k: int) -> None:
    """CD descends F(v⁺) - F(v⁻) with v⁻ held fixed: central differences in every parameter."""
    rbm = tiny_rbm(4, 3, units)
    v = torch.rand(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    v_minus = negative_phase(rbm, v, k, seed=11)
    _, g = ContrastiveDivergence(rbm, k=k, seed=11).gradient(Batch(v))
    w, step = flat_parameters(rbm), 1e-5
    for i in range(len(w)):
        value, difference = float(w[i]), []
        for shifted in (value + step, value - step):
            w[i] = shifted
            difference.append(float(rbm.free_energy(v).mean() - rbm.free_energy(v_minus).mean()))
        w[i] = value
        assert (difference[0] - difference[1]) / (2 * step) == pytest.approx(float(g[i]), abs=1e-8)


def test_weight_cost_pulls_on_the_weights_alone() -> None:
    rbm, batch = tiny_rbm(4, 3), Batch(torch.ones(2, 4, dtype=torch.float64))
    _, plain = ContrastiveDivergence(rbm, seed=1).gradient(batch)
    _, costly = ContrastiveDivergence(rbm, weight_cost=0.5, seed=1).gradient(batch)
    torch.testing.assert_close(costly[:12] - plain[:12], 0.5 * rbm.weight.reshape(-1))
    assert torch.equal(costly[12:], plain[12:])


def test_persistent_chains_go_on_where_they_stopped() -> None:
    rbm, batch = tiny_rbm(4, 3), Batch(torch.ones(6, 4, dtype=torch.float64))
    objective = ContrastiveDivergence(rbm, chains=5, seed=2)
    chains = objective.state()["chains"]
    assert chains.shape == (5, 3)
    _, g = objective.gradient(batch)
    first = chains.clone()
    assert float(first.sum()) > 0
    assert set(first.flatten().tolist()) <= {0.0, 1.0}
    g = g.clone()
    objective.gradient(batch)
    assert not torch.equal(chains, first)
    # The chain ends, not the data, are the negative statistics: with zero chains at first, by hand.
    v = rbm.visible_mean(torch.zeros(5, 3, dtype=torch.float64))
    expected = (rbm(v).t() @ v) / 5 - (rbm(batch.x).t() @ batch.x) / 6
    torch.testing.assert_close(g[:12].view(3, 4), expected)


def test_pcd_learns_a_distribution_that_it_can_sample() -> None:
    """Two patterns, (1,1,0) and (0,0,1), are what the trained machine mostly dreams of."""
    generator = torch.Generator().manual_seed(0)
    rbm = RBM(3, 4, std=0.1, generator=generator)
    data = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]).repeat(20, 1)
    objective = ContrastiveDivergence(rbm, chains=40, seed=3)
    for _ in range(1500):
        _, g = objective.gradient(Batch(data))
        objective.weights.sub_(g, alpha=0.1)
    v = rbm.sample(2000, steps=100, generator=generator)
    index = (v @ torch.tensor([4.0, 2.0, 1.0])).long()
    share = torch.bincount(index, minlength=8) / 2000
    assert float(share[6] + share[1]) > 0.8
    assert min(float(share[6]), float(share[1])) > 0.25


def test_an_epochs_noise_is_a_function_of_its_seed() -> None:
    rbm, batch = tiny_rbm(8, 6), Batch(torch.rand(9, 8, dtype=torch.float64))
    objective = ContrastiveDivergence(rbm)
    objective.start_epoch(5)
    first = objective.gradient(batch)[1].clone()
    second = objective.gradient(batch)[1].clone()
    objective.start_epoch(5)
    assert torch.equal(objective.gradient(batch)[1], first)
    assert not torch.equal(first, second)


def test_bf16_products_stay_near_float32() -> None:
    generator = torch.Generator().manual_seed(0)
    rbm = RBM(100, 80, std=0.1, generator=generator)
    batch = Batch(torch.rand(64, 100, generator=generator))
    error, g = ContrastiveDivergence(rbm, seed=1).gradient(batch)
    mixed_error, mixed = ContrastiveDivergence(rbm, precision="bf16-mixed", seed=1).gradient(batch)
    assert mixed.dtype == torch.float32
    assert mixed_error == pytest.approx(error, rel=0.01)
    assert float((mixed - g).norm() / g.norm()) < 0.05


@pytest.mark.parametrize(("k", "chains", "cost"), [(0, 0, 0.0), (1, -1, 0.0), (1, 0, -0.1), (1, 0, math.nan)])
def test_impossible_settings_are_refused(k: int, chains: int, cost: float) -> None:
    with pytest.raises(UsageError):
        ContrastiveDivergence(tiny_rbm(), k=k, chains=chains, weight_cost=cost)
