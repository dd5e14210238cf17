"""Measured seconds between and beyond the sizes that were measured."""

import math
from bisect import bisect_right

from anabranch.cluster.description import Measured


def interpolate(table: Measured, size: float) -> float:
    """Seconds for `size` bytes a rank.

    Between two points the logarithms of seconds and bytes lie on a line. Below the first point its seconds hold, for
    they are latency; beyond the last, bandwidth: the last slope in bytes goes on, or with one point its proportion.
    """
    sizes, times = table.bytes, table.seconds
    if size <= sizes[0]:
        return times[0]
    if size > sizes[-1]:
        return times[-1] + (size - sizes[-1]) * _last_slope(table)
    right = min(bisect_right(sizes, size), len(sizes) - 1)
    low, high = sizes[right - 1], sizes[right]
    if low <= 0 or min(times[right - 1], times[right]) <= 0:  # no logarithm
        return times[right - 1] + (times[right] - times[right - 1]) * (size - low) / (high - low)
    part = math.log(size / low) / math.log(high / low)
    return float(times[right - 1] * (times[right] / times[right - 1]) ** part)


def _last_slope(table: Measured) -> float:
    """Seconds a byte beyond the last point; noise in the measurements must not make more bytes cheaper."""
    sizes, times = table.bytes, table.seconds
    if len(sizes) == 1:
        return times[0] / sizes[0] if sizes[0] else 0.0
    return max(0.0, (times[-1] - times[-2]) / (sizes[-1] - sizes[-2]))
