"""The panels of a sweep's picture: one figure of the rows against the number of workers each."""

import math
from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from anabranch.comm.ledger import KINDS
from anabranch.simulate.drawing import BLUE, COLOURS, GREEN, VERMILLION
from anabranch.simulate.relative import Row, held_out
from anabranch.wording import unit_of

MOST_LABELS = 8  # along the x axis of a small panel
MOST_BAR_LABELS = 18
LINES = list(zip((BLUE, VERMILLION, GREEN, "#CC79A7", "#E69F00", "#56B4E9"), "os^vD*", strict=True))


def draw_time(axes: Axes, rows: Sequence[Row]) -> None:
    """Virtual seconds an epoch."""
    axes.set_title("time per epoch")
    if _against_workers(axes, rows, "seconds_per_epoch", BLUE, log=10):
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_minor_locator(NullLocator())
        _label(axes, lambda seconds: f"{seconds * unit_of(seconds)[1]:g} {unit_of(seconds)[0]}")


def draw_speed_up(axes: Axes, rows: Sequence[Row]) -> None:
    """Speed-up, and the ideal one."""
    axes.set_title("speed-up")
    if _against_workers(axes, rows, "speed_up", BLUE, log=2, label="reached"):
        counts = [row["workers"] for row in rows]
        axes.plot(counts, counts, color="#777777", linestyle="--", label="ideal", zorder=1)
        axes.set_ylim(axes.get_ylim()[0], 1.6 * max(counts))
        _label(axes, lambda value: f"{value:g}")
        axes.legend(loc="upper left")


def draw_efficiency(axes: Axes, rows: Sequence[Row]) -> None:
    """Speed-up divided by workers, in per cent."""
    axes.set_title("efficiency")
    if _against_workers(axes, rows, "efficiency", GREEN, 100.0):
        axes.set_ylim(0.0, max(105.0, 1.05 * axes.get_ylim()[1]))
        _label(axes, lambda value: f"{value:g} %")


def draw_error(axes: Axes, rows: Sequence[Row]) -> None:
    """The test error in per cent, or that of the part that was held out in place of the test part."""
    axes.set_title(f"{held_out(rows)} error")
    if _against_workers(axes, rows, "test_error", VERMILLION, 100.0):
        _label(axes, lambda value: f"{value:g} %")


def draw_staleness(axes: Axes, rows: Sequence[Row]) -> None:
    """How many versions late pushes came, in per cent of them; a line for each number of workers."""
    axes.set_title("staleness of pushes")
    late = [row for row in rows if "staleness" in row][-len(LINES) :]
    for row, (colour, mark) in zip(late, LINES, strict=False):
        ages = {int(age): times for age, times in row["staleness"].items()}
        shares = [100.0 * times / sum(ages.values()) for times in ages.values()]
        axes.plot(list(ages), shares, color=colour, marker=mark, markersize=3, linewidth=1, label=str(row["workers"]))
    axes.set_xscale("symlog", linthresh=10)
    axes.xaxis.set_major_locator(FixedLocator([0, *(n * 10**power for power in range(6) for n in (1, 2, 5))]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda age, _: f"{age:g}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share:g} %"))
    axes.set_xlabel("versions late")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.grid(axis="y")
    axes.legend(title="workers")


def draw_shares(axes: Axes, rows: Sequence[Row]) -> None:
    """What the workers spend their time on, in per cent, as stacked bars."""
    places, bottom = range(len(rows)), [0.0] * len(rows)
    for kind in KINDS:
        shares = [100.0 * (row[kind] or 0.0) for row in rows]
        axes.bar(places, shares, 0.8, bottom, color=COLOURS[kind], linewidth=0, label=kind)
        bottom = [low + share for low, share in zip(bottom, shares, strict=True)]
    axes.set_title("what the workers' time goes to", loc="left")
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.97), ncols=len(KINDS))
    step = -(-len(rows) // MOST_BAR_LABELS)
    axes.set_xticks(places[::step], [str(row["workers"]) for row in rows][::step])
    around = max(0.6, 2.5 - len(rows) / 2)  # few bars are not to be wide ones
    axes.set_xlim(-around, len(rows) - 1 + around)
    axes.set_xlabel("workers")
    axes.set_ylim(0.0, 100.0)
    _label(axes, lambda value: f"{value:g} %")


def _against_workers(
    axes: Axes, rows: Sequence[Row], key: str, colour: str, scale: float = 1.0, *, log: int = 0, label: str = ""
) -> bool:
    """Points, joined by a line that unknown figures break; hollow where the cluster is oversubscribed.

    `log` is the base of the y axis, 0 for a linear one. False: no row has this figure.
    """
    _workers_axis(axes, sorted(int(row["workers"]) for row in rows))
    known = [row for row in rows if row.get(key) is not None and (row[key] > 0.0 or not log)]
    if not known:
        axes.text(0.5, 0.5, "not known", transform=axes.transAxes, ha="center")
        axes.set_yticks([])
        return False
    values = [scale * row[key] if row in known else math.nan for row in rows]
    axes.plot([row["workers"] for row in rows], values, color=colour, marker="o", label=label)
    hollow = [(row["workers"], scale * row[key]) for row in known if row["oversubscribed"]]
    for place in hollow:
        axes.plot(*place, "o", color=colour, markerfacecolor="white")
    if log:
        axes.set_yscale("log", base=log)
        shown = [scale * row[key] for row in known]
        axes.set_ylim(min(shown) / 1.6, max(shown) * 1.6)  # wide enough for a tick, however close the values are
    return True


def _workers_axis(axes: Axes, counts: list[int]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xlim(counts[0] / 1.3, counts[-1] * 1.3)
    axes.xaxis.set_major_locator(FixedLocator(_apart(counts)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel("workers")
    axes.grid(visible=True)


def _apart(counts: list[int]) -> list[int]:
    """From the largest on, those that have room for their labels."""
    least = (counts[-1] / counts[0]) ** (1 / MOST_LABELS)
    result = [counts[-1]]
    for count in reversed(counts):
        if result[-1] / count > least:
            result.append(count)
    return result


def _label(axes: Axes, text: Callable[[float], str]) -> None:
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: text(value)))
