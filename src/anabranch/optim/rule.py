"""Update rules of torch.optim on one flat tensor, with schedules by the epoch. We write none of our own."""

import inspect
import math
import threading
import warnings
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

import torch
from torch import Tensor
from torch.optim import lr_scheduler

from anabranch.errors import UsageError, unknown_name

RuleName = Literal["sgd", "adagrad", "adam", "adamw"]
Schedule = Literal["constant", "linear", "cosine"]
OptimizerKind = TypeVar("OptimizerKind", bound=torch.optim.Optimizer)


@dataclass(frozen=True)
class Rule:
    """An update rule and its schedule, as data.

    Attributes:
        name: which rule of torch.optim.
        learning_rate: at the start.
        momentum: of SGD; the other rules have their own.
        early_momentum: until `early_epochs` have passed (Hinton's guide: 0.5 for five epochs, then 0.9).
        early_epochs: length of that phase, in epochs.
        schedule: course of the learning rate: constant, or falling to zero over `epochs` and staying there (linear,
            cosine).
        epochs: length of the schedule, in epochs; a rate that falls must be given one.
        nesterov: whether SGD looks ahead by its momentum, as torch has it; nothing where that is 0.
    """

    name: RuleName = "sgd"
    learning_rate: float = 0.1
    momentum: float = 0.0
    early_momentum: float = 0.0
    early_epochs: int = 0
    schedule: Schedule = "constant"
    epochs: int | None = None
    nesterov: bool = False

    def __post_init__(self) -> None:
        if self.name not in get_args(RuleName):
            raise unknown_name("update rule", self.name, get_args(RuleName))
        if self.schedule not in get_args(Schedule):
            raise unknown_name("schedule", self.schedule, get_args(Schedule))
        if self.schedule != "constant" and self.epochs is None:
            raise UsageError(f"a {self.schedule} schedule falls to zero over some epochs: give Rule(…, epochs=…), too.")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise UsageError(f"the learning rate must be a positive number, not {self.learning_rate}.")
        for value in (self.momentum, self.early_momentum):
            if not 0 <= value < 1:
                raise UsageError(f"momentum must lie in [0, 1), not {value}.")
        if self.early_epochs < 0:
            raise UsageError(f"the early phase cannot last {self.early_epochs} epochs: use 0 or more.")

    @property
    def length(self) -> int:
        """Of the schedule, in epochs."""
        return max(1, self.epochs or 1)

    def build(self, weights: Tensor) -> "FlatOptimizer":
        """The rule at work on `weights` [P]."""
        return FlatOptimizer(self, weights)


_QUIETLY = threading.Lock()  # which warnings are shown is a matter of all threads

DEFAULT_RULE = Rule()
"""Plain SGD at a rate of 0.1."""


@dataclass(frozen=True)
class Momentum:
    """What an update v ← coefficient · v + g; w ← w - learning_rate · v needs, for those who do it themselves.

    Attributes:
        velocity: v [P], the optimizer's own.
        learning_rate: in force now.
        coefficient: of momentum, in force now.
    """

    velocity: Tensor
    learning_rate: float
    coefficient: float


class FlatOptimizer:
    """A torch optimizer over one flat tensor, its schedule, and its state as named tensors."""

    def __init__(self, rule: Rule, weights: Tensor) -> None:
        self._rule, self._weights = rule, weights
        self._optimizer = _optimizer(rule, weights)
        self._scheduler = _scheduler(rule, self._optimizer)
        self._epoch = 0
        self._set_momentum()

    @property
    def learning_rate(self) -> float:
        """In force now."""
        return float(self._optimizer.param_groups[0]["lr"])

    @property
    def momentum(self) -> Momentum | None:
        """What a fused update needs under SGD; None under the other rules, and where SGD looks ahead."""
        if self._rule.name != "sgd" or self._rule.nesterov:
            return None
        state = self._optimizer.state[self._weights]
        if state.get("momentum_buffer") is None:
            state["momentum_buffer"] = torch.zeros_like(self._weights)
        group = self._optimizer.param_groups[0]
        return Momentum(state["momentum_buffer"], float(group["lr"]), float(group["momentum"]))

    def step(self, gradient: Tensor) -> None:
        """Update the weights in place with `gradient` [P]; meta tensors have nothing to update."""
        if self._weights.is_meta:
            return
        self._weights.grad = gradient
        self._optimizer.step()

    def would_make(self, gradient: Tensor) -> Tensor:
        """The weights [P] after a step with `gradient` [P], of a rule without a schedule; nothing is changed."""
        weights = self._weights.clone()
        trial = FlatOptimizer(self._rule, weights)
        trial.restore(self.state())
        trial.step(gradient)
        return weights

    def advance(self, epoch: int) -> None:
        """Bring the schedules to the start of `epoch` (counted from 0). Only forward."""
        with _QUIETLY, warnings.catch_warnings():
            # A resumed run brings the schedule forward before its first update: the others were in an earlier process.
            warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step", UserWarning)
            while self._epoch < epoch:
                if self._epoch < self._rule.length:  # a cosine would rise again
                    self._scheduler.step()
                self._epoch += 1
        self._set_momentum()

    def state(self) -> dict[str, Tensor]:
        """Momentum buffers, accumulators and counters, by name; empty before the first step."""
        return dict(self._optimizer.state.get(self._weights, {}))

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take over what `state()` returned. The schedule is not in it: `advance` sets that."""
        if state:
            self._optimizer.state[self._weights] = {name: tensor.clone() for name, tensor in state.items()}

    def _set_momentum(self) -> None:
        if self._rule.name == "sgd" and self._rule.early_epochs:
            early = self._epoch < self._rule.early_epochs
            momentum = self._rule.early_momentum if early else self._rule.momentum
            self._optimizer.param_groups[0]["momentum"] = momentum


def _optimizer(rule: Rule, weights: Tensor) -> torch.optim.Optimizer:
    # Fused: one pass over memory instead of one per arithmetic operation.
    common: dict[str, Any] = {"lr": rule.learning_rate, "fused": not weights.is_meta}
    match rule.name:
        case "sgd":
            ahead = rule.nesterov and rule.momentum > 0  # torch refuses to look ahead by nothing
            return _eager(torch.optim.SGD)([weights], momentum=rule.momentum, nesterov=ahead, **common)
        case "adagrad":
            return _eager(torch.optim.Adagrad)([weights], **common)
        case "adam":
            return _eager(torch.optim.Adam)([weights], **common)
        case "adamw":
            return _eager(torch.optim.AdamW)([weights], **common)


def _eager(kind: type[OptimizerKind]) -> type[OptimizerKind]:
    """`kind` without the wrappers for torch's compiler, which they would import: a second, for nothing."""
    add_param_group, step = inspect.unwrap(kind.add_param_group), inspect.unwrap(kind.step)
    return type(kind.__name__, (kind,), {"add_param_group": add_param_group, "step": torch.no_grad()(step)})


def _scheduler(rule: Rule, optimizer: torch.optim.Optimizer) -> lr_scheduler.LRScheduler:
    match rule.schedule:
        case "constant":
            return lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)
        case "cosine":
            return lr_scheduler.CosineAnnealingLR(optimizer, T_max=rule.length)
        case "linear":
            return lr_scheduler.LinearLR(optimizer, start_factor=1.0, end_factor=0.0, total_iters=rule.length)
