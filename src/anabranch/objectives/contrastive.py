"""Contrastive divergence (Hinton 2002) and its persistent form (Tieleman 2008), at the speed of its matrix products.

Follows the code behind Hinton & Salakhutdinov 2006, that De Filippo De Grazia et al. ported: binary samples of the
hidden units drive the reconstruction, the reconstruction itself and the last hidden activities are probabilities. Per
weight

    Δw_ij ∝ ⟨v_i h_j⟩⁺ - ⟨v_i h_j⟩⁻ - weight_cost · w_ij

so the gradient to descend is the negative of that. The weight cost leaves the biases alone.

Nothing is allocated in the loop. Both phases lie in one tensor, with the positive hidden activities negated and the
means over the patterns taken by the units (`h` = h⁻/m over -h⁺/n), so that one product over both gives the difference
of the statistics, and bfloat16 rounds the difference, not its terms. Whatever stands between the products is a fused
kernel. `plain.py` has the same without any of this.
"""

import math

import numpy as np
import torch
from torch import Tensor

from anabranch.errors import UsageError
from anabranch.kernels import (
    Memory,
    Noise,
    hidden_mean,
    mean_difference,
    reconstruct,
    sample_hidden,
    visible_mean,
)
from anabranch.models.flat import flat_parameters
from anabranch.models.rbm import RBM
from anabranch.objectives.base import Objective, Precision, check_width
from anabranch.objectives.layer import Layer
from anabranch.optim import FlatOptimizer
from anabranch.types import Batch


class ContrastiveDivergence(Objective):
    """CD-k, or PCD-k with `chains` persistent chains, for one RBM in this machine's memory.

    The loss is the squared reconstruction error per pattern, summed over the visible units; or, where that is not
    `watched`, the squared distance of the two phases' mean activities, summed over all units.

    Args:
        rbm: its parameters are trained in place.
        k: full Gibbs steps in the negative phase.
        chains: number of persistent chains; 0 starts the chain at the data instead (plain CD).
        sampled: whether the visible units of persistent chains are drawn, too (Tieleman 2008), as the chains' own
            distribution wants it; else they are probabilities.
        watched: whether the patterns are reconstructed. Plain CD does so in any case; persistent chains do it for the
            loss alone, with one product of six, and may leave it.
        weight_cost: the L2 penalty's factor on the weights.
        precision: bf16-mixed multiplies matrices in bfloat16; weights, biases, sums and updates stay in float32.
        seed: of the noise until the first `start_epoch`.

    Raises:
        UsageError: as `check_settings`; later, for a batch of another width.
    """

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
        check_settings(k, chains, weight_cost)
        check_sampled(rbm, chains, sampled=sampled)
        self._k, self._weight_cost, self._linear = k, weight_cost, rbm.units == "gaussian"
        self._sampled, self._watched = sampled, watched or not chains
        self._weights = flat_parameters(rbm)
        self._gradient = torch.zeros_like(self._weights)
        self._layer = Layer(self._weights, self._gradient, rbm.weight.shape, precision)
        self._a, self._b = np.split(self._layer.weights.biases, [rbm.visible])
        self._g_a, self._g_b = np.split(self._layer.gradient.biases, [rbm.visible])
        self._unused = np.zeros_like(self._b)
        self._unused_visible = np.zeros_like(self._a)
        self._chains = Memory(torch.zeros(chains, rbm.hidden, dtype=self._layer.w.dtype))
        self._spaces: dict[int, _Workspace] = {}
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
        return {"chains": self._chains.tensor} if len(self._chains.tensor) else {}

    def gradient(self, batch: Batch) -> tuple[float, Tensor]:
        """The loss, and the negative of the contrastive divergence statistics [P]."""
        error, space = self._phases(batch)
        self._layer.differentiate(space.h_t, space.v, space.scale)
        if self._weight_cost:
            self._layer.gradient.weight.add_(self._layer.weights.weight, alpha=self._weight_cost)
        return error, self._gradient

    def descend(self, batch: Batch, optimizer: FlatOptimizer, *, again: bool = False) -> float:
        """One local step; under SGD the update is part of it."""
        sgd = optimizer.momentum
        if sgd is None:
            return super().descend(batch, optimizer)
        error, space = self._phases(batch, again=again)
        self._layer.descend(space.h_t, space.v, sgd, sgd.velocity, scale=space.scale, cost=self._weight_cost)
        return error

    def _phases(self, batch: Batch, *, again: bool = False) -> tuple[float, "_Workspace"]:
        """Both phases in a workspace, and the gradient of the biases; the loss."""
        n, layer = len(batch), self._layer
        space = self._spaces.get(n) or self._new_space(n)
        check_width(batch, layer.w.shape[1])
        layer.refresh(unchanged=again)
        space.v_plus.tensor.copy_(batch.x)
        squares = self._reconstruction(space) if self._watched else 0.0
        if len(self._chains.tensor):
            self._persistent_phase(space)
        else:
            self._negative_phase(space)
        if space.scale != 1:
            self._g_b *= space.scale
        return squares / n if self._watched else self._distance(), space

    def _reconstruction(self, space: "_Workspace") -> float:
        """The positive phase, and what its sampled states make of the patterns; the squared error of that."""
        v, h, states, reconstruction = space.v_plus, space.h_plus, space.states, space.reconstruction
        torch.mm(v.tensor, self._layer.w_t, out=h.tensor)
        sample_hidden(h.array, self._b, self._noise.state, space.plus, states.array, self._g_b)
        torch.mm(states.tensor, self._layer.w, out=reconstruction.tensor)
        return reconstruct(reconstruction.array, self._a, self._linear, v.array, space.one_over_n, self._g_a)

    def _distance(self) -> float:
        biases = self._layer.gradient.biases
        with np.errstate(all="ignore"):  # what diverges has its own message
            return float(biases @ biases)

    def _negative_phase(self, space: "_Workspace") -> None:
        """From the first reconstruction to the end of the chain, which is the same memory."""
        v, h, states = space.v_minus, space.h_minus, space.states
        for _ in range(self._k - 1):
            torch.mm(v.tensor, self._layer.w_t, out=h.tensor)
            sample_hidden(h.array, self._b, self._noise.state, space.minus, states.array, self._unused)
            torch.mm(states.tensor, self._layer.w, out=v.tensor)
            visible_mean(v.array, self._a, self._linear)
        torch.mm(v.tensor, self._layer.w_t, out=h.tensor)
        hidden_mean(h.array, self._b, space.minus, self._g_b)
        if self._k > 1:
            self._visible_bias(space)

    def _persistent_phase(self, space: "_Workspace") -> None:
        v, h, chains = space.v_minus, space.h_minus, self._chains
        for _ in range(self._k - 1):
            self._visible_of_chains(space)
            torch.mm(v.tensor, self._layer.w_t, out=h.tensor)
            sample_hidden(h.array, self._b, self._noise.state, space.minus, chains.array, self._unused)
        self._visible_of_chains(space)
        if self._watched:
            torch.mm(v.tensor, self._layer.w_t, out=h.tensor)
        else:  # one product for the hidden units of both phases
            torch.mm(space.v, self._layer.w_t, out=space.h)
            hidden_mean(space.h_plus.array, self._b, space.plus, self._g_b)
        sample_hidden(h.array, self._b, self._noise.state, space.minus, chains.array, self._g_b)
        self._visible_bias(space)

    def _visible_of_chains(self, space: "_Workspace") -> None:
        mean = space.mean
        torch.mm(self._chains.tensor, self._layer.w, out=mean.tensor)
        if self._sampled:
            states, unused, one = space.v_minus.array, self._unused_visible, self._layer.number(1)
            sample_hidden(mean.array, self._a, self._noise.state, one, states, unused)
        else:
            visible_mean(mean.array, self._a, self._linear)

    def _visible_bias(self, space: "_Workspace") -> None:
        """⟨v⟩⁻ - ⟨v⟩⁺, where the chain's end is not the first reconstruction."""
        mean_difference(space.v_minus.array, space.v_plus.array, self._g_a)

    def _new_space(self, n: int) -> "_Workspace":
        hidden, visible = self._layer.w.shape
        chains, watched, sampled = len(self._chains.tensor), self._watched, self._sampled
        space = _Workspace(n, chains, visible, hidden, self._layer, watched=watched, sampled=sampled)
        self._spaces[n] = space
        return space


class _Workspace:
    """Memory for the two phases of a step: `n` patterns, and as many ends of chains, or `chains` if there are any."""

    def __init__(
        self, n: int, chains: int, visible: int, hidden: int, layer: Layer, *, watched: bool, sampled: bool
    ) -> None:
        m, dtype, number = chains or n, layer.w.dtype, layer.number
        self.v, self.h = torch.zeros(m + n, visible, dtype=dtype), torch.zeros(m + n, hidden, dtype=dtype)
        self.h_t = self.h.t()
        self.v_minus, self.v_plus = Memory(self.v[:m]), Memory(self.v[m:])
        self.h_minus, self.h_plus = Memory(self.h[:m]), Memory(self.h[m:])
        # Of the patterns, and of the chains before their visible units are drawn.
        apart = n if watched else 0
        self.reconstruction = Memory(torch.zeros(apart, visible, dtype=dtype)) if chains else self.v_minus
        self.states = Memory(torch.zeros(apart, hidden, dtype=dtype))
        self.mean = Memory(torch.zeros(m, visible, dtype=dtype)) if sampled else self.v_minus
        # How the hidden activities of the two phases are scaled, and their product then.
        plus, minus, self.scale = -1 / n, 1 / m, 1.0
        if dtype == torch.bfloat16 and m != n:
            # 1/n and 1/m would be rounded each on its own, which leaves a difference where there is none. Whole numbers
            # up to 256 are not rounded.
            divisor = math.gcd(m, n)
            plus, minus, self.scale = -m / divisor, n / divisor, divisor / (m * n)
        self.plus, self.minus, self.one_over_n = number(plus), number(minus), number(1 / n)


def check_settings(k: int, chains: int, weight_cost: float) -> None:
    """Refuse settings of contrastive divergence that mean nothing.

    Raises:
        UsageError: fewer than one Gibbs step, or a negative number of chains or weight cost.
    """
    if k < 1:
        raise UsageError(f"contrastive divergence needs at least one Gibbs step, not {k}: use 1 or more.")
    if chains < 0:
        raise UsageError(f"there cannot be {chains} persistent chains: use 0 or more.")
    if not (math.isfinite(weight_cost) and weight_cost >= 0):
        raise UsageError(f"the weight cost must be 0 or more, not {weight_cost}: try 0.0002.")


def check_sampled(rbm: RBM, chains: int, *, sampled: bool) -> None:
    """Refuse to draw visible units where there are no chains, or no binary units.

    Raises:
        UsageError: saying which.
    """
    if sampled and not (chains and rbm.units == "bernoulli"):
        what = "Gaussian units" if chains else "a chain that starts at the data"
        raise UsageError(f"visible units are drawn in persistent chains of binary units, not for {what}.")
