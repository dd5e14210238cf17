"""How good an RBM is, from its parameters alone: the same two figures for every contestant."""

from collections.abc import Mapping

import torch
from torch import Tensor

from anabranch.models import RBM
from harness.worker import Float32

DRAWS = 10  # of the unit that is flipped
THRESHOLD = 0.5  # from where a grey value counts as 1


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
