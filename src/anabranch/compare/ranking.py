"""Who is first, and whether one can tell."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from anabranch.compare.curves import Run
from anabranch.compare.statistics import Interval, interval, paired, paired_ratio
from anabranch.compare.terms import ALONE, Contender

CLOSE = 1.1  # a target of the errors, as a multiple of what one process ends in


@dataclass(frozen=True)
class Result:
    """All runs of one contender, in the order of the seeds, at the learning rate that it was found to do best with."""

    contender: Contender
    rate: float
    runs: tuple[Run, ...]

    def times_to(self, target: float) -> tuple[float, ...] | None:
        """Seconds to the target error, if every run has reached it."""
        found = [run.seconds_to(target) for run in self.runs]
        return None if None in found else tuple(value for value in found if value is not None)

    def grain(self, target: float) -> float:
        """How coarse those times are, relative to themselves: they come in whole epochs. A standard deviation.

        A time that is known to an epoch of length q is uniformly distributed over it: q / sqrt(12).
        """
        parts = [run.epoch_before(target) / at for run in self.runs if (at := run.seconds_to(target))]
        return math.fsum(parts) / len(parts) / math.sqrt(12) if parts else 0.0

    @property
    def errors(self) -> tuple[float, ...]:
        """At the end."""
        return tuple(run.final for run in self.runs)

    def errors_at(self, seconds: float) -> tuple[float, ...] | None:
        """After so many seconds, if every run had ended an epoch by then."""
        found = [run.error_at(seconds) for run in self.runs]
        return None if None in found else tuple(value for value in found if value is not None)


@dataclass(frozen=True)
class Place:
    """A contender's place; contenders between whom the runs cannot tell share one.

    Attributes:
        number: 1 for the first, and for all that cannot be told from it.
        result: the contender's.
        seconds: to the target error; None where a run did not reach it.
        error: at the end.
    """

    number: int
    result: Result
    seconds: Interval | None
    error: Interval


def default_target(alone: Result) -> float:
    """The error (a fraction) that one process ends in, on average over the seeds, and a tenth more."""
    return CLOSE * interval(alone.errors).mean


def ranking(results: Sequence[Result], target: float) -> list[Place]:
    """Places: by the time to the target error; those that do not always reach it come after, by their last error."""
    places: list[Place] = []
    for at, result in enumerate(sorted(results, key=lambda one: _key(one, target)), 1):
        leader = places[places[-1].number - 1].result if places else None  # the first of the group before
        same = leader is not None and not distinct(leader, result, target)
        times = result.times_to(target)
        seconds = None if times is None else interval(times)
        places.append(Place(places[-1].number if same else at, result, seconds, interval(result.errors)))
    return places


def distinct(one: Result, other: Result, target: float) -> bool:
    """Whether the runs can tell the two apart: by the times to the target if both reach it, else by the last errors."""
    times, others = one.times_to(target), other.times_to(target)
    if times is not None and others is not None:
        return paired_ratio(times, others, grain=math.hypot(one.grain(target), other.grain(target))).excludes_zero
    return paired(one.errors, other.errors).excludes_zero


def speed_up(one: Result, other: Result, target: float) -> float | None:
    """How many times as fast `one` reaches the target as `other`; geometric mean over the seeds."""
    times, others = one.times_to(target), other.times_to(target)
    return None if times is None or others is None else math.exp(paired_ratio(others, times).mean)


def verdict(places: Sequence[Place], target: float) -> str:
    """The answer, in a sentence or two."""
    first = [place for place in places if place.number == 1]
    names = [place.result.contender.name for place in first]
    alone = next(place.result for place in places if place.result.contender.name == ALONE)
    goal = f"{100 * target:.2f} %"
    if first[0].seconds is None:
        return f"Nobody reaches {goal} with every seed: give a higher --target-error, or more --epochs."
    if len(first[0].result.runs) == 1:
        return f"{names[0]} was the first at {goal}, with one seed: whether that is more than chance, nobody can tell."
    faster = [place.result for place in first if place.result is not alone and _beats(place.result, alone, target)]
    if ALONE in names and not faster:
        others = [place.result for place in places if place.result is not alone]
        like = [one.contender.name for one in others if not distinct(one, alone, target)]
        beside = f"; {', '.join(like)} cannot be told from it" if like else ""
        return f"Do not distribute: nobody reaches {goal} sooner than one process beyond the noise{beside}."
    if ALONE in names:
        return _in_one_place(first, faster, alone, target)
    times = speed_up(first[0].result, alone, target)
    fast = f"{times:.2g} times as fast as one process" if times else "where one process does not always arrive"
    if len(names) == 1:
        return f"{names[0]} reaches {goal} first, {fast}."
    return f"{', '.join(names)}: all reach {goal} first, and cannot be told apart; {names[0]} is {fast}."


def _in_one_place(first: Sequence[Place], faster: Sequence[Result], alone: Result, target: float) -> str:
    """The leader's runs differ so much that it shares its place with one process, which others beat."""
    said = [f"{one.contender.name} ({speed_up(one, alone, target):.2g} times)" for one in faster]
    found = f"Faster than one process to {100 * target:.2f} %, beyond the noise: {', '.join(said)}"
    leader = first[0].result
    if leader is alone or leader in faster:
        return f"{found}."
    return f"{found}. {leader.contender.name} has the least mean time, but cannot be told from one process."


def _beats(one: Result, alone: Result, target: float) -> bool:
    """Whether `one` is faster than one process beyond the noise."""
    times = speed_up(one, alone, target)
    return times is not None and times > 1 and distinct(one, alone, target)


def answer(places: Sequence[Place], target: float, seconds: float) -> str:
    """The verdict; where it favours one process, also who is better at `seconds`, of those that have less time."""
    said = verdict(places, target)
    haste = in_haste([place.result for place in places], seconds)
    first = [place.result.contender.name for place in places if place.number == 1]
    return f"{said} {haste}" if haste and (ALONE in first or places[0].seconds is None) else said


def in_haste(results: Sequence[Result], seconds: float) -> str | None:
    """Who has the least error at `seconds`, if that is not one process, and beyond the noise."""
    known = {one.contender.name: errors for one in results if (errors := one.errors_at(seconds))}
    if ALONE not in known:
        return None
    best = min(known, key=lambda name: interval(known[name]).mean)
    if not paired(known[ALONE], known[best]).excludes_zero:
        return None
    here, there = (f"{100 * interval(known[name]).mean:.2f} %" for name in (best, ALONE))
    like = [name for name in known if name != best and not paired(known[name], known[best]).excludes_zero]
    beside = f"; {', '.join(like)} cannot be told from it" if like else ""
    return f"With {seconds:.3g} s and no more it is {best}: {here} wrong, where one process is at {there}{beside}."


def _key(result: Result, target: float) -> tuple[bool, float, str]:
    times = result.times_to(target)
    measure = interval(result.errors if times is None else times).mean
    return times is None, measure, result.contender.name
