"""How good a model is on a set of examples: a classifier's errors and loss, an RBM's reconstructions."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from anabranch.models import DBN
from anabranch.models.rbm import bernoulli
from anabranch.objectives import Loss, Outputs
from anabranch.types import Batch

CHUNK = 2000  # rows of one forward pass


@torch.no_grad()
def classification_error(network: nn.Module, batches: Iterable[Batch]) -> float:
    """The fraction of labelled examples whose largest logit is not their label's."""
    wrong, total = 0, 0
    with evaluating(network):
        for batch in batches:
            wrong += int((network(batch.x).argmax(dim=1) != batch.y).sum())
            total += len(batch)
    return wrong / total


@dataclass(frozen=True)
class LayerFit:
    """How an RBM of a stack fits what the RBMs below it make of the examples; means over these.

    Attributes:
        reconstruction_error: squared, summed over the visible units, of a mean-field pass up and down again.
        pseudo_log_likelihood: estimated, in nats, of binary states drawn from the visible activities; None for
            Gaussian units.
    """

    reconstruction_error: float
    pseudo_log_likelihood: float | None


@torch.no_grad()
def layer_fits(dbn: DBN, batches: Iterable[Batch], generator: torch.Generator) -> tuple[list[LayerFit], float]:
    """Each layer's fit, lowest first; and the squared error of a pass through all of them and back to the input."""
    errors, likelihoods = torch.zeros(2, len(dbn.layers), dtype=torch.float64)
    through, total = 0.0, 0
    for batch in batches:
        v = batch.x
        for number, rbm in enumerate(dbn.layers):
            errors[number] += rbm.reconstruction_error(v).double().sum()
            if rbm.units == "bernoulli":
                likelihoods[number] += rbm.pseudo_likelihood(bernoulli(v, generator), generator).double().sum()
            v = rbm(v)
        through += float((batch.x - dbn.down_from(v, len(dbn.layers))).square().sum(dtype=torch.float64))
        total += len(batch)
    fits = [
        LayerFit(error / total, likelihood / total if rbm.units == "bernoulli" else None)
        for error, likelihood, rbm in zip(errors.tolist(), likelihoods.tolist(), dbn.layers, strict=True)
    ]
    return fits, through / total


@torch.no_grad()
def mean_loss(network: nn.Module, loss: Loss, batches: Iterable[Batch]) -> float:
    """The mean of `loss` over examples with targets."""
    total, examples = 0.0, 0
    with evaluating(network):
        for batch in batches:
            if batch.y is not None:
                total += float(loss(network(batch.x), batch.y)) * len(batch)
                examples += len(batch)
    return total / examples


@torch.no_grad()
def squared_output_error(
    network: nn.Module, batches: Iterable[Batch], outputs: Outputs = "softmax"
) -> tuple[float, int]:
    """Sum over labelled examples and classes of (output - target)², and the number of terms.

    The root of their ratio is the RMS error that De Filippo De Grazia et al. 2012 stop back-propagation by.
    """
    squared, terms = 0.0, 0
    with evaluating(network):
        for batch in batches:
            logits = network(batch.x)
            output = logits.softmax(dim=1) if outputs == "softmax" else logits.sigmoid()
            if batch.y is not None:
                target = F.one_hot(batch.y, output.shape[1])
                squared += float((output - target).square_().sum(dtype=torch.float64))
                terms += output.numel()
    return squared, terms


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Without dropout and the like; afterwards each part of the network is in the mode in which it was."""
    was_training, modes = network.training, [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        network.train(was_training)  # a module may do more than note its mode
        for module, training in modes:
            module.training = training
