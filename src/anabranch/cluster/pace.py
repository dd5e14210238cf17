"""How fast one worker computes: its node's load, its own factors, chance, and slow spells."""

import math
from collections.abc import Sequence

import numpy as np

from anabranch.cluster.compute import slowdown
from anabranch.cluster.description import Cluster
from anabranch.cluster.disturbances import Straggling
from anabranch.cluster.fate import slow_spells
from anabranch.cluster.placement import Placement
from anabranch.seeding import numpy_generator

_STREAM = int.from_bytes(b"pace")


class Pace:
    """Stretches the time that a worker computes.

    Args:
        cluster: whose laws disturb it.
        placement: who sits where.
        rank: which worker.
        busy: ranks that compute at the same time, of which those on its node slow it down; all unless given.
    """

    def __init__(self, cluster: Cluster, placement: Placement, rank: int, busy: Sequence[int] | None = None) -> None:
        node = placement.node(rank)
        beside = placement.on_node(rank) if busy is None else sum(placement.node(other) == node for other in busy)
        laws = [law for law in cluster.stragglers if law.concerns(rank, node)]
        self._constant = slowdown(cluster.nodes, beside) * math.prod(law.factor for law in laws)
        # Log-normal factors multiply to one whose logarithm has the sum of their variances.
        self._sigma = math.sqrt(sum(law.sigma**2 for law in laws))
        self._pauses = [law for law in laws if law.law == "pauses"]
        self._next: list[float] = []
        self._spells = slow_spells(cluster, placement.workers, rank)
        self._seed, self._rank = cluster.seed, rank
        self._chance = np.random.default_rng(0)
        self.start(0, 0.0)

    def start(self, seed: int, now: float) -> None:
        """Make all chance from `now` on, in seconds, a function of `seed`, the cluster's seed and the rank alone."""
        if self._sigma or self._pauses:
            self._chance = numpy_generator(_STREAM, self._seed, seed, self._rank)
            self._next = [now + self._gap(law) for law in self._pauses]

    def stretch(self, seconds: float, now: float) -> float:
        """How long `seconds` of an undisturbed core take this worker from `now` on."""
        seconds *= self._constant
        if self._sigma:
            seconds *= math.exp(self._sigma * self._chance.standard_normal() - self._sigma**2 / 2)  # of mean 1
        if self._spells:
            seconds = self._through_spells(seconds, now)
        for number, law in enumerate(self._pauses):
            seconds = self._through_pauses(seconds, now, number, law)
        return seconds

    def _through_spells(self, seconds: float, now: float) -> float:
        """A spell that begins or ends on the way counts for its part."""
        edges = sorted({edge for begin, end, _ in self._spells for edge in (begin, end) if now < edge < math.inf})
        at, left, spent = now, seconds, 0.0
        for edge in [*edges, math.inf]:
            factor = math.prod(factor for begin, end, factor in self._spells if begin <= at < end)
            if left * factor <= edge - at:
                return spent + left * factor
            left -= (edge - at) / factor
            spent += edge - at
            at = edge
        raise AssertionError("time has no end")

    def _through_pauses(self, seconds: float, now: float, number: int, law: Straggling) -> float:
        """The worker stands still in every pause on the way, and in what is left of one that began while it waited."""
        while (begin := self._next[number]) < now + seconds:
            seconds += max(0.0, begin + law.seconds - max(begin, now))
            self._next[number] += law.seconds + self._gap(law)
        return seconds

    def _gap(self, law: Straggling) -> float:
        """From the end of a pause to the next, so that they begin every `every` seconds on average."""
        return float(self._chance.exponential(law.every - law.seconds))
