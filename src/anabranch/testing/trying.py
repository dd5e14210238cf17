"""What the contracts of both kinds of strategies share: a breach, a strategy with another rule, ranks that agree."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import torch

from anabranch.comm.base import Communicator
from anabranch.errors import AnabranchError, DivergedError
from anabranch.optim import Rule
from anabranch.strategies import EpochReport, FixedEpochs, Strategy, TaskState
from anabranch.testing.tasks import Books, Outcome, classifier, pcd, quadratic, train

WORKERS = (1, 2, 5)
EPOCHS = 40  # until the minimum of the quadratic must be found
SIGNAL = 2
OBJECTIVES = (quadratic, pcd, classifier)


class BrokenContract(AnabranchError, AssertionError):
    """A strategy does not do what every strategy must."""


class Keeper(Books):
    """Asks to stop in or after so many epochs (0: never), and keeps the checkpoint."""

    def __init__(self, stop_after: int) -> None:
        super().__init__()
        self.stop_after, self.saved, self.reports = stop_after, TaskState(), 0

    def on_epoch(self, report: EpochReport) -> None:  # noqa: ARG002
        """Count it."""
        self.reports += 1

    def stop_signal(self) -> int:
        """From the end of that epoch on."""
        return SIGNAL if self.stop_after and self.reports + 1 >= self.stop_after else 0

    def save(self, state: TaskState, comm: Communicator) -> None:  # noqa: ARG002
        """Keep a copy."""
        tensors = {name: tensor.clone() for name, tensor in state.tensors.items()}
        self.saved = TaskState(state.errors, state.steps, tensors)


def has_rule(strategy: object) -> bool:
    """Whether the learning rate is ours to choose: of another class than a dataclass it is not."""
    return dataclasses.is_dataclass(strategy) and any(field.name == "rule" for field in dataclasses.fields(strategy))


def with_rule(strategy: Strategy, rule: Rule) -> Strategy:
    """`strategy` with that rule, if it has one."""
    changed: Any = strategy
    return dataclasses.replace(changed, rule=rule) if has_rule(strategy) else strategy


def check_agree(outcomes: Sequence[Outcome], workers: int) -> None:
    """All ranks end with the same weights and errors."""
    first = outcomes[0]
    for rank, outcome in enumerate(outcomes):
        if not torch.equal(outcome.weights, first.weights):
            off = float((outcome.weights - first.weights).abs().max())
            raise BrokenContract(
                f"on {workers} workers ranks 0 and {rank} end with weights that differ by up to {off:.3g}: "
                "end with the same weights on every rank (comm.allreduce(w, op='mean'))."
            )
        if outcome.errors != first.errors:
            raise BrokenContract(f"on {workers} workers ranks 0 and {rank} end with different task.errors.")


def check_diverges(strategy: Strategy, servers: int = 0) -> None:
    """A rate of 1e30 must not pass unnoticed."""
    if not has_rule(strategy):
        return
    try:
        train(with_rule(strategy, Rule("sgd", 1e30)), 2, stopping=FixedEpochs(30), servers=servers)
    except DivergedError:
        return
    raise BrokenContract("at a learning rate of 1e30 it ends as if well: report every loss by task.step(loss, batch).")


def same(one: Outcome, other: Outcome) -> bool:
    """Bit for bit."""
    return torch.equal(one.weights, other.weights) and one.errors == other.errors
