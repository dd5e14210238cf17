"""Pictures of an experiment: the paper's curves dashed and grey, ours in colour, with their spread."""

from itertools import cycle
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, NullLocator, ScalarFormatter, StrMethodFormatter

from anabranch.experiments.findings import Line, Panel, Picture
from anabranch.simulate.drawing import BLUE, GREEN, VERMILLION, looks, new_figure, save, wrapped

WIDTH, HEIGHT = 4.6, 3.6  # inches of a panel
COLOURS = (BLUE, VERMILLION, GREEN, "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe and Ito
MARKS = "osD^vP*"
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
            _fill(axes, panel)
        return save(figure, folder / picture.name)


def _fill(axes: Axes, panel: Panel) -> None:
    styles = cycle(zip(COLOURS, MARKS, strict=True))
    for line in panel.lines:
        _plot(axes, line, *(("#777777", "x") if line.paper else next(styles)))
    axes.set_xlabel(panel.x)
    axes.set_ylabel(panel.y)
    axes.grid(visible=True)
    if panel.log_y:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))  # the usual one writes powers in TeX, unread here
        axes.yaxis.set_minor_formatter(NullFormatter())
    if panel.log_x:
        axes.set_xscale("log")
        axes.set_xticks(_apart(sorted({x for line in panel.lines for x in line.x})))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(ScalarFormatter())
    if not panel.log_y:
        axes.set_ylim(bottom=0)
    axes.legend(fontsize="small")


def _apart(ticks: list[float]) -> list[float]:
    """Without those whose numbers would touch the one before."""
    kept: list[float] = []
    for tick in ticks:
        if not kept or tick >= CLOSEST * kept[-1]:
            kept.append(tick)
    return kept


def _plot(axes: Axes, line: Line, colour: str, mark: str) -> None:
    dashes = "--" if line.paper else "-"
    if line.spread and any(line.spread):
        axes.errorbar(line.x, line.y, line.spread, label=line.name, color=colour, marker=mark, ls=dashes, capsize=3)
    else:
        axes.plot(line.x, line.y, label=line.name, color=colour, marker=mark, ls=dashes)
