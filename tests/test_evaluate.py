import math

import pytest
import torch
from torch import nn

from anabranch.evaluate import classification_error, squared_output_error
from anabranch.types import Batch


def test_classification_error_is_the_fraction_of_wrong_labels() -> None:
    logits = torch.tensor([[2.0, 1.0], [0.0, 3.0], [5.0, 4.0], [1.0, 2.0]])
    labels = torch.tensor([0, 0, 0, 1])
    batches = [Batch(logits[:3], labels[:3]), Batch(logits[3:], labels[3:])]
    assert classification_error(nn.Identity(), batches) == 0.25


def test_evaluation_switches_dropout_off_and_on_again() -> None:
    network = nn.Dropout(0.99)
    x = torch.ones(50, 2) * torch.tensor([1.0, 2.0])
    assert classification_error(network, [Batch(x, torch.ones(50, dtype=torch.int64))]) == 0
    assert network.training


def test_squared_output_error_by_hand() -> None:
    # softmax(0, ln 3) = (1/4, 3/4); target (1, 0): (3/4)² + (3/4)² over two terms
    batch = Batch(torch.tensor([[0.0, math.log(3)]]), torch.tensor([0]))
    squared, terms = squared_output_error(nn.Identity(), [batch])
    assert squared == pytest.approx(9 / 8)
    assert terms == 2
