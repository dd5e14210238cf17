"""What every catalogued strategy whose workers go in step must do: `anabranch.testing`, and what only we demand."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from anabranch.comm.base import Communicator
from anabranch.errors import CommunicationError, UsageError
from anabranch.optim import Rule
from anabranch.strategies import Averaging, Hosting, Strategy, Task, strategy
from anabranch.strategies.catalogue import Options
from anabranch.testing import BrokenContract, check_strategy
from anabranch.testing.in_step import CHECKS, RULE, RULES, check_resumes_on
from anabranch.testing.tasks import classifier, train
from anabranch.testing.trying import OBJECTIVES
from anabranch.types import Step

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


def build(case: tuple[str, int | None], rule: Rule = RULE) -> Strategy:
    name, every = case
    return strategy(name, rule, Options(every))


@pytest.mark.parametrize("check", [name for name in CHECKS if name != "resumes"])
@pytest.mark.parametrize("case", CASES)
def test_it_keeps_the_contract(case: tuple[str, int | None], check: str) -> None:
    CHECKS[check](build(case))


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("rule", RULES)
def test_stopped_and_resumed_it_ends_with_the_same_bits(case, objective, rule) -> None:  # type: ignore[no-untyped-def]
    check_resumes_on(build(case, rule), objective)


@pytest.mark.parametrize("case", CASES)
def test_every_rank_takes_as_many_steps_as_it_has_batches(case: tuple[str, int | None]) -> None:
    outcomes = train(build(case), 7, classifier)  # 60 examples: shards of 9 and 8
    steps = 5 if case[0] == "sampled-averaging" else 2  # line searches, or batches
    assert {len(outcome.losses) for outcome in outcomes} == {3 * steps}


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


# --- breaches: strategies that do what they must not


@dataclass(frozen=True)
class Broken:
    """Gradient averaging, with one thing wrong."""

    how: str
    rule: Rule = RULE

    def run(self, task: Task, comm: Communicator) -> Iterator[Step]:
        w = task.objective.weights
        if self.how != "never kept":
            task.keep("weights", w)
        optimizer = self.rule.build(w) if self.how == "own optimizer" else task.optimizer(self.rule, w)
        for batches in task.epochs(comm):
            for batch in batches:
                loss, g = task.objective.gradient(batch)
                self._exchange(g, comm)
                optimizer.step(g)
                if self.how == "chance":
                    noise = torch.rand(())
                    comm.broadcast(noise, root=0)
                    w.add_(noise, alpha=1e-6)
                if self.how == "silent":
                    yield Step(0, 0, loss, len(batch))
                elif self.how != "no steps":
                    yield task.step(loss, batch)
                else:
                    task.step(loss, batch)

    def _exchange(self, g: Tensor, comm: Communicator) -> None:
        if self.how == "sum of the first":
            comm.broadcast(g, root=0)
        elif self.how == "one stays away" and comm.rank == 1:
            return
        elif self.how != "alone":
            comm.allreduce(g, op="mean")


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ("alone", "ranks 0 and 1 end with weights that differ by up to .*: end with the same weights"),
        ("sum of the first", r"on \d workers it ends .* from the minimum of a quadratic"),
        ("chance", "two runs under one seed end with different bits"),
        ("own optimizer", "make optimizers by task.optimizer"),
        ("never kept", "give every tensor that lives longer than an epoch to task.keep"),
        ("no steps", r"its ranks yield \[0, 0, 0, 0, 0, 0, 0\] steps in three epochs"),
    ],
)
def test_a_breach_is_a_sentence(how: str, sentence: str) -> None:
    with pytest.raises(BrokenContract, match=sentence):
        check_strategy(Broken(how))


def test_ranks_that_do_not_meet_are_named() -> None:
    with pytest.raises(CommunicationError, match=r"on rank 0 but allreduce .* on rank 1: make all ranks call the same"):
        check_strategy(Broken("one stays away"))


def test_the_whole_contract_at_once() -> None:
    check_strategy(Averaging(every=4))
