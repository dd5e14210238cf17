"""The time of training steps, made by the parts of a real run: its strategies, tasks, shards and objectives."""

import math
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from time import perf_counter

import torch
from torch import Tensor

from anabranch.calibrate.grid import Case, Shape
from anabranch.comm.base import Communicator
from anabranch.data import Examples
from anabranch.models import RBM, mlp
from anabranch.objectives import BackPropagation, ContrastiveDivergence, Objective, Precision, SigmoidBackPropagation
from anabranch.objectives.base import pattern_dtype, weight_dtype
from anabranch.optim import Rule
from anabranch.record import WAITING, Recorder
from anabranch.strategies import Allreduce, Averaging, FixedEpochs, Shard, Task
from anabranch.types import Step

WARM = 3  # steps that do not count: memory is taken, kernels are looked up
LEAST = 3  # steps that count
EPOCH = 500  # steps of an epoch, whose end is part of them
POOL_BYTES = 32 << 20  # of synthetic data: more than a core's own cache, so that a batch is gathered from afar
MOST_EXAMPLES = 60_000
CLASSES = 10

_RULE = Rule(learning_rate=1e-4, momentum=0.5)


def _nobody() -> None:
    """There is nobody to wait for."""


def seconds_per_step(
    case: Case,
    comm: Communicator,
    *,
    seconds: float = math.inf,
    steps: int | None = None,
    meet: Callable[[], None] = _nobody,
) -> float:
    """The mean time of a step, until so many seconds or steps have passed.

    Args:
        case: the step.
        comm: whose ranks must all make as many steps.
        seconds: of measuring.
        steps: that are measured.
        meet: called when all is ready, to begin together with others.
    """
    strategy = Averaging(_RULE) if case.fused else Allreduce(_RULE)
    task = Task(objective(case.shape, case.precision), shard(case, comm), FixedEpochs(MOST_EXAMPLES))
    began = now = perf_counter()
    made = 0
    for step in strategy.run(task, comm):
        now = perf_counter()
        made = step.index + 1 - WARM
        if made <= 0:
            if made == 0:
                meet()
            began = perf_counter()
        elif (made >= LEAST and now - began >= seconds) or made == steps:
            break
    return (now - began) / made


def objective(shape: Shape, precision: Precision) -> Objective:
    """A new network of `shape` and what trains it."""
    chance, dtype = torch.Generator().manual_seed(0), weight_dtype(precision)
    if shape.kind == "contrastive":
        visible, hidden = shape.sizes
        return ContrastiveDivergence(RBM(visible, hidden, generator=chance, dtype=dtype), precision=precision)
    if shape.kind == "backprop":
        network = mlp(shape.sizes, activation="sigmoid", generator=chance, dtype=dtype)
        return SigmoidBackPropagation(network, precision=precision)
    return BackPropagation(mlp(shape.sizes, generator=chance, dtype=dtype), precision=precision)


def shard(case: Case, comm: Communicator) -> Shard:
    """Synthetic examples for some hundred steps."""
    source = examples(case.shape.sizes[0])
    count = min(case.batch * EPOCH, len(source) // case.batch * case.batch)
    members = torch.randperm(len(source), generator=torch.Generator().manual_seed(comm.rank))[:count]
    kept = pattern_dtype if case.shape.kind == "contrastive" else weight_dtype
    return Shard(source, members, count * comm.size, comm.rank, comm.size, case.batch, 0, kept(case.precision))


@lru_cache(maxsize=16)
def examples(width: int) -> Examples:
    """Random bytes [n, width] and labels, like images."""
    n = min(MOST_EXAMPLES, POOL_BYTES // width)
    chance = torch.Generator().manual_seed(width)
    pixels: Tensor = torch.randint(256, (n, width), dtype=torch.uint8, generator=chance)
    labels = torch.randint(CLASSES, (n,), generator=chance)
    return Examples(pixels, labels, torch.tensor(1 / 255, dtype=torch.float64))


def recording_seconds() -> float:
    """What a line of a run's record takes, which `seconds_per_step` does not write."""
    with tempfile.TemporaryDirectory(prefix="anabranch-") as folder:
        recorder = Recorder(Path(folder) / "steps.jsonl")
        began = perf_counter()
        for index in range(2 * WAITING):
            recorder.step("layer 1 (784-500)", Step(index, 0, 27.123456789, 100))
        return (perf_counter() - began) / (2 * WAITING)
