"""The figures of a comparison as tables: for a terminal, as Markdown, and as data."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from anabranch.compare.ranking import Place, speed_up
from anabranch.compare.statistics import Interval, interval
from anabranch.compare.study import Study
from anabranch.compare.terms import ALONE, Contender
from anabranch.strategies import CATALOGUE


@dataclass(frozen=True)
class Sheet:
    """A table of text; the first column names the row."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def all_sheets(study: Study) -> list[Sheet]:
    """The ranking, what it cost, and how the learning rates were found."""
    return [_ranking(study), _costs(study), _trials(study)]


def markdown(sheet: Sheet) -> str:
    """The table as Markdown."""
    lines = [sheet.heads, ("---", *["---:"] * (len(sheet.heads) - 1)), *sheet.rows]
    return f"**{sheet.title}**\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _ranking(study: Study) -> Sheet:
    goal, at = f"{100 * study.target:.2f} %", f"{study.equal_seconds:.3g} s"
    heads = ("", "place", f"seconds to {goal}", "times as fast", "% wrong at the end", f"% wrong after {at}")
    alone = study.results[ALONE]
    rows = []
    for place in study.places:
        shared = "=" if sum(other.number == place.number for other in study.places) > 1 else ""
        times = speed_up(place.result, alone, study.target)
        rows.append(
            (
                place.result.contender.name,
                f"{place.number}{shared}",
                _arrival(place, study.target),
                "" if times is None else f"{times:.2f}",
                _percent(place.error),
                _percent_at(place, study.equal_seconds),
            )
        )
    return Sheet("Ranking", heads, tuple(rows))


def _arrival(place: Place, target: float) -> str:
    if place.seconds is not None:
        return _with_bounds(place.seconds, "{:.3g}")
    runs = place.result.runs
    reached = sum(run.seconds_to(target) is not None for run in runs)
    return f"in {reached} of {len(runs)} runs"


def _percent(value: Interval) -> str:
    return _with_bounds(value.times(100), "{:.2f}")


def _with_bounds(value: Interval, shape: str) -> str:
    mean = shape.format(value.mean)
    return mean if value.half is None else f"{mean} ± {shape.format(value.half)}"


def _percent_at(place: Place, seconds: float) -> str:
    errors = place.result.errors_at(seconds)
    return "no epoch yet" if errors is None else _percent(interval(errors))


def _costs(study: Study) -> Sheet:
    heads = ("", "learning rate", "epochs", "seconds", "MB a worker sent", "waiting", "staleness")
    rows = []
    for place in study.places:
        result = place.result
        runs = [run for run in result.runs if not run.diverged]
        rows.append(
            (
                result.contender.name,
                f"{result.rate:g}" if result.contender.tuned else _unruled(result.contender),
                _mean([run.epochs for run in runs], "{:.0f}"),
                _mean([run.whole for run in runs], "{:.3g}"),
                _mean([run.bytes_per_worker and run.bytes_per_worker / 1e6 for run in runs], "{:,.1f}"),
                _mean([run.waiting and 100 * run.waiting for run in runs], "{:.1f} %"),
                _mean([run.staleness for run in runs], "{:.2f}"),
            )
        )
    return Sheet("What a run costs", heads, tuple(rows))


def _unruled(contender: Contender) -> str:
    """What moves it in place of a learning rate; of a strategy of the user's own that is not known."""
    return "line search" if contender.strategy in CATALOGUE else "none"


def _mean(values: Sequence[float | None], shape: str) -> str:
    known = [value for value in values if value is not None]
    return shape.format(math.fsum(known) / len(known)) if known else ""


def _trials(study: Study) -> Sheet:
    rates = sorted({rate for trials in study.trials.values() for rate in trials.errors})
    rows = [
        (name, *(_tried(trials.errors.get(rate), best=rate == trials.rate) for rate in rates))
        for name, trials in study.trials.items()
        if study.results[name].contender.tuned
    ]
    heads = ("", *(f"{rate:g}" for rate in rates))
    return Sheet("Validation error, %, by learning rate (the best: *)", heads, tuple(rows))


def _tried(error: float | None, *, best: bool) -> str:
    if error is None:
        return ""
    return "diverged" if math.isinf(error) else f"{100 * error:.2f}{'*' if best else ''}"
