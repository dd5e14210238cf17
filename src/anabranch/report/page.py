"""What a page is: a verdict, a few key figures, and sections of charts, pictures and tables. Plain data."""

from dataclasses import dataclass
from typing import Any

Figure = dict[str, Any]
"""A plotly figure as JSON has it: "data" and "layout"."""


@dataclass(frozen=True)
class Table:
    """Rows of text under heads; the first cell of a row is its head.

    Attributes:
        caption: what it shows.
        heads: of the columns.
        rows: each as long as `heads`.
        words: they are no numbers to be compared, and stand on the left.
    """

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: bool = False


@dataclass(frozen=True)
class Chart:
    """An interactive chart, with its numbers.

    Attributes:
        name: no two of a page have the same; letters, digits and hyphens.
        title: above it.
        note: what to see in it, in a sentence or two.
        figure: for plotly.
        numbers: the same as a table.
    """

    name: str
    title: str
    note: str
    figure: Figure
    numbers: Table


@dataclass(frozen=True)
class Picture:
    """An image made of pixels.

    Attributes:
        title: above it.
        note: what to see in it.
        alt: what those hear who do not see it.
        png: its bytes.
        size: (width, height) in which it is shown, at most, in CSS pixels.
        numbers: what can be told of it in numbers.
        wide: it has a row to itself; else there are three in a row.
        smooth: its pixels are not to be seen.
    """

    title: str
    note: str
    alt: str
    png: bytes
    size: tuple[int, int]
    numbers: Table | None = None
    wide: bool = False
    smooth: bool = False


@dataclass(frozen=True)
class Tag:
    """A small picture with a few words under it."""

    alt: str
    png: bytes
    words: tuple[str, ...]


@dataclass(frozen=True)
class Tags:
    """Small pictures in rows, and the same as a table."""

    title: str
    note: str
    tags: tuple[Tag, ...]
    numbers: Table


Part = Chart | Picture | Tags | Table


@dataclass(frozen=True)
class Section:
    """A heading, sentences, and what they are about. One without parts says why there is nothing to show.

    Attributes:
        name: no two of a page have the same; letters, digits and hyphens.
        title: above it.
        text: paragraphs.
        parts: what is shown.
        dense: the parts are many small tables, to be set in columns.
    """

    name: str
    title: str
    text: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    dense: bool = False


@dataclass(frozen=True)
class Tile:
    """A key figure, and what it is."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Page:
    """All of a page.

    Attributes:
        kind: "Run", "Simulation" and so on.
        title: of the document.
        verdict: the heading: what came out.
        lede: what was done, in a sentence or two.
        tiles: the key figures.
        sections: in order.
    """

    kind: str
    title: str
    verdict: str
    lede: str
    tiles: tuple[Tile, ...]
    sections: tuple[Section, ...]
