"""The small frozen records that pass between the parts."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Batch:
    """One minibatch: `x` [batch, features] floating point, `y` [batch] int64 (classes), [batch, …] floating point
    (targets of a regression), or None where there are no labels.
    """

    x: Tensor
    y: Tensor | None = None

    def __len__(self) -> int:
        return self.x.shape[0]


@dataclass(frozen=True, slots=True)
class Step:
    """One update of one rank: its number since the task began, its loss, and the examples that it used."""

    index: int
    epoch: int
    loss: float
    examples: int
