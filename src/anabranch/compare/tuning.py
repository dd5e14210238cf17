"""Which learning rate to try next: a walk along a scale of factors of about three, then between the best."""

import math
from collections.abc import Mapping

STEP = math.sqrt(10)


def next_rates(errors: Mapping[float, float], budget: int, first: float) -> list[float]:
    """The rates to try now, all at the same time; none when the budget is spent.

    First `first` and its neighbours; then beyond the best as long as it is the outermost; then halfway (on the
    logarithmic scale) towards its better neighbour, and towards the other; beyond the outermost where three digits
    leave nothing between. Rates are rounded to three digits, so that they can be typed.

    Args:
        errors: of the rates that were tried; infinite where training diverged.
        budget: rates that may be tried in all.
        first: the rate in the middle.
    """
    left = budget - len(errors)
    if left <= 0:
        return []
    if not errors:
        return [_rounded(first * STEP**power) for power in (0, -1, 1)][:left]
    tried = sorted(errors)
    wanted = [*_around(tried, best_rate(errors), errors), _rounded(tried[0] / STEP), _rounded(tried[-1] * STEP)]
    return [rate for rate in wanted if rate not in errors][: min(left, 1)]


def best_rate(errors: Mapping[float, float]) -> float:
    """The rate of the least error; of several, the lowest rate, which is the safest."""
    return min(errors, key=lambda rate: (errors[rate], rate))


def _around(tried: list[float], best: float, errors: Mapping[float, float]) -> list[float]:
    at = tried.index(best)
    if at == 0:
        return [_rounded(best / STEP)]
    if at == len(tried) - 1:
        return [_rounded(best * STEP)]
    neighbours = sorted((tried[at - 1], tried[at + 1]), key=lambda rate: errors[rate])
    return [_rounded(math.sqrt(best * rate)) for rate in neighbours]


def _rounded(rate: float) -> float:
    return float(f"{rate:.3g}")
