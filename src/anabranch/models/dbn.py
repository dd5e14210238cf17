"""The deep belief network: a stack of restricted Boltzmann machines (Hinton, Osindero & Teh 2006)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from anabranch.errors import UsageError
from anabranch.models.mlp import mlp
from anabranch.models.rbm import RBM, VisibleUnits


class DBN(nn.Module):
    """RBMs over layer sizes `(input, first, second, …)`; only the lowest may have Gaussian visible units.

    Each RBM's parameters are one flat tensor of their own, for the layers are trained one after another.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        units: VisibleUnits = "bernoulli",
        std: float = 0.01,
        generator: torch.Generator | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        if len(sizes) < 2:
            raise UsageError(f"a DBN needs an input size and at least one layer, but got {list(sizes)}.")
        super().__init__()
        kinds: list[VisibleUnits] = [units] + ["bernoulli"] * (len(sizes) - 2)
        self.rbms = nn.ModuleList(
            RBM(visible, hidden, units=kind, std=std, generator=generator, dtype=dtype)
            for visible, hidden, kind in zip(sizes[:-1], sizes[1:], kinds, strict=True)
        )

    @property
    def layers(self) -> list[RBM]:
        """The RBMs, lowest first."""
        return [rbm for rbm in self.rbms if isinstance(rbm, RBM)]

    @property
    def sizes(self) -> list[int]:
        """Units of every layer, the input first."""
        return [self.layers[0].visible] + [rbm.hidden for rbm in self.layers]

    def forward(self, x: Tensor) -> Tensor:
        """Mean-field activities of the top layer: [batch, input] to [batch, top]."""
        for rbm in self.layers:
            x = rbm(x)
        return x

    def reconstruct(self, x: Tensor) -> Tensor:
        """Mean-field pass up and down again: [batch, input] to [batch, input]."""
        return self.down(self(x), len(self.layers))

    def down(self, h: Tensor, layer: int) -> Tensor:
        """Mean input activities [batch, input], from those of a layer: [batch, its units]; layer 0 is the input."""
        for rbm in reversed(self.layers[:layer]):
            h = rbm.visible_mean(h)
        return h

    def sample(self, count: int, *, steps: int, generator: torch.Generator) -> Tensor:
        """Mean input activities [count, input]: Gibbs sampling in the top RBM, then one pass down."""
        top = self.layers[-1]
        below = top.sample(count, steps=steps, generator=generator)
        return self.down(below, len(self.layers) - 1)

    def classifier(
        self, classes: int, *, dropout: float = 0.0, generator: torch.Generator | None = None
    ) -> nn.Sequential:
        """A feed-forward network of sigmoid units with these weights (copied) and a fresh softmax layer on top.

        Its output are logits [batch, classes]; the softmax is in the cross-entropy loss. `dropout` as in `mlp`.
        """
        sizes = [*self.sizes, classes]
        network = mlp(sizes, activation="sigmoid", dropout=dropout, generator=generator, dtype=self._dtype)
        linear = [layer for layer in network if isinstance(layer, nn.Linear)]
        with torch.no_grad():
            for rbm, layer in zip(self.layers, linear[:-1], strict=True):
                layer.weight.copy_(rbm.weight)
                layer.bias.copy_(rbm.hidden_bias)
        return network

    @property
    def _dtype(self) -> torch.dtype:
        return self.layers[0].weight.dtype
