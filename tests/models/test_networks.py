import pytest
import torch
from torch import nn

from anabranch.errors import UsageError
from anabranch.models import DBN, flat_parameters, mlp


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_dbn_is_a_stack_of_rbms() -> None:
    dbn = DBN([6, 5, 4], std=1.0, generator=generator())
    x = torch.rand(3, 6, generator=generator(1))
    low, high = dbn.layers
    torch.testing.assert_close(dbn(x), high(low(x)))
    torch.testing.assert_close(dbn.reconstruct(x), low.visible_mean(high.visible_mean(dbn(x))))
    assert dbn.sizes == [6, 5, 4]


def test_only_the_lowest_rbm_has_gaussian_units() -> None:
    assert [rbm.units for rbm in DBN([3, 4, 5], units="gaussian").layers] == ["gaussian", "bernoulli"]


def test_the_classifier_computes_the_dbn_below_its_top_layer() -> None:
    dbn = DBN([6, 5, 4], std=1.0, generator=generator())
    network = dbn.classifier(3, generator=generator(1))
    x = torch.rand(2, 6, generator=generator(2))
    torch.testing.assert_close(network[:-1](x), dbn(x))
    assert network(x).shape == (2, 3)
    with torch.no_grad():
        flat_parameters(network).zero_()
    assert float(dbn.layers[0].weight.abs().sum()) > 0  # a copy, not the same memory


def test_dropout_stands_behind_every_hidden_layer() -> None:
    network = DBN([6, 5, 4]).classifier(3, dropout=0.3)
    assert [type(layer).__name__ for layer in network] == ["Linear", "Sigmoid", "Dropout"] * 2 + ["Linear"]
    with pytest.raises(UsageError, match=r"probability in \[0, 1\), not 1.0"):
        mlp([2, 2], dropout=1.0)


def test_dbn_samples_are_input_probabilities() -> None:
    dbn = DBN([6, 5, 4], std=2.0, generator=generator())
    v = dbn.sample(8, steps=3, generator=generator(1))
    low, high = dbn.layers
    assert torch.equal(v, low.visible_mean(high.sample(8, steps=3, generator=generator(1))))
    assert v.shape == (8, 6)
    assert 0 <= float(v.min()) <= float(v.max()) <= 1
    assert not torch.equal(v, dbn.sample(8, steps=3, generator=generator(2)))


def test_each_layer_is_one_flat_tensor() -> None:
    assert [flat_parameters(rbm).numel() for rbm in DBN([6, 5, 4]).layers] == [6 * 5 + 11, 5 * 4 + 9]


@pytest.mark.parametrize("sizes", [[], [5]])
def test_too_few_sizes_are_refused(sizes: list[int]) -> None:
    with pytest.raises(UsageError, match="at least one layer"):
        DBN(sizes)
    with pytest.raises(UsageError, match="an input and an output size"):
        mlp(sizes)


def test_mlp_layers_and_reproducible_weights() -> None:
    network = mlp([4, 3, 2], activation="tanh", generator=generator(5))
    assert [type(layer) for layer in network] == [nn.Linear, nn.Tanh, nn.Linear]
    again = mlp([4, 3, 2], activation="tanh", generator=generator(5))
    assert torch.equal(flat_parameters(network), flat_parameters(again))
    assert float(network.get_parameter("0.weight").detach().abs().max()) <= 0.5  # 1/√4


def test_flat_parameters_is_idempotent_and_keeps_values() -> None:
    network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    before = [p.detach().clone() for p in network.parameters()]
    flat = flat_parameters(network)
    assert flat_parameters(network).data_ptr() == flat.data_ptr()
    assert torch.equal(flat, torch.cat([p.reshape(-1) for p in before]))
    flat.zero_()
    assert all(float(p.detach().abs().sum()) == 0 for p in network.parameters())


def test_flat_parameters_of_a_tied_weight_holds_it_once() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(3, 3, bias=False)
            self.b = nn.Linear(3, 3, bias=False)
            self.b.weight = self.a.weight

    tied = Tied()
    flat_parameters(tied).fill_(2.0)
    assert float(tied.get_parameter("a.weight").detach().sum()) == 18.0


def test_mixed_dtypes_are_refused() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2, dtype=torch.float64))
    with pytest.raises(UsageError, match=r"one dtype on one device, but its parameters are: torch.float32 on cpu"):
        flat_parameters(network)
    with pytest.raises(UsageError, match="its parameters are: none"):
        flat_parameters(nn.ReLU())
