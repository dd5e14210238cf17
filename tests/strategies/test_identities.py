"""Degenerate cases that must equal something simpler: the best tests of a distribution algorithm."""

import math
from collections.abc import Callable

import pytest
import torch

from anabranch.objectives import Objective
from anabranch.optim import Rule
from anabranch.seeding import derive_seed
from anabranch.strategies import Allreduce, Averaging, Strategy
from anabranch.testing.tasks import classifier, examples, make_shard, pcd, quadratic, rbm, train

MOMENTUM = Rule("sgd", learning_rate=0.1, momentum=0.9)
PLAIN = Rule("sgd", learning_rate=0.1)


def torch_loop(objective: Objective, epochs: int = 3) -> torch.Tensor:
    """Minibatch SGD with momentum as torch has it, with nothing of ours but the gradient and the order of the data."""
    part = make_shard(0, 1)
    w = objective.weights
    optimizer = torch.optim.SGD([w], lr=0.1, momentum=0.9, fused=True)
    for epoch in range(epochs):
        objective.start_epoch(derive_seed(derive_seed(4, 0), epoch))
        for batch in part.batches(epoch):
            _, w.grad = objective.gradient(batch)
            optimizer.step()
    return w


def local_loop(objective: Objective, epochs: int = 3) -> torch.Tensor:
    """The same with the objective's own local step."""
    part = make_shard(0, 1)
    optimizer = MOMENTUM.build(objective.weights)
    for epoch in range(epochs):
        objective.start_epoch(derive_seed(derive_seed(4, 0), epoch))
        for batch in part.batches(epoch):
            objective.descend(batch, optimizer)
    return objective.weights


@pytest.mark.parametrize("objective", [quadratic, rbm, pcd, classifier])
def test_allreduce_of_one_worker_is_the_serial_loop_bit_for_bit(objective: Callable[[], Objective]) -> None:
    (outcome,) = train(Allreduce(MOMENTUM), 1, objective)
    assert torch.equal(outcome.weights, torch_loop(objective()))


@pytest.mark.parametrize("strategy", [Averaging(MOMENTUM), Averaging(MOMENTUM, every=5)])
@pytest.mark.parametrize("objective", [quadratic, rbm, pcd, classifier])
def test_averaging_of_one_worker_is_the_serial_loop(strategy: Strategy, objective: Callable[[], Objective]) -> None:
    """Bit for bit where it takes the same local steps; torch's own round differently."""
    (outcome,) = train(strategy, 1, objective)
    assert torch.equal(outcome.weights, local_loop(objective()))
    torch.testing.assert_close(outcome.weights, torch_loop(objective()), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("objective", [quadratic, rbm, classifier])
@pytest.mark.parametrize("workers", [2, 3, 4])
def test_averaging_every_step_is_allreduce_under_plain_sgd(workers: int, objective: Callable[[], Objective]) -> None:
    """W + mean(-ηg) against W - η mean(g): the same sum, rounded elsewhere; hence a few units in the last place."""
    averaged = train(Averaging(PLAIN, every=1), workers, objective)[0].weights
    reduced = train(Allreduce(PLAIN), workers, objective)[0].weights
    unit = torch.finfo(torch.float32).eps
    assert float((averaged - reduced).abs().max()) < 16 * unit * max(1.0, float(reduced.abs().max()))


def test_allreduce_is_one_worker_on_the_joined_batches() -> None:
    """Goyal et al. 2017, equation 4: n workers with batches of b are one worker with batches of n·b."""
    workers, epochs, data = 3, 3, examples()
    parts = [make_shard(rank, workers) for rank in range(workers)]
    objective = classifier()
    optimizer = torch.optim.SGD([objective.weights], lr=0.1, momentum=0.9)
    for epoch in range(epochs):
        for batches in zip(*(part.batches(epoch) for part in parts), strict=True):
            joined = type(batches[0])(torch.cat([b.x for b in batches]), torch.cat([_labels(b.y) for b in batches]))
            _, objective.weights.grad = objective.gradient(joined)
            optimizer.step()
    assert len(data) == sum(len(part) for part in parts)
    torch.testing.assert_close(
        train(Allreduce(MOMENTUM), workers, classifier)[0].weights, objective.weights, rtol=1e-5, atol=1e-6
    )


def _labels(y: torch.Tensor | None) -> torch.Tensor:
    assert y is not None
    return y


def test_averaging_by_hand() -> None:
    """Two replicas of one weight, one step each of one example: W1 = W0 + ½(ΔW_1 + ΔW_2)."""
    outcomes = train(Averaging(Rule("sgd", learning_rate=0.5)), 2, batch_size=30)
    means = [make_shard(rank, 2).in_order(30).__next__().x.mean(0) for rank in range(2)]
    w = torch.zeros(6)
    for _ in range(3):  # three epochs of one batch of 30: a step of ½ towards the shard's mean
        w = w + sum(0.5 * (mean - w) for mean in means) / 2
    for outcome in outcomes:
        torch.testing.assert_close(outcome.weights, w, rtol=1e-5, atol=1e-6)


def test_momentum_stays_with_its_replica() -> None:
    """Two epochs of one batch: the second step of a replica uses its own first gradient, not the mean one."""
    rule = Rule("sgd", learning_rate=0.1, momentum=0.9)
    outcomes = train(Averaging(rule), 2, batch_size=30)
    means = [make_shard(rank, 2).in_order(30).__next__().x.mean(0) for rank in range(2)]
    w, velocity = torch.zeros(6), [torch.zeros(6), torch.zeros(6)]
    for _ in range(3):
        velocity = [0.9 * v + (w - mean) for v, mean in zip(velocity, means, strict=True)]
        w = w - 0.1 * (velocity[0] + velocity[1]) / 2
    torch.testing.assert_close(outcomes[0].weights, w, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("strategy", [Allreduce(MOMENTUM), Averaging(MOMENTUM), Averaging(MOMENTUM, every=1)])
def test_forty_simulated_workers_repeat_bit_for_bit(strategy: Strategy) -> None:
    first, second = (train(strategy, 40, rbm, n=120, batch_size=2) for _ in range(2))
    assert all(torch.equal(a.weights, b.weights) for a, b in zip(first, second, strict=True))
    assert [outcome.losses for outcome in first] == [outcome.losses for outcome in second]
    assert not any(math.isnan(loss) for outcome in first for loss in outcome.losses)
