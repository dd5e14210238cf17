"""Contrastive divergence as its equations say it, a line each: what the fast one is tested against.

It allocates as it goes and knows nothing of caches; for the same seed it draws the same noise as the fast one, so that
both give the same statistics up to rounding.
"""

import torch
from torch import Tensor

from anabranch.kernels import Noise, threshold_states
from anabranch.models.flat import flat_parameters, views
from anabranch.models.rbm import RBM
from anabranch.objectives.base import Objective, Precision
from anabranch.types import Batch


class PlainContrastiveDivergence(Objective):
    """As `ContrastiveDivergence`."""

    def __init__(
        self,
        rbm: RBM,
        *,
        k: int = 1,
        chains: int = 0,
        sampled: bool = False,
        watched: bool = True,
        weight_cost: float = 0.0,
        precision: Precision = "float32",
        seed: int = 0,
    ) -> None:
        self._rbm, self._k, self._weight_cost = rbm, k, weight_cost
        self._sampled, self._watched = sampled, watched or not chains
        self._products = torch.bfloat16 if precision == "bf16-mixed" else rbm.weight.dtype
        self._weights = flat_parameters(rbm)
        self._gradient = torch.zeros_like(self._weights)
        self._g_weight, self._g_visible, self._g_hidden = views(self._gradient, list(rbm.parameters()))
        self._chains = torch.zeros(chains, rbm.hidden, dtype=rbm.weight.dtype)
        self._noise = Noise(seed)

    @property
    def weights(self) -> Tensor:
        """[P]: weights, visible biases, hidden biases."""
        return self._weights

    def start_epoch(self, seed: int) -> None:
        """Seed the noise of the coming epoch."""
        self._noise.seed(seed)

    def state(self) -> dict[str, Tensor]:
        """The hidden states of the persistent chains [chains, hidden], if there are any."""
        return {"chains": self._chains} if len(self._chains) else {}

    def gradient(self, batch: Batch) -> tuple[float, Tensor]:
        """The loss, and the negative of the contrastive divergence statistics [P]."""
        rbm, n = self._rbm, len(batch)
        weight = rbm.weight.to(self._products)
        v_plus = batch.x
        h_plus = self._up(v_plus, weight)
        reconstruction = self._down(threshold_states(h_plus, self._noise), weight) if self._watched else v_plus
        if len(self._chains):
            v_minus, h_minus = self._persistent_phase(weight)
        else:
            v_minus, h_minus = self._negative_phase(reconstruction, weight)
        m = len(v_minus)
        self._correlate(h_plus, v_plus, h_minus, v_minus)
        self._g_weight.add_(rbm.weight, alpha=self._weight_cost)
        torch.sub(v_minus.sum(0).div_(m), v_plus.sum(0).div_(n), out=self._g_visible)
        torch.sub(h_minus.sum(0).div_(m), h_plus.sum(0).div_(n), out=self._g_hidden)
        if self._watched:
            return (v_plus - reconstruction).square_().sum().item() / n, self._gradient
        return float(self._g_visible.square().sum() + self._g_hidden.square().sum()), self._gradient

    def _negative_phase(self, v: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        h = self._up(v, weight)
        for _ in range(self._k - 1):
            v = self._down(threshold_states(h, self._noise), weight)
            h = self._up(v, weight)
        return v, h

    def _persistent_phase(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        for _ in range(self._k):
            v = self._down(self._chains, weight)
            if self._sampled:
                v = threshold_states(v, self._noise)
            h = self._up(v, weight)
            self._chains.copy_(threshold_states(h, self._noise))
        return v, h

    def _correlate(self, h_plus: Tensor, v_plus: Tensor, h_minus: Tensor, v_minus: Tensor) -> None:
        """⟨h v⟩⁻ - ⟨h v⟩⁺ as one product over both phases, so that bfloat16 rounds the difference, not its terms."""
        m, n = len(h_minus), len(h_plus)
        # Whole numbers, for bfloat16 would round 1/m and 1/n each on its own.
        h = torch.cat([h_minus * n, h_plus * -m]).to(self._products)
        v = torch.cat([v_minus, v_plus]).to(self._products)
        self._g_weight.copy_(h.t() @ v).div_(m * n)

    def _up(self, v: Tensor, weight: Tensor) -> Tensor:
        return torch.sigmoid_(self._activation(v, weight.t(), self._rbm.hidden_bias))

    def _down(self, h: Tensor, weight: Tensor) -> Tensor:
        activation = self._activation(h, weight, self._rbm.visible_bias)
        return activation.sigmoid_() if self._rbm.units == "bernoulli" else activation

    def _activation(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        if weight.dtype == bias.dtype:
            return torch.addmm(bias, x, weight)
        return (x.to(weight.dtype) @ weight).to(bias.dtype).add_(bias)
