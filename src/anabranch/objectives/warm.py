"""Making ready, so that nothing of it counts as training time."""

import numpy as np
import torch

from anabranch.kernels import Memory, gather_scaled
from anabranch.models import RBM, mlp
from anabranch.objectives.base import Precision, pattern_dtype, weight_dtype
from anabranch.objectives.contrastive import ContrastiveDivergence
from anabranch.objectives.feedforward import SigmoidBackPropagation
from anabranch.optim import Rule
from anabranch.types import Batch


def warm_up(precision: Precision) -> None:
    """Have torch import its optimizers, half of itself, and every kernel compiled for `precision`.

    It takes seconds the first time on a machine, for the compiled code is kept on the disk; milliseconds after that.
    """
    dtype = weight_dtype(precision)
    one = Memory(torch.ones(1, dtype=dtype)).array
    for kind in (dtype, pattern_dtype(precision)):
        gathered = Memory(torch.zeros(1, 1, dtype=kind)).array
        gather_scaled(np.zeros((1, 1), np.uint8), np.zeros(1, np.int64), one, one, gathered)
    batch = Batch(torch.zeros(1, 1, dtype=dtype), torch.zeros(1, dtype=torch.int64))
    for objective in (
        ContrastiveDivergence(RBM(1, 1, generator=torch.Generator(), dtype=dtype), k=2, precision=precision),
        SigmoidBackPropagation(mlp([1, 1, 1], activation="sigmoid", dropout=0.5, dtype=dtype), precision=precision),
    ):
        objective.descend(batch, Rule().build(objective.weights))
