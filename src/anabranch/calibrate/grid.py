"""Which training steps are timed: networks, batch sizes, and the two ways in which weights are updated."""

import itertools
from dataclasses import dataclass

from anabranch.cluster import Load
from anabranch.cluster.description import LoadKind
from anabranch.limit import Products, back_propagation, contrastive_divergence
from anabranch.objectives import Precision
from anabranch.simulate.loads import load_of

LONGEST = 2_000_000_000  # FLOP of a step; beyond, its time is that of its products and takes long to measure


@dataclass(frozen=True)
class Shape:
    """A network and how it is trained.

    Attributes:
        kind: of the objective.
        sizes: of its layers, the input first; an RBM has two.
    """

    kind: LoadKind
    sizes: tuple[int, ...]

    @property
    def products(self) -> Products:
        """Of one training step."""
        if self.kind == "contrastive":
            visible, hidden = self.sizes
            return contrastive_divergence(visible, hidden, 1)
        return back_propagation(self.sizes)

    @property
    def load(self) -> Load:
        """What one training step asks of a core."""
        return load_of(self.products, self.kind)


@dataclass(frozen=True)
class Case:
    """Training steps to time.

    Attributes:
        shape: of the network.
        batch: examples of a step.
        precision: of the arithmetic.
        fused: whether the objective updates the weights itself, as under averaging; else a rule does, as under
            allreduce.
    """

    shape: Shape
    batch: int
    precision: Precision
    fused: bool


@dataclass(frozen=True)
class Grid:
    """The steps that computing is fitted to.

    Attributes:
        shapes: the networks.
        batches: the batch sizes.
        rounds: how often each is timed, with all others between.
        seconds: of each timing.
    """

    shapes: tuple[Shape, ...]
    batches: tuple[int, ...]
    rounds: int
    seconds: float

    def cases(self, precision: Precision) -> list[Case]:
        """All combinations whose steps are not too long."""
        return [
            Case(shape, batch, precision, fused)
            for shape, batch, fused in itertools.product(self.shapes, self.batches, (True, False))
            if batch * shape.products.flop <= LONGEST
        ]


_CONTRASTIVE = ((64, 64), (784, 100), (784, 400), (300, 1000), (600, 600), (1000, 2000))
_BACKPROP = ((64, 64, 10), (784, 100, 10), (300, 300, 300, 10), (784, 400, 400, 10), (784, 1500, 600, 10))
_AUTOGRAD = ((64, 64, 10), (784, 100, 10), (784, 400, 400, 10), (784, 1500, 600, 10))

FULL = Grid(
    (
        *(Shape("contrastive", sizes) for sizes in _CONTRASTIVE),
        *(Shape("backprop", sizes) for sizes in _BACKPROP),
        *(Shape("autograd", sizes) for sizes in _AUTOGRAD),
    ),
    batches=(10, 30, 100, 400),
    rounds=3,
    seconds=0.06,
)
QUICK = Grid(
    (
        *(Shape("contrastive", sizes) for sizes in _CONTRASTIVE[:4]),
        *(Shape("backprop", sizes) for sizes in _BACKPROP[:4]),
        *(Shape("autograd", sizes) for sizes in _AUTOGRAD[:3]),
    ),
    batches=(10, 100),
    rounds=3,
    seconds=0.01,
)

GRADIENTS = tuple(
    Shape("contrastive", sizes)
    for sizes in ((64, 32), (128, 64), (300, 100), (500, 250), (784, 400), (1000, 1000), (2000, 2000))
)
"""Networks whose gradients are 9 kB to 16 MB long: the allreduce is measured between their steps."""
