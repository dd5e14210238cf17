"""Feed-forward networks: linear layers with one kind of unit between, and a linear top for a softmax loss."""

import itertools
import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn

from anabranch.errors import UsageError
from anabranch.models.flat import flat_parameters

Activation = Literal["sigmoid", "relu", "tanh"]
_UNITS: dict[Activation, type[nn.Module]] = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU, "tanh": nn.Tanh}


def mlp(
    sizes: Sequence[int],
    *,
    activation: Activation = "relu",
    dropout: float = 0.0,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
) -> nn.Sequential:
    """A multilayer perceptron over layer sizes `(input, hidden…, output)`: [batch, input] to logits [batch, output].

    Weights are uniform in ±1/√fan_in (torch's own rule for linear layers, from an explicit generator), biases zero.
    `dropout` is the probability with which a hidden unit is left out of a training step (Srivastava et al. 2014).

    Raises:
        UsageError: fewer than two sizes, a size below one, or no probability.
    """
    if len(sizes) < 2 or min(sizes) < 1:
        raise UsageError(f"an MLP needs an input and an output size, all positive, but got {list(sizes)}.")
    if not 0 <= dropout < 1:
        raise UsageError(f"dropout is a probability in [0, 1), not {dropout}.")
    between = [nn.Dropout(dropout)] if dropout else []
    layers: list[nn.Module] = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        layer = nn.Linear(fan_in, fan_out, dtype=dtype, device="meta").to_empty(device="cpu")
        with torch.no_grad():
            layer.weight.uniform_(-1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in), generator=generator)
            layer.bias.zero_()
        layers += [layer, _UNITS[activation](), *between]
    network = nn.Sequential(*layers[: -1 - len(between)])
    flat_parameters(network)
    return network
