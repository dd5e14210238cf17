"""What an experiment ends in: tables of the paper's figures beside ours, and curves; as data, and as Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import mean, stdev
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One figure of the paper's, and ours; None where one of the two has none.

    Attributes:
        label: of the row.
        series: of the column, such as "sequential".
        paper: its figure.
        ours: all repetitions of ours.
        note: how ours came about, such as "simulated".
    """

    label: str
    series: str
    paper: float | None
    ours: tuple[float, ...]
    note: str = ""

    @property
    def mean(self) -> float | None:
        """Of ours."""
        return mean(self.ours) if self.ours else None

    @property
    def deviation(self) -> float | None:
        """The standard deviation of ours; None of a single one."""
        return stdev(self.ours) if len(self.ours) > 1 else None

    @property
    def difference(self) -> float | None:
        """Ours less the paper's."""
        return None if self.mean is None or self.paper is None else self.mean - self.paper


@dataclass(frozen=True)
class Comparison:
    """A table of the paper's, with ours.

    Attributes:
        name: of the paper's, such as "Table 1".
        title: what it shows.
        unit: of all figures, such as "%" or "s".
        entries: in the order of the rows.
        digits: after the point.
    """

    name: str
    title: str
    unit: str
    entries: tuple[Entry, ...]
    digits: int = 2

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """Heads and rows, as text."""
        noted = any(entry.note for entry in self.entries)
        heads = ["", "series", f"paper, {self.unit}", f"ours, {self.unit}", "deviation", "runs", "difference"]
        rows = [self._row(entry, noted=noted) for entry in self.entries]
        return [*heads, "how"] if noted else heads, rows

    def as_data(self) -> dict[str, Any]:
        """For `results.json`."""
        entries = [
            {
                "label": one.label,
                "series": one.series,
                "paper": one.paper,
                "ours": one.mean,
                "deviation": one.deviation,
                "runs": list(one.ours),
                "difference": one.difference,
                "note": one.note,
            }
            for one in self.entries
        ]
        return {"name": self.name, "title": self.title, "unit": self.unit, "entries": entries}

    def _row(self, one: Entry, *, noted: bool) -> list[str]:
        def shown(value: float | None, sign: str = "") -> str:
            return "" if value is None else f"{value:{sign}z.{self.digits}f}"

        row = [one.label, one.series, shown(one.paper), shown(one.mean), shown(one.deviation)]
        row += [str(len(one.ours)) if one.ours else "", shown(one.difference, "+")]
        return [*row, one.note] if noted else row


@dataclass(frozen=True)
class Line:
    """A curve: `y` over `x`, each with an optional spread up and down."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    spread: tuple[float, ...] = ()
    paper: bool = False


@dataclass(frozen=True)
class Panel:
    """A pair of axes with its curves; `from_zero` where nothing but the whole of a quantity means something."""

    x: str
    y: str
    lines: tuple[Line, ...]
    log_x: bool = False
    log_y: bool = False
    from_zero: bool = True


@dataclass(frozen=True)
class Picture:
    """A figure of the paper's, drawn with ours: `name` such as "figure-1", panels side by side."""

    name: str
    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Findings:
    """All that an experiment has found."""

    tables: tuple[Comparison, ...]
    pictures: tuple[Picture, ...]
    notes: tuple[str, ...] = field(default=())


def markdown(table: Comparison) -> str:
    """The table as Markdown."""
    heads, rows = table.cells()
    lines = [heads, ["---:" if head not in ("", "series", "how") else "---" for head in heads], *rows]
    return f"**{table.name}.** {table.title}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def averages(groups: Sequence[Sequence[float]]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Means, and standard deviations (0 of a single one), of groups of repetitions."""
    return tuple(map(mean, groups)), tuple(stdev(group) if len(group) > 1 else 0.0 for group in groups)
