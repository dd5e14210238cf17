"""Back-propagation (Rumelhart, Hinton & Williams 1986) with any loss, as a gradient on flat weights."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._pytree import tree_map_only

from anabranch.errors import UsageError
from anabranch.models.flat import flat_parameters, trained_parameters, views
from anabranch.objectives.base import Objective, Precision
from anabranch.types import Batch

Loss = Callable[[Tensor, Tensor], Tensor]
"""(output [batch, …], targets [batch, …]) to the mean loss over the batch, []."""


class BackPropagation(Objective):
    """The mean `loss` of `module` over a batch, differentiated by torch.

    Noise inside the module (dropout) comes from torch's global generator; it is exchanged for this objective's own
    state around each gradient, so that replicas in one process do not draw from each other's stream.

    Gradients are taken in training mode: a module in evaluation mode is put into it, with all its parts. Of one that is
    in training mode, parts that were put into evaluation mode (a frozen batch normalization) stay there.

    Args:
        module: its parameters are trained in place, but for those that require no gradient. Buffers (running
            statistics) stay local to the rank.
        loss: cross-entropy on logits by default.
        precision: bf16-mixed runs the module under autocast.
        seed: of the noise until the first `start_epoch`.
    """

    def __init__(
        self, module: nn.Module, *, loss: Loss = F.cross_entropy, precision: Precision = "float32", seed: int = 0
    ) -> None:
        self._module, self._loss, self._precision = module, loss, precision
        self._weights = flat_parameters(module)
        self._gradient = torch.zeros_like(self._weights)
        parameters = trained_parameters(module)
        for parameter, view in zip(parameters, views(self._gradient, parameters), strict=True):
            parameter.grad = view
        self._noise = torch.Generator().manual_seed(seed).get_state()

    @property
    def weights(self) -> Tensor:
        """[P], in the order of `module.parameters()`, without the frozen ones."""
        return self._weights

    def start_epoch(self, seed: int) -> None:
        """Seed the module's noise of the coming epoch."""
        self._noise = torch.Generator().manual_seed(seed).get_state()

    def buffers(self) -> list[Tensor]:
        """The module's."""
        return list(self._module.buffers())

    def state(self) -> dict[str, Tensor]:
        """The module's buffers, by name."""
        return dict(self._module.named_buffers())

    def gradient(self, batch: Batch) -> tuple[float, Tensor]:
        """Mean loss over the batch, and its gradient [P].

        Raises:
            UsageError: the batch has no labels.
        """
        if batch.y is None:
            raise UsageError("back-propagation needs labels, but the data have none: give labels, or train a DBN only.")
        self._gradient.zero_()
        if not self._module.training:
            self._module.train()
        with torch.enable_grad(), torch.random.fork_rng(devices=[]):
            torch.random.set_rng_state(self._noise)
            with torch.autocast("cpu", torch.bfloat16, enabled=self._precision == "bf16-mixed"):
                output = self._module(batch.x)
            if self._precision == "bf16-mixed":
                output = tree_map_only(Tensor, _whole, output)
            loss = self._loss(output, batch.y)
            torch.autograd.backward(loss)
            self._noise = torch.random.get_rng_state()
        return loss.item(), self._gradient


def _whole(output: Tensor) -> Tensor:
    """One of a module's outputs as the loss is computed: in float32, whatever autocast has made of it."""
    return output.float() if output.is_floating_point() else output
