"""A few numbers of a data set, which tell it from another without reading it all."""

import json
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from anabranch.data.examples import Examples

ROWS = 64  # of each part, spread evenly over it
TOLERANCE = 1e-3  # of the largest value: processors round a mean, by which features are scaled, each in its own way


@dataclass(frozen=True)
class Sketch:
    """What is remembered of a data set.

    Attributes:
        examples: in the training part.
        test_examples: in the other part.
        features: of each example.
        classes: 0 without labels.
        values: of the features and of the labels of both parts: weighted sums of some examples' own.
    """

    examples: int
    test_examples: int
    features: int
    classes: int
    values: tuple[tuple[float, ...], ...]

    def as_json(self) -> str:
        """As text, of which `from_json` makes the same sketch."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Sketch":
        """What `as_json` wrote.

        Raises:
            ValueError: it wrote no such text.
        """
        try:
            content = json.loads(text)
            return cls(**content | {"values": tuple(map(tuple, content["values"]))})
        except (TypeError, KeyError) as error:
            raise ValueError("this is the sketch of no data set") from error

    def difference(self, other: "Sketch") -> str | None:
        """In words, what `other` has in place of what is here; None where both may be of one data set."""
        for name in ("examples", "test_examples", "features", "classes"):
            mine, its = getattr(self, name), getattr(other, name)
            if mine != its:
                return f"{its:,} {name.replace('_', ' ')} in place of {mine:,}"
        if len(self.values) == len(other.values) and all(map(_close, self.values, other.values)):
            return None
        return "other values"


def sketch(train: Examples, test: Examples, classes: int) -> Sketch:
    """The sketch of the data set of these two parts, scaled as for training.

    Raises:
        DataError: mapped features hold a NaN or an infinite value in one of the rows that are read.
    """
    return Sketch(len(train), len(test), train.width, classes, (*_values(train), *_values(test)))


def _values(examples: Examples) -> list[tuple[float, ...]]:
    rows = torch.linspace(0, len(examples) - 1, min(ROWS, len(examples)), dtype=torch.float64).long()
    batch = examples.take(rows, torch.float64)
    return [_sums(x) for x in (batch.x, batch.y) if x is not None]


def _sums(x: Tensor) -> tuple[float, ...]:
    """Of each row; weighted, so that it matters which of its values is where."""
    flat = x.double().reshape(len(x), -1)
    weights = 1 + torch.arange(flat.shape[1], dtype=torch.float64) % 7 / 7
    return tuple((flat @ weights).tolist())


def _close(mine: tuple[float, ...], its: tuple[float, ...]) -> bool:
    allowed = TOLERANCE * max(map(abs, mine), default=0.0)
    return len(mine) == len(its) and all(abs(a - b) <= allowed for a, b in zip(mine, its, strict=True))
