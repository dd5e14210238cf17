"""How good a classifier is: error and root-mean-square error over a set of examples."""

from collections.abc import Iterable

import torch
from torch import nn
from torch.nn import functional as F

from anabranch.objectives import Loss, Outputs
from anabranch.types import Batch

CHUNK = 2000  # rows of one forward pass


@torch.no_grad()
def classification_error(network: nn.Module, batches: Iterable[Batch]) -> float:
    """The fraction of labelled examples whose largest logit is not their label's."""
    wrong, total = 0, 0
    was_training = network.training
    network.eval()
    for batch in batches:
        wrong += int((network(batch.x).argmax(dim=1) != batch.y).sum())
        total += len(batch)
    network.train(was_training)
    return wrong / total


@torch.no_grad()
def mean_loss(network: nn.Module, loss: Loss, batches: Iterable[Batch]) -> float:
    """The mean of `loss` over examples with targets."""
    total, examples = 0.0, 0
    was_training = network.training
    network.eval()
    for batch in batches:
        if batch.y is not None:
            total += float(loss(network(batch.x), batch.y)) * len(batch)
            examples += len(batch)
    network.train(was_training)
    return total / examples


@torch.no_grad()
def squared_output_error(
    network: nn.Module, batches: Iterable[Batch], outputs: Outputs = "softmax"
) -> tuple[float, int]:
    """Sum over labelled examples and classes of (output - target)², and the number of terms.

    The root of their ratio is the RMS error that De Filippo De Grazia et al. 2012 stop back-propagation by.
    """
    squared, terms = 0.0, 0
    for batch in batches:
        logits = network(batch.x)
        output = logits.softmax(dim=1) if outputs == "softmax" else logits.sigmoid()
        if batch.y is not None:
            target = F.one_hot(batch.y, output.shape[1])
            squared += float((output - target).square_().sum(dtype=torch.float64))
            terms += output.numel()
    return squared, terms
