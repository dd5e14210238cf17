"""What every catalogued strategy whose workers go in step must do."""

import pytest
import torch
from tasks import classifier, examples, pcd, quadratic, train

from anabranch.comm.base import Communicator
from anabranch.errors import Interrupted, UsageError
from anabranch.optim import Rule
from anabranch.strategies import EpochReport, FixedEpochs, Hosting, Silent, Strategy, TaskState, strategy
from anabranch.strategies.catalogue import Options

CASES: list[tuple[str, int | None]] = [
    ("allreduce", None),
    ("averaging", None),
    ("averaging", 1),
    ("averaging", 4),
    ("averaging", 1000),
    ("bmuf", None),
    ("bmuf", 4),
    ("diloco", 5),
    ("diloco", 20),
    ("easgd-sync", None),
    ("easgd-sync", 1),
    ("post-local", None),
    ("post-local", 3),
    ("sampled-averaging", None),
]
RULE = Rule("sgd", learning_rate=0.1, momentum=0.5)


def build(case: tuple[str, int | None], rule: Rule = RULE) -> Strategy:
    name, every = case
    return strategy(name, rule, Options(every))


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("case", CASES)
def test_it_converges_on_a_quadratic_and_replicas_agree(case: tuple[str, int | None], workers: int) -> None:
    # Replicas that are averaged once in 40 epochs have a minimum each; the mean of those is the minimum of the whole.
    outcomes = train(build(case), workers, stopping=FixedEpochs(40))
    target = examples().features.mean(0)
    for outcome in outcomes:
        assert torch.equal(outcome.weights, outcomes[0].weights)
        assert outcome.errors == outcomes[0].errors
    assert float((outcomes[0].weights - target).abs().max()) < 0.1


@pytest.mark.parametrize("case", CASES)
def test_it_repeats_under_a_seed(case: tuple[str, int | None]) -> None:
    first, second = (train(build(case), 3, pcd) for _ in range(2))
    assert torch.equal(first[0].weights, second[0].weights)
    assert first[0].errors == second[0].errors


@pytest.mark.parametrize("case", CASES)
def test_every_rank_takes_the_same_number_of_steps(case: tuple[str, int | None]) -> None:
    outcomes = train(build(case), 7, classifier)  # 60 examples: shards of 9 and 8
    steps = 5 if case[0] == "sampled-averaging" else 2  # line searches, or batches
    assert {len(outcome.losses) for outcome in outcomes} == {3 * steps}


class Keeper(Silent):
    """Asks to stop after so many epochs, and keeps the checkpoint."""

    def __init__(self, stop_after: int) -> None:
        self.stop_after, self.saved, self.reports = stop_after, TaskState(), 0

    def on_epoch(self, report: EpochReport) -> None:
        self.reports += 1

    def stop_signal(self) -> int:
        return 2 if self.reports + 1 == self.stop_after else 0

    def save(self, state: TaskState, comm: Communicator) -> None:
        tensors = {name: tensor.clone() for name, tensor in state.tensors.items()}
        self.saved = TaskState(state.errors, state.steps, tensors)


@pytest.mark.parametrize("objective", [quadratic, pcd, classifier])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("rule", [RULE, Rule("adam", 0.01), Rule("sgd", 0.1, 0.9, 0.5, 2, "cosine", 5)])
def test_stopped_and_resumed_it_ends_with_the_same_bits(case, objective, rule) -> None:  # type: ignore[no-untyped-def]
    """One rank alone is asked to stop; all stop, and go on as if nothing had been."""
    stopping = FixedEpochs(5)
    unbroken = train(build(case, rule), 3, objective, stopping=stopping)
    keepers = [Keeper(3 if rank == 1 else 0) for rank in range(3)]
    with pytest.raises(Interrupted) as caught:
        train(build(case, rule), 3, objective, stopping=stopping, journals=list(keepers))
    assert caught.value.exit_code == 130
    saved = [keeper.saved for keeper in keepers]
    assert [len(state.errors) for state in saved] == [3, 3, 3]
    resumed = train(build(case, rule), 3, objective, stopping=stopping, restored=saved)
    for after, before in zip(resumed, unbroken, strict=True):
        assert torch.equal(after.weights, before.weights)
        assert after.errors == before.errors
        assert after.losses == before.losses[-len(after.losses) :]
        if case[0] != "sampled-averaging":  # whose searches may end early
            assert len(after.losses) == len(before.losses) * 2 // 5


def test_unknown_strategies_suggest_the_nearest() -> None:
    with pytest.raises(UsageError, match="unknown strategy 'averagin': did you mean 'averaging'"):
        strategy("averagin", RULE, Options())


def test_options_of_another_strategy_are_refused() -> None:
    with pytest.raises(
        UsageError, match="--every 3 does not go with --strategy allreduce: it goes with averaging, bmuf, d"
    ):
        strategy("allreduce", RULE, Options(3))
    with pytest.raises(UsageError, match="--fetch-every 2 does not go with --strategy easgd: it goes with downpour"):
        strategy("easgd", RULE, Options(fetch_every=2))
    with pytest.raises(UsageError, match="--overlap does not go with --strategy hogwild"):
        strategy("hogwild", Rule(), Options(overlap=True))
    with pytest.raises(
        UsageError, match="--server ranks:2 does not go with --strategy averaging: it goes with downpour"
    ):
        strategy("averaging", RULE, Options(hosting=Hosting("ranks", 2)))
    with pytest.raises(UsageError, match="not every 0"):
        strategy("averaging", RULE, Options(0))
