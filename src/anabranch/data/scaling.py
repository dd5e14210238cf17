"""How stored numbers become the values that a network sees: `features * scale + shift`.

The rule is fitted to the training part alone and applied to the training and test parts alike, so that nothing of
the test part leaks into training.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from anabranch.data.examples import Examples, in_memory
from anabranch.errors import UsageError, unknown_name

Scale = Literal["auto", "none", "minmax", "standard"]


@dataclass(frozen=True, eq=False)
class Scaling:
    """A fitted rule. `scale` and `shift` are [] or [features] float64."""

    scale: Tensor
    shift: Tensor

    def apply(self, examples: Examples) -> Examples:
        """The same examples with this scaling: computed at once in memory, row by row for mapped features."""
        if examples.mapped:
            return replace(examples, scale=self.scale, shift=self.shift)
        return in_memory(examples.features, examples.labels, self.scale, self.shift)


def fit(rule: Scale, train: Examples) -> Scaling:
    """Fit `rule` to unscaled training examples, chunk by chunk.

    - auto: unsigned 8-bit integers are divided by 255, other integers by their maximum; other types stay as they are.
    - none: as they are.
    - minmax: the least value of all features becomes 0 and the largest 1.
    - standard: every feature gets mean 0 and variance 1; a constant feature is only shifted to 0.

    Raises:
        UsageError: the rule is unknown, or auto met negative integers.
        DataError: mapped features hold a NaN or an infinite value.
    """
    if rule not in _RULES:
        raise unknown_name("scale", rule, _RULES)
    return _RULES[rule](train)


def _affine(scale: float, shift: float = 0.0) -> Scaling:
    return Scaling(torch.tensor(scale, dtype=torch.float64), torch.tensor(shift, dtype=torch.float64))


def _none(train: Examples) -> Scaling:  # noqa: ARG001 - every rule has the same signature
    return _affine(1.0)


def _auto(train: Examples) -> Scaling:
    dtype = train.features.dtype
    if dtype == torch.uint8:
        return _affine(1 / 255)
    if dtype.is_floating_point or dtype == torch.bool:
        return _affine(1.0)
    low, high = _extremes(train)
    if low < 0:
        raise UsageError(
            f"the integer features run from {low:g} to {high:g}, and --scale auto takes no negative integers: "
            "use --scale minmax, standard or none."
        )
    return _affine(1 / high if high > 0 else 1.0)


def _minmax(train: Examples) -> Scaling:
    low, high = _extremes(train)
    scale = 1 / (high - low) if high > low else 1.0
    return _affine(scale, -low * scale)


def _extremes(train: Examples) -> tuple[float, float]:
    low, high = float("inf"), float("-inf")
    for batch in train.chunks(dtype=torch.float64):
        least, largest = torch.aminmax(batch.x)
        low, high = min(low, float(least)), max(high, float(largest))
    return low, high


def _standard(train: Examples) -> Scaling:
    # Chan, Golub and LeVeque 1983: chunk means and squared deviations are merged, so that a large mean does not
    # cancel the variance and a mapped file is read only once.
    count = 0
    mean = torch.zeros(train.width, dtype=torch.float64)
    squares = torch.zeros_like(mean)
    low, high = torch.full_like(mean, float("inf")), torch.full_like(mean, float("-inf"))
    for batch in train.chunks(dtype=torch.float64):
        x, n = batch.x, len(batch)
        here = x.mean(0)
        delta = here - mean
        squares += (x - here).square().sum(0) + delta.square() * (count * n / (count + n))
        mean += delta * (n / (count + n))
        low, high = torch.minimum(low, x.amin(0)), torch.maximum(high, x.amax(0))
        count += n
    deviation = (squares / count).sqrt()
    # Rounding leaves constant features a tiny variance, which must not blow them up.
    constant = (low == high) | (deviation == 0)
    scale = torch.where(constant, 1.0, 1 / deviation)
    return Scaling(scale, -torch.where(constant, low, mean) * scale)


_RULES: dict[str, Callable[[Examples], Scaling]] = {
    "auto": _auto,
    "none": _none,
    "minmax": _minmax,
    "standard": _standard,
}
