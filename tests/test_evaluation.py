import math

import pytest
import torch
from torch import nn

from anabranch.evaluate import classification_error, layer_fits, squared_output_error
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
    assert classification_error(network, batches) == 0
    assert network.training


def test_the_output_error_is_that_of_the_whole_network_and_leaves_it_as_it_was() -> None:
    frozen, free = nn.BatchNorm1d(2).eval(), nn.BatchNorm1d(2)
    network = nn.Sequential(frozen, free, nn.Dropout(0.5))
    assert squared_output_error(network, BATCHES) == squared_output_error(network, BATCHES)
    assert free.num_batches_tracked == 0
    assert [part.training for part in network.modules()] == [True, False, True, True]
    with pytest.raises(RuntimeError, match="running_mean"):
        squared_output_error(network, [Batch(torch.zeros(3, 5), LABELS[:3])])
    assert [part.training for part in network.modules()] == [True, False, True, True]


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
