"""What the owner of a shard does with what is pushed to it."""

from dataclasses import dataclass

import torch

from anabranch.optim import FlatOptimizer, Rule


@dataclass(frozen=True)
class Descend:
    """Pushes are gradients, raw and summed; the server owns the update rule and its rate (Dean et al. 2012)."""

    rule: Rule


@dataclass(frozen=True)
class Add:
    """Pushes are differences, which are added: w ← w + x."""


@dataclass(frozen=True)
class Put:
    """Pushes are weights, which overwrite those of the server: w ← x. What others have pushed meanwhile is lost."""


Update = Descend | Add | Put


class Course:
    """The learning rate of a rule as its schedule has it, for those who apply the rule themselves."""

    def __init__(self, rule: Rule) -> None:
        self._optimizer = FlatOptimizer(rule, torch.zeros(0))

    def at(self, epoch: int) -> float:
        """In `epoch` (counted from 0), which never falls."""
        self._optimizer.advance(epoch)
        return self._optimizer.learning_rate
