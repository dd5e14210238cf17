"""Model averaging on random minibatches: Alowaisheq & Dhami 2015, Algorithm 1."""

from functools import partial

import pytest
import torch

from anabranch.errors import UsageError
from anabranch.optim import Rule, minimise
from anabranch.strategies import SampledAveraging, strategy
from anabranch.strategies.catalogue import Options
from anabranch.testing.tasks import Quadratic, classifier, examples, make_shard, quadratic, rbm, train
from anabranch.types import Batch

SAME = SampledAveraging(draws="same")


@pytest.mark.parametrize("directions", ["gradient", "conjugate-gradient"])
@pytest.mark.parametrize("objective", [quadratic, classifier])
def test_one_worker_is_their_sequential_program(objective, directions) -> None:  # type: ignore[no-untyped-def]
    (outcome,) = train(SampledAveraging(directions=directions), 1, objective)
    serial, losses = objective(), []
    for number in range(3):
        batch = make_shard(0, 1).draw(number, 0.9, "own")
        losses += minimise(partial(serial.gradient, batch), serial.weights, 5, directions)
    assert torch.equal(outcome.weights, serial.weights)
    assert outcome.losses == losses


@pytest.mark.parametrize("workers", [2, 4])
def test_equal_draws_make_equal_models_as_the_paper_found(workers: int) -> None:
    alone, together = train(SAME, 1, classifier), train(SAME, workers, classifier)
    for outcome in together:
        torch.testing.assert_close(outcome.weights, alone[0].weights, rtol=1e-6, atol=1e-7)


def test_the_average_by_hand() -> None:
    """On a quadratic one long search ends at the mean of the draw: the models' mean is the mean of those means."""
    outcomes = train(SampledAveraging(iterations=20, draws="shard", sample=1.0), 3)
    data = examples().features
    means = [data[make_shard(rank, 3).members].mean(0) for rank in range(3)]
    for outcome in outcomes:
        torch.testing.assert_close(outcome.weights, torch.stack(means).mean(0), rtol=1e-3, atol=1e-4)


def test_own_draws_differ_and_are_of_the_whole_data() -> None:
    drawn: list[Batch] = [make_shard(rank, 4).draw(0, 0.9, "own") for rank in range(4)]
    assert all(len(batch) == 54 for batch in drawn)
    assert len({tuple(batch.x[:, 0].tolist()) for batch in drawn}) == 4
    again = make_shard(2, 4).draw(0, 0.9, "own")
    assert torch.equal(again.x, drawn[2].x)
    assert not torch.equal(make_shard(2, 4).draw(1, 0.9, "own").x, drawn[2].x)
    assert all(len({tuple(row.tolist()) for row in batch.x}) == 54 for batch in drawn)


def test_draws_from_a_shard_stay_there() -> None:
    part = make_shard(1, 4)
    rows = {tuple(row.tolist()) for row in examples().features[part.members]}
    batch = part.draw(0, 0.5, "shard")
    assert len(batch) == round(0.5 * len(part))
    assert {tuple(row.tolist()) for row in batch.x} < rows


def test_equal_draws_are_equal_on_all_ranks() -> None:
    first, second = (make_shard(rank, 4).draw(3, 0.5, "same") for rank in (0, 3))
    assert torch.equal(first.x, second.x)


def test_a_sample_has_at_least_one_example() -> None:
    assert len(make_shard(0, 1).draw(0, 1e-9, "own")) == 1


def test_it_trains_an_rbm_too() -> None:
    """Contrastive divergence has no cost of its own: the search goes as far as the reconstruction error falls."""
    outcomes = train(SampledAveraging(iterations=2), 2, rbm)
    assert outcomes[0].errors == outcomes[1].errors
    assert outcomes[0].errors[-1] < outcomes[0].errors[0]
    assert all(torch.isfinite(outcome.weights).all() for outcome in outcomes)


def test_the_command_lines_names() -> None:
    options = Options(every=3, sample=0.5, draws="shard", directions="conjugate-gradient")
    found = strategy("sampled-averaging", Rule(), options)
    assert found == SampledAveraging(3, 0.5, "shard", "conjugate-gradient")
    with pytest.raises(UsageError, match="--draws same does not go with --strategy averaging: it goes with sampled-av"):
        strategy("averaging", Rule(), Options(draws="same"))


@pytest.mark.parametrize("sample", [0.0, -0.5, 1.5, float("nan")])
def test_impossible_samples(sample: float) -> None:
    with pytest.raises(UsageError, match=r"above 0 and up to 1, not .*: try 0\.9"):
        SampledAveraging(sample=sample)


def test_impossible_iterations() -> None:
    with pytest.raises(UsageError, match="not every 0"):
        SampledAveraging(iterations=0)


def test_a_divergence_names_no_learning_rate() -> None:
    class Hopeless(Quadratic):
        def gradient(self, batch: Batch) -> tuple[float, torch.Tensor]:
            return float("nan"), super().gradient(batch)[1]

    with pytest.raises(
        Exception,
        match="became nan in training, epoch 1: use a lower learning rate, or look for extreme values in the data",
    ):
        train(SampledAveraging(), 1, Hopeless)
