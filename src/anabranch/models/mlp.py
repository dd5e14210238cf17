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
Start = Literal["fan-in", "glorot", "unit-interval"]
"""Initial weights: uniform in ±1/√fan_in with biases of zero; or weights and biases alike uniform in
±√(6 / (fan_in + fan_out)) (Glorot & Bengio 2010), or in [0, 1]."""
_UNITS: dict[Activation, type[nn.Module]] = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU, "tanh": nn.Tanh}


def mlp(
    sizes: Sequence[int],
    *,
    activation: Activation = "relu",
    dropout: float = 0.0,
    start: Start = "fan-in",
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
) -> nn.Sequential:
    """A multilayer perceptron over layer sizes `(input, hidden…, output)`: [batch, input] to logits [batch, output].

    By default weights are uniform in ±1/√fan_in (torch's own rule for linear layers, from an explicit generator),
    biases zero. A `start` in the unit interval is Alowaisheq & Dhami's (2015); it saturates the units of a wide layer.
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
        layer = _linear(fan_in, fan_out, dtype)
        with torch.no_grad():
            low, high = _interval(start, fan_in, fan_out)
            layer.weight.uniform_(low, high, generator=generator)
            if start == "fan-in":
                layer.bias.zero_()
            else:
                layer.bias.uniform_(low, high, generator=generator)
        layers += [layer, _UNITS[activation](), *between]
    network = nn.Sequential(*layers[: -1 - len(between)])
    flat_parameters(network)
    return network


def _linear(fan_in: int, fan_out: int, dtype: torch.dtype) -> nn.Linear:
    """Without values. torch's own `skip_init` imports its compiler for that, which takes a second."""
    layer = nn.Linear(fan_in, fan_out, device="meta")
    layer.weight = nn.Parameter(torch.empty(fan_out, fan_in, dtype=dtype))
    layer.bias = nn.Parameter(torch.empty(fan_out, dtype=dtype))
    return layer


def _interval(start: Start, fan_in: int, fan_out: int) -> tuple[float, float]:
    if start == "unit-interval":
        return 0.0, 1.0
    bound = 1 / math.sqrt(fan_in) if start == "fan-in" else math.sqrt(6 / (fan_in + fan_out))
    return -bound, bound
