"""The inside of a contestant's process: settings on the command line, then a request and a reply a line, as JSON.

It needs NumPy alone, for it also runs in the environments of other packages. Between two requests it waits for its
standard input and takes no time of the processor. Replies have a pipe of their own: packages print what they like.
"""

import json
import os
import resource
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Settings:
    """What a contestant trains, and how.

    Attributes:
        sizes: units of the layers, the input first; an RBM has two.
        examples: of an epoch.
        batch_size: of every step.
        precision: float32 or bf16-mixed.
        threads: of the process.
        data: a .npy file [examples, sizes[0]], float32 in [0, 1].
        labels: a .npy file [examples] int64, of supervised training.
        learning_rate: constant.
        momentum: of stochastic gradient descent, from the start.
        weight_cost: the L2 penalty's factor on the weights.
        shuffle: whether every epoch has an order of its own, for those who can choose.
        dropout: probability with which a hidden unit is left out of a step of supervised training.
        seed: of all chance.
    """

    sizes: tuple[int, ...]
    examples: int
    batch_size: int
    precision: str
    threads: int
    data: str
    labels: str = ""
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_cost: float = 0.0002
    shuffle: bool = True
    dropout: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class Trained:
    """What a training was.

    Attributes:
        examples: seen, each as often as it was.
        parameters: of an RBM: `weight` [hidden, visible], `visible_bias`, `hidden_bias`.
    """

    examples: int
    parameters: Mapping[str, Float32] = field(default_factory=dict)


Train = Callable[[int], Trained]
"""Train a new model for so many epochs."""


def serve(prepare: Callable[[Settings], Train]) -> None:
    """Answer requests until the standard input ends."""
    settings, replies = Settings(**json.loads(sys.argv[1])), int(sys.argv[2])
    train = prepare(settings)
    with os.fdopen(replies, "w", encoding="utf-8", buffering=1) as out:
        print(json.dumps({"ready": True}), file=out)
        for line in sys.stdin:
            print(json.dumps(answer(train, json.loads(line))), file=out)


def answer(train: Train, request: Mapping[str, Any]) -> dict[str, Any]:
    """Train for `request["epochs"]`, timed; keep the parameters in the file `request["keep"]` if it is named."""
    began = perf_counter()
    trained = train(request["epochs"])
    seconds = perf_counter() - began
    if request.get("keep"):
        arrays: dict[str, Any] = dict(trained.parameters)
        np.savez(request["keep"], **arrays)
    return {"seconds": seconds, "examples": trained.examples, "peak_memory_mb": round(peak_memory_mb(), 1)}


def peak_memory_mb() -> float:
    """The most memory that this process ever held, in MB (10⁶ bytes).

    From the kernel's status file where there is one: `ru_maxrss` starts at what the parent had when it started us.
    """
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="utf-8").splitlines() if status.exists() else []
    found = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
    kilobytes = found[0] if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes * 1024 / 1e6
