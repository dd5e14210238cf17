"""The shape of a group of ranks: all that the price of a collective operation depends on, apart from bytes."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

_MANY = 1024  # groups that are remembered; a program that splits at every step must not fill the memory


class Shape(NamedTuple):
    """How a group lies on its nodes.

    Attributes:
        ranks: members.
        nodes: that have a member.
        most: members on the fullest node.
    """

    ranks: int
    nodes: int
    most: int


def shape_of(ranks: Sequence[int], node: Callable[[int], int]) -> Shape:
    """Of the world ranks `ranks`, each on the node that `node` names."""
    counts = Counter(map(node, ranks))
    return Shape(len(ranks), len(counts), max(counts.values()))


class Shapes:
    """The shapes of groups. A group is known again by its tuple itself: its members are counted once, never hashed."""

    def __init__(self, node: Callable[[int], int]) -> None:
        self._node = node
        self._known: dict[int, tuple[Sequence[int], Shape]] = {}

    def find(self, ranks: Sequence[int]) -> Shape:
        """The shape of `ranks`. A list is counted each time, for it may have changed."""
        if (found := self._known.get(id(ranks))) is not None:
            return found[1]
        shape = shape_of(ranks, self._node)
        if isinstance(ranks, tuple):
            if len(self._known) >= _MANY:
                self._known.clear()
            self._known[id(ranks)] = ranks, shape  # with the tuple, which must live as long as its id is remembered
        return shape
