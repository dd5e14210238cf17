"""How good an RBM is, from its parameters alone: the same two figures for every contestant."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from anabranch.models import RBM
from harness.contestant import Contestant
from harness.worker import Float32

DRAWS = 10  # of the unit that is flipped
THRESHOLD = 0.5  # from where a grey value counts as 1


def judged(contestant: Contestant, test: Tensor, epochs: int, parameters: Path) -> dict[str, float]:
    """The quality of a new RBM after `epochs`, by way of the file `parameters`; nothing of one that has dropped out."""
    if not contestant.ask(epochs=epochs, keep=str(parameters)):
        return {}
    with np.load(parameters) as archive:
        return quality(archive, test)


def quality(parameters: Mapping[str, Float32], test: Tensor) -> dict[str, float]:
    """Pseudo-likelihood of the binary test images (nats an image), and their reconstruction error (grey, squared).

    Both are means over `test` [n, visible]; the first also over ten draws of one unit an image. The same draws for all.
    """
    hidden, visible = parameters["weight"].shape
    rbm = RBM(visible, hidden)
    for name, parameter in rbm.named_parameters():
        parameter.copy_(torch.from_numpy(parameters[name]))
    chance = torch.Generator().manual_seed(0)
    binary = (test > THRESHOLD).to(test.dtype)
    likelihood = sum(float(rbm.pseudo_likelihood(binary, chance).mean()) for _ in range(DRAWS)) / DRAWS
    return {
        "pseudo_likelihood": round(likelihood, 3),
        "reconstruction_error": round(float(rbm.reconstruction_error(test).mean()), 4),
    }
