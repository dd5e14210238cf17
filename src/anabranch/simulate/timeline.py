"""A Gantt chart of a simulated world: what each rank does when."""

import math
from collections.abc import Sequence
from operator import attrgetter

from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from anabranch.comm.ledger import KINDS, Span
from anabranch.simulate.drawing import COLOURS, new_figure, wrapped
from anabranch.wording import seconds_text, unit_of

MOST_RANKS = 32
MOST_BARS = 3000


def draw(spans: Sequence[Span], size: int, title: str, cut: float) -> Figure:
    """The first ranks from the beginning on, as long as there are bars left; the title says what is left out.

    Times are in seconds, `cut` as in `Ledger`.
    """
    bars, until = beginning(merged([span for span in spans if span.rank < MOST_RANKS]), MOST_BARS, cut)
    shown = min(size, MOST_RANKS)
    figure = new_figure(11.0, 1.9 + 0.26 * shown)
    axes = figure.add_subplot()
    unit, scale = unit_of(until)
    for kind in KINDS:
        for rank in range(shown):
            ranges = [(scale * b.begin, scale * (b.end - b.begin)) for b in bars if (b.rank, b.kind) == (rank, kind)]
            axes.broken_barh(ranges, (rank - 0.4, 0.8), color=COLOURS[kind], linewidth=0)
    axes.set_title("\n".join([wrapped(title), *left_out(spans, size, until, cut)]))
    axes.set_xlim(0.0, scale * until or 1.0)
    axes.set_xlabel(f"virtual time in {unit}")
    axes.set_ylim(shown - 0.4, -0.6)
    axes.set_yticks(range(shown))
    axes.set_ylabel("rank")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    patches = [Patch(color=COLOURS[kind], label=kind) for kind in KINDS]
    figure.legend(handles=patches, loc="outside lower center", ncols=len(KINDS))
    return figure


def left_out(spans: Sequence[Span], size: int, until: float, cut: float = math.inf) -> list[str]:
    """What a picture of the first ranks up to `until` (seconds) does not show."""
    ranks = [f"ranks 0 to {MOST_RANKS - 1} of {size}"] if size > MOST_RANKS else []
    end = min(cut, max((span.end for span in spans), default=0.0))
    whole = f"more than {seconds_text(end)}" if cut < math.inf else seconds_text(end)
    time = [f"the first {seconds_text(until)} of {whole}"] if until < end or cut < math.inf else []
    return [", ".join(ranks + time)] if ranks or time else []


def merged(spans: Sequence[Span]) -> list[Span]:
    """By their beginnings; neighbours of a rank that have one colour are one."""
    last: dict[int, int] = {}
    result: list[Span] = []
    for span in sorted(spans, key=attrgetter("begin", "rank")):
        place = last.get(span.rank)
        if place is not None and result[place].kind == span.kind and result[place].end == span.begin:
            result[place] = result[place]._replace(end=span.end)
        else:
            last[span.rank] = len(result)
            result.append(span)
    return result


def beginning(spans: Sequence[Span], most: int, cut: float = math.inf) -> tuple[list[Span], float]:
    """The first `most` of spans sorted by beginning, cut at the returned time (s), to which they are complete."""
    until = spans[most].begin if len(spans) > most else max((span.end for span in spans), default=0.0)
    until = min(until, cut)
    return [span._replace(end=min(span.end, until)) for span in spans if span.begin < until], until
