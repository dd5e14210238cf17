"""The books of asynchronous work: whose gradients were used, how old they were, what was moved, who waited."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass
class Labour:
    """What one worker did in a task, in its own words.

    Attributes:
        computed: examples through the gradient.
        pushed: examples whose gradients were pushed.
        fetches: of all the parameters.
        pushes: of a gradient or difference of all the parameters.
        fetched_bytes: taken.
        pushed_bytes: given.
        seconds: from its first fetch to the end of its last push, by the world's clock.
        waiting: seconds of these in which it stood still for a fetch or a push.
    """

    computed: int = 0
    pushed: int = 0
    fetches: int = 0
    pushes: int = 0
    fetched_bytes: int = 0
    pushed_bytes: int = 0
    seconds: float = 0.0
    waiting: float = 0.0

    def numbers(self) -> list[float]:
        """In the order of the fields."""
        return [float(getattr(self, f.name)) for f in fields(self)]

    @classmethod
    def of(cls, numbers: Iterable[float]) -> "Labour":
        """What `numbers()` gave."""
        return cls(*(f.type(value) for f, value in zip(fields(cls), numbers, strict=True)))  # type: ignore[operator]


@dataclass
class Traffic:
    """A task's books, of all workers.

    Attributes:
        computed: examples through the gradient; of a dead worker those that it had begun, as far as it was heard.
        pushed: examples whose gradients were sent.
        applied: examples whose gradients have reached the parameters.
        lost: examples that a worker had begun when it died.
        dead: workers that died, counted from 0.
        staleness: how many pushes of a shard came so many versions after the one that they were computed from.
        labour: of those workers that came to the end, added up; `seconds` and `waiting` too.
    """

    computed: int = 0
    pushed: int = 0
    applied: int = 0
    lost: int = 0
    dead: list[int] = field(default_factory=list)
    staleness: Counter[int] = field(default_factory=Counter)
    labour: Labour = field(default_factory=Labour)

    def as_json(self, workers: int) -> dict[str, Any]:
        """For the record: sums, rates and the histogram."""
        work, alive = self.labour, workers - len(self.dead)
        seconds = work.seconds / alive if alive else 0.0
        return {
            "examples": {"computed": self.computed, "pushed": self.pushed, "applied": self.applied, "lost": self.lost},
            "dead_workers": self.dead,
            "fetches": work.fetches,
            "pushes": work.pushes,
            "fetches_per_second": _rate(work.fetches, seconds),
            "pushes_per_second": _rate(work.pushes, seconds),
            "bytes_per_second": _rate(work.fetched_bytes + work.pushed_bytes, seconds),
            "waiting": round(work.waiting / work.seconds, 6) if work.seconds else None,
            "staleness": {str(age): self.staleness[age] for age in sorted(self.staleness)},
            "mean_staleness": mean(self.staleness),
        }


def gathered(labours: Iterable[Labour], staleness: Iterable[Counter[int]]) -> Traffic:
    """The books of workers of whom none died and nothing was lost."""
    total = Traffic(labour=added(labours))
    for histogram in staleness:
        total.staleness.update(histogram)
    total.computed, total.pushed = total.labour.computed, total.labour.pushed
    total.applied = total.labour.pushed
    return total


def added(labours: Iterable[Labour]) -> Labour:
    """The sums, field by field."""
    columns = zip(*(labour.numbers() for labour in labours), strict=True)
    sums = [sum(column) for column in columns]
    return Labour.of(sums) if sums else Labour()


def mean(histogram: Counter[int]) -> float | None:
    """Of what the histogram counts; None where it is empty."""
    pushes = histogram.total()
    return round(sum(age * times for age, times in histogram.items()) / pushes, 6) if pushes else None


def _rate(amount: float, seconds: float) -> float | None:
    return round(amount / seconds, 3) if seconds else None
