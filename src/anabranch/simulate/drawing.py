"""What all pictures share: colours, a figure without global state, and files whose bytes are the same for equal input.

This imports matplotlib, which takes about half a second: import it only where something is drawn.
"""

import io
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from anabranch.comm.ledger import Kind
from anabranch.files import write_bytes

# Okabe and Ito, "Color Universal Design", 2008: apart for the colour-blind too; the three also differ in lightness.
BLUE, VERMILLION, YELLOW, GREEN = "#0072B2", "#D55E00", "#F0E442", "#009E73"
COLOURS: dict[Kind, str] = {"computing": BLUE, "waiting": YELLOW, "communicating": VERMILLION}
LOOKS = {
    "axes.axisbelow": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": "medium",
    "figure.titlesize": "large",
    "font.size": 9.0,
    "grid.color": "#DDDDDD",
    "legend.frameon": False,
    "svg.fonttype": "none",  # text that can be searched and copied
    "svg.hashsalt": "anabranch",
    "text.parse_math": False,
}
DOTS = 150  # a PNG's, per inch
LETTERS = 110  # that have room in a line


@contextmanager
def looks() -> Iterator[None]:
    """Inside, everything is drawn in one way, whatever the user's own settings are."""
    with style.context(["default", LOOKS]):
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def wrapped(text: str) -> str:
    """`text` in lines that have room across a picture."""
    return textwrap.fill(text, LETTERS)


def save(figure: Figure, path: Path) -> list[Path]:
    """Write `path` with the endings .png and .svg added; return both.

    Raises:
        StorageError: the place is not writable, or full.
    """
    contents = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}
    paths = []
    for kind, metadata in contents.items():
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind, dpi=DOTS, metadata=metadata)
        paths.append(path.with_name(f"{path.name}.{kind}"))
        write_bytes(paths[-1], buffer.getvalue())
    return paths
