"""What a training step asks of a core."""

import torch
from torch import nn

from anabranch.cluster import Load
from anabranch.data import Dataset, Examples
from anabranch.limit import back_propagation, contrastive_divergence
from anabranch.models import RBM, mlp
from anabranch.models.flat import flat_parameters
from anabranch.simulate.loads import counted, load_of


def dataset(width: int) -> Dataset:
    part = Examples(torch.rand(12, width), torch.arange(12) % 3)
    return Dataset("random", part, part, classes=3)


def test_contrastive_divergence_by_hand() -> None:
    """784-500: up, down, up, and the statistics of both phases."""
    load = load_of(contrastive_divergence(784, 500, k=1), "contrastive")
    assert load == Load("contrastive", 784 * 500 + 784 + 500, 5 * 2 * 784 * 500, 500 + 784 + 500)
    assert load.parameters == len(flat_parameters(RBM(784, 500)))
    assert load_of(contrastive_divergence(784, 500, k=3), "contrastive").activities == 3 * (500 + 784) + 500


def test_back_propagation_by_hand() -> None:
    """8-4-3: two products up, one down (not to the input), two across."""
    load = load_of(back_propagation([8, 4, 3]), "backprop")
    assert load == Load("backprop", 8 * 4 + 4 + 4 * 3 + 3, 2 * (8 * 4 + 4 * 3) * 2 + 2 * 4 * 3, 4 + 3 + 4)
    assert load.parameters == len(flat_parameters(mlp([8, 4, 3])))


def test_what_torch_counts_is_what_the_products_are() -> None:
    found, known = (
        counted(mlp([8, 4, 3], activation="relu"), dataset(8)),
        load_of(back_propagation([8, 4, 3]), "autograd"),
    )
    assert (found.kind, found.parameters, found.flop) == (known.kind, known.parameters, known.flop)
    assert found.activities == 2 * (4 + 4 + 3)  # each part's output, forward and back: linear, relu, linear


def test_counting_a_convolution_leaves_the_module_as_it_was() -> None:
    module = nn.Sequential(
        nn.Unflatten(1, (1, 6, 6)), nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(32, 3)
    )
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    load = counted(module, dataset(36))
    forward = 2 * 16 * 9 * 2 + 2 * 32 * 3  # 4x4 places, 9 weights, 2 channels; then the linear layer
    # Back: to the weights of both, and down through the linear layer; nothing below the convolution wants a gradient.
    assert load.flop == 2 * forward + 2 * 32 * 3
    assert load.parameters == sum(p.numel() for p in module.parameters())
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
