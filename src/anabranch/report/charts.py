"""Charts from series of numbers: lines, bars and heat maps as plotly's JSON, each with its numbers as a table.

The JSON is written by hand: to import plotly's classes, and to validate with them, would take longer than all the rest
of a page (docs/decisions/0013). The tests validate it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from anabranch.report.look import DASHES, GREY, MARKS, PATTERNS
from anabranch.report.page import Chart, Figure, Table

HEIGHT = 360  # pixels
MANY_MARKS = 60  # points of a line from where marks would hide it
FEW_BARS = 12  # that have room for their values beside each other


@dataclass(frozen=True)
class Axis:
    """What an axis shows.

    Attributes:
        title: with the unit.
        log: logarithmic.
        from_zero: it begins at 0.
        ticks: where its marks are; by plotly's choice unless given.
        suffix: after the numbers, such as " %".
    """

    title: str
    log: bool = False
    from_zero: bool = False
    ticks: tuple[float, ...] = ()
    suffix: str = ""


@dataclass(frozen=True)
class Series:
    """A line, or the bars of one colour.

    Attributes:
        name: in the legend and the table.
        x: places, or the names of categories.
        y: values; None breaks the line.
        spread: of each value, up and down.
        reference: what the others are compared with: grey.
        straight: drawn without marks.
    """

    name: str
    x: Sequence[float | str]
    y: Sequence[float | None]
    spread: Sequence[float] = ()
    reference: bool = False
    straight: bool = False


def lines(name: str, title: str, note: str, series: Sequence[Series], x: Axis, y: Axis) -> Chart:
    """A line for each series."""
    traces, ours, others = [], 0, 0
    for one in series:
        number = others if one.reference else ours
        traces.append(_line(one, number, several=len(series) > 1))
        ours, others = ours + (not one.reference), others + one.reference
    figure = {"data": traces, "layout": layout(x, y)}
    return Chart(name, title, note, figure, numbers(title, series, x, y))


def bars(
    name: str, title: str, note: str, series: Sequence[Series], x: Axis, y: Axis, *, stacked: bool = False
) -> Chart:
    """A bar for each value: beside each other, or on each other."""
    written = stacked or sum(len(one.y) for one in series) <= FEW_BARS
    traces = [_bars(one, number, stacked=stacked, written=written) for number, one in enumerate(series)]
    shape = layout(x, y) | {"barmode": "stack" if stacked else "group", "bargap": 0.25, "hovermode": "closest"}
    shape["uniformtext"] = {"minsize": 10, "mode": "hide"}
    shape["xaxis"] |= {"type": "category"}
    return Chart(name, title, note, {"data": traces, "layout": shape}, numbers(title, series, x, y))


def layout(x: Axis, y: Axis) -> dict[str, Any]:
    """Of a chart with these axes."""
    return {
        "height": HEIGHT,
        "margin": {"l": 8, "r": 12, "t": 8, "b": 8},
        "hovermode": "x unified",
        "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
        "xaxis": _axis(x),
        "yaxis": _axis(y),
    }


def numbers(caption: str, series: Sequence[Series], x: Axis, y: Axis) -> Table:
    """The values of all series: a row for each place where all have the same places, else a row for each value."""
    with_spread = any(any(one.spread) for one in series)
    if all(list(one.x) == list(series[0].x) for one in series) and not with_spread:
        heads = (x.title, *(f"{one.name}, {y.title}" if len(series) > 1 else y.title for one in series))
        rows = [
            (shown(place), *(shown(one.y[n]) + y.suffix * (one.y[n] is not None) for one in series))
            for n, place in enumerate(series[0].x if series else ())
        ]
        return Table(caption, heads, tuple(rows))
    found = []
    for one in series:
        spreads = one.spread or [0.0] * len(one.y)
        for place, value, spread in zip(one.x, one.y, spreads, strict=True):
            found.append((one.name, shown(place), shown(value), *((f"± {shown(spread)}",) if with_spread else ())))
    heads = ("series", x.title, y.title, *(("spread",) if with_spread else ()))
    return Table(caption, heads, tuple(found))


def shown(value: float | str | None) -> str:
    """A number as a person reads it: four digits, and no more after the point than it has."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def rounded(values: Sequence[float | str | None]) -> list[float | str | None]:
    """Six digits: more than a screen has, and shorter."""
    return [float(f"{value:.6g}") if isinstance(value, float) else value for value in values]


def _line(one: Series, number: int, *, several: bool) -> Figure:
    marked = not one.straight and len(one.y) <= MANY_MARKS
    mark = MARKS[number % len(MARKS)] + ("-open" if one.reference else "")
    line = {"width": 1.5 if one.reference else 2.2, "dash": DASHES[(number + one.reference) % len(DASHES)]}
    trace: Figure = {
        "type": "scatter",
        "mode": "lines+markers" if marked else "lines",
        "name": one.name,
        "x": rounded(one.x),
        "y": rounded(one.y),
        "line": line,
        "showlegend": several,
    }
    if marked:
        trace["marker"] = {"symbol": mark, "size": 8}
    if any(one.spread):
        trace["error_y"] = {"type": "data", "array": rounded(one.spread), "thickness": 1, "width": 3}
    if one.reference:
        trace["line"]["color"] = GREY
        trace["marker"] = {"symbol": mark, "size": 8, "color": GREY}
    return trace


def _bars(one: Series, number: int, *, stacked: bool, written: bool) -> Figure:
    return {
        "type": "bar",
        "name": one.name,
        "x": [shown(place) for place in one.x],
        "y": rounded(one.y),
        "text": [shown(value) for value in one.y] if written else [],
        "textposition": "inside" if stacked else "outside",
        "textangle": 0,
        "insidetextanchor": "middle",
        "cliponaxis": False,
        "marker": {"pattern": {"shape": PATTERNS[number % len(PATTERNS)]}},
    }


def _axis(axis: Axis) -> dict[str, Any]:
    found: dict[str, Any] = {"title": {"text": axis.title}}
    if axis.log:
        found |= {"type": "log"}
    if axis.ticks:
        found |= {"tickmode": "array", "tickvals": list(axis.ticks), "ticktext": [shown(tick) for tick in axis.ticks]}
    if axis.from_zero and not axis.log:
        found |= {"rangemode": "tozero"}
    if axis.suffix:
        found |= {"ticksuffix": axis.suffix}
    return found
