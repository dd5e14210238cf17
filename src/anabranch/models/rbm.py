"""The restricted Boltzmann machine.

Smolensky 1986; Hinton 2002 (contrastive divergence); the conventions of Hinton, "A practical guide to training
restricted Boltzmann machines", 2010. With W [hidden, visible], visible bias a, hidden bias b:

    Bernoulli visible units:  E(v, h) = -a·v - b·h - h·Wv              v in {0, 1}, or probabilities in [0, 1]
    Gaussian visible units:   E(v, h) = |v - a|²/2 - b·h - h·Wv        unit variance: standardise the data
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anabranch.errors import UsageError
from anabranch.models.flat import flat_parameters

VisibleUnits = Literal["bernoulli", "gaussian"]


class RBM(nn.Module):
    """Stochastic binary hidden units over Bernoulli or Gaussian visible units.

    Args:
        visible: number of visible units.
        hidden: number of hidden units.
        units: kind of the visible units.
        std: standard deviation of the initial weights; biases start at zero.
        generator: source of the initial weights.
    """

    def __init__(
        self,
        visible: int,
        hidden: int,
        *,
        units: VisibleUnits = "bernoulli",
        std: float = 0.01,
        generator: torch.Generator | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        if visible < 1 or hidden < 1:
            raise UsageError(
                f"an RBM needs at least one unit in each layer, not {visible} visible and {hidden} hidden."
            )
        super().__init__()
        weight = torch.empty(hidden, visible, dtype=dtype)
        if not weight.is_meta:  # an outline has no values; torch would import its compiler for them, for a second
            weight.normal_(0, std, generator=generator)
        self._own(weight, torch.zeros(visible, dtype=dtype), torch.zeros(hidden, dtype=dtype), units)

    @classmethod
    def of(
        cls, weight: Tensor, visible_bias: Tensor, hidden_bias: Tensor, *, units: VisibleUnits = "bernoulli"
    ) -> "RBM":
        """One with copies of these parameters: [hidden, visible], [visible], [hidden]."""
        rbm = cls.__new__(cls)
        nn.Module.__init__(rbm)
        rbm._own(weight.clone(), visible_bias.clone(), hidden_bias.clone(), units)
        return rbm

    def _own(self, weight: Tensor, visible_bias: Tensor, hidden_bias: Tensor, units: VisibleUnits) -> None:
        self.units = units
        self.weight = nn.Parameter(weight)
        self.visible_bias = nn.Parameter(visible_bias)
        self.hidden_bias = nn.Parameter(hidden_bias)
        self.requires_grad_(False)
        flat_parameters(self)

    @property
    def visible(self) -> int:
        """Number of visible units."""
        return self.weight.shape[1]

    @property
    def hidden(self) -> int:
        """Number of hidden units."""
        return self.weight.shape[0]

    def forward(self, v: Tensor, shift: Tensor | None = None) -> Tensor:
        """p(h = 1 | v): [batch, visible] to [batch, hidden].

        `shift` [batch, hidden] is added to the biases of the hidden units: what units beside `v` that are clamped to
        their states give them.
        """
        activation = F.linear(v, self.weight, self.hidden_bias)
        return torch.sigmoid(activation if shift is None else activation + shift)

    def visible_mean(self, h: Tensor) -> Tensor:
        """E[v | h]: [batch, hidden] to [batch, visible]. A probability for Bernoulli units."""
        activation = F.linear(h, self.weight.t(), self.visible_bias)
        return torch.sigmoid(activation) if self.units == "bernoulli" else activation

    def sample_hidden(self, v: Tensor, generator: torch.Generator, shift: Tensor | None = None) -> Tensor:
        """Binary hidden states drawn from p(h | v), with `shift` as in `forward`."""
        return bernoulli(self(v, shift), generator)

    def sample_visible(self, h: Tensor, generator: torch.Generator) -> Tensor:
        """Visible states drawn from p(v | h)."""
        mean = self.visible_mean(h)
        if self.units == "bernoulli":
            return bernoulli(mean, generator)
        return mean + torch.empty_like(mean).normal_(generator=generator)

    def free_energy(self, v: Tensor) -> Tensor:
        """F(v) = -log Σ_h exp(-E(v, h)): [batch, visible] to [batch]."""
        hidden = F.softplus(F.linear(v, self.weight, self.hidden_bias)).sum(dim=1)
        if self.units == "bernoulli":
            return -F.linear(v, self.visible_bias) - hidden
        return 0.5 * (v - self.visible_bias).square().sum(dim=1) - hidden

    def reconstruction_error(self, v: Tensor) -> Tensor:
        """Squared error of one mean-field pass down and up again, summed over units: [batch, visible] to [batch]."""
        return (v - self.visible_mean(self(v))).square().sum(dim=1)

    def pseudo_likelihood(self, v: Tensor, generator: torch.Generator) -> Tensor:
        """Estimate of log PL(v) from one random unit per pattern: [batch, visible] binary to [batch].

        Raises:
            UsageError: as `pseudo_likelihood_at`.
        """
        return self.pseudo_likelihood_at(v, torch.randint(self.visible, (len(v),), generator=generator))

    def pseudo_likelihood_at(self, v: Tensor, unit: Tensor) -> Tensor:
        """The same from these units [batch] int64, one per pattern.

        visible · log σ(F(v with unit i flipped) - F(v)), unbiased over i (as in scikit-learn's `score_samples`).

        Raises:
            UsageError: the visible units are Gaussian, where a unit cannot be flipped.
        """
        if self.units == "gaussian":
            raise UsageError("pseudo-likelihood is for Bernoulli visible units: use the free energy for Gaussian ones.")
        flipped = v.clone()
        rows = torch.arange(len(v))
        flipped[rows, unit] = 1 - flipped[rows, unit]
        return self.visible * F.logsigmoid(self.free_energy(flipped) - self.free_energy(v))

    def sample(self, count: int, *, steps: int, generator: torch.Generator, start: Tensor | None = None) -> Tensor:
        """Visible states [count, visible] after `steps` full steps of block Gibbs sampling.

        Args:
            count: number of independent chains.
            steps: full steps (hidden, then visible) of each chain.
            generator: source of all randomness.
            start: visible states [count, visible] to start from; `random_visible` by default.
        """
        v = self.random_visible(count, generator) if start is None else start
        for _ in range(steps):
            v = self.sample_visible(self.sample_hidden(v, generator), generator)
        return v

    def random_visible(self, count: int, generator: torch.Generator) -> Tensor:
        """Visible states [count, visible] that know nothing of the weights: fair coins, or unit normals."""
        v = torch.empty(count, self.visible, dtype=self.weight.dtype)
        if self.units == "bernoulli":
            return v.bernoulli_(0.5, generator=generator)
        return v.normal_(generator=generator)


def bernoulli(probability: Tensor, generator: torch.Generator) -> Tensor:
    """Binary states of the same dtype. A uniform draw and a comparison cost a quarter of `torch.bernoulli`."""
    return (torch.empty_like(probability).uniform_(generator=generator) < probability).to(probability.dtype)
