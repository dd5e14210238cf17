"""Post-local SGD is allreduce before the switch, and averaging after it."""

from collections.abc import Callable

import pytest
import torch

from anabranch.comm.base import Communicator
from anabranch.errors import UsageError
from anabranch.objectives import Objective
from anabranch.optim import Rule
from anabranch.strategies import (
    Allreduce,
    Averaging,
    Convergence,
    FixedEpochs,
    PostLocal,
    Silent,
    Strategy,
    TaskState,
    strategy,
)
from anabranch.strategies.catalogue import Options
from anabranch.testing.tasks import classifier, make_shard, pcd, quadratic, rbm, train

RULE = Rule("sgd", learning_rate=0.1, momentum=0.9)
OBJECTIVES = [quadratic, rbm, pcd, classifier]


def assert_same_run(
    one: Strategy, other: Strategy, workers: int, objective: Callable[[], Objective], epochs: int = 3
) -> None:
    runs = (train(method, workers, objective, stopping=FixedEpochs(epochs)) for method in (one, other))
    for a, b in zip(*runs, strict=True):
        assert torch.equal(a.weights, b.weights)
        assert a.losses == b.losses


@pytest.mark.parametrize("local_after", [3, 4])
@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_switch_after_the_end_is_allreduce(
    objective: Callable[[], Objective], workers: int, local_after: int
) -> None:
    assert_same_run(PostLocal(RULE, 5, local_after), Allreduce(RULE), workers, objective)


@pytest.mark.parametrize("every", [1, 5])
@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_switch_at_the_start_is_averaging(objective: Callable[[], Objective], workers: int, every: int) -> None:
    assert_same_run(PostLocal(RULE, every, 0), Averaging(RULE, every), workers, objective)


class Keeper(Silent):
    """Keeps the checkpoint of the end."""

    def save(self, state: TaskState, comm: Communicator) -> None:
        tensors = {name: tensor.clone() for name, tensor in state.tensors.items()}
        self.saved = TaskState(state.errors, state.steps, tensors | {"common": tensors["weights"]})


@pytest.mark.parametrize("rule", [RULE, Rule("adamw", 0.01)])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_after_the_switch_it_is_averaging_that_begins_there(objective: Callable[[], Objective], rule: Rule) -> None:
    """With the optimizer's state of then: bit for bit an allreduce of two epochs, taken up by averaging."""
    keepers = [Keeper() for _ in range(3)]
    train(Allreduce(rule), 3, objective, stopping=FixedEpochs(2), journals=list(keepers))
    saved = [keeper.saved for keeper in keepers]
    joined = train(Averaging(rule, 5), 3, objective, stopping=FixedEpochs(5), restored=saved)
    for one, other in zip(train(PostLocal(rule, 5, 2), 3, objective, stopping=FixedEpochs(5)), joined, strict=True):
        assert torch.equal(one.weights, other.weights)
        assert one.errors == other.errors


@pytest.mark.parametrize(("epochs", "half"), [(1, 1), (2, 1), (5, 3)])
def test_unless_told_it_switches_after_half_of_the_epochs(epochs: int, half: int) -> None:
    assert_same_run(PostLocal(RULE, 5), PostLocal(RULE, 5, half), 3, quadratic, epochs)


def test_half_of_the_most_epochs_where_training_stops_by_itself() -> None:
    stopping = Convergence(0.0, 6)
    one, other = (train(PostLocal(RULE, 5, after), 2, pcd, stopping=stopping)[0] for after in (None, 3))
    assert torch.equal(one.weights, other.weights)


def test_it_goes_on_from_where_lockstep_ended_by_hand() -> None:
    """One batch an epoch: one step with the mean gradient, then two steps alone, each with the momentum of then."""
    means = [next(make_shard(rank, 2).in_order(30)).x.mean(0) for rank in range(2)]
    velocity = -(means[0] + means[1]) / 2  # the gradient at 0
    w = -0.1 * velocity
    ends = []
    for mean in means:
        replica, v = w.clone(), velocity
        for _ in range(2):
            v = 0.9 * v + (replica - mean)
            replica = replica - 0.1 * v
        ends.append(replica)
    for outcome in train(PostLocal(RULE, 16, 1), 2, batch_size=30):
        torch.testing.assert_close(outcome.weights, (ends[0] + ends[1]) / 2, rtol=1e-5, atol=1e-6)


def test_options_reach_the_strategy() -> None:
    assert strategy("post-local", RULE, Options(every=7, local_after=2)) == PostLocal(RULE, 7, 2)


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("post-local", Options(every=0), "every 1 or more batches, not every 0"),
        ("post-local", Options(local_after=-1), "after 0 or more epochs, not after -1"),
        ("post-local", Options(outer_momentum=0.5), "--outer-momentum 0.5 does not go with --strategy post-local"),
        ("averaging", Options(local_after=2), "--local-after 2 does not go with --strategy averaging: .* post-local"),
    ],
)
def test_what_means_nothing_is_refused(name: str, options: Options, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        strategy(name, RULE, options)
