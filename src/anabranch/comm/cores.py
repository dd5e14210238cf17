"""How the cores of a machine fall to the ranks on it."""

from collections.abc import Sequence
from fractions import Fraction


def share_of_cores(users: Sequence[int]) -> int:
    """Whole cores, at least one, out of some that have so many users each."""
    return max(1, int(sum(Fraction(1, number) for number in users)))
