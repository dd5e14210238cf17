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
from anabranch.kernels import Memory, Noise, activate, delta, softmax_delta
from anabranch.models.flat import flat_parameters
from anabranch.objectives.base import Objective, Precision, check_width
from anabranch.objectives.layer import Layer
from anabranch.optim import FlatOptimizer
from anabranch.types import Batch


class SigmoidBackPropagation(Objective):
    """Cross-entropy of a stack of linear layers with sigmoids, and perhaps dropout, between them.

    Dropout is always at work, whether the network is in training mode or not.

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
        linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
        self._sizes = [module.weight.numel() + module.out_features for module in linear]
        parts = zip(self._cut(self._weights), self._cut(self._gradient), linear, strict=True)
        self._layers = [Layer(weights, gradient, one.weight.shape, precision) for weights, gradient, one in parts]
        dropout = next((module.p for module in network.modules() if isinstance(module, nn.Dropout)), 0.0)
        self._keep = self._layers[0].number(1 - dropout)
        self._noise = Noise(seed)
        self._spaces: dict[int, _Workspace] = {}
        self._velocity: Tensor | None = None
        self._velocities: tuple[Tensor, ...] = ()

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
            UsageError: the batch has no labels, or is of another width than the input.
        """
        loss, space = self._forward(batch)
        for number in reversed(range(len(self._layers))):
            self._delta_below(space, number)
            self._layers[number].differentiate(space.deltas_t[number], space.activities[number].tensor)
        return loss, self._gradient

    def descend(self, batch: Batch, optimizer: FlatOptimizer, *, again: bool = False) -> float:
        """One local step; under SGD the update is part of it, layer by layer on the way back."""
        sgd = optimizer.momentum
        if sgd is None:
            return super().descend(batch, optimizer)
        if self._velocity is not sgd.velocity:
            self._velocity, self._velocities = sgd.velocity, self._cut(sgd.velocity)
        loss, space = self._forward(batch, again=again)
        for number in reversed(range(len(self._layers))):
            self._delta_below(space, number)  # from the weights as they were
            activity = space.activities[number].tensor
            self._layers[number].descend(space.deltas_t[number], activity, sgd, self._velocities[number])
        return loss

    def _forward(self, batch: Batch, *, again: bool = False) -> tuple[float, "_Workspace"]:
        """All activities, and δ of the top layer in place of its outputs; the loss."""
        if batch.y is None:
            raise UsageError("back-propagation needs labels, but the data have none: give labels, or train a DBN only.")
        n, top = len(batch), self._layers[-1]
        space = self._spaces.get(n) or self._new_space(n)
        check_width(batch, self._layers[0].w.shape[1])
        space.activities[0].tensor.copy_(batch.x)
        for layer, below, above in zip(self._layers, space.activities[:-1], space.activities[1:], strict=True):
            layer.refresh(unchanged=again)
            torch.mm(below.tensor, layer.w_t, out=above.tensor)
            if layer is not top:
                activate(above.array, layer.weights.biases, self._noise.state, self._keep)
        outputs = space.activities[-1].array
        return softmax_delta(outputs, top.weights.biases, batch.y.numpy(), top.gradient.biases), space

    def _delta_below(self, space: "_Workspace", number: int) -> None:
        """δ of the layer below layer `number`, if there is one, and its sum over the batch."""
        if number:
            below, bias = space.deltas[number - 1], self._layers[number - 1].gradient.biases
            torch.mm(space.deltas[number].tensor, self._layers[number].w, out=below.tensor)
            delta(below.array, space.activities[number].array, self._keep, bias)

    def _cut(self, flat: Tensor) -> tuple[Tensor, ...]:
        """The layers' parts of a flat tensor [P]."""
        return torch.split(flat, self._sizes)

    def _new_space(self, n: int) -> "_Workspace":
        widths = [self._layers[0].w.shape[1], *(layer.w.shape[0] for layer in self._layers)]
        self._spaces[n] = _Workspace(n, widths, self._layers[0].w.dtype)
        return self._spaces[n]


class _Workspace:
    """Memory for a step of `n` examples: activities of all layers from the input on, and δ of all layers above it."""

    def __init__(self, n: int, widths: list[int], dtype: torch.dtype) -> None:
        self.activities = [Memory(torch.zeros(n, width, dtype=dtype)) for width in widths]
        self.deltas = [Memory(torch.zeros(n, width, dtype=dtype)) for width in widths[1:-1]] + self.activities[-1:]
        self.deltas_t = [delta.tensor.t() for delta in self.deltas]


def fits(network: nn.Module) -> bool:
    """Whether `SigmoidBackPropagation` can train `network`.

    It can if that is a plain sequence Linear (Sigmoid (Dropout) Linear)*, with one dropout below 1 for all, each linear
    layer with weights and biases of its own, nothing frozen, and no hooks, which it would not call.
    """
    if type(network) is not nn.Sequential or not len(network):
        return False
    kinds = [type(module) for module in network]
    dropouts = {module.p for module in network if isinstance(module, nn.Dropout)}
    between = [nn.Sigmoid, nn.Dropout] if dropouts else [nn.Sigmoid]
    expected = [nn.Linear, *[*between, nn.Linear] * ((len(kinds) - 1) // (len(between) + 1))]
    biased = all(module.bias is not None for module in network if isinstance(module, nn.Linear))
    trained = all(p.requires_grad and p.device.type == "cpu" for p in network.parameters())
    own = len(list(network.parameters())) == 2 * kinds.count(nn.Linear)  # it lists what is shared once
    plain = own and not any(map(_hooked, network.modules()))
    return kinds == expected and len(dropouts) <= 1 and dropouts != {1.0} and biased and trained and plain


def _hooked(module: nn.Module) -> bool:
    """Whether a user's own code is called when `module` computes, or is differentiated."""
    hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)
    gradients = [(p._backward_hooks, p._post_accumulate_grad_hooks) for p in module.parameters(recurse=False)]
    return any(hooks) or any(any(each) for each in gradients)
