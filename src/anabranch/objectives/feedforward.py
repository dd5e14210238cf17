"""Back-propagation (Rumelhart, Hinton & Williams 1986) through sigmoid layers, at the speed of its matrix products.

With activities o⁰ = x and oˡ = σ(Wˡ oˡ⁻¹ + bˡ), softmax outputs p and cross-entropy loss,

    δᴸ = (p - target) / n        δˡ = (δˡ⁺¹ Wˡ⁺¹) ∘ σ'        ∂/∂Wˡ = δˡᵀ oˡ⁻¹        ∂/∂bˡ = Σ δˡ

which is what torch derives for the same network by itself (`BackPropagation`, the plain version that this is tested
against). Here nothing is allocated in the loop, what stands between the products is a fused kernel, and under SGD the
update is part of the step.
"""

import torch
from torch import Tensor, nn

from anabranch.errors import UsageError
from anabranch.kernels import Array, Memory, Noise, activate, delta, momentum_step, momentum_step_after, softmax_delta
from anabranch.models.flat import flat_parameters, views
from anabranch.objectives.backprop import BackPropagation
from anabranch.objectives.base import Objective, Precision
from anabranch.optim import FlatOptimizer
from anabranch.types import Batch


class SigmoidBackPropagation(Objective):
    """Cross-entropy of a stack of linear layers with sigmoids, and perhaps dropout, between them.

    Args:
        network: as `models.mlp(..., activation="sigmoid")` makes them; `fits` says whether it is one.
        precision: bf16-mixed multiplies matrices in bfloat16; weights, biases, sums and updates stay in float32.
        seed: of the dropout until the first `start_epoch`.

    Raises:
        UsageError: the network is of another kind.
    """

    def __init__(self, network: nn.Module, *, precision: Precision = "float32", seed: int = 0) -> None:
        if not fits(network):
            raise UsageError("the network is no stack of linear layers with sigmoids between: use BackPropagation.")
        self._weights = flat_parameters(network)
        self._gradient = torch.zeros_like(self._weights)
        self._shapes = list(network.parameters())
        mixed = precision == "bf16-mixed"
        # The weights as the products take them.
        self._copy = torch.empty_like(self._weights, dtype=torch.bfloat16) if mixed else self._weights
        parts, copies, gradients = (views(flat, self._shapes) for flat in (self._weights, self._copy, self._gradient))
        self._layers = [
            _Layer(*each)
            for each in zip(parts[::2], parts[1::2], copies[::2], gradients[::2], gradients[1::2], strict=True)
        ]
        dropout = next((module.p for module in network.modules() if isinstance(module, nn.Dropout)), 0.0)
        self._number = self._layers[0].bias.dtype.type  # a Python float would turn a kernel's arithmetic into float64
        self._keep = self._number(1 - dropout)
        self._noise = Noise(seed)
        self._spaces: dict[int, _Workspace] = {}
        self._velocity: Tensor | None = None
        self._velocities: list[_Velocity] = []

    @property
    def weights(self) -> Tensor:
        """[P], in the order of `network.parameters()`."""
        return self._weights

    def start_epoch(self, seed: int) -> None:
        """Seed the dropout of the coming epoch."""
        self._noise.seed(seed)

    def state(self) -> dict[str, Tensor]:
        """Nothing."""
        return {}

    def gradient(self, batch: Batch) -> tuple[float, Tensor]:
        """Mean cross-entropy over the batch, and its gradient [P].

        Raises:
            UsageError: the batch has no labels.
        """
        loss, space = self._forward(batch)
        for number in reversed(range(len(self._layers))):
            layer = self._layers[number]
            self._delta_below(space, number)
            torch.mm(space.deltas[number].tensor.t(), space.activities[number].tensor, out=layer.product)
            if layer.product is not layer.g_weight:
                layer.g_weight.copy_(layer.product)
        return loss, self._gradient

    def descend(self, batch: Batch, optimizer: FlatOptimizer) -> float:
        """One local step. Under SGD the update is part of it, layer by layer on the way back."""
        sgd = optimizer.momentum
        if sgd is None:
            return super().descend(batch, optimizer)
        if self._velocity is not sgd.velocity:
            self._velocity, parts = sgd.velocity, iter(views(sgd.velocity, self._shapes))
            self._velocities = [_Velocity(weight, next(parts)) for weight in parts]
        rate, momentum = self._number(sgd.learning_rate), self._number(sgd.coefficient)
        loss, space = self._forward(batch)
        for number in reversed(range(len(self._layers))):
            layer, v = self._layers[number], self._velocities[number]
            self._delta_below(space, number)  # from the weights as they were
            delta_t, activity = space.deltas[number].tensor.t(), space.activities[number].tensor
            if layer.product is layer.g_weight:
                v.weight.addmm_(delta_t, activity, beta=sgd.coefficient)
                momentum_step_after(layer.all, v.all, v.weight.numel(), layer.g_bias, rate, momentum, self._number(0))
            else:
                torch.mm(delta_t, activity, out=layer.product)
                momentum_step(layer.all, v.all, layer.product_array, layer.g_bias, rate, momentum, self._number(0))
        return loss

    def _forward(self, batch: Batch) -> tuple[float, "_Workspace"]:
        """All activities, and δ of the top layer in place of its outputs; the loss."""
        if batch.y is None:
            raise UsageError("back-propagation needs labels, but the data have none: give labels, or train a DBN only.")
        n = len(batch)
        space = self._spaces.get(n) or self._new_space(n)
        if self._copy is not self._weights:
            self._copy.copy_(self._weights)
        space.activities[0].tensor.copy_(batch.x)
        top = self._layers[-1]
        for layer, below, above in zip(self._layers, space.activities[:-1], space.activities[1:], strict=True):
            layer.g_bias.fill(0)
            torch.mm(below.tensor, layer.w_t, out=above.tensor)
            if layer is not top:
                activate(above.array, layer.bias, self._noise.state, self._keep)
        return softmax_delta(space.activities[-1].array, top.bias, batch.y.numpy(), top.g_bias), space

    def _delta_below(self, space: "_Workspace", number: int) -> None:
        """δ of the layer below layer `number`, if there is one, and its sum over the batch."""
        if number:
            below = space.deltas[number - 1]
            torch.mm(space.deltas[number].tensor, self._layers[number].w, out=below.tensor)
            delta(below.array, space.activities[number].array, self._keep, self._layers[number - 1].g_bias)

    def _new_space(self, n: int) -> "_Workspace":
        widths = [self._layers[0].w.shape[1], *(layer.w.shape[0] for layer in self._layers)]
        self._spaces[n] = _Workspace(n, widths, self._copy.dtype)
        return self._spaces[n]


class _Layer:
    """One layer's weights and biases, the same as the products take them, and the gradient by them."""

    def __init__(self, weight: Tensor, bias: Tensor, w: Tensor, g_weight: Tensor, g_bias: Tensor) -> None:
        self.bias, self.g_bias = Memory(bias).array, Memory(g_bias).array
        self.all = _together(weight, bias)
        self.w, self.w_t = w, w.t()  # [out, in]
        self.g_weight = g_weight
        # The gradient as the product gives it.
        self.product = g_weight if w.dtype == weight.dtype else torch.empty_like(w)
        self.product_array = Memory(self.product.view(-1)).array


class _Velocity:
    """One layer's part of the velocity: of its weights, and of weights and biases together."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        self.weight, self.all = weight, _together(weight, bias)


def _together(weight: Tensor, bias: Tensor) -> Array:
    """The memory of two neighbours in one flat tensor."""
    return Memory(weight.as_strided((weight.numel() + bias.numel(),), (1,))).array


class _Workspace:
    """Memory for a step of `n` examples: activities of all layers from the input on, and δ of all layers above it."""

    def __init__(self, n: int, widths: list[int], dtype: torch.dtype) -> None:
        self.activities = [Memory(torch.zeros(n, width, dtype=dtype)) for width in widths]
        self.deltas = [Memory(torch.zeros(n, width, dtype=dtype)) for width in widths[1:-1]] + self.activities[-1:]


def fits(network: nn.Module) -> bool:
    """Whether `SigmoidBackPropagation` can train `network`: Linear (Sigmoid (Dropout) Linear)*, one dropout for all."""
    if not isinstance(network, nn.Sequential) or not len(network):
        return False
    kinds = [type(module) for module in network]
    dropouts = {module.p for module in network if isinstance(module, nn.Dropout)}
    between = [nn.Sigmoid, nn.Dropout] if dropouts else [nn.Sigmoid]
    expected = [nn.Linear, *[*between, nn.Linear] * ((len(kinds) - 1) // (len(between) + 1))]
    biased = all(module.bias is not None for module in network if isinstance(module, nn.Linear))
    return kinds == expected and len(dropouts) <= 1 and biased and next(network.parameters()).device.type == "cpu"


def back_propagation(network: nn.Module, *, precision: Precision = "float32", seed: int = 0) -> Objective:
    """The cross-entropy of `network`, by the fast objective if it can train it, else by torch's own differentiation."""
    kind = SigmoidBackPropagation if fits(network) else BackPropagation
    return kind(network, precision=precision, seed=seed)
