"""Means with confidence intervals, and what pairs of runs with the same seed say of a difference."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean and the bounds of its confidence interval (Student's t, 95 %); no bounds from one value."""

    mean: float
    low: float | None
    high: float | None

    @property
    def half(self) -> float | None:
        """Of the interval's length."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2

    def times(self, factor: float) -> "Interval":
        """In another unit."""
        low, high = (None if value is None else factor * value for value in (self.low, self.high))
        return Interval(factor * self.mean, low, high)

    @property
    def excludes_zero(self) -> bool:
        """Whether the value is beyond the noise. From one run nobody can tell."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def interval(values: Sequence[float], grain: float = 0.0) -> Interval:
    """Of the mean of `values`.

    Args:
        values: at least one.
        grain: the least standard deviation that they are taken to have, for equal values of a coarse measure are no
            proof.

    Raises:
        ValueError: there are none.
    """
    if not values:
        raise ValueError("no values have no mean")
    mean = math.fsum(values) / len(values)
    if len(values) == 1:
        return Interval(mean, None, None)
    error = max(float(np.std(values, ddof=1)), grain) / math.sqrt(len(values))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * error
    return Interval(mean, mean - half, mean + half)


def paired(one: Sequence[float], other: Sequence[float], grain: float = 0.0) -> Interval:
    """Of the differences `one` - `other`, run by run: what the runs of a seed share falls out. `grain` is theirs."""
    return interval([a - b for a, b in zip(one, other, strict=True)], grain)


def paired_ratio(one: Sequence[float], other: Sequence[float], grain: float = 0.0) -> Interval:
    """Of the logarithms of the ratios `one` / `other`, run by run; positive values. `grain` is the logarithms'."""
    return paired([math.log(value) for value in one], [math.log(value) for value in other], grain)
