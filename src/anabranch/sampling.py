"""Pictures from a deep belief network: Gibbs sampling in one of its RBMs, then one pass down to the input.

Hinton, Osindero & Teh 2006 give the top RBM one label unit a class, train it with the labels, and sample a class by
keeping its unit on while the chain runs. Here the RBMs were trained without labels, as in De Filippo De Grazia et al.
2012, so the label units come afterwards, on the hidden layer of an RBM that stays as it is:

    E(v, h, y) = E(v, h) - h·U_y             U [classes, hidden]: an RBM whose hidden biases are b + U_y for class y
    ∂ log p(v | y) / ∂U_y = E[h | v, y] - E[h | y]

The second expectation is of the model: U is learnt by persistent contrastive divergence (Tieleman 2008) with chains of
its own for each class, so that the clamped chains turn the hidden units on as often as the examples of the class do.

Deviation: Hinton et al. learn all weights of the top RBM together, by CD-1. With the other weights fixed CD-1 teaches
U nothing: the reconstruction of a pattern has the pattern's class, whatever U is.
"""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from anabranch.models import DBN, RBM
from anabranch.models.rbm import bernoulli

Course = Callable[[range], Iterable[int]]
"""Passes on the numbers of the steps, and may tell how far they are."""

LEARNING_STEPS = 1000
CHAINS = 20  # of each class
RATE = 0.3  # at the start; it falls linearly to 0
REFRESH = 10  # steps for which E[h | v, y] is taken to stay as it is


@torch.no_grad()
def learn_label_weights(
    rbm: RBM,
    patterns: Sequence[Tensor],
    generator: torch.Generator,
    *,
    steps: int = LEARNING_STEPS,
    course: Course = iter,
) -> Tensor:
    """The weights U [classes, hidden] between label units and the hidden units of `rbm`, which is left as it is.

    Args:
        rbm: trained without labels.
        patterns: visible activities [n, visible] of the examples of each class, one at least.
        generator: source of all randomness.
        steps: of learning.
        course: of the steps.
    """
    classes = len(patterns)
    sizes = torch.tensor([len(own) for own in patterns])
    owner = torch.arange(classes).repeat_interleave(sizes)
    activation = F.linear(torch.cat(list(patterns)), rbm.weight, rbm.hidden_bias)
    label = torch.arange(classes).repeat_interleave(CHAINS)
    u = torch.zeros(classes, rbm.hidden, dtype=rbm.weight.dtype)
    wanted = torch.zeros_like(u)
    v = rbm.random_visible(len(label), generator)
    for step in course(range(steps)):
        if step % REFRESH == 0:
            wanted = torch.zeros_like(u).index_add_(0, owner, torch.sigmoid(activation + u[owner]))
            wanted /= sizes[:, None]
        h = rbm(v, u[label])
        u += RATE * (1 - step / steps) * (wanted - h.view(classes, CHAINS, -1).mean(dim=1))
        v = rbm.sample_visible(bernoulli(h, generator), generator)
    return u


@torch.no_grad()
def sample(
    dbn: DBN,
    layer: int,
    count: int,
    *,
    steps: int,
    generator: torch.Generator,
    shift: Tensor | None = None,
    course: Course = iter,
) -> Tensor:
    """Mean input activities [count, input], each of a chain of its own that has forgotten its random start.

    Args:
        dbn: the stack of RBMs.
        layer: number of the RBM in which the chains run; 1 is the lowest.
        count: of the chains.
        steps: full steps (hidden, then visible) of each, one at least; the last one's visible activities are means.
        generator: source of all randomness.
        shift: [count, hidden], what clamped label units add to the hidden biases of each chain.
        course: of the steps.
    """
    rbm = dbn.layers[layer - 1]
    v = rbm.random_visible(count, generator)
    for step in course(range(steps)):
        h = rbm.sample_hidden(v, generator, shift)
        v = rbm.sample_visible(h, generator) if step + 1 < steps else rbm.visible_mean(h)
    return dbn.down_from(v, layer - 1)
