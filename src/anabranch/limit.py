"""What this machine's matrix products alone would allow: those of one training step, timed without all the rest.

A weight matrix [outputs, inputs] meets a batch of n examples in three kinds of products, in a restricted Boltzmann
machine as in a linear layer; each takes 2 · n · inputs · outputs floating-point operations (FLOP):

    up       [n, inputs] × [inputs, outputs]     activations of the units above
    down     [n, outputs] × [outputs, inputs]    a reconstruction, or the gradient that goes on to the layer below
    across   [outputs, n] × [n, inputs]          statistics, or the gradient of the weights
"""

import itertools
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Literal

import torch
from torch import Tensor

from anabranch.objectives import Precision

Kind = Literal["up", "down", "across"]

SECONDS = 0.15  # of timing a step
LEAST_TIMINGS = 3

_DTYPES: dict[Precision, torch.dtype] = {
    "float32": torch.float32,
    "bf16-mixed": torch.bfloat16,
    "float64": torch.float64,
}


@dataclass(frozen=True)
class Products:
    """The matrix products of one training step.

    Attributes:
        matrices: (inputs, outputs) of each weight matrix.
        calls: in their order: the number of the matrix, and the kind of product.
    """

    matrices: tuple[tuple[int, int], ...]
    calls: tuple[tuple[int, Kind], ...]

    @property
    def flop(self) -> int:
        """FLOP for one example."""
        sizes = (self.matrices[number] for number, _ in self.calls)
        return sum(2 * inputs * outputs for inputs, outputs in sizes)


def contrastive_divergence(visible: int, hidden: int, k: int, *, persistent: bool = False) -> Products:
    """CD-k of one RBM: up, k times down and up, and the statistics of both phases.

    The chains of PCD-k are not those of the reconstruction, which takes one more product down.
    """
    gibbs: list[Kind] = ["down", "up"]
    reconstruction: list[Kind] = ["down"] if persistent else []
    kinds: list[Kind] = ["up", *reconstruction, *gibbs * k, "across", "across"]
    return Products(((visible, hidden),), tuple((0, kind) for kind in kinds))


def back_propagation(sizes: Sequence[int]) -> Products:
    """A fully connected network of layers of `sizes`, the input first: nothing is passed on below the lowest layer."""
    matrices = tuple(itertools.pairwise(sizes))
    calls: list[tuple[int, Kind]] = [(number, "up") for number in range(len(matrices))]
    for number in reversed(range(1, len(matrices))):
        calls += [(number, "across"), (number, "down")]
    return Products(matrices, (*calls, (0, "across")))


def step_seconds(products: Products, batch: int, precision: Precision) -> float:
    """Seconds that `products` take this process, on its threads, with `batch` examples."""
    return median_seconds([step(products, batch, precision)], SECONDS)[0]


def step(products: Products, batch: int, precision: Precision) -> Callable[[], None]:
    """What computes `products` with `batch` examples once, in memory that is there already."""
    operands = _operands(products, batch, _DTYPES[precision])

    def run() -> None:
        for left, right, result in operands:
            torch.mm(left, right, out=result)

    return run


def median_seconds(runs: Sequence[Callable[[], None]], budget: float) -> list[float]:
    """The median time of each of `runs`: one round of all to warm up, then rounds until `budget` seconds have passed.

    They take turns, so that what else the machine does slows them alike. At least three rounds count.
    """
    for run in runs:
        run()
    times: list[list[float]] = [[] for _ in runs]
    end = perf_counter() + budget
    while len(times[0]) < LEAST_TIMINGS or perf_counter() < end:
        for run, mine in zip(runs, times, strict=True):
            began = perf_counter()
            run()
            mine.append(perf_counter() - began)
    return [statistics.median(mine) for mine in times]


def _operands(products: Products, batch: int, dtype: torch.dtype) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Left, right and result of each product, laid out as in training."""
    chance = torch.Generator().manual_seed(0)

    def filled(*shape: int) -> Tensor:
        return torch.empty(shape, dtype=dtype).uniform_(generator=chance)

    kinds: list[dict[Kind, tuple[Tensor, Tensor, Tensor]]] = []
    for inputs, outputs in products.matrices:
        weight, below, above = filled(outputs, inputs), filled(batch, inputs), filled(batch, outputs)
        kinds.append(
            {
                "up": (below, weight.t(), torch.empty_like(above)),
                "down": (above, weight, torch.empty_like(below)),
                "across": (above.t(), below, torch.empty_like(weight)),
            }
        )
    return [kinds[number][kind] for number, kind in products.calls]
