"""How a classifier judges labelled examples: which classes it takes for which, and where it is most wrong."""

import heapq
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anabranch.evaluate import evaluating
from anabranch.objectives import Outputs
from anabranch.objectives.outputs import logistic_loss
from anabranch.types import Batch

MOST_MISTAKES = 20
MOST_CLASSES = 100  # of a confusion matrix that is written


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


@dataclass(frozen=True, eq=False)
class Judgement:
    """What a classifier made of labelled examples.

    Attributes:
        counts: [classes] int64: examples of each class.
        taken: how many examples of a class were taken for which other, by (own class, predicted class).
        loss: the cross-entropy, mean over the examples, in nats.
        mistakes: the worst, the worst first.
    """

    counts: Tensor
    taken: Counter[tuple[int, int]]
    loss: float
    mistakes: tuple[Mistake, ...] = ()

    @property
    def examples(self) -> int:
        """All that were judged."""
        return int(self.counts.sum())

    @property
    def wrong(self) -> int:
        """Those that were taken for another class."""
        return self.taken.total()

    @property
    def error(self) -> float:
        """The fraction of the wrong ones."""
        return self.wrong / self.examples

    @property
    def class_errors(self) -> list[float | None]:
        """The same for the examples of each class; None where there are none."""
        wrong = Counter[int]()
        for (own, _), times in self.taken.items():
            wrong[own] += times
        return [wrong[own] / n if n else None for own, n in enumerate(self.counts.tolist())]

    @property
    def confusion(self) -> Tensor:
        """[classes, classes] int64: how many examples of each class (the row) were taken for which."""
        matrix = self.counts.diag()
        for (own, predicted), times in self.taken.items():
            matrix[own, predicted] += times
            matrix[own, own] -= times
        return matrix

    def as_json(self) -> dict[str, Any]:
        """For `evaluation.json`."""
        return {
            "examples": self.examples,
            "wrong": self.wrong,
            "confusion": self.confusion.tolist() if len(self.counts) <= MOST_CLASSES else None,
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
def judge(network: nn.Module, batches: Iterable[Batch], outputs: Outputs = "softmax") -> Judgement:
    """Judge `network`, from [batch, features] to logits [batch, classes], by labelled batches, in one pass.

    There is one batch at least; labels are below the number of classes.

    Raises:
        ValueError: a batch has no labels.
    """
    counts, taken = torch.zeros(0, dtype=torch.int64), Counter[tuple[int, int]]()
    loss, worst = 0.0, list[Mistake]()
    with evaluating(network):
        for batch in batches:
            logits, labels = network(batch.x), _labels(batch)
            predicted = logits.argmax(dim=1)
            missed = (predicted != labels).nonzero()[:, 0]
            found = _mistakes(logits, labels, predicted, missed, outputs, int(counts.sum()))
            worst = heapq.nsmallest(MOST_MISTAKES, worst + found)
            taken.update(zip(labels[missed].tolist(), predicted[missed].tolist(), strict=True))
            here = labels.bincount(minlength=logits.shape[1])
            counts = here if len(counts) == 0 else counts + here
            mean = F.cross_entropy(logits, labels) if outputs == "softmax" else logistic_loss(logits, labels)
            loss += float(mean) * len(batch)
    return Judgement(counts, taken, loss / int(counts.sum()), tuple(worst))


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


def _labels(batch: Batch) -> Tensor:
    if batch.y is None:
        raise ValueError("a classifier is judged by labelled examples, but these have no labels.")
    return batch.y
