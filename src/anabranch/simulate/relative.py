"""What the rows of a sweep are relative to, and what a reader of them has to know. Free of torch, for the report."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from anabranch.wording import counted

Row = dict[str, Any]
FINISHED = "finished"
LEAST_POINTS = 3  # through two there is always a line
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


def held_out(rows: Sequence[Row]) -> str:
    """The part of the data on which errors were measured: "test" or "validation"."""
    return next((str(row["measured_on"]) for row in rows if "measured_on" in row), "test")


def captions(rows: Sequence[Row], target: float | None = None) -> list[str]:
    """What a reader of the rows has to know, a line each."""
    base, lines = base_workers(rows), []
    if base is not None:
        lines.append(f"speed-up against {counted(base, 'worker')}")
    if (power := exponent(rows)) is not None:
        lines.append(f"time/epoch goes with the workers to the power of {round(power, 2) + 0.0:.2f}")
    if target is not None:
        lines.append(f"time to target: until the error was {100 * target:.2f} %; - where it never was")
    if late := [f"{row['mean_staleness']:.3g} ({row['workers']})" for row in rows if "mean_staleness" in row]:
        lines.append(f"versions that pushes came late, on average (workers): {', '.join(late)}")
    if any(row["oversubscribed"] for row in rows):
        lines.append(OVERSUBSCRIBED)
    broken = [row for row in rows if row["outcome"] != FINISHED]
    return lines + [f"{counted(row['workers'], 'worker')}: {row['outcome']}" for row in broken]
