import multiprocessing
from typing import Any

import pytest
import torch

from anabranch import kernels
from anabranch.data import Examples
from anabranch.models import RBM, VisibleUnits, mlp
from anabranch.objectives import ContrastiveDivergence, Precision, SigmoidBackPropagation, warm_up
from anabranch.objectives.base import pattern_dtype, weight_dtype
from anabranch.optim import Rule
from anabranch.types import Batch

PRECISIONS: list[Precision] = ["float32", "bf16-mixed", "float64"]
UNITS: list[VisibleUnits] = ["bernoulli", "gaussian"]
BYTES = Examples(torch.zeros(5, 6, dtype=torch.uint8))


def versions() -> dict[str, int]:
    """For how many combinations of types each kernel has been compiled, or loaded from the disk."""
    found: dict[str, Any] = {name: getattr(kernels, name) for name in kernels.__all__}
    return {name: len(kernel.signatures) for name, kernel in found.items() if hasattr(kernel, "signatures")}


def more(later: dict[str, int], earlier: dict[str, int]) -> list[str]:
    return [name for name in later if later[name] > earlier[name]]


def train_machines(precision: Precision, n: int) -> None:
    """Contrastive divergence of every kind, in batches of `n`."""
    x = torch.rand(n, 6, dtype=weight_dtype(precision))
    for k, chains in ((1, 0), (3, 0), (1, 7), (2, 7)):
        for units in UNITS:
            rbm = RBM(6, 5, units=units, dtype=x.dtype)
            machine = ContrastiveDivergence(rbm, k=k, chains=chains, weight_cost=0.1, precision=precision)
            machine.descend(Batch(x.to(pattern_dtype(precision))), Rule(momentum=0.9).build(machine.weights))
            machine.gradient(Batch(x))
    drawn = ContrastiveDivergence(RBM(6, 5, dtype=x.dtype), chains=7, sampled=True, watched=False, precision=precision)
    drawn.gradient(Batch(x))


def train_networks(precision: Precision, n: int) -> None:
    """Back-propagation with and without dropout, in batches of `n`."""
    dtype = weight_dtype(precision)
    batch = Batch(torch.rand(n, 6, dtype=dtype), torch.zeros(n, dtype=torch.int64))
    for dropout in (0.0, 0.5):
        network = mlp([6, 5, 4, 3], activation="sigmoid", dropout=dropout, dtype=dtype)
        trained = SigmoidBackPropagation(network, precision=precision)
        trained.descend(batch, Rule(momentum=0.9).build(trained.weights))
        trained.gradient(batch)


def compiled_later(precision: Precision) -> tuple[list[str], list[str]]:
    """Which kernels training compiles after `warm_up`, and which reading bytes does; for a process of its own."""
    torch.set_num_threads(1)
    warm_up(precision)
    ready = versions()
    for n in (1, 6):
        train_machines(precision, n)
        train_networks(precision, n)
    trained = versions()
    BYTES.take(torch.arange(3), pattern_dtype(precision))  # for contrastive divergence
    BYTES.take(torch.arange(3), weight_dtype(precision))  # for back-propagation
    return more(trained, ready), more(versions(), trained)


@pytest.fixture(scope="module")
def later() -> dict[Precision, tuple[list[str], list[str]]]:
    """What `compiled_later` says of each precision; in this process, earlier tests have compiled all."""
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as processes:
        return dict(zip(PRECISIONS, processes.map(compiled_later, PRECISIONS, chunksize=1), strict=True))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_training_compiles_nothing_after_it(
    precision: Precision, later: dict[Precision, tuple[list[str], list[str]]]
) -> None:
    assert later[precision][0] == []


@pytest.mark.parametrize(
    "precision",
    ["float32", "bf16-mixed", "float64"],
)
def test_reading_bytes_compiles_nothing_after_it(
    precision: Precision, later: dict[Precision, tuple[list[str], list[str]]]
) -> None:
    assert later[precision][1] == []


@pytest.mark.parametrize("precision", PRECISIONS)
def test_it_may_be_called_again(precision: Precision) -> None:
    warm_up(precision)
    ready = versions()
    warm_up(precision)
    assert versions() == ready
