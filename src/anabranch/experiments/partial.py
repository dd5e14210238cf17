"""What an experiment comes to before all of its runs are finished: those tables and pictures that lack none of them."""

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


class NotYet(KeyError):
    """A run is not finished, or a table is not whole."""


class Known(dict[str, T]):
    """By name, what there is so far; the lack of anything else is no mistake."""

    def __missing__(self, name: str) -> T:
        raise NotYet(name)


def whole(*parts: Callable[[], Sequence[T]]) -> list[T]:
    """All that the `parts` make, but for those that look for what is `NotYet` there."""
    found: list[T] = []
    for part in parts:
        try:
            found += part()
        except NotYet:
            continue
    return found
