"""The figures of a sweep for a terminal of 80 columns."""

from collections.abc import Callable, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from anabranch.simulate.relative import Row, captions, held_out
from anabranch.wording import digits, seconds_text


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
        part = "test" if held_out(rows) == "test" else "valid."
        columns.append((f"{part}\nerror", lambda row: _known(row.get("test_error"), lambda x: f"{100 * x:.2f} %")))
    if target is not None:
        columns.append(("time to\ntarget", lambda row: _known(row.get("seconds_to_target"), seconds_text)))
    return columns


def _share(fraction: float) -> str:
    return f"{100 * fraction:.1f} %"


def _known(value: Any, text: Callable[[Any], str]) -> str:
    return "-" if value is None else text(value)
