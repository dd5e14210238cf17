"""When a task ends: pure functions of the errors that all ranks have agreed on, one an epoch."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from anabranch.errors import UsageError


class Stopping(Protocol):
    """A stopping criterion."""

    @property
    def limit(self) -> int:
        """The number of epochs that is never exceeded."""
        ...

    def done(self, errors: Sequence[float]) -> bool:
        """Whether training ends after the epochs with these `errors`.

        Epochs that workers at their own pace have ended together are one here.
        """
        ...


@dataclass(frozen=True)
class FixedEpochs:
    """The first criterion of De Filippo De Grazia et al. 2012, section 3: a fixed number of epochs."""

    limit: int

    def __post_init__(self) -> None:
        _check_limit(self.limit)

    def done(self, errors: Sequence[float]) -> bool:
        """After `limit` epochs."""
        return len(errors) >= self.limit


@dataclass(frozen=True)
class Convergence:
    """The second criterion there: the error has not fallen by a threshold τ for three consecutive epochs.

    Deviation: τ is a fraction of the error before, so that one constant serves layers of every width.

    Attributes:
        tolerance: τ: the least fall of the error, as a fraction of the previous epoch's, that counts as one.
        limit: the most epochs.
        patience: the number of consecutive epochs without such a fall.
    """

    tolerance: float
    limit: int
    patience: int = 3

    def __post_init__(self) -> None:
        _check_limit(self.limit)
        if not (math.isfinite(self.tolerance) and self.tolerance >= 0):
            raise UsageError(f"the tolerance must be zero or a positive fraction, not {self.tolerance}.")

    def done(self, errors: Sequence[float]) -> bool:
        """After `patience` epochs without a fall by `tolerance`, or `limit` epochs."""
        recent = errors[-self.patience - 1 :]
        stalled = [after > before - self.tolerance * before for before, after in itertools.pairwise(recent)]
        return len(errors) >= self.limit or (len(stalled) == self.patience and all(stalled))


def _check_limit(limit: int) -> None:
    if limit < 1:
        raise UsageError(f"training needs at least one epoch, not {limit}.")
