"""Pictures of a sweep and of a run's time, as PNG and SVG. matplotlib is imported at the first one, for it is slow."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anabranch.comm.ledger import Span
from anabranch.simulate.relative import OVERSUBSCRIBED, Row, captions

MOST_NOTES = 5


def draw_sweep(rows: Sequence[Row], title: str, path: Path) -> list[Path]:
    """Draw the rows as `relative` makes them: time, speed-up, efficiency, shares of the time, staleness and test error.

    Args:
        rows: one for each number of workers, at least one.
        title: above the picture.
        path: of the files, without their endings.

    Returns:
        The PNG and the SVG. Equal input makes equal bytes.

    Raises:
        StorageError: the place is not writable, or full.
    """
    from anabranch.simulate import drawing, panels

    rows = sorted(rows, key=lambda row: int(row["workers"]))
    learnt = any(row.get("test_error") is not None for row in rows)
    stale = any("staleness" in row for row in rows)
    layout: list[Any] = [["time", "speed-up", "efficiency"], ["shares", "shares", "error" if learnt else "shares"]]
    with drawing.looks():
        figure = drawing.new_figure(11.0, 9.2 if stale else 6.6)
        figure.suptitle(drawing.wrapped(title))
        axes = figure.subplot_mosaic(layout + [["staleness"] * 3] * stale)
        panels.draw_time(axes["time"], rows)
        panels.draw_speed_up(axes["speed-up"], rows)
        panels.draw_efficiency(axes["efficiency"], rows)
        panels.draw_shares(axes["shares"], rows)
        if stale:
            panels.draw_staleness(axes["staleness"], rows)
        if learnt:
            panels.draw_error(axes["error"], rows)
        figure.supxlabel("\n".join(map(drawing.wrapped, _notes(rows))), fontsize="small", x=0.01, ha="left")
        return drawing.save(figure, path)


def draw_timeline(spans: Sequence[Span], size: int, title: str, path: Path, cut: float = math.inf) -> list[Path]:
    """Draw what each rank does when. Where there is too much of it, the beginning and the first ranks, and say so.

    Args:
        spans: what the ranks did, times in seconds.
        size: number of ranks.
        title: above the picture.
        path: of the files, without their endings.
        cut: the time in seconds from which on spans are missing, as `Ledger.cut`; infinite where none are.

    Returns:
        The PNG and the SVG. Equal input makes equal bytes.

    Raises:
        StorageError: the place is not writable, or full.
    """
    from anabranch.simulate import drawing, timeline

    with drawing.looks():
        return drawing.save(timeline.draw(spans, size, title, cut), path)


def _notes(rows: Sequence[Row]) -> list[str]:
    lines = [line.replace("*", "hollow:", 1) if line == OVERSUBSCRIBED else line for line in captions(rows)]
    more = len(lines) - MOST_NOTES
    return lines if more <= 0 else [*lines[:MOST_NOTES], f"and {more} more that did not finish"]
