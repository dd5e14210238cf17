"""Workers at their own pace: how late their pushes came, and what became of each example."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from anabranch.report.charts import Axis, Series, bars, shown
from anabranch.report.page import Chart, Section, Table
from anabranch.report.records import Json, Run

MANY_AGES = 24  # from where the bars of a histogram are made wider


def asynchrony_section(run: Run) -> Section | None:
    """The books of asynchronous work; None where the workers went in step."""
    if not run.traffic:
        return None
    charts = staleness_charts({task: books["staleness"] for task, books in run.traffic.items()})
    text = (
        "Staleness is the number of pushes that a shard of the parameters has seen since the fetch from which a push "
        "was computed.",
    )
    return Section("staleness", "How stale it was", text, (*charts, books_table(run.traffic)))


def staleness_charts(histograms: Mapping[str, Mapping[str, int]]) -> list[Chart]:
    """A histogram for each name, in per cent of its pushes; none where nothing was pushed."""
    counted = {name: Counter({int(age): n for age, n in ages.items()}) for name, ages in histograms.items()}
    counted = {name: ages for name, ages in counted.items() if ages}
    if not counted:
        return []
    places = bins(max(max(ages) for ages in counted.values()))
    series = [
        Series(name, [label(low, high) for low, high in places], [share(ages, low, high) for low, high in places])
        for name, ages in counted.items()
    ]
    means = "; ".join(f"{name} {shown(mean(ages))}" for name, ages in counted.items())
    axes = Axis("versions late"), Axis("pushes, %", from_zero=True)
    return [bars("staleness-chart", "How many versions late pushes came", f"Mean: {means}.", series, *axes)]


def bins(oldest: int) -> list[tuple[int, int]]:
    """Ages (first, last) of each bar: one age each, or where they are many, 0, 1, 2, 3 to 4, 5 to 8, and so on."""
    if oldest < MANY_AGES:
        return [(age, age) for age in range(oldest + 1)]
    found, low, high = [(0, 0), (1, 1)], 2, 2
    while low <= oldest:
        found.append((low, high))
        low, high = high + 1, 2 * high
    return found


def label(low: int, high: int) -> str:
    """Of a bar."""
    return str(low) if low == high else f"{low}–{high}"


def share(ages: Counter[int], low: int, high: int) -> float:
    """Of the pushes that are `low` to `high` versions old, in per cent."""
    return round(100 * sum(n for age, n in ages.items() if low <= age <= high) / ages.total(), 3)


def mean(ages: Counter[int]) -> float:
    """Of the ages."""
    return sum(age * n for age, n in ages.items()) / ages.total()


def books_table(traffic: Mapping[str, Json]) -> Table:
    """Fetches, pushes, and what became of each example."""
    heads = ("task", "pushes", "fetches", "computed", "applied", "lost", "workers waited", "MB/s", "dead workers")
    rows = [(task, *_books(books)) for task, books in traffic.items()]
    return Table("Examples, pushes and traffic of each task", heads, tuple(rows))


def _books(books: Json) -> Sequence[str]:
    used: dict[str, Any] = books["examples"]
    waiting, rate = books.get("waiting"), books.get("bytes_per_second")
    return (
        shown(books["pushes"]),
        shown(books["fetches"]),
        *(shown(used[key]) for key in ("computed", "applied", "lost")),
        "–" if waiting is None else f"{100 * waiting:.1f} %",
        "–" if rate is None else shown(rate / 1e6),
        ", ".join(map(str, books["dead_workers"])) or "none",
    )
