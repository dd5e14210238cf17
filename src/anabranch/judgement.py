"""How a classifier judges a test set: which classes it takes for which, and where it is most wrong."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from anabranch.objectives import Outputs
from anabranch.types import Batch

MOST_MISTAKES = 20
MOST_CLASSES = 100  # of a confusion matrix that is kept


@dataclass(frozen=True, order=True)
class Mistake:
    """An example that was taken for another class; the worst have the least `own` probability.

    Attributes:
        own: probability that the classifier gave to the example's own class.
        row: of the test set, counted from 0.
        label: the example's class.
        predicted: the class that it was taken for.
        probability: that the classifier gave to this.
    """

    own: float
    row: int
    label: int
    predicted: int
    probability: float


@dataclass(frozen=True)
class Judgement:
    """What a classifier made of labelled examples.

    Attributes:
        examples: how many there were.
        wrong: how many of them were taken for another class.
        confusion: [own class, predicted class] counts; None of more than `MOST_CLASSES` classes.
        mistakes: the worst, the worst first.
    """

    examples: int
    wrong: int
    confusion: Tensor | None
    mistakes: tuple[Mistake, ...] = field(default=())

    @property
    def error(self) -> float:
        """The fraction of the examples that were taken for another class."""
        return self.wrong / self.examples

    def as_json(self) -> dict[str, Any]:
        """For `evaluation.json`."""
        return {
            "examples": self.examples,
            "wrong": self.wrong,
            "confusion": None if self.confusion is None else self.confusion.tolist(),
            "mistakes": [
                {
                    "row": one.row,
                    "label": one.label,
                    "predicted": one.predicted,
                    "probability": round(one.probability, 6),
                    "own_probability": round(one.own, 6),
                }
                for one in self.mistakes
            ],
        }


@torch.no_grad()
def judge(network: nn.Module, batches: Iterable[Batch], classes: int, outputs: Outputs = "softmax") -> Judgement:
    """Judge labelled examples, in one pass. `network` maps [batch, features] to logits [batch, classes]."""
    confusion = torch.zeros(classes * classes, dtype=torch.int64) if classes <= MOST_CLASSES else None
    examples, wrong, worst = 0, 0, list[Mistake]()
    was_training = network.training
    network.eval()
    for batch in batches:
        if batch.y is None:
            continue
        logits = network(batch.x)
        predicted = logits.argmax(dim=1)
        if confusion is not None:
            confusion += torch.bincount(batch.y * classes + predicted, minlength=classes * classes)
        missed = (predicted != batch.y).nonzero()[:, 0]
        worst = heapq.nsmallest(MOST_MISTAKES, worst + _mistakes(logits, batch.y, predicted, missed, outputs, examples))
        examples, wrong = examples + len(batch), wrong + len(missed)
    network.train(was_training)
    return Judgement(
        examples, wrong, None if confusion is None else confusion.view(classes, classes), tuple(sorted(worst))
    )


def _mistakes(
    logits: Tensor, labels: Tensor, predicted: Tensor, missed: Tensor, outputs: Outputs, before: int
) -> list[Mistake]:
    """The worst of those at the rows `missed`; `before` is the number of examples before this batch."""
    chosen = logits[missed].double()
    chances = chosen.softmax(dim=1) if outputs == "softmax" else chosen.sigmoid()
    own, order = chances.gather(1, labels[missed, None])[:, 0].sort(stable=True)
    own, order = own[:MOST_MISTAKES], order[:MOST_MISTAKES]
    rows = missed[order]
    taken = chances[order].gather(1, predicted[rows, None])[:, 0]
    columns = (own, rows + before, labels[rows], predicted[rows], taken)
    return [Mistake(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]
