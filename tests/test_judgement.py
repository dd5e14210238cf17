"""What a classifier makes of a test set, against counts by hand."""

import math

import pytest
import torch
from torch import Tensor, nn

from anabranch.evaluate import classification_error
from anabranch.judgement import MOST_CLASSES, MOST_MISTAKES, judge
from anabranch.types import Batch

LOGITS = torch.tensor([[2.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 1.0, 0.0], [5.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
LABELS = torch.tensor([0, 1, 2, 1, 0])


def batches(x: Tensor, y: Tensor, size: int) -> list[Batch]:
    return [Batch(x[n : n + size], y[n : n + size]) for n in range(0, len(x), size)]


@pytest.mark.parametrize("size", [1, 2, 5])
def test_it_counts_and_finds_the_worst_whatever_the_batches_are(size: int) -> None:
    found = judge(nn.Identity(), batches(LOGITS, LABELS, size))
    assert (found.examples, found.wrong, found.error) == (5, 3, 0.6)
    assert found.confusion.tolist() == [[1, 0, 1], [1, 1, 0], [0, 1, 0]]
    assert [(one.row, one.label, one.predicted) for one in found.mistakes] == [(3, 1, 0), (2, 2, 1), (4, 0, 2)]
    assert found.mistakes[0].own == pytest.approx(1 / (2 + math.exp(5)))
    assert found.mistakes[0].probability == pytest.approx(math.exp(5) / (2 + math.exp(5)))


def test_logistic_outputs_are_probabilities_each_for_itself() -> None:
    found = judge(nn.Identity(), batches(LOGITS, LABELS, 5), "logistic")
    assert [one.own for one in found.mistakes] == [0.5, 0.5, 0.5]
    assert [one.row for one in found.mistakes] == [2, 3, 4]
    assert found.mistakes[1].probability == pytest.approx(1 / (1 + math.exp(-5)))


def test_it_agrees_with_the_error_and_leaves_the_network_in_its_mode() -> None:
    x, y = torch.randn(100, 6, generator=torch.Generator().manual_seed(0)), torch.arange(100) % 4
    network = nn.Sequential(nn.Linear(6, 4), nn.Dropout(0.5)).train()
    found = judge(network, batches(x, y, 30))
    assert network.training
    assert found.error == classification_error(network, batches(x, y, 30))
    assert int(found.confusion.sum()) == 100
    assert int(found.confusion.diagonal().sum()) == 100 - found.wrong
    assert len(found.mistakes) == min(found.wrong, MOST_MISTAKES)
    assert sorted(found.mistakes) == list(found.mistakes)


def test_of_very_many_classes_there_is_no_matrix() -> None:
    x = torch.eye(MOST_CLASSES + 1)
    found = judge(nn.Identity(), batches(x, torch.zeros(len(x), dtype=torch.int64), 50))
    assert found.as_json()["confusion"] is None
    assert found.wrong == MOST_CLASSES
    assert found.confusion[0].tolist() == [1] * (MOST_CLASSES + 1)


def test_losses_and_errors_of_the_classes_by_hand() -> None:
    logits, labels = torch.tensor([[2.0, 1.0], [0.0, 3.0], [5.0, 4.0], [1.0, 2.0]]), torch.tensor([0, 0, 0, 1])
    found = judge(nn.Identity(), batches(logits, labels, 3))
    assert found.confusion.tolist() == [[2, 1], [0, 1]]
    assert (found.examples, found.wrong, found.error, found.class_errors) == (4, 1, 0.25, [1 / 3, 0.0])
    # -log softmax of the label: log(1 + exp(-1)) three times, and log(1 + exp(3))
    assert found.loss == pytest.approx((3 * math.log1p(math.exp(-1)) + math.log1p(math.exp(3))) / 4, rel=1e-6)


def test_the_loss_of_logistic_outputs_by_hand() -> None:
    found = judge(nn.Identity(), batches(torch.tensor([[0.0, math.log(3)]]), torch.tensor([0]), 1), "logistic")
    assert found.loss == pytest.approx(math.log(2) + math.log(4), rel=1e-6)  # -log σ(0) - log(1 - 3/4)
    assert found.class_errors == [1.0, None]  # of a class without examples nothing is known


def test_labels_are_needed() -> None:
    with pytest.raises(ValueError, match="no labels"):
        judge(nn.Identity(), [Batch(LOGITS)])
