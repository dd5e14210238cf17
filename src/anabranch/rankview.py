"""What a person sees of the ranks of a run: who is fast, who is slow, and who waits, in 80 columns.

    4 ranks: fastest 3 (12,345/s), median 11,000/s, slowest 1 (4,321/s)
      rank    0  ━━━━━━━━━━━━━━━━━━━━━━━━━━━          11,000/s  waited  58%
      …

Samples a second of a rank's working time, so that a slow rank shows although all go in step; what it waited for others,
or for bytes, is the rest.
"""

from collections.abc import Sequence
from statistics import median

from anabranch.strategies import Throughput

LISTED = 8  # ranks with a line of their own: all, or the slowest
BAR = 30  # columns of the fastest rank's


def rank_lines(each: Sequence[Throughput]) -> list[str]:
    """The ranks in at most 1 + `LISTED` lines of at most 79 columns; none where nothing was told."""
    working = [one for one in each if one.examples]
    if not working:
        return []
    ordered = sorted(working, key=lambda one: (-one.rate, one.rank))
    fastest, slowest = ordered[0], ordered[-1]
    middle = median(one.rate for one in ordered)
    lines = [
        f"  {len(ordered)} rank{'s' * (len(ordered) > 1)}: fastest {fastest.rank} ({fastest.rate:,.0f}/s), "
        f"median {middle:,.0f}/s, slowest {slowest.rank} ({slowest.rate:,.0f}/s)"
    ]
    shown = ordered if len(ordered) <= LISTED else ordered[-LISTED:]
    return lines + [_line(one, fastest.rate) for one in sorted(shown, key=lambda one: one.rank)]


def _line(one: Throughput, most: float) -> str:
    bar = "━" * max(round(BAR * one.rate / most), 1) if most else ""
    waited = "" if one.share is None else f"  waited {one.share:4.0%}"
    return f"    rank {one.rank:>4}  {bar:<{BAR}}  {one.rate:>10,.0f}/s{waited}"
