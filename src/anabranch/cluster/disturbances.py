"""What disturbs a cluster's workers, as data: laws of straggling, and failures."""

import math
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from anabranch.cluster import checks
from anabranch.errors import UsageError

Law = Literal["constant", "log-normal", "slow-node", "pauses"]
FailureKind = Literal["die", "hang", "slow", "lose"]

_LAW_OPTIONS: dict[Law, tuple[str, ...]] = {
    "constant": ("factor", "ranks", "nodes"),
    "slow-node": ("factor", "ranks", "nodes"),
    "log-normal": ("sigma", "ranks", "nodes"),
    "pauses": ("every", "seconds", "ranks", "nodes"),
}
_FAILURE_OPTIONS: dict[FailureKind, tuple[str, ...]] = {
    "die": ("rank", "at", "mean"),
    "hang": ("rank", "at", "mean"),
    "slow": ("rank", "at", "mean", "factor", "seconds"),
    "lose": ("rank", "at", "mean", "times"),
}


@dataclass(frozen=True)
class Straggling:
    """A law by which workers compute more slowly than they could. Several laws multiply.

    Attributes:
        law: constant: `factor` for all `ranks`. slow-node: `factor` for all ranks on `nodes`. log-normal: every step
            is stretched by a factor of mean 1 whose logarithm has the deviation `sigma`. pauses: a worker stands still
            for `seconds`, at random, every `every` seconds on average.
        factor: by which a step takes longer; below 1, the workers are faster than others.
        sigma: no unit; 0.1 is about 10 %.
        every: seconds, on average.
        seconds: of a pause; less than `every`, or there would be no time left to compute.
        ranks: whom it concerns; empty: all.
        nodes: likewise, by their nodes. With both, those of `ranks` that are on `nodes`.

    Raises:
        UsageError: an unknown law, an option that it does not take, or a figure that cannot be.
    """

    law: Law
    factor: float = 1.0
    sigma: float = 0.0
    every: float = math.inf
    seconds: float = 0.0
    ranks: tuple[int, ...] = ()
    nodes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        checks.name("law of straggling", self.law, get_args(Law))
        checks.unused(f"the law '{self.law}'", _given(self), _LAW_OPTIONS[self.law])
        checks.factor(f"the factor of the law '{self.law}'", self.factor)
        checks.at_least("the sigma of a log-normal law", self.sigma)
        checks.positive("the average time between pauses (every)", self.every, "s")
        checks.at_least("the length of a pause (seconds)", self.seconds, 0, "s")
        checks.places("the ranks of a law", self.ranks)
        checks.places("the nodes of a law", self.nodes)
        if self.law == "slow-node" and not self.nodes:
            raise UsageError("a law 'slow-node' names no nodes: give nodes = [0], say, or the law 'constant' for all.")
        if self.seconds >= self.every:
            raise UsageError(
                f"pauses of {self.seconds} s every {self.every} s leave no time to compute: "
                "give seconds less than every."
            )

    def concerns(self, rank: int, node: int) -> bool:
        """Whether it disturbs `rank`, which is on `node`."""
        return (not self.ranks or rank in self.ranks) and (not self.nodes or node in self.nodes)


@dataclass(frozen=True)
class Failure:
    """What befalls one worker once: at an exact virtual time, or at a random one.

    Attributes:
        kind: die: the process ends. hang: it stops, and is killed when a supervisor notices. slow: it computes by
            `factor` more slowly for `seconds`. lose: the next message that it sends is lost, `times` times in a row.
        rank: whom; None: every worker, each at its own random time. One that a run has not got is left alone.
        at: seconds; None: at a random time, after `mean` seconds on average (exponential).
        mean: seconds.
        factor: 1 or more.
        seconds: how long it is slow; infinity: to the end.
        times: 1 or more; see `Network.retries`.

    Raises:
        UsageError: an unknown kind, an option that it does not take, not exactly one of `at` and `mean`, or a figure
            that cannot be.
    """

    kind: FailureKind
    rank: int | None = None
    at: float | None = None
    mean: float | None = None
    factor: float = 1.0
    seconds: float = math.inf
    times: int = 1

    def __post_init__(self) -> None:
        checks.name("kind of failure", self.kind, get_args(FailureKind))
        checks.unused(f"the failure '{self.kind}'", _given(self), _FAILURE_OPTIONS[self.kind])
        if (self.at is None) == (self.mean is None):
            found = "neither" if self.at is None else f"both at = {self.at} s and mean = {self.mean} s"
            raise UsageError(f"a failure '{self.kind}' has {found}: give at, a time, or mean, for a random one.")
        if self.at is not None:
            checks.at_least(f"the time of a failure '{self.kind}' (at)", self.at, 0, "s")
        if self.mean is not None:
            checks.at_least(f"the mean time to a failure '{self.kind}'", self.mean, 0, "s")
            checks.positive(f"the mean time to a failure '{self.kind}'", self.mean, "s")
        checks.places(f"the failures '{self.kind}'", () if self.rank is None else (self.rank,))
        checks.factor(f"the factor of a failure '{self.kind}'", self.factor, 1.0)
        checks.positive("how long a worker is slow (seconds)", self.seconds, "s")
        checks.at_least("how often a message is lost in a row (times)", self.times, 1)


def _given(law: Any) -> list[str]:
    """The options of `law`, after its kind, that have other values than their defaults."""
    return [f.name for f in fields(law)[1:] if getattr(law, f.name) != f.default]
