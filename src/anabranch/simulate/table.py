"""The figures of a sweep for a terminal of 80 columns, and what they are relative to."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from anabranch.progress import counted
from anabranch.simulate.rows import FINISHED, Row

LEAST_POINTS = 3  # through two there is always a line
UNITS = (("s", 1.0), ("ms", 1e3), ("µs", 1e6), ("ns", 1e9))
OVERSUBSCRIBED = "* more workers than the cluster has room for: some share their cores"


def relative(rows: Sequence[Row]) -> list[Row]:
    """Copies of `rows` with "speed_up" and "efficiency" (a fraction), None where a time is missing.

    On T_n seconds an epoch and a base of b workers, n workers have a speed-up of b * T_b / T_n, and an efficiency
    of this divided by n. The base is one worker, or else the smallest number that has a time.
    """
    workers = base_workers(rows)
    alone = next((workers * row["seconds_per_epoch"] for row in rows if row["workers"] == workers), 0.0)
    speed_ups = [alone / row["seconds_per_epoch"] if row["seconds_per_epoch"] else None for row in rows]
    return [
        row | {"speed_up": speed_up, "efficiency": None if speed_up is None else speed_up / row["workers"]}
        for row, speed_up in zip(rows, speed_ups, strict=True)
    ]


def base_workers(rows: Sequence[Row]) -> int | None:
    """The number of workers that speed-ups are against; None where no row has a time."""
    return min((row["workers"] for row in rows if row["seconds_per_epoch"]), default=None)


def exponent(rows: Sequence[Row]) -> float | None:
    """Of the power of the workers that fits the times best (least squares of logarithms); None below three of them."""
    points = [(row["workers"], row["seconds_per_epoch"]) for row in rows if row["seconds_per_epoch"]]
    if len({workers for workers, _ in points}) < LEAST_POINTS:
        return None
    workers, seconds = zip(*points, strict=True)
    return float(np.polyfit(np.log(workers), np.log(seconds), 1)[0])


def timing_table(rows: Sequence[Row], title: str, target: float | None = None) -> Table:
    """The rows as `relative` makes them, for a terminal. "-" is what is not known.

    Args:
        rows: one for each number of workers.
        title: above the table.
        target: the test error (a fraction) that "seconds_to_target" is about; None shows no such column.
    """
    # Ten columns fit into 80 only without blanks at the edges.
    result = Table(title=Text(title), box=SIMPLE_HEAD, show_edge=False, padding=0)
    result.caption = Text("\n".join(captions(rows, target)))
    result.title_justify = result.caption_justify = "left"
    columns = _columns(rows, target)
    for header, _ in columns:
        result.add_column(header, justify="right", no_wrap=True)
    for row in rows:
        result.add_row(*(cell(row) for _, cell in columns))
    return result


def captions(rows: Sequence[Row], target: float | None = None) -> list[str]:
    """What a reader of the rows has to know, a line each."""
    base, lines = base_workers(rows), []
    if base is not None:
        lines.append(f"speed-up against {counted(base, 'worker')}")
    if (power := exponent(rows)) is not None:
        lines.append(f"time/epoch goes with the workers to the power of {round(power, 2) + 0.0:.2f}")
    if target is not None:
        lines.append(f"time to target: until the test error was {100 * target:.2f} %; - where it never was")
    if late := [f"{row['mean_staleness']:.3g} ({row['workers']})" for row in rows if "mean_staleness" in row]:
        lines.append(f"versions that pushes came late, on average (workers): {', '.join(late)}")
    if any(row["oversubscribed"] for row in rows):
        lines.append(OVERSUBSCRIBED)
    broken = [row for row in rows if row["outcome"] != FINISHED]
    return lines + [f"{counted(row['workers'], 'worker')}: {row['outcome']}" for row in broken]


def seconds_text(seconds: float) -> str:
    """Three digits and a unit, such as '1.23 s' or '45.6 ms'; hours from 10,000 s on."""
    if seconds >= 9999.5:
        return f"{seconds / 3600:,.1f} h"
    unit, scale = unit_of(seconds)
    return f"{digits(seconds * scale)} {unit}"


def unit_of(seconds: float) -> tuple[str, float]:
    """The unit in which to write so long a time, and how many of it make a second."""
    return next((unit for unit in UNITS if seconds * unit[1] >= 0.9995), UNITS[-1])


def digits(value: float) -> str:
    """`value` to three significant digits, but with all those of its whole part, and at most three after the point."""
    if 0 < value < 0.0005:
        return "<0.001"
    places = 0 if value >= 99.95 else 1 if value >= 9.995 else 2 if value >= 0.9995 else 3
    return f"{value:.{places if value else 0}f}"


def _columns(rows: Sequence[Row], target: float | None) -> list[tuple[str, Callable[[Row], str]]]:
    columns: list[tuple[str, Callable[[Row], str]]] = [
        ("work-\ners", lambda row: f"{row['workers']}{'*' if row['oversubscribed'] else ''}"),
        ("time/\nepoch", lambda row: _known(row["seconds_per_epoch"], seconds_text)),
        ("speed-\nup", lambda row: _known(row["speed_up"], digits)),
        ("effi-\nciency", lambda row: _known(row["efficiency"], lambda x: f"{100 * x:.1f} %")),
        ("MB/\nworker", lambda row: _known(row["bytes_per_worker"], lambda x: digits(x / 1e6))),
        ("com-\nputing", lambda row: _known(row["computing"], _share)),
        ("wait-\ning", lambda row: _known(row["waiting"], _share)),
        ("commu-\nnicating", lambda row: _known(row["communicating"], _share)),
    ]
    if any(row.get("test_error") is not None for row in rows):
        columns.append(("test\nerror", lambda row: _known(row.get("test_error"), lambda x: f"{100 * x:.2f} %")))
    if target is not None:
        columns.append(("time to\ntarget", lambda row: _known(row.get("seconds_to_target"), seconds_text)))
    return columns


def _share(fraction: float) -> str:
    return f"{100 * fraction:.1f} %"


def _known(value: Any, text: Callable[[Any], str]) -> str:
    return "-" if value is None else text(value)
