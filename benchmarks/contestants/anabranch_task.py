"""Our training as `anabranch train` does it: a task, a shard, a strategy, a world of one worker.

With labels, the fine-tuning of a DBN as a classifier (the DBN itself is not pretrained: that would not change the
speed); else an RBM.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from anabranch.comm.base import Communicator
from anabranch.comm.simulated import SimulatedWorld
from anabranch.data import Examples
from anabranch.models import DBN, RBM
from anabranch.objectives import ContrastiveDivergence, Objective, Precision, back_propagation
from anabranch.objectives.base import pattern_dtype
from anabranch.optim import Rule
from anabranch.strategies import Averaging, FixedEpochs, Shard, Silent, Task, carry_out
from harness.data import BYTES
from harness.worker import Float32, Settings, Train, Trained, serve


def read_examples(path: Path, labels: Tensor | None) -> Examples:
    """The data as `anabranch.data.load` would have them in memory: bytes, where the source has bytes."""
    if not path.with_name(BYTES).exists():
        return Examples(torch.from_numpy(np.load(path)), labels)
    with np.load(path.with_name(BYTES)) as kept:
        features, scale, shift = (torch.from_numpy(kept[name]) for name in ("features", "scale", "shift"))
    return Examples(features, labels, scale, shift)


def prepare(settings: Settings) -> Train:
    torch.set_num_threads(settings.threads)
    labels = torch.from_numpy(np.load(settings.labels)) if settings.labels else None
    examples = read_examples(Path(settings.data), labels)
    dtype = torch.float32 if settings.labels else pattern_dtype(precision(settings))
    strategy = Averaging(Rule(learning_rate=settings.learning_rate, momentum=settings.momentum))

    def train(epochs: int) -> Trained:
        objective, parameters = classifier(settings) if settings.labels else rbm(settings)

        def program(comm: Communicator) -> None:
            shard = Shard.of(examples, comm, settings.batch_size, settings.seed, dtype)
            task = Task(objective, shard, FixedEpochs(epochs), seed=settings.seed)
            carry_out(strategy, task, comm, Silent())

        SimulatedWorld(1).run(program)
        return Trained(epochs * len(examples), parameters)

    return train


def rbm(settings: Settings) -> tuple[Objective, Mapping[str, Float32]]:
    """Contrastive divergence, and the parameters that it trains."""
    model = RBM(*settings.sizes, generator=torch.Generator().manual_seed(settings.seed))
    objective = ContrastiveDivergence(model, weight_cost=settings.weight_cost, precision=precision(settings))
    return objective, {name: parameter.numpy() for name, parameter in model.named_parameters()}


def classifier(settings: Settings) -> tuple[Objective, Mapping[str, Float32]]:
    """Back-propagation; nobody asks for its parameters."""
    *sizes, classes = settings.sizes
    chance = torch.Generator().manual_seed(settings.seed)
    network = DBN(sizes, generator=chance).classifier(classes, dropout=settings.dropout, generator=chance)
    return back_propagation(network, precision=precision(settings)), {}


def precision(settings: Settings) -> Precision:
    return "bf16-mixed" if settings.precision == "bf16-mixed" else "float32"


if __name__ == "__main__":
    serve(prepare)
