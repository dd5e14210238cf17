"""The rounds that collective algorithms are made of, and what one takes.

In a round every rank sends at most one message and gets at most one, all of the same size (Hockney 1994: latency +
size / bandwidth). Cards are full duplex. k messages that leave one node at once share its card: each gets a k-th of
the bandwidth, the gap of LogGP (Alexandrov et al. 1995). The slowest message ends the round. The ranks of a group fill
one node after the other; memory inside a node is not contended.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anabranch.cluster.description import Link, Network
from anabranch.cluster.shape import Shape
from anabranch.errors import UsageError

_Ranks = NDArray[np.int64]


class Round(NamedTuple):
    """Attributes: `streams`, the most messages that leave one node; `inside`, whether any stays in its node."""

    streams: int
    inside: bool


def seconds(network: Network, each: Round, size: float) -> float:
    """That a round of messages of `size` bytes takes.

    Raises:
        UsageError: messages leave their node, but the cluster has no link between nodes.
    """
    inside = alone(network.inside, size) if each.inside else 0.0
    if not each.streams:
        return inside
    link = link_between(network)
    sharing = each.streams if network.shared_card else 1
    return max(inside, link.latency + sharing * size / link.bandwidth)


def alone(link: Link, size: float) -> float:
    """Seconds of one message of `size` bytes."""
    return link.latency + size / link.bandwidth


def link_between(network: Network) -> Link:
    """The link between two nodes.

    Raises:
        UsageError: there is none.
    """
    if network.between is None:
        raise UsageError("the ranks lie on several nodes, but the cluster has no link for them: add [network.between].")
    return network.between


def distances(ranks: int) -> list[int]:
    """1, 2, 4, ... below `ranks`: one for each of the ceil(log2 ranks) rounds of a tree or a doubling."""
    return [1 << bit for bit in range((ranks - 1).bit_length())]


def power_below(ranks: int) -> int:
    """The largest power of two that is at most `ranks`."""
    return 1 << (ranks.bit_length() - 1)


def shift(shape: Shape, by: int) -> Round:
    """Rank r sends to r + `by`, modulo the ranks: ring, pairwise exchange, dissemination."""
    ranks, _, most = shape
    near = min(by, ranks - by)
    return Round(min(near, most, ranks - most), near < most)


@lru_cache(maxsize=1024)
def fold(shape: Shape) -> Round:
    """Before and after a doubling between a power of two: each rank that is too many, and its neighbour."""
    rest = shape.ranks - power_below(shape.ranks)
    even = 2 * np.arange(rest)
    return _traffic(even, even + 1, shape.most)


@lru_cache(maxsize=1024)
def exchange(shape: Shape, distance: int) -> Round:
    """Pairs at `distance`, a power of two, swap data, after the `fold`: recursive doubling and halving."""
    power = power_below(shape.ranks)
    rest = shape.ranks - power
    new = np.arange(power)
    old = np.where(new < rest, 2 * new + 1, new + rest)  # of a folded pair the second one goes on
    return _traffic(old, old[new ^ distance], shape.most)


@lru_cache(maxsize=1024)
def tree(shape: Shape, distance: int) -> Round:
    """Every multiple r of 2 `distance` and r + `distance`: one round of a binomial tree, up or down."""
    parents = np.arange(0, shape.ranks - distance, 2 * distance)
    return _traffic(parents, parents + distance, shape.most)


def _traffic(source: _Ranks, to: _Ranks, most: int) -> Round:
    node = source // most
    leaving = node != to // most
    streams = int(np.bincount(node[leaving]).max()) if leaving.any() else 0
    return Round(streams, not leaving.all())
