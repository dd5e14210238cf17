import math

import pytest
import torch
from torch import nn

from anabranch.evaluate import classification_error, layer_fits, squared_output_error, verdict
from anabranch.models import DBN
from anabranch.seeding import generator
from anabranch.types import Batch

LOGITS = torch.tensor([[2.0, 1.0], [0.0, 3.0], [5.0, 4.0], [1.0, 2.0]])
LABELS = torch.tensor([0, 0, 0, 1])
BATCHES = [Batch(LOGITS[:3], LABELS[:3]), Batch(LOGITS[3:], LABELS[3:])]


def test_classification_error_is_the_fraction_of_wrong_labels() -> None:
    assert classification_error(nn.Identity(), BATCHES) == 0.25


def test_evaluation_switches_dropout_off_and_on_again() -> None:
    network = nn.Dropout(0.99)
    x = torch.ones(50, 2) * torch.tensor([1.0, 2.0])
    batches = [Batch(x, torch.ones(50, dtype=torch.int64))]
    assert classification_error(network, batches) == verdict(network, batches).error == 0
    assert network.training


def test_a_verdict_by_hand() -> None:
    found = verdict(nn.Identity(), BATCHES)
    assert found.confusion.tolist() == [[2, 1], [0, 1]]
    assert (found.examples, found.wrong, found.error, found.class_errors) == (4, 1, 0.25, [1 / 3, 0.0])
    # -log softmax of the label: log(1 + exp(-1)) three times, and log(1 + exp(3))
    assert found.loss == pytest.approx((3 * math.log1p(math.exp(-1)) + math.log1p(math.exp(3))) / 4, rel=1e-6)


def test_a_verdict_of_logistic_outputs_by_hand() -> None:
    found = verdict(nn.Identity(), [Batch(torch.tensor([[0.0, math.log(3)]]), torch.tensor([0]))], "logistic")
    assert found.loss == pytest.approx(math.log(2) + math.log(4), rel=1e-6)  # -log σ(0) - log(1 - 3/4)
    assert found.class_errors == [1.0, None]  # of a class without examples nothing is known


def test_labels_are_needed() -> None:
    with pytest.raises(ValueError, match="no labels"):
        verdict(nn.Identity(), [Batch(LOGITS)])


def test_squared_output_error_by_hand() -> None:
    # softmax(0, ln 3) = (1/4, 3/4); target (1, 0): (3/4)² + (3/4)² over two terms
    batch = Batch(torch.tensor([[0.0, math.log(3)]]), torch.tensor([0]))
    squared, terms = squared_output_error(nn.Identity(), [batch])
    assert squared == pytest.approx(9 / 8)
    assert terms == 2


def test_a_layers_fit_is_that_of_its_rbm_on_what_the_layers_below_make_of_the_data() -> None:
    dbn = DBN([6, 4, 3], std=1.0, generator=generator(1), dtype=torch.float64)
    x = torch.rand(50, 6, generator=generator(2), dtype=torch.float64)
    fits, through = layer_fits(dbn, [Batch(x[:30]), Batch(x[30:])], generator(3))
    first, second = dbn.layers
    assert fits[0].reconstruction_error == pytest.approx(float(first.reconstruction_error(x).mean()))
    assert fits[1].reconstruction_error == pytest.approx(float(second.reconstruction_error(first(x)).mean()))
    assert through == pytest.approx(float((x - dbn.reconstruct(x)).square().sum(dim=1).mean()))


def test_the_pseudo_likelihood_of_an_rbm_without_weights_is_that_of_fair_coins() -> None:
    dbn = DBN([8, 2], std=0.0)
    (fit,), _ = layer_fits(dbn, [Batch(torch.rand(20, 8, generator=generator(1)))], generator(2))
    assert fit.pseudo_log_likelihood == pytest.approx(8 * math.log(0.5))


def test_gaussian_units_have_no_pseudo_likelihood_but_the_layers_above_have() -> None:
    dbn = DBN([5, 4, 3], units="gaussian", std=0.1, generator=generator(1))
    fits, _ = layer_fits(dbn, [Batch(torch.randn(10, 5, generator=generator(2)))], generator(3))
    assert fits[0].pseudo_log_likelihood is None
    assert fits[1].pseudo_log_likelihood is not None
