"""Strategies at their own pace that do what they must not: each breach is one sentence."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from anabranch.comm.base import Communicator
from anabranch.errors import AnabranchError, UsageError
from anabranch.optim import Rule
from anabranch.server.update import Add
from anabranch.strategies import Hosting, Strategy, Task
from anabranch.strategies.own_pace import WINDOW, Plan, Replica, asynchronous
from anabranch.testing import BrokenContract, check_strategy
from anabranch.testing.own_pace import RULE, hosted
from anabranch.types import Step


@dataclass(frozen=True)
class Local:
    """Fetch, learn from a few batches alone, add the difference; with one thing wrong, perhaps."""

    how: str = ""
    every: int = 4
    rule: Rule = RULE
    hosting: Hosting = WINDOW

    def __post_init__(self) -> None:
        if self.how in {"no windows", "nowhere"} and self.hosting.kind == "window":
            raise UsageError("not in windows.")
        if self.how == "nowhere":
            raise UsageError("not on servers, either.")

    def run(self, task: Task, comm: Communicator) -> Iterator[Step]:
        if self.how == "began anew":
            return asynchronous(task, comm, Plan(self.hosting, Add(), self.rule), self._forgetful)
        return asynchronous(task, comm, Plan(self.hosting, Add(), self.rule), self._work)

    def _work(self, task: Task, replica: Replica) -> Iterator[Step]:
        w, optimizer = replica.weights, task.optimizer(self.rule, replica.weights)
        before, outgoing = w.clone(), torch.zeros_like(w)
        since = 0
        for _, batch in replica.batches():
            if not since:
                replica.fetch()
                before.copy_(w)
            loss = task.objective.descend(batch, optimizer)
            if self.how == "silent":
                continue
            yield replica.step(loss, batch)
            since += 1
            if since == self.every and self.how != "never pushed":
                outgoing, since = replica.push(self._found(w, before, outgoing)), 0
        if since and self.how not in {"rest forgotten", "never pushed"}:
            replica.push(self._found(w, before, outgoing))

    def _found(self, w: Tensor, before: Tensor, outgoing: Tensor) -> Tensor:
        torch.sub(w, before, out=outgoing)
        if self.how == "uphill":
            outgoing.neg_()
        if self.how == "chance":
            outgoing.add_(torch.rand(()), alpha=1e-6)
        return outgoing

    def _forgetful(self, task: Task, replica: Replica) -> Iterator[Step]:
        """The first push takes away what has been learnt."""
        replica.fetch()
        replica.push(-replica.weights)
        yield from self._work(task, replica)


def test_one_that_does_well() -> None:
    check_strategy(Local())


@pytest.mark.parametrize(
    ("how", "breach", "sentence"),
    [
        ("silent", UsageError, r"yield replica.step\(loss, batch\) for each"),
        ("never pushed", BrokenContract, "push what each batch gives, for pushes tell how far the training is"),
        ("uphill", AnabranchError, "from the minimum of a quadratic|use a lower learning rate"),
        ("rest forgotten", BrokenContract, r"of \d+ examples that went through a gradient \d+ were pushed"),
        ("chance", BrokenContract, "two simulated runs under one seed end with different bits"),
        ("began anew", BrokenContract, "stopped after . epochs and resumed it goes on from an error of"),
    ],
)
def test_a_breach_is_a_sentence(how: str, breach: type[Exception], sentence: str) -> None:
    with pytest.raises(breach, match=sentence):
        check_strategy(Local(how))


def test_it_is_tried_wherever_it_can_be() -> None:
    def places(strategy: Strategy) -> list[str]:
        return [str(each.hosting) for each in hosted(strategy)]  # type: ignore[attr-defined]

    assert places(Local()) == ["window", "ranks:1", "ranks:2"]
    assert places(Local("no windows", hosting=Hosting("ranks", 3))) == ["ranks:1", "ranks:2"]
    check_strategy(Local("no windows", hosting=Hosting("ranks", 3)))
    stays = Local()
    object.__setattr__(stays, "how", "nowhere")
    with pytest.raises(UsageError, match="not in windows"):
        check_strategy(stays)
