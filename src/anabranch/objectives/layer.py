"""A weight matrix with the biases behind it: what an RBM and a layer of a feed-forward network have in common.

Both compute their activities with the matrix, and its gradient as one more product; so both need the matrix in the
type of the products, and can have the update of the weights done on the way.
"""

import torch
from torch import Tensor

from anabranch.kernels import Memory, momentum_step, momentum_step_after
from anabranch.objectives.base import Precision
from anabranch.optim import Momentum


class Block:
    """A flat piece of memory [P] that holds a matrix and then biases.

    Attributes:
        weight: the matrix [out, in].
        biases: [P - out · in], for kernels.
        all: [P], for kernels.
    """

    def __init__(self, flat: Tensor, shape: torch.Size) -> None:
        self.weight = flat[: shape.numel()].view(shape)
        self.all, self.biases = Memory(flat).array, Memory(flat[shape.numel() :]).array


class Layer:
    """The weights of one layer, their gradient, and their update.

    Args:
        weights: [P], of which the layer's parameters are views.
        gradient: [P].
        shape: of the matrix [out, in].
        precision: bf16-mixed multiplies in bfloat16.

    Attributes:
        weights: the layer's own, in the type of `weights`.
        gradient: likewise.
        w: [out, in] as the products take it; up to date after `refresh` and after `descend`.
        w_t: its transpose.
        number: makes kernels' scalars, for a Python float would turn their arithmetic into float64.
    """

    def __init__(self, weights: Tensor, gradient: Tensor, shape: torch.Size, precision: Precision) -> None:
        self.weights, self.gradient = Block(weights, shape), Block(gradient, shape)
        self._mixed = precision == "bf16-mixed"
        self.w = torch.empty_like(self.weights.weight, dtype=torch.bfloat16) if self._mixed else self.weights.weight
        self.w_t = self.w.t()
        # The gradient as the product gives it.
        self._product = torch.empty_like(self.w) if self._mixed else self.gradient.weight
        self._product_array, self._w_array = Memory(self._product.view(-1)).array, Memory(self.w.view(-1)).array
        self._velocity: tuple[Tensor, Block] | None = None
        self.number = self.weights.all.dtype.type

    def refresh(self, *, unchanged: bool = False) -> None:
        """Take over the weights, unless they are `unchanged` since `descend`; and forget the biases' gradient."""
        if self._mixed and not unchanged:
            self.w.copy_(self.weights.weight)
        self.gradient.biases.fill(0)

    def differentiate(self, above_t: Tensor, below: Tensor, scale: float = 1.0) -> None:
        """The matrix's gradient, scale · above_t [out, rows] × below [rows, in]."""
        torch.mm(above_t, below, out=self._product)
        if self._mixed:
            self.gradient.weight.copy_(self._product)
        if scale != 1:
            self.gradient.weight.mul_(scale)

    def descend(
        self,
        above_t: Tensor,
        below: Tensor,
        sgd: Momentum,
        velocity: Tensor,
        *,
        scale: float = 1.0,
        cost: float = 0.0,
    ) -> None:
        """An SGD step with the gradient as in `differentiate`, the biases' own, and an L2 `cost` on the matrix alone.

        In the weights' own type the product is summed into `velocity` [P] itself.
        """
        if self._velocity is None or self._velocity[0] is not velocity:
            self._velocity = velocity, Block(velocity, self.w.shape)
        w, v, g_biases = self.weights, self._velocity[1], self.gradient.biases
        rate, momentum, penalty = self.number(sgd.learning_rate), self.number(sgd.coefficient), self.number(cost)
        if self._mixed:
            torch.mm(above_t, below, out=self._product)
            product, factor = self._product_array, self.number(scale)
            momentum_step(w.all, v.all, product, factor, g_biases, self._w_array, rate, momentum, penalty)
        else:
            v.weight.addmm_(above_t, below, beta=sgd.coefficient, alpha=scale)
            momentum_step_after(w.all, v.all, v.weight.numel(), g_biases, rate, momentum, penalty)
