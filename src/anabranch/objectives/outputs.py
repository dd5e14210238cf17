"""What a classifier's outputs mean, the loss that goes with it, and the objective that computes it fastest."""

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from anabranch.objectives.backprop import BackPropagation, Loss
from anabranch.objectives.base import Objective, Precision
from anabranch.objectives.feedforward import SigmoidBackPropagation, fits
from anabranch.objectives.penalised import Penalised

Outputs = Literal["softmax", "logistic"]
"""softmax: one class of all. logistic: each class for itself, as in Dziwulski's document, equation 2.8."""


def logistic_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """The cross-entropy of logistic units [batch, classes] with one-hot targets: summed over classes, mean over m."""
    target = F.one_hot(labels, logits.shape[1]).to(logits.dtype)
    return F.binary_cross_entropy_with_logits(logits, target, reduction="sum") / len(logits)


def back_propagation(
    network: nn.Module,
    *,
    outputs: Outputs = "softmax",
    penalty: float = 0.0,
    precision: Precision = "float32",
    seed: int = 0,
    loss: Loss | None = None,
) -> Objective:
    """The cross-entropy of `network`, by the fast objective if it can compute it, else by torch's differentiation.

    Args:
        network: [batch, inputs] to logits [batch, classes], or to what `loss` takes.
        outputs: what the logits are.
        penalty: λ of `Penalised`; none where it is 0.
        precision: of the arithmetic.
        seed: of the network's noise until the first `start_epoch`.
        loss: in place of the cross-entropy.
    """
    if loss is not None or outputs == "logistic":
        objective: Objective = BackPropagation(network, loss=loss or logistic_loss, precision=precision, seed=seed)
    else:
        kind = SigmoidBackPropagation if fits(network) else BackPropagation
        objective = kind(network, precision=precision, seed=seed)
    return Penalised(objective, network, penalty) if penalty else objective
