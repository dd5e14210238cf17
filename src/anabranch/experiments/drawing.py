"""Pictures of an experiment: the paper's curves dashed and grey, ours in colour, with their spread."""

from itertools import cycle
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator, StrMethodFormatter

from anabranch.experiments.findings import Line, Panel, Picture
from anabranch.simulate.drawing import BLUE, GREEN, VERMILLION, looks, new_figure, save, wrapped

WIDTH, HEIGHT = 4.6, 3.6  # inches of a panel
COLOURS = (BLUE, VERMILLION, GREEN, "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe and Ito
MARKS = "osD^vP*"
GREY, DASHES, CROSSES = "#777777", ("--", ":", "-.", (0, (1, 3))), "x+1|"  # of the papers
FEW = 8
CLOSEST = 1.3  # two numbers on a logarithmic axis, as a ratio


def draw(picture: Picture, folder: Path) -> list[Path]:
    """Write the picture as PNG and SVG into `folder`.

    Raises:
        StorageError: it is not writable, or full.
    """
    with looks():
        figure = new_figure(WIDTH * len(picture.panels), HEIGHT)
        figure.suptitle(wrapped(picture.title))
        for axes, panel in zip(figure.subplots(1, len(picture.panels), squeeze=False)[0], picture.panels, strict=True):
            fill(axes, panel)
        return save(figure, folder / picture.name)


def fill(axes: Axes, panel: Panel) -> None:
    """Draw the panel; an axis is logarithmic only where all its values have a logarithm."""
    ours, papers = cycle(zip(COLOURS, MARKS, strict=True)), cycle(zip(DASHES, CROSSES, strict=True))
    for line in panel.lines:
        if line.paper:
            dashes, mark = next(papers)
            _plot(axes, line, color=GREY, marker=mark, linestyle=dashes)
        else:
            colour, mark = next(ours)
            _plot(axes, line, color=colour, marker=mark)
    axes.set_xlabel(panel.x)
    axes.set_ylabel(panel.y)
    axes.grid(visible=True)
    if panel.log_y and all(y > 0 for line in panel.lines for y in line.y):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))  # the usual one writes powers in TeX, unread here
        axes.yaxis.set_minor_formatter(NullFormatter())
    elif panel.from_zero:
        axes.set_ylim(bottom=0)
    _mark_places(axes, panel)
    axes.legend(fontsize="small")


def _mark_places(axes: Axes, panel: Panel) -> None:
    """Name the places where something was measured, if they are few, and whole numbers as counts are."""
    places = sorted({x for line in panel.lines for x in line.x})
    if panel.log_x:
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        places = _apart(places)
    if len(places) <= FEW and all(float(place).is_integer() for place in places):
        axes.set_xticks(places)
    elif panel.log_x:
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))


def _apart(ticks: list[float]) -> list[float]:
    """Without those whose numbers would touch the one before."""
    kept: list[float] = []
    for tick in ticks:
        if not kept or tick >= CLOSEST * kept[-1]:
            kept.append(tick)
    return kept


def _plot(axes: Axes, line: Line, **look: Any) -> None:
    if line.spread and any(line.spread):
        axes.errorbar(line.x, line.y, line.spread, label=line.name, capsize=3, **look)
    else:
        axes.plot(line.x, line.y, label=line.name, **look)
