"""What every catalogued strategy whose workers go at their own pace must do, wherever its parameters are.

That is `anabranch.testing.own_pace`, and what only we demand. Breaches are in test_own_pace_breaches.py.
"""

from typing import Any

import pytest
import torch

from anabranch.comm.base import Communicator
from anabranch.errors import DivergedError, Interrupted, UsageError
from anabranch.optim import Rule
from anabranch.strategies import (
    CATALOGUE,
    Convergence,
    Downpour,
    Elastic,
    EpochReport,
    FixedEpochs,
    Hogwild,
    Hosting,
    Strategy,
    TaskState,
    strategy,
)
from anabranch.strategies.catalogue import Options
from anabranch.testing import check_strategy
from anabranch.testing.own_pace import CHECKS
from anabranch.testing.tasks import Books, classifier, pcd, quadratic, rbm, train

RULE = Rule("sgd", learning_rate=0.1)
WINDOW, RANKS, HASHED = Hosting(), Hosting("ranks", 1), Hosting("ranks", 2, "hashed")
IN_STEP = (
    "allreduce",
    "averaging",
    "bmuf",
    "diloco",
    "easgd-sync",
    "post-local",
    "sampled-averaging",
)  # test_contract.py
OWN_PACE = ("downpour", "easgd", "fetch-add", "fetch-put")
CASES = [(name, hosting) for name in OWN_PACE for hosting in (WINDOW, RANKS, HASHED)] + [("hogwild", None)]
Case = tuple[str, Hosting | None]


def name_of(case: Case) -> str:
    return f"{case[0]}-{case[1]}"


def build(case: Case, rule: Rule = RULE, **more: Any) -> Strategy:
    return strategy(case[0], rule, Options(hosting=case[1], **more))


def servers(case: Case) -> int:
    return case[1].servers if case[1] else 0


def test_every_catalogued_strategy_is_under_a_contract() -> None:
    assert {*IN_STEP, "hogwild", *OWN_PACE} == set(CATALOGUE)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_it_keeps_the_contract(case: Case, check: str) -> None:
    CHECKS[check](build(case))


@pytest.mark.parametrize("strategy", [Elastic(every=4), Hogwild()])
def test_the_whole_contract_at_once(strategy: Strategy) -> None:
    """Of those in whose other fields the cases above differ, and of one without a place for its parameters."""
    check_strategy(strategy)


@pytest.mark.parametrize("objective", [rbm, pcd, classifier])
@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_the_work_is_accounted_for(case: Case, objective: Any) -> None:
    books = [Books() for _ in range(3 + servers(case))]
    outcomes = train(build(case), 3, objective, journals=list(books), servers=servers(case))
    traffic = books[0].traffic
    used = traffic["examples"]
    steps = sum(len(outcome.losses) for outcome in outcomes[servers(case) :])
    assert used == {"computed": 5 * steps, "pushed": 5 * steps, "applied": 5 * steps, "lost": 0}
    most = 2 * (10 if case[0] == "easgd" else 1)  # steps of a worker that may be under way when the budget is spent
    assert 180 <= used["computed"] <= 180 + 3 * most * 5
    assert traffic["dead_workers"] == []
    assert sum(traffic["staleness"].values()) == traffic["pushes"] * (1 if traffic["pushes"] else 0) * shards(case)
    assert all(not other.traffic for other in books[1:])


def shards(case: Case) -> int:
    """How often a push is counted: once for each shard."""
    return 3 if case[1] == WINDOW else 1  # the models are far below one megabyte


class Keeper(Books):
    """Asks to stop in so many epochs, and keeps the last checkpoint."""

    def __init__(self, stop_after: int) -> None:
        super().__init__()
        self.stop_after, self.saved, self.reports = stop_after, TaskState(), 0

    def on_epoch(self, report: EpochReport) -> None:
        self.reports += 1

    def stop_signal(self) -> int:
        return 2 if self.stop_after and self.reports >= self.stop_after else 0

    def save(self, state: TaskState, comm: Communicator) -> None:
        tensors = {name: tensor.clone() for name, tensor in state.tensors.items()}
        self.saved = TaskState(state.errors, state.steps, tensors)


@pytest.mark.parametrize("rule", [RULE, Rule("adagrad", 0.1)], ids=["sgd", "adagrad"])
@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_stopped_it_goes_on_from_the_checkpoint(case: Case, rule: Rule) -> None:
    """Every rank stops; what was learnt is there again, and the epochs that are left are made."""
    stopping, ranks = FixedEpochs(20), 3 + servers(case)
    keepers = [Keeper(6 if rank == 0 else 0) for rank in range(ranks)]
    with pytest.raises(Interrupted) as caught:
        train(build(case, rule), 3, stopping=stopping, journals=list(keepers), servers=servers(case))
    assert caught.value.exit_code == 130
    saved = [TaskState(keepers[0].saved.errors, keeper.saved.steps, keeper.saved.tensors) for keeper in keepers]
    done = len(saved[0].errors)
    assert 6 <= done < 20
    resumed = train(build(case, rule), 3, stopping=stopping, restored=saved, servers=servers(case))
    assert resumed[0].errors[:done] == list(keepers[0].saved.errors)
    assert len(resumed[0].errors) == 20
    assert resumed[0].errors[done] < 1.3 * min(resumed[0].errors[:done]), "it began anew"


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_killed_after_its_last_epoch_it_learns_nothing_more(case: Case) -> None:
    keepers = [Keeper(0) for _ in range(3 + servers(case))]
    ended = train(build(case), 3, journals=list(keepers), servers=servers(case))
    saved = [TaskState(keepers[0].saved.errors, keeper.saved.steps, keeper.saved.tensors) for keeper in keepers]
    resumed = train(build(case), 3, restored=saved, servers=servers(case))
    for after, before in zip(resumed, ended, strict=True):
        assert torch.equal(after.weights, before.weights)
        assert after.losses == []


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_a_signal_to_any_worker_stops_all(case: Case) -> None:
    keepers = [Keeper(0) for _ in range(3 + servers(case))]
    keepers[-1].stop_signal = lambda: 15  # type: ignore[method-assign]
    with pytest.raises(Interrupted) as caught:
        train(build(case), 3, stopping=FixedEpochs(50), journals=list(keepers), servers=servers(case))
    assert caught.value.exit_code == 143
    assert len(keepers[0].saved.errors) < 15
    assert keepers[0].saved.tensors


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_convergence_ends_it_early(case: Case) -> None:
    outcomes = train(build(case), 2, stopping=Convergence(0.5, 50), servers=servers(case))
    assert 4 <= len(outcomes[0].errors) < 15


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_divergence_is_an_error(case: Case) -> None:
    with pytest.raises(DivergedError, match="use a lower learning rate"):
        train(build(case, Rule("sgd", 1e30)), 2, quadratic, stopping=FixedEpochs(30), servers=servers(case))


@pytest.mark.parametrize("rule", [Rule("sgd", 0.1, momentum=0.9), Rule("adam", 0.1)], ids=["momentum", "adam"])
def test_windows_refuse_rules_that_are_no_additions(rule: Rule) -> None:
    with pytest.raises(UsageError, match="windows can only add"):
        Downpour(rule)
    with pytest.raises(UsageError, match="or --server ranks:1"):
        strategy("hogwild", rule, Options())
    (_, outcome) = train(Downpour(rule, hosting=RANKS), 1, servers=1)
    assert outcome.errors[-1] < outcome.errors[0]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Hosting("ranks"), "0 server ranks"),
        (lambda: Hosting("window", reassign=True), "--reassign goes with --server ranks:1"),
        (lambda: Hosting.parse("ranks:0"), "neither window nor ranks:S"),
        (lambda: Hosting.parse("windows"), "neither window nor ranks:S"),
        (lambda: Downpour(n_fetch=0), "fetch every 1 or more steps, not every 0"),
        (lambda: Downpour(n_push=0), "push every 1 or more steps, not every 0"),
        (lambda: Downpour(warm_start=-1.0), "0 or more epochs, not -1.0"),
        (lambda: strategy("easgd", RULE, Options(every=0)), "not every 0"),
        (lambda: strategy("easgd-sync", RULE, Options(elasticity=0.0)), "a positive number, not 0.0"),
    ],
)
def test_what_means_nothing_is_refused(make: Any, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        make()
